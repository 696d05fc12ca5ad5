"""The first sustained exit from support: how long it took, which way it led, and the effect on its time."""

from dataclasses import replace

import numpy as np
import pandas as pd

from evalkit.cohort import Cohort, follow
from evalkit.errors import EstimationError
from evalkit.estimators import aalen_johansen, cox, kaplan_meier
from evalkit.estimators.mean_contributions import mean_contributions
from evalkit.estimators.municipality_changes import Changes, difference_of_changes
from evalkit.evaluations.answers import answer, effect_estimand, effect_rows
from evalkit.evaluations.gates import withheld
from evalkit.result import tidy


def waiting(evidence):
    """Describe the time to the first sustained exit from support: treated and not, before and after.

    Returns
    -------
    Result
        Kind ``curve``: the share still waiting for self-sufficiency or another exit (education, old age,
        death, emigration). A description: shown whatever the gates say.
    """
    followed = evidence.followed
    estimand = effect_estimand(
        evidence, "still_waiting", outcome="first_exit", summary="survival", unit="share", design=""
    )
    if missing := evidence.verdict.missing:
        return withheld("missing_tables", kind="curve", estimand=estimand, missing=missing)
    result = kaplan_meier(to_exit(followed, strata=["side"]), conf_level=followed.study.conf_level)
    return replace(result, estimand=estimand,
                   provenance=followed.provenance("kaplan_meier", sustain_weeks=followed.study.sustain_weeks))


def first_exits(evidence):
    """Describe which way the programme's citizens left support first, as they came under it.

    Returns
    -------
    Result
        Kind ``curve``, a term for each way: ``SELF_SUFFICIENT``, ``EDUCATION`` and ``OTHER_EXIT`` (old age,
        death, emigration); shares that have gone that way, the others being competing exits. A description.
    """
    followed = evidence.followed
    estimand = effect_estimand(
        evidence, "first_exits", outcome="first_exit", summary="cumulative_incidence", unit="share", design=""
    )
    if missing := evidence.verdict.missing:
        return withheld("missing_tables", kind="curve", estimand=estimand, missing=missing)
    everybody = to_exit(followed, strata=["side"])
    here = everybody.strata == everybody.strata_labels.index("treated_after")
    pooled = _pooled(replace(everybody.select(here), strata=None, strata_labels=()))
    result = aalen_johansen(pooled, conf_level=followed.study.conf_level)
    ways = result.table[result.table["term"].isin(pooled.causes)].reset_index(drop=True)
    return replace(result, estimand=estimand, table=ways,
                   provenance=followed.provenance("aalen_johansen",
                                                  sustain_weeks=followed.study.sustain_weeks))


def _pooled(at_risk):
    """Join the rare exits, each too few to show, into one."""
    kept = ("SELF_SUFFICIENT", "EDUCATION")
    code = [0, *(kept.index(cause) + 1 if cause in kept else 3 for cause in at_risk.causes)]
    return replace(at_risk, event=np.array(code)[at_risk.event], causes=(*kept, "OTHER_EXIT"))


def time_to_exit(evidence):
    """Estimate the effect on the time to the first exit: restricted mean weeks, and the hazard ratio.

    Returns
    -------
    Result
        Kind ``model``: ``weeks_to_exit`` (weeks until self-sufficiency or another exit, at most the horizon)
        and ``hazard_ratio`` of self-sufficiency, p against 1. Both from the municipalities' changes, shocks
        counted.

    Notes
    -----
    The hazard ratio is that of each municipality's change: Cox models with a baseline hazard for each
    municipality, then the treated one's log ratio less the comparisons' mean. One Cox model with
    errors clustered by municipality would have one treated cluster and an error far too small.
    """
    unit = {"weeks_to_exit": "weeks", "hazard_ratio": "ratio"}
    estimand = effect_estimand(
        evidence, "time_to_exit", outcome="first_exit", summary="restricted_mean_difference", unit=unit
    )
    return evidence.estimate(
        lambda followed: _time_to_exit(followed, estimand), kind="model", estimand=estimand
    )


def to_exit(followed, *, strata=(), covariates=None):
    """Follow the persons to their first exit; ``side`` says treated or not, before or after."""
    side = np.where(followed.is_treated, "treated", "comparison").astype(object) + np.where(
        followed.is_after, "_after", "_before").astype(object)
    frame = followed.people.frame.assign(side=side, **(covariates or {}))
    compared = followed.is_treated | frame["municipality"].isin(followed.comparisons).to_numpy()
    people = Cohort(frame=frame[compared].reset_index(drop=True), attrition=followed.people.attrition)
    # Reasons of closure are known of the programme's own persons only. Told apart on one side alone, closures
    # by rule would make self-sufficiency rarer there by definition; so they count on both sides.
    return follow.to_exit(
        people,
        followed.spells,
        sustain_weeks=followed.study.sustain_weeks,
        competing=followed.study.competing,
        horizon_weeks=followed.plan.horizon,
        strata=strata,
        covariates=list(covariates or ()),
    )


def _time_to_exit(followed, estimand):
    changes = followed.changes(_weeks_waited(followed)[:, None])
    contrast = difference_of_changes(changes, conf_level=followed.study.conf_level)
    tables = [effect_rows("weeks_to_exit", [followed.plan.horizon], contrast, changes)]
    try:
        tables.append(_hazard_row(followed, changes))
    except EstimationError:
        # Too few exits somewhere: the ratio is missing, the weeks are not.
        tables.append(
            tidy(
                term="hazard_ratio",
                time_weeks=float(followed.plan.horizon),
                n_persons=float(changes.n_persons),
            )
        )
    return answer(followed, pd.concat(tables, ignore_index=True), estimand, contrast, changes)


def _weeks_waited(followed):
    """Return each row's contribution to the mean weeks waited until the first exit, at most the horizon."""
    frame, horizon = followed.people.frame, followed.plan.horizon
    zero, last = frame["time_zero_week"].to_numpy(), followed.spells.end_week - followed.study.sustain_weeks
    reached = np.flatnonzero(zero < last)
    people = Cohort(frame=frame.iloc[reached].reset_index(drop=True), attrition=followed.people.attrition)
    at_risk = follow.to_exit(people, followed.spells, sustain_weeks=followed.study.sustain_weeks,
                             competing=followed.study.competing, horizon_weeks=horizon)
    leaves = np.full(len(frame), np.inf)
    leaves[reached] = np.where(at_risk.event > 0, at_risk.exit, np.inf)
    week = np.arange(horizon)
    waits = (week < leaves[:, None]).astype(float)
    return mean_contributions(waits, zero[:, None] + week < last, followed.cell).sum(axis=1)


def _hazard_row(followed, changes):
    ratios = _log_ratios(followed)
    contrast = difference_of_changes(ratios, conf_level=followed.study.conf_level)
    estimate, low, high = (
        float(np.exp(value[0])) for value in (contrast.estimate, contrast.conf_low, contrast.conf_high)
    )
    return tidy(
        term="hazard_ratio",
        time_weeks=float(followed.plan.horizon),
        estimate=estimate,
        conf_low=low,
        conf_high=high,
        std_error=estimate * contrast.std_error,
        p_value=contrast.p_value,
        n_persons=float(changes.n_persons),
    )


def _log_ratios(followed):
    """Return each municipality's log hazard ratio of self-sufficiency, after to before, with its error."""
    units = (followed.site.municipality, *followed.comparisons)
    place = followed.people.frame["municipality"].to_numpy()
    after = {
        f"after_{k}": ((place == unit) & followed.is_after).astype(float) for k, unit in enumerate(units)
    }
    fit = cox(
        to_exit(followed, strata=["municipality"], covariates=after), cause="SELF_SUFFICIENT", robust=True
    )
    estimate, variance = fit.model["estimates"], np.diag(fit.model["covariance"])
    empty = np.zeros((len(units), 1))
    return Changes(
        units=units,
        change=estimate[:, None],
        variance=variance[:, None],
        before=empty,
        after=estimate[:, None],
        variance_after=variance[:, None],
        n_before=empty[:, 0],
        n_after=empty[:, 0],
    )
