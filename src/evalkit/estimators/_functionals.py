"""Numbers read off a product-limit curve (areas, shares) with their joint covariance.

A functional falls by ``rest(t)`` times d(-log S) at t: for the area up to a horizon ``rest`` is the area from
t on, for the share at a horizon it is that share itself. Greenwood's covariance of two functionals is the sum
of rest_i rest_j d / (n (n - d)); a row's influence is the sum over its times at risk of rest h / (n - d),
less rest / (n - d) at its event.
"""

from dataclasses import dataclass

import numpy as np

from evalkit.errors import EstimationError
from evalkit.estimators._counting import divide, total
from evalkit.estimators._limits import two_sided
from evalkit.estimators._units import units_of

# Functionals whose covariance is kept, and sums by unit that are held as a full table.
MOST, FULL = 2_000, 50_000_000


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Reading:
    """What is read off one curve: ``influence`` (rows, functionals) only where errors are robust."""

    label: str
    position: np.ndarray
    terms: tuple[str, ...]
    times: np.ndarray
    estimate: np.ndarray
    greenwood: np.ndarray
    influence: np.ndarray | None
    n_persons: np.ndarray
    n_events: np.ndarray


def read(grid, position, rest, robust, **known):
    """Return a reading with its covariance; ``rest`` has shape (n_times, n_functionals)."""
    died = grid.events[:, 0]
    left = grid.at_risk - died
    share = np.where(left > 1e-12 * grid.at_risk, divide(1.0, left), 0.0)
    greenwood = (rest * (grid.hazard * share)[:, None]).T @ rest
    influence = _influence(grid, rest * share[:, None]) if robust else None
    return Reading(label=grid.label, position=position, greenwood=greenwood, influence=influence, **known)


def _influence(grid, share):
    cumulated = np.vstack([np.zeros(share.shape[1]), np.cumsum(grid.hazard[:, None] * share, axis=0)])
    influence = cumulated[grid.last] - cumulated[grid.first]
    died = grid.cause > 0
    influence[died] -= share[grid.last[died] - 1]
    return influence


def joint_covariance(at_risk, readings, robust):
    """Return the covariance of all functionals of all curves, in the order of the readings."""
    size = sum(len(reading.estimate) for reading in readings)
    if size > MOST:
        raise EstimationError(f"{len(readings)} groups and {size} numbers, at most {MOST} with their "
                              "covariance; use fewer strata or fewer horizons")
    return _between_units(at_risk, readings, size) if robust else _blocks(readings, size)


def _blocks(readings, size):
    covariance, start = np.zeros((size, size)), 0
    for reading in readings:
        stop = start + len(reading.estimate)
        covariance[start:stop, start:stop] = reading.greenwood
        start = stop
    return covariance


def _between_units(at_risk, readings, size):
    units = units_of(at_risk)
    columns = [(units.code[reading.position], units.weight[reading.position] * column)
               for reading in readings for column in reading.influence.T]
    n_units = len(units.copies)
    if n_units * size <= FULL:
        sums = np.column_stack([total(code, value, n_units) for code, value in columns])
        return sums.T @ (sums * units.copies[:, None])
    from scipy import sparse
    parts = [sparse.csr_matrix((value, (code, np.zeros(len(code), dtype=np.int64))), shape=(n_units, 1))
             for code, value in columns]
    sums = sparse.hstack(parts, format="csr")
    return (sums.T @ sums.multiply(units.copies[:, None]).tocsr()).toarray()


def areas(times, survival, horizons, start=0.0):
    """Return the area under S from the start to each horizon, and from each time to each horizon."""
    edges = np.clip(np.append(start, times)[:, None], start, horizons)
    width = np.diff(np.vstack([edges, horizons]), axis=0)
    piece = np.append(1.0, survival)[:, None] * width
    rest = np.cumsum(piece[::-1], axis=0)[::-1]
    return rest[0], rest[1:]


def p_value(value, error):
    """Return the two-sided p-value of no difference; missing where neither differs nor errs."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return two_sided(value / error)


def require_follow_up(grid, survival, horizons, option="horizon_weeks"):
    """Refuse a horizon beyond the follow-up of a curve that has not reached 0."""
    beyond = horizons[horizons > grid.times[-1]]
    if len(beyond) and survival[-1] > 0:
        where = f"stratum {grid.label}: " if grid.label else ""
        raise EstimationError(f"{where}nobody is followed to week {beyond.min():g}, and the event is still "
                              f"to come for some. Choose an earlier {option}")
