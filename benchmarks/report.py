"""What the benchmark prints, and the dated page that the full run leaves in results/."""

import datetime
import platform
import shutil
import subprocess

import numpy as np
from growth import draw

_WIDE = 88


def heading(*, is_full):
    asked = "asked for" if is_full else ""
    numbers = f"{'peer, s':>10} {'ratio':>8} {'differ':>7}"
    print(f"{'work':{_WIDE}} {'evalkit':>9} {'peer':18} {numbers}  {asked}", flush=True)


def say(line, *, is_full):
    """Print one line: work, seconds of evalkit, peer, seconds of the peer, ratio, how far answers differ.

    What is asked for is asked at full size; at other sizes it is not judged.
    """
    asked = "; ".join(_asked(line)) if is_full else ""
    print(f"{words(line):{_WIDE}} {seconds(line.own):>9} {_name(line.peer):18} {seconds(line.other):>10} "
          f"{ratio(line):>8} {agreement(line):>7}  {asked}", flush=True)
    for said in (line.own, line.other):
        if "error" in said and said["error"] != "not installed":
            print(f"    {said['error']}", flush=True)


def words(line):
    return line.work.words.format(n=f"{line.n:,}")


def seconds(found):
    if "best" in found:
        return f"{found['best']:.3f}" if found["best"] < 10 else f"{found['best']:.1f}"
    return {"": "", "not installed": "not there"}.get(found.get("error", ""), "failed")


def ratio(line):
    return "" if np.isnan(line.ratio) else f"{line.ratio:.1f}" if line.ratio < 10 else f"{line.ratio:.0f}"


def _name(peer):
    return {"": "(no peer)", "evalkit_cox": "its own Cox fit"}.get(peer, peer)


def _asked(line):
    """Yield what is asked of a line in words, with whether it is met."""
    work, is_known = line.work, "best" in line.own
    if line.peer and line.peer in (work.against, *(work.peers if work.against == "the faster" else ())):
        yield _judged(f"{work.at_least:g}x", line.ratio >= work.at_least, is_known and "best" in line.other)
    if work.at_most_seconds and not line.peer:
        own = line.own.get("best", np.nan)
        yield _judged(f"at most {work.at_most_seconds:g} s", own <= work.at_most_seconds, is_known)
    if work.at_most_gigabytes and line.peer == work.against:
        own = line.own.get("megabytes", np.nan) / 1000
        yield _judged(f"at most {work.at_most_gigabytes:g} GB", own <= work.at_most_gigabytes, is_known)


def _judged(words, is_met, is_known):
    return f"{words}: {('met' if is_met else 'MISSED') if is_known else 'not measured'}"


def agreement(line):
    """Return the worst difference of the numbers that both found, relative to the larger one."""
    both = [np.array(found.get("answer", ()), dtype=float) for found in (line.own, line.other)]
    size = min(map(len, both))
    if size == 0 or line.peer.startswith("evalkit"):
        return ""
    own, other = (values[:size] for values in both)
    worst = np.max(np.abs(own - other) / np.maximum(np.maximum(np.abs(own), np.abs(other)), 1e-8))
    return f"{worst:.0e}"


def write(lines, growth, start, folder):
    """Write the page, and the figure beside it."""
    date = datetime.date.today().isoformat()
    figure = f"{date}-survival.svg"
    draw(growth, folder / figure)
    page = PAGE.format(date=date, machine=_machine(), lines="\n".join(map(_row, lines)), figure=figure,
                       growth=_growth_rows(growth),
                       start="\n".join(f"| {name} | {value} |" for name, value in start))
    (folder / f"{date}-survival.md").write_text(page, encoding="utf-8")


def _row(line):
    cells = [words(line), seconds(line.own), _megabytes(line.own), _name(line.peer), seconds(line.other),
             _megabytes(line.other), ratio(line), agreement(line), "; ".join(_asked(line))]
    return f"| {' | '.join(cells)} |"


def _megabytes(found):
    value = found.get("megabytes", -1)
    return f"{value:.0f}" if value >= 0 else ""


def _growth_rows(growth):
    sizes = sorted({n for points in growth.values() for n in points})
    head = f"| work | {' | '.join(f'{n:,}' for n in sizes)} | power of n |\n|{'---|' * (len(sizes) + 2)}"
    body = [f"| {name} | {' | '.join(seconds(points.get(n, {})) for n in sizes)} | {_power(points)} |"
            for name, points in growth.items()]
    return "\n".join([head, *body])


def _power(points):
    """Return the slope of log seconds on log n over the last decade but the first."""
    known = sorted((n, found["best"]) for n, found in points.items() if "best" in found)[1:]
    if len(known) < 2:
        return ""
    n, spent = np.log(np.array(known)).T
    return f"{np.polyfit(n, spent, 1)[0]:.2f}"


def _machine():
    import lifelines
    import numpy
    import pandas
    import scipy
    import statsmodels

    stack = [("numpy", numpy), ("scipy", scipy), ("pandas", pandas), ("lifelines", lifelines),
             ("statsmodels", statsmodels)]
    versions = ", ".join(f"{name} {module.__version__}" for name, module in stack)
    return f"Python {platform.python_version()}, {versions}{_r()}; {platform.system()} {platform.machine()}"


def _r():
    """Return the versions of R and its packages, where it is installed."""
    program = shutil.which("Rscript")
    if program is None:
        return ""
    code = ("cat(R.version$major, R.version$minor, sep = '.');"
            " for (p in c('survival', 'cmprsk', 'prodlim', 'mstate', 'flexsurv', 'riskRegression'))"
            " if (requireNamespace(p, quietly = TRUE)) cat(',', p, as.character(packageVersion(p)))")
    done = subprocess.run([program, "-e", code], capture_output=True, text=True, check=False)
    return f"; R {done.stdout.strip()}" if done.returncode == 0 else ""


PAGE = """# Survival models: speed beside the peers, {date}

`python benchmarks/survival.py` ({machine}).

CPU seconds of the work alone on one thread, best call of three fresh processes, libraries taking turns on the
same simulated data: weeks, at most 520, so ties are heavy. *MB* is resident memory beyond what stood before
the first call. *Differ* is the worst relative difference of what both found (estimates; for Cox their errors
too). R's survreg has no left truncation, so it is timed on persons followed from week 0.

| work | evalkit, s | MB | peer | peer, s | MB | ratio | differ | asked for |
|---|---:|---:|---|---:|---:|---:|---:|---|
{lines}

A peer that is not there was not installed. `crr` lets censorings of a week come before its events; evalkit
and `finegray` after. scikit-survival's Cox gives no errors and lifelines' Aalen-Johansen was asked for one
cause at a time: neither does the same work. flexsurv and lifelines stop a little before the maximum, and so
does R's search for a frailty's variance (its faster sparse form is timed; it gives the variance no limits).
Where a peer was given fewer rows than asked for, its time or memory grows too fast; evalkit is timed on the
same.

## Cost against n

![CPU seconds of evalkit against rows, both logarithmic: lines of slope one or a little more]({figure})

CPU seconds; the last column is the fitted power of n from 100,000 rows on (1 is linear). The seconds hold
those of the system, which hands out memory page by page, some gigabytes at ten million rows.

{growth}

## The first call

CPU seconds in fresh processes.

| what | s |
|---|---:|
{start}

There is no compiled part. What the first call in a process costs beyond later ones is the import of
scipy's modules; on the first use on a machine Python compiles bytecode, which `make` does at installation.
Where bytecode cannot be written (a read-only installation) every process pays for that.
"""
