"""Worlds in which the truth of every survival estimator is known exactly, at any size.

Each draws persons with an indicator ``x`` that multiplies a hazard by exp(`EFFECT`), by weeks, so that many
leave in the same one. Settings change who is seen, never what is true: ``late`` lets half of them enter late,
``clusters`` are groups of one to four persons who share their fate, ``weights`` are drawn apart from it.
"""

import numpy as np
import pandas as pd

from evalkit.atrisk import AtRisk

EFFECT = 0.5
SETTINGS = ("ties", "late", "clusters", "weights")
# Hazards a week: to a job (times exp(EFFECT x)), to an education.
JOB, EDUCATION = 0.03, 0.01
LAST = 104
# Subdistribution of the job with x = 0: a share in the end, reached with this mean.
SHARE, MEAN = 0.5, 26.0
# Hazards a week of leaving support (times exp(EFFECT x)) and of coming back.
LEAVE, RETURN = 0.04, 0.02
# A Weibull time: shape, and weeks' scale with x = 0; log time moves by TIME with x.
SHAPE, SCALE, TIME = 1.3, 30.0, -EFFECT / 1.3
CURED, FRAILTY, GROUP = 0.3, 0.4, 20


def exits(rng, n, setting, effect=EFFECT):
    """Draw weekly exits to a job or an education, censored between weeks 13 and 130."""

    def draw(size):
        x = rng.integers(0, 2, size)
        job = JOB * np.exp(effect * x)
        time = rng.exponential(1 / (job + EDUCATION))
        cause = np.where(rng.uniform(size=size) < job / (job + EDUCATION), 1, 2)
        return x, np.ceil(time), cause

    return _observed(rng, n, setting, draw)


def subdistribution(rng, n, setting):
    """Draw exits whose subdistribution hazard to a job is proportional (Fine and Gray 1999, section 5)."""

    def draw(size):
        x, u = rng.integers(0, 2, size), rng.uniform(size=size)
        relative = np.exp(EFFECT * x)
        share = 1 - (1 - SHARE) ** relative
        first = u < share
        left = np.where(first, 1 - (1 - np.where(first, u, 0)) ** (1 / relative), 0) / SHARE
        job = -MEAN * np.log1p(-np.minimum(left, 1 - 1e-12))
        return x, np.ceil(np.where(first, np.maximum(job, 1e-9), rng.exponential(MEAN, size))), 2 - first

    return _observed(rng, n, setting, draw)


def weibull(rng, n, setting, cured=0.0):
    """Draw continuous Weibull times, some of which never come."""

    def draw(size):
        x = rng.integers(0, 2, size)
        time = SCALE * np.exp(TIME * x) * rng.weibull(SHAPE, size)
        return x, np.where(rng.uniform(size=size) < cured, np.inf, time), np.ones(size, dtype=int)

    return _observed(rng, n, setting, draw)


def shared(rng, n):
    """Draw weekly exits of groups that share a gamma factor of mean 1 and variance FRAILTY."""
    group = np.arange(n) // GROUP
    factor = rng.gamma(1 / FRAILTY, FRAILTY, group[-1] + 1)[group]
    x, end = rng.integers(0, 2, n), rng.integers(13, 131, n)
    week = np.ceil(rng.exponential(1 / (JOB * factor * np.exp(EFFECT * x))))
    frame = pd.DataFrame({"exit": np.minimum(week, end), "event": (week <= end).astype(int), "x": x,
                          "group": group})
    return AtRisk.from_frame(frame, exit="exit", event="event", covariates=["x"], cluster="group")


def states(rng, n, setting):
    """Draw persons who leave support, return and leave again, seen for 52 to 104 weeks."""
    x = rng.integers(0, 2, n)
    move = 1 - np.exp(-np.column_stack([LEAVE * np.exp(EFFECT * x), np.full(n, RETURN)]))
    where = np.zeros((n, LAST + 1), dtype=np.int8)
    for week in range(1, LAST + 1):
        moves = rng.uniform(size=n) < np.take_along_axis(move, where[:, week - 1:week].astype(int), axis=1)[:,
                                                                                                            0]
        where[:, week] = where[:, week - 1] ^ moves
    end = rng.integers(52, LAST + 1, n)
    person, at = np.nonzero((where[:, 1:] != where[:, :-1]) | (np.arange(1, LAST + 1) == end[:, None]))
    seen = at + 1 <= end[person]
    person, at = person[seen], at[seen] + 1
    entry = np.where(np.append(True, person[1:] != person[:-1]), 0, np.append(0, at[:-1]))
    names, moved = np.array(["SUPPORT", "SELF"], dtype=object), where[person, at] != where[person, at - 1]
    frame = pd.DataFrame({"person": person, "entry": entry, "exit": at, "state": names[where[person, at - 1]],
                          "event": np.where(moved, names[where[person, at]], None), "x": x[person]})
    return _states_at_risk(rng, frame, n, setting)


def survival(weeks):
    """Return the share still at risk after so many weeks: half of the persons have x = 1."""
    return sum(np.exp(-_total(x) * np.asarray(weeks)) for x in (0, 1)) / 2


def incidence(weeks):
    """Return the share with a job as first exit by so many weeks."""
    job = (JOB * np.exp(EFFECT * x) / _total(x) * (1 - np.exp(-_total(x) * np.asarray(weeks)))
           for x in (0, 1))
    return sum(job) / 2


def of_group(weeks, x):
    """Return the share still at risk among persons of one x."""
    return np.exp(-_total(x) * np.asarray(weeks))


def matrix(x):
    """Return the weekly transition matrix between support and self-sufficiency."""
    leave, back = 1 - np.exp(-LEAVE * np.exp(EFFECT * x)), 1 - np.exp(-RETURN)
    return np.array([[1 - leave, leave], [back, 1 - back]])


def _total(x):
    return JOB * np.exp(EFFECT * x) + EDUCATION


def _observed(rng, n, setting, draw):
    """See the first ``n`` persons who are still there when they would enter, until they are censored."""
    size = {"late": 4 * n, "clusters": n}.get(setting, n)
    x, time, cause = draw(size)
    entry = np.zeros(size)
    if setting == "late":
        entry = np.where(rng.uniform(size=size) < 0.5, rng.integers(1, 27, size), 0.0)
    kept = np.flatnonzero(time > entry)[:n]
    end = entry + rng.integers(13, 131, size)
    frame = pd.DataFrame({"entry": entry, "exit": np.minimum(time, end),
                          "event": np.where(time <= end, cause, 0),
                          "x": x}).iloc[kept].reset_index(drop=True)
    return AtRisk.from_frame(*_arranged(rng, frame, n, setting), entry="entry", exit="exit", event="event",
                             causes=[str(k) for k in range(1, cause.max() + 1)], covariates=["x"],
                             **_names(setting))


def _arranged(rng, frame, n, setting):
    if setting == "weights":
        frame = frame.assign(weight=rng.lognormal(0, 0.7, len(frame)))
    if setting == "clusters":
        frame = frame.assign(cluster=np.arange(len(frame)))
        frame = frame.loc[np.repeat(frame.index, rng.integers(1, 5, len(frame)))[:n]].reset_index(drop=True)
    return (frame,)


def _names(setting):
    return {"weights": {"weight": "weight"}, "clusters": {"cluster": "cluster"}}.get(setting, {})


def _states_at_risk(rng, frame, n, setting):
    if setting == "weights":
        frame = frame.assign(weight=rng.lognormal(0, 0.7, n)[frame["person"]])
    if setting == "clusters":
        # Whole persons are repeated; the cluster is the person that they are copies of.
        times = np.minimum(rng.integers(1, 5, n), np.maximum(n - np.arange(n), 1))
        times[np.cumsum(times) > n] = 0
        copies = frame.loc[np.repeat(frame.index, times[frame["person"]])]
        copy = copies.groupby(level=0).cumcount()
        frame = copies.assign(cluster=copies["person"],
                              person=copies["person"] * 4 + copy).reset_index(drop=True)
    return AtRisk.from_frame(frame, entry="entry", exit="exit", state="state", event="event", person="person",
                             causes=["SUPPORT", "SELF"], covariates=["x"], **_names(setting))
