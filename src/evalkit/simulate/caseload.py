"""Cases and contacts: who has whose case, how many there are to each, how often they meet."""

import numpy as np
import pandas as pd

from evalkit import weeks

_CASELOAD_BEFORE, _CASELOAD_AFTER = 80.0, 40.0
_CONTACTS_BEFORE, _CONTACTS_AFTER = 1 / 13, 1 / 5
_KINDS = ("MEETING", "PHONE", "DIGITAL", "JOINT_MEETING", "HOME_VISIT")
# Cases are dealt out anew at these turns of the programme: more hands, fewer cases each.
_TURNS = (0, 26, 52, 78, 104)


def case(own):
    """Return the case table: each episode with one caseworker, dealt out anew as hands are added."""
    pieces = _pieces(own)
    return pd.DataFrame({
        "person_id": own.name(pieces["person"]), "caseworker_id": _worker(pieces["worker"]),
        "start": own.date(pieces["start"]), "end": own.open_end(pieces["end"]),
    })


def contact(own):
    """Return contacts: about every thirteenth week before the programme, every fifth with all of it."""
    rng, pieces = own.rng("contact"), _pieces(own)
    length = (pieces["end"] - pieces["start"]).to_numpy()
    rate = _CONTACTS_BEFORE + (_CONTACTS_AFTER - _CONTACTS_BEFORE) * _share(own, pieces["start"].to_numpy())
    n_each = rng.poisson(rate * length)
    at = np.repeat(np.arange(len(pieces)), n_each)
    row = pieces["start"].to_numpy()[at] + np.floor(rng.random(len(at)) * length[at]).astype(np.int64)
    july = weeks.month_of(own.first_week + row) % 12 == 6
    keep = ~july | (rng.random(len(at)) < 0.4)
    at, row = at[keep], row[keep]
    frame = pd.DataFrame({
        "person_id": own.name(pieces["person"].to_numpy()[at]),
        "caseworker_id": _worker(pieces["worker"].to_numpy()[at]),
        "date": own.date(row, rng.integers(0, 5, len(row))),
        "kind": rng.choice(_KINDS, len(row), p=(0.6, 0.2, 0.08, 0.1, 0.02)),
    })
    return frame.sort_values(["person_id", "date"], kind="stable", ignore_index=True)


def headcount(own):
    """Return full-time equivalents by month and role; thirty-seven more hands from the start."""
    month = np.unique(weeks.month_of(own.register.weeks))
    middle = np.array([weeks.week_of(weeks.month_start(one)) for one in month]) + 2 - own.first_week
    workers = _n_workers(own, np.clip(middle, 0, own.n_weeks - 1))
    share = _share(own, middle)
    roles = {
        "CASEWORKER": workers,
        "HEALTH": 2 + 12 * share,
        "COMPANY_CONSULTANT": 4 + 8 * share,
        "MENTOR": 3 + 7 * share,
    }
    parts = [pd.DataFrame({"month": weeks.month_start(month), "role": role, "fte": np.round(fte, 1)})
             for role, fte in roles.items()]
    return pd.concat(parts, ignore_index=True)


def case_review(own):
    """Return reviews in the autumn of cases that have lasted three years."""
    rng, parts = own.rng("case_review"), []
    for year in range(2013, 2020):
        row = weeks.week_of(f"{year}-10-01") - own.first_week
        if not 0 <= row < own.n_weeks:
            continue
        long = own.episodes[(own.episodes["start"] <= row - 156) & (own.episodes["end"] > row)]
        long = long[rng.random(len(long)) < (0.9 if year >= 2015 else 0.4)]
        parts.append(pd.DataFrame({
            "person_id": own.name(long["person"]), "date": own.date(row + rng.integers(0, 9, len(long)), 2),
            "decision": rng.choice(["REHABILITATION_TEAM", "COMPANY_EFFORT", "CONTINUE", "OTHER"], len(long),
                                   p=(0.2, 0.35, 0.4, 0.05)),
        }))
    columns = ["person_id", "date", "decision"]
    return pd.concat(parts, ignore_index=True)[columns] if parts else pd.DataFrame(columns=columns)


def _pieces(own):
    """Cut episodes at the turns and give each piece a caseworker of those at work then."""
    rng, cuts = own.rng("case"), own.programme_row + np.array(_TURNS)
    episodes = own.episodes[own.episodes["end"] - own.episodes["start"] >= 2]
    edges = np.r_[0, cuts[(cuts > 0) & (cuts < own.n_weeks)], own.n_weeks]
    parts = []
    for low, high in zip(edges[:-1], edges[1:], strict=True):
        part = episodes.assign(start=episodes["start"].clip(lower=low), end=episodes["end"].clip(upper=high))
        part = part[part["start"] < part["end"]]
        n_workers = _n_workers(own, part["start"].to_numpy())
        parts.append(part.assign(worker=np.floor(rng.random(len(part)) * n_workers).astype(np.int64)))
    return _merge(pd.concat(parts, ignore_index=True))


def _merge(pieces):
    """Join pieces that a deal left with the caseworker they had."""
    pieces = pieces.sort_values(["person", "start"], kind="stable", ignore_index=True)
    same = (pieces["person"].eq(pieces["person"].shift()) & pieces["worker"].eq(pieces["worker"].shift())
            & pieces["start"].eq(pieces["end"].shift()))
    return pieces.assign(run=(~same).cumsum()).groupby("run", as_index=False).agg(
        {"person": "first", "start": "first", "end": "last", "worker": "first"})


def _n_workers(own, row):
    stock = own.on.sum(axis=1)[np.asarray(row)]
    caseload = _CASELOAD_BEFORE + (_CASELOAD_AFTER - _CASELOAD_BEFORE) * _share(own, row)
    return np.maximum(np.round(stock / caseload), 1)


def _share(own, row):
    """Return how much of the way from the old caseload to the new has been gone."""
    return np.clip((np.asarray(row) - own.programme_row + 26) / (104.0 + 26.0), 0.0, 1.0) * (
        np.asarray(row) >= own.programme_row
    )


def _worker(number):
    return np.array([f"sb{one:03d}" for one in np.asarray(number)], dtype=object)
