"""What is asked of Cox's model: names, boundaries, and the small cases that can be counted by hand."""

import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from evalkit.atrisk import AtRisk
from evalkit.errors import EstimationError
from evalkit.estimators import (
    concordance,
    cox,
    predict_survival,
    proportionality_test,
    residuals,
    standardised_contrasts,
    standardised_survival,
)


def people(n=60, seed=5, **columns):
    rng = np.random.default_rng(seed)
    return pd.DataFrame({
        "exit": rng.integers(1, 30, n), "event": (rng.uniform(size=n) < 0.7).astype(int),
        "x": rng.normal(size=n), "treated": rng.integers(0, 2, n), "place": rng.integers(0, 3, n), **columns})


def table_of(frame, *covariates, **columns):
    return AtRisk.from_frame(frame, exit="exit", event="event", covariates=covariates, **columns)


def test_steps_are_terms_named_by_their_weeks():
    fit = cox(table_of(people(), "x", "treated"), varying={"treated": (10, 20)})
    assert fit.table["term"].tolist() == ["x", "treated(0-10]", "treated(10-20]", "treated(20-]"]
    assert fit.provenance.options["varying"] == {"treated": [10.0, 20.0]}


def test_an_event_in_the_week_of_a_step_belongs_to_the_step_that_ends():
    frame = people()
    at = cox(table_of(frame, "treated"), varying={"treated": (10,)})
    later = cox(table_of(frame, "treated"), varying={"treated": (10.5,)})
    earlier = cox(table_of(frame, "treated"), varying={"treated": (9.5,)})
    assert at.diagnostics["log_likelihood"] == pytest.approx(later.diagnostics["log_likelihood"], rel=1e-12)
    assert abs(at.diagnostics["log_likelihood"] - earlier.diagnostics["log_likelihood"]) > 1e-3


def test_a_category_changes_in_all_its_columns():
    frame = people(kind=np.tile(["A", "B", "C"], 20))
    fit = cox(table_of(frame, "kind"), varying={"kind": (10,)})
    assert fit.table["term"].tolist() == ["kind[B](0-10]", "kind[B](10-]", "kind[C](0-10]", "kind[C](10-]"]


def test_functions_are_terms_beside_the_covariate():
    at_risk = table_of(people(), "x", "treated")
    fit = cox(at_risk, varying={"x": np.log, "treated": lambda weeks: np.column_stack([weeks, weeks**2])})
    assert fit.table["term"].tolist() == ["x", "x:log", "treated", "treated:time[1]", "treated:time[2]"]


def test_a_step_by_function_equals_the_step():
    at_risk = table_of(people(), "x", "treated", strata="place")
    steps = cox(at_risk, varying={"treated": (10,)})
    function = cox(at_risk, varying={"treated": lambda weeks: (weeks > 10).astype(float)})
    reached = steps.diagnostics["log_likelihood"]
    assert function.diagnostics["log_likelihood"] == pytest.approx(reached, rel=1e-12)
    early, change = function.table["estimate"][1:]
    np.testing.assert_allclose([early, early + change], steps.table["estimate"][1:], rtol=1e-8)
    profile = pd.DataFrame({"x": [0.3], "treated": [1.0], "strata": "1"})
    for quantity in ("survival", "cumulative_hazard"):
        pd.testing.assert_frame_equal(predict_survival(steps, profile, quantity=quantity).table,
                                      predict_survival(function, profile, quantity=quantity).table, rtol=1e-7)


@pytest.mark.parametrize("columns", [{}, {"strata": "place"}, {"cluster": "place", "weight": "w"}])
@pytest.mark.filterwarnings("ignore:.*3 clusters for")
def test_the_table_by_rows_equals_the_table_by_groups(columns, monkeypatch):
    at_risk = table_of(people(w=np.linspace(0.5, 2, 60)), "x", "treated", **columns)
    asked = {"treated": np.log, "x": np.sqrt}
    by_group = cox(at_risk, varying=asked).table
    monkeypatch.setattr(sys.modules["evalkit.estimators.cox.varying_likelihood"], "TABLE", 50)
    pd.testing.assert_frame_equal(cox(at_risk, varying=asked).table, by_group, rtol=1e-8)


def test_a_ridge_takes_steps():
    fit = cox(table_of(people(), "x", "treated"), varying={"treated": (10,)}, ridge={"treated(10-]": 1e6})
    assert abs(fit.table["estimate"].iloc[-1]) < 1e-3


def jackknifed(at_risk, unit, **options):
    """Derive the predicted shares by the weight of each unit, and square."""
    weight = at_risk.row_weights

    def shares(weight):
        fit = cox(replace(at_risk, weight=weight), **options, robust=False)
        return predict_survival(fit, PROFILE, weeks=[8, 16]).table["estimate"].to_numpy()
    changes = [shares(weight * (1 + 1e-4 * (unit == u))) - shares(weight * (1 - 1e-4 * (unit == u)))
               for u in np.unique(unit)]
    return np.sqrt(np.square(np.array(changes) / 2e-4).sum(axis=0))


PROFILE = pd.DataFrame({"x": [0.5], "treated": [1.0]})


@pytest.mark.parametrize(("columns", "options"), [
    ({}, {}), ({"weight": "w", "cluster": "place"}, {"ties": "breslow"}),
    ({"weight": "w", "strata": "place"}, {"varying": {"treated": (10,)}}),
    ({"cluster": "place"}, {"varying": {"x": np.log}}),
    ({"weight": "w"}, {"ridge": 3.0, "ridge_scale": False})])
@pytest.mark.filterwarnings("ignore:.*3 clusters for")
def test_errors_by_persons_are_the_jackknife_of_the_whole_prediction(columns, options):
    at_risk = table_of(people(w=np.linspace(0.5, 2, 60)), "x", "treated", **columns)
    fit = cox(at_risk, **options)
    found = predict_survival(fit, PROFILE, weeks=[8, 16], at_risk=at_risk).table["std_error"]
    unit = np.arange(60) if at_risk.cluster is None else at_risk.cluster
    np.testing.assert_allclose(found, jackknifed(at_risk, unit, **options), rtol=1e-5, atol=1e-9)


def test_a_count_is_so_many_persons_in_errors_of_predictions():
    frame = people(k=np.arange(60) % 3 + 1)
    rows = frame.loc[frame.index.repeat(frame["k"])]
    tables = [predict_survival(cox(t), PROFILE, weeks=9, at_risk=t).table
              for t in (table_of(frame, "x", "treated", count="k"), table_of(rows, "x", "treated"))]
    pd.testing.assert_frame_equal(*tables, rtol=1e-7)


def test_errors_by_persons_take_an_offset_and_refuse_another_table():
    at_risk, offset = table_of(people(), "x", "treated"), np.linspace(-0.5, 0.5, 60)
    fit = cox(at_risk, offset=offset)
    found, plain = (predict_survival(fit, PROFILE, weeks=9, **more).table["std_error"].iloc[-1]
                    for more in ({"at_risk": at_risk, "offset": offset}, {}))
    assert found == pytest.approx(plain, rel=0.25) and found != plain
    for other in (table_of(people(), "x"), table_of(people(seed=6), "x", "treated"),
                  table_of(people(), "x", "treated", strata="place")):
        with pytest.raises(EstimationError, match="give the table that was fitted"):
            predict_survival(cox(at_risk), PROFILE, weeks=9, at_risk=other)
    with pytest.raises(EstimationError, match="fitted with an offset"):
        predict_survival(fit, PROFILE, at_risk=at_risk)
    with pytest.raises(ValueError, match="without at_risk"):
        predict_survival(fit, PROFILE, offset=offset)


def test_a_robust_fit_without_its_table_warns():
    with pytest.warns(UserWarning, match="independent and may be too short; give at_risk"):
        predict_survival(cox(table_of(people(), "x", "treated", cluster="place")), PROFILE)


def test_predictions_begin_at_one_and_count_every_event():
    at_risk = table_of(people(), "x", "treated", strata="place")
    table = predict_survival(cox(at_risk), pd.DataFrame({"x": [0.0], "treated": [1]}, index=["me"])).table
    first = table.groupby("group").first()
    assert list(first.index) == ["me, 0", "me, 1", "me, 2"]
    assert (first[["estimate", "std_error", "time_weeks"]] == [1, 0, 0]).all(axis=None)
    assert table["n_events"].sum() == at_risk.n_events and first["n_persons"].sum() == 60


def test_a_week_before_the_first_event_has_everybody():
    frame = people().assign(exit=lambda d: d["exit"] + 5)
    table = predict_survival(cox(table_of(frame, "x")), pd.DataFrame({"x": [1.0]}), weeks=[3, 5.9]).table
    assert table["estimate"].tolist() == [1.0, 1.0, 1.0]


def test_where_a_covariate_begins_does_not_matter_to_predictions():
    frame = people()
    near = predict_survival(cox(table_of(frame, "x")), pd.DataFrame({"x": [0.5]})).table
    frame["x"] += 1e5
    far = predict_survival(cox(table_of(frame, "x")), pd.DataFrame({"x": [1e5 + 0.5]})).table
    pd.testing.assert_frame_equal(near, far, rtol=1e-6)


@pytest.mark.parametrize("size", [1e9, 1e-12])
def test_the_unit_of_a_covariate_changes_its_own_numbers_only(size):
    frame = people()
    near, far = (table_of(frame.assign(x=frame["x"] * unit), "x", "treated") for unit in (1.0, size))
    profile = pd.DataFrame({"x": [0.5], "treated": [1]})
    for ask in (lambda t, _: proportionality_test(t).table, lambda t, _: concordance(t).table,
                lambda t, _: standardised_contrasts(t, exposure="treated", weeks=9, horizon_weeks=20).table,
                lambda t, unit: predict_survival(cox(t, varying={"x": np.sqrt}),
                                                 profile.assign(x=0.5 * unit)).table):
        pd.testing.assert_frame_equal(ask(near, 1.0), ask(far, size), rtol=1e-6)
    np.testing.assert_allclose(residuals(near), residuals(far), rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(residuals(near, kind="dfbeta"), residuals(far, kind="dfbeta") * [size, 1],
                               rtol=1e-6, atol=1e-9)


def test_standardised_over_equal_persons_is_their_prediction():
    frame = people(x=np.tile([-1.0, 1.0], 30))
    at_risk = table_of(frame, "x", "treated")
    same = np.asarray(frame["x"] == 1.0)
    table = standardised_survival(at_risk, exposure="treated", among=same, weeks=[10, 20]).table
    profiles = pd.DataFrame({"x": 1.0, "treated": [0, 1]}, index=["0", "1"])
    predicted = predict_survival(cox(at_risk), profiles, weeks=[10, 20]).table
    np.testing.assert_allclose(table["estimate"], predicted["estimate"], rtol=1e-12)
    # The same estimate, with two errors of it: by influence functions, and by the model.
    np.testing.assert_allclose(table["std_error"], predicted["std_error"], rtol=0.25)


def test_standardised_survival_is_the_mean_of_predictions():
    frame = people()
    at_risk = table_of(frame, "x", "treated", strata="place")
    profiles = frame[["x", "treated"]].assign(strata=frame["place"].astype(str), treated=1)
    each = predict_survival(cox(at_risk), profiles, weeks=12).table.query("time_weeks == 12")["estimate"]
    found = standardised_survival(at_risk, exposure="treated", weeks=12).row(group="1", time_weeks=12)
    assert found["estimate"] == pytest.approx(each.mean(), rel=1e-12)


def test_the_area_under_a_standardised_curve_is_its_restricted_mean():
    at_risk = table_of(people(), "x", "treated")
    curve = standardised_survival(at_risk, exposure="treated").table.query("group == '1' and time_weeks < 15")
    area = curve["estimate"] @ np.diff(np.append(curve["time_weeks"], 15.0))
    answer = standardised_contrasts(at_risk, exposure="treated", horizon_weeks=[15, 0.5])
    assert answer.row("restricted_mean", "1", 15)["estimate"] == pytest.approx(area, rel=1e-12)
    before = answer.row("restricted_mean", "1", 0.5)
    assert before["estimate"] == 0.5 and before["std_error"] == 0


def test_an_exposure_by_name_by_covariates_and_by_category_is_the_same():
    frame = people()
    frame["arm"] = np.where(frame["treated"] == 1, "plan", "none")
    numbers, words = table_of(frame, "x", "treated"), table_of(frame, "x", "arm")
    given = {str(level): np.column_stack([frame["x"], np.full(60, level)]) for level in (0, 1)}
    tables = [standardised_contrasts(numbers, exposure=how, weeks=10).table for how in ("treated", given)]
    pd.testing.assert_frame_equal(*tables)
    by_words = standardised_contrasts(words, exposure="arm", weeks=10).table
    assert by_words["group"].tolist() == ["reference", "plan", "plan"]
    np.testing.assert_allclose(by_words["estimate"], tables[0]["estimate"], rtol=1e-12)


def test_strata_are_standardised_by_their_own_hazards():
    frame = people()
    at_risk = table_of(frame, "x", strata="treated")
    answer = standardised_survival(at_risk, exposure="strata", weeks=10)
    assert answer.table["group"].unique().tolist() == ["0", "1"]
    one = predict_survival(cox(at_risk), frame[["x"]].assign(strata="1"), weeks=10).table
    assert answer.row(group="1", time_weeks=10)["estimate"] == pytest.approx(
        one.query("time_weeks == 10")["estimate"].mean(), rel=1e-12)


def test_the_first_row_of_a_person_is_averaged_over():
    frame = people(person=np.arange(60))
    split = pd.concat([frame.assign(exit=frame["exit"] / 2, event=0, entry=0.0),
                       frame.assign(entry=frame["exit"] / 2, x=frame["x"])])
    whole = table_of(frame, "x", "treated", person="person")
    parts = table_of(split, "x", "treated", person="person", entry="entry")
    one, other = (standardised_contrasts(rows, exposure="treated", weeks=10).table for rows in (whole, parts))
    pd.testing.assert_frame_equal(one, other, rtol=1e-9)


def test_the_covariance_of_contrasts_gives_their_errors():
    answer = standardised_contrasts(table_of(people(), "x", "treated"), exposure="treated", weeks=[5, 10])
    covariance, rows = answer.model["covariance"], np.array([-1, 0, 1, 0])
    assert answer.model["groups"] == ("0", "0", "1", "1")
    error = answer.row("survival_difference", "1", 5)["std_error"]
    assert error == pytest.approx(np.sqrt(rows @ covariance @ rows))


def test_a_category_of_several_levels_is_tested_as_a_whole_too():
    frame = people(kind=np.tile(["A", "B", "C"], 20))
    answer = proportionality_test(table_of(frame, "kind", "x"))
    assert answer.table["term"].tolist() == ["kind[B]", "kind[C]", "kind", "x", "global"]
    assert answer.diagnostics == {"df": [1, 1, 2, 1, 3]}


def test_that_the_test_of_proportionality_takes_rows_as_independent_is_said():
    for columns in ({"weight": "weight"}, {"cluster": "place"}):
        at_risk = table_of(people(weight=np.tile([1.0, 2.0], 30)), "x", **columns)
        assert "independent" in proportionality_test(at_risk).diagnostics["warning"]


def test_a_changing_effect_is_found_and_a_constant_one_is_not():
    rng = np.random.default_rng(8)
    x, y = rng.integers(0, 2, (2, 2000)).astype(float)
    early, late = rng.exponential(10 / np.exp(1.5 * x)), rng.exponential(10 / np.exp(0.5 * y - 0.5 * x))
    exit = np.ceil(np.where(early < 5, early, 5 + late))
    frame = pd.DataFrame({"exit": exit, "event": 1, "x": x, "y": y})
    table = proportionality_test(table_of(frame, "x")).table.set_index("term")
    assert table.loc["x", "p_value"] < 1e-10
    steady = pd.DataFrame({"exit": np.ceil(rng.exponential(10 / np.exp(x))), "event": 1, "x": x})
    assert proportionality_test(table_of(steady, "x")).table["p_value"][0] > 0.01


def test_martingale_residuals_sum_to_zero_and_scores_to_the_gradient():
    at_risk = table_of(people(), "x", "treated", strata="place")
    assert residuals(at_risk).sum() == pytest.approx(0, abs=1e-9)
    np.testing.assert_allclose(residuals(at_risk, kind="score").sum(axis=0), 0, atol=1e-7)
    np.testing.assert_allclose(np.nansum(residuals(at_risk, kind="schoenfeld"), axis=0), 0, atol=1e-7)


def test_dfbetas_square_to_the_robust_covariance():
    at_risk = table_of(people(w=np.linspace(0.5, 2, 60)), "x", "treated", weight="w")
    change = residuals(at_risk, kind="dfbeta")
    np.testing.assert_allclose(change.T @ change, cox(at_risk).model["covariance"], rtol=1e-7)


def test_rows_that_no_event_sees_have_no_residual():
    frame = pd.concat([people(), people(3, exit=0.5, event=0)], ignore_index=True)
    at_risk = table_of(frame, "x")
    assert (residuals(at_risk)[-3:] == 0).all() and (residuals(at_risk, kind="dfbeta")[-3:] == 0).all()


def pairs_of(frame, score):
    """Count concordant, discordant and tied pairs one by one."""
    found = np.zeros(3)
    for i, one in frame[frame["event"] == 1].iterrows():
        for j, other in frame.iterrows():
            goes_on = other["exit"] > one["exit"] or (other["exit"] == one["exit"] and other["event"] == 0)
            if goes_on and other["entry"] < one["exit"] and other["place"] == one["place"]:
                found[1 - int(np.sign(score[i] - score[j]))] += one["w"] * other["w"]
    return found[[0, 2, 1]]


def test_pairs_are_those_counted_one_by_one():
    rng = np.random.default_rng(2)
    frame = people(40, entry=rng.integers(0, 8, 40), w=rng.uniform(0.5, 2, 40))
    frame["exit"] += frame["entry"]
    score = rng.integers(0, 6, 40).astype(float)
    answer = concordance(table_of(frame, entry="entry", strata="place", weight="w"), score=score)
    found = [answer.diagnostics[kind] for kind in ("concordant", "discordant", "tied")]
    np.testing.assert_allclose(found, pairs_of(frame, score), rtol=1e-12)


def test_rounding_does_not_break_ties_of_the_score():
    frame = people()
    score = np.asarray(frame["treated"], dtype=float)
    noisy = score + 1e-14 * np.random.default_rng(1).normal(size=60)
    at_risk = table_of(frame)
    assert concordance(at_risk, score=noisy).diagnostics == concordance(at_risk, score=score).diagnostics


def test_one_prediction_far_out_does_not_make_the_others_equal():
    score = np.asarray(people()["x"])
    far = score.copy()
    far[score.argmax()] = 1e14
    at_risk = table_of(people())
    assert concordance(at_risk, score=far).diagnostics == concordance(at_risk, score=score).diagnostics


def test_the_opposite_score_has_the_opposite_concordance():
    at_risk = table_of(people())
    score = np.asarray(people()["x"])
    one, other = (concordance(at_risk, score=sign * score).table.iloc[0] for sign in (1, -1))
    assert one["estimate"] + other["estimate"] == pytest.approx(1)
    assert one["std_error"] == pytest.approx(other["std_error"])


def test_varying_that_is_no_mapping_is_refused():
    frame = pd.DataFrame({"weeks": [1, 2, 3, 4, 5, 6], "left": 1, "x": [1.0, 0.0, 2.0, 1.0, 0.0, 2.0]})
    with pytest.raises(ValueError, match="varying must be a mapping"):
        cox(AtRisk.from_frame(frame, exit="weeks", event="left", covariates=["x"]), varying=5)
