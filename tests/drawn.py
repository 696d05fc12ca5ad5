"""Tables that hypothesis draws for every question of `asked`: small, full of ties, late entry and returns."""

import numpy as np
import pandas as pd
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st

from asked import STATES

SOME = settings(max_examples=4, deadline=None, derandomize=True, phases=[Phase.generate],
                suppress_health_check=list(HealthCheck))


def stays(draw, person, states, *, latest, fewest, most):
    """Return the stays of one person, from state to state; every third person enters late."""
    week, state, parts = draw(st.integers(0, latest)) * (person % 3 == 2), draw(st.sampled_from(states)), []
    for length in draw(st.lists(st.integers(1, 3), min_size=fewest, max_size=most)):
        to = draw(st.sampled_from(states))
        parts.append((person, week, week + length, state, None if to == state else to))
        week, state = week + length, to
    return parts


@st.composite
def exits(draw):
    """Weekly rows with ties, delayed entry, two causes, two groups and a covariate."""
    n = draw(st.integers(8, 24))

    def column(low, high):
        return np.array(draw(st.lists(st.integers(low, high), min_size=n, max_size=n)))

    entry = column(0, 3) * (column(0, 2) == 0)
    return pd.DataFrame({"person": np.arange(n), "entry": entry, "exit": entry + column(1, 8),
                         "event": column(0, 2), "x": column(-2, 2) / 2, "group": column(0, 1),
                         "treated": column(0, 1),
                         "team": np.arange(n) % 7, "k": 1 + np.arange(n) % 3})


@st.composite
def movements(draw):
    """Persons who move between three states, return, and leave observation; some enter late."""
    parts = []
    for person in range(draw(st.integers(4, 12))):
        parts += stays(draw, person, STATES, latest=2, fewest=2, most=4)
    # Two last persons are seen throughout, so that a horizon of six weeks is always covered.
    parts += [(98, 0, 9, "SELF", None), (99, 0, 9, "SUPPORT", None)]
    frame = pd.DataFrame(parts, columns=["person", "entry", "exit", "state", "event"])
    person = frame["person"]
    return frame.assign(x=person % 3, group=person % 2, team=person % 4, k=1 + person % 3)


def stayers(seed):
    """Of many persons half leave early and the others are seen long: a plateau."""
    rng, n = np.random.default_rng(seed), 60
    leaves = np.arange(n) % 2 == 0
    exit_week = np.where(leaves, rng.integers(1, 9, n), rng.integers(25, 40, n))
    return pd.DataFrame({"person": np.arange(n), "entry": (exit_week > 20) * rng.integers(0, 3, n),
                         "exit": exit_week, "event": leaves.astype(int), "x": rng.integers(-2, 3, n) / 2,
                         "group": np.arange(n) % 2, "team": np.arange(n) % 7, "k": 1 + np.arange(n) % 3})


def from_start(frame):
    return frame.assign(entry=0, exit=frame["exit"] - frame["entry"])


def frames(question):
    """Return the strategy of the tables that a question is asked of."""
    return {"exits": exits(), "starters": exits().map(from_start), "movements": movements(),
            "stayers": st.integers(0, 999).map(stayers)}[question.data]


def rich(question, n=80, seed=8):
    """Return one table, large enough that every question has an answer."""
    rng = np.random.default_rng(seed)
    if question.data == "stayers":
        return stayers(seed)
    if question.data == "movements":
        return _rich_movements(rng, n // 2)
    entry = rng.integers(0, 4, n) * (rng.uniform(size=n) < 0.4) * (question.data == "exits")
    return pd.DataFrame({"person": np.arange(n), "entry": entry, "exit": entry + rng.integers(1, 9, n),
                         "event": rng.integers(0, 3, n), "x": rng.normal(size=n).round(1),
                         "treated": np.arange(n) // 2 % 2, "group": np.arange(n) % 2,
                         "team": np.arange(n) % 7, "k": 1 + np.arange(n) % 3})


def _rich_movements(rng, n):
    parts = []
    for person in range(n):
        week, state = 0, rng.choice(STATES)
        for _ in range(4):
            to, end = rng.choice(STATES), week + int(rng.integers(1, 4))
            parts.append((person, week, end, state, None if to == state else to))
            week, state = end, to
    frame = pd.DataFrame(parts, columns=["person", "entry", "exit", "state", "event"])
    person = frame["person"]
    return frame.assign(x=person % 5, group=person % 2, team=person % 7, k=1 + person % 3)
