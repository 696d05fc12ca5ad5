"""Cells of time at risk: counted from where rows begin and end, never by laying out a row for every week.

A row that ends in piece j has been at risk until then; a sum over rows of the time before each end less
the time before each beginning is the time at risk. So the cost is one pass over the rows and one over the
cells, whatever the number of weeks.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from evalkit.estimators._counting import row_counts, total

# Entries of the (group, piece) table worked on at a time, and cells kept between passes over the data.
PART, KEPT = 2_000_000, 10_000_000
# Share of a table's entries that rows must touch to be counted on it.
FULL = 0.5


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Spans:
    """Where rows begin and end on the pieces (edges[j], edges[j + 1]], and how far into them.

    A moment on an edge ends the piece before it: an exit at week 4 is in the piece that ends at 4, and a
    row that enters at 4 begins in the next.
    """

    edges: np.ndarray
    first: np.ndarray
    last: np.ndarray
    into_first: np.ndarray
    into_last: np.ndarray

    @property
    def n_pieces(self):
        """Number of pieces."""
        return len(self.edges) - 1

    def take(self, rows):
        """Return the spans of some rows."""
        return Spans(edges=self.edges, first=self.first[rows], last=self.last[rows],
                     into_first=self.into_first[rows], into_last=self.into_last[rows])


def spans_of(at_risk, edges):
    """Place the rows of an at-risk table on the pieces between edges."""
    first = np.searchsorted(edges, at_risk.entry, side="right") - 1
    last = np.searchsorted(edges, at_risk.exit, side="left") - 1
    return Spans(edges=edges, first=first, last=last, into_first=at_risk.entry - edges[first],
                 into_last=at_risk.exit - edges[last])


def time_at_risk(spans, group, weight, n_groups):
    """Return the weighted time at risk of each group in each piece, shape (n_groups, n_pieces)."""
    late = np.flatnonzero((spans.first > 0) | (spans.into_first > 0))
    before = _until(spans.last, spans.into_last, group, weight, n_groups, spans.edges)
    return before - _until(spans.first[late], spans.into_first[late], group[late], weight[late], n_groups,
                           spans.edges)


def rows_touching(spans, group, n_groups):
    """Count the rows of each group that are at risk at some time in each piece."""
    size = spans.n_pieces
    entered, left = (np.bincount(group * size + piece, minlength=n_groups * size).reshape(n_groups, size)
                     for piece in (spans.first, spans.last))
    left = np.cumsum(left, axis=1) - left
    return np.cumsum(entered, axis=1) - left


def persons_touching(at_risk, rows, first, last, size):
    """Count the distinct persons (times their count) at risk in each piece, first..last of some rows."""
    first, last, number = first[rows], last[rows], row_counts(at_risk)[rows]
    if at_risk.person is not None:
        first, last, number = _joined(at_risk.person[rows], first, last, number)
    change = total(first, number, size + 1) - total(last + 1, number, size + 1)
    return np.cumsum(change)[:-1]


def number_rows(columns, n_rows):
    """Number the distinct combinations of columns; return the number of each row and a row of each number."""
    code, size = np.zeros(n_rows, dtype=np.int64), 1
    for column in columns:
        level, labels = pd.factorize(column)
        code, size = code * len(labels) + level, size * len(labels)
        if size > 4 * n_rows:
            code, labels = pd.factorize(code)
            size = len(labels)
    code, labels = pd.factorize(code)
    example = np.empty(len(labels), dtype=np.int64)
    example[code[::-1]] = np.arange(n_rows)[::-1]
    return code, example


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Block:
    """Cells: ``weeks`` at risk and ``events`` of a covariate pattern in a cell of time."""

    pattern: np.ndarray
    cell: np.ndarray
    weeks: np.ndarray
    events: np.ndarray


class Cells:
    """The cells of a table, in blocks; kept when they are few, counted anew at every pass when not.

    ``group`` numbers what shares a covariate pattern and an onset (stratum and calendar week of time zero),
    ``cell_of[onset, piece]`` the cell of time, -1 where it says nothing.
    """

    def __init__(self, spans, weight, is_event, group, pattern, onset, cell_of):
        self.spans, self.weight, self.is_event, self.group = spans, weight, is_event, group
        self.pattern, self.onset, self.cell_of = pattern, onset, cell_of
        self.n_cells_of_time = int(cell_of.max(initial=-1)) + 1
        self._merges = self._can_merge()
        self._parts = self._split()
        few = (spans.last - spans.first + 1).sum() <= KEPT or len(self._parts) == 1
        self._kept = self._merged(list(self._count())) if few else None

    def __iter__(self):
        return iter(self._kept) if self._kept is not None else self._count()

    def _can_merge(self):
        """Say whether a pattern meets a cell of time more than once: in several pieces or several cohorts."""
        onset, piece = np.nonzero(self.cell_of >= 0)
        key = onset * self.n_cells_of_time + self.cell_of[onset, piece]
        if len(np.unique(key)) < len(key):
            return True
        return self.n_cells_of_time < len(key) and self.pattern.max() + 1 < len(self.pattern)

    def _split(self):
        """Cut the groups into parts; all rows are one part where the whole table is small."""
        n_groups, step = len(self.pattern), max(1, PART // self.spans.n_pieces)
        if n_groups <= step:
            return [(slice(None), 0, n_groups)]
        order = np.argsort(self.group, kind="stable")
        starts = np.append(np.arange(0, n_groups, step), n_groups)
        edge = np.searchsorted(self.group[order], starts)
        return [(order[edge[k]:edge[k + 1]], starts[k], starts[k + 1]) for k in range(len(starts) - 1)]

    def _count(self):
        for rows, low, high in self._parts:
            block = self._block(self.spans.take(rows), self.group[rows] - low, rows, low, high - low)
            if len(block.cell):
                yield _merge(block, self.n_cells_of_time) if self._merges else block

    def _block(self, spans, group, rows, low, n_groups):
        weight, died = self.weight[rows], np.flatnonzero(self.is_event[rows])
        n_touched = (spans.last - spans.first + 1).sum()
        count = _listed if FULL * n_groups * spans.n_pieces > n_touched else _tabled
        part, piece, weeks, events = count(spans, group, weight, died, n_groups)
        cell = self.cell_of[self.onset[part + low], piece]
        pattern, kept = self.pattern[part + low], cell >= 0
        if kept.all():
            return Block(pattern=pattern, cell=cell, weeks=weeks, events=events)
        return Block(pattern=pattern[kept], cell=cell[kept], weeks=weeks[kept], events=events[kept])

    def _merged(self, blocks):
        if len(blocks) == 1 or not self._merges:
            return blocks
        names = ("pattern", "cell", "weeks", "events")
        joined = {name: np.concatenate([getattr(block, name) for block in blocks]) for name in names}
        return [_merge(Block(**joined), self.n_cells_of_time)]


def _tabled(spans, group, weight, died, n_groups):
    """Count weeks and events on a table; return group, piece, weeks and events of each cell with rows."""
    at = np.flatnonzero(rows_touching(spans, group, n_groups))
    weeks = time_at_risk(spans, group, weight, n_groups).ravel()[at]
    key = group[died] * spans.n_pieces + spans.last[died]
    events = total(key, weight[died], n_groups * spans.n_pieces)[at]
    return *np.divmod(at, spans.n_pieces), weeks, events


def _listed(spans, group, weight, died, n_groups):
    """Return the same row by row: where hardly two rows are alike, most of a table would be empty."""
    number = spans.last - spans.first + 1
    end, row = np.cumsum(number) - 1, np.repeat(np.arange(len(number)), number)
    piece = np.arange(len(row)) + (spans.last - end)[row]
    weeks, events = np.diff(spans.edges)[piece], np.zeros(len(row))
    weeks[end] = spans.into_last
    weeks[end - number + 1] -= spans.into_first
    events[end[died]] = weight[died]
    return group[row], piece, weeks * weight[row], events


def _merge(block, n_cells_of_time):
    """Add up what has the same pattern and cell of time."""
    code, example = number_rows([block.pattern * n_cells_of_time + block.cell], len(block.cell))
    return Block(pattern=block.pattern[example], cell=block.cell[example],
                 weeks=total(code, block.weeks, len(example)),
                 events=total(code, block.events, len(example)))


def _until(piece, into, group, weight, n_groups, edges):
    """Return the weighted time from 0 to one moment of each row, by group and piece."""
    size = len(edges) - 1
    key = group * size + piece
    partly, wholly = (total(key, value, n_groups * size).reshape(n_groups, size)
                      for value in (weight * into, weight))
    beyond = np.cumsum(wholly[:, ::-1], axis=1)[:, ::-1] - wholly
    return partly + beyond * np.diff(edges)


def _joined(person, first, last, number):
    """Cut the ranges of each person's rows so that none is counted twice."""
    order = np.lexsort((first, person))
    person, first, last, number = person[order], first[order], last[order], number[order]
    # Persons are laid one after another on one long axis, so that a running maximum never crosses them.
    shift = np.unique(person, return_inverse=True)[1] * (last.max(initial=0) + 2)
    reach = np.maximum.accumulate(last + shift) - shift
    same = np.append(False, person[1:] == person[:-1])
    first = np.where(same, np.maximum(first, np.append(0, reach[:-1]) + 1), first)
    new = first <= last
    return first[new], last[new], number[new]
