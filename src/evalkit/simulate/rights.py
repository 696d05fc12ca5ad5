"""Decisions about a case: closure, visitation, exemption, availability, sanction, rehabilitation."""

import numpy as np
import pandas as pd

from evalkit.simulate.own import sanctions
from evalkit.simulate.parameters import GROUPS
from evalkit.simulate.states import EDUCATION_BENEFIT_FROM, NUMBER, STATES

_KINDS = ("ABSENCE", "POINT", "PERIOD", "STRICT")
_CATEGORY = {
    "CASH_BENEFIT_READY": "JOB_READY", "CASH_BENEFIT_ACTIVITY": "ACTIVITY_READY",
    "EDUCATION_BENEFIT_READY": "EDUCATION_READY", "EDUCATION_BENEFIT_ACTIVITY": "ACTIVITY_READY",
    "INTEGRATION_BENEFIT": "ACTIVITY_READY",
}
_PROGRAMME_WEEKS = 156


def closure(own):
    """Return why cases were closed: a closure by the 225-hour rule or a sanction is not self-support."""
    rng, exits = own.rng("closure"), own.register.exits
    row = exits["week"] - own.first_week
    inside = row >= 1
    person, row, cause = exits["person"][inside], row[inside], exits["cause"][inside]
    lived = own.here[row - 1, person]
    other = np.where(rng.random(len(row)) < 0.5, "SELF_SUPPORT", "OTHER")
    reason = np.select([cause == 0, cause == 1, cause == 3], ["SELF_SUPPORT", "OTHER", "RULE_225H"], other)
    parts = [_closures(own, person[lived], row[lived], reason[lived]), _moved(own), _sanctioned(own)]
    table = pd.concat(parts, ignore_index=True).drop_duplicates(["person_id", "date"])
    return table.sort_values(["person_id", "date"], kind="stable", ignore_index=True)


def visitation(own):
    """Return categories since 2014: runs of readiness while on social assistance here."""
    runs = own.state_runs()
    category = runs["value"].map({NUMBER[state]: name for state, name in _CATEGORY.items()})
    runs = runs.assign(category=category)[category.notna()]
    runs["start"] = runs["start"].clip(lower=max(EDUCATION_BENEFIT_FROM - own.first_week, 0))
    runs = runs[runs["start"] < runs["end"]].reset_index(drop=True)
    same = (runs["person"].eq(runs["person"].shift()) & runs["category"].eq(runs["category"].shift())
            & runs["start"].eq(runs["end"].shift()))
    runs = runs.groupby((~same).cumsum()).agg(
        {"person": "first", "start": "first", "end": "last", "category": "first"}
    )
    return pd.DataFrame({"person_id": own.name(runs["person"]), "start": own.date(runs["start"]),
                         "end": own.open_end(runs["end"]), "category": runs["category"].to_numpy()})


def integration_programme(own):
    """Return three years of integration programme for newcomers, from shortly before their first support."""
    rng = own.rng("integration_programme")
    newcomer = own.register.people.group[own.episodes["person"]] == GROUPS.index("integration")
    first = own.episodes[newcomer].drop_duplicates("person")
    start = first["start"].to_numpy() - rng.integers(0, 120, len(first))
    end = start + _PROGRAMME_WEEKS
    return pd.DataFrame({"person_id": own.name(first["person"]), "start": own.date(start),
                         "end": np.where(end >= own.n_weeks, np.datetime64("NaT", "D"), own.date(end))})


def exemption(own):
    """Return exemptions from the duty to take part: illness, and maternity as it is."""
    rng, episodes = own.rng("exemption"), own.episodes
    long = episodes[(episodes["end"] - episodes["start"] >= 20) & (rng.random(len(episodes)) < 0.22)]
    length = (long["end"] - long["start"]).to_numpy()
    start = long["start"].to_numpy() + np.floor(rng.random(len(long)) * length * 0.7).astype(np.int64)
    end = np.minimum(start + rng.integers(4, 40, len(long)), long["end"])
    ill = _interval(
        own,
        long["person"],
        start,
        end,
        "reason",
        rng.choice(["SICKNESS", "OTHER"], len(long), p=(0.85, 0.15)),
    )
    runs = own.state_runs()
    born = runs[runs["value"] == NUMBER["MATERNITY_BENEFIT"]]
    return pd.concat(
        [ill, _interval(own, born["person"], born["start"], born["end"], "reason", "MATERNITY")],
        ignore_index=True,
    )


def availability(own):
    """Return pending assessments of availability and lack of cooperation."""
    rng, episodes = own.rng("availability"), own.episodes
    some = episodes[(episodes["end"] - episodes["start"] >= 12) & (rng.random(len(episodes)) < 0.04)]
    start = some["start"].to_numpy() + rng.integers(2, 8, len(some))
    end = np.minimum(start + rng.integers(3, 14, len(some)), some["end"])
    return _interval(
        own, some["person"], start, end, "status", rng.choice(["PENDING", "NON_COOPERATION"], len(some))
    )


def sanction(own):
    """Return the sanctions that took a week's whole benefit: in the payments they are a hole."""
    person, start, end = sanctions(own.register)
    mine = own.here[start, person]
    kind = own.rng("sanction_kind").choice(_KINDS, int(mine.sum()), p=(0.4, 0.2, 0.25, 0.15))
    return _interval(own, person[mine], start[mine], end[mine], "kind", kind)


def rehabilitation(own):
    """Return referral, meeting and decision of the rehabilitation team, before what they led to."""
    rng, runs = own.rng("rehabilitation"), own.state_runs()
    names = ("RESOURCE_COURSE", "FLEX_JOB", "DISABILITY_PENSION", "JOB_CLARIFICATION")
    runs = runs[runs["value"].isin([NUMBER[name] for name in names]) & (runs["start"] > 0)]
    runs = runs.drop_duplicates(["person", "value"])
    decision = np.array(STATES)[runs["value"]]
    wait = rng.integers(6, 20, len(runs))
    weeks_before = {"REFERRAL": wait, "MEETING": wait // 3, "DECISION": 1 + 0 * wait}
    parts = [pd.DataFrame({
        "person_id": own.name(runs["person"]), "step": step, "date": own.date(runs["start"] - before, 2),
        "decision": decision if step == "DECISION" else None,
    }) for step, before in weeks_before.items()]
    return pd.concat(parts, ignore_index=True).drop_duplicates(["person_id", "step", "date"])


def _closures(own, person, row, reason):
    return pd.DataFrame({"person_id": own.name(person), "date": own.date(row), "reason": reason})


def _moved(own):
    ends = own.episodes[own.episodes["end"] < own.n_weeks]
    away = ~own.here[ends["end"], ends["person"]] & (
        own.register.state[ends["end"], ends["person"]] >= NUMBER["CASH_BENEFIT_READY"]
    )
    return _closures(own, ends["person"][away], ends["end"][away], "MOVED")


def _sanctioned(own):
    """Some systems close the case while a sanction lasts, and give it a new start date afterwards."""
    person, start, _ = sanctions(own.register)
    closed = own.here[start, person] & (own.rng("sanction_closure").random(len(start)) < 0.5)
    return _closures(own, person[closed], start[closed], "SANCTION")


def _interval(own, person, start, end, column, value):
    frame = pd.DataFrame(
        {"person_id": own.name(person), "start": own.date(start), "end": own.date(end), column: value}
    )
    return frame.sort_values(["person_id", "start"], kind="stable", ignore_index=True)
