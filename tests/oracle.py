"""A second implementation of the survival estimates, all different: naive person-weeks.

Whole weeks only, one Python loop over rows and weeks, no shared code; errors by moving each person's weight.
"""

from collections import defaultdict
from dataclasses import replace

import numpy as np


def person_weeks(at_risk):
    """Yield (row, week, state, next state, weight) for every week at risk; no states: 0 and the cause."""
    for i in range(at_risk.n_rows):
        state = 0 if at_risk.state is None else int(at_risk.state[i])
        for week in range(int(at_risk.entry[i]) + 1, int(at_risk.exit[i]) + 1):
            last = week == at_risk.exit[i] and at_risk.event[i] > 0
            yield i, week, state, int(at_risk.event[i]) if last else state, float(at_risk.row_weights[i])


def shares(at_risk, through):
    """Return {week: {state: share}} from week 0: all in a state move as those under observation did."""
    risk, moves, share = defaultdict(float), defaultdict(float), defaultdict(float)
    for _, week, state, target, weight in person_weeks(at_risk):
        risk[week, state] += weight
        moves[week, state, target] += weight
    for i in np.flatnonzero(at_risk.entry == 0):
        share[0 if at_risk.state is None else int(at_risk.state[i])] += at_risk.row_weights[i]
    total = sum(share.values())
    path = {0: {state: mass / total for state, mass in share.items()}}
    for week in range(1, through + 1):
        path[week] = defaultdict(float)
        for state, mass in path[week - 1].items():
            going = [(t, n) for (w, s, t), n in moves.items() if (w, s) == (week, state)] or [(state, 1.0)]
            for target, number in going:
                path[week][target] += mass * number / (risk[week, state] or 1.0)
    return path


def weeks_in(at_risk, state, horizon):
    """Return the expected weeks in a state until a whole horizon."""
    return sum(share.get(state, 0.0) for share in shares(at_risk, horizon - 1).values())


def breslow_score(at_risk, beta):
    """Return the gradient of Breslow's partial likelihood, event by event."""
    gradient, x = np.zeros(len(beta)), at_risk.covariates
    for i in np.flatnonzero(at_risk.event):
        risk = (at_risk.entry < at_risk.exit[i]) & (at_risk.exit[i] <= at_risk.exit)
        pull = at_risk.row_weights[risk] * np.exp(x[risk] @ beta)
        gradient += at_risk.row_weights[i] * (x[i] - pull @ x[risk] / pull.sum())
    return gradient


def moved_weight_error(at_risk, estimate, units, step=1e-4):
    """Return the error by influence: the derivative by each unit's weight, squared and summed."""
    def moved(unit, by):
        return estimate(replace(at_risk, weight=np.where(units == unit, 1 + by, 1.0)))
    return np.sqrt(sum(((moved(u, step) - moved(u, -step)) / (2 * step)) ** 2 for u in np.unique(units)))
