"""Known truths are found: effects that change, standardised differences, their limits, and concordance."""

import numpy as np
import pandas as pd
import pytest

from evalkit.atrisk import AtRisk
from evalkit.estimators import concordance, cox, predict_survival, standardised_contrasts

RATE, REPLICATIONS = 0.03, 300


def persons(rng, n, effect=-0.6):
    """Weekly stays with a confounder that makes both treatment and leaving likelier, in towns."""
    x = rng.normal(size=n)
    treated = (rng.uniform(size=n) < 1 / (1 + np.exp(-x))).astype(float)
    stay = np.ceil(rng.exponential(1 / (RATE * np.exp(0.5 * x + effect * treated))))
    end = rng.integers(30, 80, n)
    return pd.DataFrame({"exit": np.minimum(stay, end), "event": (stay <= end).astype(int), "x": x,
                         "treated": treated, "town": rng.integers(0, 60, n)})


def table_of(frame, *covariates, **columns):
    return AtRisk.from_frame(frame, exit="exit", event="event", covariates=covariates, **columns)


def truth(effect=-0.6, horizon=26):
    """Return the difference in shares at the horizon and in weeks up to it, averaged over the confounder."""
    x = np.random.default_rng(0).normal(size=200_000)
    weeks = np.arange(horizon + 1)
    rates = [RATE * np.exp(0.5 * x[:, None] + effect * level) for level in (0, 1)]
    curves = [np.exp(-rate * weeks).mean(axis=0) for rate in rates]
    difference = curves[1] - curves[0]
    return difference[-1], difference[:-1].sum()


@pytest.mark.parametrize("columns", [{}, {"cluster": "town"}], ids=["persons", "towns"])
def test_limits_of_standardised_contrasts_hold_the_truth(columns):
    wanted, rng = np.array(truth()), np.random.default_rng(31)
    held, estimates, errors = [], [], []
    for _ in range(REPLICATIONS):
        at_risk = table_of(persons(rng, 300), "x", "treated", **columns)
        answer = standardised_contrasts(at_risk, exposure="treated", weeks=26, horizon_weeks=26)
        table = answer.table.iloc[-2:]
        held.append((table["conf_low"].to_numpy() <= wanted) & (wanted <= table["conf_high"].to_numpy()))
        estimates.append(table["estimate"])
        errors.append(table["std_error"])
    # Three Monte Carlo errors of a share of 0.95, of a mean, and of a standard deviation.
    assert (np.abs(np.mean(held, axis=0) - 0.95) < 3 * np.sqrt(0.95 * 0.05 / REPLICATIONS)).all()
    spread = np.std(estimates, axis=0)
    assert (np.abs(np.mean(estimates, axis=0) - wanted) < 3 * spread / np.sqrt(REPLICATIONS)).all()
    assert (np.abs(np.mean(errors, axis=0) / spread - 1) < 3 / np.sqrt(2 * REPLICATIONS)).all()


def test_an_effect_that_turns_is_found_in_its_steps():
    rng = np.random.default_rng(4)
    n = 6000
    treated = rng.integers(0, 2, n).astype(float)
    early = rng.exponential(1 / (RATE * np.exp(-0.8 * treated)))
    late = 20 + rng.exponential(1 / (RATE * np.exp(0.5 * treated)))
    stay = np.where(early < 20, early, late)
    frame = pd.DataFrame({"exit": np.minimum(stay, 90), "event": (stay < 90).astype(int), "treated": treated})
    table = cox(table_of(frame, "treated"), varying={"treated": (20,)}).table
    assert (np.abs(table["estimate"] - [-0.8, 0.5]) < 3 * table["std_error"]).all()
    assert (table["std_error"] < 0.06).all()


def test_an_effect_that_fades_with_the_logarithm_of_time_is_found():
    rng = np.random.default_rng(6)
    n = 6000
    treated = rng.integers(0, 2, n).astype(float)
    # Hazard RATE t^(-0.4) among the treated and RATE among the others: the log ratio is -0.4 log t.
    area = rng.exponential(size=n)
    stay = np.where(treated == 1, (0.6 * area / RATE) ** (1 / 0.6), area / RATE)
    seen = np.maximum(np.ceil(np.minimum(stay, 150) * 4), 1) / 4
    frame = pd.DataFrame({"exit": seen, "event": (stay < 150).astype(int), "treated": treated})
    table = cox(table_of(frame, "treated"), varying={"treated": np.log}).table
    assert (np.abs(table["estimate"] - [0, -0.4]) < 3 * table["std_error"]).all()
    assert table["std_error"].iloc[-1] < 0.05


def test_limits_of_predicted_survival_hold_the_truth():
    rng, held = np.random.default_rng(12), []
    true = np.exp(-RATE * np.exp(0.5 - 0.6) * np.array([10, 26]))
    for _ in range(REPLICATIONS):
        at_risk = table_of(persons(rng, 300), "x", "treated")
        table = predict_survival(cox(at_risk), pd.DataFrame({"x": [1.0], "treated": [1.0]}), weeks=[10, 26],
                                 conf_type="log-log").table.iloc[1:]
        held.append((table["conf_low"].to_numpy() <= true) & (true <= table["conf_high"].to_numpy()))
    assert (np.abs(np.mean(held, axis=0) - 0.95) < 3 * np.sqrt(0.95 * 0.05 / REPLICATIONS)).all()


def test_limits_by_clusters_hold_the_truth_where_those_of_independent_events_do_not():
    rng, held = np.random.default_rng(13), []
    true, profile = np.exp(-RATE * np.exp(0.5 - 0.6) * 26), pd.DataFrame({"x": [1.0], "treated": [1.0]})
    for _ in range(REPLICATIONS):
        # Four persons share their fate.
        frame = pd.concat([persons(rng, 200).assign(house=np.arange(200))] * 4)
        at_risk = table_of(frame, "x", "treated", cluster="house")
        fit = cox(at_risk)
        with pytest.warns(UserWarning, match="too short"):
            plain = predict_survival(fit, profile, weeks=26)
        tables = plain.table, predict_survival(fit, profile, weeks=26, at_risk=at_risk).table
        held.append([t["conf_low"].iloc[-1] <= true <= t["conf_high"].iloc[-1] for t in tables])
    independent, by_clusters = np.mean(held, axis=0)
    allowed = 3 * np.sqrt(0.95 * 0.05 / REPLICATIONS)
    assert abs(by_clusters - 0.95) < allowed, by_clusters
    assert independent < 0.95 - allowed, independent


def test_concordance_of_proportional_hazards_is_the_mean_of_their_odds():
    rng = np.random.default_rng(3)
    risk = rng.normal(size=4000)
    frame = pd.DataFrame({"exit": rng.exponential(1 / np.exp(risk)), "event": 1})
    answer = concordance(table_of(frame), score=risk).table.iloc[0]
    # Of two persons the one of higher hazard leaves first with probability a / (a + b).
    one, other = rng.normal(size=(2, 400_000))
    true = np.mean(1 / (1 + np.exp(-np.abs(one - other))))
    assert abs(answer["estimate"] - true) < 3 * answer["std_error"]
    assert answer["std_error"] < 0.006
