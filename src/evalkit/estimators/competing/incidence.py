"""Competing exits: the share that has left by each cause, or is in each state, at every week."""

import numpy as np
import pandas as pd

from evalkit.estimators._clusters import clusters_told
from evalkit.estimators._counting import divide, require_distinct, strata_of
from evalkit.estimators._gaps import gaps_of
from evalkit.estimators._grid import grid_of_strata, n_at_start
from evalkit.estimators._influence import incidence_variance
from evalkit.estimators._limits import CONF_TYPES, quantile, require_one_of, share_limits
from evalkit.estimators._units import require_clusters_by_stratum
from evalkit.estimators.multistate.chain import chain_of, require_states
from evalkit.estimators.multistate.curves import share_curves
from evalkit.estimators.nonparametric import refuse_early_end
from evalkit.result import Estimand, Provenance, Result, tidy


def aalen_johansen(at_risk, *, conf_level=0.95, conf_type="log"):
    """Estimate the cumulative incidence of each cause, or with states the share in each state, at every week.

    Parameters
    ----------
    at_risk : AtRisk
        Without ``state``, events of several causes; with ``state`` (and ``person``), movements between
        states.
    conf_level : float
    conf_type : {"log", "log-log", "plain"}

    Returns
    -------
    Result
        Kind ``curve``. Without states: term ``survival`` (no event yet), then each cause; with states: each
        state. Rows at time 0, at every time at which anything happens in the stratum, and at the end of
        follow-up. ``n_persons`` counts those at risk just before (with states: in that state), ``n_events``
        the arrivals. Gaps in observation are told as in :func:`kaplan_meier`, with states as in
        :func:`state_occupation`.

    Raises
    ------
    EstimationError
        As in :func:`kaplan_meier` and :func:`state_occupation`.

    Notes
    -----
    F_k(t) = sum over s <= t of S(s-) d_k(s) / n(s). Errors are the influence functions', by cluster, else
    person, else row: ``survfit(Surv(entry, exit, cause) ~ strata, id = , cluster = )`` of R survival, and for
    right-censored rows equal to the Greenwood-type errors. ``cmprsk::cuminc`` uses another variance (a few
    per cent in small samples). Ties are exact. Where a share is 0 the ``log`` limits are missing, as in R,
    except at time 0.

    References
    ----------
    .. [1] Aalen and Johansen (1978), Scandinavian Journal of Statistics 5, 141-150.

    Examples
    --------
    >>> from evalkit.atrisk import AtRisk
    >>> frame = pd.DataFrame({"weeks": [1, 2, 2, 4], "left": ["JOB", "STUDY", None, None]})
    >>> curve = aalen_johansen(AtRisk.from_frame(frame, exit="weeks", event="left")).table
    >>> curve.pivot(index="time_weeks", columns="term", values="estimate").round(4).values.tolist()
    [[0.0, 0.0, 1.0], [0.25, 0.0, 0.75], [0.25, 0.25, 0.5], [0.25, 0.25, 0.5]]
    """
    require_one_of("conf_type", conf_type, CONF_TYPES)
    quantile(conf_level)
    require_clusters_by_stratum(at_risk)
    clusters = clusters_told(at_risk, 1, "aalen_johansen")
    if at_risk.state is not None:
        require_states(at_risk, "aalen_johansen")
        tables, gaps = _state_curves(at_risk, conf_level, conf_type)
        return _answer(tables, gaps, clusters, "state_share", conf_level, conf_type)
    require_distinct(["survival", *at_risk.causes], "aalen_johansen", "a cause", "it in causes")
    grid = grid_of_strata(at_risk, at_risk.event, len(at_risk.causes))
    refuse_early_end(grid)
    return _answer(_cause_curves(grid, conf_level, conf_type), gaps_of(at_risk), clusters,
                   "cumulative_incidence", conf_level, conf_type)


def _answer(table, gaps, clusters, name, conf_level, conf_type):
    return Result(kind="curve", table=table, model={"gaps": gaps},
                  diagnostics={"n_gaps": len(gaps), **clusters},
                  estimand=Estimand(name=name, summary="aalen_johansen", unit="share"),
                  provenance=Provenance(method="aalen_johansen",
                                        options={"conf_level": conf_level, "conf_type": conf_type}))


def _cause_curves(grid, conf_level, conf_type):
    """Tabulate survival and every incidence, all strata in one pass."""
    survival = grid.accumulate(np.multiply, 1 - grid.hazard)
    # 1 - d/n of equal sums of weights may miss 0 by rounding.
    survival[survival < 1e-14] = 0.0
    before = np.append(1.0, survival[:-1])
    before[grid.starts[:-1]] = 1.0
    incidence = grid.accumulate(np.add, before[:, None] * divide(grid.events, grid.at_risk[:, None]))
    error = np.sqrt(incidence_variance(grid, survival, before, incidence))
    start, share = np.append(1.0, np.zeros(incidence.shape[1])), np.column_stack([survival, incidence])
    n_events = np.column_stack([grid.n_events.sum(axis=1), grid.n_events])
    limits = share_limits(share, error, conf_level, conf_type)
    terms = ("survival", *grid.rows.causes)
    code = np.repeat(np.arange(len(grid.labels)), np.diff(grid.starts) + 1)
    group = np.array(grid.labels, dtype=object)[code]

    def column(first, later):
        return np.insert(np.asarray(later, dtype=float), grid.starts[:-1], first)

    tables = [tidy(term=term, group=group, time_weeks=column(0.0, grid.times),
                   estimate=column(start[k], share[:, k]), std_error=column(0.0, error[:, k]),
                   conf_low=column(start[k], limits[0][:, k]), conf_high=column(start[k], limits[1][:, k]),
                   n_persons=column(n_at_start(grid), grid.n_at_risk), n_events=column(0.0, n_events[:, k]))
              for k, term in enumerate(terms)]
    by_stratum = np.argsort(np.tile(code, len(terms)), kind="stable")
    return pd.concat(tables, ignore_index=True).iloc[by_stratum].reset_index(drop=True)


def _state_curves(at_risk, conf_level, conf_type):
    found = {label: share_curves(chain_of(label, at_risk.select(rows))) for label, rows in strata_of(at_risk)}
    tables = [part for label, curves in found.items()
              for part in _of_stratum(label, curves, at_risk.causes, conf_level, conf_type)]
    return pd.concat(tables, ignore_index=True), sum((curves.gaps for curves in found.values()), ())


def _of_stratum(label, found, states, conf_level, conf_type):
    for k, term in enumerate(states):
        share, error, present = found.share[:, k], found.error[:, k], found.present[:, k]
        yield _curve(term, label, found.times, (share[0], share[1:]), error[1:], (present[0], present[1:]),
                     found.arrived[:, k], conf_level, conf_type, error[0])


def _curve(term, label, times, share, error, at_risk, n_events, conf_level, conf_type, start_error=0.0):
    estimate, error = np.append(*share), np.append(start_error, error)
    low, high = share_limits(estimate, error, conf_level, conf_type)
    if start_error == 0:
        low[0] = high[0] = estimate[0]
    return tidy(term=term, group=label, time_weeks=np.append(0.0, times), estimate=estimate, std_error=error,
                conf_low=low, conf_high=high, n_persons=np.append(*at_risk),
                n_events=np.append(0.0, n_events))
