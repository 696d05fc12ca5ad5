"""Coverage of every survival estimator's interval, by number of persons and by who is seen.

Run it by itself: ``python tests/recovery/study_survival.py``; ``--share 0.1`` runs a tenth of the
replications, ``--only hazards frailty --persons 200`` runs these parts and sizes and leaves the others as
the newest table has them, ``--seed 2`` draws other worlds. It writes a dated table (Markdown and CSV) and a
figure to ``docs/studies/``, the CSV after every part, so that nothing is lost. Every truth is exact
(`survival_worlds`); what is asked stands in `survival_cells`. A cell is an estimator, an option that changes
its interval, a setting and a number of persons.
"""

import argparse
import datetime as dt
import time
import warnings
import zlib
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from survival_cells import PARTS, SIZES
from survival_reasons import why
from survival_rows import Table
from survival_worlds import SETTINGS

from evalkit.errors import EstimationError
from evalkit.files import write_atomic

ROOT = Path(__file__).parents[2]
MARKS = {"ties": ("o", "#1f4e79"), "late": ("s", "#b4531b"), "clusters": ("^", "#3b7d3b"),
         "weights": ("D", "#7a3b8f")}
CELL = ["part", "estimator", "option", "setting", "n"]


def main(argv=None):
    """Run the study and write its table and figure."""
    options = _options(argv)
    stem = options.to / f"{dt.date.today().isoformat()}-coverage-survival"
    wanted, tables = jobs(options), list(_kept(options))
    with ProcessPoolExecutor(options.workers) as pool:
        for job, (cells, spent) in zip(wanted, pool.map(partial(_timed, options.seed), wanted), strict=True):
            tables.append(cells)
            _keep(pd.concat(tables), stem)
            print(*job, f"{spent:.0f} s", flush=True)
    table = _in_order(pd.concat(tables, ignore_index=True))
    _keep(table, stem)
    write_atomic(stem.with_suffix(".md"), report(judged(table), stem.with_suffix(".svg").name))
    draw(judged(table), stem.with_suffix(".svg"))
    print(stem.name)


def jobs(options):
    """Return what is drawn: a part, a setting, a number of persons, and how often."""
    return [(part.name, setting, n, max(round(times * options.share), 2))
            for part in PARTS if part.name in options.only
            for n, times in zip(SIZES, part.draws, strict=True) if n in options.persons
            for setting in part.settings]


def replicate(seed, name, setting, n, draws):
    """Draw a world for each number; return a row for each question, without limits where no answer came."""
    part = next(part for part in PARTS if part.name == name)
    rows = [row for row in part.rows if setting in row.settings]
    truths = [row.truth(setting=setting) if callable(row.truth) else row.truth for row in rows]
    found = []
    for k in draws:
        rng = np.random.default_rng([seed, zlib.crc32(name.encode()), SETTINGS.index(setting), n, k])
        table = Table(part.draw(rng, n, setting), setting)
        found += [(name, row.estimator, row.option, setting, n, *_answer(row, table), float(truth))
                  for row, truth in zip(rows, truths, strict=True)]
    return pd.DataFrame(found, columns=[*CELL, "estimate", "low", "high", "warned", "truth"])


def _answer(row, table):
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        try:
            answer = row.find(table)
        except EstimationError:
            answer = (np.nan,) * 3
    return *answer, bool(told)


def summarise(rows):
    """Return mean and coverage of each cell; a test's coverage is of no rejection."""
    answered = rows[["estimate", "low", "high"]].notna().all(axis=1)
    covered = ((rows["low"] <= rows["truth"]) & (rows["truth"] <= rows["high"])).where(answered).astype(float)
    groups = rows.assign(estimate=rows["estimate"].where(answered), covered=covered).groupby(CELL, sort=False)
    table = groups.agg(draws=("covered", "count"), asked=("covered", "size"), warned=("warned", "mean"),
                       truth=("truth", "first"), mean=("estimate", "mean"),
                       sd=("estimate", "std"), coverage=("covered", "mean"))
    without = table["asked"] - table["draws"]
    return table.drop(columns="asked").assign(without_answer=without).reset_index()


def judged(table):
    """Say of each cell what chance allows, and whether it holds."""
    allowed = 3 * np.sqrt(0.95 * 0.05 / table["draws"])
    bias = (table["mean"] - table["truth"]) / table["sd"].where(table["sd"] > 0)
    return table.assign(bias=bias, allowed=allowed, holds=(table["coverage"] - 0.95).abs() <= allowed)


def report(table, picture):
    """Write the table as Markdown: a row for each estimator and option, a column for each setting."""
    off = table[~table["holds"]]
    lines = [
        "# Coverage of the survival estimators", "",
        f"{dt.date.today().isoformat()}: the share of 95 % intervals that hold the truth, with "
        f"{' / '.join(f'{n:,}' for n in SIZES)} persons, in {table['draws'].min()} to {table['draws'].max()} "
        "draws of a world whose truth is known exactly. For a test it is the share of worlds without "
        "anything to be found in which it does not reject at 5 %. A star marks a share more than three "
        f"Monte-Carlo errors from 95 %: of {len(table):,} cells about {0.0027 * len(table):.0f} would be so "
        f"by chance; {len(off)} are, and each has its reason below. The draws of each cell, its bias, "
        "standard deviation, warnings and draws without an answer stand in the CSV beside it.",
        "",
        "Settings: *ties*, weeks in which many leave (times are continuous for parametric models, whose "
        "names say which), censored between weeks 13 and 130; *late*, half of the persons also enter late; "
        "*clusters*, one to four persons share their fate (with a frailty, 20 share a factor); *weights*, "
        "drawn apart from it (standard deviation of the logarithm 0.7). A dash: the setting is refused, or "
        "is no question of its own.",
        "", f"![Coverage by estimator]({picture})", "",
        "| Estimator | Option | " + " | ".join(SETTINGS) + " |", "|---|---|" + "---|" * len(SETTINGS)]
    for (estimator, option), part in table.groupby(["estimator", "option"], sort=False):
        by_setting = {setting: cells.set_index("n") for setting, cells in part.groupby("setting")}
        lines.append(f"| {estimator} | {option} | " + " | ".join(
            _shares(by_setting.get(setting)) for setting in SETTINGS) + " |")
    return "\n".join([*lines, "", "## Why a cell is off", "", *_reasons(off), "", *_silent(table)]) + "\n"


def _shares(cells):
    if cells is None:
        return "-"
    return " / ".join(f"{row.coverage:.3f}{'' if row.holds else '*'}" for row in cells.itertuples())


def _reasons(off):
    """Yield each reason with the cells that it explains."""
    reasons = [why(*cell) for cell in off[["estimator", "option", "setting", "n"]].itertuples(index=False)]
    for reason, part in off.assign(reason=reasons).groupby("reason", sort=False):
        yield f"- {reason}"
        for (estimator, option), cells in part.groupby(["estimator", "option"], sort=False):
            told = "; ".join(f"{row.setting} {row.n:,}: {row.coverage:.3f}" for row in cells.itertuples())
            warns = ", and warns" if (cells["warned"] > 0.99).all() else ""
            yield f"    - *{estimator}{', ' + option if option else ''}*{warns}: {told}"


def _silent(table):
    """Yield which estimators gave no answer to some draws: refused, or without a limit."""
    yield "## Draws without an answer"
    yield ""
    yield "Refused (no follow-up so far, no convergence), or without an error. Cells are of the other draws."
    yield ""
    some = table[table["without_answer"] > 0]
    for (estimator, option), part in some.groupby(["estimator", "option"], sort=False):
        told = "; ".join(f"{row.setting} {row.n:,}: {row.without_answer} of {row.without_answer + row.draws}"
                         for row in part.itertuples())
        yield f"- *{estimator}{', ' + option if option else ''}*: {told}"


def draw(table, path):
    """Draw the coverage of every cell, a line for each estimator, filled where off by more than chance."""
    import matplotlib
    matplotlib.use("Agg")
    from matplotlib import pyplot
    pyplot.rcParams.update({"svg.hashsalt": "coverage", "svg.fonttype": "none", "font.size": 7})
    names = list(dict.fromkeys(table["estimator"]))
    figure, panes = pyplot.subplots(1, len(SIZES), figsize=(11, 0.19 * len(names) + 1.2), sharey=True)
    for pane, (n, part) in zip(panes, table.groupby("n"), strict=True):
        allowed = part.groupby("estimator")["allowed"].max().reindex(names)
        pane.barh(range(len(names)), 2 * allowed, left=0.95 - allowed, height=1, color="#e5e9ef")
        pane.axvline(0.95, color="#5b6573", linewidth=0.8)
        for (setting, holds), cells in part.groupby(["setting", "holds"]):
            mark, colour = MARKS[setting]
            place = cells["estimator"].map(names.index) + 0.16 * (SETTINGS.index(setting) - 1.5)
            pane.plot(cells["coverage"].clip(lower=0.7), place, mark, color=colour, markersize=3,
                      fillstyle="none" if holds else "full", markeredgewidth=0.7)
        pane.set(title=f"{n:,} persons", xlim=(0.69, 1.01), yticks=range(len(names)), yticklabels=names,
                 ylim=(len(names) - 0.4, -0.6))
    panes[0].legend(handles=[pyplot.Line2D([], [], marker=mark, color=colour, linestyle="", fillstyle="none",
                                           markersize=4, label=setting)
                             for setting, (mark, colour) in MARKS.items()], loc="lower left")
    figure.supxlabel("Share of 95 % intervals that hold the truth (below 0.7: drawn there); "
                     "grey: three Monte-Carlo errors; filled: further off", fontsize=8, y=-0.004)
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None}, bbox_inches="tight")


def _options(argv):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--share", type=float, default=1.0, help="of the replications")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--seed", type=int, default=20150105)
    parser.add_argument("--to", type=Path, default=ROOT / "docs" / "studies")
    parser.add_argument("--persons", type=int, nargs="+", default=SIZES, choices=SIZES)
    parser.add_argument("--only", nargs="+", default=[part.name for part in PARTS],
                        choices=[part.name for part in PARTS])
    return parser.parse_args(argv)


def _keep(table, stem):
    written = table.to_csv(index=False, float_format="%.6g", lineterminator="\n")
    write_atomic(stem.with_suffix(".csv"), written)


def _kept(options):
    """Yield what the newest table has of the parts and sizes that are not run."""
    for path in sorted(options.to.glob("*-coverage-survival.csv"))[-1:]:
        table = pd.read_csv(path, keep_default_na=False, na_values={
            name: "" for name in ("truth", "mean", "sd", "coverage")})
        yield table[~(table["part"].isin(options.only) & table["n"].isin(options.persons))]


def _in_order(table):
    """Return the cells in the order in which they are asked."""
    places = {(part.name, row.estimator, row.option): place for place, (part, row) in enumerate(
        (part, row) for part in PARTS for row in part.rows)}
    asked = pd.Series([places[cell] for cell in zip(*(table[name] for name in CELL[:3]), strict=True)])
    keys = pd.DataFrame({"asked": asked, "setting": table["setting"].map(SETTINGS.index), "n": table["n"]})
    return table.loc[keys.sort_values(["asked", "setting", "n"]).index].reset_index(drop=True)


def _timed(seed, job):
    begun = time.process_time()
    name, setting, n, times = job
    return summarise(replicate(seed, name, setting, n, range(times))), time.process_time() - begun


if __name__ == "__main__":
    main()
