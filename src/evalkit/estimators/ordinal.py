"""Ordered answers: which respondents answer higher on a scale of few steps."""

import warnings

import numpy as np
import pandas as pd

from evalkit.errors import EstimationError
from evalkit.result import Estimand, Provenance, Result, tidy


def ordered_logit(frame, *, outcome, covariates, conf_level=0.95):
    """Estimate odds ratios of a higher answer by the proportional-odds model.

    Parameters
    ----------
    frame : DataFrame
        One row per respondent, nothing missing in the columns named.
    outcome : str
        Answers as ordered numbers.
    covariates : sequence of str
        Numeric columns enter as they are; others as indicators of every level but the first.
    conf_level : float

    Returns
    -------
    Result
        Kind ``model``, unit ratio: a row per term, the odds of a higher answer against the first level;
        ``std_error`` is that of the ratio. ``model`` holds log odds ratios, their covariance and the cuts.

    Raises
    ------
    EstimationError
        If all answers are equal, a covariate is constant, or the likelihood has no maximum.

    Notes
    -----
    P(answer <= k) = 1 / (1 + exp(-(cut_k - x b))), as ``MASS::polr``. Fitted by statsmodels' OrderedModel by
    Newton's method on one row per respondent: its ``freq_weights`` are ignored without a word, and BFGS stops
    at four digits. It stores the second and later cuts as log gaps; they are turned back here.

    Examples
    --------
    >>> frame = pd.DataFrame({"answer": [1, 2, 3, 1, 2, 3, 3, 3], "wave": [0, 0, 0, 0, 1, 1, 1, 1]})
    >>> fit = ordered_logit(frame, outcome="answer", covariates=["wave"])
    >>> bool(fit.table["estimate"][0] > 1)
    True
    """
    design = _design(frame, covariates)
    answers = pd.Categorical(frame[outcome], ordered=True)
    _require_variation(answers, design, outcome)
    fit = _fit(answers, design)
    return _result(fit, design.columns, len(frame), conf_level)


def _design(frame, covariates):
    columns = {}
    for name in covariates:
        if pd.api.types.is_numeric_dtype(frame[name]):
            columns[name] = frame[name].to_numpy(dtype=float)
        else:
            for level in sorted(frame[name].unique())[1:]:
                columns[f"{name}[{level}]"] = (frame[name] == level).to_numpy(dtype=float)
    return pd.DataFrame(columns)


def _require_variation(answers, design, outcome):
    if len(answers.categories) < 2:
        raise EstimationError(
            f"ordered_logit: {outcome} has {len(answers.categories)} different answers; needs two or more"
        )
    constant = [name for name in design if design[name].nunique() < 2]
    if constant or design.shape[1] == 0:
        raise EstimationError(
            f"ordered_logit: {', '.join(constant) or 'no covariate'}: constant among respondents; leave out"
        )


def _fit(answers, design):
    from statsmodels.miscmodels.ordinal_model import OrderedModel

    model = OrderedModel(answers.codes, design.to_numpy(), distr="logit")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            fit = model.fit(method="newton", disp=0, maxiter=100)
        except np.linalg.LinAlgError:
            raise EstimationError(
                "ordered_logit: the information matrix is singular; leave covariates out"
            ) from None
    if not fit.mle_retvals["converged"] or not np.isfinite(fit.bse).all() or np.abs(fit.params).max() > 20:
        raise EstimationError(
            "ordered_logit: the likelihood has no maximum; a covariate separates the answers, leave it out"
        )
    return fit


def _result(fit, terms, n_persons, conf_level):
    from scipy.stats import norm

    k = len(terms)
    log_odds, error = np.asarray(fit.params)[:k], np.asarray(fit.bse)[:k]
    margin = norm.ppf(0.5 + conf_level / 2) * error
    table = tidy(term=list(terms), estimate=np.exp(log_odds), std_error=np.exp(log_odds) * error,
                 conf_low=np.exp(log_odds - margin), conf_high=np.exp(log_odds + margin),
                 p_value=2 * norm.sf(np.abs(log_odds / error)), n_persons=n_persons)
    gaps = np.asarray(fit.params)[k:]
    cuts = np.cumsum(np.r_[gaps[:1], np.exp(gaps[1:])])
    model = {
        "terms": tuple(terms),
        "estimates": log_odds,
        "covariance": np.asarray(fit.cov_params())[:k, :k],
        "cuts": cuts,
    }
    return Result(
        kind="model",
        table=table,
        model=model,
        diagnostics={"log_likelihood": float(fit.llf), "n_persons": n_persons},
        estimand=Estimand(name="odds_ratio", summary="odds_ratio", unit="ratio"),
        provenance=Provenance(method="ordered_logit", options={"conf_level": conf_level, "fit": "newton"}),
    )
