"""What each row adds to a mean of predicted curves: by coefficients, hazards, and who is averaged over."""

from dataclasses import dataclass

import numpy as np

from evalkit.estimators._counting import total, units_of
from evalkit.estimators.cox.partial import score_residuals

# Numbers of the table (grid of times) x (persons) at once: they fit the cache.
TABLE = 100_000


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Average:
    """Estimates, shape (n_functionals,), and the influence of each unit, shape (n_units, n_functionals)."""

    estimate: np.ndarray
    influence: np.ndarray


class Influences:
    """A fitted model as what averages of its predictions need: hazards at mean covariates and derivatives.

    ``rows`` are the rows whose covariates are averaged over.
    """

    def __init__(self, at_risk, fitted, rows):
        plan, at = fitted.plan, fitted.at
        q0, q1 = at.moments[1:3]
        shift = np.exp(-at.shift[plan.block_of_time])
        self.plan, self.rows = plan, rows
        self.beta = fitted.result.model["estimates"] * fitted.scale
        self.mean, self.scale = fitted.result.model["means"], fitted.scale
        self.hazard, self.square, self.tied = at.hazard * shift, q0 * shift**2, q1 * shift**2
        self.drift = (at.s1 * q0[:, None] - at.d1 * q1[:, None]) * shift[:, None]
        self.relative = at.relative * np.exp(at.shift[plan.block])
        # The change of the estimates by one unit of each row's weight.
        self.of_beta = np.linalg.solve(at.information, score_residuals(plan, at).T).T
        self.units = units = units_of(at_risk)
        self.in_design, self.in_average = ((units.code[some], units.weight[some])
                                           for some in (plan.row, rows))
        self.weight = at_risk.row_weights[rows]

    def per_unit(self, of_row, of_rows_averaged):
        """Add up within units what rows of the design, and rows averaged over, change by unit of weight."""
        parts = zip((self.in_design, self.in_average), (of_row, of_rows_averaged), strict=True)
        return sum(total(code, weight * value, len(self.units.copies)) for (code, weight), value in parts)


class Population:
    """Persons averaged over, with covariates ``x`` and strata: those with equal predictions are a cell."""

    def __init__(self, influences, x, strata):
        z = (x - influences.mean) / influences.scale
        eta = z @ influences.beta
        order = np.lexsort((eta, strata))
        new = np.append(True, (np.diff(eta[order]) != 0) | (np.diff(strata[order]) != 0))
        self.cell = np.empty(len(order), dtype=np.int64)
        self.cell[order] = np.cumsum(new) - 1
        self.relative, self.stratum = np.exp(eta[order][new]), strata[order][new]
        self.strata = np.unique(strata)
        weights = influences.weight / influences.weight.sum()
        self.share = total(self.cell, weights, len(self.relative))
        self.z = np.column_stack([total(self.cell, weights * column, len(self.relative)) for column in z.T])

    def parts(self, n_times):
        """Yield each stratum's code and slices of its cells that fit in memory."""
        size = max(TABLE // max(n_times, 1), 1)
        for code in self.strata:
            start, stop = np.searchsorted(self.stratum, [code, code + 1])
            yield code, [slice(k, min(k + size, stop)) for k in range(start, stop, size)]


def averages(influences, population, grid, weights):
    """Average predicted survival over persons and sum it over a grid of times, with influences.

    Parameters
    ----------
    grid : ndarray, weeks
        Sorted.
    weights : ndarray, shape (n_functionals, len(grid))

    Returns
    -------
    Average
    """
    curve, own = np.zeros(len(grid)), np.empty((len(weights), len(population.relative)))
    by_beta = np.zeros((len(weights), len(influences.beta)))
    by_hazard = np.zeros((len(influences.plan.time), len(weights)))
    for code, slices in population.parts(len(grid)):
        events = slice(*np.searchsorted(influences.plan.stratum, [code, code + 1]))
        until = np.searchsorted(influences.plan.time[events], grid, side="right")
        hazard, drift = (np.concatenate([np.zeros_like(value[:1]), np.cumsum(value[events], axis=0)])[until]
                         for value in (influences.hazard, influences.drift))
        level, slope, turn = _predicted(population, slices, hazard, weights, own)
        curve += level
        by_beta += weights @ (slope[:, None] * drift - hazard[:, None] * turn)
        # A hazard counts in the curve from its own time on.
        later = np.cumsum((weights * slope)[:, ::-1], axis=1)[:, ::-1]
        later = np.hstack([later, np.zeros((len(weights), 1))])
        by_hazard[events] = -later[:, np.searchsorted(grid, influences.plan.time[events])].T
    estimate = weights @ curve
    averaged = (own - estimate[:, None]) / influences.weight.sum()
    influence = np.empty((len(influences.units.copies), len(weights)))
    for k in range(len(weights)):
        of_row = influences.of_beta @ by_beta[k] + _of_hazards(influences, by_hazard[:, k])
        influence[:, k] = influences.per_unit(of_row, averaged[k][population.cell])
    return Average(estimate=estimate, influence=influence)


def _predicted(population, slices, hazard, weights, own):
    """Average the curves of one stratum's cells; return level and derivatives, and fill in each cell's."""
    level, slope = np.zeros((2, len(hazard)))
    turn = np.zeros((len(hazard), population.z.shape[1]))
    for part in slices:
        relative = population.relative[part]
        survival = np.exp(-hazard[:, None] * relative)
        own[:, part] = weights @ survival
        level += survival @ population.share[part]
        slope += survival @ (population.share[part] * relative)
        turn += survival @ (population.z[part] * relative[:, None])
    return level, slope, turn


def _of_hazards(influences, effect):
    """Return what one unit of each row's weight changes through the hazards, the coefficients fixed."""
    plan, n_times = influences.plan, len(effect)
    passed = np.append(0.0, np.cumsum(effect * influences.square))
    at_end = np.concatenate([-passed[1:], effect * influences.tied - passed[1:]])
    own = np.concatenate([np.zeros(n_times), effect * influences.hazard / plan.deaths])
    cells = plan.cells
    change = influences.relative * cells.rows(at_end[cells.end] + passed[cells.first])
    return change + cells.rows(own[cells.end])
