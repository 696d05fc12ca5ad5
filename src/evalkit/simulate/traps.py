"""The traps T1-T23: planted where the clean data do not hold them, counted where they do."""

import datetime as dt

import numpy as np
import pandas as pd

from evalkit import weeks
from evalkit.simulate.codes import dream_code
from evalkit.simulate.states import FIRST_SUPPORT, INTEGRATION_ALL_FROM, NUMBER, SOCIAL_ASSISTANCE

_DATE = pd.Timestamp("2018-06-30")
_LETTER_MONTH = (pd.Timestamp("2017-10-02"), pd.Timestamp("2017-10-30"))
_LONG_DAYS = 1826
_NEEDS_DREAM = {
    "T2": "education benefit before it existed lies before the first week delivered",
    "T21": "payments are amounts, and a day of benefit is a day's amount",
    "T22": "week 53 of 2015 lies before the first week delivered",
}


def plant(planting):
    """Plant or count every trap; each has at least one entry in the book."""
    _present(planting)
    _long_cases(planting)
    _activities(planting)
    _figures_of_the_sources(planting)
    if planting.codes is None:
        _without_weekly_codes(planting)
    else:
        _weeks(planting)
    _no_row_can_hold(planting)


def _present(planting):
    """Traps that the process itself holds: say how often."""
    tables = planting.tables
    planting.note(
        "sanction", "", len(tables["sanction"]), trap="T1", how="a hole in the payments that is no exit"
    )
    planting.note("closure", "", (tables["closure"]["reason"] == "SANCTION").sum(), trap="T1",
                  how="the case system closes the case and starts it anew")
    planting.note("integration_programme", "", len(tables["integration_programme"]), trap="T8",
                  how="a clock that starts at the programme's end")
    planting.note("closure", "", (tables["closure"]["reason"] == "RULE_225H").sum(), trap="T15",
                  how="closed by rule, not self-support")
    small = (
        tables["enrolment"]["outcome"].value_counts() if len(tables["enrolment"]) else pd.Series(dtype=int)
    )
    planting.note("enrolment", "", (small < 5).sum(), trap="T17", how="outcomes of fewer than five persons")
    moves = tables["residence"]["person_id"].duplicated().sum()
    planting.note("residence", "", moves, trap="T20", how="a move is no new spell")


def _long_cases(planting):
    """Long cases that a register cannot judge, and persons with two cases at once."""
    visits = planting.tables["visitation"]
    ends = visits["end"].fillna(pd.Timestamp("2019-12-30"))
    rows = planting.rows("visitation", 10, where=(ends - visits["start"]).dt.days > 0.5 * _LONG_DAYS)
    planting.put("visitation", rows, "category", "NOT_STATED")
    planting.note("visitation", "", len(rows), trap="T3", how="long cases whose category is not stated")
    again = planting.tables["case"]
    again = again.loc[planting.rows("case", 20, where=again["end"].notna())].assign(caseworker_id="sb900")
    planting.add("case", again)
    planting.note("case", "", len(again), trap="T19", how="a second case of the same person")


def _activities(planting):
    activity = planting.tables["activity"]
    ends = activity["end"].fillna(pd.Timestamp("2019-12-30"))
    then = (activity["start"] <= _DATE) & (ends > _DATE)
    year = (activity["start"] <= _DATE) & (ends > _DATE - dt.timedelta(days=365))
    only_year = np.setdiff1d(activity.loc[year, "person_id"], activity.loc[then, "person_id"])
    planting.note("activity", "", len(only_year), trap="T6", how="active in twelve months and not on the day")
    _exempt(planting, activity)
    _one_month(planting)
    activity = planting.tables["activity"]
    kept_from = pd.Timestamp(weeks.monday(planting.register.first_week + 52))
    old = (activity["end"] < kept_from) & activity["end"].notna()
    late = activity["start"].between(pd.Timestamp("2019-10-01"), pd.Timestamp("2020-01-01"))
    keep = ~(old | late)
    planting.tables["activity"] = activity[keep].reset_index(drop=True)
    planting.note("activity", "", old.sum(), trap="T7", how="past offers were not kept")
    planting.note(
        "activity", "", late.sum(), trap="T9", how="activities are delivered through September only"
    )


def _exempt(planting, activity):
    cases = planting.tables["case"]
    open_then = cases[(cases["start"] <= _DATE) & (cases["end"].isna() | (cases["end"] > _DATE))]
    idle = np.setdiff1d(open_then["person_id"], activity["person_id"])
    busy = planting.tables["exemption"]["person_id"]
    chosen = np.setdiff1d(idle, busy)[:12]
    planting.add(
        "exemption",
        pd.DataFrame(
            {
                "person_id": chosen,
                "start": _DATE - dt.timedelta(days=60),
                "end": _DATE + dt.timedelta(days=60),
                "reason": "SICKNESS",
            }
        ),
    )
    planting.note(
        "exemption", "", len(chosen), trap="T5", how="exempt, and passive if exemptions are not looked at"
    )


def _one_month(planting):
    """A doubling that rests on one month: short courses for many in October 2017."""
    cases = planting.tables["case"]
    open_then = cases[
        (cases["start"] <= _LETTER_MONTH[0]) & (cases["end"].isna() | (cases["end"] > _LETTER_MONTH[1]))
    ]
    chosen = open_then["person_id"].drop_duplicates().sort_values().head(60)
    planting.add(
        "activity",
        pd.DataFrame(
            {
                "person_id": chosen.to_numpy(),
                "activity_id": [f"b{number:06d}" for number in range(len(chosen))],
                "type": "VEJL_OPK",
                "owner": "J",
                "hours_per_week": 10.0,
                "start": _LETTER_MONTH[0],
                "end": _LETTER_MONTH[1],
            }
        ),
    )
    planting.note("activity", "", len(chosen), trap="T10", how="many short courses in October 2017")


def _figures_of_the_sources(planting):
    """Accounts, forecast and budget beside each other, and totals that the sources state differently."""
    source = "planted: figures that must not be added"
    rows = [
        (2017, "BENEFIT_SAVING", 69e6, "FORECAST", "T11"),
        (2018, "BENEFIT_SAVING", 92e6, "BUDGET", "T11"),
        (2018, "TOTAL_AS_REPORTED", 125e6, "NOT_STATED", "T14"),
        (2019, "TOTAL_AS_REPORTED", 158e6, "NOT_STATED", "T14"),
    ]
    ledger = pd.DataFrame(rows, columns=["year", "category", "amount_dkk", "basis", "trap"])
    if "ledger" in planting.tables:
        planting.add("ledger", ledger.drop(columns="trap").assign(source=source))
        for trap, part in ledger.groupby("trap"):
            planting.note("ledger", "", len(part), trap=trap, how="figures that must not be added")
    staff = pd.DataFrame(
        {"month": pd.to_datetime(["2018-01-01", "2018-02-01"]), "role": "OTHER", "fte": [37.0, 35.0]}
    )
    planting.add("headcount", staff)
    planting.note("headcount", "", len(staff), trap="T13", how="37 hands in one source, 35 in another")


def _weeks(planting):
    """Traps of the weekly code: renamed benefits, one-day weeks, week 53, part self-support."""
    first, codes = planting.register.first_week, planting.codes
    july = INTEGRATION_ALL_FROM - first
    integration = dream_code("INTEGRATION_BENEFIT") // 10
    renamed = (
        (codes[:, july] // 10 == integration)
        & (codes[:, july - 1] > 0)
        & (codes[:, july - 1] // 10 != integration)
    )
    planting.note(
        "benefit", "", renamed.sum(), trap="T23", how="renamed on 1 July 2016 without a change in life"
    )
    who = planting.blank_cells(25, weeks.week_of("2015-12-28") - first, around=5)
    codes[who, weeks.week_of("2015-12-28") - first] = dream_code("CASH_BENEFIT_READY")
    planting.note("benefit", "", len(who), trap="T22", how="a single week of benefit, week 53 of 2015")
    row = weeks.week_of("2013-04-08") - first
    who = planting.blank_cells(100, row, around=5)
    codes[who, row] = dream_code("SICKNESS_BENEFIT")
    planting.note("benefit", "", len(who), trap="T21", how="one day of benefit fills a week")
    months = weeks.month_number("2018-03-01") - weeks.month_of(first) + np.arange(6)
    at_work = np.isnan(planting.degree[:, months]).all(axis=1)
    on = np.flatnonzero((codes[:, weeks.week_of("2018-03-05") - first :][:, :30] > 0).all(axis=1) & at_work)[
        :40
    ]
    planting.degree[np.ix_(on, months)] = 0.2
    planting.note("income_month", "", 6 * len(on), trap="T16", how="hours beside a supplementary benefit")


def _without_weekly_codes(planting):
    """What needs DREAM's weekly codes is not planted here: say so; count or plant what does not."""
    register = planting.register
    july, state = INTEGRATION_ALL_FROM - register.first_week, register.state
    integration = NUMBER["INTEGRATION_BENEFIT"]
    before = np.isin(state[july - 1], SOCIAL_ASSISTANCE) & (state[july - 1] != integration)
    renamed = (state[july] == integration) & before
    planting.note(
        "benefit", "", renamed.sum(), trap="T23", how="renamed on 1 July 2016 without a change in life"
    )
    _hours_beside_benefit(planting)
    for trap, why in _NEEDS_DREAM.items():
        planting.note("benefit", "", 0, trap=trap, how=f"not planted: {why}")


def _hours_beside_benefit(planting):
    """A few hours' work a month for persons who are on support all the while."""
    register, months = planting.register, pd.date_range("2018-03-01", periods=6, freq="MS")
    row = weeks.week_of("2018-03-05") - register.first_week
    on = register.person_id[(register.state[row:row + 30] >= FIRST_SUPPORT).all(axis=0)]
    held = planting.tables["income_month"]
    at_work = held.loc[held["month"].between(months[0], months[-1]), "person_id"]
    chosen = np.setdiff1d(on, at_work)[:40]
    planting.add("income_month", pd.DataFrame({
        "person_id": np.repeat(chosen, len(months)), "month": np.tile(months, len(chosen)),
        "wage_dkk": 4800.0, "hours": 32.0}))
    planting.note("income_month", "", len(months) * len(chosen), trap="T16",
                  how="hours beside a supplementary benefit")


def _no_row_can_hold(planting):
    """Two traps are no fault of any row; the book says where they are met instead."""
    dream = ("not planted: this delivery has DREAM; the second example site is the one without"
             if planting.codes is not None else
             "the whole delivery: no DREAM, so weeks before the municipality's own payments are unknown")
    planting.note("", "", 0, trap="T4", how=dream)
    texts = ("not planted: 1,700 is the target group in one text and the extra persons in another; "
             "no register can tell, the effect study states which it takes")
    planting.note("", "", 0, trap="T12", how=texts)
