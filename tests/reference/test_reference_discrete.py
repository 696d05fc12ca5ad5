"""Hazards on cells against R's glm on laid-out person-weeks: 1e-6 for estimates, 1e-5 for errors.

The expected file names the call, the versions and the inputs' hashes (tests/reference/r/discrete.R).
"""

import numpy as np
import pytest
import reference_data
from reference_data import frame_of

from evalkit.atrisk import AtRisk
from evalkit.estimators import discrete_hazard, piecewise_exponential
from evalkit.estimators.discrete.splines import restricted_cubic
from evalkit.estimators.resample import limits

EXPECTED = reference_data.expected("discrete")

LUNG = {"exit": "week", "event": "status", "covariates": ["age", "sex", "ecog"]}
DAYS = {**LUNG, "exit": "time"}
VETERAN = {"exit": "week", "event": "status", "covariates": ["karno", "age"]}
WEEKLY = {
    "entry": "entry",
    "exit": "exit",
    "event": "event",
    "calendar": "start",
    "covariates": ["x", "treated"],
}
ROTTERDAM = {"exit": "month", "event": "death", "covariates": ["age", "nodes", "er", "chemo"]}
CLUSTERED, ROBUST = {"weight": "pw", "cluster": "cluster"}, {"weight": "pw", "person": "id"}
SPLINE, STEPS = {"knots": [2, 10, 25, 60]}, {"breaks": [13, 26]}

EITHER = {
    "lung_week": ("lung", LUNG, {"duration": "week"}),
    "lung_steps": ("lung", LUNG, {"duration": {"breaks": [8, 26, 52]}}),
    "lung_constant": ("lung", LUNG, {"duration": None}),
    "year_month": (
        "short",
        WEEKLY,
        {"duration": {"knots": [2, 10, 25, 45]}, "calendar": "year", "season": "month"},
    ),
    "quarter_waves": (
        "short",
        WEEKLY,
        {"duration": STEPS, "calendar": "quarter", "season": {"harmonics": 2}},
    ),
    "weekly_clustered": ("weekly", {**WEEKLY, **CLUSTERED}, {"duration": SPLINE}),
    "weekly_robust": ("weekly", {**WEEKLY, **ROBUST}, {"duration": STEPS}),
}
HAZARDS = {
    f"{name}_{link}": (*rest, link) for name, rest in EITHER.items() for link in ("cloglog", "logit")
} | {
    "veteran_knots": ("veteran", VETERAN, {"duration": {"knots": [1, 5, 15, 40]}}, "cloglog"),
    "veteran_placed": ("veteran", VETERAN, {"duration": {"knots": 5}}, "logit"),
    "weekly_count": ("weekly", {**WEEKLY, "count": "k"}, {"duration": SPLINE}, "cloglog"),
    "weekly_cause": ("weekly", {**WEEKLY, "event": "cause"}, {"duration": STEPS, "cause": "1"}, "cloglog"),
    "weekly_strata": ("weekly", {**WEEKLY, "strata": "place"}, {"duration": STEPS}, "cloglog"),
    "rotterdam_knots": ("rotterdam", ROTTERDAM, {"duration": {"knots": [10, 30, 60, 120]}}, "cloglog"),
}
RATES = {
    "lung_rates": ("lung", {**DAYS, "covariates": []}, EXPECTED["breaks"]),
    "lung_rate_ratios": ("lung", DAYS, EXPECTED["breaks"]),
    "weekly_rate_ratios": ("weekly", WEEKLY, [13, 26]),
    "weekly_rates_clustered": ("weekly", {**WEEKLY, **CLUSTERED}, [13, 26]),
    "weekly_rates_robust": ("weekly", {**WEEKLY, **ROBUST}, [13, 26]),
}


def at_risk(name, columns):
    frame = frame_of("weekly" if name == "short" else name)
    if name in ("weekly", "short"):
        frame = frame.assign(start=1400 + 3 * (frame["id"] % 50))
    if name == "short":
        frame = frame[frame["exit"] <= 52]
    if name == "rotterdam":
        frame = frame.assign(month=np.ceil(frame["dtime"] / 30))
    return AtRisk.from_frame(frame, **columns)


def agree(model, expected, terms):
    error = np.sqrt(np.diag(model["covariance"]))
    order = [terms.index(term) for term in expected["term"]]
    assert len(order) == len(terms)
    np.testing.assert_allclose(model["estimates"][order], expected["estimate"], rtol=1e-6)
    np.testing.assert_allclose(error[order], expected["std_error"], rtol=1e-5)


def test_every_case_is_asked():
    assert set(EXPECTED["cases"]) == set(HAZARDS) | set(RATES) | {"lung_pyears", "basis", "boot_ci"}


@pytest.mark.parametrize("name", HAZARDS)
def test_hazards_equal_glm_on_person_weeks(name):
    data, columns, options, link = HAZARDS[name]
    expected = EXPECTED["cases"][name]
    fit = discrete_hazard(at_risk(data, columns), link=link, **options)
    agree(fit.model, expected, list(fit.model["terms"]))
    np.testing.assert_allclose(fit.diagnostics["log_likelihood"], expected["log_likelihood"], rtol=1e-10)


@pytest.mark.parametrize("name", RATES)
def test_rates_equal_poisson_regression_on_split_rows(name):
    data, columns, breaks = RATES[name]
    expected, rows = EXPECTED["cases"][name], at_risk(data, columns)
    fit = piecewise_exponential(rows, breaks=breaks)
    terms = [*rows.terms, *(f"rate{k + 1}" for k in range(len(breaks) + 1))]
    agree(fit.model, expected, terms)
    np.testing.assert_allclose(fit.diagnostics["log_likelihood"], expected["log_likelihood"], rtol=1e-10)
    rates = fit.table[fit.table["term"] == "rate"]
    log_rate = [
        value for term, value in zip(expected["term"], expected["estimate"], strict=True) if "rate" in term
    ]
    np.testing.assert_allclose(rates["estimate"], np.exp(log_rate), rtol=1e-6)


def test_rates_equal_pyears():
    expected = EXPECTED["cases"]["lung_pyears"]
    fit = piecewise_exponential(at_risk("lung", {**DAYS, "covariates": []}), breaks=EXPECTED["breaks"])
    assert fit.table["n_events"].tolist() == expected["events"]
    np.testing.assert_allclose(
        fit.table["estimate"], np.divide(expected["events"], expected["weeks"]), rtol=1e-12
    )


def test_the_spline_basis_equals_hmisc():
    expected = EXPECTED["cases"]["basis"]
    value = restricted_cubic(expected["x"], expected["knots"])
    np.testing.assert_allclose(value.ravel(order="F"), expected["value"], rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("conf_type", ["percentile", "basic", "normal"])
def test_limits_equal_boot_ci_on_the_same_replications(conf_type):
    expected = EXPECTED["cases"]["boot_ci"]
    _, low, high = limits(expected["t0"], np.array(expected["t"]), 0.9, conf_type)
    np.testing.assert_allclose([low, high], expected[conf_type], rtol=1e-10)
