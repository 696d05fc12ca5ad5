"""Charts of Released payloads, drawn with seaborn as SVG. The only place that knows a plotting library."""

import io
import math
import warnings

from evalkit.reports.alt import describe
from evalkit.reports.layout import (
    has_sense, inches, ratio_ticks, row_places, tick_writer, value_text, week_step, wrapped,
)
from evalkit.reports.marks import label_ends, legend, legend_height, mark_start, risk_table
from evalkit.reports.palette import ACCENT, BEHIND, INK, MUTED, PAPER, RULE, SERIES
from evalkit.reports.series import items, number_of_units, panels, time_series
from evalkit.reports.svg import embed
from evalkit.reports.text import number, reference_of

_WIDTH = 7.2
_STYLE = {
    "svg.fonttype": "none", "svg.hashsalt": "evalkit", "font.family": "DejaVu Sans", "font.size": 10,
    "axes.edgecolor": MUTED, "axes.labelcolor": MUTED, "axes.linewidth": 0.8, "text.color": INK,
    "xtick.color": MUTED, "ytick.color": MUTED, "xtick.major.size": 3, "ytick.major.size": 0,
    "xtick.bottom": True, "grid.color": RULE, "figure.facecolor": PAPER, "axes.facecolor": PAPER,
}
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
    if form == "none" or not any(point.y is not None for _, _, point in items(payload, strings, language)):
        return ""
    title = strings.label(entry["title"], language) if "title" in entry else payload["name"]
    axis = strings.label(entry.get("axis", ""), language)
    drawing = _drawn(_FORMS[form], payload, strings, language, axis)
    return embed(drawing, prefix=prefix, title=title, description=describe(payload, strings, language, form))


def _drawn(draw, payload, strings, language, axis):
    import matplotlib
    import seaborn as sns
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    with matplotlib.rc_context(_STYLE), sns.axes_style("white", _STYLE), warnings.catch_warnings():
        # seaborn 0.13 uses names that newer pandas and matplotlib are about to retire.
        warnings.simplefilter("ignore")
        file = io.StringIO()
        FigureCanvasSVG(draw(payload, strings, language, axis)).print_svg(file, metadata=_NO_METADATA)
    return file.getvalue()


def _figure(height, *, left=0.62, right=0.2, top=0.42, bottom=0.55):
    from matplotlib.figure import Figure

    figure = Figure(figsize=(_WIDTH, height))
    figure.subplots_adjust(left=left / _WIDTH, right=1 - right / _WIDTH,
                           bottom=bottom / height, top=1 - top / height)
    return figure


def _curve(payload, strings, language, axis):
    drawn = panels(payload, strings, language)
    if len(drawn) > 1:
        return _small_multiples(drawn, payload, strings, language, axis)
    lines = drawn[0].lines
    followed = [point.n for line in lines for point in line.points]
    followed = None not in followed and len(set(followed)) > 1
    below = 0.2 * len(lines) + 0.3 if followed else 0
    labels = [wrapped(line.label, 20) for line in lines]
    figure = _figure(3.9 + below, right=0.25 + inches(labels, "bold"), bottom=0.55 + below)
    axes = figure.add_subplot()
    for line, colour in zip(lines, SERIES, strict=False):
        _draw_line(axes, line, colour, steps=True)
    _value_axis(axes, number_of_units(payload), language, axis, lines)
    _week_axis(axes, strings.say("axis_weeks", language), language)
    label_ends(axes, lines, labels, SERIES)
    if followed:
        risk_table(axes, lines, strings.say("at_risk", language), language)
    return figure


def _small_multiples(drawn, payload, strings, language, axis):
    columns = 3 if len(drawn) > 4 else 2
    depth = math.ceil(len(drawn) / columns)
    names = [line.label for line in drawn[0].lines] if len(drawn[0].lines) > 1 else []
    above = legend_height(names, _WIDTH)
    height = 1.0 + 1.7 * depth + above
    figure = _figure(height, top=0.72 + above, bottom=0.5)
    room = {"wspace": 0.34, "hspace": 0.62}
    grid = figure.subplots(depth, columns, squeeze=False, gridspec_kw=room).ravel()
    weeks = strings.say("axis_weeks", language)
    for k, (axes, panel) in enumerate(zip(grid, drawn, strict=False)):
        for line, colour in zip(panel.lines, SERIES, strict=False):
            _draw_line(axes, line, colour, steps=payload["kind"] == "curve", width=1.8)
        _value_axis(axes, number_of_units(payload), language, "", panel.lines, most=3)
        axes.set_title(wrapped(panel.title, 30), loc="left", fontsize=9.5, color=INK, pad=6)
        _week_axis(axes, weeks if k >= len(drawn) - columns else "", language, room=4)
    for axes in grid[len(drawn):]:
        axes.set_visible(False)
    figure.text(0.1 / _WIDTH, 1 - (0.12 + above) / height, axis, color=MUTED, va="top")
    legend(figure, names)
    return figure


def _series(payload, strings, language, axis):
    lines = time_series(payload, strings, language)
    leading = [line for line in lines if len(lines) <= 4 or line.key == "treated" or line is lines[0]]
    colours = [_series_colour(line, k) for k, line in enumerate(leading)]
    labels = [wrapped(line.label, 20) for line in leading]
    figure = _figure(3.9, right=0.25 + inches(labels, "bold"))
    axes = figure.add_subplot()
    for line in lines:
        if line not in leading:
            _draw_line(axes, line, BEHIND, steps=False, width=0.6, band=False)
    for line, colour in zip(leading, colours, strict=True):
        _draw_line(axes, line, colour, steps=False)
    _value_axis(axes, number_of_units(payload), language, axis, lines)
    if lines[0].points[0].row["time_weeks"] is None:
        _year_axis(axes)
    else:
        _week_axis(axes, strings.say("axis_programme_weeks", language), language)
        mark_start(axes, strings.say("programme_start", language))
    label_ends(axes, leading, labels, colours)
    return figure


def _series_colour(line, k):
    known = {"treated": ACCENT, "comparison": BEHIND, "synthetic": SERIES[1]}
    return known.get(line.key, SERIES[k % len(SERIES)])


def _interval(payload, strings, language, axis):
    unit = number_of_units(payload)
    rows = items(payload, strings, language)
    figure, axes, places, colours = _row_figure(rows, unit, strings, language)
    for (_, group, point), place in zip(rows, places, strict=True):
        if point.low is not None and point.high is not None:
            axes.plot([point.low, point.high], [place, place], color=colours[group], linewidth=2.4, zorder=2)
        if point.y is not None:
            axes.plot([point.y], [place], "o", color=colours[group], markersize=7, markeredgecolor=PAPER,
                      zorder=3)
    if reference_of(unit) == 1.0:
        axes.set_xscale("log")
    sensible = has_sense(reference_of(unit), [point for _, _, point in rows if point.y is not None])
    _row_axis(axes, places, unit, language, axis, reference=reference_of(unit) if sensible else None)
    return figure


def _bars(payload, strings, language, axis):
    import seaborn as sns

    unit = number_of_units(payload)
    rows = items(payload, strings, language)
    figure, axes, places, colours = _row_figure(rows, unit, strings, language)
    nearest = min([1.0, *(b - a for a, b in zip(places, places[1:], strict=False))])
    sns.barplot(x=[point.y or 0.0 for _, _, point in rows], y=places, hue=places, orient="h",
                native_scale=True, palette=[colours[group] for _, group, _ in rows], legend=False,
                errorbar=None, dodge=False, width=0.62 / nearest, saturation=1, linewidth=0, ax=axes)
    for (_, _, point), place in zip(rows, places, strict=True):
        if point.low is not None and point.high is not None:
            for colour, width in ((PAPER, 4.0), (INK, 1.4)):
                axes.plot([point.low, point.high], [place, place], color=colour, linewidth=width, zorder=4)
    _row_axis(axes, places, unit, language, axis, reference=0.0)
    return figure


def _row_figure(rows, unit, strings, language):
    """Return a figure with one named row for each item and its value in words at the right."""
    stands = row_places(rows)
    names = [wrapped(name, 34) for _, name in stands]
    few = strings.say("too_few", language)
    values = [few if point.y is None else value_text(point, unit, strings, language) for _, _, point in rows]
    groups = [group for group in dict.fromkeys(group for _, group, _ in rows) if group]
    groups = [strings.label(group, language) for group in groups]
    top = 0.14 + legend_height(groups, _WIDTH)
    height = top + 0.75 + (0.41 if any("\n" in name for name in names) else 0.34) * (stands[-1][0] + 0.9)
    figure = _figure(height, left=min(0.2 + inches(names), 3.0), right=0.3 + inches(values) * 0.95, top=top)
    axes = figure.add_subplot()
    places = [place for place, _ in stands]
    axes.set_ylim(places[-1] + 0.6, -0.6)
    for place, name, value, (_, _, point) in zip(places, names, values, rows, strict=True):
        axes.text(-0.02, place, name, transform=axes.get_yaxis_transform(), ha="right", va="center")
        axes.text(1.03, place, value, transform=axes.get_yaxis_transform(), va="center", fontsize=9.5,
                  color=MUTED if point.y is None else INK)
    legend(figure, groups)
    every = list(dict.fromkeys(group for _, group, _ in rows))
    return figure, axes, places, {group: SERIES[k % len(SERIES)] for k, group in enumerate(every)}


def _row_axis(axes, places, unit, language, label, reference):
    axes.set_ylim(places[-1] + 0.6, -0.6)
    axes.set_yticks([])
    axes.spines[["top", "right", "left"]].set_visible(False)
    if reference is not None:
        axes.axvline(reference, color=MUTED, linewidth=1, zorder=1)
    axes.set(xlabel=label, ylabel="")
    axes.grid(True, axis="x")
    axes.set_axisbelow(True)
    _ticks(axes.xaxis, axes.get_xlim(), unit, language, 5)


def _draw_line(axes, line, colour, *, steps, width=2.0, band=True):
    import seaborn as sns

    x, y = [point.x for point in line.points], [point.y for point in line.points]
    sns.lineplot(x=x, y=y, ax=axes, color=colour, linewidth=width, estimator=None, errorbar=None, sort=False,
                 drawstyle="steps-post" if steps else "default", zorder=3, legend=False)
    sure = [point for point in line.points if point.low is not None and point.high is not None]
    if band and sure:
        axes.fill_between([p.x for p in sure], [p.low for p in sure], [p.high for p in sure], color=colour,
                          alpha=0.16, linewidth=0, step="post" if steps else None, zorder=2)


def _value_axis(axes, unit, language, label, lines, most=5):
    points = [point for line in lines for point in line.points]
    low = min(point.low if point.low is not None else point.y for point in points)
    high = max(point.high if point.high is not None else point.y for point in points)
    if 0 <= low < 0.6 * high:
        axes.set_ylim(0, 1.0 if unit == "share" and high > 0.7 else high * 1.08)
    axes.set(xlabel="", ylabel="")
    axes.grid(True, axis="y")
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.set_title(label, loc="left", fontsize=10, color=MUTED, pad=10)
    _ticks(axes.yaxis, axes.get_ylim(), unit, language, most)


def _ticks(axis, limits, unit, language, most):
    from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullFormatter

    low, high = sorted(limits)
    if axis.get_scale() == "log":
        ticks = ratio_ticks(low, high)
        axis.set_minor_formatter(NullFormatter())
    else:
        ticks = MaxNLocator(nbins=most, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high)
        ticks = [float(tick) for tick in ticks if low - 1e-9 <= tick <= high + 1e-9]
    write = tick_writer(ticks, unit, language)
    axis.set_major_locator(FixedLocator(ticks))
    axis.set_major_formatter(FuncFormatter(lambda value, _: write(value)))


def _week_axis(axes, label, language, room=9):
    from matplotlib.ticker import FuncFormatter, MultipleLocator

    weeks = [week for line in axes.get_lines() for week in line.get_xdata()]
    low, high = min(0, *weeks), max(weeks)
    axes.set_xlim(low, high)
    axes.xaxis.set_major_locator(MultipleLocator(week_step(high - low, room)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda week, _: number(round(week), 0, language)))
    axes.set_xlabel(label)


def _year_axis(axes):
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    years = [year for line in axes.get_lines() for year in line.get_xdata()]
    axes.set_xlim(min(years), max(years))
    axes.xaxis.set_major_locator(MaxNLocator(nbins=8, integer=True))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda year, _: f"{year:.0f}"))


_FORMS = {"curve": _curve, "interval": _interval, "bars": _bars, "series": _series}
