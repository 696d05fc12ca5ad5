"""Residuals of Cox's model: plain arrays in the order of the rows, for use inside the house only."""

from dataclasses import dataclass

import numpy as np

from evalkit.atrisk import AtRisk
from evalkit.errors import EstimationError
from evalkit.estimators._counting import event_codes, row_counts
from evalkit.estimators._limits import require_one_of
from evalkit.estimators._units import require_clusters
from evalkit.estimators.cox.fit import fit_cox
from evalkit.estimators.cox.partial import Design, Pass, design, evaluate, score_residuals
from evalkit.estimators.cox.varying import vary
from evalkit.result import Result

KINDS = ("martingale", "deviance", "score", "schoenfeld", "scaled_schoenfeld", "dfbeta")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Fitted:
    """A model of a table and the sums at its estimates; ``scale`` is what covariates were divided by."""

    table: AtRisk
    result: Result
    plan: Design
    at: Pass
    scale: np.ndarray
    events: np.ndarray


def residuals(at_risk, *, kind="martingale", ties="efron", cause=None, offset=None):
    """Return residuals of :func:`cox` for every row.

    Parameters
    ----------
    at_risk : AtRisk
    kind : {"martingale", "deviance", "score", "schoenfeld", "scaled_schoenfeld", "dfbeta"}
        ``martingale``: events less expected events. ``deviance``: the same, made symmetric. ``score``: what
        one unit of the row's weight adds to the score. ``schoenfeld``: covariates of the one with the event
        less their mean in the risk set; ``scaled_schoenfeld``: the same as an estimate of the log hazard
        ratio at that time. ``dfbeta``: what the row (with its weight) adds to the estimates.
    ties, cause, offset
        As in :func:`cox`.

    Returns
    -------
    ndarray of float, shape (n_rows,) or (n_rows, n_terms)
        In the order of the rows of ``at_risk``: one value a row for ``martingale`` and ``deviance``, else one
        a term. Schoenfeld residuals are missing in rows without an event. This is a number per person: it
        never leaves the house. A row of ``count`` k has the residual of each of its k copies.

    Raises
    ------
    EstimationError
        As in :func:`cox`.

    Notes
    -----
    ``residuals.coxph(type = )`` of R survival with its defaults for ``weighted`` (Therneau and Grambsch 2000,
    4.2 and 7.1): only ``dfbeta`` is multiplied by the weight. Scaled Schoenfeld residuals are ``scaledsch``:
    r V d + estimate, V the model's covariance and d the number of events. R sorts Schoenfeld residuals by
    stratum and time; here they stay at their rows.

    Examples
    --------
    The hazard ratio r is 2.562 (see :func:`cox`): of the first M, r / (2r + 2) = 0.36 events were expected.

    >>> import pandas as pd
    >>> from evalkit.atrisk import AtRisk
    >>> frame = pd.DataFrame({"weeks": [1, 2, 3, 4], "left": 1, "sex": list("MFMF")})
    >>> at_risk = AtRisk.from_frame(frame, exit="weeks", event="left", covariates=["sex"])
    >>> residuals(at_risk).round(3).tolist()
    [0.64, 0.64, -0.64, -0.64]
    """
    require_one_of("kind", kind, KINDS)
    fitted = fit_with_sums(at_risk, "residuals", ties=ties, cause=cause, offset=offset)
    return _RESIDUALS[kind](at_risk, fitted)


def fit_with_sums(at_risk, name, *, ties, cause, offset=None, varying=None):
    """Fit the model and return it with the sums over risk sets at its estimates; its errors are plain."""
    require_clusters(at_risk)
    result = fit_cox(at_risk, name, ties=ties, cause=cause, offset=offset, varying=varying, robust=False)
    offset = None if offset is None else np.asarray(offset, dtype=float)
    table, offset, varied = vary(at_risk, offset, varying)
    if varied.by_function.any():
        raise EstimationError("varying: a function of time already says how the effect changes; only steps "
                              "can be tested within")
    events = event_codes(table, cause)
    plan, _, scale = design(table, events, ties, offset)
    return Fitted(table=table, result=result, plan=plan, scale=scale, events=events,
                  at=evaluate(plan, result.model["estimates"] * scale))


def _martingale(at_risk, fitted):
    # Rows that are at risk at no event take no part: nothing was observed and nothing expected.
    residual = np.zeros(at_risk.n_rows)
    residual[fitted.plan.row] = -fitted.at.relative * fitted.at.moments[-1]
    return residual + fitted.events


def _deviance(at_risk, fitted):
    residual = _martingale(at_risk, fitted)
    expected = np.where(fitted.events > 0, fitted.events - residual, 1.0)
    return np.sign(residual) * np.sqrt(np.maximum(-2 * (residual + fitted.events * np.log(expected)), 0))


def _score(at_risk, fitted):
    residual = np.zeros(at_risk.covariates.shape)
    residual[fitted.plan.row] = score_residuals(fitted.plan, fitted.at) * fitted.scale
    return residual


def _dfbeta(at_risk, fitted):
    weight = 1.0 if at_risk.weight is None else at_risk.weight[:, None]
    return weight * _score(at_risk, fitted) @ fitted.result.model["covariance_naive"]


def _schoenfeld(at_risk, fitted):
    plan, at = fitted.plan, fitted.at
    correction = at.moments[0][:, None]
    mean = (at.s1 * at.hazard[:, None] - at.d1 * correction) / plan.deaths[:, None]
    residual = np.full(at_risk.covariates.shape, np.nan)
    residual[plan.row[plan.died]] = (plan.x[plan.died] - mean[plan.at]) * fitted.scale
    return residual


def _scaled_schoenfeld(at_risk, fitted):
    model, n_events = fitted.result.model, row_counts(at_risk)[fitted.events > 0].sum()
    return _schoenfeld(at_risk, fitted) @ model["covariance_naive"] * n_events + model["estimates"]


_RESIDUALS = dict(zip(KINDS, (_martingale, _deviance, _score, _schoenfeld, _scaled_schoenfeld, _dfbeta),
                      strict=True))
