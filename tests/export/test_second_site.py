"""A second municipality differs in files, dates, prices, rules; it runs, and says what it cannot answer."""

import html
import json

import pandas as pd
import pytest

from evalkit.reports import strings
from evalkit.run.execute import ORDER

LANGUAGES = ("da", "en")
# Answered at both sites, whatever else is withheld at the second.
ANSWERED = [("data_check", "problems"), ("effect", "cohort"), ("effect", "panel_employees"),
            ("effect", "panel_assistance"),
            ("mechanism", "attrition"), ("mechanism", "caseload"), ("mechanism", "contacts"),
            ("mechanism", "investment"),
            ("monitoring", "long_cases"), ("monitoring", "projects"),
            ("monitoring", "rehabilitation_meetings")]
# Needs what the second site does not have: years before the programme, others, a survey, the process.
UNANSWERED = {
    "effect": ["goal_1", "goal_2", "goal_3", "time_to_exit", "stock"],
    "mechanism": ["funnel", "gate_times", "waits", "progression", "ratings"],
    "monitoring": ["current_offers", "offers_last_year", "no_offer_reasons", "gap_sensitivity"],
    "user": ["response", "items", "scales", "change"]}


@pytest.fixture(scope="module")
def sites(example_run, second_run):
    return example_run, second_run


def bundle(site, notebook):
    """Released objects of a notebook by name."""
    found = (json.loads(path.read_text(encoding="utf-8"))
             for path in (site.out / "bundle" / notebook).glob("*.json"))
    return {payload["name"]: payload for payload in found}


def page(site, notebook, language):
    return html.unescape((site.out / language / f"{notebook}.html").read_text(encoding="utf-8"))


def estimates(payload):
    at = [payload["columns"].index(name) for name in ("term", "group", "estimate", "n_persons", "n_events")]
    return [[row[k] for k in at] for row in payload["rows"]]


def test_both_ran_to_the_same_reports(sites):
    for language in LANGUAGES:
        first, second = ({path.name for path in (site.out / language).glob("*.html")} for site in sites)
        assert first == second >= {f"{name}.html" for name in ORDER}


def test_the_sites_differ_in_dialect_dates_prices_rules_and_tables(sites):
    first, second = sites
    files = [{item.file: item.dialect for item in site.data.deliveries} for site in sites]
    assert [set(one.values()) for one in files] == [{"csv", "dream"}, {"csv", "ydelsesrefusion"}]
    assert set(files[0]) - set(files[1]) == {"dream.csv", "screening.csv", "process.csv", "progress.csv",
                                             "survey_frame.csv", "survey_response.csv"}
    assert first.programme_start.year + 3 == second.programme_start.year
    assert first.profile != second.profile
    prices = [pd.read_csv(site.price, encoding="utf-8")["value"] for site in sites]
    assert (prices[0] != prices[1]).any()


def test_one_study_serves_both(sites):
    for name in set(ORDER) - {"data_check"}:
        first, second = ({payload["provenance"]["study_sha256"] for payload in bundle(site, name).values()}
                         for site in sites)
        assert first == second


@pytest.mark.parametrize(("notebook", "name"), ANSWERED)
def test_numbers_are_the_sites_own(sites, notebook, name):
    first, second = (bundle(site, notebook)[name] for site in sites)
    assert not first["withheld"] and not second["withheld"]
    assert estimates(first) and estimates(second)
    assert estimates(first) != estimates(second)


def test_the_investment_is_invented_and_says_so(sites):
    first, second = (bundle(site, "mechanism")["investment"] for site in sites)
    assert [one["provenance"]["rests_on"] for one in (first, second)] == [["source"], ["simulated"]]
    assert "124.7" in page(sites[0], "mechanism", "en")
    for language, million in (("da", "124,7"), ("en", "124.7")):
        assert million not in page(sites[1], "mechanism", language)
    assert second["diagnostics"]["bases"] == ["ACCOUNTS", "BUDGET"]
    ledger = pd.read_csv(sites[1].data.folder / "ledger.csv", encoding="utf-8")
    assert ledger["source"].str.startswith("Simulated example").all()


def test_the_panel_is_simulated_where_no_public_tables_lie(second_run):
    panel = bundle(second_run, "effect")["panel_employees"]
    assert panel["provenance"]["rests_on"] == ["real" if second_run.has_public else "simulated"]
    assert panel["diagnostics"]["placebos_plus_one"] == ("95" if second_run.has_public else "25")
    for language, said in (("da", "simulerede tal"), ("en", "simulated figures")):
        assert said in page(second_run, "effect", language)


@pytest.mark.parametrize("notebook", UNANSWERED)
def test_what_could_not_be_answered_stands_on_the_page_with_its_reason(second_run, notebook):
    told = bundle(second_run, notebook)
    for language in LANGUAGES:
        words, articles = strings.load(notebook), page(second_run, notebook, language).split("<article")[1:]
        for name in UNANSWERED[notebook]:
            assert told[name]["withheld"] and not told[name]["rows"], name
            title = words.result(name)["title"][language]
            article, = (one.partition("</article>")[0] for one in articles if f">{title}<" in one)
            assert words.label(told[name]["withheld"], language) in article, name
            for table in told[name]["diagnostics"].get("missing_tables") or ():
                assert words.label(table, language) in article, (name, table)


def test_nothing_that_was_withheld_comes_back_elsewhere(second_run):
    designs = bundle(second_run, "effect")["designs"]
    assert {row[0] for row in estimates(designs) if row[2] is not None} <= {
        "panel_difference_in_differences", "panel_synthetic_control", "panel_synthetic_did"}
