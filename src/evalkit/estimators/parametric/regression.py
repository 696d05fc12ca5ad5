"""Parametric regression of the time to an exit: lifelines starts the fit, Newton's method finishes it."""

import numpy as np

from evalkit.estimators._limits import quantile, require_one_of
from evalkit.estimators.parametric.checks import events_of, require_fixed_covariates, require_spread
from evalkit.estimators.parametric.families import Transformation
from evalkit.estimators.parametric.fit import Model, maximum, result_of
from evalkit.estimators.parametric.gamma import GeneralisedGamma
from evalkit.estimators.parametric.gompertz import Gompertz
from evalkit.estimators.parametric.scale import log_unit
from evalkit.estimators.parametric.start import STARTS, start_of

ERRORS = {"weibull": "extreme_value", "lognormal": "normal", "loglogistic": "logistic"}
DISTRIBUTIONS = ("exponential", *ERRORS, "gompertz", "generalised_gamma")
# Their hazards stay proportional whatever happened before, so covariates may change between intervals.
PROPORTIONAL = ("exponential", "weibull", "gompertz")


def parametric(at_risk, *, distribution="weibull", cause=None, conf_level=0.95, robust=None,
               start="lifelines"):
    """Fit a parametric model of the time to an exit by maximum likelihood.

    log T = b0 + x'b + s W, so exp(b) is a ratio of times, above 1 for a longer time. W is extreme value
    (Weibull; exponential with s = 1), normal, logistic or log-gamma with shape Q. The Gompertz hazard is
    exp(b0 + x'b + shape t), so exp(b) is a hazard ratio.

    Parameters
    ----------
    at_risk : AtRisk
        Delayed entry, several intervals of a person, weights, counts and clusters; no strata.
    distribution : {"exponential", "weibull", "lognormal", "loglogistic", "gompertz", "generalised_gamma"}
    cause, conf_level
        As in :func:`kaplan_meier`: exits by another cause are censored, None counts every cause.
    robust : bool, optional
        Errors by cluster (else person) from scores, as in :func:`cox`.
    start : {"lifelines", "moments"}
        Where Newton's method begins; the answer is the same.

    Returns
    -------
    Result
        Kind ``model``: ``(Intercept)``, the covariates, ``log(scale)`` (log s) and ``Q``, or the Gompertz'
        ``shape``; read by `predict_parametric`, `parametric_quantiles`, `parametric_mean`.

    Raises
    ------
    EstimationError
        No events, or all in the last week seen; a constant, collinear or separating covariate; a covariate
        that changes within a person where time ratios forbid it; no convergence.

    Notes
    -----
    An interval contributes log f or log S at its exit less log S at its entry. Equals ``survreg``, which has
    no truncation, and ``flexsurvreg`` (``gengamma`` in Prentice's form). flexsurv reports the exponential as
    a log rate, the sign turned, and the Weibull's shape 1 / s. For the Weibull, changing covariates are
    proportional hazards with ratio exp(-b / s).

    References
    ----------
    .. [1] Kalbfleisch and Prentice (2002), Statistical Analysis of Failure Time Data, 2.2-2.3, 3.2.
    .. [2] Prentice, R. L. (1974). A log gamma model and its maximum likelihood estimation. Biometrika 61.

    Examples
    --------
    Four exits in 2 + 3 + 5 + 10 weeks: the exponential's mean is 5.

    >>> import pandas as pd
    >>> from evalkit.atrisk import AtRisk
    >>> rows = pd.DataFrame({"weeks": [2.0, 3.0, 5.0, 10.0], "left": 1})
    >>> fit = parametric(AtRisk.from_frame(rows, exit="weeks", event="left"), distribution="exponential")
    >>> round(float(np.exp(fit.row(term="(Intercept)").estimate)), 6)
    5.0
    """
    died = _events(at_risk, cause, distribution, start, conf_level)
    fit, model, started = _fit(at_risk, died, distribution, start)
    return result_of(at_risk, died, model, fit, conf_level=conf_level, robust=robust, start=started,
                     options={"distribution": distribution, "cause": cause})


def model_of(distribution, columns):
    """Describe the model of a distribution: its family, and the names of its shape parameters."""
    if distribution == "gompertz":
        family, form, shapes = Gompertz(), "hazard", ("shape",)
    elif distribution == "exponential":
        family, form, shapes = Transformation(error="extreme_value", n_shapes=0), "time", ()
    elif distribution == "generalised_gamma":
        family, form, shapes = GeneralisedGamma(), "time", ("log(scale)", "Q")
    else:
        family, form, shapes = Transformation(error=ERRORS[distribution]), "time", ("log(scale)",)
    return Model(method=f"parametric ({distribution})", name=distribution, family=family, form=form,
                 columns=(columns,), shapes=shapes)


def _events(at_risk, cause, distribution, start, conf_level):
    require_one_of("distribution", distribution, DISTRIBUTIONS)
    require_one_of("start", start, STARTS)
    quantile(conf_level)
    method = f"parametric ({distribution})"
    died = events_of(at_risk, cause, method)
    if distribution != "exponential":
        require_spread(at_risk, died, method)
    if distribution not in PROPORTIONAL:
        require_fixed_covariates(at_risk, method)
    return died


def _fit(at_risk, died, distribution, start):
    """Fit; the generalised gamma begins at the better of its members Weibull and log-normal."""
    columns = tuple(range(len(at_risk.terms)))
    if distribution != "generalised_gamma":
        model = model_of(distribution, columns)
        theta, started = starting(distribution, at_risk, died, start)
        return maximum(at_risk, died, model, theta), model, started
    members = [(*_fit(at_risk, died, member, start), q)
               for member, q in (("weibull", 1.0), ("lognormal", 0.0))]
    inner, _, started, q = max(members, key=lambda member: member[0].value)
    model = model_of(distribution, columns)
    return maximum(at_risk, died, model, np.append(inner.theta, q)), model, started


def starting(distribution, at_risk, died, start):
    """Return the family's parameters on standardised data, without effects, and who found them."""
    zeros, unit = np.zeros(len(at_risk.terms)), log_unit(at_risk)
    if distribution in ("exponential", "gompertz"):
        weeks = at_risk.row_weights @ (at_risk.exit - at_risk.entry)
        rate = np.log(at_risk.row_weights[died].sum() / weeks) + unit
        return np.concatenate([[rate], zeros, [0.0] * (distribution == "gompertz")]), "events per week"
    location, scale, started = start_of(distribution, at_risk, died, unit, start)
    return np.concatenate([[-location / scale], zeros, [1 / scale]]), started
