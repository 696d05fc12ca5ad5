"""How soon citizens leave, and whether it goes with the caseworker: on drawn lives whose truth is known."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from evalkit import cohort, spec, weeks
from evalkit.contract import Tables
from evalkit.evaluations import hazards, leaving

START = weeks.week_of("2015-01-05")
SITE = SimpleNamespace(municipality="Aa", programme_start=weeks.monday(START), name="aa", sha256="")
STUDY = replace(spec.load_study("analysis/mechanism.yaml"), rate_breaks_weeks=(4, 26))


def world(factors, n_each=60, rate=0.04, seed=5):
    """Draw weeks on support for the citizens of caseworkers whose citizens leave so many times as fast."""
    rng = np.random.default_rng(seed)
    caseworker = np.repeat(np.arange(len(factors)), n_each)
    n = len(caseworker)
    name = np.array([f"p{k:05d}" for k in range(n)])
    zero = START + rng.integers(0, 100, n)
    lasts = rng.geometric(np.minimum(rate * np.array(factors)[caseworker], 0.9))
    monday = weeks.monday
    frames = {
        "person": pd.DataFrame({"person_id": name, "birth_year": rng.integers(1955, 1996, n),
                                "sex": rng.choice(["F", "M"], n),
                                "ancestry": "danish"}),
        "residence": pd.DataFrame({"person_id": name, "municipality": "Aa",
                                   "start": pd.Timestamp("2000-01-03"),
                                   "end": pd.NaT}),
        "benefit": pd.DataFrame({"person_id": name, "code": "130", "start": monday(zero),
                                 "end": monday(zero + lasts)}),
        "case": pd.DataFrame({"person_id": name, "caseworker_id": [f"c{k:03d}" for k in caseworker],
                              "start": monday(zero), "end": pd.NaT}),
    }
    tables = Tables.from_frames(frames, data_from=str(monday(START - 60)),
                                data_through=str(monday(START + 260)))
    return tables, hazards.followed(tables, STUDY, SITE, cohort.spells(tables)), lasts


def test_rates_are_exits_over_weeks_at_risk():
    tables, people, lasts = world([1.0])
    told = leaving.leaving_rates(tables, STUDY, SITE, people=people).table
    everybody = told[told["group"] == "all"].set_index("time_weeks")
    for low, high in ((0, 4), (4, 26), (26, 104)):
        exits = ((lasts > low) & (lasts <= high)).sum()
        at_risk = np.clip(np.minimum(lasts, 104), low, high) - low
        # The last interval ends where the last of them is seen.
        row = everybody[everybody.index > low].iloc[0]
        assert row["estimate"] == pytest.approx(100 * exits / at_risk.sum())
        assert row["n_events"] == exits and row["conf_low"] < row["estimate"] < row["conf_high"]
    assert set(told["group"]) == {"all", "cash_benefit"}


def test_caseworkers_who_differ_are_told_apart():
    """Half of them have citizens who leave four times as fast: a factor of 0.4 or 1.6, a spread of 0.6."""
    tables, people, _ = world([0.4, 1.6] * 10)
    told = leaving.caseworkers(tables, STUDY, SITE, people=people)
    row = told.row("spread_between_caseworkers")
    assert told.diagnostics["is_told_apart"] and told.diagnostics["n_caseworkers"] == 20
    assert row["conf_low"] < 0.6 < row["conf_high"] and row["conf_low"] > 0.3
    assert "c001" not in told.table.to_json() + str(dict(told.diagnostics)) + str(dict(told.model))


def test_caseworkers_who_are_alike_are_not():
    tables, people, _ = world([1.0] * 20)
    told = leaving.caseworkers(tables, STUDY, SITE, people=people)
    assert not told.diagnostics["is_told_apart"]
    assert told.row("spread_between_caseworkers")["conf_high"] < 0.4


def test_one_caseworker_has_nobody_to_differ_from():
    tables, people, _ = world([1.0])
    assert leaving.caseworkers(tables, STUDY, SITE, people=people).withheld == "too_few_exits"


def test_nobody_with_a_case_is_said():
    tables, people, _ = world([1.0, 1.0])
    empty = Tables.from_frames({**tables.frames, "case": tables["case"].iloc[:0]},
                               data_from=str(tables.data_from),
                               data_through=str(tables.data_through))
    assert leaving.caseworkers(empty, STUDY, SITE, people=people).withheld == "too_few_exits"
