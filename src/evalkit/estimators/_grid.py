"""Strata on their grids of event times: how many are at risk and have the event at each."""

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from evalkit.atrisk import AtRisk
from evalkit.estimators._counting import divide, line_of, row_counts, running, total


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Grid:
    """Strata on their grids of times, one after another: every event time and the end of follow-up.

    A row is at risk at the times numbered ``first`` to ``last - 1``; its event, if any, is at ``last - 1``.
    ``at_risk`` and ``events`` are weighted, ``n_at_risk`` and ``n_events`` count persons and events. Stratum
    k has the times ``starts[k]`` to ``starts[k + 1] - 1``; ``stratum`` is the k of each row.
    """

    labels: tuple[str, ...]
    rows: AtRisk
    stratum: np.ndarray
    times: np.ndarray
    starts: np.ndarray
    cause: np.ndarray
    first: np.ndarray
    last: np.ndarray
    at_risk: np.ndarray
    events: np.ndarray
    n_at_risk: np.ndarray
    n_events: np.ndarray

    @property
    def label(self):
        """Name of the only, or the first, stratum."""
        return self.labels[0]

    @property
    def hazard(self):
        """Share of those at risk who have any event, one per time."""
        return divide(self.events.sum(axis=1), self.at_risk)

    def accumulate(self, ufunc, values):
        """Accumulate values over the times of each stratum by itself: sums, products, largest so far."""
        if len(self.labels) == 1:
            return ufunc.accumulate(values)
        done = np.empty_like(values)
        for start, stop in pairwise(self.starts):
            ufunc.accumulate(values[start:stop], out=done[start:stop])
        return done


def grid_of(label, rows, cause, n_causes=1):
    """Count events and persons at risk of one stratum at each of its times."""
    return _count((label,), replace(rows, strata=None, strata_labels=()), cause, n_causes)


def grid_of_strata(at_risk, cause, n_causes=1):
    """Count events and persons at risk of every stratum that has rows, all strata in one line."""
    if at_risk.strata is None:
        return _count(("",), at_risk, cause, n_causes)
    present = np.bincount(at_risk.strata, minlength=len(at_risk.strata_labels)) > 0
    labels = tuple(label for label, there in zip(at_risk.strata_labels, present, strict=True) if there)
    stratum = (np.cumsum(present) - 1)[at_risk.strata]
    return _count(labels, replace(at_risk, strata=stratum, strata_labels=labels), cause, n_causes)


def _count(labels, rows, cause, n_causes):
    line = line_of(rows, (cause > 0) | _is_last(rows, len(labels)))
    first, last = (line.number(rows.strata, moment) for moment in (rows.entry, rows.exit))
    died, size = np.flatnonzero(cause), len(line.times)
    cell = (last[died] - 1) * n_causes + cause[died] - 1
    weight = rows.row_weights if rows.weight is not None else _numbers(rows)
    events, n_events = (total(cell, None if value is None else value[died], size * n_causes)
                        .reshape(size, n_causes) for value in (weight, _numbers(rows)))
    at_risk = running(first, last, weight, size)
    alike = rows.weight is None and (rows.person is None or rows.episode is None)
    stratum = np.zeros(rows.n_rows, dtype=np.int64) if rows.strata is None else rows.strata
    return Grid(labels=labels, rows=rows, stratum=stratum, times=line.times,
                starts=np.searchsorted(line.stratum, np.arange(len(labels) + 1)), cause=cause, first=first,
                last=last, events=events, n_events=n_events, at_risk=at_risk,
                n_at_risk=at_risk if alike else _persons_at_risk(rows, line, first, last))


def _is_last(rows, n_strata):
    """Mark the rows on which the follow-up of their stratum ends."""
    if rows.strata is None:
        return rows.exit == rows.exit.max()
    end = np.zeros(n_strata)
    np.maximum.at(end, rows.strata, rows.exit)
    return rows.exit == end[rows.strata]


def _numbers(rows):
    """Return how many rows each row stands for, or None where each is one."""
    return None if rows.count is None else row_counts(rows)


def _persons_at_risk(rows, line, first, last):
    """Count the persons at risk just before each time; one with several open episodes counts once."""
    if rows.person is None or rows.episode is None:
        return running(first, last, _numbers(rows), len(line.times))
    start, entry, exit = _union(_within_strata(rows.person, rows), rows.entry, rows.exit)
    strata = None if rows.strata is None else rows.strata[start]
    first, last = (line.number(strata, moment) for moment in (entry, exit))
    return running(first, last, row_counts(rows)[start], len(line.times))


def _within_strata(code, rows):
    """Return codes that are never shared by two strata."""
    return code if rows.strata is None else rows.strata * (code.max() + 1) + code


def n_at_start(grid, start_weeks=0.0):
    """Count the persons of each stratum who are under observation from the start."""
    rows, start = grid.rows, np.flatnonzero(grid.rows.entry == start_weeks)
    if rows.person is not None and rows.episode is not None:
        start = start[np.unique(_within_strata(rows.person, rows)[start], return_index=True)[1]]
    number = None if rows.count is None else rows.count[start]
    return total(grid.stratum[start], number, len(grid.labels))


def persons_of(grid):
    """Count the persons of each stratum."""
    rows = grid.rows
    first = np.arange(rows.n_rows) if rows.person is None else \
        np.unique(_within_strata(rows.person, rows), return_index=True)[1]
    return total(grid.stratum[first], None if rows.count is None else rows.count[first], len(grid.labels))


def _union(person, entry, exit):
    """Join the overlapping intervals of each person; return the first row of each, its start and its end."""
    order = np.lexsort((entry, person))
    person, entry, exit = person[order], entry[order], exit[order]
    # Persons are laid one after another on one long axis, so that a running maximum never crosses them.
    shift = np.unique(person, return_inverse=True)[1] * (exit.max() + 1.0)
    reach = np.maximum.accumulate(exit + shift) - shift
    new = np.ones(len(order), dtype=bool)
    new[1:] = (person[1:] != person[:-1]) | (entry[1:] > reach[:-1])
    start = np.flatnonzero(new)
    return order[start], entry[start], reach[np.append(start[1:], len(order)) - 1]


def curves_of(grid):
    """Return, of each stratum, its name and the times, persons at risk and events of its curve."""
    return tuple((label, grid.times[start:stop], grid.n_at_risk[start:stop], grid.n_events[start:stop, 0])
                 for label, start, stop in zip(grid.labels, grid.starts, grid.starts[1:], strict=False))


def read_from(curves, curve_of, begin, end, n_rows=0):
    """Return, for a model, the curve that each row is read from, and from which week until which.

    ``curves`` are times, persons at risk and events each. Rows beyond the weeks given, which compare others,
    are read from none (-1).
    """
    rest = max(n_rows - len(end), 0)
    return {"curves": tuple(curves), "curve_of": np.append(curve_of, np.full(rest, -1)),
            "from_weeks": np.append(np.broadcast_to(begin, len(end)), np.zeros(rest)),
            "to_weeks": np.append(end, np.zeros(rest))}
