"""Newton's method on a log likelihood that need not be concave."""

import numpy as np

from evalkit.errors import EstimationError

# Quadratic near the maximum; this many steps are only reached where there is none.
MAX_STEPS = 80
# Expected gain of the next step at which the step is taken for the last time.
ENOUGH = 1e-11
# Expected gain below which a step that finds nothing higher has met rounding errors.
ROUNDING = 1e-8


def maximise(function, start, *, names, check, method):
    """Return the parameters at the maximum, the pass there and the number of steps.

    Parameters
    ----------
    function : callable
        Parameters to a `Pass`.
    start : ndarray
    names : sequence of str
        For the message.
    check : callable
        Called with the parameters and the pass of each step; raises where there is no maximum ahead.
    method : str
        Begins the message.

    Raises
    ------
    EstimationError
        No finite start, or no convergence: with the last gradient.
    """
    theta = np.asarray(start, dtype=float)
    with np.errstate(all="ignore"):
        here = function(theta)
    if not _is_finite(here):
        raise EstimationError(f"{method}: the likelihood is not finite where the fit starts. "
                              "Look for extreme times or covariate values, or try a simpler distribution")
    for step in range(1, MAX_STEPS + 1):
        change = _direction(here)
        gain, was_hill = change @ here.gradient, _is_positive(here.information)
        taken = _ascend(function, theta, change, here)
        if taken is None and was_hill and gain < ROUNDING:
            return theta, here, step
        if taken is None:
            break
        theta, here = taken
        check(theta, here)
        is_hill = was_hill and _is_positive(here.information)
        if is_hill and gain < ENOUGH * (1 + abs(here.value) * 1e-3):
            return theta, here, step
    last = ", ".join(f"{name} {value:.3g}" for name, value in zip(names, here.gradient, strict=True))
    raise EstimationError(f"{method}: no convergence in {step} steps; last gradient (of scaled "
                          f"covariates and time): {last}. Leave covariates out, join rare categories, or "
                          "try a simpler distribution (the Weibull has one shape, the exponential none)")


def _direction(here):
    """Return the Newton step; where the likelihood is not concave, an ascent by its absolute curvature."""
    size = np.sqrt(np.maximum(np.abs(np.diag(here.information)), 1e-300))
    values, vectors = np.linalg.eigh(here.information / np.outer(size, size))
    values = np.maximum(np.abs(values), 1e-12)
    return vectors @ (vectors.T @ (here.gradient / size) / values) / size


def _ascend(function, theta, change, here):
    """Take a step, halved until the likelihood does not fall; None where no step is left."""
    slack = 1e-12 * (1 + abs(here.value))
    for _ in range(40):
        with np.errstate(all="ignore"):
            new = function(theta + change)
        if _is_finite(new) and new.value >= here.value - slack:
            return theta + change, new
        change = change / 2
    return None


def _is_finite(here):
    return all(np.isfinite(part).all() for part in (here.value, here.gradient, here.information))


def _is_positive(information):
    size = np.sqrt(np.abs(np.diag(information)))
    if (np.diag(information) <= 0).any():
        return False
    return np.linalg.eigvalsh(information / np.outer(size, size))[0] > 0
