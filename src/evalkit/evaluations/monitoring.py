"""The minister's questions about persons long in the benefit system: counted facts, with bounds."""

import datetime as dt
from dataclasses import dataclass

import numpy as np
import pandas as pd

from evalkit.evaluations.activation import claim, touched_share
from evalkit.evaluations.census import (
    by_benefit,
    census,
    fact,
    fact_origin,
    looks_back,
    seen_weeks,
    window_start,
)
from evalkit.evaluations.durations import bounded, run_weeks
from evalkit.evaluations.facts import counts, needs, reach, shares
from evalkit.evaluations.offers import current_offer, exempt, reasons, touched
from evalkit.evaluations.projects import project_outcomes, projects
from evalkit.evaluations.published import (
    published_cases,
    published_claim,
    published_offers,
    published_touched,
)
from evalkit.evaluations.rehabilitation import rehabilitation_meetings, rehabilitation_need, reviewed
from evalkit.result import Result
from evalkit.weeks import week_of

_BOUNDS = ("lower", "count", "upper")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Answers:
    """One Result for each question."""

    long_stock: Result
    long_cases: Result
    gap_sensitivity: Result
    offers_last_year: Result
    current_offers: Result
    no_offer_reasons: Result
    passive: Result
    no_effort: Result
    rehabilitation_need: Result
    rehabilitation_meetings: Result
    reviewed: Result
    projects: Result
    project_outcomes: Result
    touched_share: Result
    claim: Result
    reach: Result
    published_cases: Result
    published_offers: Result
    published_touched: Result
    published_claim: Result


def answers(tables, study, site, *, spells=None):
    """Answer every question of the study that the delivered tables can answer.

    Parameters
    ----------
    tables : Tables
    study : MonitoringStudy
    site : Site
    spells : Spells, optional
        Made from the tables when not given.

    Returns
    -------
    Answers
        A question whose tables are missing is a withheld Result that names them.
    """
    now = census(tables, study, site, spells=spells)
    told = {question.__name__: question(tables, study, site, census=now) for question in QUESTIONS}
    told["claim"] = claim(told["touched_share"], study, site)
    told |= {figures.__name__: figures(tables, study, site) for figures in PUBLISHED}
    return Answers(**told, reach=reach(tables, study, (*QUESTIONS, claim), told))


@needs("benefit")
def long_stock(tables, study, site, *, census):
    """Count activity-ready persons with more than the study's weeks in the system (S01).

    Returns
    -------
    Result
        Kind counts. ``term`` is the bound: ``lower`` (surely), ``count`` (as registered), ``upper``
        (possibly); ``count`` is missing where the data do not reach back far enough. ``group`` is the
        benefit on the date, or ``all``.
    """
    marks = bounded(census.people, study.long_weeks)
    rows = [(bound, group, _told(marks.loc[people.index, bound], bound, census, study))
            for group, people in by_benefit(census.people, study) for bound in _BOUNDS]
    unsure = ~census.people["is_ready_known"]
    return counts("long_stock", rows, estimand=fact("long_stock", "activity_ready_long"),
                  provenance=fact_origin(tables, study, census, "benefit"), census=str(census.date),
                  n_left_censored=int(census.people["is_left_censored"].sum()),
                  n_visitation_missing=int(unsure.sum()), data_from=str(tables.data_from),
                  bounds_only=_tells_bounds_only(census, study))


@needs("benefit")
def long_cases(tables, study, site, *, census):
    """Count the long cases among all cases of each benefit, activity-ready or not (S04).

    Returns
    -------
    Result
        Kind share: ``n_events`` long cases, ``n_persons`` cases, by ``group`` = benefit.
    """
    marks = bounded(census.people, study.long_weeks, ready_only=False)
    rows = [(bound, group, _told(marks.loc[people.index, bound], bound, census, study), len(people))
            for group, people in by_benefit(census.people, study) for bound in _BOUNDS]
    return shares("long_cases", rows, estimand=fact("long_cases", "all_cases", unit="share"),
                  provenance=fact_origin(tables, study, census, "benefit"), census=str(census.date),
                  bounds_only=_tells_bounds_only(census, study))


@needs("benefit")
@looks_back("long_weeks")
def gap_sensitivity(tables, study, site, *, census):
    """Count long cases by the longest gap that does not start the clock anew, and with all weeks added up.

    A case system that starts a new case after every interruption gives the first line; adding up gives
    the last. Sanctions are bridged in all of them.
    """
    frame = census.spells.frame
    history = frame[
        frame["state"].isin(study.system_states) & frame["person_id"].isin(census.people["person_id"])
    ]
    end = week_of(census.date) + 1
    history = history[history["start_week"] < end].assign(end_week=history["end_week"].clip(upper=end))
    ready = census.people[census.people["is_ready"]]
    rows = []
    for gap in study.gap_weeks:
        weeks = ready["person_id"].map(run_weeks(history, gap))
        rows.append(("long_run", f"gap_{gap}", int((weeks >= study.long_weeks).sum())))
    rows.append(("long_run", "added_up", int((ready["weeks"] >= study.long_weeks).sum())))
    return counts("gap_sensitivity", rows, estimand=fact("gap_sensitivity", "activity_ready_long"),
                  provenance=fact_origin(tables, study, census, "benefit"), census=str(census.date))


@needs("benefit", "activity")
@looks_back("long_weeks")
def offers_last_year(tables, study, site, *, census):
    """Share of the long activity-ready persons with an offer in the last twelve months (S02).

    Returns
    -------
    Result
        Kind share. ``term`` is what counts as an effort; ``group`` is ``all`` or ``not_exempt``.
    """
    long = _long(census, study)["person_id"]
    rows = [(name, group, int(persons.isin(found).sum()), len(persons))
            for name, found in _reached(tables, study, census).items()
            for group, persons in _with_and_without_exempt(tables, long, census.date)]
    return shares(
        "offers_last_year",
        rows,
        estimand=fact("offers_last_year", "activity_ready_long", unit="share"),
        provenance=fact_origin(tables, study, census, "benefit", "activity"),
        census=str(census.date),
        window_start=str(window_start(census, study)),
    )


@needs("benefit", "activity")
@looks_back("long_weeks")
def current_offers(tables, study, site, *, census):
    """Count the long cases by their one current offer and benefit (S05-S07)."""
    long = _long(census, study, ready_only=False)
    long = long.assign(
        offer=current_offer(tables["activity"], long["person_id"], census.date, study.offer_priority)
    )
    rows = [(offer, group, int((people["offer"] == offer).sum()))
            for group, people in by_benefit(long, study) for offer in ("NONE", *study.offer_priority)]
    return counts(
        "current_offers",
        [row for row in rows if row[2] or row[0] == "NONE"],
        estimand=fact("current_offers", "long_cases"),
        provenance=fact_origin(tables, study, census, "benefit", "activity"),
        census=str(census.date),
    )


@needs("benefit", "activity", "exemption")
@looks_back("long_weeks")
def no_offer_reasons(tables, study, site, *, census):
    """Count the long cases without a current offer by the first registered reason (S08)."""
    long = _long(census, study, ready_only=False)
    offer = current_offer(tables["activity"], long["person_id"], census.date, study.offer_priority)
    without = long[offer == "NONE"]
    reason = pd.Series(reasons(tables, without["person_id"], census.date, study.reason_priority))
    rows = [(name, "", int((reason == name).sum())) for name in (*study.reason_priority, "UNKNOWN")]
    used = [name for name in ("rehabilitation", "availability") if tables.has(name)]
    return counts("no_offer_reasons", rows, estimand=fact("no_offer_reasons", "long_cases_without_offer"),
                  provenance=fact_origin(tables, study, census, "benefit", "activity", "exemption", *used),
                  census=str(census.date), n_without_offer=len(without))


@needs("benefit", "activity")
def passive(tables, study, site, *, census):
    """Share without any effort in the last year among those a year or more on the benefit (S14).

    Four definitions side by side: mentor support counted as an effort or not, exempt persons counted or not.
    """
    people = census.people
    senior = people.loc[people["is_ready"] & (people["run_weeks"] >= study.seniority_weeks), "person_id"]
    reached = _reached(tables, study, census)
    rows = [(name, group, int((~persons.isin(reached[name])).sum()), len(persons))
            for name in ("active", "with_mentor")
            for group, persons in _with_and_without_exempt(tables, senior, census.date)]
    return shares(
        "passive",
        rows,
        estimand=fact("passive", "activity_ready_year", unit="share"),
        provenance=fact_origin(tables, study, census, "benefit", "activity"),
        census=str(census.date),
        window_start=str(window_start(census, study)),
    )


@needs("benefit", "activity")
def no_effort(tables, study, site, *, census):
    """Count activity-ready persons without offer or mentor for a year, of all activity-ready persons (S13).

    Returns
    -------
    Result
        Kind share. ``not_exempt`` leaves out those exempt on the date; ``any_status`` keeps them, and is the
        upper bound where exemptions are not registered.
    """
    people = census.people
    ready = people[people["is_ready"]]
    reached = _reached(tables, study, census)["with_mentor"]
    without = ready[(ready["run_weeks"] >= study.seniority_weeks) & ~ready["person_id"].isin(reached)][
        "person_id"
    ]
    groups = _with_and_without_exempt(tables, without, census.date)
    names = {"all": "any_status", "not_exempt": "not_exempt"}
    rows = [("no_effort", names[group], len(persons), len(ready)) for group, persons in groups]
    return shares(
        "no_effort",
        rows,
        estimand=fact("no_effort", "activity_ready", unit="share"),
        provenance=fact_origin(tables, study, census, "benefit", "activity"),
        census=str(census.date),
    )


def _told(mark, bound, census, study):
    """Return a count; data that reach back less than the weeks asked about allow bounds alone."""
    return np.nan if bound == "count" and _tells_bounds_only(census, study) else int(mark.sum())


def _tells_bounds_only(census, study):
    return seen_weeks(census) < study.long_weeks


def _long(census, study, *, ready_only=True):
    return census.people[bounded(census.people, study.long_weeks, ready_only=ready_only)["count"]]


def _reached(tables, study, census):
    """Return, for each meaning of effort, the persons who had one in the window that ends with the census."""
    start, end = window_start(census, study), census.date + dt.timedelta(days=1)
    return {name: touched(tables["activity"], types, start, end) for name, types in study.efforts.items()}


def _with_and_without_exempt(tables, person_id, date):
    yield "all", person_id
    if tables.has("exemption"):
        yield "not_exempt", person_id[~person_id.isin(exempt(tables, date))]


QUESTIONS = (
    long_stock,
    long_cases,
    gap_sensitivity,
    offers_last_year,
    current_offers,
    no_offer_reasons,
    passive,
    no_effort,
    rehabilitation_need,
    rehabilitation_meetings,
    reviewed,
    projects,
    project_outcomes,
    touched_share,
)
PUBLISHED = (published_cases, published_offers, published_touched, published_claim)
