"""Survival had everybody been exposed, or nobody: Cox's predictions averaged over the persons observed."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from evalkit.errors import EstimationError
from evalkit.estimators._clusters import clusters_told
from evalkit.estimators._counting import total
from evalkit.estimators._functionals import p_value
from evalkit.estimators._gaps import gaps_before
from evalkit.estimators._limits import CONF_TYPES, quantile, read_weeks, require_one_of, share_limits
from evalkit.estimators._profiles import asked_weeks, require_within_reach
from evalkit.estimators.cox.averages import Population, average, influence_blocks
from evalkit.estimators.cox.exposure_levels import at_each_level, averaged_over, name_of, persons_at_own_level
from evalkit.estimators.cox.influence import Influences
from evalkit.estimators.cox.residuals import fit_with_sums
from evalkit.result import Estimand, Provenance, Result, tidy

# Weeks whose influence is held in memory at once.
BLOCK = 16


def standardised_survival(at_risk, *, exposure, weeks=None, among=None, ties="efron", cause=None,
                          conf_level=0.95, conf_type="log"):
    """Estimate the share without the event had all persons had each level of an exposure.

    Parameters
    ----------
    at_risk : AtRisk
        Its covariates (and strata) are the model. Of a person with several rows the first gives the
        covariates that are averaged over.
    exposure : str or mapping
        A covariate: every row is given each of its levels in turn (a number with at most ten distinct values,
        or a category); ``"strata"``: the baseline hazard of each stratum in turn; or a mapping of names to
        the covariates, shape (n_rows, n_terms), that the rows would have, needed where another term is made
        of the exposure.
    weeks : sequence of float, optional
        Default: every event time.
    among : array-like of bool, shape (n_rows,), optional
        Average over these rows only, for instance the exposed. The model uses all rows.
    ties, cause
        As in :func:`cox`.
    conf_level : float
    conf_type : {"log", "log-log", "plain"}

    Returns
    -------
    Result
        Kind ``curve``: term ``survival``, one group a level (``reference`` for a category's first).
        ``n_persons`` counts all at risk just before the last event up to the week, ``n_events`` all events
        since the row before: every curve rests on all of them. Gaps in observation are told as in
        :func:`predict_survival`.

    Raises
    ------
    EstimationError
        As in :func:`cox`; no such exposure, or one with too many levels; a week beyond the follow-up; nobody
        to average over.

    Notes
    -----
    S_a(t) = mean of exp(-H(t | a, x_i)) over persons, weighted (g-computation). Errors are the influence
    functions': of the coefficients, the baseline hazards and the distribution of covariates, added up within
    cluster, else person, else row, as the infinitesimal jackknife of the whole computation gives them (so
    Efron's ties, weights and delayed entry are carried through). ``riskRegression::ate`` computes the same
    without ties; there the baseline is Breslow's. The curves have a causal meaning only if the covariates
    hold everything that made both exposure and event likelier, and if the hazards are proportional.

    References
    ----------
    .. [1] Makuch (1982), Journal of Chronic Diseases 35, 437-443. Ozenne et al. (2020), Biometrical Journal
       62, 751-763.

    Examples
    --------
    The hazard ratio r is 2.562 (see :func:`cox`), so H(2) = 1/(2r + 2) + 1/(r + 2) = 0.36 for the untreated.

    >>> from evalkit.atrisk import AtRisk
    >>> frame = pd.DataFrame({"weeks": [1, 2, 3, 4], "left": 1, "treated": [1, 0, 1, 0]})
    >>> at_risk = AtRisk.from_frame(frame, exit="weeks", event="left", covariates=["treated"])
    >>> standardised_survival(at_risk, exposure="treated", weeks=[2]).table["estimate"].round(3).tolist()
    [1.0, 0.698, 1.0, 0.398]
    """
    require_one_of("conf_type", conf_type, CONF_TYPES)
    quantile(conf_level)
    study = _study(at_risk, exposure, among, ties, cause, "standardised_survival")
    weeks = _within(study, study.times if weeks is None else asked_weeks(weeks))
    tables = [_curve(study, label, weeks, found, conf_level, conf_type)
              for label, found in _shares(study, weeks)]
    gaps = gaps_before(study.gaps, weeks[-1])
    options = {"exposure": name_of(exposure), "ties": ties, "cause": cause, "conf_level": conf_level,
               "conf_type": conf_type, "is_among_some": among is not None}
    return Result(kind="curve", table=pd.concat(tables, ignore_index=True),
                  model={"n_behind": _behind(study, tables), "gaps": gaps},
                  diagnostics={"n_gaps": len(gaps), **clusters_told(at_risk, 1, "standardised_survival")},
                  estimand=Estimand(name="standardised_survival", summary="g_computation", unit="share"),
                  provenance=Provenance(method="standardised_survival", options=options))


def standardised_contrasts(at_risk, *, exposure, weeks=(), horizon_weeks=(), among=None, ties="efron",
                           cause=None, conf_level=0.95):
    """Compare levels of an exposure by standardised survival and by standardised restricted means.

    Parameters
    ----------
    at_risk, exposure, among, ties, cause, conf_level
        As in :func:`standardised_survival`.
    weeks : float or sequence of float
        Weeks at which shares without the event are compared.
    horizon_weeks : float or sequence of float
        Horizons up to which mean weeks without the event are compared.

    Returns
    -------
    Result
        Kind ``model``. Terms ``survival`` and ``restricted_mean`` of each level (group), then
        ``survival_difference`` and ``restricted_mean_difference`` of each later level less the first.
        ``model`` holds terms, groups, times, estimates and covariance of the former.

    Raises
    ------
    EstimationError
        As in :func:`standardised_survival`.
    ValueError
        Neither weeks nor horizons; a horizon that is not above 0.

    Notes
    -----
    As in :func:`standardised_survival`; a restricted mean is the area under the curve up to the horizon.
    Limits are plain, those of a level within what it can be.

    Examples
    --------
    One week for all, and one with the share left after week 1: exp(-0.14) untreated, exp(-0.36) treated.

    >>> from evalkit.atrisk import AtRisk
    >>> frame = pd.DataFrame({"weeks": [1, 2, 3, 4], "left": 1, "treated": [1, 0, 1, 0]})
    >>> at_risk = AtRisk.from_frame(frame, exit="weeks", event="left", covariates=["treated"])
    >>> answer = standardised_contrasts(at_risk, exposure="treated", horizon_weeks=2)
    >>> answer.table["estimate"].round(3).tolist()
    [1.869, 1.698, -0.171]
    """
    margin = quantile(conf_level)
    study = _study(at_risk, exposure, among, ties, cause, "standardised_contrasts")
    grid, wanted = _functionals(study, weeks, horizon_weeks)
    found = [average(study.influences, one, grid, wanted.weights) for one in study.levels.values()]
    estimates = np.concatenate([wanted.start + one.estimate for one in found])
    covariance = sum((influence * copies[:, None]).T @ influence
                     for copies, influence in influence_blocks(study.influences, found))
    table = _contrast_table(study, wanted, estimates, covariance, margin)
    gaps = gaps_before(study.gaps, wanted.times.max())
    model = {"n_behind": _behind(study, [table]), "gaps": gaps, "terms": wanted.terms * len(found),
             "groups": tuple(np.repeat(list(study.levels), len(wanted.terms)).tolist()),
             "times": np.tile(wanted.times, len(found)), "estimates": estimates, "covariance": covariance}
    options = {"exposure": name_of(exposure), "ties": ties, "cause": cause, "conf_level": conf_level,
               "is_among_some": among is not None}
    return Result(kind="model", table=table, model=model,
                  diagnostics={"reference": next(iter(study.levels)), "n_gaps": len(gaps),
                               **clusters_told(at_risk, 1, "standardised_contrasts")},
                  estimand=Estimand(name="standardised_contrasts", summary="g_computation",
                                    unit={"survival": "share", "survival_difference": "share",
                                          "restricted_mean": "weeks", "restricted_mean_difference": "weeks"}),
                  provenance=Provenance(method="standardised_contrasts", options=options))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Study:
    """A fitted model, the population averaged over at each level of the exposure, and its follow-up."""

    influences: Influences
    levels: dict
    times: np.ndarray
    end: float
    n_persons: int
    counts: dict
    gaps: tuple
    behind: dict


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Functionals:
    """What is asked of a curve: each row of ``weights`` sums it over a grid, plus ``start``."""

    terms: tuple
    times: np.ndarray
    start: np.ndarray
    weights: np.ndarray


def _study(at_risk, exposure, among, ties, cause, method):
    fitted = fit_with_sums(at_risk, method, ties=ties, cause=cause)
    rows = averaged_over(at_risk, among)
    baseline = fitted.result.model
    influences = Influences(at_risk, fitted, rows)
    exposed = at_each_level(at_risk, exposure)
    # Levels of a covariate are in the data; what is made need not be.
    for label, (x, _) in exposed.items() if isinstance(exposure, Mapping) else ():
        require_within_reach(x[rows], baseline["covariate_range"], baseline["estimates"], at_risk.terms,
                             method, f"exposure {label}")
    levels = {label: Population(influences, x[rows], strata[rows]) for label, (x, strata) in exposed.items()}
    used = np.unique(np.concatenate([population.strata for population in levels.values()]))
    at = np.isin(fitted.plan.stratum, used)
    return _Study(influences=influences, levels=levels, times=np.unique(fitted.plan.time[at]),
                  end=float(baseline["follow_up_weeks"][used].min()), n_persons=at_risk.n_persons,
                  counts={label: _counts(fitted.plan, baseline, np.unique(population.strata))
                          for label, population in levels.items()},
                  gaps=gaps_before(baseline["gaps"], np.inf, {baseline["groups"][code] for code in used}),
                  behind=persons_at_own_level(at_risk, exposure))


def _counts(plan, baseline, strata):
    """Return the event times of strata, and the persons at risk (at the start first) and events at each."""
    at = np.isin(plan.stratum, strata)
    times, position = np.unique(plan.time[at], return_inverse=True)
    n_persons, n_events = (total(position, baseline[f"baseline_{what}"][at], len(times))
                           for what in ("n_persons", "n_events"))
    return times, np.append(baseline["n_at_start"][strata].sum(), n_persons), np.append(0.0, n_events)


def _behind(study, tables):
    """Return how many persons are exposed as each row says: it is judged by them whether it may leave."""
    return np.concatenate([table["group"].map(study.behind).to_numpy(dtype=float) for table in tables])


def _within(study, weeks):
    """Return weeks, and refuse those that the follow-up does not cover."""
    if weeks[-1] > study.end:
        raise EstimationError(f"in some stratum nobody is followed to week {weeks[-1]:g}. Ask for earlier "
                              "weeks; parametric models extrapolate")
    return weeks


def _shares(study, weeks):
    """Yield each level's name with its shares and errors, a block of weeks at a time."""
    for label, population in study.levels.items():
        parts = []
        for start in range(0, len(weeks), BLOCK):
            block = weeks[start:start + BLOCK]
            found = average(study.influences, population, block, np.eye(len(block)))
            variance = sum(copies @ influence**2
                           for copies, influence in influence_blocks(study.influences, [found]))
            parts.append((found.estimate, np.sqrt(variance)))
        yield label, [np.concatenate(part) for part in zip(*parts, strict=True)]


def _curve(study, label, weeks, found, conf_level, conf_type):
    share, error = (np.append(start, value) for start, value in zip((1.0, 0.0), found, strict=True))
    weeks = np.append(0.0, weeks) if weeks[0] > 0 else weeks
    share, error = share[-len(weeks):], error[-len(weeks):]
    low, high = share_limits(share, error, conf_level, conf_type)
    times, n_persons, n_events = study.counts[label]
    last = np.searchsorted(times, weeks, side="right")
    return tidy(term="survival", group=label, time_weeks=weeks, estimate=share, std_error=error, conf_low=low,
                conf_high=high, n_persons=n_persons[last],
                n_events=np.diff(np.cumsum(n_events)[last], prepend=0.0))


def _functionals(study, weeks, horizon_weeks):
    """Lay weeks and horizons on one grid of times."""
    if not np.size(weeks) and not np.size(horizon_weeks):
        raise ValueError("weeks or horizon_weeks must be given")
    weeks = _within(study, asked_weeks(weeks)) if np.size(weeks) else np.empty(0)
    horizons = np.empty(0) if not np.size(horizon_weeks) else \
        _within(study, np.unique(read_weeks("horizon_weeks", horizon_weeks, above=True)))
    last = horizons.max(initial=0.0)
    grid = np.union1d(weeks, study.times[study.times < last])
    edges = np.minimum(np.append(grid, max(last, grid[-1]) if len(grid) else last), horizons[:, None])
    area = np.diff(edges, axis=1)
    # Up to the grid's first time everybody is still there.
    start = np.concatenate([np.zeros(len(weeks)), edges[:, 0]])
    at = (grid == weeks[:, None]).astype(float)
    return grid, _Functionals(terms=("survival",) * len(weeks) + ("restricted_mean",) * len(horizons),
                              times=np.concatenate([weeks, horizons]), start=start,
                              weights=np.vstack([at, area]))


def _contrast_table(study, wanted, estimates, covariance, margin):
    labels, size = list(study.levels), len(wanted.terms)
    later, repeats = len(labels) - 1, 2 * len(labels) - 1
    contrast = np.hstack([np.tile(-np.eye(size), (later, 1)), np.eye(later * size)])
    rows = np.vstack([np.eye(len(estimates)), contrast])
    estimate, error = rows @ estimates, np.sqrt(np.diag(rows @ covariance @ rows.T))
    is_level = np.arange(len(rows)) < len(estimates)
    top = np.tile(np.where(np.array(wanted.terms) == "survival", 1.0, wanted.times), repeats)
    low, high = (np.where(is_level, np.clip(limit, 0, top), limit)
                 for limit in (estimate - margin * error, estimate + margin * error))
    n_events = [np.cumsum(events)[np.searchsorted(times, wanted.times, side="right")]
                for times, _, events in study.counts.values()]
    return tidy(term=[*wanted.terms * len(labels), *(f"{term}_difference" for term in wanted.terms * later)],
                group=np.repeat([*labels, *labels[1:]], size), time_weeks=np.tile(wanted.times, repeats),
                estimate=estimate, std_error=error, conf_low=low, conf_high=high,
                p_value=np.where(is_level, np.nan, p_value(estimate, error)), n_persons=study.n_persons,
                n_events=np.concatenate([*n_events, *n_events[1:]]))
