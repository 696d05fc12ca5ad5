"""Gaps in observation: weeks in which nobody is at risk while others enter later. Nothing is known of them.

A curve is flat over a gap and a state keeps its persons: what happened there is missing, not nothing.
"""

import numpy as np

from evalkit.estimators._counting import line_of, running


def gaps_of(rows, *, start_weeks=0.0, until_weeks=np.inf, label=""):
    """Return the gaps before the end of a stratum in which nobody is at risk: (group, from week, to week).

    Between the start and the last exit a gap begins at the start or at an exit, and the next exit is that of
    a row that has entered since: so the earliest entry since the exit before ends the gap. ``label`` names
    rows without strata; gaps from ``until_weeks`` on do not matter.
    """
    if rows.entry.max() <= start_weeks:
        return ()
    line = line_of(rows, np.ones(rows.n_rows, dtype=bool))
    begin, end = line.number(rows.strata, rows.entry, "left"), line.number(rows.strata, rows.exit) - 1
    size = len(line.times)
    enters = np.full(size, np.inf)
    np.minimum.at(enters, begin, rows.entry)
    leaves = np.append(start_weeks, line.times[:-1])
    leaves[np.append(True, line.stratum[1:] != line.stratum[:-1])] = start_weeks
    leaves = np.maximum(leaves, start_weeks)
    is_empty = np.append(0, running(begin, end, None, size)[:-1]) == 0
    labels = (label,) if rows.strata is None else rows.strata_labels
    return tuple((labels[line.stratum[k]], float(leaves[k]), float(enters[k]))
                 for k in np.flatnonzero(is_empty & (enters > leaves) & (leaves < until_weeks)))


def gaps_before(gaps, until_weeks, groups=None):
    """Return the gaps of some groups (None: of all) that begin before a week."""
    return tuple(gap for gap in gaps if gap[1] < until_weeks and (groups is None or gap[0] in groups))


def gaps_at(times, entry, exit, *, label, start_weeks, until_weeks):
    """Return the gaps of rows that hold times at which none of them is at risk, each gap once."""
    entered, left = np.sort(entry), np.sort(exit)
    begin = np.append(start_weeks, left)[np.searchsorted(left, times, side="left")]
    end = np.append(entered, until_weeks)[np.searchsorted(entered, times, side="left")]
    pairs = zip(np.maximum(begin, start_weeks).tolist(), np.minimum(end, until_weeks).tolist(), strict=True)
    return tuple((label, *pair) for pair in dict.fromkeys(pairs))
