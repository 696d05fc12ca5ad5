"""Estimates of models, public aggregates and amounts: values are rounded, persons behind them tested."""

from collections import Counter

import numpy as np

from evalkit.disclosure.behind import n_behind
from evalkit.disclosure.quantiles import on_safe_steps
from evalkit.disclosure.related import MOVES, with_related
from evalkit.disclosure.rounding import (
    COUNTS,
    blank,
    money_text,
    plain_text,
    round_count,
    rows_of,
    unit_of,
    written,
)

# Terms to persons: a model with more is close to giving single persons back (DataSHIELD's nfilter.glm).
_MAX_TERM_SHARE = 0.33


def protect_models(result, profile, tally):
    """Protect estimates: values rounded to the profile's decimals, rows with too few behind them suppressed.

    A row is shown when it counts at least ``min_n`` persons and, where it counts events, ``min_events``.
    Persons are read from the row, else from the diagnostic ``n_persons``; figures published by others need
    none. The indicator of a level (``sex[M]``) needs ``min_n`` persons on both sides: ``model["n_term"]``
    holds, in the order of ``model["terms"]``, the persons on the rarer side. Where a row rests on fewer
    persons or events than it counts, ``model["n_behind"]`` says for each row on how many; it is then judged
    by them instead of ``n_term``. A row that is there because of what was found (``model["found_terms"]``)
    is left out where it is kept back, and so is the last observed week of few (``model["at_last"]``,
    ``model["n_at_last"]``). A group with more than a third as many terms as persons is suppressed
    whole. A value in persons or events without uncertainty is a count. Rows from which one that is kept back
    would follow are kept back too (`with_related`).

    Parameters
    ----------
    result : Result
    profile : Profile
    tally : Tally

    Returns
    -------
    list of dict
        Rows in texts.
    """
    result = on_safe_steps(result, profile, tally)
    rows = rows_of(result.table)
    terms = Counter(map(_part, rows))
    rarer = _behind(result, rows)
    rules = [_broken_rule(row, result, behind, terms[_part(row)], profile)
             for row, behind in zip(rows, rarer, strict=True)]
    rules = with_related(rows, rules, result, profile)
    shown = [_model_row(row, rule, _is_count(row, result), profile, tally)
             for row, rule in zip(rows, rules, strict=True)]
    return _without_found(_without_ends(shown, result, profile), rules, result)


def protect_aggregates(result, profile, tally):
    """Round figures behind which no person stands; counts of persons, where given, are still tested."""
    return [_plain_row(row, unit_of(result, row["term"]), profile, tally) for row in rows_of(result.table)]


def _without_ends(rows, result, profile):
    """Leave out the week at which the data end, where fewer than ``min_n`` persons are seen so long."""
    is_told = result.model.get("n_at_last", 0) >= profile.min_n
    at_last = result.model.get("at_last", np.zeros(len(rows), dtype=bool))
    return [row if is_told or not last else {**row, "time_weeks": None}
            for row, last in zip(rows, at_last, strict=True)]


def _without_found(rows, rules, result):
    """Leave out rows that are kept back and whose very being there tells what was found."""
    found = set(result.model.get("found_terms", ()))
    return [row for row, rule in zip(rows, rules, strict=True) if not rule or row["term"] not in found]


def _part(row):
    """Return what terms are counted within: where they lead from one state to others, by that state."""
    start = row["term"].partition(MOVES)[0] if MOVES in row["term"] else ""
    return row["group"], row["time_weeks"], start


def _behind(result, rows):
    """Return what each row is judged by besides its own counts: infinite where nothing else is behind it."""
    behind = n_behind(result)
    if behind is not None:
        return behind
    if "terms" not in result.model:
        return np.full(len(rows), np.inf)
    rarer = dict(zip(result.model["terms"], result.model.get("n_term", ()), strict=False))
    # An indicator of whose sides nothing is known: missing.
    others = result.model.get("n_reference", np.inf)
    return [rarer.get(row["term"], np.nan if row["term"].endswith("]") else others) for row in rows]


def _broken_rule(row, result, behind, n_terms, profile):
    persons = _persons(row, result)
    if persons is None:
        return "" if set(result.provenance.rests_on) == {"source"} else "no_count"
    if np.isnan(behind):
        return "no_count"
    if persons < profile.min_n or behind < _least(result, profile):
        return "min_n"
    if _is_count(row, result) and 0 < row["estimate"] < profile.min_n:
        return "min_n"
    if row["n_events"] is not None and row["n_events"] < profile.min_events:
        return "min_events"
    return "too_many_terms" if n_terms > 1 and n_terms > _MAX_TERM_SHARE * persons else ""


def _least(result, profile):
    """Return how many must be behind a row: where events may be meant, the stricter of both thresholds."""
    return max(profile.min_n, profile.min_events) if "n_behind" in result.model else profile.min_n


def _persons(row, result):
    if row["n_persons"] is not None:
        return row["n_persons"]
    given = result.diagnostics.get("n_persons")
    return float(given) if isinstance(given, int | float | np.number) else None


def _is_count(row, result):
    """Return whether an estimate is a plain count: it has a unit of counts and no uncertainty."""
    return unit_of(result, row["term"]) in ("persons", "events") and row["estimate"] is not None \
        and row["std_error"] is None and row["conf_low"] is None


def _model_row(row, rule, is_count, profile, tally):
    if rule:
        tally.add(rule)
        return written(blank(row), {}, profile)
    out = written(row, _rounded(row, profile), profile)
    if is_count:
        out["estimate"] = plain_text(round_count(row["estimate"], profile.rounding_base))
    return out


def _rounded(row, profile):
    return {name: round_count(row[name], profile.rounding_base) for name in COUNTS if row[name] is not None}


def _plain_row(row, unit, profile, tally):
    if any(row[name] is not None and 0 < row[name] < profile.min_n for name in COUNTS):
        tally.add("min_n")
        return written(blank(row), {}, profile)
    def in_unit(value):
        return money_text(value, unit, profile.decimals)

    return written(row, _rounded(row, profile), profile, in_unit)
