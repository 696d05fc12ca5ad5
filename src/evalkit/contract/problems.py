"""What is wrong with a delivery: where, which rule, how many rows, which rows, what to do. Never a value."""

from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from evalkit.errors import ContractError

COLUMNS = ("file", "table", "column", "rule", "count", "first_rows", "severity", "next_step")
N_ROWS_NAMED = 5

# Rules that do not stop a run: reading deals with them as the next step says.
WARNINGS = frozenset({
    "byte_order_mark", "unknown_column", "duplicate_row", "no_rows_optional", "negative_amount"})

_CORRECT = "Correct the rows where they come from."
NEXT_STEP = {
    "missing_file": "Put the file in the data folder, or correct its name in the site file.",
    "unreadable_file": "The file cannot be read. Is it open elsewhere, or is reading not allowed?",
    "empty_file": "The file holds nothing. Ask for the delivery again.",
    "no_rows": "The file has a header and no rows. Ask for the delivery again.",
    "no_rows_optional": "The file has a header and no rows. Correct if nothing of the kind happened.",
    "encoding": "The bytes are not UTF-8 but read as Windows-1252 (latin-1). Save the file as UTF-8.",
    "encoding_unknown": "The bytes are neither UTF-8 nor Windows-1252. Export the file again as UTF-8 text.",
    "byte_order_mark": "The file begins with a byte order mark. It was skipped; nothing to do.",
    "nul_bytes": "The file holds zero bytes, as after a broken copy. Fetch it again.",
    "truncated": "The last line has no line end, as in a file that was cut off. Fetch it again and compare "
                 "sizes; if it is whole, add the line end.",
    "row_shape": "These lines have more or fewer values than the header, or a quote is open. Export again.",
    "wrong_delimiter": "Another delimiter fits. Export with the right one or name it in the site file.",
    "missing_column": "Add the column, or correct its name in the header.",
    "unknown_column": "The contract does not know this column; it was not read. Is its name misspelt?",
    "duplicate_column": "Two columns have the same name. Export again with one of them.",
    "type": "Write whole numbers as 12, numbers as 12.5, dates as 2015-01-31 and yes/no as 1/0.",
    "decimal_mark": "Write numbers with the decimal mark of the format, and no mark between thousands.",
    "required": "The value may not be missing.",
    "enum": "Use only the values that the schema of the table lists.",
    "minimum": "The value is smaller than the schema of the table allows.",
    "maximum": "The value is larger than the schema of the table allows.",
    "pattern": "Write the value in the form that the schema of the table gives.",
    "monday": "Weeks begin and end on Mondays.",
    "first_of_month": "A month is written as its first day, such as 2015-02-01.",
    "future_date": "The date lies after the day of the extract. Look for swapped digits or planned dates.",
    "unknown_code": "Add the code, with dates and state, to the code list in data_schema/codes or your own.",
    "code_not_valid_then": "The code list has no such code in that week. Correct the list or the data.",
    "unknown_state": "Use the states of data_schema/codes/states.csv.",
    "unknown_item": "Use the items of data_schema/questionnaires.",
    "primary_key": "Rows with the same key say different things. Keep the right one.",
    "duplicate_row": "Rows occur twice, wholly equal. One of each was kept; nothing to do.",
    "no_overlap": "Intervals that may not overlap do: end the earlier one where the later begins.",
    "foreign_key": "The other table lacks these. Deliver both tables from the same extract.",
    "leading_zero_lost": "Identifiers match the other table once leading zeros are put back: "
                         "export the column as text.",
    "cpr_shaped": "Most values look like CPR numbers. Replace them with pseudonyms before they come here.",
    "not_a_week": "The year has no such week. Correct the column's name.",
    "not_a_month": "There is no such month. Correct the column's name.",
    "missing_week": "Weeks are missing between the first and the last week column; a hole would join spells.",
    "missing_month": "Months are missing between the first and the last month column.",
    "no_weeks": "No week column (y_YYWW) was found. Is this a DREAM file?",
    "duplicate_person": "A person may have one row only.",
    "statbank": "Read the table from Statistics Denmark again.",
    "negative_amount": "Amounts below zero were added to their week and benefit; a sum below zero is a gap.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One broken rule in one column of one file.

    Attributes
    ----------
    file, table, column, rule : str
        ``column`` may name several, separated by commas.
    count : int
        Rows, lines or columns that break the rule.
    first_rows : tuple of int
        Line numbers in the file, the header being line 1; at most `N_ROWS_NAMED`.
    hint : str
        What stands before the rule's usual next step.
    """

    file: str
    table: str
    rule: str
    count: int
    column: str = ""
    first_rows: tuple = ()
    hint: str = ""

    @property
    def severity(self):
        """``error`` stops a run, ``warning`` is reported."""
        return "warning" if self.rule in WARNINGS else "error"

    @property
    def next_step(self):
        """What to do about it."""
        return f"{self.hint} {NEXT_STEP.get(self.rule, _CORRECT)}".strip()

    def __str__(self):
        parts = [self.file, f"table {self.table}", self.column and f"column {self.column}"]
        where = ", ".join(part for part in parts if part)
        lines = f" (first: {', '.join(map(str, self.first_rows))})" if self.first_rows else ""
        return f"{where}: rule {self.rule}, {self.count} found{lines}. {self.next_step}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """What a dialect makes of one file.

    Attributes
    ----------
    tables : mapping of str to DataFrame or name of a DuckDB table
        Canonical tables; ``_row`` holds the line number in the file.
    problems : tuple of Problem
    window : tuple of (date, date) or None
        First and last day that the file covers, where the format says so.
    trusted : frozenset of str
        Tables whose keys and intervals the format itself guarantees; they are not checked again.
    """

    tables: dict = field(default_factory=dict)
    problems: tuple = ()
    window: tuple | None = None
    trusted: frozenset = frozenset()


def to_frame(problems):
    """Return problems as a table with the columns of `COLUMNS`, errors first."""
    ordered = sorted(problems, key=lambda item: (item.severity, item.file, item.table))
    rows = [[getattr(item, name) for name in COLUMNS] for item in ordered]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def raise_errors(problems):
    """Raise one ContractError that holds every error, if there is any."""
    errors = [item for item in problems if item.severity == "error"]
    if errors:
        head = f"the delivery breaks the contract in {len(errors)} place{'s' * (len(errors) > 1)}:"
        raise ContractError("\n- ".join([head, *map(str, errors)]))


def file_name(path):
    """Name a file in a message: its last part, since folders can hold names of persons."""
    return Path(path).name
