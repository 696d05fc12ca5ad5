"""Known truths: coefficients with offsets, few events, shared factors; tolerances are Monte Carlo errors."""

import numpy as np
import pandas as pd

from evalkit.atrisk import AtRisk
from evalkit.errors import EstimationError
from evalkit.estimators import cox, shared_frailty

Z = 4.0


def weekly(rng, log_hazard, weeks=52):
    """Return exits and events of persons with a constant hazard, seen in whole weeks."""
    stay = np.ceil(rng.exponential(30 / np.exp(log_hazard)))
    end = rng.integers(10, weeks + 1, len(log_hazard))
    return {"exit": np.minimum(stay, end), "event": (stay <= end).astype(int)}


def test_an_effect_is_found_beside_a_known_one_and_its_error_is_its_spread():
    rng = np.random.default_rng(1)
    found = []
    for _ in range(60):
        x, known = rng.normal(size=400), rng.normal(size=400)
        frame = pd.DataFrame({"x": x, **weekly(rng, 0.5 * x + 0.8 * known)})
        table = AtRisk.from_frame(frame, exit="exit", event="event", covariates=["x"])
        row = cox(table, offset=0.8 * known).table.iloc[0]
        found.append((row["estimate"], row["std_error"]))
    estimate, error = np.array(found).T
    assert abs(estimate.mean() - 0.5) < Z * estimate.std() / np.sqrt(60)
    # The spread of 60 draws is known to 1 / sqrt(2 * 60) of itself.
    assert abs(error.mean() / estimate.std() - 1) < Z / np.sqrt(120)


def test_firth_answers_every_small_sample_nearer_the_truth_than_cox():
    rng = np.random.default_rng(2)
    firth, plain, covered = [], [], []
    for _ in range(150):
        x = rng.integers(0, 2, 40)
        frame = pd.DataFrame({"x": x, **weekly(rng, 1.2 * x - 2.2)})
        if frame["event"].sum() < 3 or not 0 < x.sum() < 40:
            continue
        table = AtRisk.from_frame(frame, exit="exit", event="event", covariates=["x"])
        row = cox(table, firth=True).table.iloc[0]
        firth.append(row["estimate"])
        covered.append(row["conf_low"] <= 1.2 <= row["conf_high"])
        try:
            plain.append(cox(table).table["estimate"][0])
        except EstimationError:
            plain.append(np.nan)
    separated = np.isnan(plain)
    assert separated.any(), "no draw separates: the test shows nothing"
    firth, share = np.array(firth), np.mean(covered)
    assert abs(firth.mean() - 1.2) < 0.2
    assert abs(share - 0.95) < Z * np.sqrt(0.95 * 0.05 / len(covered))


def test_the_variance_of_a_shared_factor_and_effects_within_groups_are_found():
    rng = np.random.default_rng(3)
    found = []
    for _ in range(12):
        town, x = np.repeat(np.arange(60), 15), rng.normal(size=900)
        factor = rng.gamma(2, 0.5, 60)[town]
        frame = pd.DataFrame({"x": x, "town": town, **weekly(rng, 0.5 * x + np.log(factor))})
        table = AtRisk.from_frame(frame, exit="exit", event="event", covariates=["x"], cluster="town")
        shared = shared_frailty(table)
        low, high = shared.table.iloc[1][["conf_low", "conf_high"]]
        found.append((*shared.table["estimate"], low <= 0.5 <= high, cox(table).table["estimate"][0]))
        assert shared.diagnostics["frailty_p_value"] < 1e-6
    effect, variance, covered, marginal = np.array(found, dtype=float).T
    assert abs(effect.mean() - 0.5) < Z * effect.std() / np.sqrt(12)
    assert abs(variance.mean() - 0.5) < Z * variance.std() / np.sqrt(12)
    assert covered.sum() >= 9
    # Without the factor the effect is drawn to zero.
    assert marginal.mean() < effect.mean() - 0.02


def test_where_groups_do_not_differ_the_test_says_so_as_often_as_it_should():
    rng = np.random.default_rng(4)
    p_values = []
    for _ in range(60):
        town, x = np.repeat(np.arange(20), 10), rng.normal(size=200)
        frame = pd.DataFrame({"x": x, "town": town, **weekly(rng, 0.3 * x)})
        table = AtRisk.from_frame(frame, exit="exit", event="event", covariates=["x"], cluster="town")
        p_values.append(shared_frailty(table).diagnostics["frailty_p_value"])
    rejected = np.mean(np.array(p_values) < 0.05)
    assert abs(rejected - 0.05) < Z * np.sqrt(0.05 * 0.95 / 60)
    assert 0.2 < np.mean(np.array(p_values) == 0.5) < 0.85
