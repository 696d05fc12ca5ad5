"""Cox's partial likelihood: value, gradient, information and score residuals in one pass over sorted sums.

Second moments are never cumulated over time. A row's share of the information is its hazard times its
cumulated baseline hazard, so one product X' diag(..) X replaces them, and Efron's sum over the tied
deaths of a time reduces to three numbers per time (see `Ties`).
"""

from dataclasses import dataclass

import numpy as np

from evalkit.estimators._counting import event_times, row_counts, running, total


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Ties:
    """The terms of the likelihood: one per death (Efron) or one per time (Breslow).

    Term k of time ``at`` has the denominator S0 - ``part`` D0 and the weight ``share``.
    """

    at: np.ndarray
    start: np.ndarray
    part: np.ndarray
    share: np.ndarray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Design:
    """Rows and covariates (centred, scaled) on the numbered event times of all strata.

    Only rows that are at risk at an event take part; ``row`` says which. ``block`` numbers the strata of the
    rows, ``block_of_time`` those of the times.
    """

    row: np.ndarray
    block: np.ndarray
    block_of_time: np.ndarray
    x: np.ndarray
    weight: np.ndarray
    first: np.ndarray
    last: np.ndarray
    died: np.ndarray
    at: np.ndarray
    time: np.ndarray
    stratum: np.ndarray
    deaths: np.ndarray
    ties: Ties


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pass:
    """The likelihood at one vector of coefficients and the sums that residuals reuse."""

    value: float
    gradient: np.ndarray
    information: np.ndarray
    relative: np.ndarray
    s1: np.ndarray
    d1: np.ndarray
    hazard: np.ndarray
    moments: tuple
    shift: np.ndarray


def design(at_risk, cause, ties):
    """Place the rows of an at-risk table on its event times; return the design and the scaling."""
    first, last, time, stratum = event_times(at_risk, cause)
    mean = np.average(at_risk.covariates, axis=0, weights=at_risk.row_weights)
    row = np.flatnonzero(last > first)
    weight, first, last, cause = at_risk.row_weights[row], first[row], last[row], cause[row]
    # Column after column in memory: every sum below runs along one covariate.
    x = np.asfortranarray(at_risk.covariates[row] - mean)
    scale = np.sqrt(np.average(x * x, axis=0, weights=weight))
    scale[scale == 0] = 1.0
    x /= scale
    died = np.flatnonzero(cause)
    at = last[died] - 1
    deaths, dying = total(at, row_counts(at_risk)[row][died], len(time)), total(at, weight[died], len(time))
    terms = _efron(deaths, dying) if ties == "efron" else _breslow(dying)
    block_of_time = np.unique(stratum, return_inverse=True)[1]
    plan = Design(row=row, block=block_of_time[first], block_of_time=block_of_time, x=x, weight=weight,
                  first=first, last=last, died=died, at=at, time=time, stratum=stratum, deaths=dying,
                  ties=terms)
    return plan, mean, scale


def evaluate(plan, beta):
    """Return the log partial likelihood with its derivatives (Therneau and Grambsch 2000, 3.1 and 3.3)."""
    eta = plan.x @ beta
    shift = _largest(eta, plan)
    relative = np.exp(eta - shift[plan.block])
    weighted = relative * plan.weight
    n_times, ties = len(plan.time), plan.ties
    s0, s1 = _sums(plan, weighted, n_times)
    d0, d1 = _dying(plan, weighted, n_times)
    bottom = s0[ties.at] - ties.part * d0[ties.at]
    inverse = ties.share / bottom
    hazard, correction = _add(inverse, ties), _add(ties.part * inverse, ties)
    q0, q1, q2 = (_add(ties.part**power * inverse / bottom, ties) for power in range(3))
    cumulated = np.concatenate([[0.0], np.cumsum(hazard)])
    expected = cumulated[plan.last] - cumulated[plan.first]
    expected[plan.died] -= correction[plan.at]
    dying = plan.weight[plan.died]
    value = dying @ eta[plan.died] - ties.share @ (np.log(bottom) + shift[plan.block_of_time[ties.at]])
    gradient = plan.x[plan.died].T @ dying - s1.T @ hazard + d1.T @ correction
    cross = s1.T @ (q1[:, None] * d1)
    information = plan.x.T @ (plan.x * (weighted * expected)[:, None]) - (
        s1.T @ (q0[:, None] * s1) - cross - cross.T + d1.T @ (q2[:, None] * d1))
    return Pass(value=float(value), gradient=gradient, information=information, relative=relative, s1=s1,
                d1=d1, hazard=hazard, moments=(correction, q0, q1, q2, expected), shift=shift)


def score_residuals(plan, fit):
    """Return the score of each row of the design for one unit of weight.

    Therneau and Grambsch (2000), section 7.1; agscore3.c of R survival.
    """
    correction, q0, q1, q2, expected = fit.moments
    hazard_mean = fit.s1 * q0[:, None] - fit.d1 * q1[:, None]
    cumulated = np.vstack([np.zeros(hazard_mean.shape[1]), np.cumsum(hazard_mean, axis=0)])
    drift = cumulated[plan.last] - cumulated[plan.first]
    drift[plan.died] -= (fit.s1 * q1[:, None] - fit.d1 * q2[:, None])[plan.at]
    residual = -fit.relative[:, None] * (plan.x * expected[:, None] - drift)
    mean = (fit.s1 * fit.hazard[:, None] - fit.d1 * correction[:, None]) / plan.deaths[:, None]
    residual[plan.died] += plan.x[plan.died] - mean[plan.at]
    return residual


def _largest(eta, plan):
    """Return the largest linear predictor of each stratum: its sums are taken relative to it.

    One running sum passes through all strata; without this a stratum of large values would leave rounding
    errors as large as the whole of another stratum.
    """
    largest = np.full(plan.block_of_time[-1] + 1, -np.inf)
    np.maximum.at(largest, plan.block, eta)
    return largest


def _efron(deaths, dying):
    number = np.round(deaths).astype(np.int64)
    at = np.repeat(np.arange(len(number)), number)
    start = np.cumsum(number) - number
    part = (np.arange(len(at)) - start[at]) / number[at]
    return Ties(at=at, start=start, part=part, share=(dying / number)[at])


def _breslow(dying):
    at = np.arange(len(dying))
    return Ties(at=at, start=at, part=np.zeros(len(at)), share=dying)


def _sums(plan, weighted, n_times):
    columns = [running(plan.first, plan.last, weighted * column, n_times) for column in plan.x.T]
    return running(plan.first, plan.last, weighted, n_times), np.column_stack(columns)


def _dying(plan, weighted, n_times):
    mass = weighted[plan.died]
    columns = [total(plan.at, mass * column[plan.died], n_times) for column in plan.x.T]
    return total(plan.at, mass, n_times), np.column_stack(columns)


def _add(value, ties):
    return np.add.reduceat(value, ties.start)
