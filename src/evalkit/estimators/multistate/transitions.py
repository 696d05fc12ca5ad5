"""Transition probabilities: where persons who are in one state at one week will be at later weeks."""

import numpy as np
import pandas as pd

from evalkit.errors import EstimationError
from evalkit.estimators._clusters import clusters_told
from evalkit.estimators._limits import CONF_TYPES, quantile, require_one_of, share_limits
from evalkit.estimators._units import require_clusters_by_stratum, units_of
from evalkit.estimators.multistate.chain import chains_of, require_states
from evalkit.estimators.multistate.landmark import moved_between, require_persons
from evalkit.estimators.multistate.persons import fewest_by_row
from evalkit.estimators.multistate.start_week import StartWeek, later_weeks
from evalkit.result import Estimand, Provenance, Result, tidy

METHODS = ("aalen_johansen", "landmark")


def transition_probabilities(at_risk, *, from_weeks, to_weeks, method="aalen_johansen", conf_level=0.95,
                             conf_type="plain"):
    """Estimate the probability of being in each state at later weeks, given the state at one week.

    Parameters
    ----------
    at_risk : AtRisk
        With ``state`` and ``person`` (or, for ``aalen_johansen``, ``cluster``); its strata are the groups.
    from_weeks : float
        The week s at which the state is known; movements in that very week have happened.
    to_weeks : float or sequence of float
        Weeks t after it.
    method : {"aalen_johansen", "landmark"}
        ``aalen_johansen`` uses everybody at risk after s, whatever happened before: right if the process is
        Markov. ``landmark`` uses those who are seen in the state at s, and only them.
    conf_level : float
    conf_type : {"plain", "log", "log-log"}

    Returns
    -------
    Result
        Kind ``model``. Terms ``FROM -> TO`` with ``time_weeks`` t, for every state FROM that anybody is seen
        to stay in. ``n_persons`` counts persons seen in FROM at s, ``n_events`` those of them seen in TO at t
        (or last seen in TO if nobody leaves it; missing where no person is named). ``model``: terms,
        from_weeks, times, groups, estimates (n_groups, n_times, n_terms), covariance (of the terms of a group
        and time), n_behind (for each row the fewer of those of FROM in TO and outside it)
        and final (the states that nobody is seen to leave).
        ``diagnostics`` name under ``not_estimable`` the states in which nobody is seen at s, or
        nobody could be followed to t: their rows have no estimate. Gaps in the observation of a state are
        told as in :func:`state_occupation`.

    Raises
    ------
    EstimationError
        No states or persons, or nothing that could be estimated.

    Notes
    -----
    P(s, t) is the product of I + dA(u) over s < u <= t (Aalen and Johansen 1978): ``mstate::probtrans``.
    Where the way into a state matters for what follows (no Markov process), the product is still right for
    shares from time zero under independent censoring (:func:`state_occupation`; Datta and Satten 2001), no
    longer under delayed entry, and it is not right for P(s, t). The landmark estimate (Putter and Spitoni
    2018) is the same product over those who are in the state at s; it needs independent censoring after s
    only, and more persons. ``mstate::LMAJ`` is it but for ties: its hazards are Efron's.
    :func:`markov_test` tells whether the two differ.

    Errors come from the influence functions, the state at s given, summed within clusters, else persons:
    ``survfit(..., id, istate, start.time = s, p0 = )`` of R survival. Errors of ``mstate`` (Greenwood or
    Aalen type) take a person's movements as independent and are a little different.

    References
    ----------
    .. [1] Aalen and Johansen (1978), Scandinavian Journal of Statistics 5, 141-150.
    .. [2] Datta and Satten (2001), Statistics and Probability Letters 55, 403-411.
    .. [3] Putter and Spitoni (2018), Statistical Methods in Medical Research 27, 2081-2092.

    Examples
    --------
    >>> from evalkit.atrisk import AtRisk
    >>> frame = pd.DataFrame({"person": [1, 2, 2, 3, 3], "from": [0, 0, 2, 0, 1], "to": [4, 2, 4, 1, 3],
    ...                       "now": ["ON", "ON", "OFF", "ON", "OFF"],
    ...                       "then": [None, "OFF", None, "OFF", "ON"]})
    >>> table = AtRisk.from_frame(frame, entry="from", exit="to", state="now", event="then", person="person")
    >>> transition_probabilities(table, from_weeks=1, to_weeks=3).table[["term", "estimate", "n_persons"]]
             term  estimate  n_persons
    0  OFF -> OFF      0.50        1.0
    1   OFF -> ON      0.50        1.0
    2   ON -> OFF      0.25        2.0
    3    ON -> ON      0.75        2.0
    """
    require_one_of("method", method, METHODS)
    require_one_of("conf_type", conf_type, CONF_TYPES)
    quantile(conf_level)
    start, weeks = later_weeks(from_weeks, to_weeks)
    require_states(at_risk, "transition_probabilities")
    require_clusters_by_stratum(at_risk)
    if method == "landmark":
        require_persons(at_risk, "transition_probabilities(method='landmark')")
    model, tables, diagnostics = _estimate(at_risk, start, weeks, method, conf_level, conf_type)
    options = {"from_weeks": start, "to_weeks": weeks.tolist(), "method": method, "conf_level": conf_level,
               "conf_type": conf_type}
    table = pd.concat(tables, ignore_index=True)
    model["n_behind"] = fewest_by_row(table)
    seen = np.bincount(at_risk.state, minlength=len(at_risk.causes) + 1)[1:]
    model["final"] = tuple(state for state, n in zip(at_risk.causes, seen, strict=True) if n == 0)
    return Result(kind="model", table=table, model=model,
                  diagnostics=diagnostics | clusters_told(at_risk, 1, "transition_probabilities"),
                  provenance=Provenance(method="transition_probabilities", options=options),
                  estimand=Estimand(name="transition_probability", summary="transition_probabilities",
                                    unit="share", horizon_weeks=float(weeks.max())))


def _estimate(at_risk, start, weeks, method, conf_level, conf_type):
    """Estimate every stratum; return the model, the tables and what could not be estimated."""
    units, seen = units_of(at_risk), np.flatnonzero(np.bincount(at_risk.state)) - 1
    terms = tuple(f"{at_risk.causes[h]} -> {to}" for h in seen for to in at_risk.causes)
    groups, estimates, covariances, tables, missing, gaps = [], [], [], [], [], []
    for chain, position in chains_of(at_risk):
        answer = StartWeek(chain, units, position, seen, start, method)
        estimate, covariance = answer.probabilities(weeks)
        missing += answer.not_estimable(estimate, weeks)
        gaps += answer.gaps(weeks.max())
        tables.append(_table(answer, terms, weeks, estimate, covariance, conf_level, conf_type))
        for held, found in ((groups, chain.label), (estimates, estimate), (covariances, covariance)):
            held.append(found)
    if np.isnan(estimates).all():
        raise EstimationError(f"transition_probabilities: nobody who is seen in a state at week {start:g} "
                              f"can be followed to week {weeks.min():g}. "
                              "Choose an earlier week, or pool groups")
    model = {"terms": terms, "from_weeks": start, "times": weeks, "groups": tuple(groups),
             "estimates": np.array(estimates), "covariance": np.array(covariances),
             "gaps": tuple(gaps)}
    return model, tables, {"not_estimable": missing, "n_gaps": len(gaps)}


def _table(answer, terms, weeks, estimate, covariance, conf_level, conf_type):
    error = np.sqrt(np.maximum(np.diagonal(covariance, axis1=1, axis2=2), 0))
    low, high = share_limits(estimate, error, conf_level, conf_type)
    n_persons, n_events = moved_between(answer.chain, answer.followed, answer.seen, weeks)
    return tidy(term=list(terms) * len(weeks), group=answer.chain.label,
                time_weeks=np.repeat(weeks, len(terms)), estimate=estimate.ravel(), std_error=error.ravel(),
                conf_low=low.ravel(), conf_high=high.ravel(), n_persons=n_persons.ravel(),
                n_events=n_events.ravel())
