"""Cases and contacts: how many cases to a caseworker, how often they meet, when the caseworker changes."""

import datetime as dt

import numpy as np
import pandas as pd

from evalkit.evaluations.facts import needs, origin
from evalkit.result import Estimand, Result, tidy


@needs("case", "headcount")
def caseload(tables, study, site):
    """Open cases to one full-time caseworker, at the middle of each quarter (S18).

    Returns
    -------
    Result
        Unit ratio: ``term`` the quarter, ``n_persons`` the caseworkers with an open case, who are the persons
        that the figure is about.
    """
    staff = (
        tables["headcount"][tables["headcount"]["role"] == study.caseload_role].groupby("month")["fte"].sum()
    )
    case, rows, cases = tables["case"], [], []
    for quarter in _quarters(tables):
        month = quarter.start_time + pd.DateOffset(months=1)
        day = month + dt.timedelta(days=14)
        open_cases = case[(case["start"] <= day) & (case["end"] > day)]
        if staff.get(month, 0) > 0 and len(open_cases):
            n = open_cases["person_id"].nunique()
            rows.append((str(quarter), n / staff[month], open_cases["caseworker_id"].nunique()))
            cases.append(n)
    # Many know how many hands there are: times them the figure is the number of cases.
    return _by_quarter("caseload", rows, tables, study, ("case", "headcount"), scaled_by=np.array(cases))


@needs("case", "contact")
def contacts(tables, study, site):
    """Contacts in four weeks with an open case, by quarter.

    Returns
    -------
    Result
        Unit ratio: a ratio of sums with its error between persons (the caseworkers' contacts with one person
        are not independent).
    """
    case, contact, rows = tables["case"], tables["contact"], []
    for quarter in _quarters(tables):
        start, end = quarter.start_time, quarter.end_time.normalize() + dt.timedelta(days=1)
        open_days = (case["end"].clip(upper=end) - case["start"].clip(lower=start)).dt.days.clip(lower=0)
        exposure = open_days.groupby(case["person_id"]).sum() / 28
        exposure = exposure[exposure > 0]
        met = contact[(contact["date"] >= start) & (contact["date"] < end)]
        n = met.groupby("person_id").size().reindex(exposure.index, fill_value=0)
        if len(exposure):
            rate = n.sum() / exposure.sum()
            error = np.sqrt(((n - rate * exposure) ** 2).sum()) / exposure.sum()
            rows.append((str(quarter), rate, len(exposure), error))
    return _by_quarter("contacts", rows, tables, study, ("case", "contact"))


def changes_of_caseworker(case):
    """Return when a person's case passed to another caseworker, as intervals of one day.

    Examples
    --------
    >>> case = pd.DataFrame({"person_id": ["a", "a", "a"], "caseworker_id": ["x", "x", "y"],
    ...     "start": pd.to_datetime(["2015-01-05", "2015-06-01", "2016-01-04"]),
    ...     "end": pd.to_datetime(["2015-06-01", "2016-01-04", "2016-06-06"])})
    >>> changes_of_caseworker(case)["start"].dt.year.tolist()
    [2016]
    """
    case = case.sort_values(["person_id", "start"], kind="stable")
    before = case.groupby("person_id")[["caseworker_id", "end"]].shift()
    # A new episode is a new case, not a change: the case before must still be open or just closed.
    follows = (case["start"] - before["end"]).dt.days <= 28
    return case[follows & (case["caseworker_id"] != before["caseworker_id"])][["person_id", "start"]]


def lasting(dates, column, weeks):
    """Return intervals of so many weeks from each date on, as activities that can be exposures."""
    start = dates[column]
    return pd.DataFrame(
        {"person_id": dates["person_id"], "start": start, "end": start + dt.timedelta(weeks=weeks)}
    )


def _quarters(tables):
    first, last = pd.Timestamp(tables.data_from), pd.Timestamp(tables.data_through) + dt.timedelta(days=1)
    every = pd.period_range(first, last, freq="Q")
    return [quarter for quarter in every if quarter.start_time >= first and quarter.end_time < last]


def _by_quarter(name, rows, tables, study, used, **model):
    columns = ("term", "estimate", "n_persons", "std_error")
    values = dict(zip(columns, zip(*rows, strict=True), strict=False)) if rows else {"term": []}
    table = tidy(**values)
    table["conf_low"] = table["estimate"] - 1.96 * table["std_error"]
    table["conf_high"] = table["estimate"] + 1.96 * table["std_error"]
    return Result(
        kind="counts",
        estimand=Estimand(name=name, population="own_cases", outcome=name, unit="ratio"),
        table=table,
        model=model,
        provenance=origin(tables, study, used, method="ratio_of_sums"),
    )
