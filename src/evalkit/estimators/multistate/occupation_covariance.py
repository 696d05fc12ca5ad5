"""Covariance of the shares in all states after every event time, in one pass through time.

Between its own changes (a row begins, ends or moves) the influence of a unit follows a linear map that all
units share, so sums of its products over units follow one too. They need single units only where these
change: the cost is linear in the rows and does not grow with the number of times at which errors are wanted.
The way from a unit's last change to now is looked up in a table of the latest times; all units are brought up
to date when it is full, so that hardly tied times cost the rows times their square root, a step each besides.
"""

import math
from dataclasses import dataclass

import numpy as np

from evalkit.estimators._counting import divide

# Times that the table of ways from then to now holds at least: weekly data never fill it.
LATEST = 600


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Change:
    """What happens at one point between two event times, unit by unit, each unit once.

    ``risk`` (n, M) is what its weight at risk in each state changes by, ``jump`` (n, K) its influence.
    """

    unit: np.ndarray
    risk: np.ndarray
    jump: np.ndarray


def covariances(chain, found, code, weight, copies):
    """Return the covariance of the shares from the start and after each time, shape (n_times + 1, K, K).

    Parameters
    ----------
    chain : Chain
    found : Functionals
        Its ``after`` are the shares, (n_times + 1, H, M), K = H * M.
    code, weight, copies : ndarray
        The unit of each row, its weight in it, and how many each unit stands for.
    """
    size, width = len(chain.states), found.after.shape[1] * len(chain.states)
    changes = _Changes(chain, found, code, weight)
    units = _Units(len(copies), size, width)
    moments = _Moments(size, width)
    answer = np.empty((len(chain.times) + 1, width, width))
    for k in range(len(chain.times) + 1):
        if k:
            step, own = chain.step[k - 1], changes.stay[k - 1]
            wide = _repeated(step, width // size)
            moments.follow(wide, own)
            units.follow(step, wide, own)
        change = changes.at(k)
        if len(change.unit):
            moments.change(change, copies, *units.change(change))
        answer[k] = moments.square
    return answer


class _Moments:
    """Sums over units: influence by influence, weight at risk by influence, weight by weight."""

    def __init__(self, size, width):
        self.square = np.zeros((width, width))
        self.mixed = np.zeros((size, width))
        self.risk = np.zeros((size, size))

    def follow(self, step, own):
        cross = step.T @ self.mixed.T @ own
        self.square = step.T @ self.square @ step + cross + cross.T + own.T @ self.risk @ own
        self.mixed = self.mixed @ step + self.risk @ own

    def change(self, change, copies, influence, risk):
        number = copies[change.unit][:, None]
        later, kept = influence + change.jump, risk + change.risk
        self.square += (number * later).T @ later - (number * influence).T @ influence
        self.mixed += (number * kept).T @ later - (number * risk).T @ influence
        self.risk += (number * kept).T @ kept - (number * risk).T @ risk


class _Units:
    """Influence and weight at risk of each unit when it last changed, and the way from then to now.

    ``changed`` numbers the times since all were last brought up to date, ``now`` is the latest.
    """

    def __init__(self, n_units, size, width):
        self.influence, self.risk = np.zeros((n_units, width)), np.zeros((n_units, size))
        self.passage = np.empty((max(LATEST, math.isqrt(n_units)) + 1, size, size))
        self.drift = np.empty((len(self.passage), size, width))
        self._begin()

    def _begin(self):
        self.changed, self.now = np.zeros(len(self.risk), dtype=np.int64), 0
        self.passage[0], self.drift[0] = np.eye(len(self.passage[0])), 0

    def follow(self, step, wide, own):
        if self.now == len(self.passage) - 1:
            self.influence = self._influence(slice(None))
            self._begin()
        past = slice(self.now + 1)
        self.passage[past] = self.passage[past] @ step
        self.drift[past] = self.drift[past] @ wide + own
        self.now += 1
        self.passage[self.now], self.drift[self.now] = np.eye(len(step)), 0

    def change(self, change):
        """Return influence and weight at risk just before the change, and keep them as after it."""
        influence, risk = self._influence(change.unit), self.risk[change.unit]
        self.influence[change.unit], self.risk[change.unit] = influence + change.jump, risk + change.risk
        self.changed[change.unit] = self.now
        return influence, risk

    def _influence(self, unit):
        since, risk = self.changed[unit], self.risk[unit]
        influence = self.influence[unit].reshape(len(risk), -1, risk.shape[1]) @ self.passage[since]
        return influence.reshape(len(risk), -1) + (risk[:, None, :] @ self.drift[since])[:, 0]


class _Changes:
    """Beginnings, ends and movements of the rows, in the order of time."""

    def __init__(self, chain, found, code, weight):
        self.chain, self.code, self.weight, self.found = chain, code, weight, found
        share = divide(found.after[:-1], chain.at_risk[:, None, :])
        stayed = np.eye(len(chain.states)) - chain.step
        stay = share.transpose(0, 2, 1)[:, :, :, None] * stayed[:, :, None, :]
        self.share, self.stay = share, stay.reshape(*stay.shape[:2], stay.shape[2] * stay.shape[3])
        self.begin, self.end = (_by_point(point, len(chain.times)) for point in (chain.first, chain.last))
        start = chain.rows.entry == 0
        self.mass = chain.rows.row_weights[start].sum() if found.is_start_drawn else 0.0

    def at(self, k):
        """Sum what changes just after the time numbered ``k - 1``, unit by unit."""
        begin, end = self.begin(k), self.end(k)
        unit, place = np.unique(np.concatenate([self.code[begin], self.code[end]]), return_inverse=True)
        size, width = len(self.chain.states), self.stay.shape[2]
        state = np.concatenate([self.chain.state[begin], self.chain.state[end]])
        value = np.concatenate([self.weight[begin], -self.weight[end]])
        risk = np.bincount(place * size + state, weights=value, minlength=len(unit) * size)
        jump = np.zeros((len(unit), width))
        if k:
            np.add.at(jump, place[len(begin):], self._moved(end, k - 1))
        elif self.mass:
            np.add.at(jump, place[:len(begin)], self._started(begin))
        return _Change(unit=unit, risk=risk.reshape(-1, size), jump=jump)

    def _moved(self, rows, time):
        state, target = self.chain.state[rows], self.chain.target[rows]
        way = np.eye(len(self.chain.states))[target] - np.eye(len(self.chain.states))[state]
        share = self.share[time][:, state].T * self.weight[rows][:, None]
        return (share[:, :, None] * way[:, None, :]).reshape(len(rows), -1)

    def _started(self, rows):
        drawn = (self.chain.rows.entry[rows] == 0) * self.weight[rows] / self.mass
        return drawn[:, None] * (np.eye(len(self.chain.states))[self.chain.state[rows]] - self.found.after[0])


def _repeated(step, times):
    """Return a matrix with one block several times on its diagonal."""
    if times == 1:
        return step
    wide, block = np.zeros((times, len(step), times, len(step))), np.arange(times)
    wide[block, :, block] = step
    return wide.reshape(times * len(step), -1)


def _by_point(point, n_times):
    """Return a function from a point in time to the rows there."""
    order = np.argsort(point.astype(np.int16) if n_times < 30_000 else point, kind="stable")
    edges = np.append(0, np.cumsum(np.bincount(point, minlength=n_times + 1)))
    return lambda k: order[edges[k]:edges[k + 1]]
