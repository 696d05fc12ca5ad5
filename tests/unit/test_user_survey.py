"""Scoring, weighting and comparing answers, on rows that can be checked by hand."""

import numpy as np
import pandas as pd
import pytest

from evalkit import spec
from evalkit.contract import Tables
from evalkit.errors import EstimationError, SpecError
from evalkit.estimators.ordinal import ordered_logit
from evalkit.evaluations import user
from evalkit.evaluations.survey import cells, cronbach_alpha, plain_mean, scale_scores, scores, weighted_mean
from evalkit.spec.build import build
from evalkit.spec.user import Questionnaire, load_questionnaire


def answers(rows, questionnaire="citizens", role="CITIZEN"):
    frame = pd.DataFrame(rows, columns=["wave", "respondent_id", "item", "value"])
    return frame.assign(questionnaire=questionnaire, role=role)


def test_a_reverse_keyed_answer_is_turned_and_the_others_are_not():
    scored = scores(
        answers([(2015, "a", "emp_1", 4), (2015, "a", "emp_4", 4)]), load_questionnaire("citizens")
    )
    assert scored.loc[(2015, "a"), ["emp_1", "emp_4"]].tolist() == [4, 2]


def test_a_respondent_without_any_answer_did_not_answer():
    rows = answers([(2015, "a", "emp_1", 4), (2015, "b", "emp_1", np.nan)])
    assert list(scores(rows, load_questionnaire("citizens")).index) == [(2015, "a")]


def test_an_item_of_no_questionnaire_is_never_read():
    rows = answers([(2015, "a", "emp_1", 4), (2015, "a", "free_text", 1)])
    assert "free_text" not in scores(rows, load_questionnaire("citizens")).columns


@pytest.mark.parametrize(("n", "expected"), [(3, np.nan), (4, 5.0)])
def test_a_scale_needs_its_minimum_of_items(n, expected):
    named = ["emp_1", "emp_2", "emp_3", "emp_5"][:n]
    questionnaire = load_questionnaire("citizens")
    scored = scores(answers([(2015, "a", item, 5) for item in named]), questionnaire)
    assert scale_scores(scored, questionnaire).loc[(2015, "a"), "empowerment"] == pytest.approx(
        expected, nan_ok=True
    )


def test_alpha_of_equal_items_is_one_and_of_independent_ones_is_low():
    same = pd.DataFrame({"a": [1, 2, 3, 4, 5], "b": [1, 2, 3, 4, 5]})
    assert cronbach_alpha(same) == pytest.approx(1)
    crossed = pd.DataFrame({"a": [1, 1, 5, 5], "b": [1, 5, 1, 5]})
    assert cronbach_alpha(crossed) == pytest.approx(0)


def test_weights_restore_the_mean_of_those_asked():
    rng = np.random.default_rng(3)
    group = pd.Series(np.repeat(["old", "young"], 2000), index=[f"r{k}" for k in range(4000)])
    score = np.where(group == "old", 4.0, 2.0) + rng.normal(0, 0.5, 4000)
    silent = rng.random(4000) > np.where(group == "old", 0.8, 0.2)
    seen = pd.Series(np.where(silent, np.nan, score), index=group.index)
    mean = weighted_mean(seen, group)
    assert abs(mean.value - score.mean()) < 3 * mean.error
    assert plain_mean(seen).value - score.mean() > 10 * mean.error


def test_the_error_of_one_cell_is_that_of_a_plain_mean():
    values = pd.Series([1.0, 2.0, 4.0, 5.0], index=list("abcd"))
    assert plain_mean(values).error == pytest.approx(values.std() / 2)


def test_small_cells_are_joined():
    frame = pd.DataFrame({"sex": list("FFFFFMMU")}, index=list("abcdefgh"))
    found = cells(frame, ["sex"], pd.Index(list("abcdefg")), 3)
    assert found.value_counts().to_dict() == {"joined": 8}
    assert set(cells(frame, ["sex"], pd.Index(list("abcdefg")), 1)) == {"F", "joined"}


def test_a_panel_has_a_smaller_error_than_two_groups():
    first = pd.Series([1.0, 2.0, 3.0, 4.0, 5.0], index=list("abcde"))
    second = first + 1 + pd.Series([0.1, -0.1, 0.0, 0.1, -0.1], index=first.index)
    linked = plain_mean(second) - plain_mean(first)
    others = plain_mean(second.set_axis(list("fghij"))) - plain_mean(first)
    assert linked.value == pytest.approx(others.value)
    assert linked.error == pytest.approx((second - first).std() / np.sqrt(5))
    assert others.error > 5 * linked.error


def test_a_questionnaire_whose_item_has_no_scale_is_refused():
    raw = {
        "name": "x",
        "version": "1",
        "role": "CITIZEN",
        "title": {"da": "a", "en": "b"},
        "is_validated": False,
        "anchors": {"agree": [{"value": 1, "da": "a", "en": "b"}]},
        "scales": [{"name": "s", "min_items": 1, "title": {"da": "a", "en": "b"}}],
        "items": [{"name": "i", "scale": "t", "anchors": "agree", "reverse": False, "da": "a", "en": "b"}],
    }
    with pytest.raises(SpecError, match="item i: no scale t"):
        build(Questionnaire, raw, where="x.yaml")


def test_a_separating_covariate_and_a_constant_one_are_refused():
    frame = pd.DataFrame({"answer": [1, 1, 1, 1, 2, 2, 2, 2], "x": [0, 0, 0, 0, 1, 1, 1, 1], "c": 1})
    with pytest.raises(EstimationError, match="no maximum|singular"):
        ordered_logit(frame, outcome="answer", covariates=["x"])
    with pytest.raises(EstimationError, match="constant"):
        ordered_logit(frame, outcome="answer", covariates=["c"])
    with pytest.raises(EstimationError, match="1 different answers"):
        ordered_logit(frame, outcome="c", covariates=["x"])


def test_two_groups_of_an_ordered_logit_equal_the_odds_ratio_of_a_two_by_two_table():
    frame = pd.DataFrame({"answer": [1] * 6 + [2] * 4 + [1] * 3 + [2] * 7, "x": [0] * 10 + [1] * 10})
    row = ordered_logit(frame, outcome="answer", covariates=["x"]).table.iloc[0]
    assert row["estimate"] == pytest.approx((7 / 3) / (4 / 6), rel=1e-6)


def test_every_question_without_a_survey_names_the_missing_tables():
    told = user.experience(Tables.from_frames({}, data_from="2015-01-05", data_through="2016-12-25"),
                           spec.load_study("analysis/user.yaml"), None)
    withheld = [getattr(told, name).withheld for name in told.__slots__ if name != "reach"]
    assert set(withheld) == {"missing_tables"}
    assert told.reach.diagnostics["missing_tables"] == ["survey_frame", "survey_response"]


def test_one_wave_answers_all_but_the_change():
    rows = answers([(2015, f"r{k}", "emp_1", k % 5 + 1) for k in range(20)])
    frame = pd.DataFrame({"wave": 2015, "respondent_id": [f"r{k}" for k in range(30)], "role": "CITIZEN",
                          "sex": "F", "age_group": "30-39", "target_group": "cash_benefit"})
    tables = Tables.from_frames(
        {"survey_response": rows, "survey_frame": frame}, data_from="2015-01-05", data_through="2016-12-25"
    )
    told = user.experience(tables, spec.load_study("analysis/user.yaml"), None)
    assert told.response.row("CITIZEN", "2015")["estimate"] == pytest.approx(20 / 30)
    assert told.items.row("citizens.emp_1", "2015")["estimate"] == pytest.approx(3.0)
    assert told.change.withheld == "one_wave"
    assert told.key_item.withheld


def test_those_who_answered_both_waves_are_counted_by_questionnaire():
    rows = answers([(wave, f"r{k}", "emp_1", k % 5 + 1) for wave,
                    ks in ((2015, range(20)), (2016, range(13, 28))) for k in ks])
    frame = pd.DataFrame([{"wave": wave, "respondent_id": f"r{k}", "role": "CITIZEN", "sex": "F",
                           "age_group": "30-39",
                           "target_group": "cash_benefit"} for wave in (2015, 2016) for k in range(30)])
    tables = Tables.from_frames({"survey_response": rows, "survey_frame": frame}, data_from="2015-01-05",
                                data_through="2016-12-25")
    told = user.experience(tables, spec.load_study("analysis/user.yaml"), None).change.diagnostics
    assert told == {"n_linked": {"citizens": 7}, "n_second_wave": {"citizens": 15}}
