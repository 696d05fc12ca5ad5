"""The baseline hazard of a fitted partial likelihood, and what predictions need of it."""

import numpy as np

from evalkit.estimators._counting import running, total


def baseline(plan, fit, at_mean, at_risk):
    """Cumulate the hazard of a row with all covariates 0 within each stratum.

    Where covariates are far from 0 it may be beyond the range of numbers; predictions do not rest on it.
    """
    start = np.searchsorted(plan.stratum, plan.stratum)
    with np.errstate(over="ignore", invalid="ignore"):
        hazard = fit.hazard * np.exp(-fit.shift[plan.block_of_time] - at_mean)
        summed = np.cumsum(hazard)
        cumulated = summed - (summed - hazard)[start]
    return {"baseline_time": plan.time, "baseline_hazard": cumulated,
            "baseline_group": plan.stratum, "groups": at_risk.strata_labels or ("",)}


def reference_hazard(plan, fit, scale, at_risk):
    """Return what prediction needs of a fit, for a row whose covariates are the model's means.

    Increments at each event time of the hazard, of its variance with the coefficients known, and of the
    hazard times the mean covariates at risk (less the model's means); who was at risk, and until when.
    """
    q0, q1 = fit.moments[1:3]
    shift = np.exp(-fit.shift[plan.block_of_time])
    drift = (fit.s1 * q0[:, None] - fit.d1 * q1[:, None]) * shift[:, None] * scale
    number = None if at_risk.count is None else at_risk.count[plan.row]
    return {"reference_hazard": fit.hazard * shift, "reference_variance": q0 * shift**2,
            "reference_drift": drift,
            "baseline_n_events": plan.number,
            "baseline_n_persons": running(plan.first, plan.last, number, len(plan.time)),
            **_followed(at_risk)}


def _followed(at_risk):
    """Return until when each stratum is followed, and how many rows are there from the start."""
    start, number = at_risk.entry == 0, at_risk.count
    number = None if number is None else number[start]
    if at_risk.strata is None:
        n_at_start = start.sum(keepdims=True) if number is None else number.sum(keepdims=True)
        return {"follow_up_weeks": at_risk.exit.max(keepdims=True), "n_at_start": n_at_start.astype(float)}
    size = len(at_risk.strata_labels)
    end = np.zeros(size)
    np.maximum.at(end, at_risk.strata, at_risk.exit)
    return {"follow_up_weeks": end, "n_at_start": total(at_risk.strata[start], number, size)}
