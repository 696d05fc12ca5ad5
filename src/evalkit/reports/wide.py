"""A table of one number for each measure and group, as a reader knows it: measures down, groups across."""

from evalkit.reports.text import number, percent
from evalkit.reports.units import units_of

_MOST = 4


def wide(payload, rows, strings, language):
    """Return (header, body) with groups side by side, or None where rows hold more than one number each.

    The shorter of measures and groups stands across, where it has at most four names. An interval stands
    in brackets after its number; persons have a column where each line has one count of them.
    """
    terms, groups = (list(dict.fromkeys(row[name] for row in rows)) for name in ("term", "group"))
    turned = len(terms) < len(groups)
    across, down = (terms, groups) if turned else (groups, terms)
    by_pair = {((row["group"], row["term"]) if turned else (row["term"], row["group"])): row for row in rows}
    column, persons = _only_number(rows, by_pair)
    if column is None or len(across) < 2 or len(across) > _MOST or len(by_pair) < len(rows):
        return None
    write = _cell(payload, column, strings, language)
    names = {key: strings.label(key or "all", language) for key in (*down, *across)}
    first = strings.say("column_group" if turned else "column_term", language)
    header = [first, *(names[key] for key in across)]
    body = [[names[key], *(write(by_pair.get((key, other))) for other in across)] for key in down]
    if persons:
        header.append(strings.say("column_n_persons", language))
        body = [[*line, number(persons.get(key), 0, language)] for key, line in zip(down, body, strict=True)]
    return header, body


def interval_note(payload, rows, strings, language):
    """Return the sentence that says what stands in brackets, where something does."""
    if all(row["conf_low"] is None for row in rows):
        return ""
    level = percent(payload["provenance"]["options"].get("conf_level", "0.95"), 0, language)
    interval = strings.say("column_interval", language, level=level)
    return strings.say("brackets_note", language, interval=interval)


def _only_number(rows, by_pair):
    """Return the one column of numbers, and each line's persons where they differ between lines."""
    if any(row["p_value"] is not None or row["n_events"] is not None for row in rows):
        return None, {}
    if len({row["time_weeks"] for row in rows} - {None}) > 1:
        return None, {}
    if all(row["estimate"] is None for row in rows):
        return "n_persons", {}
    if all(row["n_persons"] in (None, row["estimate"]) for row in rows):
        return "estimate", {}
    counts = {}
    for (line, _), row in by_pair.items():
        counts.setdefault(line, set()).add(row["n_persons"])
    if any(len(found) > 1 for found in counts.values()):
        return None, {}
    persons = {line: min(found) for line, found in counts.items() if None not in found}
    return "estimate", persons if len(set(persons.values())) > 1 else {}


def _cell(payload, column, strings, language):
    units, few = units_of(payload), strings.say("too_few", language)

    def write(row):
        if row is None:
            return "–"
        if row[column] is None:
            return few if payload["suppressed"]["n_cells"] else "–"
        if column == "n_persons":
            return number(row[column], 0, language)
        value = (units.full(row[column], row["term"], strings, language) if units.is_mixed
                 else units.write(row[column], row["term"], language))
        if row["conf_low"] is None or row["conf_high"] is None:
            return value
        low, high = (units.write(row[name], row["term"], language) for name in ("conf_low", "conf_high"))
        return f"{value} ({strings.say('interval_to', language, low=low, high=high)})"

    return write
