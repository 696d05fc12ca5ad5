"""Rows of a model that give each other away: differences, parts of a known total, weeks in a row."""

import math
from collections import defaultdict

from evalkit.disclosure.behind import n_behind
from evalkit.disclosure.spans import keep_back_spans

# What is told at several weeks of these is who is where, not how many have left by then.
_PLACES = ("weeks[", "share[")
MOVES = " -> "
_CONTRASTS = ("_difference", "_ratio")


def with_related(rows, rules, result, profile):
    """Return the rule that keeps each row back, where another row would give it away as well.

    A level that is kept back also keeps back what compares it with another (``mean_difference`` and the first
    group's ``mean`` make the ``mean`` of the second). Where the rows of a group add up to a known total, the
    rows kept back are at least two and hold at least ``min_n`` together. Counts that run up over several
    horizons follow the rule for the steps of a curve, at least ``min_events`` from one to the next; so does
    the share in a state that nobody leaves (``model["final"]``). Shares from one week to another follow
    `keep_back_spans`.

    Parameters
    ----------
    rows : list of dict
        Raw, as `rows_of` gives them.
    rules : list of str
        The rule that keeps each row back by itself; empty where none does.
    result : Result
    profile : Profile

    Returns
    -------
    list of str
    """
    rules = list(rules)
    keep_back_spans(rows, rules, result, profile)
    since = _keep_back_small_steps(rows, rules, result.model.get("final", ()), profile)
    before = None
    while before != rules:
        before = list(rules)
        _keep_back_contrasts(rows, rules)
        _keep_back_remainders(rows, rules, _inside(rows, since, n_behind(result)), profile)
    return rules


def _keep_back_small_steps(rows, rules, final, profile):
    """Return, by row, the events since the step told before it, of the rows whose events run up."""
    runs, since = defaultdict(list), {}
    for k, row in enumerate(rows):
        if None not in (row["time_weeks"], row["n_events"]) and not _is_place(row["term"], final):
            runs[row["term"], row["group"]].append(k)
    for run in runs.values():
        run.sort(key=lambda k: rows[k]["time_weeks"])
        counts = [rows[k]["n_events"] for k in run]
        if counts != sorted(counts) or counts[0] == counts[-1]:
            continue
        last = None
        for k, count in zip(run, counts, strict=True):
            since[k] = count - (last or 0)
            if last is not None and 0 < since[k] < profile.min_events:
                rules[k] = rules[k] or "merged_steps"
            last = last if rules[k] else count
    return since


def _is_place(term, final):
    state = term.partition("[")[2].removesuffix("]") or term.rpartition(MOVES)[2]
    return (term.startswith(_PLACES) or MOVES in term) and (term.startswith("weeks[") or state not in final)


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


def _keep_back_remainders(rows, rules, inside, profile):
    for parts, is_balance in _known_totals(rows, rules):
        # Of what adds up to 0 a part without events is a number like the others.
        counted = {k: rows[k]["n_persons"] or 0 if is_balance else inside[k] for k in parts}
        hidden = [k for k in parts if rules[k] and (counted[k] > 0 or _is_some(rows[k]))]
        shown = sorted((k for k in parts if not rules[k]), key=counted.get)
        while hidden and shown and (len(hidden) < 2 or sum(map(counted.get, hidden)) < profile.min_n):
            hidden.append(shown.pop(0))
            rules[hidden[-1]] = "complement"


def _is_some(row):
    """Return whether a part has persons or events; one without any is told by nothing but its absence."""
    return (row["n_events"] or 0) > 0


def _inside(rows, since, behind):
    """Return the persons or events that a row tells of beside the row before it in time."""
    found = []
    for k, row in enumerate(rows):
        if row["n_events"] is None:
            found.append(abs(row["estimate"] or 0) * (row["n_persons"] or 0))
        elif behind is not None and row["term"].startswith("weeks["):
            found.append(behind[k])
        else:
            found.append(since.get(k, row["n_events"]))
    return found


def _known_totals(rows, rules):
    """Yield rows that add up to 0, to 1, to their horizon or to the row ``all``, and whether it is to 0."""
    families = defaultdict(list)
    for k, row in enumerate(rows):
        for family in _families(row):
            families[family, row["time_weeks"]].append(k)
    whole = {(row["group"], row["time_weeks"]): row["estimate"]
             for row, rule in zip(rows, rules, strict=True) if row["term"] == "all" and not rule}
    for (family, time), parts in families.items():
        # What could not be estimated adds nothing.
        parts = [k for k in parts if rows[k]["estimate"] is not None]
        total = math.fsum(rows[k]["estimate"] for k in parts)
        known = [0.0, 1.0, time, whole.get((family[1], time))]
        if len(parts) > 1 and any(value is not None and abs(total - value) < 1e-6 for value in known):
            yield parts, abs(total) < 1e-6


def _families(row):
    term, group = row["term"], row["group"]
    name = term.partition("[")[0]
    if MOVES in term:
        return [(term.partition(MOVES)[0] + MOVES, group), (MOVES, group)]
    # The weeks before any exit are what the weeks lost leave of the horizon.
    kept = name.replace("restricted_mean", "time_lost")
    return [(kept, group), (term, None)]
