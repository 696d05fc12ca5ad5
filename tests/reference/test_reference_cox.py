"""Offsets, penalties and shared frailty against R: 1e-6 for estimates and 1e-5 for errors where convex.

R's search for the frailty variance, and coxphf's for limits, stop at a tolerance: there the log likelihood
reached is at least R's and numbers agree to 1e-4. The expected file holds every call, the versions and the
inputs' hashes (tests/reference/r/cox.R).
"""

import numpy as np
import pytest
import reference_data

from evalkit.atrisk import AtRisk
from evalkit.estimators import cox, shared_frailty

EXPECTED = reference_data.expected("cox")

LUNG = {"exit": "week", "event": "status", "covariates": ["age", "sex", "ecog"]}
WEEKLY = {"entry": "entry", "exit": "exit", "event": "event", "covariates": ["x", "treated"]}
SEPARATED = {"entry": "entry", "exit": "exit", "event": "event", "covariates": ["course", "age"]}
KIDNEY = {"exit": "time", "event": "status", "covariates": ["age", "sex"], "cluster": "id"}
SHARED = {"entry": "start", "exit": "stop", "event": "event", "person": "id", "cluster": "town"}

CONVEX = {
    f"{name}_{ties}": (*rest, {"ties": ties, **options})
    for ties in ("efron", "breslow")
    for name, (*rest, options) in {
        "offset": ("weekly", {**WEEKLY, "strata": "place"}, {"offset": "z"}),
        "offset_weighted": ("weekly", {**WEEKLY, "weight": "pw", "cluster": "cluster"}, {"offset": "z"}),
        "ridge": ("lung", LUNG, {"ridge": 10}),
    }.items()
} | {
    "ridge_unscaled": ("lung", LUNG, {"ridge": 10, "ridge_scale": False}),
    "ridge_some": ("weekly", {**WEEKLY, "strata": "place"}, {"ridge": {"x": 40}}),
    "ridge_clustered": ("lung", {**LUNG, "cluster": "inst"}, {"ridge": 10}),
}
FIRTH = {
    "firth_separated": ("separated", SEPARATED),
    "firth_lung": ("lung", LUNG),
    "firth_one": ("separated", {**SEPARATED, "covariates": ["course"]}),
}
FRAILTY = {
    f"frailty_{name}_{ties}": (frame, columns, {"ties": ties})
    for ties in ("efron", "breslow")
    for name, frame, columns in (
        ("kidney", "kidney", KIDNEY),
        ("shared", "shared", {**SHARED, "covariates": ["x", "arm", "later"]}),
    )
} | {
    "frailty_strata": ("shared", {**SHARED, "covariates": ["x", "arm"], "strata": "place"}, {}),
    "frailty_alone": ("shared", {**SHARED, "covariates": ()}, {}),
    "frailty_lung": ("lung", {**LUNG, "cluster": "inst"}, {}),
}


def frame_of(name):
    frame = reference_data.frame_of(name)
    return frame.assign(z=(frame["id"] % 5) / 4) if name == "weekly" else frame


def worst(found, wanted):
    """Return the worst relative difference."""
    return np.max(np.abs(np.asarray(found) / np.asarray(wanted) - 1))


@pytest.mark.parametrize("case", CONVEX)
def test_offsets_and_ridges_equal_coxph(case):
    name, columns, options = CONVEX[case]
    frame, wanted = frame_of(name), EXPECTED["cases"][case]
    options = {key: frame[value] if key == "offset" else value for key, value in options.items()}
    fit = cox(AtRisk.from_frame(frame, **columns), **options)
    assert worst(fit.table["estimate"], wanted["estimate"]) < 1e-6
    assert worst(fit.table["std_error"], wanted["std_error"]) < 1e-5
    assert worst(np.sqrt(np.diag(fit.model["covariance_naive"])), wanted["naive_error"]) < 1e-5
    # R adds up degrees of freedom by term of the formula; evalkit's are the trace over all terms (Gray 1992).
    keys = ("log_likelihood", "log_likelihood_null", *(() if case == "ridge_some" else ("df",)))
    for key in keys:
        assert fit.diagnostics[key] == pytest.approx(wanted[key], rel=1e-6), key


@pytest.mark.parametrize("case", FIRTH)
def test_firth_equals_coxphf(case):
    name, columns = FIRTH[case]
    wanted = EXPECTED["cases"][case]
    fit = cox(AtRisk.from_frame(frame_of(name), **columns), firth=True, ties="breslow")
    assert worst(fit.table["estimate"], wanted["estimate"]) < 1e-6
    assert worst(fit.table["std_error"], wanted["std_error"]) < 1e-5
    assert fit.diagnostics["likelihood_ratio_chi_square"] == pytest.approx(
        wanted["penalised_ratio"], rel=1e-6
    )
    # coxphf stops its searches for limits early.
    for column in ("conf_low", "conf_high", "p_value"):
        assert worst(fit.table[column], np.atleast_1d(wanted[column])) < 1e-4, column


@pytest.mark.parametrize("case", FRAILTY)
def test_shared_frailty_reaches_at_least_the_likelihood_of_coxph(case):
    name, columns, options = FRAILTY[case]
    wanted = EXPECTED["cases"][case]
    fit = shared_frailty(AtRisk.from_frame(frame_of(name), **columns), **options)
    terms = fit.table.iloc[:-1]
    assert len(terms) == len(wanted["estimate"])
    assert fit.diagnostics["log_likelihood"] >= wanted["log_likelihood"] - 1e-9
    assert fit.diagnostics["log_likelihood_null"] == pytest.approx(wanted["log_likelihood_null"], rel=1e-9)
    for column in ("estimate", "std_error") if len(terms) else ():
        assert worst(terms[column], wanted[column]) < 1e-4, column
    assert fit.diagnostics["frailty_variance"] == pytest.approx(wanted["variance"], rel=1e-3, abs=1e-5)


def test_every_expected_case_is_used():
    assert set(EXPECTED["cases"]) == {*CONVEX, *FIRTH, *FRAILTY}
