"""Counts and shares: the raw count is tested, then rounded; shares come from the rounded counts."""

import math

from evalkit.disclosure.rounding import (
    COUNTS,
    VALUES,
    blank,
    decimal_text,
    plain_text,
    round_count,
    rows_of,
    unit_of,
    written,
)

# Units whose estimate is a measured value in a table of counts, not itself a count.
_VALUE_UNITS = {"weeks", "dkk", "ratio", "score", "percent", "months", "days", "years", "hours"}
TOTALS = {"", "all", "total"}
_Z95 = 1.959963984540054


def protect_counts(result, profile, tally):
    """Protect a table of counts: suppress below ``min_n``, round, and add totals up from rounded parts.

    ``estimate``, ``n_persons`` and ``n_events`` are counts; an exact zero is kept, since an empty cell holds
    nobody. Where ``n_events`` of ``n_persons`` are counted, what is left over is tested too.
    A row whose unit is ``share`` follows `protect_shares`.

    Parameters
    ----------
    result : Result
    profile : Profile
    tally : Tally
        Receives how many cells each rule kept back.

    Returns
    -------
    list of dict
        Rows in texts.
    """
    raw = rows_of(result.table)
    rows = [_share_row(row, profile, tally) if unit_of(result, row["term"]) == "share"
            else _count_row(row, unit_of(result, row["term"]), profile, tally) for row in raw]
    for total, candidates in _totals(raw):
        unit = unit_of(result, raw[total]["term"])
        if unit not in _VALUE_UNITS:
            (_add_up_share if unit == "share" else _add_up)(rows, raw, total, candidates, profile, tally)
    return rows


def protect_shares(result, profile, tally):
    """Protect shares: numerator and complement at least ``min_n``, share and limits from rounded counts.

    A numerator or complement of zero is kept back like any other below ``min_n``: a share of 0 or 100 per
    cent says something about everybody in the group. A weighted share (one that is not
    ``n_events / n_persons``) keeps its estimate and limits, rounded, behind the same tests.
    """
    raw = rows_of(result.table)
    rows = [_share_row(row, profile, tally) for row in raw]
    for total, candidates in _totals(raw):
        _add_up_share(rows, raw, total, candidates, profile, tally)
    return rows


def wilson(numerator, denominator, z=_Z95):
    """Return the Wilson score interval of a share.

    Wilson (1927), as R's ``prop.test(x, n, correct = FALSE)``.

    Examples
    --------
    >>> [round(limit, 4) for limit in wilson(15, 50)]
    [0.191, 0.4375]
    """
    share = numerator / denominator
    centre = share + z * z / (2 * denominator)
    half = z * math.sqrt(share * (1 - share) / denominator + z * z / (4 * denominator ** 2))
    scale = 1 + z * z / denominator
    return (centre - half) / scale, (centre + half) / scale


def _count_row(row, unit, profile, tally):
    hidden = _hidden_counts(row, unit, profile, tally)
    if row["n_persons"] is not None and "n_persons" in hidden:
        return written(blank(row), {}, profile)
    counts = {name: round_count(row[name], profile.rounding_base) for name in COUNTS
              if row[name] is not None and name not in hidden}
    out = written(row, counts, profile)
    if unit not in _VALUE_UNITS:
        out |= dict.fromkeys(VALUES)
        if row["estimate"] is not None and "estimate" not in hidden:
            out["estimate"] = plain_text(round_count(row["estimate"], profile.rounding_base))
    return out


def _hidden_counts(row, unit, profile, tally):
    names = [*COUNTS, *([] if unit in _VALUE_UNITS else ["estimate"])]
    hidden = {name for name in names if row[name] is not None and 0 < row[name] < profile.min_n}
    tally.add("min_n", len(hidden)) if hidden else None
    persons, events = row["n_persons"], row["n_events"]
    if None not in (persons, events) and 0 < persons - events < profile.min_n:
        left_over = {name for name in names if name != "n_persons" and row[name] == events} - hidden
        tally.add("complement", len(left_over)) if left_over else None
        hidden |= left_over
    return hidden


def _share_row(row, profile, tally):
    persons, events = row["n_persons"], row["n_events"]
    if persons is None or (events is None and row["estimate"] is None):
        return _kept_back(row, "no_count", profile, tally)
    events = round(row["estimate"] * persons) if events is None else events
    if persons < profile.min_n or events < profile.min_n:
        return _kept_back(row, "min_n", profile, tally)
    if persons - events < profile.min_n:
        return _kept_back(row, "complement", profile, tally)
    return _share_from_rounded(row, persons, events, profile)


def _kept_back(row, rule, profile, tally):
    tally.add(rule)
    return written(blank(row), {}, profile)


def _share_from_rounded(row, persons, events, profile):
    rounded = {"n_persons": round_count(persons, profile.rounding_base),
               "n_events": round_count(events, profile.rounding_base)}
    if row["estimate"] is not None and not _is_ratio(row["estimate"], events, persons):
        return written(row, rounded, profile)
    share = min(rounded["n_events"] / rounded["n_persons"], 1.0)
    low, high = wilson(share * rounded["n_persons"], rounded["n_persons"])
    error = math.sqrt(share * (1 - share) / rounded["n_persons"])
    values = {"estimate": share, "std_error": error, "conf_low": low, "conf_high": high}
    return written({**row, "p_value": None}, rounded, profile) | {
        name: decimal_text(value, profile.decimals) for name, value in values.items()}


def _is_ratio(share, events, persons):
    return abs(share - events / persons) <= 1e-9


def _totals(raw):
    """Yield rows that may be sums of others, each with the sets of parts it may be the sum of.

    A term over all groups, a group over all terms, or both: that one is best the sum of the innermost cells.
    """
    over = {k: [name for name in ("term", "group") if row[name] in TOTALS] for k, row in enumerate(raw)}
    for k in sorted(over, key=lambda k: len(over[k])):
        summed = [over[k], *([name] for name in over[k] if len(over[k]) > 1)] if over[k] else []
        candidates = [[j for j, part in enumerate(raw) if _is_part(part, raw[k], names)] for names in summed]
        yield k, [parts for parts in candidates if len(parts) > 1]


def _is_part(part, total, names):
    kept = {"term", "group", "time_weeks"} - set(names)
    return all(part[name] not in TOTALS for name in names) and all(part[name] == total[name] for name in kept)


def _add_up(rows, raw, total, candidates, profile, tally):
    """Write a total as the sum of its released parts: subtracting them from it then leaves nothing hidden."""
    for name in ("estimate", *COUNTS):
        parts = next((parts for parts in candidates if _adds_up(raw, total, parts, name)), None)
        if rows[total][name] is not None and parts:
            rows[total][name] = sum_of(rows, raw, parts, name, profile)
            tally.add("hidden_parts") if rows[total][name] is None else None


def _add_up_share(rows, raw, total, candidates, profile, tally):
    """Write a total share from the sums of its parts' released counts, if both counts are such sums."""
    parts = next((parts for parts in candidates
                  if all(_adds_up(raw, total, parts, name) for name in COUNTS)), None)
    if rows[total]["n_persons"] is None or not parts:
        return
    persons, events = (sum_of(rows, raw, parts, name, profile) for name in ("n_persons", "n_events"))
    if persons is None or events is None:
        rows[total] = _kept_back(raw[total], "hidden_parts", profile, tally)
        return
    row, persons, events = raw[total], float(persons), min(float(events), float(persons))
    is_weighted = row["estimate"] is None or not _is_ratio(row["estimate"], row["n_events"], row["n_persons"])
    row = row if is_weighted else {**row, "estimate": events / persons}
    rows[total] = _share_from_rounded(row, persons, events, profile)


def _adds_up(raw, total, parts, name):
    true = [raw[j][name] for j in parts]
    return None not in (*true, raw[total][name]) and abs(sum(true) - raw[total][name]) <= 0.5


def sum_of(rows, raw, parts, name, profile):
    """Return the sum of released parts as a text; None where nothing but hidden parts adds to it.

    That such a sum is shown, or is not, would say whether its parts together reach ``min_n``.
    """
    shown = [rows[j][name] for j in parts]
    if None in shown and all(one is None or float(one) == 0 for one in shown):
        return None
    amount = sum(stand_in(rows[j], raw[j], name, profile) for j in parts)
    return plain_text(round_count(amount, profile.rounding_base))


def stand_in(row, true, name, profile):
    """Return what a part adds to its total: itself, or for a hidden one what every reader may suppose.

    A hidden cell below ``min_n`` counts for half of it, whatever it is. A cell that was hidden for its small
    complement counts for the whole, which is large enough to be told.

    Parameters
    ----------
    row : dict
        As released.
    true : dict
        As it was.
    name : {"estimate", "n_persons", "n_events"}
    profile : Profile
    """
    if row[name] is not None:
        return float(row[name])
    persons = true[name] if true["n_persons"] is None else true["n_persons"]
    if true[name] < profile.min_n or persons < profile.min_n:
        return profile.min_n / 2
    return round_count(persons, profile.rounding_base)
