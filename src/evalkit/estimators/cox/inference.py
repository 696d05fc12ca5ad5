"""What is said of a fitted partial likelihood: tests, limits and table."""

import numpy as np

from evalkit.estimators._counting import row_counts
from evalkit.estimators._limits import chi_square, quantile, two_sided
from evalkit.result import tidy


def table_of(model, at_risk, events, limits):
    """Return the tidy table of a fitted model."""
    n_events = row_counts(at_risk)[events > 0].sum()
    return tidy(term=list(model["terms"]), estimate=model["estimates"],
                std_error=np.sqrt(np.diag(model["covariance"])), **limits, n_persons=at_risk.n_persons,
                n_events=n_events)


def wald_limits(model, conf_level):
    """Return limits and p-values from estimates and their errors."""
    estimate, error = model["estimates"], np.sqrt(np.diag(model["covariance"]))
    # Clusters that all agree leave a robust error of rounding only; a p-value of it would be noise.
    is_real = error > 1e-7 * np.sqrt(np.diag(model["covariance_naive"]))
    z = np.divide(estimate, error, out=np.full(len(error), np.nan), where=is_real)
    margin = quantile(conf_level) * error
    return {"conf_low": estimate - margin, "conf_high": estimate + margin, "p_value": two_sided(z)}


def tests(null, fit, beta, covariance, df):
    """Return likelihoods and tests; ``df`` is less than the number of terms under a ridge."""
    score, wald = square(null.gradient, null.information), square(beta, covariance)
    return {"log_likelihood_null": null.value, "log_likelihood": fit.value, "df": df,
            **likelihood_ratio(2 * (fit.value - null.value), df),
            "score_chi_square": score, "score_p_value": chi_square(score, len(beta)),
            "wald_chi_square": wald, "wald_p_value": chi_square(wald, len(beta))}


def likelihood_ratio(statistic, df):
    """Return a likelihood-ratio statistic with its p-value."""
    return {"likelihood_ratio_chi_square": float(statistic),
            "likelihood_ratio_p_value": chi_square(statistic, df)}


def square(value, metric):
    """Return value' metric^-1 value; missing where the metric is singular, as errors of few clusters are."""
    if np.linalg.matrix_rank(metric, hermitian=True) < len(value):
        return np.nan
    return float(value @ np.linalg.solve(metric, value))


def block_diagonal(parts):
    """Put covariances of one size along the diagonal of one matrix: models fitted apart, and independent."""
    size = len(parts[0])
    covariance = np.zeros((len(parts) * size,) * 2)
    for k, part in enumerate(parts):
        covariance[k * size:(k + 1) * size, k * size:(k + 1) * size] = part
    return covariance
