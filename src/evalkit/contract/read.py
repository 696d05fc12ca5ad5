"""Checked tables, typed, as pandas frames: what every analysis starts from."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np
import pandas as pd

from evalkit.contract import schema as contract
from evalkit.contract.check import inspect, stop_on_errors, window
from evalkit.contract.text import quoted
from evalkit.errors import ContractError

_NUMERIC = {"integer": np.int64, "number": np.float64}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Tables:
    """The canonical tables of a site.

    Every table has all columns of its schema, in order. Texts are text and a missing text is ``""``; dates
    are ``datetime64[s]``, a missing date is ``NaT``; integers that may be missing and numbers are float64
    with NaN; yes/no is bool. An interval that is still going on ends the day after ``data_through``.

    Attributes
    ----------
    frames : mapping of str to DataFrame
    codes : DataFrame
        Dated code lists, all together: ``list`` (dream or ydelse) and the columns of `schema.code_list`.
    states : DataFrame
        ``state, is_support, role, priority, title_da, title_en``; priority 1 wins a week.
    data_from, data_through : date or None
        First and last day that the benefit weeks cover.
    inputs : mapping of str to str
        sha256 by file name.
    origins : mapping of str to str
        simulated, real or source, by table.
    """

    frames: Mapping
    codes: pd.DataFrame
    states: pd.DataFrame
    data_from: dt.date | None
    data_through: dt.date | None
    inputs: Mapping = field(default_factory=dict)
    origins: Mapping = field(default_factory=dict)

    def __getitem__(self, table):
        """Return one table; a ContractError names what was delivered if it is not there."""
        if table not in self.frames:
            here = ", ".join(self.frames) or "no tables"
            raise ContractError(f"table {table} was not delivered; this site has {here}")
        return self.frames[table]

    def __iter__(self):
        return iter(self.frames)

    def __repr__(self):
        sizes = ", ".join(f"{name} {len(frame)}" for name, frame in self.frames.items())
        return f"Tables({self.data_from} to {self.data_through}: {sizes})"

    def __reduce__(self):
        raise TypeError("Tables hold person rows and are never pickled")

    def has(self, *tables):
        """Return whether all named tables were delivered."""
        return all(name in self.frames for name in tables)

    @classmethod
    def from_frames(cls, frames, *, data_from=None, data_through=None, codes=None, states=None,
                    origin="simulated"):
        """Build tables in memory; columns get their types, optional columns that are not given are missing.

        Rows are not checked against the contract: write them and `read` them for that.

        Parameters
        ----------
        frames : mapping of str to DataFrame
        data_from, data_through : date or ISO text, optional
            Default: what the benefit runs span.
        codes, states : DataFrame, optional
            Default: evalkit's own lists.
        origin : str

        Raises
        ------
        ContractError
            If a table or a required column is unknown to the contract or missing.

        Examples
        --------
        >>> facts = {"birth_year": 1980, "sex": "F", "ancestry": "danish"}
        >>> person = pd.DataFrame({"person_id": ["p-1"], **facts})
        >>> Tables.from_frames({"person": person}, data_from="2015-01-05", data_through="2015-03-01")
        Tables(2015-01-05 to 2015-03-01: person 1)
        """
        span = _span(frames, data_from, data_through)
        typed = {name: _in_memory(name, frame, span[1]) for name, frame in frames.items()}
        return cls(frames=MappingProxyType(typed), data_from=span[0], data_through=span[1],
                   codes=all_codes() if codes is None else codes,
                   states=contract.states() if states is None else states,
                   origins=MappingProxyType(dict.fromkeys(frames, origin)))


def read(sources, *, as_of=None):
    """Read a site's files, if they keep the contract.

    Parameters
    ----------
    sources : sequence of mapping
        See `evalkit.contract.deliver.load`; ``Site.sources`` yields them.
    as_of : date, optional
        Day of the extract; later dates lie in the future. Default: today.

    Returns
    -------
    Tables

    Raises
    ------
    ContractError
        Everything that breaks the contract, at once.
    """
    loaded = inspect(sources, as_of=as_of)
    stop_on_errors(loaded)
    first, last = window(loaded)
    frames = {table: _frame(loaded.con, table, last) for table in loaded.tables}
    return Tables(frames=MappingProxyType(frames), codes=loaded.codes, states=loaded.states, data_from=first,
                  data_through=last, inputs=MappingProxyType(dict(loaded.inputs)),
                  origins=MappingProxyType(dict(loaded.origins)))


def all_codes():
    """Return both code lists of the contract, one under the other, with the column ``list``."""
    lists = [contract.code_list(name).assign(list=name) for name in contract.CODE_LISTS]
    return pd.concat(lists, ignore_index=True)


def _frame(con, table, data_through):
    schema = contract.load(table)
    columns = ", ".join(map(quoted, schema.columns))
    distinct = _distinct(con, schema, columns)
    arrays = con.execute(f"select {columns} from {distinct} order by _file, _row").fetchnumpy()
    return _typed_frame(schema, arrays, data_through)


def _distinct(con, schema, columns):
    """Leave out rows delivered twice, which only tables with a key can have."""
    if not schema.keys:
        return f"typed_{schema.name}"
    names = ", ".join(map(quoted, schema.keys[0]))
    twice = f"select 1 from typed_{schema.name} group by {names} having count(*) > 1 limit 1"
    if not con.execute(twice).fetchall():
        return f"typed_{schema.name}"
    return (f"(select _file, _row, {columns} from typed_{schema.name} "
            f"qualify row_number() over (partition by {columns} order by _file, _row) = 1)")


def _in_memory(name, frame, data_through):
    schema = contract.load(name)
    missing = [column for column in schema.required if column not in frame.columns]
    if missing:
        required = ", ".join(schema.required)
        raise ContractError(f"table {name}: no column {', '.join(missing)}; required are {required}")
    given = {column: frame[column] for column in schema.columns if column in frame.columns}
    return _typed_frame(schema, given, data_through, n_rows=len(frame))


def _typed_frame(schema, columns, data_through, n_rows=None):
    n_rows = len(next(iter(columns.values()))) if n_rows is None else n_rows
    typed = {item.name: _typed(item, columns.get(item.name), n_rows) for item in schema.fields}
    frame = pd.DataFrame(typed)
    for item in schema.fields:
        if item.flags.get("open-end") and data_through is not None:
            frame[item.name] = _closed(frame, item.name, data_through)
    return frame


def _closed(frame, name, data_through):
    """End what is still going on the day after the data, or a day after it began if that is later."""
    after = np.datetime64(data_through, "s") + np.timedelta64(1, "D")
    latest = np.maximum(frame["start"].to_numpy() + np.timedelta64(1, "D"), after)
    ends = pd.Series(latest, index=frame.index)
    return frame[name].where(frame[name].notna(), ends).astype("datetime64[s]")


def _typed(item, values, n_rows):
    if values is None:
        values = np.full(n_rows, None, dtype=object)
    if item.type == "string":
        return _text(values)
    if item.type == "date":
        return pd.Series(pd.to_datetime(_plain(values))).astype("datetime64[s]").reset_index(drop=True)
    if item.type == "boolean":
        return pd.Series(_plain(values)).astype(bool)
    numbers = pd.to_numeric(pd.Series(_plain(values)), errors="raise").to_numpy(dtype=float, na_value=np.nan)
    return numbers.astype(_NUMERIC[item.type]) if item.is_required else numbers


def _text(values):
    series = pd.Series(_plain(values))
    return series.where(series.notna(), "").astype(str)


def _plain(values):
    """Turn DuckDB's masked arrays and pandas columns into arrays with None or NaN for missing."""
    if isinstance(values, np.ma.MaskedArray):
        if not values.mask.any():
            return values.data
        if values.dtype.kind in "biuO":
            return np.where(values.mask, None, values.data.astype(object))
        return values.filled(_fill(values.dtype))
    return values.to_numpy() if isinstance(values, pd.Series) else values


def _fill(dtype):
    return np.datetime64("NaT", "D") if dtype.kind == "M" else np.nan


def _span(frames, data_from, data_through):
    stated = [None if day is None else pd.Timestamp(day).date() for day in (data_from, data_through)]
    if "benefit" in frames and len(frames["benefit"]):
        start, end = pd.to_datetime(frames["benefit"]["start"]), pd.to_datetime(frames["benefit"]["end"])
        seen = start.min().date(), (end.max() - dt.timedelta(days=1)).date()
        return tuple(day or other for day, other in zip(stated, seen, strict=True))
    return tuple(stated)
