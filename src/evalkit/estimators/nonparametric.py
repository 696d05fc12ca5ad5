"""Curves without a model: survival, cumulative hazard, restricted mean, and the test that compares them."""

import numpy as np
import pandas as pd

from evalkit.errors import EstimationError
from evalkit.estimators._counting import (
    divide,
    event_codes,
    grid_of,
    is_robust,
    n_at_start,
    require_clusters,
    strata_of,
)
from evalkit.estimators._influence import hazard_variance, survival_variance
from evalkit.estimators._limits import CONF_TYPES, amount_limits, require_one_of, share_limits
from evalkit.result import Estimand, Provenance, Result, tidy


def kaplan_meier(at_risk, *, cause=None, conf_level=0.95, conf_type="log", robust=None):
    """Estimate the share still without the event at each week, by stratum.

    Parameters
    ----------
    at_risk : AtRisk
        Without ``state``; its strata are the groups.
    cause : str, optional
        The event that counts, others censoring; default: any event.
    conf_level : float
    conf_type : {"log", "log-log", "plain"}
        Limits as ``survival::survfit`` names them.
    robust : bool, optional
        Influence-function errors by cluster (else person). Default: where there is a cluster, a weight
        other than 1, or a person with several events; otherwise Greenwood's.

    Returns
    -------
    Result
        Kind ``curve``, term ``survival``: a row at time 0, at every event time and at the end of follow-up.

    Raises
    ------
    EstimationError
        If the table has states, or everybody at risk has the event while others enter later.

    Notes
    -----
    S(t) = prod over event times s <= t of (1 - d(s) / n(s)), with n(s) those with entry < s <= exit: an
    event precedes a censoring in the same week. Error: S(t)^2 times the sum of d / (n (n - d)). Values equal
    ``summary(survfit(Surv(entry, exit, event) ~ strata))`` of R survival; ``robust`` equals its
    ``robust=TRUE``. It differs in three ways: no row where only censorings fall (the curve is flat there),
    splits within a person are no censorings, and at S = 1 the ``log-log`` limits are 1 (R: missing). Where
    S is 0 error and limits are missing, as in R.

    Examples
    --------
    >>> from evalkit.atrisk import AtRisk
    >>> frame = pd.DataFrame({"weeks": [1, 2, 2, 4], "left": [1, 1, 0, 0]})
    >>> kaplan_meier(AtRisk.from_frame(frame, exit="weeks", event="left")).table[
    ...     ["time_weeks", "estimate", "n_persons", "n_events"]]
       time_weeks  estimate  n_persons  n_events
    0         0.0      1.00        4.0       0.0
    1         1.0      0.75        4.0       1.0
    2         2.0      0.50        3.0       1.0
    3         4.0      0.50        1.0       0.0
    """
    require_one_of("conf_type", conf_type, CONF_TYPES)
    robust = _errors(at_risk, robust)
    tables, models = [], []
    for grid in _grids(at_risk, cause):
        survival, error = product_limit(grid, robust)
        tables.append(_curve(grid, "survival", 1.0, survival, error, share_limits, conf_level, conf_type))
        models.append((grid.label, grid.times, survival))
    options = {"cause": cause, "conf_level": conf_level, "conf_type": conf_type, "robust": robust}
    estimand = Estimand(name="survival", summary="survival", unit="share")
    return _answer("kaplan_meier", estimand, tables, models, options)


def nelson_aalen(at_risk, *, cause=None, conf_level=0.95, conf_type="log", robust=None):
    """Estimate the cumulative hazard at each week, by stratum.

    Parameters
    ----------
    at_risk : AtRisk
        Without ``state``.
    cause : str, optional
        The event that counts; default: any.
    conf_level : float
    conf_type : {"log", "plain"}
        On the cumulative hazard itself: H exp(-+ z se / H), or H -+ z se.
    robust : bool, optional
        As in :func:`kaplan_meier`.

    Returns
    -------
    Result
        Kind ``curve``, term ``cumulative_hazard``, rows as in :func:`kaplan_meier`.

    Raises
    ------
    EstimationError
        If the table has states.

    Notes
    -----
    H(t) = sum over s <= t of d(s) / n(s), variance the sum of d / n^2 (Aalen 1978): ``cumhaz`` and
    ``std.chaz`` of ``survival::survfit(..., ctype = 1)``.

    Examples
    --------
    >>> from evalkit.atrisk import AtRisk
    >>> frame = pd.DataFrame({"weeks": [1, 2, 2, 4], "left": [1, 1, 0, 0]})
    >>> nelson_aalen(AtRisk.from_frame(frame, exit="weeks", event="left")).table["estimate"].round(4).tolist()
    [0.0, 0.25, 0.5833, 0.5833]
    """
    require_one_of("conf_type", conf_type, CONF_TYPES[:2])
    robust = _errors(at_risk, robust)
    tables, models = [], []
    for grid in _grids(at_risk, cause, may_empty=True):
        hazard = np.cumsum(grid.hazard)
        variance = hazard_variance(grid) if robust else np.cumsum(divide(grid.hazard, grid.at_risk))
        tables.append(_curve(grid, "cumulative_hazard", 0.0, hazard, np.sqrt(variance),
                             amount_limits, conf_level, conf_type))
        models.append((grid.label, grid.times, hazard))
    options = {"cause": cause, "conf_level": conf_level, "conf_type": conf_type, "robust": robust}
    estimand = Estimand(name="cumulative_hazard", summary="cumulative_hazard", unit="hazard")
    return _answer("nelson_aalen", estimand, tables, models, options)


def product_limit(grid, robust):
    """Return S(t) and its standard error at each time of a grid."""
    survival = np.cumprod(1 - grid.hazard)
    # 1 - d/n of equal sums of weights may miss 0 by rounding.
    survival[survival < 1e-14] = 0.0
    if robust:
        variance = survival_variance(grid, survival)
    else:
        left = grid.at_risk - grid.events[:, 0]
        variance = survival**2 * np.cumsum(divide(grid.events[:, 0], grid.at_risk * left))
    return survival, np.sqrt(np.where(survival > 0, variance, np.nan))


def _errors(at_risk, robust):
    robust = is_robust(at_risk, robust)
    if robust:
        require_clusters(at_risk)
    return robust


def _grids(at_risk, cause, may_empty=False):
    codes = event_codes(at_risk, cause)
    for label, rows in strata_of(at_risk):
        grid = grid_of(label, at_risk.select(rows), codes[rows])
        if not may_empty:
            refuse_early_end(grid)
        yield grid


def refuse_early_end(grid):
    """Refuse a curve that would fall to 0 while persons are still to enter."""
    emptied = grid.at_risk - grid.events.sum(axis=1) <= 1e-12 * grid.at_risk
    emptied &= grid.events.sum(axis=1) > 0
    if emptied[:-1].any():
        k = int(np.flatnonzero(emptied[:-1])[0])
        entering = int((grid.rows.entry >= grid.times[k]).sum())
        where = f"stratum {grid.label}: " if grid.label else ""
        raise EstimationError(
            f"{where}everybody at risk ({grid.n_at_risk[k]:.0f} persons) has the event at one early time "
            f"while {entering} rows enter later, so the curve would be 0 from there on. Begin the curve "
            "later: keep persons and weeks after a week by which enough have entered")


def _curve(grid, term, start, value, error, limits, conf_level, conf_type):
    """Tabulate a curve with its row at time 0."""
    low, high = limits(value, error, conf_level, conf_type)
    return tidy(term=term, group=grid.label, time_weeks=np.append(0.0, grid.times),
                estimate=np.append(start, value), std_error=np.append(0.0, error),
                conf_low=np.append(start, low), conf_high=np.append(start, high),
                n_persons=np.append(n_at_start(grid.rows), grid.n_at_risk),
                n_events=np.append(0.0, grid.n_events.sum(axis=1)))


def _answer(method, estimand, tables, models, options):
    labels, times, values = zip(*models, strict=True)
    group = np.repeat(np.arange(len(labels)), [len(time) for time in times])
    model = {"groups": labels, "group": group, "times": np.concatenate(times),
             "values": np.concatenate(values)}
    return Result(kind="curve", estimand=estimand, table=pd.concat(tables, ignore_index=True), model=model,
                  provenance=Provenance(method=method, options=options))
