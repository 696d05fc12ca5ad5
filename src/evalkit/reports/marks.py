"""What is written into a chart beside its lines: names, persons, goals, origin, the programme's start."""

from evalkit.reports.layout import legend_rows, spread
from evalkit.reports.palette import INK, MUTED, SERIES
from evalkit.reports.text import fill, number

LEGEND_ROW = 0.24
RISK_ROW = 0.4
# Groups differ in shape too, for readers who do not tell colours apart.
SHAPES = (("o", "\u25cf"), ("s", "\u25a0"), ("D", "\u25c6"), ("^", "\u25b2"), ("v", "\u25bc"),
          ("P", "\u271a"))
_GOAL = ((0, (5, 3)), (0, (1.5, 2)))


def goals(payload, strings, language):
    """Return (value, words) of what the catalogue says a chart should show beside the values.

    A goal is ``{at: d.key, times: -1, da: ..., en: ...}``; one whose diagnostic is missing is left out.
    """
    found = []
    for goal in strings.result(payload["name"]).get("goals", ()):
        value = payload["diagnostics"].get(goal["at"].removeprefix("d."))
        if value is not None:
            words = fill(goal[language], payload, {}, strings, language)
            found.append((float(value) * goal.get("times", 1), words))
    return found


def mark_goals(axes, aims):
    """Draw goals across a chart of rows, each named on a line of its own above the plot."""
    for k, (value, _) in enumerate(aims):
        axes.axvline(value, color=INK, linewidth=1.2, linestyle=_GOAL[k % len(_GOAL)], zorder=1)
    low, high = axes.get_xlim()
    for k, (value, words) in enumerate(aims):
        left = value < (low + high) / 2
        axes.annotate(words, (value, 1), xycoords=axes.get_xaxis_transform(), fontsize=9, color=INK,
                      xytext=(-3 if left else 3, 4 + 14 * k), textcoords="offset points",
                      ha="left" if left else "right", annotation_clip=False)


def goal_lines(axes, aims):
    """Draw goals as level lines across curves, named at their left end."""
    for k, (value, words) in enumerate(aims):
        axes.axhline(value, color=INK, linewidth=1.2, linestyle=_GOAL[k % len(_GOAL)], zorder=1)
        axes.annotate(words, (axes.get_xlim()[0], value), xytext=(4, 4), textcoords="offset points",
                      fontsize=9, color=INK, va="bottom")


def mark_origin(figure, payload, strings, language):
    """Write into the drawing itself, in its corner, what its numbers rest on."""
    origins = ["source" if origin == "published" else origin for origin in payload["provenance"]["rests_on"]]
    keys = [key for key in dict.fromkeys(f"origin_{origin}" for origin in origins) if key in strings.labels]
    words = " + ".join(strings.label(key, language) for key in keys)
    figure.text(1 - 0.06 / figure.get_figwidth(), 0.05 / figure.get_figheight(), words, ha="right",
                va="bottom", fontsize=8.5, color=MUTED, fontstyle="italic")


def mark_start(axes, words):
    """Mark the week in which the programme began."""
    low, high = axes.get_xlim()
    if low < 0 < high:
        axes.axvline(0, color=INK, linewidth=1, linestyle=(0, (4, 3)), zorder=1)
        axes.annotate(words, (0, 1), xycoords=axes.get_xaxis_transform(), xytext=(5, -2),
                      textcoords="offset points", color=INK, fontsize=9, va="top")


def risk_table(axes, lines, heading, language):
    """Write the persons followed under the weeks of the axis, one row a curve in its colour."""
    height = axes.figure.get_figheight() * axes.get_position().height
    low, high = axes.get_xlim()
    ticks = [tick for tick in axes.get_xticks() if low <= tick <= high]
    axes.text(0, -0.62 / height, heading, transform=axes.transAxes, color=MUTED, fontsize=9, va="center")
    for k, (line, colour) in enumerate(zip(lines, SERIES, strict=False)):
        below = 0.82 + RISK_ROW * k
        axes.text(0, -below / height, line.label, fontsize=9, va="center", color=colour, fontweight="bold",
                  transform=axes.transAxes)
        for tick in (tick for tick in ticks if tick <= line.points[-1].x + 13):
            before = [point for point in line.points if point.x <= tick]
            if before:
                axes.text(tick, -(below + 0.18) / height, number(before[-1].n, 0, language), fontsize=9,
                          ha="center", va="center", color=colour, transform=axes.get_xaxis_transform())


def legend(figure, labels):
    """Name the colours above the plot, for charts that have no room at their lines' ends."""
    width, height = figure.get_figwidth(), figure.get_figheight()
    placed = zip(legend_rows(labels, width - 0.2), SERIES, SHAPES, strict=False)
    for (label, row, left), colour, (_, shape) in placed:
        figure.text((0.1 + left) / width, 1 - (0.08 + LEGEND_ROW * row) / height, f"{shape} {label}",
                    color=colour, va="top", fontweight="bold", fontsize=9.5)


def legend_height(labels, width):
    """Return the inches that the names of the colours need above a plot."""
    return LEGEND_ROW * (1 + max((row for _, row, _ in legend_rows(labels, width - 0.2)), default=-1))


def label_ends(axes, lines, labels, colours):
    """Write each line's name at its end, moved apart where names would lie on each other."""
    height = axes.figure.get_figheight() * axes.get_position().height
    low, high = axes.get_ylim()
    ends = [(line.points[-1].y - low) / (high - low) * height for line in lines]
    places = spread(ends, [0.17 * (label.count("\n") + 1) for label in labels])
    for place, label, colour in zip(places, labels, colours, strict=False):
        axes.annotate(label, (1, place / height), xycoords="axes fraction", xytext=(6, 0), va="center",
                      textcoords="offset points", color=colour, fontweight="bold", fontsize=9.5,
                      annotation_clip=False)
