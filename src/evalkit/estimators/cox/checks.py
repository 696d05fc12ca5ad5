"""Is the model right, and does it tell persons apart: the test of proportional hazards, and concordance."""

from dataclasses import replace

import numpy as np

from evalkit.errors import EstimationError
from evalkit.estimators._counting import (
    event_codes,
    event_times,
    require_clusters,
    row_counts,
    running,
    total,
    units_of,
)
from evalkit.estimators._limits import chi_square, quantile, require_one_of
from evalkit.estimators.cox.pairs import compare
from evalkit.estimators.cox.partial import evaluate
from evalkit.estimators.cox.residuals import fit_with_sums
from evalkit.estimators.cox.varying import describe
from evalkit.result import Estimand, Provenance, Result, tidy

# Predictions nearer than this share of their middle half's width are the same value with other rounding.
SAME = 1e-10


def proportionality_test(at_risk, *, transform="km", ties="efron", cause=None, offset=None,
                         varying=None):
    """Test whether log hazard ratios change with time.

    Parameters
    ----------
    at_risk : AtRisk
    transform : {"km", "rank", "identity", "log"}
        The time against which they may change: share with the event (pooled Kaplan-Meier, just before), rank
        of the row's end, weeks, or log weeks.
    ties, cause, offset, varying
        As in :func:`cox`; of ``varying`` steps only, within which the effect may go on to change.

    Returns
    -------
    Result
        Kind ``model``. A row for each term, for each category of more than two levels as a whole, and
        ``global``: ``estimate`` is the chi-square statistic, with its p-value. ``diagnostics`` holds ``df``,
        one for each row.

    Raises
    ------
    EstimationError
        As in :func:`cox`; an event at week 0 with ``log``; no change in time to test against.

    Notes
    -----
    The score test of the coefficients of x g(t), added to the model as fitted: ``cox.zph`` of R survival 3
    (rows of its ``terms = FALSE`` and, for whole categories, ``terms = TRUE``), not the correlation of
    residuals with time that earlier versions and lifelines test. Like there, the test takes rows as
    independent, whatever the errors of the fit, and the Kaplan-Meier curve behind ``km`` is unweighted.

    References
    ----------
    .. [1] Grambsch and Therneau (1994), Biometrika 81, 515-526.

    Examples
    --------
    The log hazard ratio is 0. The M of week 1 is 1/2 above the mean of those at risk, the F of week 2 is 1/2
    below, each with variance 1/4; against weeks less their mean: (1/4 + 1/4)^2 / (1/16 + 1/16).

    >>> import pandas as pd
    >>> from evalkit.atrisk import AtRisk
    >>> frame = pd.DataFrame({"weeks": [1, 1, 2, 2], "left": [1, 0, 1, 0], "sex": list("MFFM")})
    >>> at_risk = AtRisk.from_frame(frame, exit="weeks", event="left", covariates=["sex"])
    >>> proportionality_test(at_risk, transform="identity").table["estimate"].round(3).tolist()
    [2.0, 2.0]
    """
    require_one_of("transform", transform, tuple(_TRANSFORMS))
    fitted = fit_with_sums(at_risk, ties=ties, cause=cause, offset=offset, varying=varying)
    trend = _standardised(_TRANSFORMS[transform](fitted), fitted.plan)
    score, information = _of_the_trend(fitted, trend)
    rows = [*_rows_of(fitted.result.model["terms"]), ("global", list(range(len(score))))]
    statistic = np.array([_quadratic(score[part], information[np.ix_(part, part)]) for _, part in rows])
    df = [len(part) for _, part in rows]
    table = tidy(term=[name for name, _ in rows], estimate=statistic,
                 p_value=[chi_square(*pair) for pair in zip(statistic, df, strict=True)],
                 n_persons=at_risk.n_persons, n_events=row_counts(fitted.table)[fitted.events > 0].sum())
    options = {"transform": transform, "ties": ties, "cause": cause, "offset": offset is not None,
               "varying": describe(varying)}
    return Result(kind="model", table=table, diagnostics={"df": df},
                  estimand=Estimand(name="proportional_hazards", summary="score_test", unit="chi_square"),
                  provenance=Provenance(method="proportionality_test", options=options))


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
        ``concordant``, ``discordant`` and ``tied`` pairs.

    Raises
    ------
    EstimationError
        As in :func:`cox`; no two rows that can be compared; a ``score`` of another length or with missing
        values.

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
    score = _predicted(at_risk, ties, cause) if score is None else _given(at_risk, score)
    pairs, of_row = _pairs(at_risk, events, score)
    estimate = float((pairs[0] + pairs[2] / 2) / pairs.sum())
    error = _jackknife(at_risk, pairs, of_row)
    table = tidy(term="concordance", estimate=estimate, std_error=error,
                 conf_low=max(estimate - margin * error, 0), conf_high=min(estimate + margin * error, 1),
                 n_persons=at_risk.n_persons, n_events=row_counts(at_risk)[events > 0].sum())
    options = {"ties": ties, "cause": cause, "conf_level": conf_level}
    return Result(kind="model", table=table,
                  diagnostics=dict(zip(("concordant", "discordant", "tied"), pairs.tolist(), strict=True)),
                  estimand=Estimand(name="concordance", summary="concordance", unit="share"),
                  provenance=Provenance(method="concordance", options=options))


def _of_the_trend(fitted, trend):
    """Return score and information of the trends' coefficients, the model's own coefficients given.

    The likelihood is a sum over terms of tied deaths: weighted by g(t) it gives the sums of g(t) V(t).
    """
    plan = fitted.plan

    def weighted(power):
        ties = replace(plan.ties, share=plan.ties.share * (trend**power)[plan.ties.at])
        return evaluate(replace(plan, ties=ties, observed=observed),
                        fitted.result.model["estimates"] * fitted.scale)

    observed = plan.x[plan.died].T @ (plan.weight[plan.died] * trend[plan.at])
    first, second = weighted(1), weighted(2)
    given = np.linalg.solve(fitted.at.information, first.information)
    return first.gradient, second.information - first.information @ given


def _standardised(trend, plan):
    """Centre and scale the trend: the test stays the same, the numbers become well behaved."""
    weight = total(plan.at, plan.weight[plan.died], len(plan.time))
    centred = trend - np.average(trend, weights=weight)
    spread = np.sqrt(np.average(centred**2, weights=weight))
    if not spread > 0:
        raise EstimationError("proportionality_test: all events fall at one value of the transformed time, "
                              "so no change can be seen. Choose another transform, or follow up for longer")
    return centred / spread


def _quadratic(score, information):
    if np.linalg.matrix_rank(information, hermitian=True) < len(score):
        return np.nan
    return float(score @ np.linalg.solve(information, score))


def _rows_of(terms):
    """Name each term with its column, and each category of several columns with all of them."""
    columns = {}
    for k, term in enumerate(terms):
        columns.setdefault(term.partition("[")[0] if term.endswith("]") else term, []).append(k)
    for name, part in columns.items():
        yield from ((terms[k], [k]) for k in part)
        if len(part) > 1:
            yield name, part


def _share_with_event(fitted):
    pooled, number = replace(fitted.table, strata=None), row_counts(fitted.table)
    first, last, time, _ = event_times(pooled, fitted.events)
    died = fitted.events > 0
    n_events = total(last[died] - 1, number[died], len(time))
    survival = np.cumprod(1 - n_events / running(first, last, number, len(time)))
    return 1 - np.append(1.0, survival)[np.searchsorted(time, fitted.plan.time)]


def _rank(fitted):
    times, position = np.unique(fitted.table.exit, return_inverse=True)
    number = total(position, row_counts(fitted.table), len(times))
    return (np.cumsum(number) - (number - 1) / 2)[np.searchsorted(times, fitted.plan.time)]


def _log(fitted):
    return np.log(fitted.plan.time)


def _identity(fitted):
    return fitted.plan.time


_TRANSFORMS = {"km": _share_with_event, "rank": _rank, "identity": _identity, "log": _log}


def _predicted(at_risk, ties, cause):
    fitted = fit_with_sums(at_risk, ties=ties, cause=cause)
    return at_risk.covariates @ fitted.result.model["estimates"]


def _given(at_risk, score):
    score = np.asarray(score, dtype=float)
    if score.shape != (at_risk.n_rows,) or np.isnan(score).any():
        raise EstimationError(f"concordance: score has shape {score.shape} and {int(np.isnan(score).sum())} "
                              f"missing values, expected one number for each of {at_risk.n_rows} rows")
    return score


def _pairs(at_risk, events, score):
    """Weigh the concordant, discordant and tied pairs, in all and of each row."""
    first, last, _, _ = event_times(at_risk, events)
    as_event, as_other = compare(_ranks(score), at_risk.row_weights, first, last, events)
    lower, equal, every = as_event
    own = np.stack([lower, every - lower - equal, equal])
    pairs = own @ at_risk.row_weights
    if not pairs.sum() > 0:
        raise EstimationError(f"concordance: none of {at_risk.n_rows} rows has an event while another is at "
                              "risk and goes on; there are no pairs to compare")
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
    sums = total(units.code, units.weight * change, len(units.copies))
    return float(np.sqrt(units.copies @ sums**2))
