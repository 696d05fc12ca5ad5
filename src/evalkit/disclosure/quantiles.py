"""Quantiles of a curve: a week at which one person left is told as the next safe step of the curve."""

from dataclasses import replace

import numpy as np

from evalkit.disclosure.closed import event_steps


def on_safe_steps(result, profile, tally):
    """Return the result with its quantiles read from the curve as it would be released.

    ``model["curve"]`` holds, for each group, its name and the times, persons at risk and events of its curve.
    An estimate and its upper limit become the next safe step, missing where there is none; a lower limit the
    safe step before it, or the start.

    Parameters
    ----------
    result : Result
    profile : Profile
    tally : Tally
        ``merged_steps`` counts the estimates that lie after the last safe step.

    Returns
    -------
    Result
    """
    if "curve" not in result.model:
        return result
    steps = {group: _safe_times(*columns, profile) for group, *columns in result.model["curve"]}
    table = result.table.copy()
    for column in ("estimate", "conf_low", "conf_high"):
        table[column] = [_moved(value, steps.get(group, np.array([])), column == "conf_low")
                         for value, group in zip(result.table[column], table["group"], strict=True)]
    lost = int((table["estimate"].isna() & result.table["estimate"].notna()).sum())
    tally.add("merged_steps", lost) if lost else None
    return replace(result, table=table)


def _safe_times(times, n_persons, n_events, profile):
    rows = [{"time_weeks": time, "n_persons": n, "n_events": d}
            for time, n, d in zip(times, n_persons, n_events, strict=True)]
    return np.array([times[at] for at, _ in event_steps(rows, profile)])


def _moved(value, steps, is_lower):
    if np.isnan(value):
        return np.nan
    if is_lower:
        before = steps[steps <= value]
        return before[-1] if len(before) else 0.0
    after = steps[steps >= value]
    return after[0] if len(after) else np.nan
