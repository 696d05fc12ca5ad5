"""Counted facts: tables of persons become Results, and a question without its tables says so."""

from functools import wraps

import numpy as np
import pandas as pd

from evalkit.result import Estimand, Provenance, Result, tidy

MISSING_TABLES = "missing_tables"
HISTORY_TOO_SHORT = "history_too_short"
# What limits an answer although its tables are there.
_LIMITS = {HISTORY_TOO_SHORT, "bounds_only", "nobody_counted", "nobody_followed", "months_not_covered",
           "too_few_exits", "no_model", "one_wave"}
# Tables with records in every week, and the column that dates a record.
_DENSE = {"activity": "start", "contact": "date", "income_month": "month"}


def needs(*names):
    """Mark a question with the tables it cannot do without.

    The question is called ``question(tables, study, site, ...)``. Where one of the tables was not
    delivered it is not run: a withheld Result names the missing ones, so that a site answers what it can.

    Parameters
    ----------
    *names : str
        Names of canonical tables.

    Examples
    --------
    >>> @needs("benefit", "activity")
    ... def offers(tables, study, site):
    ...     return "an answer"
    >>> offers.needs
    ('benefit', 'activity')
    """
    def mark(question):
        @wraps(question)
        def asked(tables, study, site, **options):
            missing = missing_tables(tables, names)
            if missing:
                return unanswered(question.__name__, missing, study)
            return question(tables, study, site, **options)
        asked.needs = names
        return asked
    return mark


def missing_tables(tables, names):
    """Return those of ``names`` that the site did not deliver."""
    return [name for name in names if not tables.has(name)]


def unanswered(name, missing, study, *, reason=MISSING_TABLES):
    """Return a Result without numbers that names the tables it would need, or another reason."""
    return Result(kind="counts", estimand=Estimand(name=name), table=tidy(), withheld=reason,
                  provenance=Provenance(study=study.name, study_sha256=study.sha256),
                  diagnostics={"missing_tables": list(missing)})


def reach(tables, study, questions, told):
    """Say which questions the delivered data could answer, and what the others lack.

    Parameters
    ----------
    questions : sequence of functions marked by `needs`
    told : mapping of str to Result
        What each question was answered, by its name.

    Returns
    -------
    Result
        Kind aggregate, unit ``yes_no``: ``term`` the question, ``estimate`` 1 where it was answered, 0 where
        not, and 0.5 where the data tell its bounds alone; ``group`` is what is missing: tables joined by a
        comma, another reason, or ``nothing_missing``.
    """
    answers = {question.__name__: _answered(told[question.__name__]) for question in questions}
    lacking = sorted({name for question in questions for name in missing_tables(tables, question.needs)})
    estimate, reasons = zip(*answers.values(), strict=True)
    used = {name for question in questions for name in question.needs if tables.has(name)}
    return Result(
        kind="aggregate",
        estimand=Estimand(name="reach", unit="yes_no"),
        table=tidy(term=list(answers), group=list(reasons), estimate=list(estimate)),
        provenance=Provenance(study=study.name, study_sha256=study.sha256, rests_on=rests_on(tables, used)),
        diagnostics={
            "missing_tables": lacking,
            "missing": _listed(lacking),
            "questions": len(answers),
            "answered": estimate.count(1.0),
            "limited": sum(reason in _LIMITS for reason in reasons),
        },
    )


def _answered(result):
    """Return how far a question was answered (1, 0.5 or 0) and what is missing."""
    if result.withheld == MISSING_TABLES:
        return 0.0, _listed(result.diagnostics["missing_tables"])
    if result.withheld:
        return 0.0, result.withheld
    if not np.isfinite(result.table["estimate"]).any():
        return 0.0, "nobody_counted"
    return (0.5, "bounds_only") if result.diagnostics.get("bounds_only") else (1.0, "nothing_missing")


def _listed(names):
    return ", ".join(names) or "nothing_missing"


def counts(name, rows, *, estimand=None, provenance=None, **diagnostics):
    """Make a Result of counts.

    Parameters
    ----------
    name : str
        Name of the estimand.
    rows : sequence of (term, group, n_persons)
        The count is both the estimate and the number of persons behind it.
    """
    frame = pd.DataFrame(rows, columns=["term", "group", "n"])
    table = tidy(term=frame["term"], group=frame["group"], estimate=frame["n"], n_persons=frame["n"])
    return Result(kind="counts", estimand=estimand or Estimand(name=name, unit="persons"), table=table,
                  provenance=provenance or Provenance(), diagnostics=diagnostics)


def shares(name, rows, *, estimand=None, provenance=None, **diagnostics):
    """Make a Result of shares: persons of persons.

    Parameters
    ----------
    rows : sequence of (term, group, n_events, n_persons) or (term, group, n_events, n_persons, time_weeks)
        Numerator and denominator; a share of nobody is missing, not zero.

    Examples
    --------
    >>> shares("offers", [("any_offer", "", 70, 74)]).row("any_offer")["estimate"].round(3)
    np.float64(0.946)
    """
    frame = pd.DataFrame([(*row, np.nan)[:5] for row in rows],
                         columns=["term", "group", "events", "persons", "weeks"])
    table = tidy(term=frame["term"], group=frame["group"], time_weeks=frame["weeks"],
                 estimate=frame["events"] / frame["persons"].where(frame["persons"] > 0),
                 n_persons=frame["persons"], n_events=frame["events"])
    return Result(kind="share", estimand=estimand or Estimand(name=name, unit="share"), table=table,
                  provenance=provenance or Provenance(), diagnostics=diagnostics)


def origin(tables, study, used, *, method="count", data_through=None, **options):
    """Return the Provenance of a fact: study, kinds of origin of the tables used, and its own last date.

    Measures end on different dates (a register of benefits may run longer than one of activities), so
    ``data_through`` is the earliest last date of the tables used, never later than the delivery's.
    """
    through = data_through or min(last_date(tables, name) for name in used)
    return Provenance(method=method, options=options, study=study.name, study_sha256=study.sha256,
                      rests_on=rests_on(tables, used),
                      data_through=str(through))


def rests_on(tables, used):
    """Return the kinds of origin of the tables used: simulated, real, published."""
    origins = {tables.origins.get(name, "") for name in used} - {""}
    return tuple(sorted({"published" if origin == "source" else origin for origin in origins}))


def last_date(tables, name):
    """Return the last date that a table speaks of, at most the delivery's own last date.

    Only tables with records in every week can tell that by their newest record; in a sparse one
    (exemptions, sanctions) a quiet month is not the end of the register.
    """
    through = pd.Timestamp(tables.data_through)
    column = _DENSE.get(name)
    if column is None or tables[name].empty:
        return through.date()
    return min(pd.Timestamp(tables[name][column].max()), through).date()
