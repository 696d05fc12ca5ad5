"""Curves without a model: survival, cumulative hazard, and the weeks by which given shares have left."""

from dataclasses import replace
from itertools import pairwise

import numpy as np

from evalkit.errors import EstimationError
from evalkit.estimators._clusters import clusters_told
from evalkit.estimators._counting import divide, event_codes
from evalkit.estimators._gaps import gaps_of
from evalkit.estimators._grid import curves_of, grid_of_strata, n_at_start, persons_of
from evalkit.estimators._influence import hazard_variance, survival_variance
from evalkit.estimators._limits import CONF_TYPES, amount_limits, read_week, require_one_of, share_limits
from evalkit.estimators._units import is_robust, require_clusters_by_stratum
from evalkit.result import Estimand, Provenance, Result, tidy

# How near a step of the curve must be to a level to lie on it; as in R.
FLAT = 1.5e-8


def kaplan_meier(at_risk, *, cause=None, conf_level=0.95, conf_type="log", robust=None, start_weeks=0.0):
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
    start_weeks : float
        The curve of those without the event until then: what happens later, among those at risk later.

    Returns
    -------
    Result
        Kind ``curve``, term ``survival``: a row at the start, at every event time and at the end of
        follow-up. Where nobody is at risk (before the first enter, or between) the curve is flat
        because nothing is known: ``diagnostics["n_gaps"]`` counts these gaps, ``model["gaps"]`` has (group,
        from week, to week) of each.

    Raises
    ------
    EstimationError
        States; everybody at risk has the event while others enter later; nobody beyond ``start_weeks``.

    Notes
    -----
    S(t) = prod over event times s <= t of (1 - d(s) / n(s)), with n(s) those with entry < s <= exit: an
    event precedes a censoring in the same week. Error: S(t)^2 times the sum of d / (n (n - d)). Values equal
    ``summary(survfit(Surv(entry, exit, event) ~ strata))`` of R survival; ``robust`` equals its
    ``robust=TRUE``. It differs in four ways: no row where only censorings fall (the curve is flat there),
    splits within a person are no censorings, at S = 1 the ``log-log`` limits are 1 (R: missing), and an event
    in the very week ``start_weeks`` is past (R's ``start.time`` counts it). Where S is 0 error and limits are
    missing, as in R.

    Examples
    --------
    >>> import pandas as pd
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
    grid, robust = _grid(at_risk, cause, robust, start_weeks)
    refuse_early_end(grid)
    survival, error = product_limit(grid, robust)
    table = _curve(grid, "survival", 1.0, survival, error,
                   share_limits(survival, error, conf_level, conf_type), start_weeks)
    options = {"cause": cause, "conf_level": conf_level, "conf_type": conf_type, "robust": robust,
               "start_weeks": start_weeks}
    return _answer("kaplan_meier", "survival", "share", table, grid, survival, options)


def nelson_aalen(at_risk, *, cause=None, conf_level=0.95, conf_type="log", robust=None, start_weeks=0.0):
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
    robust, start_weeks
        As in :func:`kaplan_meier`.

    Returns
    -------
    Result
        Kind ``curve``, term ``cumulative_hazard``, rows and diagnostics as in :func:`kaplan_meier`.

    Raises
    ------
    EstimationError
        If the table has states, or nobody is followed beyond ``start_weeks``.

    Notes
    -----
    H(t) = sum over s <= t of d(s) / n(s), variance the sum of d / n^2 (Aalen 1978): ``cumhaz`` and
    ``std.chaz`` of ``survival::survfit(..., ctype = 1)``.

    Examples
    --------
    >>> import pandas as pd
    >>> from evalkit.atrisk import AtRisk
    >>> frame = pd.DataFrame({"weeks": [1, 2, 2, 4], "left": [1, 1, 0, 0]})
    >>> nelson_aalen(AtRisk.from_frame(frame, exit="weeks", event="left")).table["estimate"].round(4).tolist()
    [0.0, 0.25, 0.5833, 0.5833]
    """
    require_one_of("conf_type", conf_type, CONF_TYPES[:2])
    grid, robust = _grid(at_risk, cause, robust, start_weeks)
    hazard = grid.accumulate(np.add, grid.hazard)
    error = np.sqrt(hazard_variance(grid) if robust else
                    grid.accumulate(np.add, divide(grid.hazard, grid.at_risk)))
    table = _curve(grid, "cumulative_hazard", 0.0, hazard, error,
                   amount_limits(hazard, error, conf_level, conf_type), start_weeks)
    options = {"cause": cause, "conf_level": conf_level, "conf_type": conf_type, "robust": robust,
               "start_weeks": start_weeks}
    return _answer("nelson_aalen", "cumulative_hazard", "hazard", table, grid, hazard, options)


def survival_quantiles(at_risk, *, probs=(0.25, 0.5, 0.75), cause=None, conf_level=0.95, conf_type="log",
                       robust=None, start_weeks=0.0):
    """Estimate the weeks by which given shares have had the event, by stratum.

    Parameters
    ----------
    at_risk : AtRisk
        Without ``state``; its strata are the groups.
    probs : float or sequence of float
        Shares that have had the event, between 0 and 1; 0.5 is the median.
    cause, conf_level, conf_type, robust, start_weeks
        As in :func:`kaplan_meier`.

    Returns
    -------
    Result
        Kind ``model``: a row ``quantile[p]`` for each group and share, ``estimate`` in weeks (from week 0,
        also with ``start_weeks``), missing where the curve does not fall so far; limits likewise (no error).
        ``model["lowest_survival"]`` says, by group, how far the curve falls; gaps as in :func:`kaplan_meier`.

    Raises
    ------
    EstimationError
        As :func:`kaplan_meier`.

    Notes
    -----
    The week at which S falls to 1 - p or below. Where S equals 1 - p (to 1.5e-8) between two weeks, the
    middle of that step (to the end of follow-up, if it is the last). The limits are the same of the curve's
    lower and upper limit (Brookmeyer and Crowley 1982): ``quantile(survfit(...), probs)`` of R survival.
    Where a limit rises again (few at risk) its first crossing counts here; R sorts the limits first.

    References
    ----------
    .. [1] Brookmeyer and Crowley (1982), Biometrics 38, 29-41.

    Examples
    --------
    >>> import pandas as pd
    >>> from evalkit.atrisk import AtRisk
    >>> frame = pd.DataFrame({"weeks": [1, 2, 2, 4], "left": [1, 1, 0, 0]})
    >>> answer = survival_quantiles(AtRisk.from_frame(frame, exit="weeks", event="left"), probs=[0.1, 0.5])
    >>> answer.table["estimate"].tolist()
    [1.0, 3.0]
    """
    require_one_of("conf_type", conf_type, CONF_TYPES)
    probs = _shares(probs)
    grid, robust = _grid(at_risk, cause, robust, start_weeks)
    refuse_early_end(grid)
    survival, error = product_limit(grid, robust)
    limits = share_limits(survival, error, conf_level, conf_type)
    estimate, low, high = (_crossings(grid, curve, 1 - probs) for curve in (survival, *limits))
    groups = np.repeat(np.array(grid.labels, dtype=object), len(probs))
    table = tidy(term=[f"quantile[{p:g}]" for p in probs] * len(grid.labels), group=groups,
                 estimate=estimate, conf_low=low, conf_high=high,
                 n_persons=np.repeat(persons_of(grid), len(probs)),
                 n_events=np.repeat(np.add.reduceat(grid.n_events[:, 0], grid.starts[:-1]), len(probs)))
    options = {"probs": probs.tolist(), "cause": cause, "conf_level": conf_level, "conf_type": conf_type,
               "robust": robust, "start_weeks": start_weeks}
    gaps = gaps_of(grid.rows, start_weeks=start_weeks)
    n_term = table.groupby("term")["n_persons"].transform("max").to_numpy()
    return Result(kind="model", table=table,
                  model={"terms": tuple(table["term"]), "groups": tuple(groups), "estimates": estimate,
                         "n_term": n_term, "lowest_survival": survival[grid.starts[1:] - 1],
                         "curve": curves_of(grid), "gaps": gaps},
                  estimand=Estimand(name="survival_quantiles", summary="survival_quantiles", unit="weeks"),
                  provenance=Provenance(method="survival_quantiles", options=options),
                  diagnostics={"n_gaps": len(gaps),
                               **clusters_told(grid.rows, 1, "survival_quantiles", robust)})


def _shares(probs):
    shares = np.atleast_1d(np.asarray(probs, dtype=float))
    if not (len(shares) and ((shares > 0) & (shares < 1)).all()):
        raise ValueError(f"probs == {probs!r}, must be shares between 0 and 1")
    return shares


def _crossings(grid, curve, levels):
    """Return the times at which each stratum's curve falls to each level, in one line."""
    return np.concatenate([_crossing(grid.times[start:stop], curve[start:stop], levels)
                           for start, stop in pairwise(grid.starts)])


def _crossing(times, curve, levels):
    # A curve that rises again stays as low as it has been; a missing one has not fallen.
    lowest = -np.fmin.accumulate(np.where(np.isnan(curve), np.inf, curve))
    reached = np.searchsorted(lowest, -(levels + FLAT), side="left")
    below = np.searchsorted(lowest, -(levels - FLAT), side="right")
    ended = (below == len(times)) & ~np.isnan(curve[-1])
    after = np.where(ended, times[-1], np.append(times, np.nan)[below])
    return (np.append(times, np.nan)[reached] + after) / 2


def product_limit(grid, robust):
    """Return S(t) and its standard error at each time of a grid."""
    survival = grid.accumulate(np.multiply, 1 - grid.hazard)
    # 1 - d/n of equal sums of weights may miss 0 by rounding.
    survival[survival < 1e-14] = 0.0
    died = grid.events[:, 0]
    variance = (survival_variance(grid, survival) if robust else
                survival**2 * grid.accumulate(np.add, divide(died, grid.at_risk * (grid.at_risk - died))))
    return survival, np.sqrt(np.where(survival > 0, variance, np.nan))


def refuse_early_end(grid):
    """Refuse a curve that would fall to 0 while persons are still to enter."""
    died = grid.events.sum(axis=1)
    emptied = (grid.at_risk - died <= 1e-12 * grid.at_risk) & (died > 0)
    # At its last time a stratum may end.
    emptied[grid.starts[1:] - 1] = False
    if emptied.any():
        k = int(np.flatnonzero(emptied)[0])
        stratum = int(np.searchsorted(grid.starts, k, side="right")) - 1
        entering = int(((grid.rows.entry >= grid.times[k]) & (grid.stratum == stratum)).sum())
        where = f"stratum {grid.labels[stratum]}: " if grid.labels[stratum] else ""
        raise EstimationError(
            f"{where}everybody at risk ({grid.n_at_risk[k]:.0f} persons) has the event at one early time "
            f"while {entering} rows enter later, so the curve would be 0 from there on. Begin the curve "
            "later, at a week by which enough have entered: start_weeks in kaplan_meier, elapsed_weeks in "
            "residual_time; elsewhere keep persons and weeks after it")


def _grid(at_risk, cause, robust, start_weeks):
    """Return the grid of what happens after the start, and whether errors are robust."""
    start_weeks = read_week("start_weeks", start_weeks)
    robust = is_robust(at_risk, robust)
    if robust:
        require_clusters_by_stratum(at_risk)
    events = event_codes(at_risk, cause)
    if start_weeks:
        at_risk, events = _later(at_risk, events, start_weeks)
    return grid_of_strata(at_risk, events), robust


def _later(at_risk, events, start_weeks):
    later = at_risk.exit > start_weeks
    if not later.any():
        raise EstimationError(f"nobody is followed beyond start_weeks == {start_weeks:g}; begin earlier")
    kept = at_risk.select(later)
    return replace(kept, entry=np.maximum(kept.entry, start_weeks)), events[later]


def _curve(grid, term, start, value, error, limits, start_weeks):
    """Tabulate curves, each with its row at the start."""
    def column(first, later):
        return np.insert(np.asarray(later, dtype=float), grid.starts[:-1], first)

    group = np.repeat(np.array(grid.labels, dtype=object), np.diff(grid.starts) + 1)
    return tidy(term=term, group=group, time_weeks=column(start_weeks, grid.times),
                estimate=column(start, value), std_error=column(0.0, error),
                conf_low=column(start, limits[0]), conf_high=column(start, limits[1]),
                n_persons=column(n_at_start(grid, start_weeks), grid.n_at_risk),
                n_events=column(0.0, grid.n_events.sum(axis=1)))


def _answer(method, quantity, unit, table, grid, values, options):
    gaps = gaps_of(grid.rows, start_weeks=options["start_weeks"])
    model = {"groups": grid.labels, "group": np.repeat(np.arange(len(grid.labels)), np.diff(grid.starts)),
             "times": grid.times, "values": values, "gaps": gaps}
    return Result(kind="curve", table=table, model=model,
                  estimand=Estimand(name=quantity, summary=quantity, unit=unit),
                  provenance=Provenance(method=method, options=options),
                  diagnostics={"n_gaps": len(gaps), **clusters_told(grid.rows, 1, method, options["robust"])})
