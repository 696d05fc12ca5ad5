"""Small joins on weeks: what held for a person in a week, and which weeks an interval touches."""

import datetime as dt

import numpy as np
import pandas as pd

from evalkit.weeks import week_of


def week_intervals(frame):
    """Return a copy with ``start_week`` and ``end_week`` (half-open) instead of ``start`` and ``end``.

    A week is touched when one day of it is. A missing ``end`` is an interval that has not ended.

    Examples
    --------
    >>> frame = pd.DataFrame({"start": ["2016-01-06"], "end": ["2016-01-12"]})
    >>> week_intervals(frame)
       start_week  end_week
    0        1357      1359
    """
    end = pd.to_datetime(frame["end"])
    last = week_of(end.fillna(pd.Timestamp("1990-01-08")) - dt.timedelta(days=1)) + 1
    far = np.iinfo(np.int32).max
    return frame.drop(columns=["start", "end"]).assign(
        start_week=week_of(pd.to_datetime(frame["start"])), end_week=np.where(end.isna(), far, last))


def expand(first, length):
    """Return every index of the runs ``first, first + 1, ...`` and the run that each comes from.

    Examples
    --------
    >>> expand(np.array([3, 10]), np.array([2, 1]))
    (array([ 3,  4, 10]), array([0, 0, 1]))
    """
    length = np.maximum(length, 0)
    source = np.repeat(np.arange(len(first)), length)
    before = np.cumsum(length) - length
    return first[source] + np.arange(len(source)) - before[source], source


def value_at(intervals, column, person_id, week):
    """Return the value of ``column`` that holds for each person in each week, missing where none does.

    Parameters
    ----------
    intervals : DataFrame
        ``person_id``, ``start_week``, ``end_week`` and ``column``; not overlapping within a person
        (where they do, the one that began last holds).
    column : str
    person_id, week : array-like, shape (n,)

    Returns
    -------
    ndarray of object, shape (n,)

    Examples
    --------
    >>> lived = pd.DataFrame({"person_id": ["a", "a"], "start_week": [0, 5], "end_week": [5, 9],
    ...                       "place": ["x", "y"]})
    >>> value_at(lived, "place", ["a", "a", "a", "b"], [4, 5, 9, 4])
    array(['x', 'y', None, None], dtype=object)
    """
    at = row_at(intervals, person_id, week)
    values = intervals[column].to_numpy(dtype=object)
    return (
        np.array([None] * len(at), dtype=object) if len(values) == 0 else np.where(at >= 0, values[at], None)
    )


def row_at(intervals, person_id, week):
    """Return the position of the interval that holds for each person in each week, -1 where none does."""
    ids = pd.Index(pd.unique(np.asarray(person_id, dtype=object)))
    asked, held = ids.get_indexer(np.asarray(person_id, dtype=object)), ids.get_indexer(
        intervals["person_id"]
    )
    rows = np.flatnonzero(held >= 0)
    start = intervals["start_week"].to_numpy()[rows].astype(np.int64)
    order = np.lexsort((start, held[rows]))
    # One sorted key for person and week; week numbers lie far inside the factor.
    key = held[rows][order] * (1 << 32) + start[order]
    found = np.searchsorted(key, asked * (1 << 32) + np.asarray(week, dtype=np.int64), side="right") - 1
    if len(rows) == 0:
        return np.full(len(asked), -1)
    at = rows[order][np.maximum(found, 0)]
    holds = (found >= 0) & (held[at] == asked) & (np.asarray(week) < intervals["end_week"].to_numpy()[at])
    return np.where(holds, at, -1)
