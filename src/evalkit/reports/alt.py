"""Text for readers who do not see a figure, made from the same released numbers."""

from evalkit.reports.series import items, panels, time_series
from evalkit.reports.text import number, one_stop, title_of
from evalkit.reports.units import units_of

_MOST = 6


def describe(payload, strings, language, form):
    """Return the text alternative of a figure: what is drawn, on which axis, and its main values in words."""
    parts = {"curve": _curve, "series": _series}.get(form, _points)(payload, strings, language)
    shown = one_stop(" ".join(parts[:_MOST])) or strings.say("alt_nothing", language)
    if len(parts) > _MOST:
        shown += " " + strings.say("alt_more", language, n=len(parts) - _MOST)
    entry = strings.result(payload["name"])
    title = title_of(payload, strings, language)
    axis = strings.label(entry.get("axis", ""), language)
    drawn = strings.say(f"alt_{form}", language, title=title if title[-1:] in ".?!" else f"{title}.")
    named = strings.say("alt_axis", language, axis=axis) if axis else ""
    return " ".join(filter(None, (drawn, named, shown)))


def _curve(payload, strings, language):
    units = units_of(payload)
    parts = []
    for panel in panels(payload, strings, language):
        for line in panel.lines:
            label = ", ".join(dict.fromkeys(part for part in (panel.title, line.label) if part))
            first, last = line.points[0], line.points[-1]
            parts.append(strings.say(
                "alt_curve_series", language, label=label or title_of(payload, strings, language),
                first=_value(first, units, strings, language), start=number(first.x, 0, language),
                last=_value(last, units, strings, language), end=number(last.x, 0, language)))
    return parts


def _series(payload, strings, language):
    units = units_of(payload)
    unnamed = strings.say("column_estimate", language)
    return [strings.say("alt_series_line", language, label=line.label or unnamed,
                        first=_value(line.points[0], units, strings, language),
                        last=_value(line.points[-1], units, strings, language),
                        start=_when(line.points[0], strings, language),
                        end=_when(line.points[-1], strings, language))
            for line in time_series(payload, strings, language)]


def _when(point, strings, language):
    if point.row["time_weeks"] is not None:
        return strings.say("at_week", language, week=number(point.x, 0, language))
    return strings.label(point.row["term"], language)


def _points(payload, strings, language):
    units = units_of(payload)
    parts = []
    for row in items(payload, strings, language):
        point, term = row.point, row.point.row["term"]
        if point.y is None:
            continue
        name = ", ".join(filter(None, (row.heading, row.label, strings.label(row.group, language))))
        key = "alt_point" if point.low is None or point.high is None else "alt_point_interval"
        limits = {side: units.write(point.row[f"conf_{side}"], term, language) for side in ("low", "high")}
        value = _value(point, units, strings, language)
        parts.append(strings.say(key, language, label=name, value=value, **limits))
    return parts


def _value(point, units, strings, language):
    shown = point.row["estimate"] if point.row["estimate"] is not None else point.row["n_persons"]
    return units.full(shown, point.row["term"], strings, language)
