"""Every fault against every question that the estimators answer: a right answer, or words with a way out."""

import re
import warnings

import numpy as np
import pandas as pd
import pytest

from asked import ARRAYS, QUESTIONS, STATES, names
from drawn import rich
from evalkit.errors import EvalkitError

# A person's value that no message may hold.
TELLING = 7.125
# What a message tells its reader to do.
WAY_OUT = re.compile(r"leave|[Uu]se |[Cc]hoose|[Gg]ive|[Ll]ook|[Bb]egin|[Jj]oin|[Kk]eep|share the|[Nn]ame|"
                     r"[Ss]ubtract|lengthen|[Ff]ollow")
# Rows of which nothing can be known in a poor table are missing there, not refused.
MISSING = {"survival_quantiles", "piecewise_exponential", "markov_test", "transition_probabilities"}


def outcome(name, frame, **columns):
    """Return the answer, or the words of its refusal; anything else fails."""
    question = QUESTIONS[name]
    with warnings.catch_warnings():
        # Words to the reader are no fault; what numpy warns of is one.
        warnings.simplefilter("ignore", UserWarning)
        try:
            found = question.ask(question.table(frame, **columns))
        except EvalkitError as error:
            words = str(error)
            assert len(words) > 30 and WAY_OUT.search(words), words
            assert "array" not in words and str(TELLING) not in words, words
            return words
    if isinstance(found, np.ndarray):
        assert np.isfinite(found).all() or question.function == "residuals"
        return found
    assert found.table["estimate"].notna().all() or question.function in MISSING
    assert not np.isinf(found.table[["estimate", "std_error"]]).any(axis=None)
    return found


def no_event(frame):
    if "state" not in frame:
        return frame.assign(event=0)
    return frame.assign(event=None, state=frame.groupby("person")["state"].transform("first"))


def one_week(frame, share=1.0):
    """Everybody is seen for five weeks, and those who have an event have it in the last of them."""
    rows = frame.groupby("person").head(1)
    event = 1 + rows["person"] % 2
    none = 0
    if "state" in frame:
        event, none = rows["state"].map(dict(zip(STATES, STATES[1:] + STATES[:1], strict=True))), None
    return rows.assign(entry=0, exit=5, event=event.where(rows["person"] < share * len(rows), none))


def late_and_empty(frame):
    """Two persons alone at the beginning leave at once; all others enter later."""
    first = {"state": "SELF", "event": "SUPPORT"} if "state" in frame else {"event": 1}
    alone = frame.head(2).assign(person=[900, 901], entry=0, exit=1, group=[0, 1], **first)
    return pd.concat([frame.assign(entry=frame["entry"] + 2, exit=frame["exit"] + 2), alone])


def one_group_stays(frame):
    moves = frame["group"] == 0
    still = no_event(frame)
    return frame.assign(**{name: frame[name].where(moves, still[name]) for name in ("event", "state")
                           if name in frame})


SCENES = {
    "no event": no_event,
    "all events in one week": one_week,
    "half the events in one week": lambda frame: one_week(frame, 0.5),
    "one row": lambda frame: frame.head(1),
    "one person": lambda frame: frame[frame["person"] == 0],
    "two persons": lambda frame: frame[frame["person"] < 2],
    "one group": lambda frame: frame.assign(group=0),
    "one person a stratum": lambda frame: frame.assign(group=frame["person"]),
    "a stratum without events": one_group_stays,
    "an empty early risk set": late_and_empty,
    "times between weeks": lambda frame: frame.assign(entry=frame["entry"] * TELLING / 7,
                                                      exit=frame["exit"] * TELLING / 7),
    "times near nothing": lambda frame: frame.assign(entry=frame["entry"] * 1e-11,
                                                     exit=frame["exit"] * 1e-11),
    "a constant covariate": lambda frame: frame.assign(x=TELLING),
    "a covariate far from 0": lambda frame: frame.assign(x=frame["x"] + 1e9),
    "one covariate far out": lambda frame: frame.assign(x=frame["x"].where(frame["person"] != 3, 1e9)),
    "a huge covariate": lambda frame: frame.assign(x=frame["x"] * 1e90),
    "a tiny covariate": lambda frame: frame.assign(x=frame["x"] * 1e-90),
    "groups with odd names": lambda frame: frame.assign(
        group=frame["group"].map({0: "survival", 1: "æøå, [b] -> c"})),
    "groups without names": lambda frame: frame.assign(group=frame["group"].map({0: "", 1: " "})),
}


@pytest.mark.parametrize("scene", SCENES)
@pytest.mark.parametrize("name", names("log_rank, trend"))
def test_poor_tables_are_answered_or_refused(name, scene):
    outcome(name, SCENES[scene](rich(QUESTIONS[name])))


@pytest.mark.parametrize("name", names("log_rank, trend"))
def test_an_empty_early_risk_set_is_no_silent_zero(name):
    found = outcome(name, late_and_empty(rich(QUESTIONS[name])))
    if isinstance(found, str | np.ndarray):
        return
    late = found.table[found.table["term"].isin(["survival"]) & (found.table["time_weeks"] > 1)]
    assert not (late["estimate"] == 0).any()


# Terms of models, or rows of answers: the only names that a covariate may not have.
TAKEN = {
    "mixture_cure": "log(scale)",
    "parametric": "(Intercept)",
    "piecewise_exponential": "rate",
    "proportionality_test": "global",
    "pseudo_regression": "intercept[3]",
    "royston_parmar": "gamma1",
    "shared_frailty": "frailty_variance",
}


@pytest.mark.parametrize("name", TAKEN)
def test_a_covariate_is_not_named_like_another_row_of_the_answer(name):
    frame = rich(QUESTIONS[name]).rename(columns={"x": TAKEN[name]})
    words = outcome(name, frame, covariates=[TAKEN[name]])
    assert words.startswith(name) and f"named {TAKEN[name]}" in words and "rename the column" in words


@pytest.mark.parametrize("name", ["aalen_johansen", "predict_incidence"])
def test_no_cause_is_named_survival(name):
    words = outcome(name, rich(QUESTIONS[name]), causes=["survival", "STUDY"])
    assert "a cause is named survival" in words and "rename" in words


# Their options or profiles name the covariate.
NAMED = {name for name, question in QUESTIONS.items()
         if question.of or "varying" in question.options or len(question.covariates) > 1}


@pytest.mark.parametrize("name", names(*NAMED, functions=ARRAYS))
def test_no_other_name_is_taken(name):
    question = QUESTIONS[name]
    plain = question.ask(question.table(rich(question))).table
    for other in ("strata", "term", "week", "a[b]", "a:b", "æøå, ß", "x" * 300):
        frame = rich(question).rename(columns={"x": other})
        found = question.ask(question.table(frame, covariates=[other])).table
        pd.testing.assert_frame_equal(found.drop(columns="term"), plain.drop(columns="term"))


# Asked for a curve, or for a chain of weeks, in each of as many groups.
CURVES = {"occupation_influence", "predict_survival", "standardised_contrasts", "standardised_survival",
          "state_occupation", "transition_cox", "transition_probabilities"}


@pytest.mark.parametrize("name", [name for name in names("cox, firth", functions=CURVES)
                                  if QUESTIONS[name].strata])
def test_ten_thousand_strata_are_answered_or_refused(name):
    frame = rich(QUESTIONS[name])
    number = 20_000 // frame["person"].nunique()
    many = pd.concat([frame.assign(person=frame["person"] + 1000 * k) for k in range(number)],
                     ignore_index=True)
    outcome(name, many.assign(group=many["person"].rank(method="dense").astype(int) // 2))
