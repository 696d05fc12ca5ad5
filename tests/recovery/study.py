"""The recovery study of the effect: many simulated municipalities, estimated as the notebook does.

Run it by itself: ``python tests/recovery/study.py --replications 200``. It takes about five CPU seconds a
replication (worlds of the example's size) and writes a dated table to ``docs/studies/``. What should cover
the truth (persons and shocks counted) and what should not (persons only; before and after; treated against
others) stand in one table.
"""

import argparse
import datetime as dt
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from evalkit import cohort, simulate, spec
from evalkit.evaluations import economy, effect
from evalkit.evaluations.panel import DESIGNS
from evalkit.evaluations.panel_case import Case
from evalkit.files import write_atomic
from evalkit.simulate import expectation
from evalkit.simulate import panel as public

ROOT = Path(__file__).parents[2]
PROPER, NAIVE = "shocks counted", ("persons only", "before and after", "treated against others")
_METHODS = {
    "did_shocks": PROPER,
    "did_persons_only": NAIVE[0],
    "before_after": NAIVE[1],
    "treated_against_others": NAIVE[2],
}
WITHOUT_TRUTH = [
    "Reported without a stored truth, so not in the table:",
    "",
    "- *Hazard ratio* of the first exit: the programme works through activities that come and go, so hazards "
    "are not "
    "proportional and the ratio that Cox estimates depends on who is censored when. The process holds no "
    "such number; "
    "the weeks to the first exit, which do have a truth, answer the same question. That the clustered error "
    "covers where "
    "hazards are proportional is in the table of the survival estimators.",
    "- *Net result and its single years*: savings in all are in the table; the investment is read from the "
    "ledger, without error.",
    "- *Placebo rank*: a statement about exchangeability, held by a test of its own.",
]
MAIN = "inflow: weeks_on_support_104"
_SHARES = {"job": "employed", "education": "education", "job_or_education": "either"}


@dataclass(frozen=True)
class Setting:
    """What every replication has in common."""

    study: object
    site: object
    money: dict
    n_persons: int = 6000
    persons_per_comparison: int = 600
    scenario: str = "base"


def setting(**options):
    """Return the example's own study, site, prices and ledger."""
    prices = pd.read_csv(ROOT / "analysis" / "municipalities" / "hjoerring_prices.csv")
    ledger = pd.read_csv(ROOT / "data_schema" / "figures" / "ledger_hjoerring.csv")
    money = {
        "price": prices.assign(
            valid_from=pd.to_datetime(prices["valid_from"]),
            valid_to=pd.to_datetime(prices["valid_to"]),
            state=prices["state"].fillna(""),
        ),
        "ledger": ledger,
    }
    return Setting(study=spec.load_study(ROOT / "analysis" / "effect.yaml"), money=money,
                   site=spec.load_site(ROOT / "analysis" / "municipalities" / "hjoerring.yaml"), **options)


def replicate(seed, given):
    """Simulate one world and estimate it: one row per estimand and method, and whether a gate failed."""
    register = simulate.register(seed=seed, n_persons=given.n_persons, detail=False, scenario=given.scenario,
                                 persons_per_comparison=given.persons_per_comparison)
    tables = register.tables()
    tables = replace(tables, frames={**tables.frames, **given.money})
    evidence = effect.evidence(tables, cohort.spells(tables), given.study, given.site)
    stock_failed = evidence.stock_verdict.failed
    failed = evidence.verdict.failed or stock_failed and f"stock_{stock_failed}"
    # What a gate would have withheld is estimated too: the study is of the estimator, not of the gate.
    evidence = replace(evidence, verdict=replace(evidence.verdict, failed=""),
                       stock_verdict=replace(evidence.stock_verdict, failed=""))
    rows = [*_weeks("inflow", effect.weeks_on_support(evidence)), *_weeks("stock", effect.stock(evidence)),
            *_designs(evidence), *_shares(evidence), *_exit(evidence), *_saved(evidence),
            *_public(register, given)]
    return (
        pd.DataFrame(rows, columns=["estimand", "method", "estimate", "std_error", "low", "high"]).assign(
            seed=seed, failed=failed
        ),
        failed,
    )


def truths(given):
    """Return the true effect of each estimand: an expectation over persons and shocks."""
    stored = expectation.stored(given.scenario)
    found = {f"{population}: {name}": value["effect"] for population in ("inflow", "stock")
             for name, value in stored[population]["estimands"].items()}
    for name, value in stored["panel"]["estimands"].items():
        found[f"panel: {name}"] = value["effect"] * given.study.panel.measures[name].per_inhabitants
    return found | {
        "inflow: saved_dkk_per_person": _true_saving(stored["inflow"]["saved_weeks"], given.money["price"])
    }


def summarise(rows, truth):
    """Return bias and coverage of every estimand and method, with Monte-Carlo errors."""
    rows = rows.assign(truth=rows["estimand"].map(truth))
    rows["covered"] = (rows["low"] <= rows["truth"]) & (rows["truth"] <= rows["high"])
    rows["width"] = rows["high"] - rows["low"]
    table = rows.groupby(["estimand", "method"], sort=False).agg(
        n=("seed", "nunique"), truth=("truth", "first"), mean=("estimate", "mean"), sd=("estimate", "std"),
        mean_error=("std_error", "mean"), width=("width", "mean"), coverage=("covered", "mean")).reset_index()
    table["bias"] = table["mean"] - table["truth"]
    table["bias_mc"] = table["sd"] / np.sqrt(table["n"])
    table["coverage_mc"] = np.sqrt(0.95 * 0.05 / table["n"])
    table["holds"] = (table["coverage"] - 0.95).abs() <= 3 * table["coverage_mc"]
    return table


def _weeks(population, result):
    """Return proper and person-only rows at every horizon."""
    method = {"weeks_on_support": PROPER, "person_error_only": NAIVE[0]}
    return [(f"{population}: weeks_on_support_{row.time_weeks:.0f}", method[row.term], *_numbers(row))
            for row in result.table.itertuples()]


def _designs(evidence):
    table = effect.compare_designs(evidence).table
    return [(f"inflow: weeks_on_support_{row.time_weeks:.0f}", _METHODS[row.term], *_numbers(row))
            for row in table.itertuples() if _METHODS[row.term] in NAIVE[1:]]


def _shares(evidence):
    result = effect.extra_persons(evidence)
    n_persons = result.diagnostics["n_treated_after"]
    return [
        (
            f"inflow: {_SHARES[row.term]}_{row.time_weeks:.0f}",
            PROPER,
            *(value / n_persons for value in _numbers(row)),
        )
        for row in result.table.itertuples()
    ]


def _exit(evidence):
    row = effect.time_to_exit(evidence).row("weeks_to_exit")
    return [("inflow: weeks_to_any_exit", PROPER, *_numbers(row))]


def _saved(evidence):
    result = economy.net_result(evidence)
    row = result.row("total", "saved")
    return [("inflow: saved_dkk_per_person", PROPER,
             *(value / result.diagnostics["n_treated_after"] for value in _numbers(row)))]


def _public(register, given):
    """Estimate each outcome of the public tables by each design, per the study's number of inhabitants."""
    return [(f"panel: {name}", design.replace("_", " "), *_numbers(estimate(case.panel).table.iloc[0]))
            for name in public.MEASURES for case in [public_case(register, given, name)]
            for design, estimate in DESIGNS.items()]


def public_case(register, given, name):
    """Return one outcome of a register's public tables as the effect notebook reads it."""
    chosen, counted = given.study.panel, public.municipality_period(register)
    measure = chosen.measures[name]
    frame = pd.concat([counted[public.MEASURES[name]].assign(measure=measure.measure),
                       counted["FOLK1A"].assign(measure=chosen.inhabitants)]).assign(source="simulated")
    return Case(frame, chosen, measure, register.site.municipality, given.site.programme_start, ())


def _numbers(row):
    return row.estimate, row.std_error, row.conf_low, row.conf_high


def _true_saving(saved_weeks, price):
    weeks = pd.DataFrame(saved_weeks)
    states, years = sorted(weeks["state"].unique()), sorted(weeks["year"].unique())
    net, _ = economy.week_prices(price, states, years)
    priced = [
        net[years.index(row.year), states.index(row.state), row.refund_step] for row in weeks.itertuples()
    ]
    return float((weeks["weeks_per_person"] * priced).sum())


def report(table, rows, n_done, seconds, given):
    """Write the table as Markdown."""
    verdicts = rows.groupby("seed")["failed"].first()
    passing = rows[(rows["estimand"] == MAIN) & (rows["method"] == PROPER) & ~rows["failed"].map(_of_inflow)]
    truth = float(table.loc[table["estimand"] == MAIN, "truth"].iloc[0])
    covered = ((passing["low"] <= truth) & (truth <= passing["high"])).mean()
    lines = [
        "# Recovery of the effect",
        "",
        f"{dt.date.today().isoformat()}: {n_done} simulated worlds (scenario `{given.scenario}`, "
        f"{given.n_persons} persons in the programme "
        f"municipality, 24 comparison municipalities of {given.persons_per_comparison}), each estimated as "
        "the effect notebook does. "
        f"{seconds / n_done:.1f} CPU seconds a world; process "
        f"`{expectation.fingerprint(given.scenario)[:12]}`.",
        "",
        "The truth is the expectation over persons and over shocks, computed from latent weeks by code that "
        "shares nothing with "
        "the estimators. The panel's truth is what the programme changed in the public tables, per 100 "
        "inhabitants (employees) and "
        "per 1,000 (assistance). *Coverage* is the share of 95 % intervals that hold it; with this many "
        "worlds three Monte-Carlo errors "
        f"are {3 * np.sqrt(0.95 * 0.05 / n_done):.3f}. *Shocks counted* is the interval that reports show, "
        "*persons only* the one beside it that "
        "is said to be too short; the last two are no effects and are here to be seen to fail. The panel's "
        "intervals rest on how much "
        "comparison municipalities move, which here are a tenth of the treated one's size and therefore "
        "noisier: they are too wide, and "
        "hold the truth more often than they say. Factor panels of equal municipalities are in the table of "
        "the panel designs.",
        "",
        f"Gates would have withheld {int(verdicts.map(_of_inflow).sum())} of the {n_done} estimates of the "
        f"inflow ({_counted(verdicts)}); "
        "they are counted here all the same. In these worlds nothing is wrong, so this is how often a gate "
        "stops by bad luck. Among those "
        f"that pass, the main interval holds the truth in {covered:.3f} and the mean estimate is "
        f"{passing['estimate'].mean():.2f}.",
        "",
        "| Estimand | Method | Truth | Mean | Bias (MC error) | SD | Mean error | Coverage | Within 3 MC "
        "errors |",
        "|---|---|---:|---:|---:|---:|---:|---:|---|",
    ]
    for row in table.itertuples():
        d = 0 if "dkk" in row.estimand else 4 if abs(row.truth) < 0.2 else 2
        lines.append(
            f"| {row.estimand} | {row.method} | {row.truth:.{d}f} | {row.mean:.{d}f} | {row.bias:+.{d}f} "
            f"({row.bias_mc:.{d}f}) | "
            f"{row.sd:.{d}f} | {row.mean_error:.{d}f} | {row.coverage:.3f} | {'yes' if row.holds else 'no'} |"
        )
    return "\n".join([*lines, "", *WITHOUT_TRUTH]) + "\n"


def _of_inflow(failed):
    return bool(failed) and not failed.startswith("stock_")


def _counted(verdicts):
    counts = verdicts[verdicts != ""].value_counts()
    return ", ".join(f"`{name}` {n}" for name, n in counts.items()) or "none"


def main(argv=None):
    """Run the study and write its table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--replications", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1000, help="seed of the first world; the rest follow")
    parser.add_argument("--scenario", default="base")
    parser.add_argument(
        "--persons", type=int, default=Setting.n_persons, help="in the programme's municipality"
    )
    parser.add_argument("--persons-per-comparison", type=int, default=Setting.persons_per_comparison)
    parser.add_argument("--to", type=Path, default=ROOT / "docs" / "studies")
    options = parser.parse_args(argv)
    given, started = setting(scenario=options.scenario, n_persons=options.persons,
                             persons_per_comparison=options.persons_per_comparison), time.process_time()
    path = options.to / f"{dt.date.today().isoformat()}-recovery-effect.md"
    found, truth = [], truths(given)
    for k in range(options.replications):
        rows, failed = replicate(options.seed + k, given)
        found.append(rows)
        print(f"{k + 1}/{options.replications} {time.process_time() - started:.0f} s {failed}", flush=True)
        if (k + 1) % 20 == 0 or k + 1 == options.replications:
            rows = pd.concat(found, ignore_index=True)
            table = summarise(rows, truth)
            write_atomic(path, report(table, rows, k + 1, time.process_time() - started, given))
    print(path.relative_to(ROOT) if path.is_relative_to(ROOT) else path)


if __name__ == "__main__":
    main()
