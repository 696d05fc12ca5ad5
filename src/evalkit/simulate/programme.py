"""The programme's own records: activities, screening, the process to a course, progression, a project."""

import numpy as np
import pandas as pd

from evalkit import weeks
from evalkit.simulate.parameters import GROUPS
from evalkit.simulate.states import ACTIVITIES, FIRST_SUPPORT

_HOURS = {
    "PRAKTIK": (15, 37),
    "LOENTIL": (30, 37),
    "NYTTE": (15, 30),
    "ORD_TIMER": (3, 15),
    "IPS": (1, 5),
    "VEJL_OPK": (10, 30),
    "UDD": (15, 30),
    "SUNDHED": (2, 8),
    "MISBRUG": (1, 6),
    "MENTOR": (1, 3),
    "SOCIAL": (1, 6),
}
_TRACK_SHARE = (0.20, 0.34, 0.08, 0.08, 0.04, 0.02, 0.10, 0.14)
_INDICATORS = ("HEALTH_COPING", "EVERYDAY_COPING", "JOB_BELIEF", "COOPERATION", "JOB_SEARCH", "SELF_EFFICACY")
_PROJECT = "Vejen til job"
_PROJECT_START, _PROJECT_STATUS, _PROJECT_END = "2017-11-01", "2018-06-30", "2019-01-01"
_LEFT_OUTCOMES = ("SELF_SUPPORT",) * 5 + ("CLOSED_BY_RULE",)
_STAYED_OUTCOMES = ("PARTLY",) * 5 + ("ONGOING",) * 18


def activity(own):
    """Return activities of persons living here when they began: owner J, S or none, track 1-8."""
    rng, book = own.rng("activity"), own.register.activities
    row = book["start"] - own.first_week
    mine = (row >= 0) & own.here[np.maximum(row, 0), book["person"]]
    person, row, kind = book["person"][mine], row[mine], np.array(ACTIVITIES)[book["kind"][mine]]
    end = np.maximum(book["end"][mine] - own.first_week, row + 1)
    low, high = (np.array([_HOURS[name][side] for name in kind]) for side in (0, 1))
    owner, track = _owner_and_track(kind, rng)
    table = pd.DataFrame({
        "person_id": own.name(person), "activity_id": [f"a{number:06d}" for number in range(1, len(row) + 1)],
        "type": kind, "owner": owner, "track": track,
        "hours_per_week": low + np.floor(rng.random(len(kind)) * (high - low + 1)),
        "start": own.date(row, rng.integers(0, 3, len(row))), "end": own.open_end(end),
    })
    return table.sort_values(["person_id", "start", "activity_id"], kind="stable", ignore_index=True)


def screening(own):
    """Return the risk found at the start of support, since the programme began."""
    rng, start = own.rng("screening"), own.episodes
    start = start[(start["start"] >= max(own.programme_row, 1)) & (rng.random(len(start)) < 0.85)]
    referred = _referred(own)
    chosen = pd.MultiIndex.from_arrays([start["person"], start["start"]]).isin(
        pd.MultiIndex.from_arrays([referred["person"], referred["row"]]))
    u = rng.random(len(start))
    risk = np.where(
        chosen,
        np.where(u < 0.45, "HIGH", "MODERATE"),
        np.where(u < 0.72, "LOW", np.where(u < 0.94, "MODERATE", "HIGH")),
    )
    late = np.minimum(start["end"] - 1, start["start"] + rng.integers(0, 3, len(start)))
    table = pd.DataFrame({"person_id": own.name(start["person"]), "date": own.date(late, 1), "risk": risk})
    return table.drop_duplicates(["person_id", "date"]).sort_values(
        ["person_id", "date"], kind="stable", ignore_index=True
    )


def process(own):
    """Return the way from analysis to course, as far as each person came before leaving support."""
    referred, parts = _referred(own), []
    for step, share in (("TFA", 0.35), ("CONFERENCE", 0.55), ("PLAN", 0.75), ("COURSE", 1.0)):
        row = referred["row"] + np.ceil(referred["wait"] * share).astype(np.int64) - (step == "COURSE")
        row = np.minimum(row, own.n_weeks - 1)
        there = own.on[row, referred["person"]] & (row - referred["row"] < referred["length"])
        parts.append(
            pd.DataFrame(
                {
                    "person_id": own.name(referred["person"][there]),
                    "step": step,
                    "date": own.date(row[there], 3),
                }
            )
        )
    table = pd.concat(parts, ignore_index=True).drop_duplicates(["person_id", "step", "date"])
    return table.sort_values(["person_id", "date"], kind="stable", ignore_index=True)


def progress(own):
    """Return progression measured each quarter in a course: citizen and caseworker, scores 1 to 5."""
    rng, referred = own.rng("progress"), _referred(own)
    begun = referred[(referred["length"] > referred["wait"]) & (rng.random(len(referred)) < 0.8)]
    turn = np.arange(6)
    row = (begun["row"] + begun["wait"]).to_numpy()[:, None] + 13 * turn
    there = (row < np.minimum(begun["row"] + begun["length"], own.n_weeks).to_numpy()[:, None])
    at, turn = np.nonzero(there)
    base = rng.normal(2.5, 0.7, len(begun))[at] + 0.18 * turn
    parts = []
    for indicator in _INDICATORS:
        for rater, shift in (("CITIZEN", 0.15), ("CASEWORKER", -0.1)):
            score = np.clip(np.round(base + shift + rng.normal(0, 0.7, len(at))), 1, 5).astype(np.int64)
            parts.append(
                pd.DataFrame(
                    {
                        "person_id": own.name(begun["person"].to_numpy()[at]),
                        "date": own.date(row[at, turn], 2),
                        "indicator": indicator,
                        "rater": rater,
                        "score": score,
                    }
                )
            )
    return pd.concat(parts, ignore_index=True)


def enrolment(own):
    """Return a project of 29 newcomers with the source's status of June 2018: 5, 1, 5, and 18 going on."""
    first, status = (weeks.week_of(date) - own.first_week for date in (_PROJECT_START, _PROJECT_STATUS))
    columns = ["person_id", "project", "start", "end", "outcome"]
    if not 0 <= first < status < own.n_weeks:
        return pd.DataFrame(columns=columns)
    newcomer = own.register.people.group == GROUPS.index("integration")
    on = np.flatnonzero(own.on[first] & newcomer)
    left = on[own.register.state[status, on] < FIRST_SUPPORT]
    stayed = np.setdiff1d(on, left)
    left, stayed = left[:len(_LEFT_OUTCOMES)], stayed[:len(_STAYED_OUTCOMES)]
    chosen, out = np.r_[left, stayed], np.arange(len(left) + len(stayed)) < len(left)
    outcome = np.array([*_LEFT_OUTCOMES[:len(left)], *_STAYED_OUTCOMES[:len(stayed)]], dtype=object)
    gone = first + (own.register.state[first:status + 1, chosen] >= FIRST_SUPPORT).argmin(axis=0)
    end = np.where(out, own.date(gone), np.datetime64(_PROJECT_END))
    return pd.DataFrame(
        {
            "person_id": own.name(chosen),
            "project": _PROJECT,
            "start": np.datetime64(_PROJECT_START),
            "end": end,
            "outcome": outcome,
        },
        columns=columns,
    )


def _referred(own):
    """Return referrals here: person, row, wait, and how long the episode lasted."""
    courses = own.register.courses
    row = courses["week"] - own.first_week
    mine = row >= 0
    table = pd.DataFrame(
        {"person": courses["person"][mine], "row": row[mine], "wait": courses["wait"][mine].astype(np.int64)}
    )
    ends = own.episodes.rename(columns={"start": "row"})
    table = table.merge(ends, on=["person", "row"], how="inner")
    return table.assign(length=table["end"] - table["row"])


def _owner_and_track(kind, rng):
    u = rng.random(len(kind))
    owner = np.select([kind == "SUNDHED", np.isin(kind, ("MISBRUG", "SOCIAL"))],
                      [np.where(u < 0.6, "J", "S"), "S"], "J").astype(object)
    owner[u > 0.97] = None
    track = np.select([kind == "SUNDHED", kind == "MISBRUG", kind == "SOCIAL"],
                      [rng.choice(np.arange(1, 9), len(kind), p=_TRACK_SHARE), 6, 5], 0)
    return owner, pd.array(np.where(track == 0, None, track), dtype="Int64")

