"""Hazards of each movement between states: own or shared effects, weeks since time zero or in the state."""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from evalkit.errors import EstimationError
from evalkit.estimators._clusters import clusters_told
from evalkit.estimators._counting import event_codes, require_covariates
from evalkit.estimators._limits import chi_square, require_one_of
from evalkit.estimators._rarest import rarer_side
from evalkit.estimators._units import units_of
from evalkit.estimators.cox.fit import fit_cox
from evalkit.estimators.cox.inference import block_diagonal
from evalkit.estimators.cox.partial import design, evaluate, score_columns
from evalkit.estimators.multistate.chain import require_states
from evalkit.estimators.multistate.markov import movements_of
from evalkit.estimators.multistate.spells import state_clock
from evalkit.result import Estimand, Provenance, Result, tidy

CLOCKS = ("forward", "reset")
FITTED = ("estimates", "covariance", "covariance_naive", "groups")
BASELINE = ("baseline_time", "baseline_hazard", "baseline_group")
TESTS = ("log_likelihood_null", "log_likelihood", "df", "likelihood_ratio_chi_square", "score_chi_square",
         "wald_chi_square", "likelihood_ratio_p_value", "score_p_value", "wald_p_value")


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
        ``model``: terms, transitions, estimates, covariance, covariance_naive and n_behind in the order of
        the table, and the cumulative baseline hazard of each movement at all covariates 0 (baseline_time,
        baseline_hazard, baseline_group, groups). ``diagnostics``: log likelihoods and tests of all terms.

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
    options = {"ties": ties, "conf_level": conf_level, "robust": robust}
    fit = (fit_together(rows, moves, names, shared, options) if shared else
           _apart(rows, moves, names, options))
    return _as_movements(fit, rows, moves, names, shared,
                         {"clock": clock, "shared": list(shared), "transitions": names, **options})


def _require_terms(at_risk, shared):
    require_covariates(at_risk, "transition_cox")
    if isinstance(shared, str) or not set(shared) <= set(at_risk.terms):
        raise ValueError(f"shared == {shared!r}, must be a sequence of terms among "
                         f"{', '.join(at_risk.terms)}")


def _moves(at_risk, transitions):
    """Return the movements asked for as pairs of codes."""
    moves = movements_of(at_risk, "transition_cox")
    if transitions is None:
        return moves
    names = [f"{at_risk.causes[source - 1]} -> {at_risk.causes[to - 1]}" for source, to in moves]
    if isinstance(transitions, str) or not len(transitions) or not set(transitions) <= set(names):
        raise ValueError(f"transitions == {transitions!r}, must be a sequence of movements among "
                         f"{', '.join(names)}")
    return moves[[name in set(transitions) for name in names]]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Fit:
    """What one model says: the numbers of its table, its arrays and its tests."""

    numbers: pd.DataFrame
    model: dict
    diagnostics: dict


def _apart(rows, moves, names, options):
    """Fit movement by movement: without shared effects the likelihood falls into these parts."""
    parts = [_part(rows, move, name) for move, name in zip(moves, names, strict=True)]
    fits = [_fitted(part, name, **options) for (part, _), name in zip(parts, names, strict=True)]
    naive = block_diagonal([fit.model["covariance_naive"] for fit in fits])
    covariance = _between_units(rows, parts, fits, options["ties"]) if options["robust"] else naive
    groups = [fit.model["groups"] for fit in fits]
    shift = np.cumsum([0, *map(len, groups[:-1])])
    baseline = {name: np.concatenate([fit.model[name] for fit in fits]) for name in BASELINE[:2]}
    baseline["baseline_group"] = np.concatenate([fit.model["baseline_group"] + k
                                                 for fit, k in zip(fits, shift, strict=True)])
    estimates = np.concatenate([fit.model["estimates"] for fit in fits])
    model = {"estimates": estimates, "covariance": covariance, "covariance_naive": naive, **baseline,
             "groups": tuple(label for part in groups for label in part)}
    return _Fit(numbers=pd.concat([fit.table for fit in fits], ignore_index=True), model=model,
                diagnostics=_tests([fit.diagnostics for fit in fits], estimates, covariance))


def _part(rows, move, name):
    """Return the rows at risk of one movement, which is their event, and their positions."""
    position = np.flatnonzero(rows.state == move[0])
    taken = rows.select(position)
    strata, labels = _baselines(taken, np.zeros(len(position), dtype=np.int64), [name])
    return replace(taken, event=(taken.event == move[1]).astype(np.int64), causes=("moved",), state=None,
                   strata=strata, strata_labels=labels), position


def _between_units(rows, parts, fits, ties):
    """Add up the influence of each unit on all movements, and square: the same persons make several."""
    units = units_of(rows)
    influence = np.hstack([_influence(units, part, position, fit.model, ties)
                           for (part, position), fit in zip(parts, fits, strict=True)])
    return influence.T @ (influence * units.copies[:, None])


def _influence(units, part, position, model, ties):
    """Return what each unit adds to the estimates of one movement, at the fit that is there."""
    plan, _, scale = design(part, event_codes(part, None), ties)
    scores = score_columns(plan, evaluate(plan, model["estimates"] * scale))
    sums = np.array([units.sums(score, position[plan.row]) for score in scores])
    return sums.T @ (scale[:, None] * model["covariance_naive"])


def _tests(parts, estimates, covariance):
    """Add up what independent parts of a likelihood say; the Wald statistic is that of all together."""
    sums = {name: sum(part[name] for part in parts) for name in TESTS[:5]}
    is_regular = np.linalg.matrix_rank(covariance, hermitian=True) == len(covariance)
    wald = float(estimates @ np.linalg.solve(covariance, estimates)) if is_regular else np.nan
    tests = {**sums, "wald_chi_square": wald}
    return tests | {f"{name}_p_value": chi_square(tests[f"{name}_chi_square"], sums["df"])
                    for name in ("likelihood_ratio", "score", "wald")}


def fit_together(rows, moves, names, shared, options):
    """Fit all movements as one model, with a term of its own for every effect that is not shared."""
    fit = _fitted(_stacked(rows, moves, names, set(shared)), "", **options)
    return _Fit(numbers=fit.table, diagnostics={name: fit.diagnostics[name] for name in TESTS},
                model={name: fit.model[name] for name in (*FITTED, *BASELINE)})


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


def _fitted(at_risk, name, **options):
    try:
        return fit_cox(at_risk, f"transition_cox: {name}" if name else "transition_cox", **options)
    except EstimationError as error:
        raise EstimationError(f"{error}. For a movement with few events, share the "
                              "effect, or leave the movement out by transitions=...") from None


def _as_movements(fit, rows, moves, names, shared, options):
    """Tell the movement of each term, and count persons and movements movement by movement."""
    own = [term for term in rows.terms if term not in set(shared)]
    common = [term for term in rows.terms if term in set(shared)]
    terms = tuple(own * len(names) + common)
    groups = tuple([name for name in names for _ in own] + [""] * len(common))
    parts = [_part(rows, move, name)[0] for move, name in zip(moves, names, strict=True)]
    persons, events = ([getattr(part, what) for part in parts] for what in ("n_persons", "n_events"))
    everybody = rows.select(np.isin(rows.state, moves[:, 0])).n_persons
    numbers = fit.numbers[["estimate", "std_error", "conf_low", "conf_high", "p_value"]].to_dict("series")
    table = tidy(term=list(terms), group=list(groups), **numbers,
                 n_persons=np.append(np.repeat(persons, len(own)), [everybody] * len(common)),
                 n_events=np.append(np.repeat(events, len(own)), [sum(events)] * len(common)))
    sides = np.array([rarer_side(part, part.event) for part in parts])
    shares = np.array([term in set(shared) for term in rows.terms])
    model = {"terms": terms, "transitions": groups, **fit.model,
             "n_behind": np.append(sides[:, ~shares].ravel(), sides[:, shares].max(axis=0))}
    told = clusters_told(rows, len(terms), "transition_cox", options["robust"])
    return Result(kind="model", table=table, model=model, diagnostics=fit.diagnostics | told,
                  provenance=Provenance(method="transition_cox", options=options),
                  estimand=Estimand(name="hazard_ratio", summary="log_hazard_ratio", unit="log_ratio"))
