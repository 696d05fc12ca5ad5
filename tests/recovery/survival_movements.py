"""What the coverage study asks of persons who leave support, return and leave again."""

import numpy as np
import survival_worlds as worlds
from survival_rows import Row, at, each, naive, p_of, row
from survival_worlds import EFFECT

from evalkit import estimators as ev

WEEK, HORIZON, ELAPSED = 26, 52, 13
LIMITS = ("plain", "log", "log-log")
ALONE, TOGETHER = ("ties", "late"), ("clusters", "weights")
OUT, HOME = "SUPPORT -> SELF", "SELF -> SUPPORT"
OCCUPIED = worlds.occupied(HORIZON)
MOVED = np.linalg.matrix_power(worlds.matrix(1), WEEK - 4)[0, 1]


def returns():
    """Ask of states with returns."""
    def share(t, kind):
        options = {"horizon_weeks": HORIZON, "weeks": HORIZON, "conf_type": kind}
        return row(t(ev.state_occupation, **options), "share[SELF]")

    def moved(t, kind, **options):
        weeks = {"from_weeks": 4, "to_weeks": [WEEK]}
        return row(t.only_one(ev.transition_probabilities, conf_type=kind, **weeks, **options), OUT)

    return [
        Row("State occupation, weeks on support of 52", "",
            lambda t: row(t(ev.state_occupation, horizon_weeks=HORIZON), "weeks[SUPPORT]"),
            OCCUPIED[:-1, 0].sum()),
        *each("State occupation, share self-sufficient", LIMITS, share, OCCUPIED[-1, 1]),
        Row("Aalen-Johansen of states, share self-sufficient", "log",
            lambda t: at(t(ev.aalen_johansen), WEEK, "SELF"), OCCUPIED[WEEK, 1]),
        *each("Transition probability, support to self, 4 to 26", LIMITS, moved, MOVED),
        Row("Landmark probability, support to self, 4 to 26", "plain",
            lambda t: moved(t, "plain", method="landmark"),
            MOVED),
        Row("Transition Cox, leaving support", "efron",
            lambda t: row(t(ev.transition_cox), "x", group=OUT), EFFECT),
        Row("Transition Cox, leaving support", "efron, errors of independent rows",
            lambda t: naive(t(ev.transition_cox)), EFFECT, TOGETHER),
        Row("Transition Cox, coming back", "efron",
            lambda t: row(t(ev.transition_cox), "x", group=HOME), 0.0),
        Row("Transition Cox, clock reset, leaving support", "efron",
            lambda t: row(t(ev.transition_cox, clock="reset"), "x", group=OUT), EFFECT, ("ties", *TOGETHER)),
        Row("Markov test", "log_rank",
            lambda t: p_of(t.only_one(ev.markov_test, from_weeks=ELAPSED)), 0.0, ALONE),
        Row("Markov test", "difference", lambda t: p_of(t.only_one(
            ev.markov_test, from_weeks=ELAPSED, to_weeks=HORIZON, method="difference")), 0.0),
    ]


def shared():
    """Ask for an effect that is the same on both movements."""
    return [Row("Transition Cox, shared effect", "efron",
        lambda t: row(t(ev.transition_cox, shared=("x",)), "x"),
                EFFECT)]
