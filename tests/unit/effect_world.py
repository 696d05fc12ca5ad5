"""A small register for the tests of the effect: towns with persons who have one spell of known length."""

import datetime as dt
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd

from evalkit import cohort, spec, weeks
from evalkit.contract.read import Tables
from evalkit.evaluations import effect

START = weeks.week_of("2015-01-05")
SITE = SimpleNamespace(municipality="Aa", programme_start=weeks.monday(START), name="aa", sha256="",
                       comparison=SimpleNamespace(doubtful_donors=()))
STUDY = spec.load_study("analysis/effect.yaml")
CODES = {"cash": "130", "sickness": "890"}


def study(**changes):
    """Return the shipped study with gates for small towns; ``gates`` and the rest as named.

    The later census is in the second year: nobody of these towns is on support as the programme begins.
    """
    changes = {"stock_census": (-156, 52), **changes}
    limits = {"min_persons": 20, "min_comparison_persons": 10, **changes.pop("gates", {})}
    return replace(STUDY, gates=replace(STUDY.gates, **limits), **changes)


def world(
    *,
    seed=1,
    n_towns=11,
    n_persons=40,
    effect_weeks=-10.0,
    level=None,
    own=None,
    spread=6.0,
    shock=1.0,
    data_from=-320,
    data_through=264,
    tables=(),
):
    """Return tables of towns Aa (treated), Ba, Ca ...

    Parameters
    ----------
    effect_weeks : float
        Added to the treated persons' spells under the programme.
    level : callable
        From a frame of persons to weeks added to their spells.
    own : dict
        Overrides for town Aa: ``n_persons``, ``sickness`` (share).
    spread, shock : float
        Standard deviation of persons' spells, and of a town's period.
    data_from, data_through : int
        Weeks since the programme start.
    """
    rng = np.random.default_rng(seed)
    persons = pd.concat(
        [_town(rng, k, own if k == 0 and own else {}, n_persons) for k in range(n_towns)], ignore_index=True
    )
    shocks = rng.normal(0, shock, (n_towns, 2))
    length = 40 + rng.normal(0, spread, len(persons)) + shocks[persons["town"], persons["after"].astype(int)]
    length += effect_weeks * ((persons["town"] == 0) & persons["after"])
    length += 0 if level is None else level(persons)
    return _tables(
        persons, np.maximum(np.round(length), 1).astype(int), data_from, data_through, dict(tables)
    )


def followed(tables, study):
    return effect.evidence(tables, cohort.spells(tables), study, SITE)


def _town(rng, k, own, n_persons):
    n = own.get("n_persons", n_persons)
    after = np.repeat([False, True], n)
    zero = np.where(after, rng.integers(26, 156, 2 * n), rng.integers(-208, -104, 2 * n))
    sick = np.where(after, own.get("sickness", 0.5), 0.5) > np.tile(np.arange(n) / n, 2)
    return pd.DataFrame(
        {"town": k, "after": after, "zero": START + zero, "code": np.where(sick, "890", "130")}
    )


def _tables(persons, length, data_from, data_through, more):
    ids = np.array([f"p-{k:05d}" for k in range(len(persons))])
    name = np.array([chr(65 + k) + "a" for k in range(persons["town"].max() + 1)])[persons["town"]]
    first, last = weeks.monday(START + data_from), weeks.monday(START + data_through)
    start = pd.to_datetime(weeks.monday(persons["zero"].to_numpy()))
    end = pd.to_datetime(weeks.monday(persons["zero"].to_numpy() + length))
    frames = {
        "person": pd.DataFrame(
            {
                "person_id": ids,
                "birth_year": 1980,
                "sex": np.where(np.arange(len(ids)) % 2, "F", "M"),
                "ancestry": "danish",
            }
        ),
        "residence": pd.DataFrame(
            {"person_id": ids, "municipality": name, "start": pd.Timestamp("2000-01-03"), "end": pd.NaT}
        ),
        "benefit": pd.DataFrame({"person_id": ids, "code": persons["code"], "start": start, "end": end}),
        "income_month": _income(ids, persons["zero"].to_numpy() + length),
        **more,
    }
    return Tables.from_frames(
        frames, data_from=first, data_through=last - dt.timedelta(days=1)
    )


def _income(ids, left):
    """Everybody has a wage from the second month after support on."""
    months = weeks.month_of(left)[:, None] + np.arange(2, 40)
    return pd.DataFrame(
        {
            "person_id": np.repeat(ids, months.shape[1]),
            "month": pd.to_datetime(weeks.month_start(months.ravel())),
            "wage_dkk": 20000.0,
            "hours": 150.0,
        }
    )
