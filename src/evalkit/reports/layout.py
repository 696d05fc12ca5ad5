"""Where things stand in a chart and what its axes say: arithmetic that no drawing program needs to know."""

import math
import textwrap

from evalkit.reports.text import number, per_cent_sign
from evalkit.reports.units import MILLIONS

# Inches that a character of 10 points takes in the widest of the fonts a reader may have.
_CHARACTER = {"normal": 0.082, "bold": 0.094}
_RATIO_TICKS = (0.1, 0.2, 0.3, 0.5, 0.7, 1, 1.5, 2, 3, 5, 10)
_NEAR_ONE = (0.5, 0.6, 0.7, 0.8, 0.9, 1, 1.1, 1.2, 1.3, 1.4, 1.5, 2, 3, 5, 10)
_WEEK_STEPS = (4, 13, 26, 52, 104, 208)


def wrapped(text, width):
    """Break a label into lines of at most ``width`` characters, between words."""
    return "\n".join(textwrap.wrap(text, width, break_long_words=False)) or text


def inches(labels, weight="normal"):
    """Return the room that the widest line of the labels needs."""
    longest = max((len(line) for label in labels for line in label.split("\n")), default=0)
    return _CHARACTER[weight] * longest


def spread(places, needs):
    """Move places up so that none overlaps the one below it; order is kept.

    Examples
    --------
    >>> spread([0.0, 0.1, 2.0], [0.2, 0.2, 0.2])
    [0.0, 0.2, 2.0]
    """
    moved, floor = [0.0] * len(places), -math.inf
    for k in sorted(range(len(places)), key=lambda k: places[k]):
        moved[k] = max(places[k], floor + needs[k] / 2)
        floor = moved[k] + needs[k] / 2
    return moved


def row_places(rows):
    """Return the height of each row, the label it shows, and the headings with their heights.

    A label's groups stand together and share it; rows under one heading stand close.

    Examples
    --------
    >>> from evalkit.reports.series import Row
    >>> row_places([Row("a", "F", None), Row("a", "M", None), Row("b", "F", None)])
    ([(0.0, 'a'), (0.85, ''), (2.1, 'b')], [])
    >>> row_places([Row("26", "", None, "Weeks"), Row("52", "", None, "Weeks")])
    ([(0.8, '26'), (1.6, '52')], [(0.0, 'Weeks')])
    """
    places, headings, height, before = [], [], 0.0, None
    for row in rows:
        together = before is not None and bool(row.group) and row.label == before.label
        height += 0.0 if before is None else _distance(row, before, together)
        if row.heading and (before is None or row.heading != before.heading):
            headings.append((round(height, 2), row.heading))
            height += 0.8
        places.append((round(height, 2), "" if together else row.label))
        before = row
    return places, headings


def _distance(row, before, together):
    if row.heading:
        return 0.8 if row.heading == before.heading else 1.2
    return 0.85 if together else 1.25 if row.group else 1.0


def legend_rows(labels, width):
    """Return (label, row, inches from the left) for names in a line, broken where the line is full.

    Examples
    --------
    >>> [(label, row) for label, row, _ in legend_rows(["a" * 20, "b" * 20, "c" * 20], 6.0)]
    [('aaaaaaaaaaaaaaaaaaaa', 0), ('bbbbbbbbbbbbbbbbbbbb', 0), ('cccccccccccccccccccc', 1)]
    """
    placed, row, left = [], 0, 0.0
    for label in labels:
        room = 0.4 + inches([label], "bold")
        if left and left + room > width:
            row, left = row + 1, 0.0
        placed.append((label, row, left))
        left += room
    return placed


def has_sense(reference, points):
    """Return whether a line at "no difference" belongs in a chart: near the values, not far from levels."""
    low = min(point.y if point.low is None else point.low for point in points)
    high = max(point.y if point.high is None else point.high for point in points)
    room = 0.6 * (high - low)
    return low - room <= reference <= high + room


def week_step(span, room):
    """Return the distance of week ticks: quarters and years, at most ``room`` of them."""
    return next((step for step in _WEEK_STEPS if span / step <= room), _WEEK_STEPS[-1])


def ratio_ticks(low, high):
    """Return the ticks of a logarithmic axis of ratios; where few fit, finer ones around 1."""
    ticks = [tick for tick in _RATIO_TICKS if low <= tick <= high]
    return ticks if len(ticks) > 2 else [tick for tick in _NEAR_ONE if low <= tick <= high]


def tick_writer(ticks, unit, language):
    """Return a function that writes ticks with the fewest decimals that tell them apart."""
    scale = {"share": 100, MILLIONS: 1e-6}.get(unit, 1)
    exact = (d for d in range(4) if all(abs(tick * scale - round(tick * scale, d)) < 1e-6 for tick in ticks))
    decimals = next(exact, 4)
    sign = per_cent_sign(language) if unit in ("share", "percent") else ""
    return lambda value: number(f"{value * scale:.6f}", decimals, language) + sign


def value_text(point, units, strings, language):
    """Return a row's value with its interval, a sign of per cent said once."""
    shown = point.row["estimate"] if point.row["estimate"] is not None else point.row["n_persons"]
    value, *limits = (units.write(number_, point.row["term"], language)
                      for number_ in (shown, point.row["conf_low"], point.row["conf_high"]))
    if point.low is None or point.high is None:
        return value
    low, high = (limit.removesuffix(per_cent_sign(language)) for limit in limits)
    return f"{value} ({strings.say('interval_to', language, low=low, high=high)})"
