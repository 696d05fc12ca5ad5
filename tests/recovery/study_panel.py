"""Coverage of the panel designs, on the worlds of their own recovery tests.

Run it by itself: ``python tests/recovery/study_panel.py --replications 600``. It takes about a minute and
writes a dated table to ``docs/studies/``. Half of the rows are there to be seen to fail: the designs'
assumption is broken.
"""

import argparse
import datetime as dt
from pathlib import Path

import numpy as np
import pandas as pd
import test_recovery_panel as panels

from evalkit.estimators import difference_in_differences, synthetic_control, synthetic_did
from evalkit.files import write_atomic

ROOT = Path(__file__).parents[2]
DESIGNS = {"difference in differences": difference_in_differences, "synthetic control": synthetic_control,
           "synthetic difference in differences": synthetic_did}


def designs(rng):
    """Draw one factor panel where the designs' assumptions hold, and one where trends diverge."""
    rows = []
    for world, selected in (("common factors", False), ("trends diverge", True)):
        panel = panels.draw(rng, selected=selected)
        for name, design in DESIGNS.items():
            row = design(panel).table.iloc[0]
            rows.append((name, world,
                         *(row[key] for key in ("estimate", "std_error", "conf_low", "conf_high")),
                         panels.EFFECT))
    return rows


def replicate(n):
    """Run every world ``n`` times; return a row per estimate."""
    rng = np.random.default_rng([20150105, 4])
    rows = [row for _ in range(n) for row in designs(rng)]
    names = ["estimator", "world", "estimate", "std_error", "low", "high", "truth"]
    return pd.DataFrame(rows, columns=names)


def summarise(rows):
    """Return bias and coverage of each estimator and world, with Monte-Carlo errors."""
    rows = rows.assign(covered=(rows["low"] <= rows["truth"]) & (rows["truth"] <= rows["high"]))
    table = rows.groupby(["estimator", "world"], sort=False).agg(
        n=("estimate", "size"), truth=("truth", "first"), mean=("estimate", "mean"), sd=("estimate", "std"),
        mean_error=("std_error", "mean"), coverage=("covered", "mean")).reset_index()
    table["bias"] = table["mean"] - table["truth"]
    table["bias_mc"] = table["sd"] / np.sqrt(table["n"])
    variance = (table["coverage"] * (1 - table["coverage"])).clip(lower=0.5 / table["n"])
    table["coverage_mc"] = np.sqrt(variance / table["n"])
    table["holds"] = (table["coverage"] - 0.95).abs() <= 3 * np.sqrt(0.95 * 0.05 / table["n"])
    return table


def report(table):
    """Write the table as Markdown."""
    n = int(table["n"].iloc[0])
    lines = [
        "# Recovery by the panel designs", "",
        f"{dt.date.today().isoformat()}: {n} draws of each world of `tests/recovery`: {panels.N_UNITS} "
        "municipalities over "
        f"{panels.N_PERIODS} periods, one treated. The truth is what was put in. In brackets: Monte-Carlo "
        "error. Intervals are of "
        "95 % and come from placebos. The last column asks the coverage alone.", "",
        "To be seen to fail: designs where trends diverge. There the placebo interval is wide enough to hold "
        "the truth and the "
        "estimate is off all the same: look at the bias.", "",
        "| Estimator | World | Truth | Mean | Bias (MC error) | SD | Mean error | Coverage (MC error) | "
        "Within 3 MC errors |",
        "|---|---|---:|---:|---:|---:|---:|---:|---|",
    ]
    lines += [
        f"| {row.estimator} | {row.world} | {row.truth:.3f} | {row.mean:.3f} | {row.bias:+.3f} "
        f"({row.bias_mc:.3f}) | "
        f"{row.sd:.3f} | {row.mean_error:.3f} | {row.coverage:.3f} ({row.coverage_mc:.3f}) | "
        f"{'yes' if row.holds else 'no'} |"
        for row in table.itertuples()
    ]
    return "\n".join(lines) + "\n"


def main(argv=None):
    """Run the study and write its table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--replications", type=int, default=600)
    parser.add_argument("--to", type=Path, default=ROOT / "docs" / "studies")
    options = parser.parse_args(argv)
    path = options.to / f"{dt.date.today().isoformat()}-recovery-panel.md"
    write_atomic(path, report(summarise(replicate(options.replications))))
    print(path.relative_to(ROOT) if path.is_relative_to(ROOT) else path)


if __name__ == "__main__":
    main()
