"""The stock: weeks still to come for persons on support at a census, given the weeks they have been there."""

from dataclasses import replace

import numpy as np
import pandas as pd

from evalkit.errors import EstimationError
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
from evalkit.estimators._limits import CONF_TYPES, quantile, read_weeks, require_one_of, share_limits
from evalkit.estimators._units import is_robust, require_clusters_by_stratum
from evalkit.estimators.nonparametric import refuse_early_end
from evalkit.result import Estimand, Provenance, Result, tidy

METHODS = ("conditional", "classes")


def residual_time(at_risk, *, elapsed_weeks, horizon_weeks, method="conditional", cause=None, conf_level=0.95,
                  conf_type="log", robust=None):
    """Estimate survival and mean of the residual weeks up to a horizon, given the elapsed weeks.

    Parameters
    ----------
    at_risk : AtRisk
        Without ``state``, on the clock of the spell: ``entry`` the elapsed weeks at the census, ``exit`` the
        elapsed weeks at the event or the end of observation. Its strata are groups of persons.
    elapsed_weeks : float or sequence of float
        ``conditional``: durations e to start from. ``classes``: increasing lower edges of classes of elapsed
        weeks at the census, the last class open; persons below the first edge are left out.
    horizon_weeks : float or sequence of float
        Weeks after the census.
    method : {"conditional", "classes"}
        ``conditional``: S(e + u) / S(e), to which everybody under observation at the durations e to e + u
        contributes. ``classes``: the residual weeks of the persons in each class by themselves; one class
        from 0 is the whole stock.
    cause, conf_level, robust
        As in :func:`kaplan_meier`.
    conf_type : {"log", "log-log", "plain"}
        Of the survival; limits of the mean are plain, within 0 and the horizon.

    Returns
    -------
    Result
        Kind ``model``. Terms ``residual_survival[e]`` and ``residual_mean[e]`` for each e (or class, by its
        lower edge), group and horizon; with several groups also ``residual_survival_difference[e]`` and
        ``residual_mean_difference[e]``: each later group less the first. ``time_weeks`` are weeks after the
        census, ``n_persons`` those who contribute and ``n_events`` their events until the horizon. ``model``
        holds the estimates with their joint covariance and what decides whether rows may leave: n_term, the
        persons of the largest group of a term, curves, curve_of, from_weeks and to_weeks. Gaps in
        observation between the first week asked of and the last are told as in :func:`restricted_mean`.

    Raises
    ------
    EstimationError
        Nobody at risk just after e, or in a class; a horizon beyond the follow-up while the event is still to
        come; everybody at risk has the event while others enter later.

    Notes
    -----
    ``conditional`` assumes that the hazard at a duration is the same whenever the spell began (no calendar
    effect) and that entry is independent of the event given survival to it; ``classes`` assumes neither, but
    mixes the durations of a class as the census found them. Conditional survival is the product of
    1 - d(s) / n(s) over e < s <= e + u, its error Greenwood's sum over the same times (the delta method of
    S(e + u) / S(e)) or, ``robust``, its influence functions': ``survfit(Surv(entry, exit, event) ~ 1,
    start.time = e)`` of R survival and its ``rmean``, but for events in the very week e, which are past here
    and counted by R. ``classes`` is ``survfit(Surv(exit - entry, event) ~ class)``.

    Examples
    --------
    Three persons seen since week 0 and one since week 2; from week 1 on, two of three leave by week 3.

    >>> import pandas as pd
    >>> from evalkit.atrisk import AtRisk
    >>> stock = pd.DataFrame({"elapsed": [0, 0, 0, 2], "weeks": [1, 2, 4, 3], "left": [1, 1, 0, 1]})
    >>> answer = residual_time(AtRisk.from_frame(stock, entry="elapsed", exit="weeks", event="left"),
    ...                        elapsed_weeks=1, horizon_weeks=2)
    >>> answer.table[["term", "time_weeks", "estimate"]]
                       term  time_weeks  estimate
    0  residual_survival[1]         2.0      0.25
    1      residual_mean[1]         2.0      1.50
    """
    require_one_of("method", method, METHODS)
    require_one_of("conf_type", conf_type, CONF_TYPES)
    quantile(conf_level)
    starts, horizons = _starts(elapsed_weeks), read_weeks("horizon_weeks", horizon_weeks, above=True)
    robust = is_robust(at_risk, robust)
    if robust:
        require_clusters_by_stratum(at_risk)
    read_curves = _conditional if method == "conditional" else _classes
    found = list(read_curves(at_risk, event_codes(at_risk, cause), starts, horizons, robust))
    readings = [reading for reading, _, _ in found]
    covariance = joint_covariance(at_risk, readings, robust)
    options = {"elapsed_weeks": starts.tolist(), "horizon_weeks": horizons.tolist(), "method": method,
               "cause": cause, "conf_level": conf_level, "conf_type": conf_type, "robust": robust}
    levels = _levels(readings, np.sqrt(np.diag(covariance)), conf_level, conf_type)
    table, covariance = _compared(levels, covariance, quantile(conf_level))
    model = {"terms": tuple(table["term"]), "groups": tuple(table["group"]),
             "times": table["time_weeks"].to_numpy(), "estimates": table["estimate"].to_numpy(),
             "covariance": covariance,
             "n_term": table.groupby("term")["n_persons"].transform("max").to_numpy(),
             "gaps": sum((gaps for _, gaps, _ in found), ()),
             **_read_from(found, starts if method == "conditional" else [0.0], len(table))}
    units = {term: "share" if "survival" in term else "weeks" for term in model["terms"]}
    return Result(kind="model", table=table, model=model,
                  estimand=Estimand(name="residual_time", summary="residual_time", unit=units,
                                    horizon_weeks=float(horizons.max())),
                  diagnostics={"n_gaps": len(model["gaps"]),
                               **clusters_told(at_risk, 1, "residual_time", robust)},
                  provenance=Provenance(method="residual_time", options=options))


def _starts(elapsed_weeks):
    starts = read_weeks("elapsed_weeks", elapsed_weeks)
    if not (np.diff(starts) > 0).all():
        raise ValueError(f"elapsed_weeks == {elapsed_weeks!r}, must be increasing")
    return starts


def _conditional(at_risk, events, starts, horizons, robust):
    """Read the curve from each elapsed duration on, group by group."""
    for label, position in strata_of(at_risk):
        grid = grid_of(label, at_risk.select(position), events[position])
        for start in starts:
            _require_somebody(grid, start)
        parts = [_from(grid, start, horizons) for start in starts]
        estimate, rest, n_events = (np.concatenate(part, axis=-1) for part in zip(*parts, strict=True))
        persons = [_n_persons(grid.rows, start, start + horizons.max()) for start in starts]
        gaps = gaps_of(grid.rows, start_weeks=starts[0], until_weeks=starts[-1] + horizons.max(), label=label)
        yield read(grid, position, rest, robust, terms=_terms(starts, horizons), estimate=estimate,
                   times=np.tile(horizons, 2 * len(starts)), n_events=n_events,
                   n_persons=np.repeat(persons, 2 * len(horizons))), gaps, curves_of(grid)[0][1:]


def _classes(at_risk, events, edges, horizons, robust):
    """Read the curve of residual weeks of each class of elapsed weeks, group by group."""
    elapsed = _at_census(at_risk)
    clock = replace(at_risk, entry=at_risk.entry - elapsed, exit=at_risk.exit - elapsed)
    group = np.searchsorted(edges, elapsed, side="right") - 1
    for label, position in strata_of(at_risk):
        for k, edge in enumerate(edges):
            chosen = position[group[position] == k]
            if not len(chosen):
                raise EstimationError(f"{_where(label)}nobody has {edge:g} elapsed weeks at the census, or "
                                      "more and less than the next edge; join classes in elapsed_weeks")
            rows = clock.select(chosen)
            grid, gaps = grid_of(label, rows, events[chosen]), gaps_of(rows, until_weeks=horizons.max())
            estimate, rest, n_events = _from(grid, 0.0, horizons)
            yield read(grid, chosen, rest, robust, terms=_terms([edge], horizons), estimate=estimate,
                       times=np.tile(horizons, 2), n_events=n_events,
                       n_persons=np.full(2 * len(horizons), rows.n_persons)), gaps, curves_of(grid)[0][1:]


def _at_census(at_risk):
    """Return the elapsed weeks at which each person's (and episode's) observation begins, one per row."""
    if at_risk.person is None:
        return at_risk.entry
    code = at_risk.person
    if at_risk.episode is not None:
        code = np.unique(np.column_stack([code, at_risk.episode]), axis=0, return_inverse=True)[1].ravel()
    first = np.full(int(code.max()) + 1, np.inf)
    np.minimum.at(first, code, at_risk.entry)
    return first[code]


def _read_from(found, starts, n_rows):
    size = [len(reading.terms) for reading, _, _ in found]
    begin = np.concatenate([np.repeat(starts, n // len(starts)) for n in size])
    end = begin + np.concatenate([reading.times for reading, _, _ in found])
    curve_of = np.repeat(np.arange(len(found)), size)
    return read_from([curve for _, _, curve in found], curve_of, begin, end, n_rows)


def _from(grid, start, horizons):
    """Return survival and mean up to each horizon after the start, their ``rest``, and events counted."""
    after, ends = grid.times > start, start + horizons
    refuse_early_end(replace(grid, events=grid.events * (after & (grid.times <= ends.max()))[:, None]))
    survival = np.cumprod(np.where(after, 1 - grid.hazard, 1.0))
    survival[survival < 1e-14] = 0.0
    require_follow_up(grid, survival, ends)
    mean, rest = areas(grid.times, survival, ends, start)
    known = np.searchsorted(grid.times, ends, side="right")
    share = np.append(1.0, survival)[known]
    count = np.append(0.0, np.cumsum(grid.n_events[:, 0] * after))[known]
    until = (grid.times[:, None] <= ends) * share
    return (np.append(share, mean), np.column_stack([until, rest]) * after[:, None], np.tile(count, 2))


def _require_somebody(grid, start):
    rows = grid.rows
    if not ((rows.entry <= start) & (rows.exit > start)).any():
        raise EstimationError(f"{_where(grid.label)}nobody is at risk just after {start:g} elapsed weeks; "
                              "choose elapsed_weeks at which persons are observed")


def _n_persons(rows, start, stop):
    return rows.n_persons_in((rows.exit > start) & (rows.entry < stop))


def _terms(starts, horizons):
    return tuple(f"{term}[{start:g}]" for start in starts for term in ("residual_survival", "residual_mean")
                 for _ in horizons)


def _levels(readings, error, conf_level, conf_type):
    estimate, times, n_persons, n_events = (
        np.concatenate([getattr(reading, name) for reading in readings])
        for name in ("estimate", "times", "n_persons", "n_events"))
    terms = np.array([term for reading in readings for term in reading.terms], dtype=object)
    is_share = np.array([term.startswith("residual_survival") for term in terms])
    error = np.where(is_share & (estimate == 0), np.nan, error)
    margin = quantile(conf_level) * error
    low, high = share_limits(np.where(is_share, estimate, 1.0), error, conf_level, conf_type)
    return tidy(term=terms, time_weeks=times, estimate=estimate, std_error=error,
                group=np.repeat([reading.label for reading in readings], [len(r.terms) for r in readings]),
                conf_low=np.where(is_share, low, np.maximum(estimate - margin, 0)),
                conf_high=np.where(is_share, high, np.minimum(estimate + margin, times)),
                n_persons=n_persons, n_events=n_events)


def _compared(levels, covariance, z):
    """Add each later group less the first, number by number, and return all with their joint covariance."""
    n_groups = levels["group"].nunique()
    if n_groups == 1:
        return levels, covariance
    size = len(levels) // n_groups
    contrast = np.hstack([np.tile(-np.eye(size), (n_groups - 1, 1)), np.eye(len(levels) - size)])
    first, later = levels.iloc[np.tile(np.arange(size), n_groups - 1)], levels.iloc[size:]
    every = np.vstack([np.eye(len(levels)), contrast])
    joint = every @ covariance @ every.T
    difference = contrast @ levels["estimate"].to_numpy()
    error = np.sqrt(np.maximum(np.diag(joint)[len(levels):], 0))
    compared = tidy(term=later["term"].str.replace("[", "_difference[", regex=False), group=later["group"],
                    time_weeks=later["time_weeks"], estimate=difference, std_error=error,
                    conf_low=difference - z * error, conf_high=difference + z * error,
                    p_value=p_value(difference, error),
                    n_persons=later["n_persons"].to_numpy() + first["n_persons"].to_numpy(),
                    n_events=later["n_events"].to_numpy() + first["n_events"].to_numpy())
    return pd.concat([levels, compared], ignore_index=True), joint


def _where(label):
    return f"stratum {label}: " if label else ""
