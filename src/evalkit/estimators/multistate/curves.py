"""The share in each state at every week at which anybody moves, with errors and counts."""

from dataclasses import dataclass

import numpy as np

from evalkit.estimators._counting import positions, row_counts, running, total
from evalkit.estimators._units import units_of
from evalkit.estimators.multistate.chain import functionals, state_gaps
from evalkit.estimators.multistate.occupation_covariance import covariances


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ShareCurves:
    """Shares and their errors at time zero and each time, (n_times + 1, M).

    ``present`` counts rows in each state at time zero, then just before each time, ``arrived`` (n_times, M)
    the arrivals; ``gaps`` are the weeks in which a state is not observed.
    """

    times: np.ndarray
    share: np.ndarray
    error: np.ndarray
    present: np.ndarray
    arrived: np.ndarray
    gaps: tuple


def share_curves(chain):
    """Estimate the shares of one stratum at every time of a movement and at the end of follow-up."""
    units, found = units_of(chain.rows), functionals(chain, np.empty(0), np.empty(0))
    times = np.union1d(chain.times, chain.rows.exit.max())
    square = covariances(chain, found, units.code, units.weight, units.copies)
    at = np.searchsorted(chain.times, np.append(0.0, times), side="right")
    error = np.sqrt(np.maximum(np.diagonal(square, axis1=1, axis2=2), 0))
    present, arrived = _counts(chain, times)
    return ShareCurves(times=times, share=found.after[at, 0], error=error[at], present=present,
                       arrived=arrived, gaps=state_gaps(chain, found, 0.0, times[-1]))


def _counts(chain, times):
    rows, number, size = chain.rows, row_counts(chain.rows), len(chain.states)
    first, last = (positions(times, moment) for moment in (rows.entry, rows.exit))
    start = total(chain.state, number * (rows.entry == 0), size)
    present = [running(first, last, number * (chain.state == k), len(times)) for k in range(size)]
    moved = np.flatnonzero(chain.target != chain.state)
    arrived = total((last[moved] - 1) * size + chain.target[moved], number[moved], len(times) * size)
    return np.vstack([start, np.column_stack(present)]), arrived.reshape(len(times), size)
