"""What a week on support is called: stages of a case, benefits renamed by law, the main activity."""

import numpy as np

from evalkit.simulate.parameters import GROUPS
from evalkit.simulate.population import ON
from evalkit.simulate.states import (
    EDUCATION_BENEFIT_FROM,
    INTEGRATION_ALL_FROM,
    JOB_CLARIFICATION_FROM,
    NUMBER,
    RESOURCE_COURSE_FROM,
    STAGE,
)

_SICKNESS, _INTEGRATION, _INSURED = (GROUPS.index(name) for name in ("sickness", "integration", "insured"))
_STAGE_STATE = np.array([0] + [NUMBER[name] for name in (
    "JOB_CLARIFICATION", "RESOURCE_COURSE", "REHABILITATION", "UNEMPLOYMENT_ALLOWANCE", "FLEX_JOB",
    "DISABILITY_PENSION", "MATERNITY_BENEFIT")], dtype=np.uint8)
# Insured persons and the sick fall back on social assistance when two years are over.
_EXHAUSTED_WEEKS = 104


def state(people, week):
    """Return the state of every person in a week, numbers of `STATES`."""
    out = people.work.astype(np.uint8)
    on = np.flatnonzero(people.mode == ON)
    plain = _plain_state(people, on, week)
    out[on] = np.where(people.stage[on] > 0, _STAGE_STATE[people.stage[on]], plain)
    return out


def main_activity(people):
    """Return the activity that a register with one code a week would show: job first, mentor last."""
    out = np.zeros(people.n, dtype=np.uint8)
    for slot in (3, 2, 1, 0):
        running = people.left[slot] > 0
        out[running] = people.kind[slot, running]
    return out


def progress(people, week, u, exposed, phase):
    """Move cases between stages: clarification, resource course, flex job, pension, maternity."""
    on = np.flatnonzero(people.mode == ON)
    chance = _stage_hazards(people, on, week)
    bounds = np.cumsum(chance, axis=0)
    hit = u[on] < bounds[-1]
    target = 1 + (u[on][hit] >= bounds[:, hit]).sum(axis=0)
    who = on[hit]
    people.stage[who] = np.where(target == len(STAGE), 0, target)
    better = u[on] > 1.0 - 0.002 * (1.0 + phase * exposed[on])
    people.ready[on[better & (people.stage[on] == 0)]] = True


def _plain_state(people, on, week):
    group, ready = people.group[on], people.ready[on]
    young = (people.years[on] < 30) & ~people.schooled[on] & (week >= EDUCATION_BENEFIT_FROM)
    assistance = np.where(young, NUMBER["EDUCATION_BENEFIT_READY"], NUMBER["CASH_BENEFIT_READY"]) + ~ready
    renamed = (group == _INTEGRATION) & (people.newcomer[on] | (week >= INTEGRATION_ALL_FROM))
    exhausted = people.on_weeks[on] >= _EXHAUSTED_WEEKS
    return np.select(
        [renamed, (group == _SICKNESS) & ~exhausted, (group == _INSURED) & ~exhausted],
        [NUMBER["INTEGRATION_BENEFIT"], NUMBER["SICKNESS_BENEFIT"], NUMBER["UNEMPLOYMENT_BENEFIT"]],
        assistance,
    ).astype(np.uint8)


def _stage_hazards(people, on, week):
    """Return weekly chances of moving to stages 1..7 and (last row) back to the plain stage."""
    stage, slow, sick = people.stage[on], people.slow[on], people.group[on] == _SICKNESS
    age = people.years[on]
    plain, stuck = stage == 0, slow & (people.on_weeks[on] >= 26)
    heavy = stuck & (stage != STAGE["pension"]) & (stage != STAGE["maternity"])
    woman = (people.sex[on] == 0) & (age >= 20) & (age < 42)
    return np.stack([
        0.03 * (plain & sick & (people.on_weeks[on] >= 22) & (week >= JOB_CLARIFICATION_FROM)),
        0.0010 * (heavy & (stage <= 1) & (week >= RESOURCE_COURSE_FROM)),
        0.0004 * (plain & stuck),
        0.0005 * (heavy & (stage == STAGE["resource_course"])),
        0.0004 * heavy * (stage != STAGE["flex_job"]) + 0.01 * (stage == STAGE["allowance"]),
        0.0005 * (heavy & (age >= 40)),
        0.0006 * (plain & woman),
        0.022 * (stage == STAGE["maternity"]) + 0.012 * (stage == STAGE["rehabilitation"])
        + 0.006 * (stage == STAGE["resource_course"]),
    ])

