"""The published figures of the source documents come out of raw files through the door."""

import datetime as dt

import monitoring_towns as towns
import pytest

from evalkit.evaluations import monitoring


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
    assert hjoerring.long_stock.row("count", "")["n_persons"] == 74


def test_hjoerring_reached_95_per_cent_in_a_year(hjoerring):
    row = hjoerring.offers_last_year.row("active", "all")
    assert (row["n_events"], row["n_persons"]) == (70, 74)
    assert round(100 * row["estimate"], 1) == 94.6
    assert hjoerring.offers_last_year.row("with_mentor", "all")["n_events"] == 71


def test_syddjurs_long_cases_by_benefit(syddjurs):
    rows = {benefit: syddjurs.long_cases.row("count", benefit) for benefit in towns.study().benefits}
    counted = {name: (row["n_events"], row["n_persons"]) for name, row in rows.items()}
    assert counted == {"CASH_BENEFIT": (78, 369), "EDUCATION_BENEFIT": (18, 195), "INTEGRATION_BENEFIT": (13, 155)}
    assert syddjurs.long_cases.row("count", "")["estimate"] == pytest.approx(109 / 719)


@pytest.mark.parametrize(("benefit", "code"), [
    ("CASH_BENEFIT", towns.CASH), ("EDUCATION_BENEFIT", towns.EDUCATION), ("INTEGRATION_BENEFIT", towns.INTEGRATION)])
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
    shares = [told.row(term, group)["n_events"] for term in ("active", "with_mentor") for group in ("all", "not_exempt")]
    assert shares == [556, 536, 84, 64]
