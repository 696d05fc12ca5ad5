"""Dirt and traps are planted as the book says, and the contract finds exactly what it can."""

import json

import pytest

from evalkit import contract, simulate, spec


@pytest.fixture(scope="module", params=["hjoerring", "frederikshavn"])
def dirty(request, tmp_path_factory):
    """A dirty delivery: site, book of what was planted, what the contract found."""
    folder = tmp_path_factory.mktemp(request.param)
    made = simulate.register(
        site=request.param, n_persons=1500, n_comparisons=4, persons_per_comparison=50, dirty=True
    )
    simulate.write(made, folder)
    sources = []
    for source in spec.load_site(f"analysis/municipalities/{request.param}.yaml").sources:
        here = folder / source["path"].name
        sources.append({**source, "path": here if here.exists() else source["path"]})
    planted = json.loads((folder / "planted.json").read_text(encoding="utf-8"))
    return request.param, planted, contract.check(sources).problems


def test_the_contract_finds_exactly_what_was_planted(dirty):
    _, planted, problems = dirty
    wanted, found = {}, {}
    for entry in planted:
        if entry["rule"]:
            key = entry["table"], entry["rule"]
            wanted[key] = wanted.get(key, 0) + entry["count"]
    for table, rule, count in problems[["table", "rule", "count"]].itertuples(index=False):
        found[table, rule] = found.get((table, rule), 0) + count
    assert found == wanted
    assert len(wanted) > 15


def test_every_trap_has_an_entry(dirty):
    _, planted, _ = dirty
    held = {entry["trap"] for entry in planted} - {""}
    assert held == {f"T{number}" for number in range(1, 24)}
    assert all(entry["how"] for entry in planted if entry["trap"] and not entry["rule"])


def test_traps_are_really_there(dirty):
    site, planted, _ = dirty
    count, how = {}, {}
    for entry in planted:
        count[entry["trap"]] = count.get(entry["trap"], 0) + entry["count"]
        how[entry["trap"]] = entry["how"]
    nowhere = {trap for trap, n in count.items() if n == 0}
    assert nowhere == ({"T4", "T12"} if site == "hjoerring" else {"T2", "T4", "T12", "T21", "T22"})
    # What is not planted says so; T4 is the second site itself.
    said = {trap for trap in nowhere if how[trap].startswith("not planted: ")}
    assert said == nowhere - ({"T4"} if site == "frederikshavn" else set())
    if site == "hjoerring":
        assert count["T21"] == 100 and count["T22"] == 25


def test_a_clean_register_has_no_book(tmp_path):
    made = simulate.register(n_persons=60, n_comparisons=1, persons_per_comparison=20)
    assert "planted.json" not in simulate.write(made, tmp_path)
