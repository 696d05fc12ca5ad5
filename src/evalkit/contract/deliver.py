"""From a site's list of sources to parts in DuckDB: one a source and table, each row with its line number."""

import contextlib
import importlib
import inspect
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
import pandas as pd

from evalkit.contract import schema as contract
from evalkit.contract.problems import Delivery, Problem, file_name
from evalkit.errors import ContractError
from evalkit.files import sha256_file

DIALECTS = ("csv", "dream", "ydelsesrefusion", "statbank")
# In the order in which one of them names a table of several files.
ORIGINS = ("simulated", "assumed", "real", "source")
_OWN_KEYS = ("path", "file", "dialect", "origin", "codes", "data_from", "data_through")


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One canonical table out of one file.

    Attributes
    ----------
    table, file : str
    relation : str
        Name in DuckDB; it has every canonical column and ``_row``.
    text_columns : frozenset of str
        Columns that are still text as delivered.
    is_trusted : bool
        Whether the format itself guarantees keys and intervals.
    """

    table: str
    file: str
    relation: str
    text_columns: frozenset
    is_trusted: bool


@dataclass(slots=True, kw_only=True)
class Loaded:
    """All that a list of sources holds: parts, problems so far, windows, hashes, origins and code lists."""

    con: duckdb.DuckDBPyConnection
    parts: list = field(default_factory=list)
    problems: list = field(default_factory=list)
    windows: list = field(default_factory=list)
    inputs: dict = field(default_factory=dict)
    origins: dict = field(default_factory=dict)
    codes: pd.DataFrame | None = None
    states: pd.DataFrame | None = None

    @property
    def tables(self):
        """Names of the tables that were delivered, in the order of the contract."""
        delivered = {part.table for part in self.parts}
        return [name for name in contract.names() if name in delivered]


def load(sources):
    """Read every source by its dialect.

    Parameters
    ----------
    sources : sequence of mapping
        ``path``, ``dialect``, ``origin``, for csv ``table``; other keys are options of the dialect.
        ``codes`` names a code list, beside the file, in the place of evalkit's own; ``data_from`` and
        ``data_through`` (ISO dates) say what the file covers where the format does not.

    Returns
    -------
    Loaded

    Raises
    ------
    ContractError
        If a source names no known dialect, origin or table.
    """
    con = duckdb.connect()
    # A kernel without ipywidgets has no bar to switch off.
    with contextlib.suppress(duckdb.InvalidInputException):
        con.execute("set enable_progress_bar = false")
    loaded = Loaded(con=con, states=contract.states(), codes=_codes(sources))
    _register_lists(loaded)
    for source in sources:
        _check_source(source)
        _take(loaded, source)
    return loaded


def _check_source(source):
    name = file_name(source["path"])
    if source.get("dialect") not in DIALECTS:
        raise ContractError(f"{name}: no such dialect; dialects are {', '.join(DIALECTS)}")
    if source.get("origin") not in ORIGINS:
        raise ContractError(f"{name}: no such origin; origins are {', '.join(ORIGINS)}")
    if source["dialect"] == "csv" and source.get("table") not in contract.names():
        tables = ", ".join(contract.names())
        raise ContractError(f"{name}: the contract has no such table; tables are {tables}")


def _take(loaded, source):
    path = Path(source["path"])
    delivery = _deliver(path, source, loaded.con)
    if delivery.tables:
        loaded.inputs[_input_name(loaded, path)] = sha256_file(path)
    loaded.problems += delivery.problems
    window = _window(source, delivery)
    if window:
        loaded.windows.append(window)
    for table, rows in delivery.tables.items():
        loaded.parts.append(_part(loaded, table, rows, path.name, table in delivery.trusted))
        loaded.origins[table] = _origin(loaded.origins.get(table), source["origin"])


def _input_name(loaded, path):
    return path.name if path.name not in loaded.inputs else f"{path.parent.name}/{path.name}"


def _deliver(path, source, con):
    options = {key: value for key, value in source.items() if key not in _OWN_KEYS}
    module = importlib.import_module(f"evalkit.contract.dialects.{source['dialect']}")
    if source["dialect"] != "csv":
        options.pop("table", None)
    if source["dialect"] in ("csv", "ydelsesrefusion"):
        options["con"] = con
    _check_options(path, source, options, inspect.signature(module.read).parameters)
    try:
        delivery = module.read(path, **options)
    except ContractError as error:
        if source["dialect"] != "statbank":
            raise
        shared = {"file": path.name, "table": "municipality_period"}
        return Delivery(problems=(Problem(**shared, rule="statbank", count=1, hint=str(error)),))
    return delivery if isinstance(delivery, Delivery) else Delivery(tables={"municipality_period": delivery})


def _check_options(path, source, options, known):
    unknown = sorted(set(options) - set(known))
    if unknown:
        names = [name for name in known if name not in ("path", "con", "table")]
        raise ContractError(f"{path.name}: dialect {source['dialect']} has no option {', '.join(unknown)}; "
                            f"options are {', '.join(names)}")


def _window(source, delivery):
    stated = [source.get(key) for key in ("data_from", "data_through")]
    return tuple(pd.Timestamp(day).date() for day in stated) if all(stated) else delivery.window


def _origin(known, new):
    """Name the origin of a table of several files: one simulated file makes the whole simulated."""
    return next(origin for origin in ORIGINS if origin in (known, new))


def _part(loaded, table, rows, file, is_trusted):
    con, relation = loaded.con, f"part_{len(loaded.parts)}"
    if not isinstance(rows, str):
        con.register("incoming_frame", rows)
    source = rows if isinstance(rows, str) else "incoming_frame"
    kinds = {name: kind for name, kind, *_ in con.execute(f"describe {source}").fetchall()}
    schema = contract.load(table)
    columns = ", ".join(_column(item, kinds) for item in schema.fields)
    number = "_row" if "_row" in kinds else "row_number() over () + 1"
    con.execute(f"create table {relation} as select {number}::bigint as _row, {columns} from {source}")
    text = frozenset(name for name in schema.columns if _is_text(kinds.get(name, "VARCHAR")))
    return Part(table=table, file=file, relation=relation, text_columns=text, is_trusted=is_trusted)


def _column(item, kinds):
    kind = kinds.get(item.name)
    if kind is None:
        return f'null::varchar as "{item.name}"'
    if _is_text(kind):
        return f'nullif(cast("{item.name}" as varchar), \'\') as "{item.name}"'
    if kind.startswith("TIMESTAMP"):
        return f'cast("{item.name}" as date) as "{item.name}"'
    return f'"{item.name}"'


def _is_text(kind):
    return kind == "VARCHAR" or kind.startswith("ENUM")


def _codes(sources):
    own = {source["dialect"]: Path(source["path"]).parent / source["codes"]
           for source in sources if source.get("codes")}
    paths = {"dream": own.get("dream", own.get("csv")), "ydelse": own.get("ydelsesrefusion")}
    lists = [contract.code_list(name, path).assign(list=name) for name, path in paths.items()]
    return pd.concat(lists, ignore_index=True)


def _register_lists(loaded):
    items = [(sheet["name"], item["name"])
             for sheet in contract.questionnaires().values() for item in sheet["items"]]
    frames = {"codes": loaded.codes[["code", "valid_from", "valid_to"]], "states": loaded.states[["state"]],
              "items": pd.DataFrame(items, columns=["questionnaire", "item"])}
    for name, frame in frames.items():
        loaded.con.register("list_frame", frame)
        loaded.con.execute(f"create table {name} as select * from list_frame")
        loaded.con.unregister("list_frame")
