"""Bad input against every survival estimator: the right answer, or a refusal that says what to do."""

import inspect
import warnings

import numpy as np
import pandas as pd
import pytest

import evalkit.estimators
from asked import QUESTIONS, STATES
from evalkit.atrisk import AtRisk
from evalkit.errors import CohortError, EvalkitError
from evalkit.estimators._clusters import few_clusters

# Every function that is asked of an at-risk table itself, by what it needs.
ASKED = {name: question for name, question in QUESTIONS.items()
         if name == question.function and not question.of}
CALLS = {name: question.options for name, question in ASKED.items()}
OF_STATES = {name for name, question in ASKED.items() if question.data == "movements"}
FROM_START = {name for name, question in ASKED.items() if question.data == "starters"}
UNSTRATIFIED = {name for name, question in ASKED.items() if question.strata is None}
WITHOUT_COVARIATES = {"aalen_johansen", "gray_test", "kaplan_meier", "log_rank", "nelson_aalen",
                      "pseudo_observations", "residual_time", "restricted_mean", "survival_quantiles",
                      "time_lost"}
REGRESSIONS = set(CALLS) - OF_STATES - WITHOUT_COVARIATES
# A person's value that no message may hold.
TELLING = 7.125


def people():
    rng = np.random.default_rng(8)
    n = 80
    entry = rng.integers(0, 4, n) * (rng.uniform(size=n) < 0.4)
    return pd.DataFrame({"person": np.arange(n), "entry": entry, "exit": entry + rng.integers(1, 9, n),
                         "event": rng.integers(0, 3, n), "x": rng.normal(size=n).round(1),
                         "group": np.arange(n) % 2, "team": np.arange(n) % 4})


def histories():
    rng, parts = np.random.default_rng(3), []
    for person in range(40):
        week, state = 0, rng.choice(STATES)
        for _ in range(4):
            to, end = rng.choice(STATES), week + int(rng.integers(1, 4))
            parts.append((person, week, end, state, None if to == state else to, person % 2, person % 5))
            week, state = end, to
    columns = ["person", "entry", "exit", "state", "event", "group", "x"]
    return pd.DataFrame(parts, columns=columns).assign(team=lambda part: part["person"] % 4)


def frame_of(name):
    if name in OF_STATES:
        return histories()
    frame = people()
    start = frame["entry"] if name in FROM_START else 0
    return frame.assign(entry=frame["entry"] - start, exit=frame["exit"] - start)


def table_of(name, frame, **more):
    columns = {"entry": "entry", "exit": "exit", "event": "event", "person": "person", "covariates": ["x"]}
    if name not in UNSTRATIFIED:
        columns["strata"] = "group"
    if name in OF_STATES:
        columns |= {"state": "state", "causes": STATES}
    else:
        columns["causes"] = ["JOB", "STUDY"]
    if name == "shared_frailty":
        columns["cluster"] = "team"
    return AtRisk.from_frame(frame, **{**columns, **more})


def ask(name, at_risk, **options):
    return getattr(evalkit.estimators, name)(at_risk, **{**CALLS[name], **options})


def outcome(name, make):
    """Return the answer, or the words of its refusal; anything else fails."""
    try:
        answer = ask(name, make())
    except EvalkitError as error:
        words = str(error)
        assert len(words) > 30 and "array" not in words and str(TELLING) not in words
        return words
    if isinstance(answer, np.ndarray):
        assert not np.isnan(answer).any() or name == "residuals"
        return answer
    known = answer.table["estimate"].notna()
    assert known.all() or name in ("survival_quantiles", "transition_probabilities", "piecewise_exponential")
    return answer


@pytest.mark.parametrize("name", sorted(CALLS))
def test_a_table_of_nobody_cannot_be_made(name):
    at_risk = table_of(name, frame_of(name))
    with pytest.raises(CohortError, match="no rows.*attrition"):
        ask(name, at_risk.select(np.zeros(at_risk.n_rows, dtype=bool)))


@pytest.mark.parametrize("name", sorted(REGRESSIONS))
def test_constant_and_collinear_columns_are_named(name):
    frame = frame_of(name)
    words = outcome(name, lambda: table_of(name, frame.assign(flat=TELLING), covariates=["x", "flat"]))
    assert "flat" in words
    words = outcome(name, lambda: table_of(name, frame.assign(same=2 * frame["x"] + TELLING),
                                           covariates=["x", "same"]))
    assert "same" in words and "leave" in words


@pytest.mark.parametrize("name", sorted(set(REGRESSIONS) - {"pseudo_regression"}))
def test_separation_is_named_with_a_way_out(name):
    frame = frame_of(name)
    frame = frame.assign(split=(frame["event"] > 0).astype(float))
    words = outcome(name, lambda: table_of(name, frame, covariates=["split"]))
    assert words.startswith(name) and "split: separates" in words and "eave the covariate out" in words
    assert ("firth" in words) <= (name not in ("residuals", "proportionality_test", "fine_gray"))
    assert not ("firth" in words and "standardised" in name)


@pytest.mark.parametrize("name", sorted(set(CALLS) - {"occupation_influence", "pseudo_observations"}))
def test_one_cluster_is_refused(name):
    frame = frame_of(name).assign(team=1)
    words = outcome(name, lambda: table_of(name, frame, cluster="team"))
    assert isinstance(words, str) and ("1 cluster" in words or "independent" in words or "1 groups" in words)


@pytest.mark.parametrize("scale", [1e9, 1e-12])
@pytest.mark.parametrize("name", sorted(REGRESSIONS | {"transition_cox"}))
def test_huge_and_tiny_covariates_give_the_same_answer(name, scale):
    frame = frame_of(name)
    plain = ask(name, table_of(name, frame))
    scaled = ask(name, table_of(name, frame.assign(x=frame["x"] * scale)))
    if isinstance(plain, np.ndarray):
        np.testing.assert_allclose(scaled, plain, rtol=1e-6, atol=1e-9)
        return
    np.testing.assert_allclose(scaled.table["p_value"], plain.table["p_value"], rtol=1e-5, atol=1e-9)
    own = plain.table["term"].str.contains(r"(?:^|\W)x$").to_numpy() & (name != "proportionality_test")
    unit = np.where(own, scale, 1.0)
    for column in ("estimate", "std_error", "conf_low", "conf_high"):
        np.testing.assert_allclose(scaled.table[column] * unit, plain.table[column], rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("name", ["pseudo_observations", "pseudo_regression", "shared_frailty", "gray_test"])
def test_late_entry_is_refused_where_no_theory_takes_it(name):
    words = outcome(name, lambda: table_of(name, people()))
    assert "late" in words or "enter after time zero" in words
    assert "cox" in words or "fine_gray" in words


@pytest.mark.parametrize("name", ["log_rank", "gray_test"])
def test_tests_name_missing_levels_and_too_many_groups(name):
    at_risk = table_of(name, frame_of(name))
    with pytest.raises(EvalkitError, match="stratify: 80 of 80 rows are missing"):
        ask(name, at_risk, stratify=[np.nan] * 80)
    with pytest.raises(ValueError, match="stratify has shape"):
        ask(name, at_risk, stratify=[1])
    with pytest.raises(ValueError, match="rho == -1"):
        ask(name, at_risk, rho=-1)


@pytest.mark.parametrize("name", ["kaplan_meier", "nelson_aalen", "survival_quantiles"])
@pytest.mark.parametrize("start", [-1, np.nan, np.inf])
def test_a_curve_begins_at_a_week(name, start):
    with pytest.raises(ValueError, match="start_weeks == .*must be one or more weeks from 0"):
        ask(name, table_of(name, people()), start_weeks=start)


# Their theory takes no clusters, or what they return has no errors.
WITHOUT_ERRORS = {"gray_test", "log_rank", "markov_test", "occupation_influence", "proportionality_test",
                  "pseudo_observations", "residuals"}
# Eighty persons have no plateau in which to look for the cured.
CLUSTERED = sorted(set(CALLS) - WITHOUT_ERRORS - {"mixture_cure"})


WEEKS = {"elapsed_weeks", "from_weeks", "horizon_weeks", "start_weeks", "to_weeks", "weeks"}
OF_WEEKS = [(name, option) for name in sorted(CALLS) for option in
            inspect.signature(getattr(evalkit.estimators, name)).parameters if option in WEEKS]
# Has later weeks only where differences are asked for.
OF_WEEKS.remove(("markov_test", "to_weeks"))


@pytest.mark.parametrize(("name", "option"), OF_WEEKS)
def test_what_is_no_week_is_refused_in_the_same_words(name, option):
    at_risk = table_of(name, frame_of(name))
    for wrong in (-1, np.nan, np.inf, "a", [3, np.nan], [[3]]):
        with pytest.raises(ValueError, match=rf"{option} == .*, must be one (or more weeks|week)"):
            ask(name, at_risk, **{option: wrong})


# Options of one name mean one thing, so they have one default, but for these.
OWN_DEFAULT = {("bootstrap", "conf_type"), ("state_occupation", "conf_type"),
               ("transition_probabilities", "conf_type"), ("transition_cox", "robust"),
               ("fine_gray", "cause"), ("gray_test", "cause")}
COMMON = {"cause": None, "conf_level": 0.95, "conf_type": "log", "offset": None, "rho": 0.0, "robust": None,
          "start_weeks": 0.0, "stratify": None, "ties": "efron", "varying": None}


@pytest.mark.parametrize("name", [*sorted(CALLS), "bootstrap", "predict_hazard", "predict_incidence",
                                  "predict_parametric", "predict_survival"])
def test_options_of_one_name_have_one_default(name):
    found = inspect.signature(getattr(evalkit.estimators, name)).parameters
    for option, default in COMMON.items():
        if option in found and (name, option) not in OWN_DEFAULT:
            assert found[option].default == default, option
    assert all(option.kind is option.KEYWORD_ONLY for option in found.values()
               if option.name not in ("at_risk", "statistic", "result", "profiles"))


def clustered(name, n_clusters):
    rng = np.random.default_rng(1)
    frame = frame_of(name)
    frame = frame.assign(team=frame["person"] // 2 % n_clusters)
    frame[["y", "z"]] = rng.normal(size=(len(frame), 2))
    return table_of(name, frame, cluster="team", covariates=["x", "y", "z"])


def n_terms_of(name, answer):
    by_curve = {"concordance", "shared_frailty", "standardised_contrasts", "standardised_survival"}
    return len(answer.model["estimates"]) if name in {*REGRESSIONS, "transition_cox"} - by_curve else 1


@pytest.mark.parametrize("name", CLUSTERED)
def test_few_clusters_are_said_in_the_same_words(name):
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        few, more, enough = (ask(name, clustered(name, n)) for n in (2, 19, 20))
    said = few.diagnostics["warning"]
    k = n_terms_of(name, few)
    assert said.startswith(f"2 clusters for {k} term") and "Choose a finer cluster" in said
    assert more.diagnostics["warning"].startswith(f"19 clusters for {k} term")
    assert "warning" not in enough.diagnostics
    assert [answer.diagnostics["clusters"] for answer in (few, more, enough)] == [2, 19, 20]
    # Where nothing joint can be said Python warns, once and in the name of what was called.
    assert ("no test of all terms" in said) == (k > 1) and "no test" not in more.diagnostics["warning"]
    own = [str(warning.message) for warning in warned if "clusters for" in str(warning.message)]
    assert len(own) == (k > 1) and all(text.endswith(said) and text.startswith(name) for text in own)


def test_many_clusters_are_few_for_more_terms():
    with pytest.warns(UserWarning, match="^cox: 25 clusters for 25 terms"):
        assert few_clusters(25, 25, "cox")["warning"].startswith("25 clusters for 25 terms")
    assert few_clusters(25, 24, "cox") == {"clusters": 25}


@pytest.mark.parametrize("name", CLUSTERED)
def test_tables_without_clusters_say_so(name):
    if name != "shared_frailty":
        assert ask(name, table_of(name, frame_of(name))).diagnostics["clusters"] is None


@pytest.mark.parametrize("name", ["cox", "discrete_hazard", "kaplan_meier", "parametric"])
def test_few_clusters_are_no_matter_where_errors_do_not_rest_on_them(name):
    answer = ask(name, clustered(name, 2), robust=False)
    assert answer.diagnostics["clusters"] == 2 and "warning" not in answer.diagnostics


@pytest.mark.parametrize("name", ["kaplan_meier", "parametric"])
def test_only_log_hazard_ratios_become_hazard_ratios(name):
    with pytest.raises(EvalkitError, match=f"{name}.* estimates no log hazard ratios; give a result of cox"):
        evalkit.estimators.hazard_ratios(ask(name, table_of(name, people())))
