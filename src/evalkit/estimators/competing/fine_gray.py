"""Regression on the cumulative incidence of one cause: Fine and Gray's subdistribution hazard."""

from dataclasses import replace
from functools import partial

import numpy as np

from evalkit.errors import EstimationError
from evalkit.estimators._clusters import clusters_told
from evalkit.estimators._counting import event_codes, require_covariates, require_events
from evalkit.estimators._gaps import gaps_of
from evalkit.estimators._limits import chi_square, quantile, require_one_of
from evalkit.estimators._profiles import range_of
from evalkit.estimators._rarest import n_reference, rarer_side
from evalkit.estimators._units import is_robust, require_clusters, units_of
from evalkit.estimators.competing.influence import ERRORS, fit_of
from evalkit.estimators.competing.subdistribution import STRATIFIED, design, evaluate, require_cause
from evalkit.estimators.cox.baseline import baseline, reference_hazard
from evalkit.estimators.cox.inference import square, table_of, wald_limits
from evalkit.estimators.cox.maximise import maximise, require_variation, root_of
from evalkit.result import Estimand, Provenance, Result


def fine_gray(at_risk, *, cause, ties="efron", stratified=STRATIFIED, errors="influence", conf_level=0.95):
    """Estimate log subdistribution hazard ratios: what moves the share that has left by one cause.

    Parameters
    ----------
    at_risk : AtRisk
        Its covariates are the model; delayed entry, weights, counts and clusters count.
    cause : str
        The cause asked for; any other event is a competing exit.
    ties : {"efron", "breslow"}
    stratified : sequence of {"baseline", "censoring"}
        Whether the strata have baseline hazards, and weights of those who left by another cause, of their
        own.
    errors : {"influence", "fine_gray", "fixed_weights"}
        All by cluster, else person, else row; see Notes.
    conf_level : float

    Returns
    -------
    Result
        Kind ``model``, ``group`` the cause; ``model`` and ``diagnostics`` as in :func:`cox`.

    Raises
    ------
    EstimationError
        As in :func:`cox`; everybody at risk has an event before others enter; ``errors="fine_gray"`` with
        delayed entry.

    Notes
    -----
    Who left by another cause at T stays in the risk set with weight g(t) / g(T); g is the Kaplan-Meier
    estimate of not being censored, times that of having entered (Geskus 2011, eq. 11). No row is expanded.
    Equal to ``coxph(Surv(fgstart, fgstop, fgstatus) ~ ., weights = fgwt)`` on ``survival::finegray``, and
    with ``ties="breslow"`` to ``cmprsk::crr`` where no censoring shares a week with an event (crr censors
    first; here, as in finegray, events come first). ``weight`` also weights g, which finegray leaves
    unweighted. Where all enter before or in the week of the first exit, finegray leaves late entry out of g.
    Where the last of a group of censoring leave by an event, g stays what it was; crr sets it 0, so that
    even without any censoring its answer depends on the groups.

    Errors: ``influence`` is the derivative by each unit's weight, estimated g included. ``fine_gray`` writes
    the part of g by martingales of censoring (Fine and Gray 1999, section 5; crr's): it differs by a share of
    1 / (persons at risk). ``fixed_weights`` takes g as known: ``coxph(cluster = id)`` on finegray's rows.

    References
    ----------
    .. [1] Fine and Gray (1999), Journal of the American Statistical Association 94, 496-509.
    .. [2] Geskus (2011), Biometrics 67, 39-49.

    Examples
    --------
    The first F leaves to STUDY and stays in the risk set. With x = exp(coefficient) of M the likelihood of
    the exits to JOB (M, F, M) is x/(2x + 2) * 1/(x + 2) * x/(x + 1), largest at x = (1 + sqrt(17)) / 2.

    >>> import pandas as pd
    >>> from evalkit.atrisk import AtRisk
    >>> frame = pd.DataFrame({"weeks": [1, 2, 3, 4], "left": ["STUDY", "JOB", "JOB", "JOB"],
    ...                       "sex": list("FMFM")})
    >>> table = AtRisk.from_frame(frame, exit="weeks", event="left", covariates=["sex"])
    >>> fit = fine_gray(table, cause="JOB")
    >>> round(float(np.exp(fit.table["estimate"][0])), 4)
    2.5616
    """
    require_one_of("ties", ties, ("efron", "breslow"))
    require_one_of("errors", errors, ERRORS)
    for part in stratified:
        require_one_of("stratified", part, STRATIFIED)
    quantile(conf_level)
    own = event_codes(at_risk, require_cause(at_risk, cause, "fine_gray")) > 0
    require_covariates(at_risk, "fine_gray", ", or use aalen_johansen for the incidence itself")
    require_events(at_risk, own, "fine_gray", cause)
    _require_errors(at_risk, errors)
    model, diagnostics = _fit(at_risk, cause, ties, stratified, errors)
    options = {"cause": cause, "ties": ties, "stratified": list(stratified), "errors": errors,
               "conf_level": conf_level}
    table = table_of(model, at_risk, own, wald_limits(model, conf_level))
    return Result(kind="model", table=table.assign(group=cause), model=model,
                  diagnostics=diagnostics, provenance=Provenance(method="fine_gray", options=options),
                  estimand=Estimand(name="subdistribution_hazard_ratio", summary="log_hazard_ratio",
                                    unit="log_ratio"))


def _fit(at_risk, cause, ties, stratified, errors):
    plan, mean, scale = design(at_risk, at_risk.causes.index(cause) + 1, ties, stratified)
    likelihood, zero = partial(evaluate, plan), np.zeros(len(at_risk.terms))
    null = likelihood(zero)
    require_variation(null.information, len(plan.died), at_risk.terms, "fine_gray")
    beta, at, steps = maximise(likelihood, (zero, null), at_risk.terms, root_of(null.information),
                               name="fine_gray")
    group = at_risk.strata if "censoring" in stratified else None
    covariance = units_of(at_risk).covariance(fit_of(at_risk, plan, at, errors, group).coefficients)
    unscale = np.outer(scale, scale)
    wald = square(beta, covariance)
    pooled = at_risk if "baseline" in stratified else replace(at_risk, strata=None, strata_labels=())
    own = at_risk.event == at_risk.causes.index(cause) + 1
    diagnostics = {"log_likelihood_null": null.value, "log_likelihood": at.value, "df": len(beta),
                   "steps": steps, "wald_chi_square": wald, "wald_p_value": chi_square(wald, len(beta)),
                   "ties": ties, **clusters_told(at_risk, len(beta), "fine_gray")}
    return {"terms": at_risk.terms, "estimates": beta / scale, "covariance": covariance / unscale,
            "covariance_naive": np.linalg.inv(at.information) / unscale, "means": mean,
            "covariate_range": range_of(at_risk), "n_term": rarer_side(at_risk, own),
            "n_reference": n_reference(at_risk, own), "causes": (cause,), "has_survival": False,
            "robust": is_robust(at_risk, None),
            "baseline_cause": np.zeros(len(plan.time), dtype=np.int64), "gaps": gaps_of(pooled),
            **baseline(plan, at, mean @ (beta / scale), pooled), **reference_hazard(plan, at, scale, pooled)
            }, diagnostics


def _require_errors(at_risk, errors):
    require_clusters(at_risk)
    if errors == "fine_gray" and (at_risk.entry > 0).any():
        raise EstimationError(f"fine_gray: {int((at_risk.entry > 0).sum())} rows enter after time zero, for "
                              'which Fine and Gray give no errors; use errors="influence"')
