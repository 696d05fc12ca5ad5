"""What holds for every panel: order, level, scale, sign, weights, ranks; and nothing given is changed."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalkit.estimators import (
    Panel,
    balance,
    difference_in_differences,
    propensity_weights,
    synthetic_control,
    synthetic_did,
)
from evalkit.estimators.panel.simplex import simplex_least_squares

DESIGNS = [difference_in_differences, synthetic_control, synthetic_did]
each_design = pytest.mark.parametrize("design", DESIGNS)
few = settings(max_examples=25, deadline=None, derandomize=True)


@st.composite
def panels(draw):
    """Factor panels of 4 to 12 units; some with equal units, with more donors than periods or the reverse."""
    n_units, n_pre, n_post = draw(st.integers(4, 12)), draw(st.integers(2, 14)), draw(st.integers(1, 6))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    outcome = rng.standard_normal((n_units, 2)) @ rng.standard_normal((2, n_pre + n_post)).cumsum(axis=1)
    outcome += draw(st.sampled_from([0.05, 1.0])) * rng.standard_normal(outcome.shape)
    if draw(st.booleans()):
        outcome[1] = outcome[2]
    return Panel(
        outcome=outcome,
        units=tuple(f"u{k}" for k in range(n_units)),
        periods=tuple(range(n_pre + n_post)),
        treated=np.arange(n_units) == 0,
        n_pre=n_pre,
    )


def with_outcome(panel, outcome, treated=None, units=None):
    return Panel(
        outcome=outcome,
        units=units or panel.units,
        periods=panel.periods,
        treated=panel.treated if treated is None else treated,
        n_pre=panel.n_pre,
    )


def row(design, panel):
    return design(panel).table.iloc[0]


def scale_of(panel):
    return np.abs(panel.outcome).max()


@each_design
@few
@given(panels(), st.randoms(use_true_random=False))
def test_order_of_units_changes_nothing(design, panel, random):
    order = list(range(len(panel.units)))
    random.shuffle(order)
    shuffled = with_outcome(
        panel, panel.outcome[order], panel.treated[order], tuple(panel.units[k] for k in order)
    )
    before, after = row(design, panel), row(design, shuffled)
    assert after["estimate"] == pytest.approx(before["estimate"], abs=1e-7 * scale_of(panel))
    assert after["p_value"] == pytest.approx(before["p_value"])
    assert after["std_error"] == pytest.approx(before["std_error"], abs=1e-6 * scale_of(panel))


@each_design
@few
@given(panels(), st.floats(-100, 100), st.booleans())
def test_a_constant_added_to_all_changes_nothing(design, panel, constant, by_period):
    shift = constant * np.arange(len(panel.periods)) if by_period else constant
    moved = with_outcome(panel, panel.outcome + shift)
    before, after = row(design, panel), row(design, moved)
    if design is synthetic_did and by_period:
        # A common trend enters the noise that sets the penalty; a level does not.
        return
    assert after["estimate"] == pytest.approx(
        before["estimate"], abs=1e-6 * (scale_of(panel) + abs(constant))
    )


@each_design
@few
@given(panels(), st.sampled_from([-1.0, -3.0, 0.01, 250.0]))
def test_units_of_measurement_scale_the_effect_and_never_the_rank(design, panel, factor):
    before, after = row(design, panel), row(design, with_outcome(panel, panel.outcome * factor))
    assert after["estimate"] == pytest.approx(
        before["estimate"] * factor, abs=1e-7 * abs(factor) * scale_of(panel)
    )
    assert after["std_error"] == pytest.approx(before["std_error"] * abs(factor), rel=1e-6)
    assert after["p_value"] == pytest.approx(before["p_value"])


@each_design
@few
@given(panels(), st.floats(-50, 50))
def test_an_effect_added_after_the_start_is_found_in_full(design, panel, effect):
    added = panel.outcome.copy()
    added[0, panel.n_pre :] += effect
    before, after = row(design, panel), row(design, with_outcome(panel, added))
    assert after["estimate"] - before["estimate"] == pytest.approx(effect, abs=1e-9 * (scale_of(panel) + 50))


@each_design
@few
@given(panels())
def test_weights_ranks_and_intervals_are_what_they_claim(design, panel):
    before = panel.outcome.copy()
    found = design(panel)
    weights, answer = found.model["unit_weights"], found.table.iloc[0]
    n_units = len(panel.units)
    assert (weights >= 0).all() and weights.sum() == pytest.approx(1)
    assert found.model["period_weights"].sum() == pytest.approx(0 if design is synthetic_control else 1)
    assert answer["p_value"] * n_units == pytest.approx(round(answer["p_value"] * n_units))
    assert 1 / n_units - 1e-12 <= answer["p_value"] <= 1
    assert answer["conf_low"] <= answer["estimate"] <= answer["conf_high"]
    wider = design(panel, conf_level=0.99).table.iloc[0]
    assert wider["conf_low"] < answer["conf_low"] and wider["conf_high"] > answer["conf_high"]
    np.testing.assert_array_equal(panel.outcome, before)


@settings(max_examples=80, deadline=None, derandomize=True)
@given(
    st.integers(2, 30),
    st.integers(1, 30),
    st.sampled_from([0.0, 1e-8, 0.1, 10.0]),
    st.integers(0, 2**32 - 1),
    st.booleans(),
)
def test_no_vertex_and_no_random_weights_beat_the_simplex_optimum(n_columns, n_rows, ridge, seed, inside):
    rng = np.random.default_rng(seed)
    columns = rng.standard_normal((n_rows, n_columns)) * 10
    target = columns @ rng.dirichlet(np.ones(n_columns)) if inside else rng.standard_normal(n_rows) * 10
    found = simplex_least_squares(columns, target, ridge=ridge)

    def objective(weights):
        return ((columns @ weights - target) ** 2).sum() + ridge * (weights**2).sum()

    assert (found >= 0).all() and found.sum() == pytest.approx(1)
    rivals = [
        *np.eye(n_columns),
        *rng.dirichlet(np.ones(n_columns), 20),
        *(0.99 * found + 0.01 * np.eye(n_columns)),
    ]
    tolerance = 1e-9 * (columns**2).sum(axis=0).max()
    assert all(objective(found) <= objective(rival) + tolerance for rival in rivals)


@few
@given(st.integers(0, 2**32 - 1), st.sampled_from(["att", "ate", "overlap"]))
def test_weights_are_positive_and_rescaled_covariates_change_nothing(seed, estimand):
    rng = np.random.default_rng(seed)
    design = rng.standard_normal((80, 3))
    treated = rng.random(80) < 1 / (1 + np.exp(-0.5 * design[:, 0]))
    weights = propensity_weights(design, treated, estimand=estimand)
    assert (weights > 0).all()
    np.testing.assert_allclose(
        propensity_weights(design * [1000, 0.01, 1] + 7, treated, estimand=estimand), weights, rtol=1e-6
    )
    swapped = balance(design, ~treated, weights).table["estimate"]
    np.testing.assert_allclose(swapped, -balance(design, treated, weights).table["estimate"], atol=1e-12)
