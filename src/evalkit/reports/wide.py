"""A table of one number for each measure and group, as a reader knows it: measures down, groups across."""

from evalkit.reports.text import number
from evalkit.reports.units import units_of

_MOST = 4


def wide(payload, rows, strings, language):
    """Return (header, body) with groups side by side, or None where rows hold more than one number each.

    The shorter of measures and groups stands across, where it has at most four names.
    """
    terms, groups = (list(dict.fromkeys(row[name] for row in rows)) for name in ("term", "group"))
    column = _only_number(rows)
    by_pair = {(row["term"], row["group"]): row for row in rows}
    across, name_across = (terms, "term") if len(terms) < len(groups) else (groups, "group")
    if column is None or min(len(terms), len(groups)) < 2 or len(across) > _MOST or len(by_pair) < len(rows):
        return None
    down, name_down = (groups, "group") if name_across == "term" else (terms, "term")
    write = _cell(payload, column, strings, language)
    names = {key: strings.label(key or "all", language) for key in (*down, *across)}
    header = [strings.say(f"column_{name_down}", language), *(names[key] for key in across)]
    turned = name_across == "term"
    return header, [[names[key], *(write(by_pair.get((other, key) if turned else (key, other)))
                                   for other in across)] for key in down]


def _only_number(rows):
    """Return the one column of numbers that rows have, not counting what is the same in each; else None."""
    def given(name):
        return [row[name] for row in rows if row[name] is not None]

    if any(given(name) for name in ("conf_low", "p_value", "n_events")) or len(set(given("time_weeks"))) > 1:
        return None
    persons, estimates = given("n_persons"), given("estimate")
    if not estimates:
        return "n_persons" if persons else None
    constant = len(persons) == len(rows) and len(set(persons)) == 1
    repeated = all(row["estimate"] == row["n_persons"] for row in rows)
    return "estimate" if not persons or constant or repeated else None


def _cell(payload, column, strings, language):
    units, few = units_of(payload), strings.say("too_few", language)

    def write(row):
        if row is None:
            return "–"
        if row[column] is None:
            return few if payload["suppressed"]["n_cells"] else "–"
        if column == "n_persons":
            return number(row[column], 0, language)
        if units.is_mixed:
            return units.full(row[column], row["term"], strings, language)
        return units.write(row[column], row["term"], language)

    return write
