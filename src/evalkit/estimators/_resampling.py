"""Drawing persons or clusters anew, as counts of the rows that are there, and reading what a draw answers."""

from dataclasses import dataclass, replace

import numpy as np

from evalkit.atrisk import AtRisk
from evalkit.errors import EstimationError
from evalkit.estimators._counting import row_counts

KEY = ("term", "group", "time_weeks")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Draws:
    """What is drawn: ``unit`` of each row, how many persons (or clusters) each unit stands for, and the sets
    of units that are drawn separately."""

    rows: AtRisk
    unit: np.ndarray
    stands_for: np.ndarray
    sets: tuple
    is_cluster: bool
    as_copies: bool

    @property
    def n_units(self):
        """Number of persons or clusters drawn."""
        return int(self.stands_for.sum())

    def draw(self, rng):
        """Return one resample: each row with the count of its unit, or repeated that often."""
        times = np.zeros(len(self.stands_for), dtype=np.int64)
        for members in self.sets:
            times[members] = _drawn(self.stands_for[members], rng)
        times = times[self.unit]
        return _copied(self.rows, times, self.is_cluster) if self.as_copies else self._counted(times)

    def _counted(self, times):
        kept = np.flatnonzero(times)
        count = times[kept]
        if self.is_cluster and self.rows.count is not None:
            count = count * self.rows.count[kept]
        return replace(self.rows.select(kept), count=count)


def draws_of(at_risk, unit, within_strata, as_copies):
    """Decide what is drawn; persons of one row each are first joined into cells of equal persons."""
    is_cluster = unit == "cluster"
    rows = at_risk if is_cluster or as_copies else _cells(at_risk)
    code, stands_for = _clusters(rows) if is_cluster else _persons(rows)
    return Draws(rows=rows, unit=code, stands_for=stands_for, is_cluster=is_cluster, as_copies=as_copies,
                 sets=_sets(rows, code, len(stands_for), within_strata))


class Target:
    """The rows of the answer on the data themselves; every resample's answer is read at the same rows."""

    def __init__(self, result):
        self.table, self.is_curve = result.table, result.kind == "curve"
        self.keys = _keys(result.table)
        self._place = {key: k for k, key in enumerate(self.keys)}

    def read(self, result):
        """Return the estimates at the rows of the target; missing where the answer has no such row, or where
        its curve has ended before.

        Raises
        ------
        EstimationError
            The answer has none of the rows.
        """
        keys, estimate = _keys(result.table), result.table["estimate"].to_numpy()
        if keys == self.keys:
            return estimate
        values = self._read_curves(result.table) if self.is_curve else np.full(len(self.keys), np.nan)
        if not self.is_curve:
            found = np.array([self._place.get(key, -1) for key in keys], dtype=np.int64)
            values[found[found >= 0]] = estimate[found >= 0]
        if np.isnan(values).all():
            raise EstimationError(f"none of the {len(self.keys)} rows of the answer is in the resample's")
        return values

    def _read_curves(self, table):
        """Read step functions at the target's times."""
        values = np.full(len(self.keys), np.nan)
        time = self.table["time_weeks"].to_numpy()
        curves = {key: part for key, part in table.groupby(["term", "group"], sort=False)}
        gone = {group for (term, group), part in curves.items()
                if term == "survival" and part["estimate"].iloc[-1] == 0}
        for key, rows in self.table.groupby(["term", "group"], sort=False).indices.items():
            if key not in curves:
                continue
            own, level = curves[key]["time_weeks"].to_numpy(), curves[key]["estimate"].to_numpy()
            at = np.searchsorted(own, time[rows], side="right") - 1
            # Where nobody is left, nothing changes any more; where follow-up ends before, nothing is known.
            known = (at >= 0) & ((time[rows] <= own[-1]) | (key[1] in gone))
            values[rows[known]] = level[at[known]]
        return values


def _keys(table):
    time = table["time_weeks"].to_numpy()
    time = np.where(np.isnan(time), -1.0, time).tolist()
    return list(zip(table["term"], table["group"], time, strict=True))


def _drawn(stands_for, rng):
    """Draw as many as there are, with replacement; return how often each unit was drawn."""
    number = int(stands_for.sum())
    if number == len(stands_for):
        return np.bincount(rng.integers(0, number, number), minlength=number)
    if number <= 4 * len(stands_for):
        owner = np.repeat(np.arange(len(stands_for)), stands_for)
        return np.bincount(owner[rng.integers(0, number, number)], minlength=len(stands_for))
    return rng.multinomial(number, stands_for / number)


def _copied(rows, times, is_cluster):
    """Repeat rows; every copy of a person (and, where clusters are drawn, of a cluster) is a new one."""
    kept = np.repeat(np.arange(rows.n_rows), times)
    copy = np.arange(len(kept)) - np.repeat(np.cumsum(times) - times, times)
    taken = rows.select(kept)
    if not is_cluster:
        taken = replace(taken, count=None)
    codes = {name: getattr(taken, name) for name in (("person", "cluster") if is_cluster else ("person",))}
    width = int(copy.max(initial=0)) + 1
    return replace(taken, **{name: code * width + copy for name, code in codes.items() if code is not None})


def _cells(at_risk):
    """Join equal persons where each has one row; drawing persons is then drawing counts of cells."""
    if at_risk.person is not None and len(np.unique(at_risk.person)) < at_risk.n_rows:
        return at_risk
    cells = at_risk.compress()
    if cells.n_rows > at_risk.n_rows / 2:
        return at_risk
    return cells if at_risk.person is None else replace(cells, person=np.arange(cells.n_rows))


def _persons(rows):
    if rows.person is None:
        return np.arange(rows.n_rows), row_counts(rows).astype(np.int64)
    _, start, code = np.unique(rows.person, return_index=True, return_inverse=True)
    return code, row_counts(rows)[start].astype(np.int64)


def _clusters(rows):
    if rows.cluster is None:
        raise EstimationError("unit: clusters are asked for and the at-risk table has none; name their "
                              "column in AtRisk.from_frame(cluster=...)")
    found, code = np.unique(rows.cluster, return_inverse=True)
    if len(found) < 2:
        raise EstimationError("unit: 1 cluster; drawing clusters anew needs at least 2. Draw persons, or "
                              "choose a finer cluster")
    if rows.person is not None:
        several = _spread(rows.person, code)
        if several:
            raise EstimationError(f"unit: {several} persons have rows in several clusters, so a cluster "
                                  "cannot be drawn with all its persons; give each person one cluster")
    return code, np.ones(len(found), dtype=np.int64)


def _sets(rows, code, n_units, within_strata):
    if not within_strata or rows.strata is None:
        return (np.arange(n_units),)
    several = _spread(code, rows.strata)
    if several:
        raise EstimationError(f"within_strata: {several} of {n_units} units have rows in several strata; "
                              "draw without regard to strata")
    stratum = np.zeros(n_units, dtype=np.int64)
    stratum[code] = rows.strata
    return tuple(np.flatnonzero(stratum == s) for s in np.unique(stratum))


def _spread(code, label):
    """Count the codes that come with several labels."""
    order = np.lexsort((label, code))
    code, label = code[order], label[order]
    return len(np.unique(code[1:][(code[1:] == code[:-1]) & (label[1:] != label[:-1])]))
