"""The register as files: DREAM or Ydelsesrefusion, the municipality's own tables, the panel, the truth."""

import json
from pathlib import Path

import numpy as np
import pandas as pd

from evalkit import weeks
from evalkit.contract.dialects import csv as csv_dialect
from evalkit.contract.dialects import dream, statbank
from evalkit.files import package_data, write_atomic
from evalkit.simulate import caseload, codes, observe, panel, programme, rights, survey
from evalkit.simulate.own import Own

_OWN_TABLES = {
    "closure": rights.closure, "visitation": rights.visitation, "integration_programme": rights.integration_programme,
    "activity": programme.activity, "enrolment": programme.enrolment, "contact": caseload.contact, "case": caseload.case,
    "headcount": caseload.headcount, "case_review": caseload.case_review, "exemption": rights.exemption,
    "availability": rights.availability, "sanction": rights.sanction, "screening": programme.screening,
    "process": programme.process, "rehabilitation": rights.rehabilitation, "progress": programme.progress,
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
    folder = Path(folder)
    tables = frames(register)
    for name, frame in tables.items():
        csv_dialect.write(folder / f"{name}.csv", frame, table=name)
    written = [f"{name}.csv" for name in tables]
    written.append(_write_benefits(register, folder))
    written += _write_panel(register, folder)
    return sorted(written)


def frames(register):
    """Return every table but benefit as a frame, by name: what the site has and no more."""
    own = Own(register)
    tables = {"person": observe.person(register), "residence": observe.residence(register),
              "income_month": observe.income_month(register)}
    tables |= {name: make(own) for name, make in _OWN_TABLES.items()}
    tables |= survey.tables(own)
    tables |= _given(register.site)
    return {name: frame for name, frame in tables.items() if name not in register.site.absent}


def _given(site):
    """Return tables that are not simulated: the source's ledger, and prices as the site states them."""
    given = {}
    for table, path in {"ledger": ("data_schema", "figures", "ledger_hjoerring.csv"),
                        "price": ("analysis", "municipalities", f"{site.name}_prices.csv")}.items():
        try:
            given[table] = pd.read_csv(package_data(*path), encoding="utf-8")
        except FileNotFoundError:
            continue
    return given


def _write_benefits(register, folder):
    if register.site.dialect == "dream":
        months, grad, branch = observe.monthly_work(register)
        dream.write(folder / "dream.csv", register.person_id, register.weeks, codes.dream_codes(register),
                    months, branch, grad)
        return "dream.csv"
    from evalkit.contract.dialects import ydelsesrefusion

    ydelsesrefusion.write(folder / "ydelsesrefusion.csv", observe.refund_weeks(register))
    return "ydelsesrefusion.csv"


def _write_panel(register, folder):
    if not register.site.has_comparisons:
        return []
    tables = panel.municipality_period(register)
    for name, frame in tables.items():
        statbank.write(folder / f"{name}.csv", frame, statbank=name)
    return [f"{name}.csv" for name in tables]
