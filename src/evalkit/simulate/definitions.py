"""The study's populations and outcomes, read from latent weeks by code of this package alone.

These are the words of the effect study, written a second time and differently from `cohort`, so
that the truth is not made by what is tested against it.
"""

import numpy as np

from evalkit.simulate.states import FIRST_SUPPORT, NUMBER, TARGET

MAX_GAP_WEEKS = 3
SUSTAIN_WEEKS = 4
WASHOUT_WEEKS = 52
HORIZONS = (26, 52, 104)


def on_support(state, *, longest=MAX_GAP_WEEKS):
    """Return who is on support, breaks of at most `longest` weeks without any benefit folded in.

    Parameters
    ----------
    state : ndarray of uint8, shape (weeks, persons)

    Returns
    -------
    ndarray of bool, shape (weeks, persons)

    Examples
    --------
    >>> cash = NUMBER["CASH_BENEFIT_READY"]
    >>> on_support(np.array([[cash, 0, cash, 0, 0, 0, 0, cash]]).T).ravel().astype(int).tolist()
    [1, 1, 1, 0, 0, 0, 0, 1]
    """
    on = state >= FIRST_SUPPORT
    return on | (_fold_gaps(on, longest) & (state <= NUMBER["EMPLOYED"]))


def _fold_gaps(on, longest):
    filled = on.copy()
    for gap in range(1, longest + 1):
        for inside in range(1, gap + 1):
            filled[inside:len(on) - gap - 1 + inside] |= on[: -gap - 1] & on[gap + 1:]
    return filled


def first_inflow(state, on, *, eligible, first, last):
    """Return the first week of each person's first new episode in [first, last), or -1.

    Parameters
    ----------
    state : ndarray of uint8, shape (weeks, persons)
    on : ndarray of bool
        On support, gaps folded.
    eligible : callable
        From a row number to a mask of persons by age and municipality in that week.
    first, last : int
        Rows of `state`; at least `WASHOUT_WEEKS` rows stand before `first`.
    """
    zero = np.full(state.shape[1], -1, dtype=np.int64)
    recent = on[first - WASHOUT_WEEKS:first].sum(axis=0)
    for row in range(first, last):
        new = on[row] & (recent == 0) & np.isin(state[row], TARGET) & eligible(row) & (zero < 0)
        zero[new] = row
        recent += on[row].astype(np.int64) - on[row - WASHOUT_WEEKS]
    return zero


def weeks_on(on, persons, zero, horizon):
    """Return each person's supported weeks in [zero, zero + horizon)."""
    total = np.zeros((len(on) + 1, len(persons)), dtype=np.int32)
    np.cumsum(on[:, persons], axis=0, out=total[1:])
    column = np.arange(len(persons))
    return total[np.minimum(zero + horizon, len(on)), column] - total[zero, column]


def seniority(on):
    """Return weeks on support before each week, counted anew after `WASHOUT_WEEKS` weeks without.

    Examples
    --------
    >>> seniority(np.array([[1, 1, 0, 1]], dtype=bool).T).ravel().tolist()
    [0, 1, 2, 2]
    """
    before = np.zeros(on.shape, dtype=np.int32)
    count, off = np.zeros(on.shape[1], dtype=np.int32), np.zeros(on.shape[1], dtype=np.int32)
    for row in range(len(on)):
        before[row] = count
        off = np.where(on[row], 0, off + 1)
        count = np.where(off >= WASHOUT_WEEKS, 0, count + on[row])
    return before


def employed_weeks(state, on, month):
    """Return where persons are employed: no benefit for long enough, and wage in the week's month.

    Parameters
    ----------
    month : ndarray of int, shape (weeks,)
        Month of each row.
    """
    free = ~on & (state <= NUMBER["EMPLOYED"])
    wage = np.zeros_like(free)
    starts = np.flatnonzero(np.r_[True, month[1:] != month[:-1]])
    monthly = np.maximum.reduceat(state == NUMBER["EMPLOYED"], starts, axis=0)
    wage[:] = monthly[np.cumsum(np.r_[0, month[1:] != month[:-1]])]
    return long_runs(free, SUSTAIN_WEEKS) & wage


def long_runs(flag, length):
    """Keep only the runs of at least `length` rows.

    Examples
    --------
    >>> long_runs(np.array([[1, 1, 0, 1]], dtype=bool).T, 2).ravel().astype(int).tolist()
    [1, 1, 0, 0]
    """
    core = flag.copy()
    core[len(flag) - length + 1:] = False
    for step in range(1, length):
        core[: len(flag) - step] &= flag[step:]
    kept = core.copy()
    for step in range(1, length):
        kept[step:] |= core[: len(flag) - step]
    return kept


def time_to_self_sufficiency(state, on, persons, zero, horizon):
    """Return weeks from time zero to the first sustained self-sufficient week, and what came first.

    Returns
    -------
    time : ndarray of int
        Capped at `horizon`.
    cause : ndarray of int
        1 self-sufficiency, 2 another exit (education, old age, death, emigration), 0 neither by then.
    """
    free = long_runs(~on & (state <= NUMBER["EMPLOYED"]), SUSTAIN_WEEKS)[:, persons]
    other = ((state >= NUMBER["EDUCATION"]) & (state < FIRST_SUPPORT) & ~on)[:, persons]
    return _first(free, zero, horizon, other)


def _first(free, zero, horizon, other):
    time = np.full(len(zero), horizon)
    cause = np.zeros(len(zero), dtype=np.int8)
    column = np.arange(len(zero))
    for step in range(horizon):
        row = np.minimum(zero + step, len(free) - 1)
        for number, flag in ((1, free), (2, other)):
            hit = (cause == 0) & flag[row, column]
            time[hit], cause[hit] = step, number
    return time, cause
