"""Least squares over the unit simplex: the weights of synthetic control and synthetic DiD."""

import numpy as np

from evalkit.errors import EstimationError

# Relative to the largest squared distance between a column and the target. Where many mixtures fit
# perfectly the ridge alone chooses, so it must stand well above the rounding of a gradient (1e-16).
_LEAST_RIDGE = 1e-10
_TOLERANCE, _ROUNDING = 1e-11, 2e-16


def simplex_least_squares(columns, target, *, ridge=0.0):
    """Find the exact minimiser of ||A x - b||^2 + ridge ||x||^2 over x >= 0, sum(x) = 1.

    Parameters
    ----------
    columns : ndarray, shape (n_rows, n_columns)
        A, one column per weight.
    target : ndarray, shape (n_rows,)
        b, in the unit of A.
    ridge : float, square of the unit of A
        Raised to 1e-10 of the largest squared distance, so that the minimiser is unique.

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
    As the weights sum to one, the objective is ||M x||^2 with M the columns less the target, on top of the
    root of the ridge times the identity; its minimum on a support without signs is proportional to the
    solution of M'M z = 1, found from the QR factor so that the condition is not squared. First all negative
    weights are dropped at once until none is left; from there an active set (Lawson and Hanson 1974,
    chapter 23) adds and drops one at a time until no vertex improves the objective (Karush-Kuhn-Tucker). So
    the answer is the optimum and not a stopping rule's opinion of it, and much faster than Frank-Wolfe.

    Examples
    --------
    Halfway between two columns:

    >>> simplex_least_squares(np.array([[0.0, 2.0, 9.0], [0.0, 2.0, 0.0]]), np.array([1.0, 1.0])).round(6)
    array([0.5, 0.5, 0. ])
    """
    stacked = _stacked(columns, target, ridge)
    weights = _first_weights(stacked)
    for _ in range(10 * len(weights) + 100):
        residual = stacked @ weights
        outside = np.where(weights > 0, np.inf, stacked.T @ residual - residual @ residual)
        entering = int(np.argmin(outside))
        if outside[entering] >= -_TOLERANCE * np.sqrt(residual @ residual) - _ROUNDING:
            return weights
        moved = _settle(stacked, weights, np.append(np.flatnonzero(weights), entering))
        if moved[entering] <= 0:
            return weights
        weights = moved
    raise EstimationError(
        "synthetic weights: the active set did not settle; look for duplicated or constant series"
    )


def _stacked(columns, target, ridge):
    """Scale so that tolerances mean the same in every unit; the minimiser does not change."""
    distance = np.asarray(columns, dtype=float) - np.asarray(target, dtype=float)[:, None]
    scale = (distance**2).sum(axis=0).max() or 1.0
    root = np.sqrt(max(ridge / scale, _LEAST_RIDGE))
    return np.vstack([distance / np.sqrt(scale), root * np.eye(distance.shape[1])])


def _first_weights(stacked):
    support = np.arange(stacked.shape[1])
    while True:
        proposal = _on_support(stacked, support)
        if (proposal > 0).all():
            return _spread(proposal, support, stacked.shape[1])
        support = support[proposal > 0]


def _on_support(stacked, support):
    """Minimise with the sum fixed at one and no sign constraint."""
    factor = np.linalg.qr(stacked[:, support], mode="r")
    solution = np.linalg.solve(factor, np.linalg.solve(factor.T, np.ones(len(support))))
    return solution / solution.sum()


def _settle(stacked, weights, support):
    """Minimise on the support, dropping the weights that would turn negative on the way."""
    while True:
        proposal = _on_support(stacked, support)
        if (proposal > 0).all():
            return _spread(proposal, support, stacked.shape[1])
        current, falling = weights[support], proposal <= 0
        reach = np.where(falling, current / np.where(falling, current - proposal, 1.0), np.inf)
        step = reach.min()
        current = np.where(reach <= step * (1 + 1e-12), 0.0, current + step * (proposal - current))
        weights = _spread(current, support, stacked.shape[1])
        support = support[current > 0]


def _spread(values, support, length):
    weights = np.zeros(length)
    weights[support] = values
    return weights


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
