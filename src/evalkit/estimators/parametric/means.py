"""Means of a parametric model, restricted or to the end, and how much of each lies beyond the data."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from evalkit.errors import EstimationError
from evalkit.estimators._functionals import p_value
from evalkit.estimators._limits import amount_limits, quantile, read_weeks, share_limits
from evalkit.estimators.parametric.curves import profiles_of
from evalkit.estimators.parametric.families import spline_columns
from evalkit.result import Estimand, Provenance, Result, tidy

# Below exp(-37) of a horizon survival is 1 to the last digit; beyond exp(600) no mean is of use.
FLOOR, CEILING = 37.0, 600.0
NODES = 16
# Narrowest panel, in log weeks: a curve that falls within it is as good as a step.
NARROW = 1e-3


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Mean:
    """One profile's mean up to a horizon (infinite: to the end), the share beyond the data; derivatives."""

    profile: int
    horizon: float
    weeks: float
    gradient: np.ndarray
    share: float
    share_gradient: np.ndarray


def parametric_mean(result, profiles=None, *, horizon_weeks=None, conf_level=0.95):
    """Predict the mean weeks until leaving, and say which share of them lies beyond the last observed week.

    Parameters
    ----------
    result, profiles, conf_level
        As in :func:`predict_parametric`.
    horizon_weeks : float or sequence of float, optional
        Restrict the mean to weeks before this one. Default: to the end, extrapolated.

    Returns
    -------
    Result
        Kind ``model``. For each profile (group) and horizon: ``mean`` or ``restricted_mean`` (``time_weeks``
        the horizon), and ``share_beyond``, the share of those weeks that lies beyond the last observed week
        (``diagnostics``). With several profiles ``mean_difference`` or ``restricted_mean_difference``: each
        later one less the first. ``diagnostics``: the largest share_beyond, last_observed_weeks.

    Raises
    ------
    EstimationError
        A mean that does not exist: some are cured; a Gompertz shape below 0; a log-logistic scale of 1 or
        more (shape at most 1) and other tails as heavy. The way out is ``horizon_weeks``.

    Notes
    -----
    The integral of S by Gauss-Legendre quadrature in log weeks, to about 1e-12; errors by the delta method;
    limits on the logarithm: ``rmst_*`` and ``mean_*`` of flexsurv. A mean that takes more than exp(600) weeks
    to settle (log-logistic scale above 0.95) is refused with those that do not exist.

    Examples
    --------
    The exponential with mean 5: exp(-10 / 5) of it lies beyond week 10.

    >>> from evalkit.atrisk import AtRisk
    >>> from evalkit.estimators import parametric
    >>> rows = pd.DataFrame({"weeks": [2.0, 3.0, 5.0, 10.0], "left": 1})
    >>> fit = parametric(AtRisk.from_frame(rows, exit="weeks", event="left"), distribution="exponential")
    >>> parametric_mean(fit).table["estimate"].round(4).tolist()
    [5.0, 0.1353]
    """
    quantile(conf_level)
    read = profiles_of(result, profiles, "parametric_mean")
    horizons = np.array([np.inf])
    if horizon_weeks is not None:
        horizons = read_weeks("horizon_weeks", horizon_weeks, above=True)
    if horizon_weeks is None:
        _require_mean(read)
    means = [_mean(read, k, horizon) for k in range(len(read.names)) for horizon in horizons]
    tables = [_rows(read, mean, conf_level) for mean in means]
    tables += [_difference(read, mean, means[j % len(horizons)], conf_level)
               for j, mean in enumerate(means) if mean.profile > 0]
    units = {"share_beyond": "share", **{f"{prefix}mean{suffix}": "weeks" for prefix in ("", "restricted_")
                                         for suffix in ("", "_difference")}}
    table = pd.concat(tables, ignore_index=True)
    return Result(
        kind="model", table=table, model=read.told(table),
        estimand=Estimand(name="mean_weeks", summary="mean_weeks", unit=units),
        provenance=Provenance(method="parametric_mean",
                              options={"horizon_weeks": None if horizon_weeks is None else horizons.tolist(),
                                       "conf_level": conf_level, "model": dict(result.provenance.options)}),
        diagnostics={"share_beyond": max(mean.share for mean in means),
                     "last_observed_weeks": read.last_weeks})


def _require_mean(read):
    """Refuse the mean of a curve that does not fall to 0, or falls too slowly."""
    name, n_shapes = read.model.name, len(read.model.shapes)
    value = dict(zip(read.model.shapes, read.estimates[len(read.estimates) - n_shapes:], strict=True))
    scale = np.exp(value.get("log(scale)", 0.0))
    if len(read.model.columns) > 1:
        _refuse("some persons are cured and never leave")
    if name == "gompertz" and value["shape"] <= 0:
        _refuse(f"the Gompertz shape is {value['shape']:.3g}: the hazard falls so fast that some never leave")
    if name == "loglogistic" and scale >= 1:
        _refuse(f"the log-logistic shape is {1 / scale:.3g}, at most 1: the tail is too heavy")
    if name == "generalised_gamma" and value["Q"] < 0 and scale >= -1 / value["Q"]:
        _refuse(f"Q is {value['Q']:.3g} and the scale {scale:.3g}: the tail is too heavy")
    if name in ("hazard", "odds", "normal"):
        knots = read.model.knots
        slope = float((spline_columns(np.array([knots[-1]]), knots)[1] @ read.estimates[1 - len(knots):])[0])
        if slope <= (1 if name == "odds" else 0):
            _refuse(f"beyond the last knot the spline's slope is {slope:.3g}: the tail is too heavy")


def _refuse(why):
    raise EstimationError(f"parametric_mean: the mean does not exist: {why}. Ask for a restricted mean: "
                          "horizon_weeks=, at most the last observed week if nothing is to be extrapolated")


def _mean(read, k, horizon):
    within = _area(read, k, -np.inf, min(horizon, read.last_weeks))
    beyond = _area(read, k, read.last_weeks, horizon) if horizon > read.last_weeks else 0 * within
    whole = within + beyond
    share = beyond[0] / whole[0]
    return Mean(profile=k, horizon=horizon, weeks=whole[0], gradient=whole[1:], share=share,
                share_gradient=(beyond[1:] - share * whole[1:]) / whole[0])


def _area(read, k, start, end):
    """Return the area under S between two weeks, then its derivatives: shape (1 + n_parameters,)."""
    last = np.log(end) if np.isfinite(end) else CEILING
    first = last - FLOOR if start == -np.inf else np.log(start)
    width = _width(read, k, first, min(last, np.log(read.last_weeks) + 8))
    edges = np.unique(np.append(np.arange(first, last, width), last))
    if len(read.model.knots) and first < read.model.knots[-1]:
        edges = np.union1d(edges, [knot for knot in read.model.knots if first < knot < last])
    area = np.exp(first) * np.append(1.0, np.zeros(len(read.estimates))) if start == -np.inf else 0.0
    for block in range(0, len(edges) - 1, 64):
        parts = _panels(read, k, edges[block:block + 65])
        area = area + parts.sum(axis=0)
        if np.isinf(end) and np.abs(parts[-1]).max() <= 1e-14 * np.abs(area[0]):
            return area
    if np.isinf(end):
        _refuse("its tail takes too long to settle")
    return area


def _panels(read, k, edges):
    node, weight = np.polynomial.legendre.leggauss(NODES)
    half = np.diff(edges) / 2
    log_weeks = (edges[:-1] + half)[:, None] + half[:, None] * node
    value, gradient = read.log_survival(k, np.exp(log_weeks).ravel())
    mass = np.exp(value + log_weeks.ravel())
    each = np.column_stack([mass, mass[:, None] * np.where(mass[:, None] > 0, gradient, 0.0)])
    return np.einsum("pnj,n,p->pj", each.reshape(len(half), NODES, -1), weight, half)


def _width(read, k, first, last):
    """Return panels narrow enough for the steepest part of the curve."""
    log_weeks = np.linspace(first, last, 200)
    value = read.log_survival(k, np.exp(log_weeks))[0]
    inside = (value < -1e-8) & (value > -50)
    if not inside.any():
        return 0.5
    steep = np.exp(read.log_hazard(k, np.exp(log_weeks[inside]))[0] + log_weeks[inside]) / -value[inside]
    return np.clip(1 / max(steep.max(), 1.0), NARROW, 0.5)


def _rows(read, mean, conf_level):
    error, share_error = read.error(np.array([mean.gradient, mean.share_gradient]))
    low, high = amount_limits(np.array([mean.weeks]), np.array([error]), conf_level, "log")
    share_low, share_high = share_limits(np.array([mean.share]), share_error, conf_level, "plain")
    return tidy(term=[_term(mean), "share_beyond"], group=read.names[mean.profile],
                time_weeks=_time(mean), estimate=[mean.weeks, mean.share],
                std_error=[error, share_error], conf_low=[low[0], share_low[0]],
                conf_high=[high[0], share_high[0]], **read.counts)


def _difference(read, mean, first, conf_level):
    difference = mean.weeks - first.weeks
    error = read.error((mean.gradient - first.gradient)[None])[0]
    margin = quantile(conf_level) * error
    return tidy(term=f"{_term(mean)}_difference", group=read.names[mean.profile], time_weeks=_time(mean),
                estimate=difference, std_error=error, conf_low=difference - margin,
                conf_high=difference + margin,
                p_value=p_value(difference, error), **read.counts)


def _term(mean):
    return "mean" if np.isinf(mean.horizon) else "restricted_mean"


def _time(mean):
    return np.nan if np.isinf(mean.horizon) else mean.horizon
