"""Where things stand in a chart and what its axes say: arithmetic that no drawing program needs to know."""

import math
import textwrap

from evalkit.reports.text import in_unit, million, number, per_cent_sign

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
    """Return the height of each (label, group, point) row and its label: a label's groups stand together.

    Examples
    --------
    >>> row_places([("a", "F", None), ("a", "M", None), ("b", "F", None)])
    [(0.0, 'a'), (0.85, ''), (2.1, 'b')]
    """
    places, height = [], 0.0
    for k, (label, group, _) in enumerate(rows):
        together = k > 0 and group and label == rows[k - 1][0]
        height += 0 if k == 0 else 0.85 if together else 1.25 if group else 1.0
        places.append((round(height, 2), "" if together else label))
    return places


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
    scale = 100 if unit == "share" else 1e-6 if _in_millions(ticks, unit) else 1
    exact = (d for d in range(4) if all(abs(tick * scale - round(tick * scale, d)) < 1e-6 for tick in ticks))
    decimals = next(exact, 4)
    sign = per_cent_sign(language) if unit in ("share", "percent") else ""
    return lambda value: number(f"{value * scale:.6f}", decimals, language) + sign


def value_text(point, unit, strings, language):
    """Return a row's value with its interval, the unit said once."""
    shown = point.row["estimate"] if point.row["estimate"] is not None else point.row["n_persons"]
    value = in_unit(shown, unit, language)
    if point.low is None or point.high is None:
        return value
    low, high = (_bare(point.row[f"conf_{side}"], shown, unit, language) for side in ("low", "high"))
    return f"{value} ({strings.say('interval_to', language, low=low, high=high)})"


def _bare(limit, shown, unit, language):
    if unit == "share":
        return in_unit(limit, unit, language).removesuffix(per_cent_sign(language))
    if unit == "dkk" and _in_millions([float(shown)], unit):
        amount = million(limit, 1, language).replace("\u00a0", " ")
        return amount.removesuffix(" mio. kr.").removeprefix("DKK ").removesuffix(" million")
    return in_unit(limit, unit, language).removesuffix(per_cent_sign(language))


def _in_millions(values, unit):
    return unit == "dkk" and max(map(abs, values), default=0) >= 1e6
