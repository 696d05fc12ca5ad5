"""Each person's weeks after time zero as runs of outcome states, without holes."""

import numpy as np
import pandas as pd

from evalkit.cohort.lookup import expand
from evalkit.weeks import month_number, month_of

OUTCOMES = ("SUPPORT", "SELF_SUFFICIENT", "EMPLOYED", "EDUCATION", "RETIREMENT", "DEATH", "OTHER")
_CODE = {name: code for code, name in enumerate(OUTCOMES)}
# Three quarters of the Danish full-time week of 37 hours, over a quarter of a year.
STABLE_HOURS_PER_WEEK, STABLE_MONTHS = 27.75, 3
_WEEKS_PER_MONTH = 365.25 / 12 / 7


def outcome_of(spells):
    """Return the outcome that each register state is: support first, then education, exits, job, other."""
    outcome = {}
    for state, role in spells.roles.items():
        named = state if state in ("EDUCATION", "RETIREMENT", "DEATH") else "OTHER"
        named = {"education": "EDUCATION", "employment": "EMPLOYED"}.get(role, named)
        outcome[state] = "SUPPORT" if state in spells.support else named
    return outcome


def occupancy(cohort, spells, *, n_weeks, sustain_weeks=4, income=None):
    """Return the outcome of every cohort row in every week since time zero.

    Parameters
    ----------
    cohort : Cohort
    spells : Spells
    n_weeks : int
        Weeks since time zero.
    sustain_weeks : int
        Runs without benefit shorter than this fold back into the state before them. 1 folds nothing.
    income : DataFrame, optional
        Table ``income_month``; see `evalkit.cohort.follow.states`.

    Returns
    -------
    ndarray of int8, shape (n_rows, n_weeks)
        Index into `OUTCOMES`; -1 where the data do not reach.
    """
    frame = cohort.frame
    zero = frame["time_zero_week"].to_numpy(dtype=np.int64)
    # What lies after the horizon decides whether a gap at its end is long enough.
    outcome = outcome_of(spells)
    codes = np.array([_CODE[outcome[state]] for state in spells.frame["state"].cat.categories], dtype=np.int8)
    grid = _fold(_paint(frame, spells, zero, n_weeks + sustain_weeks - 1, codes), sustain_weeks)[:, :n_weeks]
    if income is not None:
        _mark_employed(grid, frame, zero, income)
    week = zero[:, None] + np.arange(n_weeks)
    grid[week >= spells.end_week - (sustain_weeks - 1)] = -1
    return grid


def register_states(cohort, spells, *, n_weeks):
    """Return the register state of every cohort row in every week since time zero.

    Returns
    -------
    ndarray of int8, shape (n_rows, n_weeks)
        Index into the categories of ``spells.frame["state"]``; -1 is no benefit. Nothing is folded.
    """
    codes = np.arange(len(spells.frame["state"].cat.categories), dtype=np.int8)
    return _paint(
        cohort.frame, spells, cohort.frame["time_zero_week"].to_numpy(dtype=np.int64), n_weeks, codes
    )


def state_runs(cohort, spells, *, sustain_weeks=4, horizon_weeks=None, income=None):
    """Return runs of outcome states: ``row, state, entry, exit, entered`` (missing where follow-up ends)."""
    zero = cohort.frame["time_zero_week"].to_numpy(dtype=np.int64)
    reach = int(spells.end_week - zero.min()) if len(zero) else 0
    grid = occupancy(
        cohort, spells, n_weeks=min(horizon_weeks or reach, reach), sustain_weeks=sustain_weeks, income=income
    )
    width = grid.shape[1]
    begins = np.ones(grid.shape, dtype=bool)
    begins[:, 1:] = grid[:, 1:] != grid[:, :-1]
    at = np.flatnonzero(begins)
    value, row, entry = grid.ravel()[at], at // width, at % width
    exits = np.r_[at[1:], grid.size] - row * width
    follows = np.r_[(row[1:] == row[:-1]) & (value[1:] >= 0), False]
    entered = np.where(follows, np.r_[value[1:], -1], -1)
    runs = pd.DataFrame(
        {
            "row": row,
            "state": pd.Categorical.from_codes(value, OUTCOMES),
            "entry": entry,
            "exit": exits,
            "entered": pd.Categorical.from_codes(entered, OUTCOMES),
        }
    )
    return runs[value >= 0].reset_index(drop=True)


def employed_months(income):
    """Return ``person_id``, ``month`` (number) of the months with wage income."""
    paid = income[_is_paid(income)]
    return pd.DataFrame(
        {"person_id": paid["person_id"].to_numpy(), "month": month_number(pd.to_datetime(paid["month"]))}
    )


def stable_months(income):
    """Return ``person_id``, ``month`` of the months that end a quarter of a year of stable job.

    Stable is at least 27.75 hours a week on average over three consecutive months with wage income.

    Examples
    --------
    >>> income = pd.DataFrame({"person_id": "a",
    ...     "month": ["2016-01-01", "2016-02-01", "2016-03-01", "2016-05-01"],
    ...     "wage_dkk": 1.0, "hours": [130, 120, 120, 160]})
    >>> stable_months(income)["month"].tolist()
    [314]
    """
    paid = income[_is_paid(income)]
    monthly = paid.assign(month=month_number(pd.to_datetime(paid["month"])))
    monthly = monthly.groupby(["person_id", "month"], as_index=False)["hours"].sum()
    by_person = monthly.groupby("person_id")
    span = monthly["month"] - by_person["month"].shift(STABLE_MONTHS - 1)
    hours = by_person["hours"].rolling(STABLE_MONTHS).sum().reset_index(drop=True)
    enough = hours >= STABLE_HOURS_PER_WEEK * STABLE_MONTHS * _WEEKS_PER_MONTH
    return monthly.loc[span.eq(STABLE_MONTHS - 1) & enough, ["person_id", "month"]].reset_index(drop=True)


def _is_paid(income):
    """DREAM knows paid hours and no wage; other deliveries know the wage."""
    hours = income["hours"].fillna(0) if "hours" in income else 0
    return (income["wage_dkk"].fillna(0) > 0) | (hours > 0)


def _paint(frame, spells, first, n_weeks, codes):
    """Return the code of each row's state in each week from ``first`` on; -1 is no benefit."""
    held = spells.frame
    ids, at = np.unique(held["person_id"].to_numpy(dtype=object).astype(str), return_index=True)
    size = np.diff(np.r_[at, len(held)])
    own = pd.Index(ids).get_indexer(frame["person_id"].astype(str))
    known = np.flatnonzero(own >= 0)
    spell, source = expand(at[own[known]], size[own[known]])
    row = known[source]
    start = np.clip(held["start_week"].to_numpy()[spell] - first[row], 0, n_weeks)
    stop = np.clip(held["end_week"].to_numpy()[spell] - first[row], 0, n_weeks)
    cell, run = expand(row * n_weeks + start, stop - start)
    grid = np.full(len(frame) * n_weeks, -1, dtype=np.int8)
    grid[cell] = codes[held["state"].cat.codes.to_numpy()[spell]][run]
    return grid.reshape(len(frame), n_weeks)


def _fold(grid, sustain_weeks):
    """Call runs of enough weeks without benefit SELF_SUFFICIENT, and shorter ones the state before."""
    width = grid.shape[1]
    blank = grid < 0
    week = np.arange(width)
    begin = np.maximum.accumulate(np.where(blank, -1, week), axis=1)
    end = np.minimum.accumulate(np.where(blank, width, week)[:, ::-1], axis=1)[:, ::-1]
    # A run that reaches the edge of the grid is longer than what can be seen of it.
    long = (end - begin - 1 >= sustain_weeks) | (begin < 0)
    before = np.take_along_axis(grid, np.maximum(begin, 0), axis=1)
    folded = np.where(long, np.int8(_CODE["SELF_SUFFICIENT"]), before)
    return np.where(blank, folded, grid)


def _mark_employed(grid, frame, zero, income):
    """Turn self-sufficient weeks into EMPLOYED where the month of the week has wage income, in place."""
    row, col = np.nonzero(grid == _CODE["SELF_SUFFICIENT"])
    if len(row) == 0:
        return
    paid = employed_months(income)
    ids = pd.Index(frame["person_id"].unique())
    month = month_of(zero[row] + col)
    low, span = month.min(), month.max() - month.min() + 1
    table = np.zeros((len(ids), span), dtype=bool)
    person, when = ids.get_indexer(paid["person_id"]), paid["month"].to_numpy() - low
    inside = (person >= 0) & (when >= 0) & (when < span)
    table[person[inside], when[inside]] = True
    has_wage = table[ids.get_indexer(frame["person_id"])[row], month - low]
    grid[row[has_wage], col[has_wage]] = _CODE["EMPLOYED"]
