"""What a person is exposed to, from when: activities as exposures that change over time, never ahead of time.

An activity that starts in week w cannot have caused an exit that falls on the Monday of week w or of w + 1,
the first Monday after it began. So a start in week w exposes from the next week on. Its end is not delayed:
an exit on the Monday after the last week of an activity happened during it.
"""

import numpy as np
import pandas as pd

from evalkit.cohort.lookup import row_at, week_intervals


def exposures(activities, *, where=None, delay_weeks=1, after_weeks=None):
    """Return when each person was during, and after, activities of one kind.

    Parameters
    ----------
    activities : DataFrame
        ``person_id``, ``start``, ``end`` (dates, half-open; a missing end is still running).
    where : ndarray of bool, optional
        The rows that are of the kind asked about. Default: all.
    delay_weeks : int
        Weeks from the week of the start to the first exposed week; 0 would look ahead.
    after_weeks : int, optional
        How long *after* lasts. Default: for ever.

    Returns
    -------
    DataFrame
        ``person_id``, ``exposure`` (during, after), ``start_week``, ``end_week``: not overlapping.
        Overlapping and adjacent activities are one; a new activity ends *after* and begins *during*.

    Raises
    ------
    ValueError
        If ``delay_weeks`` is below 1.

    Examples
    --------
    >>> activities = pd.DataFrame({"person_id": ["a"], "start": ["1990-01-08"], "end": ["1990-01-29"]})
    >>> exposures(activities, after_weeks=4)[["exposure", "start_week", "end_week"]].values.tolist()
    [['during', 2, 4], ['after', 4, 8]]
    """
    if delay_weeks < 1:
        raise ValueError(f"delay_weeks == {delay_weeks}, must be at least 1: an exposure may not look ahead")
    rows = week_intervals(activities if where is None else activities[np.asarray(where)])[
        ["person_id", "start_week", "end_week"]]
    rows["start_week"] += delay_weeks
    during = _union(rows[rows["start_week"] < rows["end_week"]])
    following = during.groupby("person_id")["start_week"].shift(-1).fillna(np.iinfo(np.int32).max)
    until = following if after_weeks is None else np.minimum(following, during["end_week"] + after_weeks)
    after = during.assign(start_week=during["end_week"], end_week=until.astype(np.int64))
    both = pd.concat([during.assign(exposure="during"), after.assign(exposure="after")])
    both = both[both["start_week"] < both["end_week"]].sort_values(["person_id", "start_week"], kind="stable")
    return both[["person_id", "exposure", "start_week", "end_week"]].reset_index(drop=True)


def split(rows, exposures):
    """Cut intervals at risk where an exposure changes, and say what holds in each part.

    Parameters
    ----------
    rows : DataFrame
        ``person_id``, ``time_zero_week``, ``entry``, ``exit``, ``event`` and ``episode``.
    exposures : mapping of str to DataFrame
        As `exposures` returns them.

    Returns
    -------
    rows : DataFrame
        More rows; the event stays with the last part.
    terms : list of str
        Names of the new columns, ``name[during]`` and ``name[after]``, 0 or 1.
    """
    rows = rows.reset_index(drop=True)
    rows = _cut(rows, pd.concat(exposures.values(), ignore_index=True))
    terms = []
    week = rows["time_zero_week"] + rows["entry"]
    for name, intervals in exposures.items():
        at = row_at(intervals, rows["person_id"], week)
        kind = intervals["exposure"].to_numpy(dtype=object)
        for level in ("during", "after"):
            terms.append(f"{name}[{level}]")
            rows[terms[-1]] = ((at >= 0) & (kind[at] == level)).astype(float) if len(kind) else 0.0
    return rows, terms


def _union(rows):
    """Join overlapping and adjacent intervals of each person."""
    rows = rows.sort_values(["person_id", "start_week"], kind="stable").reset_index(drop=True)
    reach = rows.groupby("person_id")["end_week"].cummax()
    earlier = reach.groupby(rows["person_id"]).shift(1)
    part = (~(rows["start_week"] <= earlier)).cumsum()
    return rows.groupby(part.to_numpy()).agg(
        person_id=("person_id", "first"), start_week=("start_week", "first"), end_week=("end_week", "max")
    ).reset_index(drop=True)


def _cut(rows, intervals):
    """Cut rows at every start and end of the intervals of their person."""
    edges = pd.concat(
        [intervals[["person_id", side]].rename(columns={side: "week"}) for side in ("start_week", "end_week")]
    )
    keyed = rows[["person_id", "time_zero_week", "entry", "exit"]].assign(row=np.arange(len(rows)))
    met = keyed.merge(edges.drop_duplicates(), on="person_id")
    met["at"] = met["week"] - met["time_zero_week"]
    met = met[(met["at"] > met["entry"]) & (met["at"] < met["exit"])]
    row = np.r_[keyed["row"], met["row"]].astype(np.int64)
    entry = np.r_[keyed["entry"].to_numpy(dtype=float), met["at"].to_numpy(dtype=float)]
    order = np.unique(np.column_stack([row, entry]), axis=0)
    row, entry = order[:, 0].astype(np.int64), order[:, 1]
    last = np.r_[row[1:] != row[:-1], True][:len(row)]
    cut = rows.iloc[row].reset_index(drop=True)
    cut["event"] = cut["event"].astype(object).where(last, None)
    cut["exit"] = np.where(last, cut["exit"], np.r_[entry[1:], 0.0][:len(row)])
    return cut.assign(entry=entry)
