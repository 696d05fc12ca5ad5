"""The partial likelihood where functions of time multiply covariates: exact, and without a row for each week.

A term is x f(t). All that the likelihood needs are sums over the rows at risk at each time, and sums over the
times of each row, of hazards that change with time. Rows with equal values of the covariates that functions
multiply form a group, whose hazards change alike: sums are taken within groups first, on a table of groups by
event times. Where that table would be large, a few rows at a time meet the times that they are at risk at.
"""

from dataclasses import dataclass, fields

import numpy as np

from evalkit.estimators._counting import running, total
from evalkit.estimators.cox.partial import (
    Design,
    Pass,
    evaluate,
    part,
    relative_hazard,
    score_columns,
    tied_sums,
)

# Numbers of a table by event times that is held in memory at once.
TABLE = 1_000_000
# Rows of such a table at most: it fits the cache, and each row meets all times of the others' strata.
ROWS = 200


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class VaryingDesign(Design):
    """A design whose terms are multiplied by functions of time.

    ``factor``, shape (n_times, n_terms), holds the functions, 1 for a constant effect; ``changes`` says which
    terms have one and ``kind`` numbers equal functions. Rows of equal ``group`` have equal values, rows of
    ``values``, of the terms that change.
    """

    factor: np.ndarray
    changes: np.ndarray
    kind: np.ndarray
    group: np.ndarray
    values: np.ndarray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class VaryingPass(Pass):
    """The likelihood at one vector of coefficients, and the ``cumulated`` hazard of rows, by function."""

    hazards: object
    cumulated: np.ndarray


def place(plan, factor, changes):
    """Return a design with the functions of time of its terms."""
    group, first = _groups(plan.x[:, changes])
    own = {spec.name: getattr(plan, spec.name) for spec in fields(Design)}
    own["observed"] = (plan.x[plan.died] * factor[plan.at]).T @ plan.weight[plan.died]
    kind = np.unique(factor, axis=1, return_inverse=True)[1].reshape(-1)
    return VaryingDesign(**own, factor=factor, changes=changes, kind=kind, group=group,
                         values=plan.x[first][:, changes])


@evaluate.register
def _(plan: VaryingDesign, beta):
    relative, shift = relative_hazard(plan, np.where(plan.changes, 0.0, beta))
    hazards = _hazards(plan, beta)
    weighted = relative * plan.weight
    s0, s1, d0, d1 = _sums(plan, hazards, weighted)
    ties, bottom, moments = tied_sums(plan, s0, d0)
    hazard, correction, q0, q1, q2 = moments
    value = plan.observed @ beta + plan.observed_offset - ties.share @ (
        np.log(bottom) + shift[plan.block_of_time[ties.at]])
    cross = s1.T @ (q1[:, None] * d1)
    seen, cumulated = _second_moment(plan, hazards, weighted, hazard, correction)
    information = seen - (s1.T @ (q0[:, None] * s1) - cross - cross.T + d1.T @ (q2[:, None] * d1))
    return VaryingPass(value=float(value), gradient=plan.observed - s1.T @ hazard + d1.T @ correction,
                       information=information, relative=relative, s0=s0, s1=s1, d0=d0, d1=d1, hazard=hazard,
                       moments=(correction, q0, q1, q2, cumulated[:, plan.kind[~plan.changes][0]]),
                       shift=shift, hazards=hazards, cumulated=cumulated)


@score_columns.register
def _(plan: VaryingDesign, fit):
    correction, q0, q1, q2, _ = fit.moments
    mean = (fit.s1 * fit.hazard[:, None] - fit.d1 * correction[:, None]) / plan.deaths[:, None]
    for k, x in enumerate(plan.x.T):
        drift = fit.hazards.over_times(fit.s1[:, [k]] * q0[:, None] - fit.d1[:, [k]] * q1[:, None])[:, 0]
        drift[plan.died] -= fit.hazards.at_death * (fit.s1[:, k] * q1 - fit.d1[:, k] * q2)[plan.at]
        residual = fit.relative * (drift - x * fit.cumulated[:, plan.kind[k]])
        residual[plan.died] += x[plan.died] * plan.factor[plan.at, k] - mean[plan.at, k]
        yield residual


@part.register
def _(plan: VaryingDesign, rows):
    # Where to begin is looked for among effects that do not change.
    return None


def _sums(plan, hazards, weighted):
    """Sum hazards, and terms times hazards, over those at risk and over those who die at each time."""
    n_times, mass = len(plan.time), weighted[plan.died] * hazards.at_death
    at_risk = hazards.at_times([weighted, *(weighted * x for x in plan.x.T)])
    dying = [total(plan.at, mass * x, n_times) for x in plan.x[plan.died].T]
    return (at_risk[:, 0], at_risk[:, 1:] * plan.factor, total(plan.at, mass, n_times),
            np.column_stack(dying) * plan.factor)


def _second_moment(plan, hazards, weighted, hazard, correction):
    """Sum products of terms over rows and their times; return also each row's hazard times each function."""
    kinds = [np.flatnonzero(plan.kind == kind) for kind in range(plan.kind.max() + 1)]
    functions = plan.factor[:, [terms[0] for terms in kinds]]
    constant = plan.kind[~plan.changes][0]
    seen, cumulated = np.empty((len(plan.kind),) * 2), np.empty((len(weighted), len(kinds)))
    for one, terms in enumerate(kinds):
        both = functions[:, [one]] * functions[:, :one + 1]
        expected = hazards.over_times(hazard[:, None] * both)
        expected[plan.died] -= hazards.at_death[:, None] * (correction[:, None] * both)[plan.at]
        for other in range(one + 1):
            mass = (weighted * expected[:, other])[:, None]
            product = plan.x[:, terms].T @ (plan.x[:, kinds[other]] * mass)
            seen[np.ix_(terms, kinds[other])] = product
            seen[np.ix_(kinds[other], terms)] = product.T
            if constant in (one, other):
                cumulated[:, one + other - constant] = expected[:, other]
    return seen, cumulated


def _hazards(plan, beta):
    """Choose the table by the number of groups."""
    return (_ByGroup if len(plan.values) * len(plan.time) <= TABLE else _ByRow)(plan, beta[plan.changes])


class _ByGroup:
    """How the hazard of each group changes, as a table of groups by event times."""

    def __init__(self, plan, beta):
        self.plan = plan
        self.change = np.exp((plan.values * beta) @ plan.factor[:, plan.changes].T)
        self.at_death = self.change[plan.group[plan.died], plan.at]
        self.width = len(plan.time) + 1
        self.first, self.last = (plan.group * self.width + number for number in (plan.first, plan.last))

    def at_times(self, values):
        """Sum values times the changing hazard over the rows at risk, shape (n_times, n_values)."""
        shape = (len(self.change), self.width)
        tables = (running(self.first, self.last, value, shape[0] * shape[1]).reshape(shape)[:, :-1]
                  for value in values)
        return np.column_stack([(self.change * table).sum(axis=0) for table in tables])

    def over_times(self, values):
        """Sum values times the changing hazard over the times of each row, shape (n_rows, n_values)."""
        columns = []
        for value in values.T:
            passed = np.zeros((len(self.change), self.width))
            np.cumsum(self.change * value, axis=1, out=passed[:, 1:])
            columns.append(passed.ravel()[self.last] - passed.ravel()[self.first])
        return np.column_stack(columns)


class _ByRow:
    """The same, for a few rows at a time: for covariates that differ from row to row."""

    def __init__(self, plan, beta):
        self.plan, self.beta = plan, beta
        self.order = np.argsort(plan.first, kind="stable")
        self.n_rows = int(np.clip(TABLE // np.bincount(plan.block_of_time).max(), 1, ROWS))
        dying = plan.x[plan.died][:, plan.changes] * plan.factor[plan.at][:, plan.changes]
        self.at_death = np.exp(dying @ beta)

    def at_times(self, values):
        """Sum values times the changing hazard over the rows at risk, shape (n_times, n_values)."""
        values = np.column_stack(values)
        answer = np.zeros((len(self.plan.time), values.shape[1]))
        for rows, times, change in self._parts():
            answer[times] += change.T @ values[rows]
        return answer

    def over_times(self, values):
        """Sum values times the changing hazard over the times of each row, shape (n_rows, n_values)."""
        answer = np.empty((len(self.order), values.shape[1]))
        for rows, times, change in self._parts():
            answer[rows] = change @ values[times]
        return answer

    def _parts(self):
        plan = self.plan
        for start in range(0, len(self.order), self.n_rows):
            rows = self.order[start:start + self.n_rows]
            first, last = plan.first[rows, None], plan.last[rows, None]
            number = np.arange(first.min(), last.max())
            times = slice(number[0], number[-1] + 1)
            change = np.exp((plan.x[rows][:, plan.changes] * self.beta) @ plan.factor[times, plan.changes].T)
            yield rows, times, np.where((number >= first) & (number < last), change, 0.0)


def _groups(x):
    """Number the distinct rows; return numbers and the position of the first of each."""
    code = np.zeros(len(x), dtype=np.int64)
    for column in x.T:
        levels, level = np.unique(column, return_inverse=True)
        code = np.unique(code * len(levels) + level, return_inverse=True)[1]
    return code, np.unique(code, return_index=True)[1]
