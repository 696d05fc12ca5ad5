"""Predicted curves averaged over persons, summed over a grid of times, and what each unit changes in them.

What a row changes through the hazards is what passes from its first time to its last one, and a little more
where it has the event there: entries of a table over times. Which entries a unit passes is one sparse matrix,
whatever is asked; a block of units then costs one sparse product and one small dense one.
"""

from dataclasses import dataclass

import numpy as np

from evalkit.estimators._counting import total

# Numbers of the table (grid of times) x (persons) at once, and units at once: they fit the cache.
TABLE, BLOCK = 100_000, 1 << 13


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Average:
    """Estimates of functionals, shape (n_functionals,), and what they rest on.

    ``by_beta`` (n_functionals, n_terms) and ``by_hazard`` (n_times, n_functionals) are derivatives, ``own``
    (n_cells, n_functionals) the values of the cells of the ``population``.
    """

    population: object
    estimate: np.ndarray
    by_beta: np.ndarray
    by_hazard: np.ndarray
    own: np.ndarray


class Population:
    """Persons averaged over, with covariates ``x`` and strata: those with equal predictions are a cell."""

    def __init__(self, influences, x, strata):
        z = (x - influences.mean) / influences.scale
        eta = z @ influences.beta
        self.strata = np.unique(strata)
        order = np.argsort(eta) if len(self.strata) == 1 else np.lexsort((eta, strata))
        new = np.append(True, (np.diff(eta[order]) != 0) | (np.diff(strata[order]) != 0))
        self.cell = np.empty(len(order), dtype=np.int64)
        self.cell[order] = np.cumsum(new) - 1
        self.relative, self.stratum = np.exp(eta[order][new]), strata[order][new]
        weights = influences.weight / influences.weight.sum()
        self.share = total(self.cell, weights, len(self.relative))
        self.z = np.column_stack([total(self.cell, weights * column, len(self.relative)) for column in z.T])

    def parts(self, n_times):
        """Yield each stratum's code and slices of its cells that fit in memory."""
        size = max(TABLE // max(n_times, 1), 1)
        for code in self.strata:
            start, stop = np.searchsorted(self.stratum, [code, code + 1])
            yield code, [slice(k, min(k + size, stop)) for k in range(start, stop, size)]


def average(influences, population, grid, weights):
    """Average predicted survival over persons and sum it over a grid of times.

    Parameters
    ----------
    grid : ndarray, weeks
        Sorted.
    weights : ndarray, shape (n_functionals, len(grid))

    Returns
    -------
    Average
    """
    curve, own = np.zeros(len(grid)), np.empty((len(population.relative), len(weights)))
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
    return Average(population=population, estimate=weights @ curve, by_beta=by_beta, by_hazard=by_hazard,
                   own=own)


def influence_blocks(influences, averages):
    """Yield the copies of a block of units and their influence on all averages, (n_units, n_functionals)."""
    passing, of_beta = _passing(influences), influences.by_unit()
    hazards = _through_hazards(influences, np.hstack([found.by_hazard for found in averages]))
    by_beta = np.vstack([found.by_beta for found in averages]).T
    chosen = [_chosen(influences, found) for found in averages]
    for start in range(0, len(of_beta), BLOCK):
        units = slice(start, start + BLOCK)
        change = passing[units] @ hazards
        change += of_beta[units] @ by_beta
        change += np.hstack([rows[units] @ value for rows, value in chosen])
        yield influences.units.copies[units], change


def _predicted(population, slices, hazard, weights, own):
    """Average the curves of one stratum's cells; return level and derivatives, and fill in each cell's."""
    level, slope = np.zeros((2, len(hazard)))
    turn = np.zeros((len(hazard), population.z.shape[1]))
    for part in slices:
        relative = population.relative[part]
        survival = np.exp(-hazard[:, None] * relative)
        own[part] = survival.T @ weights.T
        level += survival @ population.share[part]
        slope += survival @ (population.share[part] * relative)
        turn += survival @ (population.z[part] * relative[:, None])
    return level, slope, turn


def _passing(influences):
    """Return which entries of the table over times each unit passes, with weights, as a sparse matrix."""
    from scipy.sparse import csr_matrix
    plan, n_times, (code, weight) = influences.plan, len(influences.plan.time), influences.in_design
    relative, end = weight * influences.relative, plan.last - 1
    end[plan.died] += n_times
    value = np.concatenate([relative, relative, weight[plan.died]])
    entry = np.concatenate([end, 2 * n_times + plan.first, 3 * n_times + 1 + plan.at])
    unit = np.concatenate([code, code, code[plan.died]])
    return csr_matrix((value, (unit, entry)), shape=(len(influences.units.copies), 4 * n_times + 1))


def _through_hazards(influences, effect):
    """Return the table over times: at the end of a row (with the event or not), before it, at its event."""
    passed = np.vstack([np.zeros_like(effect[:1]),
                        np.cumsum(effect * influences.square[:, None], axis=0)])
    own = effect * (influences.hazard / influences.plan.deaths)[:, None]
    return np.vstack([-passed[1:], effect * influences.tied[:, None] - passed[1:], passed, own])


def _chosen(influences, found):
    """Return which cells each unit's rows averaged over are in, with weights, and the cells' deviations."""
    from scipy.sparse import csr_matrix
    code, weight = influences.in_average
    shape = (len(influences.units.copies), len(found.own))
    rows = csr_matrix((weight / influences.weight.sum(), (code, found.population.cell)), shape=shape)
    return rows, found.own - found.estimate
