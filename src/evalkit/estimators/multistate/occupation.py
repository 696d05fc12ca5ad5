"""States with returns: how long, and with what share, persons are in each state."""

import numpy as np
import pandas as pd

from evalkit.estimators._clusters import clusters_told
from evalkit.estimators._limits import CONF_TYPES, quantile, read_weeks, require_one_of, share_limits
from evalkit.estimators._units import require_clusters_by_stratum, units_of
from evalkit.estimators.multistate.chain import (
    chains_of,
    functionals,
    require_follow_up,
    require_states,
    row_influence,
    state_gaps,
)
from evalkit.estimators.multistate.persons import fewest_by_row, person_counter
from evalkit.estimators.multistate.unit_influence import local_units, unit_influence_of
from evalkit.result import Estimand, Provenance, Result, tidy

# Groups times terms up to which their joint covariance is kept (200 MB).
MOST = 5_000


def state_occupation(at_risk, *, horizon_weeks, weeks=(), conf_level=0.95, conf_type="plain"):
    """Estimate expected weeks in each state by each horizon, returns counted, and shares at given weeks.

    Parameters
    ----------
    at_risk : AtRisk
        With ``state`` and ``person`` (or ``cluster``); its strata are the groups.
    horizon_weeks : float or sequence of float
    weeks : float or sequence of float
        Weeks at which the share in each state is wanted as well.
    conf_level : float
    conf_type : {"plain", "log", "log-log"}
        Of the limits of shares; those of weeks are plain.

    Returns
    -------
    Result
        Kind ``model``. Terms ``weeks[STATE]`` with ``time_weeks`` the horizon, then ``share[STATE]`` with
        ``time_weeks`` the week. ``n_persons`` counts persons of the group (for a share: under observation in
        that week, or last seen in a state that nobody leaves), ``n_events`` those of them ever (for a
        share: then) in the state. ``model``: terms, times, groups, estimates and variance (n_groups,
        n_terms), where groups times terms are at most 5,000 the covariance of all of them, final, the states
        that nobody is seen to leave, and n_behind, for each row the fewer of the persons in the state and
        outside it: at the week, or since the horizon before.
        ``diagnostics["n_gaps"]`` counts the gaps in which nobody in a state is observed at a movement though
        persons should be there, and are taken to stay; ``model["gaps"]`` has (group and state, from week, to
        week) of each.

    Raises
    ------
    EstimationError
        No states or persons, nobody under observation at time zero, or a horizon beyond the follow-up.

    Notes
    -----
    Shares p(t) = p(0) prod (I + dA(s)) (Aalen and Johansen 1978), expected weeks their integral up to the
    horizon. From time zero they need independent censoring but not a Markov process (Datta and Satten 2001);
    with delayed entry they do need it. A share that is last in a state with nobody at risk stays there.
    Errors come from the persons' influence functions, the start included: ``survfit(Surv(entry, exit, state)
    ~ 1, id, istate)`` and ``summary(..., rmean = horizon)`` of R survival; its 3.5-3 leaves ``cluster`` out
    of these errors, and weights out of those of ``rmean``, evalkit does not.

    Examples
    --------
    >>> from evalkit.atrisk import AtRisk
    >>> frame = pd.DataFrame({"person": [1, 2, 2, 2], "from": [0, 0, 2, 3], "to": [4, 2, 3, 4],
    ...                       "now": ["ON", "ON", "OFF", "ON"], "then": [None, "OFF", "ON", None]})
    >>> table = AtRisk.from_frame(frame, entry="from", exit="to", state="now", event="then", person="person")
    >>> state_occupation(table, horizon_weeks=4, weeks=2).table[["term", "estimate"]]
             term  estimate
    0  weeks[OFF]       0.5
    1   weeks[ON]       3.5
    2  share[OFF]       0.5
    3   share[ON]       0.5
    """
    require_one_of("conf_type", conf_type, CONF_TYPES)
    quantile(conf_level)
    require_states(at_risk, "state_occupation")
    require_clusters_by_stratum(at_risk)
    horizons, weeks = _times(horizon_weeks, weeks)
    model, chains = _estimate(at_risk, horizons, weeks)
    table = pd.concat(_tables(model, chains, horizons, weeks, conf_level, conf_type), ignore_index=True)
    is_week = table["term"].str.startswith("weeks[").to_numpy()
    model["n_behind"] = fewest_by_row(table)
    model["n_behind"][is_week] = np.concatenate([_fewest_between(chain, horizons) for chain in chains])
    model["final"] = tuple(state for k, state in enumerate(at_risk.causes)
                           if not any(chain.moving[k] for chain in chains))
    options = {"horizon_weeks": horizons.tolist(), "weeks": weeks.tolist(), "conf_level": conf_level,
               "conf_type": conf_type}
    return Result(kind="model", table=table, model=model, 
                  diagnostics={"n_gaps": len(model["gaps"]),
                               **clusters_told(at_risk, 1, "state_occupation")},
                  estimand=_estimand(model["terms"], horizons.max()),
                  provenance=Provenance(method="state_occupation", options=options))


def occupation_influence(at_risk, *, horizon_weeks, weeks=()):
    """Return each row's influence on the estimates of its own stratum, for errors of one's own.

    Parameters
    ----------
    at_risk, horizon_weeks, weeks
        As in :func:`state_occupation`.

    Returns
    -------
    ndarray of float, shape (n_rows, n_terms)
        In the order of the rows and of ``model["terms"]`` of :func:`state_occupation`. Weights are included,
        counts are not. Sums over the rows of a person are the person's influence; their squares summed over
        persons are the variance; over all rows of a stratum they add up to 0. One number per person: inside
        the house only.

    Examples
    --------
    >>> from evalkit.atrisk import AtRisk
    >>> frame = pd.DataFrame({"person": [1, 2, 2], "from": [0, 0, 2], "to": [4, 2, 4],
    ...                       "now": ["ON", "ON", "OFF"], "then": [None, "OFF", None]})
    >>> table = AtRisk.from_frame(frame, entry="from", exit="to", state="now", event="then", person="person")
    >>> occupation_influence(table, horizon_weeks=4).round(2).tolist()
    [[-0.5, 0.5], [0.5, -0.5], [0.0, 0.0]]
    """
    require_states(at_risk, "occupation_influence")
    horizons, weeks = _times(horizon_weeks, weeks)
    influence = np.empty((at_risk.n_rows, (len(horizons) + len(weeks)) * len(at_risk.causes)))
    for chain, position, found in _groups(at_risk, horizons, weeks):
        influence[position] = row_influence(chain, found)
    return influence if at_risk.weight is None else influence * at_risk.weight[:, None]


def _estimand(terms, horizon):
    unit = {term: "weeks" if term.startswith("weeks") else "share" for term in terms}
    return Estimand(name="state_occupation", summary="state_occupation", unit=unit,
                    horizon_weeks=float(horizon))


def _times(horizon_weeks, weeks):
    horizons = read_weeks("horizon_weeks", horizon_weeks, above=True)
    return horizons, read_weeks("weeks", weeks) if np.size(weeks) else np.empty(0)


def _estimate(at_risk, horizons, weeks):
    terms, times = _names(at_risk.causes, horizons, weeks)
    parts = list(_groups(at_risk, horizons, weeks))
    chains, last = [chain for chain, _, _ in parts], max(horizons.max(), weeks.max(initial=0))
    gaps = tuple(gap for chain, _, found in parts for gap in state_gaps(chain, found, 0.0, last))
    model = {"terms": terms, "times": times, "groups": tuple(chain.label for chain in chains),
             "estimates": np.array([found.estimate for _, _, found in parts]), "gaps": gaps,
             **_covariance(at_risk, parts)}
    return model, chains


def _groups(at_risk, horizons, weeks):
    """Yield the chain of every stratum, the positions of its rows, and what follows from it."""
    for chain, position in chains_of(at_risk):
        found = functionals(chain, horizons, weeks)
        require_follow_up(chain, found, max(horizons.max(), weeks.max(initial=0)))
        yield chain, position, found


def _covariance(at_risk, parts):
    """Square the influence summed within units; groups that share units are correlated."""
    units, n_terms = units_of(at_risk), len(parts[0][2].estimate)
    is_whole = len(parts) * n_terms <= MOST
    is_shared = is_whole and _are_units_shared(units, at_risk.strata)
    variance, blocks, earlier = [], {}, []
    for g, (chain, position, found) in enumerate(parts):
        code, local = local_units(units, position)
        influence = unit_influence_of(chain, local, units.weight[position], len(code), is_start_drawn=True)
        own = influence.covariance(chain, found, units.copies[code])
        variance.append(np.diag(own))
        if is_whole:
            blocks[g, g] = own
        if is_shared:
            sums = influence.sums(chain, found)
            for h, (theirs, other) in enumerate(earlier):
                blocks[g, h] = _product(code, sums, theirs, other, units.copies)
            earlier.append((code, sums))
    whole = {"covariance": _joined(blocks, len(parts), n_terms)} if is_whole else {}
    return {"variance": np.array(variance), **whole}


def _joined(blocks, n_groups, n_terms):
    whole = np.zeros((n_groups * n_terms,) * 2)
    for (g, h), block in blocks.items():
        mine, theirs = (slice(k * n_terms, (k + 1) * n_terms) for k in (g, h))
        whole[mine, theirs], whole[theirs, mine] = block, block.T
    return whole


def _are_units_shared(units, strata):
    if strata is None:
        return False
    some = np.empty(len(units.copies), dtype=strata.dtype)
    some[units.code] = strata
    return bool((some[units.code] != strata).any())


def _product(mine, my_sums, theirs, their_sums, copies):
    shared, at, there = np.intersect1d(mine, theirs, assume_unique=True, return_indices=True)
    return (my_sums[at] * copies[shared][:, None]).T @ their_sums[there]


def _names(states, horizons, weeks):
    terms = [f"{kind}[{state}]" for kind, times in (("weeks", horizons), ("share", weeks))
             for _ in times for state in states]
    return tuple(terms), np.repeat(np.concatenate([horizons, weeks]), len(states))


def _tables(model, chains, horizons, weeks, conf_level, conf_type):
    errors = np.sqrt(np.maximum(model["variance"], 0))
    n_weeks = len(horizons) * len(chains[0].states)
    for chain, estimate, error in zip(chains, model["estimates"], errors, strict=True):
        low, high = _limits(estimate, error, model["times"], n_weeks, conf_level, conf_type)
        persons = person_counter(chain.rows)
        counts = [_ever(chain, persons, horizon) for horizon in horizons]
        counts += [_then(chain, persons, week) for week in weeks]
        yield tidy(term=list(model["terms"]), group=chain.label, time_weeks=model["times"], estimate=estimate,
                   std_error=error, conf_low=low, conf_high=high,
                   n_persons=np.repeat([total for total, _ in counts], len(chain.states)),
                   n_events=np.concatenate([number for _, number in counts]))


def _limits(estimate, error, times, n_weeks, conf_level, conf_type):
    """Weeks lie between 0 and the horizon, shares between 0 and 1."""
    low, high = share_limits(estimate[n_weeks:], error[n_weeks:], conf_level, conf_type)
    margin = quantile(conf_level) * error[:n_weeks]
    return (np.append(np.maximum(estimate[:n_weeks] - margin, 0), low),
            np.append(np.minimum(estimate[:n_weeks] + margin, times[:n_weeks]), high))


def _ever(chain, persons, horizon):
    """Count the persons of the group, and those seen in each state before the horizon."""
    seen = chain.rows.entry < horizon
    entered = (chain.rows.exit < horizon) & (chain.target != chain.state)
    return chain.rows.n_persons, [persons((seen & (chain.state == k)) | (entered & (chain.target == k)))
                                  for k in range(len(chain.states))]


def _fewest_between(chain, horizons):
    """Count, from each horizon to the next, the fewer of the persons in each state and outside it.

    Weeks until two horizons in a row tell the share in between.
    """
    rows, persons, states = chain.rows, person_counter(chain.rows), range(len(chain.states))
    stays, fewest = ~chain.moving[chain.target], []
    for horizon in horizons:
        before = horizons[horizons < horizon].max(initial=0.0)
        seen = (rows.entry < horizon) & (rows.exit > before)
        entered = (rows.exit < horizon) & (chain.target != chain.state) & (stays | (rows.exit >= before))
        inside = [(seen & (chain.state == k)) | (entered & (chain.target == k)) for k in states]
        outside = [np.logical_or.reduce(inside[:k] + inside[k + 1:]) for k in states]
        fewest += [min(persons(inside[k]), persons(outside[k])) for k in states]
    return fewest


def _then(chain, persons, week):
    """Count persons observed at a week, and in each state."""
    counts = [persons(rows) for rows in chain.occupants(week)]
    return sum(counts), counts
