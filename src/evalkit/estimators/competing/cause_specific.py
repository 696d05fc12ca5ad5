"""Regression of each cause's own hazard, and the incidence that all of them together imply."""

import numpy as np
import pandas as pd

from evalkit.errors import EstimationError
from evalkit.estimators._clusters import clusters_told
from evalkit.estimators._counting import event_codes, total
from evalkit.estimators._limits import quantile, require_one_of
from evalkit.estimators._units import is_robust, units_of
from evalkit.estimators.cox.fit import fit_cox
from evalkit.estimators.cox.inference import block_diagonal
from evalkit.estimators.cox.partial import design, evaluate, score_columns
from evalkit.result import Estimand, Provenance, Result

# What each cause has of its own in the model, one cause after another, and what is the same in all.
PER_CAUSE = ("estimates", "baseline_time", "baseline_hazard", "baseline_group", "reference_hazard",
             "reference_variance", "reference_drift", "baseline_n_events", "baseline_n_persons")
SHARED = ("terms", "means", "covariate_range", "groups", "follow_up_weeks", "gaps", "n_at_start")


def cause_specific(at_risk, *, ties="efron", conf_level=0.95, robust=None):
    """Estimate log hazard ratios of every cause of exit, each with the other causes as censorings.

    Parameters
    ----------
    at_risk : AtRisk
        Its covariates are the model of every cause; each stratum has its own baseline hazards.
    ties, conf_level, robust
        As in :func:`cox`.

    Returns
    -------
    Result
        Kind ``model``: a row for each cause (``group``) and term. ``model`` holds what
        :func:`predict_incidence` needs; its ``estimates`` and ``covariance`` run cause by cause, between
        causes too where errors are robust (else causes are independent).

    Raises
    ------
    EstimationError
        As in :func:`cox`, with the cause; a cause without any event.

    Notes
    -----
    ``cox`` once per cause: ``coxph(Surv(entry, exit, factor(cause)) ~ ., id = )`` of R survival, whose errors
    are the robust ones. A hazard ratio of a cause says who leaves sooner among those still there; how many
    leave by it in the end depends on the other causes as well: :func:`predict_incidence`, or
    :func:`fine_gray`.

    Examples
    --------
    >>> from evalkit.atrisk import AtRisk
    >>> frame = pd.DataFrame({"weeks": [1, 2, 3, 4, 5, 6], "left": ["JOB", "STUDY"] * 3,
    ...                       "sex": list("MFFMMF")})
    >>> fit = cause_specific(AtRisk.from_frame(frame, exit="weeks", event="left", covariates=["sex"]))
    >>> fit.table[["term", "group", "n_events"]].values.tolist()
    [['sex[M]', 'JOB', 3.0], ['sex[M]', 'STUDY', 3.0]]
    """
    require_one_of("ties", ties, ("efron", "breslow"))
    quantile(conf_level)
    event_codes(at_risk, None)
    robust = is_robust(at_risk, robust)
    fits = {cause: _cox(at_risk, cause, ties, conf_level, robust) for cause in at_risk.causes}
    table = pd.concat([fit.table.assign(group=cause) for cause, fit in fits.items()], ignore_index=True)
    diagnostics = {f"{name}[{cause}]": value for cause, fit in fits.items()
                   for name, value in fit.diagnostics.items()}
    diagnostics |= clusters_told(at_risk, len(table), "cause_specific", robust)
    options = {"ties": ties, "conf_level": conf_level, "robust": robust}
    return Result(kind="model", table=table, model=_model(at_risk, fits, ties, robust),
                  diagnostics=diagnostics,
                  estimand=Estimand(name="cause_specific_hazard_ratio", summary="log_hazard_ratio",
                                    unit="log_ratio"),
                  provenance=Provenance(method="cause_specific", options=options))


def _cox(at_risk, cause, ties, conf_level, robust):
    if not event_codes(at_risk, cause).any():
        raise EstimationError(f"cause_specific: no exit to {cause} among {at_risk.n_persons} persons; "
                              "leave the cause out of AtRisk.from_frame(causes=...), or join it with another")
    return fit_cox(at_risk, f"cause_specific: {cause}", ties=ties, cause=cause, conf_level=conf_level,
                   robust=robust)


def _model(at_risk, fits, ties, robust):
    """Put the causes' models one after another."""
    models = [fit.model for fit in fits.values()]
    arrays = {name: np.concatenate([model[name] for model in models]) for name in PER_CAUSE}
    same = {name: models[0][name] for name in SHARED}
    sides = np.array([model["n_term"] for model in models])
    same |= {"n_behind": sides.ravel(), "n_term": sides.min(axis=0),
             "n_reference": min(model["n_reference"] for model in models)}
    cause = np.repeat(np.arange(len(models)), [len(model["baseline_time"]) for model in models])
    return {"causes": at_risk.causes, "has_survival": True, "robust": robust, "baseline_cause": cause, **same,
            **arrays, "covariance": _between_causes(at_risk, models, ties) if robust else
            block_diagonal([model["covariance"] for model in models])}


def _between_causes(at_risk, models, ties):
    """Return the robust covariance of all causes' coefficients: the scores of each unit on all of them."""
    units, width = units_of(at_risk), len(models[0]["terms"])
    sums, scales = np.empty((len(models) * width, len(units.copies))), []
    for k, (cause, model) in enumerate(zip(at_risk.causes, models, strict=True)):
        plan, _, scale = design(at_risk, event_codes(at_risk, cause), ties)
        code, weight = units.code[plan.row], units.weight[plan.row]
        scores = score_columns(plan, evaluate(plan, model["estimates"] * scale))
        for of_units, score in zip(sums[k * width:(k + 1) * width], scores, strict=True):
            of_units[:] = total(code, weight * score, len(units.copies))
        scales.append(scale)
    bread = block_diagonal([model["covariance_naive"] for model in models]) * np.concatenate(scales)
    return bread @ ((sums * units.copies) @ sums.T) @ bread.T
