"""The published figures of the source documents come out of raw files through the door."""

import datetime as dt

import monitoring_towns as towns
import pytest

from evalkit import contract, spec
from evalkit.disclosure import release
from evalkit.evaluations import monitoring, published
from evalkit.files import package_data


@pytest.fixture(scope="module")
def hjoerring(tmp_path_factory):
    tables = towns.hjoerring().read(tmp_path_factory.mktemp("hjoerring"))
    return monitoring.answers(tables, towns.study(), towns.site("Hjørring"))


@pytest.fixture(scope="module")
def syddjurs(tmp_path_factory):
    tables = towns.syddjurs().read(tmp_path_factory.mktemp("syddjurs"))
    return monitoring.answers(tables, towns.study(), towns.site("Syddjurs"))


@pytest.fixture(scope="module")
def horsens(tmp_path_factory):
    tables = towns.horsens().read(tmp_path_factory.mktemp("horsens"))
    site = towns.site("Horsens")
    days = (dt.date(2017, 12, 1) - site.programme_start).days
    return monitoring.answers(tables, towns.study(census_days=days), site)


def test_hjoerring_had_74_long_activity_ready_persons(hjoerring):
    assert hjoerring.long_stock.diagnostics["census"] == "2018-06-30"
    assert hjoerring.long_stock.row("count", "all")["n_persons"] == 74


def test_hjoerring_reached_95_per_cent_in_a_year(hjoerring):
    row = hjoerring.offers_last_year.row("active", "all")
    assert (row["n_events"], row["n_persons"]) == (70, 74)
    assert round(100 * row["estimate"], 1) == 94.6
    assert hjoerring.offers_last_year.row("with_mentor", "all")["n_events"] == 71


def test_syddjurs_long_cases_by_benefit(syddjurs):
    rows = {benefit: syddjurs.long_cases.row("count", benefit) for benefit in towns.study().benefits}
    counted = {name: (row["n_events"], row["n_persons"]) for name, row in rows.items()}
    assert counted == {
        "CASH_BENEFIT": (78, 369),
        "EDUCATION_BENEFIT": (18, 195),
        "INTEGRATION_BENEFIT": (13, 155),
    }
    assert syddjurs.long_cases.row("count", "all")["estimate"] == pytest.approx(109 / 719)


@pytest.mark.parametrize(
    ("benefit", "code"),
    [
        ("CASH_BENEFIT", towns.CASH),
        ("EDUCATION_BENEFIT", towns.EDUCATION),
        ("INTEGRATION_BENEFIT", towns.INTEGRATION),
    ],
)
def test_syddjurs_current_offers(syddjurs, benefit, code):
    table = syddjurs.current_offers.table
    told = table[table["group"] == benefit].set_index("term")["n_persons"].to_dict()
    assert {kind: n for kind, n in told.items() if n} == towns.OFFERS[code]


def test_horsens_months_and_the_claim_of_doubling(horsens):
    shares = horsens.touched_share.table.set_index("term")["estimate"]
    told = [round(100 * shares[f"2017M{month:02d}"], 1) for month in range(1, 11)]
    assert told == [21.8, 23.6, 23.5, 22.5, 23.6, 24.0, 18.3, 22.4, 27.8, 44.4]
    claim = horsens.claim
    assert round(100 * claim.row("base_mean")["estimate"], 2) == 23.17
    assert round(claim.row("ratio")["estimate"], 2) == 1.92
    assert claim.diagnostics["months"] == 1


def test_horsens_64_without_effort_for_a_year(horsens):
    told = horsens.no_effort
    assert (told.row(group="not_exempt")["n_events"], told.row(group="not_exempt")["n_persons"]) == (64, 1000)
    assert told.row(group="any_status")["n_events"] == 84


def test_passive_share_depends_on_mentor_and_exemption(horsens):
    told = horsens.passive
    shares = [
        told.row(term, group)["n_events"]
        for term in ("active", "with_mentor")
        for group in ("all", "not_exempt")
    ]
    assert shares == [556, 536, 84, 64]


@pytest.fixture(scope="module")
def letters():
    folder = package_data("data_schema", "figures")
    sources = [
        {
            "path": folder / "source_figures.csv",
            "dialect": "csv",
            "table": "municipality_period",
            "origin": "source",
        },
        {"path": folder / "ledger_hjoerring.csv", "dialect": "csv", "table": "ledger", "origin": "source"},
    ]
    return contract.read(sources)


def test_the_letters_own_figures_give_the_same_sums(letters, syddjurs):
    told = published.published_cases(letters, towns.study(), None)
    assert told.row("offered")["estimate"] == pytest.approx(70 / 74)
    for benefit in towns.study().benefits:
        assert (
            told.row("long_cases", benefit)["estimate"]
            == syddjurs.long_cases.row("count", benefit)["estimate"]
        )
    assert set(told.provenance.rests_on) == {"published"}


def test_the_published_offers_are_what_the_fixture_reproduces(letters, syddjurs):
    told = published.published_offers(letters, towns.study(), None).table
    counted = syddjurs.current_offers.table
    counted = counted[(counted["group"] != "all") & (counted["n_persons"] > 0)]
    assert (
        told.set_index(["term", "group"])["n_persons"].to_dict()
        == counted.set_index(["term", "group"])["n_persons"].to_dict()
    )


def test_doubled_rests_on_one_month_and_on_shares(letters):
    told = published.published_claim(letters, towns.study(), None)
    value = told.table.set_index("term")["estimate"].round(2).to_dict()
    assert value == {"base_mean": 23.17, "month_share": 44.4, "ratio": 1.92, "next_highest_ratio": 1.2,
                     "gap_first": -6.4, "gap_last": 10.6}
    assert told.diagnostics["months"] == 1
    assert (told.diagnostics["of"], told.diagnostics["claimed_of"]) == ("shares", "persons")


def test_the_ledger_adds_up_and_its_basis_is_not_stated(letters):
    told = published.investment(letters, towns.study(), None)
    millions = {name: told.row(name, "NOT_STATED")["estimate"] / 1e6
                for name in ("CASEWORKERS_TFA", "MENTOR_COMPANY", "HEALTH_EDUCATION_SOCIAL", "total")}
    assert millions == {
        "CASEWORKERS_TFA": 36.5,
        "MENTOR_COMPANY": 22.2,
        "HEALTH_EDUCATION_SOCIAL": 66.0,
        "total": 124.7,
    }
    figures = letters["municipality_period"].set_index(["measure", "period"]).sort_index()["value"]
    for year in range(2015, 2019):
        assert (
            told.row("total", f"NOT_STATED, {year}")["estimate"]
            == figures.loc[("s16_investment_total_dkk", str(year))].item()
        )


def test_two_bases_are_never_added_together(letters):
    mixed = letters["ledger"].copy()
    mixed.loc[mixed["year"] == 2018, "basis"] = "BUDGET"
    told = published.investment(contract.Tables.from_frames({"ledger": mixed}), towns.study(), None).table
    totals = told[(told["term"] == "total") & told["group"].isin(["BUDGET", "NOT_STATED"])].set_index(
        "group"
    )["estimate"]
    assert totals.to_dict() == {"BUDGET": 38.3e6, "NOT_STATED": 86.4e6}


@pytest.mark.parametrize("name", ["current_offers", "published_offers"])
def test_what_the_profile_removes_is_counted_and_small_cells_are_gone(name, letters, syddjurs):
    result = (
        getattr(syddjurs, name)
        if name == "current_offers"
        else published.published_offers(letters, towns.study(), None)
    )
    released = release(result, spec.load_profile("municipality_5"), name=name)
    columns = released.payload["columns"]
    shown = {(row[0], row[1]): row[columns.index("n_persons")] for row in released.payload["rows"]}
    hidden = {key for key, value in shown.items() if value is None}
    assert {("LOENTIL", "CASH_BENEFIT"), ("NYTTE", "CASH_BENEFIT"), ("VEJL_OPK", "EDUCATION_BENEFIT"),
            ("MENTOR", "INTEGRATION_BENEFIT"), ("PRAKTIK", "INTEGRATION_BENEFIT")} <= hidden
    assert released.payload["suppressed"]["n_cells"] != "0"
    assert shown["NONE", "CASH_BENEFIT"] == "45"
