"""How soon citizens leave support, by weeks spent on it, and whether that goes with the caseworker."""

import numpy as np
import pandas as pd

from evalkit.cohort import Cohort
from evalkit.cohort.follow import to_exit
from evalkit.cohort.lookup import value_at, week_intervals
from evalkit.errors import CohortError, EstimationError
from evalkit.estimators import piecewise_exponential, shared_frailty
from evalkit.evaluations.facts import needs, origin
from evalkit.evaluations.hazards import ADJUSTED
from evalkit.result import Estimand, Result, tidy

_EXIT = "SELF_SUFFICIENT"
_RATE = ["estimate", "std_error", "conf_low", "conf_high"]


@needs("benefit", "person", "residence")
def leaving_rates(tables, study, site, *, people):
    """Per cent of those still on support who become self-sufficient in a week, by weeks since its start.

    Returns
    -------
    Result
        Kind model, unit percent: term ``leaving_rate``, ``group`` a target group or ``all``, ``time_weeks``
        the end of each interval of the study's ``rate_breaks_weeks``; ``n_persons`` at risk in it.

    Notes
    -----
    Exits over weeks at risk: a hazard that is constant between the breaks. It falls with time also where
    nobody's own hazard does, because those who leave easily are gone.
    """
    at_risk = _follow(people.cohort, people, study)
    by_group = _follow(people.cohort, people, study, strata="target_group")
    parts = []
    for rows, group in ((at_risk, "all"), (by_group, None)):
        try:
            fit = piecewise_exponential(rows, breaks=study.rate_breaks_weeks, cause=_EXIT)
        except EstimationError:
            continue
        found = fit.table.assign(term="leaving_rate")
        parts.append(found if group is None else found.assign(group=group))
    table = pd.concat(parts, ignore_index=True) if parts else tidy()
    table[_RATE] *= 100
    return Result(kind="model", table=table, provenance=_origin(tables, study, "piecewise_exponential"),
                  estimand=_estimand("leaving_rates", study, "rate", "percent"),
                  diagnostics={"first_weeks": float(study.rate_breaks_weeks[0]),
                               "last_weeks": float(study.rate_breaks_weeks[-1])},
                  withheld="" if len(table) else "too_few_exits")


@needs("benefit", "person", "residence", "case")
def caseworkers(tables, study, site, *, people):
    """How much the hazard of self-sufficiency differs between caseworkers beyond chance.

    Returns
    -------
    Result
        Kind model, unit ratio: term ``spread_between_caseworkers``, the standard deviation of a factor on the
        hazard that all citizens of the caseworker at time zero share (its mean is 1).

    Notes
    -----
    Shared gamma frailty by caseworker, baseline hazards by target group, adjusted for sex and age; limits are
    those of its variance, whose p-value is against no difference at all. Citizens are not drawn to
    caseworkers by lot: the spread holds what differs between their citizens besides.
    """
    estimand = _estimand("caseworkers", study, "standard_deviation", "ratio")
    frame = people.cohort.frame
    held = value_at(week_intervals(tables["case"]), "caseworker_id", frame["person_id"],
                    frame["time_zero_week"])
    known = Cohort(frame=frame.assign(caseworker=held)[pd.notna(held)].reset_index(drop=True),
                   attrition=people.cohort.attrition)
    try:
        at_risk = _follow(known, people, study, strata="target_group", cluster="caseworker",
                          covariates=[name for name in ADJUSTED if known.frame[name].nunique() > 1])
        fit = shared_frailty(at_risk, cause=_EXIT)
    except (CohortError, EstimationError):
        return Result(kind="model", table=tidy(), estimand=estimand, withheld="too_few_exits")
    row = fit.table[fit.table["term"] == "frailty_variance"].assign(term="spread_between_caseworkers")
    row[["estimate", "conf_low", "conf_high"]] = np.sqrt(row[["estimate", "conf_low", "conf_high"]])
    return Result(kind="model", table=row.assign(std_error=np.nan).reset_index(drop=True), estimand=estimand,
                  diagnostics={"n_caseworkers": fit.diagnostics["clusters"],
                               "is_told_apart": bool(row["p_value"].iloc[0] < 0.05)},
                  provenance=_origin(tables, study, "shared_frailty"))


def _follow(cohort, people, study, **by):
    return to_exit(cohort, people.spells, sustain_weeks=study.sustain_weeks,
                   horizon_weeks=study.horizon_weeks, **by)


def _origin(tables, study, method):
    return origin(tables, study, ("benefit",), method=method)


def _estimand(name, study, summary, unit):
    return Estimand(name=name, population="inflow_since_start", outcome="leaving_support", summary=summary,
                    intercurrent_events="other_exits_censor", horizon_weeks=study.horizon_weeks, unit=unit)
