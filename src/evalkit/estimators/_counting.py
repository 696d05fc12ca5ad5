"""Risk sets shared by the curves: who is at risk at which event time, and which rows belong together."""

from dataclasses import dataclass

import numpy as np

from evalkit.atrisk import AtRisk
from evalkit.errors import EstimationError


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Grid:
    """One stratum on its grid of times: every event time and the end of follow-up.

    A row is at risk at the times numbered ``first`` to ``last - 1``; its event, if any, is at ``last - 1``.
    ``at_risk`` and ``events`` are weighted, ``n_at_risk`` and ``n_events`` count persons and events.
    """

    label: str
    rows: AtRisk
    times: np.ndarray
    cause: np.ndarray
    first: np.ndarray
    last: np.ndarray
    at_risk: np.ndarray
    events: np.ndarray
    n_at_risk: np.ndarray
    n_events: np.ndarray

    @property
    def hazard(self):
        """Share of those at risk who have any event, one per time."""
        return divide(self.events.sum(axis=1), self.at_risk)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Units:
    """What is independent: a cluster, else a person, else a row. ``copies`` says how many each stands for."""

    code: np.ndarray
    weight: np.ndarray
    copies: np.ndarray


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


def grid_of(label, rows, cause, n_causes=1):
    """Count events and persons at risk of one stratum at each of its times."""
    end = rows.exit.max()
    times = np.union1d(rows.exit[cause > 0], end)
    first, last = (np.searchsorted(times, moment, side="right") for moment in (rows.entry, rows.exit))
    died = np.flatnonzero(cause)
    weight, number = rows.row_weights, row_counts(rows)
    cell = (last[died] - 1) * n_causes + cause[died] - 1
    events, n_events = (total(cell, value[died], len(times) * n_causes).reshape(len(times), n_causes)
                        for value in (weight, number))
    return Grid(label=label, rows=rows, times=times, cause=cause, first=first, last=last, events=events,
                n_events=n_events, at_risk=running(first, last, weight, len(times)),
                n_at_risk=persons_at_risk(rows, times))


def running(first, last, value, n_times):
    """Sum a value over the rows at risk at each time."""
    change = total(first, value, n_times + 1) - total(last, value, n_times + 1)
    return np.cumsum(change)[:-1]


def row_counts(rows):
    """Return how many rows each row stands for, as floats."""
    return np.ones(rows.n_rows) if rows.count is None else rows.count.astype(float)


def persons_at_risk(rows, times):
    """Count the persons at risk just before each time; one with several open episodes counts once."""
    entry, exit, number = rows.entry, rows.exit, row_counts(rows)
    if rows.person is not None and rows.episode is not None:
        entry, exit, number = _union(rows.person, entry, exit, number)
    first, last = (np.searchsorted(times, moment, side="right") for moment in (entry, exit))
    return running(first, last, number, len(times))


def n_at_start(rows):
    """Count the persons under observation from time zero."""
    start = rows.select(rows.entry == 0)
    return start.n_persons if start.n_rows else 0


def units_of(rows):
    """Return what the robust error adds up within before squaring."""
    number = row_counts(rows)
    weight = np.ones(rows.n_rows) if rows.weight is None else rows.weight
    if rows.cluster is not None:
        code = np.unique(rows.cluster, return_inverse=True)[1]
        return Units(code=code, weight=weight * number, copies=np.ones(code.max() + 1))
    if rows.person is not None:
        _, start, code = np.unique(rows.person, return_index=True, return_inverse=True)
        return Units(code=code, weight=weight, copies=number[start])
    return Units(code=np.arange(rows.n_rows), weight=weight, copies=number)


def is_robust(at_risk, robust):
    """Decide as R does: robust where rows are dependent or weighted, unless the caller says otherwise."""
    if robust is not None:
        return bool(robust)
    if at_risk.cluster is not None or (at_risk.weight is not None and (at_risk.weight != 1).any()):
        return True
    if at_risk.person is None:
        return False
    return bool(np.bincount(at_risk.person[at_risk.event > 0], minlength=1).max() > 1)


def require_clusters(at_risk):
    """Refuse robust errors that rest on one cluster."""
    if at_risk.cluster is not None and len(np.unique(at_risk.cluster)) < 2:
        raise EstimationError("cluster: 1 cluster; errors between clusters need at least 2. "
                              "Leave cluster out, or choose a finer one")


def divide(top, bottom):
    """Divide, and answer 0 where nobody is at risk."""
    return np.divide(top, bottom, out=np.zeros(np.broadcast(top, bottom).shape), where=bottom > 0)


def total(index, value, size):
    """Sum values by index, as floats even where there is nothing to sum."""
    return np.bincount(index, weights=value, minlength=size).astype(float, copy=False)


def _union(person, entry, exit, number):
    """Join the overlapping intervals of each person."""
    order = np.lexsort((entry, person))
    person, entry, exit, number = person[order], entry[order], exit[order], number[order]
    # Persons are laid one after another on one long axis, so that a running maximum never crosses them.
    shift = np.unique(person, return_inverse=True)[1] * (exit.max() + 1.0)
    reach = np.maximum.accumulate(exit + shift) - shift
    new = np.ones(len(order), dtype=bool)
    new[1:] = (person[1:] != person[:-1]) | (entry[1:] > reach[:-1])
    start = np.flatnonzero(new)
    return entry[start], reach[np.append(start[1:], len(order)) - 1], number[start]


def event_times(at_risk, cause):
    """Number the event times of all strata in one line.

    Returns
    -------
    first, last : ndarray of int
        A row is at risk at the numbers ``first`` to ``last - 1``; its event, if any, is at ``last - 1``.
    time, stratum : ndarray
        What each number stands for.
    """
    stratum = np.zeros(at_risk.n_rows, dtype=np.int64) if at_risk.strata is None else at_risk.strata
    times = np.unique(at_risk.exit[cause > 0])
    width = len(times) + 1
    keys = [stratum * width + np.searchsorted(times, moment, side="right")
            for moment in (at_risk.entry, at_risk.exit)]
    events = np.unique(keys[1][cause > 0])
    first, last = (np.searchsorted(events, key, side="right") for key in keys)
    return first, last, times[events % width - 1], events // width


def rarer_side(at_risk):
    """Return, for each covariate, the persons on its rarer side; whether a term may leave is judged by it.

    A covariate that takes other values than 0 and 1 has no sides and counts everybody.
    """
    def persons(rows):
        if at_risk.person is None or at_risk.count is not None:
            return int(rows.sum() if at_risk.count is None else at_risk.count[rows].sum())
        seen = np.zeros(int(at_risk.person.max()) + 1, dtype=bool)
        seen[at_risk.person[rows]] = True
        return int(seen.sum())

    columns = at_risk.covariates.T
    binary = [bool(((column == 0) | (column == 1)).all()) for column in columns]
    return np.array([min(persons(column == 0), persons(column == 1)) if sided else at_risk.n_persons
                     for column, sided in zip(columns, binary, strict=True)], dtype=float)
