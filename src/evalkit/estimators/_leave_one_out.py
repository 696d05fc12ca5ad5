"""What a curve says at given weeks when one person is left out, for every person, in time linear in the rows.

Without person i the factors of the curve are 1 - d / (n - 1) while i was at risk, 1 - (d - 1) / (n - 1) at
i's own event, and 1 - d / n after it: two cumulative products that all persons share, joined at i's last
week.
"""

from dataclasses import dataclass

import numpy as np

from evalkit.estimators._counting import divide


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Jackknife:
    """Curves by number of event times passed: ``whole`` of everybody, ``less`` with one at risk fewer.

    ``joint`` is each person's curve without that person just after its last time, ``rest`` its share of the
    whole curve there (0 where nobody of the others is left, so that nothing changes any more).
    """

    times: np.ndarray
    whole: np.ndarray
    less: np.ndarray
    end: np.ndarray
    is_event: np.ndarray
    joint: np.ndarray
    rest: np.ndarray

    def passed(self, weeks):
        """Count the event times up to each week."""
        return np.searchsorted(self.times[1:], weeks, side="right")


def jackknife_of(grid):
    """Prepare the curves of one stratum in which everybody is followed from time zero."""
    died, n = grid.n_events.sum(axis=1), grid.n_at_risk
    others = np.maximum(n - 1, 1)
    factor, own = np.maximum(1 - died / others, 0), 1 - (died - 1) / others
    whole = np.append(1.0, np.cumprod(1 - divide(died, n)))
    whole[whole < 1e-14] = 0.0
    less = np.append(1.0, np.cumprod(factor))
    is_event, end = grid.cause > 0, grid.last
    joint = less[end]
    joint[is_event] = (less[:-1] * own)[end[is_event] - 1]
    return Jackknife(times=np.append(0.0, grid.times), whole=whole, less=less, end=end, is_event=is_event,
                     joint=joint, rest=divide(joint, whole[end]))


def survival(grid, weeks):
    """Return S at each week, and without each person: shapes (n_weeks,) and (n_rows, n_weeks)."""
    curves = jackknife_of(grid)
    passed = curves.passed(weeks)
    after = np.where(curves.whole[curves.end] > 0, curves.rest, 0.0)[:, None] * curves.whole[passed]
    after[curves.whole[curves.end] == 0] = curves.joint[curves.whole[curves.end] == 0, None]
    return curves.whole[passed], np.where(passed < curves.end[:, None], curves.less[passed], after)


def restricted_mean(grid, weeks):
    """Return the area under S up to each week, and without each person."""
    curves = jackknife_of(grid)
    passed = curves.passed(weeks)
    beyond = weeks - curves.times[passed]
    area, less = (np.append(0.0, np.cumsum(curve[:-1] * np.diff(curves.times)))
                  for curve in (curves.whole, curves.less))
    total = area[passed] + curves.whole[passed] * beyond
    after = curves.rest[:, None] * (total - area[curves.end][:, None])
    emptied = curves.whole[curves.end] == 0
    after[emptied] = curves.joint[emptied, None] * (weeks - curves.times[curves.end[emptied], None])
    early = less[passed] + curves.less[passed] * beyond
    return total, np.where(passed < curves.end[:, None], early, less[curves.end][:, None] + after)


def incidence(grid, weeks, k):
    """Return the cumulative incidence of cause ``k`` (from 0) at each week, and without each person."""
    curves = jackknife_of(grid)
    passed, n, died = curves.passed(weeks), grid.n_at_risk, grid.n_events[:, k]
    whole = np.append(0.0, np.cumsum(curves.whole[:-1] * divide(died, n)))
    less = np.append(0.0, np.cumsum(curves.less[:-1] * divide(died, n - 1)))
    at_end, last = less[curves.end], curves.end[curves.is_event] - 1
    own = died[last] - (grid.cause[curves.is_event] == k + 1)
    at_end[curves.is_event] = less[last] + curves.less[last] * divide(own, n[last] - 1)
    after = at_end[:, None] + curves.rest[:, None] * (whole[passed] - whole[curves.end][:, None])
    return whole[passed], np.where(passed < curves.end[:, None], less[passed], after)
