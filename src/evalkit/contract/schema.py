"""The contract as Python sees it: table schemas, dated code lists and questionnaires of ``data_schema/``."""

import json
from dataclasses import dataclass, field
from functools import cache

import pandas as pd
import yaml

from evalkit.errors import ContractError
from evalkit.files import package_data

CODE_COLUMNS = (
    "code", "valid_from", "valid_to", "state", "activity_type", "title_da", "is_verified", "source")
CODE_LISTS = ("dream", "ydelse")


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One column of a table.

    Attributes
    ----------
    name, type : str
        ``type`` is a Table Schema type: string, integer, number, date or boolean.
    constraints : mapping
        required, enum, minimum, maximum, pattern.
    missing_values : tuple of str
        Texts that stand for a missing value.
    title, description : mapping of language to text
    example : object
        A value that the contract accepts.
    role : str
        identifier, time, attribute, exposure, outcome or measure.
    sdc : str
        Class for disclosure control: identifier, sensitive, quasi or ordinary.
    flags : mapping
        evalkit's own rules: monday, first-of-month, not-future, open-end, code-list, state-list,
        questionnaire-item.
    """

    name: str
    type: str
    constraints: dict = field(default_factory=dict)
    missing_values: tuple = ("",)
    title: dict = field(default_factory=dict)
    description: dict = field(default_factory=dict)
    example: object = None
    role: str = "attribute"
    sdc: str = "quasi"
    flags: dict = field(default_factory=dict)

    @property
    def is_required(self):
        """Whether every row must have a value."""
        return bool(self.constraints.get("required"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Schema:
    """One canonical table.

    Attributes
    ----------
    name : str
    fields : tuple of Field
    keys : tuple of tuple of str
        Columns that together may occur once.
    foreign_keys : tuple of (columns, table, columns)
    no_overlap : tuple of str
        Within these columns, intervals may not overlap; empty if they may.
    rows : tuple of mapping
        Rules within a row: name, field, operator, other.
    level : str
        Whose rows: person, respondent, caseworker, municipality or public.
    title, description : mapping of language to text
    facts : tuple of mapping
        How the data come about, as far as it changes what they mean.
    is_empty_allowed : bool
        Whether a file with a header and no row is an answer.
    """

    name: str
    fields: tuple
    keys: tuple = ()
    foreign_keys: tuple = ()
    no_overlap: tuple = ()
    rows: tuple = ()
    level: str = "person"
    title: dict = field(default_factory=dict)
    description: dict = field(default_factory=dict)
    facts: tuple = ()
    is_empty_allowed: bool = True

    @property
    def columns(self):
        """Names of the columns, in order."""
        return tuple(item.name for item in self.fields)

    @property
    def required(self):
        """Names of the columns that a file must have."""
        return tuple(item.name for item in self.fields if item.is_required)

    def field(self, name):
        """Return the field of this name."""
        return next(item for item in self.fields if item.name == name)


@cache
def load(table):
    """Return the schema of one canonical table.

    Raises
    ------
    ContractError
        If the contract has no such table.

    Examples
    --------
    >>> load("residence").columns
    ('person_id', 'municipality', 'start', 'end')
    """
    if table not in names():
        raise ContractError(f"the contract has no table {table!r}; tables are {', '.join(names())}")
    path = package_data("data_schema", f"{table}.schema.json")
    return _schema(json.loads(path.read_text(encoding="utf-8")))


@cache
def names():
    """Return the names of all canonical tables, as ``datapackage.json`` lists them."""
    package = json.loads(package_data("data_schema", "datapackage.json").read_text(encoding="utf-8"))
    return tuple(resource["name"] for resource in package["resources"])


def code_list(name, path=None):
    """Return a dated code list; a delivery's own list may stand in its place.

    Parameters
    ----------
    name : {"dream", "ydelse"}
    path : path-like, optional
        A CSV with the same columns. Default: the list in ``data_schema/codes/``.

    Returns
    -------
    DataFrame
        ``code, valid_from, valid_to, state, activity_type, title_da, is_verified, source``; dates are
        ``datetime64[s]``, an open ``valid_to`` is missing, ``is_verified`` is boolean.

    Raises
    ------
    ContractError
        If columns are missing, or a state is not in ``states.csv``.

    Examples
    --------
    >>> code_list("dream").set_index("code").loc["881", "state"]
    'MATERNITY_BENEFIT'
    """
    frame = _own_codes(name).copy() if path is None else _read_codes(path)
    unknown = ~frame["state"].isin(states()["state"])
    if unknown.any():
        raise ContractError(f"code list {name}: {int(unknown.sum())} rows name a state that states.csv lacks")
    return frame


@cache
def _states():
    path = package_data("data_schema", "codes", "states.csv")
    frame = pd.read_csv(path, dtype=str, keep_default_na=False)
    return frame.assign(is_support=frame["is_support"] == "1", priority=frame["priority"].astype(int))


def states():
    """Return the symbolic states; of two in one week, the one with the lower ``priority`` counts.

    Returns
    -------
    DataFrame
        ``state, is_support, role, priority, title_da, title_en``.
    """
    return _states().copy()


@cache
def questionnaires():
    """Return the questionnaires by name: scales, items worded in Danish and English, reversed items marked.

    Examples
    --------
    >>> sorted(questionnaires())
    ['caseworkers', 'citizens']
    """
    folder = package_data("data_schema", "questionnaires")
    sheets = [yaml.safe_load(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.yaml"))]
    return {sheet["name"]: sheet for sheet in sheets}


def documentation(language="en"):
    """Return the contract as a data dictionary.

    Parameters
    ----------
    language : {"en", "da"}

    Returns
    -------
    DataFrame
        ``table, column, type, is_required, allowed, sdc, title, description``, one row per column.
    """
    rows = [
        {"table": table, "column": item.name, "type": item.type, "is_required": item.is_required,
         "allowed": _allowed(item.constraints), "sdc": item.sdc, "title": item.title[language],
         "description": item.description[language]}
        for table in names() for item in load(table).fields
    ]
    return pd.DataFrame(rows)


def _allowed(constraints):
    if "enum" in constraints:
        return " | ".join(map(str, constraints["enum"]))
    bounds = [constraints.get("minimum"), constraints.get("maximum")]
    return constraints.get("pattern") or " to ".join(str(bound) for bound in bounds if bound is not None)


def _schema(raw):
    keys = [raw["primaryKey"]] if "primaryKey" in raw else []
    keys += raw.get("uniqueKeys", [])
    references = [(key["fields"], key["reference"]) for key in raw.get("foreignKeys", [])]
    return Schema(
        name=raw["name"], fields=tuple(_field(item, raw) for item in raw["fields"]),
        keys=tuple(map(tuple, keys)),
        foreign_keys=tuple((tuple(fields), other["resource"], tuple(other["fields"]))
                           for fields, other in references),
        no_overlap=tuple(raw.get("x-no-overlap", [])), rows=tuple(raw.get("x-rows", [])),
        level=raw["x-level"], facts=tuple(raw["x-facts"]), is_empty_allowed=not raw.get("x-not-empty", False),
        **_wording(raw))


def _field(raw, table):
    flags = {name.removeprefix("x-"): value for name, value in raw.items()
             if name.startswith("x-") and name not in ("x-title-da", "x-description-da", "x-role", "x-sdc")}
    return Field(
        name=raw["name"], type=raw["type"], constraints=raw.get("constraints", {}),
        missing_values=tuple(raw.get("missingValues", table["missingValues"])), example=raw.get("example"),
        role=raw["x-role"], sdc=raw["x-sdc"], flags=flags, **_wording(raw))


def _wording(raw):
    return {name: {"en": raw.get(name, ""), "da": raw.get(f"x-{name}-da", "")}
            for name in ("title", "description")}


@cache
def _own_codes(name):
    return _read_codes(package_data("data_schema", "codes", f"{name}.csv"))


def _read_codes(path):
    frame = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8")
    missing = [name for name in CODE_COLUMNS if name not in frame.columns]
    if missing:
        expected = ", ".join(CODE_COLUMNS)
        raise ContractError(f"code list: no column {', '.join(missing)}; columns are {expected}")
    dates = {name: pd.to_datetime(frame[name], format="%Y-%m-%d").astype("datetime64[s]")
             for name in ("valid_from", "valid_to")}
    return frame[list(CODE_COLUMNS)].assign(**dates, is_verified=frame["is_verified"] == "1")
