"""Run a site's notebooks: parameters first, then data_check, then the rest; never what is up to date."""

import datetime as dt
import traceback
from dataclasses import dataclass, field
from pathlib import Path

from evalkit import errors, evaluations, spec
from evalkit.errors import ContractError, RunError
from evalkit.files import package_data, sha256_file, sha256_json
from evalkit.result import MEDIA_TYPE
from evalkit.run.kernel import execute
from evalkit.run.parameters import fill, read_parameters
from evalkit.run.progress import Progress
from evalkit.run.record import Status, code_hash, data_hashes, read_status, write_status
from evalkit.run.workspace import append_private, executed, part_of

ORDER = ("data_check", "user", "mechanism", "effect", "monitoring")
GATE = "data_check"


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One notebook, ready to run: its file, its parameters and the hash of all that it depends on."""

    name: str
    path: Path
    parameters: dict
    n_cells: int
    input_sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a run did: names of notebooks, and for each that failed its error class and step."""

    done: list = field(default_factory=list)
    up_to_date: list = field(default_factory=list)
    failed: dict = field(default_factory=dict)
    skipped: list = field(default_factory=list)


def run_notebooks(site, *, names=None, parameters=None, progress=None, folder=None):
    """Run the notebooks of a site inside its `workspace`.

    Parameters
    ----------
    site : Site
    names : sequence of str, optional
        Default: all. ``data_check`` always comes first, since it gates the others.
    parameters : mapping, optional
        Values for the parameters cell of the named notebooks; values may be texts.
    progress : Progress, optional
    folder : path-like, optional
        Of the notebooks; default: the shipped ones.

    Returns
    -------
    Outcome
        A notebook that fails does not stop the next; earlier executed notebooks are never touched.

    Raises
    ------
    SpecError, RunError
        Unknown notebook, misspelt or mistyped parameter, malformed study: before any kernel starts.
    ContractError
        If ``data_check`` found errors in the data.
    """
    progress = progress or Progress()
    folder = Path(folder) if folder else package_data("notebooks")
    names = _in_order(names, folder)
    with_gate = names if GATE in names or GATE not in notebook_names(folder) else [GATE, *names]
    shared = {"site": site.sha256, "code": code_hash(),
              "data": sorted(data_hashes(site.sources, site.private / "hashes.json").items())}
    jobs = [_job(site, folder / f"{name}.ipynb", parameters if name in names else {}, shared)
            for name in with_gate]
    outcome = Outcome()
    for job in jobs:
        _run(site, job, outcome, progress)
        if job.name == GATE:
            _require_gate(site, outcome)  # every later number would rest on refused data
    return outcome


def require_call(site, *, names=None, parameters=None, folder=None):
    """Refuse an unknown notebook or a wrong parameter; nothing is written and no lock is asked for.

    Raises
    ------
    SpecError, RunError
        As `run_notebooks` would.
    """
    folder = Path(folder) if folder else package_data("notebooks")
    for name in _in_order(names, folder):
        _filled(site, folder / f"{name}.ipynb", parameters)


def notebook_names(folder=None):
    """Return the names of the notebooks in a folder (default: the shipped ones) as they run."""
    found = {path.stem for path in (folder or package_data("notebooks")).glob("*.ipynb")}
    return [*(name for name in ORDER if name in found), *sorted(found - set(ORDER))]


def _in_order(names, folder):
    known = notebook_names(folder)
    unknown = sorted(set(names or ()) - set(known))
    if unknown:
        raise RunError(f"no notebook {', '.join(unknown)}; notebooks are {', '.join(known)}")
    return [name for name in known if names is None or name in names]


def _job(site, path, given, shared):
    notebook, values, study = _filled(site, path, given)
    depends = {**shared, "notebook": sha256_file(path), "study": getattr(study, "sha256", ""),
               "values": {key: value for key, value in values.items() if key not in ("site", "study")}}
    n_cells = sum(_runs(cell) for cell in notebook.cells)
    return Job(name=path.stem, path=path, parameters=values, n_cells=n_cells + 1,
               input_sha256=sha256_json(depends))


def _filled(site, path, given):
    """Return the notebook, the values of its parameters cell, and the study that they name."""
    import nbformat

    notebook = nbformat.read(path, as_version=4)
    values = fill(read_parameters(notebook, path.stem), {"site": str(site.path), **(given or {})}, path.stem)
    study = spec.load_study(values["study"]) if values.get("study") else None
    if study is not None:
        evaluations.preflight(study)
        values["study"] = str(spec.find(values["study"]))
    return notebook, values, study


def _run(site, job, outcome, progress):
    target = executed(site, job.name)
    last = read_status(site.private, job.name)
    if target.is_file() and last.status == "done" and last.input_sha256 == job.input_sha256:
        outcome.up_to_date.append(job.name)
        progress.say(f"{job.name}: up to date")
        return
    step = ["start"]
    try:
        _execute(site, job, step, progress)
    except KeyboardInterrupt:
        write_status(site.private, Status(notebook=job.name, status="interrupted", step=step[0]))
        raise RunError(f"{job.name}: interrupted at {step[0]}. Reports of earlier runs are untouched; "
                       "run again to go on from here") from None
    except Exception as error:
        _record_failure(site, job, step[0], error, outcome, progress)
        return
    part_of(site, job.name).replace(target)
    write_status(site.private, Status(notebook=job.name, status="done", input_sha256=job.input_sha256))
    outcome.done.append(job.name)
    progress.say(f"{job.name}: done, {progress.elapsed()}")


def _execute(site, job, step, progress):
    write_status(site.private, Status(notebook=job.name, status="running"))
    with progress.notebook(job.name, job.n_cells) as show:
        def on_cell(number):
            step[0] = f"cell {number} of {job.n_cells}"
            show(number)

        public = site.public if site.has_public else None
        notebook = execute(job.path, part_of(site, job.name), job.parameters, public, on_cell=on_cell)
    part_of(site, job.name).chmod(0o600)
    unrun = sum(_runs(cell) and cell.execution_count is None for cell in notebook.cells)
    if unrun:
        raise RunError(f"{unrun} cells did not run: the kernel stopped")
    _require_names_once(notebook, job.name)


def _require_names_once(notebook, name):
    names = [payload["name"] for payload in released(notebook)]
    twice = sorted({item for item in names if names.count(item) > 1})
    if twice:
        raise RunError(f"{name}: run.show was given the name {', '.join(twice)} twice; "
                       "a name is a file in the bundle")


def released(notebook):
    """Yield the Released payloads among a notebook's outputs, in order."""
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            if MEDIA_TYPE in output.get("data", {}):
                yield output["data"][MEDIA_TYPE]


def _record_failure(site, job, step, error, outcome, progress):
    kind = _error_class(error)
    append_private(site.private / "log.txt", f"{dt.datetime.now():%Y-%m-%d %H:%M:%S} {job.name} {step}\n"
                   + "".join(traceback.format_exception(error)) + "\n")
    write_status(site.private, Status(notebook=job.name, status="failed", step=step, error=kind))
    if part_of(site, job.name).is_file() and not executed(site, job.name).is_file():
        # No earlier report to protect: the page shows what went well and the class of the error.
        part_of(site, job.name).replace(executed(site, job.name))
    outcome.failed[job.name] = f"{kind} at {step}"
    progress.say(f"{job.name}: failed at {step}, {kind}{_own_message(error)}. "
                 f"The full trace is in {site.private / 'log.txt'} (private: it may hold data)")


def _error_class(error):
    if type(error).__name__ == "DeadKernelError" or "kernel stopped" in str(error):
        return "KernelDied"
    return getattr(error, "ename", None) or type(error).__name__


def _own_message(error):
    """Messages of evalkit's own errors hold no person's value; of any other error only the class is shown."""
    name = _error_class(error)
    if name == "KernelDied":
        return " (often: out of memory; close other programs or give the site fewer tables)"
    own = isinstance(getattr(errors, name, None), type)
    return f": {getattr(error, 'evalue', error)}" if own else ""


def _runs(cell):
    return cell.cell_type == "code" and bool(cell.source.strip())


def _require_gate(site, outcome):
    import nbformat

    if GATE in outcome.failed:
        raise RunError(f"{GATE} failed: {outcome.failed[GATE]}; the other notebooks were not started")
    notebook = nbformat.read(executed(site, GATE), as_version=4)
    if any(payload["diagnostics"].get("is_ok") is False for payload in released(notebook)):
        raise ContractError(f"{GATE} found errors in the data; the other notebooks were not started. "
                            f"List them with: evalkit check {site.path}")
