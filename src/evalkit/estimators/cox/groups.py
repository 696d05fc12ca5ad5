"""Groups that share a factor of their hazard: sums over risk sets by group, and the factors' likelihood."""

from dataclasses import dataclass, replace

import numpy as np

from evalkit.errors import EstimationError
from evalkit.estimators._counting import divide, n_late, require_events
from evalkit.estimators.cox.partial import Pass, evaluate

# Groups up to which their information is made as a matrix and inverted.
FEW = 64
# Steps of conjugate gradients at most, and the squared size of the rest, against the beginning's, at which
# they end: far below what a Newton step needs, so that errors have as many digits as by a direct inverse.
STEPS, CLOSE = 500, 1e-24


def require_shared(at_risk, events, cause):
    """Refuse what a model of shared factors cannot use."""
    require_events(at_risk, events, "shared_frailty", cause)
    groups = 0 if at_risk.cluster is None else np.count_nonzero(np.bincount(at_risk.cluster))
    if groups < 2:
        raise EstimationError(f"shared_frailty: {groups} groups, at least 2 must share a factor each; "
                              "name the group in AtRisk.from_frame(cluster=...)")
    if at_risk.weight is not None and (at_risk.weight != 1).any():
        raise EstimationError("shared_frailty: weights other than 1: a group's likelihood is no weighted sum "
                              "over its persons. Leave weight out, or use cox with errors by cluster")
    late = n_late(at_risk)
    if late:
        raise EstimationError(f"shared_frailty: {late} of {at_risk.n_rows} rows enter late: who is still "
                              "there was selected by the frailty, and this likelihood does not say how. "
                              "Follow from time zero, use cox with errors by cluster, or the group as strata")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Groups:
    """The group of each row of a design, and how many die in each.

    ``order`` sorts rows by group, ``edges`` are where groups begin in it.
    """

    code: np.ndarray
    deaths: np.ndarray
    n_groups: int
    order: np.ndarray
    edges: np.ndarray

    @classmethod
    def of(cls, at_risk, plan, number):
        """Number the groups of a design's rows; ``number`` is how many each row stands for."""
        groups, code = np.unique(at_risk.cluster[plan.row], return_inverse=True)
        deaths = np.bincount(code[plan.died], weights=number[plan.died], minlength=len(groups))
        edges = np.append(0, np.cumsum(np.bincount(code)))
        return cls(code=code, deaths=deaths, n_groups=len(groups), order=np.argsort(code, kind="stable"),
                   edges=edges)

    def sums(self, value):
        """Add up a value of the rows in each group."""
        return np.bincount(self.code, weights=value, minlength=self.n_groups)


class RiskSets:
    """What groups weigh in the risk sets of one fit, as a sparse matrix of groups by ends of rows.

    A table of groups by event times is never made: what it would multiply costs a few passes over the rows.
    """

    def __init__(self, plan, groups, fit):
        from scipy.sparse import csr_matrix
        self.n_times, weighted = len(plan.time), fit.relative * plan.weight
        shape, order = (groups.n_groups, 2 * self.n_times), groups.order
        end, first = plan.cells.rows(plan.cells.end), plan.cells.rows(plan.cells.first)
        self.leaving = csr_matrix((weighted[order], end[order], groups.edges), shape=shape)
        self.entering = (csr_matrix((weighted[order], first[order], groups.edges), shape=shape)
                         if first.any() else None)
        self.q = [moment[:, None] for moment in fit.moments[1:4]]

    def times_sums(self, value):
        """Multiply by the information that times share: of groups, shape (n_groups, n_values)."""
        leaving = (self.leaving.T @ value).reshape(2, self.n_times, -1)
        dying, change = leaving[1], leaving.sum(axis=0)
        if self.entering is not None:
            change[:-1] -= (self.entering.T @ value)[1:self.n_times]
        at_risk = np.cumsum(change[::-1], axis=0)[::-1]
        q0, q1, q2 = self.q
        return self.over_times(q0 * at_risk - q1 * dying, q1 * at_risk - q2 * dying)

    def over_times(self, hazard, correction):
        """Sum hazards, times values of the times at risk, within groups; the dying lack a correction."""
        passed = np.vstack([np.zeros_like(hazard[:1]), np.cumsum(hazard, axis=0)])
        until = self.leaving @ np.vstack([passed[1:], passed[1:] - correction])
        if self.entering is None:
            return until
        return until - self.entering @ np.vstack([passed[:-1], np.zeros_like(hazard)])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Shared:
    """A penalised likelihood of coefficients and log factors, and the likelihood without the penalty.

    ``information`` is that of the coefficients when the factors give way; ``cross`` that of coefficients with
    factors, ``solved`` the same divided by that of the factors, ``factor_step`` the factors' gradient so.
    """

    value: float
    gradient: np.ndarray
    information: np.ndarray
    fit: Pass
    cross: np.ndarray
    solved: np.ndarray
    factor_step: np.ndarray

    @property
    def covariance(self):
        """Of the coefficients, at a fixed variance of the factors."""
        return np.linalg.inv(self.information)

    def step(self):
        """Return Newton's step of coefficients and log factors."""
        of_beta = self.gradient[:len(self.cross)]
        beta = np.linalg.solve(self.information, of_beta - self.cross @ self.factor_step)
        return np.concatenate([beta, self.factor_step - self.solved @ beta])


def shared_likelihood(plan, groups, precision):
    """Penalise the likelihood of coefficients and log factors w by precision * sum(exp(w) - w)."""
    def likelihood(both):
        beta, log_factor = np.split(both, [plan.x.shape[1]])
        moved = replace(plan, offset=log_factor[groups.code],
                        observed_offset=float(groups.deaths @ log_factor))
        fit = evaluate(moved, beta)
        factor, sets = np.exp(log_factor), RiskSets(plan, groups, fit)
        mass = fit.relative * plan.weight * fit.moments[-1]
        expected = groups.sums(mass)
        gradient = groups.deaths - expected + precision * (1 - factor)
        cross = _cross(plan, groups, fit, sets, mass)
        solved = _divided(np.vstack([gradient, cross]).T, expected, precision * factor, sets)
        return Shared(value=fit.value + precision * (log_factor - factor).sum(),
                      gradient=np.concatenate([fit.gradient, gradient]), fit=fit, cross=cross,
                      information=fit.information - cross @ solved[:, 1:], factor_step=solved[:, 0],
                      solved=solved[:, 1:])
    return likelihood


def _cross(plan, groups, fit, sets, mass):
    """Return the information of coefficients with groups, shape (n_terms, n_groups)."""
    _, q0, q1, q2, _ = fit.moments
    own = np.reshape([groups.sums(mass * column) for column in plan.x.T], (-1, groups.n_groups))
    return own - sets.over_times(fit.s1 * q0[:, None] - fit.d1 * q1[:, None],
                                 fit.s1 * q1[:, None] - fit.d1 * q2[:, None]).T


def _divided(right, expected, penalty, sets):
    """Divide by the information of the factors, diag(expected + penalty) - what times share.

    Where groups are many, by conjugate gradients from the inverse of what it would be if groups had the same
    share in all risk sets: then what times share is of rank one. The more alike these are, the fewer steps.
    """
    if len(expected) <= FEW:
        shared = sets.times_sums(np.eye(len(expected)))
        return np.linalg.solve(np.diag(expected + penalty) - shared, right)
    diagonal = (expected + penalty)[:, None]
    across = expected[:, None] / diagonal
    rest = np.sum(across * penalty[:, None])

    def nearly(value):
        return value / diagonal + across * ((across * value).sum(axis=0) / rest)

    answer, residual = np.zeros_like(right), right.copy()
    way = nearly(residual)
    size = start = (residual * way).sum(axis=0)
    for _ in range(STEPS):
        image = diagonal * way - sets.times_sums(way)
        length = divide(size, (way * image).sum(axis=0))
        answer += length * way
        residual -= length * image
        turned = nearly(residual)
        size, before = (residual * turned).sum(axis=0), size
        if (size <= CLOSE * start).all():
            break
        way = turned + divide(size, before) * way
    return answer
