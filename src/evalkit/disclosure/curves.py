"""Curves: steps are merged until each holds enough events; a curve is never masked in part."""

from evalkit.disclosure.behind import n_behind
from evalkit.disclosure.closed import event_steps, is_closed, joint_steps
from evalkit.disclosure.rounding import COUNTS, round_count, rows_of, written


def protect_curves(result, profile, tally):
    """Protect curves on a grid of safe steps.

    Each (term, group) is one curve. Where it counts events, a step is shown when at least ``min_events``
    events have happened since the step before and at least ``min_n`` persons are still at risk after it;
    the curve ends at its last safe step. An occupation curve (no events counted, or so named by its method)
    is shown at times with at least ``min_n`` persons inside the state and ``min_n`` outside. The start of a
    curve, where everybody is in the same place by definition, is kept. At-risk counts are rounded. Curves of
    a group that add up to one share their steps (`joint_steps`); a curve that rests on too few by
    ``model["n_behind"]`` is left out.

    Parameters
    ----------
    result : Result
    profile : Profile
    tally : Tally
        ``merged_steps`` counts times that were joined to a later one or lie after the last safe step.

    Returns
    -------
    list of dict
        Rows in texts, curve by curve in order of appearance.
    """
    kept = []
    for curves in _by_group(_with_behind(result)):
        shown = _safe_curves(curves, _is_occupation(result), profile)
        n_merged = sum(map(len, curves)) - sum(map(len, shown))
        tally.add("merged_steps", n_merged) if n_merged else None
        kept += [_written(row, profile) for curve in shown for row in curve]
    return kept


def _is_occupation(result):
    drawn = str(result.provenance.options.get("statistic", ""))
    return "occupation" in result.provenance.method or "occupation" in drawn


def _with_behind(result):
    rows, behind = rows_of(result.table), n_behind(result)
    return rows if behind is None else [{**row, "n_behind": n} for row, n in zip(rows, behind, strict=True)]


def _by_group(rows):
    """Return for each group its curves, a list of rows in order of time for each term."""
    groups = {}
    for row in rows:
        groups.setdefault(row["group"], {}).setdefault(row["term"], []).append(row)
    return [[sorted(curve, key=_time) for curve in curves.values()] for curves in groups.values()]


def _safe_curves(curves, occupation, profile):
    if occupation or not is_closed(curves):
        return [_safe_rows(rows, occupation, profile) for rows in curves]
    starts = [[{**rows[0], "n_events": None}] if _is_start(rows[0]) else [] for rows in curves]
    n_first = int(curves[0][0]["time_weeks"] == 0)
    if any(_is_on_few(rows, profile) for rows in curves) and not _has_states(curves):
        return [[] for _ in curves]
    steps = joint_steps([rows[n_first:] for rows in curves], profile)
    return [start + step if step or start and not _is_on_few(rows, profile) else []
            for rows, start, step in zip(curves, starts, steps, strict=True)]


def _has_states(curves):
    return all(rows[0]["term"] != "survival" for rows in curves)


def _is_on_few(rows, profile):
    least = min(row.get("n_behind", float("inf")) for row in rows)
    return (rows[0]["n_persons"] or 0) < profile.min_n or least < profile.min_n


def _time(row):
    return float("-inf") if row["time_weeks"] is None else row["time_weeks"]


def _safe_rows(rows, occupation, profile):
    if _is_on_few(rows, profile):
        return []
    start = [{**rows[0], "n_events": None}] if _is_start(rows[0]) else []
    rest = rows[len(start):]
    if not occupation and any(row["n_events"] for row in rest):
        return start + [{**rest[at], "n_events": events} for at, events in event_steps(rest, profile)]
    return start + [row for row in rest if _holds_enough(row, profile)]


def _is_start(row):
    return row["time_weeks"] == 0 and row["estimate"] in (0.0, 1.0) and not row["n_events"]


def _holds_enough(row, profile):
    persons, share = row["n_persons"] or 0, row["estimate"]
    if share is None or persons < profile.min_n:
        return False
    if not 0 <= share <= 1:
        return True
    return min(share, 1 - share) * persons >= profile.min_n - 1e-9


def _written(row, profile):
    counts = {name: round_count(row[name], profile.rounding_base) for name in COUNTS if row[name] is not None}
    return written(row, counts, profile)
