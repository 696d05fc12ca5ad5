"""Between the parameters that Newton's method sees and those that are reported, with the derivatives.

Inside, covariates are centred and scaled, time is in units of its own size, and a time ratio b with scale s
is -b / s and 1 / s.
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scaling:
    """Designs with their intercepts, and what was taken out of each column."""

    designs: tuple
    means: tuple
    scales: tuple
    log_unit: float


def standardised(at_risk, model):
    """Centre and scale the covariates of each predictor; measure time in units of its geometric mean."""
    weight = at_risk.row_weights
    mean = np.average(at_risk.covariates, axis=0, weights=weight)
    x = at_risk.covariates - mean
    scale = np.sqrt(np.average(x * x, axis=0, weights=weight))
    x = np.asfortranarray(x / scale)
    ones = np.ones((len(x), 1))
    designs = tuple(np.hstack([ones, x[:, list(columns)]]) for columns in model.columns)
    means, scales = (tuple(value[list(columns)] for columns in model.columns) for value in (mean, scale))
    return Scaling(designs=designs, means=means, scales=scales, log_unit=log_unit(at_risk))


def log_unit(at_risk):
    """Return the logarithm of the unit of time: the weighted geometric mean of the exits."""
    return float(np.average(np.log(at_risk.exit), weights=at_risk.row_weights))


def to_reported(theta, scaling, model):
    """Return what is reported and its derivative in ``theta``."""
    linear, constant = _unscaling(scaling, model)
    raw = linear @ theta + constant
    reported = _reported(raw, model)
    return reported, np.linalg.solve(to_family(reported, model)[1], linear)


def to_family(reported, model):
    """Return the family's parameters (raw covariates, weeks) and their derivative in what is reported."""
    if model.form == "hazard":
        return reported, np.eye(len(reported))
    p = 1 + len(model.columns[0])
    family, slope = reported.copy(), np.eye(len(reported))
    at = len(reported) - len(model.shapes)
    steep = np.exp(-reported[at]) if model.shapes else 1.0
    family[:p] = -reported[:p] * steep
    slope[:p, :p] *= -steep
    if model.shapes:
        family[at] = steep
        slope[:p, at], slope[at, at] = -family[:p], -steep
    return family, slope


def _reported(raw, model):
    if model.form == "hazard":
        return raw
    p, reported = 1 + len(model.columns[0]), raw.copy()
    at = len(raw) - len(model.shapes)
    steep = raw[at] if model.shapes else 1.0
    reported[:p] = -raw[:p] / steep
    if model.shapes:
        reported[at] = -np.log(steep)
    return reported


def _unscaling(scaling, model):
    """Return the affine map from standardised to raw parameters of the family."""
    shift, by_shape, factor = model.family.rescaled(scaling.log_unit)
    sizes = [1 + len(columns) for columns in model.columns]
    linear = np.diag(np.concatenate([*(np.append(1.0, 1 / scale) for scale in scaling.scales), factor]))
    starts = np.cumsum([0, *sizes])
    for start, size, mean, scale in zip(starts, sizes, scaling.means, scaling.scales, strict=False):
        linear[start, start + 1:start + size] = -mean / scale
    linear[0, starts[-1]:] = by_shape
    constant = np.zeros(len(linear))
    constant[0] = shift
    return linear, constant
