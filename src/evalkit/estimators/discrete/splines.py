"""Restricted cubic splines: smooth between the outer knots, straight beyond them."""

import numpy as np

from evalkit.errors import EstimationError

# Shares of the events at which k knots are placed (Harrell 2015, table 2.3).
PLACES = {
    3: (0.10, 0.50, 0.90),
    4: (0.05, 0.35, 0.65, 0.95),
    5: (0.05, 0.275, 0.50, 0.725, 0.95),
    6: (0.05, 0.23, 0.41, 0.59, 0.77, 0.95),
    7: (0.025, 0.1833, 0.3417, 0.50, 0.6583, 0.8167, 0.975),
}


def restricted_cubic(x, knots):
    """Return the basis of a restricted cubic spline: x itself and one column for each inner knot.

    Column j + 1 is, with p(u) = max(u, 0)^3 and knots t_1 < ... < t_k,
    ``[p(x - t_j) - p(x - t_{k-1}) (t_k - t_j) / (t_k - t_{k-1})
    + p(x - t_k) (t_{k-1} - t_j) / (t_k - t_{k-1})] / (t_k - t_1)^2``.

    Parameters
    ----------
    x : array-like, shape (n,)
    knots : array-like, shape (k,)
        At least three, rising.

    Returns
    -------
    ndarray, shape (n, k - 1)

    Notes
    -----
    Harrell (2015), Regression Modeling Strategies, section 2.4.5, with its scaling; equals
    ``Hmisc::rcspline.eval(x, knots, inclx = TRUE)`` and the columns of ``rms::rcs``.

    Examples
    --------
    >>> restricted_cubic([0.0, 2.0, 4.0], [0.0, 2.0, 4.0]).tolist()
    [[0.0, 0.0], [2.0, 0.5], [4.0, 3.0]]
    """
    x, knots = np.asarray(x, dtype=float), np.asarray(knots, dtype=float)
    last, before = knots[-1], knots[-2]
    cube = np.maximum(x[:, None] - knots, 0) ** 3
    inner = knots[:-2]
    bent = (cube[:, :-2] - cube[:, [-2]] * (last - inner) / (last - before)
            + cube[:, [-1]] * (before - inner) / (last - before))
    return np.column_stack([x, bent / (last - knots[0]) ** 2])


def place_knots(times, weight, number):
    """Place knots at Harrell's shares of the (weighted) times; refuse where they fall together."""
    order = np.argsort(times, kind="stable")
    share = np.cumsum(weight[order]) / weight.sum()
    at = np.searchsorted(share, np.array(PLACES[number]) - 1e-12)
    knots = times[order][at].astype(float)
    if (np.diff(knots) <= 0).any():
        raise EstimationError(f"duration: {number} knots at the usual shares of {len(times)} rows with an "
                              f"event fall on {len(np.unique(knots))} different weeks; give fewer knots, or "
                              "the weeks themselves: {'knots': [2, 13, 52]}")
    return knots
