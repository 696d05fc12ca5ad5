"""Risk sets: the numbers of event times, and sums over those at risk."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from evalkit.errors import EstimationError

# Groups that a test compares at the most: their joint covariance at every week must fit the memory.
MOST_GROUPS = 200
# Weeks and strata are looked up in a table when it has at most this many places a row, and this many besides.
TABLE, SMALL = 8, 100_000


def strata_of(at_risk):
    """Yield each stratum's label and the positions of its rows, in the order of the labels."""
    if at_risk.strata is None:
        yield "", np.arange(at_risk.n_rows)
        return
    order = np.argsort(at_risk.strata, kind="stable")
    edges = np.searchsorted(at_risk.strata[order], np.arange(len(at_risk.strata_labels) + 1))
    for label, start, stop in zip(at_risk.strata_labels, edges[:-1], edges[1:], strict=True):
        if stop > start:
            yield label, order[start:stop]


def event_codes(at_risk, cause):
    """Return 0, or 1.. for the causes asked for (``None`` pools them into one)."""
    if at_risk.state is not None:
        raise EstimationError("at-risk table has states; use aalen_johansen or state_occupation, "
                              "or build it without state for one event")
    if cause is None:
        return (at_risk.event > 0).astype(np.int64)
    if cause not in at_risk.causes:
        raise EstimationError(f"cause == {cause!r}, must be one of {', '.join(at_risk.causes)}")
    return (at_risk.event == at_risk.causes.index(cause) + 1).astype(np.int64)


def require_covariates(at_risk, method, instead=""):
    """Refuse a regression on nothing; ``instead`` says what there is without covariates."""
    if not at_risk.terms:
        raise EstimationError(f"{method}: the at-risk table has no covariates; "
                              f"name them in AtRisk.from_frame(covariates=...){instead}")


def require_distinct(terms, method, what="a covariate", example="the column"):
    """Refuse an answer in which two rows would have one name."""
    again = sorted(term for term in set(terms) if list(terms).count(term) > 1)
    if again:
        raise EstimationError(f"{method}: {what} is named {', '.join(again)}, as a row of the answer is; "
                              f"rename {example}")


def require_events(at_risk, events, method, cause=None):
    """Refuse a model of a hazard of which nothing is seen: no event, or no exit to the one cause."""
    if not np.any(events):
        what = "event" if cause is None else f"exit to {cause}"
        raise EstimationError(f"{method}: no {what} among {at_risk.n_persons} persons, so there is no hazard "
                              "to model. Look at the event's definition and the length of follow-up")


def event_times(at_risk, cause):
    """Number the event times of all strata in one line.

    Returns
    -------
    first, last : ndarray of int
        A row is at risk at the numbers ``first`` to ``last - 1``; its event, if any, is at ``last - 1``.
    time, stratum : ndarray
        What each number stands for.
    """
    line = line_of(at_risk, cause > 0)
    first, last = (line.number(at_risk.strata, moment) for moment in (at_risk.entry, at_risk.exit))
    return first, last, line.times, line.stratum


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Line:
    """Marked times of all strata in one line. ``rank``, where it is kept, is the number up to each key."""

    axis: np.ndarray
    keys: np.ndarray
    rank: np.ndarray | None
    times: np.ndarray
    stratum: np.ndarray

    def number(self, stratum, moments, side="right"):
        """Count the marked times up to each moment (``left``: before it), earlier strata included."""
        position = positions(self.axis, moments, side)
        if stratum is None:
            return position
        key = stratum * (len(self.axis) + 1) + position
        return np.searchsorted(self.keys, key, side="right") if self.rank is None else self.rank[key]


def line_of(rows, marked):
    """Lay the marked times of all strata in one line."""
    axis = distinct(rows.exit[marked])
    if rows.strata is None:
        return Line(axis=axis, keys=axis, rank=None, times=axis, stratum=np.zeros(len(axis), dtype=np.int64))
    width = len(axis) + 1
    key = rows.strata[marked] * width + positions(axis, rows.exit[marked])
    rank, size = None, (int(rows.strata.max()) + 1) * width
    if size <= TABLE * rows.n_rows + SMALL:
        there = np.zeros(size, dtype=bool)
        there[key] = True
        keys, rank = np.flatnonzero(there), np.cumsum(there)
    else:
        keys = np.unique(key)
    return Line(axis=axis, keys=keys, rank=rank, times=axis[keys % width - 1], stratum=keys // width)


def positions(axis, moments, side="right"):
    """Count the times of a sorted axis up to each moment: by a table for whole weeks, else by search."""
    whole = _whole(moments)
    if whole is None:
        return np.searchsorted(axis, moments, side=side)
    return np.searchsorted(axis, np.arange(int(whole.max(initial=0)) + 1), side=side)[whole]


def distinct(moments):
    """Return the distinct moments, sorted, without sorting them all where they are weeks."""
    whole = _whole(moments)
    return np.unique(moments) if whole is None else np.flatnonzero(np.bincount(whole)).astype(float)


def _whole(moments):
    """Return moments as integers where all are whole and small enough for a table, else None."""
    if not len(moments) or moments.max() > TABLE * len(moments) + SMALL or moments.min() < 0:
        return None
    whole = moments.astype(np.int64)
    return whole if (whole == moments).all() else None


def running(first, last, value, n_times):
    """Sum a value (None: one) over the rows at risk at each time."""
    change = total(first, value, n_times + 1) - total(last, value, n_times + 1)
    return np.cumsum(change)[:-1]


def row_counts(rows):
    """Return how many rows each row stands for, as floats."""
    return np.ones(rows.n_rows) if rows.count is None else rows.count.astype(float)


def divide(top, bottom):
    """Divide, and answer 0 where nobody is at risk."""
    return np.divide(top, bottom, out=np.zeros(np.broadcast(top, bottom).shape), where=bottom > 0)


def total(index, value, size):
    """Sum values (None: ones) by index, as floats even where there is nothing to sum."""
    return np.bincount(index, weights=value, minlength=size).astype(float, copy=False)


def require_groups(at_risk, method):
    """Refuse to compare one group, or more than a joint covariance can hold."""
    n_groups = 0 if at_risk.strata is None else int(np.count_nonzero(np.bincount(at_risk.strata)))
    if n_groups < 2:
        raise EstimationError(f"{method}: one group; "
                              "name the column of the groups in AtRisk.from_frame(strata=...)")
    if len(at_risk.strata_labels) > MOST_GROUPS:
        raise EstimationError(f"{method}: {len(at_risk.strata_labels)} groups, at most {MOST_GROUPS} are "
                              "compared at once; join groups, or use shared_frailty with groups as clusters")


def require_rows(name, values, n_rows):
    """Refuse what has not one value for each row."""
    if np.shape(values) != (n_rows,):
        raise ValueError(f"{name} has shape {np.shape(values)}, must have one value for each of {n_rows} "
                         "rows")


def levels_of(stratify, n_rows):
    """Return codes from 0 of the levels that a test compares within; None where there are none."""
    if stratify is None:
        return None
    require_rows("stratify", stratify, n_rows)
    values = pd.Series(stratify)
    if values.isna().any():
        raise EstimationError(f"stratify: {int(values.isna().sum())} of {n_rows} rows are missing; give "
                              "them a level of their own, or leave the rows out")
    return pd.factorize(values, sort=True)[0]


def n_late(at_risk):
    """Count the rows that begin after time zero where no row of the same person ends."""
    late = at_risk.entry > 0
    if at_risk.person is None or not late.any():
        return int(late.sum())
    keys = [part for part in (at_risk.person, at_risk.episode, at_risk.strata) if part is not None]
    order = np.lexsort((at_risk.entry, *keys[::-1]))
    goes_on = np.zeros(len(order), dtype=bool)
    same = np.logical_and.reduce([key[order][1:] == key[order][:-1] for key in keys])
    goes_on[order[1:]] = same & (at_risk.exit[order][:-1] == at_risk.entry[order][1:])
    return int((late & ~goes_on).sum())
