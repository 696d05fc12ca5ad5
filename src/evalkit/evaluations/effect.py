"""Are the goals reached? The persons of one treated municipality against those of others, before and after.

`evidence` follows the cohorts and judges the gates; every other function takes it and answers with one
Result, withheld when a gate failed.
"""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from evalkit.contract import schema
from evalkit.contract.dialects import statbank
from evalkit.errors import CohortError, SpecError
from evalkit.estimators.municipality_changes import difference_of_changes
from evalkit.evaluations import gates
from evalkit.evaluations.answers import answer, effect_estimand, effect_rows
from evalkit.evaluations.designs import compare_designs, sensitivity
from evalkit.evaluations.exits import first_exits, time_to_exit, waiting
from evalkit.evaluations.facts import missing_tables
from evalkit.evaluations.followed import Followed, follow_inflow, follow_stock, nobody
from evalkit.evaluations.mix import mix
from evalkit.result import Estimand, Result, tidy
from evalkit.spec.build import nearest

__all__ = [
    "Evidence",
    "compare_designs",
    "curve",
    "evidence",
    "extra_persons",
    "first_exits",
    "mix",
    "preflight",
    "sensitivity",
    "stock",
    "time_to_exit",
    "waiting",
    "weeks_on_support",
]

_NEEDED = ("person", "residence", "benefit")
_NAMES = {"job": ("EMPLOYED",), "education": ("EDUCATION",), "job_or_education": ("EMPLOYED", "EDUCATION")}


@dataclass(frozen=True, kw_only=True, eq=False)
class Evidence:
    """Who was followed, and whether an estimate may be shown.

    Attributes
    ----------
    followed : Followed
        The inflow of both periods.
        Of the inflow.
    standing : Followed or None
        Those who were on support at both censuses; None where there is nobody at one of them.
    stock_verdict : Verdict or None
    """

    followed: Followed
    verdict: gates.Verdict
    standing: Followed | None = None
    stock_verdict: gates.Verdict | None = None

    @property
    def attrition(self):
        """Persons left after each step of the cohort's definition."""
        if self.verdict.missing:
            return gates.withheld("missing_tables", kind="counts", estimand=Estimand(name="attrition"),
                                  missing=self.verdict.missing)
        result, followed = self.followed.people.attrition, self.followed
        table = pd.concat([result.table, _by_place(followed)], ignore_index=True)
        return Result(kind=result.kind, estimand=result.estimand, table=table,
                      provenance=self.followed.provenance("attrition"),
                      diagnostics={"n_comparisons": len(self.followed.comparisons),
                                   "n_treated_after": self.followed.n_treated_after})

    @property
    def gates(self):
        """What had to hold, and did it."""
        return gates.shown(self.verdict, self.stock_verdict)

    def estimate(self, make, *, kind, estimand):
        """Return ``make(followed)`` unless a gate failed."""
        return self.verdict.guard(lambda: make(self.followed), kind=kind, estimand=estimand)


def preflight(study):
    """Refuse a study that names states or measures that the code lists do not have, before any data are read.

    Raises
    ------
    SpecError
        All unknown names at once.
    """
    states, measures = set(schema.states()["state"]), {row["measure"] for row in statbank.tables()}
    named = [
        (f"target_groups.{group}", state, states)
        for group, members in study.target_groups.items()
        for state in members
    ]
    named += [("competing", state, states) for state in study.competing]
    named += [
        (f"panel.measures.{name}", measure.measure, measures)
        for name, measure in study.panel.measures.items()
    ]
    named += [("panel.inhabitants", study.panel.inhabitants, measures)]
    unknown = [
        f"- {where}: {name} is not in the list{nearest(name, sorted(known))}"
        for where, name, known in named
        if name not in known
    ]
    if unknown:
        raise SpecError(
            "effect.yaml, against data_schema/codes/states.csv and statbank.csv:\n" + "\n".join(unknown)
        )


def evidence(tables, spells, study, site):
    """Follow the inflow of both periods and judge the gates.

    Parameters
    ----------
    tables : Tables
        ``person``, ``residence`` and ``benefit``; ``income_month`` for jobs, ``sanction`` for gaps.
    spells : Spells
    study : EffectStudy
    site : Site

    Returns
    -------
    Evidence
        Where one of the three tables is missing everything that it answers is withheld and names it.

    Raises
    ------
    SpecError
        If the study names unknown states.
    CohortError
        If nobody's support begins in either period.
    """
    preflight(study)
    if missing := missing_tables(tables, _NEEDED):
        return Evidence(followed=nobody(tables, study, site), verdict=gates.unjudged(missing))
    followed = follow_inflow(tables, spells, study, site)
    standing = _standing(followed)
    return Evidence(followed=followed, verdict=gates.judge(followed), standing=standing,
                    stock_verdict=gates.judge_stock(standing) if standing else None)


def weeks_on_support(evidence):
    """Estimate the effect on expected weeks on support, returns counted: the one-year goal.

    Returns
    -------
    Result
        Kind ``model``: term ``weeks_on_support`` at each reported horizon, and ``person_error_only``: the
        same with the interval that counts persons only and is too short. ``p_value`` of the first belongs to
        its interval (`evalkit.estimators.municipality_changes.difference_of_changes`); the diagnostics hold
        the placebo rank
        and ``placebo_p``, the rank over the number of municipalities.
    """
    estimand = effect_estimand(
        evidence, "weeks_on_support", outcome="weeks_in_support", summary="mean_difference", unit="weeks"
    )
    return evidence.estimate(lambda followed: _weeks(followed, estimand), kind="model", estimand=estimand)


def curve(evidence):
    """Estimate the effect on weeks on support over all horizons, with the largest value beside each.

    Returns
    -------
    Result
        Kind ``curve``: term ``weeks_difference``, and ``largest_possible``: all weeks that the comparison
        would have had on support, the most that any programme could take away.
    """
    estimand = effect_estimand(
        evidence,
        "weeks_on_support_curve",
        outcome="weeks_in_support",
        summary="mean_difference",
        unit="weeks",
    )
    return evidence.estimate(lambda followed: _curve(followed, estimand), kind="curve", estimand=estimand)


def extra_persons(evidence):
    """Estimate how many more persons of the inflow are in job, in education, in either.

    Returns
    -------
    Result
        Kind ``model``: persons (effect on the share in that week, times the persons that the programme met).
    """
    estimand = effect_estimand(
        evidence, "extra_persons", outcome="in_job_or_education", summary="count_difference", unit="persons"
    )
    if not evidence.verdict.failed and not evidence.followed.tables.has("income_month"):
        return gates.withheld("no_income", kind="model", estimand=estimand, missing=["income_month"])
    return evidence.estimate(lambda followed: _persons(followed, estimand), kind="model", estimand=estimand)


def stock(evidence):
    """Estimate the effect on weeks on support of those who already were on it at a census date.

    Returns
    -------
    Result
        Kind ``model``, as `weeks_on_support`; another population, never added to the inflow, and withheld
        by its own gates as well as by the inflow's.
    """
    estimand = effect_estimand(
        evidence,
        "weeks_on_support",
        outcome="weeks_in_support",
        summary="mean_difference",
        unit="weeks",
        population="stock",
    )
    return evidence.estimate(lambda _: _stock(evidence, estimand), kind="model", estimand=estimand)


def _by_place(followed):
    """Count the persons of the programme's municipality and of the comparisons in each period."""
    frame = followed.people.frame
    place = np.where(followed.is_treated, "in_programme_municipality", "elsewhere").astype(object)
    place[frame["municipality"].isin(followed.comparisons).to_numpy()] = "in_comparison_municipalities"
    counts = frame.groupby([frame["period"], place])["person_id"].nunique()
    rows = [
        (place, period, float(counts.get((period, place), 0)))
        for period in dict.fromkeys(frame["period"])
        for place in ("in_programme_municipality", "in_comparison_municipalities")
    ]
    term, group, n_persons = zip(*rows, strict=True)
    return tidy(term=list(term), group=list(group), estimate=n_persons, n_persons=n_persons)


def _weeks(followed, estimand):
    columns = np.array(followed.horizons) - 1
    changes = followed.changes(followed.weeks_within("SUPPORT")[:, columns])
    contrast = difference_of_changes(changes, conf_level=followed.study.conf_level)
    table = pd.concat([
        effect_rows("weeks_on_support", followed.horizons, contrast, changes),
        tidy(term="person_error_only", time_weeks=list(followed.horizons), estimate=contrast.estimate,
             std_error=contrast.person_error, conf_low=contrast.person_low, conf_high=contrast.person_high,
             n_persons=float(changes.n_persons))], ignore_index=True)
    return answer(followed, table, estimand, contrast, changes)


def _curve(followed, estimand):
    changes = followed.changes(followed.weeks_within("SUPPORT"))
    contrast = difference_of_changes(changes, conf_level=followed.study.conf_level)
    horizons = np.arange(1, followed.plan.horizon + 1)
    without = changes.after[0] - contrast.estimate
    largest = tidy(
        term="largest_possible", time_weeks=horizons, estimate=-without, n_persons=float(changes.n_persons)
    )
    table = pd.concat(
        [effect_rows("weeks_difference", horizons, contrast, changes), largest], ignore_index=True
    )
    return answer(followed, table, estimand, contrast, changes)


def _persons(followed, estimand):
    weeks = np.array(followed.horizons)
    tables = []
    for name, outcomes in _NAMES.items():
        changes = followed.changes(followed.share(*outcomes)[:, weeks])
        contrast = difference_of_changes(changes, conf_level=followed.study.conf_level)
        tables.append(effect_rows(name, weeks, contrast, changes, scale=followed.n_treated_after))
    table = pd.concat(tables, ignore_index=True)
    return answer(followed, table, estimand, contrast, changes, scaled_by=followed.n_treated_after)


def _standing(followed):
    try:
        standing = follow_stock(followed)
    except CohortError:
        return None
    return standing if standing.people.frame["period"].nunique() == 2 else None


def _stock(evidence, estimand):
    if evidence.standing is None:
        return gates.withheld("no_stock", kind="model", estimand=estimand)
    estimand = replace(estimand, horizon_weeks=float(evidence.standing.plan.horizon))
    return evidence.stock_verdict.guard(
        lambda: _weeks(evidence.standing, estimand), kind="model", estimand=estimand
    )
