"""Who is in the benefit system on a date, for how long in all, and what the register cannot decide of it."""

import datetime as dt

import numpy as np
import pandas as pd

from evalkit.cohort.lookup import value_at, week_intervals
from evalkit.weeks import week_of


def census_date(tables, study, site):
    """Return the date counted on: the study's, or the data's last date where they end before it."""
    asked = site.programme_start + dt.timedelta(days=study.census_days)
    return min(asked, pd.Timestamp(tables.data_through).date())


def stock(tables, spells, study, site, *, census=None):
    """Return the persons on a benefit of the system on a date, with their cumulated weeks and what is unsure.

    Parameters
    ----------
    tables : Tables
        ``benefit`` through ``spells``; ``residence``, ``visitation`` and ``integration_programme`` are used
        where they were delivered.
    spells : Spells
    study : MonitoringStudy
    site : Site
    census : date, optional
        Default: the study's.

    Returns
    -------
    DataFrame
        One row a person: ``person_id``, ``benefit``, ``weeks`` (cumulated over all benefits of the system,
        after the integration programme, the census week included), ``sure_weeks`` (without weeks that may
        belong to an unregistered programme), ``filled_weeks`` (short unexplained gaps counted),
        ``run_weeks`` (the present run), ``is_ready``, ``is_ready_known``, ``is_left_censored`` (on the
        system when the data begin: earlier weeks are unseen).

    Notes
    -----
    Three things can make the true number of long cases differ from the counted one. Weeks before the data
    begin are unseen, so a person who is on the system in the first week may have any number more. A short
    gap without benefit may be an error of registration. And activity-readiness is in the visitation, which
    may be missing for a person. Each moves a person between the bounds of `bounded`, never out of sight.
    """
    week = week_of(census or census_date(tables, study, site))
    frame = spells.frame
    frame = frame[frame["state"].isin(study.system_states) & (frame["start_week"] <= week)]
    frame = frame.assign(end_week=frame["end_week"].clip(upper=week + 1), state=frame["state"].astype(object))
    on = frame[frame["end_week"] == week + 1].drop_duplicates("person_id")
    on = on[_lives_here(tables, site, on["person_id"], week)]
    history = frame[frame["person_id"].isin(on["person_id"])]
    people = on[["person_id", "state"]].assign(benefit=on["state"].map(study.benefit_of))
    people = people.join(_durations(tables, history, spells.first_week, study), on="person_id")
    return _with_readiness(tables, people, study, week).reset_index(drop=True)


def bounded(people, weeks, *, ready_only=True):
    """Mark who has been in the system for at least ``weeks`` weeks: surely, as counted, and possibly.

    Parameters
    ----------
    people : DataFrame
        From `stock`.
    weeks : int
    ready_only : bool
        Only activity-ready persons.

    Returns
    -------
    DataFrame of bool
        ``lower``, ``count``, ``upper``; whoever is in one is in the next.

    Examples
    --------
    >>> people = pd.DataFrame({
    ...     "weeks": [261, 260, 100], "sure_weeks": [261, 260, 100], "filled_weeks": [261, 261, 100],
    ...     "is_ready": True, "is_ready_known": True, "is_left_censored": [False, False, True]})
    >>> bounded(people, 261).sum().to_dict()
    {'lower': 1, 'count': 1, 'upper': 3}
    """
    ready = people["is_ready"] if ready_only else pd.Series(True, index=people.index)
    known = people["is_ready_known"] if ready_only else pd.Series(True, index=people.index)
    count = ready & (people["weeks"] >= weeks)
    may_be_long = (people["filled_weeks"] >= weeks) | people["is_left_censored"]
    return pd.DataFrame({"lower": count & known & (people["sure_weeks"] >= weeks), "count": count,
                         "upper": count | ((ready | ~known) & may_be_long)})


def run_weeks(history, max_gap_weeks):
    """Return the length of each person's last run of weeks, gaps of at most ``max_gap_weeks`` bridged.

    This is the age of a case as a case system tells it: every longer gap starts the clock anew.

    Parameters
    ----------
    history : DataFrame
        ``person_id``, ``start_week``, ``end_week``, sorted by person and start.

    Returns
    -------
    Series
        Weeks, by person.
    """
    gap = history["start_week"] - history.groupby("person_id")["end_week"].shift()
    run = (gap > max_gap_weeks).groupby(history["person_id"]).cumsum()
    last = history[run == run.groupby(history["person_id"]).transform("max")]
    ends = last.groupby("person_id").agg(start=("start_week", "min"), end=("end_week", "max"))
    return ends["end"] - ends["start"]


def _durations(tables, history, first_week, study):
    history = history.sort_values(["person_id", "start_week"], kind="stable")
    after = _after_programme(tables, history)
    length = after["end_week"] - after["start_week"]
    person = after["person_id"]
    programme_known = tables.has("integration_programme")
    sure = length if programme_known else length.where(after["state"] != "INTEGRATION_BENEFIT", 0)
    gap = after["start_week"] - after.groupby("person_id")["end_week"].shift()
    filled = length + gap.where(gap.between(0, study.gap_weeks[-1]), 0)
    out = pd.DataFrame({"weeks": length.groupby(person).sum(), "sure_weeks": sure.groupby(person).sum(),
                        "filled_weeks": filled.groupby(person).sum()})
    out["run_weeks"] = run_weeks(history, study.gap_weeks[-2] if len(study.gap_weeks) > 1 else 0)
    out["is_left_censored"] = history.groupby("person_id")["start_week"].min() <= first_week
    return out.fillna(0).astype(
        {"weeks": int, "sure_weeks": int, "filled_weeks": int, "is_left_censored": bool}
    )


def _after_programme(tables, history):
    """Cut off the weeks before a person's last integration programme ended: the clock starts then."""
    if not tables.has("integration_programme") or tables["integration_programme"].empty:
        return history
    programme = week_intervals(tables["integration_programme"][["person_id", "start", "end"]])
    ended = history["person_id"].map(programme.groupby("person_id")["end_week"].max()).fillna(0)
    start = np.minimum(np.maximum(history["start_week"], ended.astype(np.int64)), history["end_week"])
    return history.assign(start_week=start)


def _with_readiness(tables, people, study, week):
    """Let the visitation decide, then the benefit code; where both are silent it is unknown."""
    category = pd.Series(None, index=people.index, dtype=object)
    if tables.has("visitation"):
        held = week_intervals(tables["visitation"])
        category[:] = value_at(held, "category", people["person_id"], np.full(len(people), week))
    stated = category.notna() & ~category.isin(("", "NOT_STATED"))
    by_code = people["state"].isin(study.activity_ready_states)
    return people.assign(is_ready=np.where(stated, category == study.ready_category, by_code).astype(bool),
                         is_ready_known=stated | ~people["state"].isin(study.undecided_states))


def _lives_here(tables, site, person_id, week):
    if not tables.has("residence"):
        return np.ones(len(person_id), dtype=bool)
    lived = week_intervals(tables["residence"])
    return value_at(lived, "municipality", person_id, np.full(len(person_id), week)) == site.municipality
