"""Tests that compare the hazards of groups of persons."""

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from evalkit.errors import EstimationError
from evalkit.estimators._counting import (
    event_codes,
    event_times,
    levels_of,
    require_groups,
    row_counts,
    running,
    total,
)
from evalkit.estimators._limits import chi_square, require_one_of
from evalkit.result import Estimand, Provenance, Result, tidy

WEIGHTS = ("log_rank", "gehan", "tarone_ware", "peto")


def log_rank(at_risk, *, weights="log_rank", rho=0.0, gamma=0.0, stratify=None, trend=None, cause=None):
    """Test whether the hazards of the strata are equal, early or late differences weighted as asked.

    Parameters
    ----------
    at_risk : AtRisk
        Its strata are the groups; no weights, no clusters.
    weights : {"log_rank", "gehan", "tarone_ware", "peto"}
        What a week's difference counts: 1; n at risk; its square root; or the survival of all groups together
        as Peto and Peto estimate it, the product of 1 - d / (n + 1) up to and with the week.
    rho, gamma : float, at least 0
        Fleming and Harrington's family instead: S^rho (1 - S)^gamma, with S the Kaplan-Meier curve of all
        groups together just before the week. ``rho=1`` looks early, ``gamma=1`` late.
    stratify : array-like of shape (n_rows,), optional
        Codes or labels in the order of the rows: compare only within equal ones (the stratified test).
    trend : sequence of float, optional
        A score for each group, in the order of their labels: test for a trend along the scores, one degree
        of freedom.
    cause : str, optional
        The event that counts; default: any.

    Returns
    -------
    Result
        Kind ``model``. First row: term ``log_rank``, ``estimate`` the chi-square statistic, with its p-value;
        then ``observed`` and ``expected`` events of each group, weighted. ``diagnostics`` holds ``df`` and,
        for a trend, ``z`` (positive: events more often than expected at high scores). ``model`` has the
        weighted difference of observed and expected with its covariance.

    Raises
    ------
    EstimationError
        Fewer than two groups at risk, no events, weights or clusters, no week in which groups meet, or a
        curve that weighs the weeks but falls to 0 while persons still enter.

    Notes
    -----
    Observed less expected events against their hypergeometric covariance, each week's part times its weight
    (squared in the covariance), summed over event times and ``stratify``. ``survival::survdiff(rho = )``
    gives the plain and the rho test; it takes no delayed entry, here persons count from their entry on. Score
    tests of ``coxph(ties = "exact")`` are the same for ``log_rank`` with any entry, and with a score as
    covariate for ``trend``. Curves that weigh are taken within each level of ``stratify``, as in R. The
    test assumes independent rows: for weights or clusters use :func:`cox` and its Wald test.

    References
    ----------
    .. [1] Fleming and Harrington (1991), Counting Processes and Survival Analysis, 7.2.
    .. [2] Klein and Moeschberger (2003), Survival Analysis, 7.3 to 7.5.

    Examples
    --------
    One event in week 1 with one of two persons at risk in each group, expected 1/2, variance 1/4.

    >>> import pandas as pd
    >>> from evalkit.atrisk import AtRisk
    >>> frame = pd.DataFrame({"weeks": [1, 2], "left": [1, 0], "sex": ["F", "M"]})
    >>> groups = AtRisk.from_frame(frame, exit="weeks", event="left", strata="sex")
    >>> log_rank(groups).table["estimate"].round(4).tolist()
    [1.0, 1.0, 0.0, 0.5, 0.5]
    """
    _require_options(weights, rho, gamma)
    events = event_codes(at_risk, cause)
    _require_comparison(at_risk, events)
    scores = _scores(trend, at_risk.strata_labels)
    sets = _risk_sets(at_risk, events, levels_of(stratify, at_risk.n_rows))
    observed, expected, covariance = _weighted(sets, _weight(sets, weights, rho, gamma))
    test = _quadratic_form if scores is None else _trend
    statistic, diagnostics = test(observed - expected, covariance, scores)
    options = {"weights": weights, "rho": rho, "gamma": gamma, "is_stratified": stratify is not None,
               "trend": None if scores is None else scores.tolist(), "cause": cause}
    table = _table(at_risk, events, statistic, diagnostics["df"], observed, expected)
    return Result(kind="model", table=table,
                  model={"groups": at_risk.strata_labels, "difference": observed - expected,
                         "covariance": covariance,
                         # A test says of the smallest group, and of the one with the fewest events, what it
                         # says of the others.
                         "n_behind": np.append(table[["n_persons", "n_events"]][1:].min(axis=None),
                                               table["n_persons"][1:])},
                  diagnostics=diagnostics,
                  estimand=Estimand(name="log_rank", summary="log_rank",
                                    unit={"log_rank": "chi_square", "observed": "events",
                                          "expected": "events"}),
                  provenance=Provenance(method="log_rank", options=options))


def _require_options(weights, rho, gamma):
    require_one_of("weights", weights, WEIGHTS)
    for name, value in (("rho", rho), ("gamma", gamma)):
        if not 0 <= value < np.inf:
            raise ValueError(f"{name} == {value!r}, must be 0 or above")
    if weights != "log_rank" and (rho or gamma):
        raise ValueError(f"weights == {weights!r} with rho or gamma; choose one family of weights")


def _require_comparison(at_risk, events):
    require_groups(at_risk, "log_rank")
    if not events.any():
        raise EstimationError(f"log_rank: no event among {at_risk.n_persons} persons; nothing to "
                              "compare. Look at the event's definition and the length of follow-up")
    weighted = at_risk.weight is not None and (at_risk.weight != 1).any()
    if weighted or at_risk.cluster is not None:
        raise EstimationError("log_rank: the test assumes independent, unweighted persons; with weights or "
                              "clusters use cox with the groups as a covariate and read its Wald test")


def _scores(trend, labels):
    if trend is None:
        return None
    scores = np.asarray(trend, dtype=float)
    if scores.shape != (len(labels),) or not np.isfinite(scores).all() or len(np.unique(scores)) < 2:
        raise ValueError(f"trend must be {len(labels)} numbers, not all equal: a score for each of the "
                         "groups")
    return scores


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _RiskSets:
    """The risk set of every event time of every level of ``stratify``: at risk and events, of each group."""

    block: np.ndarray
    at_risk: np.ndarray
    events: np.ndarray

    @property
    def totals(self):
        return self.at_risk.sum(axis=1), self.events.sum(axis=1)


def _risk_sets(at_risk, events, block):
    first, last, times, of_block = event_times(replace(at_risk, strata=block), events)
    number, groups, size = row_counts(at_risk), len(at_risk.strata_labels), len(times)
    counts = np.column_stack([running(first[own], last[own], number[own], size)
                              for own in (at_risk.strata == k for k in range(groups))])
    died = np.flatnonzero(events)
    cell = (last[died] - 1) * groups + at_risk.strata[died]
    return _RiskSets(block=of_block, at_risk=counts,
                     events=total(cell, number[died], size * groups).reshape(size, groups))


def _weight(sets, weights, rho, gamma):
    """Return what each event time counts."""
    n, died = sets.totals
    if weights == "gehan":
        return n
    if weights == "tarone_ware":
        return np.sqrt(n)
    if weights == "peto":
        return _product(sets.block, 1 - died / (n + 1))
    if rho == gamma == 0:
        return np.ones(len(n))
    # What nobody survives must be the end of a block, or the curve would weigh later weeks by nothing.
    if (sets.block[1:] == sets.block[:-1])[(died == n)[:-1]].any():
        raise EstimationError("log_rank: everybody at risk has the event at one early time while others "
                              "enter later, so S is 0 from there on; use weights='peto', 'gehan' or "
                              "'tarone_ware'")
    survival = _product(sets.block, 1 - died / n)
    before = np.append(1.0, survival[:-1])
    before[np.append(True, sets.block[1:] != sets.block[:-1])] = 1.0
    return before**rho * (1 - before) ** gamma


def _product(block, factor):
    """Multiply up over the times of each block."""
    edges = np.append(np.flatnonzero(np.append(True, block[1:] != block[:-1])), len(block))
    return np.concatenate([np.cumprod(factor[start:stop]) for start, stop in pairwise(edges)])


def _weighted(sets, weight):
    """Sum weighted observed and expected events of each group and their covariance."""
    n, died = sets.totals
    share = sets.at_risk / n[:, None]
    spread = weight**2 * died * (n - died) / np.maximum(n - 1, 1)
    covariance = np.diag(spread @ share) - share.T @ (spread[:, None] * share)
    return weight @ sets.events, (weight * died) @ share, covariance


def _quadratic_form(difference, covariance, _scores):
    """Weigh the differences by their covariance, in as many directions as groups are compared in."""
    size, direction = np.linalg.eigh(covariance)
    known = size > 1e-10 * size.max(initial=0)
    _require_overlap(known)
    return float(np.sum((difference @ direction[:, known]) ** 2 / size[known])), {"df": int(known.sum())}


def _trend(difference, covariance, scores):
    spread = scores @ covariance @ scores
    _require_overlap(spread > 1e-12 * np.abs(covariance).max() * (scores @ scores))
    z = float(scores @ difference / np.sqrt(spread))
    return z**2, {"df": 1, "z": z}


def _require_overlap(known):
    if not np.any(known):
        raise EstimationError("log_rank: no event falls in a week in which two groups are at risk; "
                              "nothing to compare. Join groups, or follow persons for longer")


def _table(at_risk, events, statistic, df, observed, expected):
    labels, number = at_risk.strata_labels, row_counts(at_risk)
    n_persons = [at_risk.n_persons_in(at_risk.strata == k) for k in range(len(labels))]
    n_events = np.bincount(at_risk.strata, weights=number * (events > 0), minlength=len(labels))
    return tidy(term=["log_rank"] + ["observed"] * len(labels) + ["expected"] * len(labels),
                group=["", *labels, *labels], estimate=np.concatenate([[statistic], observed, expected]),
                p_value=np.append(chi_square(statistic, df), np.full(2 * len(labels), np.nan)),
                n_persons=np.concatenate([[at_risk.n_persons], n_persons, n_persons]),
                n_events=np.concatenate([[n_events.sum()], n_events, n_events]))
