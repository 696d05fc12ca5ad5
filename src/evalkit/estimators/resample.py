"""The bootstrap: errors and limits of any estimator by drawing persons or clusters anew."""

import warnings
from collections import Counter
from dataclasses import replace

import numpy as np

from evalkit.errors import CohortError, EstimationError
from evalkit.estimators._clusters import few_clusters
from evalkit.estimators._limits import quantile, require_one_of
from evalkit.estimators._parallel import run_shared
from evalkit.estimators._resampling import Target, draws_of

CONF_TYPES = ("percentile", "basic", "normal")
# What decides in a model whether its rows may leave.
JUDGED_BY = ("terms", "n_term", "n_reference", "n_behind", "n_at_last", "curve", "curves", "curve_of",
             "from_weeks", "to_weeks", "final", "at_last", "found_terms")


def bootstrap(at_risk, statistic, *, n_replications, seed, unit="person", n_workers=1, conf_level=0.95,
              conf_type="percentile", within_strata=False, as_copies=False, max_failed_share=0.05):
    """Give any estimator errors and limits by drawing persons, or clusters with all their persons, anew.

    Parameters
    ----------
    at_risk : AtRisk
    statistic : callable, AtRisk -> Result
        For instance ``functools.partial(restricted_mean, horizon_weeks=104)``; it must know nothing of
        chance.
    n_replications : int
    seed : int
        Replication k draws from the k-th child of ``numpy.random.SeedSequence(seed)``, so the answer is the
        same for any number of workers.
    unit : {"person", "cluster"}
        What is drawn: persons with all their rows (rows, where no person is named), or clusters.
    n_workers : int
        Forked processes on Linux (they inherit the data, nothing of a person is copied or pickled), threads
        elsewhere and within another pool's worker; ``diagnostics["workers"]`` says which.
    conf_level : float
    conf_type : {"percentile", "basic", "normal"}
        As ``boot.ci`` of R names and computes them: quantiles of the replications, interpolated on the normal
        scale (Davison and Hinkley 1997, 5.8); those reflected in the estimate; estimate less bias plus or
        minus a normal quantile times the error.
    within_strata : bool
        Draw within each stratum, so that the groups keep their sizes.
    as_copies : bool
        Repeat rows, each copy a new person (and a new cluster, where clusters are drawn), instead of
        counting. For a statistic that does not take ``count``, or in which drawing a cluster twice must make
        two clusters (a frailty by cluster). Slower.
    max_failed_share : float
        Share of failed replications above which there is no answer.

    Returns
    -------
    Result
        The statistic's table with ``std_error`` (standard deviation of the replications) and limits by the
        bootstrap and no ``p_value``. ``model["replications"]`` (n_done, n_rows) holds the estimates, missing
        where a replication says nothing of a row (the end of a curve, a stratum or level that was not
        drawn). A row is judged by the others where at most ``max_failed_share`` are missing and else has no
        limits. ``diagnostics``: n_failed and why, rows_without_limits, most_missing (of any row that has).

    Raises
    ------
    EstimationError
        Too many failed replications; one cluster; persons in several clusters (or, within strata, strata).
    ValueError
        Too few replications for the level: (n_replications + 1) (1 - conf_level) / 2 must be at least 1.

    Notes
    -----
    A person drawn k times gets the count k: every estimator here takes counts exactly. Where each person has
    one row, equal persons are first joined into cells of sizes n_1, n_2, ...; drawing n persons is then
    drawing from the multinomial (n; n_1/n, n_2/n, ...), so a replication costs as much as the cells. On
    weeks these are few, unless a covariate is continuous. Warnings of replications are not shown.

    References
    ----------
    .. [1] Davison, A. C. and Hinkley, D. V. (1997). Bootstrap Methods and their Application, 2.4, 3.8,
       5.2-5.3.

    Examples
    --------
    >>> from functools import partial
    >>> import pandas as pd
    >>> from evalkit.atrisk import AtRisk
    >>> from evalkit.estimators import restricted_mean
    >>> frame = pd.DataFrame({"weeks": [1, 2, 3, 6] * 9, "left": 1})
    >>> rows = AtRisk.from_frame(frame, exit="weeks", event="left")
    >>> drawn = bootstrap(rows, partial(restricted_mean, horizon_weeks=6), n_replications=99, seed=1)
    >>> float(drawn.table["estimate"][0]), round(float(drawn.table["std_error"][0]), 1)
    (3.0, 0.3)
    """
    _require_options(n_replications, seed, unit, n_workers, conf_level, conf_type, max_failed_share)
    original = statistic(at_risk)
    draws, target = draws_of(at_risk, unit, within_strata, as_copies), Target(original)
    seeds = np.random.SeedSequence(seed).spawn(n_replications)

    def replication(k):
        try:
            return target.read(statistic(draws.draw(np.random.default_rng(seeds[k]))))
        except (EstimationError, CohortError, np.linalg.LinAlgError) as failure:
            return str(failure)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        answers, how = run_shared(replication, n_replications, n_workers)
    values, failures = _sort_out(answers, n_replications, max_failed_share)
    table, gaps = _table(original.table, values, conf_level, conf_type, max_failed_share)
    found = {"n_replications": n_replications, "n_failed": n_replications - len(values), "failures": failures,
             **gaps, "unit": unit, "n_units": draws.n_units, "workers": how}
    # What the estimator says of clusters holds for its own errors.
    found |= few_clusters(draws.n_units, 1, "bootstrap") if unit == "cluster" else {"clusters": None}
    own = {name: value for name, value in original.diagnostics.items() if name != "warning"}
    options = {"statistic": original.provenance.method, "n_replications": n_replications, "unit": unit,
               "statistic_options": dict(original.provenance.options), "conf_level": conf_level,
               "conf_type": conf_type, "within_strata": within_strata, "as_copies": as_copies}
    # What may leave is judged by the same persons.
    kept = {name: original.model[name] for name in (*JUDGED_BY, "gaps") if name in original.model}
    told = replace(original, diagnostics=own | found)
    return replace(told.with_provenance(method="bootstrap", options=options, seed=seed), table=table,
                   model={**kept, "replications": values})


def limits(estimate, replications, conf_level, conf_type):
    """Return error and limits of one estimate from its replications (no missing values)."""
    error, alpha = float(np.std(replications, ddof=1)), (1 - conf_level) / 2
    if conf_type == "normal":
        centre, margin = 2 * estimate - replications.mean(), quantile(conf_level) * error
        return error, centre - margin, centre + margin
    low, high = (_interpolated(np.sort(replications), share) for share in (alpha, 1 - alpha))
    if conf_type == "basic":
        return error, 2 * estimate - high, 2 * estimate - low
    return error, low, high


def _interpolated(ordered, share):
    """Return a quantile of ordered replications, between two of them on the scale of normal quantiles."""
    from scipy.special import ndtri

    number = len(ordered)
    place = (number + 1) * share
    below = min(max(int(place + 1e-9), 1), number)
    if below == number or abs(place - below) < 1e-9:
        return float(ordered[below - 1])
    at, low, high = ndtri(np.array([share, below / (number + 1), (below + 1) / (number + 1)]))
    part = max((at - low) / (high - low), 0.0)
    return float(ordered[below - 1] + part * (ordered[below] - ordered[below - 1]))


def _require_options(n_replications, seed, unit, n_workers, conf_level, conf_type, max_failed_share):
    quantile(conf_level)
    require_one_of("unit", unit, ("person", "cluster"))
    require_one_of("conf_type", conf_type, CONF_TYPES)
    least = int(np.ceil(2 / (1 - conf_level) - 1e-9)) - 1
    if n_replications < max(least, 2):
        raise ValueError(f"n_replications == {n_replications!r}, must be at least {max(least, 2)} for limits "
                         f"at the level {conf_level:g}; a thousand is usual")
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or seed < 0:
        raise ValueError(f"seed == {seed!r}, must be a whole number from 0")
    if n_workers < 1:
        raise ValueError(f"n_workers == {n_workers!r}, must be at least 1")
    if not 0 <= max_failed_share < 1:
        raise ValueError(f"max_failed_share == {max_failed_share!r}, must be from 0 to below 1")


def _sort_out(answers, n_replications, max_failed_share):
    """Return the estimates of the replications that succeeded and the counted reasons of the others."""
    done = [answer for answer in answers if not isinstance(answer, str)]
    failures = dict(Counter(answer for answer in answers if isinstance(answer, str)).most_common(3))
    n_failed = n_replications - len(done)
    if n_failed > max_failed_share * n_replications or len(done) < 2:
        raise EstimationError(
            f"bootstrap: {n_failed} of {n_replications} replications failed, at most {max_failed_share:.0%} "
            f"may; most often: {next(iter(failures))!r}. Choose an earlier horizon or fewer terms, draw "
            "within strata, or accept more with max_failed_share")
    return np.array(done, dtype=float), failures


def _table(table, values, conf_level, conf_type, max_failed_share):
    """Return the table with the bootstrap's errors and limits, and what is missing."""
    known = np.isfinite(values)
    enough = known.sum(axis=0) >= max((1 - max_failed_share) * len(values), 2)
    enough &= table["estimate"].notna().to_numpy()
    spread = np.full((len(table), 3), np.nan)
    for row in np.flatnonzero(enough):
        spread[row] = limits(table["estimate"].iloc[row], values[known[:, row], row], conf_level, conf_type)
    columns = dict(zip(("std_error", "conf_low", "conf_high"), spread.T, strict=True))
    missing = (~known).sum(axis=0)[enough]
    return table.assign(**columns, p_value=np.nan), {"rows_without_limits": int((~enough).sum()),
                                                     "most_missing": int(missing.max(initial=0))}
