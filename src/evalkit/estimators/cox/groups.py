"""Groups that share a factor of their hazard: sums over risk sets by group, and the factors' likelihood."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from evalkit.errors import EstimationError
from evalkit.estimators._counting import n_late
from evalkit.estimators.cox.partial import Pass, evaluate

# Numbers in the table of groups and event times that is held in memory.
TABLE = 20_000_000


def require_shared(at_risk, events):
    """Refuse what a model of shared factors cannot use."""
    if not at_risk.terms:
        raise EstimationError("shared_frailty: the at-risk table has no covariates; "
                              "name them in AtRisk.from_frame(covariates=...)")
    if not events.any():
        raise EstimationError(f"shared_frailty: no event among {at_risk.n_persons} persons. "
                              "Look at the event's definition and the length of follow-up")
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
    """The group of each row of a design, and how many die in each."""

    code: np.ndarray
    deaths: np.ndarray
    n_groups: int

    @classmethod
    def of(cls, at_risk, plan, number):
        """Number the groups of a design's rows; ``number`` is how many each row stands for."""
        groups, code = np.unique(at_risk.cluster[plan.row], return_inverse=True)
        if len(groups) * len(plan.time) > TABLE:
            raise EstimationError(f"shared_frailty: {len(groups)} groups and {len(plan.time)} event times "
                                  f"are more than memory is meant to hold ({TABLE} pairs). Round times to "
                                  "weeks, or use larger groups")
        deaths = np.bincount(code[plan.died], weights=number[plan.died], minlength=len(groups))
        return cls(code=code, deaths=deaths, n_groups=len(groups))

    def expected(self, plan, fit):
        """Return how many would die in each group if its factor were as it is in the fit."""
        return np.bincount(self.code, weights=fit.relative * plan.weight * fit.moments[-1],
                           minlength=self.n_groups)

    def sums(self, plan, weighted):
        """Sum hazards of each group over those at risk and over the dying, each (n_groups, n_times)."""
        n_times = len(plan.time)
        cells = plan.cells
        end, first = cells.rows(cells.end), cells.rows(cells.first)
        leaving = np.bincount(self.code * (2 * n_times) + end, weights=weighted,
                              minlength=self.n_groups * 2 * n_times).reshape(self.n_groups, 2, n_times)
        entering = np.bincount(self.code * (n_times + 1) + first, weights=weighted,
                               minlength=self.n_groups * (n_times + 1)).reshape(self.n_groups, n_times + 1)
        change = leaving.sum(axis=1) - entering[:, 1:]
        return np.cumsum(change[:, ::-1], axis=1)[:, ::-1], leaving[:, 1]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Shared:
    """A penalised likelihood of coefficients and log factors, and the likelihood without the penalty.

    ``information`` is that of the coefficients when the factors give way; ``cross`` that of coefficients with
    factors, and ``solve`` divides by that of the factors.
    """

    value: float
    gradient: np.ndarray
    information: np.ndarray
    fit: Pass
    cross: np.ndarray
    solve: Callable

    @property
    def covariance(self):
        """Of the coefficients, at a fixed variance of the factors."""
        return np.linalg.inv(self.information)

    def step(self):
        """Return Newton's step of coefficients and log factors."""
        of_beta, of_factor = np.split(self.gradient, [len(self.cross)])
        beta = np.linalg.solve(self.information, of_beta - self.cross @ self.solve(of_factor))
        return np.concatenate([beta, self.solve(of_factor - self.cross.T @ beta)])


def shared_likelihood(plan, groups, precision):
    """Penalise the likelihood of coefficients and log factors w by precision * sum(exp(w) - w)."""
    def likelihood(both):
        beta, log_factor = np.split(both, [plan.x.shape[1]])
        moved = replace(plan, offset=log_factor[groups.code],
                        observed_offset=float(groups.deaths @ log_factor))
        fit = evaluate(moved, beta)
        factor = np.exp(log_factor)
        expected = groups.expected(plan, fit)
        gradient = groups.deaths - expected + precision * (1 - factor)
        low, cross = _shared_information(plan, groups, fit)
        solve = _divider(expected + precision * factor, low)
        return Shared(value=fit.value + precision * (log_factor - factor).sum(),
                      gradient=np.concatenate([fit.gradient, gradient]),
                      information=fit.information - cross @ solve(cross.T), fit=fit, cross=cross, solve=solve)
    return likelihood


def _divider(diagonal, low):
    """Return what divides by diag(diagonal) - low low', inverted through the smaller side (Woodbury)."""
    if len(diagonal) <= low.shape[1]:
        inverse = np.linalg.inv(np.diag(diagonal) - low @ low.T)
        return lambda right: inverse @ right
    across = low / diagonal[:, None]
    inner = np.linalg.inv(np.eye(low.shape[1]) - low.T @ across)

    def solve(right):
        own = (right.T / diagonal).T
        return own + across @ (inner @ (low.T @ own))
    return solve


def _shared_information(plan, groups, fit):
    """Return the factor of the information that times share, and that of coefficients with groups."""
    weighted = fit.relative * plan.weight
    at_risk, dying = groups.sums(plan, weighted)
    _, q0, q1, q2, expected = fit.moments
    mass = weighted * expected
    cross = np.array([np.bincount(groups.code, weights=mass * column, minlength=groups.n_groups)
                      for column in plan.x.T])
    cross -= ((fit.s1 * q0[:, None] - fit.d1 * q1[:, None]).T @ at_risk.T
              - (fit.s1 * q1[:, None] - fit.d1 * q2[:, None]).T @ dying.T)
    # A square root of [[q0, -q1], [-q1, q2]] of each time.
    own = np.sqrt(q0)
    beside = q1 / own
    rest = np.sqrt(np.maximum(q2 - beside**2, 0))
    low = at_risk * own - dying * beside
    return (np.hstack([low, dying * rest]) if rest.any() else low), cross
