"""Whether the pages that stand are those that publishing would make again."""

import importlib.metadata
import json
from pathlib import Path

from evalkit.files import sha256_file, sha256_json, write_atomic
from evalkit.run.record import data_hashes

_MANIFEST = "manifest.json"
_DRAWN_BY = ("evalkit", "jinja2", "markdown-it-py", "matplotlib", "numpy", "pandas", "seaborn")


def pages_up_to_date(site, languages):
    """Say whether nothing that pages are made from has changed, and the pages are as they were written.

    Parameters
    ----------
    site : Site
    languages : sequence of str
        In which pages would be made.
    """
    try:
        recorded = json.loads(_record(site).read_text(encoding="utf-8"))
        return recorded == _state(site, languages) and _stands(site.out)
    except (OSError, ValueError):
        return False


def record_pages(site, languages):
    """Keep what the pages were made from, in the private folder."""
    write_atomic(_record(site), json.dumps(_state(site, languages), indent=1) + "\n")


def _record(site):
    return site.private / "pages.json"


def _state(site, languages):
    package = Path(__file__).resolve().parents[1]
    code = [path for path in package.rglob("*") if path.suffix != ".pyc"]
    released = [*(site.private / "notebooks").glob("[a-z]*.ipynb"), site.private / "releases.jsonl"]
    made_from = {
        "code": _digests(package, code), "released": _digests(site.private, released), "site": site.sha256,
        # Ids of persons, which the pages are searched for, come from the data.
        "data": sorted(data_hashes(site.sources, site.private / "hashes.json").items()),
        "versions": {name: importlib.metadata.version(name) for name in _DRAWN_BY}}
    return {"languages": list(languages), "made_from": sha256_json(made_from),
            "manifest": sha256_file(site.out / _MANIFEST)}


def _digests(root, paths):
    return {path.relative_to(root).as_posix(): sha256_file(path) for path in sorted(paths) if path.is_file()}


def _stands(out):
    written = json.loads((out / _MANIFEST).read_text(encoding="utf-8"))["files"]
    return _digests(out, [path for path in out.rglob("*") if path.name != _MANIFEST]) == written
