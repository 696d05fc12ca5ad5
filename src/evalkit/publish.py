"""From an executed run to pages, bundle and dictionary: only what was released, scanned, moved in whole."""

import csv
import hashlib
import io
import json
import re
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from evalkit import reports
from evalkit.disclosure import scan
from evalkit.errors import DisclosureError, RunError
from evalkit.files import sha256_json, write_atomic
from evalkit.result import MEDIA_TYPE

NOTEBOOKS = ("synthesis", "effect", "mechanism", "user", "monitoring", "data_check")
_LANGUAGES = ("da", "en")
_MANIFEST = "manifest.json"
RELEASE_LOG = "releases.jsonl"


def pages(run_dir, out_dir, *, site_meta, languages=_LANGUAGES, made=None, known_ids=frozenset()):
    """Publish what a run released: pages in each language, index, bundle and data dictionary.

    The pages are made from the executed notebooks alone; nothing is executed. Everything is made and scanned
    first and moved in whole, so that earlier pages stand until the new ones are complete.

    Parameters
    ----------
    run_dir : path-like
        A site's private folder: ``notebooks/<name>.ipynb`` as executed, and the release log.
    out_dir : path-like
        Replaced; it must be empty, missing, or made by an earlier call.
    site_meta : mapping
        ``title`` and ``note``, each a mapping of language to text.
    languages : sequence of {"da", "en"}
        The first is the language of ``index.html``.
    made : sequence of {"da", "en"}, optional
        Those to make now; pages of the others stay as an earlier call left them. Default: all.
    known_ids : set of str
        Ids of the site's persons, which must not be in any byte.

    Returns
    -------
    Path
        The first page.

    Raises
    ------
    DisclosureError
        If an output was not released by this run, or the final bytes hold what must not leave.
    RunError
        If there is nothing to publish or the folder cannot be replaced.
    """
    log = _release_log(Path(run_dir))
    entries = [_entry(path, log) for path in _executed(Path(run_dir))]
    made = list(languages if made is None else made)
    kept = _kept(Path(out_dir), [language for language in languages if language not in made])

    def having(page):
        return [language for language in languages if language in made or f"{language}/{page}" in kept]

    site_meta = {**site_meta, "is_simulated": _is_simulated(entries)}
    files = _bundle(entries)
    for language in made:
        files |= _language_files(entries, language, having, site_meta)
    first = having("index.html")[0]
    listed = [entry for entry in entries if first in having(f"{entry['notebook']}.html")]
    files["index.html"] = _index(listed, first, having, site_meta, folder="")
    files = dict(sorted(({name: text.encode() for name, text in files.items()} | kept).items()))
    files[_MANIFEST] = _manifest(files)
    _require_clean(files, known_ids)
    _replace_folder(Path(out_dir), files)
    return Path(out_dir) / "index.html"


def _kept(out_dir, languages):
    """Read the earlier pages in these languages, those that are as they were written."""
    manifest = out_dir / _MANIFEST
    written = json.loads(manifest.read_text(encoding="utf-8"))["files"] if manifest.is_file() else {}
    found = {name: (out_dir / name).read_bytes() for name in written
             if name.partition("/")[0] in languages and (out_dir / name).is_file()}
    return {name: content for name, content in found.items()
            if hashlib.sha256(content).hexdigest() == written[name]}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cell:
    languages: frozenset
    part: object


def _executed(run_dir):
    found = {path.stem: path for path in (run_dir / "notebooks").glob("[a-z]*.ipynb")}
    if not found:
        raise RunError(f"publish: no executed notebook in {run_dir.name}; run the site first")
    order = [*(name for name in NOTEBOOKS if name in found), *sorted(set(found) - set(NOTEBOOKS))]
    return [found[name] for name in order]


def _release_log(run_dir):
    """Return (name, sha256) of everything that `run.show` released at this site."""
    log = run_dir / RELEASE_LOG
    lines = log.read_text(encoding="utf-8").splitlines() if log.is_file() else []
    return {(entry["name"], entry["sha256"]) for entry in map(json.loads, lines)}


def _entry(path, log):
    """Read a notebook once: its cells, what it released, and how many outputs were not."""
    notebook = json.loads(path.read_text(encoding="utf-8"))
    cells, n_not_exported, step = [], 0, 0
    for cell in notebook["cells"]:
        if cell["cell_type"] == "markdown":
            cells.append(_markdown_cell(cell))
        elif cell["cell_type"] == "code":
            step += 1
            shown = [_part(output, step, log) for output in cell.get("outputs", ())]
            cells += [_Cell(languages=frozenset(_LANGUAGES), part=part) for part in shown if part is not None]
            n_not_exported += shown.count(None)
    payloads = [cell.part.payload for cell in cells if isinstance(cell.part, reports.Shown)]
    _require_names(payloads, path.stem)
    return {"notebook": path.stem, "cells": cells, "payloads": payloads, "n_not_exported": n_not_exported,
            "strings": reports.load(path.stem)}


def _markdown_cell(cell):
    tags = frozenset(cell.get("metadata", {}).get("tags", ())) & frozenset(_LANGUAGES)
    return _Cell(languages=tags or frozenset(_LANGUAGES), part=reports.Prose("".join(cell["source"])))


def _part(output, step, log):
    if output["output_type"] == "error":
        name = output.get("ename", "")
        return reports.Failure(name if re.fullmatch(r"[A-Z][A-Za-z]{0,40}", name) else "Error", step)
    if MEDIA_TYPE not in output.get("data", {}):
        return None
    return reports.Shown(_released(output["data"][MEDIA_TYPE], step, log))


def _released(data, step, log):
    """Return a payload of this run; one that was changed, forged or made elsewhere is refused."""
    data = json.loads("".join(data)) if isinstance(data, list | str) else data
    payload = {key: value for key, value in data.items() if key != "sha256"}
    digest = sha256_json(payload)
    if digest != data.get("sha256") or (payload.get("name"), digest) not in log:
        raise DisclosureError(f"publish: an output of step {step} is not in the run's release log; "
                              "show it with run.show and run the notebook again")
    return data


def _require_names(payloads, notebook):
    names = [payload["name"] for payload in payloads]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise RunError(f"publish: notebook {notebook} shows {', '.join(twice)} more than once; "
                       "give each output its own name")


def _language_files(entries, language, having, site_meta):
    """Make the pages of one language; ``having`` names the languages that a page is there in."""
    files = {f"{language}/index.html": _index(entries, language, having, site_meta, folder=language)}
    for entry in entries:
        name = f"{entry['notebook']}.html"
        meta = _meta(site_meta, language, having, name) | {
            "title": _notebook_title(entry, language), "n_not_exported": entry["n_not_exported"]}
        files[f"{language}/{name}"] = reports.page(_parts(entry, language), language, entry["strings"], meta)
    files[f"{language}/dictionary.html"] = reports.dictionary(
        entries, language, reports.load(), _meta(site_meta, language, having, "dictionary.html"))
    return files


def _meta(site_meta, language, having, page):
    return {"site": _in_language(site_meta["title"], language), "index": "index.html",
            "note": _in_language(site_meta.get("note", ""), language),
            "is_simulated": site_meta["is_simulated"],
            "languages": {other: f"../{other}/{page}" for other in having(page)}}


def _index(entries, language, having, site_meta, *, folder):
    here, up = ("", "../") if folder else (f"{language}/", "")
    strings = reports.load()
    site = _in_language(site_meta["title"], language)
    meta = {"title": strings.say("index_title", language, site=site), "site": site,
            "is_simulated": site_meta["is_simulated"],
            "note": _in_language(site_meta.get("note", ""), language), "dictionary": f"{here}dictionary.html",
            "languages": {other: f"{up}{other}/index.html" for other in having("index.html")}}
    cards = [{**entry, "title": _notebook_title(entry, language), "parts": _parts(entry, language),
              "link": f"{here}{entry['notebook']}.html"} for entry in entries]
    return reports.index(cards, language, strings, meta)


def _is_simulated(entries):
    """Return whether anything released rests on simulated persons; then every page of the site says so."""
    return any("simulated" in payload["provenance"]["rests_on"]
               for entry in entries for payload in entry["payloads"])


def _parts(entry, language):
    return [cell.part for cell in entry["cells"] if language in cell.languages]


def _notebook_title(entry, language):
    return entry["strings"].label(f"notebook_{entry['notebook']}", language)


def _in_language(text, language):
    return text if isinstance(text, str) else text.get(language, "")


def _bundle(entries):
    files = {}
    for entry in entries:
        for payload in entry["payloads"]:
            path = f"bundle/{entry['notebook']}/{payload['name']}"
            files[f"{path}.json"] = json.dumps(payload, ensure_ascii=False, indent=1, sort_keys=True) + "\n"
            files[f"{path}.csv"] = _csv(payload)
    return files


def _csv(payload):
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(payload["columns"])
    writer.writerows(["" if value is None else value for value in row] for row in payload["rows"])
    return file.getvalue()


def _manifest(files):
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    return (json.dumps({"made_by": "evalkit", "files": digests}, indent=1, sort_keys=True) + "\n").encode()


def _require_clean(files, known_ids):
    faults = []
    for name, content in files.items():
        in_name, inside = scan(name, known_ids), scan(content, known_ids)
        shown = "a file name" if in_name else name
        for kind in sorted({finding.kind for finding in [*in_name, *inside]}):
            places = [str(finding.position) for finding in [*in_name, *inside] if finding.kind == kind]
            faults.append(f"{shown}: {kind} at position {', '.join(places[:3])} ({len(places)} in all)")
    if faults:
        raise DisclosureError("publish: nothing was published, since the pages hold what must not leave:\n"
                              + "\n".join(f"- {fault}" for fault in faults))


def _replace_folder(out_dir, files):
    """Write beside and move in whole; the earlier folder is kept until the new one stands."""
    staging, old = (out_dir.with_name(f".{out_dir.name}.{part}") for part in ("staging", "old"))
    if old.exists() and not out_dir.exists():
        _rename(old, out_dir)
    _require_replaceable(out_dir)
    shutil.rmtree(staging, ignore_errors=True)
    shutil.rmtree(old, ignore_errors=True)
    try:
        for name, content in files.items():
            write_atomic(staging / name, content)
        if out_dir.exists():
            _rename(out_dir, old)
        _move_in(staging, out_dir, old)
    except OSError as error:
        raise RunError(
            f"publish: cannot write {out_dir.name} ({type(error).__name__}); the earlier pages are untouched."
            " Close programs that have them open, and see that the folder can be written") from None
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    shutil.rmtree(old, ignore_errors=True)


def _move_in(staging, out_dir, old):
    try:
        _rename(staging, out_dir)
    except OSError:
        if old.exists():
            _rename(old, out_dir)
        raise


def _require_replaceable(out_dir):
    if not out_dir.exists() or (out_dir / _MANIFEST).is_file():
        return
    if not out_dir.is_dir() or any(out_dir.iterdir()):
        raise RunError(
            f"publish: {out_dir.name} holds something that evalkit did not make; name an empty folder")


def _rename(source, target):
    """Rename a folder; on Windows a virus scanner or an open file may hold it for a moment."""
    for wait in (0.1, 0.3, 1.0, 2.0):
        try:
            source.rename(target)
            return
        except PermissionError:
            time.sleep(wait)
    source.rename(target)
