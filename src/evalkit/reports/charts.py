"""Charts of Released payloads, drawn with seaborn as SVG. The only place that knows a plotting library."""

import io
import math
import textwrap
import warnings

from evalkit.reports.alt import describe
from evalkit.reports.palette import ACCENT, BEHIND, INK, MUTED, PAPER, RULE, SERIES
from evalkit.reports.series import items, number_of_units, panels, time_series
from evalkit.reports.svg import embed
from evalkit.reports.text import in_unit, number, per_cent_sign, reference_of

_WIDTH = 7.2
_STYLE = {
    "svg.fonttype": "none", "svg.hashsalt": "evalkit", "font.family": "DejaVu Sans", "font.size": 10,
    "axes.edgecolor": MUTED, "axes.labelcolor": MUTED, "axes.linewidth": 0.8, "text.color": INK,
    "xtick.color": MUTED, "ytick.color": MUTED, "xtick.major.size": 3, "ytick.major.size": 0,
    "axes.grid": False, "grid.color": RULE, "figure.facecolor": PAPER, "axes.facecolor": PAPER,
    "axes.unicode_minus": True,
}


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
        Default: what the catalogue says of the result, else what suits its kind.

    Returns
    -------
    str
        An inline ``<svg>``; empty where there is nothing to draw.
    """
    entry = strings.result(payload["name"])
    form = form or entry.get("chart") or ("curve" if payload["kind"] == "curve" else "none")
    if form == "none" or not any(row[3] is not None or row[8] is not None for row in payload["rows"]):
        return ""
    title = strings.label(entry["title"], language) if "title" in entry else payload["name"]
    axis = strings.label(entry.get("axis", ""), language)
    with warnings.catch_warnings():
        # seaborn 0.13 meets names that newer pandas and matplotlib are about to retire.
        warnings.simplefilter("ignore")
        drawing = _drawn(_FORMS[form], payload, strings, language, axis)
    return embed(drawing, prefix=prefix, title=title, description=describe(payload, strings, language, form))


def _drawn(draw, payload, strings, language, axis):
    import matplotlib
    import seaborn as sns
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    with matplotlib.rc_context(_STYLE), sns.axes_style("white", _STYLE):
        figure = draw(payload, strings, language, axis)
        file = io.StringIO()
        FigureCanvasSVG(figure).print_svg(file, metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    return file.getvalue()


def _figure(height, **margins):
    from matplotlib.figure import Figure

    figure = Figure(figsize=(_WIDTH, height))
    inches = {"left": 0.62, "right": 0.2, "top": 0.42, "bottom": 0.55} | margins
    figure.subplots_adjust(left=inches["left"] / _WIDTH, right=1 - inches["right"] / _WIDTH,
                           top=1 - inches["top"] / height, bottom=inches["bottom"] / height)
    return figure


# --- curves


def _curve(payload, strings, language, axis):
    drawn = panels(payload, strings, language)
    if len(drawn) > 1:
        return _small_multiples(drawn, payload, strings, language, axis)
    lines = drawn[0].lines
    labels = [_wrapped(line.label, 20) for line in lines]
    right = 0.25 + 0.077 * max(len(part) for label in labels for part in label.split("\n"))
    table = _shows_risk(lines)
    below = 0.2 * len(lines) + 0.3 if table else 0
    figure = _figure(3.9 + below, right=right, bottom=0.55 + below)
    axes = figure.add_subplot()
    for line, colour in zip(lines, SERIES, strict=False):
        _draw_line(axes, line, colour, steps=True)
    _value_axis(axes, number_of_units(payload), language, axis, lines)
    _week_axis(axes, strings.say("axis_weeks", language), language)
    _label_ends(axes, [line.points[-1] for line in lines], labels, SERIES)
    if table:
        _risk_table(axes, lines, strings.say("at_risk", language), language)
    return figure


def _draw_line(axes, line, colour, *, steps, width=2.0, band=True):
    import seaborn as sns

    x, y = [point.x for point in line.points], [point.y for point in line.points]
    sns.lineplot(x=x, y=y, ax=axes, color=colour, linewidth=width, estimator=None, errorbar=None, sort=False,
                 drawstyle="steps-post" if steps else "default", zorder=3, legend=False)
    sure = [point for point in line.points if point.low is not None and point.high is not None]
    if band and sure:
        axes.fill_between([p.x for p in sure], [p.low for p in sure], [p.high for p in sure], color=colour,
                          alpha=0.16, linewidth=0, step="post" if steps else None, zorder=2)


def _small_multiples(drawn, payload, strings, language, axis):
    columns = 3 if len(drawn) > 4 else 2
    depth = math.ceil(len(drawn) / columns)
    named = len(drawn[0].lines) > 1
    figure = _figure(0.75 + 1.75 * depth + 0.25 * named, top=0.62 + 0.25 * named, bottom=0.5)
    figure.subplots_adjust(wspace=0.12, hspace=0.42)
    grid = figure.subplots(depth, columns, sharex=True, sharey=True, squeeze=False).ravel()
    for axes, panel in zip(grid, drawn, strict=False):
        for line, colour in zip(panel.lines, SERIES, strict=False):
            _draw_line(axes, line, colour, steps=payload["kind"] == "curve", width=1.7)
        axes.set_title(_wrapped(panel.title, 28), loc="left", fontsize=9.5, color=INK, pad=4)
    lines = [line for panel in drawn for line in panel.lines]
    _value_axis(grid[0], number_of_units(payload), language, "", lines)
    for k, axes in enumerate(grid):
        _week_axis(axes, strings.say("axis_weeks", language) if k // columns == depth - 1 else "", language)
        axes.grid(True, axis="y")
        axes.spines[["top", "right", "left"]].set_visible(False)
        axes.set_visible(k < len(drawn))
    height = figure.get_figheight()
    figure.text(0.1 / _WIDTH, 1 - 0.12 / height, axis, color=MUTED, va="top")
    if named:
        _legend(figure, [line.label for line in drawn[0].lines], 1 - 0.4 / height)
    return figure


def _legend(figure, labels, y):
    x = 0.1
    for label, colour in zip(labels, SERIES, strict=False):
        figure.text(x / _WIDTH, y, f"\u25ac {label}", color=colour, va="top", fontweight="bold", fontsize=9.5)
        x += 0.35 + 0.087 * len(label)


def _shows_risk(lines):
    return all(point.n is not None for line in lines for point in line.points)


def _risk_table(axes, lines, heading, language):
    """Write the persons followed under the weeks of the axis, one row a curve in its colour."""
    height = axes.figure.get_figheight() * axes.get_position().height
    ticks = [tick for tick in axes.get_xticks() if axes.get_xlim()[0] <= tick <= axes.get_xlim()[1]]
    top = -0.62 / height
    axes.text(0, top, heading, transform=axes.transAxes, color=MUTED, fontsize=9, va="center")
    for k, (line, colour) in enumerate(zip(lines, SERIES, strict=False)):
        y = top - (0.2 * (k + 1)) / height
        for tick in ticks:
            before = [point for point in line.points if point.x <= tick]
            if before and tick <= line.points[-1].x + 13:
                axes.text(tick, y, number(before[-1].n, 0, language), transform=axes.get_xaxis_transform(),
                          color=colour, fontsize=9, ha="center", va="center")


# --- estimates with intervals, and bars


def _interval(payload, strings, language, axis):
    rows = items(payload, strings, language)
    unit = number_of_units(payload)
    figure, axes = _row_figure(rows, strings, language)
    colours = _group_colours(rows)
    for k, (_, group, point) in enumerate(rows):
        if point.y is None:
            continue
        if point.low is not None and point.high is not None:
            axes.plot([point.low, point.high], [k, k], color=colours[group], linewidth=2.2, solid_capstyle="butt", zorder=2)
        axes.plot([point.y], [k], "o", color=colours[group], markersize=6.5, markeredgecolor=PAPER, zorder=3)
    if reference_of(unit) == 1.0:
        axes.set_xscale("log")
    _row_axis(axes, rows, unit, strings, language, axis, reference=reference_of(unit))
    return figure


def _bars(payload, strings, language, axis):
    import seaborn as sns

    rows = items(payload, strings, language)
    figure, axes = _row_figure(rows, strings, language)
    colours = _group_colours(rows)
    sns.barplot(x=[0 if point.y is None else point.y for _, _, point in rows], y=list(range(len(rows))), orient="h",
                hue=list(range(len(rows))), palette=[colours[group] for _, group, _ in rows], legend=False,
                errorbar=None, width=0.62, saturation=1, ax=axes, linewidth=0)
    for k, (_, _, point) in enumerate(rows):
        if point.y is not None and point.low is not None and point.high is not None:
            axes.plot([point.low, point.high], [k, k], color=INK, linewidth=1.2, zorder=4)
    _row_axis(axes, rows, number_of_units(payload), strings, language, axis, reference=0.0)
    return figure


def _row_figure(rows, strings, language):
    labels = [_wrapped(label, 34) for label, _, _ in rows]
    left = 0.25 + 0.076 * max(len(part) for label in labels for part in label.split("\n"))
    groups = [group for group in dict.fromkeys(group for _, group, _ in rows) if group]
    height = 0.95 + 0.34 * len(rows) + (0.28 if groups else 0)
    figure = _figure(height, left=min(left, 3.0), right=1.75, top=0.38 + (0.28 if groups else 0))
    if groups:
        _legend(figure, [strings.label(group, language) for group in groups], 1 - 0.08 / height)
    axes = figure.add_subplot()
    axes.set_yticks(range(len(rows)), labels)
    return figure, axes


def _group_colours(rows):
    groups = list(dict.fromkeys(group for _, group, _ in rows))
    return {group: SERIES[k % len(SERIES)] for k, group in enumerate(groups)}


def _row_axis(axes, rows, unit, strings, language, axis, reference):
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_yticks(range(len(rows)), [_wrapped(label, 34) for label, _, _ in rows])
    axes.tick_params(axis="y", labelcolor=INK)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.axvline(reference, color=MUTED, linewidth=1, zorder=1)
    axes.set_ylabel("")
    axes.set_xlabel(axis)
    axes.grid(True, axis="x", zorder=0)
    axes.set_axisbelow(True)
    _few_ticks(axes.xaxis, axes, unit, language)
    for k, (_, _, point) in enumerate(rows):
        text = strings.say("too_few", language) if point.y is None else _value_text(point, unit, strings, language)
        axes.text(1.03, k, text, transform=axes.get_yaxis_transform(), va="center", fontsize=9.5,
                  color=MUTED if point.y is None else INK)


def _value_text(point, unit, strings, language):
    value = in_unit(point.row["estimate"] or point.row["n_persons"], unit, language)
    if point.low is None or point.high is None:
        return value
    limits = [in_unit(limit, unit, language) for limit in (point.row["conf_low"], point.row["conf_high"])]
    return f"{value} ({strings.say('interval_to', language, low=limits[0], high=limits[1])})"


# --- calendar series


def _series(payload, strings, language, axis):
    lines = time_series(payload, strings, language)
    leading = [line for line in lines if len(lines) <= 4 or line.key == "treated" or line is lines[0]]
    labels = [_wrapped(line.label, 20) for line in leading]
    figure = _figure(3.9, right=0.25 + 0.077 * max(len(part) for label in labels for part in label.split("\n")))
    axes = figure.add_subplot()
    colours = [_series_colour(line, k) for k, line in enumerate(leading)]
    for line in lines:
        if line not in leading:
            _draw_line(axes, line, BEHIND, steps=False, width=0.6, band=False)
    for line, colour in zip(leading, colours, strict=True):
        _draw_line(axes, line, colour, steps=False)
    _value_axis(axes, number_of_units(payload), language, axis, lines)
    in_weeks = lines[0].points[0].row["time_weeks"] is not None
    _week_axis(axes, strings.say("axis_programme_weeks", language) if in_weeks else "", language, in_weeks)
    if in_weeks and axes.get_xlim()[0] < 0 < axes.get_xlim()[1]:
        axes.axvline(0, color=INK, linewidth=1, linestyle=(0, (4, 3)), zorder=1)
        axes.text(0, 0.99, " " + strings.say("programme_start", language), transform=axes.get_xaxis_transform(),
                  color=INK, fontsize=9, va="top")
    _label_ends(axes, [line.points[-1] for line in leading], labels, colours)
    return figure


def _series_colour(line, k):
    return {"treated": ACCENT, "comparison": BEHIND, "synthetic": SERIES[1]}.get(line.key, SERIES[k % len(SERIES)])


# --- axes and labels


def _value_axis(axes, unit, language, label, lines):
    points = [point for line in lines for point in line.points]
    low = min(point.low if point.low is not None else point.y for point in points)
    high = max(point.high if point.high is not None else point.y for point in points)
    if low >= 0 and low < 0.6 * high:
        axes.set_ylim(0, 1.0 if unit == "share" and high > 0.7 else high * 1.08)
    axes.set_xlabel("")
    axes.set_ylabel("")
    axes.grid(True, axis="y")
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.set_title(label, loc="left", fontsize=10, color=MUTED, pad=12)
    _few_ticks(axes.yaxis, axes, unit, language)


def _few_ticks(axis, axes, unit, language):
    from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullFormatter

    low, high = sorted(axes.get_xlim() if axis.axis_name == "x" else axes.get_ylim())
    if axis.get_scale() == "log":
        ticks = [tick for tick in (0.1, 0.2, 0.33, 0.5, 0.7, 1, 1.5, 2, 3, 5, 10) if low <= tick <= high]
        axis.set_minor_formatter(NullFormatter())
    else:
        ticks = [tick for tick in MaxNLocator(nbins=5, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high)]
        ticks = [tick for tick in ticks if low - 1e-9 <= tick <= high + 1e-9]
    axis.set_major_locator(FixedLocator(ticks))
    axis.set_major_formatter(FuncFormatter(_tick_text(ticks, unit, language)))


def _tick_text(ticks, unit, language):
    scale = 100 if unit == "share" else 1e-6 if unit == "dkk" and max(map(abs, ticks), default=0) >= 1e6 else 1
    decimals = next((d for d in range(4) if all(abs(t * scale - round(t * scale, d)) < 1e-6 for t in ticks)), 4)
    sign = per_cent_sign(language) if unit in ("share", "percent") else ""
    return lambda value, _: number(value * scale, decimals, language) + sign


def _week_axis(axes, label, language, in_weeks=True):
    from matplotlib.ticker import FuncFormatter, MaxNLocator, MultipleLocator

    low, high = axes.get_xlim()
    low = 0 if 0 <= low + 0.06 * (high - low) and low < 0 and in_weeks and min(_drawn_x(axes), default=0) >= 0 else low
    axes.set_xlim(low, max(_drawn_x(axes), default=high))
    step = next((s for s in (4, 13, 26, 52, 104) if (high - low) / s <= 9), 208)
    axes.xaxis.set_major_locator(MultipleLocator(step) if in_weeks else MaxNLocator(nbins=7, integer=True))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda week, _: number(week, 0, language) if in_weeks else f"{week:.0f}"))
    axes.set_xlabel(label)


def _drawn_x(axes):
    return [x for line in axes.get_lines() for x in line.get_xdata()]


def _label_ends(axes, ends, labels, colours):
    """Write each label at its line's end, moved apart where they would lie on each other."""
    height = axes.figure.get_figheight() * axes.get_position().height
    low, high = axes.get_ylim()
    order = sorted(range(len(ends)), key=lambda k: ends[k].y)
    floor = -math.inf
    for k in order:
        place = (ends[k].y - low) / (high - low) * height
        need = 0.17 * (labels[k].count("\n") + 1)
        place = max(place, floor + need / 2)
        floor = place + need / 2
        axes.annotate(labels[k], (axes.get_xlim()[1], low + place / height * (high - low)), xytext=(6, 0),
                      textcoords="offset points", color=colours[k], fontweight="bold", fontsize=9.5, va="center",
                      annotation_clip=False)


def _wrapped(text, width):
    return "\n".join(textwrap.wrap(text, width, break_long_words=False)) or text


_FORMS = {"curve": _curve, "interval": _interval, "bars": _bars, "series": _series}
