"""The survey has the change that is stated, and a silence that bends the naive mean."""

import numpy as np
import pytest

from evalkit import simulate
from evalkit.simulate import survey
from evalkit.simulate.own import Own


@pytest.fixture(scope="module")
def own():
    return Own(simulate.register(n_persons=6000, n_comparisons=0))


@pytest.fixture(scope="module")
def tables(own):
    return survey.tables(own)


def _scores(response, questionnaire, scale):
    items = {item["name"]: item for item in survey.items(questionnaire) if item["scale"] == scale}
    answers = response[(response["questionnaire"] == questionnaire) & response["item"].isin(items)].dropna()
    value = answers["value"].astype(float)
    reverse = answers["item"].map(lambda name: items[name]["reverse"])
    return answers.assign(score=np.where(reverse, 6 - value, value))


def test_only_those_asked_answer_and_items_are_the_questionnaires(tables):
    frame, response = tables["survey_frame"], tables["survey_response"]
    asked = set(zip(frame["wave"], frame["respondent_id"], strict=True))
    assert set(zip(response["wave"], response["respondent_id"], strict=True)) < asked
    for questionnaire, part in response.groupby("questionnaire"):
        assert set(part["item"]) == {item["name"] for item in survey.items(questionnaire)}
    assert set(frame["wave"]) == {2015, 2016}
    assert not frame.duplicated(["wave", "respondent_id"]).any()


def test_response_depends_on_age_and_sex(tables):
    citizens = tables["survey_frame"].query("role == 'CITIZEN'")
    answered = set(
        zip(tables["survey_response"]["wave"], tables["survey_response"]["respondent_id"], strict=True)
    )
    rate = citizens.assign(
        answered=[key in answered for key in zip(citizens["wave"], citizens["respondent_id"], strict=True)]
    )
    by_age = rate.groupby("age_group")["answered"].mean()
    by_sex = rate.groupby("sex")["answered"].mean()
    assert by_age["60+"] - by_age["18-24"] > 0.25
    assert by_sex["F"] > by_sex["M"]


def test_truth_is_the_mean_of_everybody_asked(own, tables):
    truth = survey.scale_truth(own)
    for name, values in truth.items():
        questionnaire, scale = name.split(".")
        scored = _scores(tables["survey_response"], questionnaire, scale)
        for wave in survey.WAVES:
            part = scored[scored["wave"] == wave].groupby("respondent_id")["score"].mean()
            error = part.std() / np.sqrt(len(part))
            # Those who answer are somewhat more content than those who were asked.
            assert -3.5 * error < part.mean() - values[str(wave)] < 0.15 + 3.5 * error


def test_weighting_by_age_and_sex_mends_the_citizens_mean(own, tables):
    truth = survey.scale_truth(own)["citizens.experience"]
    scored = _scores(tables["survey_response"], "citizens", "experience")
    for wave in survey.WAVES:
        frame = tables["survey_frame"].query("role == 'CITIZEN' and wave == @wave")
        person = scored[scored["wave"] == wave].groupby("respondent_id")["score"].mean()
        frame = frame.assign(score=frame["respondent_id"].map(person))
        cells = frame.groupby(["age_group", "sex"])["score"].agg(["size", "mean"])
        weighted = np.average(cells["mean"], weights=cells["size"])
        error = person.std() / np.sqrt(len(person))
        assert abs(weighted - truth[str(wave)]) < 3.5 * error
        assert person.mean() > weighted


def test_change_is_near_what_the_levels_state(own):
    truth = survey.scale_truth(own)
    for questionnaire, scales in survey.LEVELS.items():
        for scale, (_, change) in scales.items():
            assert truth[f"{questionnaire}.{scale}"]["change"] == pytest.approx(change, abs=0.06)
