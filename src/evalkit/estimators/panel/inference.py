"""Errors of panel designs: placebos where few units are treated, clusters where many are."""

import numpy as np

# Two effects that differ by less than this share are tied: scaling the data must not change a rank.
_TIE = 1e-9


def placebo_rank(effect, placebos):
    """Return the rank of an effect among placebo effects by size, 1 for the largest; ties count against it.

    Examples
    --------
    >>> placebo_rank(-3.0, np.array([1.0, -4.0, 3.0]))
    3
    """
    return 1 + int((np.abs(placebos) >= abs(effect) * (1.0 - _TIE)).sum())


def placebo_inference(effect, placebos, *, std_error=None, df=None, conf_level=0.95):
    """Compare an effect with the placebo effects of the comparison units.

    Parameters
    ----------
    effect : float
    placebos : ndarray, shape (n_placebos,)
        Effect of the same design on each untreated unit, the treated one left out.
    std_error : float, optional
        Default: their standard deviation about their mean, divisor n_placebos (Arkhangelsky et al. 2021,
        Algorithm 4, taken over all units instead of random draws).
    df : int, optional
        Default: n_placebos - 1.
    conf_level : float

    Returns
    -------
    dict
        ``std_error, conf_low, conf_high, p_value`` of a result row.

    Notes
    -----
    ``p_value`` is rank / (n_placebos + 1): exact when the units are exchangeable, and never below
    1 / (n_placebos + 1). The interval is effect +/- t x std_error with ``df`` degrees of freedom.

    Examples
    --------
    >>> answer = placebo_inference(5.0, np.array([-1.0, 1.0, 0.0]))
    >>> round(answer["p_value"], 4), round(answer["std_error"], 4)
    (0.25, 0.8165)
    """
    placebos = np.asarray(placebos, dtype=float)
    error = float(np.std(placebos)) if std_error is None else float(std_error)
    reach = t_quantile(len(placebos) - 1 if df is None else df, (1.0 + conf_level) / 2.0) * error
    return {
        "std_error": error,
        "conf_low": effect - reach,
        "conf_high": effect + reach,
        "p_value": placebo_rank(effect, placebos) / (len(placebos) + 1),
    }


def smallest_detectable_effect(std_error, *, df, conf_level=0.95, power=0.8):
    """Return the effect that would be told from nothing with the given power.

    (t(1 - alpha/2) + t(power)) x standard error, Student t with ``df`` degrees of freedom
    (Bloom 1995, equation 1).

    Examples
    --------
    >>> round(smallest_detectable_effect(1.0, df=1e6), 2)
    2.8
    """
    return float((t_quantile(df, (1.0 + conf_level) / 2.0) + t_quantile(df, power)) * std_error)


def clustered_error(panel):
    """Return the standard error of the two-way fixed-effects difference, robust to clustering by unit.

    Sandwich with the factor G / (G - 1) and nothing else: ``sandwich::vcovCL(type = "HC0", cadjust = TRUE)``
    in R, statsmodels' ``cov_type="cluster"`` up to its own factor (n - 1) / (n - k).
    """
    exposure = np.outer(panel.treated, np.arange(len(panel.periods)) >= panel.n_pre).astype(float)
    exposure, outcome = _within(exposure), _within(panel.outcome)
    information = (exposure**2).sum()
    residual = outcome - exposure * ((exposure * outcome).sum() / information)
    n_units = len(panel.units)
    scores = (exposure * residual).sum(axis=1)
    return float(np.sqrt((scores**2).sum() * n_units / (n_units - 1)) / information)


def _within(matrix):
    """Take out unit and period means (balanced panel)."""
    return matrix - matrix.mean(axis=1, keepdims=True) - matrix.mean(axis=0) + matrix.mean()


def t_quantile(df, probability):
    """Return a quantile of Student's t; missing below one degree of freedom."""
    from scipy.special import stdtrit

    return float(stdtrit(df, probability)) if df >= 1 else float("nan")


def t_probability(df, value):
    """Return the probability that Student's t lies below a value."""
    from scipy.special import stdtr

    return float(stdtr(df, value))
