"""Delimited text at the door: is the file there, whole, UTF-8, does its header fit? Then its rows as text."""

import codecs
import csv
import io
import re
from dataclasses import dataclass
from pathlib import Path

import duckdb

from evalkit.contract.problems import N_ROWS_NAMED, Problem, file_name
from evalkit.errors import ContractError

# The forms in which a file's dates may be written; the site file says which.
DATE_FORMS = {
    "%Y-%m-%d": "[0-9]{4}-[0-9]{2}-[0-9]{2}",
    "%d-%m-%Y": "[0-9]{2}-[0-9]{2}-[0-9]{4}",
    "%d.%m.%Y": "[0-9]{2}[.][0-9]{2}[.][0-9]{4}",
    "%Y%m%d": "[0-9]{8}",
}
_DELIMITERS = {",": "a comma", ";": "a semicolon", "\t": "a tab", "|": "a bar"}


@dataclass(frozen=True, slots=True, kw_only=True)
class TextFile:
    """A delimited file that has been looked at.

    Attributes
    ----------
    path : Path
    delimiter : str
    header : tuple of str
        Empty when the file cannot be read at all.
    body : bytes
        Everything after the header line.
    problems : tuple of Problem
    """

    path: Path
    delimiter: str
    header: tuple = ()
    body: bytes = b""
    problems: tuple = ()

    @property
    def is_readable(self):
        """Whether rows can be read: no error so far."""
        return bool(self.header) and not any(item.severity == "error" for item in self.problems)


def open_text(path, *, table, delimiter, required):
    """Look at a delimited file before anything parses it.

    Parameters
    ----------
    path : path-like
    table : str
        Named in problems.
    delimiter : str
    required : sequence of str
        Columns that the header must hold.

    Returns
    -------
    TextFile
    """
    path = Path(path)
    report = _Reporter(file_name(path), table)
    if not path.is_file():
        return TextFile(path=path, delimiter=delimiter, problems=(report("missing_file"),))
    try:
        data = path.read_bytes()
    except OSError:
        return TextFile(path=path, delimiter=delimiter, problems=(report("unreadable_file"),))
    problems = _byte_problems(data, report)
    data = data.removeprefix(codecs.BOM_UTF8)
    if any(item.severity == "error" for item in problems):
        return TextFile(path=path, delimiter=delimiter, problems=tuple(problems))
    first, _, body = data.partition(b"\n")
    header = split_line(first.decode().rstrip("\r"), delimiter)
    problems += header_problems(header, first.decode(), report, delimiter, required)
    return TextFile(path=path, delimiter=delimiter, header=tuple(header), body=body, problems=tuple(problems))


def split_line(line, delimiter):
    """Split one line of delimited text, quotes respected."""
    return [name.strip() for name in next(csv.reader(io.StringIO(line), delimiter=delimiter), [])]


def load_rows(con, name, file, *, table):
    """Read the rows of a looked-at file into DuckDB's ``name``, every value as text.

    Row numbers stand in ``_row`` (the header is line 1). Lines that cannot be split are left out and
    reported by number; the reader's own message is never shown, because it prints the line.

    Returns
    -------
    list of Problem
    """
    report = _Reporter(file_name(file.path), table)
    columns = ", ".join(f"{literal(column)}: 'VARCHAR'" for column in file.header)
    con.execute("drop table if exists reject_errors")
    con.execute("drop table if exists reject_scans")
    rows = (f"read_csv({literal(_exactly(file.path))}, columns={{{columns}}}, "
            f"delim={literal(file.delimiter)}, "
            "quote='\"', escape='\"', header=false, skip=1, auto_detect=false, strict_mode=true, "
            "store_rejects=true, ignore_errors=true, null_padding=false)")
    try:
        con.execute(f"create or replace table {name} as "
                    f"select row_number() over () + 1 as _row, * from {rows}")
    except duckdb.Error:
        return [report("unreadable_file")]
    rejected = con.execute("select distinct line from reject_errors order by line").fetchall()
    lines = [line for (line,) in rejected]
    return report.rows("row_shape", lines) if lines else []


def _exactly(path):
    """Write a path so that brackets and stars in the names of folders are not taken for a pattern."""
    return re.sub(r"([*?\[])", r"[\1]", path.as_posix())


def iso_date(column, date_format):
    """Return SQL for the ISO text of a date written in the given form, null for any other; never a guess.

    Raises
    ------
    ContractError
        If the form is not one of `DATE_FORMS`.
    """
    if date_format not in DATE_FORMS:
        raise ContractError(f"no date format {date_format!r}; formats are {', '.join(DATE_FORMS)}")
    is_form = f"regexp_full_match({column}, {literal(DATE_FORMS[date_format])})"
    day = f"try_strptime({column}, {literal(date_format)})"
    return f"case when {is_form} then strftime({day}, '%Y-%m-%d') end"


def literal(value):
    """Write a value as an SQL text."""
    return "'" + str(value).replace("'", "''") + "'"


def quoted(name):
    """Write a name as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


class _Reporter:
    def __init__(self, file, table):
        self.file, self.table = file, table

    def __call__(self, rule, count=1, **more):
        return Problem(file=self.file, table=self.table, rule=rule, count=count, **more)

    def rows(self, rule, lines):
        return [self(rule, len(lines), first_rows=tuple(int(line) for line in lines[:N_ROWS_NAMED]))]


def _byte_problems(data, report):
    if not data.removeprefix(codecs.BOM_UTF8).strip():
        return [report("empty_file")]
    if data[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        return [report("encoding_unknown")]
    problems = [report("byte_order_mark")] if data.startswith(codecs.BOM_UTF8) else []
    if b"\0" in data:
        return [*problems, report("nul_bytes", data.count(b"\0"))]
    problems += _encoding_problems(data, report)
    if not data.endswith(b"\n"):
        last = data.count(b"\n") + 1
        problems.append(report("truncated", first_rows=(last,)))
    return problems


def _encoding_problems(data, report):
    try:
        data.decode("utf-8")
        return []
    except UnicodeDecodeError:
        numbered = enumerate(data.split(b"\n"), start=1)
        lines = [number for number, line in numbered if not _decodes(line, "utf-8")]
    rule = "encoding" if _decodes(data, "cp1252") else "encoding_unknown"
    return report.rows(rule, lines)


def _decodes(data, encoding):
    try:
        data.decode(encoding)
        return True
    except UnicodeDecodeError:
        return False


def header_problems(header, line, report, delimiter, required):
    """Judge a header: the right delimiter, nothing required missing, nothing twice."""
    missing = [name for name in required if name not in header]
    fits = [other for other in _DELIMITERS
            if other != delimiter and set(required) <= set(split_line(line, other))]
    if missing and fits:
        hint = f"Expected {_DELIMITERS.get(delimiter, 'the named delimiter')}, found {_DELIMITERS[fits[0]]}."
        return [report("wrong_delimiter", hint=hint)]
    problems = [report("missing_column", column=name) for name in missing]
    twice = sorted({name for name in header if header.count(name) > 1})
    return problems + [report("duplicate_column", header.count(name), column=shown(name)) for name in twice]


def shown(name):
    """Name a column of a file in a message; a name with many digits could be a value and is not repeated."""
    return "(unnamed)" if not name or re.search(r"\d{5,}", name) else name[:40]
