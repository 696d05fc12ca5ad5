"""How the cost of evalkit grows with the rows, up to ten million, and the figure of it."""

from works import WORKS

_NAMES = ("cox", "cox_clustered", "kaplan_meier", "aalen_johansen", "states", "from_frame")
_SIZES = (10_000, 100_000, 1_000_000, 10_000_000)
_SECONDS = 1.0
_LABELS = {"cox": "Cox, 10 covariates", "cox_clustered": "Cox, errors by person",
           "kaplan_meier": "Kaplan-Meier", "aalen_johansen": "Aalen-Johansen, 3 causes",
           "states": "states: probabilities and weeks", "from_frame": "AtRisk.from_frame"}
_INK, _GREY = "#1c2730", "#8a949d"
_COLOURS = ("#0b5c8a", "#b4460f", "#00705f", "#1c2730", "#7d4b8d", "#8a6d00")


def measured(bench):
    """Return {label: {n: what was found}} of evalkit alone, each in a process of its own."""
    found = {}
    for work in {work.name: work for work in reversed(WORKS) if work.name in _NAMES}.values():
        for n in _SIZES:
            found.setdefault(_LABELS[work.name], {})[n] = bench.ask("evalkit", [(work, n)], _SECONDS)[work, n]
            bench.clear()
    return {label: found[label] for label in _LABELS.values() if label in found}


def draw(growth, path):
    """Draw CPU seconds against rows on logarithmic axes, with a line of slope one to compare with."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    matplotlib.rcParams.update({"font.size": 10, "axes.spines.top": False, "axes.spines.right": False,
                                "svg.hashsalt": "evalkit", "axes.edgecolor": _GREY, "text.color": _INK})
    figure, axes = pyplot.subplots(figsize=(8, 4.8))
    ends = []
    for (label, points), colour in zip(growth.items(), _COLOURS, strict=False):
        known = sorted((n, found["best"]) for n, found in points.items() if "best" in found)
        if known:
            axes.plot(*zip(*known, strict=True), "o-", color=colour, linewidth=1.8, markersize=4)
            ends.append((known[-1], label, colour))
    _name_ends(axes, ends)
    axes.plot([1e5, 1e7], [0.003, 0.3], color=_GREY, linestyle=":", linewidth=1.2)
    axes.annotate("slope 1", (4e6, 0.07), color=_GREY)
    axes.set(xscale="log", yscale="log", xlabel="rows", ylabel="CPU seconds")
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None, "Creator": None})


def _name_ends(axes, ends):
    """Write names at the ends of the lines, moved apart where they would touch."""
    above = 0.0
    for (n, spent), label, colour in sorted(ends):
        place = max(spent, above * 1.45)
        axes.annotate(label, (n, place), xytext=(8, 0), textcoords="offset points", color=colour, va="center",
                      fontweight="bold", fontsize=9, annotation_clip=False)
        above = place
    axes.margins(x=0.03)

