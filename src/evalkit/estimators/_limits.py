"""Confidence limits and p-values: the only place where a level becomes a quantile."""

from numbers import Real
from statistics import NormalDist

import numpy as np

CONF_TYPES = ("plain", "log", "log-log")


def quantile(conf_level):
    """Return the normal quantile of a two-sided level."""
    if not isinstance(conf_level, Real) or not 0 < conf_level < 1:
        raise ValueError(f"conf_level == {conf_level!r}, must be between 0 and 1")
    return NormalDist().inv_cdf((1 + conf_level) / 2)


def require_one_of(name, value, allowed):
    """Refuse an option that is not one of the allowed words."""
    if value not in allowed:
        raise ValueError(f"{name} == {value!r}, must be one of {', '.join(map(str, allowed))}")


def read_weeks(name, value, *, above=False):
    """Return one or more weeks as an array; refuse what is no finite number from 0 on (or above 0)."""
    try:
        weeks = np.atleast_1d(np.asarray(value, dtype=float))
    except (TypeError, ValueError):
        weeks = np.array([np.nan])
    if not (weeks.ndim == 1 and len(weeks) and np.isfinite(weeks).all()
            and (weeks > 0 if above else weeks >= 0).all()):
        raise ValueError(f"{name} == {value!r}, must be one or more weeks {'above' if above else 'from'} 0")
    return weeks


def read_week(name, value):
    """Return one week from time zero on; refuse anything else."""
    if np.ndim(value):
        raise ValueError(f"{name} == {value!r}, must be one week")
    return float(read_weeks(name, value)[0])


def share_limits(share, error, conf_level, conf_type):
    """Return limits of a probability as ``survival::survfit`` names and computes them.

    Where nothing has happened yet (share 1, error 0) both limits are 1, for ``log-log`` too.
    """
    require_one_of("conf_type", conf_type, CONF_TYPES)
    z = quantile(conf_level)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        low, high = _LIMITS[conf_type](share, z * error)
    sure = (share == 1) & (error == 0)
    return np.where(sure, 1.0, np.maximum(low, 0)), np.where(sure, 1.0, np.minimum(high, 1))


def amount_limits(amount, error, conf_level, conf_type):
    """Return limits of a quantity that cannot be negative: ``plain`` or ``log``."""
    require_one_of("conf_type", conf_type, CONF_TYPES[:2])
    z = quantile(conf_level)
    if conf_type == "plain":
        return np.maximum(amount - z * error, 0), amount + z * error
    with np.errstate(divide="ignore", invalid="ignore"):
        factor = np.where(amount > 0, np.exp(z * error / amount), 1.0)
    return amount / factor, amount * factor


def two_sided(z):
    """Return the two-sided p-value of a standard normal statistic."""
    from scipy.special import ndtr
    return 2 * ndtr(-np.abs(z))


def chi_square(statistic, df):
    """Return the upper tail of a chi-square statistic."""
    from scipy.special import chdtrc
    return float(chdtrc(df, statistic))


def _plain(share, margin):
    return share - margin, share + margin


def _log(share, margin):
    centre = np.log(np.where(share > 0, share, np.nan))
    return np.exp(centre - margin / share), np.exp(centre + margin / share)


def _log_log(share, margin):
    inside = np.where((share > 0) & (share < 1), share, np.nan)
    centre, margin = np.log(-np.log(inside)), margin / (inside * np.log(inside))
    return np.exp(-np.exp(centre - margin)), np.exp(-np.exp(centre + margin))


_LIMITS = {"plain": _plain, "log": _log, "log-log": _log_log}
