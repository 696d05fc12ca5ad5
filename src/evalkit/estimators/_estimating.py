"""Estimating equations under working independence: statsmodels solves them, with the sandwich of GEE."""

import warnings

import numpy as np

from evalkit.atrisk.ranks import joint_ranks
from evalkit.errors import EstimationError
from evalkit.estimators._counting import require_covariates, row_counts, total
from evalkit.estimators._units import units_of

# Linear predictors beyond this leave no share to tell from 0 or 1.
FARTHEST = 30.0


def solve(rows, outcome, link, terms):
    """Solve for several outcomes a person, each with its intercept and the covariates' effects shared.

    Returns
    -------
    estimates, covariance, n_steps
        On the covariates' own scale, in the order of ``terms``; the covariance is the sandwich of the units.
    """
    n_weeks = outcome.shape[1]
    covariates, scale = _scaled(rows)
    params, function, steps = _params(*_patterns(covariates, outcome, row_counts(rows)), link, terms)
    design = _design(covariates, n_weeks)
    outcome, number = outcome.ravel(), np.repeat(row_counts(rows), n_weeks)
    predictor = design @ params
    slope = design * function.inverse_deriv(predictor)[:, None]
    bread = np.linalg.inv(slope.T @ (slope * number[:, None]))
    score = slope * (outcome - function.inverse(predictor))[:, None]
    units = units_of(rows)
    code, weight = np.repeat(units.code, n_weeks), np.repeat(units.weight, n_weeks)
    sums = np.column_stack([total(code, weight * column, len(units.copies)) for column in score.T])
    covariance = bread @ (sums.T @ (sums * units.copies[:, None])) @ bread
    return *_unscaled(params, covariance, rows, scale, n_weeks), steps


def _scaled(rows):
    """Return covariates of mean 0 and spread 1, so that units of measurement change nothing."""
    require_covariates(rows, "pseudo_regression")
    number = row_counts(rows)
    centred = rows.covariates - np.average(rows.covariates, axis=0, weights=number)
    scale = np.sqrt(np.average(centred**2, axis=0, weights=number))
    size = np.abs(rows.covariates).max(axis=0)
    flat = scale <= 1e-12 * size
    if flat.any():
        names = ", ".join(term for term, bad in zip(rows.terms, flat, strict=True) if bad)
        raise EstimationError(f"pseudo_regression: {names}: the same for all {rows.n_persons} persons; "
                              "leave out")
    centred /= scale
    own = np.abs(np.diag(np.linalg.qr(centred * np.sqrt(number)[:, None], mode="r")))
    repeated = own <= 1e-8 * np.sqrt(number.sum())
    if repeated.any() or len(own) < len(rows.terms):
        names = ", ".join(np.array(rows.terms)[:len(own)][repeated]) or rows.terms[-1]
        raise EstimationError(f"pseudo_regression: {names}: a combination of the terms before; leave out")
    return centred, scale


def _unscaled(params, covariance, rows, scale, n_weeks):
    mean = np.average(rows.covariates, axis=0, weights=row_counts(rows))
    turn = np.eye(len(params))
    turn[n_weeks:, n_weeks:] = np.diag(1 / scale)
    turn[:n_weeks, n_weeks:] = -mean / scale
    return turn @ params, turn @ covariance @ turn.T


def _design(covariates, n_weeks):
    """Return an intercept for each week and the covariates, a row a person and week."""
    return np.hstack([np.tile(np.eye(n_weeks), (len(covariates), 1)), np.repeat(covariates, n_weeks, axis=0)])


def _patterns(covariates, outcome, number):
    """Join persons with equal covariates: the equation reads no more of their outcomes than the mean."""
    pattern, n_patterns = joint_ranks(covariates.T)
    first, size = np.empty(n_patterns, dtype=np.int64), total(pattern, number, n_patterns)
    first[pattern] = np.arange(len(pattern))
    means = [total(pattern, number * column, n_patterns) / size for column in outcome.T]
    return covariates[first], np.column_stack(means), size


def _params(covariates, outcome, number, link, terms):
    from statsmodels.genmod.families import Gaussian, links
    from statsmodels.genmod.generalized_linear_model import GLM
    function = {"identity": links.Identity, "log": links.Log, "logit": links.Logit,
                "cloglog": links.CLogLog}[link]()
    n_weeks, level = outcome.shape[1], np.average(outcome, axis=0, weights=number)
    design, number = _design(covariates, n_weeks), np.repeat(number, n_weeks)
    if link in ("logit", "cloglog"):
        level = np.clip(level, 0.01, 0.99)
    start = np.append(function(np.maximum(level, 1e-6) if link == "log" else level),
                      np.zeros(design.shape[1] - n_weeks))
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        model = GLM(outcome.ravel(), design, family=Gaussian(link=function, check_link=False),
                    freq_weights=number)
        fit = model.fit(start_params=start, scale=1.0, maxiter=200, tol_criterion="params",
                        tol=1e-11, rtol=1e-11)
        predictor = design @ fit.params
    lost = not np.isfinite(fit.params).all() or (link != "identity" and np.abs(predictor).max() > FARTHEST)
    if lost or not fit.converged:
        largest = terms[n_weeks + int(np.argmax(np.abs(np.nan_to_num(fit.params[n_weeks:], nan=np.inf))))]
        raise EstimationError(f"pseudo_regression ({link}): no convergence in "
                              f"{fit.fit_history['iteration']} steps, farthest {largest}. Where a group "
                              "has nobody left, or nobody gone, at a week "
                              "its effect has no end: choose other weeks, link='identity', or leave it out")
    return fit.params, function, int(fit.fit_history["iteration"])
