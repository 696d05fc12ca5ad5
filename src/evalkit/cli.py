"""The command line: parse, call, say where the result lies. An exit code for each kind of error."""

import argparse
import difflib
import shutil
import signal
import sys
from pathlib import Path

from evalkit import run, spec
from evalkit.errors import ContractError, EvalkitError, RunError
from evalkit.files import package_data

PERSONS = 6000
EXAMPLES = ("hjoerring", "frederikshavn")
# A comparison municipality of the example is this share of the treated one.
_COMPARISON_SHARE = 0.15


def main(argv=None):
    """Run one command and return its exit code.

    Parameters
    ----------
    argv : sequence of str, optional
        Default: the process's own arguments.

    Returns
    -------
    int
        0, or the ``exit_code`` of the error's kind, 2 for a wrong call, 130 for an interrupt.
    """
    # A shell starts background jobs with the interrupt switched off; a run must be stoppable.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    # Redirected on Windows, output has a code page in which a name may not be written: escaped, not a stop.
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="backslashreplace")
    arguments = parser().parse_args(argv)
    try:
        arguments.command(arguments)
    except EvalkitError as error:
        print(f"evalkit: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("evalkit: interrupted; reports of earlier runs are untouched", file=sys.stderr)
        return 130
    return 0


def demo(arguments):
    """Make the example when it is absent, then run it."""
    site = spec.load_site(_example_site_file(Path(arguments.to), arguments.site), public=arguments.public)
    if not all((site.data.folder / item.file).is_file() for item in site.data.deliveries):
        _simulate(arguments.site, arguments.persons, arguments.seed, site.data.folder)
    _run(site, arguments)


def simulate(arguments):
    """Write the files of an example municipality with a known truth."""
    _simulate(arguments.site, arguments.persons, arguments.seed, Path(arguments.to), arguments.dirty)


def public(arguments):
    """Fetch Statistics Denmark's tables."""
    from evalkit.contract.download import download_public

    download_public(arguments.table or [], Path(arguments.to))


def check(arguments):
    """Check a site's files against the contract and print every problem."""
    from evalkit import contract

    site = spec.load_site(arguments.site, public=arguments.public)
    report = contract.check(site.sources)
    for problem in report.problems.to_dict("records"):
        print(_problem_line(problem))
    if not report.ok:
        raise ContractError(f"{site.path.name}: the files break the contract; mend them and run check again")
    print(f"{site.municipality}: {len(site.sources)} files keep the contract")


def run_site(arguments):
    """Run a site's notebooks and publish."""
    _run(spec.load_site(arguments.site, public=arguments.public), arguments)


def release(arguments):
    """Publish the last good run again; nothing is executed."""
    site = spec.load_site(arguments.site)
    with run.workspace(site):
        _publish(site, arguments.language)
        print(f"Open {site.out / 'index.html'}")


def lab(_arguments):
    """Open the notebooks in JupyterLab with this interpreter."""
    notebooks = package_data("notebooks")
    try:
        from jupyterlab.labapp import main as start
    except ImportError:
        raise RunError('JupyterLab is not installed; pip install "evalkit[lab]"') from None
    start([f"--notebook-dir={notebooks.parent}", f"--LabApp.default_url=/lab/tree/{notebooks.name}"])


def parser():
    """Build the parser: one command each for what a user wants to do."""
    top = argparse.ArgumentParser(
        prog="evalkit", description="Evaluate a programme from weekly register data and surveys.")
    commands = top.add_subparsers(required=True, metavar="COMMAND")
    one = _command(commands, "demo", demo, "make the example, run every notebook, write its pages",
                   "evalkit demo --site hjoerring --to .")
    _add(one, "simulated", "public", "languages")
    one.add_argument("--to", default=".", metavar="DIR",
                     help="folder for input, private files and pages (default: here)")
    one = _command(commands, "simulate", simulate, "write the files of an example municipality",
                   "evalkit simulate --site hjoerring --persons 6000 --seed 1 --to data/hjoerring")
    _add(one, "simulated")
    one.add_argument("--to", required=True, metavar="DIR", help="folder for the files")
    one.add_argument("--dirty", action="store_true", help="plant the errors that real deliveries have")
    one = _command(commands, "public", public, "fetch Statistics Denmark's tables",
                   "evalkit public --to data/public")
    one.add_argument("--to", required=True, metavar="DIR", help="folder for the tables")
    one.add_argument("--table", action="append", metavar="NAME",
                     help="one table; default: all that the studies need")
    one = _command(commands, "check", check, "check a site's files, list every problem",
                   "evalkit check analysis/municipalities/hjoerring.yaml")
    _add(one, "site", "public")
    one = _command(commands, "run", run_site, "run a site's notebooks and write its pages",
                   "evalkit run analysis/municipalities/hjoerring.yaml --notebook effect --language da")
    _add(one, "site", "public", "languages")
    one.add_argument("--notebook", action="append", metavar="NAME",
                     help="only this one (and data_check before it)")
    one.add_argument("-p", "--parameter", action="append", default=[], metavar="NAME=VALUE",
                     type=_name_and_value, help="a value for the notebooks' parameters cell")
    one = _command(commands, "release", release, "publish the last good run again, executing nothing",
                   "evalkit release analysis/municipalities/hjoerring.yaml")
    _add(one, "site", "languages")
    _command(commands, "lab", lab, "open the notebooks in JupyterLab", "evalkit lab")
    return top


def _command(commands, name, function, text, example):
    command = commands.add_parser(name, help=text, description=text.capitalize() + ".",
                                  epilog=f"example: {example}")
    command.set_defaults(command=function, notebook=None, parameter=[])
    return command


def _add(command, *groups):
    if "site" in groups:
        command.add_argument("site", metavar="SITE.yaml", help="the site's file")
    if "simulated" in groups:
        command.add_argument("--site", default=EXAMPLES[0], type=_example, metavar="NAME",
                             help=f"{' or '.join(EXAMPLES)} (default: {EXAMPLES[0]})")
        command.add_argument("--persons", type=_whole_number(1), default=PERSONS, metavar="N",
                             help=f"persons in the municipality (default: {PERSONS})")
        command.add_argument("--seed", type=_whole_number(0), default=1, metavar="N",
                             help="of the simulation (default: 1)")
    if "public" in groups:
        command.add_argument("--public", metavar="DIR",
                             help=f"StatBank tables; or set {spec.PUBLIC_VARIABLE}")
    if "languages" in groups:
        command.add_argument("--language", choices=("da", "en"), help="pages in this language only")


def _example(name):
    if name not in EXAMPLES:
        close = difflib.get_close_matches(name, EXAMPLES, n=1)
        hint = f"did you mean {close[0]}?" if close else f"examples are {', '.join(EXAMPLES)}"
        raise argparse.ArgumentTypeError(f"no example {name!r}; {hint}")
    return name


def _whole_number(least):
    def read(text):
        if not text.isdecimal() or int(text) < least:
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least {least}")
        return int(text)
    return read


def _name_and_value(text):
    name, sign, value = text.partition("=")
    if not sign:
        raise argparse.ArgumentTypeError("expected NAME=VALUE, for instance seed=7")
    return name, value


def _problem_line(problem):
    where = " ".join(str(problem[key]) for key in ("file", "table", "column") if problem[key])
    rows = ", ".join(map(str, problem["first_rows"]))
    lines = rows and f" (first lines {rows})"
    return (f"{problem['severity']}: {where}: {problem['rule']}, {problem['count']} found{lines}. "
            f"{problem['next_step']}")


def _example_site_file(folder, name):
    """Return the site file in the folder; the shipped one is copied there first, to be read and changed."""
    target = folder / "analysis" / "municipalities"
    for file in (f"{name}.yaml", f"{name}_prices.csv"):
        if not (target / file).is_file():
            target.mkdir(parents=True, exist_ok=True)
            shutil.copy(spec.find(f"analysis/municipalities/{file}"), target / file)
    return (target / f"{name}.yaml").resolve()


def _simulate(site, n_persons, seed, folder, dirty=False):
    from evalkit import simulate

    if folder.is_dir() and any(folder.iterdir()) and not (folder / "truth.json").is_file():
        raise RunError(f"{folder}: holds files that evalkit did not simulate; nothing was written. "
                       "Choose an empty folder")
    print(f"simulating {site}, {n_persons} persons, seed {seed}", file=sys.stderr, flush=True)
    made = simulate.register(site=site, n_persons=n_persons, seed=seed, dirty=dirty,
                             persons_per_comparison=round(n_persons * _COMPARISON_SHARE))
    simulate.write(made, folder)


def _run(site, arguments):
    progress, wanted = run.Progress(), {"names": arguments.notebook, "parameters": dict(arguments.parameter)}
    run.require_call(site, **wanted)  # a misspelt name is told at once, also while another run is under way
    with run.workspace(site):
        _say_panel(site, progress)
        outcome = run.run_notebooks(site, **wanted, progress=progress)
        if run.pages_up_to_date(site, _languages(site, arguments.language)):
            progress.say("pages: up to date")
        else:
            _publish(site, arguments.language)
        print(f"Open {site.out / 'index.html'}")
        progress.say(f"total {progress.elapsed()}")
    if outcome.failed:
        raise RunError("; ".join(f"{name} failed: {reason}" for name, reason in outcome.failed.items()))


def _say_panel(site, progress):
    """Say which tables the panel section rests on where Statistics Denmark's are not there."""
    if site.has_public:
        return
    own = "the simulated tables" if site.data.origin == "simulated" else "the site's own tables"
    told = f"uses {own}" if site.has_panel else "has no tables to use"
    folder = site.public.relative_to(site.root) if site.public.is_relative_to(site.root) else site.public
    progress.say(f"no StatBank tables in {folder.as_posix()}; the panel section {told}")


def _languages(site, language):
    return [language] if language else list(site.languages)


def _publish(site, language):
    from evalkit import contract, publish

    publish.pages(site.private, site.out, site_meta={"title": site.title, "note": site.note},
                  languages=site.languages, made=_languages(site, language),
                  known_ids=contract.known_ids(site.sources))
    run.record_pages(site, _languages(site, language))
