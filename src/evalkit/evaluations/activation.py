"""The monthly share touched by activation, and what a claim about one month is worth."""

import datetime as dt

import numpy as np
import pandas as pd

from evalkit.cohort.lookup import value_at, week_intervals
from evalkit.evaluations.facts import needs, origin, shares, unanswered
from evalkit.evaluations.offers import person_months, touched_months
from evalkit.result import Estimand, Result, tidy
from evalkit.weeks import month_number, month_start, week_of


@needs("benefit", "activity")
def touched_share(tables, study, site, *, census):
    """Share of the activity-ready persons on a benefit who were touched by activation, by month (S11).

    Returns
    -------
    Result
        Kind share, one row a month: ``term`` the month (2017M10), ``n_persons`` persons on the benefit on at
        least one day of the month, ``n_events`` those of them in an active offer on at least one day of it.

    Notes
    -----
    Persons touched, not full-time persons: one day in the month is enough on both sides of the fraction.
    """
    months = months_of(tables, study, site)
    on = _ready_months(tables, study, site, census.spells, months)
    hit = touched_months(tables["activity"], study.efforts["active"], months)
    on = on.merge(hit.assign(is_touched=True), how="left", on=["person_id", "month"])
    by_month = on.groupby("month")["is_touched"].agg(["size", "count"])
    rows = [(month_name(month), "", int(row["count"]), int(row["size"]))
            for month, row in by_month.iterrows()]
    estimand = Estimand(
        name="touched_share",
        population="cash_benefit_activity_ready",
        outcome="touched",
        unit="share",
        summary="counted",
    )
    return shares("touched_share", rows, estimand=estimand,
                  provenance=origin(tables, study, ("benefit", "activity")))


def claim(touched, study, site):
    """Hold the share of one month against the mean of the months before it (S12).

    A share can double while the number of persons does not, and one month can stand out by itself: so the
    ratio stands beside the number of months it rests on and the largest ratio of any other month.

    Parameters
    ----------
    touched : Result
        From `touched_share`.

    Returns
    -------
    Result
        Kind model: rows ``base_mean``, ``month_share``, ``ratio``. Withheld where months are not covered.
    """
    if touched.withheld:
        return unanswered("claim", touched.diagnostics["missing_tables"], study)
    start = month_number(site.programme_start)
    table = touched.table.assign(month=touched.table["term"].map(parse_month))
    told = doubling(table.set_index("month")["estimate"], start + study.claim_month,
                    range(start + study.claim_base_months[0], start + study.claim_base_months[1]))
    estimand = Estimand(
        name="claim",
        population="cash_benefit_activity_ready",
        outcome="touched",
        summary="ratio",
        unit={"base_mean": "share", "month_share": "share", "ratio": "ratio"},
    )
    if told is None:
        return Result(kind="model", estimand=estimand, table=tidy(), withheld="months_not_covered",
                      provenance=touched.provenance)
    used = table[table["month"].isin([told["month"], *told["base"]])]
    rows = tidy(term=["base_mean", "month_share", "ratio"], group=month_name(told["month"]),
                estimate=[told["base_mean"], told["month_share"], told["ratio"]],
                n_persons=used["n_persons"].min(), n_events=used["n_events"].min())
    return Result(kind="model", estimand=estimand, table=rows, provenance=touched.provenance,
                  diagnostics={"months": 1, "base_months": len(told["base"])})


claim.needs = touched_share.needs


def doubling(series, month, base):
    """Return the ratio of one month to the mean of its base months, or None where a month is missing.

    Parameters
    ----------
    series : Series
        Shares by month number.
    month : int
    base : range

    Examples
    --------
    >>> doubling(pd.Series({0: 20.0, 1: 24.0, 2: 44.0}), 2, range(0, 2))["ratio"]
    np.float64(2.0)
    """
    if not {month, *base} <= set(series.dropna().index):
        return None
    mean = series.loc[list(base)].mean()
    return {"month": month, "base": list(base), "base_mean": mean, "month_share": series.loc[month],
            "ratio": series.loc[month] / mean if mean > 0 else np.nan}


def months_of(tables, study, site):
    """Return the study's months, since January 1990, as far as the activities are registered."""
    start = month_number(site.programme_start)
    first = max(start + study.touched_months[0], month_number(tables.data_from))
    # Only whole months: half a month touches fewer persons and would look like a fall.
    end = month_number(pd.Timestamp(tables.data_through) + dt.timedelta(days=1))
    return range(first, max(first, min(start + study.touched_months[1], end)))


def month_name(month):
    """Name a month since January 1990 as StatBank does.

    Examples
    --------
    >>> month_name(333), parse_month("2017M10")
    ('2017M10', 333)
    """
    day = month_start(int(month))
    return f"{day.year}M{day.month:02d}"


def parse_month(name):
    """Return the month since January 1990 that ``2017M10`` names."""
    year, month = name.split("M")
    return month_number(dt.date(int(year), int(month), 1))


def _ready_months(tables, study, site, spells, months):
    """Return person-months on the benefit: activity-ready and living in the municipality at mid-month."""
    frame = spells.frame[spells.frame["state"].isin(study.benefits[study.touched_benefit])]
    by_code = person_months(frame[frame["state"].isin(study.activity_ready_states)], months).assign(
        by_code=True
    )
    on = person_months(frame, months).merge(by_code, how="left", on=["person_id", "month"])
    week = week_of(month_start(on["month"].to_numpy()) + np.timedelta64(14, "D"))
    ready = on["by_code"].notna().to_numpy()
    if tables.has("visitation"):
        category = value_at(week_intervals(tables["visitation"]), "category", on["person_id"], week)
        stated = pd.notna(category) & (category != "NOT_STATED")
        ready = np.where(stated, category == study.ready_category, ready)
    if tables.has("residence"):
        ready = ready & (value_at(week_intervals(tables["residence"]), "municipality", on["person_id"], week)
                         == site.municipality)
    return on.loc[ready.astype(bool), ["person_id", "month"]]
