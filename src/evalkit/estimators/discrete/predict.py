"""Hazard and survival, week by week, of chosen profiles."""

import numpy as np
import pandas as pd

from evalkit.errors import EstimationError
from evalkit.estimators._grid import read_from
from evalkit.estimators._limits import quantile, share_limits
from evalkit.estimators._profiles import (
    asked_weeks,
    covariates_of,
    curves_of,
    fewest_behind,
    name_of,
    require_follow_up,
    require_within_reach,
)
from evalkit.estimators.discrete.fit import curves_of_levels
from evalkit.estimators.discrete.links import LINKS
from evalkit.estimators.discrete.time_terms import TimeTerms, month_of_year, period_of
from evalkit.result import Estimand, Provenance, Result, tidy


def predict_hazard(result, profiles=None, *, weeks=None, calendar=None, conf_level=0.95):
    """Predict the hazard and the survival in each week for profiles of covariates.

    Parameters
    ----------
    result : Result
        Of :func:`discrete_hazard` or :func:`piecewise_exponential`.
    profiles : DataFrame, optional
        A row for each curve, a column for each covariate as the result names them (``sex[M]``); the index
        names the curves. A column ``strata`` names the stratum of each; without it every profile gets a curve
        in every stratum. Not needed for a model without covariates.
    weeks : float or sequence of float, optional
        Above 0; whole, but of a piecewise exponential. Default: every week up to the last multiple of 13
        (of follow-up below 13 weeks: the last week) that ten persons are followed to.
    calendar : int, optional
        Week number of time zero (`evalkit.weeks`); needed where the model has calendar or season terms.
    conf_level : float

    Returns
    -------
    Result
        Kind ``model``: terms ``hazard`` (share leaving in the week; of a piecewise exponential the rate at
        its end) and ``survival`` (share still there at its end), by ``group`` (profile, stratum).

    Raises
    ------
    EstimationError
        A result of another model; as in :func:`predict_survival`; weeks in which nobody is at risk before
        one that is asked for, or a calendar period beyond the data.

    Notes
    -----
    Errors by the delta method from the covariance of the fit; limits of the hazard are those of its link,
    limits of survival are log-log.

    Examples
    --------
    >>> from evalkit.atrisk import AtRisk
    >>> from evalkit.estimators.discrete.hazard import discrete_hazard
    >>> frame = pd.DataFrame({"weeks": [1, 2, 2, 2], "left": [1, 1, 1, 0]})
    >>> fit = discrete_hazard(AtRisk.from_frame(frame, exit="weeks", event="left"))
    >>> predict_hazard(fit, weeks=[1, 2]).table["estimate"].round(6).tolist()
    [0.25, 0.666667, 0.75, 0.25]
    """
    quantile(conf_level)
    model = _require_terms_of_time(result)
    times, terms = TimeTerms.from_model(model), model["covariates"]
    weeks = _within(times, np.arange(1.0, model["told_weeks"] + 1) if weeks is None else asked_weeks(weeks),
                    calendar, model["link"][0])
    names, x = covariates_of(profiles, terms, "predict_hazard")
    require_within_reach(x, model["covariate_range"], model["estimates"][:len(terms)], terms,
                         "predict_hazard")
    asked = curves_of(profiles, times.groups, "predict_hazard")
    parts = [_curve(model, times, stratum, x[row], weeks, calendar or 0) for row, stratum in asked]
    labels = [name_of(names[row], times.groups[stratum]) for row, stratum in asked]
    table = pd.concat([_table(term, label, part, weeks, result, conf_level) for label, part in
                       zip(labels, parts, strict=True) for term in ("hazard", "survival")], ignore_index=True)
    options = {"weeks": weeks.tolist(), "calendar": calendar, "conf_level": conf_level,
               "model": dict(result.provenance.options)}
    behind = fewest_behind(model, terms, x)[[row for row, _ in asked]]
    told = {"n_behind": np.repeat(behind, 2 * len(weeks)),
            **_spans(model, times, [stratum for _, stratum in asked], weeks)}
    hazard_unit = "per_week" if model["link"][0] == "log" else "share"
    return Result(kind="model", table=table, model=told,
                  provenance=Provenance(method="predict_hazard", options=options),
                  estimand=Estimand(name="weekly_hazard", summary="weekly_hazard",
                                    horizon_weeks=float(weeks.max()),
                                    unit={"hazard": hazard_unit, "survival": "share"}))


def _require_terms_of_time(result):
    if "time_terms" not in result.model:
        method = result.provenance.method or "unknown origin"
        raise EstimationError(f"predict_hazard: a result of {method} has no hazard by week to predict from; "
                              "give a result of discrete_hazard or piecewise_exponential")
    return result.model


def _spans(model, times, strata, weeks):
    """Return what each row is read from: the pieces of its stratum, as a curve, from one week to another.

    A hazard tells the share from the start of its piece to its end. So do two survivals in one piece; one
    alone tells the share from time zero to the end of its piece.
    """
    if times.duration != "levels":
        return {}
    level = times.level_of(weeks)
    start = times.breaks[level]
    alone = np.bincount(level)[level] == 1
    begin = np.concatenate([start, np.where(alone, 0.0, start)])
    return read_from(curves_of_levels(times, model), np.repeat(strata, 2 * len(weeks)),
                     np.tile(begin, len(strata)), np.tile(times.breaks[level + 1], 2 * len(strata)))


def _within(times, weeks, calendar, link):
    """Return the weeks asked for; refuse those of which the model knows nothing."""
    end = times.breaks[-1]
    if not len(weeks) or weeks[0] == 0 or (link != "log" and (weeks % 1 != 0).any()):
        whole = "" if link == "log" else "whole and "
        raise ValueError(f"weeks == {weeks.tolist()}, must be {whole}above 0, where the hazard has a value")
    require_follow_up(weeks[-1], end, "", "predict_hazard")
    _require_periods(times, np.arange(int(np.ceil(weeks[-1]))), calendar)
    return weeks


def _require_periods(times, since_zero, calendar):
    if not times.reads_calendar:
        return
    if calendar is None:
        raise EstimationError("predict_hazard: the model has terms of calendar time; give calendar, the week "
                              "number of time zero (evalkit.weeks.week_of)")
    ahead = calendar + since_zero
    known = np.ones(len(ahead), dtype=bool)
    if times.calendar:
        known &= np.isin(period_of(ahead, times.calendar), times.periods)
    if times.season == "month":
        known &= np.isin(month_of_year(ahead), times.months)
    if not known.all():
        raise EstimationError(f"calendar: {int((~known).sum())} of {len(ahead)} weeks lie in periods that "
                              "the data do not cover; choose another week of time zero or fewer weeks")


def _curve(model, times, stratum, x, weeks, calendar):
    """Return predictor and cumulated hazard at the end of each week, with their errors."""
    end = _ends(times, weeks, model["link"][0])
    z = times.design(np.full(len(end), stratum), end, calendar + np.ceil(end).astype(np.int64) - 1)
    design = np.hstack([np.broadcast_to(x, (len(end), len(x))), z])
    part = LINKS[model["link"][0]](design @ model["estimates"])
    told, certain = _known(times, model, stratum, end)
    width = np.diff(np.append(0.0, end)) * told
    slope = np.cumsum((width * part.risk)[:, None] * design, axis=0)
    cumulated = np.cumsum(width * part.cumulated) + np.where(np.cumsum(certain) > 0, np.inf, 0.0)
    asked = np.searchsorted(end, weeks)
    spread = [np.sqrt(np.maximum(np.einsum("ij,jk,ik->i", d, model["covariance"], d), 0))
              for d in (design[asked], slope[asked])]
    eta = np.where(told, design @ model["estimates"], np.where(certain, np.inf, -np.inf))
    return {"eta": eta[asked], "eta_error": np.where(told[asked], spread[0], 0.0),
            "cumulated": cumulated[asked], "cumulated_error": spread[1]}


def _ends(times, weeks, link):
    """Return the ends of all pieces up to the last week asked for."""
    ends = np.arange(1.0, np.floor(weeks[-1]) + 1)
    # Rates also change within weeks; a weekly hazard does not.
    inside = times.breaks[(times.breaks > 0) & (times.breaks < weeks[-1])]
    return np.union1d(ends, np.append(inside, weeks)) if link == "log" else ends


def _known(times, model, stratum, end):
    """Return where there is a term and where everybody leaves; refuse where nobody was seen."""
    if times.duration != "levels":
        return np.ones(len(end), dtype=bool), np.zeros(len(end), dtype=bool)
    level = np.minimum(times.level_of(end), times.has_level.shape[1] - 1)
    unseen = (model["n_persons_level"][stratum, level] == 0).sum()
    if unseen:
        where = f" of stratum {times.groups[stratum]}" if times.groups[stratum] else ""
        raise EstimationError(f"weeks: nobody{where} is at risk in {unseen} of the weeks up to {end[-1]:g} "
                              "(late entry or short follow-up), so the hazard there is not known. Ask for "
                              "fewer weeks, count time from when persons enter, or use duration={'knots': 3}")
    return times.has_level[stratum, level], model["certain"][stratum, level]


def _table(term, group, part, weeks, result, conf_level):
    quantity = _hazard if term == "hazard" else _survival
    estimate, error, low, high = quantity(part, result.model["link"][0], conf_level)
    return tidy(term=term, group=group, time_weeks=weeks, estimate=estimate,
                std_error=error, conf_low=low, conf_high=high, n_persons=result.diagnostics["n_persons"],
                n_events=result.diagnostics["n_events"])


def _hazard(part, link, conf_level):
    margin = quantile(conf_level) * part["eta_error"]
    with np.errstate(all="ignore"):
        middle, low, high = (LINKS[link](part["eta"] + by) for by in (0, -margin, margin))
    slope = np.where(np.isfinite(part["eta"]), middle.risk, 0.0)
    if link == "log":
        return middle.cumulated, slope * part["eta_error"], low.cumulated, high.cumulated
    estimate, low, high = (-np.expm1(-at.cumulated) for at in (middle, low, high))
    return estimate, slope * (1 - estimate) * part["eta_error"], low, high


def _survival(part, link, conf_level):
    share = np.exp(-part["cumulated"])
    error = share * part["cumulated_error"]
    low, high = share_limits(share, error, conf_level, "log-log")
    return share, error, np.where(share == 0, 0.0, low), np.where(share == 0, 0.0, high)
