"""Who leaves support sooner: during and after an effort. A description: who gets it, and when, was chosen.

Persons who start a job-directed effort would often have left soon anyway; those sent to a health effort often
not. A hazard ratio of these exposures mixes what the effort does with who gets it, and is never called
an effect.
"""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from evalkit.cohort import Cohort, exposures, inflow
from evalkit.cohort.follow import to_exit
from evalkit.errors import EstimationError
from evalkit.estimators import cox, hazard_ratios
from evalkit.evaluations.casework import changes_of_caseworker, lasting
from evalkit.evaluations.facts import needs, origin
from evalkit.result import Estimand, Result, tidy
from evalkit.weeks import week_of

ADJUSTED = ("age_group", "sex")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Followed:
    """The persons followed and the weeks they are followed through. Holds person rows: never shown."""

    cohort: Cohort
    spells: object


def followed(tables, study, site, spells):
    """Select the persons whose support began in the study's window while they lived in the municipality."""
    start = week_of(site.programme_start)
    window = (start + study.window_weeks[0], start + study.window_weeks[1])
    cohort = inflow(
        tables,
        spells,
        states=study.target_groups,
        window=window,
        ages=study.ages,
        municipalities=[site.municipality],
        washout_weeks=study.washout_weeks,
        max_gap_weeks=study.max_gap_weeks,
    )
    return Followed(cohort=cohort, spells=spells)


@needs("benefit", "person", "residence", "activity")
def efforts(tables, study, site, *, people):
    """Hazard ratio of leaving support during and after each kind of effort.

    Returns
    -------
    Result
        Kind model, unit ratio: ``term`` is ``<kind>_during`` or ``<kind>_after``, ``group`` is ``all``;
        ``n_persons`` persons ever so exposed, ``n_events`` their exits while exposed.

    Notes
    -----
    Cox model with time-varying exposures that never look ahead, weeks since the start of support, baseline by
    target group, adjusted for sex and age group, errors between persons. A ratio needs
    ``min_exposed_events`` exits among the exposed.
    """
    at_risk = _at_risk(people, study, _kinds(tables, study))
    return _ratios("efforts", at_risk, tables, study, ("benefit", "activity"))


@needs("benefit", "person", "residence", "activity")
def efforts_by_group(tables, study, site, *, people):
    """Hazard ratios of `efforts` within each target group: ``group`` names it."""
    at_risk = _at_risk(people, study, _kinds(tables, study))
    groups = {label: at_risk.strata == k for k, label in enumerate(at_risk.strata_labels)}
    return _ratios("efforts_by_group", at_risk, tables, study, ("benefit", "activity"), groups=groups)


@needs("benefit", "person", "residence", "activity")
def parallel(tables, study, site, *, people):
    """Hazard ratio with job-directed and health-directed effort at the same time, against one of them alone.

    Every week of a person is in one of: both together, job alone, health alone, after both together, after
    one of them, or none (the reference). Serial courses are those that only ever have one at a time.
    """
    activity = tables["activity"]
    job, health = (activity[activity["type"].isin(study.kinds[kind])] for kind in ("job", "health"))
    exposed = {"both": exposures(_overlap(job, health), after_weeks=study.after_weeks),
               "job": exposures(job, after_weeks=study.after_weeks),
               "health": exposures(health, after_weeks=study.after_weeks)}
    at_risk = _at_risk(people, study, exposed)
    return _ratios("parallel", _exclusive(at_risk), tables, study, ("benefit", "activity"))


@needs("benefit", "person", "residence", "activity")
def course(tables, study, site, *, people):
    """Hazard ratio during and after the course for light anxiety, stress and depression.

    The other health efforts stand beside it.
    """
    activity = tables["activity"]
    named = ((activity["type"] == study.course.type) & (activity["owner"] == study.course.owner)
             & (activity["track"] == study.course.track))
    other = activity["type"].isin(study.kinds["health"]) & ~named
    exposed = {"course": exposures(activity, where=named, after_weeks=study.after_weeks),
               "other_health": exposures(activity, where=other, after_weeks=study.after_weeks)}
    return _ratios("course", _at_risk(people, study, exposed), tables, study, ("benefit", "activity"))


@needs("benefit", "person", "residence", "case", "contact")
def interplay(tables, study, site, *, people):
    """Hazard ratio after a contact and after a change of caseworker.

    ``contact`` is a contact in the last ``contact_weeks`` weeks, ``new_caseworker`` a change in the last
    ``recent_change_weeks``.
    """
    change = changes_of_caseworker(tables["case"])
    exposed = {"contact": exposures(lasting(tables["contact"], "date", study.contact_weeks)),
               "new_caseworker": exposures(lasting(change, "start", study.recent_change_weeks))}
    at_risk = _only(_at_risk(people, study, exposed), lambda term: not term.endswith("[after]"))
    return _ratios("interplay", at_risk, tables, study, ("benefit", "case", "contact"))


def _at_risk(people, study, exposed):
    return to_exit(
        people.cohort,
        people.spells,
        sustain_weeks=study.sustain_weeks,
        horizon_weeks=study.horizon_weeks,
        covariates=ADJUSTED,
        strata="target_group",
        exposures=exposed,
    )


def _kinds(tables, study):
    activity = tables["activity"]
    return {kind: exposures(activity, where=activity["type"].isin(types), after_weeks=study.after_weeks)
            for kind, types in study.kinds.items()}


def _ratios(name, at_risk, tables, study, used, *, groups=None):
    """Fit each group of rows, by default all, and keep the exposures' rows."""
    tables_of, failed = [], []
    for group, rows in (groups or {"all": np.ones(at_risk.n_rows, dtype=bool)}).items():
        try:
            tables_of.append(_fit(at_risk.select(rows), group, study))
        except EstimationError:
            failed.append(group)
    table = pd.concat(tables_of, ignore_index=True) if tables_of else tidy()
    estimand = Estimand(
        name=name,
        population="inflow_since_start",
        exposure=f"{name}_exposure",
        outcome="leaving_support",
        summary="hazard_ratio",
        intercurrent_events="other_exits_censor",
        horizon_weeks=study.horizon_weeks,
        unit="ratio",
        design="",
        assumptions=("no_selection",),
    )
    return Result(
        kind="model",
        estimand=estimand,
        table=table,
        diagnostics={"failed": failed, "descriptive": True},
        provenance=origin(tables, study, used, method="cox", ties="efron", adjusted=list(ADJUSTED)),
        withheld="" if len(table) else "too_few_exits",
    )


def _fit(at_risk, group, study):
    events = at_risk.event == 1 + at_risk.causes.index("SELF_SUFFICIENT")
    exposed = {
        term: at_risk.covariates[:, k] > 0 for k, term in enumerate(at_risk.terms) if _is_exposure(term)
    }
    enough = [term for term, on in exposed.items() if (events & on).sum() >= study.min_exposed_events]
    if not enough:
        raise EstimationError(f"{group}: no exposure with {study.min_exposed_events} exits")
    model = _only(
        at_risk, lambda term: term in enough or (not _is_exposure(term) and _varies(at_risk, events, term))
    )
    fit = hazard_ratios(cox(model, cause="SELF_SUFFICIENT", robust=True)).table.set_index("term")
    rows = fit.loc[enough]
    return tidy(
        term=[_key(term) for term in enough],
        group=group,
        n_persons=[len(np.unique(at_risk.person[exposed[term]])) for term in enough],
        n_events=[int((events & exposed[term]).sum()) for term in enough],
        **{
            name: rows[name].to_numpy()
            for name in ("estimate", "std_error", "conf_low", "conf_high", "p_value")
        },
    )


def _is_exposure(term):
    return term.split("[")[0] not in ADJUSTED


def _varies(at_risk, events, term):
    """Say whether a level has events on both sides: one without would separate the persons perfectly."""
    on = at_risk.covariates[:, at_risk.terms.index(term)] > 0
    return bool((events & on).any() and (events & ~on).any())


def _key(term):
    return term.replace("[", "_").rstrip("]")


def _only(at_risk, keep):
    columns = [k for k, term in enumerate(at_risk.terms) if keep(term)]
    return replace(
        at_risk, covariates=at_risk.covariates[:, columns], terms=tuple(at_risk.terms[k] for k in columns)
    )


def _exclusive(at_risk):
    """Turn the three pairs of exposures into states of which each week has exactly one."""
    on = {term: at_risk.covariates[:, k] > 0 for k, term in enumerate(at_risk.terms)}
    order = {"both[during]": on["both[during]"], "job_alone[during]": on["job[during]"],
             "health_alone[during]": on["health[during]"], "both[after]": on["both[after]"],
             "one[after]": on["job[after]"] | on["health[after]"]}
    taken, columns = np.zeros(at_risk.n_rows, dtype=bool), []
    for holds in order.values():
        columns.append((holds & ~taken).astype(float))
        taken |= holds
    rest = _only(at_risk, lambda term: not _is_exposure(term))
    return replace(rest, covariates=np.column_stack([rest.covariates, *columns]), terms=(*rest.terms, *order))


def _overlap(first, second):
    """Return the intervals in which a person has one activity of each kind."""
    pairs = first[["person_id", "start", "end"]].merge(second[["person_id", "start", "end"]], on="person_id")
    start, end = pairs[["start_x", "start_y"]].max(axis=1), pairs[["end_x", "end_y"]].min(axis=1)
    both = pd.DataFrame({"person_id": pairs["person_id"], "start": start, "end": end})
    return both[both["start"] < both["end"]]


