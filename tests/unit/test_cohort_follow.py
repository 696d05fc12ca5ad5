"""Follow-up on hand-written persons: what ends support, what folds back, what the data cannot tell yet."""

import datetime as dt

import numpy as np
import pandas as pd
import pytest
from test_cohort import ZERO, Tables, day, followed, intervals, people, register

from evalkit import cohort, weeks
from evalkit.errors import CohortError


def exits(*benefit, zero=0, more=None, **options):
    tables = register(*benefit, **(more or {}))
    ids = tables["person"]["person_id"]
    return followed(cohort.follow.to_exit(people(ids, [zero] * len(ids)), cohort.spells(tables), **options))


@pytest.mark.parametrize(("gap", "exit"), [(3, 9.0), (4, 5.0)])
def test_to_exit_needs_sustained_weeks(gap, exit):
    assert exits(("a", 0, 5, "130"), ("a", 5 + gap, 9 + (gap > 3), "130")) == [(exit, "SELF_SUFFICIENT")]


def test_to_exit_stays_with_supplementary_benefit_t16():
    """A part-time job with supplementary benefit is still a week with benefit."""
    wage = pd.DataFrame(
        {"person_id": ["a"], "month": [pd.Timestamp("2014-02-01")], "wage_dkk": [9000.0], "hours": [60.0]}
    )
    assert exits(("a", 0, 12, "130"), more={"income_month": wage}) == [(12.0, "SELF_SUFFICIENT")]


def test_to_exit_is_not_ended_by_a_sanction_t1():
    sanction = intervals([("a", 5, 11)])
    assert exits(("a", 0, 5, "130"), ("a", 11, 20, "130"), more={"sanction": sanction}) == [
        (20.0, "SELF_SUFFICIENT")
    ]


def test_closed_by_rule_is_not_self_sufficiency_t15():
    closure = pd.DataFrame(
        {"person_id": ["a", "b"], "date": [day(5), day(9)], "reason": ["RULE_225H", "SELF_SUPPORT"]}
    )
    tables = register(("a", 0, 5, "130"), ("b", 0, 9, "130"), closure=closure)
    spells, both = cohort.spells(tables), people(["a", "b"], [0, 0])
    assert followed(cohort.follow.to_exit(both, spells, tables=tables)) == [
        (5.0, "CLOSED_BY_RULE"),
        (9.0, "SELF_SUFFICIENT"),
    ]
    assert followed(cohort.follow.to_exit(both, spells)) == [
        (5.0, "SELF_SUFFICIENT"),
        (9.0, "SELF_SUFFICIENT"),
    ]


def test_disability_pension_and_flex_job_are_support():
    assert exits(("a", 0, 5, "130"), ("a", 5, 30, "783"), ("b", 0, 5, "130"), ("b", 5, 40, "771")) == [
        (30.0, "SELF_SUFFICIENT"), (40.0, "SELF_SUFFICIENT")]


def test_competing_exits_come_first_when_support_ends_into_them():
    assert exits(
        ("a", 0, 5, "130"),
        ("a", 5, 30, "651"),
        ("b", 0, 5, "130"),
        ("b", 7, 500, "999"),
        ("c", 0, 5, "130"),
        ("c", 5, 500, "998"),
    ) == [(5.0, "EDUCATION"), (7.0, "DEATH"), (5.0, "RETIREMENT")]


def test_unnamed_state_keeps_the_person_at_risk():
    assert exits(("a", 0, 5, "130"), ("a", 5, 30, "651"), competing=["DEATH"]) == [(30.0, "SELF_SUFFICIENT")]


def test_follow_up_ends_before_the_data_do():
    """The data end with week 155: looking 4 weeks ahead, the last exit judged is on Monday of week 152."""
    n_weeks = weeks.week_of(Tables.data_through) - ZERO + 1
    assert n_weeks == 156
    for last, expected in ((152, (152.0, "SELF_SUFFICIENT")), (153, (152.0, "")), (156, (152.0, ""))):
        assert exits(("a", 0, last, "130")) == [expected]


def test_look_ahead_is_the_same_with_more_data():
    """What is said of a week does not change when weeks are added later than the look-ahead."""
    rows = [("a", 0, 40, "130"), ("a", 43, 60, "130"), ("b", 0, 58, "130"), ("c", 0, 70, "130")]
    cut = register(*rows)
    cut.data_through = day(60) - dt.timedelta(days=1)
    early, late = (
        cohort.follow.to_exit(people(["a", "b", "c"], [0] * 3), cohort.spells(tables), horizon_weeks=56)
        for tables in (cut, register(*rows))
    )
    assert followed(early) == followed(late) == [(56.0, ""), (56.0, ""), (56.0, "")]


def test_horizon_keeps_an_exit_on_its_last_monday():
    assert exits(("a", 0, 20, "130"), ("b", 0, 21, "130"), horizon_weeks=20) == [
        (20.0, "SELF_SUFFICIENT"),
        (20.0, ""),
    ]


def test_moves_are_ignored_censored_or_competing():
    tables = register(("a", 0, 20, "130"))
    tables["residence"] = intervals(
        [("a", 0, 5, "Aa"), ("a", 5, 10, "Aa"), ("a", 10, 150, "Bb")], "municipality"
    )
    spells, one = cohort.spells(tables), people(["a"], [0])
    for moved, expected in (
        ("ignore", (20.0, "SELF_SUFFICIENT")),
        ("censor", (10.0, "")),
        ("compete", (10.0, "MOVED")),
    ):
        assert followed(cohort.follow.to_exit(one, spells, tables=tables, moved=moved)) == [expected]


def test_follow_up_begins_on_support():
    with pytest.raises(CohortError, match="1 of 1 cohort rows are in no spell"):
        exits(("a", 5, 10, "130"), zero=2)


def test_exposure_begins_the_week_after_an_activity_starts():
    """A course that starts in week 6 cannot have caused an exit on Monday of week 7 or before."""
    exposure = {"COURSE": cohort.exposures(intervals([("a", 6, 9)]))}
    tables = register(("a", 0, 20, "130"))
    found = cohort.follow.to_exit(people(["a"], [0]), cohort.spells(tables), exposures=exposure)
    assert found.terms == ("COURSE[during]", "COURSE[after]")
    assert np.column_stack([found.entry, found.exit, found.event, found.covariates]).tolist() == [
        [0, 7, 0, 0, 0], [7, 9, 0, 1, 0], [9, 20, 1, 0, 1]]


def test_exposure_that_starts_in_the_week_of_exit_changes_nothing():
    exposure = {"COURSE": cohort.exposures(intervals([("a", 19, 30)]))}
    found = cohort.follow.to_exit(
        people(["a"], [0]), cohort.spells(register(("a", 0, 20, "130"))), exposures=exposure
    )
    assert found.covariates.tolist() == [[0.0, 0.0]]


def test_overlapping_activities_are_one_exposure():
    found = cohort.exposures(intervals([("a", 0, 10), ("a", 4, 20), ("a", 30, 40)]), after_weeks=5)
    assert (found[["start_week", "end_week"]] - ZERO).to_numpy().tolist() == [
        [1, 20],
        [20, 25],
        [31, 40],
        [40, 45],
    ]
    assert found["exposure"].tolist() == ["during", "after", "during", "after"]
    with pytest.raises(ValueError, match="look ahead"):
        cohort.exposures(intervals([("a", 0, 10)]), delay_weeks=0)


def weekly(*benefit, n_weeks=20, **options):
    tables = register(*benefit)
    codes = cohort.occupancy(people(["a"], [0]), cohort.spells(tables), n_weeks=n_weeks, **options)[0]
    return "".join("-SXJERDO"[code + 1] for code in codes)


def test_occupancy_counts_returns_and_folds_short_gaps():
    rows = ("a", 0, 5, "130"), ("a", 8, 10, "130"), ("a", 14, 16, "651"), ("a", 18, 30, "999")
    assert weekly(*rows) == "SSSSSSSSSSXXXXEEEEDD"
    assert weekly(*rows, sustain_weeks=1) == "SSSSSXXXSSXXXXEEXXDD"


def test_occupancy_beyond_the_data_is_unknown():
    found = weekly(("a", 0, 200, "130"), n_weeks=170)
    assert found.count("S") == 156 - 3
    assert set(found[153:]) == {"-"}


def test_job_needs_wage_in_the_month_of_the_week_t22():
    """A week belongs to the month of its Thursday: the week of Monday 27 January 2014 is in January."""
    income = pd.DataFrame({"person_id": ["a", "a"], "month": pd.to_datetime(["2014-01-01", "2014-02-01"]),
                           "wage_dkk": [20000.0, 0.0], "hours": [150.0, 0.0]})
    assert weekly(("a", 0, 2, "130"), n_weeks=8, income=income) == "SSJJXXXX"


def test_stable_job_is_three_quarters_of_full_time_over_three_months():
    months = pd.to_datetime(["2014-01-01", "2014-02-01", "2014-03-01"])
    hours = 27.75 * 365.25 / 12 / 7
    for factor, expected in ((1.0001, 1), (0.999, 0)):
        income = pd.DataFrame({"person_id": "a", "month": months, "wage_dkk": 1.0, "hours": hours * factor})
        assert len(cohort.stable_months(income)) == expected


def test_states_are_a_sequence_with_returns():
    tables = register(("a", 0, 5, "130"), ("a", 10, 12, "890"))
    found = cohort.follow.states(people(["a"], [0]), cohort.spells(tables), horizon_weeks=20)
    names = ("", *found.causes)
    assert [(en, ex, names[state], names[event]) for en, ex, state, event in
            zip(found.entry, found.exit, found.state, found.event, strict=True)] == [
        (0, 5, "SUPPORT", "SELF_SUFFICIENT"), (5, 10, "SELF_SUFFICIENT", "SUPPORT"),
        (10, 12, "SUPPORT", "SELF_SUFFICIENT"), (12, 20, "SELF_SUFFICIENT", "")]
