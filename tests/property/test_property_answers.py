"""What every answer looks like, whatever it is asked of: limits, p-values, shares and their sums."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import logit
from scipy.stats import norm

from asked import ARRAYS, QUESTIONS, names, units
from drawn import SOME, frames, rich
from evalkit.errors import EstimationError
from evalkit.result import COLUMNS

CONF_TYPES = ("log", "log-log", "plain")
LEVELED = [name for name in names() if QUESTIONS[name].accepts("conf_level")]
# Its log-rank tests have no limits; a penalised likelihood is searched for them, on no scale.
UNLIMITED, SEARCHED = {"markov_test"}, {"cox, firth"}
# Scales on which limits may be symmetric.
SCALES = {"plain": lambda p: p, "log": np.log, "log-log": lambda p: np.log(-np.log(p)), "logit": logit,
          "log of the rest": lambda p: np.log(1 - p), "log-log of the rest": lambda p: np.log(-np.log(1 - p)),
          "root": np.sqrt}


def result(name, frame, **options):
    """Return the result, or None for a refusal."""
    question = QUESTIONS[name]
    try:
        return question.ask(question.table(frame), **options)
    except EstimationError:
        return None


def asks():
    """Pair every question that has limits with the ways in which it can give them."""
    return [(name, kind) for name in LEVELED if name not in UNLIMITED
            for kind in (CONF_TYPES if QUESTIONS[name].accepts("conf_type") else [None])
            if not (QUESTIONS[name].function == "nelson_aalen" and kind == "log-log")]


def test_only_tests_have_no_limits():
    without = {QUESTIONS[name].function for name in set(QUESTIONS) - set(LEVELED)}
    assert without == ARRAYS | {"gray_test", "log_rank", "proportionality_test"}


@pytest.mark.parametrize(("name", "kind"), asks())
def test_the_level_is_honoured_in_every_limit_of_every_row(name, kind):
    options = {} if kind is None else {"conf_type": kind}
    narrow, wide = (result(name, rich(QUESTIONS[name]), conf_level=level, **options) for level in (0.8, 0.95))
    assert narrow.provenance.options["conf_level"] == 0.8
    estimate = wide.table["estimate"].to_numpy()
    honoured = np.zeros(len(estimate), dtype=bool)
    with np.errstate(all="ignore"):
        for scale in SCALES.values():
            margin = {level: [scale(found.table[side].to_numpy()) - scale(estimate)
                              for side in ("conf_low", "conf_high")]
                      for level, found in ((0.8, narrow), (0.95, wide))}
            ratio = np.array(margin[0.95]) / np.array(margin[0.8])
            honoured |= np.isclose(ratio, norm.ppf(0.975) / norm.ppf(0.9), rtol=1e-6).any(axis=0)
    judged = (wide.table["std_error"] > 1e-6) & wide.table["conf_low"].notna()
    if name in SEARCHED | {"survival_quantiles"}:
        width = [(found.table["conf_high"] - found.table["conf_low"]).sum() for found in (narrow, wide)]
        assert width[0] < width[1]
    else:
        assert judged.any() and honoured[judged].all(), wide.table[judged & ~honoured]


@pytest.mark.parametrize("name", LEVELED)
@SOME
@given(data=st.data())
def test_limits_hold_the_estimate_and_nest_as_the_level_rises(name, data):
    frame = data.draw(frames(QUESTIONS[name]))
    found = [result(name, frame, conf_level=level) for level in (0.5, 0.8, 0.99)]
    assert len({each is None for each in found}) == 1
    if found[0] is None:
        return
    tables = [each.table for each in found]
    if QUESTIONS[name].function == "survival_quantiles":
        # What is missing is not reached: beyond every week.
        tables = [table.fillna(dict.fromkeys(["estimate", "conf_low", "conf_high"], np.inf))
                  for table in tables]
    slack = 1e-9
    for table in tables:
        known = table["conf_low"] < np.inf
        assert (table["conf_low"] <= table["estimate"] + slack)[known].all()
        assert (table["estimate"] <= table["conf_high"] + slack)[known].all()
    for inner, outer in zip(tables, tables[1:], strict=False):
        same = [column for column in COLUMNS if not column.startswith("conf_")]
        pd.testing.assert_frame_equal(inner[same], outer[same])
        known = inner["conf_low"] < np.inf
        assert name == "survival_quantiles" or known.equals(outer["conf_low"].notna())
        assert (outer["conf_low"] <= inner["conf_low"] + slack)[known].all()
        assert (inner["conf_high"] <= outer["conf_high"] + slack)[known].all()


@pytest.mark.parametrize("name", names(functions=ARRAYS))
@SOME
@given(data=st.data())
def test_p_values_are_shares_and_stand_where_there_is_a_test(name, data):
    found = result(name, data.draw(frames(QUESTIONS[name])))
    if found is None:
        return
    table = found.table
    assert table["p_value"].dropna().between(0, 1).all()
    assert not (table["p_value"].notna() & ~has_test(name, found)).any()


# Beyond effects, differences, ratios and tests: means that a regression tests against 0, the variance of a
# factor. Not tested: where all covariates are 0, and the parts of a test.
TESTED = {"pseudo_regression": "", "shared_frailty": "frailty_variance", "markov_test, difference": " -> "}
UNTESTED = {"discrete_hazard": "Intercept", "discrete_hazard, logit": "Intercept", "gray_test": "score"}


def has_test(name, found):
    """Say of which rows a test makes sense: of effects, differences, ratios and tests, not of levels."""
    term = found.table["term"]
    effect = pd.Series(units(found)).isin(["log_ratio", "ratio", "chi_square"])
    effect |= term.str.contains("difference")
    if name in TESTED:
        effect |= term.str.contains(TESTED[name])
    return effect & ~term.str.contains(UNTESTED.get(name, "$^"))


@pytest.mark.parametrize("name", names(functions=ARRAYS))
def test_every_row_with_a_test_has_its_p_value(name):
    found = result(name, rich(QUESTIONS[name]))
    moves = found.table["estimate"].notna() & (found.table["std_error"] != 0)
    assert (found.table["p_value"].notna() == has_test(name, found))[moves].all()


@pytest.mark.parametrize(("name", "kind"), [(name, kind) for name, kind in asks()])
@SOME
@given(data=st.data())
def test_shares_and_their_limits_lie_between_0_and_1(name, kind, data):
    found = result(name, data.draw(frames(QUESTIONS[name])), **({} if kind is None else {"conf_type": kind}))
    if found is None:
        return
    is_share = pd.Series(units(found)) == "share"
    levels = found.table[is_share & ~found.table["term"].str.contains("difference")]
    if QUESTIONS[name].function == "markov_test":
        return
    for column in ("estimate", "conf_low", "conf_high"):
        assert levels[column].dropna().between(-1e-12, 1 + 1e-12).all(), column


# Which shares add up to one, and weeks to the horizon: rows of these terms, within group and week.
SUMS = {
    "aalen_johansen": ("", 1),
    "predict_incidence": ("", 1),
    "state_occupation": ("share", 1),
    "transition_probabilities": (" -> ", 1),
    "transition_probabilities, landmark": (" -> ", 1),
    "markov_test, difference": (" -> ", 0),
    "time_lost": (r"restricted_mean$|time_lost\[", 4),
}


@pytest.mark.parametrize("name", SUMS)
@SOME
@given(data=st.data())
def test_shares_sum_to_one_and_weeks_to_the_horizon(name, data):
    found = result(name, data.draw(frames(QUESTIONS[name])))
    if found is None:
        return
    term, total = SUMS[name]
    parts = found.table[found.table["term"].str.contains(term)]
    start = parts["term"].str.extract("(.*) ->")[0].fillna("")
    sums = parts.groupby(["group", "time_weeks", start])["estimate"].agg(
        lambda part: part.sum(skipna=False)).dropna()
    assert len(sums)
    np.testing.assert_allclose(sums, total, atol=1e-9)


@SOME
@given(frame=frames(QUESTIONS["state_occupation"]))
def test_expected_weeks_over_all_states_sum_to_the_horizon(frame):
    table = result("state_occupation", frame).table
    weeks = table[table["term"].str.startswith("weeks")].groupby(["group", "time_weeks"])["estimate"].sum()
    np.testing.assert_allclose(weeks, weeks.index.get_level_values("time_weeks"), atol=1e-9)


