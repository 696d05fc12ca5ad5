"""The panel designs on panels whose answer is known by hand."""

import numpy as np
import pandas as pd
import pytest

from evalkit.errors import EstimationError
from evalkit.estimators import (
    Panel,
    difference_in_differences,
    placebo_inference,
    placebo_rank,
    smallest_detectable_effect,
    synthetic_control,
    synthetic_did,
)

DESIGNS = [difference_in_differences, synthetic_control, synthetic_did]


def panel(outcome, n_treated=1, n_pre=None):
    outcome = np.asarray(outcome, dtype=float)
    return Panel(
        outcome=outcome,
        units=tuple(f"unit_{k:02d}" for k in range(len(outcome))),
        periods=tuple(range(outcome.shape[1])),
        treated=np.arange(len(outcome)) < n_treated,
        n_pre=outcome.shape[1] // 2 if n_pre is None else n_pre,
    )


def factor_panel(rng, n_units=12, n_periods=20, noise=0.3):
    loadings, factors = rng.gamma(2.0, 1.0, (n_units, 2)), rng.standard_normal((2, n_periods)).cumsum(axis=1)
    return loadings @ factors + noise * rng.standard_normal((n_units, n_periods)) + 10


def test_difference_in_differences_by_hand():
    # Changes: treated 6; comparisons 1, 2, 3: mean 2, standard deviation 1, error sqrt(1 + 1/3).
    found = difference_in_differences(panel([[0, 6], [5, 6], [5, 7], [5, 8]]))
    row = found.row("effect")
    assert row.estimate == pytest.approx(4.0)
    assert row.std_error == pytest.approx(np.sqrt(4 / 3))
    assert row.conf_high - row.estimate == pytest.approx(4.30265273 * np.sqrt(4 / 3))
    assert row.p_value == pytest.approx(1 / 4) and found.diagnostics["effect_rank"] == 1


def test_difference_in_differences_counts_an_effect_in_the_crowd_as_such():
    found = difference_in_differences(panel([[0, 2.1], [5, 6], [5, 7], [5, 8]]))
    # Placebos: 1 - 2.5, 2 - 2, 3 - 1.5; the effect 0.1 exceeds only the second.
    np.testing.assert_allclose(found.model["placebos"], [-1.5, 0.0, 1.5])
    assert found.diagnostics["effect_rank"] == 3 and found.row("effect").p_value == pytest.approx(3 / 4)


def test_cluster_errors_when_ten_or_more_are_treated():
    rng = np.random.default_rng(3)
    outcome = rng.standard_normal((24, 6))
    few, many = (difference_in_differences(panel(outcome, n_treated=k), rng=rng) for k in (9, 10))
    assert "placebos" in few.model and "placebos" not in many.model
    assert 0 < many.row("effect").p_value <= 1 and many.row("effect").std_error > 0
    assert many.row("effect").conf_low < many.row("effect").estimate < many.row("effect").conf_high


def test_synthetic_control_finds_the_mixture_that_made_the_treated_unit():
    rng = np.random.default_rng(4)
    donors = factor_panel(rng, noise=0.5)
    weights = np.zeros(12)
    weights[[2, 5, 7]] = 0.5, 0.3, 0.2
    effect = np.repeat([0.0, 3.0], 10)
    found = synthetic_control(panel(np.vstack([weights @ donors + effect, donors])))
    assert found.row("effect").estimate == pytest.approx(3.0, abs=1e-6)
    np.testing.assert_allclose(found.model["unit_weights"], weights, atol=1e-6)
    assert found.diagnostics["rmspe_pre"] < 1e-6
    assert found.diagnostics["rmspe_ratio_rank"] == 1
    assert found.diagnostics["effective_donors"] == pytest.approx(1 / (0.25 + 0.09 + 0.04), rel=1e-5)


@pytest.mark.parametrize("design", DESIGNS)
def test_a_level_of_its_own_hurts_only_synthetic_control(design):
    rng = np.random.default_rng(5)
    donors = factor_panel(rng)
    treated = donors[:6].mean(axis=0) + np.repeat([0.0, 2.0], 10)
    near, far = (
        design(panel(np.vstack([treated + level, donors]))).row("effect").estimate for level in (0, 100)
    )
    assert (abs(far - near) < 1e-8) == (design is not synthetic_control)


@pytest.mark.parametrize("design", [synthetic_control, synthetic_did])
def test_without_inference_the_shape_is_the_same_and_the_numbers_missing(design):
    outcome = panel(factor_panel(np.random.default_rng(6)))
    bare, full = design(outcome, inference=False), design(outcome)
    assert list(bare.table) == list(full.table) and len(bare.table) == 1
    assert bare.row("effect").estimate == full.row("effect").estimate
    assert bare.table[["std_error", "conf_low", "conf_high", "p_value"]].isna().all(axis=None)


def test_leave_one_out_brackets_and_the_smallest_effect_follows_the_error():
    found = synthetic_control(panel(factor_panel(np.random.default_rng(7))))
    low, high = found.diagnostics["leave_one_out_low"], found.diagnostics["leave_one_out_high"]
    assert low < high
    expected = smallest_detectable_effect(found.row("effect").std_error, df=10)
    assert found.diagnostics["smallest_detectable_effect"] == pytest.approx(expected)
    # t(0.975) and t(0.8) on 10 degrees of freedom.
    assert smallest_detectable_effect(1.0, df=10) == pytest.approx(2.228139 + 0.879058, abs=1e-5)


@pytest.mark.parametrize("design", DESIGNS)
def test_units_that_never_move_give_zero_and_no_warning(design):
    found = design(panel(np.full((5, 8), 7.0)))
    assert found.row("effect").estimate == 0 and found.row("effect").p_value == 1.0


def test_clusters_that_never_move_have_no_p_value():
    row = difference_in_differences(panel(np.full((24, 6), 3.0), n_treated=12)).row("effect")
    assert row.estimate == 0 == row.std_error and np.isnan(row.p_value)


def test_several_treated_units_need_random_groups():
    outcome = panel(factor_panel(np.random.default_rng(8)), n_treated=2)
    with pytest.raises(EstimationError, match="pass rng"):
        synthetic_did(outcome)
    first, again = (
        synthetic_did(outcome, rng=np.random.default_rng(1), n_draws=20).row("effect") for _ in range(2)
    )
    assert first.p_value == again.p_value and first.p_value >= 1 / 21
    with pytest.raises(EstimationError, match="at least two more"):
        synthetic_did(
            panel(factor_panel(np.random.default_rng(8), n_units=5), n_treated=3),
            rng=np.random.default_rng(1),
        )


def test_placebo_rank_counts_ties_against_the_effect():
    assert placebo_rank(2.0, np.array([2.0, -2.0, 1.0])) == 3
    assert placebo_rank(2.1, np.array([2.0, -2.0, 1.0])) == 1
    answer = placebo_inference(2.1, np.array([2.0, -2.0, 1.0]), std_error=1.0, df=2)
    assert answer["p_value"] == 0.25 and answer["conf_high"] == pytest.approx(2.1 + 4.30265273)


def test_names_of_options_are_checked():
    with pytest.raises(ValueError, match="as_in"):
        synthetic_did(panel(np.ones((4, 4))), as_in="stata")


def test_panel_sorts_and_reads_every_value():
    frame = pd.DataFrame({"u": ["b", "a", "a", "b"], "t": [2, 2, 1, 1], "y": [4.0, 2.0, 1.0, 3.0]})
    found = Panel.from_frame(frame, unit="u", period="t", value="y", treated="b", start=2)
    assert found.outcome.tolist() == [[1, 2], [3, 4]] and found.treated.tolist() == [False, True]
    assert found.without(["b", "nobody"]).units == ("a", "b")


def faulty(**changes):
    frame = pd.DataFrame({"u": np.repeat(list("abc"), 3), "t": [1, 2, 3] * 3, "y": np.arange(9.0)})
    return {"frame": frame, "treated": "a", "start": 2, **changes}


@pytest.mark.parametrize(
    ("case", "message"),
    [
        ({"treated": "z"}, "not in the panel: z"),
        ({"start": 1}, "0 of 3 periods lie before"),
        ({"start": 9}, "3 of 3 periods lie before"),
        ({"treated": ["a", "b", "c"]}, "no unit is left to compare with"),
        ({"frame": faulty()["frame"].iloc[:-1]}, "1 values of 1 units are missing"),
        ({"frame": pd.concat([faulty()["frame"]] * 2)}, "9 rows repeat a unit and period"),
    ],
)
def test_panel_says_what_is_wrong(case, message):
    case = faulty(**case)
    with pytest.raises(EstimationError, match=message):
        Panel.from_frame(
            case["frame"], unit="u", period="t", value="y", treated=case["treated"], start=case["start"]
        )


def test_panel_says_everything_at_once():
    with pytest.raises(EstimationError) as caught:
        Panel.from_frame(faulty()["frame"].iloc[:-1], unit="u", period="t", value="y", treated="z", start=9)
    assert str(caught.value).count("\n- ") == 3


@pytest.mark.parametrize("design", DESIGNS)
def test_one_comparison_is_not_enough(design):
    with pytest.raises(EstimationError, match="at least 2"):
        design(panel(np.ones((2, 4))))
