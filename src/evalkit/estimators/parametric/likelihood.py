"""The log likelihood of (entry, exit] intervals under a family, with gradient, information and scores."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Point:
    """Times at which rows contribute: ``sign`` times log S or log f of the rows numbered ``row``."""

    row: np.ndarray
    basis: object
    kind: str
    sign: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sample:
    """Designs (one per predictor, intercept first), row weights, and the points at which rows contribute."""

    designs: tuple
    weight: np.ndarray
    points: tuple


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pass:
    """The log likelihood at one vector of parameters."""

    value: float
    gradient: np.ndarray
    information: np.ndarray


def sample(family, designs, weight, log_entry, log_exit, died):
    """Split rows by what they contribute: log f (event), log S (no event), less log S at a late entry."""
    parts = ((np.flatnonzero(died), log_exit, "density", 1.0),
             (np.flatnonzero(~died), log_exit, "survival", 1.0),
             (np.flatnonzero(np.isfinite(log_entry)), log_entry, "survival", -1.0))
    points = tuple(Point(row=row, basis=family.basis(moment[row]), kind=kind, sign=sign)
                   for row, moment, kind, sign in parts if len(row))
    return Sample(designs=designs, weight=weight, points=points)


def evaluate(family, data, theta):
    """Return value, gradient and information; parameters are the designs' in turn, then the shapes."""
    predictors, shape = _split(data.designs, theta)
    sums = _Sums(*predictors.shape, len(shape))
    for point in data.points:
        local = getattr(family, point.kind)(point.basis, predictors[:, point.row], shape)
        sums.add(point.row, point.sign * data.weight[point.row], local)
    return sums.join(data.designs)


def scores(family, data, theta):
    """Return each row's contribution to the gradient for one unit of weight, shape (n_rows, n_parameters)."""
    predictors, shape = _split(data.designs, theta)
    by_predictor, by_shape = np.zeros(predictors.shape), np.zeros((predictors.shape[1], len(shape)))
    for point in data.points:
        local = getattr(family, point.kind)(point.basis, predictors[:, point.row], shape)
        by_predictor[:, point.row] += point.sign * local.predictor
        by_shape[point.row] += point.sign * local.shape
    parts = [design * slope[:, None] for design, slope in zip(data.designs, by_predictor, strict=True)]
    return np.hstack([*parts, by_shape])


def _split(designs, theta):
    edges = np.cumsum([design.shape[1] for design in designs])
    *coefficients, shape = np.split(theta, edges)
    return np.array([design @ part for design, part in zip(designs, coefficients, strict=True)]), shape


class _Sums:
    """Row-wise derivatives, added up over points first, so that each design is multiplied once."""

    def __init__(self, n_predictors, n_rows, n_shapes):
        self.value = 0.0
        self.predictor = np.zeros((n_predictors, n_rows))
        self.predictor_twice = np.zeros((n_predictors, n_predictors, n_rows))
        self.mixed = np.zeros((n_predictors, n_rows, n_shapes))
        self.shape, self.shape_twice = np.zeros(n_shapes), np.zeros((n_shapes, n_shapes))

    def add(self, row, weight, local):
        self.value += weight @ local.value
        self.predictor[:, row] += weight * local.predictor
        self.predictor_twice[:, :, row] += weight * local.predictor_twice
        self.mixed[:, row] += weight[:, None] * local.mixed
        self.shape += weight @ local.shape
        self.shape_twice += local.shape_twice(weight)

    def join(self, designs):
        gradient = [design.T @ slope for design, slope in zip(designs, self.predictor, strict=True)]
        blocks = [[left.T @ (bend[:, None] * right) for right, bend in zip(designs, bends, strict=True)]
                  + [left.T @ mixed]
                  for left, bends, mixed in zip(designs, self.predictor_twice, self.mixed, strict=True)]
        blocks.append([block[-1].T for block in blocks] + [self.shape_twice])
        return Pass(value=float(self.value), gradient=np.concatenate([*gradient, self.shape]),
                    information=-np.block(blocks))
