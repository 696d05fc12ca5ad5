"""Gray's test: is the share that leaves by one cause the same in all groups?"""

from dataclasses import dataclass

import numpy as np

from evalkit.errors import EstimationError
from evalkit.estimators._counting import (
    divide,
    event_codes,
    levels_of,
    n_late,
    require_groups,
    row_counts,
    running,
    total,
)
from evalkit.estimators._limits import chi_square
from evalkit.estimators.competing.subdistribution import require_cause
from evalkit.result import Estimand, Provenance, Result, tidy


def gray_test(at_risk, *, cause, rho=0.0, stratify=None):
    """Test whether the cumulative incidence of a cause is the same in all strata.

    Parameters
    ----------
    at_risk : AtRisk
        Its strata are the groups; followed from time zero, no weights, no clusters.
    cause : str
    rho : float, at least 0
        Weight (1 - F(t-))^rho of each time, F the incidence of all groups together.
    stratify : array-like of shape (n_rows,), optional
        Codes or labels in the order of the rows: compare only within equal ones (the stratified test).

    Returns
    -------
    Result
        Kind ``model``. First row: term ``gray``, ``estimate`` the chi-square statistic, with its p-value;
        then the ``score`` of each group, positive where more leave by the cause, with its error.
        ``diagnostics`` has ``df``; ``model`` the scores' covariance.

    Raises
    ------
    EstimationError
        Fewer than two groups, no exit by the cause, delayed entry, weights, clusters or states.

    Notes
    -----
    Score of group k: the sum over times of (1 - F)^rho (d_k - d R_k / R), with R_k = n_k (1 - F_k) / S_k, all
    just before the time, and the variance of Gray (1988), section 3, with the finite-sample factors
    1 - (d - 1) / (n - 1) for ties: ``Tests`` of ``cmprsk::cuminc(time, cause, group, strata, rho)``. Ties are
    exact: events precede censorings. Gray's theory is for right-censored persons.

    References
    ----------
    .. [1] Gray (1988), Annals of Statistics 16, 1141-1154.

    Examples
    --------
    Before week 1 nobody has left, so that the group of the one who leaves to a job scores 1 - 2/4 = 1/2. In
    week 2 it has 1 * (1 - 1/2) / (1/2) = 1 left and the other 2: the other's exit scores it -1/3.

    >>> import pandas as pd
    >>> from evalkit.atrisk import AtRisk
    >>> frame = pd.DataFrame({"weeks": [1, 2, 2, 3], "left": ["JOB", "STUDY", "JOB", None],
    ...                       "sex": list("FFMM")})
    >>> groups = AtRisk.from_frame(frame, exit="weeks", event="left", strata="sex")
    >>> gray_test(groups, cause="JOB").table["estimate"].round(4).tolist()[1:]
    [0.1667, -0.1667]
    """
    if not 0 <= rho < np.inf:
        raise ValueError(f"rho == {rho!r}, must be 0 or above")
    own = event_codes(at_risk, require_cause(at_risk, cause, "gray_test"))
    _require_comparison(at_risk, own, cause)
    score, covariance = _sum_of_blocks(at_risk, own, levels_of(stratify, at_risk.n_rows), rho)
    statistic, df = _quadratic_form(score, covariance)
    labels, number = at_risk.strata_labels, row_counts(at_risk)
    n_persons = np.array([at_risk.n_persons_in(at_risk.strata == k) for k in range(len(labels))])
    n_events = total(at_risk.strata, number * own, len(labels))
    table = tidy(term=["gray"] + ["score"] * len(labels), group=["", *labels],
                 estimate=np.append(statistic, score),
                 std_error=np.append(np.nan, np.sqrt(np.maximum(np.diag(covariance), 0))),
                 p_value=np.append(chi_square(statistic, df), np.full(len(labels), np.nan)),
                 n_persons=np.append(n_persons.sum(), n_persons),
                 n_events=np.append(n_events.sum(), n_events))
    options = {"cause": cause, "rho": rho, "is_stratified": stratify is not None}
    return Result(kind="model", table=table, diagnostics={"df": df},
                  model={"groups": labels, "score": score, "covariance": covariance,
                         # A test says of the smallest group, and of the one with the fewest events, what it
                         # says of the others.
                         "n_behind": np.append(min(n_persons.min(), n_events.min()), n_persons)},
                  estimand=Estimand(name="gray_test", summary="gray_test", unit="chi_square"),
                  provenance=Provenance(method="gray_test", options=options))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Counts:
    """Persons at risk, exits by the cause and by others: shape (n_times, n_groups)."""

    present: np.ndarray
    own: np.ndarray
    other: np.ndarray


def _require_comparison(at_risk, own, cause):
    require_groups(at_risk, "gray_test")
    if not own.any():
        raise EstimationError(f"gray_test: no exit to {cause} among {at_risk.n_persons} persons; "
                              "nothing to compare. Join groups, or follow persons for longer")
    if (at_risk.weight is not None and (at_risk.weight != 1).any()) or at_risk.cluster is not None:
        raise EstimationError("gray_test: the test assumes independent, unweighted persons; with weights or "
                              "clusters use fine_gray with the groups as a covariate and read its Wald test")
    late = n_late(at_risk)
    if late:
        raise EstimationError(f"gray_test: {late} rows enter after time zero; Gray's theory is for persons "
                              "followed from time zero. Use fine_gray with the groups as a covariate and "
                              "read its Wald test")


def _sum_of_blocks(at_risk, own, block, rho):
    size = len(at_risk.strata_labels)
    block = np.zeros(at_risk.n_rows, dtype=np.int64) if block is None else block
    score, covariance = np.zeros(size), np.zeros((size, size))
    for k in range(block.max() + 1):
        rows = np.flatnonzero(block == k)
        if own[rows].any():
            found = _score(_counts(at_risk.select(rows), own[rows]), rho)
            score, covariance = score + found[0], covariance + found[1]
    return score, covariance


def _counts(rows, own):
    times = np.unique(rows.exit[rows.event > 0])
    first, last = (np.searchsorted(times, moment, side="right") for moment in (rows.entry, rows.exit))
    size, number = len(rows.strata_labels), row_counts(rows)
    place = (last - 1) * size + rows.strata

    def exits(mask):
        return total(place[mask], number[mask], len(times) * size).reshape(len(times), size)

    present = [running(first, last, number * (rows.strata == k), len(times)) for k in range(size)]
    return _Counts(present=np.column_stack(present), own=exits(own > 0),
                   other=exits((rows.event > 0) & (own == 0)))


def _score(counts, rho):
    """Return the groups' scores and their covariance (Gray 1988, section 3)."""
    n, own, other = counts.present, counts.own, counts.other
    died, after = own.sum(axis=1), np.cumprod(1 - divide(own + other, n), axis=0)
    before = _shifted(after, 1.0)
    # Gray's h: persons at risk, and those who left before in proportion.
    scaled = divide(n, before)
    together, incidence = scaled.sum(axis=1), np.cumsum(before * divide(own, n), axis=0)
    left = 1 - np.cumsum(divide(died, together))
    before_left = _shifted(left, 1.0)
    weight = before_left**rho
    expected = scaled * (1 - _shifted(incidence, 0.0))
    score = weight @ (own - died[:, None] * divide(expected, expected.sum(axis=1, keepdims=True)))
    moved = weight[:, None, None] * (_diagonal(scaled) - _outer(scaled, divide(scaled, together[:, None])))
    return score, _covariance(counts, moved, (before, after), left, divide(died, together * before_left))


def _covariance(counts, moved, survival, left, step):
    """Add up what each group's exits by the cause, and by others, move the scores.

    ``moved`` (times, scores, groups) is how a score moves with a group's incidence; its integral from a time
    on against the pooled incidence, ``step``, is what an exit there changes by the group's later risk sets.
    """
    n, own, other = counts.present, counts.own, counts.other
    (before, after), died = survival, own.sum(axis=1, keepdims=True)
    rest = moved * step[:, None, None]
    rest = rest.sum(axis=0) - np.cumsum(rest, axis=0)
    together = divide(n, before).sum(axis=1, keepdims=True)
    ratio = divide(left[:, None], after)
    first = moved + np.where(after > 0, 1 - ratio, 1.0)[:, None, :] * rest
    spread = _tied(died, together * before) * divide(died * before, together * n)
    other_spread = _tied(other, n) * before**2 * divide(other, n**2)
    return _squares(first, spread) + _squares(ratio[:, None, :] * rest, other_spread)


def _squares(value, spread):
    return np.einsum("tik,tjk,tk->ij", value, value, spread)


def _diagonal(value):
    return value[:, :, None] * np.eye(value.shape[1])


def _outer(first, second):
    return first[:, :, None] * second[:, None, :]


def _shifted(value, start):
    """Return what holds just before each time."""
    return np.vstack([np.full((1, value.shape[1]), start), value[:-1]]) if value.ndim == 2 else np.append(
        start, value[:-1])


def _tied(died, present):
    """Return the share of a binomial variance that is left where persons are drawn without replacement."""
    return np.where(died > 1, 1 - (died - 1) / np.maximum(present - 1, 1e-300), 1.0)


def _quadratic_form(score, covariance):
    size = np.diag(covariance)
    compared = np.flatnonzero(size > 1e-12 * size.max())[:-1]
    if not len(compared):
        raise EstimationError("gray_test: no exit falls in a week in which two groups are at risk; "
                              "nothing to compare. Join groups, or follow persons for longer")
    chosen = score[compared]
    return float(chosen @ np.linalg.solve(covariance[np.ix_(compared, compared)], chosen)), len(compared)
