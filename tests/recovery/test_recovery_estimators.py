"""The survival estimators find a known truth, and their intervals hold it as often as they say.

Weeks are drawn from a discrete hazard, so the truth is exact; half of the persons enter late where the
estimator allows it. Coverage must lie within three Monte-Carlo errors of 95 %, bias within three of nothing.
"""

import numpy as np
import pandas as pd
import pytest

from evalkit.atrisk import AtRisk
from evalkit.estimators import aalen_johansen, cox, kaplan_meier, restricted_mean, state_occupation

N_REPLICATIONS, N_PERSONS = 300, 150
# Per week: to a job, to an education.
HAZARD = np.array([0.04, 0.02])
STATES = ("SUPPORT", "SELF")
MOVE = np.array([[0.93, 0.07], [0.04, 0.96]])


def judge(estimates, errors, truth):
    """Bias and coverage of plain intervals against their Monte-Carlo errors."""
    estimates, errors = np.array(estimates), np.array(errors)
    assert abs(estimates.mean() - truth) < 3 * estimates.std() / np.sqrt(len(estimates))
    coverage = np.mean(np.abs(estimates - truth) < 1.96 * errors)
    assert abs(coverage - 0.95) < 3 * np.sqrt(0.95 * 0.05 / len(estimates)), coverage


def waiting(rng, hazard, late=True):
    """Draw weekly waiting times: two causes, late entry for half, censoring between weeks 20 and 60."""
    n = len(hazard)
    stay = rng.geometric(hazard)
    entry = np.where(late & (rng.uniform(size=n) < 0.5), rng.integers(1, 8, n), 0)
    end = rng.integers(20, 61, n)
    cause = 1 + (rng.uniform(size=n) > HAZARD[0] / HAZARD.sum())
    frame = pd.DataFrame(
        {"entry": entry, "exit": np.minimum(stay, end), "event": np.where(stay <= end, cause, 0)}
    )
    return frame[frame["exit"] > frame["entry"]]


@pytest.mark.parametrize("late", [False, True])
def test_curves_and_means_cover(late):
    rng, total = np.random.default_rng(11), HAZARD.sum()
    found = {"survival": [], "mean": [], "job": []}
    for _ in range(N_REPLICATIONS):
        at_risk = AtRisk.from_frame(
            waiting(rng, np.full(N_PERSONS, total), late), entry="entry", exit="exit", event="event"
        )
        curve = kaplan_meier(at_risk).table
        found["survival"].append(last_before(curve, 15))
        shares = aalen_johansen(at_risk).table
        found["job"].append(last_before(shares[shares["term"] == "1"], 15))
        mean = restricted_mean(at_risk, horizon_weeks=19).table.loc[0]
        found["mean"].append((mean["estimate"], mean["std_error"]))
    stay = (1 - total) ** np.arange(20)
    truth = {"survival": stay[15], "mean": stay[:19].sum(), "job": HAZARD[0] / total * (1 - stay[15])}
    for name, pairs in found.items():
        judge(*zip(*pairs, strict=True), truth[name])


def last_before(curve, week):
    row = curve[curve["time_weeks"] <= week].iloc[-1]
    return row["estimate"], row["std_error"]


def test_state_occupation_covers_with_returns():
    rng, found = np.random.default_rng(12), {"weeks": [], "share": []}
    for _ in range(N_REPLICATIONS):
        at_risk = AtRisk.from_frame(
            histories(rng, 80), entry="entry", exit="exit", state="state", event="event", person="person"
        )
        result = state_occupation(at_risk, horizon_weeks=19, weeks=12)
        for name, term in (("weeks", "weeks[SUPPORT]"), ("share", "share[SELF]")):
            row = result.row(term)
            found[name].append((row["estimate"], row["std_error"]))
    path = [np.array([1.0, 0.0])]
    for _ in range(19):
        path.append(path[-1] @ MOVE)
    judge(*zip(*found["weeks"], strict=True), sum(share[0] for share in path[:19]))
    judge(*zip(*found["share"], strict=True), path[12][1])


def histories(rng, n):
    """Draw all persons' weeks at once, then keep the weeks at which somebody moves or is censored."""
    week, state = np.zeros((n, 31), dtype=int), np.zeros(n, dtype=int)
    for k in range(1, 31):
        state = np.where(rng.uniform(size=n) < MOVE[state, 1], 1, 0)
        week[:, k] = state
    end = rng.integers(19, 31, n)
    person, at = np.nonzero((week[:, 1:] != week[:, :-1]) | (np.arange(1, 31) == end[:, None]))
    kept = at + 1 <= end[person]
    person, at = person[kept], at[kept] + 1
    new = np.append(True, person[1:] != person[:-1])
    entry = np.where(new, 0, np.append(0, at[:-1]))
    names = np.array(STATES, dtype=object)
    moved = week[person, at] != week[person, at - 1]
    return pd.DataFrame(
        {
            "person": person,
            "entry": entry,
            "exit": at,
            "state": names[week[person, at - 1]],
            "event": np.where(moved, names[week[person, at]], None),
        }
    )


def test_clustered_cox_covers_and_the_naive_error_does_not():
    """Persons of one cluster share their treatment; copies within clusters make the naive error too small."""
    rng, robust, naive = np.random.default_rng(13), [], []
    effect, n_clusters = 0.4, 100
    for _ in range(N_REPLICATIONS):
        treated = rng.integers(0, 2, n_clusters)
        time = rng.exponential(20 * np.exp(-effect * treated))
        frame = pd.DataFrame(
            {
                "exit": np.minimum(time, 60),
                "event": (time < 60).astype(int),
                "treated": treated,
                "cluster": np.arange(n_clusters),
            }
        )
        frame = frame.loc[np.repeat(frame.index, rng.integers(1, 5, n_clusters))]
        fit = cox(
            AtRisk.from_frame(frame, exit="exit", event="event", cluster="cluster", covariates=["treated"]),
            ties="breslow",
        )
        robust.append((fit.table["estimate"][0], fit.table["std_error"][0]))
        naive.append((fit.table["estimate"][0], np.sqrt(fit.model["covariance_naive"][0, 0])))
    judge(*zip(*robust, strict=True), effect)
    with pytest.raises(AssertionError):
        judge(*zip(*naive, strict=True), effect)
