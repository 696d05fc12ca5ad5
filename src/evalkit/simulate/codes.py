"""Latent states as the codes of a register, from the dated code lists that ship with the contract."""

import csv

import numpy as np

from evalkit.files import package_data
from evalkit.simulate.own import sanctions
from evalkit.simulate.states import ACTIVITIES, FIRST_SUPPORT, NUMBER, STATES

# Where several codes share a state, the one that the plain case has.
_USUAL = {
    "UNEMPLOYMENT_BENEFIT": 111,
    "FLEX_JOB": 771,
    "DISABILITY_PENSION": 783,
    "EDUCATION": 651,
    "INTEGRATION_BENEFIT": 160,
}
_PAID = np.array([name not in ("NONE", "EMPLOYED") for name in STATES])


def dream_codes(register):
    """Return DREAM's code of every person in every week, (persons, weeks) of uint16, 0 where blank.

    A week of full sanction is blank: nothing was paid.
    """
    codes = _dream_lookup()[register.state, register.activity]
    person, start, end = sanctions(register)
    for step in range(int((end - start).max(initial=0))):
        inside = start + step < end
        codes[start[inside] + step, person[inside]] = 0
    return np.ascontiguousarray(codes.T)


def dream_code(state):
    """Return the code of a state's plain case."""
    return int(_dream_lookup()[NUMBER[state], 0])


def benefit_names():
    """Return the name that Ydelsesrefusion gives each state, empty where it pays nothing."""
    names = {}
    for row in _rows("ydelse"):
        names.setdefault(row["state"], row["code"])
    same = {
        "CASH_BENEFIT_READY": "CASH_BENEFIT_ACTIVITY",
        "EDUCATION_BENEFIT_READY": "EDUCATION_BENEFIT_ACTIVITY",
    }
    return np.array([names.get(same.get(state, state), "") if number >= FIRST_SUPPORT else ""
                     for number, state in enumerate(STATES)], dtype=object)


def _dream_lookup():
    lookup = np.zeros((len(STATES), len(ACTIVITIES)), dtype=np.uint16)
    plain, with_activity = dict(_USUAL), {}
    for row in _rows("dream"):
        if row["activity_type"]:
            with_activity.setdefault((row["state"], row["activity_type"]), int(row["code"]))
        else:
            plain.setdefault(row["state"], int(row["code"]))
    for state in STATES:
        if _PAID[NUMBER[state]]:
            for number, activity in enumerate(ACTIVITIES):
                lookup[NUMBER[state], number] = with_activity.get((state, activity), plain[state])
    return lookup


def _rows(name):
    with package_data("data_schema", "codes", f"{name}.csv").open(encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle))
