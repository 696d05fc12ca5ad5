"""From hazards of all causes to incidences, with the derivatives that their errors need."""

from dataclasses import dataclass

import numpy as np

from evalkit.estimators._units import Units


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Path:
    """Survival (of cause-specific hazards) and incidences of one profile at its event times.

    Outcome o at t has by the hazard of cause c at s <= t the derivative ``own[s, o, c] - shared[t, o]``.
    ``hazard`` (reference, shape (n_times, n_causes)), ``relative`` to it, ``variance`` and ``turn`` (its
    change by coefficients) are of each cause; ``place`` says where a cause's own times are.
    """

    terms: tuple[str, ...]
    code: int
    z: np.ndarray
    times: np.ndarray
    level: np.ndarray
    own: np.ndarray
    shared: np.ndarray
    hazard: np.ndarray
    relative: np.ndarray
    variance: np.ndarray
    turn: np.ndarray
    place: tuple


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Fits:
    """Each cause's fit with its scale of covariates, and what is independent."""

    units: Units
    parts: list
    means: np.ndarray


def path_of(model, x, code):
    """Return the path of covariates ``x`` in one stratum."""
    mine = model["baseline_group"] == code
    causes, width, z = model["causes"], len(model["terms"]), x - model["means"]
    times = np.unique(model["baseline_time"][mine])
    hazard, variance = np.zeros((2, len(times), len(causes)))
    turn, relative, place = np.zeros((len(times), len(causes), width)), np.empty(len(causes)), []
    for k in range(len(causes)):
        at = mine & (model["baseline_cause"] == k)
        position = np.searchsorted(times, model["baseline_time"][at])
        relative[k] = np.exp(z @ model["estimates"][k * width:(k + 1) * width])
        hazard[position, k] = model["reference_hazard"][at]
        variance[position, k] = relative[k] ** 2 * model["reference_variance"][at]
        change = np.outer(model["reference_hazard"][at], z) - model["reference_drift"][at]
        turn[position, k] = relative[k] * change
        place.append(position)
    level, own, shared = _incidences(hazard * relative, model["has_survival"])
    terms = causes if level.shape[1] == len(causes) else ("survival", *causes)
    return Path(terms=tuple(terms), code=code, z=z, times=times, level=level, own=own, shared=shared,
                hazard=hazard, relative=relative, variance=variance, turn=turn, place=tuple(place))


def delta_variance(path, covariance):
    """Return the variance of each outcome at each time: hazards with independent events, and coefficients."""
    result = np.zeros_like(path.level)
    for k in range(path.level.shape[1]):
        own, shared = path.own[:, k], path.shared[:, k, None]
        v0, v1, v2 = (np.cumsum(own**power * path.variance, axis=0) for power in range(3))
        squares = v2 - 2 * shared * v1 + shared**2 * v0
        turned, kept = (np.cumsum(part, axis=0) for part in (own[:, :, None] * path.turn, path.turn))
        change = (turned - shared[:, :, None] * kept).reshape(len(own), len(covariance))
        result[:, k] = squares.sum(axis=1) + ((change @ covariance) * change).sum(axis=1)
    return np.maximum(result, 0)


def influence_variance(path, fits, outcome, last):
    """Return the variance of one outcome after the first ``last`` times, from the influence of each unit."""
    units = fits.units
    return np.array([units.copies @ units.sums(_influence(path, fits, outcome, n))**2 if n else 0.0
                     for n in last])


def _influence(path, fits, outcome, n_times):
    slope = (path.own[:, outcome] - path.shared[n_times - 1, outcome]) * path.relative
    slope[n_times:] = 0.0
    rows = 0.0
    for k, (fit, scale) in enumerate(fits.parts):
        step = np.zeros(len(fit.plan.time))
        mine = fit.plan.stratum == path.code
        step[mine] = slope[path.place[k], k] * np.exp(-fit.at.shift[path.code])
        rows = rows + fit.of_hazard(step, path.z / scale * (slope[:, k] @ path.hazard[:, k]))
    return rows


def _incidences(hazard, has_survival):
    """Return levels, and derivatives by the hazards, of survival (if asked for) and every incidence."""
    together = hazard.sum(axis=1)
    after = np.exp(-np.cumsum(together))
    before, stay = np.append(1.0, after)[:-1], np.exp(-together)
    share = np.divide(hazard, together[:, None], out=np.zeros_like(hazard), where=together[:, None] > 0)
    part = before * -np.expm1(-together)
    incidence = np.cumsum(part[:, None] * share, axis=0)
    # d (1 - exp(-h)) h_k / h by h_c: exp(-h) h_k / h + (1 - exp(-h)) (1[k = c] / h - h_k / h^2)
    rate = np.divide(part, together, out=before.copy(), where=together > 0)
    own = (before * stay - rate)[:, None, None] * share[:, :, None] + incidence[:, :, None]
    own = own + rate[:, None, None] * np.eye(hazard.shape[1])
    if not has_survival:
        return incidence, own, incidence
    nothing = np.zeros((len(hazard), 1, hazard.shape[1]))
    level = np.column_stack([after, incidence])
    return level, np.concatenate([nothing, own], axis=1), level
