"""A table's schema compiled to SQL: one condition a rule, true for the rows that break it."""

from dataclasses import dataclass

from evalkit.contract.text import literal, quoted

# Ten digits that begin with a day and a month; nine when the leading zero is lost; a hyphen or space before
# the last four; days above 60 are substitute numbers. The control digit is not used: since 2007 it may fail.
CPR_FORM = r"(0?[1-9]|[12][0-9]|3[01]|6[1-9]|[78][0-9]|9[01])(0[1-9]|1[0-2])[0-9]{2}[- ]?[0-9]{4}"

_FORM = {
    "integer": ("-?[0-9]+", "bigint"),
    "number": ("-?[0-9]+([.][0-9]+)?([eE][-+]?[0-9]+)?", "double"),
    "date": ("[0-9]{4}-[0-9]{2}-[0-9]{2}", "date"),
    "boolean": ("0|1|true|false|True|False", "boolean"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule of one table.

    Attributes
    ----------
    table, column, name : str
    bad : str
        SQL condition over a row; empty for a rule about several rows.
    query : str
        SQL that gives ``_file, _row`` of the rows that break a rule about several rows.
    needs : str
        Another table without which the rule cannot be judged.
    is_majority : bool
        The rule is broken when more than half of the rows meet ``bad``.
    hint : str
        What the rule asks, where its name alone does not say.
    """

    table: str
    column: str
    name: str
    bad: str = ""
    query: str = ""
    needs: str = ""
    is_majority: bool = False
    hint: str = ""


def row_rules(schema, *, as_of):
    """Return the rules that one row can break, as conditions over raw ``x`` and typed ``x:typed`` columns.

    Parameters
    ----------
    schema : Schema
    as_of : date
        Dates after it lie in the future.

    Returns
    -------
    list of Rule
    """
    rules = [rule for item in schema.fields for rule in _field_rules(schema.name, item, as_of)]
    for row in schema.rows:
        left, right = _typed(row["field"]), _typed(row["other"])
        rules.append(Rule(table=schema.name, column=f"{row['field']}, {row['other']}", name=row["name"],
                          bad=f"not ({left} {row['operator']} {right})", hint=row["en"]))
    return rules


def set_rules(schema):
    """Return the rules about several rows: keys, overlaps, other tables and code lists.

    They run on ``typed_<table>``.

    Returns
    -------
    list of Rule
    """
    rules = [rule for key in schema.keys for rule in _key_rules(schema, key)]
    if schema.no_overlap:
        rules.append(_overlap_rule(schema))
    rules += [rule for key in schema.foreign_keys for rule in _foreign_rules(schema, *key)]
    return rules + [rule for item in schema.fields for rule in _list_rules(schema.name, item)]


def cpr_shaped(column):
    """Return the SQL condition that a text looks like a CPR number."""
    return f"regexp_full_match(trim({column}), {literal(CPR_FORM)})"


def typed_columns(schema, text_columns):
    """Return SQL that gives each column its type, null where the text is not of that type.

    Parameters
    ----------
    schema : Schema
    text_columns : set of str
        Columns that are text; others have their type already.

    Returns
    -------
    dict of str to str
    """
    return {item.name: _cast(item, item.name in text_columns) for item in schema.fields}


def _cast(item, is_text):
    name = quoted(item.name)
    if item.type == "string":
        return name if is_text else f"cast({name} as varchar)"
    form, sql_type = _FORM[item.type]
    if not is_text:
        return f"cast({name} as {sql_type})"
    return f"case when regexp_full_match({name}, {literal(form)}) then try_cast({name} as {sql_type}) end"


def _typed(name):
    return quoted(f"{name}:typed")


def _field_rules(table, item, as_of):
    raw, typed = quoted(item.name), _typed(item.name)
    conditions = {"required": f"{raw} is null"} if item.is_required else {}
    if item.type != "string":
        conditions["type"] = f"{raw} is not null and {typed} is null"
    conditions |= _constraint_rules(item, typed)
    conditions |= _calendar_rules(item, typed, as_of)
    rules = [Rule(table=table, column=item.name, name=name, bad=bad) for name, bad in conditions.items()]
    if item.role == "identifier":
        bad = cpr_shaped(raw)
        rules.append(Rule(table=table, column=item.name, name="cpr_shaped", bad=bad, is_majority=True))
    return rules


def _constraint_rules(item, typed):
    rules, limits = {}, item.constraints
    if "enum" in limits:
        rules["enum"] = f"{typed} not in ({', '.join(literal(value) for value in limits['enum'])})"
    if "pattern" in limits:
        rules["pattern"] = f"not regexp_full_match({typed}, {literal(limits['pattern'])})"
    if "minimum" in limits:
        rules["minimum"] = f"{typed} < {limits['minimum']}"
    if "maximum" in limits:
        rules["maximum"] = f"{typed} > {limits['maximum']}"
    return rules


def _calendar_rules(item, typed, as_of):
    rules = {}
    if item.flags.get("monday"):
        rules["monday"] = f"isodow({typed}) <> 1"
    if item.flags.get("first-of-month"):
        rules["first_of_month"] = f"day({typed}) <> 1"
    if item.flags.get("not-future"):
        rules["future_date"] = f"{typed} > date {literal(as_of)}"
    return rules


def _key_rules(schema, key):
    """Same key twice: wholly equal rows are one row delivered twice, others contradict each other."""
    same = " and ".join(f"a.{quoted(name)} is not distinct from b.{quoted(name)}" for name in key)
    names = ", ".join(map(quoted, key))
    content = ", ".join(map(quoted, schema.columns))
    query = (f"with twice as (select {names} from typed_{schema.name} group by {names} having count(*) > 1), "
             f"judged as (select _file, _row, row_number() over w as nth, "
             f"min(hash({content})) over k <> max(hash({content})) over k as differs "
             f"from typed_{schema.name} a where exists (select 1 from twice b where {same}) "
             f"window w as (partition by {names} order by _file, _row), k as (partition by {names})) "
             "select _file, _row from judged where nth > 1 and ")
    shared = {"table": schema.name, "column": ", ".join(key)}
    rules = [Rule(**shared, name="duplicate_row", query=query + "not differs")]
    if set(key) == set(schema.columns):
        return rules
    return [Rule(**shared, name="primary_key", query=query + "differs"), *rules]


def _overlap_rule(schema):
    """An interval begins before an earlier one of the same kind has ended; sorted, never by file order."""
    names = ", ".join(map(quoted, schema.no_overlap))
    columns = f"{', '.join(schema.no_overlap)}, start, end"
    query = ("select _file, _row from (select _file, _row, start, "
             "max(coalesce(\"end\", date '9999-12-31')) over "
             f"(partition by {names} order by start, \"end\", _file, _row "
             "rows between unbounded preceding and 1 preceding) as busy "
             f"from typed_{schema.name}) where start < busy")
    return Rule(table=schema.name, column=columns, name="no_overlap", query=query)


def _foreign_rules(schema, columns, other, other_columns):
    """Rows that the other table lacks; apart, those it has once leading zeros are put back."""
    def orphans(extra):
        return (f"select _file, _row from typed_{schema.name} a where {known} and not exists "
                f"(select 1 from typed_{other} b where {match}) and {extra}")

    pairs = list(zip(columns, other_columns, strict=True))
    known = " and ".join(f"a.{quoted(name)} is not null" for name in columns)
    match = " and ".join(f"a.{quoted(left)} = b.{quoted(right)}" for left, right in pairs)
    left, right = (quoted(name) for name in pairs[-1])
    loose = (f"exists (select 1 from typed_{other} b where ltrim(cast(a.{left} as varchar), '0') "
             f"= ltrim(cast(b.{right} as varchar), '0'))")
    shared = {"table": schema.name, "column": ", ".join(columns), "needs": other}
    return [Rule(**shared, name="foreign_key", query=orphans(f"not {loose}")),
            Rule(**shared, name="leading_zero_lost", query=orphans(loose))]


def _list_rules(table, item):
    name, rows = quoted(item.name), f"select _file, _row from typed_{table} a where "
    found = []
    if "code-list" in item.flags:
        valid = (f"select 1 from codes b where b.code = a.{name} and a.start + 6 >= b.valid_from "
                 "and (b.valid_to is null or a.start < b.valid_to)")
        found = [("unknown_code", f"{name} not in (select code from codes)"),
                 ("code_not_valid_then", f"{name} in (select code from codes) and not exists ({valid})")]
    if "state-list" in item.flags:
        found = [("unknown_state", f"{name} not in (select state from states)")]
    if "questionnaire-item" in item.flags:
        found = [("unknown_item", f"(questionnaire, {name}) not in (select questionnaire, item from items)")]
    return [Rule(table=table, column=item.name, name=rule, query=rows + bad) for rule, bad in found]
