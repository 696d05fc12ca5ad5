"""The axes of charts: few ticks, in the reader's own numbers, weeks in quarters and years."""

from math import ceil, floor

from evalkit.reports.layout import ratio_ticks, tick_writer, week_step
from evalkit.reports.palette import MUTED
from evalkit.reports.text import number

_WEEKS_A_YEAR = 365.25 / 7


def row_axis(axes, places, unit, language, label, reference):
    """Dress the value axis of a chart of rows; ``reference`` is where "no difference" lies, or None."""
    axes.set_ylim(places[-1] + 0.6, -0.6)
    axes.set_yticks([])
    axes.spines[["top", "right", "left"]].set_visible(False)
    if reference is not None:
        axes.axvline(reference, color=MUTED, linewidth=1, zorder=1)
    axes.set(xlabel=label, ylabel="")
    axes.grid(True, axis="x")
    axes.set_axisbelow(True)
    _ticks(axes.xaxis, axes.get_xlim(), unit, language, 5)


def value_axis(axes, unit, language, label, lines, most=5, also=()):
    """Dress the value axis of lines; it begins at 0 where that is near, and reaches the values ``also``."""
    points = [point for line in lines for point in line.points]
    low = min([*(point.low if point.low is not None else point.y for point in points), *also])
    high = max([*(point.high if point.high is not None else point.y for point in points), *also])
    if 0 <= low < 0.6 * high:
        axes.set_ylim(0, 1.0 if unit == "share" and high > 0.7 else high * 1.08)
    elif also:
        axes.set_ylim(low - 0.06 * (high - low), high + 0.06 * (high - low))
    axes.set(xlabel="", ylabel="")
    axes.grid(True, axis="y")
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.set_title(label, loc="left", fontsize=10, color=MUTED, pad=10)
    _ticks(axes.yaxis, axes.get_ylim(), unit, language, most)


def week_axis(axes, label, language, room=9, last=None, years=""):
    """Dress the axis of weeks, up to ``last``; more than five years of weeks are told in years."""
    weeks = [week for line in axes.get_lines() for week in line.get_xdata()]
    low, high = min(0, *weeks), max([*weeks, last or 0])
    long = bool(years) and high - low > 5 * _WEEKS_A_YEAR
    scale = _WEEKS_A_YEAR if long else 1
    axes.set_xlim(low, high)
    step = 2 * scale if long else week_step(high - low, room)
    axes.set_xticks([k * step for k in range(ceil(low / step), floor(high / step) + 1)])
    axes.xaxis.set_major_formatter(lambda week, _: number(round(week / scale), 0, language))
    axes.set_xlabel(years if long else label)


def year_axis(axes):
    """Dress the axis of calendar years."""
    years = [year for line in axes.get_lines() for year in line.get_xdata()]
    axes.set_xlim(min(years), max(years))
    axes.locator_params(axis="x", nbins=8, integer=True)
    axes.xaxis.set_major_formatter(lambda year, _: f"{year:.0f}")


def _ticks(axis, limits, unit, language, most):
    low, high = sorted(limits)
    if axis.get_scale() == "log":
        ticks = ratio_ticks(low, high)
        axis.set_minor_formatter("")
    else:
        locator = axis.get_major_locator()
        locator.set_params(nbins=most, steps=[1, 2, 2.5, 5, 10])
        ticks = locator.tick_values(low, high)
        ticks = [float(tick) for tick in ticks if low - 1e-9 <= tick <= high + 1e-9]
    write = tick_writer(ticks, unit, language)
    axis.set_ticks(ticks)
    axis.set_major_formatter(lambda value, _: write(value))
