"""Competing exits find a known truth, and their intervals hold it as often as they say.

Weeks are exact times rounded up, so that the incidence at whole weeks is that of the model. Coverage must lie
within three Monte-Carlo errors of 95 %, bias within three of nothing. The shares of every history, in place
of persons drawn, leave no chance: then the truth is found exactly.
"""

from itertools import product

import numpy as np
import pandas as pd
import pytest

from evalkit.atrisk import AtRisk
from evalkit.estimators import cause_specific, fine_gray, gray_test, predict_incidence, time_lost

N_REPLICATIONS, N_PERSONS, WEEK = 200, 300, 15
# Share that leaves to a job where x = 0, its mean weeks, and the log subdistribution hazard ratio.
SHARE, MEAN_WEEKS, EFFECT = 0.5, 30.0, np.array([0.5])
# Hazards a week of two causes and their log ratios.
HAZARDS, EFFECTS = np.array([0.02, 0.01]), np.array([0.6, -0.4])
PROFILE = pd.DataFrame({"x": [1.0]}, index=["one"])


def judge(estimates, errors, truth):
    estimates, errors = np.array(estimates), np.array(errors)
    assert abs(estimates.mean() - truth) < 3 * estimates.std() / np.sqrt(len(estimates))
    coverage = np.mean(np.abs(estimates - truth) < 1.96 * errors)
    assert abs(coverage - 0.95) < 3 * np.sqrt(0.95 * 0.05 / len(estimates)), coverage


def observed(rng, stay, cause, x, late):
    """Censor between weeks 10 and 90; half enter late where asked, if they are still there."""
    n = len(stay)
    entry = np.where(late & (rng.uniform(size=n) < 0.5), rng.integers(1, 15, n), 0)
    end, week = rng.integers(10, 91, n), np.ceil(stay)
    frame = pd.DataFrame({"entry": entry, "exit": np.minimum(week, end), "x": x,
                          "event": np.where(week <= end, cause, 0)})
    return AtRisk.from_frame(frame[frame["exit"] > frame["entry"]], entry="entry", exit="exit", event="event",
                             covariates=["x"], causes=["JOB", "OTHER"])


def by_subdistribution(rng, late):
    """Draw from F(t | x) = 1 - (1 - p (1 - exp(-t / m)))^exp(b x) for a job; all others leave otherwise."""
    x = rng.integers(0, 2, N_PERSONS).astype(float)
    ratio = np.exp(EFFECT[0] * x)
    goes = rng.uniform(size=N_PERSONS) < 1 - (1 - SHARE) ** ratio
    u = rng.uniform(size=N_PERSONS) * (1 - (1 - SHARE) ** ratio)
    job = -MEAN_WEEKS * np.log(1 - (1 - (1 - u) ** (1 / ratio)) / SHARE)
    other = rng.exponential(MEAN_WEEKS, N_PERSONS)
    return observed(rng, np.where(goes, job, other), np.where(goes, 1, 2), x, late)


def three_weeks(entries):
    """Return the share of every history: entry, exit and x, when jobs have proportional hazards a week.

    Exits by other doors depend on x; ``entries`` holds weeks of entry with their shares.
    """
    rows = []
    for x in (0, 1):
        no_job, stay, leaves = 1.0, 1.0, []
        for week, hazard, other in ((11, 0.10, (0.3, 0.5)), (12, 0.06, (0.5, 0.2)), (13, 0.12, (0.2, 0.3))):
            job = no_job * hazard * np.exp(EFFECT[0] * x)
            others = (stay - job) * other[x]
            no_job, stay = no_job - job, stay - job - others
            leaves += [(week, 1, job), (week, 2, others)]
        for (week, cause, share), (entry, enters), (end, ends) in product(
                [*leaves, (14, 0, stay)], entries, ((11, 0.2), (12, 0.3), (13, 0.5))):
            rows.append((entry, min(week, end), cause if week <= end else 0, x, share * enters * ends))
    frame = pd.DataFrame(rows, columns=["entry", "exit", "event", "x", "share"])
    return AtRisk.from_frame(frame[frame["exit"] > frame["entry"]], entry="entry", exit="exit", event="event",
                             covariates=["x"], causes=["JOB", "OTHER"], weight="share")


def by_causes(rng, late):
    x = rng.integers(0, 2, N_PERSONS).astype(float)
    hazards = HAZARDS * np.exp(x[:, None] * EFFECTS)
    stay = rng.exponential(1 / hazards.sum(axis=1))
    cause = np.where(rng.uniform(size=N_PERSONS) < hazards[:, 0] / hazards.sum(axis=1), 1, 2)
    return observed(rng, stay, cause, x, late)


@pytest.mark.parametrize("late", [False, True])
def test_fine_gray_and_its_incidence_cover(late):
    rng, effects, shares = np.random.default_rng(31 + late), [], []
    for _ in range(N_REPLICATIONS):
        at_risk = by_subdistribution(rng, late)
        fit = fine_gray(at_risk, cause="JOB")
        effects.append(fit.table[["estimate", "std_error"]].iloc[0])
        table = predict_incidence(fit, PROFILE, weeks=WEEK, at_risk=at_risk).table
        shares.append(table[["estimate", "std_error"]].iloc[-1])
    judge(*np.transpose(effects), EFFECT[0])
    judge(*np.transpose(shares), 1 - (1 - SHARE * (1 - np.exp(-WEEK / MEAN_WEEKS))) ** np.exp(EFFECT[0]))


@pytest.mark.parametrize("entries", [((10, 0.3), (11, 0.7)), ((0, 0.5), (10, 0.5)),
                                     ((10, 0.3), (11, 0.3), (12, 0.4)), ((0, 0.3), (12, 0.7))])
def test_fine_gray_finds_the_ratio_where_most_enter_in_the_weeks_of_exits(entries):
    fit = fine_gray(three_weeks(entries), cause="JOB", ties="breslow")
    assert abs(fit.table["estimate"][0] - EFFECT[0]) < 1e-9


@pytest.mark.parametrize("has_influence", [False, True])
def test_incidence_by_causes_covers(has_influence):
    rng, effects, shares = np.random.default_rng(41 + has_influence), [], []
    for _ in range(N_REPLICATIONS):
        at_risk = by_causes(rng, late=True)
        fit = cause_specific(at_risk)
        given = at_risk if has_influence else None
        table = predict_incidence(fit, PROFILE, weeks=WEEK, at_risk=given).table
        effects.append(fit.table[["estimate", "std_error"]].iloc[1])
        job = table[(table["term"] == "JOB") & (table["time_weeks"] == WEEK)]
        shares.append(job[["estimate", "std_error"]].iloc[0])
    hazards = HAZARDS * np.exp(EFFECTS)
    judge(*np.transpose(effects), EFFECTS[1])
    judge(*np.transpose(shares), hazards[0] / hazards.sum() * (1 - np.exp(-WEEK * hazards.sum())))


def test_weeks_lost_cover():
    rng, horizon, found = np.random.default_rng(51), 30, []
    for _ in range(N_REPLICATIONS):
        table = time_lost(by_causes(rng, late=True), horizon_weeks=horizon).table
        found.append(table.loc[1, ["estimate", "std_error"]])
    lost = 0.0
    for x in (0, 1):
        hazards = HAZARDS * np.exp(EFFECTS * x)
        weeks = np.arange(horizon)
        lost += hazards[0] / hazards.sum() * (1 - np.exp(-weeks * hazards.sum())).sum() / 2
    judge(*np.transpose(found).astype(float), lost)


def test_grays_test_rejects_as_often_as_it_says():
    rng = np.random.default_rng(61)
    p_values = []
    for _ in range(2 * N_REPLICATIONS):
        frame = pd.DataFrame({"exit": rng.integers(1, 20, 90), "event": rng.integers(0, 3, 90),
                              "group": np.arange(90) % 3})
        groups = AtRisk.from_frame(frame, exit="exit", event="event", strata="group")
        p_values.append(gray_test(groups, cause="1").table["p_value"][0])
    assert abs(np.mean(np.array(p_values) < 0.05) - 0.05) < 3 * np.sqrt(0.05 * 0.95 / len(p_values))
