"""What a chart draws: lines and points read from the rows of a Released payload."""

import re
from dataclasses import dataclass

from evalkit.reports.text import rows_of

_PERIOD = re.compile(r"^(\d{4})(?:([HQM])(\d{1,2}))?$")
_PER_YEAR = {None: 1, "H": 2, "Q": 4, "M": 12}


@dataclass(frozen=True, slots=True)
class Point:
    """One row of a payload as numbers; ``low`` and ``high`` are None where no uncertainty was given."""

    x: float | None
    y: float | None
    low: float | None
    high: float | None
    n: float | None
    row: dict


@dataclass(frozen=True, slots=True)
class Row:
    """A named row of a chart; rows under one name share a ``heading``, ``light`` ones are secondary."""

    label: str
    group: str
    point: Point
    heading: str = ""
    light: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    """A named run of points."""

    key: str
    label: str
    points: tuple[Point, ...]


@dataclass(frozen=True, slots=True)
class Panel:
    """Lines that share a plot."""

    title: str
    lines: tuple[Line, ...]


def panels(payload, strings, language, most=4):
    """Group a payload's rows into panels of lines.

    Lines are what varies, term or group. Where both vary, each term is a panel and groups are lines;
    where there are more than ``most`` lines, each has a panel of its own.
    """
    rows = [row for row in rows_of(payload) if _value(row) is not None]
    terms, groups = _distinct(rows, "term"), _distinct(rows, "group")
    if len(terms) > 1 and len(groups) > 1:
        return tuple(Panel(strings.label(term, language), _lines(
            [row for row in rows if row["term"] == term], "group", strings, language)) for term in terms)
    lines = _lines(rows, "term" if len(terms) > 1 else "group", strings, language)
    if len(lines) > most:
        return tuple(Panel(line.label, (line,)) for line in lines)
    return (Panel("", lines),) if lines else ()


def time_series(payload, strings, language):
    """Return the lines of a calendar series: x is ``time_weeks``, or the period that ``term`` names."""
    rows = [row for row in rows_of(payload) if _value(row) is not None]
    dated = all(_PERIOD.match(row["term"]) for row in rows)
    by = "group" if dated or len(_distinct(rows, "group")) > 1 else "term"
    return _lines(rows, by, strings, language)


def items(payload, strings, language):
    """Return every row, shown or suppressed; a term's groups stand together, its weeks under its name.

    Terms that the catalogue calls ``lighter`` come last.
    """
    rows, lighter = rows_of(payload), strings.result(payload["name"]).get("lighter", ())
    varying = [name for name in ("term", "group", "time_weeks") if len(_distinct(rows, name)) > 1]
    by_group = "term" in varying and "group" in varying
    headed = varying == ["term", "time_weeks"] and all(row["time_weeks"] is not None for row in rows)
    order = _distinct(rows, "term")
    if by_group or headed or lighter:
        rows = sorted(rows, key=lambda row: (row["term"] in lighter, order.index(row["term"])))
    shown = ["time_weeks"] if headed else varying
    return [Row(_item_label(row, shown, by_group, strings, language),
                row["group"] or "all" if by_group else "", _point(row),
                strings.label(row["term"], language) if headed else "", row["term"] in lighter)
            for row in rows]


def _item_label(row, varying, by_group, strings, language):
    names = [name for name in varying if name != "time_weeks" and not (by_group and name == "group")]
    names = names if names or "time_weeks" in varying else ["term"]
    parts = [strings.label(row[name] or "all", language) for name in names if row[name] or name in varying]
    if "time_weeks" in varying and row["time_weeks"] is not None:
        parts.append(strings.say("at_week", language, week=row["time_weeks"]))
    label = ", ".join(parts)
    return label[:1].upper() + label[1:]


def _lines(rows, by, strings, language):
    lines = []
    keys = _distinct(rows, by)
    for key in keys:
        points = [_point(row) for row in rows if row[by] == key]
        points = sorted((point for point in points if point.x is not None), key=lambda point: point.x)
        if points:
            name = key or ("all" if len(keys) > 1 else "")
            lines.append(Line(key, strings.label(name, language), tuple(points)))
    return tuple(lines)


def _distinct(rows, name):
    return list(dict.fromkeys(row[name] for row in rows))


def _value(row):
    return row["estimate"] if row["estimate"] is not None else row["n_persons"]


def _point(row):
    numbers = [None if value is None else float(value)
               for value in (_value(row), row["conf_low"], row["conf_high"], row["n_persons"])]
    return Point(_position(row), *numbers, row)


def _position(row):
    if row["time_weeks"] is not None:
        return float(row["time_weeks"])
    period = _PERIOD.match(row["term"])
    if period is None:
        return None
    return int(period[1]) + (int(period[3] or 1) - 1) / _PER_YEAR[period[2]]
