"""What a parametric model predicts for profiles: survival, hazard, quantiles, the cured share."""

import numpy as np
import pandas as pd

from evalkit.errors import EstimationError
from evalkit.estimators._limits import amount_limits, quantile, share_limits
from evalkit.estimators._profiles import asked_weeks
from evalkit.estimators.parametric.curves import profiles_of
from evalkit.result import Estimand, Provenance, Result, tidy

# A quantile is looked for up to exp(700) weeks; a curve that has not fallen by then never will.
FARTHEST = 700.0


def predict_parametric(result, profiles=None, *, weeks=None, conf_level=0.95):
    """Predict survival and hazard of profiles at any week, also beyond the data.

    Parameters
    ----------
    result : Result
        Of :func:`parametric`, :func:`royston_parmar` or :func:`mixture_cure`.
    profiles : DataFrame, optional
        One row per profile, a column per covariate as the result names them (``sex[M]``); its index is the
        group. Not needed for a model without covariates.
    weeks : float or sequence of float, optional
        Above 0. Default: about a hundred, up to the last multiple of 13 that ten persons are followed to, at
        least 13.
    conf_level : float

    Returns
    -------
    Result
        Kind ``model``: terms ``survival`` and ``hazard`` (per week) by ``group``. ``diagnostics``:
        last_observed_weeks, and n_weeks_beyond of the weeks asked for.

    Raises
    ------
    EstimationError
        A result of another model; profiles that do not name the covariates, or lie farther from the data than
        these are wide.

    Notes
    -----
    Errors by the delta method. Limits of survival are log-log, those of the hazard on its logarithm: R's
    ``summary(flexsurvreg, se = TRUE)`` simulates instead.

    Examples
    --------
    >>> from evalkit.atrisk import AtRisk
    >>> from evalkit.estimators import parametric
    >>> rows = pd.DataFrame({"weeks": [2.0, 3.0, 5.0, 10.0], "left": 1})
    >>> fit = parametric(AtRisk.from_frame(rows, exit="weeks", event="left"), distribution="exponential")
    >>> predict_parametric(fit, weeks=5).table["estimate"].round(4).tolist()
    [0.3679, 0.2]
    """
    quantile(conf_level)
    read = profiles_of(result, profiles, "predict_parametric")
    weeks = _weeks(weeks, read.told_weeks)
    # Far beyond the data a survival of 0, and limits without bound, are answers.
    with np.errstate(all="ignore"):
        tables = [part for k in range(len(read.names)) for part in _curves(read, k, weeks, conf_level)]
    return _answer(result, read, pd.concat(tables, ignore_index=True), "predict_parametric",
                   {"weeks": weeks.tolist(), "conf_level": conf_level},
                   Estimand(name="predicted_survival", summary="predicted_survival",
                            unit={"survival": "share", "hazard": "per_week"}),
                   last_observed_weeks=read.last_weeks, n_weeks_beyond=int((weeks > read.last_weeks).sum()))


def parametric_quantiles(result, profiles=None, *, probs=(0.25, 0.5, 0.75), conf_level=0.95):
    """Predict the weeks by which given shares of a profile have left.

    Parameters
    ----------
    result, profiles, conf_level
        As in :func:`predict_parametric`.
    probs : float or sequence of float
        Shares that have left; 0.5 is the median.

    Returns
    -------
    Result
        Kind ``model``: a row ``quantile[p]`` by ``group``, in weeks; missing where the curve never falls so
        far. ``diagnostics["n_beyond"]`` counts those beyond the last observed week.

    Notes
    -----
    Limits are symmetric in log weeks: ``predict(survreg, type = "uquantile", se.fit = TRUE)`` of R survival.

    Examples
    --------
    >>> from evalkit.atrisk import AtRisk
    >>> from evalkit.estimators import parametric
    >>> rows = pd.DataFrame({"weeks": [2.0, 3.0, 5.0, 10.0], "left": 1})
    >>> fit = parametric(AtRisk.from_frame(rows, exit="weeks", event="left"), distribution="exponential")
    >>> parametric_quantiles(fit, probs=0.5).table["estimate"].round(4).tolist()
    [3.4657]
    """
    quantile(conf_level)
    read = profiles_of(result, profiles, "parametric_quantiles")
    probs = np.atleast_1d(np.asarray(probs, dtype=float))
    if not ((probs > 0) & (probs < 1)).all():
        raise ValueError(f"probs == {probs.tolist()}, must be shares between 0 and 1")
    with np.errstate(all="ignore"):
        tables = [_quantiles(read, k, probs, conf_level) for k in range(len(read.names))]
    table = pd.concat(tables, ignore_index=True)
    n_beyond = int((table["estimate"] > read.last_weeks).sum())
    return _answer(result, read, table, "parametric_quantiles",
                   {"probs": probs.tolist(), "conf_level": conf_level},
                   Estimand(name="survival_quantiles", summary="survival_quantiles", unit="weeks"),
                   last_observed_weeks=read.last_weeks, n_beyond=n_beyond)


def cured_share(result, profiles=None, *, conf_level=0.95):
    """Predict the share of each profile that never leaves, under a mixture cure model.

    Parameters
    ----------
    result : Result
        Of :func:`mixture_cure`.
    profiles, conf_level
        As in :func:`predict_parametric`.

    Returns
    -------
    Result
        Kind ``model``: a row ``cured_share`` by ``group``; limits on the log odds.

    Examples
    --------
    >>> from evalkit.atrisk import AtRisk
    >>> from evalkit.estimators import mixture_cure
    >>> rows = pd.DataFrame({"weeks": [1, 2, 3, 4, 44, 44, 44, 44.0], "left": [1, 1, 1, 1, 0, 0, 0, 0]})
    >>> fit = mixture_cure(AtRisk.from_frame(rows, exit="weeks", event="left"))
    >>> cured_share(fit).table["estimate"].round(4).tolist()
    [0.5]
    """
    from scipy.special import expit

    read = profiles_of(result, profiles, "cured_share")
    if len(read.model.columns) < 2:
        raise EstimationError("cured_share: in this model everybody leaves in the end; "
                              "give a result of mixture_cure")
    odds, gradient = read.coefficients(1)
    error, share = read.error(gradient), expit(-odds)
    margin = quantile(conf_level) * error
    table = tidy(term="cured_share", group=list(read.names), estimate=share,
                 std_error=share * (1 - share) * error, conf_low=expit(-odds - margin),
                 conf_high=expit(-odds + margin), **read.counts)
    return _answer(result, read, table, "cured_share", {"conf_level": conf_level},
                   Estimand(name="cured_share", summary="cured_share", unit="share"),
                   last_observed_weeks=read.last_weeks)


def _weeks(weeks, end):
    if weeks is None:
        return np.arange(1.0, end + 1, np.ceil(end / 104))
    weeks = asked_weeks(weeks)
    if (weeks == 0).any():
        raise ValueError(f"weeks == {weeks.tolist()}, must be above 0, where the hazard has a value")
    return weeks


def _curves(read, k, weeks, conf_level):
    value, gradient = read.log_survival(k, weeks)
    survival = np.exp(value)
    error = survival * read.error(np.where(survival[:, None] > 0, gradient, 0.0))
    low, high = share_limits(survival, error, conf_level, "log-log")
    common = {"group": read.names[k], "time_weeks": weeks, **read.counts}
    yield tidy(term="survival", estimate=survival, std_error=error, conf_low=low, conf_high=high, **common)
    value, gradient = read.log_hazard(k, weeks)
    hazard = np.exp(value)
    error = hazard * read.error(gradient)
    low, high = amount_limits(hazard, error, conf_level, "log")
    yield tidy(term="hazard", estimate=hazard, std_error=error, conf_low=low, conf_high=high, **common)


def _quantiles(read, k, probs, conf_level):
    log_weeks = _solved(read, k, np.log1p(-probs))
    weeks = np.exp(log_weeks)
    hazard, gradient = read.log_hazard(k, weeks)[0], read.log_survival(k, weeks)[1]
    # The curve is fixed at its level: d log t = (d log S) / (hazard t).
    error = read.error(gradient / np.exp(hazard + log_weeks)[:, None])
    margin = quantile(conf_level) * error
    return tidy(term=[f"quantile[{p:g}]" for p in probs], group=read.names[k], estimate=weeks,
                std_error=weeks * error, conf_low=np.exp(log_weeks - margin),
                conf_high=np.exp(log_weeks + margin), **read.counts)


def _solved(read, k, levels):
    """Return log weeks at which log S reaches each level, by halving; missing where it never does."""
    low, high = np.full(len(levels), -FARTHEST), np.full(len(levels), FARTHEST)
    for _ in range(64):
        middle = (low + high) / 2
        before = read.log_survival(k, np.exp(middle))[0] > levels
        low, high = np.where(before, middle, low), np.where(before, high, middle)
    found = (low + high) / 2
    return np.where(found > FARTHEST - 1, np.nan, found)


def _answer(result, read, table, method, options, estimand, **diagnostics):
    options = {**options, "model": dict(result.provenance.options)}
    return Result(kind="model", table=table, model=read.told(table), estimand=estimand,
                  diagnostics=diagnostics,
                  provenance=Provenance(method=method, options=options))
