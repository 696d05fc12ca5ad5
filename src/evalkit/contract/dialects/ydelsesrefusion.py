"""Ydelsesrefusion, the weekly payments that every municipality has: semicolon, decimal comma, Danish names.

One row per week, person and benefit. Rows are summed; a sum of nothing is a gap, as is a week without a row:
a week wholly lost to a sanction looks like both.
"""

import duckdb
import numpy as np
import pandas as pd

from evalkit import weeks
from evalkit.contract.problems import N_ROWS_NAMED, Delivery, Problem, file_name
from evalkit.contract.rules import cpr_shaped
from evalkit.contract.schema import code_list
from evalkit.contract.text import iso_date, literal, load_rows, open_text, quoted
from evalkit.files import write_atomic

WEEK, PERSON, BENEFIT = "Uge", "CPR nummer", "Ydelse"
PAID, REFUND_SHARE = "Beregnet udbetalingsbeløb", "Refusionssats"
COLUMNS = (WEEK, PERSON, BENEFIT, "Finansiering Kommunenavn", PAID, REFUND_SHARE, "Refusionsbeløb",
           "Medfinansieringssats", "Medfinansieringsbeløb")

_RAW = "raw_ydelsesrefusion"
# A decimal comma and no mark between thousands: with one, 1.234 could be either.
_NUMBER = "-?[0-9]+(,[0-9]+)?"


def read(path, *, delimiter=";", date_format="%Y-%m-%d", con=None):
    """Read payments into runs of weeks.

    Parameters
    ----------
    path : path-like
    delimiter : str
    date_format : str
        How ``Uge``, the Monday of the week, is written; one of `evalkit.contract.text.DATE_FORMS`.
    con : duckdb connection, optional

    Returns
    -------
    Delivery
        ``benefit`` (person_id, code, start, end, amount_dkk, refund_share): consecutive weeks with the same
        benefit, amount and refund are one run, ``amount_dkk`` is the amount of each of its weeks. The window
        runs from the first to the last week of the file.

    Notes
    -----
    The column is called ``CPR nummer`` in the real export; its values must be pseudonyms.
    """
    file = open_text(path, table="benefit", delimiter=delimiter, required=(WEEK, PERSON, BENEFIT, PAID))
    if not file.is_readable:
        return Delivery(problems=file.problems)
    con = duckdb.connect() if con is None else con
    problems = [*file.problems, *load_rows(con, _RAW, file, table="benefit")]
    if not any(item.rule == "unreadable_file" for item in problems):
        problems += _row_problems(con, file, date_format)
    if any(item.severity == "error" for item in problems):
        return Delivery(problems=tuple(problems))
    frame = con.execute(_runs_sql(file, date_format)).df()
    week = _week(date_format)
    window = con.execute(f"select min({week}), max({week}) + 6 from {_RAW}").fetchall()[0]
    return Delivery(tables={"benefit": frame}, problems=tuple(problems), window=window,
                    trusted=frozenset({"benefit"}))


def write(path, frame):
    """Write payments as Ydelsesrefusion has them.

    Parameters
    ----------
    path : path-like
    frame : DataFrame
        ``person_id``, ``week`` (week number of `evalkit.weeks` or Monday), ``code`` (name of the benefit),
        ``amount_dkk``, ``refund_share`` and, if wanted, ``municipality``. One row per week, person and
        benefit.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "refusion.csv"
    >>> paid = {"amount_dkk": 2500.5, "refund_share": 0.8, "municipality": "Frederikshavn"}
    >>> write(path, pd.DataFrame({"person_id": ["p-1"], "week": [1357], "code": "Kontanthjælp", **paid}))
    >>> path.read_text(encoding="utf-8").splitlines()[1]
    '2016-01-04;p-1;Kontanthjælp;Frederikshavn;2500,50;0,80;2000,40;0,20;500,10'
    """
    paid, share = frame["amount_dkk"].to_numpy(dtype=float), frame["refund_share"].to_numpy(dtype=float)
    refund = np.round(paid * share, 2)
    municipality = frame["municipality"] if "municipality" in frame.columns else ""
    columns = [_monday(frame["week"]), frame["person_id"], frame["code"], municipality, _comma(paid),
               _comma(share), _comma(refund), _comma(1 - share), _comma(paid - refund)]
    table = pd.DataFrame(dict(zip(COLUMNS, columns, strict=True)), index=frame.index)
    write_atomic(path, table.to_csv(index=False, sep=";", lineterminator="\n"))


def _monday(column):
    if column.dtype.kind in "iu":
        column = pd.Series(weeks.monday(column.to_numpy()), index=column.index)
    return pd.to_datetime(column).dt.strftime("%Y-%m-%d")


def _comma(values):
    """Write amounts with two decimals and a comma; the few distinct ones are formatted once."""
    distinct, rank = np.unique(np.round(values, 2) + 0.0, return_inverse=True)
    texts = ["" if np.isnan(value) else f"{value:.2f}".replace(".", ",") for value in distinct.tolist()]
    return np.array(texts, dtype=object)[rank]


def _week(date_format):
    return f"({iso_date(quoted(WEEK), date_format)})::date"


def _number(name):
    return f"try_cast(replace({quoted(name)}, ',', '.') as double)"


def _row_problems(con, file, date_format):
    """Judge every value in one pass: dates in their one form, amounts with a comma, no CPR numbers."""
    needed, numeric = (WEEK, PERSON, BENEFIT, PAID), [name for name in COLUMNS[4:] if name in file.header]
    is_number = "{0} <> '' and not regexp_full_match({0}, " + literal(_NUMBER) + ")"
    rules = [(name, "required", f"coalesce({quoted(name)}, '') = ''") for name in needed]
    rules += [(name, "decimal_mark", is_number.format(quoted(name))) for name in numeric]
    week = _week(date_format)
    rules += [(WEEK, "type", f"{quoted(WEEK)} <> '' and {week} is null"),
              (WEEK, "monday", f"isodow({week}) <> 1"),
              (PAID, "negative_amount", f"{_number(PAID)} < 0"),
              (PERSON, "cpr_shaped", cpr_shaped(quoted(PERSON)))]
    counts = ", ".join(f"count(*) filter (where {bad})" for _, _, bad in rules)
    total, *found = con.execute(f"select count(*), {counts} from {_RAW}").fetchall()[0]
    if total == 0:
        return [Problem(file=file_name(file.path), table="benefit", rule="no_rows", count=1)]
    return [
        Problem(file=file_name(file.path), table="benefit", column=column, rule=rule, count=count,
                first_rows=_first(con, bad))
        for (column, rule, bad), count in zip(rules, found, strict=True)
        if count > (total / 2 if rule == "cpr_shaped" else 0)
    ]


def _first(con, bad):
    rows = con.execute(f"select _row from {_RAW} where {bad} order by _row limit {N_ROWS_NAMED}").fetchall()
    return tuple(row for (row,) in rows)


def _not_paid_to_persons():
    """Names that the code list gives the state NONE, such as the state's contribution to flex jobs."""
    codes = code_list("ydelse")
    return ", ".join(literal(name) for name in codes.loc[codes["state"] == "NONE", "code"])


def _runs_sql(file, date_format):
    """Distinct rows, summed by week, then joined while week follows week with the same amount and refund."""
    share = f"max({_number(REFUND_SHARE)})" if REFUND_SHARE in file.header else "null::double"
    content = ", ".join(map(quoted, file.header))
    same = "partition by person_id, code, amount_dkk, refund_share"
    return f"""
        with delivered as (select min(_row) as _row, {content} from {_RAW} group by {content}),
        summed as (
            select min(_row) as _row, {quoted(PERSON)} as person_id, {quoted(BENEFIT)} as code,
                   {_week(date_format)} as week, round(sum({_number(PAID)}), 2) as amount_dkk,
                   {share} as refund_share
            from delivered where {quoted(BENEFIT)} not in ({_not_paid_to_persons()})
            group by {quoted(PERSON)}, {quoted(BENEFIT)}, {_week(date_format)}),
        numbered as (
            select *, week - 7 * (row_number() over ({same} order by week))::integer as run
            from summed where amount_dkk > 0)
        select min(_row) as _row, person_id, code, min(week) as start, max(week) + 7 as "end",
               amount_dkk, refund_share
        from numbered group by person_id, code, amount_dkk, refund_share, run
        order by person_id, start, code"""
