"""Answer the municipal question from a folder of StatBank tables: python docs/panel/make.py FOLDER [OUT].

Writes the estimates (CSV) and the figure (PNG) that the page beside this script discusses. The tables
themselves are Statistics Denmark's (CC BY 4.0) and are not kept here: ``evalkit public --to FOLDER``
fetches them.
"""

import sys
from pathlib import Path

import numpy as np
import pandas as pd

from evalkit import spec
from evalkit.contract.dialects import statbank
from evalkit.estimators import Panel, synthetic_did
from evalkit.evaluations import panel
from evalkit.evaluations.panel_series import outcome, quarter_of

NAME = "2026-11-24-hjoerring"
TABLES = ("LBESK69", "AUK01", "FOLK1A", "FOLK1AM")
TITLES = {
    "employees": "Full-time employees per 100 inhabitants",
    "assistance": "Net unemployed on social assistance per 1,000 inhabitants",
}
_LEGEND = {"fontsize": 9, "facecolor": "white", "edgecolor": "white", "framealpha": 0.9}
INK, BLUE, GREY = "#1a1a1a", "#0b5c8f", "#b9bec4"


def main(folder, out):
    frame = pd.concat([statbank.read(folder / f"{table}.csv") for table in TABLES], ignore_index=True)
    study, site = (
        spec.load_study("analysis/effect.yaml").panel,
        spec.load_site("analysis/municipalities/hjoerring.yaml"),
    )
    results = panel.evaluate(
        frame,
        study,
        municipality=site.municipality,
        programme_start=site.programme_start,
        doubtful_donors=site.comparison.doubtful_donors,
    )
    tables = [
        result.table.assign(result=name) for name, result in results.items() if not name.endswith("_series")
    ]
    table = pd.concat(tables, ignore_index=True).drop(columns=["time_weeks", "n_persons", "n_events"])
    table = table[["result", *(column for column in table if column != "result")]].round(4)
    table.to_csv(out / f"{NAME}.csv", index=False, encoding="utf-8", lineterminator="\n")
    draw(frame, study, site, out)
    print(table.to_string())


def draw(frame, study, site, out):
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    matplotlib.rcParams.update({"font.size": 10, "axes.spines.top": False, "axes.spines.right": False})
    figure, axes = pyplot.subplots(2, len(study.measures), figsize=(11, 7), sharex=True)
    for column, (name, measure) in zip(axes.T, study.measures.items(), strict=True):
        found, observed, years = fitted(frame, study, measure, site)
        gap, placebos = level_free(found)
        series(column[0], years, observed, observed - gap, TITLES[name])
        gaps(column[1], years, gap, placebos)
        for axis in column:
            axis.axvline(site.programme_start.year, color=INK, linewidth=0.9, linestyle=":")
    figure.text(
        0.01,
        0.005,
        "Source: Statistics Denmark, tables LBESK69, AUK01, FOLK1A and FOLK1AM, CC BY 4.0; own "
        "calculations. Dotted line: the programme begins.",
        fontsize=8,
        color="#555555",
    )
    figure.tight_layout(rect=(0, 0.025, 1, 1))
    figure.savefig(out / f"{NAME}.png", dpi=100, metadata={"Software": None})


def fitted(frame, study, measure, site):
    start = quarter_of(site.programme_start)
    rates, _ = outcome(frame, measure, study, start)
    long = rates.rename_axis(index="municipality", columns="quarter").stack().rename("rate").reset_index()
    both = Panel.from_frame(
        long, unit="municipality", period="quarter", value="rate", treated=site.municipality, start=start
    ).without(site.comparison.doubtful_donors)
    return synthetic_did(both), both.outcome[both.treated][0], np.array(both.periods) / 4


def level_free(found):
    """Take the constant gap before the start, which the design allows, out of the gaps."""
    weights = found.model["period_weights"]
    gaps_of_all = np.vstack([found.model["gap"], found.model["placebo_gaps"]])
    gaps_of_all = gaps_of_all - gaps_of_all[:, : len(weights)] @ weights[:, None]
    return gaps_of_all[0], gaps_of_all[1:]


def series(axis, years, observed, expected, title):
    axis.plot(years, observed, color=INK, linewidth=1.8, label="Hjørring")
    axis.plot(years, expected, color=BLUE, linewidth=1.8, linestyle="--", label="expected (synthetic DiD)")
    axis.set_title(title, loc="left", fontsize=10.5)
    axis.legend(**_LEGEND)


def gaps(axis, years, gap, placebos):
    axis.plot(years, placebos.T, color=GREY, linewidth=0.5, alpha=0.6)
    axis.plot(years, gap, color=BLUE, linewidth=1.8, label="Hjørring less expected")
    axis.plot([], [], color=GREY, label="every other municipality less its own expected")
    axis.axhline(0, color=INK, linewidth=0.8)
    reach = np.quantile(np.abs(placebos), 0.985)
    axis.set_ylim(-reach, reach)
    axis.legend(loc="upper left", **_LEGEND)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) > 2 else Path(__file__).parent)
