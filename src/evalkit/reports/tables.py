"""Tables of Released payloads: caption, scoped headers, a scroll region that a keyboard reaches."""

from html import escape

from evalkit.reports.text import NBSP, number, one_stop, percent, rows_of
from evalkit.reports.units import units_of
from evalkit.reports.wide import interval_note, wide

_YES_NO = {0.0: "no", 0.5: "partly", 1.0: "yes"}


def table(payload, strings, language, *, caption, about=""):
    """Return a payload's rows as an HTML table in one language.

    Columns without any value are left out, an interval's limits are one column, a suppressed row says so.
    What is the same in every row is said once below. Groups of one number each stand beside each other.

    Parameters
    ----------
    payload : mapping
    strings : Strings
    language : {"da", "en"}
    caption : str
    about : str, optional
        Name of the scroll box; default the caption.

    Returns
    -------
    str
    """
    rows = rows_of(payload)
    if not rows:
        return ""
    notes = _notes(payload, rows, strings, language)
    matrix = wide(payload, rows, strings, language)
    if matrix:
        header, body = matrix
        first = (_unit_note(payload, strings, language), interval_note(payload, rows, strings, language))
        notes = " ".join(filter(None, (*first, notes)))
        numeric = [k > 0 for k, _ in enumerate(header)]
        return grid(caption, header, body, note=notes, numeric=numeric, about=about)
    columns = _columns(payload, rows, strings, language)
    body = [[write(row) for _, _, write in columns] for row in rows]
    return grid(caption, [name for name, _, _ in columns], body, note=notes, about=about,
                numeric=[is_number for _, is_number, _ in columns])


def _unit_note(payload, strings, language):
    """Return the sentence that names the unit of a table without a column of values to name it."""
    units = units_of(payload)
    name = units.name(units.first, strings, language)
    return one_stop(strings.say("unit_note", language, unit=name)) if name and not units.is_mixed else ""


def grid(caption, header, body, *, numeric=None, note="", keys=False, about=""):
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
    dense = ' class="dense"' if len(header) > 5 else ""
    after = f'<p class="note">{escape(note)}</p>' if note else ""
    name = escape(about or caption)
    return (f'<div class="scroll" role="group" tabindex="0" aria-label="{name}"><table{dense}>'
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
    units = units_of(payload)
    if len(_given(rows, "time_weeks")) > 1:
        columns.append((say("column_time_weeks"), True, lambda row: number(row["time_weeks"], 0, language)))
    if _shows_estimate(payload, rows):
        columns.append((_estimate_name(payload, units, strings, language), True,
                        _estimate(payload, units, strings, language)))
    if _any(rows, "conf_low"):
        level = percent(payload["provenance"]["options"].get("conf_level", "0.95"), 0, language)
        columns.append((say("column_interval", level=level), True, _interval(units, strings, language)))
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
            if _any(rows, name) and not _repeats(rows, name) and not _is_said_below(payload, rows, name)]


def _is_said_below(payload, rows, name):
    """Return whether a count of persons is the same in all of several rows, and so is no column."""
    same = len(rows) > 1 and rows[0][name] is not None and len({row[name] for row in rows}) == 1
    return same and name == "n_persons" and _shows_estimate(payload, rows)


def _given(rows, name):
    return {row[name] for row in rows} - {None}


def _repeats(rows, name):
    """Return whether a count only says again what the estimate says."""
    return all(row["estimate"] == row[name] for row in rows)


def _shows_estimate(payload, rows):
    return _any(rows, "estimate") or not _any(rows, "n_persons")


def _estimate_name(payload, units, strings, language):
    """Return the header of the estimates, with the unit that all rows share and no number carries."""
    if payload["kind"] == "counts" and not units.is_mixed and units.first in ("", "persons", "rows"):
        return strings.say("column_count", language)
    if units.first == "yes_no":
        return strings.say("column_yes_no", language)
    name, unit = strings.say("column_estimate", language), units.name(units.first, strings, language)
    return f"{name} ({unit})" if unit and not units.is_mixed else name


def _labelled(name, strings, language, instead):
    return lambda row: strings.label(row[name] or instead, language)


def _estimate(payload, units, strings, language):
    few = strings.say("too_few", language)

    def write(row):
        if row["estimate"] is None:
            return few if payload["suppressed"]["n_cells"] else "–"
        if units.by_term[row["term"]] == "yes_no":
            return strings.say(_YES_NO[float(row["estimate"])], language)
        if units.is_mixed:
            return units.full(row["estimate"], row["term"], strings, language)
        return units.write(row["estimate"], row["term"], language)

    return write


def _interval(units, strings, language):
    def write(row):
        if row["conf_low"] is None or row["conf_high"] is None:
            return "–"
        low, high = (units.write(row[name], row["term"], language) for name in ("conf_low", "conf_high"))
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
    weeks = _given(rows, "time_weeks")
    if len(weeks) == 1:
        key = "all_weeks_note" if all(row["time_weeks"] is not None for row in rows) else "some_weeks_note"
        notes.append(strings.say(key, language, week=number(*weeks, 0, language)))
    if _is_said_below(payload, rows, "n_persons") and not _repeats(rows, "n_persons"):
        n = number(rows[0]["n_persons"], 0, language)
        notes.append(strings.say("all_persons_note", language, n=n))
    hidden = payload["suppressed"]["rules"]
    if any(rule != "merged_steps" for rule in hidden):
        notes.append(strings.say("too_few_note", language, min_n=profile["min_n"]))
    if _any(rows, "n_persons") or _any(rows, "n_events"):
        notes.append(strings.say("rounded_note", language, base=profile["rounding_base"]))
    return " ".join(notes)
