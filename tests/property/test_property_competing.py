"""What holds for regressions of competing exits on all inputs; the shared invariants ask the rest."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import oracle
from evalkit.atrisk import AtRisk
from evalkit.errors import EstimationError
from evalkit.estimators import aalen_johansen, cause_specific, fine_gray, predict_incidence, time_lost
from evalkit.estimators.competing.subdistribution import design, evaluate

SOME = settings(max_examples=15, deadline=None, derandomize=True,
                suppress_health_check=[HealthCheck.too_slow])
PROFILE = pd.DataFrame({"x": [0.4]}, index=["one"])


@st.composite
def tables(draw):
    """Weekly rows with ties, late entry, two causes, places and weights."""
    n = draw(st.integers(12, 30))

    def column(low, high):
        return np.array(draw(st.lists(st.integers(low, high), min_size=n, max_size=n)))

    entry = column(0, 3) * (column(0, 2) == 0)
    frame = pd.DataFrame({"person": np.arange(n), "entry": entry, "exit": entry + column(1, 8),
                          "x": column(-2, 2) / 2, "event": column(0, 2), "place": column(0, 3),
                          "weight": column(1, 5) / 2})
    return AtRisk.from_frame(frame, entry="entry", exit="exit", event="event", person="person",
                             weight="weight", strata="place", covariates=["x"], causes=["JOB", "STUDY"])


def fitted(estimator, at_risk, **options):
    """Return the result, or None where the data have no answer."""
    try:
        return estimator(at_risk, **options)
    except EstimationError:
        return None


def by_persons(at_risk, estimate):
    """Square and sum the derivatives by each person's weight."""
    base = at_risk.weight

    def moved(table):
        return estimate(replace(table, weight=base * table.weight))
    return oracle.moved_weight_error(at_risk, moved, at_risk.person)


@SOME
@given(at_risk=tables(), ties=st.sampled_from(["efron", "breslow"]),
       stratify=st.sampled_from([(), ("baseline",), ("censoring",), ("baseline", "censoring")]))
def test_the_error_of_fine_gray_is_the_derivative_by_weights(at_risk, stratify, ties):
    options = {"cause": "JOB", "stratified": stratify, "ties": ties}
    fit = fitted(fine_gray, at_risk, **options)
    if fit is None or abs(fit.table["estimate"][0]) > 5:
        return
    error = by_persons(at_risk, lambda table: fine_gray(table, **options).model["estimates"][0])
    np.testing.assert_allclose(fit.table["std_error"][0], error, rtol=1e-3, atol=1e-6)


@pytest.mark.filterwarnings("ignore:predict_incidence. the fit has clusters")
@SOME
@given(at_risk=tables(), week=st.integers(2, 5))
def test_errors_of_predictions_are_derivatives_by_weights(at_risk, week):
    at_risk = replace(at_risk, strata=None, strata_labels=())
    for estimator, options in ((cause_specific, {}), (fine_gray, {"cause": "JOB"})):
        fit = fitted(estimator, at_risk, **options)
        if fit is None or np.abs(fit.model["estimates"]).max() > 5:
            continue
        table = predict_incidence(fit, PROFILE, weeks=week, at_risk=at_risk).table

        def incidence(weighted, estimator=estimator, options=options):
            fit = estimator(weighted, **options)
            return predict_incidence(fit, PROFILE, weeks=week, at_risk=weighted).table["estimate"].iloc[-1]
        error = by_persons(at_risk, incidence)
        np.testing.assert_allclose(table["std_error"].iloc[-1], error, rtol=1e-3, atol=1e-6)


@SOME
@given(at_risk=tables())
def test_errors_of_weeks_lost_are_derivatives_by_weights(at_risk):
    at_risk = replace(at_risk, strata=at_risk.strata % 2, strata_labels=("0", "1"))
    answer = fitted(time_lost, at_risk, horizon_weeks=3.5)
    if answer is None or (np.bincount(at_risk.strata, minlength=2) == 0).any():
        return
    for k in (1, len(answer.table) - 1):
        def weeks(table, k=k):
            return time_lost(table, horizon_weeks=3.5).table["estimate"][k]
        error = by_persons(at_risk, weeks)
        np.testing.assert_allclose(answer.table["std_error"][k], error, rtol=1e-4, atol=1e-7)


@SOME
@given(at_risk=tables())
def test_the_product_of_subdistribution_hazards_is_aalen_and_johansen(at_risk):
    """Geskus 2011: without covariates the weights give back the incidence, late entry included."""
    shares = fitted(aalen_johansen, replace(at_risk, covariates=at_risk.covariates * 0))
    if shares is None or not (at_risk.event == 1).any():
        return
    plan, _, _ = design(at_risk, 1, "breslow")
    at = evaluate(plan, np.zeros(1))
    for code, label in enumerate(at_risk.strata_labels):
        mine = plan.stratum == code
        product = 1 - np.cumprod(1 - at.hazard[mine] * np.exp(-at.shift[plan.stratum[mine]]))
        curve = shares.table[(shares.table["term"] == "JOB") & (shares.table["group"] == label)]
        known = curve.set_index("time_weeks")["estimate"].reindex(plan.time[mine])
        np.testing.assert_allclose(product, known, rtol=1e-9, atol=1e-12)
