"""The numbers of one result: rows that share a unit share its decimals, and money one scale."""

from collections.abc import Mapping
from dataclasses import dataclass

from evalkit.reports.text import NBSP, in_unit, million, number, rows_of, unit_of

MILLIONS = "dkk_million"
_SHOWN = ("estimate", "conf_low", "conf_high")
# Units whose sign stands at every number, or that are no unit.
_SPOKEN_BY_NUMBER = ("share", "percent", "", "rank", "ratio", "rows")


@dataclass(frozen=True, slots=True)
class Units:
    """How the numbers of a result are written."""

    by_term: Mapping
    decimals: Mapping

    @property
    def is_mixed(self):
        """Whether rows differ in unit, so that a header cannot name it."""
        return len(set(self.by_term.values())) > 1

    @property
    def first(self):
        """The unit of the first row, which the axis of a chart follows."""
        return next(iter(self.by_term.values()), "")

    def write(self, value, term, language):
        """Write a number without the name of its unit."""
        unit = self.by_term.get(term, "")
        if unit == MILLIONS and value is not None:
            return number(f"{float(value) / 1e6:.6f}", 1, language)
        return in_unit(value, unit, language, decimals=self.decimals.get(unit))

    def name(self, unit, strings, language):
        """Return a unit's name where numbers do not carry it themselves; else an empty text."""
        key = f"unit_{unit}"
        spoken = key in strings.labels and unit not in _SPOKEN_BY_NUMBER
        return strings.label(key, language) if spoken else ""

    def full(self, value, term, strings, language):
        """Write a number with the name of its unit."""
        if value is None:
            return "–"
        if self.by_term.get(term) == MILLIONS:
            return million(value, 1, language)
        name = self.name(self.by_term.get(term, ""), strings, language)
        return f"{self.write(value, term, language)}{NBSP}{name}".removesuffix(NBSP)


def units_of(payload):
    """Return the Units of a released payload; kroner count in millions where one value reaches a million."""
    rows = rows_of(payload)
    numbers = (row[name] for row in rows for name in _SHOWN if row[name] is not None)
    largest = max((abs(float(number_)) for number_ in numbers), default=0)
    by_term, decimals = {}, {}
    for row in rows:
        unit = unit_of(payload, row["term"])
        unit = MILLIONS if unit == "dkk" and largest >= 1e6 else unit
        by_term[row["term"]] = unit
        given = [len(row[name].partition(".")[2].rstrip("0")) for name in _SHOWN if row[name] is not None]
        decimals[unit] = min(2, max([decimals.get(unit, 0), *given]))
    return Units(by_term, decimals)
