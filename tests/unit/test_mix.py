"""Everybody weighted to the mix of the programme's persons."""

from dataclasses import replace

import numpy as np
import pytest
from effect_world import followed, study, world

from evalkit.evaluations import effect
from evalkit.evaluations.mix import alike

SICKNESS = 12.0


def town(sickness):
    """Return towns whose sick stay 12 weeks longer, with so many sick in town Aa; the effect is -10 weeks."""
    tables = world(n_persons=200, spread=1.0, shock=0.1, own={"sickness": sickness},
                   level=lambda persons: SICKNESS * (persons["code"] == "890"))
    born = np.random.default_rng(1).integers(1960, 1990, len(tables["person"]))
    person = tables["person"].assign(birth_year=born)
    lax = study(gates={"max_imbalance": 1.0, "max_placebo_weeks": 52.0})
    return followed(replace(tables, frames={**tables.frames, "person": person}), lax)


@pytest.fixture(scope="module")
def evidence():
    return town(sickness=0.5)


@pytest.fixture(scope="module")
def shifted():
    return town(sickness=0.75)


def main_and_weighted(evidence):
    table = effect.sensitivity(evidence).table.set_index("term")
    return table.loc["main"], table.loc["same_mix"]


def test_weights_change_little_where_all_are_alike(evidence):
    main, weighted = main_and_weighted(evidence)
    assert weighted.estimate == pytest.approx(main.estimate, abs=1.0)
    assert weighted.conf_low < -10 < weighted.conf_high


def test_weights_take_out_what_another_mix_adds(shifted):
    """A quarter more sick persons add three weeks that are no effect."""
    main, weighted = main_and_weighted(shifted)
    assert main.estimate == pytest.approx(-10 + SICKNESS / 4, abs=1.0)
    assert weighted.estimate == pytest.approx(-10, abs=1.0)
    assert weighted.conf_low < -10 < weighted.conf_high


def test_balance_is_shown_before_and_after(shifted):
    result = effect.mix(shifted)
    table = result.table.set_index(["term", "group"])["estimate"]
    assert table.xs("as_they_came", level="group").max() == result.diagnostics["largest_before"] > 0.4
    assert table.xs("weighted", level="group").max() == result.diagnostics["largest_after"] < 0.05
    sick = table[[term.startswith("target_group") for term, _ in table.index]].droplevel("term")
    assert sick["as_they_came"] > 0.4 > 0.05 > sick["weighted"]


def test_contributions_have_the_weighted_mean_of_their_cell(shifted):
    people = shifted.followed
    found = alike(people, people.weeks_within("SUPPORT")[:, -1:])[:, 0]
    met = people.is_treated & people.is_after
    assert found[met] == pytest.approx(people.weeks_within("SUPPORT")[met, -1])
    sick = people.people.frame["target_group"].eq("sickness_benefit").to_numpy()
    share = alike(people, sick[:, None].astype(float))[:, 0]
    assert share[people.is_treated & ~people.is_after].mean() == pytest.approx(sick[met].mean(), abs=0.01)


def test_a_level_that_one_side_lacks_is_left_out(evidence):
    """Nobody was of the new kind before the programme; a tenth are afterwards."""
    people = evidence.followed.people
    new = evidence.followed.is_after & (np.arange(len(people.frame)) % 10 == 0)
    frame = people.frame.assign(ancestry=np.where(new, "western", "danish"))
    changed = replace(evidence, followed=replace(evidence.followed, people=replace(people, frame=frame)))
    assert not effect.mix(changed).withheld
    assert main_and_weighted(changed)[1].estimate == pytest.approx(-10, abs=1.0)


def test_a_characteristic_that_tells_the_sides_apart_has_no_weights():
    """Everybody is a hundred years older after than before."""
    evidence = town(sickness=0.5)
    people = evidence.followed.people
    age = people.frame["age"] + 100 * evidence.followed.is_after
    changed = replace(people, frame=people.frame.assign(age=age))
    evidence = replace(evidence, followed=replace(evidence.followed, people=changed))
    assert effect.mix(evidence).withheld == "no_weights"
    assert "same_mix" not in set(effect.sensitivity(evidence).table["term"])
