"""Tables of Released payloads: caption, scoped headers, a scroll region that a keyboard reaches."""

from html import escape

from evalkit.reports.text import NBSP, in_unit, number, percent, rows_of, unit_of

_YES_NO = {0.0: "no", 0.5: "partly", 1.0: "yes"}


def table(payload, strings, language, *, caption):
    """Return a payload's rows as an HTML table in one language.

    Columns without any value are left out, an interval's limits are one column, a suppressed row says so.

    Parameters
    ----------
    payload : mapping
    strings : Strings
    language : {"da", "en"}
    caption : str

    Returns
    -------
    str
    """
    rows = rows_of(payload)
    if not rows:
        return ""
    columns = _columns(payload, rows, strings, language)
    body = [[write(row) for _, _, write in columns] for row in rows]
    notes = _notes(payload, rows, strings, language)
    return grid(caption, [name for name, _, _ in columns], body, note=notes,
                numeric=[is_number for _, is_number, _ in columns])


def grid(caption, header, body, *, numeric=None, note="", keys=False):
    """Return any small table: first column as row headers, marked as code where they are ``keys``.

    Examples
    --------
    >>> 'scope="row"' in grid("Inputs", ["File", "Hash"], [["a.csv", "0f"]])
    True
    """
    numeric = numeric or [False] * len(header)
    kind = ['class="num" ' if is_number else "" for is_number in numeric]
    head = "".join(f'<th {kind[k]}scope="col">{escape(name)}</th>' for k, name in enumerate(header))
    lines = "".join(_line(cells, kind, "<code>{}</code>" if keys else "{}") for cells in body)
    after = f'<p class="note">{escape(note)}</p>' if note else ""
    return (f'<div class="scroll" role="region" tabindex="0" aria-label="{escape(caption)}"><table>'
            f"<caption>{escape(caption)}</caption><thead><tr>{head}</tr></thead>"
            f"<tbody>{lines}</tbody></table></div>{after}")


def _line(cells, kind, first):
    rest = "".join(f"<td {kind[k]}".rstrip() + f">{escape(cell)}</td>" for k, cell in enumerate(cells[1:], 1))
    return f'<tr><th scope="row">{first.format(escape(cells[0]))}</th>{rest}</tr>'


def _columns(payload, rows, strings, language):
    """Return (name, is it a number, row -> text) of every column that has something to show."""
    def say(key, **values):
        return strings.say(key, language, **values)

    columns = [(say(f"column_{name}"), False, _labelled(name, strings, language, "all"))
               for name in ("term", "group") if len({row[name] for row in rows}) > 1]
    name = payload["estimand"]["name"]
    columns = columns or [(say("column_term"), False, _labelled("term", strings, language, name))]
    if _any(rows, "time_weeks"):
        columns.append((say("column_time_weeks"), True, lambda row: number(row["time_weeks"], 0, language)))
    if _shows_estimate(payload, rows):
        columns.append((_estimate_name(payload, _unit(payload, rows), strings, language), True,
                        _estimate(payload, strings, language)))
    if _any(rows, "conf_low"):
        level = percent(payload["provenance"]["options"].get("conf_level", "0.95"), 0, language)
        columns.append((say("column_interval", level=level), True, _interval(payload, strings, language)))
    if _any(rows, "p_value"):
        columns.append((say("column_p_value"), True, lambda row: _p_text(row["p_value"], language)))
    return columns + _count_columns(payload, rows, strings, language)


def _count_columns(payload, rows, strings, language):
    persons = "column_n_at_risk" if payload["kind"] == "curve" else "column_n_persons"
    events = "column_n_of" if payload["kind"] in ("share", "counts") else "column_n_events"
    few = strings.say("too_few", language)

    def counted(name):
        def write(row):
            return number(row[name], 0, language) if row[name] is not None or not _is_hidden(row) else few

        return write

    return [(strings.say(key, language), True, counted(name))
            for key, name in ((persons, "n_persons"), (events, "n_events"))
            if _any(rows, name) and not _repeats(rows, name)]


def _repeats(rows, name):
    """Return whether a count only says again what the estimate says."""
    return all(row["estimate"] == row[name] for row in rows)


def _shows_estimate(payload, rows):
    return _any(rows, "estimate") or not _any(rows, "n_persons")


def _unit(payload, rows):
    return unit_of(payload, rows[0]["term"])


def _estimate_name(payload, unit, strings, language):
    """Return the header of the estimates, with a unit that the numbers do not carry themselves."""
    if payload["kind"] == "counts" and unit in ("", "persons", "rows"):
        return strings.say("column_count", language)
    if unit == "yes_no":
        return strings.say("column_yes_no", language)
    name, key = strings.say("column_estimate", language), f"unit_{unit}"
    spoken = key in strings.labels and unit not in ("persons", "share", "percent")
    return f"{name} ({strings.label(key, language)})" if spoken else name


def _labelled(name, strings, language, instead):
    return lambda row: strings.label(row[name] or instead, language)


def _estimate(payload, strings, language):
    few = strings.say("too_few", language)

    def write(row):
        if row["estimate"] is None:
            return few if payload["suppressed"]["n_cells"] else "–"
        unit = unit_of(payload, row["term"])
        if unit == "yes_no":
            return strings.say(_YES_NO[float(row["estimate"])], language)
        return in_unit(row["estimate"], unit, language)

    return write


def _interval(payload, strings, language):
    def write(row):
        if row["conf_low"] is None or row["conf_high"] is None:
            return "–"
        unit = unit_of(payload, row["term"])
        low, high = (in_unit(row[name], unit, language) for name in ("conf_low", "conf_high"))
        return strings.say("interval_to", language, low=low, high=high).replace(" ", NBSP)

    return write


def _p_text(value, language):
    if value is None:
        return "–"
    return f"<{NBSP}{number('0.001', 3, language)}" if float(value) < 0.001 else number(value, 3, language)


def _is_hidden(row):
    return row["estimate"] is None and row["n_persons"] is None


def _any(rows, name):
    return any(row[name] is not None for row in rows)


def _notes(payload, rows, strings, language):
    profile = payload["profile"]
    notes = []
    hidden = payload["suppressed"]["rules"]
    if any(rule != "merged_steps" for rule in hidden):
        notes.append(strings.say("too_few_note", language, min_n=profile["min_n"]))
    if _any(rows, "n_persons") or _any(rows, "n_events"):
        notes.append(strings.say("rounded_note", language, base=profile["rounding_base"]))
    return " ".join(notes)
