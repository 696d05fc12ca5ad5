"""Cox's partial likelihood: value, gradient, information and score residuals in one pass over sorted sums.

Second moments are never cumulated over time. A row's share of the information is its hazard times its
cumulated baseline hazard, so one product X' diag(..) X replaces them, and Efron's sum over the tied
deaths of a time reduces to three numbers per time (`evalkit.estimators.cox.ties`).

Rows that are at risk at the same times form a cell: weeks make few cells of many rows, and all sums over
time are sums over cells.
"""

from dataclasses import dataclass, replace
from functools import singledispatch

import numpy as np

from evalkit.estimators._counting import event_times, row_counts, total
from evalkit.estimators.cox.cells import Cells, cells_of
from evalkit.estimators.cox.ties import Ties, breslow, efron

# Rows of a slice of the product X' diag(..) X: all covariates of it fit the processor's cache twice.
SLICE = 4096


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Design:
    """Rows and covariates (centred, scaled) on the numbered event times of all strata.

    Only rows that are at risk at an event take part; ``row`` says which. A row is at risk at the times
    ``first`` to ``last - 1``; row ``died[j]`` has its event at time ``at[j]``. ``block`` numbers the strata
    of the rows, ``block_of_time`` those of the times. At each time ``number`` rows die, of weight
    ``deaths``; ``observed`` and ``observed_offset`` are the sums of their covariates and offsets.
    """

    row: np.ndarray
    block: np.ndarray
    block_of_time: np.ndarray
    x: np.ndarray
    weight: np.ndarray
    is_weighted: bool
    offset: np.ndarray | None
    first: np.ndarray
    last: np.ndarray
    cells: Cells
    died: np.ndarray
    at: np.ndarray
    time: np.ndarray
    stratum: np.ndarray
    number: np.ndarray
    deaths: np.ndarray
    observed: np.ndarray
    observed_offset: float
    ties: Ties


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pass:
    """The likelihood at one vector of coefficients and the sums that residuals reuse.

    ``relative`` is the relative hazard of each row over exp(``shift``) of its stratum; ``s0`` and ``s1`` are
    its sums (of 1, of the covariates) over those at risk at each time, ``d0`` and ``d1`` over those who die.
    ``moments`` holds what Efron's terms add up to at each time, and last the baseline hazard that each row
    has cumulated.
    """

    value: float
    gradient: np.ndarray
    information: np.ndarray
    relative: np.ndarray
    s0: np.ndarray
    s1: np.ndarray
    d0: np.ndarray
    d1: np.ndarray
    hazard: np.ndarray
    moments: tuple
    shift: np.ndarray

    def step(self):
        """Return Newton's step."""
        return np.linalg.solve(self.information, self.gradient)


def design(at_risk, cause, ties, offset=None):
    """Place the rows of an at-risk table on its event times; return the design and the scaling."""
    first, last, time, stratum = event_times(at_risk, cause)
    weight, number = at_risk.row_weights, row_counts(at_risk)
    mean = (at_risk.covariates.T @ weight) / weight.sum()
    at_events = last > first
    kept = slice(None) if at_events.all() else np.flatnonzero(at_events)
    x, scale = scaled(at_risk.covariates, kept, mean, weight[kept])
    plan = placed(row=np.arange(at_risk.n_rows)[kept], x=x, weight=weight[kept], number=number[kept],
                  first=first[kept], last=last[kept], dies=cause[kept] > 0, time=time, stratum=stratum,
                  offset=None if offset is None else offset[kept], ties=ties)
    return plan, mean, scale


def placed(*, row, x, weight, number, first, last, dies, time, stratum, offset, ties):
    """Return the design of rows that are each at risk at one of the numbered times or more."""
    died = np.flatnonzero(dies)
    at = last[died] - 1
    counts, deaths = (total(at, value[died], len(time)) for value in (number, weight))
    block_of_time = np.unique(stratum, return_inverse=True)[1]
    block = block_of_time[first] if block_of_time[-1] else np.zeros(len(first), dtype=np.int64)
    plan = Design(row=row, block=block, block_of_time=block_of_time, x=x, weight=weight,
                  is_weighted=bool((weight != 1).any()), offset=offset, first=first, last=last,
                  cells=cells_of(first, last - 1 + len(time) * dies, len(time)), died=died, at=at, time=time,
                  stratum=stratum, number=counts, deaths=deaths, observed=x.T @ (weight * dies),
                  observed_offset=0.0 if offset is None else float(weight[died] @ offset[died]),
                  ties=breslow(deaths))
    if ties == "breslow":
        return plan
    (at_risk,), (dying,) = sums(plan, weight, (None,))
    return replace(plan, ties=efron(counts, deaths, dying / at_risk))


@singledispatch
def evaluate(plan, beta):
    """Return the log partial likelihood with its derivatives (Therneau and Grambsch 2000, 3.1 and 3.3)."""
    relative, shift = relative_hazard(plan, beta)
    weighted = relative * plan.weight if plan.is_weighted else relative
    at_risk, dying = sums(plan, weighted, (*plan.x.T, None))
    (s0, s1), (d0, d1) = ((part[-1], part[:-1].T) for part in (at_risk, dying))
    ties, bottom, (hazard, correction, q0, q1, q2) = tied_sums(plan, s0, d0)
    expected = _expected(plan, hazard, correction)
    value = plan.observed @ beta + plan.observed_offset - ties.share @ (
        np.log(bottom) + shift[plan.block_of_time[ties.at]])
    gradient = plan.observed - s1.T @ hazard + d1.T @ correction
    information = weighted_product(plan.x, weighted * expected) - squared_means(s1, d1, q0, q1, q2)
    return Pass(value=float(value), gradient=gradient, information=information, relative=relative, s0=s0,
                s1=s1, d0=d0, d1=d1, hazard=hazard, moments=(correction, q0, q1, q2, expected), shift=shift)


def tied_sums(plan, s0, d0):
    """Return the terms of tied deaths with their denominators, and what they add up to at each time."""
    ties = plan.ties if plan.ties.hold_for(s0, d0) else plan.ties.term_by_term(plan.number)
    bottom = s0[ties.at] - ties.part * d0[ties.at]
    inverse = ties.share / bottom
    squares = (ties.add(ties.part**power * inverse / bottom) for power in range(3))
    return ties, bottom, (ties.add(inverse), ties.add(ties.part * inverse), *squares)


def squared_means(s1, d1, q0, q1, q2):
    """Sum, over the terms of the likelihood, the products of the mean covariates of those at risk."""
    squared = np.zeros((s1.shape[1], s1.shape[1]))
    for start in range(0, len(q0), SLICE):
        times = slice(start, start + SLICE)
        s, d, r0, r1, r2 = s1.T[:, times], d1.T[:, times], q0[times], q1[times], q2[times]
        squared += (r0 * s - r1 * d) @ s.T - (r1 * s - r2 * d) @ d.T
    return (squared + squared.T) / 2


def score_residuals(plan, fit):
    """Return the score of each row of the design for one unit of weight, shape (n_rows, n_terms).

    Therneau and Grambsch (2000), section 7.1; agscore3.c of R survival.
    """
    residual = np.empty_like(plan.x)
    for column, score in zip(residual.T, score_columns(plan, fit), strict=True):
        column[:] = score
    return residual


@singledispatch
def score_columns(plan, fit):
    """Yield the score residuals of one covariate after another."""
    correction, q0, q1, q2, expected = fit.moments
    passed = _from_zero(fit.s1 * q0[:, None] - fit.d1 * q1[:, None])
    end = np.vstack([passed[1:], passed[1:] - (fit.s1 * q1[:, None] - fit.d1 * q2[:, None])])
    mean = (fit.s1 * fit.hazard[:, None] - fit.d1 * correction[:, None]) / plan.deaths[:, None]
    mean = np.vstack([np.zeros_like(mean), mean])
    martingale = -fit.relative * expected
    martingale[plan.died] += 1
    for k, x in enumerate(plan.x.T):
        drift = end[:, k].take(plan.cells.end) - passed[:, k].take(plan.cells.first)
        residual = martingale * x
        residual += fit.relative * plan.cells.rows(drift)
        residual -= plan.cells.rows(mean[:, k].take(plan.cells.end))
        yield residual


@singledispatch
def part(plan, rows):
    """Return the design of some rows only, as if the others had never been; None where none of them dies."""
    dies = np.zeros(len(plan.first), dtype=bool)
    dies[plan.died] = True
    there = np.bincount(plan.last[rows][dies[rows]] - 1, minlength=len(plan.time)) > 0
    rank = np.concatenate([[0], np.cumsum(there)])
    rows = rows[rank[plan.last[rows]] > rank[plan.first[rows]]]
    if not len(rows):
        return None
    ties = "breslow" if len(plan.ties.at) == len(plan.time) else "efron"
    return placed(row=plan.row[rows], x=plan.x.T.take(rows, axis=1).T, weight=plan.weight[rows],
                  number=np.ones(len(rows)), first=rank[plan.first[rows]], last=rank[plan.last[rows]],
                  dies=dies[rows],
                  time=plan.time[there], stratum=plan.stratum[there], ties=ties,
                  offset=None if plan.offset is None else plan.offset[rows])


def scaled(covariates, kept, mean, weight):
    """Return centred covariates with a weighted mean square of 1, and what they were divided by."""
    x = np.empty((len(weight), covariates.shape[1]), order="F")
    scale = np.ones(x.shape[1])
    for k, column in enumerate(x.T):
        np.subtract(covariates[:, k][kept], mean[k], out=column)
        largest = max(column.max(), -column.min())
        if largest > 0:
            # By the largest first: the square of a covariate of 1e200 would be infinite.
            scale[k] = largest * np.sqrt(weight @ np.square(column / largest) / weight.sum())
            column *= 1 / scale[k]
    return x, scale


def relative_hazard(plan, beta):
    """Return exp of the linear predictor relative to the largest of each stratum, and that largest.

    One running sum passes through all strata; without this a stratum of large values would leave rounding
    errors as large as the whole of another stratum.
    """
    eta = plan.x @ beta
    if plan.offset is not None:
        eta += plan.offset
    if plan.block_of_time[-1] == 0:
        shift = np.array([eta.max()])
        eta -= shift[0]
    else:
        shift = np.full(plan.block_of_time[-1] + 1, -np.inf)
        np.maximum.at(shift, plan.block, eta)
        eta -= shift[plan.block]
    return np.exp(eta, out=eta), shift


def sums(plan, weighted, columns):
    """Sum columns, times the hazards of rows, over those at risk and over those who die at each time.

    Summed from the last time back: who has not left is at risk, unless yet to enter. A column None is 1.

    Returns
    -------
    at_risk, dying : ndarray of float, shape (n_columns, n_times)
    """
    n_times = len(plan.time)
    at_risk, dying = np.empty((len(columns), n_times)), np.empty((len(columns), n_times))
    value = np.empty_like(weighted)
    for k, column in enumerate(columns):
        in_cell = plan.cells.sums(weighted if column is None else np.multiply(weighted, column, out=value))
        leaving = total(plan.cells.end, in_cell, 2 * n_times).reshape(2, n_times)
        entering = total(plan.cells.first, in_cell, n_times + 1)
        dying[k] = leaving[1]
        at_risk[k] = np.cumsum((leaving.sum(axis=0) - entering[1:])[::-1])[::-1]
    return at_risk, dying


def _expected(plan, hazard, correction):
    """Cumulate the baseline hazard over each row's times at risk; the dying share their own time's."""
    passed = _from_zero(hazard)
    until = np.concatenate([passed[1:], passed[1:] - correction])
    return plan.cells.rows(until.take(plan.cells.end) - passed.take(plan.cells.first))


def weighted_product(x, mass):
    """Return X' diag(mass) X."""
    product = np.zeros((x.shape[1], x.shape[1]))
    for start in range(0, len(mass), SLICE):
        part = x.T[:, start : start + SLICE]
        product += (part * mass[start : start + SLICE]) @ part.T
    return (product + product.T) / 2


def _from_zero(value):
    return np.concatenate([np.zeros_like(value[:1]), np.cumsum(value, axis=0)])
