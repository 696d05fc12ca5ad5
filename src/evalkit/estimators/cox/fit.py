"""Proportional hazards: which persons leave sooner."""

from dataclasses import replace

import numpy as np

from evalkit.errors import EstimationError
from evalkit.estimators._clusters import clusters_told
from evalkit.estimators._counting import event_codes, require_covariates, require_events, require_rows, total
from evalkit.estimators._gaps import gaps_of
from evalkit.estimators._limits import quantile, require_one_of
from evalkit.estimators._profiles import range_of
from evalkit.estimators._rarest import n_reference, rarer_side
from evalkit.estimators._units import is_robust, require_clusters, units_of
from evalkit.estimators.cox.baseline import baseline, reference_hazard
from evalkit.estimators.cox.inference import likelihood_ratio, table_of, tests, wald_limits
from evalkit.estimators.cox.maximise import beginning, maximise, require_variation, root_of
from evalkit.estimators.cox.partial import design, evaluate, score_columns
from evalkit.estimators.cox.penalty import (
    firth_likelihood,
    maximise_penalised,
    profiled,
    ridge_likelihood,
    ridge_weights,
)
from evalkit.estimators.cox.varying import describe, vary
from evalkit.result import Estimand, Provenance, Result


def cox(at_risk, *, ties="efron", cause=None, offset=None, varying=None, ridge=None, ridge_scale=True,
        firth=False, conf_level=0.95, robust=None):
    """Estimate log hazard ratios by Cox's partial likelihood, penalised if so asked.

    Parameters
    ----------
    at_risk : AtRisk
        Its covariates are the model; each stratum has its own baseline hazard.
    ties : {"efron", "breslow"}
        Approximation where several events fall in one week.
    cause, conf_level
        As in :func:`kaplan_meier`.
    offset : array_like, optional
        Of each row: added to its log hazard with coefficient 1.
    varying : dict, optional
        Effects that change with time, by covariate. Weeks, ``{"course": (26, 52)}``: an effect in each of
        (0, 26], (26, 52] and after, terms ``course(0-26]`` and so on. A function of an array of weeks,
        ``{"age": np.log}``: the term ``age:log``, age times the function, beside ``age``.
    ridge : float or dict, optional
        theta: subtracts theta / 2 beta**2, with ``ridge_scale`` times the covariate's variance. A dict names
        the penalised terms.
    firth : bool
        Add half the log determinant of the information: a maximum under separation, less bias with few
        events.
    robust : bool, optional
        Errors by cluster (else person) from score residuals. Default: where there is a cluster, a weight
        other than 1, or a person with several events.

    Returns
    -------
    Result
        Kind ``model``: one row per term, ``estimate`` the log hazard ratio (:func:`hazard_ratios` turns it).
        ``model``: terms, estimates, covariance, covariance_naive, means, n_term (persons on the rarer side of
        a 0/1 covariate), and what :func:`predict_survival` reads, the cumulated hazard at covariates 0 among
        it. ``diagnostics``: log likelihoods, likelihood-ratio, score and Wald tests, ``df`` (effective),
        ``clusters``, and a ``warning`` where these are fewer than 20 or no more than the terms.

    Raises
    ------
    EstimationError
        No events or covariates; a covariate that is constant among those at risk, or a combination of others;
        covariates that separate events perfectly; no convergence.

    Warns
    -----
    UserWarning
        No more clusters than terms: no test of all terms exists. So warns every estimator with clusters.

    Notes
    -----
    ``coxph`` of R survival and ``coxphf`` (see docs/methods/cox.md for what differs). ``count`` k is k rows;
    ``weight`` is R's ``weights``. Under Firth limits and p-values are those of the penalised profile.

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
    result = fit_cox(at_risk, "cox", ties=ties, cause=cause, offset=offset, varying=varying, ridge=ridge,
                     ridge_scale=ridge_scale, firth=firth, conf_level=conf_level, robust=robust)
    return result.with_diagnostics(**clusters_told(at_risk, len(result.model["terms"]), "cox",
                                                   result.provenance.options["robust"]))


def fit_cox(at_risk, name, *, ties="efron", cause=None, offset=None, varying=None, ridge=None,
            ridge_scale=True, firth=False, conf_level=0.95, robust=None):
    """Fit the model of :func:`cox` for the function that is named in errors; it counts no clusters."""
    require_one_of("ties", ties, ("efron", "breslow"))
    if firth and ridge is not None:
        raise ValueError("firth and ridge are two penalties, choose one")
    quantile(conf_level)
    robust, offset = is_robust(at_risk, robust), _offset(offset, at_risk, name)
    seen = {"covariate_range": range_of(at_risk), "gaps": gaps_of(at_risk)}
    at_risk, offset, varied = vary(at_risk, offset, varying)
    if firth and varied.by_function.any():
        raise EstimationError("cox: firth is not derived for an effect that is a function of time; use steps")
    events = event_codes(at_risk, cause)
    require_covariates(at_risk, name)
    require_events(at_risk, events, name, cause)
    penalty = "firth" if firth else None if ridge is None else ridge_weights(at_risk, ridge, ridge_scale)
    model, diagnostics, limits = _fit(at_risk, events, ties, offset, varied, penalty, robust, conf_level,
                                      name)
    options = {"ties": ties, "cause": cause, "offset": offset is not None, "varying": describe(varying),
               "ridge": ridge, "ridge_scale": ridge_scale, "firth": firth, "conf_level": conf_level,
               "robust": robust}
    return Result(kind="model", table=table_of(model, at_risk, events, limits), model={**model, **seen},
                  diagnostics={**diagnostics, "ties": ties},
                  provenance=Provenance(method="cox", options=options),
                  estimand=Estimand(name="hazard_ratio", summary="log_hazard_ratio", unit="log_ratio"))


# Beyond this logarithm a ratio leaves the numbers that a computer has.
_LARGEST_LOG = 700.0


def hazard_ratios(result):
    """Return a result of :func:`cox` or :func:`shared_frailty` with hazard ratios for their logarithms.

    Limits are the transformed limits; ``std_error`` is the ratio times the error of its logarithm.

    Raises
    ------
    EstimationError
        A result whose estimates are no logarithms of hazard ratios, or of which a ratio leaves the numbers of
        a computer.

    Examples
    --------
    >>> import pandas as pd
    >>> from evalkit.atrisk import AtRisk
    >>> frame = pd.DataFrame({"weeks": [1, 2, 3, 4], "left": 1, "sex": list("MFMF")})
    >>> fit = cox(AtRisk.from_frame(frame, exit="weeks", event="left", covariates=["sex"]))
    >>> hazard_ratios(fit).table["estimate"].round(4).tolist()
    [2.5616]
    """
    if result.estimand.summary not in ("log_hazard_ratio", "rate"):
        raise EstimationError(f"hazard_ratios: {result.provenance.method or 'this result'} estimates no log "
                              "hazard ratios; give a result of cox, shared_frailty, cause_specific, "
                              "fine_gray, transition_cox, or of weekly hazards")
    table = result.table.copy()
    ratios = table["term"].isin(result.model["terms"])
    columns = ["estimate", "conf_low", "conf_high"]
    far = ratios & (table[columns].abs() > _LARGEST_LOG).any(axis=1)
    if far.any():
        raise EstimationError(f"hazard_ratios: {', '.join(table.loc[far, 'term'])}: the ratio of one unit, "
                              "or a limit of it, is 0 or infinite. Give the covariate in units of its spread")
    table.loc[ratios, columns] = np.exp(table.loc[ratios, columns])
    table.loc[ratios, "std_error"] *= table.loc[ratios, "estimate"]
    estimand = replace(result.estimand, summary="hazard_ratio", unit=_ratio_unit(result.estimand.unit))
    return replace(result, table=table, estimand=estimand)


def _ratio_unit(unit):
    if isinstance(unit, str):
        return "ratio"
    return {term: "ratio" if of_term == "log_ratio" else of_term for term, of_term in unit.items()}


def _fit(at_risk, events, ties, offset, varied, penalty, robust, conf_level, name):
    """Maximise on scaled covariates; return model, diagnostics and limits on the covariates' own scale."""
    plan, mean, scale = design(at_risk, events, ties, offset)
    plan = varied.place(plan)
    null = evaluate(plan, np.zeros(len(at_risk.terms)))
    is_ridge = isinstance(penalty, np.ndarray)
    # A ridge on every term shares an effect among covariates that say the same.
    require_variation(null.information, len(plan.died), at_risk.terms, name,
                      combinations=not (is_ridge and (penalty > 0).all()))
    beta, top, steps, likelihood = _maximum(plan, null, at_risk.terms, scale, penalty, name)
    fit = top if penalty is None else top.fit
    naive = covariance = np.linalg.inv(top.information)
    if robust:
        require_clusters(at_risk)
        covariance = _between_units(at_risk, plan, fit, naive)
    unscale = np.outer(scale, scale)
    model = {"terms": at_risk.terms, "estimates": beta / scale, "covariance": covariance / unscale,
             "covariance_naive": naive / unscale, "means": mean, "n_term": rarer_side(at_risk, events),
             "n_reference": n_reference(at_risk, events),
             **baseline(plan, fit, varied.at_reference(plan, mean) @ (beta / scale), at_risk),
             **reference_hazard(plan, fit, scale, at_risk), **varied.model(plan)}
    diagnostics = {**tests(null, fit, beta, covariance, float(np.trace(fit.information @ naive))),
                   "steps": steps, "strata_with_events": int(plan.block_of_time[-1]) + 1}
    if penalty is None or is_ridge or robust:
        return model, diagnostics, wald_limits(model, conf_level)
    low, high, p_value = profiled(likelihood, beta, top, at_risk.terms, conf_level)
    at_zero = likelihood(np.zeros(len(beta)))
    diagnostics |= likelihood_ratio(2 * (top.value - at_zero.value), len(beta))
    return model, diagnostics, {"conf_low": low / scale, "conf_high": high / scale, "p_value": p_value}


def _maximum(plan, null, terms, scale, penalty, name):
    """Return the coefficients at the maximum, the likelihood there, steps, and the likelihood itself."""
    if penalty is None:
        def likelihood(beta):
            return evaluate(plan, beta)
        root = root_of(null.information)
        return *maximise(likelihood, beginning(plan, null), terms, root, name=name), likelihood
    is_ridge = isinstance(penalty, np.ndarray)
    likelihood = ridge_likelihood(plan, penalty / scale**2) if is_ridge else firth_likelihood(plan)
    return *maximise_penalised(likelihood, np.zeros(len(terms)), terms, is_refused=is_ridge), likelihood


def _offset(offset, at_risk, name):
    if offset is None:
        return None
    offset = np.asarray(offset, dtype=float)
    require_rows("offset", offset, at_risk.n_rows)
    if not np.isfinite(offset).all():
        raise EstimationError(f"{name}: offset: {int((~np.isfinite(offset)).sum())} of {len(offset)} rows "
                              "are missing or infinite; leave these rows out")
    return offset


def _between_units(at_risk, plan, fit, naive):
    """Add up the influence of the rows of each unit, and square."""
    units = units_of(at_risk)
    code, weight = units.code[plan.row], units.weight[plan.row]
    sums = np.empty((len(naive), len(units.copies)))
    for of_units, score in zip(sums, score_columns(plan, fit), strict=True):
        of_units[:] = total(code, weight * score if plan.is_weighted else score, len(units.copies))
    return naive @ ((sums * units.copies) @ sums.T) @ naive
