"""The mixture cure (mover-stayer) model: some never leave, the others leave at a time of a known form."""

from dataclasses import dataclass

import numpy as np

from evalkit.errors import EstimationError
from evalkit.estimators._limits import quantile, require_one_of
from evalkit.estimators.parametric.checks import events_of, require_fixed_covariates, require_spread
from evalkit.estimators.parametric.families import Local, Transformation
from evalkit.estimators.parametric.fit import Model, maximum, result_of
from evalkit.estimators.parametric.regression import ERRORS
from evalkit.estimators.parametric.scale import log_unit
from evalkit.estimators.parametric.start import STARTS, cured_start

LATENCIES = ("weibull", "lognormal")


def mixture_cure(at_risk, *, distribution="weibull", incidence=None, latency=None, cause=None,
                 conf_level=0.95, robust=None, start="lifelines"):
    """Fit a mover-stayer model: who leaves at all (logistic), and when those leave who do.

    S(t | x) = 1 - p(x) + p(x) S_u(t | x), log odds of p (not cured) = a0 + x'a, and S_u a Weibull or
    log-normal model of time as in :func:`parametric`.

    Parameters
    ----------
    at_risk : AtRisk
        As in :func:`parametric`; covariates must not change between the intervals of a person.
    distribution : {"weibull", "lognormal"}
        Of the time of those who leave.
    incidence, latency : sequence of str, optional
        Which terms enter each part. Default: all.
    cause, conf_level, robust, start
        As in :func:`parametric`.

    Returns
    -------
    Result
        Kind ``model``: latency terms as in :func:`parametric`, ``incidence:(Intercept)`` and
        ``incidence:`` terms (log odds ratios of ever leaving), ``log(scale)``. See also `cured_share`.

    Raises
    ------
    EstimationError
        As :func:`parametric`; data without a plateau, whose cured share runs to 0.

    Notes
    -----
    Late entry divides by S(entry), cured persons included. Equals ``flexsurvcure(..., dist = "weibullPH" or
    "lnorm", link = "logistic")`` of R, whose theta is the cured share, so the signs of the incidence turn.
    A plateau needs persons followed beyond the last events: nothing else tells the cured from a long tail.
    The likelihood is not concave; Newton begins from two places and keeps the higher maximum.

    References
    ----------
    .. [1] Boag (1949), JRSS B 11, 15-53; Farewell (1982), Biometrics 38, 1041-1046.

    Examples
    --------
    Half leave in the first weeks, nobody in the forty weeks after.

    >>> import pandas as pd
    >>> from evalkit.atrisk import AtRisk
    >>> rows = pd.DataFrame({"weeks": [1, 2, 3, 4, 44, 44, 44, 44.0], "left": [1, 1, 1, 1, 0, 0, 0, 0]})
    >>> fit = mixture_cure(AtRisk.from_frame(rows, exit="weeks", event="left"))
    >>> abs(round(float(fit.row("incidence:(Intercept)").estimate), 6))
    0.0
    """
    died = _events(at_risk, cause, distribution, start, conf_level)
    columns = tuple(_columns(at_risk.terms, names) for names in (latency, incidence))
    model = cure_model(distribution, columns)
    fit, started = _fit(at_risk, died, model, distribution, start)
    options = {"distribution": distribution, "cause": cause,
               **{name: [at_risk.terms[k] for k in chosen]
                  for name, chosen in zip(("latency", "incidence"), columns, strict=True)}}
    return result_of(at_risk, died, model, fit, conf_level=conf_level, robust=robust, start=started,
                     options=options)


def cure_model(distribution, columns):
    """Describe the model: two predictors, latency and incidence."""
    latency = Transformation(error=ERRORS[distribution])
    return Model(method=f"mixture_cure ({distribution})", name=f"cure_{distribution}",
                 family=Cure(latency=latency), form="time", columns=columns, prefixes=("", "incidence:"),
                 shapes=("log(scale)",))


@dataclass(frozen=True, slots=True, kw_only=True)
class Cure:
    """A family with a second predictor: the log odds of not being cured."""

    latency: object

    def basis(self, log_time):
        """Return the latency's columns."""
        return self.latency.basis(log_time)

    def survival(self, basis, predictors, shape):
        """Return log S = log(1 - p + p S_u): its derivatives weigh the latency's by who is left uncured."""
        from scipy.special import expit, log_expit

        inner = self.latency.survival(basis, predictors[:1], shape)
        uncured = log_expit(predictors[1]) + inner.value
        value = np.logaddexp(log_expit(-predictors[1]), uncured)
        share, at_start = np.exp(uncured - value), expit(predictors[1])
        spread = share * (1 - share)
        by_time = inner.predictor[0]
        twice = np.array([[share * inner.predictor_twice[0, 0] + spread * by_time**2, spread * by_time],
                          [spread * by_time, spread - at_start * (1 - at_start)]])
        mixed = np.array([share[:, None] * inner.mixed[0] + (spread * by_time)[:, None] * inner.shape,
                          spread[:, None] * inner.shape])
        return Local(value=value, predictor=np.array([share * by_time, share - at_start]),
                     shape=share[:, None] * inner.shape, predictor_twice=twice, mixed=mixed,
                     shape_twice=lambda weight: inner.shape_twice(weight * share)
                     + inner.shape.T @ ((weight * spread)[:, None] * inner.shape))

    def density(self, basis, predictors, shape):
        """Return log f = log p + log f_u."""
        from scipy.special import expit, log_expit

        inner = self.latency.density(basis, predictors[:1], shape)
        share, nothing = expit(predictors[1]), np.zeros(len(inner.value))
        twice = np.array([[inner.predictor_twice[0, 0], nothing], [nothing, -share * (1 - share)]])
        return Local(value=inner.value + log_expit(predictors[1]),
                     predictor=np.array([inner.predictor[0], 1 - share]), shape=inner.shape,
                     predictor_twice=twice, mixed=np.array([inner.mixed[0], np.zeros_like(inner.mixed[0])]),
                     shape_twice=inner.shape_twice)

    def rescaled(self, log_unit):
        """As `Transformation.rescaled`."""
        return self.latency.rescaled(log_unit)


def _events(at_risk, cause, distribution, start, conf_level):
    require_one_of("distribution", distribution, LATENCIES)
    require_one_of("start", start, STARTS)
    quantile(conf_level)
    method = f"mixture_cure ({distribution})"
    died = events_of(at_risk, cause, method)
    require_spread(at_risk, died, method)
    require_fixed_covariates(at_risk, method)
    return died


def _columns(terms, names):
    """Return the positions of the terms named; a column's name stands for all its categories."""
    if names is None:
        return tuple(range(len(terms)))
    names = [names] if isinstance(names, str) else list(names)
    known = {*terms, *(term.partition("[")[0] for term in terms)}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ValueError(f"{', '.join(unknown)}: no such covariate, must be of {', '.join(terms) or 'none'}")
    return tuple(k for k, term in enumerate(terms) if term in names or term.partition("[")[0] in names)


def _fit(at_risk, died, model, distribution, start):
    """Begin with a cured share as lifelines finds it, and from events so far; keep the higher maximum."""
    unit, n_latency, n_incidence = log_unit(at_risk), *(len(columns) for columns in model.columns)
    fits, refusals = [], []
    for begin in dict.fromkeys((start, "moments")):
        odds, location, scale, found = cured_start(at_risk, died, unit, begin)
        theta = np.concatenate([[-location / scale], np.zeros(n_latency), [odds], np.zeros(n_incidence),
                                [1 / scale]])
        try:
            fits.append((maximum(at_risk, died, model, theta), found))
        except EstimationError as refusal:
            refusals.append(refusal)
    if not fits:
        raise refusals[0]
    return max(fits, key=lambda pair: pair[0].value)
