"""Competing exits on cases that can be checked by hand, and against a naive expansion of rows."""

import numpy as np
import pandas as pd
import pytest

from evalkit import disclosure
from evalkit.atrisk import AtRisk
from evalkit.estimators import (
    aalen_johansen,
    cause_specific,
    cox,
    fine_gray,
    gray_test,
    hazard_ratios,
    kaplan_meier,
    predict_incidence,
    restricted_mean,
    time_lost,
)
from evalkit.profile import Profile

CAUSES = ["JOB", "STUDY"]
PROFILE = Profile(name="test", valid_from="2020-01-01", min_n=5, min_events=8, rounding_base=5, decimals=3,
                  source="test", is_verified=True)


def people(n=60, seed=4):
    rng = np.random.default_rng(seed)
    entry = rng.integers(0, 4, n) * (rng.uniform(size=n) < 0.4)
    return pd.DataFrame({"person": np.arange(n), "entry": entry, "exit": entry + rng.integers(1, 9, n),
                         "event": rng.integers(0, 3, n), "x": rng.normal(size=n).round(1),
                         "sex": np.arange(n) % 2, "place": np.arange(n) % 3})


def table_of(frame, **columns):
    return AtRisk.from_frame(frame, **{"entry": "entry", "exit": "exit", "event": "event", "person": "person",
                                       "causes": CAUSES, "covariates": ["x", "sex"], **columns})


def expanded(frame, cause):
    """Rewrite a table as person-weeks: who left by another cause goes on with Geskus' weight, spelt out."""
    def stays(week):
        """P(not censored before a week) times P(entered before it), by Kaplan and Meier's two products."""
        share = 1.0
        for s in range(1, week):
            has_left = (frame["exit"] == s) & (frame["event"] > 0)
            n = ((frame["entry"] < s) & (frame["exit"] >= s) & ~has_left).sum()
            share *= 1 - ((frame["exit"] == s) & (frame["event"] == 0)).sum() / n if n else 1
        for s in range(week, int(frame["entry"].max()) + 1):
            n = ((frame["entry"] <= s) & (frame["exit"] > s)).sum()
            share *= 1 - (frame["entry"] == s).sum() / n if n else 1
        return share

    last, rows = int(frame["exit"].max()), []
    for row in frame.itertuples():
        rows += [(week, row.x, row.sex, 1.0, row.event == cause and week == row.exit)
                 for week in range(row.entry + 1, row.exit + 1)]
        if row.event not in (0, cause):
            rows += [(week, row.x, row.sex, stays(week) / stays(row.exit), False)
                     for week in range(row.exit + 1, last + 1)]
    return pd.DataFrame(rows, columns=["week", "x", "sex", "weight", "left"])


def breslow_score(weeks, beta):
    score = np.zeros(2)
    for _, at_risk in weeks.groupby("week"):
        x = at_risk[["x", "sex"]].to_numpy()
        pull = at_risk["weight"].to_numpy() * np.exp(x @ beta)
        left = at_risk["left"].to_numpy()
        score += (x[left] - pull @ x / pull.sum()).sum(axis=0)
    return score


def test_fine_gray_solves_the_score_of_expanded_person_weeks():
    frame = people()
    for code, cause in enumerate(CAUSES, start=1):
        fit = fine_gray(table_of(frame), cause=cause, ties="breslow")
        np.testing.assert_allclose(breslow_score(expanded(frame, code), fit.model["estimates"]), 0, atol=1e-8)


@pytest.mark.parametrize("ties", ["efron", "breslow"])
def test_without_competing_exits_fine_gray_is_cox(ties):
    frame = people().assign(event=lambda d: (d["event"] > 0).astype(int))
    at_risk = table_of(frame, causes=None, strata="place")
    fit = fine_gray(at_risk, cause="1", ties=ties, errors="fixed_weights")
    plain = cox(at_risk, ties=ties, robust=True)
    for column in ("estimate", "std_error", "p_value"):
        np.testing.assert_allclose(fit.table[column], plain.table[column], rtol=1e-9)
    np.testing.assert_allclose(fit.model["baseline_hazard"], plain.model["baseline_hazard"], rtol=1e-8)


def test_estimated_weights_change_the_errors_and_nothing_else():
    frame = people()
    first, second = (fine_gray(table_of(frame), cause="JOB", errors=errors).table
                     for errors in ("influence", "fixed_weights"))
    pd.testing.assert_series_equal(first["estimate"], second["estimate"])
    assert (first["std_error"] != second["std_error"]).all()


def test_without_censoring_and_late_entry_weights_are_one_and_known():
    frame = people().assign(entry=0, event=lambda d: np.where(d["event"] == 0, 2, d["event"]))
    errors = [fine_gray(table_of(frame), cause="JOB", errors=errors).table["std_error"]
              for errors in ("influence", "fine_gray", "fixed_weights")]
    np.testing.assert_allclose(errors[0], errors[2], rtol=1e-9)
    np.testing.assert_allclose(errors[1], errors[2], rtol=1e-9)


def test_what_strata_have_of_their_own_changes_the_answer():
    at_risk = table_of(people(), strata="place")
    found = {stratify: tuple(fine_gray(at_risk, cause="JOB", stratified=stratify).table["estimate"])
             for stratify in ((), ("baseline",), ("censoring",), ("baseline", "censoring"))}
    assert len(set(found.values())) == 4
    unstratified = fine_gray(table_of(people()), cause="JOB").table["estimate"]
    np.testing.assert_allclose(found[()], unstratified, rtol=1e-9)


def test_hazard_ratios_are_those_of_the_subdistribution():
    fit = fine_gray(table_of(people()), cause="JOB")
    np.testing.assert_allclose(hazard_ratios(fit).table["estimate"], np.exp(fit.table["estimate"]))


def test_gray_scores_by_hand():
    """Two of four leave: R is 2 and 2 before week 1; then 1 (1 - 1/2) / (1/2) = 1 and 2."""
    frame = pd.DataFrame({"weeks": [1, 2, 2, 3], "left": ["JOB", "STUDY", "JOB", None], "sex": list("FFMM")})
    test = gray_test(AtRisk.from_frame(frame, exit="weeks", event="left", strata="sex"), cause="JOB")
    np.testing.assert_allclose(test.table["estimate"][1:], [1 - 2 / 4 - 1 / 3, 0 - 2 / 4 + 1 - 2 / 3])
    assert test.diagnostics["df"] == 1
    assert test.table["n_events"].tolist() == [2, 1, 1]


def test_gray_sees_a_difference_and_none_where_groups_are_twins():
    frame = people(200).assign(entry=0)
    twins = pd.concat([frame.assign(sex=0), frame.assign(sex=1, person=frame["person"] + 1000)])
    same = gray_test(table_of(twins, strata="sex"), cause="JOB").table["estimate"]
    assert same[0] == pytest.approx(0, abs=1e-12)
    moved = frame.assign(event=np.where(frame["sex"] == 1, 1, frame["event"]))
    assert gray_test(table_of(moved, strata="sex"), cause="JOB").table["p_value"][0] < 1e-6


def test_gray_takes_a_person_split_in_two_rows_for_one():
    frame = people(80).assign(entry=0)
    cut = frame["exit"] > 3
    rest = frame.assign(entry=np.where(cut, 3, 0))
    split = pd.concat([rest, frame[cut].assign(exit=3, event=0)])
    whole, parts = (gray_test(table_of(f, strata="sex"), cause="JOB").table for f in (frame, split))
    np.testing.assert_allclose(whole["estimate"], parts["estimate"])


def test_cause_specific_is_cox_cause_by_cause():
    at_risk = table_of(people())
    fit = cause_specific(at_risk)
    for cause in CAUSES:
        alone = cox(at_risk, cause=cause)
        mine = fit.table[fit.table["group"] == cause].reset_index(drop=True)
        pd.testing.assert_frame_equal(mine, alone.table.assign(group=cause))
        assert fit.diagnostics[f"log_likelihood[{cause}]"] == alone.diagnostics["log_likelihood"]


@pytest.mark.filterwarnings("ignore:.*3 clusters for")
def test_robust_causes_share_persons_and_naive_ones_do_not():
    at_risk = table_of(people(), cluster="place")
    robust, naive = cause_specific(at_risk), cause_specific(at_risk, robust=False)
    errors = np.sqrt(np.diag(robust.model["covariance"]))
    np.testing.assert_allclose(errors, robust.table["std_error"], rtol=1e-8)
    assert (naive.model["covariance"][:2, 2:] == 0).all() and (robust.model["covariance"][:2, 2:] != 0).all()


def test_predicted_shares_add_up_to_one_and_begin_at_nobody():
    at_risk = table_of(people(), strata="place")
    profiles = pd.DataFrame({"x": [-5.0, 5.0], "sex": [0, 1]}, index=["low", "high"])
    table = predict_incidence(cause_specific(at_risk), profiles).table
    np.testing.assert_allclose(table.groupby(["group", "time_weeks"])["estimate"].sum(), 1, atol=1e-12)
    assert table["estimate"].between(0, 1).all()
    start = table[table["time_weeks"] == 0]
    assert (start["estimate"] == (start["term"] == "survival")).all() and (start["std_error"] == 0).all()
    assert set(table["group"]) == {f"{name}, {place}" for name in ("low", "high") for place in range(3)}


def test_a_profile_may_name_its_stratum():
    at_risk = table_of(people(), strata="place")
    profiles = pd.DataFrame({"x": [0.0], "sex": [0], "strata": ["1"]}, index=["one"])
    for fit in (cause_specific(at_risk), fine_gray(at_risk, cause="JOB")):
        assert set(predict_incidence(fit, profiles, weeks=4).table["group"]) == {"one, 1"}


def test_a_stratum_without_exits_keeps_everybody():
    frame = people().assign(event=lambda d: d["event"] * (d["place"] > 0))
    at_risk = table_of(frame, strata="place")
    profiles = pd.DataFrame({"x": [0.0], "sex": [0], "strata": ["0"]})
    for given in (None, at_risk):
        table = predict_incidence(cause_specific(at_risk), profiles, weeks=5, at_risk=given).table
        assert (table["estimate"] == (table["term"] == "survival")).all() and (table["std_error"] == 0).all()
    lost = time_lost(at_risk, horizon_weeks=5)
    assert lost.row("restricted_mean", "0")[["estimate", "std_error"]].tolist() == [5, 0]


def test_two_ways_to_an_error_are_near_and_weeks_do_not_change_it():
    at_risk = table_of(people(400))
    profiles = pd.DataFrame({"x": [0.3], "sex": [1]}, index=["one"])
    for fit in (cause_specific(at_risk), fine_gray(at_risk, cause="JOB")):
        delta = predict_incidence(fit, profiles, weeks=[3, 6]).table
        influence = predict_incidence(fit, profiles, weeks=[3, 6], at_risk=at_risk).table
        alone = predict_incidence(fit, profiles, weeks=6, at_risk=at_risk).table
        later = influence["time_weeks"] > 0
        np.testing.assert_allclose(influence["std_error"][later], delta["std_error"][later], rtol=0.1)
        np.testing.assert_allclose(influence["std_error"][influence["time_weeks"] == 6],
                                   alone["std_error"][alone["time_weeks"] == 6])


def test_events_of_a_predicted_cause_are_those_of_the_table():
    frame = people()
    table = predict_incidence(cause_specific(table_of(frame)), pd.DataFrame({"x": [0.0], "sex": [0]})).table
    for code, cause in enumerate(CAUSES, start=1):
        assert table.loc[table["term"] == cause, "n_events"].sum() == (frame["event"] == code).sum()
    assert table.loc[table["term"] == "survival", "n_events"].sum() == (frame["event"] > 0).sum()


def test_weeks_lost_and_kept_add_up_to_the_horizon():
    at_risk = table_of(people(), strata="sex")
    answer = time_lost(at_risk, horizon_weeks=[3, 7])
    mean = restricted_mean(at_risk, horizon_weeks=[3, 7], robust=True)
    levels = answer.table[~answer.table["term"].str.contains("difference")]
    for (_, horizon), group in levels.groupby(["group", "time_weeks"]):
        assert group["estimate"].sum() == pytest.approx(horizon)
    for term in ("restricted_mean", "restricted_mean_difference"):
        mine, known = (t.table[t.table["term"] == term].reset_index(drop=True) for t in (answer, mean))
        pd.testing.assert_frame_equal(mine, known)


def test_a_difference_of_weeks_lost_is_that_of_the_groups():
    answer = time_lost(table_of(people(), strata="sex"), horizon_weeks=5)
    first, second = (answer.row("time_lost[JOB]", group) for group in ("0", "1"))
    difference = answer.row("time_lost_difference[JOB]", "1")
    assert difference["estimate"] == pytest.approx(second["estimate"] - first["estimate"])
    assert difference["std_error"] == pytest.approx(np.hypot(first["std_error"], second["std_error"]))
    shared = time_lost(table_of(people(), strata="sex", cluster="place"), horizon_weeks=5)
    assert shared.row("time_lost_difference[JOB]", "1")["std_error"] != pytest.approx(difference["std_error"])


def test_results_of_competing_exits_may_leave_with_enough_exits_behind_them():
    few = people(300).assign(event=lambda d: np.where((d["event"] == 2) & (d["person"] > 12), 1, d["event"]))
    at_risk = table_of(few, strata="sex", covariates=["x"])
    fit = cause_specific(at_risk)
    predicted = predict_incidence(fit, pd.DataFrame({"x": [0.0]}))
    for result in (fit, fine_gray(at_risk, cause="JOB"), time_lost(at_risk, horizon_weeks=5), predicted):
        payload = disclosure.release(result, PROFILE, name="exits").payload
        rows = pd.DataFrame(payload["rows"], columns=payload["columns"])
        about = rows["term"] + rows["group"]
        assert rows.loc[about.str.contains("JOB"), "estimate"].notna().all()
        assert rows.loc[about.str.contains("STUDY") & (rows["time_weeks"] != "0"), "estimate"].isna().all()


def test_log_log_limits_of_an_incidence_lie_inside_zero_and_one():
    table = aalen_johansen(table_of(people()), conf_type="log-log").table
    inside = table[(table["estimate"] > 0) & (table["estimate"] < 1)]
    assert ((inside["conf_low"] > 0) & (inside["conf_high"] < 1)).all()
    z, row = 1.959963984540054, inside.iloc[-1]
    share, error = row["estimate"], row["std_error"]
    centre, margin = np.log(-np.log(share)), z * error / (share * np.log(share))
    np.testing.assert_allclose(sorted(np.exp(-np.exp([centre - margin, centre + margin]))),
                               [row["conf_low"], row["conf_high"]])


def test_strata_in_one_pass_are_strata_one_by_one():
    frame = people(120)
    together = aalen_johansen(table_of(frame, strata="place")).table
    for place, rows in frame.groupby("place"):
        alone = aalen_johansen(table_of(rows)).table
        mine = together[together["group"] == str(place)].reset_index(drop=True)
        pd.testing.assert_frame_equal(mine.drop(columns="group"), alone.drop(columns="group"))


def test_weeks_without_anybody_at_risk_are_named():
    frame = pd.DataFrame({"person": range(4), "entry": [0, 0, 5, 5], "exit": [2, 3, 9, 9],
                          "event": [1, 0, 2, 0]})
    curve = aalen_johansen(table_of(frame, covariates=()))
    assert curve.model["gaps"] == (("", 3.0, 5.0),) and curve.diagnostics["n_gaps"] == 1
    same = kaplan_meier(table_of(frame, covariates=())).table
    survival = curve.table[curve.table["term"] == "survival"].reset_index(drop=True)
    pd.testing.assert_series_equal(survival["estimate"], same["estimate"])
