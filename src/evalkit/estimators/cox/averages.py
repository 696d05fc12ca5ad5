"""Predicted curves averaged over persons, summed over a grid of times, and what each unit changes in them.

What a row changes through the hazards is what passes from its first time to its last one, and a little more
where it has the event there: entries of a table over times. Which entries a unit passes is one sparse matrix,
whatever is asked; a block of units then costs one sparse product and one small dense one.
"""

from dataclasses import dataclass

import numpy as np

from evalkit.estimators._counting import total

# Numbers of the table (grid of times) x (persons) at once: they fit the cache, and a table so small is not
# handed back to the system each time. Numbers of the influence of units at once.
TABLE, BLOCK = 40_000, 100_000


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
    """Persons averaged over, with covariates ``x`` and strata: those with equal predictions are a cell.

    ``chosen`` (n_units, n_cells) holds the share that the rows of each unit have in each cell.
    """

    def __init__(self, influences, x, strata):
        from scipy.sparse import csr_matrix
        z = np.asfortranarray(x - influences.mean)
        z /= influences.scale
        eta = z @ influences.beta
        self.strata = np.unique(strata)
        order = np.argsort(eta) if len(self.strata) == 1 else np.lexsort((eta, strata))
        new = np.append(True, (np.diff(eta[order]) != 0) | (np.diff(strata[order]) != 0))
        cell = np.empty(len(order), dtype=np.int64)
        cell[order] = np.cumsum(new) - 1
        self.relative, self.stratum = np.exp(eta[order][new]), strata[order][new]
        weights = influences.weight / influences.weight.sum()
        self.share = total(cell, weights, len(self.relative))
        self.z = np.array([total(cell, weights * column, len(self.relative)) for column in z.T]).T
        unit, share = influences.in_average
        self.chosen = csr_matrix((share, (unit, cell)), shape=(len(influences.units.copies), len(self.share)))

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
    passing, of_beta = influences.passing, influences.of_beta
    hazards = _through_hazards(influences, np.hstack([found.by_hazard for found in averages]))
    by_beta = np.vstack([found.by_beta for found in averages]).T
    estimates = np.concatenate([found.estimate for found in averages])
    size = max(BLOCK // len(estimates), 1)
    for start in range(0, len(of_beta), size):
        units = slice(start, start + size)
        change = passing[units] @ hazards
        change += of_beta[units] @ by_beta
        change += np.hstack([found.population.chosen[units] @ found.own for found in averages])
        change -= influences.averaged[units, None] * estimates
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


def _through_hazards(influences, effect):
    """Return the table over times: at the end of a row (with the event or not), before it, at its event."""
    passed = np.vstack([np.zeros_like(effect[:1]),
                        np.cumsum(effect * influences.square[:, None], axis=0)])
    own = effect * (influences.hazard / influences.plan.deaths)[:, None]
    return np.vstack([-passed[1:], effect * influences.tied[:, None] - passed[1:], passed, own])
