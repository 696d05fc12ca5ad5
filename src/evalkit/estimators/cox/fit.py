"""Proportional hazards: which persons leave sooner."""

from dataclasses import replace

import numpy as np

from evalkit.errors import EstimationError
from evalkit.estimators._counting import (
    event_codes,
    is_robust,
    rarer_side,
    require_clusters,
    row_counts,
    total,
    units_of,
)
from evalkit.estimators._limits import chi_square, quantile, require_one_of, two_sided
from evalkit.estimators.cox.maximise import beginning, maximise, require_variation, root_of
from evalkit.estimators.cox.partial import design, evaluate, score_columns
from evalkit.estimators.cox.predict import reference_hazard
from evalkit.result import Estimand, Provenance, Result, tidy


def cox(at_risk, *, ties="efron", cause=None, conf_level=0.95, robust=None):
    """Estimate log hazard ratios by Cox's partial likelihood.

    Parameters
    ----------
    at_risk : AtRisk
        Its covariates are the model; each stratum has its own baseline hazard.
    ties : {"efron", "breslow"}
        Approximation where several events fall in one week.
    cause, conf_level
        As in :func:`kaplan_meier`.
    robust : bool, optional
        Errors by cluster (else person) from score residuals. Default: where there is a cluster, a weight
        other than 1, or a person with several events.

    Returns
    -------
    Result
        Kind ``model``: one row per term, ``estimate`` the log hazard ratio (:func:`hazard_ratios` turns it).
        ``model``: terms, estimates, covariance, covariance_naive, means, n_term (persons on the rarer side of
        a 0/1 covariate) and the cumulative baseline hazard at all covariates 0 (baseline_time,
        baseline_hazard, baseline_group, groups). ``diagnostics``: log likelihoods, likelihood-ratio, score
        and Wald tests.

    Raises
    ------
    EstimationError
        No events or covariates; a covariate that is constant among those at risk, or a combination of others;
        covariates that separate events perfectly; no convergence.

    Notes
    -----
    Equals ``coxph(Surv(entry, exit, event) ~ ... + strata(), ties = , cluster = )`` of R survival (Therneau
    and Grambsch 2000, 3.1, 3.3, 7.1). ``count`` k is k rows; ``weight`` is R's ``weights``: tied events share
    their mean weight under Efron. Score and likelihood-ratio tests assume independent rows, the Wald test
    uses the errors shown. Cost is linear in the rows, clusters or not.

    Examples
    --------
    Leaving in the order M, F, M, F: with x = exp(coefficient) of M the likelihood is
    x/(2x + 2) * 1/(x + 2) * x/(x + 1), largest at x = (1 + sqrt(17)) / 2.

    >>> import pandas as pd
    >>> from evalkit.atrisk import AtRisk
    >>> frame = pd.DataFrame({"weeks": [1, 2, 3, 4], "left": 1, "sex": list("MFMF")})
    >>> fit = cox(AtRisk.from_frame(frame, exit="weeks", event="left", covariates=["sex"]))
    >>> round(float(np.exp(fit.table["estimate"][0])), 4)
    2.5616
    """
    require_one_of("ties", ties, ("efron", "breslow"))
    quantile(conf_level)
    events = event_codes(at_risk, cause)
    _require_something(at_risk, events)
    robust = is_robust(at_risk, robust)
    model, diagnostics = _fit(at_risk, events, ties, robust)
    options = {"ties": ties, "cause": cause, "conf_level": conf_level, "robust": robust}
    return Result(kind="model", table=_table(model, at_risk, events, conf_level), model=model,
                  diagnostics={**diagnostics, "ties": ties},
                  provenance=Provenance(method="cox", options=options),
                  estimand=Estimand(name="hazard_ratio", summary="log_hazard_ratio", unit="log_ratio"))


def hazard_ratios(result):
    """Return a result of :func:`cox` with hazard ratios for their logarithms.

    Limits are the transformed limits; ``std_error`` is the ratio times the error of its logarithm.

    Examples
    --------
    >>> import pandas as pd
    >>> from evalkit.atrisk import AtRisk
    >>> frame = pd.DataFrame({"weeks": [1, 2, 3, 4], "left": 1, "sex": list("MFMF")})
    >>> fit = cox(AtRisk.from_frame(frame, exit="weeks", event="left", covariates=["sex"]))
    >>> hazard_ratios(fit).table["estimate"].round(4).tolist()
    [2.5616]
    """
    table = result.table.copy()
    table[["estimate", "conf_low", "conf_high"]] = np.exp(table[["estimate", "conf_low", "conf_high"]])
    table["std_error"] = table["std_error"] * table["estimate"]
    estimand = replace(result.estimand, summary="hazard_ratio", unit="ratio")
    return replace(result, table=table, estimand=estimand)


def _fit(at_risk, events, ties, robust):
    """Maximise on scaled covariates; return model and diagnostics on the covariates' own scale."""
    plan, mean, scale = design(at_risk, events, ties)
    null = evaluate(plan, np.zeros(len(at_risk.terms)))
    require_variation(null.information, len(plan.died), at_risk.terms)
    beta, fit, steps = maximise(lambda beta: evaluate(plan, beta), beginning(plan, null), at_risk.terms,
                                root_of(null.information))
    naive = covariance = np.linalg.inv(fit.information)
    if robust:
        require_clusters(at_risk)
        covariance = _between_units(at_risk, plan, fit, naive)
    clusters = None if at_risk.cluster is None else len(np.unique(at_risk.cluster))
    diagnostics = {**_tests(null, fit, beta, covariance), "steps": steps, "clusters": clusters,
                   "strata_with_events": int(plan.block_of_time[-1]) + 1}
    unscale = np.outer(scale, scale)
    return {"terms": at_risk.terms, "estimates": beta / scale, "covariance": covariance / unscale,
            "covariance_naive": naive / unscale, "means": mean, "n_term": rarer_side(at_risk),
            **_baseline(plan, fit, mean @ (beta / scale), at_risk),
            **reference_hazard(plan, fit, scale, at_risk)}, diagnostics


def _require_something(at_risk, events):
    if not at_risk.terms:
        raise EstimationError("cox: the at-risk table has no covariates; "
                              "name them in AtRisk.from_frame(covariates=...)")
    if not events.any():
        raise EstimationError(f"cox: no event among {at_risk.n_persons} persons, so no hazard can be "
                              "compared. Look at the event's definition and the length of follow-up")


def _between_units(at_risk, plan, fit, naive):
    """Add up the influence of the rows of each unit, and square."""
    units = units_of(at_risk)
    code, weight = units.code[plan.row], units.weight[plan.row]
    sums = np.column_stack([total(code, weight * score, len(units.copies)) for score in score_columns(plan, fit)])
    influence = sums @ naive
    return influence.T @ (influence * units.copies[:, None])


def _tests(null, fit, beta, covariance):
    statistics = {"likelihood_ratio": 2 * (fit.value - null.value),
                  "score": float(null.gradient @ np.linalg.solve(null.information, null.gradient)),
                  "wald": _wald(beta, covariance)}
    tests = {f"{name}_chi_square": value for name, value in statistics.items()}
    tests |= {f"{name}_p_value": chi_square(value, len(beta)) for name, value in statistics.items()}
    return {"log_likelihood_null": null.value, "log_likelihood": fit.value, "df": len(beta), **tests}


def _wald(beta, covariance):
    """Return the Wald statistic; missing where fewer clusters than covariates leave the errors singular."""
    if np.linalg.matrix_rank(covariance, hermitian=True) < len(beta):
        return np.nan
    return float(beta @ np.linalg.solve(covariance, beta))


def _baseline(plan, fit, at_mean, at_risk):
    """Cumulate the hazard of a row with all covariates 0 within each stratum."""
    hazard = fit.hazard * np.exp(-fit.shift[plan.block_of_time] - at_mean)
    total = np.cumsum(hazard)
    start = np.searchsorted(plan.stratum, plan.stratum)
    return {"baseline_time": plan.time, "baseline_hazard": total - (total - hazard)[start],
            "baseline_group": plan.stratum, "groups": at_risk.strata_labels or ("",)}


def _table(model, at_risk, events, conf_level):
    estimate, error = model["estimates"], np.sqrt(np.diag(model["covariance"]))
    # Clusters that all agree leave a robust error of rounding only; a p-value of it would be noise.
    is_real = error > 1e-7 * np.sqrt(np.diag(model["covariance_naive"]))
    z = np.divide(estimate, error, out=np.full(len(error), np.nan), where=is_real)
    margin = quantile(conf_level) * error
    n_events = row_counts(at_risk)[events > 0].sum()
    return tidy(term=list(model["terms"]), estimate=estimate, std_error=error, conf_low=estimate - margin,
                conf_high=estimate + margin, p_value=two_sided(z), n_persons=at_risk.n_persons,
                n_events=n_events)
