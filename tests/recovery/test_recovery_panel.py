"""Do the panel designs find what was put in, and is their uncertainty honest where their assumption holds?"""

import numpy as np
import pytest

from evalkit.estimators import Panel, difference_in_differences, synthetic_control, synthetic_did

N_REPLICATIONS, N_UNITS, N_PERIODS, N_PRE, EFFECT = 160, 20, 24, 16, 1.0


def draw(rng, selected=False):
    """Two factors, unit levels, noise; ``selected``: the treated unit loads far more on a rising factor."""
    loadings = rng.gamma(2.0, 0.5, (N_UNITS, 2))
    factors = rng.standard_normal((2, N_PERIODS)).cumsum(axis=1) * 0.3
    if selected:
        factors[0] += 0.15 * np.arange(N_PERIODS)
        loadings[0, 0] = np.sort(loadings[:, 0])[-3]
    outcome = (
        10
        + rng.standard_normal((N_UNITS, 1))
        + loadings @ factors
        + 0.4 * rng.standard_normal((N_UNITS, N_PERIODS))
    )
    outcome[0, N_PRE:] += EFFECT
    return Panel(
        outcome=outcome,
        units=tuple(range(N_UNITS)),
        periods=tuple(range(N_PERIODS)),
        treated=np.arange(N_UNITS) == 0,
        n_pre=N_PRE,
    )


def replicate(design, **options):
    rng = np.random.default_rng(20150105)
    rows = [design(draw(rng, **options)).table.iloc[0] for _ in range(N_REPLICATIONS)]
    return {
        name: np.array([row[name] for row in rows])
        for name in ("estimate", "conf_low", "conf_high", "p_value")
    }


def covered(found):
    return ((found["conf_low"] <= EFFECT) & (found["conf_high"] >= EFFECT)).mean()


@pytest.mark.parametrize("design", [difference_in_differences, synthetic_control, synthetic_did])
def test_effect_is_recovered_and_the_interval_covers_it(design):
    found = replicate(design)
    error = found["estimate"].std() / np.sqrt(N_REPLICATIONS)
    assert abs(found["estimate"].mean() - EFFECT) < 3 * error
    # 95 per cent less three binomial errors; placebo intervals may cover more, never much less.
    assert covered(found) > 0.95 - 3 * np.sqrt(0.95 * 0.05 / N_REPLICATIONS)


def test_under_no_effect_the_rank_is_as_rare_as_it_says():
    rng = np.random.default_rng(7)
    p_values = []
    for _ in range(N_REPLICATIONS):
        panel = draw(rng)
        panel.outcome[0, N_PRE:] -= EFFECT
        p_values.append(synthetic_did(panel).table["p_value"].iloc[0])
    share = (np.array(p_values) <= 0.1).mean()
    assert share < 0.1 + 3 * np.sqrt(0.1 * 0.9 / N_REPLICATIONS)
    assert np.mean(p_values) == pytest.approx(0.5, abs=0.1)


def test_diverging_trends_break_difference_in_differences_and_hardly_synthetic_did():
    broken, weighted = (
        replicate(difference_in_differences, selected=True),
        replicate(synthetic_did, selected=True),
    )
    bias = [abs(found["estimate"].mean() - EFFECT) for found in (broken, weighted)]
    assert bias[0] > 3 * broken["estimate"].std() / np.sqrt(N_REPLICATIONS)
    assert bias[1] < bias[0] / 2
