"""Estimates of models, public aggregates and amounts: values are rounded, persons behind them tested."""

from collections import Counter

import numpy as np

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
    holds, in the order of ``model["terms"]``, the persons on the rarer side. A group with more than a third
    as many terms as persons is suppressed whole. A value in persons without uncertainty is a count.

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
    rows = rows_of(result.table)
    terms = Counter((row["group"], row["time_weeks"]) for row in rows)
    rarer = _rarer_side(result)
    rules = (_broken_rule(row, result, rarer, terms[row["group"], row["time_weeks"]], profile)
             for row in rows)
    return [_model_row(row, rule, _is_count(row, result), profile, tally)
            for row, rule in zip(rows, rules, strict=True)]


def protect_aggregates(result, profile, tally):
    """Round figures behind which no person stands; counts of persons, where given, are still tested."""
    return [_plain_row(row, unit_of(result, row["term"]), profile, tally) for row in rows_of(result.table)]


def _rarer_side(result):
    if "n_term" not in result.model:
        return {}
    persons = np.asarray(result.model["n_term"], dtype=float)
    return dict(zip(result.model["terms"], persons, strict=True))


def _broken_rule(row, result, rarer, n_terms, profile):
    persons = _persons(row, result)
    if persons is None:
        return "" if set(result.provenance.rests_on) == {"source"} else "no_count"
    if persons < profile.min_n or rarer.get(row["term"], persons) < profile.min_n:
        return "min_n"
    if row["term"].endswith("]") and "terms" in result.model and row["term"] not in rarer:
        return "no_count"
    if _is_count(row, result) and 0 < row["estimate"] < profile.min_n:
        return "min_n"
    if row["n_events"] is not None and row["n_events"] < profile.min_events:
        return "min_events"
    return "too_many_terms" if n_terms > 1 and n_terms > _MAX_TERM_SHARE * persons else ""


def _persons(row, result):
    if row["n_persons"] is not None:
        return row["n_persons"]
    given = result.diagnostics.get("n_persons")
    return float(given) if isinstance(given, int | float | np.number) else None


def _is_count(row, result):
    """Return whether an estimate is a plain count of persons: it has that unit and no uncertainty."""
    return unit_of(result, row["term"]) == "persons" and row["estimate"] is not None \
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
