"""Royston and Parmar's model: the logarithm of the cumulative hazard is a natural spline of log time."""

from dataclasses import replace

import numpy as np

from evalkit.errors import EstimationError
from evalkit.estimators._counting import row_counts
from evalkit.estimators._limits import quantile, require_one_of
from evalkit.estimators.parametric.checks import events_of, require_fixed_covariates, require_spread
from evalkit.estimators.parametric.families import Transformation, spline_columns
from evalkit.estimators.parametric.fit import Model, maximum, result_of
from evalkit.estimators.parametric.regression import model_of, starting
from evalkit.estimators.parametric.start import STARTS

# The scale's error distribution, and the distribution it is with no inner knot.
SCALES = {"hazard": ("extreme_value", "weibull"), "odds": ("logistic", "loglogistic"),
          "normal": ("normal", "lognormal")}


def royston_parmar(at_risk, *, df=3, knots_weeks=None, scale="hazard", cause=None, conf_level=0.95,
                   robust=None, start="lifelines"):
    """Fit a flexible parametric survival model: a baseline of any smooth form, with proportional hazards.

    log H(t | x) = gamma0 + gamma1 log t + gamma2 v1(log t) + ... + x'b: a natural cubic spline in log t.

    Parameters
    ----------
    at_risk : AtRisk
        As in :func:`parametric`; with ``scale="hazard"`` covariates may change between a person's intervals.
    df : int
        Parameters of log time: one more than the inner knots. 1 is the Weibull.
    knots_weeks : sequence of float, optional
        Inner knots. Default: at equal shares of the events.
    scale : {"hazard", "odds", "normal"}
        What is linear: log H, the log odds of an exit (exp(b) an odds ratio), or -probit S.
    cause, conf_level, robust, start
        As in :func:`parametric`.

    Returns
    -------
    Result
        Kind ``model``: ``gamma0``, the covariates, ``gamma1`` ...; ``model["knots"]`` are log weeks.

    Raises
    ------
    EstimationError
        As :func:`parametric`; knots that fall together or outside the events; a survival that rises.

    Notes
    -----
    Outer knots lie at the first and last event, inner ones at quantiles (type 7) of log weeks of events:
    ``flexsurvspline(Surv(entry, exit, event) ~ x, k = df - 1, scale = )``. A count of k is k events;
    weights place no knots. Beyond the outer knots log H is straight in log t.

    References
    ----------
    .. [1] Royston and Parmar (2002), Statistics in Medicine 21, 2175-2197.

    Examples
    --------
    With df = 1 it is the Weibull: gamma1 is the inverse of its scale.

    >>> import pandas as pd
    >>> from evalkit.atrisk import AtRisk
    >>> from evalkit.estimators import parametric
    >>> rows = pd.DataFrame({"weeks": [2.0, 3.0, 5.0, 8.0], "left": 1})
    >>> at_risk = AtRisk.from_frame(rows, exit="weeks", event="left")
    >>> spline, weibull = royston_parmar(at_risk, df=1), parametric(at_risk)
    >>> bool(abs(np.log(spline.row("gamma1").estimate) + weibull.row("log(scale)").estimate) < 1e-8)
    True
    """
    died = _events(at_risk, cause, scale, start, conf_level)
    knots = place_knots(at_risk, died, df, knots_weeks)
    fit, model, started = _fit(at_risk, died, scale, knots, start)
    # Knots that are placed by the data are weeks of single persons: they stay in the model.
    options = {"df": len(knots) - 1, "scale": scale, "cause": cause,
               "knots_weeks": None if knots_weeks is None else np.asarray(knots_weeks, dtype=float).tolist()}
    answer = result_of(at_risk, died, model, fit, conf_level=conf_level, robust=robust, start=started,
                       options=options)
    _require_falling(answer, at_risk)
    return answer


def place_knots(at_risk, died, df, knots_weeks):
    """Return all knots in log weeks: outer ones at the first and last event, inner ones as asked."""
    log_weeks = np.log(at_risk.exit[died])
    if knots_weeks is not None:
        inner = np.log(np.sort(np.asarray(knots_weeks, dtype=float)))
    elif df == int(df) and df >= 1:
        every = np.repeat(log_weeks, row_counts(at_risk)[died].astype(np.int64))
        inner = np.quantile(every, np.arange(1, int(df)) / df)
    else:
        raise ValueError(f"df == {df!r}, must be a whole number above 0")
    knots = np.array([log_weeks.min(), *inner, log_weeks.max()])
    if len(inner) and len(np.unique(log_weeks)) < len(knots) or not (np.diff(knots) > 1e-9).all():
        raise EstimationError(f"royston_parmar: {len(inner)} inner knots need to lie between the first and "
                              f"last event and apart, and as many weeks with events as knots in all (found "
                              f"{len(np.unique(log_weeks))}); use a smaller df, or knots_weeks")
    return tuple(knots)


def spline_model(scale, knots, columns, log_unit=0.0):
    """Describe the model; the family lives in time units of ``exp(log_unit)`` weeks."""
    family = Transformation(error=SCALES[scale][0], knots=tuple(knot - log_unit for knot in knots),
                            n_shapes=len(knots) - 1)
    return Model(method=f"royston_parmar ({scale})", name=scale, family=family, form="hazard",
                 columns=(columns,), intercept="gamma0", knots=knots,
                 shapes=tuple(f"gamma{k}" for k in range(1, len(knots))))


def _events(at_risk, cause, scale, start, conf_level):
    require_one_of("scale", scale, tuple(SCALES))
    require_one_of("start", start, STARTS)
    quantile(conf_level)
    method = f"royston_parmar ({scale})"
    died = events_of(at_risk, cause, method)
    require_spread(at_risk, died, method)
    if scale != "hazard":
        require_fixed_covariates(at_risk, method)
    return died


def _fit(at_risk, died, scale, knots, start):
    """Fit without inner knots first; the spline begins there, straight in log time."""
    columns, straight = tuple(range(len(at_risk.terms))), SCALES[scale][1]
    theta, started = starting(straight, at_risk, died, start)
    method = f"royston_parmar ({scale})"
    first = maximum(at_risk, died, replace(model_of(straight, columns), method=method), theta)
    model = spline_model(scale, knots, columns, first.scaling.log_unit)
    theta = np.append(first.theta, np.zeros(len(knots) - 2))
    return maximum(at_risk, died, model, theta), model, started


def _require_falling(answer, at_risk):
    """Refuse a spline by which survival rises between weeks of events, where the likelihood cannot see it."""
    knots = answer.model["knots"]
    gamma = answer.model["estimates"][-(len(knots) - 1):]
    observed = np.log([at_risk.exit.min(), at_risk.exit.max()])
    grid = np.linspace(*observed, 400)
    slope = spline_columns(grid, knots)[1] @ gamma
    if (slope < 0).any():
        weeks = np.exp(grid[slope < 0])
        raise EstimationError(f"royston_parmar: the fitted survival rises between weeks {weeks[0]:.3g} and "
                              f"{weeks[-1]:.3g}, where there are no events to hold it; use a smaller df")
