"""Tables as Statistics Denmark's StatBank answers: `;`, byte order mark, CRLF, one value column INDHOLD."""

import csv
import io
import re
from functools import cache
from pathlib import Path

import pandas as pd

from evalkit.errors import ContractError
from evalkit.files import package_data, write_atomic

_VALUE, _TIME = "INDHOLD", "TID"
# Danish labels write the quarter with K (kvartal).
_PERIOD = re.compile(r"^(\d{4})(?:([QK])([1-4])|M(0[1-9]|1[0-2]))?$")
# A code has no small letters: the Bornholm in "Province Bornholm" is a province, not the municipality.
_CODED = re.compile(r"^([0-9A-ZÆØÅ_-]+) (.+)$")
_MISSING = {"", "..", "...", "-", ":"}
_TOTALS = {
    "total",
    "i alt",
    "age, total",
    "alder i alt",
    "men and women, total",
    "mænd og kvinder i alt",
    "mænd og kvinder, i alt",
}
# Municipalities of the simulation are numbered, so that no page can take them for real ones.
_SIMULATED = re.compile(r"^Kommune \d+$")
_AGAIN = "Fetch it again with `evalkit public`, or save it from StatBank as CSV with semicolons"


def read(path, *, statbank=None):
    """Read one StatBank table into the form of ``municipality_period``.

    Labels may be English or Danish, with or without their codes before them (``CodeAndValue``). Only
    municipalities are kept: the country, regions, provinces, Christiansø, abroad and not stated are not,
    judged by the list of names in ``data_schema/codes/municipalities.csv`` and never by a prefix.

    Parameters
    ----------
    path : path-like
    statbank : str, optional
        The table's name; default: the file's.

    Returns
    -------
    DataFrame
        ``municipality`` (Danish name), ``period`` (2015, 2015Q1, 2015M01), ``measure`` (from
        ``data_schema/codes/statbank.csv``; a selection that is not listed there keeps its labels, so that
        it is never taken for a listed one), ``value`` (missing where StatBank writes ``..``), ``source``.

    Raises
    ------
    ContractError
        If the file is not such a table, or a municipality is missing; all faults at once.
    """
    path = Path(path)
    table = (statbank or path.stem).upper()
    raw = _raw(path)
    area = max(
        (column for column in raw.columns if column not in (_VALUE, _TIME)),
        key=lambda column: _municipality(raw[column]).notna().sum(),
    )
    frame = pd.DataFrame(
        {
            "municipality": _municipality(raw[area]),
            "period": _period(raw[_TIME]),
            "measure": _measure(raw.drop(columns=[area, _VALUE, _TIME]), table),
            "value": _number(raw[_VALUE]),
        }
    )
    frame = frame[frame["municipality"].notna()].reset_index(drop=True)
    frame["source"] = _source(frame, table)
    _refuse(path, raw, frame)
    return frame


def write(path, frame, *, statbank, language="en", with_codes=False):
    """Write one measure of ``municipality_period`` as StatBank would answer it.

    Parameters
    ----------
    path : path-like
    frame : DataFrame
        ``municipality, period, value``.
    statbank : str
        A table of ``data_schema/codes/statbank.csv``: its columns and labels.
    language : {"en", "da"}
    with_codes : bool
        Write ``860 Hjørring`` (``CodeAndValue``) where a code is known.
    """
    rows = [row for row in tables() if row["table"] == statbank]
    fixed = {row["dimension"]: row[f"label_{language}"] for row in rows if row["dimension"]}
    codes, english = _codes()
    out = io.StringIO()
    writer = csv.writer(out, delimiter=";", lineterminator="\r\n")
    writer.writerow([*fixed, rows[0]["area"], _TIME, _VALUE])
    for name, period, value in zip(frame["municipality"], frame["period"], frame["value"], strict=True):
        label = english.get(name, name) if language == "en" else name
        label = f"{codes[name]} {label}" if with_codes and name in codes else label
        time = period.replace("Q", "K") if language == "da" else period
        writer.writerow([*fixed.values(), label, time, ".." if pd.isna(value) else f"{value:.10g}"])
    write_atomic(path, b"\xef\xbb\xbf" + out.getvalue().encode())


@cache
def tables():
    """Return the rows of ``data_schema/codes/statbank.csv``: which tables are known and what they measure."""
    return _rows("statbank.csv")


@cache
def municipalities():
    """Return the rows of ``data_schema/codes/municipalities.csv``, one for each of the 98."""
    return _rows("municipalities.csv")


def _rows(name):
    with package_data("data_schema", "codes", name).open(encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle))


def _codes():
    rows = municipalities()
    return {row["name"]: row["code"] for row in rows}, {row["name"]: row["name_en"] for row in rows}


def _raw(path):
    try:
        raw = pd.read_csv(path, sep=";", encoding="utf-8-sig", dtype=str, keep_default_na=False)
    except FileNotFoundError:
        raise ContractError(f"{path.name}: no such file. {_AGAIN}") from None
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError):
        raise ContractError(f"{path.name}: not a table with semicolons in UTF-8. {_AGAIN}") from None
    raw.columns = [str(column).strip().upper() for column in raw.columns]
    missing = [name for name in (_TIME, _VALUE) if name not in raw.columns]
    if missing or len(raw.columns) < 3:
        raise ContractError(
            f"{path.name}: no column {' and '.join(missing) or 'of areas'}; columns are "
            f"{', '.join(raw.columns)}. {_AGAIN}"
        )
    return raw


def _mapped(column, translate):
    """Translate a column by its few distinct labels."""
    return column.map({label: translate(label) for label in column.unique()})


def _code_and_text(label):
    match = _CODED.match(label.strip())
    return (match[1], match[2]) if match else ("", label.strip())


def _municipality(column):
    known = {
        key: row["name"] for row in municipalities() for key in (row["name"], row["name_en"], row["code"])
    }

    def translate(label):
        code, text = _code_and_text(label)
        name = known.get(code.lstrip("0") if code else text)
        return text if name is None and _SIMULATED.match(text) else name

    return _mapped(column, translate)


def _period(column):
    def translate(label):
        match = _PERIOD.match(label.split(" ")[0])
        if match is None:
            return None
        year, quarter, month = match[1], match[3], match[4]
        return f"{year}Q{quarter}" if quarter else f"{year}M{month}" if month else year

    return _mapped(column, translate)


def _number(column):
    text = column.str.strip().str.replace(",", ".", regex=False)
    return pd.to_numeric(text.mask(text.isin(_MISSING)), errors="coerce").astype(float)


def _measure(dimensions, table):
    """Name what the other columns select: a listed measure, or the table with the labels as they stand."""
    listed = [row for row in tables() if row["table"] == table]
    parts = [
        _mapped(dimensions[name], lambda label, name=name: _selection(label, name, listed))
        for name in dimensions.columns
    ]
    whole = next((row["measure"] for row in listed if not row["dimension"]), "")
    names = pd.Series("", index=dimensions.index)
    for part in parts:
        names = names.where(part == "", names.where(names == "", names + ": ") + part)
    listed_measures = {row["measure"] for row in listed}
    return _mapped(
        names,
        lambda name: (
            name if name in listed_measures and name else f"{table}: {name}" if name else whole or table
        ),
    )


def _selection(label, dimension, listed):
    texts = (label.strip(), _code_and_text(label)[1])
    for row in listed:
        if row["dimension"] == dimension and {row["label_en"], row["label_da"]} & set(texts):
            return row["measure"]
    return "" if any(text.lower() in _TOTALS for text in texts) else texts[0]


def _is_simulated(frame):
    return any(_SIMULATED.match(name) for name in frame["municipality"].unique())


def _source(frame, table):
    # A simulated file must never be cited as Statistics Denmark's.
    return (
        f"Simulated, in the form of table {table}"
        if _is_simulated(frame)
        else f"Statistics Denmark, table {table}, CC BY 4.0"
    )


def _refuse(path, raw, frame):
    faults = []
    unread = {
        _TIME: _period(raw[_TIME]).isna().sum(),
        _VALUE: (_number(raw[_VALUE]).isna() & ~raw[_VALUE].str.strip().isin(_MISSING)).sum(),
    }
    faults += [
        f"column {name}: {count} of {len(raw)} rows cannot be read" for name, count in unread.items() if count
    ]
    found = set(frame["municipality"])
    absent = [row["name"] for row in municipalities() if row["name"] not in found]
    if absent and not _is_simulated(frame):
        faults.append(f"{98 - len(absent)} of 98 municipalities are there; missing: {', '.join(absent)}")
    repeated = int(frame.duplicated(["municipality", "period", "measure"]).sum())
    if repeated:
        faults.append(f"{repeated} rows repeat a municipality, period and measure")
    if faults:
        raise ContractError(f"{path.name}:\n" + "\n".join(f"- {fault}" for fault in faults) + f"\n{_AGAIN}")
