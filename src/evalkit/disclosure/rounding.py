"""Numbers as they leave: rounded counts and values as decimal texts; and the tally of what stayed."""

import math
from collections import Counter

from evalkit.result import COLUMNS

VALUES = ("estimate", "std_error", "conf_low", "conf_high", "p_value")
COUNTS = ("n_persons", "n_events")


class Tally:
    """How many cells each rule kept back. It never holds a value."""

    def __init__(self):
        self.rules = Counter()

    def add(self, rule, n_cells=1):
        """Count cells that ``rule`` kept back."""
        self.rules[rule] += n_cells

    def payload(self, base):
        """Return the tally as plain data: ``n_cells`` and the cells of each rule.

        Steps that are merged are weeks in which somebody left: their number is told in steps of ``base``.
        """
        rules = {rule: n if rule != "merged_steps" else -(-n // base) * base
                 for rule, n in sorted(self.rules.items()) if n}
        return {"n_cells": sum(rules.values()), "rules": rules}


def rows_of(table):
    """Return a tidy table as a list of mappings; a missing or infinite number is None."""
    records = table.to_dict("records")
    return [{name: _present(record[name]) for name in COLUMNS} for record in records]


def _present(value):
    return value if isinstance(value, str) or math.isfinite(value) else None


def round_count(value, base):
    """Round a count to the nearest multiple of ``base``, halves up.

    Examples
    --------
    >>> [round_count(n, 5) for n in (5, 7, 8, 12.5)]
    [5, 5, 10, 15]
    """
    return int(math.floor(value / base + 0.5)) * base


def decimal_text(value, decimals):
    """Write a number with a fixed number of decimals; None stays None and minus zero is zero.

    Examples
    --------
    >>> decimal_text(-0.0004, 3), decimal_text(1.0, 1)
    ('0.000', '1.0')
    """
    if value is None or not math.isfinite(value):
        return None
    text = f"{value:.{decimals}f}"
    return text.lstrip("-") if float(text) == 0 else text


def plain_text(value):
    """Write a time or a design constant without trailing zeros.

    Examples
    --------
    >>> plain_text(104.0), plain_text(-0.5)
    ('104', '-0.5')
    """
    return None if value is None else f"{value:.10g}"


def money_text(value, unit, decimals):
    """Write an amount: whole kroner, from 100,000 in whole thousands; other units by their decimals."""
    if value is None or unit != "dkk":
        return decimal_text(value, decimals)
    return decimal_text(round(value, -3) if abs(value) >= 1e5 else value, 0)


def unit_of(result, term):
    """Return the unit of a row's estimate; an estimand may give one unit for each term."""
    unit = result.estimand.unit
    return unit if isinstance(unit, str) else str(unit.get(term, unit.get("", "")))


def blank(row):
    """Return the row with every number but its time missing."""
    return {name: value if name in ("term", "group", "time_weeks") else None for name, value in row.items()}


def written(row, counts, profile, value_text=None):
    """Return a row in texts.

    Parameters
    ----------
    row : mapping
        Raw values by column.
    counts : mapping
        The protected ``n_persons`` and ``n_events``.
    profile : Profile
    value_text : callable, optional
        Number -> text for the estimate, its error and limits; default: the profile's decimals.
    """
    value_text = value_text or (lambda value: decimal_text(value, profile.decimals))
    texts = {name: value_text(row[name]) for name in VALUES[:-1]}
    return {
        "term": row["term"], "group": row["group"], "time_weeks": plain_text(row["time_weeks"]), **texts,
        "p_value": decimal_text(row["p_value"], max(profile.decimals, 3)),
        **{name: plain_text(counts.get(name)) for name in COUNTS},
    }
