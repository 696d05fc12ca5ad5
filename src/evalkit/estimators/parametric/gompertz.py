"""The Gompertz distribution: a hazard that grows or falls exponentially with time."""

from dataclasses import dataclass
from math import factorial

import numpy as np

from evalkit.estimators.parametric.families import Local

# Below this size exp(x) - 1 - x ... loses digits and a power series takes over.
SMALL = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Gompertz:
    """Hazard exp(predictor + a t); the cumulated hazard is exp(predictor) (exp(a t) - 1) / a."""

    n_shapes: int = 1

    def basis(self, log_time):
        """Return the time itself."""
        return np.exp(log_time)

    def survival(self, time, predictors, shape):
        """Return log S."""
        rate = np.exp(predictors[0])
        total, first, second = (-rate * part for part in _cumulated(time, shape[0]))
        return Local(value=total, predictor=total[None], shape=first[:, None],
                     predictor_twice=total[None, None], mixed=first[None, :, None],
                     shape_twice=lambda weight: np.array([[weight @ second]]))

    def density(self, time, predictors, shape):
        """Return log f = log S + predictor + a t."""
        left = self.survival(time, predictors, shape)
        return Local(value=left.value + predictors[0] + shape[0] * time, predictor=left.predictor + 1,
                     shape=left.shape + time[:, None], predictor_twice=left.predictor_twice, mixed=left.mixed,
                     shape_twice=left.shape_twice)

    def rescaled(self, log_unit):
        """As `Transformation.rescaled`."""
        return -log_unit, np.zeros(1), np.array([np.exp(-log_unit)])


def _cumulated(time, shape):
    """Return (exp(a t) - 1) / a and its two derivatives in a."""
    x = shape * time
    small = np.abs(x) < SMALL
    safe = np.where(small, 1.0, x)
    power = np.exp(safe)
    value = np.expm1(safe) / safe
    first = (power - value) / safe
    second = (power - 2 * first) / safe
    return tuple(time ** (k + 1) * np.where(small, _series(np.where(small, x, 0.0), k), part)
                 for k, part in enumerate((value, first, second)))


def _series(x, k):
    """Sum the k-th derivative of (exp(x) - 1) / x: x^j / (j! (j + k + 1))."""
    return np.polynomial.polynomial.polyval(x, [1 / (factorial(j) * (j + k + 1)) for j in range(20)])
