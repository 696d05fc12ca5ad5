"""Derivatives of the parametric families, and identities between them."""

import numpy as np
import pandas as pd
import pytest
from scipy import special, stats
from scipy.integrate import quad

from evalkit import estimators
from evalkit.atrisk import AtRisk
from evalkit.estimators.parametric.cure import Cure
from evalkit.estimators.parametric.families import Transformation
from evalkit.estimators.parametric.gamma import GeneralisedGamma, log_density, log_survival
from evalkit.estimators.parametric.gompertz import Gompertz
from evalkit.estimators.parametric.likelihood import evaluate, sample, scores

KNOTS = (-1.0, 0.2, 0.9, 1.5)
FAMILIES = {
    "exponential": (Transformation(error="extreme_value", n_shapes=0), []),
    "weibull": (Transformation(error="extreme_value"), [1.3]),
    "lognormal": (Transformation(error="normal"), [0.8]),
    "loglogistic": (Transformation(error="logistic"), [1.7]),
    "spline": (Transformation(error="extreme_value", knots=KNOTS, n_shapes=3), [1.1, 0.1, -0.05]),
    "gompertz": (Gompertz(), [0.3]),
    "gompertz_falling": (Gompertz(), [-0.4]),
    "gompertz_flat": (Gompertz(), [1e-9]),
    "gamma": (GeneralisedGamma(), [1.2, 0.7]),
    "gamma_negative": (GeneralisedGamma(), [1.2, -0.6]),
    "gamma_near_lognormal": (GeneralisedGamma(), [1.2, 0.003]),
    "gamma_at_lognormal": (GeneralisedGamma(), [1.2, 0.0]),
    "cure": (Cure(latency=Transformation(error="extreme_value")), [1.3]),
    "cure_lognormal": (Cure(latency=Transformation(error="normal")), [0.9]),
}


def problem(name, seed=5):
    family, shape = FAMILIES[name]
    rng = np.random.default_rng(seed)
    n, n_predictors = 60, 2 if name.startswith("cure") else 1
    entry = np.where(rng.uniform(size=n) < 0.5, rng.uniform(0.05, 0.5, n), 0)
    with np.errstate(divide="ignore"):
        moments = np.log(entry), np.log(entry + rng.exponential(1.5, n))
    designs = tuple(np.column_stack([np.ones(n), rng.normal(size=n)]) for _ in range(n_predictors))
    data = sample(family, designs, rng.uniform(0.5, 2, n), *moments, rng.uniform(size=n) < 0.6)
    return family, data, np.concatenate([rng.normal(0, 0.3, 2 * n_predictors), shape])


@pytest.mark.parametrize("name", FAMILIES)
def test_gradient_and_information_are_the_derivatives(name):
    family, data, theta = problem(name)
    here, step = evaluate(family, data, theta), 1e-5
    for k, move in enumerate(np.eye(len(theta)) * step):
        high, low = evaluate(family, data, theta + move), evaluate(family, data, theta - move)
        assert here.gradient[k] == pytest.approx((high.value - low.value) / (2 * step), rel=1e-6, abs=1e-5)
        bend = (high.gradient - low.gradient) / (2 * step)
        np.testing.assert_allclose(-here.information[k], bend, rtol=1e-6, atol=2e-5)
    total = data.weight @ scores(family, data, theta)
    np.testing.assert_allclose(total, here.gradient, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("q", [2.0, 1.0, 0.4, 0.02, -0.02, -0.4, -2.0])
def test_generalised_gamma_equals_the_gamma_distribution_of_scipy(q):
    z = np.linspace(-3, 3, 13)
    gamma = stats.gamma(q**-2)
    x = q**-2 * np.exp(q * z)
    survival, density = gamma.logsf(x) if q > 0 else gamma.logcdf(x), gamma.logpdf(x) + np.log(x * abs(q))
    np.testing.assert_allclose(log_survival(z, q)[0], survival, rtol=1e-9, atol=1e-15)
    np.testing.assert_allclose(log_density(z, q)[0], density, rtol=1e-8, atol=1e-9)


def test_generalised_gamma_runs_through_the_lognormal():
    z = np.linspace(-4, 4, 9)
    for function in (log_survival, log_density):
        middle, *sides = (function(z, q)[0] for q in (0.0, 1e-3, -1e-3))
        np.testing.assert_allclose(np.mean(sides, axis=0), middle, atol=1e-4)


def test_far_tails_of_the_generalised_gamma_stay_finite():
    for q, z in ((1.0, 8.0), (0.5, 14.0), (-0.5, 400.0)):
        value, slope, bend = log_survival(np.array([z - 0.01, z, z + 0.01]), q)
        assert np.isfinite([value, slope, bend]).all() and value[1] < -600
        assert slope[1] == pytest.approx((value[2] - value[0]) / 0.02, rel=1e-3)


def table(frame, **columns):
    return AtRisk.from_frame(frame, entry="entry", exit="exit", event="event", covariates=["x"], **columns)


def rows(n=400, seed=9):
    rng = np.random.default_rng(seed)
    x = rng.integers(0, 3, n)
    stay = np.ceil(rng.weibull(1.3, n) * 15 * np.exp(0.3 * x))
    frame = pd.DataFrame({"exit": np.minimum(stay, 40), "event": (stay <= 40).astype(int), "x": x})
    frame["entry"] = rng.integers(0, 5, n) * rng.integers(0, 2, n)
    return frame[frame["exit"] > frame["entry"]]


def test_one_distribution_is_another_where_they_meet():
    at_risk = table(rows())
    for scale, name in (("hazard", "weibull"), ("odds", "loglogistic"), ("normal", "lognormal")):
        straight = estimators.royston_parmar(at_risk, df=1, scale=scale)
        aft = estimators.parametric(at_risk, distribution=name)
        values = [fit.diagnostics["log_likelihood"] for fit in (straight, aft)]
        assert values[0] == pytest.approx(values[1], abs=1e-8)
        steep = np.exp(-aft.row("log(scale)").estimate)
        assert straight.row("x").estimate == pytest.approx(-aft.row("x").estimate * steep, rel=1e-7)


def test_the_exponential_is_events_per_week_by_group():
    frame = rows().assign(x=lambda d: (d["x"] > 0).astype(int))
    fit = estimators.parametric(table(frame), distribution="exponential")
    rate = frame.groupby("x")["event"].sum() / (frame["exit"] - frame["entry"]).groupby(frame["x"]).sum()
    assert np.exp(-fit.row("(Intercept)").estimate) == pytest.approx(rate[0], rel=1e-10)
    assert np.exp(-fit.row("x").estimate) == pytest.approx(rate[1] / rate[0], rel=1e-10)
    error = np.sqrt((1 / frame.groupby("x")["event"].sum()).sum())
    assert fit.row("x").std_error == pytest.approx(error, rel=1e-8)


@pytest.mark.parametrize("name", ["weibull", "lognormal", "generalised_gamma"])
def test_lifelines_and_moments_start_the_same_fit(name):
    first, second = (estimators.parametric(table(rows()), distribution=name, start=start)
                     for start in ("lifelines", "moments"))
    np.testing.assert_allclose(first.table["estimate"], second.table["estimate"], rtol=1e-7)
    assert first.diagnostics["start"].startswith("lifelines") and second.diagnostics["start"] == "moments"


def test_means_are_closed_forms():
    profile, at_risk = pd.DataFrame({"x": [1]}), table(rows())
    for name, form in (("weibull", lambda b, s: np.exp(b) * special.gamma(1 + s)),
                       ("lognormal", lambda b, s: np.exp(b + s**2 / 2)),
                       ("loglogistic", lambda b, s: np.exp(b) * np.pi * s / np.sin(np.pi * s))):
        fit = estimators.parametric(at_risk, distribution=name)
        b = fit.row("(Intercept)").estimate + fit.row("x").estimate
        mean = estimators.parametric_mean(fit, profile).table["estimate"][0]
        assert mean == pytest.approx(form(b, np.exp(fit.row("log(scale)").estimate)), rel=1e-9)


def test_a_mean_is_the_area_under_the_predicted_curve_and_tells_what_lies_beyond():
    fit = estimators.royston_parmar(table(rows()), df=3)
    profile = pd.DataFrame({"x": [1]})

    def survival(week):
        return estimators.predict_parametric(fit, profile, weeks=week).table["estimate"][0]

    answer = estimators.parametric_mean(fit, profile)
    # The derivative bends at the knots: the area is taken between them.
    edges = [0, *np.exp(fit.model["knots"]), 40.0001, 300]
    pairs = zip(edges[:-1], edges[1:], strict=True)
    parts = [quad(survival, *pair, limit=100, epsrel=1e-8)[0] for pair in pairs]
    assert answer.table["estimate"][0] == pytest.approx(sum(parts), rel=1e-6)
    assert answer.table["estimate"][1] == pytest.approx(parts[-1] / sum(parts), rel=1e-4)
    assert answer.diagnostics == {"share_beyond": answer.table["estimate"][1], "last_observed_weeks": 40.0}


def test_differences_of_means_carry_their_covariance():
    fit = estimators.parametric(table(rows()), distribution="exponential")
    profiles = pd.DataFrame({"x": [0, 2]}, index=["a", "b"])
    answer = estimators.parametric_mean(fit, profiles, horizon_weeks=[10, 20]).table
    difference = answer[answer["term"] == "restricted_mean_difference"]
    assert difference["group"].tolist() == ["b", "b"] and difference["time_weeks"].tolist() == [10, 20]
    levels = answer[answer["term"] == "restricted_mean"].set_index(["group", "time_weeks"])["estimate"]
    expected = [levels["b", k] - levels["a", k] for k in (10, 20)]
    assert difference["estimate"].tolist() == pytest.approx(expected)


def test_the_cured_share_is_where_survival_ends():
    rng = np.random.default_rng(2)
    weeks = np.concatenate([np.ceil(rng.weibull(1.5, 120) * 6), np.full(80, 150)])
    frame = pd.DataFrame({"exit": weeks, "event": weeks < 150})
    at_risk = AtRisk.from_frame(frame, exit="exit", event="event")
    fit = estimators.mixture_cure(at_risk)
    share = estimators.cured_share(fit).table
    assert share["estimate"][0] == pytest.approx(0.4, abs=1e-6)
    assert share["std_error"][0] == pytest.approx(np.sqrt(0.4 * 0.6 / 200), rel=1e-4)
    assert estimators.predict_parametric(fit, weeks=149).table["estimate"][0] == pytest.approx(0.4, abs=1e-6)


def test_incidence_and_latency_take_the_terms_named():
    frame = rows(800).assign(sex=lambda d: d.index % 2)
    frame.loc[frame.index % 3 == 0, ["event", "exit"]] = [0, 200]
    at_risk = AtRisk.from_frame(frame, entry="entry", exit="exit", event="event", covariates=["x", "sex"])
    fit = estimators.mixture_cure(at_risk, incidence=["sex"], latency="x")
    assert fit.table["term"].tolist() == [
        "(Intercept)", "x", "incidence:(Intercept)", "incidence:sex", "log(scale)"]
    assert len(estimators.predict_parametric(fit, pd.DataFrame({"x": [1], "sex": [0]}), weeks=5).table) == 2
