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
# A continuous time: shape, and weeks' scale with x = 0; log time moves by TIME with x. Q is of a generalised
# gamma.
SHAPE, SCALE, TIME, Q = 1.3, 30.0, -EFFECT / 1.3, 0.5
CURED, FRAILTY, GROUP = 0.3, 0.4, 20
# A second indicator z that goes with x (shares of x = 1 with z = 0 and 1) and slows the exit to a job.
SHARES, SLOWER = (0.3, 0.7), -0.7


def exits(rng, n, setting, effect=EFFECT):
    """Draw weekly exits to a job or an education, censored between weeks 13 and 130."""

    def draw(size):
        x = rng.integers(0, 2, size)
        return {"x": x}, *_first(rng, JOB * np.exp(effect * x))

    return _observed(rng, n, setting, draw)


def confounded(rng, n, setting):
    """Draw exits as `exits` does, of persons whose x goes with a second indicator that matters."""

    def draw(size):
        z = rng.integers(0, 2, size)
        x = (rng.uniform(size=size) < np.take(SHARES, z)).astype(int)
        return {"x": x, "z": z}, *_first(rng, JOB * np.exp(EFFECT * x + SLOWER * z))

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
        week = np.ceil(np.where(first, np.maximum(job, 1e-9), rng.exponential(MEAN, size)))
        return {"x": x}, week, 2 - first

    return _observed(rng, n, setting, draw)


def times(rng, n, setting, family, cured=0.0):
    """Draw continuous times of a parametric family, some of which never come."""

    def draw(size):
        x = rng.integers(0, 2, size)
        time = distribution(family, x).rvs(size, random_state=rng)
        return {"x": x}, np.where(rng.uniform(size=size) < cured, np.inf, time), np.ones(size, dtype=int)

    return _observed(rng, n, setting, draw)


def shared(rng, n, setting):
    """Draw weekly exits of groups that share a gamma factor of mean 1 and variance FRAILTY."""
    group = np.arange(n) // GROUP
    factor = rng.gamma(1 / FRAILTY, FRAILTY, group[-1] + 1)[group]
    x, end = rng.integers(0, 2, n), rng.integers(13, 131, n)
    week = np.ceil(rng.exponential(1 / (JOB * factor * np.exp(EFFECT * x))))
    frame = pd.DataFrame({"exit": np.minimum(week, end), "event": (week <= end).astype(int), "x": x,
                          "group": group})
    return AtRisk.from_frame(frame, exit="exit", event="event", covariates=["x"], cluster="group")


def states(rng, n, setting, back=0.0):
    """Draw persons who leave support, return (by exp(back x)) and leave again, seen for 52 to 104 weeks."""
    x = rng.integers(0, 2, n)
    chances = np.stack([matrix(0, back), matrix(1, back)])[x]
    move = chances[:, [0, 1], [1, 0]]
    where = np.zeros((n, LAST + 1), dtype=np.int8)
    for week in range(1, LAST + 1):
        before = where[:, week - 1]
        where[:, week] = before ^ (rng.uniform(size=n) < move[np.arange(n), before])
    begin = np.zeros(n)
    if setting == "late":
        begin = np.where(rng.uniform(size=n) < 0.5, rng.integers(1, 27, n), 0)
    frame = _spells(where, x, begin, rng.integers(52, LAST + 1, n))
    return _states_at_risk(rng, frame, n, setting)


def survival(weeks):
    """Return the share still at risk after so many weeks: half of the persons have x = 1."""
    return sum(np.exp(-_total(x) * np.asarray(weeks)) for x in (0, 1)) / 2


def incidence(weeks, x=None):
    """Return the share with a job as first exit by so many weeks: of everybody, or of one x."""
    if x is None:
        return (incidence(weeks, 0) + incidence(weeks, 1)) / 2
    return JOB * np.exp(EFFECT * x) / _total(x) * (1 - of_group(weeks, x))


def of_group(weeks, x):
    """Return the share still at risk among persons of one x."""
    return np.exp(-_total(x) * np.asarray(weeks))


def subdistributed(weeks, x):
    """Return the share with a job by so many weeks where subdistribution hazards are proportional."""
    return 1 - (1 - SHARE * (1 - np.exp(-np.asarray(weeks) / MEAN))) ** np.exp(EFFECT * x)


def residual(weeks, edge, setting):
    """Return the share still there so many weeks after they were found, of those found past an edge."""
    entry, shares = _entries(setting)
    found = (shares * (entry >= edge))[:, None] * np.stack([of_group(entry, x) for x in (0, 1)], axis=1)
    return (found.sum(axis=0) * [of_group(weeks, x) for x in (0, 1)]).sum() / found.sum()


def standardised(weeks, x, setting):
    """Return the share still without a job of the persons seen in `confounded`, had all of them this x."""
    entry, shares = _entries(setting)
    seen = [sum(share * (shares * np.exp(-(_slower(own, z) + EDUCATION) * entry)).sum()
                for own, share in ((0, 1 - SHARES[z]), (1, SHARES[z]))) for z in (0, 1)]
    kept = np.stack([np.exp(-_slower(x, z) * np.asarray(weeks)) for z in (0, 1)])
    return np.average(kept, axis=0, weights=seen)


def concordance(setting):
    """Return the share of pairs, of whom one leaves before the other, in which x is higher in the first."""
    entry, shares = _entries(setting)
    weeks = np.arange(1, 26 + 130)
    # Seen in a week: entered before, and not yet censored.
    after = np.clip(131 - np.maximum(weeks - entry[:, None], 13), 0, None) / 118
    watched = (shares[:, None] * (entry[:, None] < weeks) * after).sum(axis=0)
    stays = [watched * of_group(weeks, x) for x in (0, 1)]
    leaves = [watched * (of_group(weeks - 1, x) - of_group(weeks, x)) for x in (0, 1)]
    good = leaves[1] @ stays[0] + (leaves[1] @ stays[1] + leaves[0] @ stays[0]) / 2
    return good / ((leaves[0] + leaves[1]) @ (stays[0] + stays[1]))


def distribution(family, x):
    """Return the times of a family; all but the Gompertz' are scaled by exp(TIME x)."""
    from scipy import stats
    scale = SCALE * np.exp(TIME * np.asarray(x))
    return {
        "exponential": lambda: stats.expon(scale=scale),
        "weibull": lambda: stats.weibull_min(SHAPE, scale=scale),
        "lognormal": lambda: stats.lognorm(1 / SHAPE, scale=scale),
        "loglogistic": lambda: stats.fisk(SHAPE, scale=scale),
        "gompertz": lambda: stats.gompertz(np.exp(EFFECT * np.asarray(x)), scale=SCALE),
        "generalised_gamma": lambda: stats.gengamma(1 / Q**2, Q * SHAPE, scale=scale * Q**(2 / SHAPE / Q)),
    }[family]()


def matrix(x, back=0.0):
    """Return the weekly transition matrix between support and self-sufficiency."""
    leave, home = 1 - np.exp(-LEAVE * np.exp(EFFECT * x)), 1 - np.exp(-RETURN * np.exp(back * x))
    return np.array([[1 - leave, leave], [home, 1 - home]])


def occupied(weeks):
    """Return the share in each state at the start of week 0 and of each later one, a row a week."""
    rows = [np.array([[1.0, 0.0], [1.0, 0.0]])]
    for _ in range(weeks):
        rows.append(np.stack([rows[-1][x] @ matrix(x) for x in (0, 1)]))
    return np.stack(rows).mean(axis=1)


def _total(x):
    return JOB * np.exp(EFFECT * x) + EDUCATION


def _slower(x, z):
    return JOB * np.exp(EFFECT * x + SLOWER * z)


def _first(rng, job):
    """Draw the week and the cause of the first exit, from a hazard to a job."""
    time = rng.exponential(1 / (job + EDUCATION))
    return np.ceil(time), np.where(rng.uniform(size=len(job)) < job / (job + EDUCATION), 1, 2)


def _entries(setting):
    """Return the weeks in which persons would enter, and the share of each."""
    late = np.full(27, 0.5 / 26)
    late[0] = 0.5
    return (np.arange(27), late) if setting == "late" else (np.array([0]), np.array([1.0]))


def _observed(rng, n, setting, draw):
    """See the first ``n`` persons who are still there when they would enter, until they are censored."""
    size = 4 * n if setting == "late" else n
    covariates, time, cause = draw(size)
    entry = np.zeros(size)
    if setting == "late":
        entry = np.where(rng.uniform(size=size) < 0.5, rng.integers(1, 27, size), 0.0)
    kept = np.flatnonzero(time > entry)[:n]
    end = entry + rng.integers(13, 131, size)
    frame = pd.DataFrame({"entry": entry, "exit": np.minimum(time, end),
                          "event": np.where(time <= end, cause, 0),
                          **covariates}).iloc[kept].reset_index(drop=True)
    return AtRisk.from_frame(_arranged(rng, frame, n, setting), entry="entry", exit="exit", event="event",
                             causes=[str(k) for k in range(1, cause.max() + 1)],
                             covariates=list(covariates), **_names(setting))


def _arranged(rng, frame, n, setting):
    if setting == "weights":
        frame = frame.assign(weight=rng.lognormal(0, 0.7, len(frame)))
    if setting == "clusters":
        frame = frame.assign(cluster=np.arange(len(frame)))
        frame = frame.loc[np.repeat(frame.index, rng.integers(1, 5, len(frame)))[:n]].reset_index(drop=True)
    return frame


def _names(setting):
    return {"weights": {"weight": "weight"}, "clusters": {"cluster": "cluster"}}.get(setting, {})


def _spells(where, x, begin, end):
    """Cut each person's weeks, seen from ``begin`` to ``end``, into rows that end with a movement."""
    week = np.arange(1, LAST + 1)
    person, at = np.nonzero((where[:, 1:] != where[:, :-1]) | (week == end[:, None]))
    seen = (at + 1 <= end[person]) & (at + 1 > begin[person])
    person, at = person[seen], at[seen] + 1
    entry = np.where(np.append(True, person[1:] != person[:-1]), begin[person], np.append(0, at[:-1]))
    names, moved = np.array(["SUPPORT", "SELF"], dtype=object), where[person, at] != where[person, at - 1]
    return pd.DataFrame({"person": person, "entry": entry, "exit": at, "state": names[where[person, at - 1]],
                         "event": np.where(moved, names[where[person, at]], None), "x": x[person]})


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
