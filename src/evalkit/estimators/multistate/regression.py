"""Hazards of each movement between states: own or shared effects, weeks since time zero or in the state."""

from dataclasses import replace

import numpy as np

from evalkit.errors import EstimationError
from evalkit.estimators._counting import rarer_side
from evalkit.estimators._limits import require_one_of
from evalkit.estimators.cox import cox
from evalkit.estimators.multistate.chain import require_states
from evalkit.estimators.multistate.markov import movements_of
from evalkit.estimators.multistate.spells import state_clock
from evalkit.result import Estimand, Provenance, tidy

CLOCKS = ("forward", "reset")


def transition_cox(at_risk, *, clock="forward", shared=(), transitions=None, ties="efron", conf_level=0.95,
                   robust=True):
    """Estimate log hazard ratios of each movement between states by Cox's partial likelihood.

    Parameters
    ----------
    at_risk : AtRisk
        With ``state``, ``person`` (or ``cluster``) and covariates. Each movement has its own baseline hazard
        in each of its strata.
    clock : {"forward", "reset"}
        Weeks since time zero, or weeks since the state was entered (a semi-Markov model). With ``reset`` the
        state at time zero is taken to begin then, and person and a known beginning are needed.
    shared : sequence of str
        Terms whose effect is the same on every movement; the others have an effect on each.
    transitions : sequence of str, optional
        The movements ``FROM -> TO`` that are modelled; default: all that occur.
    ties, conf_level
        As in :func:`cox`.
    robust : bool
        Errors by cluster, else person; without, every row of every movement is taken as independent.

    Returns
    -------
    Result
        Kind ``model``. One row for each movement (``group``, ``FROM -> TO``) and own term, then each shared
        term with an empty group. ``n_persons`` counts persons ever at risk, ``n_events`` movements.
        ``model``: as of :func:`cox`, rows in the order of the table; ``transitions`` is its column ``group``,
        ``groups`` name the baseline hazards. ``diagnostics`` as of :func:`cox`.

    Raises
    ------
    EstimationError
        No states, persons or covariates; no movement; a spell of unknown beginning with ``reset``; and as in
        :func:`cox`, with the movement named.

    Notes
    -----
    Rows in FROM are stacked once for each movement out of it, with the other movements as censorings:
    ``coxph(Surv(entry, exit, moved) ~ ... + strata(trans), cluster = id)`` of R survival on the data that
    ``mstate::msprep`` makes (Putter, Fiocco and Geskus 2007; de Wreede, Fiocco and Putter 2010). Returns are
    spells of their own: under ``reset`` a person may be at risk of one movement several times at one
    duration. A past that matters (weeks in an earlier state) can be put in as a covariate of the rows; it
    must be known when the row begins.

    References
    ----------
    .. [1] de Wreede, Fiocco and Putter (2010), Computer Methods and Programs in Biomedicine 99, 261-274.
    .. [2] Putter, Fiocco and Geskus (2007), Statistics in Medicine 26, 2389-2430.

    Examples
    --------
    Leaving ON in the order x = 1, 0, 1, 0: as in :func:`cox`, the ratio is (1 + sqrt(17)) / 2.

    >>> import pandas as pd
    >>> from evalkit.atrisk import AtRisk
    >>> frame = pd.DataFrame({"person": [1, 2, 3, 4], "to": [1, 2, 3, 4], "now": "ON", "then": "OFF",
    ...                       "x": [1, 0, 1, 0]})
    >>> table = AtRisk.from_frame(frame, exit="to", state="now", event="then", person="person",
    ...                           covariates=["x"])
    >>> fit = transition_cox(table).table
    >>> fit["group"][0], round(float(np.exp(fit["estimate"][0])), 4)
    ('ON -> OFF', 2.5616)
    """
    require_one_of("clock", clock, CLOCKS)
    require_states(at_risk, "transition_cox")
    _require_terms(at_risk, shared)
    moves = _moves(at_risk, transitions)
    rows = state_clock(at_risk) if clock == "reset" else at_risk
    names = [f"{at_risk.causes[source - 1]} -> {at_risk.causes[to - 1]}" for source, to in moves]
    stacked = _stacked(rows, moves, names, set(shared))
    fit = _fitted(stacked, ties=ties, conf_level=conf_level, robust=robust)
    options = {"clock": clock, "shared": list(shared), "transitions": names, "ties": ties,
               "conf_level": conf_level, "robust": robust}
    return _as_movements(fit, rows, moves, names, shared, options)


def _require_terms(at_risk, shared):
    if not at_risk.terms:
        raise EstimationError("transition_cox: the at-risk table has no covariates; "
                              "name them in AtRisk.from_frame(covariates=...)")
    if isinstance(shared, str) or not set(shared) <= set(at_risk.terms):
        raise ValueError(f"shared == {shared!r}, must be a sequence of terms among "
                         f"{', '.join(at_risk.terms)}")


def _moves(at_risk, transitions):
    """Return the movements asked for as pairs of codes."""
    moves = movements_of(at_risk)
    if not len(moves):
        raise EstimationError(f"transition_cox: no movement among {at_risk.n_persons} persons. "
                              "Look at the definition of the states and the length of follow-up")
    if transitions is None:
        return moves
    names = [f"{at_risk.causes[source - 1]} -> {at_risk.causes[to - 1]}" for source, to in moves]
    if isinstance(transitions, str) or not len(transitions) or not set(transitions) <= set(names):
        raise ValueError(f"transitions == {transitions!r}, must be a sequence of movements among "
                         f"{', '.join(names)}")
    return moves[[name in set(transitions) for name in names]]


def _stacked(rows, moves, names, shared):
    """Repeat the rows of each state for every movement out of it; a term of one movement is 0 elsewhere."""
    position = [np.flatnonzero(rows.state == source) for source, _ in moves]
    move, row = np.repeat(np.arange(len(moves)), [len(part) for part in position]), np.concatenate(position)
    taken = replace(rows, covariates=np.empty((rows.n_rows, 0)), terms=()).select(row)
    common = [k for k, term in enumerate(rows.terms) if term in shared]
    own = [k for k, term in enumerate(rows.terms) if term not in shared]
    matrix = np.zeros((len(row), len(moves) * len(own) + len(common)))
    for q, part in enumerate(position):
        matrix[move == q, q * len(own):(q + 1) * len(own)] = rows.covariates[np.ix_(part, own)]
    matrix[:, len(moves) * len(own):] = rows.covariates[np.ix_(row, common)]
    terms = [f"{rows.terms[k]} ({name})" for name in names for k in own] + [rows.terms[k] for k in common]
    strata, labels = _baselines(taken, move, names)
    moved = (taken.event == moves[move, 1]).astype(np.int64)
    return replace(taken, event=moved, causes=("moved",), state=None, covariates=matrix, terms=tuple(terms),
                   strata=strata, strata_labels=labels)


def _baselines(taken, move, names):
    """Give each movement in each stratum a baseline hazard of its own."""
    if taken.strata is None:
        return move, tuple(names)
    width = len(taken.strata_labels)
    return move * width + taken.strata, tuple(f"{name}, {label}" for name in names
                                              for label in taken.strata_labels)


def _fitted(stacked, **options):
    try:
        return cox(stacked, **options)
    except EstimationError as error:
        raise EstimationError(f"transition_cox: {error}. For a movement with few events, share the effect, "
                              "or leave the movement out by transitions=...") from None


def _as_movements(fit, rows, moves, names, shared, options):
    """Tell the movement of each term, and count persons and movements movement by movement."""
    own = [term for term in rows.terms if term not in set(shared)]
    common = [term for term in rows.terms if term in set(shared)]
    terms = tuple(own * len(names) + common)
    groups = tuple([name for name in names for _ in own] + [""] * len(common))
    parts = [_part(rows, source, to) for source, to in moves]
    persons = np.repeat([part.n_persons for part in parts], len(own))
    events = np.repeat([part.n_events for part in parts], len(own))
    columns = fit.table[["estimate", "std_error", "conf_low", "conf_high", "p_value"]].to_dict("series")
    table = tidy(term=list(terms), group=list(groups), **columns,
                 n_persons=np.append(persons, [rows.n_persons] * len(common)),
                 n_events=np.append(events, [fit.table["n_events"][0]] * len(common)))
    model = {**fit.model, "terms": terms, "transitions": groups, "n_term": _rarer_sides(parts, rows, terms)}
    return replace(fit, table=table, model=model,
                   provenance=Provenance(method="transition_cox", options=options),
                   estimand=Estimand(name="hazard_ratio", summary="log_hazard_ratio", unit="log_ratio"))


def _part(rows, source, to):
    part = rows.select(rows.state == source)
    return replace(part, event=(part.event == to).astype(np.int64))


def _rarer_sides(parts, rows, terms):
    """Return for each term the persons on its rarer side, on the movement where they are fewest."""
    fewest = np.min([rarer_side(part) for part in parts], axis=0)
    return np.array([fewest[rows.terms.index(term)] for term in terms])
