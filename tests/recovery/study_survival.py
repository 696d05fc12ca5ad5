"""Coverage of every survival estimator's interval, by number of persons and by who is seen.

Run it by itself: ``python tests/recovery/study_survival.py``; ``--share 0.1`` runs a tenth of the
replications, ``--only hazards frailty`` runs these parts and leaves the others as the newest table has them.
It writes a dated table (Markdown and CSV) and a figure to ``docs/studies/``. Every truth is exact
(`survival_worlds`). A cell is an estimator, an option that changes its interval, a setting and a number of
persons.
"""

import argparse
import datetime as dt
import time
import warnings
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import survival_worlds as worlds

from evalkit import estimators as ev
from evalkit.errors import EstimationError
from evalkit.files import write_atomic

ROOT = Path(__file__).parents[2]
# Persons and replications: the large ones take as long together as the small ones.
SIZES = {200: 600, 2000: 300, 20000: 100}
WEEK, HORIZON, ELAPSED = 26, 52, 13
WEEKS = np.arange(HORIZON)


def curves(at_risk, setting):
    """Estimate what needs no model, each with its options."""
    truth = worlds.survival(WEEK)
    for kind in ("plain", "log", "log-log"):
        yield "Kaplan-Meier, week 26", kind, *at(ev.kaplan_meier(at_risk, conf_type=kind)), truth
    yield "Kaplan-Meier, week 26", "log, robust", *at(ev.kaplan_meier(at_risk, robust=True)), truth
    weekly = 1 - worlds.survival(np.arange(1, WEEK + 1)) / worlds.survival(np.arange(WEEK))
    yield "Nelson-Aalen, week 26", "log", *at(ev.nelson_aalen(at_risk)), weekly.sum()
    mean = ev.restricted_mean(at_risk, horizon_weeks=HORIZON)
    yield "Restricted mean, 52 weeks", "", *row(mean, "restricted_mean"), worlds.survival(WEEKS).sum()
    rest = ev.residual_time(at_risk, elapsed_weeks=ELAPSED, horizon_weeks=WEEK)
    left = worlds.survival(ELAPSED + np.arange(WEEK + 1)) / worlds.survival(ELAPSED)
    yield "Residual survival from 13, 26 weeks", "log", *row(rest, f"residual_survival[{ELAPSED}]"), left[-1]
    yield "Residual mean from 13, 26 weeks", "", *row(rest, f"residual_mean[{ELAPSED}]"), left[:-1].sum()
    incidence = ev.aalen_johansen(at_risk)
    yield "Aalen-Johansen, job by week 26", "log", *at(incidence, term="1"), worlds.incidence(WEEK)
    lost = ev.time_lost(at_risk, horizon_weeks=HORIZON)
    yield "Time lost to jobs, 52 weeks", "", *row(lost, "time_lost[1]"), worlds.incidence(WEEKS).sum()
    if setting not in ("late", "weights"):
        fit = ev.pseudo_regression(at_risk, weeks=HORIZON, estimand="restricted_mean")
        gap = (worlds.of_group(WEEKS, 1) - worlds.of_group(WEEKS, 0)).sum()
        yield "Pseudo-observations, restricted mean by x", "identity", *row(fit, "x"), gap


def hazards(at_risk, setting):
    """Estimate what a hazard model says."""
    for ties in ("efron", "breslow"):
        fit = ev.cox(at_risk, cause="1", ties=ties)
        yield "Cox", ties, *row(fit, "x"), worlds.EFFECT
    naive = np.sqrt(fit.model["covariance_naive"][0, 0])
    estimate = fit.table["estimate"][0]
    yield "Cox", "breslow, errors of independent persons", estimate, *limits(estimate, naive), worlds.EFFECT
    if setting in ("ties", "late"):
        yield "Cox, Firth", "profile", *row(ev.cox(at_risk, cause="1", firth=True), "x"), worlds.EFFECT
    both = ev.cox(at_risk)
    profile = pd.DataFrame({"x": [1.0]})
    with warnings.catch_warnings():
        # Of independent events although persons may depend: how much that costs is asked.
        warnings.simplefilter("ignore", UserWarning)
        predicted = {"log": ev.predict_survival(both, profile, weeks=[WEEK])}
    predicted["log, by persons"] = ev.predict_survival(both, profile, weeks=[WEEK], at_risk=at_risk)
    for option, curve in predicted.items():
        yield "Cox, predicted survival at x = 1", option, *at(curve), worlds.of_group(WEEK, 1)
    gap = (worlds.of_group(WEEKS, 1) - worlds.of_group(WEEKS, 0)).sum()
    contrast = ev.standardised_contrasts(at_risk, exposure="x", horizon_weeks=[HORIZON])
    yield "Cox, standardised difference of restricted means", "", *row(contrast,
                                                                       "restricted_mean_difference"), gap
    weekly = ev.discrete_hazard(at_risk, cause="1", duration={"breaks": [13, 26]})
    yield "Weekly hazards, cloglog", "", *row(weekly, "x"), worlds.EFFECT
    rates = ev.piecewise_exponential(at_risk, cause="1", breaks=[13, 26])
    yield "Piecewise exponential", "weeks taken for moments", *row(rates, "x"), worlds.EFFECT


def competing(at_risk, setting):
    """Estimate the subdistribution hazard."""
    fit = ev.fine_gray(at_risk, cause="1")
    yield "Fine-Gray", "influence", *row(fit, "x"), worlds.EFFECT


def parametric(at_risk, setting):
    """Estimate models of a continuous time."""
    yield "Weibull", "", *row(ev.parametric(at_risk), "x"), worlds.TIME
    spline = ev.royston_parmar(at_risk, df=2)
    yield "Royston-Parmar, 2 df", "", *row(spline, "x"), worlds.EFFECT


def cured(at_risk, setting):
    """Estimate the share that never leaves."""
    fit = ev.mixture_cure(at_risk, incidence=(), latency=("x",))
    share = ev.cured_share(fit, pd.DataFrame({"x": [0.0]}))
    yield "Mixture cure, cured share", "", *row(share, "cured_share"), worlds.CURED


def frailty(at_risk, setting):
    """Estimate within groups that share a factor."""
    fit = ev.shared_frailty(at_risk)
    yield "Shared frailty", "errors given the variance", *row(fit, "x"), worlds.EFFECT
    yield "Shared frailty, variance", "profile", *row(fit, "frailty_variance"), worlds.FRAILTY


def returns(at_risk, setting):
    """Estimate what is asked of states with returns."""
    share, weeks = np.array([1.0, 0.0]), np.zeros(2)
    halves = [share, share]
    for _ in range(HORIZON):
        weeks += sum(halves) / 2
        halves = [half @ worlds.matrix(x) for x, half in enumerate(halves)]
    found = ev.state_occupation(at_risk, horizon_weeks=HORIZON, at_weeks=HORIZON)
    yield "State occupation, weeks on support of 52", "", *row(found, "weeks[SUPPORT]"), weeks[0]
    yield "State occupation, share self-sufficient", "plain", *row(found, "share[SELF]"), (sum(halves) / 2)[1]
    effect = ev.transition_cox(at_risk)
    yield "Transition Cox, leaving support", "efron", *first(effect, "x"), worlds.EFFECT
    moved = ev.transition_probabilities(at_risk.select(at_risk.covariates[:, 0] == 1), from_weeks=4,
                                        to_weeks=[WEEK])
    truth = np.linalg.matrix_power(worlds.matrix(1), WEEK - 4)[0, 1]
    yield "Transition probability, support to self, 4 to 26", "plain", *states_row(moved), truth


def resampled(at_risk, setting):
    """Estimate the restricted mean with the limits of its bootstrap."""
    unit = "cluster" if setting == "clusters" else "person"
    statistic = partial(ev.restricted_mean, horizon_weeks=HORIZON)
    found = ev.bootstrap(at_risk, statistic, n_replications=200, seed=1, unit=unit)
    yield "Bootstrap, restricted mean", "percentile", *row(found,
                                                           "restricted_mean"), worlds.survival(WEEKS).sum()


def tests(at_risk, setting):
    """Return whether each test rejects at 5 % where nothing is to be found."""
    grouped = at_risk_by_x(at_risk)
    for weights in ("log_rank", "gehan", "peto"):
        yield "Log-rank test", weights, *rejects(ev.log_rank(grouped, weights=weights))
    if setting == "ties":
        yield "Gray's test", "", *rejects(ev.gray_test(grouped, cause="1"))
    yield "Proportionality test", "km", *rejects(ev.proportionality_test(at_risk, cause="1"))


def at_risk_by_x(at_risk):
    """Return the table with x as its strata."""
    return replace(at_risk, strata=at_risk.covariates[:, 0].astype(int), strata_labels=("0", "1"))


def at(result, week=WEEK, term=None):
    """Read a curve at a week."""
    table = result.table if term is None else result.table[result.table["term"] == term]
    return _numbers(table[table["time_weeks"] <= week].iloc[-1])


def row(result, term, group=None):
    """Read one row of a result."""
    table = result.table[result.table["term"] == term]
    return _numbers((table if group is None else table[table["group"] == group]).iloc[0])


def first(result, term):
    """Read the first row whose term begins so."""
    return _numbers(result.table[result.table["term"].str.startswith(term)].iloc[0])


def states_row(result):
    """Read the probability of going from support to self-sufficiency."""
    term = result.table["term"].str
    table = result.table[term.contains("SUPPORT") & term.contains("SELF")]
    return _numbers(table[table["term"].str.strip().str.endswith(("SELF", "SELF]"))].iloc[0])


def limits(estimate, error):
    """Return the limits of a plain interval."""
    return estimate - 1.959964 * error, estimate + 1.959964 * error


def rejects(result):
    """Return a p-value as an interval that holds 0 unless the test rejects at 5 %."""
    p = float(result.table["p_value"].dropna().iloc[-1])
    return p, (1.0 if p < 0.05 else -1.0), 2.0, 0.0


def _numbers(found):
    return float(found["estimate"]), float(found["conf_low"]), float(found["conf_high"])


CELLS = (
    (worlds.exits, curves, worlds.SETTINGS), (worlds.exits, hazards, worlds.SETTINGS),
    (worlds.subdistribution, competing, worlds.SETTINGS), (worlds.weibull, parametric, worlds.SETTINGS),
    (partial(worlds.weibull, cured=worlds.CURED), cured, ("ties",)),
    (lambda rng, n, setting: worlds.shared(rng, n), frailty, ("clusters",)),
    (worlds.states, returns, ("ties", "clusters", "weights")),
    (partial(worlds.exits, effect=0.0), tests, ("ties", "late")),
    (worlds.exits, resampled, ("ties", "clusters")),
)
# A thousand groups take seconds a fit: too long to be drawn a hundred times.
LEFT_OUT = {(frailty, 20000)}
# Why a cell is off by more than chance: read before it is believed.
EXPLAINED = {
    ("Cox",
     "breslow, errors of independent persons"): "here to be seen to fail: persons of a cluster are not "
    "independent, weights are no counts.",
    ("Cox, predicted survival at x = 1",
     "log"): "follows R: coefficients have errors by cluster, the baseline hazard "
    "takes events as independent; the method warns. By persons (`at_risk=`) it holds.",
    "Shared frailty, variance": "ten groups tell little of a variance: its likelihood leans towards none, "
    "and the profile limits with it.",
    ("Fine-Gray",
     "influence"): "errors from influence functions of 200 unequally weighted persons, worth about 120.",
    "Time lost to jobs, 52 weeks": "by chance with 20,000 persons: 500 other draws of the cell hold in "
    "0.958; with 200 persons about 80 clusters.",
    "Transition probability, support to self, 4 to 26": "about 40 clusters have x = 1, and the limits are "
    "plain.",
}

_CELL = ["part", "estimator", "option", "setting", "n"]


def replicate(job):
    """Draw one world so many times; return a row per estimate, and how often an estimator refused."""
    number, setting, n, times = job
    draw, estimate, _ = CELLS[number]
    rows = []
    for k in range(times):
        rng = np.random.default_rng([20150105, number, worlds.SETTINGS.index(setting), n, k])
        try:
            # One after another: what an earlier estimator found stays where a later one refuses.
            for values in estimate(draw(rng, n, setting), setting):
                rows.append((estimate.__name__, setting, n, *values))
        except EstimationError:
            rows.append((estimate.__name__, setting, n, "", "refused", *[np.nan] * 4))
    names = ["part", "setting", "n", "estimator", "option", "estimate", "low", "high", "truth"]
    return pd.DataFrame(rows, columns=names)


def jobs(share, parts):
    """Return what is drawn: a world, a setting, a number of persons, and how often."""
    return [(number, setting, n, max(round(times * share), 2))
            for n, times in SIZES.items() for number, (_, estimate, settings) in enumerate(CELLS)
            for setting in settings if estimate.__name__ in parts and (estimate, n) not in LEFT_OUT]


def summarise(rows):
    """Return bias and coverage of each cell; a test's coverage is of no rejection, refusals count apart."""
    told = rows.dropna(subset=["truth"])
    covered = (told["low"] <= told["truth"]) & (told["truth"] <= told["high"])
    groups = told.assign(covered=covered).groupby(_CELL, sort=False)
    table = groups.agg(draws=("covered", "size"), truth=("truth", "first"), mean=("estimate", "mean"),
                       sd=("estimate", "std"), coverage=("covered", "mean")).reset_index()
    refused = rows[rows["truth"].isna()].groupby(_CELL, sort=False).size().rename("draws").reset_index()
    return pd.concat([table, refused], ignore_index=True)


def judged(table):
    """Say of each cell what chance allows, and whether it holds."""
    told = table[table["option"] != "refused"]
    allowed = 3 * np.sqrt(0.95 * 0.05 / told["draws"])
    return told.assign(bias=(told["mean"] - told["truth"]) / told["sd"], allowed=allowed,
                       holds=(told["coverage"] - 0.95).abs() <= allowed)


def report(table, refused):
    """Write the table as Markdown: a row for each estimator, option and setting, a column for each size."""
    lines = [
        "# Coverage of the survival estimators",
        "",
        f"{dt.date.today().isoformat()}: {' / '.join(map(str, SIZES.values()))} draws with "
        f"{' / '.join(f'{n:,}' for n in SIZES)} persons. Each column holds the share of 95 % intervals that "
        "hold the truth, in brackets "
        "the bias in standard deviations of the estimate. For a test it is the share of worlds without "
        "anything to "
        "be found in which it does not reject at 5 %. A star marks a share more than three Monte-Carlo "
        "errors from "
        "95 %; each has its reason below.",
        "",
        "Settings: *ties*, weeks in which many leave, censored; *late*, half of the persons enter late; "
        "*clusters*, one to "
        "four persons share their fate; *weights*, drawn apart from it (standard deviation of the logarithm "
        "0.7).",
        "",
        "| Estimator | Option | Setting | " + " | ".join(f"{n:,}" for n in SIZES) + " |",
        "|---|---|---|" + "---:|" * len(SIZES),
    ]
    for (estimator, option, setting), part in table.groupby(["estimator", "option", "setting"], sort=False):
        cells = part.set_index("n")
        lines.append(f"| {estimator} | {option} | {setting} | " + " | ".join(_cell(cells, n)
                                                                             for n in SIZES) + " |")
    return "\n".join([*lines, "", *_reasons(table), "", refused]) + "\n"


def _cell(cells, n):
    if n not in cells.index:
        return "-"
    row = cells.loc[n]
    bias = "" if row["sd"] == 0 or row["truth"] == 0 else f" ({row['bias']:+.2f})"
    return f"{row['coverage']:.3f}{bias}{'' if row['holds'] else ' *'}"


def _reasons(table):
    off = table[~table["holds"]]
    lines = []
    for estimator, option in dict.fromkeys(zip(off["estimator"], off["option"], strict=True)):
        reason = EXPLAINED.get((estimator, option)) or EXPLAINED.get(estimator) or "**not explained**"
        lines.append(f"- *{estimator}{', ' + option if option else ''}*: {reason}")
    return lines


def draw(table, path):
    """Draw every cell's coverage with what chance allows."""
    import matplotlib
    matplotlib.use("Agg")
    from matplotlib import pyplot
    pyplot.rcParams["svg.hashsalt"] = "coverage"
    option = table["option"].map(lambda text: f", {text}" if text else "")
    names = list(dict.fromkeys(table["estimator"] + option))
    figure, panes = pyplot.subplots(1, len(SIZES), figsize=(11, 0.24 * len(names) + 1.2), sharey=True)
    marks = dict(zip(worlds.SETTINGS, "os^D", strict=True))
    for pane, (n, part) in zip(panes, table.groupby("n"), strict=True):
        allowed = part["allowed"].median()
        pane.axvspan(0.95 - allowed, min(0.95 + allowed, 1), color="#e5e9ef")
        pane.axvline(0.95, color="#5b6573", linewidth=0.8)
        for setting, cells in part.groupby("setting", sort=False):
            label = cells["estimator"] + cells["option"].map(lambda text: f", {text}" if text else "")
            pane.plot(cells["coverage"], [names.index(name) for name in label], marks[setting], markersize=4,
                      label=setting, fillstyle="none")
        pane.set(title=f"{n:,} persons", xlim=(0.5, 1.01), yticks=range(len(names)), yticklabels=names)
        pane.tick_params(labelsize=7)
    panes[0].invert_yaxis()
    panes[0].legend(fontsize=7, loc="lower left")
    figure.supxlabel("Share of 95 % intervals that hold the truth; grey: three Monte-Carlo errors",
                     fontsize=8)
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})


def main(argv=None):
    """Run the study and write its table and figure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--share", type=float, default=1.0, help="of the replications")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--to", type=Path, default=ROOT / "docs" / "studies")
    parser.add_argument("--only", nargs="+", default=sorted({estimate.__name__ for _, estimate, _ in CELLS}))
    options = parser.parse_args(argv)
    wanted, found = jobs(options.share, options.only), []
    with ProcessPoolExecutor(options.workers) as pool:
        for job, (rows, spent) in zip(wanted, pool.map(_timed, wanted), strict=True):
            found.append(summarise(rows))
            print(CELLS[job[0]][1].__name__, *job[1:], f"{spent:.0f} s", flush=True)
    table = pd.concat([*_kept(options), *found], ignore_index=True)
    table = table.fillna({"estimator": "", "option": ""}).sort_values(["n"], kind="stable")
    stem = options.to / f"{dt.date.today().isoformat()}-coverage-survival"
    write_atomic(stem.with_suffix(".csv"),
                 table.to_csv(index=False, float_format="%.6g", lineterminator="\n"))
    refused = table[table["option"] == "refused"]
    told = ", ".join(f"{row.part} {row.setting} {row.n:,}: {row.draws}" for row in refused.itertuples())
    write_atomic(stem.with_suffix(".md"),
                 report(judged(table), f"Draws in which an estimator refused: {told or 'none'}."))
    draw(judged(table), stem.with_suffix(".svg"))
    print(stem.name)


def _kept(options):
    """Yield what the newest table has of the parts that are not run."""
    for path in sorted(options.to.glob("*-coverage-survival.csv"))[-1:]:
        table = pd.read_csv(path, keep_default_na=False,
                            na_values={name: "" for name in ("truth", "mean", "sd", "coverage")})
        yield table[~table["part"].isin(options.only)]


def _timed(job):
    begun = time.process_time()
    return replicate(job), time.process_time() - begun


if __name__ == "__main__":
    main()
