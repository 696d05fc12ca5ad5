"""What is answered (`Result`), of what (`Estimand`), from what (`Provenance`), and may leave (`Released`)."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

import numpy as np
import pandas as pd

COLUMNS = (
    "term", "group", "time_weeks", "estimate", "std_error",
    "conf_low", "conf_high", "p_value", "n_persons", "n_events",
)
_TEXT = ("term", "group")
# counts: persons in cells; share: persons of persons; curve: one row a time; model: estimates with
# errors; aggregate: public or published figures with no person behind them; money: amounts.
KINDS = ("counts", "share", "curve", "model", "aggregate", "money")

MEDIA_TYPE = "application/vnd.evalkit.released+json"


def tidy(**columns):
    """Build a result table: every column of `COLUMNS`, in order; what is not given is missing.

    Parameters
    ----------
    **columns : scalar or array-like
        Columns by name; scalars are repeated. ``term`` and ``group`` default to the empty text.

    Returns
    -------
    DataFrame
        ``term`` and ``group`` as text, the rest as float64.

    Raises
    ------
    TypeError
        If a column is not one of `COLUMNS`.

    Examples
    --------
    >>> tidy(term="mean", estimate=[1.5])[["term", "estimate", "n_persons"]]
       term  estimate  n_persons
    0  mean       1.5        NaN
    """
    unknown = set(columns) - set(COLUMNS)
    if unknown:
        raise TypeError(f"unknown result columns: {', '.join(sorted(unknown))}")
    length = max((len(value) for value in columns.values() if np.ndim(value)), default=1 if columns else 0)
    data = {}
    for name in COLUMNS:
        value = columns.get(name, "" if name in _TEXT else np.nan)
        value = np.asarray(value, dtype=object if name in _TEXT else float)
        data[name] = np.broadcast_to(value, (length,)).copy()
    return pd.DataFrame(data)


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimand:
    """What is estimated: the attributes of ICH E9(R1), and how it is identified.

    Texts are either a key of the report's strings or a mapping of language to text
    (``{"da": ..., "en": ...}``) that the study holds.

    Attributes
    ----------
    name : str
        Key, for instance ``weeks_on_support``.
    population, exposure, outcome, summary, intercurrent_events : str or mapping
        Who, against what, which variable, summarised how, and what else can happen first.
    horizon_weeks : float or None
        Weeks since time zero.
    unit : str or mapping
        Unit of ``estimate``: ``weeks``, ``share``, ``persons``, ``dkk``, ``ratio``, ``score``, ``percent``;
        a mapping gives one unit for each ``term``.
    design : str
        The identifying design, for instance ``difference_in_differences``; empty for a description.
    assumptions : tuple of str or mapping
        What must be true for the estimate to mean what it says.
    """

    name: str
    population: str | Mapping = ""
    exposure: str | Mapping = ""
    outcome: str | Mapping = ""
    summary: str | Mapping = ""
    intercurrent_events: str | Mapping = ""
    horizon_weeks: float | None = None
    unit: str | Mapping = ""
    design: str = ""
    assumptions: tuple = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """Where a number is from: estimators fill method and options, evaluations the study, runs the hashes."""

    method: str = ""
    options: Mapping = field(default_factory=dict)
    study: str = ""
    study_sha256: str = ""
    site: str = ""
    site_sha256: str = ""
    inputs: Mapping = field(default_factory=dict)
    rests_on: tuple[str, ...] = ()
    data_through: str = ""
    versions: Mapping = field(default_factory=dict)
    seed: int | None = None
    population_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Result:
    """An answer inside the house: a tidy table, its estimand and its origin. No person rows.

    Attributes
    ----------
    kind : str
        One of `KINDS`; decides the rules by which it may leave.
    estimand : Estimand
    table : DataFrame
        The columns of `COLUMNS`. A curve has one row per time, ``n_persons`` at risk just before and
        ``n_events`` since the row before. A share has its numerator in ``n_events`` and its
        denominator in ``n_persons``. A withheld result has no rows.
    model : mapping of str to ndarray or tuple
        Plain arrays for prediction and contrasts (``terms``, ``estimates``, ``covariance``, ...). Where rows
        are a value per person times persons, ``scaled_by`` is that number of persons and ``not_scaled`` what
        of each row does not depend on it: totals leave made of the rounded number.
    provenance : Provenance
    diagnostics : mapping
        Plain values (numbers, texts, lists) that sentences and gates read.
    withheld : str
        Empty, or the key of the gate that failed.
    """

    kind: str
    estimand: Estimand
    table: pd.DataFrame
    model: Mapping = field(default_factory=dict)
    provenance: Provenance = field(default_factory=Provenance)
    diagnostics: Mapping = field(default_factory=dict)
    withheld: str = ""

    def __post_init__(self):
        if self.kind not in KINDS:
            raise ValueError(f"kind == {self.kind!r}, must be one of {', '.join(KINDS)}")
        if tuple(self.table.columns) != COLUMNS:
            raise ValueError("table must have the columns of evalkit.result.COLUMNS; build it with tidy()")
        object.__setattr__(self, "model", MappingProxyType(dict(self.model)))
        object.__setattr__(self, "diagnostics", MappingProxyType(dict(self.diagnostics)))

    def __reduce__(self):
        raise TypeError("a Result is never pickled; release it and keep the Released object")

    def withhold(self, gate):
        """Return this result without any number, and with the gate that failed as the reason."""
        return replace(self, table=self.table.iloc[:0].copy(), model={}, diagnostics={}, withheld=gate)

    def with_diagnostics(self, **values):
        """Return a copy with diagnostics added."""
        return replace(self, diagnostics={**self.diagnostics, **values})

    def with_provenance(self, **values):
        """Return a copy with fields of the provenance replaced."""
        return replace(self, provenance=replace(self.provenance, **values))

    def with_estimand(self, **values):
        """Return a copy with fields of the estimand replaced."""
        return replace(self, estimand=replace(self.estimand, **values))

    def row(self, term=None, group=None, time_weeks=None):
        """Return the one row that matches, as a Series.

        Raises
        ------
        KeyError
            If no row or more than one matches.
        """
        table = self.table
        for name, value in (("term", term), ("group", group), ("time_weeks", time_weeks)):
            if value is not None:
                table = table[table[name] == value]
        if len(table) != 1:
            raise KeyError(f"{len(table)} rows match term={term!r}, group={group!r}, "
                           f"time_weeks={time_weeks!r}; expected one")
        return table.iloc[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Released:
    """What may leave the house: plain JSON, numbers as decimal texts; ``disclosure.release`` alone makes it.

    Attributes
    ----------
    name : str
        Its file in the bundle.
    payload : mapping
        JSON: ``schema, name, kind, withheld, estimand, columns, rows, suppressed, diagnostics, provenance,
        profile``.
    sha256 : str
        Of the payload's canonical JSON; the release log holds it and publishing requires it.
    """

    name: str
    payload: Mapping
    sha256: str

    def _repr_mimebundle_(self, include=None, exclude=None):
        return {MEDIA_TYPE: {**self.payload, "sha256": self.sha256}, "text/plain": f"Released {self.name!r}"}
