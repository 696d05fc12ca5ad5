"""What the coverage study asks of models of continuous times, each of times that it describes."""

import numpy as np
import survival_worlds as worlds
from survival_rows import Row, profile, quantile, row
from survival_worlds import EFFECT

from evalkit import estimators as ev

WEEK, HORIZON = 26, 52
ONE, ZERO = profile(1), profile(0)
FAMILIES = ("exponential", "weibull", "lognormal", "loglogistic", "gompertz", "generalised_gamma")
# Newton's method ends in the same place wherever it begins, and begins sooner from here.
NEAR = {"start": "moments"}


def parametric(family):
    """Ask a parametric model of times that it describes."""
    times, name = worlds.distribution(family, 1), family.replace("_", " ").capitalize()
    fit = {"distribution": family, **NEAR}
    effect = EFFECT if family == "gompertz" else worlds.TIME
    horizon = np.linspace(0, HORIZON, 20001)
    return [
        Row(name, "", lambda t: row(t(ev.parametric, **fit), "x"), effect),
        Row(f"{name}, median at x = 1", "log",
            lambda t: row(ev.parametric_quantiles(t(ev.parametric, **fit), ONE, probs=0.5), "quantile[0.5]"),
            float(times.median())),
        Row(f"{name}, survival at x = 1", "log-log",
            lambda t: row(ev.predict_parametric(t(ev.parametric, **fit), ONE, weeks=WEEK), "survival"),
            float(times.sf(WEEK))),
        Row(f"{name}, restricted mean at x = 1", "log", lambda t: row(
            ev.parametric_mean(t(ev.parametric, **fit), ONE, horizon_weeks=HORIZON), "restricted_mean"),
            float(np.trapezoid(times.sf(horizon), horizon))),
        *ALSO.get(family, []),
    ]


# What else is right of a family's times.
ALSO = {
    "exponential": [
        Row("Piecewise exponential", "", lambda t: row(t(ev.piecewise_exponential, breaks=[13, 26]), "x"),
            -worlds.TIME),
        Row("Piecewise exponential, rate at x = 0", "log", lambda t: row(
            t(ev.piecewise_exponential, breaks=[13, 26]), "rate"), 1 / worlds.SCALE),
    ],
    "weibull": [
        Row("Weibull, mean at x = 1", "log",
            lambda t: row(ev.parametric_mean(t(ev.parametric, distribution="weibull", **NEAR), ONE), "mean"),
            float(worlds.distribution("weibull", 1).mean())),
        Row("Royston-Parmar, hazard", "2 df", lambda t: row(t(ev.royston_parmar, df=2, **NEAR), "x"), EFFECT),
        Row("Royston-Parmar, survival at x = 1", "log-log", lambda t: row(
            ev.predict_parametric(t(ev.royston_parmar, df=2, **NEAR), ONE, weeks=WEEK), "survival"),
            float(worlds.distribution("weibull", 1).sf(WEEK))),
        Row("Median at x = 1", "log", lambda t: quantile(t.only_one(ev.survival_quantiles)),
            float(worlds.distribution("weibull", 1).median())),
    ],
    "lognormal": [Row("Royston-Parmar, normal", "2 df", lambda t: row(
        t(ev.royston_parmar, df=2, scale="normal", **NEAR), "x"), EFFECT)],
    "loglogistic": [Row("Royston-Parmar, odds", "2 df", lambda t: row(
        t(ev.royston_parmar, df=2, scale="odds", **NEAR), "x"), EFFECT)],
}


def cured(family):
    """Ask for the share that never leaves."""
    fit = {"distribution": family, "incidence": (), "latency": ("x",), **NEAR}
    return [
        Row(f"Mixture cure, {family}, cured share", "logit",
            lambda t: row(ev.cured_share(t(ev.mixture_cure, **fit), ZERO), "cured_share"), worlds.CURED),
        Row(f"Mixture cure, {family}", "", lambda t: row(t(ev.mixture_cure, **fit), "x"), worlds.TIME),
    ]
