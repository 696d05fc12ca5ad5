"""What each row adds to a fit of the subdistribution (or of a cause-specific hazard), for one unit of weight.

The derivative of the estimate by the row's weight, exact also in what passes through the estimated weights g
of those who left by another cause. Squares of its sums over persons or clusters are the variance.
"""

from dataclasses import dataclass

import numpy as np

from evalkit.estimators._counting import total
from evalkit.estimators.competing.observation import censoring_influence
from evalkit.estimators.competing.subdistribution import Plan, exposed
from evalkit.estimators.cox.partial import Pass

ERRORS = ("influence", "fine_gray", "fixed_weights")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Fit:
    """A plan at its maximum, with what the functionals of it share."""

    plan: Plan
    at: Pass
    has_event: np.ndarray
    coefficients: np.ndarray

    def of_hazard(self, step, along):
        """Return each row's influence on sum(``step`` x baseline hazard) + ``along`` x coefficients.

        ``step`` has one number for each time of the plan, ``along`` one for each (scaled) covariate.
        """
        plan, at = self.plan, self.at
        _, q0, q1, _, _ = at.moments
        s0_slope, d0_slope = step * q0, step * q1
        direct = -at.relative * exposed(plan, s0_slope)
        gain = (step * at.hazard / plan.deaths)[plan.at] + at.relative[plan.died] * d0_slope[plan.at]
        direct[plan.died] += gain
        if len(plan.tail.row):
            slope = _weight_slope(plan, at, np.zeros(len(direct)), -s0_slope)
            direct += plan.observation.influence(slope[:, None], self.has_event)[:, 0]
        return direct + self.coefficients @ (along - step @ mean_hazard(at))


def fit_of(at_risk, plan, at, errors="influence", group=None):
    """Return the influence of each row on the coefficients of a plan at its maximum."""
    has_event, scores = at_risk.event > 0, score_residuals(plan, at)
    if errors != "fixed_weights" and len(plan.tail.row):
        slope = weight_slope(plan, at)
        scores += plan.observation.influence(slope, has_event) if errors == "influence" else \
            censoring_influence(at_risk, group, plan.observation, slope)
    return Fit(plan=plan, at=at, has_event=has_event, coefficients=scores @ np.linalg.inv(at.information))


def score_residuals(plan, at):
    """Return each row's score, the weights g taken as known.

    The residuals of ``coxph`` on the rows of ``survival::finegray``, summed within persons.
    """
    correction, _, q1, q2, expected = at.moments
    means = mean_hazard(at)
    drift = np.column_stack([exposed(plan, column) for column in means.T])
    drift[plan.died] -= (at.s1 * q1[:, None] - at.d1 * q2[:, None])[plan.at]
    residual = -at.relative[:, None] * (plan.x * expected[:, None] - drift)
    mean = (at.s1 * at.hazard[:, None] - at.d1 * correction[:, None]) / plan.deaths[:, None]
    residual[plan.died] += plan.x[plan.died] - mean[plan.at]
    return residual


def weight_slope(plan, at):
    """Return the derivative of the score by log g at each time of the line of observation."""
    return np.column_stack([_weight_slope(plan, at, x, mean)
                            for x, mean in zip(plan.x.T, mean_hazard(at).T, strict=True)])


def mean_hazard(at):
    """Return what each time's hazard loses by a unit more in the risk set, times its mean covariates."""
    _, q0, q1, _, _ = at.moments
    return at.s1 * q0[:, None] - at.d1 * q1[:, None]


def _weight_slope(plan, at, x, mean):
    """Derive -sum(x hazard - mean) over the risk sets by log g.

    A time's g multiplies those who are counted on there, and divides those who begin to be counted on there.
    """
    tail, line = plan.tail, plan.observation
    mine, ends, size = (at.relative * plan.weight)[tail.row], line.last[tail.row] - 1, len(line.level)
    counted = tail.running(mine * x[tail.row]) * at.hazard - tail.running(mine) * mean
    begun = mine * (x[tail.row] * tail.cumulated(at.hazard) - tail.cumulated(mean))
    return total(ends, begun, size) - total(line.track, counted.ravel(), size)
