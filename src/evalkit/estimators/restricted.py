"""The restricted mean: weeks without the event up to a horizon, and its difference between groups."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from evalkit.errors import EstimationError
from evalkit.estimators._counting import (
    divide,
    event_codes,
    is_robust,
    require_clusters,
    strata_of,
    total,
    units_of,
)
from evalkit.estimators._grid import grid_of
from evalkit.estimators._limits import quantile, two_sided
from evalkit.estimators.nonparametric import product_limit, refuse_early_end
from evalkit.result import Estimand, Provenance, Result, tidy


def restricted_mean(at_risk, *, horizon_weeks, cause=None, conf_level=0.95, robust=None):
    """Estimate the mean number of weeks without the event up to each horizon, by stratum, and differences.

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
        ``restricted_mean_difference``: each later group less the first. ``model`` holds the estimates of the
        first kind with their covariance.

    Raises
    ------
    EstimationError
        If a horizon lies beyond the follow-up of a group in which the event is still to come.

    Notes
    -----
    The area under S up to the horizon; variance the sum over event times of R(t)^2 d / (n (n - d)), with R(t)
    the area from t on: ``print(survfit(...), rmean = horizon)`` of R survival. ``robust`` squares the
    influence functions within clusters instead, so that groups which share clusters are compared rightly.

    Examples
    --------
    >>> from evalkit.atrisk import AtRisk
    >>> frame = pd.DataFrame({"weeks": [1, 2, 2, 4], "left": [1, 1, 0, 0]})
    >>> answer = restricted_mean(AtRisk.from_frame(frame, exit="weeks", event="left"), horizon_weeks=4)
    >>> answer.table["estimate"].tolist()
    [2.75]
    """
    quantile(conf_level)
    horizons = np.atleast_1d(np.asarray(horizon_weeks, dtype=float))
    robust = is_robust(at_risk, robust)
    if robust:
        require_clusters(at_risk)
    events = event_codes(at_risk, cause)
    groups = [_group(label, at_risk.select(rows), events[rows], horizons, rows)
              for label, rows in strata_of(at_risk)]
    estimates, size = np.concatenate([group.area for group in groups]), len(horizons)
    covariance = _robust_covariance(at_risk, groups, size) if robust else _block(groups, size)
    table = _levels(groups, horizons, estimates, covariance, conf_level)
    if len(groups) > 1:
        differences = _differences(groups, horizons, estimates, covariance, conf_level)
        table = pd.concat([table, differences], ignore_index=True)
    model = {"terms": ("restricted_mean",) * len(estimates),
             "groups": tuple(np.repeat([group.label for group in groups], size)),
             "times": np.tile(horizons, len(groups)), "estimates": estimates, "covariance": covariance}
    options = {"horizon_weeks": horizons.tolist(), "cause": cause, "conf_level": conf_level, "robust": robust}
    return Result(kind="model", table=table, model=model, diagnostics={"reference": groups[0].label},
                  estimand=Estimand(name="restricted_mean", summary="restricted_mean", unit="weeks",
                                    horizon_weeks=float(horizons.max())),
                  provenance=Provenance(method="restricted_mean", options=options))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Group:
    """One stratum: the area, each row's influence on it, and Greenwood's covariance, by horizon."""

    label: str
    position: np.ndarray
    area: np.ndarray
    influence: np.ndarray
    greenwood: np.ndarray
    n_persons: int
    n_events: np.ndarray


def _group(label, rows, events, horizons, position):
    grid = grid_of(label, rows, events)
    refuse_early_end(grid)
    survival, _ = product_limit(grid, robust=False)
    _require_follow_up(grid, survival, horizons)
    area, rest = _areas(grid.times, survival, horizons)
    died = grid.events[:, 0]
    left = grid.at_risk - died
    share = np.where(survival > 0, divide(1.0, left), 0.0)[:, None] * rest
    pull = np.vstack([np.zeros(len(horizons)), np.cumsum(grid.hazard[:, None] * share, axis=0)])
    influence = pull[grid.last] - pull[grid.first]
    influence[events > 0] -= share[grid.last[events > 0] - 1]
    greenwood = (rest * divide(died, grid.at_risk * left)[:, None]).T @ rest
    count = grid.n_events[:, 0]
    n_events = np.array([count[grid.times <= horizon].sum() for horizon in horizons])
    return _Group(label=label, position=position, area=area, influence=influence, greenwood=greenwood,
                  n_persons=rows.n_persons, n_events=n_events)


def _areas(times, survival, horizons):
    """Return the area under S up to each horizon, and from each time to each horizon."""
    edges = np.minimum(np.append(0.0, times)[:, None], horizons)
    width = np.diff(np.vstack([edges, horizons]), axis=0)
    piece = np.append(1.0, survival)[:, None] * width
    rest = np.cumsum(piece[::-1], axis=0)[::-1]
    return rest[0], rest[1:]


def _require_follow_up(grid, survival, horizons):
    beyond = horizons[horizons > grid.times[-1]]
    if len(beyond) and survival[-1] > 0:
        where = f"stratum {grid.label}: " if grid.label else ""
        raise EstimationError(f"{where}nobody is followed to week {beyond.min():g}, and the event is still "
                              "to come for some. Choose an earlier horizon_weeks")
    if (horizons <= 0).any():
        raise ValueError(f"horizon_weeks == {horizons.min():g}, must be above 0")


def _block(groups, size):
    covariance = np.zeros((len(groups) * size,) * 2)
    for k, group in enumerate(groups):
        covariance[k * size:(k + 1) * size, k * size:(k + 1) * size] = group.greenwood
    return covariance


def _robust_covariance(at_risk, groups, size):
    units = units_of(at_risk)
    sums = np.zeros((len(units.copies), len(groups) * size))
    for k, group in enumerate(groups):
        for j in range(size):
            value = units.weight[group.position] * group.influence[:, j]
            sums[:, k * size + j] = total(units.code[group.position], value, len(sums))
    return sums.T @ (sums * units.copies[:, None])


def _levels(groups, horizons, estimates, covariance, conf_level):
    error = np.sqrt(np.diag(covariance))
    margin = quantile(conf_level) * error
    top = np.tile(horizons, len(groups))
    return tidy(term="restricted_mean", group=np.repeat([g.label for g in groups], len(horizons)),
                time_weeks=top, estimate=estimates, std_error=error,
                conf_low=np.maximum(estimates - margin, 0),
                conf_high=np.minimum(estimates + margin, top),
                n_persons=np.repeat([g.n_persons for g in groups], len(horizons)),
                n_events=np.concatenate([g.n_events for g in groups]))


def _differences(groups, horizons, estimates, covariance, conf_level):
    size, later = len(horizons), groups[1:]
    contrast = np.hstack([np.tile(-np.eye(size), (len(later), 1)), np.eye(len(later) * size)])
    difference = contrast @ estimates
    error = np.sqrt(np.diag(contrast @ covariance @ contrast.T))
    margin = quantile(conf_level) * error
    with np.errstate(divide="ignore", invalid="ignore"):
        p_value = two_sided(difference / error)
    return tidy(term="restricted_mean_difference", group=np.repeat([g.label for g in later], size),
                time_weeks=np.tile(horizons, len(later)), estimate=difference, std_error=error,
                conf_low=difference - margin, conf_high=difference + margin, p_value=p_value,
                n_persons=np.repeat([g.n_persons + groups[0].n_persons for g in later], size),
                n_events=np.concatenate([g.n_events + groups[0].n_events for g in later]))
