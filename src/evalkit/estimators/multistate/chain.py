"""Movements between states: the product-integral and the rows' influence on what follows from it.

A functional of the future (weeks in a state until a horizon, being in a state at a week) has a value
for a person who is in state h after time s. Values are found backwards; a row's influence is the value of
where it went less the value of where its state goes on average, so its cost is linear in the rows.
"""

from dataclasses import dataclass

import numpy as np

from evalkit.atrisk import AtRisk
from evalkit.errors import EstimationError
from evalkit.estimators._counting import total


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Chain:
    """One stratum as a chain on its event times.

    ``step`` (n_times, M, M) holds the transition matrices, ``before`` (n_times, M) the state shares just
    before each time, ``after`` (n_times + 1, M) those from time 0 on, ``at_risk`` (n_times, M) weighted
    persons.
    """

    label: str
    rows: AtRisk
    states: tuple
    state: np.ndarray
    target: np.ndarray
    times: np.ndarray
    first: np.ndarray
    last: np.ndarray
    at_risk: np.ndarray
    step: np.ndarray
    after: np.ndarray

    @property
    def before(self):
        """State shares just before each time."""
        return self.after[:-1]


def chain_of(label, rows):
    """Estimate the transition matrices of one stratum and the state shares that follow from the start."""
    states, size = rows.causes, len(rows.causes)
    state = rows.state - 1
    target = np.where(rows.event > 0, rows.event - 1, state)
    moved = target != state
    times = np.unique(rows.exit[moved])
    first, last = (np.searchsorted(times, moment, side="right") for moment in (rows.entry, rows.exit))
    weight = rows.row_weights
    at_risk = _at_risk(first, last, state, weight, len(times), size)
    step = _steps(last, state, target, weight, moved, at_risk)
    after = _forward(_start(label, rows, state, size), step)
    return Chain(label=label, rows=rows, states=states, state=state, target=target, times=times, first=first,
                 last=last, at_risk=at_risk, step=step, after=after)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Functionals:
    """Weeks in each state until each horizon, then the share in each state at each week.

    ``value`` (n_times + 1, M, Q) is what a person in state h after each time (and from 0 on) may expect.
    """

    value: np.ndarray
    estimate: np.ndarray


def functionals(chain, horizons, weeks):
    """Find the values backwards from the last time."""
    size = len(chain.states)
    ends = np.append(0.0, chain.times)
    edges = np.vstack([np.minimum(ends[:, None], horizons), horizons])
    stay = np.hstack([np.diff(edges, axis=0), _holds(ends, weeks)])
    value = np.zeros((len(ends), size, stay.shape[1] * size))
    ahead = np.zeros(value.shape[1:])
    for k in range(len(ends) - 1, -1, -1):
        if k < len(chain.times):
            ahead = chain.step[k] @ ahead
        ahead = ahead + np.kron(stay[k], np.eye(size))
        value[k] = ahead
    return Functionals(value=value, estimate=chain.after[0] @ value[0])


def row_influence(chain, found):
    """Return each row's influence on each functional for one unit of weight, shape (n_rows, Q).

    The sum over a unit's rows, times their weights, is the unit's influence; at the start it holds the
    influence on the state shares from which the chain begins.
    """
    value, state = found.value, chain.state
    share = np.divide(chain.before, chain.at_risk, out=np.zeros_like(chain.before), where=chain.at_risk > 0)
    stayed = value[1:] - chain.step @ value[1:]
    drift = np.concatenate([np.zeros((1, *value.shape[1:])), np.cumsum(share[:, :, None] * stayed, axis=0)])
    influence = drift[chain.last, state] - drift[chain.first, state]
    moved = np.flatnonzero(chain.target != state)
    at = chain.last[moved] - 1
    gain = value[at + 1, chain.target[moved]] - value[at + 1, state[moved]]
    influence[moved] += share[at, state[moved]][:, None] * gain
    start = chain.rows.entry == 0
    influence[start] += (value[0, state[start]] - found.estimate) / chain.rows.row_weights[start].sum()
    return influence


def require_states(at_risk, name):
    """Refuse a table that cannot be followed through its states."""
    if at_risk.state is None:
        raise EstimationError(f"{name}: the at-risk table has no states; "
                              "name their column in AtRisk.from_frame(state=...)")
    if at_risk.person is None and at_risk.cluster is None:
        raise EstimationError(f"{name}: errors add up what happens to each person over all states, and "
                              "no person is named; name the column in AtRisk.from_frame(person=...)")


def _holds(ends, weeks):
    """Mark for each week the interval [ends[k], ends[k + 1]) that holds it."""
    until = np.append(ends[1:], np.inf)
    return ((ends[:, None] <= weeks) & (weeks < until[:, None])).astype(float)


def _at_risk(first, last, state, weight, n_times, size):
    shape = (n_times + 1, size)
    change = (total(first * size + state, weight, shape[0] * size)
              - total(last * size + state, weight, shape[0] * size))
    return np.cumsum(change.reshape(shape), axis=0)[:-1]


def _steps(last, state, target, weight, moved, at_risk):
    n_times, size = at_risk.shape
    cell = ((last[moved] - 1) * size + state[moved]) * size + target[moved]
    step = total(cell, weight[moved], n_times * size * size).reshape(n_times, size, size)
    step = np.divide(step, at_risk[:, :, None], out=np.zeros_like(step), where=at_risk[:, :, None] > 0)
    diagonal = np.arange(size)
    step[:, diagonal, diagonal] = 1 - step.sum(axis=2)
    return step


def _start(label, rows, state, size):
    start = rows.entry == 0
    if not start.any():
        where = f"stratum {label}: " if label else ""
        raise EstimationError(f"{where}nobody is under observation at time zero, so there is no state to "
                              "begin from. Use an inflow cohort, or count time from a census date")
    share = np.bincount(state[start], weights=rows.row_weights[start], minlength=size)
    return share / share.sum()


def _forward(start, step):
    after = np.empty((len(step) + 1, len(start)))
    after[0] = start
    for k, matrix in enumerate(step):
        after[k + 1] = after[k] @ matrix
    return after
