"""The persons of the effect evaluation and what they lived through: one object that every estimate reads."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pandas as pd

from evalkit import cohort
from evalkit.cohort import OUTCOMES
from evalkit.errors import CohortError
from evalkit.estimators.mean_contributions import mean_contributions
from evalkit.estimators.municipality_changes import cell_changes
from evalkit.result import Provenance
from evalkit.weeks import week_of


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Which weeks the data can carry.

    Attributes
    ----------
    start : int
        Week of the programme start.
    horizon : int
        Longest reported horizon that the data carry; the shortest one if none.
    pre, post : (int, int)
        Weeks in which the inflow begins, half-open.
    """

    start: int
    horizon: int
    pre: tuple[int, int]
    post: tuple[int, int]

    @property
    def n_pre_weeks(self):
        """Weeks of inflow before the programme that can be followed."""
        return max(self.pre[1] - self.pre[0], 0)


@dataclass(frozen=True, kw_only=True, eq=False)
class Followed:
    """Cohort of both periods with every week since time zero.

    Attributes
    ----------
    tables, spells, study, site
        What the evaluation was given.
    plan : Plan
    people : Cohort
        Periods ``pre`` and ``post``; an empty period is not in it.
    population : str
        ``inflow`` or ``stock``.
    """

    tables: object
    spells: object
    study: object
    site: object
    plan: Plan
    people: cohort.Cohort
    population: str

    @cached_property
    def grid(self):
        """Outcome of each row in each week to the horizon inclusive, int8, -1 where the data do not reach."""
        income = self.tables["income_month"] if self.tables.has("income_month") else None
        return cohort.occupancy(self.people, self.spells, n_weeks=self.plan.horizon + 1,
                                sustain_weeks=self.study.sustain_weeks, income=income)

    @cached_property
    def cell(self):
        """Municipality and period of each row as one number."""
        frame = self.people.frame
        return pd.factorize(frame["municipality"].astype(str) + "\0" + frame["period"])[0]

    @property
    def is_after(self):
        """Whether each row belongs to the period under the programme."""
        return self.people.frame["period"].eq("post").to_numpy()

    @property
    def is_treated(self):
        """Whether each row lives in the programme's municipality."""
        return self.people.frame["municipality"].eq(self.site.municipality).to_numpy()

    @property
    def n_treated_after(self):
        """Persons that the programme met: what an effect per person is multiplied with."""
        return int((self.is_treated & self.is_after).sum())

    @cached_property
    def comparisons(self):
        """Comparison municipalities with persons enough in both periods."""
        frame = self.people.frame[~self.is_treated]
        counts = frame.groupby(["municipality", "period"]).size().unstack(fill_value=0)
        counts = counts.reindex(columns=["pre", "post"], fill_value=0)
        enough = counts.index[counts.min(axis=1) >= self.study.gates.min_comparison_persons]
        return tuple(sorted(set(enough) - set(self.site.comparison.doubtful_donors)))

    @property
    def horizons(self):
        """Reported horizons that the data carry."""
        return tuple(weeks for weeks in self.study.horizons_weeks if weeks <= self.plan.horizon)

    def share(self, *outcomes):
        """Return each row's contribution to the share in some outcomes, shape (n_rows, horizon + 1)."""
        inside = np.isin(self.grid, [OUTCOMES.index(name) for name in outcomes])
        return mean_contributions(inside.astype(float), self.grid >= 0, self.cell)

    def weeks_within(self, *outcomes):
        """Return contributions to the expected weeks within 1, 2, ... weeks, shape (n_rows, horizon)."""
        return np.cumsum(self.share(*outcomes)[:, :-1], axis=1)

    def changes(self, values):
        """Return the change of every municipality that is compared, from before to after."""
        frame = self.people.frame
        rows = frame["municipality"].isin([self.site.municipality, *self.comparisons]).to_numpy()
        return cell_changes(values[rows], unit=frame["municipality"][rows], is_after=self.is_after[rows],
                            person=frame["person_id"][rows], treated=self.site.municipality)

    def provenance(self, method, **options):
        """Return the origin of an estimate from these persons."""
        names = ("person", "residence", "benefit", "income_month", "sanction")
        return Provenance(
            method=method,
            options=options,
            study=self.study.name,
            study_sha256=self.study.sha256,
            rests_on=tuple(name for name in names if self.tables.has(name)),
        )


def follow_inflow(tables, spells, study, site):
    """Follow the persons whose support begins before and under the programme.

    Parameters
    ----------
    tables : Tables
    spells : Spells
    study : EffectStudy
    site : Site

    Returns
    -------
    Followed

    Raises
    ------
    CohortError
        If nobody's support begins in either period.
    """
    plan = plan_weeks(study, site, spells)
    windows = {"pre": plan.pre, "post": plan.post}

    def select(window):
        return cohort.inflow(tables, spells, states=study.target_groups, window=window, ages=study.ages,
                             washout_weeks=study.washout_weeks, max_gap_weeks=study.max_gap_weeks)

    return Followed(tables=tables, spells=spells, study=study, site=site, plan=plan, population="inflow",
                    people=_both(select, windows))


def nobody(tables, study, site):
    """Return what stands in where tables are missing: the plan of the study, and no persons."""
    start = week_of(site.programme_start)
    plan = Plan(start=start, horizon=max(study.horizons_weeks), pre=(start, start), post=(start, start))
    people = cohort.Cohort(frame=pd.DataFrame(), attrition=None)
    return Followed(tables=tables, spells=None, study=study, site=site, plan=plan,
                    population="inflow", people=people)


def follow_stock(followed):
    """Follow the persons on support at the census before and at the one under the programme.

    The horizon is the longest reported one for which both censuses can be followed.
    """
    study, spells, start = followed.study, followed.spells, followed.plan.start
    census = {name: start + week for name, week in zip(("pre", "post"), study.stock_census, strict=True)}
    carried = [
        weeks
        for weeks in study.horizons_weeks
        if census["post"] + weeks <= spells.end_week - study.sustain_weeks
    ]

    def select(week):
        return cohort.stock(followed.tables, spells, census=week, states=study.target_groups, ages=study.ages,
                            max_gap_weeks=study.max_gap_weeks)

    plan = replace(followed.plan, horizon=max(carried, default=min(study.horizons_weeks)))
    return replace(followed, plan=plan, population="stock", people=_both(select, census))


def plan_weeks(study, site, spells):
    """Choose the longest reported horizon for which enough inflow before the programme can be followed.

    The follow-up of the earlier period ends before the programme starts, so a shorter horizon lets that
    period begin later. Where the data begin late it is cut to what leaves ``washout_weeks`` before it.
    """
    start = week_of(site.programme_start)
    longest = max(study.horizons_weeks)
    plans = []
    for horizon in sorted(study.horizons_weeks, reverse=True):
        low = max(start + study.pre_window[0], spells.first_week + study.washout_weeks)
        high = start + study.pre_window[1] + longest - horizon
        post = start + study.post_window[0], min(start + study.post_window[1], spells.end_week - horizon)
        plans.append(Plan(start=start, horizon=horizon, pre=(low, high), post=post))
        if high - low >= study.gates.min_pre_weeks and post[1] > post[0]:
            return plans[-1]
    return plans[-1]


def _both(select, windows):
    found, error = {}, None
    for name, window in windows.items():
        try:
            found[name] = select(window)
        except CohortError as caught:
            error = caught
    if not found:
        raise error
    return cohort.combine(found)
