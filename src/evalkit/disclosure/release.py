"""`release`: the only way from a `Result` to what may leave."""

import re
from dataclasses import asdict, fields

import numpy as np

from evalkit.disclosure.counts import protect_counts, protect_shares
from evalkit.disclosure.curves import protect_curves
from evalkit.disclosure.diagnostics import diagnostics_of
from evalkit.disclosure.models import protect_aggregates, protect_models
from evalkit.disclosure.plain import plain
from evalkit.disclosure.rounding import Tally
from evalkit.disclosure.scaled import rescaled
from evalkit.disclosure.scan import scan
from evalkit.errors import DisclosureError
from evalkit.files import canonical_json, sha256_json
from evalkit.result import COLUMNS, Released, Result

SCHEMA = "evalkit.released/1"
_PROTECT = {"counts": protect_counts, "share": protect_shares, "curve": protect_curves,
            "model": protect_models, "aggregate": protect_aggregates, "money": protect_aggregates}
_NAME = re.compile(r"^[a-z][a-z0-9_]{0,59}$")
_GATE = re.compile(r"^[a-z][a-z_]{0,39}$")


def release(result, profile, *, name):
    """Protect a result by its kind and return what may leave.

    Parameters
    ----------
    result : Result
        Nothing else is released; a withheld result leaves no number.
    profile : Profile
        The data holder's rules.
    name : str
        File in the bundle: small letters, digits and ``_``.

    Returns
    -------
    Released
        ``payload["rows"]`` holds decimal texts; suppressed cells are null and only counted.

    Raises
    ------
    DisclosureError
        If the object, its kind, a value or a text is not of a form whose rules are known.

    Examples
    --------
    >>> from evalkit.profile import Profile
    >>> from evalkit.result import Estimand, tidy
    >>> rules = Profile(name="example", valid_from="2015-01-01", min_n=5, min_events=5, rounding_base=5,
    ...                 decimals=3, source="example", is_verified=False)
    >>> table = tidy(term="in_job", group=["F", "M"], n_persons=[40, 40], n_events=[18, 3])
    >>> shares = Result(kind="share", estimand=Estimand(name="in_job", unit="share"), table=table)
    >>> [row[3] for row in release(shares, rules, name="in_job").payload["rows"]]
    ['0.500', None]
    """
    _require(result, name)
    tally = Tally()
    rows = [] if result.withheld else _PROTECT[result.kind](rescaled(result, profile, tally), profile, tally)
    diagnostics = _reasons(result) if result.withheld else diagnostics_of(result, rows, profile, tally)
    payload = {
        "schema": SCHEMA, "name": name, "kind": result.kind, "withheld": result.withheld,
        "estimand": plain(_fields(result.estimand), "estimand"),
        "columns": list(COLUMNS), "rows": [[row[column] for column in COLUMNS] for row in rows],
        "suppressed": tally.payload(profile.rounding_base), "diagnostics": diagnostics,
        "provenance": _provenance(result), "profile": plain(asdict(profile), "profile"),
    }
    _require_clean(payload, name)
    return Released(name=name, payload=payload, sha256=sha256_json(payload))


def _fields(record):
    """Return a dataclass's fields as a mapping, without copying what they hold."""
    return {spec.name: getattr(record, spec.name) for spec in fields(record)}


def _require(result, name):
    if type(result) is not Result:
        raise DisclosureError(
            f"release: found {type(result).__name__}, expected a Result; nothing else has rules for leaving")
    if not _NAME.match(name) or re.search(r"\d{5}", name):
        raise DisclosureError(
            "release: an output's name must be small letters, digits and _ (at most 60, no long numbers)")
    if result.kind not in _PROTECT:
        raise DisclosureError(f"release {name}: no rules for kind {result.kind!r}")
    if result.withheld and not _GATE.match(result.withheld):
        raise DisclosureError(
            f"release {name}: withheld must be the key of a gate (small letters and _), found other text")
    _require_texts(result.table, name)


def _require_texts(table, name):
    texts = [value for column in ("term", "group") for value in table[column]]
    bad = sum(not isinstance(value, str) or len(value) > 200 or "\n" in value for value in texts)
    if bad:
        raise DisclosureError(
            f"release {name}: {bad} terms or groups are not short texts; labels are keys, not data")
    other = [column for column in COLUMNS[2:] if not np.issubdtype(table[column].dtype, np.floating)]
    if other:
        raise DisclosureError(
            f"release {name}: columns {', '.join(other)} are not numbers; build the table with tidy()")


def _require_clean(payload, name):
    found = sorted({finding.kind for finding in scan(canonical_json(payload).encode())})
    if found:
        raise DisclosureError(
            f"release {name}: its texts hold {', '.join(found)}; take them out of labels and options")


def _reasons(result):
    """Return the keys that say why nothing is shown (which tables are missing); never a number."""
    listed = {key: value if isinstance(value, list | tuple) else [value]
              for key, value in result.diagnostics.items()}
    return {key: list(words) for key, words in listed.items()
            if all(isinstance(word, str) and _GATE.match(word) for word in words)}


def _provenance(result):
    record = _fields(result.provenance)
    # A file is known by its name and hash; where it lies on a machine is nobody's business.
    record["inputs"] = {re.split(r"[\\/]", str(file))[-1]: digest
                        for file, digest in record["inputs"].items()}
    if result.withheld:
        record["options"] = {}
    return plain(record, "provenance")
