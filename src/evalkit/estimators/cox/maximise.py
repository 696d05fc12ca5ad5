"""Newton's method on a partial likelihood, and what is refused on the way."""

import numpy as np

from evalkit.errors import EstimationError
from evalkit.estimators.cox.partial import evaluate, part

# Newton's method doubles the digits in every step; so many steps are only reached where no maximum exists.
MAX_STEPS = 40
# Expected gain of the next step at which the step is taken for the last time.
ENOUGH = 1e-10
# A last step, in standard deviations of covariates, that leaves sums as they are to ten digits.
NEGLIGIBLE = 1e-10
# Information left, against that at zero, below which the likelihood has flattened out: no maximum.
FLAT = 1e-7
# Where Newton's steps come to nothing, hazards this far apart say that there is no maximum.
APART = 1e-100
# A covariate whose information, against others given, is below this share adds nothing.
REDUNDANT = 1e-9
# What a function has, where covariates separate the events, besides other covariates.
MORE = {"cox": " Ask for firth=True (a penalty under which a maximum exists), or:",
        "cause_specific": " Ask cox for this cause with firth=True (a penalty with a maximum), or:",
        "concordance": " Give a score (a prediction of cox with firth=True, for instance), or:"}
# From so many rows on, a part of them (at least so many rows, and one in so many) says where to begin.
LARGE, PART, ONE_IN = 100_000, 20_000, 20
# Events per covariate that a part must have, and the gain at which its own maximum is near enough.
PART_EVENTS, PART_ENOUGH = 50, 1e-2


def maximise(likelihood, start, terms, root=None, enough=ENOUGH, steps=None, *, name):
    """Find the maximum of a concave log likelihood.

    Parameters
    ----------
    likelihood : callable
        Takes coefficients, returns an object with ``value``, ``gradient``, ``information`` and the Newton
        ``step()``.
    start : tuple
        Coefficients and the likelihood there.
    terms : sequence of str
        Names, for errors.
    root : ndarray, optional
        Turns the information at zero into the identity; where given, a likelihood that flattens out is
        refused.
    enough, steps : float, int
        Expected gain at which the last step is taken, and how many steps may be taken (`MAX_STEPS`).
    name : str
        Of the function that was called, for errors.

    Returns
    -------
    beta, fit, steps
        ``fit`` is the likelihood at ``beta``, or a step of less than `NEGLIGIBLE` before it.
    """
    beta, fit = start
    steps = MAX_STEPS if steps is None else steps
    for step in range(1, steps + 1):
        change = fit.step()
        is_last = fit.gradient @ change < enough
        if is_last and np.abs(change).max() < NEGLIGIBLE:
            return beta + change, fit, step
        beta, fit = _ascend(likelihood, beta, change, fit)
        # Before the next step: on a flat likelihood it would be a step into rounding errors.
        if root is not None and _is_flat(fit, root):
            raise _no_maximum(fit, root, terms, name)
        if is_last:
            return beta, fit, step
    if root is not None and fit.relative.min() < APART:
        raise _no_maximum(fit, root, terms, name)
    last = ", ".join(f"{term} {value:.3g}" for term, value in zip(terms, fit.gradient, strict=True))
    raise EstimationError(f"{name}: no convergence in {steps} steps; last gradient (of scaled covariates): "
                          f"{last}. Look for extreme covariate values, or leave covariates out")


def beginning(plan, null):
    """Return coefficients to begin with and the likelihood there: zero, or what a part of many rows says.

    The maximum is the same; with many rows it is two passes over all of them away instead of four.
    """
    beta = _of_a_part(plan)
    if beta is None:
        return np.zeros(len(null.gradient)), null
    fit = evaluate(plan, beta)
    return (beta, fit) if fit.value >= null.value else (np.zeros(len(beta)), null)


def require_variation(information, n_died, terms, name, combinations=True):
    """Refuse covariates that carry no information of their own, by name; or only those that are constant."""
    size = np.diag(information)
    flat = size <= REDUNDANT * n_died
    if flat.any():
        names = ", ".join(term for term, bad in zip(terms, flat, strict=True) if bad)
        raise EstimationError(f"{name}: {names}: constant among the persons at risk (within strata) at every "
                              "event; leave out")
    correlation = information / np.sqrt(np.outer(size, size))
    for k in range(1, len(terms) if combinations else 1):
        weights = np.linalg.solve(correlation[:k, :k], correlation[:k, k])
        if 1 - correlation[k, :k] @ weights < REDUNDANT:
            others = ", ".join(terms[j] for j in range(k) if abs(weights[j]) > 1e-6)
            raise EstimationError(f"{name}: {terms[k]} is a combination of {others}; leave one of them out")


def root_of(information):
    """Return the matrix that turns an information into the identity."""
    return np.linalg.inv(np.linalg.cholesky(information))


def _of_a_part(plan):
    """Return the maximum of a part of the rows, or of the strata where many; None if it has none."""
    n_rows, n_blocks = len(plan.first), plan.block_of_time[-1] + 1
    if n_rows < LARGE:
        return None
    if n_blocks >= ONE_IN**2:
        chosen = np.zeros(n_blocks, dtype=bool)
        chosen[evenly(n_blocks, n_blocks // ONE_IN)] = True
        rows = np.flatnonzero(chosen[plan.block])
    else:
        rows = evenly(n_rows, max(n_rows // ONE_IN, PART))
    some = part(plan, rows)
    n_terms = plan.x.shape[1]
    if some is None or len(some.died) < PART_EVENTS * n_terms:
        return None
    try:
        zero = np.zeros(n_terms)
        null = evaluate(some, zero)
        return maximise(lambda beta: evaluate(some, beta), (zero, null), ("",) * n_terms,
                        root_of(null.information), PART_ENOUGH, name="a part of the rows")[0]
    except (EstimationError, np.linalg.LinAlgError):
        return None


def evenly(n, size):
    """Return about ``size`` of n positions, evenly spread but with no period that rows might share."""
    # Each stretch is entered at a multiple of the golden section, the most irregular of regular sequences.
    step = np.arange(size)
    return ((step + step * 0.6180339887498949 % 1) * (n / size)).astype(np.int64)


def _ascend(likelihood, beta, change, fit):
    """Take a Newton step, halved until the likelihood does not fall."""
    slack = 1e-10 * (1 + abs(fit.value))
    for _ in range(30):
        with np.errstate(all="ignore"):
            new = likelihood(beta + change)
        if np.isfinite(new.value) and new.value >= fit.value - slack and np.isfinite(new.information).all():
            return beta + change, new
        change = change / 2
    return beta, fit


def _is_flat(fit, root):
    """Say whether the likelihood has flattened out: hardly anything is left of the information at zero."""
    return np.linalg.eigvalsh(root @ fit.information @ root.T)[0] < FLAT


def _no_maximum(fit, root, terms, name):
    """Return the error that names the combination of covariates that separates the events.

    ``root`` turns the information at zero into the identity, so that the direction of the smallest
    eigenvalue is the one in which least is left of it.
    """
    direction = np.linalg.eigh(root @ fit.information @ root.T)[1][:, 0]
    loading = np.abs(root.T @ direction) / np.sqrt(np.diag(root.T @ root))
    names = ", ".join(term for term, size in zip(terms, loading, strict=True) if size > 0.3 * loading.max())
    more = MORE.get(name.partition(":")[0], "")
    return EstimationError(
        f"{name}: {names}: separates those with the event from those without, so the likelihood has no "
        f"maximum and the ratio would be 0 or infinite.{more} Join categories, leave the covariate out, or "
        "make it a stratum")
