"""Canonical tables as plain CSV: comma, UTF-8, decimal point, ISO dates, one file a table."""

import difflib

import duckdb

from evalkit.contract import schema as contract
from evalkit.contract.problems import Delivery, Problem, file_name
from evalkit.contract.rules import cpr_shaped
from evalkit.contract.text import iso_date, literal, load_rows, open_text, quoted, shown
from evalkit.files import write_atomic


def read(path, *, table, delimiter=",", decimal=".", date_format="%Y-%m-%d", con=None):
    """Read one canonical table as text; the check and the typing come after.

    Parameters
    ----------
    path : path-like
    table : str
        Name of a canonical table.
    delimiter : str
    decimal : {".", ","}
    date_format : str
        How dates are written; one of `evalkit.contract.text.DATE_FORMS`.
    con : duckdb connection, optional
        Where the rows are put. Without one, they come back as a DataFrame of texts.

    Returns
    -------
    Delivery
        The table's columns as text, missing values as null, absent columns as null; ``_row``.
    """
    expected = contract.load(table)
    file = open_text(path, table=table, delimiter=delimiter, required=expected.required)
    problems = list(file.problems) + _unknown_columns(file, expected)
    if not file.is_readable:
        return Delivery(problems=tuple(problems))
    connection = duckdb.connect() if con is None else con
    raw = f"raw_{table}"
    unread = load_rows(connection, raw, file, table=table)
    problems += unread or _extra_cpr(connection, raw, file, expected)
    if any(item.rule == "unreadable_file" for item in unread):
        return Delivery(problems=tuple(problems))
    columns = ", ".join(_column(item, file.header, decimal, date_format) for item in expected.fields)
    relation = connection.sql(f"select _row, {columns} from {raw}")
    if con is None:
        return Delivery(tables={table: relation.df()}, problems=tuple(problems))
    name = f"incoming_{table}"
    connection.execute(f"create or replace table {name} as select _row, {columns} from {raw}")
    return Delivery(tables={table: name}, problems=tuple(problems))


def write(path, frame, *, table):
    """Write a canonical table; columns in the contract's order, optional ones that are all missing left out.

    Parameters
    ----------
    path : path-like
    frame : DataFrame
    table : str

    Examples
    --------
    >>> import pandas as pd, tempfile, pathlib
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "screening.csv"
    >>> frame = pd.DataFrame({"person_id": ["p-1"], "date": ["2015-02-02"], "risk": ["LOW"]})
    >>> write(path, frame, table="screening")
    >>> path.read_text(encoding="utf-8").splitlines()
    ['person_id,date,risk', 'p-1,2015-02-02,LOW']
    """
    expected = contract.load(table)
    keep = [item for item in expected.fields
            if item.name in frame.columns and (item.is_required or frame[item.name].notna().any())]
    columns = {item.name: _as_text(frame[item.name], item.type) for item in keep}
    content = frame[[]].assign(**columns).to_csv(index=False, lineterminator="\n")
    write_atomic(path, content)


def _as_text(column, type_):
    if type_ == "integer":
        return column.astype("Int64")
    if type_ == "boolean":
        return column.astype(int)
    if type_ == "date" and column.dtype.kind == "M":
        return column.dt.strftime("%Y-%m-%d")
    return column


def _column(item, header, decimal, date_format):
    name = quoted(item.name)
    if item.name not in header:
        return f"null::varchar as {name}"
    missing = ", ".join(literal(text) for text in item.missing_values)
    value = f"case when {name} in ({missing}) then null else {name} end"
    if item.type == "date" and date_format != "%Y-%m-%d":
        value = f"case when {value} is not null then coalesce({iso_date(value, date_format)}, '?') end"
    if item.type == "number" and decimal == ",":
        # A point would pass for a decimal mark once the comma is one: spoil it for the type rule to find.
        value = f"translate({value}, ',.', '.?')"
    return f"{value} as {name}"


def _unknown_columns(file, expected):
    problems = []
    for name in file.header:
        if name not in expected.columns:
            near = difflib.get_close_matches(name, expected.columns, n=1)
            hint = f"Nearest known name: {near[0]}." if near else ""
            problems.append(Problem(file=file_name(file.path), table=expected.name, column=shown(name),
                                    rule="unknown_column", count=1, hint=hint))
    return problems


def _extra_cpr(con, raw, file, expected):
    extra = [name for name in file.header if name not in expected.columns]
    problems = []
    for name in extra:
        shape = cpr_shaped(quoted(name))
        query = f"select count(*) filter (where {shape}), count({quoted(name)}) from {raw}"
        shaped, total = con.execute(query).fetchall()[0]
        if 2 * shaped > total:
            problems.append(Problem(file=file_name(file.path), table=expected.name, column=shown(name),
                                    rule="cpr_shaped", count=shaped))
    return problems
