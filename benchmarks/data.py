"""Simulated weekly data of the benchmarks: heavy ties, delayed entry, returns; R reads them too."""

from pathlib import Path

import numpy as np
import pandas as pd

LAST_WEEK = 520
_EFFECTS = np.array([0.4, -0.3, 0.2, 0.1, 0.0, 0.3, -0.2, 0.1, 0.05, -0.1])
# Movements a week between support, self-sufficiency, education and death (0 where none).
_MOVES = np.array([
    [0.0, 0.040, 0.012, 0.0006],
    [0.030, 0.0, 0.004, 0.0004],
    [0.016, 0.024, 0.0, 0.0002],
    [0.0, 0.0, 0.0, 0.0],
])
_MOVES_A_PERSON = 6.4
STATES = ("SUPPORT", "SELF_SUFFICIENT", "EDUCATION", "DEATH")


def write(frame, path):
    """Write a frame of numbers as one block of doubles, column by column, and its names beside it."""
    Path(f"{path}.bin").write_bytes(np.asfortranarray(frame.to_numpy(dtype=float)).tobytes(order="F"))
    Path(f"{path}.names").write_text("\n".join(frame.columns) + "\n", encoding="utf-8")


def read(path):
    """Return what `write` has written."""
    names = Path(f"{path}.names").read_text(encoding="utf-8").split()
    values = np.fromfile(f"{path}.bin").reshape(len(names), -1)
    return pd.DataFrame(dict(zip(names, values, strict=True)))


def rows(n, seed=1):
    """Return n intervals (entry, exit] in weeks, ten covariates, half censored, half entered late."""
    rng = np.random.default_rng(seed)
    kept = [_rows(int(1.3 * n) + 50, rng)]
    while sum(map(len, kept)) < n:
        kept.append(_rows(n, rng))
    return pd.concat(kept, ignore_index=True).iloc[:n].reset_index(drop=True)


def rows_right(n, seed=1):
    """Return the same with everybody followed from week 0."""
    return rows(n, seed).assign(entry=0.0)


def _rows(n, rng):
    covariates = _covariates(n, rng)
    exits, events = _follow(covariates @ _EFFECTS, rng, rate=1 / 150, censor=1 / 150)
    entry = np.where(rng.random(n) < 0.5, np.floor(rng.uniform(0, 104, n)), 0.0)
    frame = pd.DataFrame({"entry": entry, "exit": exits, "event": events} | _named(covariates))
    return frame[frame["entry"] < frame["exit"]]


def intervals(n, seed=2):
    """Return n (start, stop] rows, up to four a person, with covariates that change between them."""
    rng = np.random.default_rng(seed)
    n_persons = n // 4 + 1
    covariates = _covariates(4 * n_persons, rng)
    level = covariates.reshape(n_persons, 4, -1).mean(axis=1) @ _EFFECTS
    exits, events = _follow(level + rng.normal(0, 0.5, n_persons), rng, rate=1 / 150, censor=1 / 150)
    exits = np.maximum(exits, 4)
    edges = np.floor(exits[:, None] * np.arange(5) / 4)
    last = np.zeros((n_persons, 4))
    last[:, 3] = events
    frame = {"person": np.repeat(np.arange(n_persons), 4.0), "entry": edges[:, :4].ravel(),
             "exit": edges[:, 1:].ravel(), "event": last.ravel()}
    return pd.DataFrame(frame | _named(covariates)).iloc[:n].reset_index(drop=True)


def patterns(n, seed=3):
    """Return n persons with categorical covariates only: 48 patterns, at most 104 weeks."""
    rng = np.random.default_rng(seed)
    sex, school = (rng.integers(0, 2, n) for _ in range(2))
    age, benefit = rng.integers(0, 4, n), rng.integers(0, 3, n)
    frame = {"sex": sex, "school": school} | {f"age{k}": age == k for k in (1, 2, 3)}
    frame |= {f"benefit{k}": benefit == k for k in (1, 2)}
    level = 0.2 * sex - 0.3 * school - 0.15 * age + 0.25 * benefit
    exits, events = _follow(level, rng, rate=1 / 80, censor=1 / 300, last=104)
    return pd.DataFrame({"entry": 0.0, "exit": exits, "event": events} | frame).astype(float)


def shared(n, seed=6):
    """Return n persons of whom twenty at a time share a gamma factor of variance 0.3, from week 0."""
    rng = np.random.default_rng(seed)
    covariates, group = _covariates(n, rng)[:, 3:7], np.arange(n) // 20
    factor = rng.gamma(1 / 0.3, 0.3, group[-1] + 1)
    level = covariates @ _EFFECTS[:4] + np.log(factor)[group]
    exits, events = _follow(level, rng, rate=1 / 150, censor=1 / 150)
    return pd.DataFrame({"group": group, "entry": 0.0, "exit": exits, "event": events}
                        | _named(covariates)).astype(float)


def causes(n, seed=4):
    """Return n persons with three competing exits and five covariates, followed for at most 156 weeks."""
    rng = np.random.default_rng(seed)
    covariates = _covariates(n, rng)[:, 3:8]
    level = covariates @ _EFFECTS[:5]
    hazard = np.c_[np.exp(level) / 110, np.exp(-level / 2) / 300, np.full(n, 1 / 600)]
    total = hazard.sum(axis=1)
    time = np.ceil(rng.exponential(1 / total))
    cause = 1 + (rng.random(n)[:, None] * total[:, None] > np.cumsum(hazard, axis=1)).sum(axis=1)
    censored = np.minimum(np.ceil(rng.exponential(400, n)), 156)
    event = np.where(time <= censored, np.minimum(cause, 3), 0)
    frame = {"entry": 0.0, "exit": np.minimum(time, censored), "event": event}
    return pd.DataFrame(frame | _named(covariates)).astype(float)


def transitions(n, seed=5):
    """Return rows of persons who move between four states for 156 weeks, with about n movements in all."""
    rng = np.random.default_rng(seed)
    n_persons = max(int(n / _MOVES_A_PERSON), 20)
    state, since = np.zeros(n_persons, dtype=int), np.zeros(n_persons)
    person = np.arange(n_persons)
    parts = []
    for week in range(1, 157):
        draw = rng.random(n_persons)[:, None]
        target = (draw > np.cumsum(_MOVES[state], axis=1)).sum(axis=1)
        moved = target < len(STATES)
        parts.append(_stay(person, state, since, float(week), target + 1, moved))
        state, since = np.where(moved, target, state), np.where(moved, week, since)
    parts.append(_stay(person, state, since, 156.0, np.zeros(n_persons, dtype=int), since < 156))
    table = np.concatenate(parts)
    table = table[(table[:, 3] != len(STATES)) & (table[:, 1] < table[:, 2])]
    order = np.lexsort((table[:, 1], table[:, 0]))
    return pd.DataFrame(table[order], columns=["person", "entry", "exit", "state", "event"])


def _stay(person, state, since, until, target, ended):
    columns = (person, since, np.full(len(person), until), state + 1, target)
    return np.column_stack(columns)[ended].astype(float)


def _covariates(n, rng):
    return np.c_[(rng.random((n, 5)) < [0.5, 0.3, 0.2, 0.4, 0.1]).astype(float), rng.normal(size=(n, 5))]


def _named(covariates):
    return {f"x{k}": column for k, column in enumerate(covariates.T)}


def _follow(level, rng, *, rate, censor, last=LAST_WEEK):
    """Return weeks and events of persons with exponential times, rounded up to whole weeks."""
    time = np.ceil(rng.exponential(1 / (rate * np.exp(level))))
    end = np.minimum(np.ceil(rng.exponential(1 / censor, len(level))), last)
    return np.minimum(time, end), (time <= end).astype(float)
