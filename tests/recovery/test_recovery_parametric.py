"""Parametric models find the truth that times were drawn from, late entry included; intervals cover it."""

import numpy as np
import pandas as pd
import pytest
from scipy import special

from evalkit import estimators
from evalkit.atrisk import AtRisk

N = 4000
SLOPE, SCALE, LOCATION = 0.4, 0.6, 3.0


def errors(name, rng, n, q=0.0):
    """Draw W of log T = location + slope x + scale W."""
    if name == "weibull":
        return np.log(rng.exponential(size=n))
    if name == "lognormal":
        return rng.normal(size=n)
    if name == "loglogistic":
        return rng.logistic(size=n)
    return np.log(q**2 * rng.gamma(q**-2, size=n)) / q


def late(stay, x, rng):
    """Show only those who are still there at a random entry; follow them for a while."""
    entry = np.where(rng.uniform(size=len(x)) < 0.6, rng.uniform(0, 30, len(x)), 0)
    end = entry + rng.uniform(5, 60, len(x))
    frame = pd.DataFrame({"entry": entry, "exit": np.minimum(stay, end), "event": stay <= end, "x": x})
    return frame[frame["exit"] > frame["entry"]]


def table(frame, covariates=("x",)):
    return AtRisk.from_frame(frame, entry="entry", exit="exit", event="event", covariates=covariates)


def near(fit, truth, bound=4):
    for term, value in truth.items():
        row = fit.row(term)
        assert abs(row.estimate - value) < bound * row.std_error, term


@pytest.mark.parametrize("name", ["weibull", "lognormal", "loglogistic"])
def test_late_entry_hides_no_truth(name):
    rng = np.random.default_rng(11)
    x = rng.integers(0, 2, N)
    frame = late(np.exp(LOCATION + SLOPE * x + SCALE * errors(name, rng, N)), x, rng)
    truth = {"(Intercept)": LOCATION, "x": SLOPE, "log(scale)": np.log(SCALE)}
    near(estimators.parametric(table(frame), distribution=name), truth)
    # Without the entry times those who left early are missing, and the location is far too high.
    naive = estimators.parametric(table(frame.assign(entry=0)), distribution=name)
    assert naive.row("(Intercept)").estimate - LOCATION > 5 * naive.row("(Intercept)").std_error


@pytest.mark.parametrize("q", [-0.7, 0.6])
def test_the_generalised_gamma_finds_its_shape(q):
    rng = np.random.default_rng(12)
    x = rng.integers(0, 2, N)
    frame = late(np.exp(LOCATION + SLOPE * x + SCALE * errors("gamma", rng, N, q)), x, rng)
    fit = estimators.parametric(table(frame), distribution="generalised_gamma")
    near(fit, {"(Intercept)": LOCATION, "x": SLOPE, "log(scale)": np.log(SCALE), "Q": q})


@pytest.mark.parametrize("shape", [0.03, -0.03])
def test_gompertz_and_the_spline_find_the_hazard_ratio(shape):
    rng = np.random.default_rng(13)
    x = rng.integers(0, 2, N)
    with np.errstate(invalid="ignore"):
        stay = np.log1p(shape * rng.exponential(size=N) / (0.03 * np.exp(SLOPE * x))) / shape
    frame = late(np.where(np.isnan(stay), np.inf, stay), x, rng)
    near(estimators.parametric(table(frame), distribution="gompertz"),
         {"(Intercept)": np.log(0.03), "x": SLOPE, "shape": shape})
    spline = estimators.royston_parmar(table(frame), df=4)
    near(spline, {"x": SLOPE})
    weeks = np.array([5.0, 20.0, 40.0])
    curve = estimators.predict_parametric(spline, pd.DataFrame({"x": [0]}), weeks=weeks).table
    curve = curve[curve["term"] == "survival"]
    truth = np.exp(-0.03 * np.expm1(shape * weeks) / shape)
    assert (np.abs(curve["estimate"] - truth) < 4 * curve["std_error"]).all()


@pytest.mark.parametrize("name", ["weibull", "lognormal"])
def test_movers_and_stayers_are_told_apart(name):
    rng = np.random.default_rng(14)
    x = rng.integers(0, 2, N)
    mover = rng.uniform(size=N) < special.expit(-0.2 + 0.8 * x)
    stay = np.where(mover, np.exp(2.0 + SLOPE * x + SCALE * errors(name, rng, N)), np.inf)
    entry = np.where(rng.uniform(size=N) < 0.5, rng.uniform(0, 8, N), 0)
    frame = pd.DataFrame({"entry": entry, "exit": np.minimum(stay, 120), "event": stay <= 120, "x": x})
    fit = estimators.mixture_cure(table(frame[frame["exit"] > frame["entry"]]), distribution=name)
    near(fit, {"(Intercept)": 2.0, "x": SLOPE, "incidence:(Intercept)": -0.2, "incidence:x": 0.8,
               "log(scale)": np.log(SCALE)})
    share = estimators.cured_share(fit, pd.DataFrame({"x": [1]})).table
    assert share["conf_low"][0] < special.expit(-0.6) < share["conf_high"][0]


def test_intervals_cover_and_clusters_widen_them():
    """Persons of a cluster share a draw: the model's own errors are too small, the robust ones are not."""
    rng = np.random.default_rng(15)
    covered = {False: 0, True: 0}
    for _ in range(120):
        cluster = np.repeat(np.arange(40), 12)
        x = (cluster % 2).astype(float)
        shared = np.repeat(rng.normal(0, 0.5, 40), 12)
        stay = np.exp(LOCATION + SLOPE * x + SCALE * (np.log(rng.exponential(size=len(x))) + shared))
        frame = pd.DataFrame({"exit": np.minimum(stay, 60), "event": stay <= 60, "x": x, "cluster": cluster})
        at_risk = AtRisk.from_frame(frame, exit="exit", event="event", covariates=["x"], cluster="cluster")
        for robust in covered:
            row = estimators.parametric(at_risk, robust=robust, start="moments").row("x")
            covered[robust] += row.conf_low < SLOPE < row.conf_high
    # 95 % of 120 is 114, with a Monte Carlo error of 2.4; forty clusters cost the sandwich a point or two.
    assert covered[True] >= 106 and covered[False] < 100


def test_an_interval_of_a_mean_covers_the_truth():
    rng, covered = np.random.default_rng(16), 0
    for _ in range(150):
        stay = np.exp(LOCATION + SCALE * np.log(rng.exponential(size=250)))
        frame = pd.DataFrame({"entry": 0, "exit": np.minimum(stay, 40), "event": stay <= 40})
        fit = estimators.parametric(table(frame, []), start="moments")
        row = estimators.parametric_mean(fit).table.iloc[0]
        covered += row["conf_low"] < np.exp(LOCATION) * special.gamma(1 + SCALE) < row["conf_high"]
    assert 134 <= covered <= 149
