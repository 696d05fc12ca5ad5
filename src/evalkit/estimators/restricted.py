"""The restricted mean: weeks without the event up to a horizon, its difference and ratio between groups."""

import numpy as np
import pandas as pd

from evalkit.estimators._clusters import clusters_told
from evalkit.estimators._counting import event_codes, strata_of
from evalkit.estimators._functionals import (
    areas,
    joint_covariance,
    p_value,
    read,
    require_follow_up,
)
from evalkit.estimators._gaps import gaps_of
from evalkit.estimators._grid import curves_of, grid_of, read_from
from evalkit.estimators._limits import quantile, read_weeks
from evalkit.estimators._units import is_robust, require_clusters_by_stratum
from evalkit.estimators.nonparametric import product_limit, refuse_early_end
from evalkit.result import Estimand, Provenance, Result, tidy

UNITS = {"restricted_mean": "weeks", "restricted_mean_difference": "weeks", "restricted_mean_ratio": "ratio"}


def restricted_mean(at_risk, *, horizon_weeks, cause=None, conf_level=0.95, robust=None):
    """Estimate the mean number of weeks without the event up to each horizon, by stratum, and compare them.

    Parameters
    ----------
    at_risk : AtRisk
        Without ``state``; its strata are the groups.
    horizon_weeks : float or sequence of float
    cause, conf_level, robust
        As in :func:`kaplan_meier`.

    Returns
    -------
    Result
        Kind ``model``. Term ``restricted_mean`` for each group and horizon; with several groups also
        ``restricted_mean_difference`` and ``restricted_mean_ratio``: each later group less, and over, the
        first. ``model`` holds the estimates of the first kind with their covariance. Gaps in observation
        before the last horizon are told as in :func:`kaplan_meier`: no event is counted in them, so that the
        mean of their group is an upper bound.

    Raises
    ------
    EstimationError
        If a horizon lies beyond the follow-up of a group in which the event is still to come, or the means
        are more than 2,000.

    Notes
    -----
    The area under S up to the horizon; variance the sum over event times of R(t)^2 d / (n (n - d)), with R(t)
    the area from t on: ``print(survfit(...), rmean = horizon)`` of R survival and ``survRM2::rmst2`` (neither
    takes the factor m / (m - 1) of older texts). Limits of the ratio are those of its logarithm, whose
    variance is V1 / m1^2 + V0 / m0^2 (- 2 C / (m1 m0) where clusters are shared), as in ``rmst2``; its
    ``std_error`` is the ratio times the error of the logarithm. Limits of a mean stay within 0 and the
    horizon (``rmst2``'s may not). ``robust`` squares the influence functions within clusters instead, so
    that groups which share clusters are compared rightly.

    References
    ----------
    .. [1] Royston and Parmar (2013), BMC Medical Research Methodology 13, 152.

    Examples
    --------
    >>> from evalkit.atrisk import AtRisk
    >>> frame = pd.DataFrame({"weeks": [1, 2, 2, 4, 4], "left": [1, 1, 0, 0, 0], "side": list("AAAAB")})
    >>> groups = AtRisk.from_frame(frame, exit="weeks", event="left", strata="side")
    >>> restricted_mean(groups, horizon_weeks=4).table["estimate"].round(4).tolist()
    [2.75, 4.0, 1.25, 1.4545]
    """
    z, horizons = quantile(conf_level), read_weeks("horizon_weeks", horizon_weeks, above=True)
    robust = is_robust(at_risk, robust)
    if robust:
        require_clusters_by_stratum(at_risk)
    events = event_codes(at_risk, cause)
    found = [_group(label, at_risk.select(rows), events[rows], horizons, rows, robust)
             for label, rows in strata_of(at_risk)]
    groups = [group for group, _ in found]
    covariance = joint_covariance(at_risk, groups, robust)
    estimates = np.concatenate([group.estimate for group in groups])
    tables = [_levels(groups, horizons, estimates, covariance, z)]
    if len(groups) > 1:
        tables += _comparisons(groups, horizons, estimates, covariance, z)
    table = pd.concat(tables, ignore_index=True)
    size, gaps = len(horizons), gaps_of(at_risk, until_weeks=horizons.max())
    times = np.tile(horizons, len(groups))
    model = {"terms": ("restricted_mean",) * len(estimates),
             "groups": tuple(np.repeat([group.label for group in groups], size)),
             "times": times, "estimates": estimates, "covariance": covariance, "gaps": gaps,
             **read_from([curve for _, curve in found], np.repeat(np.arange(len(groups)), size), 0.0, times,
                         len(table))}
    options = {"horizon_weeks": horizons.tolist(), "cause": cause, "conf_level": conf_level, "robust": robust}
    return Result(kind="model", table=table, model=model,
                  diagnostics={"reference": groups[0].label, "n_gaps": len(gaps),
                               **clusters_told(at_risk, 1, "restricted_mean", robust)},
                  estimand=Estimand(name="restricted_mean", summary="restricted_mean",
                                    unit=UNITS if len(groups) > 1 else "weeks",
                                    horizon_weeks=float(horizons.max())),
                  provenance=Provenance(method="restricted_mean", options=options))


def _group(label, rows, events, horizons, position, robust):
    grid = grid_of(label, rows, events)
    refuse_early_end(grid)
    survival, _ = product_limit(grid, robust=False)
    require_follow_up(grid, survival, horizons)
    area, rest = areas(grid.times, survival, horizons)
    count = np.append(0.0, np.cumsum(grid.n_events[:, 0]))
    n_events = count[np.searchsorted(grid.times, horizons, side="right")]
    return read(grid, position, rest, robust, terms=("restricted_mean",) * len(horizons), times=horizons,
                estimate=area, n_persons=np.full(len(horizons), rows.n_persons), n_events=n_events), \
        curves_of(grid)[0][1:]


def _levels(groups, horizons, estimates, covariance, z):
    error = np.sqrt(np.diag(covariance))
    top = np.tile(horizons, len(groups))
    return tidy(term="restricted_mean", group=np.repeat([g.label for g in groups], len(horizons)),
                time_weeks=top, estimate=estimates, std_error=error,
                conf_low=np.maximum(estimates - z * error, 0),
                conf_high=np.minimum(estimates + z * error, top),
                n_persons=np.concatenate([g.n_persons for g in groups]),
                n_events=np.concatenate([g.n_events for g in groups]))


def _comparisons(groups, horizons, estimates, covariance, z):
    """Compare each later group with the first, horizon by horizon."""
    size = len(horizons)
    later, first = np.arange(size, len(estimates)), np.tile(np.arange(size), len(groups) - 1)
    variance = np.diag(covariance)
    common = {"group": np.repeat([g.label for g in groups[1:]], size), "time_weeks": horizons[first],
              "n_persons": np.concatenate([g.n_persons + groups[0].n_persons for g in groups[1:]]),
              "n_events": np.concatenate([g.n_events + groups[0].n_events for g in groups[1:]])}

    def error_of(scale_later, scale_first):
        """Return the error of scale_later x later - scale_first x first."""
        squares = scale_later**2 * variance[later] + scale_first**2 * variance[first]
        return np.sqrt(np.maximum(squares - 2 * scale_later * scale_first * covariance[later, first], 0))

    difference, error = estimates[later] - estimates[first], error_of(1.0, 1.0)
    yield tidy(term="restricted_mean_difference", estimate=difference, std_error=error,
               conf_low=difference - z * error, conf_high=difference + z * error,
               p_value=p_value(difference, error), **common)
    ratio, error = estimates[later] / estimates[first], error_of(1 / estimates[later], 1 / estimates[first])
    yield tidy(term="restricted_mean_ratio", estimate=ratio, std_error=ratio * error,
               conf_low=ratio * np.exp(-z * error), conf_high=ratio * np.exp(z * error),
               p_value=p_value(np.log(ratio), error), **common)
