"""How long persons stay under observation: the weight of those who left by another cause.

A person who left by another cause at T could still have been censored later, had nothing happened. So the
person counts on at t > T with the weight g(t) / g(T), where g(t) is the probability to be under observation
at t: P(entry < t <= censoring). The product of Kaplan-Meier's estimates of both distributions (Geskus
2011, Biometrics 67, 39-49) is, up to a constant, Y(t) / S(t-) with Y the persons at risk and S the share
without any event: one ratio, which a split of an interval leaves as it is.
"""

from dataclasses import dataclass, replace

import numpy as np

from evalkit.errors import EstimationError
from evalkit.estimators._counting import divide, event_times, running, total


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Observation:
    """The times of events, group after group on one line; a row is at risk at ``first`` to ``last - 1``.

    ``level`` is g just before each time, up to a factor of the group; ``track`` numbers the times asked for.
    """

    first: np.ndarray
    last: np.ndarray
    at_risk: np.ndarray
    events: np.ndarray
    level: np.ndarray
    track: np.ndarray

    @property
    def before_exit(self):
        """g just before the end of each row that ends in an event."""
        return self.level[self.last - 1]

    def influence(self, slope, has_event):
        """Return what a unit of weight of each row adds through log g; ``slope`` is the score's by it.

        The derivative of log g(t): 1/Y(t) while at risk, plus (dN - dH) / (Y - D) of every earlier time.
        """
        left = self.at_risk - self.events
        later = -np.cumsum(slope, axis=0) * _inverse(left, self.at_risk)[:, None]
        hazard, share = divide(self.events, self.at_risk), _inverse(self.at_risk, self.at_risk)
        steps = slope * share[:, None] - hazard[:, None] * later
        cumulated = _prefix(steps)
        result = cumulated[self.last] - cumulated[self.first]
        result[has_event] += later[self.last[has_event] - 1]
        return result


def observation_of(at_risk, group, track_group, track_time):
    """Estimate g at each group's own event times and at the times asked for.

    ``group`` codes the rows from 0; ``track_group`` and ``track_time`` name the times.
    """
    died = at_risk.event > 0
    times = np.unique(at_risk.exit[died])
    width = len(times) + 1

    def key(code, moment):
        return code * width + np.searchsorted(times, moment, side="right")

    asked, leaving = key(track_group, track_time), key(group, at_risk.exit)
    line = np.union1d(leaving[died], asked)
    first, last = (np.searchsorted(line, keys, side="right") for keys in (key(group, at_risk.entry), leaving))
    weight = at_risk.row_weights
    present = running(first, last, weight, len(line))
    events = total(last[died] - 1, weight[died], len(line))
    # Where the last of a group leave by an event, later censorings are not seen: g stays what it was there.
    over = np.flatnonzero(_are_over(present, events))
    end = np.full(group.max() + 1, len(line))
    end[line[over] // width] = over
    return Observation(first=first, last=last, at_risk=present, events=events,
                       level=present / _survival_before(present, events, line // width),
                       track=np.minimum(np.searchsorted(line, asked), end[track_group]))


def censoring_influence(at_risk, group, observation, slope):
    """Return the same as Fine and Gray (1999) write it: martingales of censoring, of right-censored rows.

    - sum over censorings of (dN_c - dH_c) / n times the slope of all later times; n counts those still under
      observation after the events of the time.
    """
    censored = (at_risk.event == 0).astype(np.int64)
    if not censored.any():
        return np.zeros((len(censored), slope.shape[1]))
    first, last, time, _ = event_times(replace(at_risk, strata=group), censored)
    last = last - ((last > first) & (censored == 0) & (time[last - 1] == at_risk.exit))
    row, weight = np.flatnonzero(censored), at_risk.row_weights
    present = running(first, last, weight, len(time))
    share = divide(total(last[row] - 1, weight[row], len(time)), present)
    later = np.zeros((len(time), slope.shape[1]))
    later[last[row] - 1] = -_prefix(slope)[observation.last[row]]
    step = later * divide(1.0, present)[:, None]
    cumulated = _prefix(share[:, None] * step)
    result = cumulated[last] - cumulated[first]
    result[row] -= step[last[row] - 1]
    return result


def _survival_before(present, events, group):
    """Return the share without any event just before each time of each group."""
    stay, emptied = 1 - divide(events, present), _are_over(present, events)
    _refuse_early_end(emptied & np.append(group[1:] == group[:-1], False), present)
    before = np.append(0.0, np.cumsum(np.log(np.where(emptied, 1.0, stay))))[:-1]
    return np.exp(before - before[np.searchsorted(group, group)])


def _are_over(present, events):
    """Say at which times everybody at risk has an event."""
    return 1 - divide(events, present) <= 1e-12


def _refuse_early_end(emptied, present):
    # Times asked for after everybody has left are no reason to refuse: nobody enters later.
    # Sums of weights may miss 0 by rounding.
    entering = emptied & np.append(present[1:] > 1e-12 * present.max(), False)
    if entering.any():
        raise EstimationError(
            f"fine_gray: at {int(entering.sum())} early times everybody at risk has an event while others "
            "enter later, so nothing is known of those who would have stayed. Begin later: keep persons and "
            "weeks after a week by which enough have entered")


def _prefix(value):
    return np.vstack([np.zeros(value.shape[1]), np.cumsum(value, axis=0)])


def _inverse(value, scale):
    return np.where(value > 1e-12 * scale, divide(1.0, value), 0.0)
