"""Gates, waits, cases, contacts and progression on rows that can be checked by hand."""

import datetime as dt
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from evalkit import spec
from evalkit.contract import Tables
from evalkit.evaluations import mechanism
from evalkit.evaluations.casework import changes_of_caseworker

SITE = SimpleNamespace(municipality="Hjørring", programme_start=dt.date(2015, 1, 5))


def study(**changes):
    return replace(spec.load_study("analysis/mechanism.yaml"), **changes)


def made(**tables):
    frames = {name: pd.DataFrame(rows, columns=columns) for name, (columns, rows) in tables.items()}
    return Tables.from_frames(frames, data_from="2014-01-06", data_through="2016-12-25")


@pytest.fixture(scope="module")
def way():
    """Four persons: all gates, low risk, at risk without analysis, and a course without a plan."""
    steps = ["TFA", "CONFERENCE", "PLAN", "COURSE"]
    process = [("a", step, f"2015-03-{day:02d}") for step, day in zip(steps, (2, 9, 16, 23), strict=True)]
    process += [("d", "TFA", "2015-03-02"), ("d", "CONFERENCE", "2015-03-09"), ("d", "COURSE", "2015-04-01")]
    screening = [("a", "2015-02-23", "HIGH"), ("b", "2015-02-23", "LOW"), ("c", "2015-02-23", "MODERATE"),
                 ("d", "2015-02-20", "LOW"), ("d", "2015-02-23", "MODERATE"), ("e", "2014-06-02", "HIGH")]
    progress = [
        ("a", "2015-03-23", "JOB_BELIEF", "CITIZEN", 2),
        ("a", "2015-09-21", "JOB_BELIEF", "CITIZEN", 4),
    ]
    return made(
        screening=(["person_id", "date", "risk"], screening),
        process=(["person_id", "step", "date"], process),
        progress=(["person_id", "date", "indicator", "rater", "score"], progress),
    )


def test_the_funnel_counts_gates_in_order_and_tells_what_was_skipped(way):
    told = mechanism.funnel(way, study(), SITE)
    passed = {
        term: told.row(term, "of_screened")["n_events"]
        for term in ("AT_RISK", "TFA", "CONFERENCE", "PLAN", "COURSE", "PROGRESS")
    }
    assert passed == {"AT_RISK": 3, "TFA": 2, "CONFERENCE": 2, "PLAN": 1, "COURSE": 1, "PROGRESS": 1}
    assert told.row("TFA", "of_screened")["n_persons"] == 4
    assert told.row("TFA", "of_previous")["n_persons"] == 3
    assert told.diagnostics["n_skipped_gate"] == 1


def test_gate_times_count_begun_weeks(way):
    told = mechanism.gate_times(way, study(gate_weeks=(1, 2)), SITE)
    # Monday to the Monday after is one whole week: the second week has begun.
    assert told.row("TFA", "within_1")["estimate"] == pytest.approx(0)
    assert told.row("TFA", "within_2")["estimate"] == pytest.approx(2 / 3)
    assert told.row("TFA", "within_2")["n_persons"] == 3


def test_late_passages_are_censored_not_moved_forward(way):
    late = made(
        screening=(["person_id", "date", "risk"], [("a", "2015-02-23", "HIGH"), ("b", "2015-02-23", "HIGH")]),
        process=(["person_id", "step", "date"], [("a", "TFA", "2015-12-01"), ("b", "TFA", "2015-03-02")]),
    )
    told = mechanism.gate_times(late, study(gate_weeks=(4,)), SITE)
    assert told.row("TFA", "within_4")["estimate"] == pytest.approx(0.5)


def test_caseload_is_open_cases_to_full_time_hands():
    rows = [(f"p{k}", "ab"[k % 2], "2015-01-05", None) for k in range(60)]
    months = [
        (month.date().isoformat(), "CASEWORKER", 1.5)
        for month in pd.date_range("2014-01-01", "2016-12-01", freq="MS")
    ]
    told = mechanism.caseload(made(case=(["person_id", "caseworker_id", "start", "end"], rows),
                                   headcount=(["month", "role", "fte"], months)), study(), SITE)
    assert told.table["term"].tolist()[0] == "2015Q1"
    # Released, the figure times the hands gives the rounded number of cases, not the true one.
    assert told.model["scaled_by"].tolist()[:2] == [60, 60]
    row = told.row("2015Q2")
    assert (row["estimate"], row["n_persons"]) == (40, 2)


def test_contacts_are_a_ratio_of_sums_with_the_error_between_persons():
    case = [("a", "x", "2015-04-01", "2015-04-29"), ("b", "x", "2015-04-01", "2015-05-27")]
    contact = [
        ("a", "x", "2015-04-02", "MEETING"),
        ("a", "x", "2015-04-03", "PHONE"),
        ("b", "x", "2015-04-03", "PHONE"),
    ]
    told = mechanism.contacts(
        made(
            case=(["person_id", "caseworker_id", "start", "end"], case),
            contact=(["person_id", "caseworker_id", "date", "kind"], contact),
        ),
        study(),
        SITE,
    )
    row = told.row("2015Q2")
    assert row["estimate"] == pytest.approx(3 / 3)
    assert row["std_error"] == pytest.approx(np.sqrt((2 - 1) ** 2 + (1 - 2) ** 2) / 3)


def test_a_new_episode_is_no_change_of_caseworker():
    case = pd.DataFrame(
        {
            "person_id": ["a", "a"],
            "caseworker_id": ["x", "y"],
            "start": pd.to_datetime(["2015-01-05", "2016-01-04"]),
            "end": pd.to_datetime(["2015-03-02", "2016-06-06"]),
        }
    )
    assert changes_of_caseworker(case).empty


def test_progression_change_follows_the_same_persons(way):
    told = mechanism.progression_change(way, study(), SITE)
    row = told.row("JOB_BELIEF", "CITIZEN")
    assert (row["estimate"], row["n_persons"]) == (2, 1)
    mean = mechanism.progression(way, study(), SITE)
    assert mean.table["time_weeks"].tolist() == [0, 26]


def test_without_any_table_every_step_is_withheld_and_named():
    told = mechanism.describe(made(), study(), SITE)
    assert {getattr(told, name).withheld for name in told.__slots__ if name != "reach"} == {"missing_tables"}
    assert told.reach.diagnostics["answered"] == 0


def test_where_nobody_is_followed_the_hazards_are_withheld_without_an_exception():
    person = (["person_id", "birth_year", "sex", "ancestry"], [("a", 1980, "F", "danish")])
    benefit = (["person_id", "code", "start", "end"], [("a", "730", "2014-01-06", "2014-02-03")])
    home = (["person_id", "municipality", "start", "end"], [("a", "Hjørring", "2005-01-03", None)])
    activity = (
        ["person_id", "activity_id", "type", "start", "end"],
        [("a", "1", "MENTOR", "2014-01-06", "2014-02-03")],
    )
    told = mechanism.describe(
        made(person=person, benefit=benefit, residence=home, activity=activity), study(), SITE
    )
    assert told.efforts.withheld == told.attrition.withheld == "nobody_followed"
