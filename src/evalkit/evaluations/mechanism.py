"""What works for whom? Described step by step: who got what was chosen, so nothing here is an effect."""

from dataclasses import dataclass, replace

from evalkit import spec
from evalkit.cohort import spells as cohort_spells
from evalkit.errors import CohortError
from evalkit.evaluations.casework import caseload, contacts
from evalkit.evaluations.facts import needs, reach, rests_on, unanswered
from evalkit.evaluations.funnel import funnel, gate_times, waits
from evalkit.evaluations.hazards import course, efforts, efforts_by_group, followed, interplay, parallel
from evalkit.evaluations.leaving import caseworkers, leaving_rates
from evalkit.evaluations.progression import progression, progression_change
from evalkit.evaluations.published import investment
from evalkit.evaluations.user import both_sides, read_survey
from evalkit.result import Result


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Description:
    """One Result for each step of the programme theory."""

    investment: Result
    caseload: Result
    contacts: Result
    funnel: Result
    waits: Result
    gate_times: Result
    attrition: Result
    leaving_rates: Result
    efforts: Result
    efforts_by_group: Result
    parallel: Result
    course: Result
    interplay: Result
    caseworkers: Result
    ratings: Result
    progression: Result
    progression_change: Result
    reach: Result


def describe(tables, study, site, *, spells=None):
    """Describe every step that the delivered tables allow: money, cases, gates, efforts, progression.

    Parameters
    ----------
    tables : Tables
    study : MechanismStudy
    site : Site
    spells : Spells, optional
        Made from the tables when not given.

    Returns
    -------
    Description
        A step whose tables are missing is a withheld Result that names them.
    """
    told = {step.__name__: step(tables, study, site) for step in STEPS}
    people = attrition(tables, study, site, spells=spells)
    if isinstance(people, Result):
        told["attrition"] = people
        told |= {step.__name__: people.with_estimand(name=step.__name__) for step in HAZARDS}
    else:
        told["attrition"] = people.cohort.attrition.with_provenance(
            rests_on=rests_on(tables, attrition.needs))
        told |= {step.__name__: step(tables, study, site, people=people) for step in HAZARDS}
    return Description(**told, reach=reach(tables, study, (*STEPS, *HAZARDS), told))


@needs("benefit", "person", "residence")
def attrition(tables, study, site, *, spells=None):
    """Return the persons followed, or a withheld Result where nobody is left."""
    try:
        return followed(tables, study, site, cohort_spells(tables) if spells is None else spells)
    except CohortError:
        return unanswered("attrition", [], study, reason="nobody_followed")


@needs("survey_response", "survey_frame")
def ratings(tables, study, site):
    """Mean of what both sides are asked about their cooperation, by side, in the latest wave."""
    asked = replace(spec.load_study(study.survey), shared_items=study.rating_items)
    return both_sides(tables, asked, site, survey=read_survey(tables, asked)).with_estimand(
        name="ratings", outcome="ratings"
    )


STEPS = (investment, caseload, contacts, funnel, waits, gate_times, ratings, progression,
         progression_change)
HAZARDS = (leaving_rates, efforts, efforts_by_group, parallel, course, interplay, caseworkers)
