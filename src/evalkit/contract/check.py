"""Hold a delivery against the contract: every broken rule at once, with count and rows, never a value."""

import datetime as dt
from dataclasses import dataclass

import pandas as pd

from evalkit.contract import schema as contract
from evalkit.contract.deliver import load
from evalkit.contract.problems import N_ROWS_NAMED, Problem, raise_errors, to_frame
from evalkit.contract.rules import row_rules, set_rules, typed_columns
from evalkit.contract.text import quoted
from evalkit.result import Estimand, Provenance, Result, tidy


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CheckReport:
    """What was delivered and what is wrong with it.

    Attributes
    ----------
    problems : DataFrame
        ``file, table, column, rule, count, first_rows, severity, next_step``, errors first. Row numbers are
        line numbers of the file, the header being line 1.
    tables : DataFrame
        ``table, origin, n_rows, n_persons`` of every delivered table.
    data_from, data_through : date or None
        First and last day that the benefit weeks cover.
    inputs : mapping of str to str
        sha256 by file name.
    """

    problems: pd.DataFrame
    tables: pd.DataFrame
    data_from: dt.date | None
    data_through: dt.date | None
    inputs: dict

    @property
    def ok(self):
        """Whether nothing stops a run; warnings do not."""
        return not (self.problems["severity"] == "error").any()

    def result(self):
        """Return the report as a Result of kind ``counts``: rows and persons by table, broken rows by rule.

        Term ``rows`` has one row per table (``group``): ``estimate`` its rows, ``n_persons`` its persons.
        Term ``problem`` has one per broken rule (``group`` is ``table[rule]``): ``estimate`` the rows that
        break it.
        """
        tables, problems = self.tables, self.problems
        keys = problems["table"] + "[" + problems["rule"] + "]"
        broken = problems.groupby(keys)["count"].sum()
        sizes = tables[["n_rows", "n_persons"]].to_numpy(dtype=float).T
        rows = tidy(term="rows", group=tables["table"].to_numpy(), estimate=sizes[0], n_persons=sizes[1])
        found = tidy(term="problem", group=broken.index.to_numpy(), estimate=broken.to_numpy(dtype=float))
        through = "" if self.data_through is None else self.data_through.isoformat()
        return Result(
            kind="counts", estimand=Estimand(name="data_check", unit="rows"),
            table=pd.concat([rows, found], ignore_index=True),
            provenance=Provenance(method="contract.check", inputs=self.inputs, data_through=through,
                                  rests_on=tuple(sorted(set(tables["origin"])))),
            diagnostics={"is_ok": self.ok, "n_tables": len(tables), "n_rules_broken": len(broken)})


def check(sources, *, as_of=None):
    """Check every file of a site against the contract.

    Parameters
    ----------
    sources : sequence of mapping
        See `evalkit.contract.deliver.load`; ``Site.sources`` yields them.
    as_of : date, optional
        Day of the extract; later dates lie in the future. Default: today.

    Returns
    -------
    CheckReport
    """
    return _report(inspect(sources, as_of=as_of))


def inspect(sources, *, as_of=None):
    """Load and check every source: ``typed_<table>`` in DuckDB, and all problems found."""
    as_of = dt.date.today() if as_of is None else as_of
    loaded = load(sources)
    for part in loaded.parts:
        loaded.problems += _row_problems(loaded.con, part, as_of)
    for table in loaded.tables:
        _make_typed(loaded, table)
    for table in loaded.tables:
        loaded.problems += _set_problems(loaded, table)
    return loaded


def window(loaded):
    """Return first and last day that the benefit weeks cover, or (None, None).

    Formats that name their weeks know it; plain runs of weeks only show their earliest and latest.
    """
    if loaded.windows:
        firsts, lasts = zip(*loaded.windows, strict=True)
        # Weeks that only one of several files covers would look like weeks without benefit for the others'
        # persons; files that follow one another (one a year) share no week and cover the whole together.
        common = max(firsts), min(lasts)
        return common if common[0] < common[1] else (min(firsts), max(lasts))
    if "benefit" not in loaded.tables:
        return None, None
    return loaded.con.execute('select min(start), max("end") - 1 from typed_benefit').fetchall()[0]


def stop_on_errors(loaded):
    """Raise all errors of a delivery as one ContractError."""
    raise_errors(loaded.problems)


def _report(loaded):
    first, last = window(loaded)
    rows = [(table, loaded.origins[table], *_size(loaded, table)) for table in loaded.tables]
    return CheckReport(
        problems=to_frame(loaded.problems), data_from=first, data_through=last, inputs=dict(loaded.inputs),
        tables=pd.DataFrame(rows, columns=["table", "origin", "n_rows", "n_persons"]))


def _size(loaded, table):
    columns = contract.load(table).columns
    person = next((name for name in ("person_id", "respondent_id") if name in columns), None)
    distinct = "null" if person is None else f"count(distinct {person})"
    n_rows, n_persons = loaded.con.execute(f"select count(*), {distinct} from typed_{table}").fetchall()[0]
    return n_rows, float("nan") if n_persons is None else float(n_persons)


def _row_problems(con, part, as_of):
    """Judge every row rule in one pass over the part."""
    schema = contract.load(part.table)
    rules = row_rules(schema, as_of=as_of)
    typed = typed_columns(schema, part.text_columns)
    columns = ", ".join(f"{sql} as {quoted(name + ':typed')}" for name, sql in typed.items())
    judged = f"(select *, {columns} from {part.relation})"
    counts = ", ".join(f"count(*) filter (where {rule.bad})" for rule in rules)
    total, *found = con.execute(f"select count(*), {counts} from {judged}").fetchall()[0]
    if total == 0 and part.is_trusted:
        return []
    if total == 0:
        return [Problem(file=part.file, table=part.table, count=1,
                        rule="no_rows_optional" if schema.is_empty_allowed else "no_rows")]
    return [
        Problem(file=part.file, table=part.table, column=rule.column, rule=rule.name, count=count,
                first_rows=_first(con, f"select _row from {judged} where {rule.bad}"), hint=rule.hint)
        for rule, count in zip(rules, found, strict=True) if count > (total / 2 if rule.is_majority else 0)
    ]


def _first(con, query):
    return tuple(row for (row,) in con.execute(f"{query} order by _row limit {N_ROWS_NAMED}").fetchall())


def _make_typed(loaded, table):
    schema = contract.load(table)
    selects = []
    for number, part in enumerate(loaded.parts):
        if part.table == table:
            typed = typed_columns(schema, part.text_columns)
            columns = ", ".join(f"{sql} as {quoted(name)}" for name, sql in typed.items())
            selects.append(f"select {number} as _file, _row, {columns} from {part.relation}")
    loaded.con.execute(f"create table typed_{table} as {' union all '.join(selects)}")
    _drop_derived(loaded, schema)


def _drop_derived(loaded, schema):
    """A table delivered for its own sake wins over what DREAM says by the way about the same month."""
    parts = [(number, part) for number, part in enumerate(loaded.parts) if part.table == schema.name]
    derived = [str(number) for number, part in parts if part.is_trusted]
    if not schema.keys or not derived or len(derived) == len(parts):
        return
    same = " and ".join(f"a.{quoted(name)} = b.{quoted(name)}" for name in schema.keys[0])
    loaded.con.execute(
        f"delete from typed_{schema.name} a where _file in ({', '.join(derived)}) and exists "
        f"(select 1 from typed_{schema.name} b where {same} and b._file not in ({', '.join(derived)}))")


def _set_problems(loaded, table):
    problems = []
    for rule in set_rules(contract.load(table)):
        if rule.needs and rule.needs not in loaded.tables:
            continue
        if rule.name in ("primary_key", "duplicate_row", "no_overlap") and _is_trusted(loaded, table):
            continue
        query = (f"select _file, count(*), list(_row order by _row)[1:{N_ROWS_NAMED}] from ({rule.query}) "
                 "group by _file order by _file")
        problems += [
            Problem(file=loaded.parts[file].file, table=table, column=rule.column, rule=rule.name,
                    count=count, first_rows=tuple(rows))
            for file, count, rows in loaded.con.execute(query).fetchall()
        ]
    return problems


def _is_trusted(loaded, table):
    parts = [part for part in loaded.parts if part.table == table]
    return len(parts) == 1 and parts[0].is_trusted
