"""What is read off curves finds a known truth, and limits and tests hold it as often as they say.

Weeks are drawn from discrete hazards, so the truth is exact. Coverage must lie within three Monte-Carlo
errors of 95 %, bias within three of nothing; a true hypothesis is refused in 5 % within three errors.
"""

import numpy as np
import pandas as pd
import pytest

from evalkit.atrisk import AtRisk
from evalkit.estimators import (
    log_rank,
    pseudo_regression,
    residual_time,
    restricted_mean,
    survival_quantiles,
)

N_REPLICATIONS, N_PERSONS = 200, 200
# Per week: many leave early, those who stay leave seldom.
EARLY, LATE, TURN = 0.09, 0.03, 10
ROWS = {"exit": "exit", "event": "event"}


def within_error(share, truth):
    assert abs(share - truth) < 3 * np.sqrt(truth * (1 - truth) / N_REPLICATIONS), share


def judge(estimates, errors, truth):
    """Bias and coverage of plain intervals against their Monte-Carlo errors."""
    estimates, errors = np.array(estimates), np.array(errors)
    assert abs(estimates.mean() - truth) < 3 * estimates.std() / np.sqrt(len(estimates))
    within_error(np.mean(np.abs(estimates - truth) < 1.96 * errors), 0.95)


def survival(weeks):
    return (1 - EARLY) ** np.minimum(weeks, TURN) * (1 - LATE) ** np.maximum(np.asarray(weeks) - TURN, 0)


def stays(rng, n):
    early = rng.geometric(EARLY, n)
    return np.where(early <= TURN, early, TURN + rng.geometric(LATE, n))


def stock(rng):
    """Draw persons found at a census: some weeks have passed, and follow-up ends at random weeks after it."""
    stay, elapsed = stays(rng, 8 * N_PERSONS), rng.integers(0, 30, 8 * N_PERSONS)
    frame = pd.DataFrame({"elapsed": elapsed, "stay": stay})[stay > elapsed].head(N_PERSONS)
    end = frame["elapsed"] + rng.integers(10, 40, len(frame))
    return frame.assign(exit=np.minimum(frame["stay"], end), event=frame["stay"] <= end)


@pytest.mark.parametrize("method", ["conditional", "classes"])
def test_residual_weeks_of_a_stock(method):
    """Conditional on 5 weeks; and the whole stock, a mix of durations as often as they are found."""
    rng = np.random.default_rng(21)
    start = 5 if method == "conditional" else 0
    found = {f"{term}[{start}]": [] for term in ("residual_survival", "residual_mean")}
    for _ in range(N_REPLICATIONS):
        at_risk = AtRisk.from_frame(stock(rng), **ROWS, entry="elapsed")
        table = residual_time(at_risk, elapsed_weeks=start, horizon_weeks=8, method=method).table
        for row in table.itertuples():
            found[row.term].append((row.estimate, row.std_error))
    elapsed = np.array([5]) if method == "conditional" else np.arange(30)
    left = survival(elapsed[:, None] + np.arange(9)).sum(axis=0) / survival(elapsed).sum()
    truth = {f"residual_survival[{start}]": left[8], f"residual_mean[{start}]": left[:8].sum()}
    for term, pairs in found.items():
        judge(*zip(*pairs, strict=True), truth[term])


def two_sides(rng, ratio):
    """Draw two sides whose hazards differ by a factor in continuous time, with censoring at random weeks."""
    side = np.arange(N_PERSONS) % 2
    stay = np.ceil(rng.exponential(1 / (0.05 * np.where(side == 1, ratio, 1.0))))
    end = rng.integers(16, 60, N_PERSONS)
    frame = pd.DataFrame({"exit": np.minimum(stay, end), "event": stay <= end, "side": side})
    return frame, np.exp(-0.05 * np.arange(16)), np.exp(-0.05 * ratio * np.arange(16))


def test_the_ratio_of_restricted_means():
    rng, pairs = np.random.default_rng(22), []
    for _ in range(N_REPLICATIONS):
        frame, first, second = two_sides(rng, 1.5)
        table = restricted_mean(AtRisk.from_frame(frame, **ROWS, strata="side"), horizon_weeks=15).table
        row = table[table["term"] == "restricted_mean_ratio"].iloc[0]
        pairs.append((np.log(row["estimate"]), row["std_error"] / row["estimate"]))
    judge(*zip(*pairs, strict=True), np.log(second[:15].sum() / first[:15].sum()))


@pytest.mark.parametrize(
    ("link", "truth"), [("identity", np.exp(-0.9) - np.exp(-0.6)), ("cloglog", np.log(1.5)), ("log", -0.3)]
)
def test_regression_on_pseudo_observations(link, truth):
    rng, pairs = np.random.default_rng(23), []
    for _ in range(N_REPLICATIONS):
        frame, _, _ = two_sides(rng, 1.5)
        at_risk = AtRisk.from_frame(frame, **ROWS, covariates=["side"])
        row = pseudo_regression(at_risk, weeks=12, link=link).table.iloc[-1]
        pairs.append((row["estimate"], row["std_error"]))
    judge(*zip(*pairs, strict=True), truth)


def test_limits_of_the_median_hold_it():
    """The median is a whole week, so its limits hold it at least as often as they say."""
    rng, held = np.random.default_rng(24), []
    truth = np.flatnonzero(survival(np.arange(60)) <= 0.5)[0]
    for _ in range(N_REPLICATIONS):
        row = survival_quantiles(
            AtRisk.from_frame(stock(rng), **ROWS, entry="elapsed"), probs=0.5
        ).table.iloc[0]
        held.append(row["conf_low"] <= truth <= np.nan_to_num(row["conf_high"], nan=np.inf))
    assert 0.95 - 3 * np.sqrt(0.95 * 0.05 / N_REPLICATIONS) < np.mean(held) < 1


OPTIONS = [{}, {"weights": "gehan"}, {"weights": "peto"}, {"gamma": 1}, {"trend": [0, 1, 2]}]


def test_tests_refuse_a_true_hypothesis_as_often_as_they_say():
    """Three groups alike but for their entry, in two levels whose hazards differ."""
    rng, refused = np.random.default_rng(25), []
    for _ in range(N_REPLICATIONS):
        level, group = np.arange(N_PERSONS) % 2, rng.integers(0, 3, N_PERSONS)
        entry = rng.integers(0, 3, N_PERSONS) * group
        exit = entry + rng.geometric(np.where(level == 1, 0.1, 0.04))
        frame = pd.DataFrame(
            {"entry": entry, "exit": exit, "event": rng.uniform(size=N_PERSONS) < 0.8, "g": group}
        )
        at_risk = AtRisk.from_frame(frame, **ROWS, entry="entry", strata="g")
        refused.append(
            [log_rank(at_risk, stratify=level, **option).table["p_value"][0] < 0.05 for option in OPTIONS]
        )
    for share in np.mean(refused, axis=0):
        within_error(share, 0.05)
