"""Sums over pairs of rows, one with an event while the other was at risk, in time n log n."""

import numpy as np


def compare(rank, weight, first, last, event):
    """Weigh, for every row, the rows of lower, of equal and of any rank that it can be compared with.

    Two rows are compared when one has its event while the other is at risk and has it later, if ever. Rows
    are at risk at the event times numbered ``first`` to ``last - 1``, their event is at ``last - 1``.

    Returns
    -------
    as_event, as_other : tuples of ndarray, shape (3, n_rows)
        Weights of the others of lower, equal and any rank, for the row's own event and for the others'.
    """
    until = last - (event > 0)
    died = np.flatnonzero(event)
    at = last[died] - 1
    # A row is there from `first` and gone at `until`: both are points in time, with weights of either sign.
    there = _Points(np.concatenate([first, until]), np.concatenate([rank, rank]),
                    np.concatenate([weight, -weight]))
    as_event = np.zeros((3, len(rank)))
    as_event[:, died] = there.sums(at, rank[died])
    happened = _Points(at, rank[died], weight[died])
    as_other = happened.sums(until - 1, rank)
    late = np.flatnonzero(first)
    as_other[:, late] -= happened.sums(first[late] - 1, rank[late])
    return as_event, as_other


class _Points:
    """Weighted points in time and rank, asked for their sums up to a time and below a rank.

    A wavelet matrix: the points in order of time are split again and again by the next bit of their rank,
    and the sums of each half are kept, so that a question follows one path of bits.
    """

    def __init__(self, time, rank, weight):
        order = np.argsort(time, kind="stable")
        self.time, rank, weight = time[order], rank[order].astype(np.int32), weight[order]
        self.total = _cumulated(weight)
        # Whoever is asked about may rank above all points: one rank more stands for all of those.
        self.above = int(rank.max(initial=0)) + 1
        self.bits = range(self.above.bit_length() - 1, -1, -1)
        self.levels = []
        for bit in self.bits:
            one = (rank >> bit) & 1 == 1
            self.levels.append((_cumulated(~one, np.int32), _cumulated(np.where(one, 0.0, weight))))
            halves = np.concatenate([np.flatnonzero(~one), np.flatnonzero(one)])
            rank, weight = rank[halves], weight[halves]
        self.left = _cumulated(weight)

    def sums(self, until, rank):
        """Sum the points at or before ``until``: of lower, of equal and of any rank."""
        high = np.searchsorted(self.time, until, side="right").astype(np.int32)
        low = np.zeros_like(high)
        answer = np.zeros((3, len(until)))
        answer[2] = self.total[high]
        rank = np.minimum(rank, self.above)
        for bit, (n_zeros, zeros) in zip(self.bits, self.levels, strict=True):
            one = (rank >> bit) & 1 == 1
            answer[0] += np.where(one, zeros[high] - zeros[low], 0.0)
            low, high = (np.where(one, n_zeros[-1] + edge - n_zeros[edge], n_zeros[edge])
                         for edge in (low, high))
        answer[1] = self.left[high] - self.left[low]
        return answer


def _cumulated(value, kind=float):
    return np.concatenate([np.zeros(1, dtype=kind), np.cumsum(value, dtype=kind)])
