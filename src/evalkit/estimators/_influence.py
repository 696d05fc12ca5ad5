"""Variance of curves by influence functions, in time linear in the rows.

Every curve here has the influence function IF(t) = A(t) - level(t) B(t), where A and B add up, over the
times at which a row is at risk, what its event or survival changes. For a row still at risk at t
both are a constant less a curve that all rows share, so the sum of squares over independent units
needs the sums of six products only, and these change only where one of the unit's rows begins or ends.
"""

from dataclasses import dataclass

import numpy as np

from evalkit.estimators._counting import divide, total
from evalkit.estimators._units import units_of

# Rows are put into cells where a table of all cells has at most this many places a row.
CELLS = 4


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Path:
    """What one functional of the influence adds up: ``risk`` for a time at risk, ``jump`` for the event."""

    risk: np.ndarray
    jump: np.ndarray


def survival_variance(grid, survival):
    """Return Var S(t) of the product-limit curve: Greenwood's, but for weights, clusters and late entry."""
    return _Changes(grid).variance(_nothing(grid), _leaving(grid), survival)


def hazard_variance(grid):
    """Return Var H(t) of the Nelson-Aalen curve."""
    share = divide(1.0, grid.at_risk)
    return _Changes(grid).variance(Path(risk=grid.hazard * share, jump=share), _nothing(grid), 0.0)


def incidence_variance(grid, survival, before, incidence):
    """Return Var S(t), then Var F_k(t) of each cumulative incidence, shape (n_times, 1 + n_causes).

    ``before`` is the event-free share just before each time.
    """
    changes, leaving = _Changes(grid), _leaving(grid)
    share = divide(before, grid.at_risk)
    columns = [changes.variance(_nothing(grid), leaving, survival)]
    for k in range(incidence.shape[1]):
        level = incidence[:, k]
        risk = share * divide(grid.events[:, k], grid.at_risk) + level * leaving.risk
        own = (changes.cause == k + 1) * share[changes.last - 1]
        columns.append(changes.variance(Path(risk=risk, jump=level * leaving.jump), leaving, level, own))
    return np.column_stack(columns)


def _nothing(grid):
    return Path(risk=np.zeros(len(grid.times)), jump=np.zeros(len(grid.times)))


def _leaving(grid):
    """What an event or its absence adds to -IF(S)/S."""
    survivors = grid.at_risk - grid.events.sum(axis=1)
    share = np.where(survivors > 1e-12 * grid.at_risk, divide(1.0, survivors), 0.0)
    return Path(risk=grid.hazard * share, jump=share)


class _Changes:
    """Where the sums of each unit change, laid out once for all functionals of a grid.

    A unit is followed in each stratum by itself. Where every unit has one row nothing has to be sorted, and
    rows with the same times and cause are one cell; few units in one stratum are a table of units by times;
    else changes are sorted by unit and time.
    """

    def __init__(self, grid):
        units, self.grid = units_of(grid.rows), grid
        at_risk = grid.last > grid.first
        row = slice(None) if at_risk.all() else np.flatnonzero(at_risk)
        self.weight = units.weight[row]
        self.first, self.last, self.cause = grid.first[row], grid.last[row], grid.cause[row]
        self.copies, self.order = units.copies[units.code[row]], None
        self.table, self.shape = None, (len(units.copies), len(grid.times))
        has_one_row = np.bincount(units.code[row], minlength=1).max() <= 1
        if has_one_row:
            self._gather(len(grid.times), int(np.diff(grid.starts).max()), int(self.cause.max(initial=0)) + 1)
        self.time, self.copies = np.concatenate([self.first, self.last - 1]), np.tile(self.copies, 2)
        if has_one_row:
            return
        if len(grid.labels) == 1 and np.prod(self.shape, dtype=float) <= len(self.first):
            self.table, self.copies = np.tile(units.code[row] * len(grid.times), 2) + self.time, units.copies
        else:
            self._sort(np.tile(grid.stratum[row] * len(units.copies) + units.code[row], 2))

    def _gather(self, n_times, longest, n_causes):
        """Put units with the same times and cause into one cell, where a table of all cells is small.

        No unit is at risk at more than ``longest`` times, those of the longest stratum.
        """
        if n_times * longest * n_causes > CELLS * len(self.first):
            return
        key = (self.first * longest + self.last - 1 - self.first) * n_causes + self.cause
        mass = np.bincount(key, weights=self.copies * self.weight**2)
        cell = np.flatnonzero(mass)
        self.copies, self.weight = mass[cell], np.ones(len(cell))
        self.first, self.last = cell // n_causes // longest, cell // n_causes % longest + 1
        self.last += self.first
        self.cause = cell % n_causes

    def _sort(self, unit):
        self.order = np.lexsort((self.time, unit))
        unit, time = unit[self.order], self.time[self.order]
        self.start = _starts(unit, time)
        self.time, self.copies = time[self.start], self.copies[self.order][self.start]
        self.first_of_unit = _position_of_first(unit[self.start])

    def variance(self, a, b, level, own=0.0):
        """Sum the squared influence over units; ``own`` is what each row's event adds to A besides."""
        event = self.cause > 0
        jump_a = a.jump[self.last - 1] + own
        # Up to each time, and (for rows that leave at the end of a stratum) after it.
        until_a, until_b = self._until(a.risk), self._until(b.risk)
        after_a, after_b = until_a + a.risk, until_b + b.risk
        n = self._accumulate(np.ones(len(event)), -np.ones(len(event)))
        a_sum = self._accumulate(until_a[self.first], event * jump_a - after_a[self.last - 1])
        b_sum = self._accumulate(until_b[self.first],
                                 event * b.jump[self.last - 1] - after_b[self.last - 1])
        shared = after_a - level * after_b
        nn, aa, bb, ab, na, nb = (self._products(x, y) for x, y in (
            (n, n), (a_sum, a_sum), (b_sum, b_sum), (a_sum, b_sum), (n, a_sum), (n, b_sum)))
        squares = aa + level**2 * bb + shared**2 * nn
        return np.maximum(squares - 2 * level * ab - 2 * shared * na + 2 * shared * level * nb, 0)

    def _until(self, value):
        return self.grid.accumulate(np.add, value) - value

    def _accumulate(self, entering, leaving):
        """Return each unit's running sum before and after each of its changes, or (table) at each time."""
        entering, leaving = self.weight * entering, self.weight * leaving
        if self.table is not None:
            step = total(self.table, np.concatenate([entering, leaving]), self.shape[0] * self.shape[1])
            return np.cumsum(step.reshape(self.shape), axis=1)
        if self.order is None:
            after = np.concatenate([entering, entering + leaving])
            return np.concatenate([np.zeros(len(entering)), entering]), after
        step = np.add.reduceat(np.concatenate([entering, leaving])[self.order], self.start)
        after = np.cumsum(step)
        after -= (after - step)[self.first_of_unit]
        return after - step, after

    def _products(self, x, y):
        if self.table is not None:
            return self.copies @ (x * y)
        change = self.copies * (x[1] * y[1] - x[0] * y[0])
        size = len(self.grid.times)
        return self.grid.accumulate(np.add, np.bincount(self.time, weights=change, minlength=size))


def _starts(unit, time):
    new = np.ones(len(unit), dtype=bool)
    new[1:] = (unit[1:] != unit[:-1]) | (time[1:] != time[:-1])
    return np.flatnonzero(new)


def _position_of_first(unit):
    """Return for each entry of sorted codes the position of the first equal one."""
    new = np.ones(len(unit), dtype=bool)
    new[1:] = unit[1:] != unit[:-1]
    return np.maximum.accumulate(np.where(new, np.arange(len(unit)), 0))
