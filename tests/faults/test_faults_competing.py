"""What regressions of competing exits refuse, with which words and which way out."""

import numpy as np
import pandas as pd
import pytest

from evalkit.atrisk import AtRisk
from evalkit.errors import EstimationError
from evalkit.estimators import (
    aalen_johansen,
    cause_specific,
    cox,
    fine_gray,
    gray_test,
    predict_incidence,
    predict_survival,
    time_lost,
)

PROFILE = pd.DataFrame({"x": [0.0]}, index=["one"])


def people(n=60):
    rng = np.random.default_rng(5)
    return pd.DataFrame({"person": np.arange(n), "entry": 0, "exit": rng.integers(1, 12, n),
                         "event": rng.integers(0, 3, n), "x": rng.normal(size=n),
                         "sex": np.arange(n) % 2, "one": 1.0, "w": rng.uniform(1, 2, n)})


def table_of(frame, **columns):
    return AtRisk.from_frame(frame, **{"entry": "entry", "exit": "exit", "event": "event", "person": "person",
                                       "causes": ["JOB", "STUDY"], "covariates": ["x"], **columns})


def refused(words, call, *arguments, **options):
    with pytest.raises(EstimationError, match=words):
        call(*arguments, **options)


@pytest.mark.parametrize("call", [fine_gray, gray_test])
def test_a_cause_must_be_named_and_happen(call):
    at_risk = table_of(people(), strata="sex")
    refused("no cause named; it must be one of JOB, STUDY", call, at_risk, cause=None)
    refused("cause == 'WORK', must be one of JOB, STUDY", call, at_risk, cause="WORK")
    nobody = table_of(people().assign(event=lambda d: d["event"] * (d["event"] != 1)), strata="sex")
    refused("no exit to JOB among 60 persons", call, nobody, cause="JOB")


def test_a_cause_without_exits_is_named_with_the_way_out():
    nobody = table_of(people().assign(event=lambda d: d["event"] * (d["event"] != 2)))
    refused("no exit to STUDY among 60 persons.*leave the cause out", cause_specific, nobody)


def test_states_are_sent_to_what_takes_them():
    moves = pd.DataFrame({"person": [0, 1], "exit": [3, 4], "state": ["A", "B"], "event": ["B", None]})
    at_risk = AtRisk.from_frame(moves, exit="exit", event="event", state="state", person="person")
    for call, options in ((fine_gray, {"cause": "A"}), (gray_test, {"cause": "A"}), (cause_specific, {}),
                          (time_lost, {"horizon_weeks": 2})):
        refused("states", call, at_risk, **options)


def test_covariates_that_say_nothing_are_named():
    refused("no covariates.*aalen_johansen", fine_gray, table_of(people(), covariates=()), cause="JOB")
    refused("fine_gray: one: constant", fine_gray, table_of(people(), covariates=["x", "one"]), cause="JOB")
    twice = people().assign(y=lambda d: 2 * d["x"])
    refused("fine_gray: y is a combination of x", fine_gray,
            table_of(twice, covariates=["x", "y"]), cause="JOB")
    refused("^cause_specific: JOB: one: constant", cause_specific,
            table_of(people(), covariates=["x", "one"]))


def test_separation_is_named_without_a_way_out_that_does_not_exist():
    frame = people().assign(sex=lambda d: (d["event"] == 1).astype(int))
    with pytest.raises(EstimationError, match=r"fine_gray: sex: separates.*Join categories") as caught:
        fine_gray(table_of(frame, covariates=["sex"]), cause="JOB")
    assert "firth" not in str(caught.value)


def test_one_cluster_is_refused_and_few_are_said():
    for call, options in ((fine_gray, {"cause": "JOB"}), (cause_specific, {}), (aalen_johansen, {}),
                          (time_lost, {"horizon_weeks": 5})):
        refused("1 cluster; errors between clusters", call, table_of(people(), cluster="one"), **options)
    frame = people().assign(y=lambda d: d["x"] ** 2)
    with pytest.warns(UserWarning, match="^fine_gray: 2 clusters for 2 terms"):
        fit = fine_gray(table_of(frame, covariates=["x", "y"], cluster="sex"), cause="JOB")
    assert np.isnan(fit.diagnostics["wald_chi_square"])


def test_everybody_leaving_before_others_enter_is_refused():
    frame = pd.DataFrame({"person": range(6), "entry": [0, 0, 4, 4, 4, 4], "exit": [2, 3, 6, 7, 8, 9],
                          "event": [2, 1, 1, 2, 1, 0], "x": [0.1, 0.5, 0.3, 0.9, 0.2, 0.4]})
    at_risk = table_of(frame)
    refused("everybody at risk has an event while others enter later.*Begin later", fine_gray, at_risk,
            cause="JOB")
    refused("everybody at risk", time_lost, at_risk, horizon_weeks=8)


def test_fine_and_grays_own_errors_are_for_those_seen_from_the_start():
    late = people().assign(exit=lambda d: d["exit"] + 3, entry=lambda d: 2 * d["sex"])
    refused('30 rows enter after time zero.*errors="influence"', fine_gray, table_of(late), cause="JOB",
            errors="fine_gray")
    refused("gray_test: 30 rows enter.*fine_gray", gray_test, table_of(late, strata="sex"), cause="JOB")


def test_grays_test_takes_two_groups_of_independent_persons():
    refused("one group; name the column", gray_test, table_of(people()), cause="JOB")
    refused("one group", gray_test, table_of(people(), strata="one"), cause="JOB")
    for more in ({"weight": "w"}, {"cluster": "sex"}):
        at_risk = table_of(people(), strata="sex", **more)
        refused("independent, unweighted.*fine_gray", gray_test, at_risk, cause="JOB")
    with pytest.raises(ValueError, match="stratify has shape .3,., must have one value for each of 60 rows"):
        gray_test(table_of(people(), strata="sex"), cause="JOB", stratify=[1, 2, 3])


def test_groups_that_are_never_there_together_are_not_compared():
    frame = pd.DataFrame({"person": range(4), "entry": 0, "exit": [1, 1, 5, 5], "event": [0, 0, 1, 0],
                          "x": 0.0, "sex": [0, 0, 1, 1]})
    refused("no exit falls in a week in which two groups", gray_test,
            table_of(frame, strata="sex"), cause="JOB")


def test_options_outside_their_words_are_refused():
    at_risk = table_of(people())
    for options, words in (({"ties": "exact"}, "ties == 'exact'"), ({"errors": "naive"}, "errors == 'naive'"),
                           ({"stratified": ["hazard"]}, "stratified == 'hazard'"),
                           ({"conf_level": 95}, "conf_level == 95")):
        with pytest.raises(ValueError, match=words):
            fine_gray(at_risk, cause="JOB", **options)
    with pytest.raises(ValueError, match="horizon_weeks"):
        time_lost(at_risk, horizon_weeks=0)


def test_predictions_name_what_is_missing():
    at_risk = table_of(people())
    fit = fine_gray(at_risk, cause="JOB")
    refused("predict_incidence: a result of cox; give one of cause_specific or fine_gray", predict_incidence,
            cox(at_risk), PROFILE)
    refused("predict_survival: a result of fine_gray.*predict_incidence", predict_survival, fit, PROFILE)
    refused("predict_incidence: profiles: 1 rows, missing columns x, unknown columns y", predict_incidence,
            fit, PROFILE.rename(columns={"x": "y"}))
    refused("predict_incidence: nobody is followed to week 12", predict_incidence, fit, PROFILE, weeks=12)
    refused("terms x, sex, the result x", predict_incidence, fit, PROFILE,
            at_risk=table_of(people(), covariates=["x", "sex"]))
    refused("coefficients of JOB are not those of at_risk", predict_incidence, fit, PROFILE,
            at_risk=table_of(people().assign(x=lambda d: d["x"] ** 2)))


def test_a_horizon_beyond_the_follow_up_is_refused():
    refused("nobody is followed to week 99", time_lost, table_of(people()), horizon_weeks=99)


def test_all_exits_in_one_week_are_estimated():
    at_risk = table_of(people().assign(exit=4))
    fit = fine_gray(at_risk, cause="JOB")
    assert np.isfinite(fit.table[["estimate", "std_error"]].to_numpy()).all()
    share = predict_incidence(fit, PROFILE, weeks=4, at_risk=at_risk).table.iloc[-1]
    assert 0 < share["estimate"] < 1 and share["std_error"] > 0
    lost = time_lost(at_risk, horizon_weeks=4).table
    assert lost["estimate"].tolist() == [4, 0, 0]
    groups = table_of(people().assign(exit=4), strata="sex")
    assert 0 < gray_test(groups, cause="JOB").table["p_value"][0] <= 1


def test_times_off_the_weekly_grid_are_exact():
    frame = people().assign(exit=lambda d: d["exit"] + np.arange(60) / 64)
    fits = [fine_gray(table_of(frame), cause="JOB", ties=ties).table for ties in ("efron", "breslow")]
    pd.testing.assert_frame_equal(*fits, rtol=1e-9)
