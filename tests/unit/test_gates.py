"""Each gate on one data set that fails it and one that passes; nothing of a withheld estimate anywhere."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from effect_world import START, followed, study, world

from evalkit.estimators.municipality_changes import difference_of_changes
from evalkit.evaluations import economy, effect, gates

SHIFT = "a planted violation"


def treated_late(persons):
    """The treated town drifts away 30 weeks in the second half of the time before."""
    return 30 * ((persons["town"] == 0) & ~persons["after"] & (persons["zero"] - START >= -156))


# gate: (what the failing register has, what the failing study has, size it must report)
PLANTED = {
    "pre_period": ({"data_from": -90}, {}, (12, 12)),
    "persons": ({"own": {"n_persons": 15}}, {}, (15, 15)),
    "comparisons": ({"n_towns": 6}, {}, (5, 5)),
    "lost_weeks": ({}, {"sustain_weeks": 80}, (0.1, 0.9)),
    "balance": ({"own": {"sickness": 1.0}}, {}, (0.5, 1.5)),
    "pre_level": ({"level": lambda persons: 40 * (persons["town"] == 0), "shock": 0.5}, {}, (10, 100)),
    "parallel_trends": ({"level": treated_late}, {"gates": {"max_pre_difference_sd": 99.0}}, (25, 35)),
}


@pytest.fixture(scope="module")
def sound():
    return followed(world(), study())


def size_of(verdict, name):
    return next(gate.size for gate in verdict.gates if gate.name == name)


def test_sound_register_passes_every_gate(sound):
    assert sound.verdict.failed == ""
    assert {gate.name for gate in sound.verdict.gates} == set(PLANTED)
    assert all(gate.passes for gate in sound.verdict.gates)


@pytest.mark.parametrize("name", PLANTED)
def test_gate_fails_on_its_planted_register_and_says_by_how_much(name):
    register, choices, (low, high) = PLANTED[name]
    verdict = followed(world(**register), study(**choices)).verdict
    assert verdict.failed == name
    size = size_of(verdict, name)
    assert low <= size <= high
    shown = verdict.result.table.set_index(["term", "group"])["estimate"]
    assert shown[f"gate_{name}", "fails"] == pytest.approx(size)
    assert (f"gate_{name}", "limit") in shown.index
    assert verdict.result.diagnostics["all_pass"] is False


def test_little_data_do_not_let_a_difference_pass():
    """The interval reaches back to nothing, and the estimate is beyond the limit all the same."""
    verdict = followed(
        world(spread=60.0, seed=3), study(gates={"max_placebo_weeks": 1.0, "max_imbalance": 9.0})
    ).verdict
    assert verdict.failed == "parallel_trends"
    row = verdict.result.row("gate_parallel_trends", "fails")
    assert row.conf_low < 0 < row.conf_high and abs(row.estimate) > 1


def test_gate_that_holds_says_what_it_cannot_exclude():
    shown = followed(world(spread=60.0, seed=3),
                     study(gates={"max_placebo_weeks": 99.0, "max_imbalance": 9.0}))
    assert shown.verdict.failed == ""
    row, told = shown.gates.row("gate_parallel_trends", "passes"), shown.gates.diagnostics
    assert told["cannot_exclude_weeks"] == max(-row.conf_low, row.conf_high) > abs(row.estimate)
    assert (told["trend_weeks"], told["trend_limit"]) == (row.estimate, 99.0)


# gate of the stock: (what the failing register has, what the failing study has, size it must report)
STANDING = {
    "persons": ({"own": {"n_persons": 40}}, {}, (5, 10)),
    "comparisons": ({}, {"gates": {"min_comparison_persons": 200}}, (0, 0)),
    "lost_weeks": ({"data_through": 70}, {}, (0.6, 0.9)),
    "pre_level": ({"level": lambda persons: 20 * (persons["town"] == 0), "shock": 0.5}, {}, (5, 15)),
}


def with_stock(register, choices):
    return followed(world(n_persons=150, **register), study(stock_census=(-150, 60), **choices))


def test_sound_stock_passes_every_gate_of_its_own():
    found = with_stock({}, {})
    assert {gate.name: gate.passes for gate in found.stock_verdict.gates} == dict.fromkeys(STANDING, True)
    assert not effect.stock(found).withheld
    assert found.gates.row("gate_stock_persons", "passes").estimate == 35


@pytest.mark.parametrize("name", STANDING)
def test_stock_fails_on_its_planted_register_and_says_by_how_much(name):
    register, choices, (low, high) = STANDING[name]
    found = with_stock(register, choices)
    assert found.stock_verdict.failed == name
    assert low <= size_of(found.stock_verdict, name) <= high
    assert (found.gates.table["term"] == f"gate_stock_{name}").sum() == 2
    alone = replace(found, verdict=replace(found.verdict, failed=""))
    assert effect.stock(alone).withheld == name and effect.stock(alone).table.empty


def results(evidence):
    named = (effect.weeks_on_support, effect.curve, effect.extra_persons, effect.time_to_exit, effect.stock,
             effect.compare_designs, effect.sensitivity, economy.net_result)
    return {function.__name__: function(evidence) for function in named}


def written(result):
    """Everything a Result holds that could reach a page, as text."""
    facts = {key: value for key, value in result.diagnostics.items()}
    return (
        result.table.to_json()
        + json.dumps(facts, default=str)
        + str(dict(result.model))
        + str(result.provenance)
    )


def test_withheld_estimate_is_nowhere():
    tables = world(level=treated_late, tables={"price": prices(), "ledger": ledger()})
    evidence = followed(tables, study(gates={"max_pre_difference_sd": 99.0}))
    assert evidence.verdict.failed == "parallel_trends"
    hidden = difference_of_changes(evidence.followed.changes(evidence.followed.weeks_within("SUPPORT")))
    numbers = {
        f"{value:.4g}" for value in np.r_[hidden.estimate[-1], hidden.conf_low[-1], hidden.conf_high[-1]]
    }
    for name, result in {
        **results(evidence),
        "gates": evidence.gates,
        "attrition": evidence.attrition,
    }.items():
        if name not in ("gates", "attrition"):
            assert result.withheld == "parallel_trends", name
            assert result.table.empty and not result.model and not result.diagnostics, name
        assert not any(number in written(result) for number in numbers), name


def test_sound_register_shows_what_was_withheld_above():
    small = {"min_persons": 5, "min_comparison_persons": 3}
    evidence = followed(world(tables={"price": prices(), "ledger": ledger()}), study(gates=small))
    for name, result in results(evidence).items():
        assert not result.withheld, name
        assert len(result.table), name


def test_site_without_comparisons_is_told_so():
    evidence = followed(world(n_towns=1), study())
    assert evidence.verdict.failed == "comparisons"
    assert len(effect.waiting(evidence).table)
    assert all(result.withheld for result in results(evidence).values())


@pytest.mark.parametrize("table", ["person", "residence"])
def test_site_without_a_table_is_told_which(table):
    tables = world()
    bare = replace(tables, frames={name: tables[name] for name in tables if name != table})
    evidence = followed(bare, study())
    found = {**results(evidence), "gates": evidence.gates, "attrition": evidence.attrition,
             "waiting": effect.waiting(evidence)}
    for name, result in found.items():
        assert (result.withheld, result.diagnostics) == ("missing_tables", {"missing_tables": [table]}), name
        assert result.table.empty, name


def test_site_whose_data_begin_with_the_programme_is_told_so():
    tables = world(data_from=-30)
    evidence = followed(tables, study())
    assert evidence.verdict.failed == "pre_period"
    assert set(evidence.followed.people.frame["period"]) == {"post"}
    assert all(result.withheld for result in results(evidence).values())


def test_guard_does_not_even_compute():
    verdict = gates.Verdict(gates=(), failed="balance", result=None)
    estimand = followed(world(n_towns=1), study()).attrition.estimand
    assert verdict.guard(lambda: pytest.fail(SHIFT), kind="model", estimand=estimand).withheld == "balance"


@pytest.mark.parametrize(
    ("judge", "size", "passes"),
    [
        (gates.at_least, 26, True),
        (gates.at_least, 25, False),
        (gates.at_most, 26, True),
        (gates.at_most, 27, False),
        (gates.at_most, np.nan, False),
        (gates.at_least, np.nan, False),
    ],
)
def test_limits_have_two_sides(judge, size, passes):
    assert judge("gate", size, 26).passes is passes


def prices():
    return pd.DataFrame({
        "item": ["rate", "rate", "refund"], "state": ["CASH_BENEFIT_READY", "SICKNESS_BENEFIT", ""],
        "valid_from": pd.Timestamp("2010-01-01"), "valid_to": pd.NaT, "value": [1000.0, 1000.0, 0.5],
        "unit": ["DKK_PER_WEEK", "DKK_PER_WEEK", "REFUND_SHARE"], "source": "the test", "is_verified": False})


def ledger():
    return pd.DataFrame(
        {
            "year": [2015, 2016],
            "category": "STAFF",
            "amount_dkk": [1000.0, 2000.0],
            "basis": "NOT_STATED",
            "source": "the test",
        }
    )
