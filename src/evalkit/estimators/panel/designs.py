"""Effects on one treated unit (or a block of them) from a balanced panel: three designs, one form of answer.

`difference_in_differences`, `synthetic_control` and `synthetic_did` are the same weighted double
difference (Arkhangelsky et al. 2021, equations 1 to 3) and differ in the weights only; all three are
judged by the same placebos.
"""

from dataclasses import replace

import numpy as np

from evalkit.errors import EstimationError
from evalkit.estimators.panel.fit import HARDLY_ANY, Design, fit_design
from evalkit.estimators.panel.inference import (
    clustered_error,
    placebo_inference,
    placebo_rank,
    smallest_detectable_effect,
    t_probability,
    t_quantile,
)
from evalkit.result import Estimand, Provenance, Result, tidy

# Fewer treated units than this and cluster-robust errors are known to be far too small
# (Conley and Taber 2011; MacKinnon and Webb 2017).
_FEW_TREATED = 10


def difference_in_differences(panel, *, errors="auto", conf_level=0.95, power=0.8, rng=None, n_draws=200):
    """Estimate the effect as the treated units' change less the comparison units' mean change.

    Parameters
    ----------
    panel : Panel
    errors : {"auto", "placebo", "cluster"}
        ``auto``: placebo below 10 treated units, else cluster-robust by unit.
    conf_level, power : float
        ``power`` is for the smallest detectable effect.
    rng : numpy.random.Generator, optional
        Needed for placebos of several treated units, where groups of comparisons are drawn.
    n_draws : int
        Number of such groups.

    Returns
    -------
    Result
        One row ``term == "effect"``, kind ``model``. ``model`` holds ``units, periods, unit_weights,
        period_weights, gap`` (treated less weighted comparisons, by period), ``placebos``,
        ``placebo_units``, ``placebo_gaps`` (one row for each). Diagnostics: see `synthetic_control`.

    Raises
    ------
    EstimationError
        If fewer than two comparison units are there, or ``rng`` is needed and missing.

    Notes
    -----
    Two-way fixed effects on a balanced panel with one starting period. With one treated unit the error
    is s sqrt(1 + 1/J), s the standard deviation of the J comparisons' changes, with t on J - 1
    degrees of freedom: exact when changes are independent and normal, in the spirit of Donald and Lang (2007)
    and Conley and Taber (2011); the rank beside it needs exchangeability only.

    Examples
    --------
    The treated unit rises by 5, the others by 1 and by 3:

    >>> import pandas as pd
    >>> from evalkit.estimators import Panel
    >>> frame = pd.DataFrame({"unit": list("AABBCC"), "year": [1, 2] * 3, "y": [0.0, 5, 1, 2, 0, 3]})
    >>> panel = Panel.from_frame(frame, unit="unit", period="year", value="y", treated="A", start=2)
    >>> float(difference_in_differences(panel).row("effect").estimate)
    3.0
    """
    if errors == "auto":
        errors = "placebo" if panel.n_treated < _FEW_TREATED else "cluster"
    design = Design(name="difference_in_differences", unit_weights="equal", period_weights="equal")
    result = _estimate(panel, design, conf_level, power, rng, n_draws, inference=errors == "placebo")
    if errors != "cluster":
        return result
    return _with_error(result, clustered_error(panel), len(panel.units) - 1, conf_level, power)


def synthetic_control(
    panel, *, as_in="optimum", conf_level=0.95, power=0.8, rng=None, n_draws=200, inference=True
):
    """Estimate the effect against the weighted mean of comparisons that follows the treated unit before.

    Parameters
    ----------
    panel : Panel
    as_in : {"optimum", "synthdid"}
        Solve exactly, or stop as R's ``synthdid::sc_estimate`` (0.0.9) does.
    conf_level, power, rng, n_draws
        As in `difference_in_differences`.
    inference : bool
        False leaves error, interval and rank missing and saves the placebos' time.

    Returns
    -------
    Result
        As `difference_in_differences`. Diagnostics: ``effect_rank`` and ``rmspe_ratio_rank`` of
        ``placebos_plus_one``, ``rmspe_pre``, ``rmspe_post``, ``prefit_ratio`` (pre-period error over the
        median of the placebos'), ``smallest_detectable_effect``, ``effective_donors`` (1 / sum of
        squared weights), ``leave_one_out_low`` and ``leave_one_out_high`` (each weighted
        comparison left out in turn).

    Notes
    -----
    Weights minimise the squared pre-period gap of the outcome itself over the simplex (Abadie, Diamond and
    Hainmueller 2010, outcomes only, no covariates and no V), with a ridge of (1e-6 x noise)^2, or of the
    least that numbers can tell (`simplex_least_squares`), that makes them unique where many mixtures fit.
    ``rmspe_ratio_rank`` ranks post- over pre-period error among all units (Abadie et al. 2015).
    """
    design = Design(
        name="synthetic_control",
        unit_weights="fitted",
        period_weights="none",
        unit_intercept=False,
        unit_penalty=HARDLY_ANY,
        as_in=_known(as_in),
    )
    return _estimate(panel, design, conf_level, power, rng, n_draws, inference)


def synthetic_did(
    panel, *, as_in="optimum", conf_level=0.95, power=0.8, rng=None, n_draws=200, inference=True
):
    """Estimate the effect as a difference in differences with fitted unit and period weights.

    Parameters
    ----------
    panel : Panel
    as_in, conf_level, power, rng, n_draws, inference
        As in `synthetic_control`; R's function is ``synthdid::synthdid_estimate``.

    Returns
    -------
    Result
        As `synthetic_control`.

    Notes
    -----
    Arkhangelsky, Athey, Hirshberg, Imbens and Wager (2021), Algorithm 1: unit weights with intercept and
    penalty zeta^2 T_pre, zeta = (N_tr T_post)^(1/4) x sd of the comparisons' first differences; period
    weights with intercept and hardly any penalty. Errors: Algorithm 4 over every
    comparison unit, zeta held fixed as in R.
    """
    penalty = (panel.n_treated * (len(panel.periods) - panel.n_pre)) ** 0.25
    design = Design(
        name="synthetic_did",
        unit_weights="fitted",
        period_weights="fitted",
        unit_penalty=penalty,
        as_in=_known(as_in),
    )
    return _estimate(panel, design, conf_level, power, rng, n_draws, inference)


def _known(as_in):
    if as_in not in ("optimum", "synthdid"):
        raise ValueError(f"as_in == {as_in!r}, must be 'optimum' or 'synthdid'")
    return as_in


def _estimate(panel, design, conf_level, power, rng, n_draws, inference):
    donors, treated = panel.outcome[~panel.treated], panel.outcome[panel.treated].mean(axis=0)
    if len(donors) < 2:
        raise EstimationError(f"{design.name}: {len(donors)} comparison units; at least 2 are needed")
    noise = float(np.std(np.diff(donors[:, : panel.n_pre], axis=1), ddof=1)) if panel.n_pre > 1 else 0.0
    fit = fit_design(donors, treated, panel.n_pre, design, noise)
    result = _result(panel, design, fit)
    if not inference:
        return result
    fits, names = _placebos(panel, donors, design, noise, fit, rng, n_draws)
    placebos = np.array([one.effect for one in fits])
    error = (
        _comparison_error(donors, panel) if design.unit_weights == "equal" and panel.n_treated == 1 else None
    )
    df = len(donors) - 1
    answer = placebo_inference(fit.effect, placebos, std_error=error, df=df, conf_level=conf_level)
    result = replace(
        result,
        table=tidy(term=["effect"], estimate=fit.effect, **answer),
        model={
            **result.model,
            "placebos": placebos,
            "placebo_units": names,
            "placebo_gaps": np.array([one.gap for one in fits]),
        },
    )
    detectable = smallest_detectable_effect(answer["std_error"], df=df, conf_level=conf_level, power=power)
    return result.with_diagnostics(
        smallest_detectable_effect=detectable,
        **_ranks(fit, fits, placebos),
        **_leave_one_out(donors, treated, panel.n_pre, design, noise, fit),
    )


def _placebos(panel, donors, design, noise, fit, rng, n_draws):
    """Fit every comparison unit (or drawn groups of them) as if it were the treated one."""
    names = tuple(np.array(panel.units, dtype=object)[~panel.treated])
    groups = [[unit] for unit in range(len(donors))]
    if panel.n_treated > 1:
        groups, names = _drawn_groups(len(donors), panel.n_treated, rng, n_draws), ()
    fits = []
    for group in groups:
        rest = np.delete(np.arange(len(donors)), group)
        start = fit.unit_weights[rest]
        start = start / start.sum() if start.sum() > 0 else None
        starts, pretended = (start, fit.period_weights), donors[group].mean(axis=0)
        fits.append(fit_design(donors[rest], pretended, panel.n_pre, design, noise, starts))
    return fits, names


def _drawn_groups(n_donors, n_treated, rng, n_draws):
    if rng is None:
        raise EstimationError(f"{n_treated} treated units: placebo groups are drawn at random; pass rng")
    if n_donors < n_treated + 2:
        raise EstimationError(
            f"{n_donors} comparison units for {n_treated} treated ones; placebos need at least two more"
        )
    return [rng.choice(n_donors, n_treated, replace=False) for _ in range(n_draws)]


def _comparison_error(donors, panel):
    change = donors[:, panel.n_pre :].mean(axis=1) - donors[:, : panel.n_pre].mean(axis=1)
    return float(np.std(change, ddof=1) * np.sqrt(1.0 + 1.0 / len(donors)))


def _ranks(fit, fits, placebos):
    median = float(np.median([one.rmspe[0] for one in fits]))
    return {
        "effect_rank": placebo_rank(fit.effect, placebos),
        "placebos_plus_one": len(fits) + 1,
        "rmspe_ratio_rank": placebo_rank(fit.rmspe_ratio, np.array([one.rmspe_ratio for one in fits])),
        "prefit_ratio": fit.rmspe[0] / median if median > 0 else float("nan"),
    }


def _with_error(result, error, df, conf_level, power):
    effect = float(result.table["estimate"].iloc[0])
    reach = t_quantile(df, (1.0 + conf_level) / 2.0) * error
    limits = {"std_error": error, "conf_low": effect - reach, "conf_high": effect + reach}
    p_value = 2.0 * t_probability(df, -abs(effect) / error) if error > 0 else float("nan")
    table = tidy(term=["effect"], estimate=effect, p_value=p_value, **limits)
    detectable = smallest_detectable_effect(error, df=df, conf_level=conf_level, power=power)
    return replace(result, table=table).with_diagnostics(smallest_detectable_effect=detectable)


def _leave_one_out(donors, treated, n_pre, design, noise, fit):
    if len(donors) < 3:
        return {"leave_one_out_low": float("nan"), "leave_one_out_high": float("nan")}
    effects = [
        fit_design(
            np.delete(donors, unit, axis=0), treated, n_pre, replace(design, as_in="optimum"), noise
        ).effect
        for unit in np.flatnonzero(fit.unit_weights > 1e-6)
    ]
    return {"leave_one_out_low": min(effects), "leave_one_out_high": max(effects)}


def _result(panel, design, fit):
    before, after = fit.rmspe
    return Result(
        kind="model",
        table=tidy(term=["effect"], estimate=fit.effect),
        estimand=Estimand(
            name="average_effect_on_treated",
            exposure="treated",
            summary="mean_over_post_periods",
            design=design.name,
        ),
        model={
            "units": tuple(np.array(panel.units, dtype=object)[~panel.treated]),
            "periods": panel.periods,
            "unit_weights": fit.unit_weights,
            "period_weights": fit.period_weights,
            "gap": fit.gap,
        },
        provenance=Provenance(method=f"evalkit.estimators.{design.name}", options={"as_in": design.as_in}),
        diagnostics={
            "comparisons": len(panel.units) - panel.n_treated,
            "periods_before": panel.n_pre,
            "periods_after": len(panel.periods) - panel.n_pre,
            "rmspe_pre": float(before),
            "rmspe_post": float(after),
            "effective_donors": float(1.0 / (fit.unit_weights**2).sum()),
        },
    )
