"""How long is long: sanctions, renamed benefits, gaps, unseen weeks, programmes and missing visitations."""

import datetime as dt
from dataclasses import replace

import monitoring_towns as towns
import pandas as pd
import pytest

from evalkit.cohort import spells as cohort_spells
from evalkit.evaluations import monitoring
from evalkit.evaluations.durations import bounded, run_weeks, stock

MONDAY = dt.date(2018, 6, 25)


def weeks_before(n):
    """The Monday from which a person has n weeks in the system, the census week included."""
    return MONDAY - dt.timedelta(weeks=n - 1)


def told(town, folder, **changes):
    return monitoring.answers(town.read(folder), towns.study(**changes), towns.site("Hjørring"))


def bounds(answers):
    return [int(answers.long_stock.row(bound, "all")["n_persons"]) for bound in ("lower", "count", "upper")]


def test_the_threshold_is_261_weeks_on_both_sides(tmp_path):
    town = towns.Town("Hjørring")
    town.supported(towns.CASH, since=weeks_before(261))
    town.supported(towns.CASH, since=weeks_before(260))
    assert bounds(told(town, tmp_path)) == [1, 1, 1]


def test_a_sanction_bridges_and_a_renamed_benefit_adds_up(tmp_path):
    town = towns.Town("Hjørring")
    town.add("integration_programme")
    for is_sanctioned in (True, False):
        person = town.person()
        town.add("benefit", person, towns.CASH, weeks_before(261), dt.date(2015, 1, 5))
        town.add("benefit", person, towns.CASH, dt.date(2015, 3, 16), dt.date(2016, 7, 4))
        town.add("benefit", person, towns.INTEGRATION, dt.date(2016, 7, 4), towns.END)
        town.add("visitation", person, "2016-07-01", "", "ACTIVITY_READY")
        if is_sanctioned:
            town.add("sanction", person, "2015-01-05", "2015-03-16", "STOP")
    # Ten weeks without benefit: with the sanction they count, without it they are beyond the longest gap.
    assert bounds(told(town, tmp_path)) == [1, 1, 1]


def test_a_short_unexplained_gap_moves_only_the_upper_bound(tmp_path):
    town = towns.Town("Hjørring")
    for gap in (8, 9):
        person = town.person()
        town.add("benefit", person, towns.CASH, weeks_before(261), dt.date(2015, 1, 5))
        town.add("benefit", person, towns.CASH, dt.date(2015, 1, 5) + dt.timedelta(weeks=gap), towns.END)
    assert bounds(told(town, tmp_path)) == [0, 0, 1]


def test_a_gap_starts_the_clock_of_a_case_system_anew(tmp_path):
    town = towns.Town("Hjørring")
    person = town.person()
    town.add("benefit", person, towns.CASH, weeks_before(300), dt.date(2015, 1, 5))
    town.add("benefit", person, towns.CASH, dt.date(2015, 1, 5) + dt.timedelta(weeks=4), towns.END)
    table = told(town, tmp_path).gap_sensitivity.table.set_index("group")["n_persons"]
    assert table.to_dict() == {"gap_0": 0, "gap_1": 0, "gap_4": 1, "gap_8": 1, "added_up": 1}


def test_a_person_on_benefit_when_the_data_begin_may_be_long(tmp_path):
    town = towns.Town("Hjørring")
    seen_from = dt.date(2016, 1, 4)
    for _ in range(3):
        town.supported(towns.CASH, since=seen_from)
    town.supported(towns.CASH, since=seen_from + dt.timedelta(weeks=1))
    tables = town.read(tmp_path)
    seen = tables["benefit"][tables["benefit"]["start"] >= pd.Timestamp(seen_from)]
    tables = replace(tables, frames={**tables.frames, "benefit": seen}, data_from=seen_from)
    answers = monitoring.answers(tables, towns.study(), towns.site("Hjørring"))
    told = answers.long_stock.table.query("group == 'all'").set_index("term")["n_persons"]
    assert (told["lower"], told["upper"]) == (0, 3)
    # The data reach back two and a half years: nothing can be counted, only bounded.
    assert pd.isna(told["count"])
    assert answers.long_stock.diagnostics["n_left_censored"] == 3


def test_the_clock_starts_after_the_integration_programme(tmp_path):
    town = towns.Town("Hjørring")
    for ended in ("2012-01-02", "2014-01-06", ""):
        person = town.supported(towns.CASH)
        town.add("integration_programme", person, "2011-01-03", ended)
    assert bounds(told(town, tmp_path)) == [1, 1, 1]


def test_without_the_programme_table_weeks_on_integration_benefit_are_unsure(tmp_path):
    town = towns.Town("Hjørring")
    person = town.supported(towns.INTEGRATION, since=weeks_before(300))
    town.add("visitation", person, "2016-01-01", "", "ACTIVITY_READY")
    assert bounds(told(town, tmp_path)) == [0, 1, 1]


def test_a_missing_visitation_is_undecided_and_a_stated_one_outranks_the_code(tmp_path):
    town = towns.Town("Hjørring")
    town.supported(towns.INTEGRATION)
    town.add("visitation", town.supported(towns.INTEGRATION), "2016-01-01", "", "NOT_STATED")
    town.add("visitation", town.supported(towns.CASH), "2016-01-01", "", "JOB_READY")
    town.add("visitation", town.supported(towns.READY), "2016-01-01", "", "ACTIVITY_READY")
    answers = told(town, tmp_path)
    assert bounds(answers) == [1, 1, 3]
    assert answers.long_stock.diagnostics["n_visitation_missing"] == 2


def test_only_residents_count(tmp_path):
    town = towns.Town("Hjørring")
    town.supported(towns.CASH)
    person = f"p-{town.n_people + 1:04d}"
    town.n_people += 1
    town.add("person", person, 1980, "F", "danish")
    town.add("residence", person, "Kommune 01", "2005-01-03", "")
    town.add("benefit", person, towns.CASH, towns.OLD, towns.END)
    assert bounds(told(town, tmp_path)) == [1, 1, 1]


def test_the_census_moves_back_to_the_last_day_of_data(tmp_path):
    town = towns.Town("Hjørring")
    town.supported(towns.CASH, until=dt.date(2017, 1, 2))
    answers = told(town, tmp_path)
    assert answers.long_stock.diagnostics["census"] == "2017-01-01"
    assert bounds(answers) == [1, 1, 1]


def test_stock_is_one_row_a_person_and_bounds_are_nested(tmp_path):
    tables = towns.syddjurs().read(tmp_path)
    people = stock(tables, cohort_spells(tables), towns.study(), towns.site("Syddjurs"))
    assert people["person_id"].is_unique
    marks = bounded(people, 261, ready_only=False)
    assert (marks["lower"] <= marks["count"]).all() and (marks["count"] <= marks["upper"]).all()


@pytest.mark.parametrize(("gap", "weeks"), [(0, 5), (2, 5), (3, 18), (10, 18)])
def test_run_weeks_bridges_gaps_of_at_most(gap, weeks):
    history = pd.DataFrame({"person_id": "a", "start_week": [0, 13], "end_week": [10, 18]})
    assert run_weeks(history, gap)["a"] == weeks


def always_on(town):
    """Somebody on cash benefit from the first to the last of the data's 443 weeks."""
    person = town.person()
    town.add("benefit", person, towns.CASH, dt.date(2010, 1, 4), towns.END)
    return person


def test_data_that_reach_back_too_short_tell_bounds_and_no_zero(tmp_path):
    town = towns.Town("Hjørring")
    for _ in range(8):
        town.active(always_on(town), "PRAKTIK", "2018-06-01")
    town.add("exemption")
    seen = told(town, tmp_path, long_weeks=443)
    assert not seen.current_offers.withheld and seen.current_offers.row("PRAKTIK", "all")["estimate"] == 8
    # One week more than the data hold: nobody can be seen to be long, so 0 would be an untruth.
    unseen = told(town, tmp_path, long_weeks=444)
    for name in ("current_offers", "offers_last_year", "no_offer_reasons", "gap_sensitivity"):
        assert getattr(unseen, name).withheld == "history_too_short" and getattr(unseen, name).table.empty
    assert unseen.long_stock.row("upper", "all")["n_persons"] == 8
    assert pd.isna(unseen.long_stock.row("count", "all")["estimate"])


def test_reach_counts_what_was_answered_and_says_what_limits_the_rest(tmp_path):
    town = towns.Town("Hjørring")
    town.active(always_on(town), "PRAKTIK", "2018-06-01")
    seen, unseen = (told(town, tmp_path, long_weeks=weeks).reach for weeks in (443, 444))
    assert seen.row("current_offers")["estimate"] == 1
    assert seen.row("current_offers")["group"] == "nothing_missing"
    assert seen.row("reviewed", "case_review")["estimate"] == 0
    assert unseen.row("current_offers", "history_too_short")["estimate"] == 0
    assert unseen.row("long_stock", "bounds_only")["estimate"] == 0.5
    limited = ("current_offers", "offers_last_year", "gap_sensitivity", "long_stock", "long_cases")
    assert seen.diagnostics["answered"] - unseen.diagnostics["answered"] == len(limited)
    assert unseen.diagnostics["limited"] - seen.diagnostics["limited"] == len(limited)
    assert seen.provenance.rests_on == ("simulated",)
