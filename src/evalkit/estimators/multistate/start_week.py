"""What begins in the states of one week: one chain for all of them, or one for each state's own persons."""

import numpy as np

from evalkit.estimators._limits import read_week, read_weeks
from evalkit.estimators.multistate.chain import chain_of, functionals_from, state_gaps
from evalkit.estimators.multistate.landmark import followed_from
from evalkit.estimators.multistate.occupation_covariance import covariances
from evalkit.estimators.multistate.unit_influence import local_units, unit_influence_of

# Later weeks whose influence is held in memory at once.
BLOCK = 8
# What a step of a pass through time costs, in rows whose influence at a week is found.
STEP = 60


def later_weeks(from_weeks, to_weeks):
    """Return one week and the weeks after it; refuse what is none."""
    start, weeks = read_week("from_weeks", from_weeks), read_weeks("to_weeks", to_weeks)
    if not (weeks > start).all():
        raise ValueError(f"to_weeks == {to_weeks!r}, must be after from_weeks == {from_weeks!r}")
    return start, weeks


class StartWeek:
    """One stratum, and the chains that begin in its states at one week: one for all, or one for each.

    ``beginnings`` holds each chain, the positions of its rows in the stratum, and how it begins, (n_from, M).
    """

    def __init__(self, chain, units, position, seen, start, method):
        code, self.code = local_units(units, position)
        self.chain, self.seen, self.start = chain, seen, start
        self.copies, self.weight = units.copies[code], units.weight[position]
        self.followed = followed_from(chain, start)
        self.occupied = np.flatnonzero([self.followed.is_occupied(h) for h in seen])
        begin = np.eye(len(chain.states))[seen[self.occupied]]
        self.beginnings = []
        if method == "aalen_johansen" and len(begin):
            self.beginnings.append((chain, slice(None), begin))
        elif method == "landmark":
            for h, one in zip(seen[self.occupied], begin, strict=True):
                rows = self.followed.rows_of(h)
                self.beginnings.append((chain_of(chain.label, chain.rows.select(rows)), rows, one[None, :]))

    def probabilities(self, weeks):
        """Return estimates (n_weeks, n_terms) and their covariance at each week."""
        width = len(self.seen) * len(self.chain.states)
        estimate = np.full((len(weeks), width), np.nan)
        covariance = np.full((len(weeks), width, width), np.nan)
        known = np.arange(width).reshape(len(self.seen), -1)[self.occupied].ravel()
        if len(known):
            paths = [functionals_from(chain, begin, self.start, np.empty(0)).after
                     for chain, _, begin in self.beginnings]
            shares = np.concatenate([after[_point(chain, weeks)] for (chain, _, _), after
                                     in zip(self.beginnings, paths, strict=True)], axis=1)
            shares[~self._is_followed(shares, weeks)] = np.nan
            estimate[:, known] = shares.reshape(len(weeks), -1)
            covariance[:, known[:, None], known] = self._covariance(weeks)
        covariance[np.isnan(estimate)] = np.nan
        return np.clip(estimate, 0, 1), covariance

    def _is_followed(self, shares, weeks):
        """Tell whether those who could still move are under observation at each week, by chain and start."""
        columns = []
        for chain, _, begin in self.beginnings:
            beyond = chain.rows.exit.max() < weeks
            columns.append(np.repeat(beyond[:, None], len(begin), axis=1))
        moving = np.array([chain.moving for chain, _, begin in self.beginnings for _ in begin])
        return ~(np.hstack(columns) & ((shares * moving).sum(axis=2) > 1e-12))

    def _covariance(self, weeks):
        """Pass once through all weeks of one chain if many; take others a few at a time: little is held."""
        chain, rows, begin = self.beginnings[0]
        is_pass_short = STEP * len(chain.times) < chain.rows.n_rows * len(weeks)
        if len(self.beginnings) == 1 and len(weeks) > BLOCK and is_pass_short:
            found = functionals_from(chain, begin, self.start, np.empty(0))
            square = covariances(chain, found, self.code[rows], self.weight[rows], self.copies)
            return square[_point(chain, weeks)]
        return np.concatenate([
            sum((value * self.copies[units][:, None]).transpose(0, 2, 1) @ value
                for units, value in self.influence(weeks[first:first + BLOCK]))
            for first in range(0, len(weeks), BLOCK)])

    def influence(self, weeks):
        """Yield units, a block at a time, and their influence, shape (n_weeks, n_units, n_occupied * M)."""
        blocks = []
        for chain, rows, begin in self.beginnings:
            influence = unit_influence_of(chain, self.code[rows], self.weight[rows], len(self.copies))
            blocks.append(influence.blocks(chain, functionals_from(chain, begin, self.start, weeks)))
        for pieces in zip(*blocks, strict=True):
            yield pieces[0][0], self._by_week(np.hstack([influence for _, influence in pieces]))

    def _by_week(self, columns):
        """Turn columns (from, week, to) into the order (week, rows, from and to)."""
        size = len(self.chain.states)
        shaped = columns.reshape(len(columns), len(self.occupied), -1, size)
        return shaped.transpose(2, 0, 1, 3).reshape(shaped.shape[2], len(columns), -1)

    def gaps(self, last):
        """Return the weeks of states in which persons should be while nobody in them is observed."""
        found = [gap for chain, _, begin in self.beginnings for gap in
                 state_gaps(chain, functionals_from(chain, begin, self.start, np.empty(0)), self.start, last)]
        return tuple(dict.fromkeys(found))

    def not_estimable(self, estimate, weeks):
        """Name the states and weeks without an estimate."""
        size = len(self.chain.states)
        return [f"{self.chain.where}{self.chain.states[state]} to week {week:g}"
                for k, state in enumerate(self.seen) for week, row in zip(weeks, estimate, strict=True)
                if np.isnan(row[k * size])]


def _point(chain, weeks):
    """Number the last event time up to each week."""
    return np.searchsorted(chain.times, weeks, side="right")
