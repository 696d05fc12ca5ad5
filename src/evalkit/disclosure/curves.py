"""Curves: steps are merged until each holds enough events; a curve is never masked in part."""

from evalkit.disclosure.rounding import COUNTS, round_count, rows_of, written


def protect_curves(result, profile, tally):
    """Protect curves on a grid of safe steps.

    Each (term, group) is one curve. Where it counts events, a step is shown when at least ``min_events``
    events have happened since the step before and at least ``min_n`` persons are still at risk after it;
    the curve ends at its last safe step. An occupation curve (no events counted, or so named by its method)
    is shown at times with at least ``min_n`` persons inside the state and ``min_n`` outside. The start of a
    curve, where everybody is in the same place by definition, is kept. At-risk counts are rounded.

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
    occupation = "occupation" in result.provenance.method
    kept = []
    for rows in _by_curve(rows_of(result.table)):
        safe = _safe_rows(rows, occupation, profile)
        tally.add("merged_steps", len(rows) - len(safe)) if len(safe) < len(rows) else None
        kept += [_written(row, profile) for row in safe]
    return kept


def _by_curve(rows):
    curves = {}
    for row in rows:
        curves.setdefault((row["term"], row["group"]), []).append(row)
    return [sorted(curve, key=_time) for curve in curves.values()]


def _time(row):
    return float("-inf") if row["time_weeks"] is None else row["time_weeks"]


def _safe_rows(rows, occupation, profile):
    if rows[0]["n_persons"] is None or rows[0]["n_persons"] < profile.min_n:
        return []
    start = [{**rows[0], "n_events": None}] if _is_start(rows[0]) else []
    rest = rows[len(start):]
    if not occupation and any(row["n_events"] for row in rest):
        return start + list(_event_steps(rest, profile))
    return start + [row for row in rest if _holds_enough(row, profile)]


def _is_start(row):
    return row["time_weeks"] == 0 and row["estimate"] in (0.0, 1.0) and not row["n_events"]


def _event_steps(rows, profile):
    events = 0
    for k, row in enumerate(rows):
        happened = row["n_events"] or 0
        events += happened
        here = row["n_persons"] or 0
        after = (rows[k + 1]["n_persons"] or 0) if k + 1 < len(rows) else here - happened
        if events >= profile.min_events and min(here, after) >= profile.min_n:
            yield {**row, "n_events": events}
            events = 0


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
