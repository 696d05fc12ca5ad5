"""Cumulative incidence of each cause for given covariates, by hazards of causes or of a subdistribution."""

import numpy as np
import pandas as pd

from evalkit.errors import EstimationError
from evalkit.estimators._counting import require_distinct
from evalkit.estimators._gaps import gaps_before
from evalkit.estimators._limits import CONF_TYPES, quantile, require_one_of, share_limits
from evalkit.estimators._profiles import (
    covariates_of,
    curves_of,
    fewest_behind,
    limits_rest_on,
    name_of,
    require_within_reach,
)
from evalkit.estimators._units import units_of
from evalkit.estimators.competing.influence import fit_of
from evalkit.estimators.competing.paths import Fits, delta_variance, influence_variance, path_of
from evalkit.estimators.competing.subdistribution import STRATIFIED, design, evaluate
from evalkit.estimators.cox.predict import weeks_of
from evalkit.result import Estimand, Provenance, Result, tidy

METHODS = ("cause_specific", "fine_gray")


def predict_incidence(result, profiles, *, weeks=None, at_risk=None, conf_level=0.95, conf_type="log"):
    """Predict the share that has left by each cause, for persons with given covariates.

    Parameters
    ----------
    result : Result
        Of :func:`cause_specific` or :func:`fine_gray`.
    profiles : DataFrame
        As in :func:`predict_survival`: a row for each curve, a column for each term, the index names the
        curves; a column ``strata`` names the stratum of each.
    weeks : float or sequence of float, optional
        Default: every event time, and the ends of follow-up.
    at_risk : AtRisk, optional
        The table that the result was fitted on: errors are then those of the influence functions, by cluster,
        else person, through coefficients, hazards and (Fine-Gray) the weights of those who left by another
        cause.
    conf_level : float
    conf_type : {"log", "log-log", "plain"}

    Returns
    -------
    Result
        Kind ``curve``: terms as in :func:`aalen_johansen` (of Fine-Gray the one cause), group the profile's
        name (and stratum), rows at time 0 and at each week. ``n_persons`` counts all at risk just before the
        cause's last event up to the week, ``n_events`` its events since the row before. Gaps in observation
        are told as in :func:`predict_survival`.

    Raises
    ------
    EstimationError
        As in :func:`predict_survival`; ``at_risk`` that is not the table of the fit.

    Warns
    -----
    UserWarning
        No ``at_risk`` and a fit with clusters, weights or persons with several events: the limits take even
        then the events of the baseline as independent, and may be too short.

    Notes
    -----
    With hazards h_k(s) exp(x b_k), h their sum, S = exp(-sum of h): F_k(t) is the sum over s <= t of
    S(s-) (1 - exp(-h(s))) h_k(s) / h(s), so that S and all F_k add up to 1 whatever the covariates:
    ``survfit`` of a multi-state ``coxph`` of R survival. The product S(s-) h_k(s) of ``mstate::probtrans``
    and ``riskRegression::CSC`` differs where h is large. Of Fine-Gray, F = 1 - exp(-H), as
    ``cmprsk::predict.crr``. Without ``at_risk`` errors are those of the delta method with events independent
    and coefficients as shown in the result (``mstate`` also takes the increments of a predicted hazard as
    independent, which they are not); for Fine-Gray they then take the weights as known. Covariates must not
    change along the curve.

    References
    ----------
    .. [1] Cheng, Fine and Wei (1998), Biometrics 54, 219-228.
    .. [2] de Wreede, Fiocco and Putter (2010), Computer Methods and Programs in Biomedicine 99, 261-274.

    Examples
    --------
    Nobody differs in what is asked, so everybody has hazards 1/4 to JOB in week 1 and 1/3 to STUDY in week 2.

    >>> from evalkit.atrisk import AtRisk
    >>> from evalkit.estimators.competing import cause_specific
    >>> frame = pd.DataFrame({"weeks": [1, 2, 3, 3, 1, 2, 3, 3], "left": ["JOB", "STUDY", None, None] * 2,
    ...                       "x": [0.0] * 4 + [1.0] * 4})
    >>> table = AtRisk.from_frame(frame, exit="weeks", event="left", covariates=["x"])
    >>> fit = cause_specific(table, ties="breslow")
    >>> predicted = predict_incidence(fit, pd.DataFrame({"x": [0.5]}, index=["average"]), weeks=2).table
    >>> predicted.loc[predicted["time_weeks"] == 2, ["term", "estimate"]].round(3).values.tolist()
    [['survival', 0.558], ['JOB', 0.221], ['STUDY', 0.221]]
    """
    require_one_of("conf_type", conf_type, CONF_TYPES)
    quantile(conf_level)
    model = _require_model(result)
    require_distinct(["survival", *model["causes"]], "predict_incidence", "a cause", "it in causes")
    names, x = covariates_of(profiles, model["terms"], "predict_incidence")
    slopes = model["estimates"].reshape(len(model["causes"]), -1).T
    require_within_reach(x, model["covariate_range"], slopes, model["terms"], "predict_incidence")
    fits = _fits(result, at_risk)
    behind = fewest_behind(model, model["terms"], x)
    asked = curves_of(profiles, model["groups"], "predict_incidence")
    found = [(table, np.full(len(table), behind[row]))
             for row, code in asked
             for table in _curves(model, x[row], code, names[row], weeks, fits, (conf_level, conf_type))]
    tables, fewest = zip(*found, strict=True)
    gaps = gaps_before(model["gaps"], max(table["time_weeks"].max() for table in tables),
                       {model["groups"][code] for _, code in asked})
    options = {"conf_level": conf_level, "conf_type": conf_type, "has_influence": at_risk is not None,
               "weeks": None if weeks is None else np.atleast_1d(weeks).astype(float).tolist()}
    return Result(kind="curve", table=pd.concat(tables, ignore_index=True),
                  model={"n_behind": np.concatenate(fewest), "gaps": gaps},
                  diagnostics={"n_gaps": len(gaps), **limits_rest_on(at_risk, result, "predict_incidence")},
                  estimand=Estimand(name="predicted_incidence", summary=result.provenance.method,
                                    unit="share"),
                  provenance=Provenance(method="predict_incidence",
                                        options={**options, "model": dict(result.provenance.options)}))


def _require_model(result):
    if result.provenance.method not in METHODS or "reference_hazard" not in result.model:
        method = result.provenance.method or "unknown origin"
        raise EstimationError(f"predict_incidence: a result of {method}; give one of cause_specific "
                              "or fine_gray")
    return result.model


def _curves(model, x, code, profile, weeks, fits, limits):
    """Tabulate all curves of one profile in one stratum."""
    group, end = model["groups"][code], model["follow_up_weeks"][code]
    path = path_of(model, x, code)
    weeks = weeks_of(weeks, path.times, end, group, "predict_incidence")
    last = np.searchsorted(path.times, weeks, side="right")
    has_survival = len(path.terms) > len(model["causes"])
    variance = delta_variance(path, model["covariance"]) if fits is None else None
    for k, term in enumerate(path.terms):
        estimate = np.append(1.0 if has_survival and k == 0 else 0.0, path.level[:, k])[last]
        error = np.sqrt(np.append(0.0, variance[:, k])[last] if fits is None else
                        influence_variance(path, fits, k, last))
        low, high = share_limits(estimate, error, *limits)
        low[0] = high[0] = estimate[0]
        yield tidy(term=term, group=name_of(profile, group), time_weeks=weeks, estimate=estimate,
                   std_error=error, conf_low=low, conf_high=high,
                   **_counts(model, code, k - has_survival, weeks))


def _counts(model, code, cause, weeks):
    """Count persons at risk and events, of one cause or (-1) of all."""
    mine = (model["baseline_group"] == code) & ((model["baseline_cause"] == cause) | (cause < 0))
    order = np.argsort(model["baseline_time"][mine], kind="stable")
    times = model["baseline_time"][mine][order]
    last = np.searchsorted(times, weeks, side="right")
    n_events = np.append(0.0, np.cumsum(model["baseline_n_events"][mine][order]))[last]
    n_persons = np.append(model["n_at_start"][code], model["baseline_n_persons"][mine][order])[last]
    return {"n_persons": n_persons, "n_events": np.diff(n_events, prepend=0.0)}


def _fits(result, at_risk):
    """Fit nothing again: place the rows and read the influence at the result's coefficients."""
    if at_risk is None:
        return None
    model, options, method = result.model, result.provenance.options, result.provenance.method
    if at_risk.terms != model["terms"] or not set(model["causes"]) <= set(at_risk.causes):
        terms = ", ".join(at_risk.terms) or "none"
        raise EstimationError(f"predict_incidence: at_risk has the terms {terms}, the result "
                              f"{', '.join(model['terms'])}; give the table that was fitted")
    fits, width = [], len(model["terms"])
    for k, cause in enumerate(model["causes"]):
        plan, _, scale = design(at_risk, at_risk.causes.index(cause) + 1, options["ties"],
                                options.get("stratified", STRATIFIED), method == "fine_gray")
        at = evaluate(plan, model["estimates"][k * width:(k + 1) * width] * scale)
        if np.abs(at.gradient).max() > 1e-3 * np.sqrt(np.diag(at.information).max()):
            raise EstimationError(f"predict_incidence: the coefficients of {cause} are not those of at_risk; "
                                  "give the table that was fitted")
        fits.append((fit_of(at_risk, plan, at), scale))
    return Fits(units=units_of(at_risk), parts=fits, means=model["means"])
