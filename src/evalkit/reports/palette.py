"""The colours of charts and pages: dark enough to read, apart enough for colour-blind readers."""

PAPER = "#ffffff"
INK = "#1c2730"
MUTED = "#566270"
RULE = "#dfe4e8"
ACCENT = "#0b5c8a"
# Blue, vermilion, teal, near black, purple, ochre: each at least 4.5:1 on white, so that a line's name can
# have its colour; the first four are far apart also for readers who do not tell red from green.
SERIES = (ACCENT, "#b84300", "#0a7d6c", "#222222", "#7c3f8c", "#7d6200")
BEHIND = "#6b7681"
# What each colour is on a dark page; the style sheet has the same values, and paper of its own.
DARK_PAPER = "#161c22"
DARK = {PAPER: DARK_PAPER, INK: "#e6ebef", MUTED: "#aab6c1", RULE: "#333e48", BEHIND: "#93a0ab",
        **dict(zip(SERIES, ("#7cc0ea", "#ff9a5c", "#4fc9b4", "#f2f2f2", "#cfa0dd", "#d9bd52"), strict=True))}


def variable(colour):
    """Return a colour as CSS: a variable that a dark page sets, the colour itself where nothing is set.

    Examples
    --------
    >>> variable("#ffffff")
    'var(--c0,#ffffff)'
    """
    return f"var(--c{list(DARK).index(colour)},{colour})"


def contrast(one, other):
    """Return the WCAG 2.1 contrast ratio of two colours.

    Examples
    --------
    >>> round(contrast("#000000", "#ffffff"))
    21
    """
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour):
    channels = [int(colour[k:k + 2], 16) / 255 for k in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
