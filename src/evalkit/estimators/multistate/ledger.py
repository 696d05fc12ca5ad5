"""Influence of independent units, summed from few cells.

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
class Ledger:
    """Which cells each unit passes through, with signs and weights; ``moves`` are the cells of movements."""

    passed: object
    moves: np.ndarray

    @property
    def n_units(self):
        """Number of units, with or without rows in this chain."""
        return self.passed.shape[0]

    def sums(self, chain, found):
        """Return the influence of every unit, shape (n_units, H * Q)."""
        return self.passed @ _table(chain, found, self.moves)

    def blocks(self, chain, found):
        """Yield the units of each block as a slice, and their influence."""
        table = _table(chain, found, self.moves)
        for start in range(0, self.n_units, BLOCK):
            part = slice(start, start + BLOCK)
            yield part, self.passed[part] @ table

    def covariance(self, chain, found, copies):
        """Return the products of the units' influence, each as often as it has copies."""
        return sum((part * copies[units][:, None]).T @ part for units, part in self.blocks(chain, found))


def ledger_of(chain, code, weight, n_units):
    """Enter the rows of a chain under their units.

    Parameters
    ----------
    chain : Chain
    code : ndarray of int, shape (n_rows,)
        The unit of each row, from 0.
    weight : ndarray of float, shape (n_rows,)
    n_units : int
    """
    from scipy.sparse import csr_matrix
    moves, number = _moves(chain)
    columns, data = _entries(chain, weight, number, len(moves))
    if not (code[1:] >= code[:-1]).all():
        order = np.argsort(code, kind="stable")
        code, columns, data = code[order], columns[order], data[order]
    passes = data != 0
    edges = np.append(0, np.cumsum(np.bincount(code, weights=passes.sum(axis=1), minlength=n_units)))
    shape = (n_units, (len(chain.times) + 2) * len(chain.states) + len(moves))
    return Ledger(passed=csr_matrix((data[passes], columns[passes], edges.astype(np.int64)), shape=shape),
                  moves=moves)


def _entries(chain, weight, number, n_moves):
    """Return the four cells of each row and their signs: time it enters, leaves, its movement, the start."""
    size = len(chain.states)
    n_cells = (len(chain.times) + 1) * size
    start = np.where(chain.rows.entry == 0, weight, 0.0)
    mass = chain.rows.row_weights[chain.rows.entry == 0].sum()
    columns = np.column_stack([chain.first * size + chain.state, chain.last * size + chain.state,
                               n_cells + np.maximum(number, 0), n_cells + n_moves + chain.state])
    is_seen = chain.last > chain.first
    data = np.column_stack([-weight * is_seen, weight * is_seen, weight * (number >= 0),
                            start * divide(1.0, mass)])
    return columns.astype(np.int32), data


def local_units(units, position):
    """Return which units have rows at some positions, and the unit of each of these rows among them."""
    if len(position) == len(units.code):
        return np.arange(len(units.copies)), units.code
    return np.unique(units.code[position], return_inverse=True)


def _moves(chain):
    """Return the cells (time, from, to) of the movements that occur, and the number of each row's, or -1."""
    size = len(chain.states)
    moved = np.flatnonzero(chain.target != chain.state)
    cell = ((chain.last[moved] - 1) * size + chain.state[moved]) * size + chain.target[moved]
    occurs = np.zeros(len(chain.times) * size * size, dtype=bool)
    occurs[cell] = True
    number = np.full(chain.rows.n_rows, -1)
    number[moved] = (np.cumsum(occurs) - 1)[cell]
    return np.flatnonzero(occurs), number


def _table(chain, found, moves):
    """Return what times in states, movements and states at the start add, shape (n_cells, H * Q)."""
    value, size = found.value, len(chain.states)
    share = divide(found.after[:-1], chain.at_risk[:, None, :])
    stayed = value[1:] - chain.step @ value[1:]
    drift = np.zeros((len(value), size, share.shape[1], value.shape[2]))
    np.cumsum(share.transpose(0, 2, 1)[:, :, :, None] * stayed[:, :, None, :], axis=0, out=drift[1:])
    time, state, target = np.unravel_index(moves, (len(chain.times), size, size))
    gain = share[time, :, state][:, :, None] * (value[time + 1, target] - value[time + 1, state])[:, None, :]
    width = share.shape[1] * value.shape[2]
    begin = value[0] - found.estimate if found.is_start_drawn else np.zeros((size, width))
    return np.vstack([drift.reshape(-1, width), gain.reshape(-1, width), begin])
