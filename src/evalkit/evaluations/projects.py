"""What became of a project's participants by a date: states on that date, never forecasts."""

import numpy as np
import pandas as pd

from evalkit.evaluations.census import fact, fact_origin
from evalkit.evaluations.facts import counts, needs
from evalkit.weeks import week_of

_RECORDED = {
    "SELF_SUPPORT": "self_supporting",
    "CLOSED_BY_RULE": "closed_by_rule",
    "PARTLY": "partly_self_supporting",
    "LEFT": "left",
    "OTHER": "other",
    "ONGOING": "ongoing",
    "": "not_recorded",
}
STATUSES = ("self_supporting", "closed_by_rule", "partly_self_supporting", "left", "ongoing")


@needs("enrolment", "benefit")
def projects(tables, study, site, *, census):
    """Count each project's participants by their status on the date (S09); a forecast is no status."""
    rows = project_status(tables, census.spells, study, census.date)
    return counts(
        "projects",
        rows,
        estimand=fact("projects", "project_participants"),
        provenance=fact_origin(tables, study, census, "enrolment", "benefit"),
        census=str(census.date),
    )


@needs("enrolment")
def project_outcomes(tables, study, site, *, census):
    """Count each project's participants by the outcome that the project recorded, whenever it did.

    The register's statuses of `projects` are told on one date; this is what the project itself wrote.
    """
    return counts(
        "project_outcomes",
        recorded_outcomes(tables),
        estimand=fact("project_outcomes", "project_participants"),
        provenance=fact_origin(tables, study, census, "enrolment"),
    )


def project_status(tables, spells, study, date):
    """Count each project's participants by status on a date (S09).

    Parameters
    ----------
    tables : Tables
        ``enrolment``; ``closure`` and ``income_month`` where they were delivered.
    spells : Spells
    study : MonitoringStudy
    date : date

    Returns
    -------
    list of (status, project, n_persons)

    Notes
    -----
    In this order: an end of benefit by rule (the 225-hour rule) is no self-support, whatever the weeks look
    like. Self-supporting is a closure for that reason, or no benefit in the last ``sustain_weeks`` weeks.
    Partly self-supporting is wages in the latest month together with benefit. A closure for another reason is
    left; the rest is ongoing. What is expected to happen after the date is not counted.
    """
    rows = []
    started = tables["enrolment"][tables["enrolment"]["start"] <= pd.Timestamp(date)]
    for project, enrolled in started.groupby("project"):
        people = enrolled.groupby("person_id")["start"].min()
        status = pd.Series(_status(tables, spells, study, people, date))
        rows += [(name, project, int((status == name).sum())) for name in STATUSES]
        rows.append(("total", project, len(people)))
    return rows


def recorded_outcomes(tables):
    """Count each project's participants by the outcome that the project itself recorded.

    Returns
    -------
    list of (status, project, n_persons)
    """
    last = (
        tables["enrolment"]
        .sort_values("start", kind="stable")
        .drop_duplicates(["project", "person_id"], keep="last")
    )
    by_project = last.assign(status=last["outcome"].map(_RECORDED)).groupby(["project", "status"]).size()
    return [(status, project, int(by_project.get((project, status), 0)))
            for project in by_project.index.unique("project") for status in _RECORDED.values()
            if (project, status) in by_project.index]


def _status(tables, spells, study, people, date):
    reason = _closure(tables, people, date)
    supported = people.index.isin(_supported(spells, study, date))
    working = people.index.isin(_with_wages(tables, date))
    is_open = pd.isna(reason)
    tests = {"closed_by_rule": reason == "RULE_225H",
             "self_supporting": (reason == "SELF_SUPPORT") | (is_open & ~supported),
             "partly_self_supporting": is_open & supported & working, "left": ~is_open}
    return np.select(list(tests.values()), list(tests), default="ongoing")


def _closure(tables, people, date):
    """Return each participant's last reason for closure between start and date, else missing."""
    if not tables.has("closure"):
        return np.full(len(people), None, dtype=object)
    closed = tables["closure"]
    since = closed["person_id"].map(people)
    closed = closed[(closed["date"] >= since) & (closed["date"] <= pd.Timestamp(date))]
    last = closed.sort_values("date", kind="stable").drop_duplicates("person_id", keep="last")
    return last.set_index("person_id")["reason"].reindex(people.index).to_numpy(dtype=object)


def _supported(spells, study, date):
    """Return persons with a week of support in the last ``sustain_weeks`` weeks up to the date."""
    week = week_of(date)
    frame = spells.frame[spells.frame["state"].isin(spells.support)]
    return frame.loc[
        (frame["start_week"] <= week) & (frame["end_week"] > week + 1 - study.sustain_weeks), "person_id"
    ]


def _with_wages(tables, date):
    """Return persons with wages in the latest month that had begun by the date."""
    if not tables.has("income_month"):
        return []
    income = tables["income_month"]
    month = pd.Timestamp(date).to_period("M").to_timestamp()
    # DREAM knows paid hours and no wage.
    is_paid = (income["wage_dkk"].fillna(0) > 0) | (income["hours"].fillna(0) > 0)
    return income.loc[(income["month"] == month) & is_paid, "person_id"]
