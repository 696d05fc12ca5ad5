"""Weekly discrete hazards: the probability of leaving in a week, given that one is still there."""

import numpy as np

from evalkit.errors import EstimationError
from evalkit.estimators._counting import event_codes, require_events, row_counts
from evalkit.estimators._grid import read_from
from evalkit.estimators._limits import quantile, require_one_of
from evalkit.estimators.discrete.design import design_of
from evalkit.estimators.discrete.fit import curves_of_levels, fitted, table_of
from evalkit.estimators.discrete.time_terms import strata_present, time_terms_of
from evalkit.result import Estimand, Provenance, Result

# A follow-up of two centuries is a mistake of units.
LONGEST = 10_000
_SUMMARY = {"cloglog": ("hazard_ratio", "log_hazard_ratio"), "logit": ("odds_ratio", "log_odds_ratio")}


def discrete_hazard(at_risk, *, link="cloglog", duration="week", calendar=None, season=None, cause=None,
                    conf_level=0.95, robust=None):
    """Model the weekly hazard by covariates, duration, calendar time and season.

    Week t is the interval (t - 1, t] since time zero, calendar week ``calendar`` + t - 1; the hazard h_t is
    the share that has the event at its end among those at risk in it.

    Parameters
    ----------
    at_risk : AtRisk
        Times in whole weeks, without ``state``. Its covariates are the model; each stratum has its own
        duration terms.
    link : {"cloglog", "logit"}
        cloglog: log(-log(1 - h)) is linear, and exp(b) is the hazard ratio of the time within the week, the
        same as in Cox's model (Prentice and Gloeckler 1978). logit: exp(b) is the odds ratio of leaving.
    duration : "week", None or dict
        ``"week"``: a level for every week with an event, no assumption. ``{"breaks": [4, 13, 26]}``: steps,
        (0, 4], (4, 13], (13, 26], (26, end]. ``{"knots": 4}`` or ``{"knots": [2, 13, 52]}``: restricted
        cubic spline in t; a number places the knots at Harrell's shares of the event weeks. None: constant.
    calendar : {"year", "quarter"}, optional
        Levels of the calendar week (its Thursday's year or quarter); the first is the reference.
    season : "month" or dict, optional
        ``"month"``: January is the reference. ``{"harmonics": k}``: k pairs of sine and cosine of the ISO
        week, angle 2 pi (week - 1/2) / 52.1775.
    cause : str, optional
        The hazard of this cause; a person who leaves by another is at risk, without the event, until then.
        Default: any cause.
    conf_level, robust
        As in :func:`cox`; robust errors add up scores within clusters, else persons.

    Returns
    -------
    Result
        Kind ``model``: covariates, then terms of time; a level of duration is the link of the hazard with all
        covariates 0 at the reference period, so it has no p-value. ``model`` is what
        :func:`predict_hazard` reads.

    Raises
    ------
    EstimationError
        Times between weeks; no events; a level in which nobody or everybody leaves (of ``"week"`` these are
        left out: their hazards are 0 and 1); constant, collinear or separating covariates; no convergence.
    ValueError
        An option outside its values.

    Notes
    -----
    Equals ``glm(event ~ ..., binomial(link))`` of R on one row per person and week, errors (expected
    information) included, and ``sandwich::vcovCL(type = "HC0", cadjust = FALSE)`` when robust. No such row
    is made: weeks at risk and events are counted by covariate pattern and cell of time. A ``weight``
    multiplies, as R's ``weights``.

    Examples
    --------
    Of 4 at risk in week 1 one leaves; of 3 in week 2 two leave.

    >>> import pandas as pd
    >>> from evalkit.atrisk import AtRisk
    >>> frame = pd.DataFrame({"weeks": [1, 2, 2, 2], "left": [1, 1, 1, 0]})
    >>> fit = discrete_hazard(AtRisk.from_frame(frame, exit="weeks", event="left"), link="logit")
    >>> np.exp(fit.table["estimate"]).round(6).tolist()
    [0.333333, 2.0]
    """
    require_one_of("link", link, tuple(_SUMMARY))
    quantile(conf_level)
    is_event = event_codes(at_risk, cause) > 0
    require_events(at_risk, is_event, "discrete_hazard", cause)
    _require_weeks(at_risk, calendar or season)
    times = time_terms_of(at_risk, is_event, duration, calendar, season)
    if (times.breaks % 1 != 0).any():
        raise ValueError("duration: breaks must be whole weeks; piecewise_exponential takes any")
    design = design_of(at_risk, is_event, times, is_share=True, keep_empty=duration != "week")
    model, diagnostics = fitted(at_risk, is_event, design, link, robust, "discrete_hazard")
    table = table_of(model, design.times, at_risk, row_counts(at_risk)[is_event].sum(), conf_level)
    model |= {"certain": _certain(at_risk, is_event, design)}
    if duration == "week":
        model |= _weeks_read(design.times, model, len(at_risk.terms))
    options = {"link": link, "duration": duration, "calendar": calendar, "season": season, "cause": cause,
               "conf_level": conf_level, "robust": diagnostics["robust"]}
    name, summary = _SUMMARY[link]
    return Result(kind="model", table=table, model=model,
                  diagnostics={**diagnostics, "knots": design.times.knots.tolist()},
                  estimand=Estimand(name=name, summary=summary, unit="log_ratio"),
                  provenance=Provenance(method="discrete_hazard", options=options))


def _weeks_read(times, model, n_covariates):
    """Return what the terms of single weeks tell besides: that and how many are at risk and leave in each.

    That there is a term says that somebody left in that very week. A share and its error tell how many were
    at risk, so two of them how many have left in between.
    """
    stratum, week = np.nonzero(times.has_level)
    none = np.full(n_covariates, -1)
    return {"found_terms": tuple(term for term in model["terms"] if term.startswith("duration[")),
            **read_from(curves_of_levels(times, model), np.append(none, stratum), np.append(none, week),
                        np.append(none, week + 1), len(model["terms"]))}


def _require_weeks(at_risk, reads_calendar):
    between = (at_risk.entry % 1 != 0) | (at_risk.exit % 1 != 0)
    if between.any():
        raise EstimationError(
            f"discrete_hazard: {int(between.sum())} of {at_risk.n_rows} rows begin or end between whole "
            "weeks, so they have no week at risk. Use piecewise_exponential, which takes any times, or round "
            "the exits up and the entries down to weeks")
    if at_risk.exit.max() > LONGEST:
        raise EstimationError(f"discrete_hazard: rows end after {at_risk.exit.max():g} weeks, at most "
                              f"{LONGEST:,} are counted. Is time in weeks? Else use piecewise_exponential")
    if reads_calendar and at_risk.calendar is None:
        raise EstimationError("discrete_hazard: calendar and season need the week of time zero; name its "
                              "column in AtRisk.from_frame(calendar=...)")


def _certain(at_risk, is_event, design):
    """Mark levels in which everybody at risk leaves: they say nothing of the covariates and have no term."""
    times, spans = design.times, design.spans
    shape = times.has_level.shape
    stratum = strata_present(at_risk)[1]
    level = times.level_of(spans.edges[spans.last[is_event] + 1])
    had = np.zeros(shape, dtype=bool)
    had[stratum[is_event], level] = True
    return had & ~times.has_level
