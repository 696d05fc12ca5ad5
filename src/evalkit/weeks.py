"""ISO weeks as whole numbers: the only place where week arithmetic is done.

A week is named by its Monday. Inside the house a week is an integer, the number of weeks since
Monday 1 January 1990, so that a week after a 53-week year is simply one more. A week belongs to the
year and to the month of its Thursday (ISO 8601), which is how DREAM labels its columns.
"""

import datetime as dt
import re

import numpy as np
import pandas as pd

EPOCH = dt.date(1990, 1, 1)
_EPOCH_DAY = np.datetime64(EPOCH, "D")
_DREAM_COLUMN = re.compile(r"^y_(\d{2})(\d{2})$")
# DREAM begins in 1991; a two-digit year below 90 is of this century.
_CENTURY_PIVOT = 90


def week_of(date):
    """Return the week number that holds each date.

    Parameters
    ----------
    date : date, str, datetime64 array or Series
        One date or many; no missing values.

    Returns
    -------
    int or ndarray of int64
        Weeks since Monday 1 January 1990.

    Examples
    --------
    >>> week_of("1990-01-01"), week_of("2016-01-03"), week_of("2016-01-04")
    (0, 1356, 1357)
    """
    days = (_as_days(date) - _EPOCH_DAY).astype(np.int64)
    number = np.floor_divide(days, 7)
    return int(number) if np.ndim(number) == 0 else number


def monday(week):
    """Return the Monday of each week as ``date`` (one) or ``datetime64[D]`` (many).

    Examples
    --------
    >>> monday(1357)
    datetime.date(2016, 1, 4)
    """
    if np.ndim(week) == 0:
        return EPOCH + dt.timedelta(weeks=int(week))
    return _EPOCH_DAY + np.asarray(week, dtype=np.int64) * np.timedelta64(7, "D")


def thursday(week):
    """Return the Thursday of each week, the day that decides its year and month."""
    shift = dt.timedelta(days=3) if np.ndim(week) == 0 else np.timedelta64(3, "D")
    return monday(week) + shift


def year_of(week):
    """Return the ISO year of each week.

    Examples
    --------
    >>> year_of(week_of("2016-01-03"))
    2015
    """
    day = thursday(week)
    return day.year if isinstance(day, dt.date) else day.astype("datetime64[Y]").astype(np.int64) + 1970


def month_of(week):
    """Return the month of each week as months since January 1990 (the month of its Thursday).

    Examples
    --------
    >>> month_of(week_of("1990-02-01"))
    1
    """
    day = thursday(week)
    if isinstance(day, dt.date):
        return (day.year - 1990) * 12 + day.month - 1
    return day.astype("datetime64[M]").astype(np.int64) - 240


def month_number(date):
    """Return months since January 1990 of each date; the grid of :func:`month_of`.

    Examples
    --------
    >>> month_number("1990-02-01")
    1
    """
    months = _as_days(date).astype("datetime64[M]").astype(np.int64) - 240
    return int(months) if np.ndim(months) == 0 else months


def month_start(month):
    """Return the first day of each month numbered as in :func:`month_number`."""
    day = (np.asarray(month, dtype=np.int64) + 240).astype("datetime64[M]").astype("datetime64[D]")
    return day.item() if day.ndim == 0 else day


def dream_column(week):
    """Name the DREAM column of a week: ``y_YYWW``.

    Examples
    --------
    >>> dream_column(week_of("2015-12-28"))
    'y_1553'
    """
    year, number, _ = monday(int(week)).isocalendar()
    return f"y_{year % 100:02d}{number:02d}"


def parse_dream_column(name):
    """Return the week that a DREAM column names.

    Raises
    ------
    ValueError
        If the name is not ``y_YYWW`` or the year has no such week (``y_9953``).

    Examples
    --------
    >>> dream_column(parse_dream_column("y_0901"))
    'y_0901'
    """
    match = _DREAM_COLUMN.match(name)
    if match is None:
        raise ValueError(f"{name!r} is not a week column; expected y_YYWW such as y_1502")
    short, number = int(match[1]), int(match[2])
    year = short + (2000 if short < _CENTURY_PIVOT else 1900)
    try:
        return week_of(dt.date.fromisocalendar(year, number, 1))
    except ValueError:
        raise ValueError(f"{name!r} is not a week: {year} has no week {number}") from None


def _as_days(date):
    if isinstance(date, pd.Series | pd.Index | pd.DatetimeIndex):
        date = date.to_numpy()
    days = np.asarray(date, dtype="datetime64[D]")
    if np.isnat(days).any():
        raise ValueError(f"{int(np.isnat(days).sum())} dates are missing; drop or fill them first")
    return days
