"""What is written into a chart beside its lines: names, numbers of persons, the start of the programme."""

from evalkit.reports.layout import legend_rows, spread
from evalkit.reports.palette import INK, MUTED, SERIES
from evalkit.reports.text import number

LEGEND_ROW = 0.24


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
        for tick in (tick for tick in ticks if tick <= line.points[-1].x + 13):
            before = [point for point in line.points if point.x <= tick]
            if before:
                axes.text(tick, -(0.82 + 0.2 * k) / height, number(before[-1].n, 0, language), fontsize=9,
                          ha="center", va="center", color=colour, transform=axes.get_xaxis_transform())


def legend(figure, labels):
    """Name the colours above the plot, for charts that have no room at their lines' ends."""
    width, height = figure.get_figwidth(), figure.get_figheight()
    for (label, row, left), colour in zip(legend_rows(labels, width - 0.2), SERIES, strict=False):
        figure.text((0.1 + left) / width, 1 - (0.08 + LEGEND_ROW * row) / height, f"\u25cf {label}",
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
