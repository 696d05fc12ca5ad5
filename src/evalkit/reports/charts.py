"""Charts of Released payloads, drawn with seaborn as SVG. The only place that knows a plotting library."""

import io
import math
import warnings

from evalkit.reports.alt import describe
from evalkit.reports.axes import row_axis, value_axis, week_axis, year_axis
from evalkit.reports.layout import has_sense, inches, row_places, value_text, wrapped
from evalkit.reports.marks import (
    RISK_ROW,
    SHAPES,
    goal_lines,
    goals,
    label_ends,
    legend,
    legend_height,
    mark_goals,
    mark_origin,
    mark_start,
    risk_table,
)
from evalkit.reports.palette import ACCENT, BEHIND, INK, MUTED, PAPER, RULE, SERIES
from evalkit.reports.series import items, panels, time_series
from evalkit.reports.svg import embed
from evalkit.reports.text import reference_of, title_of
from evalkit.reports.units import MILLIONS, units_of

_WIDTH = 7.2
_STYLE = {
    "svg.fonttype": "none", "svg.hashsalt": "evalkit", "font.family": "DejaVu Sans", "font.size": 10,
    "axes.edgecolor": MUTED, "axes.labelcolor": MUTED, "axes.linewidth": 0.8, "text.color": INK,
    "xtick.color": MUTED, "ytick.color": MUTED, "xtick.major.size": 3, "ytick.major.size": 0,
    "xtick.bottom": True, "grid.color": RULE, "figure.facecolor": PAPER, "axes.facecolor": PAPER,
}
# Keys of the line that others are compared with.
_MAIN = ("treated", "observed")
_DASHES = ((4, 2), (1.5, 1.5), (6, 2, 1.5, 2))
_NO_METADATA = {"Date": None, "Creator": None, "Format": None, "Type": None}


def chart(payload, strings, language, *, prefix, form=None):
    """Draw a released payload in one language.

    Parameters
    ----------
    payload : mapping
        Of a Released object; suppressed rows are drawn as a gap with a word.
    strings : Strings
    language : {"da", "en"}
    prefix : str
        Of the ids in the drawing.
    form : {"curve", "interval", "bars", "series", "none"}, optional
        Default: what the catalogue says of the result, else a curve for a curve and nothing for the rest.

    Returns
    -------
    str
        An inline ``<svg>``; empty where there is nothing to draw.
    """
    entry = strings.result(payload["name"])
    form = form or entry.get("chart") or ("curve" if payload["kind"] == "curve" else "none")
    if form == "none" or not any(row.point.y is not None for row in items(payload, strings, language)):
        return ""
    title = title_of(payload, strings, language)
    axis = _axis_name(payload, strings, language)
    drawing = _drawn(_FORMS[form], payload, strings, language, axis)
    return embed(drawing, prefix=prefix, title=title, description=describe(payload, strings, language, form))


def _axis_name(payload, strings, language):
    axis = strings.label(strings.result(payload["name"]).get("axis", ""), language)
    unit = strings.label(f"unit_{MILLIONS}", language)
    return f"{axis} ({unit})" if units_of(payload).first == MILLIONS else axis


def _drawn(draw, payload, strings, language, axis):
    import matplotlib
    import seaborn as sns
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    with matplotlib.rc_context(_STYLE), sns.axes_style("white", _STYLE), warnings.catch_warnings():
        # seaborn 0.13 uses names that newer pandas and matplotlib are about to retire.
        warnings.simplefilter("ignore")
        file = io.StringIO()
        figure = draw(payload, strings, language, axis)
        mark_origin(figure, payload, strings, language)
        FigureCanvasSVG(figure).print_svg(file, metadata=_NO_METADATA)
    return file.getvalue()


def _figure(height, *, left=0.62, right=0.2, top=0.42, bottom=0.68):
    from matplotlib.figure import Figure

    figure = Figure(figsize=(_WIDTH, height))
    figure.subplots_adjust(left=left / _WIDTH, right=1 - right / _WIDTH,
                           bottom=bottom / height, top=1 - top / height)
    return figure


def _curve(payload, strings, language, axis):
    drawn = panels(payload, strings, language)
    if len(drawn) > 1:
        return _small_multiples(drawn, payload, strings, language, axis)
    lines, units = drawn[0].lines, units_of(payload)
    lighter = strings.result(payload["name"]).get("lighter", ())
    followed = all(_is_falling([point.n for point in line.points]) for line in lines)
    below = RISK_ROW * len(lines) + 0.3 if followed else 0
    labels = [wrapped(line.label, 20) for line in lines]
    figure = _figure(3.9 + below, right=0.25 + inches(labels, "bold"), bottom=0.68 + below)
    axes = figure.add_subplot()
    for line, colour in zip(lines, SERIES, strict=False):
        look = {"width": 1.3, "dashes": (4, 2), "band": False} if line.key in lighter else {}
        _draw_line(axes, line, colour, steps=_in_steps(payload, units), **look)
    aims = goals(payload, strings, language)
    value_axis(axes, units.first, language, axis, lines, also=[value for value, _ in aims])
    week_axis(axes, strings.say("axis_weeks", language), language)
    goal_lines(axes, aims)
    label_ends(axes, lines, labels, SERIES)
    if followed:
        risk_table(axes, lines, strings.say("at_risk", language), language)
    return figure


def _is_falling(numbers):
    """Return whether persons leave along a curve; a constant number says nothing in every week again."""
    return None not in numbers and len(numbers) > 1 and min(numbers) < 0.95 * numbers[0]


def _in_steps(payload, units):
    """Return whether values hold until the next one: shares on a curve do, means and differences do not."""
    return payload["kind"] == "curve" and units.first == "share"


def _small_multiples(drawn, payload, strings, language, axis):
    columns = 3 if len(drawn) > 4 else 2
    depth = math.ceil(len(drawn) / columns)
    names = [line.label for line in drawn[0].lines] if len(drawn[0].lines) > 1 else []
    above = legend_height(names, _WIDTH)
    height = 1.15 + 1.7 * depth + above
    figure = _figure(height, top=0.72 + above, bottom=0.65)
    room = {"wspace": 0.34, "hspace": 0.62}
    grid = figure.subplots(depth, columns, squeeze=False, gridspec_kw=room).ravel()
    weeks, units = strings.say("axis_weeks", language), units_of(payload)
    last = max(line.points[-1].x for panel in drawn for line in panel.lines)
    for k, (axes, panel) in enumerate(zip(grid, drawn, strict=False)):
        for line, colour in zip(panel.lines, SERIES, strict=False):
            _draw_line(axes, line, colour, steps=_in_steps(payload, units), width=1.8)
        value_axis(axes, units.first, language, "", panel.lines, most=3)
        axes.set_title(wrapped(panel.title, 30), loc="left", fontsize=9.5, color=INK, pad=6)
        week_axis(axes, weeks if k >= len(drawn) - columns else "", language, room=4, last=last)
    for axes in grid[len(drawn):]:
        axes.set_visible(False)
    figure.text(0.1 / _WIDTH, 1 - (0.12 + above) / height, axis, color=MUTED, va="top")
    legend(figure, names)
    return figure


def _series(payload, strings, language, axis):
    lines = time_series(payload, strings, language)
    leading = [line for line in lines if len(lines) <= 4 or line.key in _MAIN or line is lines[0]]
    colours = [_series_colour(line, k) for k, line in enumerate(leading)]
    labels = [wrapped(line.label, 20) for line in leading]
    figure = _figure(3.9, right=0.25 + inches(labels, "bold"))
    axes = figure.add_subplot()
    for line in lines:
        if line not in leading:
            _draw_line(axes, line, BEHIND, steps=False, width=0.6, band=False)
    main = next((line for line in leading if line.key in _MAIN), None)
    for k, (line, colour) in enumerate(zip(leading, colours, strict=True)):
        look = {} if main in (None, line) else {"width": 1.4, "dashes": _DASHES[k % len(_DASHES)]}
        _draw_line(axes, line, colour, steps=False, **look)
    value_axis(axes, units_of(payload).first, language, axis, lines)
    if lines[0].points[0].row["time_weeks"] is None:
        year_axis(axes)
    else:
        week_axis(axes, strings.say("axis_programme_weeks", language), language,
                  years=strings.say("axis_programme_years", language))
        mark_start(axes, strings.say("programme_start", language))
    label_ends(axes, leading, labels, colours)
    return figure


def _series_colour(line, k):
    known = {"treated": ACCENT, "comparison": BEHIND, "synthetic": SERIES[1]}
    return known.get(line.key, SERIES[k % len(SERIES)])


def _interval(payload, strings, language, axis):
    units, rows = units_of(payload), items(payload, strings, language)
    figure, axes, places, colours = _row_figure(payload, rows, units, strings, language)
    shapes = {group: shape for group, (shape, _) in zip(colours, SHAPES, strict=False)}
    for row, place in zip(rows, places, strict=True):
        colour = BEHIND if row.light and not row.group else colours[row.group]
        _draw_interval(axes, row, place, colour, shapes.get(row.group, "o"))
    reference = reference_of(units.first)
    if reference == 1.0:
        axes.set_xscale("log")
    sensible = has_sense(reference, [row.point for row in rows if row.point.y is not None])
    mark_goals(axes, goals(payload, strings, language))
    row_axis(axes, places, units.first, language, axis, reference=reference if sensible else None)
    return figure


def _draw_interval(axes, row, place, colour, shape):
    """Draw a point on its interval; a secondary one is thin and hollow."""
    point, width, size = row.point, 1.5 if row.light else 2.4, 5.5 if row.light else 7
    if point.low is not None and point.high is not None:
        axes.plot([point.low, point.high], [place, place], color=colour, linewidth=width, zorder=2)
    if point.y is not None:
        inner, edge = (PAPER, colour) if row.light else (colour, PAPER)
        axes.plot([point.y], [place], shape, color=inner, markersize=size, markeredgecolor=edge, zorder=3)


def _bars(payload, strings, language, axis):
    import seaborn as sns

    units, rows = units_of(payload), items(payload, strings, language)
    figure, axes, places, colours = _row_figure(payload, rows, units, strings, language)
    nearest = min([1.0, *(b - a for a, b in zip(places, places[1:], strict=False))])
    sns.barplot(x=[row.point.y or 0.0 for row in rows], y=places, hue=places, orient="h",
                native_scale=True, palette=[colours[row.group] for row in rows], legend=False,
                errorbar=None, dodge=False, width=0.62 / nearest, saturation=1, linewidth=0, ax=axes)
    for point, place in zip((row.point for row in rows), places, strict=True):
        if point.low is not None and point.high is not None:
            for colour, width in ((PAPER, 4.0), (INK, 1.4)):
                axes.plot([point.low, point.high], [place, place], color=colour, linewidth=width, zorder=4)
    row_axis(axes, places, units.first, language, axis, reference=0.0)
    return figure


def _row_figure(payload, rows, units, strings, language):
    """Return a figure with one named row for each item and its value in words at the right."""
    stands, headings = row_places(rows)
    names = [wrapped(name, 34) for _, name in stands]
    few = strings.say("too_few", language)
    values = [few if row.point.y is None else value_text(row.point, units, strings, language) for row in rows]
    every = list(dict.fromkeys(row.group for row in rows))
    if len(every) > 1:
        signs = {group: sign for group, (_, sign) in zip(every, SHAPES, strict=False)}
        values = [f"{signs.get(row.group, '')} {value}" for row, value in zip(rows, values, strict=True)]
    groups = [strings.label(group, language) for group in every if group]
    top = 0.14 + legend_height(groups, _WIDTH) + 0.2 * len(goals(payload, strings, language))
    room = 0.41 if any("\n" in name for name in names) else 0.34
    height = top + 0.88 + room * (stands[-1][0] + 0.9)
    figure = _figure(height, left=min(0.2 + inches(names), 3.0), right=0.3 + inches(values) * 0.95, top=top)
    axes = figure.add_subplot()
    places = [place for place, _ in stands]
    axes.set_ylim(places[-1] + 0.6, -0.6)
    _write_rows(axes, rows, places, names, values)
    for place, heading in headings:
        axes.annotate(heading, (0.012, place), xycoords=("figure fraction", "data"), va="center", fontsize=10,
                      fontweight="bold", annotation_clip=False, zorder=6,
                      bbox={"facecolor": PAPER, "edgecolor": "none", "pad": 1.5})
    legend(figure, groups)
    return figure, axes, places, {group: SERIES[k % len(SERIES)] for k, group in enumerate(every)}


def _write_rows(axes, rows, places, names, values):
    """Write each row's name at the left of the plot and its value at the right."""
    beside = axes.get_yaxis_transform()
    for row, place, name, value in zip(rows, places, names, values, strict=True):
        axes.text(-0.02, place, name, transform=beside, ha="right", va="center")
        axes.text(1.03, place, value, transform=beside, va="center", fontsize=9.5,
                  color=MUTED if row.point.y is None or row.light else INK)


def _draw_line(axes, line, colour, *, steps, width=2.0, band=True, dashes=None):
    import seaborn as sns

    x, y = [point.x for point in line.points], [point.y for point in line.points]
    sns.lineplot(x=x, y=y, ax=axes, color=colour, linewidth=width, estimator=None, errorbar=None, sort=False,
                 drawstyle="steps-post" if steps else "default", zorder=3, legend=False,
                 linestyle=(0, dashes) if dashes else "-")
    sure = [point for point in line.points if point.low is not None and point.high is not None]
    if band and sure:
        axes.fill_between([p.x for p in sure], [p.low for p in sure], [p.high for p in sure], color=colour,
                          alpha=0.16, linewidth=0, step="post" if steps else None, zorder=2)


_FORMS = {"curve": _curve, "interval": _interval, "bars": _bars, "series": _series}
