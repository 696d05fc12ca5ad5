"""A diagnostic that repeats the table leaves as the table does: never a second, finer look at it."""

from collections import defaultdict

from evalkit.disclosure.counts import TOTALS, sum_of
from evalkit.disclosure.rounding import COUNTS, plain_text, rows_of


class Ties:
    """What is released of the cells and sums of a table, by their true values.

    A sum of rows that is rounded by itself undoes the rounding of its parts: 15, 5 and 5 with a total of 30
    leave few tables that could have been. So a sum among the diagnostics is the sum of the released parts.

    Parameters
    ----------
    result : Result
    rows : list of dict
        The released rows, in texts.
    profile : Profile
    """

    def __init__(self, result, rows, profile):
        raw = rows_of(result.table)
        self.cells, self.sums, self.is_money = {}, {}, result.kind == "money"
        if len(raw) == len(rows):
            self._tie_cells(raw, rows)
            self._tie_sums(raw, rows, profile)
        if result.kind == "curve":
            self._tie_curves(raw, rows)

    def _tie_cells(self, raw, rows):
        for true, shown in zip(raw, rows, strict=True):
            for name in ("estimate", "conf_low", "conf_high"):
                # A whole number may be many things; one with decimals is that cell.
                if true[name] is not None and not float(true[name]).is_integer():
                    self.cells.setdefault(true[name], shown[name])
                    self.cells.setdefault(abs(true[name]), shown[name] and shown[name].lstrip("-"))
            if _is_total(true):
                for name in COUNTS:
                    self.sums.setdefault(true[name], shown[name])

    def _tie_sums(self, raw, rows, profile):
        for places in _groupings(raw):
            for name in COUNTS:
                true = [raw[k][name] for k in places]
                if None in true:
                    continue
                self.sums.setdefault(sum(true), sum_of(rows, raw, places, name, profile))

    def _tie_curves(self, raw, rows):
        """Events of a curve: those after its last safe step are not told by their sum either."""
        for label in dict.fromkeys((row["term"], row["group"]) for row in raw):
            true, shown = ([float(row["n_events"] or 0) for row in table
                            if (row["term"], row["group"]) == label] for table in (raw, rows))
            self.sums.setdefault(sum(true), plain_text(sum(shown)))


def _groupings(raw):
    """Yield the rows of each term, of each group, and of the whole table, totals left out."""
    by = defaultdict(list)
    for k, row in enumerate(raw):
        for key in (("term", row["term"]), ("group", row["group"]), ("all", "")):
            if not _is_total(row):
                by[key].append(k)
    yield from (places for places in by.values() if len(places) > 1)


def _is_total(row):
    return bool({row["term"], row["group"]} & (TOTALS - {""}))
