"""The generalised gamma distribution in Prentice's form, through the log-normal at Q = 0."""

from dataclasses import dataclass

import numpy as np

from evalkit.estimators.parametric.families import ERRORS, Local

# Step in Q of the five points through which a quartic runs; it carries derivatives in Q to about 1e-11.
STEP = 2e-3
# A tail below this is read from its asymptotic form.
TINY = 1e-290
_NODES = np.arange(-2, 3)


@dataclass(frozen=True, slots=True, kw_only=True)
class GeneralisedGamma:
    """z = predictor + log(t) / sigma has the density of Prentice (1974); the shapes are (1 / sigma, Q).

    Q = 1 is the Weibull, 0 the log-normal, sigma the gamma distribution. z is differentiated by hand, Q by a
    quartic through five neighbours, of which none but the middle lies near the removable singularity at 0.
    """

    n_shapes: int = 2

    def basis(self, log_time):
        """Return log time."""
        return log_time

    def survival(self, log_time, predictors, shape):
        """Return log S."""
        return self._local(log_time, predictors, shape, log_survival)

    def density(self, log_time, predictors, shape):
        """Return log f."""
        local = self._local(log_time, predictors, shape, log_density)
        steep = shape[0]
        own = np.array([1 / steep, 0.0])
        return Local(value=local.value + np.log(steep) - log_time, predictor=local.predictor,
                     shape=local.shape + own, predictor_twice=local.predictor_twice, mixed=local.mixed,
                     shape_twice=lambda weight: local.shape_twice(weight) - weight.sum() * np.outer(own, own))

    def rescaled(self, log_unit):
        """As `Transformation.rescaled`."""
        return 0.0, np.array([-log_unit, 0.0]), np.ones(2)

    @staticmethod
    def _local(log_time, predictors, shape, function):
        z = predictors[0] + shape[0] * log_time
        (value, by_q, by_qq), (by_z, by_zq, _), (by_zz, _, _) = _in_q(z, shape[1], function)

        def shape_twice(weight):
            cross = weight @ (by_zq * log_time)
            return np.array([[weight @ (by_zz * log_time**2), cross], [cross, weight @ by_qq]])

        return Local(value=value, predictor=by_z[None], shape=np.column_stack([by_z * log_time, by_q]),
                     predictor_twice=by_zz[None, None],
                     mixed=np.column_stack([by_zz * log_time, by_zq])[None], shape_twice=shape_twice)


def log_density(z, q):
    """Return log f of z and its two derivatives in z (Prentice 1974; flexsurv's ``dgengamma``)."""
    if q == 0:
        return -0.5 * z * z - 0.5 * np.log(2 * np.pi), -z, -np.ones(len(z))
    size, x = q**-2, q * z
    growth = np.exp(x)
    return _constant(q) - size * _beyond_linear(x), -np.expm1(x) / q, -growth


def log_survival(z, q):
    """Return log S of z and its two derivatives in z."""
    from scipy.special import gammainc, gammaincc

    if q == 0:
        value, hazard, growth, _ = ERRORS["normal"](z)
        return value, -np.exp(hazard), -np.exp(hazard) * growth
    size, x = q**-2, q**-2 * np.exp(q * z)
    tail = (gammaincc if q > 0 else gammainc)(size, x)
    density, slope, _ = log_density(z, q)
    value, far = np.log(np.maximum(tail, TINY)), tail < TINY
    if far.any():
        value[far] = density[far] - np.log(_far(x[far], size) * abs(q))
    hazard = np.exp(density - value)
    return value, -hazard, -hazard * (slope + hazard)


def _far(x, size):
    """Return density over tail of a gamma distribution in log x, where the tail is smaller than any number.

    The upper tail (x beyond the shape) by Legendre's continued fraction, the lower by its power series
    (Abramowitz and Stegun 6.5.31, 6.5.29).
    """
    upper = x > size
    fraction = above = np.where(upper, x, 2 * size + 1)
    for n in range(80, -1, -1):
        fraction = above + 2 * n + 1 - size - (n + 1) * (n + 1 - size) / fraction
    below, series = np.where(upper, 0.0, x), 1.0
    for n in range(80, 0, -1):
        series = 1 + below / (size + n) * series
    return np.where(upper, fraction, size / series)


def _constant(q):
    """Return log(|Q| a^a e^-a / Gamma(a)), a = Q^-2; by Stirling's series where logarithms would cancel."""
    from scipy.special import gammaln

    size = q**-2
    if size < 100:
        return np.log(abs(q)) + size * np.log(size) - size - gammaln(size)
    return -0.5 * np.log(2 * np.pi) - 1 / (12 * size) + 1 / (360 * size**3) - 1 / (1260 * size**5)


def _beyond_linear(x):
    """Return exp(x) - 1 - x."""
    small = np.abs(x) < 0.05
    y = np.where(small, x, 0.0)
    series = y * y / 2 * (1 + y / 3 * (1 + y / 4 * (1 + y / 5 * (1 + y / 6 * (1 + y / 7 * (1 + y / 8))))))
    return np.where(small, series, np.expm1(x) - x)


def _in_q(z, q, function):
    """Return value and derivatives in z, each with its value, first and second derivative in Q."""
    centre = 0.0 if abs(q) < 3 * STEP else q
    values = np.array([function(z, centre + STEP * node) for node in _NODES])
    at = (q - centre) / STEP
    powers = at ** np.arange(5)
    k = np.arange(5)
    rows = np.array([powers, np.append(0, k[1:] * powers[:-1]) / STEP,
                     np.append([0, 0], k[2:] * (k[2:] - 1) * powers[:-2]) / STEP**2])
    weights = rows @ np.linalg.inv(np.vander(_NODES, increasing=True))
    return np.einsum("rn,nki->kri", weights, values)
