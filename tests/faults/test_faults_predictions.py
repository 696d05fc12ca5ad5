"""What every prediction from a model is asked, and what each refuses in the same words."""

import inspect

import numpy as np
import pandas as pd
import pytest

import evalkit.estimators
from evalkit import estimators
from evalkit.atrisk import AtRisk
from evalkit.errors import EstimationError

FAR = (1e3, 1e6, -1e6)
FITS = {
    "cox": lambda table: estimators.cox(table),
    "cox by steps": lambda table: estimators.cox(table, varying={"x": (9,)}),
    "cox by a function": lambda table: estimators.cox(table, varying={"x": np.log}),
    "cause_specific": lambda table: estimators.cause_specific(table),
    "fine_gray": lambda table: estimators.fine_gray(table, cause="JOB"),
    "discrete_hazard": lambda table: estimators.discrete_hazard(table, duration=None),
    "piecewise_exponential": lambda table: estimators.piecewise_exponential(table, breaks=[5]),
    "parametric": lambda table: estimators.parametric(table, start="moments"),
    "royston_parmar": lambda table: estimators.royston_parmar(table, start="moments"),
    "mixture_cure": lambda table: estimators.mixture_cure(table, start="moments", incidence=["x"]),
}
PARAMETRIC = ("parametric", "royston_parmar", "mixture_cure")
FROM = {
    "predict_survival": ("cox", "cox by steps", "cox by a function"),
    "predict_incidence": ("cause_specific", "fine_gray"),
    "predict_hazard": ("discrete_hazard", "piecewise_exponential"),
    "predict_parametric": PARAMETRIC,
    "parametric_quantiles": PARAMETRIC,
    "parametric_mean": PARAMETRIC,
    "cured_share": ("mixture_cure",),
}
OPTIONS = {"parametric_mean": {"horizon_weeks": 20}}
PAIRS = [(name, fit) for name, fits in FROM.items() for fit in fits]


def table(unit=1.0, centre=0.0):
    rng = np.random.default_rng(4)
    x = rng.normal(size=400)
    stay = np.ceil(rng.exponential(6 * np.exp(-0.3 * x)))
    # A third never leave.
    stay[rng.uniform(size=400) < 1 / (1 + np.exp(0.7 + 0.4 * x))] = 60
    frame = pd.DataFrame({"stay": np.minimum(stay, 40), "x": centre + unit * x,
                          "event": np.where(stay < 40, rng.integers(1, 3, 400), 0)})
    return AtRisk.from_frame(frame, exit="stay", event="event", causes=["JOB", "STUDY"], covariates=["x"])


@pytest.fixture(scope="module")
def fits():
    return {name: fit(table()) for name, fit in FITS.items()}


def predict(name, fit, x):
    profiles = pd.DataFrame({"x": np.atleast_1d(x)})
    return getattr(estimators, name)(fit, profiles, **OPTIONS.get(name, {}))


def test_every_prediction_is_asked():
    found = {name: getattr(evalkit.estimators, name) for name in evalkit.estimators.__all__}
    named = {name for name, value in found.items() if inspect.isfunction(value)
             and "profiles" in inspect.signature(value).parameters}
    assert named == set(FROM)


@pytest.mark.parametrize("far", FAR)
@pytest.mark.parametrize(("name", "fit"), PAIRS)
def test_profiles_far_from_the_data_are_refused(name, fit, far, fits):
    with pytest.raises(EstimationError, match=rf"^{name}: profiles: 1 of 2 lie farther .* by x; .* units"):
        predict(name, fits[fit], [0.0, far])


@pytest.mark.parametrize(("name", "fit"), PAIRS)
def test_profiles_at_the_edge_of_the_data_are_answered(name, fit, fits):
    low, high = fits[fit].model["covariate_range"][:, 0]
    answer = predict(name, fits[fit], [low, high, high + 0.9 * (high - low)]).table
    assert np.isfinite(answer["estimate"]).all() or name == "parametric_quantiles"
    with pytest.raises(EstimationError, match="2 of 3 lie farther"):
        predict(name, fits[fit], [high + 1.1 * (high - low), low, low - 1.1 * (high - low)])


@pytest.mark.parametrize("name", sorted(FROM))
def test_covariates_may_be_far_from_zero(name):
    fit = FROM[name][0]
    near, moved = (predict(name, FITS[fit](table(centre=centre)), centre + 1) for centre in (0, 2e4))
    np.testing.assert_allclose(moved.table["estimate"], near.table["estimate"], rtol=1e-5)


@pytest.mark.parametrize("name", sorted(FROM))
def test_an_effect_so_steep_that_the_hazard_is_no_number_is_refused(name, fits):
    fit = fits[FROM[name][0]]
    estimates = np.array(fit.model["estimates"]) * 1e4
    steep = type(fit)(kind=fit.kind, estimand=fit.estimand, table=fit.table, provenance=fit.provenance,
                      model={**fit.model, "estimates": estimates}, diagnostics=fit.diagnostics)
    with pytest.raises(EstimationError, match="or have a hazard of 0 or infinity, by x"):
        predict(name, steep, 2.0)


@pytest.mark.parametrize("name", sorted(FROM))
def test_a_result_of_another_model_is_refused(name, fits):
    for other in set(FITS) - set(FROM[name]):
        with pytest.raises(EstimationError, match=rf"^{name}: .*; (give|use) "):
            predict(name, fits[other], 0.0)


@pytest.mark.parametrize("ask", [estimators.standardised_survival, estimators.standardised_contrasts])
def test_made_exposures_far_from_the_data_are_refused(ask):
    at_risk = table()
    far = {"as they are": at_risk.covariates, "treated": at_risk.covariates + 1e3}
    with pytest.raises(EstimationError,
                       match=rf"^{ask.__name__}: exposure treated: 400 of 400 lie farther .* by x"):
        ask(at_risk, exposure=far, weeks=[3])
