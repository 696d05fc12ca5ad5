"""Time evalkit beside R survival, cmprsk, prodlim, mstate, flexsurv and three Python libraries.

    python benchmarks/survival.py --quick     smaller sizes, under a minute
    python benchmarks/survival.py             the whole table, written to benchmarks/results/ with its figure

Every library works on the same simulated data. Seconds are CPU seconds of the work alone, one thread, best
call; in the full run every measurement is a fresh process and libraries take turns.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import data
import growth
import report
import start
from works import WORKS

HERE = Path(__file__).parent
RESULTS = HERE / "results"
_ROUNDS, _SECONDS, _QUICK_SECONDS = 3, 4.0, 0.3
# A peer that took this long is not asked again.
_LONG = 30.0
_LEAST = 200


@dataclass(frozen=True, kw_only=True)
class Line:
    """One work at one size by one peer (``peer`` empty: evalkit alone); what was found of each."""

    work: object
    n: int
    peer: str
    own: dict
    other: dict

    @property
    def ratio(self):
        """CPU seconds of the peer over those of evalkit."""
        return self.other["best"] / max(self.own["best"], 1e-4) if _is_timed(self) else float("nan")


def _is_timed(line):
    return "best" in line.own and "best" in line.other


def main(arguments=None):
    options = _options(arguments)
    works = [replace(work, n=max(int((work.quick if options.quick else work.n) * options.scale), _LEAST))
             for work in WORKS if not options.only or work.name in options.only]
    works = list({(work.name, work.n): work for work in works}.values()) if options.quick else works
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder), options)
        lines = bench.quick(works) if options.quick else bench.full(works)
        if not options.quick and not options.only:
            report.write(lines, growth.measured(bench), start.measured(), RESULTS)


def _options(arguments):
    as_written = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=as_written)
    parser.add_argument("--quick", action="store_true", help="smaller sizes; writes nothing")
    parser.add_argument("--scale", type=float, default=1.0, help="multiply every size")
    parser.add_argument("--only", nargs="*", default=(), help="names of works; writes nothing")
    parser.add_argument("--peers-python", default=sys.executable, help="Python that has the peers installed")
    return parser.parse_args(arguments)


class Bench:
    """Where data lie, and how a library is asked to work on them."""

    def __init__(self, folder, options):
        self.folder, self.peers_python = folder, options.peers_python
        self.is_full = not options.quick and options.scale == 1

    def quick(self, works):
        """Ask each library once for all its works; returns lines, printed once all are known."""
        asked = {}
        for work in works:
            for library, n in [("evalkit", work.n), *_sizes(work)]:
                asked.setdefault(library, []).append((work, n))
            for n in {n for _, n in _sizes(work)} - {work.n}:
                asked["evalkit"].append((work, n))
        found = {library: self.ask(library, jobs, _QUICK_SECONDS) for library, jobs in asked.items()}
        lines = [line for work in works for line in _lines(work, found)]
        report.heading(is_full=False)
        for line in lines:
            report.say(line, is_full=False)
        return lines

    def full(self, works):
        """Ask for one work at a time, each library in a process of its own, in turns; the best is kept."""
        lines = []
        report.heading(is_full=self.is_full)
        for work in works:
            found = self._in_turns(work)
            for line in _lines(work, found):
                report.say(line, is_full=self.is_full)
                lines.append(line)
            self.clear()
        return lines

    def _in_turns(self, work):
        sizes = _sizes(work)
        jobs = [("evalkit", n) for n in sorted({work.n, *(n for _, n in sizes)}, reverse=True)] + sizes
        found = {}
        for _ in range(_ROUNDS):
            for library, n in jobs:
                best = found.setdefault(library, {}).get((work, n), {})
                if best.get("first", 0) < _LONG and "error" not in best:
                    new = self.ask(library, [(work, n)], _SECONDS)[work, n]
                    found[library][work, n] = _better(best, new)
        return found

    def ask(self, library, jobs, seconds):
        """Run a library on works; returns {(work, n): what was found}."""
        named = [f"{work.name}={self.path(work, n)}" for work, n in jobs]
        program, arguments = self._program(library)
        if program is None:
            return {job: {"error": "R is not installed"} for job in jobs}
        done = subprocess.run([program, *arguments, str(seconds), *named], capture_output=True, text=True,
                              env=_environment(), cwd=HERE, check=False)
        said = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
        died = {"error": f"stopped: {(done.stderr.strip().splitlines() or ['no message'])[-1][:120]}"}
        return dict(zip(jobs, said + [died] * (len(jobs) - len(said)), strict=True))

    def _program(self, library):
        if library.startswith("R "):
            return shutil.which("Rscript"), [str(HERE / "peers.R"), library.removeprefix("R ")]
        python = sys.executable if library.startswith("evalkit") else self.peers_python
        return python, [str(HERE / "measure.py"), library]

    def path(self, work, n):
        """Return the data of a work at a size, made at first use."""
        path = self.folder / f"{work.make.__name__}_{n}"
        if not Path(f"{path}.bin").exists():
            data.write(work.make(n), path)
        return path

    def clear(self):
        """Remove the data made so far."""
        for file in self.folder.iterdir():
            file.unlink()


def _sizes(work):
    """Return each peer of a work with the rows that it is given."""
    return [(peer, min(work.n, most or work.n)) for peer, most in work.peers.items()]


def _better(one, other):
    if "best" not in one or "best" not in other:
        return other if "best" not in one else one
    best = one if one["best"] <= other["best"] else other
    return {**best, "first": min(one["first"], other["first"]),
            "megabytes": min(one["megabytes"], other["megabytes"])}


def _lines(work, found):
    own = found["evalkit"]
    lines = [Line(work=work, n=n, peer=peer, own=own[work, n], other=found[peer][work, n])
             for peer, n in _sizes(work)]
    if all(line.n != work.n for line in lines):
        lines.insert(0, Line(work=work, n=work.n, peer="", own=own[work, work.n], other={}))
    return lines


def _environment():
    """Return an environment in which every library uses one thread and Python keeps its bytecode."""
    one = {name: "1" for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return kept | one


if __name__ == "__main__":
    main()
