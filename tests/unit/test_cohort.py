"""Cohorts on hand-written persons: each trap of the registers in rows as a municipality delivers them."""

import datetime as dt

import numpy as np
import pandas as pd
import pytest

from evalkit import cohort, weeks
from evalkit.errors import CohortError

GROUPS = {"cash": ["CASH_BENEFIT_READY", "EDUCATION_BENEFIT_READY"], "sickness": ["SICKNESS_BENEFIT"]}
STATES = pd.DataFrame(
    [
        ("DEATH", 0, "exit", 1),
        ("RETIREMENT", 0, "exit", 2),
        ("DISABILITY_PENSION", 1, "support", 3),
        ("FLEX_JOB", 1, "support", 4),
        ("SICKNESS_BENEFIT", 1, "support", 5),
        ("CASH_BENEFIT_READY", 1, "support", 6),
        ("EDUCATION_BENEFIT_READY", 1, "support", 7),
        ("INTEGRATION_BENEFIT", 1, "support", 8),
        ("EDUCATION", 0, "education", 9),
        ("EMPLOYED", 0, "employment", 10),
        ("NONE", 0, "none", 11),
    ],
    columns=["state", "is_support", "role", "priority"],
)
CODES = pd.DataFrame(
    [
        ("999", "DEATH"),
        ("998", "RETIREMENT"),
        ("783", "DISABILITY_PENSION"),
        ("771", "FLEX_JOB"),
        ("890", "SICKNESS_BENEFIT"),
        ("130", "CASH_BENEFIT_READY"),
        ("140", "EDUCATION_BENEFIT_READY"),
        ("160", "INTEGRATION_BENEFIT"),
        ("651", "EDUCATION"),
    ],
    columns=["code", "state"],
).assign(valid_from="1991-08-05", valid_to=None)
FIRST = "2014-01-06"  # a Monday: week 0 of the tests below
ZERO = weeks.week_of(FIRST)


class Tables(dict):
    """The few tables a test writes down, with what `contract.read` adds to them."""

    has = dict.__contains__
    codes, states, data_from, data_through = {"dream": CODES}, STATES, FIRST, "2017-01-01"


def day(week):
    return pd.Timestamp(weeks.monday(ZERO + week))


def intervals(rows, *names):
    frame = pd.DataFrame(rows, columns=["person_id", "start", "end", *names])
    return frame.assign(
        start=[day(week) for week in frame["start"]], end=[day(week) for week in frame["end"]]
    )


def register(*benefit, **more):
    """Return tables from (person, first week, week after the last, code), all living in Aa, born 1980."""
    rows = intervals(benefit, "code")
    ids = rows["person_id"].unique()
    person = pd.DataFrame({"person_id": ids, "birth_year": 1980, "sex": "F", "ancestry": "danish"})
    residence = pd.DataFrame(
        {"person_id": ids, "municipality": "Aa", "start": pd.Timestamp("2000-01-03"), "end": pd.NaT}
    )
    return Tables({"person": person, "residence": residence, "benefit": rows, **more})


def runs(spells):
    frame = spells.frame
    return [
        (row.person_id, row.state, row.start_week - ZERO, row.end_week - ZERO) for row in frame.itertuples()
    ]


def people(ids, zero, **columns):
    frame = pd.DataFrame(
        {"person_id": ids, "time_zero_week": ZERO + np.asarray(zero), "municipality": "Aa", **columns}
    )
    return cohort.Cohort(frame=frame, attrition=None)


def followed(at_risk):
    names = ("", *at_risk.causes)
    return [(float(exit), names[event]) for exit, event in zip(at_risk.exit, at_risk.event, strict=True)]


def test_spells_give_a_week_to_the_state_that_outranks():
    tables = register(("a", 0, 10, "130"), ("a", 4, 6, "890"))
    assert runs(cohort.spells(tables)) == [
        ("a", "CASH_BENEFIT_READY", 0, 4),
        ("a", "SICKNESS_BENEFIT", 4, 6),
        ("a", "CASH_BENEFIT_READY", 6, 10),
    ]


def test_spells_count_a_week_with_one_day_t21():
    tables = register(("a", 0, 2, "130"))
    tables["benefit"]["end"] = day(2) + dt.timedelta(days=1)
    assert runs(cohort.spells(tables)) == [("a", "CASH_BENEFIT_READY", 0, 3)]


def test_spells_are_not_split_by_a_new_row_for_the_same_benefit_t20():
    """A birthday or a change of municipality starts a new row in the register, never a new spell."""
    tables = register(("a", 0, 5, "130"), ("a", 5, 9, "130"))
    tables["benefit"]["municipality"] = ["Aa", "Bb"]
    assert runs(cohort.spells(tables)) == [("a", "CASH_BENEFIT_READY", 0, 9)]


def test_spells_cross_a_53_week_year_without_a_seam_t22():
    week = weeks.week_of("2015-12-28") - ZERO
    tables = register(("a", week, week + 1, "130"), ("a", week + 1, week + 2, "130"))
    assert weeks.dream_column(ZERO + week) == "y_1553"
    assert runs(cohort.spells(tables)) == [("a", "CASH_BENEFIT_READY", week, week + 2)]


def test_sanction_does_not_end_a_spell_t1():
    sanction = intervals([("a", 5, 8)])
    tables = register(("a", 0, 5, "130"), ("a", 8, 12, "130"), sanction=sanction)
    assert runs(cohort.spells(tables)) == [("a", "CASH_BENEFIT_READY", 0, 12)]
    without = register(("a", 0, 5, "130"), ("a", 8, 12, "130"))
    assert len(runs(cohort.spells(without))) == 2


def test_sanction_fills_only_weeks_that_follow_support():
    sanction = intervals([("a", 0, 9), ("b", 3, 5), ("c", 3, 5)])
    tables = register(
        ("a", 5, 6, "130"), ("b", 0, 3, "651"), ("b", 7, 8, "130"), ("c", 0, 3, "130"), sanction=sanction
    )
    assert runs(cohort.spells(tables)) == [
        ("a", "CASH_BENEFIT_READY", 5, 9), ("b", "EDUCATION", 0, 3), ("b", "CASH_BENEFIT_READY", 7, 8),
        ("c", "CASH_BENEFIT_READY", 0, 5)]


def test_code_changes_meaning_on_its_date():
    codes = pd.DataFrame({"code": ["7", "7"], "valid_from": [day(0), day(4)], "valid_to": [day(3), None],
                          "state": ["CASH_BENEFIT_READY", "SICKNESS_BENEFIT"]})
    tables = register(("a", 0, 8, "7"))
    tables.codes = codes
    assert runs(cohort.spells(tables)) == [("a", "CASH_BENEFIT_READY", 0, 4), ("a", "SICKNESS_BENEFIT", 4, 8)]


def test_unknown_code_is_counted_not_shown():
    with pytest.raises(CohortError, match="1 rows have a code") as caught:
        cohort.spells(register(("a", 0, 8, "777")))
    assert "777" not in str(caught.value)


def test_spells_refuse_a_register_without_a_week_inside_the_data():
    with pytest.raises(CohortError, match="no week of benefit"):
        cohort.spells(register(("a", -20, -3, "130")))


def test_bridge_fills_short_gaps_between_support_only():
    spells = cohort.spells(
        register(
            ("a", 0, 5, "130"),
            ("a", 7, 9, "130"),
            ("a", 9, 12, "890"),
            ("a", 20, 21, "130"),
            ("b", 0, 5, "130"),
            ("b", 6, 9, "651"),
        )
    )
    assert runs(cohort.bridge(spells, max_gap_weeks=2)) == [
        ("a", "CASH_BENEFIT_READY", 0, 9),
        ("a", "SICKNESS_BENEFIT", 9, 12),
        ("a", "CASH_BENEFIT_READY", 20, 21),
        ("b", "CASH_BENEFIT_READY", 0, 5),
        ("b", "EDUCATION", 6, 9),
    ]
    assert runs(cohort.bridge(spells, max_gap_weeks=0)) == runs(spells)


def test_renamed_benefit_is_one_episode_t2_t23():
    """1 July 2016: everybody short of the residence rule went from cash to integration benefit overnight."""
    renamed = weeks.week_of("2016-07-04") - ZERO
    spells = cohort.spells(register(("a", 60, renamed, "130"), ("a", renamed, renamed + 10, "160")))
    found = cohort.episodes(spells, spells.support, max_gap_weeks=3)
    assert found[["start_week", "end_week", "n_weeks"]].to_numpy().tolist() == [
        [ZERO + 60, ZERO + renamed + 10, renamed - 50]]
    assert len(cohort.episodes(spells, ["INTEGRATION_BENEFIT"], max_gap_weeks=3)) == 1


@pytest.mark.parametrize(("gap", "n_episodes"), [(3, 1), (4, 2)])
def test_episodes_join_gaps_up_to_the_limit(gap, n_episodes):
    spells = cohort.spells(register(("a", 2, 5, "130"), ("a", 5 + gap, 12, "890")))
    found = cohort.episodes(spells, spells.support, max_gap_weeks=3)
    assert len(found) == n_episodes
    assert found["first_state"].iloc[0] == "CASH_BENEFIT_READY"


def test_episodes_say_where_the_data_cut_them():
    spells = cohort.spells(register(("a", -4, 5, "130"), ("b", 100, 500, "130"), ("c", 3, 5, "130")))
    found = cohort.episodes(spells, spells.support, max_gap_weeks=3).set_index("person_id")
    assert found["is_left_truncated"].to_dict() == {"a": True, "b": False, "c": False}
    assert found["is_open"].to_dict() == {"a": False, "b": True, "c": False}


def test_inflow_counts_persons_after_each_step():
    tables = register(
        ("new", 60, 70, "130"),
        ("late", 90, 95, "130"),
        ("recent", 30, 40, "130"),
        ("recent", 70, 75, "130"),
        ("pension", 60, 70, "783"),
        ("old", 60, 70, "130"),
        ("away", 60, 70, "130"),
        ("away", 0, 1, "651"),
    )
    tables["person"].loc[tables["person"]["person_id"] == "old", "birth_year"] = 1940
    tables["residence"].loc[tables["residence"]["person_id"] == "away", "municipality"] = "Bb"
    found = cohort.inflow(tables, cohort.spells(tables), states=GROUPS, window=(ZERO + 52, ZERO + 80),
                          municipalities=["Aa"])
    assert found.frame[
        ["person_id", "time_zero_week", "target_group", "age", "age_group"]
    ].to_numpy().tolist() == [["new", ZERO + 60, "cash", 35.0, "30-39"]]
    assert found.attrition.table.set_index("term")["n_persons"].to_dict() == {
        "episode_begins": 5, "in_target_group": 4, "washout_observed": 4, "washout_without_support": 3,
        "person_known": 3, "in_age_range": 2, "lives_here": 1}


@pytest.mark.parametrize(("gap", "counts"), [(52, True), (51, False)])
def test_inflow_washout_has_two_sides(gap, counts):
    tables = register(("a", 2, 10, "890"), ("a", 10 + gap, 90, "130"), ("other", 60, 70, "130"))
    found = cohort.inflow(tables, cohort.spells(tables), states=GROUPS, window=(ZERO + 52, ZERO + 80))
    assert ("a" in set(found.frame["person_id"])) is counts


def test_inflow_takes_the_first_episode_of_the_window():
    tables = register(("a", 60, 62, "130"), ("a", 120, 125, "890"))
    found = cohort.inflow(tables, cohort.spells(tables), states=GROUPS, window=(ZERO + 52, ZERO + 150))
    assert found.frame["time_zero_week"].tolist() == [ZERO + 60]
    assert found.frame["target_group"].tolist() == ["cash"]


def test_inflow_of_nobody_names_the_step():
    tables = register(("a", 60, 62, "783"))
    with pytest.raises(CohortError, match="nobody is left after step 'in_target_group'"):
        cohort.inflow(tables, cohort.spells(tables), states=GROUPS, window=(ZERO + 52, ZERO + 80))


def test_stock_knows_elapsed_weeks_only_when_it_saw_the_start():
    tables = register(
        ("a", 10, 100, "130"), ("b", -5, 100, "890"), ("c", 49, 51, "783"), ("d", 10, 49, "130")
    )
    found = cohort.stock(
        tables, cohort.spells(tables), census=ZERO + 50, states={**GROUPS, "pension": ["DISABILITY_PENSION"]}
    )
    frame = found.frame.set_index("person_id")
    assert frame["target_group"].to_dict() == {"a": "cash", "b": "sickness", "c": "pension"}
    assert frame["elapsed_weeks"].fillna(-1).to_dict() == {"a": 40, "b": -1, "c": 1}


def test_stock_outside_the_data_is_refused():
    tables = register(("a", 10, 100, "130"))
    with pytest.raises(CohortError, match="census week"):
        cohort.stock(tables, cohort.spells(tables), census=ZERO - 1, states=GROUPS)


def test_combine_keeps_periods_apart():
    tables = register(("a", 60, 62, "130"), ("a", 120, 125, "890"))
    spells = cohort.spells(tables)
    both = cohort.combine(
        {
            name: cohort.inflow(tables, spells, states=GROUPS, window=window)
            for name, window in {"pre": (ZERO + 52, ZERO + 80), "post": (ZERO + 114, ZERO + 140)}.items()
        }
    )
    assert both.frame["period"].tolist() == ["pre", "post"]
    assert set(both.attrition.table["group"]) == {"pre", "post"}
