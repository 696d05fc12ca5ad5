"""Rows that are at risk at the same times: weeks make few such cells of many rows."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Cells:
    """Rows that are at risk at the same times, and die or not, together.

    ``of_row`` is the cell of each row; where cells would not be fewer than rows it is None and each row is
    its own. ``end`` is a cell's last time, moved on by the number of times where its rows die, so that one
    index serves the sums over those at risk and over the dying.
    """

    of_row: np.ndarray | None
    first: np.ndarray
    end: np.ndarray

    def sums(self, value):
        """Add up a value of the rows in each cell."""
        if self.of_row is None:
            return value
        return np.bincount(self.of_row, weights=value, minlength=len(self.first))

    def rows(self, value):
        """Give each row the value of its cell."""
        return value if self.of_row is None else value.take(self.of_row)


def cells_of(first, end, n_times):
    """Put rows with the same times into cells, where a table of all pairs of times is small."""
    if not first.any():
        return Cells(of_row=end, first=np.zeros(2 * n_times, dtype=np.int64), end=np.arange(2 * n_times))
    width = 2 * n_times
    if (n_times + 1) * width > 4 * len(first):
        return Cells(of_row=None, first=first, end=end)
    pair = first * width + end
    there = np.bincount(pair) > 0
    pairs = np.flatnonzero(there)
    return Cells(of_row=(np.cumsum(there) - 1).take(pair), first=pairs // width, end=pairs % width)
