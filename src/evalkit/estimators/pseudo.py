"""Pseudo-observations: a curve's value at given weeks as one number a person, and regression on them."""

from dataclasses import dataclass, replace

import numpy as np

from evalkit.atrisk import AtRisk
from evalkit.errors import EstimationError
from evalkit.estimators import _leave_one_out
from evalkit.estimators._clusters import clusters_told
from evalkit.estimators._counting import event_codes, require_distinct, row_counts, strata_of
from evalkit.estimators._estimating import solve
from evalkit.estimators._functionals import p_value, require_follow_up
from evalkit.estimators._grid import grid_of
from evalkit.estimators._limits import quantile, read_weeks, require_one_of
from evalkit.estimators._rarest import n_reference, rarer_side
from evalkit.estimators._units import require_clusters
from evalkit.result import Estimand, Provenance, Result, tidy

ESTIMANDS = ("survival", "restricted_mean", "cumulative_incidence")
LINKS = {"survival": ("identity", "log", "logit", "cloglog"), "restricted_mean": ("identity", "log"),
         "cumulative_incidence": ("identity", "log", "logit", "cloglog")}


def pseudo_observations(at_risk, *, weeks, estimand="survival", cause=None):
    """Return each person's pseudo-observation of a curve at each week, in the order of the rows.

    Parameters
    ----------
    at_risk : AtRisk
        Without ``state``, weights or delayed entry. A person's rows must follow one another without a gap;
        all of them get the person's value.
    weeks : float or sequence of float
        Weeks since time zero, within the follow-up.
    estimand : {"survival", "restricted_mean", "cumulative_incidence"}
    cause : str, optional
        The event that counts. For ``cumulative_incidence`` the others compete, and it must be named where
        there are several; otherwise they are censorings, and the default is any event.

    Returns
    -------
    ndarray, shape (n_rows, n_weeks)
        Shares, or weeks for ``restricted_mean``. Inside the house only: one number a person.

    Raises
    ------
    EstimationError
        Delayed entry, weights, several events of one person, or a week beyond the follow-up while the event
        is still to come.

    Notes
    -----
    n theta - (n - 1) theta(-i), with n the persons of the stratum and theta(-i) the same estimate without
    person i: the exact jackknife, by two cumulative products instead of n fits. Persons' values have
    theta as their mean (exactly where nobody is censored, nearly elsewhere), and are what would be
    seen without censoring. Equals ``pseudo::pseudosurv``, ``pseudomean`` and ``pseudoci`` and
    ``prodlim::jackknife`` in R; ``survival::pseudo`` takes the infinitesimal jackknife instead, which differs
    by terms of order 1 / n. Within strata each stratum has its own curve, which is what censoring that
    differs between groups needs.

    References
    ----------
    .. [1] Andersen, Klein and Rosthoj (2003), Biometrika 90, 15-27.

    Examples
    --------
    Without censoring a pseudo-observation is the outcome itself.

    >>> import pandas as pd
    >>> from evalkit.atrisk import AtRisk
    >>> frame = pd.DataFrame({"weeks": [1, 2, 3, 4], "left": [1, 1, 1, 1]})
    >>> at_risk = AtRisk.from_frame(frame, exit="weeks", event="left")
    >>> (pseudo_observations(at_risk, weeks=2.5)[:, 0].round(9) + 0.0).tolist()
    [0.0, 0.0, 1.0, 1.0]
    """
    weeks = _weeks(weeks)
    require_one_of("estimand", estimand, ESTIMANDS)
    persons = _persons(at_risk, "pseudo_observations")
    return _values(persons.rows, weeks, estimand, cause)[persons.of_row]


def pseudo_regression(at_risk, *, weeks, estimand="survival", link="identity", cause=None, conf_level=0.95):
    """Regress survival, restricted mean or cumulative incidence at given weeks on the covariates.

    Parameters
    ----------
    at_risk : AtRisk
        As for :func:`pseudo_observations`, with covariates that do not change within a person. With several
        ``weeks`` the covariates' effects are shared by them and each week has its own intercept.
    weeks, estimand, cause
        As in :func:`pseudo_observations`.
    link : {"identity", "log", "logit", "cloglog"}
        ``identity``: differences of shares or weeks; ``log``: log ratios; ``logit``: log odds ratios;
        ``cloglog``: log(-log S), or log(-log(1 - F)) of an incidence, so that effects are log ratios of
        cumulative (subdistribution) hazards, as those of :func:`cox` and of Fine and Gray. The
        restricted mean takes the first two.
    conf_level : float

    Returns
    -------
    Result
        Kind ``model``: a row ``intercept[week]`` for each week, then the terms, on the scale of the link.
        ``model``: terms, estimates, covariance, n_term (as in :func:`cox`). ``diagnostics``: steps, and
        clusters as in :func:`cox`.

    Raises
    ------
    EstimationError
        As for :func:`pseudo_observations`; no covariates, constant or collinear ones, ones that change within
        a person; no convergence.

    Notes
    -----
    statsmodels' GLM (Gaussian, the link) solves the estimating equation under working independence; errors
    are the sandwich of GEE, its residuals added up within clusters, else persons: bread from the expected
    information, as ``geese(..., scale.fix = TRUE, jack = FALSE)`` of geepack and statsmodels' GEE, no
    small-sample factor. GLM's own robust errors use the observed information and differ for links other
    than the identity (2 per cent in a trial), so they are not used. The sandwich takes pseudo-observations as
    independent between persons, which is slightly conservative (Jacobsen and Martinussen 2016).

    References
    ----------
    .. [1] Andersen and Pohar Perme (2010), Statistical Methods in Medical Research 19, 71-99.
    .. [2] Jacobsen and Martinussen (2016), Scandinavian Journal of Statistics 43, 845-862.

    Examples
    --------
    Without censoring the difference of shares still there after 2.5 weeks: 1 of 2, less 1 of 3.

    >>> import pandas as pd
    >>> from evalkit.atrisk import AtRisk
    >>> frame = pd.DataFrame({"weeks": [1, 2, 3, 2, 4], "left": 1, "side": list("AAABB")})
    >>> at_risk = AtRisk.from_frame(frame, exit="weeks", event="left", covariates=["side"])
    >>> pseudo_regression(at_risk, weeks=2.5).table[["term", "estimate"]].round(4)
                 term  estimate
    0  intercept[2.5]    0.3333
    1         side[B]    0.1667
    """
    weeks, z = _weeks(weeks), quantile(conf_level)
    require_one_of("estimand", estimand, ESTIMANDS)
    require_one_of("link", link, LINKS[estimand])
    rows = _persons(at_risk, "pseudo_regression", with_covariates=True).rows
    require_clusters(rows)
    outcome = _values(rows, weeks, estimand, cause)
    _require_difference(outcome, weeks, rows)
    # The complementary log-log is of the share that has left.
    outcome = 1 - outcome if link == "cloglog" and estimand == "survival" else outcome
    terms = (*(f"intercept[{week:g}]" for week in weeks), *rows.terms)
    require_distinct(terms, "pseudo_regression")
    estimates, covariance, steps = solve(rows, outcome, link, terms)
    # A fit without any residual has an error of nothing, which rounding may put below it.
    error = np.sqrt(np.maximum(np.diag(covariance), 0))
    every = np.ones(rows.n_rows)
    n_persons = np.append(np.repeat(n_reference(rows, every), len(weeks)), rarer_side(rows, every))
    n_events = row_counts(rows)[event_codes(rows, cause) > 0].sum()
    table = tidy(term=terms, estimate=estimates, std_error=error, conf_low=estimates - z * error,
                 conf_high=estimates + z * error, p_value=p_value(estimates, error), n_events=n_events,
                 n_persons=n_persons)
    options = {"weeks": weeks.tolist(), "estimand": estimand, "link": link, "cause": cause,
               "conf_level": conf_level}
    return Result(kind="model", table=table,
                  model={"terms": terms, "estimates": estimates, "covariance": covariance,
                         "n_term": _on_fewest(rows, weeks, estimand, cause)},
                  estimand=Estimand(name=estimand, summary=f"pseudo_{link}",
                                    horizon_weeks=float(weeks.max())),
                  diagnostics={"steps": steps, **clusters_told(rows, len(terms), "pseudo_regression")},
                  provenance=Provenance(method="pseudo_regression", options=options))


def _on_fewest(rows, weeks, estimand, cause):
    """Return on how many a term rests: those who leave since the week before and, for a share, who stay."""
    left = np.where(event_codes(rows, cause) > 0, rows.exit, np.inf)

    def fewest(count, since, first, last):
        staying = np.inf if estimand == "restricted_mean" else count(rows, rows.exit > last)
        return np.minimum(count(rows, (left > since) & (left <= first)), staying)

    intercepts = [fewest(n_reference, weeks[weeks < week].max(initial=0.0), week, week) for week in weeks]
    return np.append(intercepts, fewest(rarer_side, 0.0, weeks.min(), weeks.max()))


def _weeks(weeks):
    found = read_weeks("weeks", weeks, above=True)
    if len(np.unique(found)) < len(found):
        raise ValueError(f"weeks == {weeks!r}, must be different weeks")
    return found


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Persons:
    """One row a person, followed from time zero, and the person of each row as given."""

    rows: AtRisk
    of_row: np.ndarray


def _persons(at_risk, method, with_covariates=False):
    if at_risk.weight is not None and (at_risk.weight != 1).any():
        raise EstimationError(f"{method}: the jackknife leaves out persons, not weights; give count for "
                              "identical persons, or use cox or kaplan_meier with weights and robust errors")
    order, first, last = _runs(at_risk)
    _require_whole(at_risk, order, first, last, method)
    if with_covariates:
        _require_constant(at_risk, order, first, last)
    of_row = np.empty(at_risk.n_rows, dtype=np.int64)
    of_row[order] = np.cumsum(first) - 1
    rows = at_risk.select(order[last])
    return _Persons(rows=replace(rows, entry=np.zeros(rows.n_rows)), of_row=of_row)


def _runs(at_risk):
    """Return the rows sorted by person (and episode) and time, and where each person's begin and end."""
    if at_risk.person is None:
        every = np.ones(at_risk.n_rows, dtype=bool)
        return np.arange(at_risk.n_rows), every, every
    keys = [key for key in (at_risk.person, at_risk.episode) if key is not None]
    order = np.lexsort((at_risk.entry, *keys[::-1]))
    new = np.logical_or.reduce([key[order][1:] != key[order][:-1] for key in keys])
    return order, np.append(True, new), np.append(new, True)


def _require_whole(at_risk, order, first, last, method):
    """Refuse persons who are not followed from time zero, without a gap, to one event at most."""
    entry, exit, event = (values[order] for values in (at_risk.entry, at_risk.exit, at_risk.event))
    late = int((entry[first] > 0).sum())
    if late:
        raise EstimationError(
            f"{method}: {late} of {int(first.sum())} persons enter late; leaving one out is only known to "
            "work for persons followed from time zero. Use cox and its standardised curves (delayed entry "
            "is right there), or begin at a landmark: keep those under observation at a week and count "
            "weeks from it. Where these are split rows, name person in AtRisk.from_frame")
    gaps = ~first[1:] & (entry[1:] != exit[:-1])
    if gaps.any():
        raise EstimationError(f"{method}: {int(gaps.sum())} rows of persons begin after the row before has "
                              "ended; a person must be followed without a gap")
    again = (event > 0) & ~last
    if again.any():
        raise EstimationError(f"{method}: {int(again.sum())} rows with an event are followed by another "
                              "row of the person; end the follow-up at the first event")


def _require_constant(at_risk, order, first, last):
    if first.all():
        return
    columns = {"strata": at_risk.strata, "cluster": at_risk.cluster,
               **dict(zip(at_risk.terms, at_risk.covariates.T, strict=True))}
    changing = [name for name, column in columns.items()
                if column is not None and (column[order][1:] != column[order][:-1])[~first[1:]].any()]
    if changing:
        raise EstimationError(f"pseudo_regression: {', '.join(changing)}: changes within a person; the "
                              "outcome is one number a person, so give its value at time zero")


def _require_difference(outcome, weeks, rows):
    alike = np.ptp(outcome, axis=0) < 1e-9 * np.maximum(np.abs(outcome).max(axis=0), 1)
    if alike.any():
        raise EstimationError(f"pseudo_regression: the curve is the same for all {rows.n_persons} persons "
                              f"at week {weeks[alike][0]:g} (no event before, or nobody left); choose "
                              "other weeks")


def _values(rows, weeks, estimand, cause):
    """Return pseudo-observations of persons, shape (n_persons, n_weeks)."""
    codes, k = _codes(rows, estimand, cause)
    n_causes = len(rows.causes) if estimand == "cumulative_incidence" else 1
    values = np.empty((rows.n_rows, len(weeks)))
    for label, position in strata_of(rows):
        grid = grid_of(label, rows.select(position), codes[position], n_causes)
        require_follow_up(grid, _leave_one_out.jackknife_of(grid).whole, weeks, "weeks")
        n = row_counts(grid.rows).sum()
        whole, less = _leave_one_out.incidence(grid, weeks, k) if estimand == "cumulative_incidence" else \
            getattr(_leave_one_out, estimand)(grid, weeks)
        values[position] = n * (whole - less) + less
    return values


def _codes(rows, estimand, cause):
    """Return event codes and the place of the cause among them."""
    if estimand != "cumulative_incidence":
        return event_codes(rows, cause), 0
    if cause is None and len(rows.causes) == 1:
        cause = rows.causes[0]
    if cause is None:
        raise EstimationError(f"cumulative_incidence: {len(rows.causes)} causes and none named; "
                              f"name one of {', '.join(rows.causes)} as cause")
    event_codes(rows, cause)
    return rows.event, rows.causes.index(cause)
