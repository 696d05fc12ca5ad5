"""States with returns against R: estimates to 1e-6, errors to 1e-5, relative (tests/reference/r/states.R).

Estimates of transition probabilities are those of mstate, errors survfit's infinitesimal jackknife.
"""

from functools import cache

import numpy as np
import pandas as pd
import pytest
import reference_data

from evalkit.atrisk import AtRisk
from evalkit.estimators import markov_test, state_occupation, transition_cox, transition_probabilities

HARD = {"weight": "pw", "cluster": "cluster"}
OWN = ["old", "proph", "mismatch"]
WEEKS = {"prothrombin": (200, [500, 1000, 2000]), "transplants": (100, [365, 1825]),
         "movements": (10, [26, 40])}
MORE = {"": {}, "_weighted": {"weight": "pw"}, "_clustered": HARD, "_counted": {"count": "k"}}
METHODS = {"markov": "aalen_johansen", "landmark": "landmark"}


def reference():
    return reference_data.expected("states")


@cache
def frame_of(name):
    frame = reference_data.frame_of(name)
    return frame.assign(then=frame["then"].where(frame["then"] != "censor"))


def expected(case):
    return pd.DataFrame(reference()["cases"][case]["rows"])


def table_of(frame, **more):
    columns = {"entry": "start", "exit": "stop", "state": "now", "event": "then", "person": "id"}
    return AtRisk.from_frame(frame, **columns, **more)


def seen_from_the_start(frame):
    return frame[frame.groupby("id")["start"].transform("min") == 0]


def agree(case, found, keys, columns=("estimate", "std_error")):
    """Compare row by row; an error of a share that is always 0 or 1 is 0 up to rounding."""
    wanted = expected(case)
    both = wanted.merge(found, on=keys, how="left", suffixes=("_r", ""), validate="one_to_one")
    assert len(both) == len(wanted) and both["estimate"].notna().all()
    for column in columns:
        rtol = 1e-6 if column == "estimate" else 1e-5
        np.testing.assert_allclose(both[column], both[f"{column}_r"].astype(float), rtol=rtol, atol=1e-9,
                                   err_msg=f"{case}: {column}")


def probability_cases():
    kinds = ("markov_", "landmark_")
    return [case for case in reference()["cases"] if case.startswith(kinds) and case != "markov_test_untied"]


@pytest.mark.parametrize("case", probability_cases())
def test_transition_probabilities(case):
    kind, name, *rest = case.split("_")
    rest = "_" + rest[0] if rest else ""
    frame = frame_of(name)
    is_split = name == "prothrombin"
    found = table_of(frame, strata="treat") if is_split else table_of(frame, **MORE[rest])
    start, weeks = WEEKS[name]
    table = transition_probabilities(found, from_weeks=start, to_weeks=weeks, method=METHODS[kind]).table
    if is_split:
        table = table[table["group"] == rest[1:]]
    agree(case, table, ["term", "time_weeks"])


def test_errors_of_mstate_differ_as_documented():
    """Greenwood and Aalen errors take a person's movements as independent: a few per cent apart."""
    found = transition_probabilities(table_of(frame_of("movements")), from_weeks=10, to_weeks=[26, 40]).table
    for kind in ("greenwood", "aalen"):
        both = expected(f"mstate_errors_{kind}").merge(found, on=["term", "time_weeks"], suffixes=("_r", ""))
        np.testing.assert_allclose(both["estimate"], both["estimate_r"], rtol=1e-6)
        np.testing.assert_allclose(both["std_error"], both["std_error_r"], rtol=0.06)
        assert not np.allclose(both["std_error"], both["std_error_r"], rtol=1e-3)


def test_expected_weeks_are_those_of_mstate():
    found = state_occupation(table_of(frame_of("prothrombin")), horizon_weeks=1000).table
    agree("weeks_prothrombin", found, ["term", "time_weeks"], ["estimate"])


@pytest.mark.parametrize("name, weeks", [("movements", [10, 20]), ("prothrombin", 300)])
def test_markov_statistics_are_log_rank_sums(name, weeks):
    found = markov_test(table_of(frame_of(name)), from_weeks=weeks).table
    agree(f"log_rank_{name}", found, ["term", "time_weeks"], ["estimate"])


def test_markov_z_is_that_of_mstate_without_ties():
    frame = seen_from_the_start(frame_of("movements"))
    untied = {name: np.where(frame[name] > 0, frame[name] * 1000 + frame["id"], 0)
              for name in ("start", "stop")}
    model = markov_test(table_of(frame.assign(**untied)), from_weeks=10500).model
    z = pd.DataFrame(model["z"][0, 0], index=list(model["terms"]), columns=list(model["landmarks"]))
    wanted = expected("markov_test_untied")
    found = [z.at[term, group] for term, group in zip(wanted["term"], wanted["group"], strict=True)]
    np.testing.assert_allclose(found, wanted["estimate"], rtol=1e-6)


COX = {
    "transplants": ({"covariates": OWN}, {}),
    "transplants_shared": ({"covariates": OWN}, {"shared": ["old", "mismatch"]}),
    "transplants_reset": ({"covariates": OWN}, {"clock": "reset"}),
    "movements": ({"covariates": ["age", "course"]}, {"shared": ["age"]}),
    "movements_all": ({"covariates": ["age", "course"], "strata": "arm", **HARD},
                      {"shared": ["age"], "ties": "breslow"}),
    "movements_counted": ({"covariates": ["age", "course"], "count": "k"}, {"shared": ["age"]}),
    "movements_reset": ({"covariates": ["age", "course"]}, {"shared": ["age"], "clock": "reset"}),
    "movements_reset_shared": ({"covariates": ["age", "course"]},
                               {"shared": ["age", "course"], "clock": "reset"}),
}


@pytest.mark.parametrize("case", [case for case in reference()["cases"] if case.startswith("cox_")])
def test_transition_cox(case):
    name = case.removeprefix("cox_")
    ties = {"ties": name.rpartition("_")[2]} if name.endswith(("_efron", "_breslow")) else {}
    name = name.removesuffix("_efron").removesuffix("_breslow")
    columns, options = COX[name]
    frame = frame_of(name.split("_")[0])
    if "movements_reset" in name:
        frame = seen_from_the_start(frame)
    at_risk = table_of(frame, **columns)
    result = transition_cox(at_risk, **{**options, **ties})
    naive = np.sqrt(np.diag(result.model["covariance_naive"]))
    agree(case, result.table.assign(naive_error=naive), ["term", "group"],
          ["estimate", "std_error", "naive_error"])
    if "counted" not in name and "all" not in name:
        plain = transition_cox(at_risk, **{**options, **ties}, robust=False).table
        np.testing.assert_allclose(plain["std_error"], naive, rtol=1e-12)
