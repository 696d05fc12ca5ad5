"""What is written can be read, gives back the latent weeks, and is the same every time."""

import json
import re

import numpy as np
import pandas as pd
import pytest

from evalkit import contract, simulate, spec, weeks
from evalkit.cohort import spells as make_spells
from evalkit.contract.dialects import statbank
from evalkit.files import sha256_file
from evalkit.simulate import codes, observe
from evalkit.simulate.own import sanctions
from evalkit.simulate.states import FIRST_SUPPORT, STATES

_CPR = re.compile(r"(?<!\d)(0?[1-9]|[12]\d|3[01]|6[1-9]|[78]\d|9[01])(0[1-9]|1[0-2])\d{2}[- ]?\d{4}(?!\d)")


def _sources(site, folder):
    """Return the site's sources, read from another folder."""
    wanted = []
    for source in spec.load_site(f"analysis/municipalities/{site}.yaml").sources:
        here = folder / source["path"].name
        wanted.append({**source, "path": here if here.exists() else source["path"]})
    return wanted


@pytest.fixture(scope="module")
def register():
    return simulate.register(n_persons=400, n_comparisons=4, persons_per_comparison=50, seed=5)


@pytest.fixture(scope="module")
def folder(register, tmp_path_factory):
    folder = tmp_path_factory.mktemp("hjoerring")
    simulate.write(register, folder)
    return folder


@pytest.fixture(scope="module")
def tables(folder):
    return contract.read(_sources("hjoerring", folder))


@pytest.fixture(scope="module")
def second(tmp_path_factory):
    folder = tmp_path_factory.mktemp("frederikshavn")
    simulate.write(simulate.register(site="frederikshavn", n_persons=400, seed=5), folder)
    return folder


def test_the_contract_accepts_what_is_simulated(folder, second):
    for site, place in (("hjoerring", folder), ("frederikshavn", second)):
        report = contract.check(_sources(site, place))
        assert report.ok, report.problems.to_string()


def test_every_delivery_of_the_site_is_written(folder, second):
    for site, place in (("hjoerring", folder), ("frederikshavn", second)):
        for item in spec.load_site(f"analysis/municipalities/{site}.yaml").data.deliveries:
            assert (place / item.file).is_file(), item.file


def test_dream_gives_back_the_latent_weeks(register, tables):
    held = make_spells(tables)
    assert held.first_week == register.first_week
    grid = np.full(register.state.shape, "", dtype=object)
    at = {name: number for number, name in enumerate(register.person_id)}
    for person, state, start, end in held.frame[["person_id", "state", "start_week", "end_week"]].itertuples(
        index=False
    ):
        grid[start - held.first_week:end - held.first_week, at[person]] = state
    latent = np.array([*("", ""), *STATES[2:]], dtype=object)[register.state]
    # Outside the municipality nobody tells why a week is blank: those sanctions stay holes.
    person, start, end = sanctions(register)
    for one, low, high in zip(person, start, end, strict=True):
        away = register.municipality()[low, one] != 0
        latent[low:high, one] = "" if away else latent[low - 1, one]
        grid[low:high, one] = grid[low:high, one] if away else latent[low - 1, one]
    assert (grid == latent).mean() > 0.99999


def test_work_of_the_months_comes_back(register, tables):
    expected = observe.income_month(register)
    found = tables["income_month"]
    assert len(found) == len(expected)
    assert found["hours"].sum() == pytest.approx(expected["hours"].sum(), rel=0.01)


def test_tables_in_memory_are_those_of_the_files(register, tables):
    memory = register.tables()
    for name in ("person", "residence", "benefit", "activity", "contact", "visitation", "survey_response"):
        left, right = (frame[name].astype(str).sort_values(list(frame[name].columns), ignore_index=True)
                       for frame in (memory, tables))
        shared = [column for column in left.columns if column in right.columns]
        pd.testing.assert_frame_equal(left[shared], right[shared], check_dtype=False)
    assert set(tables) - {"municipality_period"} <= set(memory)
    assert (memory.data_from, memory.data_through) == (tables.data_from, tables.data_through)


def test_without_detail_only_the_core_is_made():
    small = simulate.register(n_persons=60, n_comparisons=2, persons_per_comparison=20, detail=False)
    assert set(small.tables()) == {"person", "residence", "benefit", "income_month"}


def test_a_sanctioned_week_is_blank_and_recorded(register, tables):
    person, start, end = sanctions(register)
    matrix = codes.dream_codes(register)
    assert (matrix[person, start] == 0).all()
    mine = register.municipality()[start, person] == 0
    recorded = set(
        zip(tables["sanction"]["person_id"], weeks.week_of(tables["sanction"]["start"]), strict=True)
    )
    assert {(register.person_id[one], register.first_week + row)
            for one, row in zip(person[mine], start[mine], strict=True)} == recorded


def test_the_second_site_has_ydelsesrefusion_of_its_own_persons_only(second):
    assert not (second / "dream.csv").exists()
    for table in ("survey_response", "survey_frame", "process", "screening", "progress"):
        assert not (second / f"{table}.csv").exists()
    tables = contract.read(_sources("frederikshavn", second))
    assert tables.data_from == weeks.monday(weeks.week_of("2016-01-04"))
    amounts = tables["benefit"]["amount_dkk"]
    assert (amounts > 0).all()
    assert set(tables["benefit"]["refund_share"].round(2)) == {0.8, 0.4, 0.3, 0.2}


def test_equal_arguments_give_equal_bytes_and_another_seed_does_not(tmp_path):
    hashes = []
    for number in range(2):
        place = tmp_path / str(number)
        made = simulate.register(n_persons=80, n_comparisons=2, persons_per_comparison=20, seed=1)
        hashes.append({name: sha256_file(place / name) for name in simulate.write(made, place)})
    assert hashes[0] == hashes[1]
    other = simulate.register(n_persons=80, n_comparisons=2, persons_per_comparison=20, seed=2)
    assert (other.state != made.state).any()
    assert not set(other.person_id) & set(made.person_id)


def test_nothing_looks_like_a_cpr_number(folder, second):
    for path in [*folder.iterdir(), *second.iterdir()]:
        if path.name not in ("truth.json",):
            assert not _CPR.search(path.read_text(encoding="utf-8")), path.name


def test_pseudonyms_are_distinct_and_never_only_digits():
    names = observe.pseudonyms(50_000, 1)
    assert len(set(names)) == 50_000
    assert all(name[0] == "p" for name in names)


def test_project_of_29_ends_as_the_source_says():
    made = simulate.register(n_persons=4000, n_comparisons=0, detail=True)
    project = made.tables()["enrolment"]
    assert project["outcome"].value_counts().to_dict() == {
        "ONGOING": 18, "SELF_SUPPORT": 5, "PARTLY": 5, "CLOSED_BY_RULE": 1}
    held = dict(zip(made.person_id, made.state[weeks.week_of("2018-06-25") - made.first_week], strict=True))
    left = project[project["outcome"] == "SELF_SUPPORT"]["person_id"]
    assert all(held[person] < FIRST_SUPPORT for person in left)
    assert (project["start"] == pd.Timestamp("2017-11-01")).all()


@pytest.mark.parametrize(("place", "own"), [("folder", "Hjørring"), ("second", "Frederikshavn")])
def test_panel_is_of_simulated_municipalities_only(place, own, request):
    """The second site's panel holds others and older years than its own files do."""
    for name in ("LBESK69", "AUK01", "FOLK1A"):
        panel = statbank.read(request.getfixturevalue(place) / f"{name}.csv")
        others = {f"Kommune {number:02d}" for number in range(1, 25)}
        assert set(panel["municipality"]) == {own} | others
        assert panel["period"].min() == "2010Q1" and panel["period"].nunique() == 40
        assert panel["value"].notna().all() and (panel["value"] >= 0).all()


def test_the_programme_is_in_the_second_sites_panel():
    made = simulate.register(site="frederikshavn", n_persons=300, detail=False)
    counted = made.counted()
    assert counted.site.programme_start == made.site.programme_start
    assert counted.first_week < made.first_week and counted.municipalities[0] == "Frederikshavn"
    assert len(counted.home) == 300 + 24 * 30
    whole = simulate.register(n_persons=30, n_comparisons=2, persons_per_comparison=10, detail=False)
    assert whole.counted() is whole


def test_the_investment_is_the_sources_or_invented(folder, second):
    published, invented = (pd.read_csv(place / "ledger.csv", encoding="utf-8") for place in (folder, second))
    assert published["amount_dkk"].sum() == 124.7e6 and set(published["basis"]) == {"NOT_STATED"}
    assert set(invented["source"]) == {"Simulated example: invented amounts"}
    basis = invented.groupby("year")["basis"].agg(set).to_dict()
    assert basis == {2018: {"ACCOUNTS"}, 2019: {"ACCOUNTS"}, 2020: {"BUDGET"}, 2021: {"BUDGET"}}
    # 400 persons at about 2,000 DKK each a year.
    assert invented.groupby("year")["amount_dkk"].sum().between(0.85 * 800_000, 1.15 * 800_000).all()


def test_truth_lies_beside_the_delivery(folder):
    truth = json.loads((folder / "truth.json").read_text(encoding="utf-8"))
    assert truth["is_simulated"] is True
    realised = truth["realised"]["inflow"]["estimands"]["weeks_on_support_104"]
    assert realised["effect"] == pytest.approx(realised["with"] - realised["without"], abs=1e-4)
    public = truth["realised"]["panel"]["employees"]
    assert public["effect"] == pytest.approx(public["with"] - public["without"], abs=1e-5)
    assert set(truth["expected"]["panel"]["estimands"]) == set(truth["realised"]["panel"])
    assert truth["expected"]["inflow"]["estimands"]["weeks_on_support_104"]["effect"] < -4
    assert set(truth["survey"]) == {
        "citizens.empowerment",
        "citizens.experience",
        "citizens.satisfaction",
        "caseworkers.coordination",
        "caseworkers.empowerment",
        "caseworkers.satisfaction",
    }
