"""The rehabilitation team: who should meet it, how often it met, and which old cases were reviewed."""

import pandas as pd

from evalkit.evaluations.census import by_benefit, fact, fact_origin, looks_back, window_start
from evalkit.evaluations.facts import counts, needs, shares
from evalkit.evaluations.offers import pending_rehabilitation


@needs("benefit", "rehabilitation")
def rehabilitation_need(tables, study, site, *, census):
    """Count who should go to the rehabilitation team and has not: referred, or decided at a review (S03)."""
    people = census.people[census.people["benefit"].isin(study.rehabilitation_benefits)]
    referred = people["person_id"].isin(pending_rehabilitation(tables["rehabilitation"], census.date))
    reviewed = people["person_id"].isin(_decided_at_review(tables, census.date)) & ~referred
    rows = [("referred", "", int(referred.sum())), ("decided_at_review", "", int(reviewed.sum())),
            ("total", "", int((referred | reviewed).sum()))]
    return counts(
        "rehabilitation_need",
        rows,
        estimand=fact("rehabilitation_need", "cash_and_integration"),
        provenance=fact_origin(tables, study, census, "benefit", "rehabilitation"),
        census=str(census.date),
    )


@needs("rehabilitation")
def rehabilitation_meetings(tables, study, site, *, census):
    """Count the persons whom the rehabilitation team met, by half-year (S03); ``n_met`` adds them up."""
    held = tables["rehabilitation"]
    held = held[(held["step"] == "MEETING") & (held["date"] <= pd.Timestamp(tables.data_through))]
    half = held["date"].dt.year.astype(str) + "H" + ((held["date"].dt.month > 6) + 1).astype(str)
    rows = [(name, "", int(n)) for name, n in held.groupby(half.to_numpy())["person_id"].nunique().items()]
    return counts("rehabilitation_meetings", rows, estimand=fact("rehabilitation_meetings", "all_cases"),
                  provenance=fact_origin(tables, study, census, "rehabilitation"),
                  n_met=sum(n for *_, n in rows))


@needs("benefit", "case_review")
@looks_back("review_weeks")
def reviewed(tables, study, site, *, census):
    """Share of cases over three years that were reviewed in the last twelve months, by benefit (S10)."""
    start = window_start(census, study)
    review = tables["case_review"]
    seen = review.loc[review["date"].between(pd.Timestamp(start), pd.Timestamp(census.date)), "person_id"]
    old = census.people[census.people["weeks"] >= study.review_weeks]
    rows = [("reviewed", group, int(people["person_id"].isin(seen).sum()), len(people))
            for group, people in by_benefit(old, study)]
    return shares(
        "reviewed",
        rows,
        estimand=fact("reviewed", "cases_three_years", unit="share"),
        provenance=fact_origin(tables, study, census, "benefit", "case_review"),
        census=str(census.date),
    )


def _decided_at_review(tables, date):
    """Return the persons whose review sent them to the team, without a meeting since."""
    if not tables.has("case_review"):
        return pd.Index([])
    review = tables["case_review"]
    sent = review[review["decision"] == "REHABILITATION_TEAM"][["person_id", "date"]].assign(step="REFERRAL")
    return pending_rehabilitation(
        pd.concat([tables["rehabilitation"][["person_id", "date", "step"]], sent]), date
    )
