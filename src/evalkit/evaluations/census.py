"""The people of the monitoring study: who is in the benefit system on the date counted on."""

import datetime as dt
from dataclasses import dataclass
from functools import wraps

import pandas as pd

from evalkit.cohort import spells as cohort_spells
from evalkit.evaluations.durations import census_date, stock
from evalkit.evaluations.facts import HISTORY_TOO_SHORT, origin, unanswered
from evalkit.result import Estimand
from evalkit.weeks import week_of


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Census:
    """The persons in the benefit system on the date counted on. Holds person rows: never shown.

    Attributes
    ----------
    date : date
    people : DataFrame
        From `evalkit.evaluations.durations.stock`.
    spells : Spells
    """

    date: dt.date
    people: pd.DataFrame
    spells: object


def census(tables, study, site, *, spells=None):
    """Count who is in the benefit system on the study's date, or on the data's last date before it."""
    date = census_date(tables, study, site)
    if not tables.has("benefit"):
        return Census(date=date, spells=None, people=pd.DataFrame())
    spells = cohort_spells(tables) if spells is None else spells
    return Census(date=date, spells=spells, people=stock(tables, spells, study, site, census=date))


def looks_back(weeks):
    """Mark a question that needs data reaching so many weeks behind the census.

    Where they do not, nobody can be seen to have been in the system that long: a count of zero would say
    that nobody has. The answer is then withheld.

    Parameters
    ----------
    weeks : str
        Field of the study that holds the weeks.
    """
    def mark(question):
        @wraps(question)
        def asked(tables, study, site, *, census):
            if seen_weeks(census) < getattr(study, weeks):
                return unanswered(question.__name__, [], study, reason=HISTORY_TOO_SHORT)
            return question(tables, study, site, census=census)
        return asked
    return mark


def seen_weeks(census):
    """Return how many weeks the data reach back from the census, its own week included."""
    return week_of(census.date) + 1 - census.spells.first_week


def by_benefit(people, study):
    """Yield all people, named ``all``, then those on each benefit."""
    yield "all", people
    for benefit in study.benefits:
        yield benefit, people[people["benefit"] == benefit]


def window_start(census, study):
    """Return the first day of the study's window of months that ends with the census."""
    day = pd.Timestamp(census.date) + dt.timedelta(days=1) - pd.DateOffset(months=study.window_months)
    return day.date()


def fact(name, population, *, unit="persons"):
    """Return the Estimand of a counted fact."""
    return Estimand(name=name, population=population, outcome=name, summary="counted", unit=unit)


def fact_origin(tables, study, census, *used):
    """Return the Provenance of a fact counted on the census date."""
    return origin(tables, study, used, census=str(census.date))
