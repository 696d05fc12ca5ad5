"""The partial likelihood of the subdistribution, in time linear in the rows.

A person who left by another cause at T stays in the risk set with the weight g(t) / g(T) (`observation`).
The sums over such persons at t are running sums of x exp(x'b) / g(T), multiplied by g(t): no row is
expanded. Ties are Breslow's or Efron's; second moments are never cumulated (see `cox.partial`).
"""

from dataclasses import dataclass, replace

import numpy as np

from evalkit.errors import EstimationError
from evalkit.estimators._counting import event_times, row_counts, running, total
from evalkit.estimators.competing.observation import Observation, observation_of
from evalkit.estimators.cox.partial import Pass, scaled, weighted_product
from evalkit.estimators.cox.ties import Ties, breslow, efron

# What strata may have of their own.
STRATIFIED = ("baseline", "censoring")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Tail:
    """Rows that left by another cause, on the tracks (times of the cause in each group of observation).

    They stay at the tracks ``first`` to ``stop - 1`` with the weight ``factor`` (shape: groups, times) times
    ``share`` = 1 / g(T).
    """

    row: np.ndarray
    first: np.ndarray
    stop: np.ndarray
    share: np.ndarray
    factor: np.ndarray

    def running(self, value):
        """Sum a value of the rows over those still counted at each time, by group: shape of ``factor``."""
        sums = running(self.first, self.stop, value * self.share, self.factor.size)
        return self.factor * sums.reshape(self.factor.shape)

    def cumulated(self, step):
        """Add up for each row what each time adds to those still counted."""
        line = np.append(0.0, np.cumsum(self.factor * step))
        return self.share * (line[self.stop] - line[self.first])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Plan:
    """Rows and covariates (centred, scaled) on the numbered times of the cause, as `cox.partial.Design`.

    Every row takes part. Strata without the cause are blocks without times.
    """

    row: slice
    x: np.ndarray
    weight: np.ndarray
    first: np.ndarray
    last: np.ndarray
    died: np.ndarray
    at: np.ndarray
    time: np.ndarray
    stratum: np.ndarray
    block: np.ndarray
    block_of_time: np.ndarray
    number: np.ndarray
    deaths: np.ndarray
    ties: Ties
    tail: Tail
    observation: Observation


def require_cause(at_risk, cause, name):
    """Return the cause, which must be named: pooled causes do not compete."""
    if cause is None:
        raise EstimationError(f"{name}: no cause named; it must be one of {', '.join(at_risk.causes)}")
    return cause


def design(at_risk, code, ties, stratified=STRATIFIED, is_subdistribution=True):
    """Place the rows on the times of the cause; return the plan and the scaling of the covariates.

    Without ``is_subdistribution`` other causes are censorings: Cox's likelihood of the cause-specific hazard.
    """
    baseline = at_risk.strata if "baseline" in stratified else None
    own = (at_risk.event == code).astype(np.int64)
    first, last, time, stratum = event_times(replace(at_risk, strata=baseline), own)
    weight, died = at_risk.row_weights, np.flatnonzero(own)
    mean = (at_risk.covariates.T @ weight) / weight.sum()
    x, scale = scaled(at_risk.covariates, slice(None), mean, weight)
    at = last[died] - 1
    deaths = total(at, weight[died], len(time))
    number = total(at, row_counts(at_risk)[died], len(time))
    block = np.zeros(at_risk.n_rows, dtype=np.int64) if baseline is None else baseline
    left = (at_risk.event > 0) & (own == 0) & is_subdistribution
    tail, observation = _tail(at_risk, left, last, time, stratum, block, stratified)
    plan = Plan(row=slice(None), x=x, weight=weight, first=first, last=last, died=died, at=at, time=time,
                stratum=stratum, block=block, block_of_time=stratum, number=number, deaths=deaths,
                ties=breslow(deaths), tail=tail, observation=observation)
    return (_with_efron(plan) if ties == "efron" else plan), mean, scale


def evaluate(plan, beta):
    """Return the log partial likelihood with its derivatives (Fine and Gray 1999, section 4)."""
    eta = plan.x @ beta
    shift = _largest(eta, plan.block)
    relative = np.exp(eta - shift[plan.block])
    weighted = relative * plan.weight
    s0, s1 = present(plan, weighted), np.column_stack([present(plan, weighted * c) for c in plan.x.T])
    mass, n_times = weighted[plan.died], len(plan.time)
    d0 = total(plan.at, mass, n_times)
    d1 = np.column_stack([total(plan.at, mass * c[plan.died], n_times) for c in plan.x.T])
    ties = plan.ties if plan.ties.hold_for(s0, d0) else plan.ties.term_by_term(plan.number)
    bottom = s0[ties.at] - ties.part * d0[ties.at]
    inverse = ties.share / bottom
    hazard, correction = ties.add(inverse), ties.add(ties.part * inverse)
    q = tuple(ties.add(ties.part**power * inverse / bottom) for power in range(3))
    expected = exposed(plan, hazard)
    expected[plan.died] -= correction[plan.at]
    dying = plan.weight[plan.died]
    value = dying @ eta[plan.died] - ties.share @ (np.log(bottom) + shift[plan.stratum[ties.at]])
    gradient = plan.x[plan.died].T @ dying - s1.T @ hazard + d1.T @ correction
    cross = s1.T @ (q[1][:, None] * d1)
    information = weighted_product(plan.x, weighted * expected) - (
        s1.T @ (q[0][:, None] * s1) - cross - cross.T + d1.T @ (q[2][:, None] * d1))
    return Pass(value=float(value), gradient=gradient, information=information, relative=relative,
                s0=s0, s1=s1, d0=d0, d1=d1, hazard=hazard, moments=(correction, *q, expected), shift=shift)


def _with_efron(plan):
    dying = total(plan.at, plan.weight[plan.died], len(plan.time)) / present(plan, plan.weight)
    return replace(plan, ties=efron(plan.number, plan.deaths, dying))


def _tail(at_risk, left, last, time, stratum, block, stratified):
    """Say how long and with which weight those who left by another cause are counted on."""
    row = np.flatnonzero(left)
    by_group = "censoring" in stratified and at_risk.strata is not None
    group = at_risk.strata if by_group else np.zeros(at_risk.n_rows, dtype=np.int64)
    first, stop = last[row], np.searchsorted(stratum, block[row], side="right")
    n_tracks, track_group = 1, stratum if by_group else np.zeros(len(time), dtype=np.int64)
    if by_group and "baseline" not in stratified:
        n_tracks = int(group.max()) + 1
        track_group = np.repeat(np.arange(n_tracks), len(time))
        first, stop = first + group[row] * len(time), stop + group[row] * len(time)
    seen = observation_of(at_risk, group, track_group, np.tile(time, n_tracks))
    tail = Tail(row=row, first=first, stop=stop, share=1 / seen.before_exit[row],
                factor=seen.level[seen.track].reshape(n_tracks, len(time)))
    return tail, seen


def present(plan, value):
    """Sum a value over those in the risk set of each time."""
    return running(plan.first, plan.last, value, len(plan.time)) + plan.tail.running(
        value[plan.tail.row]).sum(axis=0)


def exposed(plan, step):
    """Add up for each row what each time adds to those in its risk set."""
    line = np.append(0.0, np.cumsum(step))
    result = line[plan.last] - line[plan.first]
    result[plan.tail.row] += plan.tail.cumulated(step)
    return result


def _largest(eta, block):
    """Return the largest linear predictor of each stratum: its sums are taken relative to it."""
    if block[-1] == 0 and not block.any():
        return np.array([eta.max()])
    largest = np.full(block.max() + 1, -np.inf)
    np.maximum.at(largest, block, eta)
    return largest
