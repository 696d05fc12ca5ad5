"""Every rule of every schema fires on a row that breaks it and on no other; rows come from the schemas."""

import datetime as dt
import json
from pathlib import Path

import pandas as pd
import pytest

from evalkit import contract
from evalkit.contract import problems, schema
from evalkit.contract.dialects import csv
from evalkit.contract.rules import row_rules, set_rules
from evalkit.files import package_data

AS_OF = dt.date(2020, 1, 1)
TABLES = schema.names()
RULES = [
    rule
    for table in TABLES
    for rule in row_rules(schema.load(table), as_of=AS_OF) + set_rules(schema.load(table))
]


def example(table):
    """A row that keeps every rule: the schema's own examples, as a CSV holds them."""
    return {item.name: str(item.example) for item in schema.load(table).fields}


def later(day, days=1):
    return (dt.date.fromisoformat(day) + dt.timedelta(days=days)).isoformat()


def limit(rule, name):
    return schema.load(rule.table).field(rule.column).constraints[name]


def other_value(item, value):
    """A second allowed value of a column."""
    if "enum" in item.constraints:
        return next(allowed for allowed in item.constraints["enum"] if allowed != value)
    if item.type == "date":
        return later(value, 7)
    if item.type == "boolean":
        return "1"
    return value + "1" if item.type == "string" else str(float(value) + 1).removesuffix(".0")


def break_key(row, rule):
    """Same key, another fact in the first column that is not part of it."""
    keys = rule.column.split(", ")
    item = next(item for item in schema.load(rule.table).fields if item.name not in keys)
    return {**row, item.name: other_value(item, row[item.name])}


def break_order(row, rule):
    field, other = rule.column.split(", ")
    return {**row, field: row[other]}


# How a row is made to break a rule, by the rule's name. A rule without an entry fails the suite.
BREAKS = {
    "required": lambda row, rule: {**row, rule.column: ""},
    "type": lambda row, rule: {**row, rule.column: "x"},
    "enum": lambda row, rule: {**row, rule.column: "none of these"},
    "minimum": lambda row, rule: {**row, rule.column: str(limit(rule, "minimum") - 1)},
    "maximum": lambda row, rule: {**row, rule.column: str(limit(rule, "maximum") + 1)},
    "pattern": lambda row, rule: {**row, rule.column: "?"},
    "monday": lambda row, rule: {**row, rule.column: later(row[rule.column])},
    "first_of_month": lambda row, rule: {**row, rule.column: later(row[rule.column])},
    "future_date": lambda row, rule: {**row, rule.column: later(AS_OF.isoformat())},
    "end_after_start": break_order,
    "valid_to_after_valid_from": break_order,
    "seniority_to_after_from": break_order,
    "primary_key": break_key,
    "duplicate_row": lambda row, rule: row,
    "no_overlap": lambda row, rule: {**row, "start": later(row["start"], 7)},
    "foreign_key": lambda row, rule: {**row, rule.column.split(", ")[-1]: "nobody"},
    "leading_zero_lost": lambda row, rule: {**row, rule.column.split(", ")[-1]: "7x"},
    "unknown_code": lambda row, rule: {**row, rule.column: "000x"},
    "code_not_valid_then": lambda row, rule: {**row, rule.column: "810", "start": "2012-12-17"},
    "unknown_state": lambda row, rule: {**row, rule.column: "RICH"},
    "unknown_item": lambda row, rule: {**row, rule.column: "emp_99"},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Every table with one good row; persons and respondents have a second, numbered with a leading zero."""
    path = tmp_path_factory.mktemp("delivery")
    for table in TABLES:
        write(path, table, [example(table)])
    write(path, "person", [example("person"), {**example("person"), "person_id": "007x"}])
    write(
        path, "survey_frame", [example("survey_frame"), {**example("survey_frame"), "respondent_id": "007x"}]
    )
    return path


def write(folder, table, rows):
    pd.DataFrame(rows).to_csv(folder / f"{table}.csv", index=False, encoding="utf-8")


def source(path, table):
    return {"path": path / f"{table}.csv", "dialect": "csv", "table": table, "origin": "simulated"}


def test_examples_of_the_schemas_keep_the_contract(folder):
    report = contract.check([source(folder, table) for table in TABLES], as_of=AS_OF)
    assert report.problems.empty
    assert report.tables["table"].tolist() == list(TABLES)


@pytest.mark.parametrize(
    "rule", RULES, ids=lambda rule: f"{rule.table}-{rule.column}-{rule.name}".replace(", ", "+")
)
def test_rule_fires_on_the_row_that_breaks_it_only(rule, folder, tmp_path):
    rows = (
        [example(rule.table), BREAKS[rule.name](example(rule.table), rule)]
        if not rule.is_majority
        else [
            {**example(rule.table), rule.column: number}
            for number in ("0101701234", "121270-1234", "nobody", "311299 9999")
        ]
    )
    write(tmp_path, rule.table, rows)
    others = {rule.needs} - {"", rule.table}
    report = contract.check(
        [source(tmp_path, rule.table), *(source(folder, table) for table in others)], as_of=AS_OF
    )
    found = report.problems[
        (report.problems["rule"] == rule.name) & (report.problems["column"] == rule.column)
    ]
    expected = (2, 3, 5) if rule.is_majority else (3,)
    assert found["first_rows"].tolist() == [expected]
    assert found["count"].tolist() == [len(expected)]


def test_no_rule_of_a_schema_file_is_left_uncompiled():
    """Each constraint and each x- rule in the JSON files has its SQL: none can be silently ignored."""
    by_flag = {
        "x-monday": "monday",
        "x-first-of-month": "first_of_month",
        "x-not-future": "future_date",
        "x-code-list": "unknown_code",
        "x-state-list": "unknown_state",
        "x-questionnaire-item": "unknown_item",
    }
    told = {"x-title-da", "x-description-da", "x-role", "x-sdc", "x-open-end"}
    compiled = {(rule.table, rule.column, rule.name) for rule in RULES}
    for table in TABLES:
        raw = json.loads(package_data("data_schema", f"{table}.schema.json").read_text(encoding="utf-8"))
        for item in raw["fields"]:
            wanted = set(item.get("constraints", {})) | {
                by_flag[key] for key in item if key.startswith("x-") and key not in told
            }
            wanted |= {"type"} if item["type"] != "string" else set()
            wanted |= {"cpr_shaped"} if item["x-role"] == "identifier" else set()
            assert {(table, item["name"], name) for name in wanted} <= compiled
        names = {rule.name for rule in RULES if rule.table == table}
        assert {row["name"] for row in raw.get("x-rows", [])} <= names
        assert ("no_overlap" in names) == ("x-no-overlap" in raw)
        assert ("duplicate_row" in names) == ("primaryKey" in raw or "uniqueKeys" in raw)
        assert ("foreign_key" in names) == ("foreignKeys" in raw)


def test_every_rule_of_files_has_a_fault_test():
    told = (Path(__file__).parents[1] / "faults" / "test_faults_input.py").read_text(encoding="utf-8")
    compiled = {rule.name for rule in RULES}
    untested = [name for name in problems.NEXT_STEP if name not in compiled and f'"{name}"' not in told]
    assert untested == []


@pytest.mark.parametrize("table", TABLES)
def test_written_tables_are_read_back(table, tmp_path):
    frame = contract.Tables.from_frames({table: pd.DataFrame([example(table)])}, data_through="2019-12-29")[
        table
    ]
    csv.write(tmp_path / f"{table}.csv", frame, table=table)
    tables = contract.read(
        [{**source(tmp_path, table), "data_from": "2010-01-04", "data_through": "2019-12-29"}], as_of=AS_OF
    )
    pd.testing.assert_frame_equal(tables[table], frame)


def test_every_column_has_both_languages_and_a_class_for_disclosure():
    for language in ("da", "en"):
        dictionary = schema.documentation(language)
        assert (dictionary["title"] != "").all()
        assert dictionary["sdc"].isin(["identifier", "sensitive", "quasi", "ordinary"]).all()
    for table in TABLES:
        item = schema.load(table)
        assert item.title["da"] and item.title["en"] and item.description["da"] and item.description["en"]
        assert all(fact["da"] and fact["en"] for fact in item.facts)


def test_questionnaires_are_whole():
    for sheet in schema.questionnaires().values():
        scales, names = (
            {scale["name"] for scale in sheet["scales"]},
            [item["name"] for item in sheet["items"]],
        )
        assert len(names) == len(set(names))
        assert any(item["reverse"] for item in sheet["items"])
        for item in sheet["items"]:
            assert item["scale"] in scales and item["da"] and item["en"]
            assert [anchor["value"] for anchor in sheet["anchors"][item["anchors"]]] == [1, 2, 3, 4, 5]
        for scale in sheet["scales"]:
            assert 1 <= scale["min_items"] <= sum(item["scale"] == scale["name"] for item in sheet["items"])


@pytest.mark.parametrize("name", schema.CODE_LISTS)
def test_code_lists_have_one_meaning_at_a_time(name):
    codes = schema.code_list(name).sort_values(["code", "valid_from"])
    closes = codes.groupby("code")["valid_to"].shift()
    assert (closes.isna() | (closes <= codes["valid_from"])).all()
    assert not codes["is_verified"].any(), "mark a code verified together with its source"
    assert (codes["source"] != "").all()


def test_states_are_ranked_without_ties():
    states = schema.states()
    assert sorted(states["priority"]) == list(range(1, len(states) + 1))
    assert set(states["role"]) == {"support", "employment", "education", "exit", "none"}
    assert (states.loc[states["is_support"], "role"] == "support").all()
