"""Ordinary dirt: what the rules of the contract are there to find, each rule a stated number of times."""

import datetime as dt

import pandas as pd

from evalkit import weeks
from evalkit.simulate.planting import UNKNOWN_PERSON

_FAR_FUTURE = (pd.Timestamp("2099-01-05"), pd.Timestamp("2099-06-01"))
_DAY = dt.timedelta(days=1)
_UNKNOWN_CODE = 199
# Wrong values by table, column, value, rule and how often.
_VALUES = (
    ("person", "sex", "K", "enum", 2),
    ("person", "ancestry", None, "required", 2),
    ("person", "birth_year", 1015, "minimum", 1),
    ("visitation", "category", "MATCH_4", "enum", 3),
    ("activity", "type", "KURSUS", "enum", 4),
    ("activity", "hours_per_week", "7,5", "type", 3),
    ("contact", "kind", "MAIL", "enum", 2),
    ("closure", "reason", "UKENDT", "enum", 2),
    ("screening", "risk", "UKENDT", "enum", 2),
    ("survey_response", "value", 7, "maximum", 3),
    ("survey_response", "item", "emp_99", "unknown_item", 2),
    ("survey_frame", "age_group", "30 til 39", "pattern", 2),
    ("headcount", "fte", -1.0, "minimum", 1),
    ("headcount", "month", pd.Timestamp("2015-03-15"), "first_of_month", 1),
)
_BACKWARDS = (("residence", 3), ("activity", 5), ("sanction", 2))
_FUTURE = (("residence", "start", 2), ("activity", "start", 3), ("process", "date", 2))
_TWICE = (("person", 3), ("activity", 4))


def plant(planting):
    """Plant the ordinary dirt in the tables that are there."""
    _wrong_values(planting)
    _intervals(planting)
    _rows_again(planting)
    if planting.codes is not None:
        _codes(planting)


def _wrong_values(planting):
    for table, column, value, rule, n in _VALUES:
        if table in planting.tables:
            # A missing respondent's age group must stay missing.
            rows = planting.rows(table, n, where=planting.tables[table][column].notna())
            planting.put(table, rows, column, value)
            # A decimal comma among points (T18) is the only wrong type.
            planting.note(table, rule, len(rows), column=column, trap="T18" if rule == "type" else "")
    rows = planting.rows("contact", 5)
    planting.put("contact", rows, "person_id", UNKNOWN_PERSON)
    planting.note("contact", "foreign_key", len(rows), column="person_id")


def _intervals(planting):
    for table, n in _BACKWARDS:
        frame = planting.tables[table]
        rows = planting.rows(
            table, n, where=planting.single(table) if table == "residence" else frame["end"].notna()
        )
        frame.loc[rows, "end"] = frame.loc[rows, "start"] - 30 * _DAY
        planting.note(table, "end_after_start", len(rows), column="end, start")
    for table, column, n in _FUTURE:
        if table in planting.tables:
            _to_the_future(planting, table, column, n)
    _overlaps(planting, "residence", 4, municipality="Kommune 01")
    _overlaps(planting, "visitation", 5)


def _to_the_future(planting, table, column, n):
    frame = planting.tables[table]
    rows = planting.rows(table, n, where=planting.single(table) if table == "residence" else None)
    frame.loc[rows, column] = _FAR_FUTURE[0]
    if "end" in frame:
        frame.loc[rows, "end"] = _FAR_FUTURE[1]
    planting.note(table, "future_date", len(rows), column=column)


def _overlaps(planting, table, n, **changes):
    """Add an interval inside another of the same person."""
    frame = planting.tables[table]
    long = planting.single(table) & ((frame["end"] - frame["start"]) > 60 * _DAY)
    inside = frame.loc[planting.rows(table, n, where=long)].copy()
    inside = inside.assign(start=inside["start"] + 20 * _DAY, **changes)
    inside["end"] = inside["start"] + 20 * _DAY
    planting.add(table, inside)
    planting.note(table, "no_overlap", len(inside))


def _rows_again(planting):
    for table, n in _TWICE:
        again = planting.tables[table].loc[planting.rows(table, n)]
        planting.add(table, again)
        planting.note(table, "duplicate_row", len(again))
    other = planting.tables["person"].loc[planting.rows("person", 2)].copy()
    other["birth_year"] = other["birth_year"] + 1
    planting.add("person", other)
    planting.note("person", "primary_key", len(other), column="person_id")
    closed = planting.tables["closure"]
    other = closed.loc[planting.rows("closure", 2, where=closed["reason"] == "SELF_SUPPORT")].assign(
        reason="OTHER"
    )
    planting.add("closure", other)
    planting.note("closure", "primary_key", len(other), column="person_id, date")


def _codes(planting):
    """Codes that nobody knows, and codes of a benefit that did not exist yet."""
    row = min(120, planting.codes.shape[1] - 8)
    who = planting.blank_cells(4, row, around=2)
    planting.codes[who, row] = _UNKNOWN_CODE
    planting.note("benefit", "unknown_code", len(who), column="code")
    early = weeks.week_of("2012-03-05") - planting.register.first_week
    who = planting.blank_cells(3, early, around=2)
    planting.codes[who, early] = 140
    planting.note("benefit", "code_not_valid_then", len(who), column="code", trap="T2",
                  how="education benefit before it existed")
