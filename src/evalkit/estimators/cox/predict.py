"""Survival that Cox's model predicts for given covariates, with limits."""

import numpy as np
import pandas as pd

from evalkit.errors import EstimationError
from evalkit.estimators._gaps import gaps_before
from evalkit.estimators._limits import CONF_TYPES, amount_limits, quantile, require_one_of, share_limits
from evalkit.estimators._profiles import (
    asked_weeks,
    covariates_of,
    curves_of,
    fewest_behind,
    limits_rest_on,
    name_of,
    require_follow_up,
    require_within_reach,
)
from evalkit.estimators.cox.influence import influences_of, spread
from evalkit.result import Estimand, Provenance, Result, tidy

QUANTITIES = ("survival", "cumulative_hazard")


def predict_survival(result, profiles, *, weeks=None, at_risk=None, offset=None, quantity="survival",
                     conf_level=0.95, conf_type="log"):
    """Predict the share without the event, or the cumulative hazard, of persons with given covariates.

    Parameters
    ----------
    result : Result
        Of :func:`cox`.
    profiles : DataFrame
        A row for each curve, a column for each term of the covariates (a category by its columns: ``sex[M]``
        is 0 or 1); the index names the curves. A column ``strata`` names the stratum of each; without it
        every profile gets a curve in every stratum.
    weeks : float or sequence of float, optional
        Default: every event time, and the ends of follow-up.
    at_risk : AtRisk, optional
        The table that the result was fitted on: errors are then those of the influence functions, by cluster,
        else person, else row, through coefficients and baseline hazard.
    offset : array_like, optional
        Beside ``at_risk``, where the model was fitted with one: the same. Predictions have an offset of 0.
    quantity : {"survival", "cumulative_hazard"}
    conf_level : float
    conf_type : {"log", "log-log", "plain"}
        For a cumulative hazard ``log`` or ``plain``.

    Returns
    -------
    Result
        Kind ``curve``: term ``survival`` or ``cumulative_hazard``, group the profile's name (and stratum),
        rows at time 0 and at each week. ``n_persons`` counts all at risk in the stratum just before its last
        event up to the week, ``n_events`` all its events since the row before.
        Gaps in observation are told as in :func:`kaplan_meier`: a hazard that is unknown counts as 0, so the
        curve is that of those still there.

    Raises
    ------
    EstimationError
        A result of another model; columns that are missing, unknown or no finite numbers; a profile farther
        from the data than these are wide; a stratum that the model does not have; a week beyond the follow-up
        of a stratum; ``at_risk`` that is not the table of the fit.

    Warns
    -----
    UserWarning
        No ``at_risk`` and a fit with robust errors: the limits take events as independent.

    Notes
    -----
    H(t | x) = sum over s <= t of exp(x b) h(s), with the hazard h that belongs to the model's ``ties``, and
    S = exp(-H): ``survfit(coxph(...), newdata = )`` of R survival with its defaults for ``stype`` and
    ``ctype``. Without ``at_risk`` the error is R's: that of the coefficients (robust where the fit is) added
    to that of hazards whose events are independent, too short where persons or events depend or weights
    differ. With it the error is the infinitesimal jackknife's of coefficients and hazards together, as in
    :func:`standardised_survival`. Covariates must not change along the curve.

    References
    ----------
    .. [1] Therneau and Grambsch (2000), Modeling Survival Data, 10.2 and 10.5; Tsiatis (1981), Annals of
       Statistics 9, 93-108.

    Examples
    --------
    Nobody differs, so all have the hazard of two tied events among four persons: 1/4 + 1/3 (Efron).

    >>> from evalkit.atrisk import AtRisk
    >>> from evalkit.estimators import cox
    >>> frame = pd.DataFrame({"weeks": [1, 1, 2, 2], "left": [1, 1, 0, 0], "x": [1.0, 0.0, 1.0, 0.0]})
    >>> fit = cox(AtRisk.from_frame(frame, exit="weeks", event="left", covariates=["x"]))
    >>> predicted = predict_survival(fit, pd.DataFrame({"x": [0.5]}), weeks=[0.5, 1, 2],
    ...                              quantity="cumulative_hazard").table
    >>> predicted["estimate"].round(3).tolist()
    [0.0, 0.0, 0.583, 0.583]
    """
    require_one_of("quantity", quantity, QUANTITIES)
    require_one_of("conf_type", conf_type, CONF_TYPES if quantity == "survival" else CONF_TYPES[:2])
    quantile(conf_level)
    model = _require_baseline(result)
    terms = model.get("base_terms", model["terms"])
    names, x = covariates_of(profiles, terms, "predict_survival")
    require_within_reach(x, model["covariate_range"], _slopes(model), terms, "predict_survival")
    asked = curves_of(profiles, model["groups"], "predict_survival")
    influences = _influences(result, at_risk, offset)
    tables = [_curve(model, x[row], code, name_of(names[row], model["groups"][code]), weeks,
                     influences, (quantity, conf_level, conf_type)) for row, code in asked]
    options = {"has_influence": at_risk is not None, "quantity": quantity, "conf_level": conf_level,
               "conf_type": conf_type,
               "weeks": None if weeks is None else np.atleast_1d(weeks).astype(float).tolist()}
    gaps = gaps_before(model["gaps"], max(table["time_weeks"].max() for table in tables),
                       {model["groups"][code] for _, code in asked})
    behind = fewest_behind(model, terms, x)
    return Result(kind="curve", table=pd.concat(tables, ignore_index=True),
                  model={"n_behind": np.repeat(behind[[row for row, _ in asked]], list(map(len, tables))),
                         "gaps": gaps},
                  diagnostics={"n_gaps": len(gaps), **limits_rest_on(at_risk, result, "predict_survival")},
                  estimand=Estimand(name=f"predicted_{quantity}", summary="cox",
                                    unit="share" if quantity == "survival" else "hazard"),
                  provenance=Provenance(method="predict_survival",
                                        options={**options, "model": dict(result.provenance.options)}))


def _influences(result, at_risk, offset):
    """Return the rows of the fit, or None where they are not given."""
    if at_risk is not None:
        return influences_of(result, at_risk, None if offset is None else np.asarray(offset, dtype=float))
    if offset is not None:
        raise ValueError("offset is given without at_risk; it belongs to the rows of the table")
    return None


def _cumulated(model, x, code, influences, last):
    """Return cumulative hazard and error of covariates ``x`` after the first ``last`` events of a stratum."""
    at = model["baseline_group"] == code
    hazard, drift = model["reference_hazard"][at], model["reference_drift"][at]
    z = _at_times(model, x, at)
    relative = np.exp(z @ model["estimates"])
    turn = np.cumsum(relative[:, None] * (z * hazard[:, None] - drift), axis=0)
    level = np.append(0.0, np.cumsum(relative * hazard))[last]
    if influences is not None:
        return level, spread(influences, code, relative, turn, last)
    variance = np.cumsum(relative**2 * model["reference_variance"][at])
    variance += ((turn @ model["covariance"]) * turn).sum(axis=1)
    return level, np.sqrt(np.append(0.0, variance)[last])


def _slopes(model):
    """Return the effect of each covariate: one column, or where effects change one for each event time."""
    if "factor" not in model:
        return model["estimates"]
    slopes = np.zeros((len(model["base_terms"]), len(model["factor"])))
    np.add.at(slopes, model["base"], (model["estimates"] * model["factor"]).T)
    return slopes


def _at_times(model, x, at):
    """Return the terms at each event time, less those of the reference row.

    The term of an effect that changes is x times its function of time.
    """
    if "factor" not in model:
        return np.broadcast_to(x - model["means"], (int(at.sum()), len(x)))
    return x[model["base"]] * model["factor"][at] - model["means"] * model["reference_factor"][at]


def _curve(model, x, code, name, weeks, influences, wanted):
    quantity, conf_level, conf_type = wanted
    at = model["baseline_group"] == code
    times, end = model["baseline_time"][at], model["follow_up_weeks"][code]
    weeks = weeks_of(weeks, times, end, model["groups"][code], "predict_survival")
    last = np.searchsorted(times, weeks, side="right")
    hazard, error = _cumulated(model, x, code, influences, last)
    n_events = np.append(0.0, np.cumsum(model["baseline_n_events"][at]))[last]
    estimate = hazard
    if quantity == "survival":
        estimate, error = np.exp(-hazard), np.exp(-hazard) * error
    limits = share_limits if quantity == "survival" else amount_limits
    low, high = limits(estimate, error, conf_level, conf_type)
    n_persons = np.append(model["n_at_start"][code], model["baseline_n_persons"][at])[last]
    return tidy(term=quantity, group=name, time_weeks=weeks, estimate=estimate, std_error=error, conf_low=low,
                conf_high=high, n_persons=n_persons, n_events=np.diff(n_events, prepend=0.0))


def weeks_of(weeks, times, end, stratum, method):
    """Return time 0 and the weeks asked for, or every time at which the curve changes or ends."""
    if weeks is None:
        return np.union1d(np.append(0.0, times), end)
    weeks = np.union1d(0.0, asked_weeks(weeks))
    require_follow_up(weeks[-1], end, stratum, method)
    return weeks


def _require_baseline(result):
    if "reference_hazard" not in result.model or "causes" in result.model:
        method = result.provenance.method or "unknown origin"
        raise EstimationError(f"predict_survival: a result of {method} has no baseline hazard to predict "
                              "from; give a result of cox, or use predict_incidence for several causes")
    return result.model
