"""Text for readers who do not see a figure, made from the same released numbers."""

from evalkit.reports.series import items, number_of_units, panels, time_series
from evalkit.reports.text import in_unit, number, one_stop

_MOST = 6


def describe(payload, strings, language, form):
    """Return the text alternative of a figure: what it is, its title, and its main values in words."""
    parts = {"curve": _curve, "series": _series}.get(form, _points)(payload, strings, language)
    shown = one_stop(" ".join(parts[:_MOST])) or strings.say("alt_nothing", language)
    if len(parts) > _MOST:
        shown += " " + strings.say("alt_more", language, n=len(parts) - _MOST)
    entry = strings.result(payload["name"])
    title = strings.label(entry["title"], language) if "title" in entry else payload["name"]
    kind = {"curve": "alt_curve", "series": "alt_series"}.get(form, "alt_points")
    return strings.say(kind, language, title=title if title[-1:] in ".?!" else f"{title}.", series=shown)


def _curve(payload, strings, language):
    unit = number_of_units(payload)
    parts = []
    for panel in panels(payload, strings, language):
        for line in panel.lines:
            label = ", ".join(dict.fromkeys(part for part in (panel.title, line.label) if part))
            first, last = line.points[0], line.points[-1]
            parts.append(strings.say(
                "alt_curve_series", language, label=label or payload["name"],
                first=in_unit(first.row["estimate"], unit, language), start=number(first.x, 0, language),
                last=in_unit(last.row["estimate"], unit, language), end=number(last.x, 0, language)))
    return parts


def _series(payload, strings, language):
    unit = number_of_units(payload)
    unnamed = strings.say("column_estimate", language)
    return [strings.say("alt_series_line", language, label=line.label or unnamed,
                        first=in_unit(line.points[0].row["estimate"], unit, language),
                        last=in_unit(line.points[-1].row["estimate"], unit, language),
                        start=_when(line.points[0], strings, language),
                        end=_when(line.points[-1], strings, language))
            for line in time_series(payload, strings, language)]


def _when(point, strings, language):
    if point.row["time_weeks"] is not None:
        return strings.say("at_week", language, week=number(point.x, 0, language))
    return strings.label(point.row["term"], language)


def _points(payload, strings, language):
    unit = number_of_units(payload)
    parts = []
    for label, group, point in items(payload, strings, language):
        if point.y is None:
            continue
        name = ", ".join(part for part in (label, strings.label(group, language)) if part)
        key = "alt_point" if point.low is None or point.high is None else "alt_point_interval"
        limits = {side: in_unit(point.row[f"conf_{side}"], unit, language) for side in ("low", "high")}
        value = in_unit(point.row["estimate"] or point.row["n_persons"], unit, language)
        parts.append(strings.say(key, language, label=name, value=value, **limits))
    return parts
