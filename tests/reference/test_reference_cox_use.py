"""What is asked of Cox's model against R: changing effects, predictions, checks, residuals, concordance.

Estimates to 1e-6, errors, limits and tests to 1e-5, relative; the calls stand in
tests/reference/expected/cox_use.json, which tests/reference/r/cox_use.R writes.
"""

from contextlib import nullcontext

import numpy as np
import pandas as pd
import pytest
import reference_data
from reference_data import frame_of

from evalkit.atrisk import AtRisk
from evalkit.estimators import (
    concordance,
    cox,
    predict_survival,
    proportionality_test,
    residuals,
    standardised_contrasts,
    standardised_survival,
)

STORED = reference_data.expected("cox_use")
LUNG = {"exit": "week", "event": "status"}
VETERAN = {"exit": "time", "event": "status"}
HEART = {"entry": "start", "exit": "stop", "event": "event"}
WEEKLY = {"entry": "entry", "exit": "exit", "event": "event"}
PLACES = {**WEEKLY, "strata": "place", "weight": "pw"}
TIES = ("efron", "breslow")


def wanted(case):
    """Return the numbers of a case."""
    stored = STORED["cases"][case]
    return {key: np.array(value, dtype=float) for key, value in stored["values"].items()}


def table_of(case, columns, *covariates):
    return AtRisk.from_frame(frame_of(STORED["cases"][case]["input"]), **columns, covariates=covariates)


def close(actual, expected, tolerance=1e-6):
    np.testing.assert_allclose(np.asarray(actual, dtype=float), expected, rtol=tolerance, atol=1e-10)


def shift(weeks):
    return np.log(weeks + 20)


# Columns, covariates, the effects that change, and R's order of terms in ours.
VARYING = {
    "steps_veteran": (VETERAN, ("trt", "prior", "karno"), {"karno": (90, 180)}),
    "steps_weekly": ({**PLACES, "cluster": "cluster"}, ("x", "treated"), {"treated": (10, 26)}),
    "steps_count": ({**WEEKLY, "count": "k"}, ("x", "treated"), {"treated": (10, 26)}),
    "function_veteran": (VETERAN, ("trt", "prior", "karno"), {"karno": shift}),
    "function_weekly": (WEEKLY, ("x", "treated"), {"x": np.log, "treated": np.log}),
    "function_clustered": ({**PLACES, "cluster": "cluster"}, ("x", "treated"), {"x": np.log}),
}


@pytest.mark.parametrize("ties", TIES)
@pytest.mark.parametrize("case", VARYING)
def test_effects_that_change_equal_r(case, ties):
    columns, covariates, varying = VARYING[case]
    case = f"{case}_{ties}"
    fit, r = cox(table_of(case, columns, *covariates), ties=ties, varying=varying), wanted(case)
    close(fit.table["estimate"], r["estimate"])
    close(fit.table["std_error"], r["std_error"], 1e-5)
    assert fit.diagnostics["log_likelihood"] == pytest.approx(float(r["log_likelihood"][0]), rel=1e-11)


TWO = pd.DataFrame({"age": [50, 70], "sex": [1, 2], "ecog": [0, 2]})
PREDICTED = {
    **{f"predict_lung_{kind}": (LUNG, {}, TWO, [13, 26, 52, 104], {"conf_type": kind})
       for kind in ("log", "log-log", "plain")},
    "predict_lung_breslow": (LUNG, {"ties": "breslow"}, TWO, [13, 26, 52, 104], {"conf_level": 0.9}),
    "predict_heart": (HEART, {}, pd.DataFrame({"age": [-10, 5], "surgery": [0, 1]}), [10, 100, 500], {}),
    **{f"predict_weekly_{ties}": ({**PLACES, "cluster": "cluster"}, {"ties": ties},
                                  pd.DataFrame({"x": [0.5], "treated": [1]}), [5, 10, 30], {})
       for ties in TIES},
}


def expected_curve(table):
    """Leave out time 0, and order as R does: week by week within a stratum."""
    table = table[table["time_weeks"] > 0]
    return table if table["group"].str.contains(",").any() else table.sort_values(["group", "time_weeks"])


@pytest.mark.parametrize("case", PREDICTED)
def test_predicted_survival_equals_r(case):
    columns, options, profiles, weeks, asked = PREDICTED[case]
    fit, r = cox(table_of(case, columns, *profiles.columns), **options), wanted(case)
    with pytest.warns(UserWarning, match="too short") if "cluster" in columns else nullcontext():
        table = expected_curve(predict_survival(fit, profiles, weeks=weeks, **asked).table)
    close(table["estimate"], r["estimate"])
    for column in ("std_error", "conf_low", "conf_high"):
        close(table[column], r[column], 1e-5)
    by_rows = table_of(case, columns, *profiles.columns)
    hazard = predict_survival(fit, profiles, weeks=weeks, at_risk=by_rows, quantity="cumulative_hazard").table
    close(expected_curve(hazard)["estimate"], r["hazard"])


def test_predictions_with_an_offset_are_those_of_offset_zero():
    r = wanted("predict_offset")
    fit = cox(table_of("predict_offset", LUNG, "sex", "ecog"), offset=frame_of("lung")["age"] / 50)
    table = predict_survival(fit, pd.DataFrame({"sex": [1], "ecog": [1]}), weeks=[13, 26]).table
    close(table["estimate"][1:], r["estimate"])
    close(table["std_error"][1:], r["std_error"], 1e-5)


def test_predicted_hazard_of_an_effect_by_a_function_equals_its_delta_method_in_r():
    r = wanted("predict_function")
    fit = cox(table_of("predict_function", WEEKLY, "x", "treated"), ties="breslow", varying={"x": np.log})
    table = predict_survival(fit, pd.DataFrame({"x": [0.5], "treated": [1]}), weeks=40,
                             quantity="cumulative_hazard").table
    close(table["estimate"].iloc[-1], r["estimate"])
    # The derivative in R is numerical.
    close(table["std_error"].iloc[-1], r["std_error"], 1e-5)


def test_predicted_survival_of_an_effect_by_steps_equals_r():
    fit = cox(table_of("predict_steps", VETERAN, "trt", "prior", "karno"), varying={"karno": (90, 180)})
    profile = pd.DataFrame({"trt": [2], "prior": [0], "karno": [60]})
    close(predict_survival(fit, profile, weeks=[50, 100, 250]).table["estimate"][1:],
          wanted("predict_steps")["estimate"])


STANDARDISED = {
    "standardised_efron": (WEEKLY, "efron"), "standardised_breslow": (WEEKLY, "breslow"),
    "standardised_weighted": (PLACES, "efron"),
    "standardised_clustered": ({**PLACES, "cluster": "cluster"}, "efron"),
}


@pytest.mark.parametrize("case", STANDARDISED)
def test_standardised_contrasts_equal_the_jackknife_in_r(case):
    columns, ties = STANDARDISED[case]
    r, at_risk = wanted(case), table_of(case, columns, "x", "treated")
    table = standardised_contrasts(at_risk, exposure="treated", weeks=[10, 30], horizon_weeks=40,
                                   ties=ties).table
    close(table["estimate"], r["estimate"])
    close(table["std_error"], r["std_error"], 1e-5)
    curve = standardised_survival(at_risk, exposure="treated", weeks=[10, 30], ties=ties).table
    curve = curve[curve["time_weeks"] > 0]
    close(curve["estimate"], r["estimate"][[0, 1, 3, 4]])
    close(curve["std_error"], r["std_error"][[0, 1, 3, 4]], 1e-5)


def test_standardised_survival_without_ties_equals_risk_regression():
    r, frame = wanted("standardised_untied"), frame_of("weekly").query("entry == 0")
    frame = frame.assign(time=frame["exit"] + np.arange(1, len(frame) + 1) / 1000)
    at_risk = AtRisk.from_frame(frame, exit="time", event="event", covariates=["x", "treated"])
    table = standardised_contrasts(at_risk, exposure="treated", weeks=[10, 30]).table
    close(table["estimate"], r["estimate"])
    close(table["std_error"], r["std_error"], 1e-5)


PROPORTIONAL = {
    **{f"zph_veteran_{ties}": (VETERAN, ("trt", "celltype", "karno", "age"), {"ties": ties})
       for ties in TIES},
    **{f"zph_weekly_{ties}": (PLACES, ("x", "treated"), {"ties": ties}) for ties in TIES},
    "zph_heart": (HEART, ("age", "year", "surgery", "transplant"), {}),
    "zph_rotterdam": ({"exit": "dtime", "event": "death"}, ("age", "nodes", "er", "chemo", "hormon"), {}),
    "zph_cgd": ({"entry": "tstart", "exit": "tstop", "event": "status", "strata": "hospital"},
                ("treat", "sex", "age"), {}),
    "zph_steps": (VETERAN, ("trt", "prior", "karno"), {"varying": {"karno": (90,)}}),
    "zph_count": ({**WEEKLY, "count": "k"}, ("x", "treated"), {}),
}


@pytest.mark.parametrize("case", PROPORTIONAL)
def test_the_test_of_proportional_hazards_equals_r(case):
    columns, covariates, options = PROPORTIONAL[case]
    at_risk, r = table_of(case, columns, *covariates), wanted(case)
    for transform in ("km", "rank", "identity", "log"):
        table = proportionality_test(at_risk, transform=transform, **options).table.set_index("term")
        terms = [*cox(at_risk, **options).model["terms"], "global"]
        close(table.loc[terms, "estimate"], r[transform], 1e-5)
    table = proportionality_test(at_risk, **options).table.set_index("term")
    close(table.loc[terms, "p_value"], r["p_value"], 1e-5)
    whole = [name if name in table.index else at_risk.terms[k] for k, name in enumerate(covariates)]
    if case.startswith("zph_veteran"):
        close(table.loc[[*whole, "global"], "estimate"], r["whole"], 1e-5)


def test_the_test_of_proportional_hazards_with_an_offset_equals_r():
    at_risk = table_of("zph_offset", LUNG, "sex", "ecog")
    table = proportionality_test(at_risk, offset=frame_of("lung")["age"] / 50).table
    close(table["estimate"], wanted("zph_offset")["km"], 1e-5)


RESIDUALS = {
    **{f"residuals_heart_{ties}": (HEART, ("age", "surgery", "transplant"), {"ties": ties}) for ties in TIES},
    **{f"residuals_weekly_{ties}": (PLACES, ("x", "treated"), {"ties": ties}) for ties in TIES},
    "residuals_offset": (LUNG, ("sex", "ecog"), {}),
}


@pytest.mark.parametrize("case", RESIDUALS)
def test_residuals_equal_r(case):
    columns, covariates, options = RESIDUALS[case]
    at_risk, r = table_of(case, columns, *covariates), wanted(case)
    if case == "residuals_offset":
        options = {"offset": frame_of("lung")["age"] / 50}
    for kind in ("martingale", "deviance", "score", "dfbeta"):
        found = residuals(at_risk, kind=kind, **options)[::13]
        np.testing.assert_allclose(found.ravel(), r[kind], rtol=1e-6, atol=1e-9)
    for kind in ("schoenfeld", "scaled_schoenfeld"):
        found = residuals(at_risk, kind=kind, **options)[:, 0]
        assert (np.isnan(found) == (at_risk.event == 0)).all()
        np.testing.assert_allclose(np.sort(found[~np.isnan(found)]), r[kind], rtol=1e-6, atol=1e-8)


CONCORDANCE = {
    "concordance_lung": (LUNG, ("age", "sex", "ecog")),
    "concordance_rotterdam": ({"exit": "dtime", "event": "death"}, ("age", "nodes", "er", "chemo", "hormon")),
    "concordance_heart": (HEART, ("age", "surgery", "transplant")),
    "concordance_ties": ({"exit": "week", "event": "status"}, ("trt", "prior")),
    "concordance_weekly": (PLACES, ("x", "treated")),
    "concordance_clustered": ({**PLACES, "cluster": "cluster"}, ("x", "treated")),
    "concordance_count": ({**WEEKLY, "count": "k"}, ("x", "treated")),
    "concordance_bladder2": ({"entry": "start", "exit": "stop", "event": "event", "cluster": "id"},
                             ("rx", "number", "size")),
}


@pytest.mark.parametrize("case", [*CONCORDANCE, "concordance_score"])
def test_concordance_equals_r(case):
    columns, covariates = CONCORDANCE.get(case, (LUNG, ()))
    score = frame_of("lung")["age"] if case == "concordance_score" else None
    answer, r = concordance(table_of(case, columns, *covariates), score=score), wanted(case)
    close(answer.table["estimate"], r["estimate"])
    close(answer.table["std_error"], r["std_error"], 1e-5)
    close([answer.diagnostics[kind] for kind in ("concordant", "discordant", "tied")], r["pairs"])
