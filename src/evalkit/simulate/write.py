"""The register as files: DREAM or Ydelsesrefusion, the municipality's own tables, the panel, the truth."""

import datetime as dt
import json
from pathlib import Path

import numpy as np
import pandas as pd

from evalkit import weeks
from evalkit.contract import Tables
from evalkit.contract.dialects import csv as csv_dialect
from evalkit.contract.dialects import dream, statbank, ydelsesrefusion
from evalkit.files import package_data, write_atomic
from evalkit.simulate import (
    caseload,
    codes,
    delivered,
    dirt,
    ledger,
    observe,
    panel,
    payments,
    planting,
    programme,
    rights,
    survey,
    traps,
)
from evalkit.simulate.own import Own

_OWN_TABLES = {
    "closure": rights.closure,
    "visitation": rights.visitation,
    "integration_programme": rights.integration_programme,
    "activity": programme.activity,
    "enrolment": programme.enrolment,
    "contact": caseload.contact,
    "case": caseload.case,
    "headcount": caseload.headcount,
    "case_review": caseload.case_review,
    "exemption": rights.exemption,
    "availability": rights.availability,
    "sanction": rights.sanction,
    "screening": programme.screening,
    "process": programme.process,
    "rehabilitation": rights.rehabilitation,
    "progress": programme.progress,
}


def write(register, folder):
    """Write the files of a register as its site delivers them.

    Parameters
    ----------
    register : Register
    folder : path-like
        Made when missing; files of the same names are replaced.

    Returns
    -------
    list of str
        Names of the files written.
    """
    folder, delivery = Path(folder), _delivery(register)
    for name, frame in delivery.tables.items():
        csv_dialect.write(folder / f"{name}.csv", frame, table=name)
    written = [f"{name}.csv" for name in delivery.tables]
    written.append(_write_benefits(register, delivery, folder))
    written += _write_panel(register, folder)
    if register.is_dirty:
        write_atomic(folder / "planted.json", _json(delivery.entries))
        written.append("planted.json")
    # Last: a folder with a truth in it is a whole simulated delivery.
    write_atomic(folder / "truth.json", _json(delivered.truth(register)))
    return sorted([*written, "truth.json"])


def _delivery(register):
    """Return what is written, spoilt where the register is dirty."""
    matrix, degree = None, None
    if register.site.dialect == "dream":
        matrix, degree = codes.dream_codes(register), observe.employment_degree(register)
    delivery = planting.Planting(register, frames(register), matrix, degree)
    if register.is_dirty:
        traps.plant(delivery)
        dirt.plant(delivery)
    return delivery


def _json(content):
    return json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def tables(register):
    """Return a register's tables in memory, as the contract would have read them from its files.

    Without detail only person, residence, benefit and income are made.
    """
    made = _core(register) | (frames(register) if register.detail else {})
    made = made | {"benefit": observe.benefit(register, codes.dream_codes(register))}
    first, last = (
        weeks.monday(week) for week in (register.first_week, register.first_week + len(register.state))
    )
    return Tables.from_frames(made, data_from=first, data_through=last - dt.timedelta(days=1))


def frames(register):
    """Return every table but benefit as a frame, by name: what the site has and no more."""
    own = Own(register)
    made = _core(register) | {name: make(own) for name, make in _OWN_TABLES.items()}
    made |= survey.tables(own) | {"ledger": ledger.ledger(register)} | _given(register.site)
    return {name: frame for name, frame in made.items() if name not in register.site.absent}


def _core(register):
    return {"person": observe.person(register), "residence": observe.residence(register),
            "income_month": observe.income_month(register)}


def _given(site):
    """Return what has a source and is not simulated: the published ledger, the site's own prices."""
    given = {}
    for table, path in {"ledger": ("data_schema", "figures", f"ledger_{site.name}.csv"),
                        "price": ("analysis", "municipalities", f"{site.name}_prices.csv")}.items():
        try:
            given[table] = pd.read_csv(package_data(*path), encoding="utf-8")
        except FileNotFoundError:
            continue
    return given


def _write_benefits(register, delivery, folder):
    if register.site.dialect == "dream":
        months = np.unique(weeks.month_of(register.weeks))
        dream.write(folder / "dream.csv", register.person_id, register.weeks, delivery.codes, months,
                    observe.industry(register, delivery.degree), delivery.degree)
        return "dream.csv"
    ydelsesrefusion.write(folder / "ydelsesrefusion.csv", payments.refund_weeks(register))
    return "ydelsesrefusion.csv"


def _write_panel(register, folder):
    measures = panel.municipality_period(register.counted())
    for name, frame in measures.items():
        statbank.write(folder / f"{name}.csv", frame, statbank=name)
    return [f"{name}.csv" for name in measures]
