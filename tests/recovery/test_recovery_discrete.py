"""Known weekly hazards are found again, within four errors, with late entry, seasons and other causes."""

from functools import partial

import numpy as np
import pandas as pd
import pytest

from evalkit import weeks
from evalkit.atrisk import AtRisk
from evalkit.estimators import (
    bootstrap,
    cox,
    discrete_hazard,
    piecewise_exponential,
    predict_hazard,
    restricted_mean,
)

N, LAST = 20_000, 104
EFFECT = {"treated": 0.4, "age": -0.3}


def hazard(link, eta):
    return 1 - np.exp(-np.exp(eta)) if link == "cloglog" else 1 / (1 + np.exp(-eta))


def baseline(week):
    """A hazard that rises until week 8, falls until 52, and is straight from there on."""
    return -4.2 + 0.6 * np.minimum(week, 8) / 8 - 0.8 * np.clip(week - 8, 0, 44) / 44


def simulated(link, seed):
    """Draw every person's weeks one by one: the season lifts the first half of the year."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "treated": rng.integers(0, 2, N),
            "age": rng.normal(size=N).round(1),
            "start": 1400 + rng.integers(0, 104, N),
        }
    )
    entry = rng.integers(1, 26, N) * (rng.uniform(size=N) < 0.4)
    until = np.full(N, LAST)
    cause = np.zeros(N, dtype=int)
    here = np.ones(N, dtype=bool)
    effect = frame[list(EFFECT)].to_numpy() @ list(EFFECT.values())
    for week in range(1, LAST + 1):
        summer = weeks.month_of(frame["start"].to_numpy() + week - 1) % 12 >= 6
        own = hazard(link, baseline(week) + effect - 0.5 * summer)
        draw = rng.uniform(size=N)
        leaves, other = here & (draw < own), here & (draw >= own) & (draw < own + 0.004)
        until[leaves | other], cause[leaves], cause[other] = week, 1, 2
        here &= ~(leaves | other)
    frame = frame.assign(entry=entry, exit=until, cause=cause)
    return AtRisk.from_frame(
        frame[frame["exit"] > frame["entry"]],
        entry="entry",
        exit="exit",
        event="cause",
        calendar="start",
        covariates=list(EFFECT),
        causes=["JOB", "OTHER"],
    )


@pytest.mark.parametrize("link", ["cloglog", "logit"])
@pytest.mark.parametrize("duration", ["week", {"knots": 5}])
def test_effects_and_season_are_found(link, duration):
    rows = simulated(link, seed=11)
    fit = discrete_hazard(rows, link=link, duration=duration, season="month", cause="JOB")
    table = fit.table.set_index("term")
    for term, true in EFFECT.items():
        assert abs(table.loc[term, "estimate"] - true) < 4 * table.loc[term, "std_error"], term
    months = table.loc[[f"season[{m:02d}]" for m in range(2, 13)]]
    true = np.where(np.arange(2, 13) >= 7, -0.5, 0.0)
    assert (np.abs(months["estimate"] - true) < 4 * months["std_error"]).all()
    profile = pd.DataFrame({"treated": [1], "age": [0.0]})
    week = np.arange(1, 61)
    predicted = predict_hazard(fit, profile, weeks=week, calendar=1400).table.query("term == 'survival'")
    summer = weeks.month_of(1400 + week - 1) % 12 >= 6
    truth = np.cumprod(1 - hazard(link, baseline(week) + 0.4 - 0.5 * summer))
    assert (np.abs(predicted["estimate"] - truth) < 4 * predicted["std_error"] + 0.003).all()


def test_cloglog_by_week_is_cox_without_its_ties():
    rows = simulated("cloglog", seed=12)
    grouped, partial_likelihood = discrete_hazard(rows, cause="JOB"), cox(rows, cause="JOB", ties="efron")
    for term in EFFECT:
        first, second = grouped.row(term=term), partial_likelihood.row(term=term)
        # Efron's approximation of the grouped likelihood; hazards are below 3 % a week.
        assert first["estimate"] == pytest.approx(second["estimate"], abs=0.02 * second["std_error"])
        assert first["std_error"] == pytest.approx(second["std_error"], rel=1e-2)


def test_rates_are_found_within_their_intervals():
    rng = np.random.default_rng(13)
    x, rates, breaks = rng.integers(0, 2, N), np.array([0.05, 0.02, 0.01]), np.array([13.0, 26.0])
    need = rng.exponential(size=N) / np.exp(0.5 * x)
    reached = np.append(0, np.cumsum(rates[:-1] * np.diff(np.append(0, breaks))))
    piece = np.searchsorted(reached, need, side="right") - 1
    time = np.append(0, breaks)[piece] + (need - reached[piece]) / rates[piece]
    entry, end = rng.uniform(0, 20, N), rng.uniform(20, 80, N)
    frame = pd.DataFrame({"entry": entry, "exit": np.minimum(time, end), "event": time <= end, "x": x})
    rows = AtRisk.from_frame(
        frame[frame["exit"] > frame["entry"]], entry="entry", exit="exit", event="event", covariates=["x"]
    )
    table = piecewise_exponential(rows, breaks=breaks).table
    assert (np.abs(table["estimate"] - [0.5, *rates]) < 4 * table["std_error"]).all()


def test_bootstrap_limits_cover_as_often_as_they_say():
    hits, n_studies = 0, 60
    for seed in range(n_studies):
        rng = np.random.default_rng(seed)
        frame = pd.DataFrame({"weeks": np.minimum(np.ceil(rng.exponential(10, 150)), 30), "left": 1})
        answer = bootstrap(
            AtRisk.from_frame(frame, exit="weeks", event="left"),
            partial(restricted_mean, horizon_weeks=20),
            n_replications=59,
            seed=seed,
            conf_level=0.9,
        )
        share = 1 - np.exp(-0.1)
        truth = (1 - (1 - share) ** 20) / share
        hits += answer.table["conf_low"][0] <= truth <= answer.table["conf_high"][0]
    # 60 studies: 90 % with a Monte-Carlo error of 4 %.
    assert abs(hits / n_studies - 0.9) < 3 * np.sqrt(0.9 * 0.1 / n_studies)
