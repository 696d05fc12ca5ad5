"""Does a model tell persons apart: the share of pairs in which the higher hazard has the event first."""

import numpy as np

from evalkit.errors import EstimationError
from evalkit.estimators._clusters import clusters_told
from evalkit.estimators._counting import event_codes, event_times, require_rows, row_counts
from evalkit.estimators._limits import quantile
from evalkit.estimators._units import require_clusters, units_of
from evalkit.estimators.cox.comparable_pairs import compare
from evalkit.estimators.cox.residuals import fit_with_sums
from evalkit.result import Estimand, Provenance, Result, tidy

# Predictions nearer than this share of their middle half's width are the same value with other rounding.
SAME = 1e-10


def concordance(at_risk, *, score=None, ties="efron", cause=None, conf_level=0.95):
    """Estimate the probability that, of two persons, the one with the higher hazard has the event first.

    Parameters
    ----------
    at_risk : AtRisk
    score : array-like of shape (n_rows,), optional
        A prediction in the order of the rows, higher for earlier events. Default: the linear predictor of
        :func:`cox` with ``ties`` and ``cause``.
    conf_level : float

    Returns
    -------
    Result
        Kind ``model``, one row ``concordance`` (Harrell's C). ``diagnostics`` holds the weights of
        ``concordant``, ``discordant`` and ``tied`` pairs; ``model`` n_behind, the persons on the rarest side
        of the covariates, or of a score of two values.

    Raises
    ------
    EstimationError
        As in :func:`cox`; no two rows that can be compared; a ``score`` with missing values.
    ValueError
        A ``score`` of another length.

    Notes
    -----
    A pair counts when one has the event while the other is at risk in the same stratum and goes on after that
    week; equal predictions count half. Error: the infinitesimal jackknife by cluster, else person, else row,
    with the prediction taken as given. Both equal ``concordance(coxph(...))`` of R survival, which adds up
    the rows of a person only where ``cluster =`` names persons. Cost grows as n log n. In the data that it
    was fitted to, a model looks better than it is.

    References
    ----------
    .. [1] Therneau and Watson (2015), The concordance statistic and the Cox model, Mayo Clinic report 85.

    Examples
    --------
    Three pairs can be compared; in two of them the higher score comes first.

    >>> import pandas as pd
    >>> from evalkit.atrisk import AtRisk
    >>> frame = pd.DataFrame({"weeks": [1, 2, 3], "left": [1, 1, 0]})
    >>> at_risk = AtRisk.from_frame(frame, exit="weeks", event="left")
    >>> concordance(at_risk, score=[2.0, 1.0, 1.5]).table["estimate"].round(4).tolist()
    [0.6667]
    """
    margin = quantile(conf_level)
    require_clusters(at_risk)
    events = event_codes(at_risk, cause)
    score, n_behind = _predicted(at_risk, ties, cause) if score is None else _given(at_risk, score)
    pairs, of_row = _pairs(at_risk, events, score)
    estimate = float((pairs[0] + pairs[2] / 2) / pairs.sum())
    error = _jackknife(at_risk, pairs, of_row)
    table = tidy(term="concordance", estimate=estimate, std_error=error,
                 conf_low=max(estimate - margin * error, 0), conf_high=min(estimate + margin * error, 1),
                 n_persons=at_risk.n_persons, n_events=row_counts(at_risk)[events > 0].sum())
    options = {"ties": ties, "cause": cause, "conf_level": conf_level}
    return Result(kind="model", table=table, model={"n_behind": np.array([n_behind])},
                  diagnostics={**dict(zip(("concordant", "discordant", "tied"), pairs.tolist(), strict=True)),
                               **clusters_told(at_risk, 1, "concordance")},
                  estimand=Estimand(name="concordance", summary="concordance", unit="share"),
                  provenance=Provenance(method="concordance", options=options))


def _predicted(at_risk, ties, cause):
    fitted = fit_with_sums(at_risk, "concordance", ties=ties, cause=cause)
    return at_risk.covariates @ fitted.result.model["estimates"], fitted.result.model["n_term"].min()


def _given(at_risk, score):
    score = np.asarray(score, dtype=float)
    require_rows("score", score, at_risk.n_rows)
    if np.isnan(score).any():
        raise EstimationError(f"concordance: score: {int(np.isnan(score).sum())} of {len(score)} rows are "
                              "missing; leave these rows out")
    # Two values tell two groups apart, as an indicator does.
    sides = [at_risk.n_persons_in(score == value) for value in np.unique(score)[:3]]
    return score, float(min(sides) if len(sides) == 2 else at_risk.n_persons)


def _pairs(at_risk, events, score):
    """Weigh the concordant, discordant and tied pairs, in all and of each row."""
    first, last, _, _ = event_times(at_risk, events)
    as_event, as_other = compare(_ranks(score), at_risk.row_weights, first, last, events)
    lower, equal, every = as_event
    own = np.stack([lower, every - lower - equal, equal])
    pairs = own @ at_risk.row_weights
    if not pairs.sum() > 0:
        raise EstimationError(f"concordance: none of {at_risk.n_rows} rows has an event while another is at "
                              "risk and goes on; there are no pairs to compare. Follow persons for longer")
    lower, equal, every = as_other
    return pairs, own + np.stack([every - lower - equal, lower, equal])


def _ranks(score):
    """Rank predictions; those that differ by rounding only are equal."""
    order = np.argsort(score)
    ordered = score[order]
    # The middle half: one person far out must not make the others equal.
    low, high = ordered[len(ordered) // 4], ordered[-1 - len(ordered) // 4]
    width = high - low if high > low else ordered[-1] - ordered[0]
    rank = np.empty(len(score), dtype=np.int64)
    rank[order] = np.append(0, np.cumsum(np.diff(ordered) > SAME * width))
    return rank


def _jackknife(at_risk, pairs, of_row):
    """Return the error from what each row (or unit) changes in the estimate."""
    balance = (pairs[0] - pairs[1]) / pairs.sum()
    change = (of_row[0] - of_row[1] - balance * of_row.sum(axis=0)) / (2 * pairs.sum())
    units = units_of(at_risk)
    return float(np.sqrt(units.copies @ units.sums(change)**2))
