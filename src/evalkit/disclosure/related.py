"""Rows of a model that give each other away: differences, parts of a known total, horizons in a row."""

import math
from collections import defaultdict

# What is told at several weeks of these is who is where, not how many have left by then.
_PLACES = ("weeks[", "share[")
_MOVES = " -> "
_CONTRASTS = ("_difference", "_ratio")


def with_related(rows, rules, profile):
    """Return the rule that keeps each row back, where another row would give it away as well.

    A level that is kept back also keeps back what compares it with another (``mean_difference`` and the first
    group's ``mean`` make the ``mean`` of the second). Where the rows of a group add up to a known total, the
    rows kept back are at least two and hold at least ``min_n`` together. Counts that run up over several
    horizons follow the rule for the steps of a curve, at least ``min_events`` from one to the next.

    Parameters
    ----------
    rows : list of dict
        Raw, as `rows_of` gives them.
    rules : list of str
        The rule that keeps each row back by itself; empty where none does.
    profile : Profile

    Returns
    -------
    list of str
    """
    rules = list(rules)
    _keep_back_small_steps(rows, rules, profile)
    before = None
    while before != rules:
        before = list(rules)
        _keep_back_contrasts(rows, rules)
        _keep_back_remainders(rows, rules, profile)
    return rules


def _keep_back_small_steps(rows, rules, profile):
    runs = defaultdict(list)
    for k, row in enumerate(rows):
        if None not in (row["time_weeks"], row["n_events"]) and not _is_place(row["term"]) and not rules[k]:
            runs[row["term"], row["group"]].append(k)
    for run in runs.values():
        run.sort(key=lambda k: rows[k]["time_weeks"])
        counts = [rows[k]["n_events"] for k in run]
        if counts != sorted(counts):
            continue
        last = counts[0]
        for k, count in zip(run, counts, strict=True):
            if 0 < count - last < profile.min_events:
                rules[k] = "merged_steps"
            else:
                last = count


def _is_place(term):
    return term.startswith(_PLACES) or _MOVES in term


def _keep_back_contrasts(rows, rules):
    place = {(row["term"], row["group"], row["time_weeks"]): k for k, row in enumerate(rows)}
    groups = defaultdict(set)
    for row in rows:
        groups[row["term"], row["time_weeks"]].add(row["group"])
    for k, row in enumerate(rows):
        level = _level_of(row["term"])
        if rules[k] or not level or (level, row["time_weeks"]) not in groups:
            continue
        # The level that others are compared with has no contrast of its own.
        compared = groups[level, row["time_weeks"]] - groups[row["term"], row["time_weeks"]] | {row["group"]}
        found = [rules[place[level, group, row["time_weeks"]]] for group in compared
                 if (level, group, row["time_weeks"]) in place]
        rules[k] = next(filter(None, found), "")


def _level_of(term):
    name, bracket, rest = term.partition("[")
    suffix = next((end for end in _CONTRASTS if name.endswith(end)), "")
    return name.removesuffix(suffix) + bracket + rest if suffix else ""


def _keep_back_remainders(rows, rules, profile):
    for parts, count in _known_totals(rows):
        counted = {k: count(rows[k]) for k in parts}
        hidden = [k for k in parts if rules[k] and counted[k] > 0]
        shown = sorted((k for k in parts if not rules[k]), key=counted.get)
        while hidden and shown and (len(hidden) < 2 or sum(map(counted.get, hidden)) < profile.min_n):
            hidden.append(shown.pop(0))
            rules[hidden[-1]] = "complement"


def _inside(row):
    """Return the persons or events of a part; a part without any is told by nothing but its absence."""
    if row["n_events"] is not None:
        return row["n_events"]
    return abs(row["estimate"]) * (row["n_persons"] or 0)


def _behind(row):
    return row["n_persons"] or 0


def _known_totals(rows):
    """Yield rows that add up to 0, to 1, to their horizon or to the row ``all``, and what counts in them.

    Where they add up to 0 a part without events is a number like the others.
    """
    families = defaultdict(list)
    for k, row in enumerate(rows):
        for family in _families(row):
            families[family, row["time_weeks"]].append(k)
    whole = {(row["group"], row["time_weeks"]): row["estimate"] for row in rows if row["term"] == "all"}
    for (family, time), parts in families.items():
        # What could not be estimated adds nothing.
        parts = [k for k in parts if rows[k]["estimate"] is not None]
        total = math.fsum(rows[k]["estimate"] for k in parts)
        known = [0.0, 1.0, time, whole.get((family[1], time))]
        if len(parts) > 1 and any(value is not None and abs(total - value) < 1e-6 for value in known):
            yield parts, _behind if abs(total) < 1e-6 else _inside


def _families(row):
    term, group = row["term"], row["group"]
    name = term.partition("[")[0]
    if _MOVES in term:
        return [(term.partition(_MOVES)[0] + _MOVES, group), (_MOVES, group)]
    # The weeks before any exit are what the weeks lost leave of the horizon.
    kept = name.replace("restricted_mean", "time_lost")
    return [(kept, group), (term, None)]
