"""What a run leaves behind: each notebook's status, and the hash of everything that its numbers depend on."""

import contextlib
import importlib.metadata
import json
import platform
from dataclasses import dataclass
from pathlib import Path

from evalkit.files import package_data, sha256_file, sha256_json, write_atomic

# Code that no number of a notebook depends on: it makes the input, starts the notebook or draws its results.
_NOT_NUMBERS = {"simulate", "run", "reports", "publish.py", "cli.py", "__main__.py"}
_STACK = ("duckdb", "lifelines", "numpy", "pandas", "scipy", "statsmodels")


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """How a notebook's last run ended: ``done``, ``failed``, ``interrupted`` or ``running``; never data."""

    notebook: str
    status: str
    step: str = ""
    error: str = ""
    input_sha256: str = ""


def read_status(folder, notebook):
    """Return the last status; ``Status`` without a hash when there is none."""
    try:
        return Status(**json.loads((folder / "status" / f"{notebook}.json").read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return Status(notebook=notebook, status="")


def write_status(folder, status):
    """Write the status of a notebook, whole or not at all."""
    values = {name: getattr(status, name) for name in Status.__slots__}
    write_atomic(folder / "status" / f"{status.notebook}.json", json.dumps(values, indent=1) + "\n")


def code_hash():
    """Hash the code, contract and versions that every notebook's numbers depend on."""
    package = Path(__file__).resolve().parents[1]
    code = {path.relative_to(package).as_posix(): sha256_file(path) for path in sorted(package.rglob("*.py"))
            if path.relative_to(package).parts[0] not in _NOT_NUMBERS}
    contract = {path.name: sha256_file(path) for path in sorted(package_data("data_schema").rglob("*"))
                if path.is_file()}
    versions = {name: importlib.metadata.version(name) for name in _STACK}
    return sha256_json({"code": code, "contract": contract, "versions": versions,
                        "python": platform.python_version()})


def data_hashes(sources, cache):
    """Hash every source file; a large file is read again only when its size or time has changed.

    Parameters
    ----------
    sources : list of mapping
        As ``Site.sources`` yields them.
    cache : Path
        JSON file of what was hashed before; it is written anew.

    Returns
    -------
    dict of str to str
        A missing file has the empty hash: that it is missing is part of the input.
    """
    known, fresh = _read_json(cache), {}
    for source in sources:
        path = Path(source["path"])
        if not path.is_file():
            fresh[str(path)] = ["", ""]
            continue
        stamp = f"{path.stat().st_size} {path.stat().st_mtime_ns}"
        held = known.get(str(path), ["", ""])
        fresh[str(path)] = held if held[0] == stamp else [stamp, sha256_file(path)]
    write_atomic(cache, json.dumps(fresh, indent=1))
    return {path: digest for path, (_, digest) in fresh.items()}


def _read_json(path):
    with contextlib.suppress(OSError, ValueError):
        return json.loads(path.read_text(encoding="utf-8"))
    return {}
