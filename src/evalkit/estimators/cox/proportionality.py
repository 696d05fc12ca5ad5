"""The test of proportional hazards: do log hazard ratios change with time?"""

from dataclasses import replace

import numpy as np

from evalkit.errors import EstimationError
from evalkit.estimators._counting import event_times, require_distinct, row_counts, running, total
from evalkit.estimators._limits import chi_square, require_one_of
from evalkit.estimators._units import is_robust
from evalkit.estimators.cox.partial import evaluate
from evalkit.estimators.cox.residuals import fit_with_sums
from evalkit.estimators.cox.varying import describe
from evalkit.result import Estimand, Provenance, Result, tidy

DEPENDENT = ("the test takes rows as independent; with clusters, weights or persons with several events it "
             "rejects too often")


def proportionality_test(at_risk, *, transform="km", ties="efron", cause=None, offset=None,
                         varying=None):
    """Test whether log hazard ratios change with time.

    Parameters
    ----------
    at_risk : AtRisk
    transform : {"km", "rank", "identity", "log"}
        The time against which they may change: share with the event (pooled Kaplan-Meier, just before), rank
        of the row's end, weeks, or log weeks.
    ties, cause, offset, varying
        As in :func:`cox`; of ``varying`` steps only, within which the effect may go on to change.

    Returns
    -------
    Result
        Kind ``model``. A row for each term, for each category of more than two levels as a whole, and
        ``global``: ``estimate`` is the chi-square statistic, with its p-value. ``diagnostics`` holds ``df``,
        one for each row, and a warning where rows are dependent or weighted; ``model`` n_behind, the
        persons on the rarest side of the covariates tested.

    Raises
    ------
    EstimationError
        As in :func:`cox`; an event at week 0 with ``log``; no change in time to test against.

    Notes
    -----
    The score test of the coefficients of x g(t), added to the model as fitted: ``cox.zph`` of R survival 3
    (rows of its ``terms = FALSE`` and, for whole categories, ``terms = TRUE``), not the correlation of
    residuals with time that earlier versions and lifelines test. Like there, the test takes rows as
    independent, whatever the errors of the fit, and the Kaplan-Meier curve behind ``km`` is unweighted.

    References
    ----------
    .. [1] Grambsch and Therneau (1994), Biometrika 81, 515-526.

    Examples
    --------
    The log hazard ratio is 0. The M of week 1 is 1/2 above the mean of those at risk, the F of week 2 is 1/2
    below, each with variance 1/4; against weeks less their mean: (1/4 + 1/4)^2 / (1/16 + 1/16).

    >>> import pandas as pd
    >>> from evalkit.atrisk import AtRisk
    >>> frame = pd.DataFrame({"weeks": [1, 1, 2, 2], "left": [1, 0, 1, 0], "sex": list("MFFM")})
    >>> at_risk = AtRisk.from_frame(frame, exit="weeks", event="left", covariates=["sex"])
    >>> proportionality_test(at_risk, transform="identity").table["estimate"].round(3).tolist()
    [2.0, 2.0]
    """
    require_one_of("transform", transform, tuple(_TRANSFORMS))
    fitted = fit_with_sums(at_risk, "proportionality_test", ties=ties, cause=cause, offset=offset,
                           varying=varying)
    trend = _standardised(_TRANSFORMS[transform](fitted), fitted.plan)
    score, information = _of_the_trend(fitted, trend)
    require_distinct([*fitted.result.model["terms"], "global"], "proportionality_test")
    rows = [*_rows_of(fitted.result.model["terms"]), ("global", list(range(len(score))))]
    statistic = np.array([_quadratic(score[part], information[np.ix_(part, part)]) for _, part in rows])
    df = [len(part) for _, part in rows]
    table = tidy(term=[name for name, _ in rows], estimate=statistic,
                 p_value=[chi_square(*pair) for pair in zip(statistic, df, strict=True)],
                 n_persons=at_risk.n_persons, n_events=row_counts(fitted.table)[fitted.events > 0].sum())
    options = {"transform": transform, "ties": ties, "cause": cause, "offset": offset is not None,
               "varying": describe(varying)}
    rarest = np.array([fitted.result.model["n_term"][part].min() for _, part in rows])
    diagnostics = {"df": df, **({"warning": DEPENDENT} if is_robust(at_risk, None) else {})}
    return Result(kind="model", table=table, diagnostics=diagnostics, model={"n_behind": rarest},
                  estimand=Estimand(name="proportional_hazards", summary="score_test", unit="chi_square"),
                  provenance=Provenance(method="proportionality_test", options=options))


def _of_the_trend(fitted, trend):
    """Return score and information of the trends' coefficients, the model's own coefficients given.

    The likelihood is a sum over terms of tied deaths: weighted by g(t) it gives the sums of g(t) V(t).
    """
    plan = fitted.plan

    def weighted(power):
        ties = replace(plan.ties, share=plan.ties.share * (trend**power)[plan.ties.at])
        return evaluate(replace(plan, ties=ties, observed=observed),
                        fitted.result.model["estimates"] * fitted.scale)

    observed = plan.x[plan.died].T @ (plan.weight[plan.died] * trend[plan.at])
    first, second = weighted(1), weighted(2)
    given = np.linalg.solve(fitted.at.information, first.information)
    return first.gradient, second.information - first.information @ given


def _standardised(trend, plan):
    """Centre and scale the trend: the test stays the same, the numbers become well behaved."""
    weight = total(plan.at, plan.weight[plan.died], len(plan.time))
    centred = trend - np.average(trend, weights=weight)
    spread = np.sqrt(np.average(centred**2, weights=weight))
    if not spread > 0:
        raise EstimationError("proportionality_test: all events fall at one value of the transformed time, "
                              "so no change can be seen. Choose another transform, or follow up for longer")
    return centred / spread


def _quadratic(score, information):
    if np.linalg.matrix_rank(information, hermitian=True) < len(score):
        return np.nan
    return float(score @ np.linalg.solve(information, score))


def _rows_of(terms):
    """Name each term with its column, and each category of several columns with all of them."""
    columns = {}
    for k, term in enumerate(terms):
        columns.setdefault(term.partition("[")[0] if term.endswith("]") else term, []).append(k)
    for name, part in columns.items():
        yield from ((terms[k], [k]) for k in part)
        if len(part) > 1:
            yield name, part


def _share_with_event(fitted):
    pooled, number = replace(fitted.table, strata=None), row_counts(fitted.table)
    first, last, time, _ = event_times(pooled, fitted.events)
    died = fitted.events > 0
    n_events = total(last[died] - 1, number[died], len(time))
    survival = np.cumprod(1 - n_events / running(first, last, number, len(time)))
    return 1 - np.append(1.0, survival)[np.searchsorted(time, fitted.plan.time)]


def _rank(fitted):
    times, position = np.unique(fitted.table.exit, return_inverse=True)
    number = total(position, row_counts(fitted.table), len(times))
    return (np.cumsum(number) - (number - 1) / 2)[np.searchsorted(times, fitted.plan.time)]


def _log(fitted):
    return np.log(fitted.plan.time)


def _identity(fitted):
    return fitted.plan.time


_TRANSFORMS = {"km": _share_with_event, "rank": _rank, "identity": _identity, "log": _log}
