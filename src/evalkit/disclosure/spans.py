"""Shares from one week to another: told from several weeks on, they tell what lies between these."""

import numpy as np

from evalkit.disclosure.rounding import unit_of


def keep_back_spans(rows, rules, result, profile):
    """Keep back what is told from or to a week that no curve of the same persons would show.

    S(12) / S(4) and S(12) / S(5) make S(5) / S(4): one person. So the weeks that the rows of a curve begin
    and end at are steps of that curve: from one to the next happens nothing, or at least ``min_events``
    events. At the beginning, and where a share is told at the end, at least ``min_n`` persons are at risk;
    so they are where nothing happens, since a mean over such weeks is the share.

    Parameters
    ----------
    rows : list of dict
        Raw, as `rows_of` gives them.
    rules : list of str
        The rule that keeps each row back by itself; changed in place.
    result : Result
        Its ``model["curves"]`` holds times, persons at risk and events of each curve, ``model["curve_of"]``
        the curve of each row (-1: none), ``model["from_weeks"]`` and ``model["to_weeks"]`` the weeks it
        begins and ends at.
    profile : Profile
    """
    if "curve_of" not in result.model:
        return
    begin, end, curve_of = (np.asarray(result.model[name]) for name in ("from_weeks", "to_weeks", "curve_of"))
    for k, curve in enumerate(result.model["curves"]):
        own = [j for j in np.flatnonzero(curve_of == k) if not rules[j]]
        safe, full = _weeks_told({*begin[own], *end[own]}, *curve, profile)
        for j in own:
            last = full if unit_of(result, rows[j]["term"]) == "share" else safe
            rules[j] = "" if begin[j] in full and end[j] in last else "merged_steps"


def _weeks_told(weeks, times, n_persons, n_events, profile):
    """Return the weeks that are steps of the curve, and those of them with enough persons still at risk."""
    safe, full, last = set(), set(), 0.0
    for week in sorted(weeks):
        known = np.searchsorted(times, week, side="right")
        count = n_events[:known].sum()
        ahead = n_persons[known] if known < len(times) else n_persons[-1] - n_events[-1]
        is_many = ahead >= profile.min_n
        if count - last >= profile.min_events or (is_many and (count == last or not safe)):
            safe.add(week)
            full |= {week} if is_many else set()
            last = count
    return safe, full
