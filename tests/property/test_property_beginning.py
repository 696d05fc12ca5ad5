"""Where nothing has happened everybody is still there: without events, and before the first of them."""

import numpy as np
import pandas as pd
import pytest

from asked import QUESTIONS, names
from drawn import rich
from evalkit.errors import EstimationError

FIRST = 5
STAYING = {r"^survival|residual_survival\[.*\]$": 1, "difference": 0}
WEEKS_LEFT = {r"^restricted_mean$|residual_mean\[.*\]$": "time", "ratio": 1, "difference": 0}
# Options that ask for weeks before the first event, and what is known of terms while nothing happens: a
# number, all the time until then, the share that began there, or that each stays where it is.
NOTHING = {
    "aalen_johansen": ({}, {"survival": 1, "JOB|STUDY": 0}),
    "kaplan_meier": ({}, STAYING),
    "kaplan_meier, later": ({"start_weeks": 2}, STAYING),
    "nelson_aalen": ({}, {"cumulative_hazard": 0}),
    "predict_incidence": ({"weeks": [0.5, 3]}, {"survival": 1, "JOB|STUDY": 0}),
    "predict_survival": ({"weeks": [0.5, 3]}, STAYING),
    "predict_survival, steps": ({"weeks": [0.5, 3], "varying": {"x": (7,)}}, STAYING),
    "pseudo_observations": ({"weeks": [0.5, 3]}, 1),
    "residual_time": ({"elapsed_weeks": 1, "horizon_weeks": 2}, STAYING | WEEKS_LEFT),
    "residual_time, classes": ({"horizon_weeks": 0.5}, STAYING | WEEKS_LEFT),
    "restricted_mean": ({"horizon_weeks": 3}, WEEKS_LEFT),
    "standardised_contrasts": ({"weeks": [0.5, 3], "horizon_weeks": 3}, STAYING | WEEKS_LEFT),
    "standardised_contrasts, treated": ({"weeks": [0.5, 3], "horizon_weeks": 3}, STAYING | WEEKS_LEFT),
    "standardised_survival": ({"weeks": [0.5, 3]}, STAYING),
    "state_occupation": ({"weeks": [0, 0.5, 3], "horizon_weeks": 3}, "start"),
    "time_lost": ({"horizon_weeks": 3}, WEEKS_LEFT | {r"lost\[.*\]$": 0}),
    "transition_probabilities": ({"from_weeks": 0, "to_weeks": [0.5, 3]}, "stay"),
    "transition_probabilities, landmark": ({"from_weeks": 0, "to_weeks": [0.5, 3]}, "stay"),
}
# Models of the whole of time: they say something of every week, also of those before the first event.
OF_ALL_TIME = {"discrete_hazard", "mixture_cure", "parametric", "piecewise_exponential", "royston_parmar"}
# Effects and tests, which are of no week: they are refused where nothing happens.
OF_NO_WEEK = {"log_rank", "markov_test", "pseudo_regression"}
# Models of which a curve is asked have none without events.
MODELS = {name for name in NOTHING if name.startswith(("predict", "standardised"))}


def known(question, frame, found, terms):
    """Return what is known of each row where nothing has happened."""
    if terms == "start":
        first = frame[frame["entry"] == 0].groupby("group")["state"].value_counts(normalize=True)
        found = found.assign(state=found["term"].str.extract(r"\[(.*)\]")[0], unit=found["term"].str[:5])
        share = [first.get((int(row.group), row.state), 0.0) for row in found.itertuples()]
        return np.where(found["unit"] == "weeks", share * found["time_weeks"], share)
    if terms == "stay":
        ways = found["term"].str.split(" -> ", expand=True)
        return (ways[0] == ways[1]).astype(float)
    value = pd.Series(np.nan, index=found.index)
    for pattern, wanted in terms.items():
        value[found["term"].str.contains(pattern)] = found["time_weeks"] if wanted == "time" else wanted
    return value


def later(frame):
    """Move everything that happens beyond week 4; who enters late does so then."""
    entry = frame["entry"] + (FIRST - 1) * (frame["entry"] > 0)
    return frame.assign(exit=frame["exit"] + FIRST - 1, entry=entry)


def without_events(frame):
    if "state" not in frame:
        return frame.assign(event=0)
    return frame.assign(event=None, state=frame.groupby("person")["state"].transform("first"))


def test_every_curve_is_asked_before_its_first_event():
    curves = {name for name, question in QUESTIONS.items()
              if any(question.accepts(option) for option in ("weeks", "horizon_weeks", "to_weeks"))
              and not {question.function, question.of and question.of.function} & (OF_ALL_TIME | OF_NO_WEEK)}
    left = curves - set(NOTHING) - {"occupation_influence"}
    assert not left, f"say in NOTHING what {', '.join(sorted(left))} must give before the first event"


@pytest.mark.parametrize("name", NOTHING)
def test_before_the_first_event_nothing_has_happened(name):
    question, (early, terms) = QUESTIONS[name], NOTHING[name]
    frame = later(rich(question))
    found = question.ask(question.table(frame), **early)
    if isinstance(found, np.ndarray):
        np.testing.assert_allclose(found, terms, atol=1e-12)
        return
    table = found.table[found.table["time_weeks"] < FIRST]
    assert len(table)
    np.testing.assert_allclose(table["estimate"], known(question, frame, table, terms), atol=1e-12)
    assert (table["std_error"] < 1e-12).all() or terms == "start"


@pytest.mark.parametrize("name", names())
def test_without_events_everybody_stays_or_it_is_said(name):
    question, frame = QUESTIONS[name], without_events(rich(QUESTIONS[name]))
    at_risk = question.table(frame)
    if name in {*NOTHING, "occupation_influence", "survival_quantiles"} - MODELS:
        found = question.ask(at_risk)
        if isinstance(found, np.ndarray):
            assert np.isfinite(found).all()
        elif name == "survival_quantiles":
            assert found.table["estimate"].isna().all()
        else:
            wanted = known(question, frame, found.table, NOTHING[name][1])
            np.testing.assert_allclose(found.table["estimate"], wanted, atol=1e-12)
    else:
        with pytest.raises(EstimationError, match="no (event|exit|movement|transition)|nobody"):
            question.ask(at_risk)
