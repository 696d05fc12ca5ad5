"""Parametric regression of time to an exit: lifelines fits it, here it becomes a `Result`."""

import warnings

import numpy as np

from evalkit.errors import EstimationError
from evalkit.estimators._counting import rarer_side
from evalkit.result import Estimand, Provenance, Result, tidy

# Where lifelines agrees with survreg to 1e-5; its log-logistic stops early (2e-3) and is left out.
_FITTERS = {"weibull": ("WeibullAFTFitter", "lambda_"), "lognormal": ("LogNormalAFTFitter", "mu_")}


def parametric(at_risk, *, distribution="weibull", conf_level=0.95):
    """Fit an accelerated failure time model of the time to any exit.

    The logarithm of time is linear in the covariates, log T = b0 + x'b + s W, with W extreme value
    (Weibull) or normal (log-normal); exp(b) is the ratio of times, above 1 for a longer time.

    Parameters
    ----------
    at_risk : AtRisk
        One interval per person; delayed entry, weights and counts are allowed. Every cause is an event.
    distribution : {"weibull", "lognormal"}
    conf_level : float

    Returns
    -------
    Result
        Kind ``model``; one row per term with ``estimate`` b (log time ratio), and ``(Intercept)``
        and ``log(scale)`` as R's ``survreg`` names them. Errors are model based.

    Raises
    ------
    EstimationError
        No events, or the fit does not converge.

    Notes
    -----
    Agrees with ``survival::survreg`` (R survival 3.5), with right censoring, to 1e-5; an interval (entry, exit]
    contributes the conditional density given survival to ``entry``, which ``survreg`` cannot do.
    lifelines' ``weights`` act as frequencies.

    References
    ----------
    .. [1] Kalbfleisch, J. D. and Prentice, R. L. (2002). The Statistical Analysis of Failure Time Data, section 2.3.

    Examples
    --------
    >>> import pandas as pd
    >>> from evalkit.atrisk import AtRisk
    >>> rows = pd.DataFrame({"weeks": [2.0, 3.0, 5.0, 8.0], "left": [1, 1, 1, 1]})
    >>> fit = parametric(AtRisk.from_frame(rows, exit="weeks", event="left"))
    >>> round(float(fit.row(term="(Intercept)").estimate), 3)
    1.632
    """
    if distribution not in _FITTERS:
        raise ValueError(f"distribution == {distribution!r}, must be one of {', '.join(_FITTERS)}")
    if at_risk.n_events == 0:
        raise EstimationError("parametric: no events among the persons at risk; lengthen the follow-up or widen the cohort")
    fitter = _fit(at_risk, distribution)
    terms, estimates, covariance = _in_survreg_form(fitter, at_risk.terms, distribution)
    return _result(at_risk, terms, estimates, covariance, distribution, conf_level, fitter.log_likelihood_)


def _fit(at_risk, distribution):
    import lifelines
    from lifelines.exceptions import ConvergenceError

    frame = at_risk.to_frame(cause=at_risk.causes[0]).drop(columns="strata", errors="ignore")
    frame["event"] = at_risk.event > 0  # every cause is the event
    options = {"weights_col": "weights"} if "weights" in frame else {}
    if (frame["entry"] > 0).any():
        options["entry_col"] = "entry"
    else:
        frame = frame.drop(columns="entry")
    fitter = getattr(lifelines, _FITTERS[distribution][0])()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return fitter.fit(frame, duration_col="exit", event_col="event", **options)
    except ConvergenceError:
        raise EstimationError(
            f"parametric ({distribution}): the fit did not converge; drop constant or separating covariates, "
            "or scale them to the same size"
        ) from None


def _in_survreg_form(fitter, covariates, distribution):
    """Return survreg's terms: location coefficients and log(scale); the Weibull's rho_ is 1 / scale."""
    location = _FITTERS[distribution][1]
    index = list(fitter.params_.index)
    keys = [(location, "Intercept"), *((location, term) for term in covariates)]
    shape = next(key for key in index if key[0] != location)
    order = [index.index(key) for key in [*keys, shape]]
    sign = np.ones(len(order))
    sign[-1] = -1.0 if distribution == "weibull" else 1.0
    estimates = fitter.params_.to_numpy()[order] * sign
    covariance = fitter.variance_matrix_.to_numpy()[np.ix_(order, order)] * np.outer(sign, sign)
    return ("(Intercept)", *covariates, "log(scale)"), estimates, covariance


def _result(at_risk, terms, estimates, covariance, distribution, conf_level, log_likelihood):
    from scipy.special import ndtr, ndtri

    error = np.sqrt(np.diag(covariance))
    half = ndtri(0.5 + conf_level / 2) * error
    table = tidy(term=list(terms), estimate=estimates, std_error=error, conf_low=estimates - half,
                 conf_high=estimates + half, p_value=2 * ndtr(-np.abs(estimates / error)),
                 n_persons=at_risk.n_persons, n_events=at_risk.n_events)
    return Result(
        kind="model",
        estimand=Estimand(name="log_time_ratio", summary="log_time_ratio", unit="log_ratio"),
        table=table,
        model={"terms": tuple(terms), "estimates": estimates, "covariance": covariance,
               "n_term": np.array([at_risk.n_persons, *rarer_side(at_risk), at_risk.n_persons], dtype=float)},
        provenance=Provenance(method="parametric", options={"distribution": distribution, "conf_level": conf_level}),
        diagnostics={"log_likelihood": float(log_likelihood)},
    )
