"""Weeks lost to each cause up to a horizon: the area under its cumulative incidence."""

import numpy as np
import pandas as pd

from evalkit.errors import EstimationError
from evalkit.estimators._clusters import clusters_told
from evalkit.estimators._counting import divide, strata_of
from evalkit.estimators._functionals import Reading, joint_covariance, require_follow_up
from evalkit.estimators._gaps import gaps_of
from evalkit.estimators._grid import grid_of, read_from
from evalkit.estimators._limits import quantile, read_weeks, two_sided
from evalkit.estimators._units import require_clusters_by_stratum
from evalkit.estimators.nonparametric import refuse_early_end
from evalkit.result import Estimand, Provenance, Result, tidy


def time_lost(at_risk, *, horizon_weeks, conf_level=0.95):
    """Estimate the mean weeks lost to each cause, and kept, up to each horizon, by stratum, and differences.

    Parameters
    ----------
    at_risk : AtRisk
        Without ``state``; its strata are the groups.
    horizon_weeks : float or sequence of float
    conf_level : float

    Returns
    -------
    Result
        Kind ``model``. Terms ``restricted_mean`` (weeks before any event) and ``time_lost[cause]`` for each
        group and horizon; with several groups also ``restricted_mean_difference`` and
        ``time_lost_difference[cause]``: each later group less the first. ``model`` holds the estimates of the
        first kind with their covariance. Gaps in observation are told as in :func:`restricted_mean`.

    Raises
    ------
    EstimationError
        If a horizon lies beyond the follow-up of a group in which events are still to come, everybody at risk
        has an event before others enter, or the table has states.

    Notes
    -----
    The integral of F_k from 0 to the horizon (Andersen 2013); over all causes it sums to the horizon less the
    restricted mean. Errors are the influence functions', by cluster, else person, else row:
    ``summary(survfit(Surv(entry, exit, cause) ~ strata, id = ), rmean = horizon)`` of R survival, whose error
    of weighted rows leaves the weights out. A lost week is one after the exit, whatever it was spent in.

    References
    ----------
    .. [1] Andersen (2013), Statistics in Medicine 32, 5278-5285.

    Examples
    --------
    One of four leaves to a job after week 1 of 4: three weeks of a quarter of the persons.

    >>> from evalkit.atrisk import AtRisk
    >>> frame = pd.DataFrame({"weeks": [1, 2, 4, 4], "left": ["JOB", "STUDY", None, None]})
    >>> answer = time_lost(AtRisk.from_frame(frame, exit="weeks", event="left"), horizon_weeks=4)
    >>> answer.table[["term", "estimate"]].values.tolist()
    [['restricted_mean', 2.75], ['time_lost[JOB]', 0.75], ['time_lost[STUDY]', 0.5]]
    """
    z, horizons = quantile(conf_level), read_weeks("horizon_weeks", horizon_weeks, above=True)
    require_clusters_by_stratum(at_risk)
    if at_risk.state is not None:
        raise EstimationError("time_lost: the at-risk table has states; use state_occupation for weeks in "
                              "each state, or build it without state for first exits")
    found = [_group(label, at_risk.select(rows), horizons, rows) for label, rows in strata_of(at_risk)]
    groups = [group for group, _ in found]
    covariance = joint_covariance(at_risk, groups, robust=True)
    estimates = np.concatenate([group.estimate for group in groups])
    tables = [_levels(groups, estimates, covariance, z)]
    if len(groups) > 1:
        tables.append(_differences(groups, estimates, covariance, z))
    table = pd.concat(tables, ignore_index=True)
    # Not "terms": these are no covariates, of which a level may leave only with persons on both of its sides.
    model = {"quantities": groups[0].terms * len(groups), "estimates": estimates, "covariance": covariance,
             "groups": tuple(np.repeat([group.label for group in groups], len(groups[0].terms))),
             "times": np.concatenate([group.times for group in groups]),
             "gaps": gaps_of(at_risk, until_weeks=horizons.max())}
    curves = [curve for _, own in found for curve in own]
    curve_of = np.repeat(np.arange(len(curves)), len(horizons))
    model |= read_from(curves, curve_of, 0.0, model["times"], len(table))
    options = {"horizon_weeks": horizons.tolist(), "conf_level": conf_level}
    return Result(kind="model", table=table, model=model,
                  diagnostics={"reference": groups[0].label, "n_gaps": len(model["gaps"]),
                               **clusters_told(at_risk, 1, "time_lost")},
                  estimand=Estimand(name="time_lost", summary="time_lost", unit="weeks",
                                    horizon_weeks=float(horizons.max())),
                  provenance=Provenance(method="time_lost", options=options))


def _group(label, rows, horizons, position):
    """Read one stratum: the restricted mean at each horizon, then each cause's weeks; and their curves."""
    grid = grid_of(label, rows, rows.event, len(rows.causes))
    refuse_early_end(grid)
    survival = np.cumprod(1 - grid.hazard)
    survival[survival < 1e-14] = 0.0
    require_follow_up(grid, survival, horizons)
    before, causes = np.append(1.0, survival[:-1]), range(len(rows.causes))
    ahead = np.maximum(horizons - grid.times[:, None], 0)
    lost = [ahead * (before * divide(grid.events[:, k], grid.at_risk))[:, None] for k in causes]
    influence = [_influence(grid, before, ahead, lost[k], k + 1) for k in causes]
    area = [part.sum(axis=0) for part in lost]
    n_events = np.column_stack([grid.n_events.sum(axis=1), grid.n_events])
    count = np.vstack([np.zeros(len(causes) + 1), np.cumsum(n_events, axis=0)])
    terms = ["restricted_mean", *(f"time_lost[{cause}]" for cause in rows.causes)]
    at_horizon = np.searchsorted(grid.times, horizons, side="right")
    reading = Reading(label=label, position=position, terms=tuple(np.repeat(terms, len(horizons)).tolist()),
                      times=np.tile(horizons, len(terms)), greenwood=np.empty((0, 0)),
                      estimate=np.concatenate([horizons - sum(area), *area]),
                      influence=np.hstack([-sum(influence), *influence]),
                      n_persons=np.full(len(terms) * len(horizons), rows.n_persons),
                      n_events=count[at_horizon].T.ravel())
    return reading, [(grid.times, grid.n_at_risk, own) for own in n_events.T]


def _influence(grid, before, ahead, lost, code):
    """Return each row's influence on the weeks lost to a cause, shape (n_rows, n_horizons).

    An exit by the cause adds ``ahead`` S(s-) / Y at its time; any event takes its share of all later losses.
    """
    left = grid.at_risk - grid.events.sum(axis=1)
    share = np.where(left > 1e-12 * grid.at_risk, divide(1.0, left), 0.0)[:, None]
    later = share * (lost.sum(axis=0) - np.cumsum(lost, axis=0))
    per_risk = divide(1.0, grid.at_risk)[:, None]
    step = grid.hazard[:, None] * later - lost * per_risk
    cumulated = np.vstack([np.zeros(step.shape[1]), np.cumsum(step, axis=0)])
    influence = cumulated[grid.last] - cumulated[grid.first]
    died, own = grid.cause > 0, grid.cause == code
    influence[died] -= later[grid.last[died] - 1]
    influence[own] += (ahead * before[:, None] * per_risk)[grid.last[own] - 1]
    return influence


def _levels(groups, estimates, covariance, z):
    error, top = np.sqrt(np.diag(covariance)), np.concatenate([group.times for group in groups])
    return tidy(term=list(groups[0].terms) * len(groups), time_weeks=top, estimate=estimates, std_error=error,
                group=np.repeat([group.label for group in groups], len(groups[0].terms)),
                conf_low=np.maximum(estimates - z * error, 0),
                conf_high=np.minimum(estimates + z * error, top),
                n_persons=np.concatenate([group.n_persons for group in groups]),
                n_events=np.concatenate([group.n_events for group in groups]))


def _differences(groups, estimates, covariance, z):
    """Compare each later group with the first."""
    size = len(groups[0].terms)
    contrast = np.hstack([np.tile(-np.eye(size), (len(groups) - 1, 1)), np.eye((len(groups) - 1) * size)])
    difference = contrast @ estimates
    error = np.sqrt(np.maximum(np.einsum("ij,jk,ik->i", contrast, covariance, contrast), 0))
    with np.errstate(divide="ignore", invalid="ignore"):
        p_value = two_sided(difference / error)
    terms = [_named_difference(term) for term in groups[0].terms] * (len(groups) - 1)
    return tidy(term=terms, group=np.repeat([group.label for group in groups[1:]], size), p_value=p_value,
                time_weeks=np.tile(groups[0].times, len(groups) - 1), estimate=difference, std_error=error,
                conf_low=difference - z * error, conf_high=difference + z * error,
                n_persons=np.concatenate([group.n_persons + groups[0].n_persons for group in groups[1:]]),
                n_events=np.concatenate([group.n_events + groups[0].n_events for group in groups[1:]]))


def _named_difference(term):
    name, bracket, cause = term.partition("[")
    return f"{name}_difference{bracket}{cause}"
