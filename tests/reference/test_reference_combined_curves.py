"""Curves, tests and competing exits with groups, weights, late entry and clusters at once.

Estimates to 1e-6, errors and limits to 1e-5, relative (tests/reference/r/combined_curves.R).
"""

from functools import partial

import numpy as np
import pandas as pd
import pytest
from combined import agree, cases_of, table_of

from evalkit.estimators import (
    aalen_johansen,
    cause_specific,
    fine_gray,
    kaplan_meier,
    log_rank,
    nelson_aalen,
    predict_incidence,
    residual_time,
    restricted_mean,
    survival_quantiles,
    time_lost,
)

PLACES = {"strata": "place", "weight": "pw", "cluster": "cluster"}
COVARIATES = {"covariates": ["x", "treated"], "event": "cause"}
CASES = cases_of("combined_curves")
TYPES = {"log": "log", "loglog": "log-log", "plain": "plain"}


def at(table, weeks, terms=None):
    """Return the rows of a curve at given weeks: term by term, group by group."""
    terms = pd.unique(table["term"]) if terms is None else terms
    rows = []
    for term in terms:
        for group in pd.unique(table["group"]):
            own = table[(table["term"] == term) & (table["group"] == group)]
            rows.append(own.iloc[np.searchsorted(own["time_weeks"], weeks, side="right") - 1])
    return pd.concat(rows)


def columns_of(table, *columns):
    return {column: table[column] for column in columns or ("estimate", "std_error")}


def survival(frame, r, conf_type):
    table = kaplan_meier(table_of(frame, **PLACES), conf_level=0.9, conf_type=conf_type).table
    return {**r, **columns_of(at(table, r["weeks"]), "estimate", "std_error", "conf_low", "conf_high")}


def quantiles(frame, r, conf_type):
    at_risk = table_of(frame, **PLACES)
    return survival_quantiles(at_risk, probs=(0.1, 0.3, 0.5), conf_level=0.9, conf_type=conf_type).table


def both_curves(frame, r, options, **columns):
    found = [at(curve(table_of(frame, **columns), **options).table, r["weeks"])
             for curve in (kaplan_meier, nelson_aalen)]
    return {**r, **columns_of(found[0]), "hazard": found[1]["estimate"],
            "hazard_error": found[1]["std_error"]}


def from_a_start(frame, r):
    options = {"start_weeks": float(r["start"][0])}
    return both_curves(frame, r, options, weight="pw", cluster="cluster")


def means(frame, r, **columns):
    table = restricted_mean(table_of(frame, **columns), horizon_weeks=max(r["weeks"])).table
    ratios = table[table["term"] == "restricted_mean_ratio"]
    return {**r, **columns_of(table), "ratio_high": ratios["conf_high"]}


def residual(frame, r):
    table = residual_time(table_of(frame, **PLACES), elapsed_weeks=r["elapsed"],
                          horizon_weeks=r["horizon"]).table
    kinds = table["term"].str.split("[").str[0]
    order = ("residual_survival", "residual_mean", "residual_survival_difference", "residual_mean_difference")
    table = pd.concat([table[kinds == kind] for kind in order])
    return {**r, **columns_of(table)}


def incidence(frame, r, conf_type="log", **columns):
    at_risk = table_of(frame, event="cause", strata="place", weight="pw", **columns)
    table = aalen_johansen(at_risk, conf_type=conf_type).table
    table = at(table, r["weeks"], ["survival", "1", "2", "3"])
    return {**r, **columns_of(table, "estimate", "std_error", "conf_low", "conf_high")}


def lost(frame, r):
    table = time_lost(table_of(frame, **PLACES, event="cause"), horizon_weeks=max(r["weeks"])).table
    causes = [f"time_lost[{cause}]" for cause in (1, 2, 3)]
    levels = ["restricted_mean", *causes]
    change = ["restricted_mean_difference", *(name.replace("[", "_difference[") for name in causes)]
    return {**r, **columns_of(pd.concat([table[table["term"] == term] for term in levels + change]))}


def log_ranks(frame, r, **weights):
    at_risk, scores = table_of(frame, strata="place", count="k"), [0, 1, 5, 7][:frame["place"].nunique()]
    causes = table_of(frame, strata="place", count="k", event="cause")
    within = frame["treated"]
    asked = [log_rank(at_risk, **weights), log_rank(at_risk, stratify=within, **weights),
             log_rank(at_risk, trend=scores, **weights),
             log_rank(at_risk, stratify=within, trend=scores, **weights),
             log_rank(causes, stratify=within, trend=scores, cause="2", **weights)]
    return {"estimate": [answer.table["estimate"][0] for answer in asked]}


def subdistribution(frame, r, ties, stratify):
    at_risk = table_of(frame, **COVARIATES, **PLACES)
    ask = partial(fine_gray, at_risk, cause="1", ties=ties, stratified=stratify)
    return {**columns_of(ask().table), "fixed_error": ask(errors="fixed_weights").table["std_error"]}


def profiles_of(frame):
    x = np.quantile(frame["x"], [0.2, 0.7], method="inverted_cdf")
    return pd.DataFrame({"x": x, "treated": [0, 1]}, index=["low", "high"])


def subdistribution_curve(frame, r, ties):
    at_risk = table_of(frame, **COVARIATES, **PLACES)
    fit = fine_gray(at_risk, cause="1", ties=ties)
    table = predict_incidence(fit, profiles_of(frame), weeks=r["weeks"], at_risk=at_risk).table
    return {**r, **columns_of(table[table["time_weeks"] > 0])}


def causes(frame, r, ties):
    fit = cause_specific(table_of(frame.query("place < 3"), **COVARIATES, **PLACES), ties=ties)
    return {"estimate": fit.model["estimates"], "covariance": fit.model["covariance"]}


def causes_curve(frame, r, ties):
    at_risk = table_of(frame.query("place < 3"), **COVARIATES, **PLACES)
    fit = cause_specific(at_risk, ties=ties)
    found = [predict_incidence(fit, profiles_of(frame).assign(strata=str(place)), weeks=r["weeks"],
                               at_risk=at_risk).table for place in range(3)]
    table = pd.concat([at(table[table["group"] == group], r["weeks"])
                       for table in found for group in pd.unique(table["group"])])
    return {**r, **columns_of(table)}


STRATIFIED = {"": [], "censoring": ["censoring"], "baseline": ["baseline"],
              "censoringbaseline": ["censoring", "baseline"]}
WEIGHTS = {"log_rank": {}, "fleming": {"rho": 0.5, "gamma": 1},
           **{name: {"weights": name} for name in ("gehan", "tarone_ware", "peto")}}
CAUSE = {"cause": "2"}
QUESTIONS = {
    **{f"{name}_{short}": partial(ask, conf_type=kind) for short, kind in TYPES.items()
       for name, ask in (("survival", survival), ("quantiles", quantiles), ("incidence", incidence))},
    "survival_robust": partial(both_curves, options={"robust": True}, strata="place"),
    "survival_cause": partial(both_curves, options=CAUSE, event="cause", count="k"),
    "survival_start": from_a_start,
    "mean_clustered": partial(means, **PLACES),
    "mean_plain": partial(means, strata="place"),
    "residual_conditional": residual,
    "incidence_clustered": partial(incidence, cluster="cluster"),
    "time_lost": lost,
    **{f"log_rank_{name}": partial(log_ranks, **options) for name, options in WEIGHTS.items()},
    **{f"fine_gray_{name}_{ties}": partial(subdistribution, ties=ties, stratify=stratify)
       for name, stratify in STRATIFIED.items() for ties in ("efron", "breslow")},
    **{f"{name}_{ties}": partial(ask, ties=ties) for ties in ("efron", "breslow")
       for name, ask in (("fine_gray_curve", subdistribution_curve), ("causes", causes),
                         ("causes_curve", causes_curve))},
}


@pytest.mark.parametrize("case", CASES)
def test_combined_options_equal_r(case):
    agree(CASES[case], QUESTIONS)


def test_every_question_is_asked():
    assert {case["question"] for case in CASES.values()} == set(QUESTIONS)
