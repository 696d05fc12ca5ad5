"""Curves that add up to one: survival and the shares of its causes, or the shares in every state."""

import math
from collections import Counter


def is_closed(curves):
    """Return whether curves (lists of rows of one group) are told at the same times and add up to one."""
    times = [[row["time_weeks"] for row in curve] for curve in curves]
    if len(curves) < 2 or any(other != times[0] for other in times):
        return False
    return all(None not in values and abs(math.fsum(values) - 1) < 1e-6
               for values in zip(*([row["estimate"] for row in curve] for curve in curves), strict=True))


def joint_steps(curves, profile):
    """Return the rows of each curve that may leave, all at the same times.

    Each curve follows from the others, so a step of one must be safe for all: since the step before, every
    curve has none or at least ``min_events`` events, and ``min_n`` are still at risk. Curves with fewer
    events in all are kept back, at least two of them, which count together as one more curve.

    Parameters
    ----------
    curves : list of list of dict
        Raw rows after the start, curve by curve.
    profile : Profile

    Returns
    -------
    list of list of dict
        Rows with the events since the step before; none for what is kept back or has no event at all.
    """
    if not curves[0]:
        return [[] for _ in curves]
    hidden, known = _too_rare(curves, profile), _steps_of_all(curves, profile)
    block = {k: "hidden" if k in hidden else k for k in range(len(curves))}
    shown, since = [[] for _ in curves], Counter()
    for at in range(len(curves[0])):
        for k, curve in enumerate(curves):
            since[block[k]] += curve[at]["n_events"] or 0
        if (known is None or at in known) and _is_safe(curves, at, hidden, since, profile):
            for k, curve in enumerate(curves):
                if k not in hidden and any(row["n_events"] for row in curve):
                    shown[k].append({**curve[at], "n_events": since[k]})
            since.clear()
    return shown


def _steps_of_all(curves, profile):
    """Return the places of the steps at which the curve of all causes would be told by itself, if it is one.

    Told at other weeks, both curves would tell what happens between a step of one and of the other.
    """
    survival = next((curve for curve in curves if curve[0]["term"] == "survival"), None)
    return None if survival is None else {at for at, _ in event_steps(survival, profile)}


def event_steps(rows, profile):
    """Yield the places of the rows at which a step is safe, with the events since the safe step before."""
    events = 0
    for at, row in enumerate(rows):
        events += row["n_events"] or 0
        if events >= profile.min_events and _at_risk_after(rows, at) >= profile.min_n:
            yield at, events
            events = 0


def _too_rare(curves, profile):
    total = [sum(row["n_events"] or 0 for row in curve) for curve in curves]
    order = sorted((k for k in range(len(curves)) if total[k]), key=total.__getitem__)
    hidden = [k for k in order if total[k] < profile.min_events]
    for k in order[len(hidden):]:
        if not hidden or (len(hidden) > 1 and sum(total[j] for j in hidden) >= profile.min_events):
            break
        hidden.append(k)
    return set(hidden)


def _is_safe(curves, at, hidden, since, profile):
    counts = [count for count in since.values() if count]
    if not counts or min(counts) < profile.min_events:
        return False
    return all(_at_risk_after(curve, at) >= profile.min_n
               for k, curve in enumerate(curves) if k not in hidden and any(row["n_events"] for row in curve))


def _at_risk_after(curve, at):
    here = curve[at]["n_persons"] or 0
    after = (curve[at + 1]["n_persons"] or 0) if at + 1 < len(curve) else here - (curve[at]["n_events"] or 0)
    return min(here, after)
