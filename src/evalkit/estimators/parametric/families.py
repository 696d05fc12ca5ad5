"""Distributions of time: functions of a row's predictors and of shared shapes, twice differentiated.

A family is written on the logarithm of time. `survival` gives log S and `density` log f; both return a
`Local`, from which `likelihood` builds gradient and information. No family sees covariates or weights.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Local:
    """A value per row, with derivatives in the row's predictors (P of them) and in the q shape parameters.

    Shapes: ``value`` (n,), ``predictor`` (P, n), ``shape`` (n, q), ``predictor_twice`` (P, P, n), ``mixed``
    (P, n, q); ``shape_twice`` takes row weights and returns the weighted sum of second derivatives, (q, q).
    """

    value: np.ndarray
    predictor: np.ndarray
    shape: np.ndarray
    predictor_twice: np.ndarray
    mixed: np.ndarray
    shape_twice: Callable


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Basis:
    """Columns of log time y that enter z = offset + columns @ shape + predictor, and their slopes in y."""

    log_time: np.ndarray
    offset: np.ndarray
    columns: np.ndarray
    slope_offset: float
    slope: np.ndarray


@dataclass(frozen=True, slots=True, kw_only=True)
class Transformation:
    """S(t) = S_W(z), with z linear in parameters: Weibull, log-normal, log-logistic and the splines.

    With one column, log t, its shape parameter is 1 / scale: the form in which the likelihood without
    truncation is concave (Burridge 1981), so that Newton's method finds its only maximum.
    """

    error: str
    knots: tuple = ()
    n_shapes: int = 1

    def basis(self, log_time):
        """Return the columns at each log time; none has log time as offset (the exponential)."""
        if self.n_shapes == 0:
            empty = np.empty((len(log_time), 0))
            return Basis(log_time=log_time, offset=log_time, columns=empty, slope_offset=1.0, slope=empty)
        columns, slope = spline_columns(log_time, self.knots)
        return Basis(log_time=log_time, offset=np.zeros(len(log_time)), columns=columns, slope_offset=0.0,
                     slope=slope)

    def survival(self, basis, predictors, shape):
        """Return log S."""
        z = predictors[0] + basis.offset + basis.columns @ shape
        value, hazard, growth, _ = ERRORS[self.error](z)
        first = -np.exp(hazard)
        return _linear(value, first, first * growth, basis.columns)

    def density(self, basis, predictors, shape):
        """Return log f: log S + log hazard of z + log (dz/dy) - y."""
        z = predictors[0] + basis.offset + basis.columns @ shape
        value, hazard, growth, bend = ERRORS[self.error](z)
        slope = basis.slope_offset + basis.slope @ shape
        first = -np.exp(hazard)
        value = value + hazard + np.log(slope) - basis.log_time
        local = _linear(value, first + growth, first * growth + bend, basis.columns)
        return _add_slope(local, basis.slope / slope[:, None])

    def rescaled(self, log_unit):
        """Return what a unit of time adds to the intercept (constant, per shape), and each shape's factor."""
        if self.n_shapes == 0:
            return -log_unit, np.zeros(0), np.ones(0)
        return 0.0, np.append(-log_unit, np.zeros(self.n_shapes - 1)), np.ones(self.n_shapes)


def spline_columns(log_time, knots):
    """Return y and a natural cubic term per inner knot, with slopes (Royston and Parmar 2002, appendix)."""
    columns, slopes = [log_time], [np.ones(len(log_time))]
    for inner in knots[1:-1]:
        part = (knots[-1] - inner) / (knots[-1] - knots[0])
        terms = [(1.0, inner), (-part, knots[0]), (part - 1, knots[-1])]
        columns.append(sum(factor * np.maximum(log_time - knot, 0) ** 3 for factor, knot in terms))
        slopes.append(sum(3 * factor * np.maximum(log_time - knot, 0) ** 2 for factor, knot in terms))
    return np.column_stack(columns), np.column_stack(slopes)


def _extreme_value(z):
    return -np.exp(z), z, np.ones(len(z)), np.zeros(len(z))


def _normal(z):
    from scipy.special import log_ndtr

    value = log_ndtr(-z)
    hazard = -0.5 * z * z - 0.5 * np.log(2 * np.pi) - value
    growth = np.exp(hazard) - z
    return value, hazard, growth, np.exp(hazard) * growth - 1


def _logistic(z):
    from scipy.special import expit, log_expit

    share = expit(z)
    return log_expit(-z), log_expit(z), 1 - share, -share * (1 - share)


# log S of the error, log of its hazard, and the two derivatives of the latter; d log S = -hazard.
ERRORS = {"extreme_value": _extreme_value, "normal": _normal, "logistic": _logistic}


def _linear(value, first, second, columns):
    """Differentiate a function of z = predictor + columns @ shape."""
    return Local(value=value, predictor=first[None], shape=first[:, None] * columns,
                 predictor_twice=second[None, None], mixed=(second[:, None] * columns)[None],
                 shape_twice=lambda weight: columns.T @ ((weight * second)[:, None] * columns))


def _add_slope(local, ratio):
    return Local(value=local.value, predictor=local.predictor, shape=local.shape + ratio,
                 predictor_twice=local.predictor_twice, mixed=local.mixed,
                 shape_twice=lambda weight: local.shape_twice(weight) - ratio.T @ (weight[:, None] * ratio))
