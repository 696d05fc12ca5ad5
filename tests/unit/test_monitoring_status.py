"""Reasons, projects, the rehabilitation team, reviews; and what is said when tables are missing."""

import datetime as dt

import monitoring_towns as towns
import pytest

from evalkit.evaluations import monitoring


def told(town, folder, municipality="Syddjurs", **changes):
    return monitoring.answers(town.read(folder), towns.study(**changes), towns.site(municipality))


def test_the_project_of_29_counts_states_and_no_forecast(tmp_path):
    table = told(towns.project(), tmp_path).projects.table.set_index("term")["n_persons"]
    assert table.to_dict() == {"total": 29, "self_supporting": 5, "closed_by_rule": 1,
                               "partly_self_supporting": 5, "left": 0, "ongoing": 18}


def test_the_two_expected_closures_count_once_they_happened(tmp_path):
    days = (dt.date(2018, 9, 30) - dt.date(2015, 1, 5)).days
    table = told(towns.project(), tmp_path, census_days=days).projects.table.set_index("term")["n_persons"]
    assert table["self_supporting"] == 7


def test_each_person_has_one_reason_by_priority(tmp_path):
    town = towns.Town("Syddjurs")
    people = [town.supported(towns.CASH) for _ in range(9)]
    for person in people[:2]:
        town.add("exemption", person, "2018-01-01", "", "SICKNESS")
        town.add("availability", person, "2018-06-01", "", "PENDING")
    town.add("exemption", people[2], "2018-01-01", "2018-06-30", "MATERNITY")
    for person in people[3:6]:
        town.add("rehabilitation", person, "REFERRAL", "2018-05-01")
    town.add("rehabilitation", people[5], "MEETING", "2018-06-01")
    town.add("availability", people[6], "2018-06-01", "", "NON_COOPERATION")
    town.active(people[8], "PRAKTIK", "2018-06-01")
    result = told(town, tmp_path).no_offer_reasons
    found = result.table.set_index("term")["n_persons"]
    assert found[found > 0].to_dict() == {
        "EXEMPT_SICKNESS": 2,
        "REHABILITATION_PENDING": 2,
        "NON_COOPERATION": 1,
        "UNKNOWN": 3,
    }
    assert result.diagnostics["n_without_offer"] == 8


def test_rehabilitation_need_and_meetings_by_half_year(tmp_path):
    town = towns.Town("Syddjurs")
    people = [town.supported(towns.CASH) for _ in range(6)] + [town.supported(towns.EDUCATION)]
    for person in (*people[:3], people[6]):
        town.add("rehabilitation", person, "REFERRAL", "2018-03-01")
    town.add("rehabilitation", people[0], "MEETING", "2018-06-30")
    town.add("rehabilitation", people[4], "MEETING", "2017-12-31")
    town.add("case_review", people[3], "2018-02-01", "REHABILITATION_TEAM")
    town.add("case_review", people[1], "2018-02-01", "REHABILITATION_TEAM")
    town.add("case_review", people[5], "2018-02-01", "CONTINUE")
    answers = told(town, tmp_path)
    need = answers.rehabilitation_need.table.set_index("term")["n_persons"]
    assert need.to_dict() == {"referred": 2, "decided_at_review": 1, "total": 3}
    meetings = answers.rehabilitation_meetings.table.set_index("term")["n_persons"]
    assert meetings.to_dict() == {"2017H2": 1, "2018H1": 1}
    assert answers.reviewed.row("reviewed", "CASH_BENEFIT")["n_events"] == 3


@pytest.mark.parametrize("question", monitoring.QUESTIONS)
def test_a_question_without_its_tables_says_so(question, tmp_path):
    town = towns.Town("Syddjurs")
    town.person()
    tables = town.read(tmp_path)
    missing = [name for name in question.needs if not tables.has(name)]
    if missing:
        result = question(tables, towns.study(), towns.site("Syddjurs"), census=None)
        assert result.withheld == "missing_tables" and result.diagnostics["missing_tables"] == missing
        assert len(result.table) == 0


def test_reach_lists_every_question_and_what_is_missing(tmp_path):
    answers = told(towns.project(), tmp_path)
    reach = answers.reach
    assert set(reach.table["term"]) == {question.__name__ for question in monitoring.QUESTIONS} | {"claim"}
    assert {"activity", "rehabilitation"} <= set(reach.diagnostics["missing_tables"])
    assert answers.passive.withheld == "missing_tables" and not answers.long_stock.withheld
    assert answers.claim.withheld == "missing_tables"
