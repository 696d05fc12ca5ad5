"""Movements between states: transition matrices, what follows from them, and where each row influences it.

A functional of the future (weeks in a state until a horizon, being in a state at a week) has a value
for a person who is in state h after time s. Values are found backwards; a row's influence is the value of
where it went less the value of where its state goes on average, so its cost is linear in the rows.
"""

from dataclasses import dataclass, replace

import numpy as np

from evalkit.atrisk import AtRisk
from evalkit.errors import EstimationError
from evalkit.estimators._counting import distinct, divide, positions, strata_of, total
from evalkit.estimators._gaps import gaps_at
from evalkit.estimators._profiles import name_of
from evalkit.estimators.multistate.unit_influence import unit_influence_of


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Chain:
    """One stratum as a chain on its event times.

    ``step`` (n_times, M, M) holds the transition matrices, ``at_risk`` (n_times, M) weighted persons. A row
    is at risk at the times numbered ``first`` to ``last - 1`` and moves, if at all, at ``last - 1``; ``cell``
    is that time with the states from and to as one number. ``moving`` says whether anybody is ever seen to
    be in each state; the others are final.
    """

    label: str
    rows: AtRisk
    states: tuple
    state: np.ndarray
    target: np.ndarray
    times: np.ndarray
    first: np.ndarray
    last: np.ndarray
    cell: np.ndarray
    at_risk: np.ndarray
    step: np.ndarray
    moving: np.ndarray

    @property
    def where(self):
        """How a message names the stratum."""
        return f"stratum {self.label}: " if self.label else ""

    def occupants(self, week):
        """Return the rows of those in each state just after a week; a state that nobody leaves keeps them."""
        present = (self.rows.entry <= week) & (week < self.rows.exit)
        ended = ~self.moving[self.target] & (self.rows.exit <= week)
        return [(present & (self.state == k)) | (ended & (self.target == k)) for k in range(len(self.states))]


def chains_of(at_risk):
    """Yield the chain of every stratum and the positions of its rows; covariates are left behind."""
    bare = replace(at_risk, covariates=np.empty((at_risk.n_rows, 0)), terms=())
    for label, position in strata_of(bare):
        yield chain_of(label, bare if at_risk.strata is None else bare.select(position)), position


def chain_of(label, rows):
    """Estimate the transition matrices of one stratum."""
    size, weight = len(rows.causes), rows.row_weights
    state = rows.state - 1
    target = np.where(rows.event > 0, rows.event - 1, state)
    times = distinct(rows.exit[target != state])
    first, last = (positions(times, moment) for moment in (rows.entry, rows.exit))
    # A row that ends before the first movement does not move, and stands on a diagonal that is not used.
    cell = (np.maximum(last - 1, 0) * size + state) * size + target
    at_risk = _at_risk(first, last, state, weight, len(times), size)
    return Chain(label=label, rows=rows, states=rows.causes, state=state, target=target, times=times,
                 first=first, last=last, cell=cell, at_risk=at_risk, step=_steps(cell, weight, at_risk),
                 moving=np.bincount(state, minlength=size) > 0)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Functionals:
    """What persons who begin in H ways may expect of Q things.

    ``value`` (n_times + 1, M, Q) is what a person in state h after each time (and from the start on) may
    expect, ``after`` (n_times + 1, H, M) the shares of the states from the start on and after each time,
    0 before the start, ``estimate`` (H * Q). ``is_start_drawn`` says whether the shares at the start are
    those observed at time zero, with an influence of their own.
    """

    value: np.ndarray
    after: np.ndarray
    estimate: np.ndarray
    is_start_drawn: bool


def functionals(chain, horizons, weeks):
    """Weeks in each state until each horizon, then shares at each week, from time zero on."""
    start = start_shares(chain)
    value = _values(chain, horizons, weeks, 0)
    return Functionals(value=value, after=_shares(chain, start[None, :], 0), estimate=start @ value[0],
                       is_start_drawn=True)


def functionals_from(chain, start, from_week, weeks):
    """Shares at each week of those who are distributed as ``start`` (H, M) at an earlier week."""
    begin = np.searchsorted(chain.times, from_week, side="right")
    value = _values(chain, np.empty(0), weeks, begin)
    return Functionals(value=value, after=_shares(chain, start, begin),
                       estimate=(start @ value[begin]).ravel(), is_start_drawn=False)


def start_shares(chain):
    """Return the shares of the states at time zero."""
    start = chain.rows.entry == 0
    if not start.any():
        raise EstimationError(f"{chain.where}nobody is under observation at time zero, so there is no state "
                              "to begin from. Use an inflow cohort, or count time from a census date")
    share = np.bincount(chain.state[start], weights=chain.rows.row_weights[start],
                        minlength=len(chain.states))
    return share / share.sum()


def row_influence(chain, found):
    """Return each row's influence on each functional for one unit of weight, shape (n_rows, H * Q).

    The sum over a unit's rows, times their weights, is the unit's influence; at the start it holds the
    influence on the state shares from which the chain begins.
    """
    rows = np.arange(chain.rows.n_rows)
    each = unit_influence_of(chain, rows, np.ones(len(rows)), len(rows), is_start_drawn=found.is_start_drawn)
    return each.sums(chain, found)


def require_states(at_risk, name):
    """Refuse a table that cannot be followed through its states."""
    if at_risk.state is None:
        raise EstimationError(f"{name}: the at-risk table has no states; "
                              "name their column in AtRisk.from_frame(state=...)")
    if at_risk.person is None and at_risk.cluster is None:
        raise EstimationError(f"{name}: errors add up what happens to each person over all states, and "
                              "no person is named; name the column in AtRisk.from_frame(person=...)")


def require_follow_up(chain, found, last):
    """Refuse a week after everybody who could still move has left observation."""
    share = found.after[np.searchsorted(chain.times, last, side="right")]
    if chain.rows.exit.max() < last and share[:, chain.moving].sum() > 1e-12:
        raise EstimationError(f"{chain.where}nobody is followed to week {last:g}, and movements are still "
                              "to come for some. Choose an earlier week")


def state_gaps(chain, found, first, last):
    """Return the weeks of states, (group and state, from week, to week), in which nobody in them is observed.

    Only where persons should be in the state at a movement between the first and the last week. They are
    taken to stay, as in R; with delayed entry, or few persons, that can be far from the truth.
    """
    is_empty = (found.after[:-1].max(axis=1, initial=0) > 1e-9) & (chain.at_risk <= 1e-9) & chain.moving
    is_empty &= (chain.times <= last)[:, None]
    gaps = []
    for k in np.flatnonzero(is_empty.any(axis=0)):
        mine = chain.state == k
        gaps += gaps_at(chain.times[is_empty[:, k]], chain.rows.entry[mine], chain.rows.exit[mine],
                        label=name_of(chain.label, chain.states[k]), start_weeks=first, until_weeks=last)
    return tuple(gaps)


def _shares(chain, start, begin):
    after = np.zeros((len(chain.step) + 1, *start.shape))
    after[begin] = start
    for k in range(begin, len(chain.step)):
        after[k + 1] = after[k] @ chain.step[k]
    return after


def _values(chain, horizons, weeks, begin):
    """Find the values backwards from the last time to the time numbered ``begin``."""
    size = len(chain.states)
    ends = np.append(0.0, chain.times)
    edges = np.vstack([np.minimum(ends[:, None], horizons), horizons])
    stay = np.hstack([np.diff(edges, axis=0), _holds(ends, weeks)])
    value = np.kron(stay[:, None, :], np.eye(size))
    for k in range(len(ends) - 2, begin - 1, -1):
        value[k] += chain.step[k] @ value[k + 1]
    return value


def _holds(ends, weeks):
    """Mark for each week the interval [ends[k], ends[k + 1]) that holds it."""
    until = np.append(ends[1:], np.inf)
    return ((ends[:, None] <= weeks) & (weeks < until[:, None])).astype(float)


def _at_risk(first, last, state, weight, n_times, size):
    shape = (n_times + 1, size)
    change = (total(first * size + state, weight, shape[0] * size)
              - total(last * size + state, weight, shape[0] * size))
    return np.cumsum(change.reshape(shape), axis=0)[:-1]


def _steps(cell, weight, at_risk):
    n_times, size = at_risk.shape
    if not n_times:
        return np.empty((0, size, size))
    step = total(cell, weight, n_times * size * size).reshape(n_times, size, size)
    diagonal = np.arange(size)
    step[:, diagonal, diagonal] = 0
    step = divide(step, at_risk[:, :, None])
    step[:, diagonal, diagonal] = 1 - step.sum(axis=2)
    return step
