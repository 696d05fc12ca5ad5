"""Values as ranks: what is equal gets the same number, without sorting where values are whole numbers."""

import numpy as np

# Whole numbers are looked up in a table of at most this many places a row, and this many besides.
TABLE, SMALL = 4, 100_000
# Keys stay below this, so that whole numbers hold them.
LARGEST = 2**62


def ranks(values):
    """Return the rank of each value among the distinct ones, from 0, and how many are distinct."""
    place = _places(values)
    if place is None:
        distinct, rank = np.unique(values, return_inverse=True)
        return rank.astype(np.int64, copy=False), len(distinct)
    rank = np.cumsum(np.bincount(place) > 0)
    return (rank - 1)[place], int(rank[-1])


def joint_ranks(parts):
    """Rank rows by several columns, the first before the others; return ranks and how many are distinct."""
    key, size = ranks(parts[0])
    for part in parts[1:]:
        rank, n_distinct = ranks(part)
        if size * n_distinct > LARGEST:
            key, size = ranks(key)
        key, size = key * n_distinct + rank, size * n_distinct
    return ranks(key)


def order_of(parts):
    """Return the order of rows by several columns; where they already stand so, that is quickly seen."""
    tied = np.ones(max(len(parts[0]) - 1, 0), dtype=bool)
    for part in parts:
        if (tied & (part[1:] < part[:-1])).any():
            return np.lexsort(parts[::-1])
        tied &= part[1:] == part[:-1]
    return np.arange(len(parts[0]))


def _places(values):
    """Return whole numbers counted from the smallest, where a table of all between is small; else None."""
    if not len(values):
        return np.zeros(0, dtype=np.int64)
    low, high = values.min(), values.max()
    if not high - low <= TABLE * len(values) + SMALL:
        return None
    place = (values - low).astype(np.int64)
    return place if values.dtype.kind in "iu" or (place + low == values).all() else None
