"""Coverage of the survival estimators and of the panel designs, on the worlds of their own recovery tests.

Run it by itself: ``python tests/recovery/study_estimators.py --replications 600``. It takes about a minute and writes a dated
table to ``docs/studies/``. Two rows are there to be seen to fail: Cox errors that ignore clusters, and a design
whose assumption is broken.
"""

import argparse
import datetime as dt
from pathlib import Path

import numpy as np
import pandas as pd
import test_recovery_estimators as survival
import test_recovery_panel as panels

from evalkit.atrisk import AtRisk
from evalkit.estimators import (
    aalen_johansen,
    cox,
    difference_in_differences,
    kaplan_meier,
    restricted_mean,
    state_occupation,
    synthetic_control,
    synthetic_did,
)
from evalkit.files import write_atomic

ROOT = Path(__file__).parents[2]
DESIGNS = {"difference in differences": difference_in_differences, "synthetic control": synthetic_control,
           "synthetic difference in differences": synthetic_did}
Z = 1.96


def curves(rng, late):
    """Draw one set of waiting times; return each estimator's estimate, limits and truth."""
    total = survival.HAZARD.sum()
    frame = survival.waiting(rng, np.full(survival.N_PERSONS, total), late)
    at_risk = AtRisk.from_frame(frame, entry="entry", exit="exit", event="event")
    stay, shares = (1 - total) ** np.arange(20), aalen_johansen(at_risk).table
    entry = "half enter late" if late else "all from week 0"
    rows = []
    for week in (5, 15):
        found = survival.last_before(kaplan_meier(at_risk).table, week)
        rows.append((f"Kaplan-Meier, week {week}", entry, *plain(*found), stay[week]))
    found = survival.last_before(shares[shares["term"] == "1"], 15)
    rows.append(("Aalen-Johansen, week 15", entry, *plain(*found), survival.HAZARD[0] / total * (1 - stay[15])))
    mean = restricted_mean(at_risk, horizon_weeks=19).table.loc[0]
    rows.append(("Restricted mean, 19 weeks", entry, *plain(mean["estimate"], mean["std_error"]), stay[:19].sum()))
    return rows


def occupation(rng):
    """Draw one set of histories with returns."""
    frame = survival.histories(rng, 80)
    at_risk = AtRisk.from_frame(frame, entry="entry", exit="exit", state="state", event="event", person="person")
    result = state_occupation(at_risk, horizon_weeks=19, at_weeks=12)
    path = [np.array([1.0, 0.0])]
    for _ in range(19):
        path.append(path[-1] @ survival.MOVE)
    truth = {"weeks[SUPPORT]": sum(share[0] for share in path[:19]), "share[SELF]": path[12][1]}
    names = {"weeks[SUPPORT]": "State occupation, weeks of 19", "share[SELF]": "State occupation, share in week 12"}
    return [(names[term], "with returns", *plain(row["estimate"], row["std_error"]), value)
            for term, value in truth.items() for row in [result.row(term)]]


def clustered(rng, effect=0.4, n_clusters=100):
    """Draw clusters whose persons share their fate; the naive error does not know."""
    treated = rng.integers(0, 2, n_clusters)
    time = rng.exponential(20 * np.exp(-effect * treated))
    frame = pd.DataFrame({"exit": np.minimum(time, 60), "event": (time < 60).astype(int), "treated": treated,
                          "cluster": np.arange(n_clusters)})
    frame = frame.loc[np.repeat(frame.index, rng.integers(1, 5, n_clusters))]
    fit = cox(AtRisk.from_frame(frame, exit="exit", event="event", cluster="cluster", covariates=["treated"]),
              ties="breslow")
    estimate, naive = fit.table["estimate"][0], np.sqrt(fit.model["covariance_naive"][0, 0])
    return [("Cox, errors by cluster", "persons share a cluster", *plain(estimate, fit.table["std_error"][0]), effect),
            ("Cox, errors that ignore clusters", "persons share a cluster", *plain(estimate, naive), effect)]


def designs(rng):
    """Draw one factor panel where the designs' assumptions hold, and one where trends diverge."""
    rows = []
    for world, selected in (("common factors", False), ("trends diverge", True)):
        panel = panels.draw(rng, selected=selected)
        for name, design in DESIGNS.items():
            row = design(panel).table.iloc[0]
            rows.append((name, world, *(row[key] for key in ("estimate", "std_error", "conf_low", "conf_high")),
                         panels.EFFECT))
    return rows


def plain(estimate, error):
    """Return estimate, error and the limits of a plain interval."""
    return estimate, error, estimate - Z * error, estimate + Z * error


def replicate(n):
    """Run every world ``n`` times; return a row per estimate."""
    makers = [lambda rng: curves(rng, False), lambda rng: curves(rng, True), occupation, clustered, designs]
    rows = []
    for number, make in enumerate(makers):
        rng = np.random.default_rng([20150105, number])
        rows += [row for _ in range(n) for row in make(rng)]
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
    table["coverage_mc"] = np.sqrt((table["coverage"] * (1 - table["coverage"])).clip(lower=0.5 / table["n"]) / table["n"])
    table["holds"] = (table["coverage"] - 0.95).abs() <= 3 * np.sqrt(0.95 * 0.05 / table["n"])
    return table


def report(table):
    """Write the table as Markdown."""
    n = int(table["n"].iloc[0])
    lines = [
        "# Recovery by the estimators", "",
        f"{dt.date.today().isoformat()}: {n} draws of each world of `tests/recovery`: {survival.N_PERSONS} persons for the curves, "
        f"80 for state occupation, 100 clusters for Cox; {panels.N_UNITS} municipalities over {panels.N_PERIODS} periods, one treated, "
        "for the panel designs. Every truth is exact: it follows from what the world draws from. In brackets: Monte-Carlo error. "
        "Intervals are of 95 %; those of the panel designs come from placebos. The last column asks the coverage alone.", "",
        "To be seen to fail: Cox errors that ignore clusters, and designs where trends diverge. There the placebo interval is wide "
        "enough to hold the truth and the estimate is off all the same: look at the bias.", "",
        "| Estimator | World | Truth | Mean | Bias (MC error) | SD | Mean error | Coverage (MC error) | Within 3 MC errors |",
        "|---|---|---:|---:|---:|---:|---:|---:|---|",
    ]
    lines += [
        f"| {row.estimator} | {row.world} | {row.truth:.3f} | {row.mean:.3f} | {row.bias:+.3f} ({row.bias_mc:.3f}) | "
        f"{row.sd:.3f} | {row.mean_error:.3f} | {row.coverage:.3f} ({row.coverage_mc:.3f}) | {'yes' if row.holds else 'no'} |"
        for row in table.itertuples()
    ]
    return "\n".join(lines) + "\n"


def main(argv=None):
    """Run the study and write its table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--replications", type=int, default=600)
    parser.add_argument("--to", type=Path, default=ROOT / "docs" / "studies")
    options = parser.parse_args(argv)
    path = options.to / f"{dt.date.today().isoformat()}-recovery-estimators.md"
    write_atomic(path, report(summarise(replicate(options.replications))))
    print(path.relative_to(ROOT) if path.is_relative_to(ROOT) else path)


if __name__ == "__main__":
    main()
