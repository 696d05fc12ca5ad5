"""Parametric models against R's survreg, flexsurv and flexsurvcure (r/parametric.R), late entry included."""

import numpy as np
import pandas as pd
import pytest
import reference_data
from reference_data import frame_of

from evalkit import estimators
from evalkit.atrisk import AtRisk

EXPECTED = pd.read_csv(reference_data.EXPECTED / "parametric.csv", comment="#", na_values=["NA"])
ENTRY = {"entry": "entry", "exit": "exit", "event": "event"}
ALL = ("exponential", "weibull", "lognormal", "loglogistic", "gompertz", "generalised_gamma")
REGRESSION = ALL[:4]


def weekly(cause=None, count=False, **columns):
    data = frame_of("weekly")
    if cause is not None:
        data = data.assign(event=data["cause"])
        columns["causes"] = ["1", "2", "3"]
    if count:
        columns["count"] = "k"
    return AtRisk.from_frame(data, **ENTRY, covariates=["x", "treated"], **columns)


def mgus2():
    data = frame_of("mgus2").assign(male=lambda d: (d["sex"] == "M").astype(int), event=lambda d: d["cause"])
    return AtRisk.from_frame(data, **ENTRY, covariates=["male"], causes=["progression", "death"])


def heart(covariates=("age", "year", "transplant")):
    return AtRisk.from_frame(frame_of("heart"), entry="start", exit="stop", event="event", person="id",
                             cluster="id", covariates=covariates)


def lung(**columns):
    return AtRisk.from_frame(frame_of("lung"), exit="time", event="status", covariates=["age", "sex"],
                             **columns)


def veteran():
    columns = ["trt", "karno", "age"]
    return AtRisk.from_frame(frame_of("veteran"), exit="time", event="status", covariates=columns)


def recurrence():
    return AtRisk.from_frame(frame_of("recurrence"), exit="years", event="status",
                             covariates=["age", "nodes"])


def movers(**columns):
    return AtRisk.from_frame(frame_of("movers"), **ENTRY, covariates=["x"], **columns)


def parametric(at_risk, names, **options):
    return {name: (estimators.parametric, at_risk, {"distribution": name, **options}) for name in names}


def spline(at_risk, scales=("hazard", "odds", "normal"), **options):
    return {scale: (estimators.royston_parmar, at_risk, {"scale": scale, **options}) for scale in scales}


def cure(at_risk, **options):
    return {name: (estimators.mixture_cure, at_risk, {"distribution": name, **options})
            for name in ("weibull", "lognormal")}


PLACES = {"weight": "pw", "cluster": "cluster"}
FITS = {
    "lung": parametric(lung, REGRESSION),
    "veteran": parametric(veteran, REGRESSION),
    "lung_clustered": parametric(lambda: lung(weight="pw", cluster="inst"), REGRESSION),
    "weekly": parametric(weekly, ALL),
    "weekly_weighted": parametric(lambda: weekly(**PLACES), ALL),
    "weekly_cause": parametric(lambda: weekly(cause=2), ALL, cause="2"),
    "weekly_count": parametric(lambda: weekly(count=True), ("weibull", "generalised_gamma")),
    "mgus2": parametric(mgus2, ALL, cause="death"),
    "heart": parametric(heart, ("exponential", "weibull", "gompertz")),
    "spline_lung": spline(lung, df=3),
    "spline_weekly": spline(weekly, df=4),
    "spline_weighted": spline(lambda: weekly(**PLACES), ["hazard"], df=3),
    "spline_count": spline(lambda: weekly(count=True), ["hazard"], df=3),
    "spline_mgus2": spline(mgus2, df=2, cause="death"),
    "spline_heart": spline(lambda: heart(["age", "transplant"]), ["hazard"], df=2),
    "cure_recurrence": cure(recurrence),
    "cure_incidence": cure(recurrence, latency=[]),
    "cure_movers": cure(movers),
    "cure_clustered": cure(lambda: movers(cluster="cluster")),
}
CASES = [f"{case}_{name}" for case, fits in FITS.items() for name in fits]


def expected(case):
    return EXPECTED[EXPECTED["case"] == case].set_index("term")


def fitted(case):
    name = next(name for name in FITS if case.removeprefix(f"{name}_") in FITS[name])
    function, make, options = FITS[name][case.removeprefix(f"{name}_")]
    return function(make(), **options)


def test_every_case_of_r_is_asked():
    predicted = {f"predicted_{name}" for name in ALL}
    assert set(EXPECTED["case"]) == set(CASES) | predicted


@pytest.mark.parametrize("case", CASES)
def test_equals_r(case):
    fit, rows = fitted(case), expected(case)
    mine = fit.table.set_index("term")
    theirs = rows.loc[mine.index]
    # An estimate near 0 is as good as its error is large.
    scale = np.maximum(np.abs(theirs["estimate"]), theirs["std_error"])
    assert (np.abs(mine["estimate"] - theirs["estimate"]) <= 1e-6 * scale).all()
    np.testing.assert_allclose(mine["std_error"], theirs["std_error"], rtol=1e-5)
    value = fit.diagnostics["log_likelihood"]
    assert value == pytest.approx(rows.loc["log_likelihood", "estimate"], abs=1e-7)
    # Never below what R's own fit reached.
    if "fit" in rows.index and np.isfinite(rows.loc["fit", "estimate"]):
        assert value >= rows.loc["fit", "estimate"] - 1e-7
    knots = rows[rows.index.str.startswith("knot")]["estimate"]
    if len(knots):
        np.testing.assert_allclose(fit.model["knots"], knots, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", REGRESSION)
def test_quantiles_equal_survreg(name):
    fit = estimators.parametric(lung(), distribution=name)
    table = estimators.parametric_quantiles(fit, pd.DataFrame({"age": [60], "sex": [2]})).table
    rows = expected(f"lung_{name}").loc[[f"log_{term}" for term in table["term"]]]
    np.testing.assert_allclose(np.log(table["estimate"]), rows["estimate"], rtol=1e-7)
    np.testing.assert_allclose(table["std_error"] / table["estimate"], rows["std_error"], rtol=1e-5)


@pytest.mark.parametrize("name", ALL)
def test_means_and_survival_equal_flexsurv(name):
    fit = estimators.parametric(weekly(), distribution=name)
    profile = pd.DataFrame({"x": [0.5], "treated": [1]})
    found = pd.concat([
        estimators.predict_parametric(fit, profile, weeks=100).table,
        estimators.parametric_mean(fit, profile, horizon_weeks=100).table.iloc[:1],
        estimators.parametric_mean(fit, profile).table,
    ]).set_index("term")
    rows = expected(f"predicted_{name}")
    mine = found.loc[rows.index]
    np.testing.assert_allclose(mine["estimate"], rows["estimate"], rtol=1e-6)
    np.testing.assert_allclose(mine["std_error"], rows["std_error"], rtol=1e-5)
