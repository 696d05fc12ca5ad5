"""What persons were offered: in a window, on a date, in a month; and why not."""

import datetime as dt

import numpy as np
import pandas as pd

from evalkit.weeks import month_of, month_start


def touched(activity, types, start, end):
    """Return the persons with an activity of one of ``types`` on at least one day of [start, end).

    Parameters
    ----------
    activity : DataFrame
        ``person_id``, ``type``, ``start``, ``end`` (half-open; a missing end is still going on).
    types : sequence of str
    start, end : date

    Returns
    -------
    Index of person_id

    Examples
    --------
    >>> activity = pd.DataFrame({"person_id": ["a", "b"], "type": ["PRAKTIK", "MENTOR"],
    ...     "start": pd.to_datetime(["2018-01-01"] * 2), "end": pd.to_datetime(["2018-02-01"] * 2)})
    >>> list(touched(activity, ["PRAKTIK"], "2018-01-31", "2018-06-30"))
    ['a']
    >>> list(touched(activity, ["PRAKTIK"], "2018-02-01", "2018-06-30"))
    []
    """
    inside = activity["type"].isin(types) & (activity["start"] < pd.Timestamp(end))
    inside &= activity["end"].isna() | (activity["end"] > pd.Timestamp(start))
    return pd.Index(activity.loc[inside, "person_id"].unique())


def current_offer(activity, person_id, date, priority):
    """Return each person's one offer on a date: the first of ``priority``, else ``NONE``.

    Offers are combined, but a table with one row a person needs a rule; the rule is the study's.

    Returns
    -------
    ndarray of object, shape of ``person_id``
    """
    on = running(activity, date)
    rank = on["type"].map({kind: place for place, kind in enumerate(priority)})
    first = (
        on.assign(rank=rank)
        .dropna(subset="rank")
        .sort_values("rank", kind="stable")
        .drop_duplicates("person_id")
    )
    held = pd.Series(first["type"].to_numpy(dtype=object), index=first["person_id"])
    return held.reindex(np.asarray(person_id, dtype=object)).fillna("NONE").to_numpy(dtype=object)


def running(intervals, date):
    """Return the rows of half-open intervals that hold on a date."""
    day = pd.Timestamp(date)
    return intervals[(intervals["start"] <= day) & (intervals["end"].isna() | (intervals["end"] > day))]


def exempt(tables, date):
    """Return the persons exempt from offers on a date; nobody where the table is missing."""
    if not tables.has("exemption"):
        return pd.Index([])
    return pd.Index(running(tables["exemption"], date)["person_id"].unique())


def pending_rehabilitation(rehabilitation, date):
    """Return the persons referred to the rehabilitation team by a date, without meeting or decision since.

    Examples
    --------
    >>> steps = pd.DataFrame({"person_id": ["a", "a", "b"], "step": ["REFERRAL", "MEETING", "REFERRAL"],
    ...                       "date": pd.to_datetime(["2018-01-01", "2018-03-01", "2018-05-01"])})
    >>> list(pending_rehabilitation(steps, "2018-02-01")), list(pending_rehabilitation(steps, "2018-06-30"))
    (['a'], ['b'])
    """
    past = rehabilitation[rehabilitation["date"] <= pd.Timestamp(date)]
    referred = past[past["step"] == "REFERRAL"].groupby("person_id")["date"].max()
    met = past[past["step"] != "REFERRAL"].groupby("person_id")["date"].max()
    since = met.reindex(referred.index)
    return referred.index[since.isna() | (since < referred)]


def reasons(tables, person_id, date, priority):
    """Return each person's first reason for having no offer on a date, else ``UNKNOWN``.

    Returns
    -------
    ndarray of object, shape of ``person_id``
    """
    found = {}
    if tables.has("exemption"):
        on = running(tables["exemption"], date)
        found |= {f"EXEMPT_{reason}": rows["person_id"] for reason, rows in on.groupby("reason")}
    if tables.has("rehabilitation"):
        found["REHABILITATION_PENDING"] = pending_rehabilitation(tables["rehabilitation"], date)
    if tables.has("availability"):
        on = running(tables["availability"], date)
        found["NON_COOPERATION"] = on.loc[on["status"] == "NON_COOPERATION", "person_id"]
        found["AVAILABILITY_PENDING"] = on.loc[on["status"] == "PENDING", "person_id"]
    person_id = pd.Series(np.asarray(person_id, dtype=object))
    reason = np.full(len(person_id), "UNKNOWN", dtype=object)
    for name in reversed([name for name in priority if name in found]):
        reason[person_id.isin(found[name]).to_numpy()] = name
    return reason


def person_months(spans, months):
    """Return one row for each person and month in which the person has at least one week.

    Parameters
    ----------
    spans : DataFrame
        ``person_id``, ``start_week``, ``end_week`` (half-open). A week belongs to the month of its Thursday.
    months : range
        Months since January 1990.

    Returns
    -------
    DataFrame
        ``person_id``, ``month``.
    """
    first, last = month_of(spans["start_week"].to_numpy()), month_of(spans["end_week"].to_numpy() - 1)
    return _spread(spans["person_id"], first, last, months)


def touched_months(activity, types, months):
    """Return one row for each person and month with a day of an activity of one of ``types``."""
    rows = activity[activity["type"].isin(types)]
    far = pd.Timestamp(month_start(months.stop))
    end = rows["end"].fillna(far).clip(upper=far) - dt.timedelta(days=1)
    first, last = ((column.dt.year - 1990) * 12 + column.dt.month - 1 for column in (rows["start"], end))
    return _spread(rows["person_id"], first.to_numpy(), last.to_numpy(), months)


def _spread(person_id, first, last, months):
    first, last = np.maximum(first, months.start), np.minimum(last, months.stop - 1)
    length = np.maximum(last - first + 1, 0)
    row = np.repeat(np.arange(len(length)), length)
    month = first[row] + np.arange(len(row)) - (np.cumsum(length) - length)[row]
    frame = pd.DataFrame({"person_id": person_id.to_numpy(dtype=object)[row], "month": month})
    return frame.drop_duplicates()
