"""Weights that make comparison persons resemble the treated, and the balance that they reach."""

import numpy as np
import pandas as pd

from evalkit.atrisk import AtRisk
from evalkit.errors import EstimationError
from evalkit.result import Estimand, Provenance, Result, tidy

_MAX_STEPS = 50
# A fitted log odds beyond this means a probability that double precision cannot tell from 0 or 1.
_MAX_LOG_ODDS = 30.0


def propensity_weights(design, treated, *, estimand="att", trim=0.0):
    """Weight rows by their estimated probability of being treated.

    Parameters
    ----------
    design : AtRisk, DataFrame or ndarray, shape (n_rows, n_terms)
        Covariates as numbers; an intercept is added. An AtRisk's weights and counts enter the fit.
    treated : array of bool, shape (n_rows,)
    estimand : {"att", "ate", "overlap"}
        Average over the treated, over everybody, or over those in whom both were likely.
    trim : float
        Rows with a score below ``trim`` or above 1 - ``trim`` get the weight 0.

    Returns
    -------
    ndarray, shape (n_rows,)
        In the order of the rows; multiply by the design's own weights.

    Raises
    ------
    EstimationError
        If a group is empty, a term is a combination of others, or treatment is predicted perfectly.

    Notes
    -----
    With e the score: ate 1/e and 1/(1 - e); att 1 and e/(1 - e); overlap 1 - e and e (Li, Morgan and
    Zaslavsky 2018, table 1). With overlap weights every covariate of the logit is balanced exactly.

    Examples
    --------
    Half the young and a quarter of the old are treated:

    >>> old = np.array([[0.0], [0], [1], [1], [1], [1]])
    >>> propensity_weights(old, np.array([1, 0, 1, 0, 0, 0], dtype=bool)).round(4)
    array([1.    , 1.    , 1.    , 0.3333, 0.3333, 0.3333])
    """
    treated = np.asarray(treated, dtype=bool)
    score = propensity_scores(design, treated)
    given = {
        "att": (np.ones_like(score), score / (1 - score)),
        "ate": (1 / score, 1 / (1 - score)),
        "overlap": (1 - score, score),
    }
    if estimand not in given:
        raise ValueError(f"estimand == {estimand!r}, must be one of {', '.join(given)}")
    weights = np.where(treated, *given[estimand])
    return np.where((score < trim) | (score > 1 - trim), 0.0, weights)


def propensity_scores(design, treated):
    """Return the fitted probability of being treated for each row: logistic regression by Newton's method.

    Parameters and errors as in `propensity_weights`; ``stats::glm(family = binomial)`` in R.
    """
    covariates, terms, base = _design(design)
    treated = np.asarray(treated, dtype=float)
    _refuse(covariates, terms, treated)
    matrix = np.column_stack([np.ones(len(covariates)), _standardised(covariates)])
    coefficients = np.zeros(matrix.shape[1])
    for _ in range(_MAX_STEPS):
        log_odds = matrix @ coefficients
        if np.abs(log_odds).max() > _MAX_LOG_ODDS:
            break
        score = 1.0 / (1.0 + np.exp(-log_odds))
        gradient = matrix.T @ (base * (treated - score))
        step = np.linalg.solve((matrix.T * (base * score * (1 - score))) @ matrix, gradient)
        coefficients += step
        if np.abs(step).max() < 1e-10:
            return 1.0 / (1.0 + np.exp(-(matrix @ coefficients)))
    raise EstimationError(
        "propensity: the covariates predict treatment perfectly for some rows, so no weight can make the "
        "groups alike. Leave out the covariate that decides treatment, or compare only where both "
        "kinds are found"
    )


def balance(design, treated, weights):
    """Compare the groups' covariate means before and after weighting.

    Parameters
    ----------
    design, treated
        As in `propensity_weights`.
    weights : ndarray, shape (n_rows,)

    Returns
    -------
    Result
        One row for each term (``term``) ``before`` and ``after`` (``group``): ``estimate`` is the
        standardised mean difference. ``model``: n_behind, for each row the fewest persons of treated or
        comparison (of an indicator: on one of its sides). Diagnostics: ``largest_before``, ``largest_after``,
        ``effective_treated``, ``effective_comparison`` (sum of weights squared over the sum of squares).

    Notes
    -----
    Mean of treated less mean of comparison over sqrt((s1^2 + s0^2) / 2), the standard deviations unweighted
    before and after, so that only the means move (Stuart 2010; ``cobalt::bal.tab(s.d.denom = "pooled")``).

    Examples
    --------
    >>> old = np.array([[0.0], [0], [1], [1], [1], [1]])
    >>> treated = np.array([1, 0, 1, 0, 0, 0], dtype=bool)
    >>> found = balance(old, treated, propensity_weights(old, treated))
    >>> found.table[["term", "group", "estimate"]].round(3)
      term   group  estimate
    0   x1  before    -0.408
    1   x1   after     0.000
    """
    covariates, terms, base = _design(design)
    treated = np.asarray(treated, dtype=bool)
    _refuse(covariates, terms, treated.astype(float))
    spread = np.sqrt(
        (_variance(covariates[treated], base[treated]) + _variance(covariates[~treated], base[~treated])) / 2
    )
    before = _difference(covariates, treated, base) / spread
    after = _difference(covariates, treated, base * weights) / spread
    n_persons = design.n_persons if isinstance(design, AtRisk) else len(covariates)
    table = tidy(
        term=np.repeat(np.array(terms, dtype=object), 2),
        group=["before", "after"] * len(terms),
        estimate=np.column_stack([before, after]).ravel() + 0.0,
        n_persons=n_persons,
    )
    return Result(
        kind="model",
        table=table,
        model={"n_behind": np.repeat(_fewest(design, covariates, treated), 2)},
        estimand=Estimand(name="covariate_balance", summary="standardised_mean_difference", unit="score"),
        provenance=Provenance(method="evalkit.estimators.balance"),
        diagnostics={
            "largest_before": float(np.abs(before).max()),
            "largest_after": float(np.abs(after).max()),
            "effective_treated": _effective(weights[treated] * base[treated]),
            "effective_comparison": _effective(weights[~treated] * base[~treated]),
        },
    )


def _fewest(design, covariates, treated):
    """Count for each covariate the fewest persons of treated or comparison, or on a side of an indicator."""
    count = design.n_persons_in if isinstance(design, AtRisk) else np.count_nonzero
    groups = (treated, ~treated)
    return [min(count(group & (column == side)) for group in groups for side in (0, 1))
            if np.isin(column, (0, 1)).all() else min(map(count, groups)) for column in covariates.T]


def _design(design):
    if isinstance(design, AtRisk):
        return design.covariates, design.terms, design.row_weights
    if isinstance(design, pd.DataFrame):
        return design.to_numpy(dtype=float), tuple(map(str, design.columns)), np.ones(len(design))
    matrix = np.asarray(design, dtype=float)
    return matrix, tuple(f"x{k + 1}" for k in range(matrix.shape[1])), np.ones(len(matrix))


def _refuse(covariates, terms, treated):
    faults = []
    if len(treated) != len(covariates):
        raise ValueError(f"treated has {len(treated)} rows, the design {len(covariates)}")
    if treated.all() or not treated.any():
        faults.append("everybody is treated, or nobody; both kinds are needed")
    missing = [
        name for name, column in zip(terms, covariates.T, strict=True) if not np.isfinite(column).all()
    ]
    if missing:
        faults.append(f"missing values in {', '.join(missing)}; fill them or leave the rows out")
    elif dependent := _dependent(covariates, terms):
        faults.append(f"{', '.join(dependent)}: constant, or given by the terms before; leave them out")
    if faults:
        raise EstimationError("propensity:\n" + "\n".join(f"- {fault}" for fault in faults))


def _dependent(covariates, terms):
    matrix = np.column_stack([np.ones(len(covariates)), _standardised(covariates)])
    lengths = np.abs(np.diag(np.linalg.qr(matrix, mode="r"))) if len(matrix) >= matrix.shape[1] else None
    if lengths is None:
        return terms
    return [
        name for name, length in zip(terms, lengths[1:], strict=True) if length < 1e-9 * np.sqrt(len(matrix))
    ]


def _standardised(covariates):
    spread = covariates.std(axis=0)
    return (covariates - covariates.mean(axis=0)) / np.where(spread > 0, spread, 1.0)


def _variance(values, base):
    mean = np.average(values, axis=0, weights=base)
    return ((values - mean) ** 2 * base[:, None]).sum(axis=0) / (base.sum() - 1.0)


def _difference(covariates, treated, weights):
    means = [np.average(covariates[rows], axis=0, weights=weights[rows]) for rows in (treated, ~treated)]
    return means[0] - means[1]


def _effective(weights):
    return float(weights.sum() ** 2 / (weights**2).sum())
