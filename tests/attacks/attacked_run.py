"""A site under attack: what a notebook left behind, published with and without each protection."""

import json
from types import SimpleNamespace

import pandas as pd

from evalkit import publish
from evalkit.disclosure import release
from evalkit.profile import Profile
from evalkit.result import Estimand, Result, tidy

IDS = {"q7k2mx9", "q7k2mxa", "q7k2mxb", "0101701234"}
ID = "q7k2mx9"
RULES = Profile(name="municipality_5", valid_from="2015-01-01", min_n=5, min_events=5, rounding_base=5,
                decimals=3,
                source="example", is_verified=False)
# Rules that protect nothing: what the same way out would let through without them.
NO_RULES = Profile(name="none", valid_from="2015-01-01", min_n=0, min_events=0, rounding_base=1, decimals=6,
                   source="example", is_verified=False)
PERSONS = pd.DataFrame({"person_id": sorted(IDS), "weeks": [3, 5, 8, 9]})


def result(kind="counts", unit="persons", table=None, **parts):
    """Return a small harmless Result."""
    table = tidy(term="step", estimate=120.0, n_persons=120.0) if table is None else table
    return Result(kind=kind, estimand=Estimand(name="step", unit=unit), table=table, **parts)


def numbers(answer, profile=RULES, column="estimate"):
    """Return a column of a released result as floats; None where nothing left."""
    payload = release(answer, profile, name="answer").payload
    k = payload["columns"].index(column)
    return [None if row[k] is None else float(row[k]) for row in payload["rows"]]


def notebook(*outputs, sources=()):
    """Return an executed notebook with these outputs in one cell."""
    code = {"cell_type": "code", "metadata": {}, "source": "", "outputs": list(outputs)}
    texts = [{"cell_type": "markdown", "metadata": {}, "source": text}
             for text in ("# A report\n\n## Estimate", *sources)]
    return {"cells": [*texts, code]}


def shown(released):
    """Return the output of run.show."""
    return {"output_type": "display_data", "metadata": {},
            "data": json.loads(json.dumps(released._repr_mimebundle_()))}


def as_nbconvert_would(executed):
    """Return what a plain export of a notebook shows: everything that any cell displayed."""
    parts = []
    for cell in executed["cells"]:
        for output in cell.get("outputs", ()):
            parts += [output.get("text", ""), output.get("evalue", ""), *output.get("traceback", ()),
                      *map(str, output.get("data", {}).values())]
    return "\n".join(parts)


def published(folder, executed, released=(), known_ids=frozenset(IDS)):
    """Publish a notebook; return every byte that left, as one text."""
    (folder / "private" / "notebooks").mkdir(parents=True, exist_ok=True)
    (folder / "private" / "notebooks" / "effect.ipynb").write_text(json.dumps(executed), encoding="utf-8")
    log = [json.dumps({"notebook": "effect", "name": one.name, "sha256": one.sha256}) for one in released]
    (folder / "private" / "releases.jsonl").write_text("\n".join(log), encoding="utf-8")
    site = {"title": {"da": "Kommunen", "en": "The municipality"}, "note": {"da": "Prøve.", "en": "Sample."}}
    publish.pages(folder / "private", folder / "out", site_meta=site, known_ids=known_ids)
    return everything(folder / "out")


def everything(out):
    """Return names and contents of all files of a folder as one text."""
    files = [path for path in sorted(out.rglob("*")) if path.is_file()] if out.exists() else []
    return "\n".join(path.relative_to(out).as_posix() + "\n" + path.read_text(encoding="utf-8")
                     for path in files)


def forged(answer, name="answer"):
    """Return an object that looks Released and was made without the rules."""
    made = release(answer, NO_RULES, name=name)
    return SimpleNamespace(name=name, sha256=made.sha256, payload=made.payload,
                           _repr_mimebundle_=made._repr_mimebundle_)
