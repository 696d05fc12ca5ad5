"""Estimates and errors against the oracle, which counts person-weeks and moves the weight of each person."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings

import oracle
from asked import ARRAYS, CAUSES, QUESTIONS, names
from drawn import SOME, exits, movements, rich
from evalkit.atrisk import AtRisk
from evalkit.errors import EstimationError
from evalkit.estimators import aalen_johansen, cox, occupation_influence, restricted_mean, state_occupation

COLUMNS = {"entry": "entry", "exit": "exit", "event": "event", "person": "person"}


@SOME
@given(frame=movements())
def test_occupation_equals_the_oracle(frame):
    at_risk = AtRisk.from_frame(frame, **COLUMNS, state="state")
    result = state_occupation(at_risk, horizon_weeks=6, weeks=4)
    curve = aalen_johansen(at_risk).table
    path = oracle.shares(at_risk, 8)
    for code, state in enumerate(at_risk.causes, start=1):
        row = result.row(f"weeks[{state}]")
        assert row["estimate"] == pytest.approx(oracle.weeks_in(at_risk, code, 6), abs=1e-9)
        assert result.row(f"share[{state}]")["estimate"] == pytest.approx(path[4].get(code, 0.0), abs=1e-9)

        def weeks(table, code=code):
            return oracle.weeks_in(table, code, 6)

        error = oracle.moved_weight_error(at_risk, weeks, at_risk.person)
        assert row["std_error"] == pytest.approx(error, rel=1e-4, abs=1e-5)
        for time, estimate in curve.loc[curve["term"] == state, ["time_weeks", "estimate"]].itertuples(
                index=False):
            if time <= 8:
                assert estimate == pytest.approx(path[int(time)].get(code, 0.0), abs=1e-9)


@SOME
@given(frame=exits())
def test_curves_equal_the_oracle_errors_included(frame):
    at_risk = AtRisk.from_frame(frame.assign(entry=0), **COLUMNS, cluster="team", causes=CAUSES)
    last, codes = int(at_risk.exit.max()), {"survival": 0, "JOB": 1, "STUDY": 2}
    curve = aalen_johansen(at_risk).table
    for term, code in codes.items():

        def share(table, code=code):
            return oracle.shares(table, last)[last].get(code, 0.0)

        row = curve[(curve["term"] == term) & (curve["time_weeks"] == last)].iloc[0]
        assert row["estimate"] == pytest.approx(share(at_risk), abs=1e-9)
        if row["estimate"] > 0:
            error = oracle.moved_weight_error(at_risk, share, at_risk.cluster)
            assert row["std_error"] == pytest.approx(error, rel=1e-4, abs=1e-5)
    mean = restricted_mean(at_risk, horizon_weeks=last).table.loc[0]
    assert mean["estimate"] == pytest.approx(oracle.weeks_in(at_risk, 0, last), abs=1e-9)
    error = oracle.moved_weight_error(at_risk, lambda table: oracle.weeks_in(table, 0, last), at_risk.cluster)
    assert mean["std_error"] == pytest.approx(error, rel=1e-4, abs=1e-5)


@SOME
@given(frame=exits())
def test_cox_solves_the_oracles_score_and_its_robust_error_is_the_derivative(frame):
    at_risk = AtRisk.from_frame(frame.assign(w=1.0), **COLUMNS, covariates=["x"], causes=CAUSES)
    try:
        fit = cox(at_risk, ties="breslow", robust=True)
    except EstimationError:
        return
    assert oracle.breslow_score(at_risk, fit.model["estimates"])[0] == pytest.approx(0, abs=1e-7)

    def estimate(table):
        return cox(table, ties="breslow").model["estimates"][0]

    error = oracle.moved_weight_error(at_risk, estimate, at_risk.person)
    assert fit.table["std_error"][0] == pytest.approx(error, rel=1e-3, abs=1e-5)


@SOME
@given(frame=movements())
def test_influence_sums_to_nothing_and_squares_to_the_variance(frame):
    at_risk, weeks = QUESTIONS["state_occupation"].table(frame), {"horizon_weeks": [3, 6], "weeks": 4}
    result, influence = state_occupation(at_risk, **weeks), occupation_influence(at_risk, **weeks)
    terms = len(result.model["terms"])
    for g in range(len(result.model["groups"])):
        mine = at_risk.strata == g
        np.testing.assert_allclose(influence[mine].sum(axis=0), 0, atol=1e-9)
        sums = pd.DataFrame(influence[mine]).groupby(at_risk.person[mine]).sum().to_numpy()
        block = slice(g * terms, (g + 1) * terms)
        np.testing.assert_allclose(sums.T @ sums, result.model["covariance"][block, block], atol=1e-12)


def test_the_strategies_reach_what_they_must():
    """Ties, delayed entry, censored rows and returns are drawn; a strategy without them proves little."""
    seen = dict.fromkeys(("ties", "late", "censored", "returns", "answered"), 0)

    @settings(SOME, max_examples=30)
    @given(frame=exits(), history=movements())
    def look(frame, history):
        died = frame[frame["event"] > 0]
        seen["ties"] += died["exit"].duplicated().any()
        seen["late"] += (frame["entry"] > 0).any()
        seen["censored"] += (frame["event"] == 0).any()
        seen["returns"] += (history[["person", "state"]].value_counts() > 1).any()
        seen["answered"] += fitted(cox, QUESTIONS["cox"].table(frame)) is not None

    look()
    assert min(seen.values()) > 10, seen


def fitted(estimator, at_risk, **options):
    try:
        return estimator(at_risk, **options)
    except EstimationError:
        return None


def test_weights_change_no_count():
    question = QUESTIONS["kaplan_meier"]
    frame = rich(question).assign(w=np.linspace(0.5, 3, 80))
    plain, weighted = (question.ask(question.table(frame, weight=weight)).table for weight in (None, "w"))
    for column in ("n_persons", "n_events"):
        pd.testing.assert_series_equal(plain[column], weighted[column])


# Errors here are not those of the persons' influence: of tests, of the likelihood of a shared factor or of a
# penalty, of pseudo-observations, which are taken as data; a complementary log-log hazard has the expected
# information, as any generalised linear model.
MODELLED = {"gray_test", "log_rank", "markov_test", "proportionality_test", "pseudo_regression",
            "shared_frailty", "survival_quantiles"}


@pytest.mark.parametrize("name", names("cox, ridge", "cox, firth", "discrete_hazard", "predict_hazard",
                                       functions=ARRAYS | MODELLED))
def test_robust_errors_are_the_derivatives_by_the_weight_of_each_cluster(name):
    question = QUESTIONS[name]
    at_risk = question.table(rich(question), cluster="team")
    options = {"ties": "breslow"} if question.accepts("ties") else {}
    squares, step = 0.0, 1e-4

    def moved(team, by):
        weight = np.where(at_risk.cluster == team, 1 + by, 1.0)
        return question.ask(replace(at_risk, weight=weight), **options).table["estimate"].to_numpy()

    for team in np.unique(at_risk.cluster):
        squares += ((moved(team, step) - moved(team, -step)) / (2 * step)) ** 2
    found = question.ask(at_risk, **options).table["std_error"]
    judged = found.notna()
    np.testing.assert_allclose(found[judged], np.sqrt(squares)[judged], rtol=1e-4, atol=1e-7)
