"""Who is followed, from when: cohorts by named steps, and how many persons each step leaves.

A step is a name and a condition. The first keeps what the register offers, each of the rest keeps what the
one before kept and it accepts, and the attrition table says how many persons are left after each. Two kinds
of cohort answer two questions and are never mixed: the inflow (persons whose support begins) and the stock
(persons who are on support at a census date, some of them for years).
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from evalkit.cohort.lookup import value_at, week_intervals
from evalkit.cohort.spells import episodes
from evalkit.errors import CohortError
from evalkit.result import Estimand, Result, tidy
from evalkit.weeks import year_of

_AGE_BANDS = (18, 25, 30, 40, 50, 60, 200)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Cohort:
    """Persons with a time zero, and how they were chosen.

    Attributes
    ----------
    frame : DataFrame
        One row per person (and period, when cohorts are combined): ``person_id``, ``time_zero_week``,
        ``municipality``, ``target_group``, ``sex``, ``age``, ``age_group``, ``ancestry``, ``birth_year`` and
        ``elapsed_weeks`` (weeks of the episode before time zero; missing when the data begin inside it).
    attrition : Result
        Persons left after each step (kind counts; ``term`` is the step, ``group`` the period).
    """

    frame: pd.DataFrame
    attrition: Result


def inflow(
    tables, spells, *, states, window, ages=(18, 64), washout_weeks=52, max_gap_weeks=3, municipalities=None
):
    """Select persons whose support begins in a window of weeks after a time without support.

    Parameters
    ----------
    tables : Tables
        ``person`` and ``residence``.
    spells : Spells
    states : mapping of str to sequence of str
        Target group to the states in which its episodes begin.
    window : (int, int)
        Weeks, half-open, in which the episode begins; the first such episode of a person counts.
    ages : (int, int)
        Lowest and highest age, both included (calendar year less year of birth).
    washout_weeks : int
        Weeks without any support before the episode, all of them inside the data.
    max_gap_weeks : int
        Longest gap inside one episode.
    municipalities : sequence of str, optional
        Where the person lives at time zero. Default: anywhere.

    Returns
    -------
    Cohort

    Raises
    ------
    CohortError
        If no person is left; the message says which step removed the last.
    """
    support = episodes(spells, spells.support, max_gap_weeks=max_gap_weeks)
    before = support.groupby("person_id")["end_week"].shift(1)
    support = support.assign(washed_weeks=support["start_week"] - before.fillna(-np.inf),
                             time_zero_week=support["start_week"], elapsed_weeks=0.0)
    starts = support[support["start_week"].between(window[0], window[1] - 1)].reset_index(drop=True)
    starts = _describe(starts, tables, spells, states)
    steps = {
        "episode_begins": np.ones(len(starts), dtype=bool),
        "in_target_group": starts["target_group"].notna(),
        "washout_observed": starts["start_week"] - washout_weeks >= spells.first_week,
        "washout_without_support": starts["washed_weeks"] >= washout_weeks,
        **_person_steps(starts, ages, municipalities),
    }
    return _apply(starts, steps, "inflow")


def stock(tables, spells, *, census, states, ages=(18, 64), max_gap_weeks=3, municipalities=None):
    """Select persons on support in one week, with how long they had been there.

    Parameters
    ----------
    tables, spells, states, ages, max_gap_weeks, municipalities
        As in `inflow`; the target group is that of the state in the census week.
    census : int
        The week at which persons are counted; their time zero.

    Returns
    -------
    Cohort
        ``elapsed_weeks`` is missing where the data begin inside the episode.

    Raises
    ------
    CohortError
        If the census lies outside the data, or no person is left.
    """
    if not spells.first_week <= census < spells.end_week:
        raise CohortError(f"stock: census week {census} lies outside the data's weeks {spells.first_week} to "
                          f"{spells.end_week - 1}; move the census in the study or deliver more weeks")
    support = episodes(spells, spells.support, max_gap_weeks=max_gap_weeks)
    held = support[(support["start_week"] <= census) & (census < support["end_week"])].reset_index(drop=True)
    state = value_at(spells.frame, "state", held["person_id"], np.full(len(held), census))
    held = held.assign(time_zero_week=census, first_state=state, elapsed_weeks=np.where(
        held["is_left_truncated"], np.nan, census - held["start_week"]))
    held = _describe(held, tables, spells, states)
    steps = {
        "on_support": held["first_state"].notna(),
        "in_target_group": held["target_group"].notna(),
        **_person_steps(held, ages, municipalities),
    }
    return _apply(held, steps, "stock")


def combine(cohorts):
    """Stack cohorts of several periods; ``period`` tells them apart.

    Parameters
    ----------
    cohorts : mapping of str to Cohort

    Returns
    -------
    Cohort
        A person may be in several periods; attrition has one group per period.
    """
    frame = pd.concat([part.frame.assign(period=name) for name, part in cohorts.items()], ignore_index=True)
    tables = [part.attrition.table.assign(group=name) for name, part in cohorts.items()]
    first = next(iter(cohorts.values())).attrition
    return Cohort(frame=frame, attrition=Result(
        kind="counts", estimand=first.estimand, table=pd.concat(tables, ignore_index=True)))


def _describe(rows, tables, spells, states):
    """Add what is known of each person at time zero."""
    person = tables["person"].drop_duplicates("person_id").set_index("person_id")
    known = person.reindex(rows["person_id"])
    birth_year = known["birth_year"].to_numpy(dtype=float, na_value=np.nan)
    week = rows["time_zero_week"].to_numpy(dtype=np.int64)
    age = year_of(week) - birth_year if len(rows) else np.zeros(0)
    band = pd.cut(age, _AGE_BANDS, right=False, labels=_band_labels())
    return rows.assign(
        target_group=rows["first_state"].map(_group_of(states)), birth_year=birth_year, age=age,
        age_group=pd.Series(band, index=rows.index).astype(object), sex=known["sex"].to_numpy(dtype=object),
        ancestry=known["ancestry"].to_numpy(dtype=object) if "ancestry" in known else None,
        municipality=value_at(week_intervals(tables["residence"]), "municipality", rows["person_id"], week))


def _group_of(states):
    if not isinstance(states, Mapping):
        states = {"all": states}
    return {state: group for group, members in states.items() for state in members}


def _band_labels():
    last = _AGE_BANDS[-2]
    return [f"{low}-{high - 1}" for low, high in zip(_AGE_BANDS[:-2], _AGE_BANDS[1:-1], strict=True)] + [
        f"{last}+"
    ]


def _person_steps(rows, ages, municipalities):
    here = (
        rows["municipality"].notna() if municipalities is None else rows["municipality"].isin(municipalities)
    )
    return {"person_known": rows["birth_year"].notna() & rows["sex"].notna(),
            "in_age_range": rows["age"].between(*ages), "lives_here": here}


_KEPT = ["person_id", "time_zero_week", "municipality", "target_group", "sex", "age", "age_group", "ancestry",
         "birth_year", "elapsed_weeks"]


def _apply(rows, steps, population):
    """Keep what passes every step, the first row of each person, and count persons after each step."""
    kept, n_left = np.ones(len(rows), dtype=bool), []
    for passes in steps.values():
        kept &= np.asarray(passes, dtype=bool)
        n_left.append(rows["person_id"].to_numpy()[kept])
    counts = [len(pd.unique(left)) for left in n_left]
    if counts[-1] == 0:
        emptied = list(steps)[counts.index(0)]
        raise CohortError(f"{population} cohort: nobody is left after step {emptied!r} "
                          f"({', '.join(f'{name} {n}' for name, n in zip(steps, counts, strict=True))}). "
                          "Look at that step's part of the study, and at the tables it reads")
    order = ["time_zero_week", "person_id"]
    frame = (
        rows[kept]
        .sort_values(order, kind="stable")
        .drop_duplicates("person_id")[_KEPT]
        .reset_index(drop=True)
    )
    return Cohort(frame=frame, attrition=_attrition(list(steps), counts, population))


def _attrition(steps, counts, population):
    table = tidy(term=steps, estimate=np.array(counts, dtype=float), n_persons=np.array(counts, dtype=float))
    return Result(kind="counts", table=table, estimand=Estimand(
        name="attrition", population=population, outcome="persons_left", summary="count", unit="persons"))
