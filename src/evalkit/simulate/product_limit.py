"""The product-limit curve's restricted mean: what a survival estimator aims at when other exits censor."""

import numpy as np


def restricted_mean(time, cause, horizon):
    """Return the mean of min(time to cause 1, horizon) by the product limit, other causes censoring.

    Examples
    --------
    >>> restricted_mean(np.array([1, 2, 4]), np.array([1, 2, 0]), 4)
    3.0
    """
    weeks = np.arange(horizon + 1)
    events = np.bincount(time[cause == 1], minlength=horizon + 1)
    leaving = np.bincount(time, minlength=horizon + 1)
    at_risk = len(time) - np.r_[0, np.cumsum(leaving)[:-1]]
    survival = np.cumprod(1.0 - events / np.maximum(at_risk, 1))
    return float(np.sum(survival[weeks < horizon]))
