"""From latent weeks to what a register shows: pseudonyms, persons, residence, benefit, income."""

import numpy as np
import pandas as pd

from evalkit import weeks
from evalkit.simulate.states import NUMBER

_ALPHABET = np.array(list("abcdefghijkmnpqrstuvwxyz23456789"))
_FAR_PAST = "2000-01-03"
FULL_TIME_HOURS = 160.33
INDUSTRIES = np.array([412000, 471110, 561010, 812100, 841100, 851000, 871010, 492000])


def pseudonyms(n, seed):
    """Return `n` different pseudonyms: a letter and six signs of 32, never ten digits."""
    offset = np.random.default_rng([seed, 9]).integers(1 << 29)
    # An odd multiplier permutes the numbers below 2**30, so no pseudonym appears twice.
    number = (np.arange(n, dtype=np.int64) * 0x2545F491 + offset) % (1 << 30)
    signs = (number[:, None] >> np.arange(0, 30, 5)) & 31
    return np.array(["p" + "".join(row) for row in _ALPHABET[signs]])


def municipality(register):
    """Return where each person lives in each week, array (weeks, persons) of int16."""
    home = np.tile(register.home.astype(np.int16), (len(register.state), 1))
    for person, week, to in zip(*(register.moves[name] for name in ("person", "week", "to")), strict=True):
        home[max(week - register.first_week, 0):, person] = to
    return home


def person(register):
    """Return the person table."""
    people = register.people
    birth = weeks.year_of(people.birth_week)
    return pd.DataFrame({
        "person_id": register.person_id, "birth_year": birth, "sex": np.array(["F", "M"])[people.sex],
        "ancestry": np.array(["danish", "western", "non_western"])[people.ancestry],
    })


def residence(register):
    """Return where persons lived, from long before the register to its end, death or emigration."""
    place = municipality(register)
    gone = np.isin(register.state, (NUMBER["DEATH"], NUMBER["EMIGRATION"]))
    code = np.where(gone, -1, place)
    runs = run_lengths(code)
    runs = runs[runs["value"] >= 0]
    return pd.DataFrame(
        {
            "person_id": register.person_id[runs["person"]],
            "municipality": np.array(register.municipalities)[runs["value"]],
            "start": np.where(
                runs["start"] == 0,
                np.datetime64(_FAR_PAST),
                weeks.monday(register.first_week + runs["start"]),
            ),
            "end": weeks.monday(register.first_week + runs["end"]),
        }
    ).reset_index(drop=True)


def income_month(register):
    """Return months with wages: hours of the month's weeks in work, and a wage by the person."""
    month = weeks.month_of(register.weeks)
    first = np.flatnonzero(np.r_[True, month[1:] != month[:-1]])
    worked = np.add.reduceat((register.state == NUMBER["EMPLOYED"]).astype(np.int64), first, axis=0)
    n_weeks = np.diff(np.r_[first, len(month)])
    at, who = np.nonzero(worked)
    rng = register.rng("income")
    part_time = rng.choice([1.0, 1.0, 0.8, 0.5], register.n_persons)
    wage = rng.uniform(125.0, 210.0, register.n_persons)
    hours = np.round(worked[at, who] / n_weeks[at] * part_time[who] * FULL_TIME_HOURS, 1)
    table = pd.DataFrame({
        "person_id": register.person_id[who], "month": weeks.month_start(month[first][at]),
        "wage_dkk": np.round(hours * wage[who]), "hours": hours,
    })
    return table.iloc[np.lexsort((at, who))].reset_index(drop=True)


def employment_degree(register):
    """Return the share of full time, (persons, months): missing where not employed."""
    table = income_month(register)
    months = np.unique(weeks.month_of(register.weeks))
    degree = np.full((register.n_persons, len(months)), np.nan)
    order = np.argsort(register.person_id)
    who = order[np.searchsorted(register.person_id[order], table["person_id"])]
    degree[who, weeks.month_number(table["month"]) - months[0]] = np.round(
        table["hours"] / FULL_TIME_HOURS, 2
    )
    return degree


def industry(register, degree):
    """Return a six-digit industry where there is work, else 0, (persons, months)."""
    own = register.rng("industry").choice(INDUSTRIES, register.n_persons)
    return np.where(np.isnan(degree), 0, own[:, None])


def benefit(register, codes):
    """Return runs of weeks by code from the (persons, weeks) matrix of a register's codes, 0 where blank."""
    runs = run_lengths(codes.T)
    runs = runs[runs["value"] > 0]
    return pd.DataFrame({
        "person_id": register.person_id[runs["person"]], "code": runs["value"].to_numpy().astype(str),
        "start": weeks.monday(register.first_week + runs["start"].to_numpy()),
        "end": weeks.monday(register.first_week + runs["end"].to_numpy())})


def run_lengths(matrix):
    """Return the runs of equal values down each column of a (weeks, persons) matrix.

    Returns
    -------
    DataFrame
        ``person, value, start, end`` (rows, half-open), by person and start.

    Examples
    --------
    >>> run_lengths(np.array([[3, 3, 5]]).T).values.tolist()
    [[0, 3, 0, 2], [0, 5, 2, 3]]
    """
    wide = np.ascontiguousarray(matrix.T)
    change = np.ones(wide.shape, dtype=bool)
    change[:, 1:] = wide[:, 1:] != wide[:, :-1]
    person_number, start = np.nonzero(change)
    end = np.r_[start[1:], wide.shape[1]]
    end[np.r_[person_number[1:] != person_number[:-1], True]] = wide.shape[1]
    return pd.DataFrame(
        {
            "person": person_number,
            "value": wide[person_number, start].astype(np.int64),
            "start": start,
            "end": end,
        }
    )
