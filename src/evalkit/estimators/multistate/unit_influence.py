"""Influence of independent units (clusters, persons or rows), summed from few cells.

What a row adds to a functional is a curve at the time it leaves, less the curve at the time it enters, plus
what its movement gains. These are tables over (time, state) and over movements; which entries a unit passes
through is one sparse matrix, made once. A block of units then costs one sparse product, whatever is asked.
"""

from dataclasses import dataclass

import numpy as np

from evalkit.estimators._counting import divide

# Units whose influence is held in memory at once.
BLOCK = 1 << 14


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class UnitInfluence:
    """Which cells each unit passes through, with signs and weights, as the arrays of a sparse matrix.

    ``moves`` are the cells of movements, ``n_cells`` those of all.
    """

    value: np.ndarray
    cell: np.ndarray
    edges: np.ndarray
    moves: np.ndarray
    n_cells: int

    def sums(self, chain, found):
        """Return the influence of every unit, shape (n_units, H * Q)."""
        return self._passed(0, len(self.edges) - 1) @ _table(chain, found, self.moves)

    def blocks(self, chain, found):
        """Yield the units of each block as a slice, and their influence."""
        table, n_units = _table(chain, found, self.moves), len(self.edges) - 1
        for start in range(0, n_units, BLOCK):
            stop = min(start + BLOCK, n_units)
            yield slice(start, stop), self._passed(start, stop) @ table

    def covariance(self, chain, found, copies):
        """Return the products of the units' influence, each as often as it has copies."""
        return sum((part * copies[units][:, None]).T @ part for units, part in self.blocks(chain, found))

    def _passed(self, start, stop):
        from scipy.sparse import csr_matrix
        edges = self.edges[start:stop + 1]
        inside = slice(edges[0], edges[-1])
        return csr_matrix((self.value[inside], self.cell[inside], edges - edges[0]),
                          shape=(stop - start, self.n_cells))


def unit_influence_of(chain, code, weight, n_units, *, is_start_drawn=False):
    """Return which cells the rows of each unit pass through.

    Parameters
    ----------
    chain : Chain
    code : ndarray of int, shape (n_rows,)
        The unit of each row, from 0.
    weight : ndarray of float, shape (n_rows,)
    n_units : int
    is_start_drawn : bool
        Add the state at time zero of the rows that begin there, whose shares are estimated too.
    """
    moves, number = _moves(chain)
    size, width = len(chain.states), 4 if is_start_drawn else 3
    n_times = (len(chain.times) + 1) * size
    cell, value = np.empty((len(code), width), dtype=np.int32), np.empty((len(code), width))
    for column, (where, share) in enumerate(((chain.first * size + chain.state, -weight),
                                             (chain.last * size + chain.state, weight),
                                             (n_times + number, weight))):
        cell[:, column], value[:, column] = where, share
    if is_start_drawn:
        start = chain.rows.entry == 0
        cell[:, 3] = n_times + len(moves) + chain.state
        value[:, 3] = weight * start / chain.rows.row_weights[start].sum()
    if not (code[1:] >= code[:-1]).all():
        order = np.argsort(code, kind="stable")
        cell, value = cell[order], value[order]
    edges = width * np.append(0, np.cumsum(np.bincount(code, minlength=n_units)))
    return UnitInfluence(value=value.ravel(), cell=cell.ravel(), edges=edges, moves=moves,
                         n_cells=n_times + len(moves) + size * is_start_drawn)


def local_units(units, position):
    """Return which units have rows at some positions, and the unit of each of these rows among them."""
    if len(position) == len(units.code):
        return np.arange(len(units.copies)), units.code
    return np.unique(units.code[position], return_inverse=True)


def _moves(chain):
    """Return the cells (time, from, to) that occur, and the number of each row's among them.

    Rows that do not move have a cell on the diagonal, whose gain is nothing.
    """
    occurs = np.zeros(max(len(chain.times), 1) * len(chain.states)**2, dtype=bool)
    occurs[chain.cell] = True
    return np.flatnonzero(occurs), (np.cumsum(occurs) - 1)[chain.cell]


def _table(chain, found, moves):
    """Return what times in states, movements and states at the start add, shape (n_cells, H * Q)."""
    value, size = found.value, len(chain.states)
    width = found.after.shape[1] * value.shape[2]
    if not len(chain.times):
        parts = [np.zeros((size + len(moves), width))]
    else:
        share = divide(found.after[:-1], chain.at_risk[:, None, :])
        stayed = value[1:] - chain.step @ value[1:]
        drift = np.zeros((len(value), size, share.shape[1], value.shape[2]))
        np.cumsum(share.transpose(0, 2, 1)[:, :, :, None] * stayed[:, :, None, :], axis=0, out=drift[1:])
        time, state, target = np.unravel_index(moves, (len(chain.times), size, size))
        gain = value[time + 1, target] - value[time + 1, state]
        gain = share[time, :, state][:, :, None] * gain[:, None, :]
        parts = [drift.reshape(-1, width), gain.reshape(-1, width)]
    return np.vstack([*parts, value[0] - found.estimate] if found.is_start_drawn else parts)
