"""Fetch public tables from Statistics Denmark's StatBank: an open interface, no key, no persons."""

import datetime as dt
import http.client
import json
import time
import urllib.error
import urllib.request
from pathlib import Path

from evalkit.contract.dialects import statbank
from evalkit.errors import ContractError, RunError
from evalkit.files import sha256_file, write_atomic

BASE_URL = "https://api.statbank.dk/v1"
MANIFEST = "manifest.json"
_ATTEMPTS = 4
_WORTH_A_RETRY = {408, 425, 429, 500, 502, 503, 504}
_TOTALS = {"total", "i alt", "age, total", "men and women, total"}


def download_public(tables, folder, *, base_url=BASE_URL, progress=print, timeout=60.0, wait=1.0):
    """Fetch StatBank tables for every municipality and period into a folder.

    For each table the interface is asked which variables it has; areas and periods are taken whole, the
    selections listed in ``data_schema/codes/statbank.csv`` by their labels, totals where there is one.

    Parameters
    ----------
    tables : sequence of str
        For instance ``["LBESK69", "AUK01", "FOLK1A"]``; empty for every table of the list.
    folder : path-like
        Gets ``TABLE.csv``, as it came, and ``manifest.json`` (table, query, time in UTC, sha256).
    base_url : str
    progress : callable
        Called with one line of text a table.
    timeout : float, seconds
        Of one request.
    wait : float, seconds
        Before the second attempt; doubled before each further one.

    Returns
    -------
    list of Path
        The files, each read once by the dialect before it is moved in.

    Raises
    ------
    RunError
        If the interface cannot be reached or does not answer after 4 attempts.
    ContractError
        If it refuses a table or answers something else than the table. Files fetched before stay whole.
    """
    folder, written = Path(folder), []
    ask = _Asker(base_url.rstrip("/"), timeout, wait)
    for table in [name.upper() for name in tables] or sorted({row["table"] for row in statbank.tables()}):
        query = _query(table, ask.json(f"/tableinfo/{table}?lang=en&format=JSON", table))
        content = ask.bytes("/data", table, query)
        path = _keep(folder, table, content)
        _note(folder, table, query, path)
        progress(f"{table}: {path.stat().st_size:,} bytes")
        written.append(path)
    return written


class _Asker:
    """One place that knows how often to ask, how long to wait, and what a refusal means."""

    def __init__(self, base_url, timeout, wait):
        self.base_url, self.timeout, self.wait = base_url, timeout, wait

    def json(self, address, table):
        try:
            return json.loads(self.bytes(address, table))
        except ValueError:
            raise ContractError(
                f"StatBank, table {table}: the description is not JSON. Try again later"
            ) from None

    def bytes(self, address, table, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            self.base_url + address, data=data, headers={"Content-Type": "application/json"}
        )
        reason = ""
        for attempt in range(_ATTEMPTS):
            if attempt:
                time.sleep(self.wait * 2 ** (attempt - 1))
            try:
                with urllib.request.urlopen(request, timeout=self.timeout) as answer:
                    return answer.read()
            except urllib.error.HTTPError as error:
                reason = f"status {error.code}"
                if error.code not in _WORTH_A_RETRY:
                    raise ContractError(_refusal(table, error)) from None
            except (OSError, http.client.HTTPException) as error:
                reason = str(getattr(error, "reason", error))
        raise RunError(
            f"StatBank, table {table}: no answer after {_ATTEMPTS} attempts ({reason}). Is this machine "
            "on the internet? Else fetch the tables on one that is, with `evalkit public --to FOLDER`, "
            "and copy the folder to where the site file's key public points"
        )


def _refusal(table, error):
    said = error.read(500).decode("utf-8", errors="replace").strip()
    return (
        f"StatBank, table {table}: refused with status {error.code}"
        + (f" ({said})" if said else "")
        + ". Look the table up on statbank.dk: its name or its labels may have changed"
    )


def _query(table, info):
    """Build the request: everything in space and time, the listed selection or the total in all else."""
    variables, faults = [], []
    for variable in info.get("variables", []):
        values = _values(table, variable)
        if values:
            variables.append({"code": variable["id"], "values": values})
        elif not variable.get("elimination"):
            faults.append(
                f"variable {variable['id']}: neither a total nor a label listed in "
                "data_schema/codes/statbank.csv is among its values"
            )
    if not any(item["values"] == ["*"] for item in variables):
        faults.append("no variable of areas or time")
    if faults:
        raise ContractError(
            f"StatBank, table {table}:\n"
            + "\n".join(f"- {fault}" for fault in faults)
            + "\nAdd the label to the list, or leave the table out"
        )
    return {"table": table, "format": "CSV", "lang": "en", "variables": variables}


def _values(table, variable):
    texts = {value["text"]: value["id"] for value in variable["values"]}
    if variable.get("time") or _is_area(variable):
        return ["*"]
    listed = [
        row["label_en"]
        for row in statbank.tables()
        if row["table"] == table and row["dimension"].upper() == variable["id"].upper()
    ]
    return [texts[label] for label in listed if label in texts] or [
        code for text, code in texts.items() if text.lower() in _TOTALS
    ][:1]


def _is_area(variable):
    names = {row["name"] for row in statbank.municipalities()}
    return len(names & {value["text"] for value in variable["values"]}) > len(names) / 2


def _keep(folder, table, content):
    """Move the answer in only when the dialect can read it: a broken answer never replaces a good file."""
    waiting = folder / ".waiting" / f"{table}.csv"
    write_atomic(waiting, content)
    try:
        statbank.read(waiting)
        waiting.replace(folder / f"{table}.csv")
    finally:
        waiting.unlink(missing_ok=True)
        waiting.parent.rmdir()
    return folder / f"{table}.csv"


def _note(folder, table, query, path):
    manifest = folder / MANIFEST
    known = _manifest(manifest)
    known[table] = {
        "query": query,
        "fetched": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        "sha256": sha256_file(path),
        "source": f"Statistics Denmark, table {table}, CC BY 4.0",
    }
    write_atomic(manifest, json.dumps(known, indent=2, ensure_ascii=False, sort_keys=True) + "\n")


def _manifest(path):
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
