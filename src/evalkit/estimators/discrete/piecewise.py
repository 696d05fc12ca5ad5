"""Piecewise exponential hazards: a constant rate in each interval, from events and time at risk."""

import numpy as np
import pandas as pd

from evalkit.errors import EstimationError
from evalkit.estimators._counting import event_codes, require_distinct, require_events, row_counts, total
from evalkit.estimators._limits import quantile
from evalkit.estimators.discrete.cells import time_at_risk
from evalkit.estimators.discrete.design import design_of
from evalkit.estimators.discrete.fit import fitted, table_of
from evalkit.estimators.discrete.time_terms import strata_present, time_terms_of
from evalkit.result import Estimand, Provenance, Result, tidy


def piecewise_exponential(at_risk, *, breaks, cause=None, conf_level=0.95, robust=None):
    """Estimate a rate of events per week, constant in each interval between breaks, and rate ratios.

    The rate of a row in interval j is exp(a_j + x'b): without covariates, events over weeks at risk.

    Parameters
    ----------
    at_risk : AtRisk
        Any times, without ``state``; each stratum has its own rates.
    breaks : sequence of float, weeks
        Rising; ``[4, 13]`` makes (0, 4], (4, 13] and (13, end]. An event at week 4 belongs to the interval
        that ends there, a row that enters at 4 to the next.
    cause, conf_level, robust
        As in :func:`discrete_hazard`.

    Returns
    -------
    Result
        Kind ``model``: a row per covariate (log rate ratio), then term ``rate`` for each stratum (``group``)
        and interval (``time_weeks`` its end) with all covariates 0, its persons at risk and events; limits
        are exp of those of the logarithm. Without events the rate is 0, its upper limit exact (the rate at
        which no event has probability (1 - conf_level) / 2). ``model`` is what :func:`predict_hazard` reads.

    Raises
    ------
    EstimationError
        No events; nobody at risk after a break; constant, collinear or separating covariates.

    Notes
    -----
    Equals ``glm(events ~ ..., poisson, offset = log(weeks))`` of R on ``survSplit`` rows, and
    ``survival::pyears`` without covariates. The log likelihood is that of the times (``survreg``'s), without
    the constant sum of d log(weeks) of ``glm``. Counted by covariate pattern and interval.

    Examples
    --------
    Weeks at risk until 2: 1 + 2 + 2 = 5, events at 1 and 2; after 2: 1 + 0, no event.

    >>> from evalkit.atrisk import AtRisk
    >>> frame = pd.DataFrame({"weeks": [1.0, 2.0, 3.0], "left": [1, 1, 0]})
    >>> fit = piecewise_exponential(AtRisk.from_frame(frame, exit="weeks", event="left"), breaks=[2])
    >>> fit.table[["time_weeks", "estimate", "n_persons", "n_events"]].values.round(6).tolist()
    [[2.0, 0.4, 3.0, 2.0], [3.0, 0.0, 1.0, 0.0]]
    """
    quantile(conf_level)
    is_event = event_codes(at_risk, cause) > 0
    require_events(at_risk, is_event, "piecewise_exponential", cause)
    require_distinct([*at_risk.terms, "rate"], "piecewise_exponential")
    times = time_terms_of(at_risk, is_event, {"breaks": breaks}, None, None)
    design = design_of(at_risk, is_event, times, is_share=False, keep_empty=False)
    model, diagnostics = fitted(at_risk, is_event, design, "log", robust, "piecewise_exponential")
    table = table_of(model, design.times, at_risk, row_counts(at_risk)[is_event].sum(), conf_level)
    rates = _rates(at_risk, is_event, design, model, conf_level)
    p = len(at_risk.terms)
    table = pd.concat([table.iloc[:p], rates], ignore_index=True) if p else rates
    options = {"breaks": np.atleast_1d(breaks).tolist(), "cause": cause, "conf_level": conf_level,
               "robust": diagnostics["robust"]}
    unit = {"rate": "per_week", **dict.fromkeys(at_risk.terms, "log_ratio")}
    end = at_risk.exit.max()
    model |= {"certain": np.zeros_like(design.times.has_level),
              "n_at_last": at_risk.n_persons_in(at_risk.exit == end),
              "at_last": (table["time_weeks"] == end).to_numpy()}
    return Result(kind="model", table=table, model=model, diagnostics=diagnostics,
                  provenance=Provenance(method="piecewise_exponential", options=options),
                  estimand=Estimand(name="rate", summary="rate", unit=unit))


# Beyond this logarithm a rate leaves the numbers that a computer has.
_LARGEST_LOG = 700.0


def _rates(at_risk, is_event, design, model, conf_level):
    """Return the rates of all intervals, also of those without events, which the fit leaves out."""
    times, p = design.times, len(at_risk.terms)
    shape, kept = times.has_level.shape, times.has_level
    stratum = strata_present(at_risk)[1]
    rate, error = np.zeros(shape), np.full(shape, np.nan)
    effect, log_rate = np.split(model["estimates"], [p])
    if np.abs(log_rate).max(initial=0) > _LARGEST_LOG:
        raise EstimationError("piecewise_exponential: the rate where all covariates are 0 is 0 or infinite, "
                              f"as 0 lies far from the data. Subtract typical values from "
                              f"{', '.join(at_risk.terms)}")
    low, high = np.zeros(shape), _upper_without_events(at_risk, design, stratum, effect, conf_level)
    log_error = np.sqrt(np.diag(model["covariance"]))[p:]
    rate[kept], error[kept] = np.exp(log_rate), np.exp(log_rate) * log_error
    margin = quantile(conf_level) * log_error
    low[kept], high[kept] = np.exp(log_rate - margin), np.exp(log_rate + margin)
    persons = model["n_persons_level"]
    nobody = persons == 0
    rate[nobody] = low[nobody] = high[nobody] = np.nan
    died = np.flatnonzero(is_event)
    cell = stratum[died] * shape[1] + design.spans.last[died]
    n_events = total(cell, row_counts(at_risk)[died], rate.size)
    return tidy(term="rate", group=np.repeat(np.array(times.groups, dtype=object), shape[1]),
                time_weeks=np.tile(times.breaks[1:], shape[0]), estimate=rate.ravel(),
                std_error=error.ravel(), conf_low=low.ravel(), conf_high=high.ravel(),
                n_persons=persons.ravel(), n_events=n_events)


def _upper_without_events(at_risk, design, stratum, effect, conf_level):
    """Return the rate at which no event in the time at risk, weighted by rate ratios, is just possible."""
    if design.times.has_level.all():
        return np.zeros(design.times.has_level.shape)
    weight = at_risk.row_weights * np.exp(at_risk.covariates @ effect)
    time = time_at_risk(design.spans, stratum, weight, len(design.times.groups))
    return np.divide(-np.log((1 - conf_level) / 2), time, out=np.full(time.shape, np.inf), where=time > 0)
