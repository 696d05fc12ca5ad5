"""DREAM as a wide text file: a row a person, weeks in ``y_YYWW``, months in ``branche_`` and ``grad_``.

Read as bytes, block by block: the cells are found by their delimiters and turned into numbers all at once, so
that no cell becomes a Python object and the wide table never exists as columns. Weeks are put in order by
their date, never by name or place: ``y_0001`` sorts before ``y_9132`` and is nine years younger.
"""

import datetime as dt
import re
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd

from evalkit import weeks
from evalkit.contract.cells import cell_texts, numbers, split_blocks
from evalkit.contract.problems import N_ROWS_NAMED, Delivery, Problem, file_name
from evalkit.contract.rules import CPR_FORM
from evalkit.contract.text import open_text, shown
from evalkit.files import write_atomic

# Hours of a full-time month: 37 x 52 / 12. The employment degree is a share of it (not verified).
FULL_TIME_HOURS = 160.33

_WEEK = re.compile(r"^y_\d{4}$", re.ASCII)
_MONTH = re.compile(r"^(branche|grad)_(\d{4})_(\d{2})$", re.ASCII)
_CPR = re.compile(CPR_FORM, re.ASCII)
_ROWS_AT_ONCE = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class _Layout:
    """Where the file keeps what: positions of columns, each family in order of time."""

    person: int
    weeks: np.ndarray
    week_columns: np.ndarray
    months: dict
    month_columns: dict


def read(path, *, id_column="PNR", delimiter=";", decimal=","):
    """Read a DREAM file into runs of weeks per code and months of work.

    Parameters
    ----------
    path : path-like
    id_column : str
        Column of the pseudonyms.
    delimiter : str
    decimal : {",", "."}
        Of the employment degree.

    Returns
    -------
    Delivery
        ``benefit`` (person_id, code, start, end) and, with month columns, ``income_month`` (person_id, month,
        hours, industry); the window is what the week columns cover.

    Notes
    -----
    A blank week (also ``0``, ``000`` or a lone point, as SAS writes it) is a week without benefit. A year
    with two digits below 90 is of this century. The employment degree is taken as a share of full time.
    """
    file = open_text(path, table="benefit", delimiter=delimiter, required=(id_column,))
    if not file.is_readable:
        return Delivery(problems=file.problems)
    layout, problems = _layout(file, id_column)
    problems = [*file.problems, *problems]
    if layout is None:
        return Delivery(problems=tuple(problems))
    persons, lines, values, found = _cells(file, layout, decimal)
    problems += found + _person_problems(file, id_column, persons, lines)
    if any(item.severity == "error" for item in problems):
        return Delivery(problems=tuple(problems))
    who = pd.Categorical.from_codes(np.arange(len(persons)), categories=pd.Index(persons, dtype=object))
    tables = {"benefit": _runs(values["weeks"].astype(np.uint16), layout.weeks, who, lines)}
    if layout.months:
        tables["income_month"] = _work(values, layout, who, lines)
    first, last = weeks.monday(layout.weeks[0]), weeks.monday(layout.weeks[-1] + 1)
    return Delivery(tables=tables, problems=tuple(problems), trusted=frozenset(tables),
                    window=(first, last - dt.timedelta(days=1)))


def write(path, person_ids, weeks_, codes, months=(), industry=None, degree=None):
    """Write a DREAM file.

    Parameters
    ----------
    path : path-like
    person_ids : sequence of str
    weeks_ : sequence of int
        Week numbers of `evalkit.weeks`.
    codes : ndarray of uint16, shape (persons, weeks)
        0 is blank.
    months : sequence of int
        Month numbers of `evalkit.weeks.month_number`.
    industry : ndarray of int, shape (persons, months), optional
        Six-digit codes; 0 is blank.
    degree : ndarray of float, shape (persons, months), optional
        Share of full time, kept to hundredths; NaN is blank.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "dream.csv"
    >>> two_weeks = weeks.week_of("2015-12-28") + np.arange(2)
    >>> write(path, ["p-1"], two_weeks, np.array([[730, 0]], dtype=np.uint16))
    >>> path.read_text(encoding="utf-8").splitlines()
    ['PNR;y_1553;y_1601', 'p-1;730;']
    """
    header = ["PNR", *(weeks.dream_column(week) for week in weeks_)]
    parts = [(np.asarray(codes, dtype=np.int64), _texts(range(int(np.max(codes, initial=0)) + 1), "{}"))]
    for name, values in (("branche", _whole(industry, 1)), ("grad", _whole(degree, 100))):
        if values is not None:
            header += [_month_column(name, month) for month in months]
            parts.append(_ranked(values, name))
    lines = [";".join(header)]
    for begin in range(0, len(person_ids), _ROWS_AT_ONCE):
        rows = slice(begin, begin + _ROWS_AT_ONCE)
        cells = np.concatenate([table[values[rows]] for values, table in parts], axis=1).tolist()
        lines += [";".join([person, *row]) for person, row in zip(person_ids[rows], cells, strict=True)]
    write_atomic(path, "\n".join(lines) + "\n")


def _month_column(family, month):
    return f"{family}_{weeks.month_start(month):%Y_%m}"


def _whole(values, scale):
    if values is None:
        return None
    values = np.asarray(values, dtype=float)
    return np.where(np.isnan(values), -1, np.round(values * scale)).astype(np.int64)


def _ranked(values, name):
    """Replace values by their rank among the distinct ones, and give the text of each rank."""
    distinct, ranks = np.unique(values, return_inverse=True)
    if name == "branche":
        texts = ["" if value <= 0 else f"{value:06d}" for value in distinct.tolist()]
    else:
        texts = ["" if value < 0 else f"{value / 100:.2f}".replace(".", ",") for value in distinct.tolist()]
    return ranks.reshape(values.shape), np.array(texts, dtype=object)


def _texts(values, form):
    return np.array(["" if value == 0 else form.format(value) for value in values], dtype=object)


def _layout(file, id_column):
    """Sort the header into families, and report every column that is no week or month, and every hole."""
    problems, found, months = [], {}, {"branche": {}, "grad": {}}
    for position, name in enumerate(file.header):
        if _WEEK.match(name):
            _note_week(file, name, position, found, problems)
        elif match := _MONTH.match(name):
            _note_month(file, name, match, position, months, problems)
    problems += _holes(file, found, weeks.dream_column, "missing_week")
    for family, columns in months.items():
        problems += _holes(file, columns, partial(_month_column, family), "missing_month")
    if not found:
        problems.append(_problem(file, "no_weeks", 1))
    if any(item.severity == "error" for item in problems):
        return None, problems
    week_numbers, week_columns = _in_order(found)
    ordered = {family: _in_order(columns) for family, columns in months.items() if columns}
    layout = _Layout(
        person=file.header.index(id_column), weeks=week_numbers, week_columns=week_columns,
        months={family: numbers_ for family, (numbers_, _) in ordered.items()},
        month_columns={family: columns for family, (_, columns) in ordered.items()})
    return layout, problems


def _in_order(found):
    order = sorted(found)
    return np.array(order), np.array([found[number] for number in order])


def _note_week(file, name, position, found, problems):
    try:
        found[weeks.parse_dream_column(name)] = position
    except ValueError:
        problems.append(_problem(file, "not_a_week", 1, column=name))


def _note_month(file, name, match, position, months, problems):
    if 1 <= int(match[3]) <= 12:
        months[match[1]][weeks.month_number(f"{match[2]}-{match[3]}-01")] = position
    else:
        problems.append(_problem(file, "not_a_month", 1, column=name))


def _holes(file, found, name_of, rule):
    missing = sorted(set(range(min(found), max(found) + 1)) - set(found)) if found else []
    if not missing:
        return []
    names = ", ".join(name_of(number) for number in missing[:N_ROWS_NAMED])
    return [_problem(file, rule, len(missing), column=names)]


def _problem(file, rule, count, **more):
    return Problem(file=file_name(file.path), table="benefit", rule=rule, count=count, **more)


def _line_problem(file, rule, lines, column=""):
    first = tuple(int(line) for line in lines[:N_ROWS_NAMED])
    return [_problem(file, rule, len(lines), column=column, first_rows=first)] if len(lines) else []


def _cells(file, layout, decimal):
    """Read all cells: pseudonyms, line numbers, one number matrix a family (blank is 0, of a degree NaN)."""
    families = {"weeks": layout.week_columns, **layout.month_columns}
    marks = {"grad": decimal}
    persons, lines, blocks, ragged = [], [], {name: [] for name in families}, []
    unreadable = {name: [] for name in families}
    for block in split_blocks(file.body, file.delimiter, len(file.header)):
        ragged += block.ragged_lines.tolist()
        persons += cell_texts(block, layout.person)
        lines.append(block.lines)
        for name, columns in families.items():
            values, bad = numbers(block, columns, decimal=marks.get(name, ""))
            blocks[name].append(values)
            unreadable[name] += block.lines[bad.any(axis=1)].tolist()
    problems = _line_problem(file, "row_shape", ragged)
    for name, bad in unreadable.items():
        column = "y_YYWW" if name == "weeks" else f"{name}_YYYY_MM"
        problems += _line_problem(file, "decimal_mark" if name == "grad" else "type", bad, column)
    if not persons and not problems:
        problems.append(_problem(file, "no_rows", 1))
    values = {name: np.concatenate(parts) if parts else np.zeros((0, 0)) for name, parts in blocks.items()}
    return persons, np.concatenate(lines) if lines else np.zeros(0, dtype=np.int64), values, problems


def _person_problems(file, id_column, persons, lines):
    """One row a person, each with a pseudonym, and not mostly CPR numbers."""
    twice = pd.Series(persons, dtype=object).duplicated().to_numpy()
    missing = np.array([not person for person in persons], dtype=bool)
    shaped = np.array([bool(_CPR.fullmatch(person.strip())) for person in persons], dtype=bool)
    judged = {"duplicate_person": twice & ~missing, "required": missing,
              "cpr_shaped": shaped & (2 * shaped.sum() > len(persons))}
    return [problem for rule, bad in judged.items()
            for problem in _line_problem(file, rule, lines[bad], shown(id_column))]


def _runs(codes, columns, who, lines):
    """Runs of equal codes along each row; rows never join because every row begins a run."""
    begins = np.ones(codes.shape, dtype=bool)
    begins[:, 1:] = codes[:, 1:] != codes[:, :-1]
    at = np.flatnonzero(begins)
    code = codes.ravel()[at]
    length = np.diff(np.append(at, codes.size))
    paid = code > 0
    row, first = np.divmod(at[paid], codes.shape[1])
    start = columns[0] + first
    return pd.DataFrame({
        "_row": lines[row], "person_id": who[row], "code": _labels(code[paid], "{}"),
        "start": weeks.monday(start), "end": weeks.monday(start + length[paid])})


def _work(values, layout, who, lines):
    """Months with an industry or an employment degree."""
    months = np.unique(np.concatenate(list(layout.months.values())))
    industry, degree = (np.full((len(who), len(months)), np.nan) for _ in range(2))
    for name, target in (("branche", industry), ("grad", degree)):
        if name in layout.months:
            target[:, np.searchsorted(months, layout.months[name])] = values[name]
    industry = np.nan_to_num(industry)
    row, month = np.nonzero((industry > 0) | ~np.isnan(degree))
    return pd.DataFrame({
        "_row": lines[row], "person_id": who[row], "month": weeks.month_start(months[month]),
        "hours": np.round(degree[row, month] * FULL_TIME_HOURS, 2),
        "industry": _labels(industry[row, month].astype(np.int64), "{:06d}")})


def _labels(values, form):
    distinct, rank = np.unique(values, return_inverse=True)
    texts = ["" if value == 0 else form.format(value) for value in distinct.tolist()]
    return pd.Categorical.from_codes(rank, categories=pd.Index(texts, dtype=object))
