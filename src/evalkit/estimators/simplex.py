"""Least squares over the unit simplex: the weights of synthetic control and synthetic difference-in-differences."""

import numpy as np

from evalkit.errors import EstimationError

# Relative to the scale of the gradient; below it two vertices are equally good.
_TOLERANCE = 1e-11


def simplex_least_squares(columns, target, *, ridge=0.0):
    """Find the exact minimiser of ||A x - b||^2 + ridge ||x||^2 over x >= 0, sum(x) = 1.

    Parameters
    ----------
    columns : ndarray, shape (n_rows, n_columns)
        A, one column per weight.
    target : ndarray, shape (n_rows,)
        b, in the unit of A.
    ridge : float, square of the unit of A
        Any value above 0 makes the minimiser unique.

    Returns
    -------
    ndarray, shape (n_columns,)
        Weights; those outside the support are exactly 0.

    Raises
    ------
    EstimationError
        If the active set does not settle (numerically degenerate data).

    Notes
    -----
    Active set of Lawson and Hanson (1974, chapter 23) with the sum-to-one constraint eliminated:
    on a support, one weight is 1 minus the others and the rest is an ordinary least-squares problem.
    Ends where no vertex improves the objective (Karush-Kuhn-Tucker), so it is the optimum and not
    a stopping rule's opinion of it, and it is two orders of magnitude faster than Frank-Wolfe.

    Examples
    --------
    Halfway between two columns:

    >>> simplex_least_squares(np.array([[0.0, 2.0, 9.0], [0.0, 2.0, 0.0]]), np.array([1.0, 1.0])).round(6)
    array([0.5, 0.5, 0. ])
    """
    columns, target, ridge = _standardise(columns, target, ridge)
    support = [int(np.argmin(((columns - target[:, None]) ** 2).sum(axis=0)))]
    weights = np.zeros(columns.shape[1])
    weights[support] = 1.0
    for _ in range(10 * columns.shape[1] + 100):
        gradient = columns.T @ (columns @ weights - target) + ridge * weights
        outside = np.where(weights > 0, np.inf, gradient - gradient @ weights)
        entering = int(np.argmin(outside))
        if outside[entering] >= -_TOLERANCE:
            return weights
        moved = _settle(columns, target, ridge, weights, [*support, entering])
        if moved[entering] <= 0:
            return weights
        weights, support = moved, list(np.flatnonzero(moved))
    raise EstimationError("synthetic weights: the active set did not settle; look for duplicated or constant series")


def _standardise(columns, target, ridge):
    """Move and scale so that tolerances mean the same in every unit; the minimiser does not change."""
    columns, target = np.asarray(columns, dtype=float), np.asarray(target, dtype=float)
    columns = columns - target[:, None]
    scale = np.sqrt((columns**2).sum(axis=0).max()) or 1.0
    return columns / scale, np.zeros(len(target)), ridge / scale**2


def _settle(columns, target, ridge, weights, support):
    """Minimise on the support, dropping the weights that would turn negative on the way."""
    while True:
        proposal = _on_support(columns[:, support], target, ridge)
        if (proposal > 0).all():
            settled = np.zeros_like(weights)
            settled[support] = proposal
            return settled
        current = weights[support]
        falling = proposal <= 0
        reach = np.where(falling, current / np.where(falling, current - proposal, 1.0), np.inf)
        step = reach.min()
        weights = np.zeros_like(weights)
        weights[support] = np.where(reach <= step * (1 + 1e-12), 0.0, current + step * (proposal - current))
        support = [unit for unit in support if weights[unit] > 0]


def _on_support(columns, target, ridge):
    """Minimise with the sum fixed at one and no sign constraint: the first weight is 1 - sum(others)."""
    first, others = columns[:, 0], columns[:, 1:]
    root = np.sqrt(ridge)
    n_others = others.shape[1]
    left = np.vstack([others - first[:, None], root * np.eye(n_others), -root * np.ones((1, n_others))])
    right = np.concatenate([target - first, np.zeros(n_others), [-root]])
    rest = np.linalg.lstsq(left, right, rcond=None)[0]
    return np.concatenate([[1.0 - rest.sum()], rest])


def frank_wolfe(columns, target, *, ridge, min_decrease, max_iterations, start=None):
    """Approach the same minimiser by Frank-Wolfe steps with exact line search, stopped early.

    Only for agreement with R: synthdid stops here (``sc.weight.fw``, synthdid 0.0.9), and what
    was published with it rests on that.

    Parameters
    ----------
    columns, target, ridge
        As in `simplex_least_squares`.
    min_decrease : float
        Stop when a step lowers the objective per row by less than its square.
    max_iterations : int
    start : ndarray, optional
        Weights to begin with; equal weights by default.

    Returns
    -------
    ndarray, shape (n_columns,)
    """
    n_rows, n_columns = columns.shape
    weights = np.full(n_columns, 1.0 / n_columns) if start is None else np.array(start, dtype=float)
    fitted, before = columns @ weights, np.inf
    for iteration in range(max_iterations):
        vertex, step = _best_step(columns, target, ridge, weights, fitted)
        weights *= 1.0 - step
        weights[vertex] += step
        fitted = columns @ weights
        value = (((fitted - target) ** 2).sum() + ridge * (weights**2).sum()) / n_rows
        if iteration > 0 and before - value <= min_decrease**2:
            break
        before = value
    return weights


def _best_step(columns, target, ridge, weights, fitted):
    """Return the vertex with the steepest descent and the length of the step towards it."""
    gradient = columns.T @ (fitted - target) + ridge * weights
    vertex = int(np.argmin(gradient))
    direction = -weights
    direction[vertex] += 1.0
    if not direction.any():
        return vertex, 0.0
    curvature = ((columns[:, vertex] - fitted) ** 2).sum() + ridge * (direction**2).sum()
    return vertex, float(np.clip(-(gradient @ direction) / curvature, 0.0, 1.0))
