"""Tests that compare groups of persons."""

import numpy as np

from evalkit.errors import EstimationError
from evalkit.estimators._counting import event_codes, row_counts, running, total
from evalkit.estimators._limits import chi_square
from evalkit.result import Estimand, Provenance, Result, tidy


def log_rank(at_risk, *, within=None, cause=None):
    """Test whether the hazards of the strata are equal.

    Parameters
    ----------
    at_risk : AtRisk
        Its strata are the groups; no weights, no clusters.
    within : array-like of shape (n_rows,), optional
        Codes or labels in the order of the rows: compare only within equal ones (the stratified test).
    cause : str, optional
        The event that counts; default: any.

    Returns
    -------
    Result
        Kind ``model``. First row: term ``log_rank``, ``estimate`` the chi-square statistic, with its p-value;
        then ``observed`` and ``expected`` events of each group. ``diagnostics`` holds ``df``.

    Raises
    ------
    EstimationError
        Fewer than two groups at risk, no events, or weights or clusters.

    Notes
    -----
    Observed less expected events against their hypergeometric covariance, summed over event times (and
    ``within``): ``survival::survdiff``, which takes no delayed entry; here persons count from their entry on.
    The test assumes independent rows: for weights or clusters use :func:`cox` and its Wald test.

    Examples
    --------
    One event in week 1 with one of two persons at risk in each group, expected 1/2, variance 1/4.

    >>> import pandas as pd
    >>> from evalkit.atrisk import AtRisk
    >>> frame = pd.DataFrame({"weeks": [1, 2], "left": [1, 0], "sex": ["F", "M"]})
    >>> groups = AtRisk.from_frame(frame, exit="weeks", event="left", strata="sex")
    >>> log_rank(groups).table["estimate"].tolist()
    [1.0, 1.0, 0.0, 0.5, 0.5]
    """
    events = event_codes(at_risk, cause)
    _require_comparison(at_risk, events)
    observed, expected, covariance = _observed_expected(at_risk, events, _codes(within, at_risk.n_rows))
    statistic, df = _quadratic_form(observed - expected, expected, covariance)
    labels, number = at_risk.strata_labels, row_counts(at_risk)
    n_persons = [at_risk.select(at_risk.strata == k).n_persons for k in range(len(labels))]
    n_events = np.bincount(at_risk.strata, weights=number * (events > 0), minlength=len(labels))
    table = tidy(term=["log_rank"] + ["observed"] * len(labels) + ["expected"] * len(labels),
                 group=["", *labels, *labels], estimate=np.concatenate([[statistic], observed, expected]),
                 p_value=np.append(chi_square(statistic, df), np.full(2 * len(labels), np.nan)),
                 n_persons=np.concatenate([[at_risk.n_persons], n_persons, n_persons]),
                 n_events=np.concatenate([[n_events.sum()], n_events, n_events]))
    options = {"cause": cause, "is_stratified": within is not None}
    return Result(kind="model", table=table, diagnostics={"df": df},
                  model={"groups": labels, "difference": observed - expected, "covariance": covariance},
                  estimand=Estimand(name="log_rank", summary="log_rank", unit="chi_square"),
                  provenance=Provenance(method="log_rank", options=options))


def _require_comparison(at_risk, events):
    if at_risk.strata is None or len(np.unique(at_risk.strata)) < 2:
        raise EstimationError("log_rank: one group; "
                              "name the column of the groups in AtRisk.from_frame(strata=...)")
    if not events.any():
        raise EstimationError(f"log_rank: no event among {at_risk.n_persons} persons; nothing to compare")
    weighted = at_risk.weight is not None and (at_risk.weight != 1).any()
    if weighted or at_risk.cluster is not None:
        raise EstimationError("log_rank: the test assumes independent, unweighted persons; with weights or "
                              "clusters use cox with the groups as a covariate and read its Wald test")


def _codes(within, n_rows):
    if within is None:
        return np.zeros(n_rows, dtype=np.int64)
    if len(within) != n_rows:
        raise ValueError(f"within has {len(within)} values, must have one for each of {n_rows} rows")
    return np.unique(np.asarray(within), return_inverse=True)[1]


def _observed_expected(at_risk, events, within):
    """Sum observed and expected events and their covariance over the event times of each block."""
    times = np.unique(at_risk.exit[events > 0])
    width = len(times) + 1
    first, last = (within * width + np.searchsorted(times, moment, side="right")
                   for moment in (at_risk.entry, at_risk.exit))
    size, groups, number = (within.max() + 1) * width, len(at_risk.strata_labels), row_counts(at_risk)
    at_times = np.column_stack([running(first, last, number * (at_risk.strata == k), size)
                                for k in range(groups)])
    died = total(last[events > 0] - 1, number[events > 0], size)
    keep = died > 0
    at_times, died, n = at_times[keep], died[keep], at_times[keep].sum(axis=1)
    observed = np.bincount(at_risk.strata, weights=number * (events > 0), minlength=groups)
    share = at_times / n[:, None]
    spread = died * (n - died) / np.maximum(n - 1, 1)
    covariance = np.diag(spread @ share) - share.T @ (spread[:, None] * share)
    return observed, died @ share, covariance


def _quadratic_form(difference, expected, covariance):
    compared = np.flatnonzero(expected > 0)[:-1]
    if not len(compared) or not covariance[np.ix_(compared, compared)].any():
        raise EstimationError("log_rank: no event falls in a week in which two groups are at risk; "
                              "nothing to compare")
    chosen = difference[compared]
    return float(chosen @ np.linalg.solve(covariance[np.ix_(compared, compared)], chosen)), len(compared)
