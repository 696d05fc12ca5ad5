"""What each person adds to a mean of the own group, so that errors can be taken over persons."""

import numpy as np


def mean_contributions(values, observed, cell):
    """Return what each row adds to the mean of its cell in each week, when not every week is observed.

    Parameters
    ----------
    values : ndarray of float, shape (n_rows, n_weeks)
        Anything where not observed.
    observed : ndarray of bool, shape (n_rows, n_weeks)
        Ended by the data's end alone, so that who is observed says nothing about the value.
    cell : ndarray of int, shape (n_rows,)

    Returns
    -------
    ndarray of float, shape (n_rows, n_weeks)
        The cell's mean is the mean over its observed rows, and a row's distance from it is its influence:
        m + [observed] (n / n_observed) (x - m). A week that nobody in a cell is observed in is missing.

    Examples
    --------
    >>> values, observed = np.array([[1.0], [3.0], [9.0]]), np.array([[True], [True], [False]])
    >>> mean_contributions(values, observed, np.zeros(3, dtype=int))
    array([[0.5],
           [3.5],
           [2. ]])
    """
    if observed.all():
        return values
    n_cells = int(cell.max(initial=0)) + 1
    seen = group_sums(observed.astype(float), cell, n_cells)
    size = np.bincount(cell, minlength=n_cells)[:, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = group_sums(np.where(observed, values, 0.0), cell, n_cells) / seen
        scale = size / seen
    return mean[cell] + np.where(observed, scale[cell] * (values - mean[cell]), 0.0)


def group_sums(values, group, n_groups):
    """Add up the rows of each group, column by column: shape (n_groups, n_columns)."""
    return np.column_stack([np.bincount(group, weights=column, minlength=n_groups) for column in values.T])
