"""The survival estimators against R: estimates to 1e-6, errors and limits to 1e-5, relative.

Each expected file names the R call and the hash of its input in its header (tests/reference/r/survival.R).
Where conventions differ, the estimator's docstring says which and why.
"""

from functools import cache

import numpy as np
import pandas as pd
import pytest
import reference_data
from reference_data import frame_of

from evalkit.atrisk import AtRisk
from evalkit.estimators import (
    aalen_johansen,
    cox,
    kaplan_meier,
    log_rank,
    nelson_aalen,
    restricted_mean,
    state_occupation,
)

KEY = ["term", "group", "time_weeks"]
TOLERANCE = {"estimate": 1e-6, "std_error": 1e-5, "conf_low": 1e-5, "conf_high": 1e-5}

LUNG = {"exit": "week", "event": "status"}
WEEKLY = {"entry": "entry", "exit": "exit", "event": "event"}
CAUSES = {"entry": "entry", "exit": "exit", "event": "cause", "person": "id"}
HARD = {"weight": "pw", "cluster": "cluster"}
STATES = {"entry": "start", "exit": "stop", "state": "now", "event": "then", "person": "id"}

CURVES = {
    "km_lung_log": (kaplan_meier, {**LUNG, "strata": "sex"}, {}),
    "km_lung_log-log": (kaplan_meier, {**LUNG, "strata": "sex"}, {"conf_type": "log-log"}),
    "km_lung_plain": (kaplan_meier, {**LUNG, "strata": "sex"}, {"conf_type": "plain"}),
    "km_weekly_log": (kaplan_meier, WEEKLY, {}),
    "km_weekly_log-log": (kaplan_meier, WEEKLY, {"conf_type": "log-log"}),
    "km_weekly_plain": (kaplan_meier, WEEKLY, {"conf_type": "plain"}),
    "km_90": (kaplan_meier, {**LUNG, "strata": "celltype"}, {"conf_level": 0.9}),
    "km_weighted": (kaplan_meier, {**LUNG, "weight": "pw"}, {}),
    "km_clustered": (kaplan_meier, {**LUNG, "weight": "pw", "cluster": "inst"}, {}),
    "km_entry_clustered": (kaplan_meier, {**WEEKLY, **HARD, "strata": "place"}, {}),
    "km_count": (kaplan_meier, {**WEEKLY, "count": "k"}, {}),
    "km_rotterdam": (kaplan_meier, {"exit": "dtime", "event": "death", "strata": "chemo"}, {}),
    "km_heart": (kaplan_meier, {"entry": "start", "exit": "stop", "event": "event", "person": "id"}, {}),
    "na_lung": (nelson_aalen, {**LUNG, "strata": "sex"}, {}),
    "na_weekly": (nelson_aalen, WEEKLY, {}),
    "na_clustered": (nelson_aalen, {**WEEKLY, **HARD}, {}),
    "rmean_lung": (restricted_mean, {**LUNG, "strata": "sex"}, {"horizon_weeks": 52}),
    "rmean_weekly": (restricted_mean, {**WEEKLY, "strata": "place"}, {"horizon_weeks": 60}),
    "rmean_rotterdam": (
        restricted_mean,
        {"exit": "dtime", "event": "death", "strata": "chemo"},
        {"horizon_weeks": 2000},
    ),
    "rmean_clustered": (restricted_mean, {**WEEKLY, **HARD}, {"horizon_weeks": 60}),
    "aj_mgus2": (aalen_johansen, {"exit": "months", "event": "cause", "person": "id", "strata": "sex"}, {}),
    "aj_mgus2_age": (aalen_johansen, CAUSES, {}),
    "aj_pbc": (aalen_johansen, {"exit": "week", "event": "cause", "strata": "trt"}, {"conf_type": "log-log"}),
    "aj_weekly": (aalen_johansen, CAUSES, {}),
    "aj_weekly_weighted": (aalen_johansen, {**CAUSES, "weight": "pw"}, {"conf_type": "plain"}),
    "aj_weekly_clustered": (aalen_johansen, {**CAUSES, **HARD}, {}),
    "aj_count": (aalen_johansen, {**CAUSES, "count": "k"}, {}),
    "aj_cuminc": (aalen_johansen, {"exit": "months", "event": "cause"}, {}),
    "aj_states": (aalen_johansen, STATES, {}),
    "aj_states_weighted": (aalen_johansen, {**STATES, "weight": "pw"}, {}),
    "weeks_states": (state_occupation, STATES, {"horizon_weeks": [26, 52]}),
    "weeks_states_26": (state_occupation, STATES, {"horizon_weeks": [26, 52]}),
    "weeks_states_weighted": (state_occupation, {**STATES, "weight": "pw"}, {"horizon_weeks": 52}),
    "weeks_states_clustered": (state_occupation, {**STATES, **HARD}, {"horizon_weeks": 52}),
    "share_states": (state_occupation, STATES, {"horizon_weeks": 52, "weeks": [10, 26]}),
    "share_states_weighted": (
        state_occupation,
        {**STATES, "weight": "pw"},
        {"horizon_weeks": 52, "weeks": 26},
    ),
    "share_states_clustered": (state_occupation, {**STATES, **HARD}, {"horizon_weeks": 52, "weeks": 26}),
}

COX_WEEKLY = {**WEEKLY, "covariates": ["x", "treated"]}
COX = {
    "lung": {**LUNG, "covariates": ["age", "sex", "ecog"]},
    "veteran": {
        "exit": "time",
        "event": "status",
        "strata": "celltype",
        "covariates": ["trt", "karno", "age", "prior"],
    },
    "heart": {
        "entry": "start",
        "exit": "stop",
        "event": "event",
        "cluster": "id",
        "covariates": ["age", "year", "surgery", "transplant"],
    },
    "rotterdam": {
        "exit": "dtime",
        "event": "death",
        "covariates": ["age", "nodes", "er", "chemo", "hormon", "meno"],
    },
    "colon": {
        "exit": "week",
        "event": "status",
        "strata": "etype",
        "cluster": "id",
        "covariates": ["age", "sex", "nodes"],
    },
    "bladder2": {
        "entry": "start",
        "exit": "stop",
        "event": "event",
        "cluster": "id",
        "covariates": ["rx", "number", "size"],
    },
    "cgd": {
        "entry": "tstart",
        "exit": "tstop",
        "event": "status",
        "cluster": "id",
        "strata": "hospital",
        "covariates": ["treat", "sex", "age"],
    },
    "pbc": {"exit": "week", "event": "cause", "covariates": ["age", "logbili", "edema"]},
    "weekly": COX_WEEKLY,
    "weekly_strata": {**COX_WEEKLY, "strata": "place"},
    "weekly_weighted": {**COX_WEEKLY, "weight": "pw"},
    "weekly_all": {**COX_WEEKLY, **HARD, "strata": "place"},
    "weekly_count": {**COX_WEEKLY, "count": "k"},
}
COX_OPTIONS = {"rotterdam": {"robust": True}, "pbc": {"cause": "2"}}


@cache
def expected(case):
    """Return the name of the input of one expected file, and its table."""
    path = reference_data.EXPECTED / f"survival_{case}.csv"
    (name,) = reference_data.hashes(path)
    table = pd.read_csv(
        path, comment="#", dtype={"term": str, "group": str}, keep_default_na=False, na_values="NA"
    )
    return name, table


def at_risk_of(name, columns):
    frame = frame_of(name)
    if name == "states":
        frame = frame.assign(then=frame["then"].where(frame["then"] != "censor"))
    if name == "pbc":
        frame = frame.assign(logbili=np.log(frame["bili"]))
    return AtRisk.from_frame(frame, **columns)


def worst(actual, wanted):
    """Return the largest relative difference; both must be missing in the same places."""
    actual, wanted = np.asarray(actual, dtype=float), np.asarray(wanted, dtype=float)
    np.testing.assert_array_equal(np.isnan(actual), np.isnan(wanted))
    scale = np.where(np.abs(wanted) > 1e-9, np.abs(wanted), 1.0)
    return float(np.nanmax(np.abs(actual - wanted) / scale, initial=0.0))


@pytest.mark.parametrize("case", CURVES)
def test_curve_equals_r(case):
    estimator, columns, options = CURVES[case]
    name, wanted = expected(case)
    table = estimator(at_risk_of(name, columns), **options).table
    found = wanted[KEY].merge(table, on=KEY, how="left", validate="one_to_one")
    for column, tolerance in TOLERANCE.items():
        if column in wanted:
            know = _comparable(case, column, wanted)
            assert worst(found[column][know], wanted[column][know]) < tolerance, column


def _comparable(case, column, wanted):
    """R leaves limits out where a log-log limit of 1 is meant; evalkit says 1 (docstring)."""
    if "log-log" in case or case == "aj_pbc":
        return ~(wanted["estimate"] == 1)
    return np.ones(len(wanted), dtype=bool)


@pytest.mark.parametrize("ties", ["efron", "breslow"])
@pytest.mark.parametrize("case", COX)
def test_cox_equals_r(case, ties):
    name, wanted = expected(f"cox_{case}_{ties}")
    fit = cox(at_risk_of(name, COX[case]), ties=ties, **COX_OPTIONS.get(case, {}))
    coefficients = wanted[wanted["std_error"].notna()]
    assert worst(fit.table["estimate"], coefficients["estimate"]) < 1e-6
    assert worst(fit.table["std_error"], coefficients["std_error"]) < 1e-5
    assert worst(np.sqrt(np.diag(fit.model["covariance_naive"])), coefficients["naive_error"]) < 1e-5
    for row in wanted[wanted["std_error"].isna()].itertuples():
        assert fit.diagnostics[row.term] == pytest.approx(row.estimate, rel=1e-6), row.term


@pytest.mark.parametrize("ties", ["efron", "breslow"])
def test_cox_baseline_equals_basehaz(ties):
    name, wanted = expected(f"cox_weekly_baseline_{ties}")
    model = cox(at_risk_of(name, COX["weekly_strata"]), ties=ties).model
    groups, times = np.array(model["groups"])[model["baseline_group"]], model["baseline_time"]
    for row in wanted.itertuples():
        past = (groups == row.group) & (times <= row.time_weeks)
        assert model["baseline_hazard"][past].max(initial=0) == pytest.approx(row.estimate, rel=1e-6)


@pytest.mark.parametrize(
    ("case", "columns", "within"),
    [
        ("lung", {**LUNG, "strata": "sex"}, None),
        ("veteran", {**LUNG, "strata": "celltype"}, None),
        ("within", {**LUNG, "strata": "celltype"}, "trt"),
        ("entry", {**WEEKLY, "strata": "place"}, None),
    ],
)
def test_log_rank_equals_r(case, columns, within):
    name, wanted = expected(f"log_rank_{case}")
    answer = log_rank(at_risk_of(name, columns), stratify=None if within is None else frame_of(name)[within])
    assert answer.table["term"].tolist() == wanted["term"].tolist()
    assert worst(answer.table["estimate"], wanted["estimate"]) < 1e-6


def test_log_rank_of_counts_equals_r_on_repeated_rows():
    name, wanted = expected("log_rank_count")
    frame = frame_of(name).assign(k=lambda d: d["ecog"] + 1)
    answer = log_rank(AtRisk.from_frame(frame, **LUNG, strata="sex", count="k"))
    assert worst(answer.table["estimate"], wanted["estimate"]) < 1e-6


def test_every_expected_file_is_used():
    used = {f"survival_{case}.csv" for case in CURVES}
    used |= {
        f"survival_cox_{case}_{ties}.csv"
        for case in [*COX, "weekly_baseline"]
        for ties in ("efron", "breslow")
    }
    used |= {f"survival_log_rank_{case}.csv" for case in ("lung", "veteran", "within", "entry", "count")}
    assert used == {path.name for path in reference_data.EXPECTED.glob("survival_*.csv")}
