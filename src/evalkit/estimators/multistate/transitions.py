"""Transition probabilities: where persons who are in one state at one week will be at later weeks."""

import numpy as np
import pandas as pd

from evalkit.errors import EstimationError
from evalkit.estimators._counting import require_clusters, units_of
from evalkit.estimators._limits import CONF_TYPES, quantile, require_one_of, share_limits
from evalkit.estimators.multistate.chain import (
    chain_of,
    chains_of,
    functionals_from,
    require_states,
    unobserved,
)
from evalkit.estimators.multistate.landmark import followed_from, moved_between, require_persons
from evalkit.estimators.multistate.ledger import ledger_of, local_units
from evalkit.estimators.multistate.sweep import covariances
from evalkit.result import Estimand, Provenance, Result, tidy

METHODS = ("aalen_johansen", "landmark")
# Later weeks whose influence is held in memory at once.
BLOCK = 8


def transition_probabilities(at_risk, *, from_weeks, to_weeks, method="aalen_johansen", conf_level=0.95,
                             conf_type="plain"):
    """Estimate the probability of being in each state at later weeks, given the state at one week.

    Parameters
    ----------
    at_risk : AtRisk
        With ``state`` and ``person`` (or, for ``aalen_johansen``, ``cluster``); its strata are the groups.
    from_weeks : float
        The week s at which the state is known; movements in that very week have happened.
    to_weeks : float or sequence of float
        Weeks t after it.
    method : {"aalen_johansen", "landmark"}
        ``aalen_johansen`` uses everybody at risk after s, whatever happened before: right if the process is
        Markov. ``landmark`` uses those who are seen in the state at s, and only them.
    conf_level : float
    conf_type : {"plain", "log", "log-log"}

    Returns
    -------
    Result
        Kind ``model``. Terms ``FROM -> TO`` with ``time_weeks`` t, for every state FROM that anybody is seen
        to stay in. ``n_persons`` counts persons seen in FROM at s, ``n_events`` those of them seen in TO at t
        (or last seen in TO if nobody leaves it; missing where no person is named). ``model``: terms,
        from_weeks, times, groups, estimates (n_groups, n_times, n_terms), covariance (of the terms of a group
        and time). ``diagnostics`` name under ``not_estimable`` the states in which nobody is seen at s, or
        nobody could be followed to t: their rows have no estimate; and under ``unobserved`` the states that
        nobody is observed in at some movement though persons should be there: they are taken to stay.

    Raises
    ------
    EstimationError
        No states or persons, or nothing that could be estimated.

    Notes
    -----
    P(s, t) is the product of I + dA(u) over s < u <= t (Aalen and Johansen 1978): ``mstate::probtrans``.
    Where the way into a state matters for what follows (no Markov process), the product is still right for
    shares from time zero under independent censoring (:func:`state_occupation`; Datta and Satten 2001), no
    longer under delayed entry, and it is not right for P(s, t). The landmark estimate (Putter and Spitoni
    2018) is the same product over those who are in the state at s; it needs independent censoring after s
    only, and more persons. ``mstate::LMAJ`` is it but for ties: its hazards are Efron's.
    :func:`markov_test` tells whether the two differ.

    Errors come from the influence functions, the state at s given, summed within clusters, else persons:
    ``survfit(..., id, istate, start.time = s, p0 = )`` of R survival. Errors of ``mstate`` (Greenwood or
    Aalen type) take a person's movements as independent and are a little different.

    References
    ----------
    .. [1] Aalen and Johansen (1978), Scandinavian Journal of Statistics 5, 141-150.
    .. [2] Datta and Satten (2001), Statistics and Probability Letters 55, 403-411.
    .. [3] Putter and Spitoni (2018), Statistical Methods in Medical Research 27, 2081-2092.

    Examples
    --------
    >>> from evalkit.atrisk import AtRisk
    >>> frame = pd.DataFrame({"person": [1, 2, 2, 3, 3], "from": [0, 0, 2, 0, 1], "to": [4, 2, 4, 1, 3],
    ...                       "now": ["ON", "ON", "OFF", "ON", "OFF"],
    ...                       "then": [None, "OFF", None, "OFF", "ON"]})
    >>> table = AtRisk.from_frame(frame, entry="from", exit="to", state="now", event="then", person="person")
    >>> transition_probabilities(table, from_weeks=1, to_weeks=3).table[["term", "estimate", "n_persons"]]
             term  estimate  n_persons
    0  OFF -> OFF      0.50        1.0
    1   OFF -> ON      0.50        1.0
    2   ON -> OFF      0.25        2.0
    3    ON -> ON      0.75        2.0
    """
    require_one_of("method", method, METHODS)
    require_one_of("conf_type", conf_type, CONF_TYPES)
    quantile(conf_level)
    start, weeks = _times(from_weeks, to_weeks)
    require_states(at_risk, "transition_probabilities")
    require_clusters(at_risk)
    if method == "landmark":
        require_persons(at_risk, "transition_probabilities(method='landmark')")
    model, tables, diagnostics = _estimate(at_risk, start, weeks, method, conf_level, conf_type)
    options = {"from_weeks": start, "to_weeks": weeks.tolist(), "method": method, "conf_level": conf_level,
               "conf_type": conf_type}
    return Result(kind="model", table=pd.concat(tables, ignore_index=True), model=model,
                  diagnostics=diagnostics,
                  provenance=Provenance(method="transition_probabilities", options=options),
                  estimand=Estimand(name="transition_probability", summary="transition_probabilities",
                                    unit="share", horizon_weeks=float(weeks.max())))


def _times(from_weeks, to_weeks):
    start, weeks = float(from_weeks), np.atleast_1d(np.asarray(to_weeks, dtype=float))
    if not (np.isfinite(start) and start >= 0):
        raise ValueError("from_weeks must be a number of at least 0")
    if not len(weeks) or not (np.isfinite(weeks).all() and (weeks > start).all()):
        raise ValueError("to_weeks must be one or more numbers above from_weeks")
    return start, weeks


def _estimate(at_risk, start, weeks, method, conf_level, conf_type):
    """Estimate every stratum; return the model, the tables and what could not be estimated."""
    units, seen = units_of(at_risk), np.flatnonzero(np.bincount(at_risk.state)) - 1
    terms = tuple(f"{at_risk.causes[h]} -> {to}" for h in seen for to in at_risk.causes)
    groups, estimates, covariances, tables, missing, empty = [], [], [], [], [], []
    for chain, position in chains_of(at_risk):
        answer = _Group(chain, units, position, seen, start, method)
        estimate, covariance = answer.probabilities(weeks)
        missing += answer.not_estimable(estimate, weeks)
        empty += answer.unobserved(weeks.max())
        tables.append(_table(answer, terms, weeks, estimate, covariance, conf_level, conf_type))
        for held, found in ((groups, chain.label), (estimates, estimate), (covariances, covariance)):
            held.append(found)
    if np.isnan(estimates).all():
        raise EstimationError(f"transition_probabilities: nobody who is seen in a state at week {start:g} "
                              f"can be followed to week {weeks.min():g}. "
                              "Choose an earlier week, or pool groups")
    model = {"terms": terms, "from_weeks": start, "times": weeks, "groups": tuple(groups),
             "estimates": np.array(estimates), "covariance": np.array(covariances)}
    return model, tables, {"not_estimable": missing, "unobserved": empty}


class _Group:
    """One stratum, and the chains that begin in its states at one week: one for all, or one for each.

    ``begun`` holds each chain, the positions of its rows in the stratum, and how it begins, (n_from, M).
    """

    def __init__(self, chain, units, position, seen, start, method):
        code, self.code = local_units(units, position)
        self.chain, self.seen, self.start = chain, seen, start
        self.copies, self.weight = units.copies[code], units.weight[position]
        self.followed = followed_from(chain, start)
        self.occupied = np.flatnonzero([self.followed.is_occupied(h) for h in seen])
        begin = np.eye(len(chain.states))[seen[self.occupied]]
        self.begun = []
        if method == "aalen_johansen" and len(begin):
            self.begun.append((chain, slice(None), begin))
        elif method == "landmark":
            for h, one in zip(seen[self.occupied], begin, strict=True):
                rows = self.followed.rows_of(h)
                self.begun.append((chain_of(chain.label, chain.rows.select(rows)), rows, one[None, :]))

    def probabilities(self, weeks):
        """Return estimates (n_weeks, n_terms) and their covariance at each week."""
        width = len(self.seen) * len(self.chain.states)
        estimate = np.full((len(weeks), width), np.nan)
        covariance = np.full((len(weeks), width, width), np.nan)
        known = np.arange(width).reshape(len(self.seen), -1)[self.occupied].ravel()
        if len(known):
            paths = [functionals_from(chain, begin, self.start, np.empty(0)).after
                     for chain, _, begin in self.begun]
            shares = np.concatenate([after[_point(chain, weeks)] for (chain, _, _), after
                                     in zip(self.begun, paths, strict=True)], axis=1)
            shares[~self._is_followed(shares, weeks)] = np.nan
            estimate[:, known] = shares.reshape(len(weeks), -1)
            covariance[:, known[:, None], known] = self._covariance(weeks)
        covariance[np.isnan(estimate)] = np.nan
        return np.clip(estimate, 0, 1), covariance

    def _is_followed(self, shares, weeks):
        """Tell whether those who could still move are under observation at each week, by chain and start."""
        columns = []
        for chain, _, begin in self.begun:
            beyond = chain.rows.exit.max() < weeks
            columns.append(np.repeat(beyond[:, None], len(begin), axis=1))
        moving = np.array([chain.moving for chain, _, begin in self.begun for _ in begin])
        return ~(np.hstack(columns) & ((shares * moving).sum(axis=2) > 1e-12))

    def _covariance(self, weeks):
        """Sweep many weeks of one chain in one go; take others a few at a time, so that little is held."""
        if len(self.begun) == 1 and len(weeks) > BLOCK:
            (chain, rows, begin), = self.begun
            found = functionals_from(chain, begin, self.start, np.empty(0))
            square = covariances(chain, found, self.code[rows], self.weight[rows], self.copies)
            return square[_point(chain, weeks)]
        ledgers = [ledger_of(chain, self.code[rows], self.weight[rows], len(self.copies))
                   for chain, rows, _ in self.begun]
        return np.concatenate([self._of_few(ledgers, weeks[first:first + BLOCK])
                               for first in range(0, len(weeks), BLOCK)])

    def _of_few(self, ledgers, weeks):
        total, blocks = 0.0, []
        for (chain, _, begin), ledger in zip(self.begun, ledgers, strict=True):
            blocks.append(ledger.blocks(chain, functionals_from(chain, begin, self.start, weeks)))
        for pieces in zip(*blocks, strict=True):
            value = self._by_week(np.hstack([influence for _, influence in pieces]))
            total = total + (value * self.copies[pieces[0][0]][:, None]).transpose(0, 2, 1) @ value
        return total

    def _by_week(self, columns):
        """Turn columns (from, week, to) into the order (week, rows, from and to)."""
        size = len(self.chain.states)
        shaped = columns.reshape(len(columns), len(self.occupied), -1, size)
        return shaped.transpose(2, 0, 1, 3).reshape(shaped.shape[2], len(columns), -1)

    def unobserved(self, last):
        """Name states in which persons should be while nobody in them is observed."""
        found = [name for chain, _, begin in self.begun
                 for name in unobserved(chain, functionals_from(chain, begin, self.start, np.empty(0)), last)]
        return list(dict.fromkeys(found))

    def not_estimable(self, estimate, weeks):
        """Name the states and weeks without an estimate."""
        size = len(self.chain.states)
        return [f"{self.chain.where}{self.chain.states[state]} to week {week:g}"
                for k, state in enumerate(self.seen) for week, row in zip(weeks, estimate, strict=True)
                if np.isnan(row[k * size])]


def _point(chain, weeks):
    """Number the last event time up to each week."""
    return np.searchsorted(chain.times, weeks, side="right")


def _table(answer, terms, weeks, estimate, covariance, conf_level, conf_type):
    error = np.sqrt(np.maximum(np.diagonal(covariance, axis1=1, axis2=2), 0))
    low, high = share_limits(estimate, error, conf_level, conf_type)
    n_persons, n_events = moved_between(answer.chain, answer.followed, answer.seen, weeks)
    return tidy(term=list(terms) * len(weeks), group=answer.chain.label,
                time_weeks=np.repeat(weeks, len(terms)), estimate=estimate.ravel(), std_error=error.ravel(),
                conf_low=low.ravel(), conf_high=high.ravel(), n_persons=n_persons.ravel(),
                n_events=n_events.ravel())
