"""Fisher scoring on cells: additive in covariates and time, whatever the link."""

from dataclasses import dataclass

import numpy as np

from evalkit.errors import EstimationError
from evalkit.estimators._counting import total
from evalkit.estimators._units import require_clusters, units_of
from evalkit.estimators.discrete.cells import PART
from evalkit.estimators.discrete.links import LINKS, predictor_of

MAX_STEPS = 100
# Expected gain of a step below which terms have settled, and below which it is the last one.
SETTLED, ENOUGH = 1e-8, 1e-15
# A predictor that still moves by this much when nothing is gained runs to infinity.
RUNAWAY = 0.05
# A term whose information, given the terms before it, is below this share adds nothing.
REDUNDANT = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pass:
    """The log likelihood at one vector of coefficients, its gradient, the expected information."""

    value: float
    gradient: np.ndarray
    information: np.ndarray


def evaluate(design, link, beta):
    """Add up the likelihood over cells.

    Sums by pattern and by cell of time replace the design of every cell: the information of covariates is
    X' diag(w by pattern) X, of time Z' diag(w by cell of time) Z, and only the mixed part needs w x by cell.
    """
    p, n_times = design.x.shape[1], len(design.z)
    by_x, by_z = design.x @ beta[:p], design.z @ beta[p:]
    value, mixed = 0.0, np.zeros((p, n_times))
    # Of the score and of the information: sums by pattern and by cell of time.
    patterns, times = np.zeros((2, len(design.x))), np.zeros((2, n_times))
    for block in design.cells:
        # A block's patterns lie side by side, so that many blocks cost no more than one.
        low, width = block.pattern.min(), int(np.ptp(block.pattern)) + 1
        own, part = slice(low, low + width), block.pattern - low
        x = design.x[own]
        at = LINKS[link](by_x[own][part] + by_z[block.cell])
        value += _product(block.events, at.log_event) - block.weeks @ at.cumulated
        w = block.weeks * at.information
        for k, term in enumerate((block.events * at.event - block.weeks * at.risk, w)):
            patterns[k, own] += total(part, term, width)
            times[k] += total(block.cell, term, n_times)
        for j in range(p):
            mixed[j] += total(block.cell, w * x[part, j], n_times)
    corner = mixed @ design.z
    information = np.block([[(design.x.T * patterns[1]) @ design.x, corner],
                            [corner.T, (design.z.T * times[1]) @ design.z]])
    return Pass(value=float(value), information=information,
                gradient=np.concatenate([patterns[0] @ design.x, times[0] @ design.z]))


def maximise(design, link, terms, name):
    """Return coefficients (covariates, then time), the last pass and the number of steps.

    ``terms`` names the coefficients in messages, ``name`` the function that was called.
    """
    beta = _start(design, link)
    fit = evaluate(design, link, beta)
    _require_own_information(fit.information, terms, design.x.shape[1], name)
    for step in range(1, MAX_STEPS + 1):
        change = _solve(fit, terms, name)
        gain = float(fit.gradient @ change)
        if gain < SETTLED:
            _require_rest(design, change, terms, name)
        beta, fit = _ascend(design, link, beta, change, fit)
        if gain < ENOUGH * (1 + abs(fit.value)):
            return beta, fit, step
    last = np.argsort(-np.abs(fit.gradient))[:5]
    raise EstimationError(f"{name}: no convergence in {MAX_STEPS} steps; last gradient (of scaled "
                          "covariates): "
                          + ", ".join(f"{terms[k]} {fit.gradient[k]:.3g}" for k in last)
                          + ". Look for extreme covariate values, or give fewer terms of time")


def covariance_between_units(design, link, beta, inverse, at_risk, is_event):
    """Return the sandwich: scores added up within clusters, else persons, else rows (Huber, White).

    A unit's score of a term of time is the term cumulated over its weeks, so it is read off cumulated sums
    at the ends of its rows; rows are worked on in parts that hold whole units.
    """
    require_clusters(at_risk)
    units = units_of(at_risk)
    size = design.x.shape[1] + design.z.shape[1]
    meat = np.zeros((size, size))
    for rows, code, copies in _parts(units, design.spans.n_pieces, size):
        scores = _scores(design, link, beta, rows, is_event[rows])
        weight = units.weight[rows]
        sums = np.column_stack([total(code, weight * column, len(copies)) for column in scores])
        meat += sums.T @ (sums * copies[:, None])
    return inverse @ meat @ inverse


def _product(events, log_event):
    """Add up the events' terms; a cell without events says nothing of them, whatever its predictor."""
    some = events > 0
    return events[some] @ log_event[some]


def _start(design, link):
    """Begin at no effect of covariates and each level at its own share of events."""
    p, columns = design.x.shape[1], design.times.columns()
    beta = np.zeros(p + len(columns))
    for k, (_, _, is_level) in enumerate(columns):
        if is_level:
            where = design.z[:, k] != 0
            beta[p + k] = predictor_of(design.events[where].sum() / design.time[where].sum(), link)
    return beta


def _require_own_information(information, terms, p, name):
    """Refuse a term that is a combination of others, by name: time first, then the covariates in order."""
    order = np.r_[p:len(terms), 0:p]
    size = np.diag(information)[order]
    correlation = information[np.ix_(order, order)] / np.sqrt(np.outer(size, size))
    if np.linalg.eigvalsh(correlation)[0] > REDUNDANT:
        return
    for k in range(1, len(order)):
        weights = np.linalg.solve(correlation[:k, :k], correlation[:k, k])
        if 1 - correlation[k, :k] @ weights < REDUNDANT * 10:
            others = [terms[order[j]] for j in range(k) if abs(weights[j]) > 1e-6]
            more = f" and {len(others) - 4} more" if len(others) > 4 else ""
            raise EstimationError(f"{name}: {terms[order[k]]} is a combination of "
                                  f"{', '.join(others[:4])}{more}; leave one of them out")


def _solve(fit, terms, name):
    size = np.sqrt(np.maximum(np.diag(fit.information), 1e-300))
    try:
        return np.linalg.solve(fit.information / np.outer(size, size), fit.gradient / size) / size
    except np.linalg.LinAlgError:
        flat = np.flatnonzero(size <= 1e-6 * size.max())
        raise EstimationError(_separation([terms[k] for k in flat] or terms, name)) from None


def _ascend(design, link, beta, change, fit):
    """Take a step, halved until the likelihood does not fall."""
    slack = 1e-10 * (1 + abs(fit.value))
    for _ in range(40):
        with np.errstate(all="ignore"):
            new = evaluate(design, link, beta + change)
        if np.isfinite(new.value) and new.value >= fit.value - slack and np.isfinite(new.information).all():
            return beta + change, new
        change = change / 2
    return beta, fit


def _require_rest(design, change, terms, name):
    """Refuse a fit that gains nothing more while its predictor still moves: a term separates the events."""
    p = design.x.shape[1]
    moves = np.concatenate([np.abs(change[:p]) * np.ptp(design.x, axis=0),
                            np.abs(change[p:]) * np.ptp(np.vstack([design.z, 0 * design.z[:1]]), axis=0)])
    if moves.max(initial=0) > RUNAWAY:
        running = np.flatnonzero(moves > 0.3 * moves.max())
        # The baseline only makes up for a covariate that runs away.
        own = running[running < p]
        raise EstimationError(_separation([terms[k] for k in (own if len(own) else running)], name))


def _separation(names, name):
    return (f"{name}: {', '.join(names[:6])}: separates weeks with the event from weeks without, so the "
            "likelihood has no maximum. Join categories or leave the covariate out; cox(..., firth=True) "
            "gives a finite ratio")


def _parts(units, n_pieces, size):
    """Yield rows of some units, the units renumbered from 0, and their copies."""
    order = np.argsort(units.code, kind="stable")
    step = max(1, PART // max(n_pieces, size))
    code = units.code[order]
    begin = 0
    while begin < len(order):
        end = min(begin + step, len(order))
        end = int(np.searchsorted(code, code[end - 1], side="right"))
        found, local = np.unique(code[begin:end], return_inverse=True)
        yield order[begin:end], local, units.copies[found]
        begin = end


def _scores(design, link, beta, rows, is_event):
    """Yield each term's score of some rows, for one unit of weight."""
    p = design.x.shape[1]
    groups, local = np.unique(design.group[rows], return_inverse=True)
    spans, pattern = design.spans.take(rows), design.pattern[groups]
    cell = design.cell_of[design.onset[groups]]
    with np.errstate(all="ignore"):
        part = LINKS[link]((design.x @ beta[:p])[pattern][:, None] + (design.z @ beta[p:])[cell])
    risk = np.where(cell >= 0, part.risk, 0.0)
    at_event = cell[local, spans.last]
    gained = np.where(is_event & (at_event >= 0), part.event[local, spans.last], 0.0)
    whole = gained - _through(risk, spans, local)
    yield from (whole * design.x[design.pattern[design.group[rows]], j] for j in range(p))
    for column in design.z.T:
        yield gained * column[at_event] - _through(risk * column[cell], spans, local)


def _through(rate, spans, group):
    """Integrate each group's rate over each row's time at risk."""
    width = np.diff(spans.edges)
    before = np.zeros_like(rate)
    before[:, 1:] = np.cumsum(rate * width, axis=1)[:, :-1]
    ends = ((spans.last, spans.into_last), (spans.first, spans.into_first))
    to_last, to_first = (before[group, piece] + rate[group, piece] * into for piece, into in ends)
    return to_last - to_first
