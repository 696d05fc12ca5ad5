"""The stored truth is current and precise; a good design finds it in expectation, naive ones do not."""

import json

import numpy as np
import pytest
import study

from evalkit import simulate
from evalkit.errors import RunError
from evalkit.evaluations.panel import DESIGNS
from evalkit.simulate import expectation, panel, worlds
from evalkit.simulate.life import N_COMPARISONS
from evalkit.simulate.parameters import SLOTS, parameters
from evalkit.simulate.register import PERSONS_PER_COMPARISON
from evalkit.simulate.sites import SITES
from evalkit.simulate.states import ACTIVITY, FIRST_SUPPORT, NUMBER

SCENARIOS = ("base", "null", "no_shocks")
_PERSONS = 6000


def _design(population, name, scenario="base"):
    return simulate.truth(scenario)["design"][population][name]


def _standard_error(population, name, scenario="base"):
    """Return the standard error that an estimate from the default example has: persons and shocks."""
    cell = _design(population, name, scenario)
    persons, total = cell["sd_persons"] ** 2, max(cell["sd_total"], cell["sd_persons"]) ** 2
    comparison = total - persons + persons * _PERSONS / PERSONS_PER_COMPARISON
    return np.sqrt(total + comparison / N_COMPARISONS)


@pytest.mark.parametrize("scenario", SCENARIOS)
@pytest.mark.parametrize("site", SITES)
def test_the_stored_truth_is_of_the_process_as_it_is(scenario, site):
    truth = simulate.truth(scenario, site)
    assert truth["fingerprint"] == expectation.fingerprint(scenario)
    assert {"inflow", "stock", "hazards"} <= set(truth)


def test_a_changed_process_makes_the_truth_stale(monkeypatch):
    monkeypatch.setattr(expectation, "fingerprint", lambda scenario: "another")
    with pytest.raises(RunError, match="another process.*expectation base"):
        expectation.stored("base")


def test_a_missing_truth_says_how_to_make_it(monkeypatch, tmp_path):
    monkeypatch.setattr(expectation, "_STORE", tmp_path)
    with pytest.raises(RunError, match="no true values for scenario 'base'"):
        expectation.stored("base")


def test_fingerprint_sees_a_changed_parameter(monkeypatch):
    from dataclasses import replace
    before = expectation.fingerprint("base")
    monkeypatch.setattr(
        expectation, "parameters", lambda scenario: replace(parameters(scenario), july_ends=0.2)
    )
    assert expectation.fingerprint.__wrapped__("base") != before


@pytest.mark.parametrize("population", ["inflow", "stock"])
def test_monte_carlo_error_is_under_a_tenth_of_the_standard_error(population):
    for name, value in simulate.truth()[population]["estimands"].items():
        beside = "weeks_to_self_sufficiency" if name.startswith("restricted_mean") else name
        assert value["mc_error"] < 0.1 * _standard_error(population, beside), name


@pytest.mark.parametrize("population", ["inflow", "stock"])
def test_without_shocks_the_main_outcomes_are_as_precise(population):
    """Nobody estimates the small share in education there; weeks and jobs are what is compared."""
    for name, value in simulate.truth("no_shocks")[population]["estimands"].items():
        if name.startswith(("weeks", "employed", "either")):
            assert value["mc_error"] < 0.1 * _standard_error(population, name, "no_shocks"), name


def test_the_effect_is_of_the_size_that_was_aimed_at():
    effect = simulate.truth()["inflow"]["estimands"]["weeks_on_support_104"]["effect"]
    assert -8 < effect < -4
    assert simulate.truth()["inflow"]["estimands"]["either_104"]["effect"] > 0.04


def test_nothing_is_true_under_the_null():
    for population in ("inflow", "stock"):
        for value in simulate.truth("null")[population]["estimands"].values():
            assert value["effect"] == 0 and value["mc_error"] == 0
    for value in simulate.truth("null")["panel"]["estimands"].values():
        assert value["effect"] == 0 and value["mc_error"] == 0


def test_saved_weeks_by_cell_add_up_to_the_effect():
    for population in ("inflow", "stock"):
        truth = simulate.truth()[population]
        saved = sum(cell["weeks_per_person"] for cell in truth["saved_weeks"])
        assert saved == pytest.approx(-truth["estimands"]["weeks_on_support_104"]["effect"], abs=2e-3)


@pytest.mark.parametrize("population", ["inflow", "stock"])
def test_difference_in_differences_is_the_truth_in_expectation(population):
    """Within a tenth of the standard error."""
    truth = simulate.truth("no_shocks")[population]["estimands"]
    for name, value in truth.items():
        if not name.startswith("restricted_mean"):
            cell = _design(population, name, "no_shocks")
            gap = cell["difference_in_differences"] - value["effect"]
            allowed = 0.1 * _standard_error(population, name) + 3 * cell["mc_error"]
            assert abs(gap) < allowed, name


def test_naive_comparisons_are_visibly_wrong():
    truth = simulate.truth("no_shocks")["inflow"]["estimands"]["weeks_on_support_104"]["effect"]
    cell = _design("inflow", "weeks_on_support_104", "no_shocks")
    assert cell["before_after"] - truth < -2
    assert cell["treated_less_comparison_after"] - truth > 2


def test_an_interval_that_counts_persons_only_is_too_short():
    cell = _design("inflow", "weeks_on_support_104")
    n_persons, n_others = _PERSONS, PERSONS_PER_COMPARISON
    only = cell["sd_persons"] * np.sqrt(1 + n_persons / n_others / N_COMPARISONS)
    assert 1.3 < _standard_error("inflow", "weeks_on_support_104") / only < 2.2


def test_what_is_realised_scatters_around_what_is_expected():
    expected = simulate.truth()["inflow"]["estimands"]["weeks_on_support_104"]
    effects = []
    for seed in range(4):
        made = simulate.register(n_persons=1000, n_comparisons=0, seed=seed, detail=False)
        with_it = worlds.delivered(made)
        person, zero = with_it.inflow(worlds.POST)
        off = np.full(made.n_persons, 10**6)
        off[person] = zero + made.first_week
        without = worlds.delivered(made, off_from=off)
        effects.append(np.mean(worlds.outcomes(with_it, person, zero)["weeks_on_support_104"]
                               - worlds.outcomes(without, person, zero)["weeks_on_support_104"]))
    error = np.std(effects, ddof=1) / np.sqrt(len(effects))
    assert abs(np.mean(effects) - expected["effect"]) < 5 * error


@pytest.fixture(scope="module")
def country():
    """A register with the world of its municipality as it is, and as it is without the programme."""
    made = simulate.register(n_persons=3000, persons_per_comparison=300, seed=3, detail=False)
    off = np.full(made.n_persons, made.site.programme_start)
    return made, worlds.delivered(made), worlds.delivered(made, off_from=off)


def test_the_public_truth_is_of_what_the_public_tables_show(country):
    made, with_it, _ = country
    tables = {name: frame[frame["municipality"] == "Hjørring"].set_index("period")["value"]
              for name, frame in panel.municipality_period(made).items()}
    for name, value in panel.true_effect(with_it, with_it).items():
        shares = tables[panel.MEASURES[name]] / tables["FOLK1A"]
        assert value["with"] == pytest.approx(shares["2015Q1":"2019Q4"].mean(), rel=2e-3)
        assert value["effect"] == 0


def test_the_public_effect_is_realised_as_it_is_expected(country):
    """Both with signs as they must be: more in work, fewer on assistance."""
    made, with_it, without = country
    expected, realised = simulate.truth()["panel"]["estimands"], panel.true_effect(with_it, without)
    assert expected["employees"]["effect"] > 0 > expected["assistance"]["effect"]
    for name, value in expected.items():
        # Half as many persons as the stored truth's worlds, in one: its spread is known from those.
        spread = value["mc_error"] * np.sqrt(simulate.truth()["panel"]["n_countries"] * 2)
        assert abs(realised[name]["effect"] - value["effect"]) < 4 * spread


def test_the_public_truth_is_precise(country):
    """Monte-Carlo errors under a tenth of the error of the design that is best off."""
    case = study.public_case(country[0], study.setting(), "employees")
    best = min(estimate(case.panel).table["std_error"][0] for estimate in DESIGNS.values())
    value = simulate.truth()["panel"]["estimands"]["employees"]
    assert value["mc_error"] * case.measure.per_inhabitants < 0.1 * best


def test_a_naive_hazard_ratio_of_activities_is_off():
    """Who is in an activity would have left sooner or later anyway: rates tell little of its effect."""
    made = simulate.register(n_persons=3000, n_comparisons=8, persons_per_comparison=400, seed=2)
    on = made.state >= FIRST_SUPPORT
    left = np.zeros_like(on)
    left[1:] = on[:-1] & ~on[1:] & (made.state[1:] <= NUMBER["EDUCATION"])
    at_risk = np.zeros_like(on)
    at_risk[1:] = on[:-1]
    truth = simulate.truth()["hazards"]
    job = [ACTIVITY[name] for name in ("PRAKTIK", "LOENTIL", "NYTTE", "ORD_TIMER", "IPS")]
    health = [ACTIVITY[name] for name in ("SUNDHED", "MISBRUG")]
    naive = {
        slot: _naive_during(made, kinds, left, at_risk) for slot, kinds in (("job", job), ("health", health))
    }
    assert set(truth["during"]) == set(SLOTS)
    assert naive["job"] - truth["during"]["job"] > 0.3
    assert naive["health"] - truth["during"]["health"] < -0.1


def _naive_during(made, kinds, left, at_risk):
    book, running = made.activities, np.zeros_like(left)
    mine = np.isin(book["kind"], kinds) & (book["end"] > made.first_week)
    start, end = book["start"][mine] - made.first_week, book["end"][mine] - made.first_week
    for person, low, high in zip(book["person"][mine], start, end, strict=True):
        running[max(low, 0) + 1:high + 1, person] = True
    inside, outside = running & at_risk, ~running & at_risk
    return np.log((left & inside).sum() / inside.sum()) - np.log((left & outside).sum() / outside.sum())


def test_stored_files_are_small_and_readable():
    for scenario in SCENARIOS:
        path = expectation._STORE / f"{scenario}.json"
        content = json.loads(path.read_text(encoding="utf-8"))
        assert content["schema"] == "evalkit.truth/1"
        assert path.stat().st_size < 200_000
