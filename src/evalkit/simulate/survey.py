"""Two survey waves: who was asked, who answered, and what, with a known change between the waves."""

from functools import cache
from math import erf

import numpy as np
import pandas as pd
import yaml

from evalkit import weeks
from evalkit.files import package_data
from evalkit.simulate.states import NUMBER, TARGET

WAVES = (2015, 2016)
_ASKED_ON = "11-01"
# Mean before rounding of the first wave, and change to the second, by questionnaire and scale.
LEVELS = {
    "citizens": {"empowerment": (3.10, 0.25), "experience": (2.95, 0.30), "satisfaction": (3.30, 0.15)},
    "caseworkers": {"coordination": (3.05, 0.45), "empowerment": (3.45, 0.10), "satisfaction": (2.90, 0.40)},
}
_PERSON_SD, _ITEM_SD = 0.55, 0.75
_AGE_BANDS = np.array([18, 25, 30, 40, 50, 60])
_AGE_GROUPS = np.array(["18-24", "25-29", "30-39", "40-49", "50-59", "60+"])
# Older persons and women answer more often, and are more content: who answers is not who was asked.
_AGE_MOOD = np.array([-0.30, -0.20, -0.05, 0.05, 0.20, 0.30])
_AGE_ANSWERS = np.array([0.30, 0.36, 0.45, 0.54, 0.64, 0.70])
_WOMAN_MOOD, _WOMAN_ANSWERS = 0.10, 0.08
_ITEM_MISSING = 0.03


def tables(own):
    """Return ``survey_frame`` and ``survey_response``."""
    parts = [_wave(own, wave) for wave in WAVES]
    frame = pd.concat([part[0] for part in parts], ignore_index=True)
    response = pd.concat([part[1] for part in parts], ignore_index=True)
    columns = ["wave", "respondent_id", "role", "sex", "age_group", "target_group"]
    return {"survey_frame": frame[columns], "survey_response": response}


def scale_truth(own):
    """Return expected scale means of everybody asked, by questionnaire, scale and wave, and their change.

    The expectation is over answers, given who was asked; nobody's silence enters it.
    """
    truth = {}
    for questionnaire, scales in LEVELS.items():
        frames = {wave: _frame(own, wave, questionnaire) for wave in WAVES}
        if any(frame.empty for frame in frames.values()):
            continue
        for scale in scales:
            means = {wave: _mean(frame, questionnaire, scale, wave) for wave, frame in frames.items()}
            truth[f"{questionnaire}.{scale}"] = {
                **{str(wave): round(mean, 4) for wave, mean in means.items()},
                "change": round(means[WAVES[1]] - means[WAVES[0]], 4)}
    return truth


@cache
def items(questionnaire):
    """Return the items of a questionnaire as its file states them."""
    text = package_data("data_schema", "questionnaires", f"{questionnaire}.yaml").read_text(encoding="utf-8")
    return yaml.safe_load(text)["items"]


def _wave(own, wave):
    frames, answers = [], []
    for questionnaire in LEVELS:
        frame = _frame(own, wave, questionnaire)
        rng = own.rng(f"survey {questionnaire} {wave}")
        answered = rng.random(len(frame)) < frame["answers"]
        answers.append(_answers(frame, answered.to_numpy(), questionnaire, wave, rng))
        frames.append(frame)
    return pd.concat(frames, ignore_index=True), pd.concat(answers, ignore_index=True)


def _frame(own, wave, questionnaire):
    return _citizens(own, wave) if questionnaire == "citizens" else _caseworkers(own, wave)


def _citizens(own, wave):
    """Everybody in a target group who lives here in the week of asking."""
    week = weeks.week_of(f"{wave}-{_ASKED_ON}")
    row = min(max(week - own.first_week, 0), own.n_weeks - 1)
    people, state = own.register.people, own.register.state[row]
    age = people.age(week)
    asked = np.flatnonzero(own.on[row] & np.isin(state, TARGET) & (age >= 18) & (age < 65))
    band = np.searchsorted(_AGE_BANDS, age[asked], side="right") - 1
    woman = people.sex[asked] == 0
    return pd.DataFrame(
        {
            "wave": wave,
            "respondent_id": [f"c{number:05d}x" for number in asked],
            "role": "CITIZEN",
            "sex": np.where(woman, "F", "M"),
            "age_group": _AGE_GROUPS[band],
            "target_group": _groups(state[asked]),
            "mood": _AGE_MOOD[band] + _WOMAN_MOOD * woman,
            # The second wave reached fewer of the young.
            "answers": _AGE_ANSWERS[band] + _WOMAN_ANSWERS * woman - 0.05 * (wave > WAVES[0]) * (band < 3),
        }
    )


def _caseworkers(own, wave):
    n_workers = 46 if wave == WAVES[0] else 58
    return pd.DataFrame(
        {
            "wave": wave,
            "respondent_id": [f"sb{number:03d}" for number in range(n_workers)],
            "role": "CASEWORKER",
            "sex": None,
            "age_group": None,
            "target_group": None,
            "mood": 0.0,
            "answers": 0.82,
        }
    )


def _groups(state):
    names = np.full(len(state), "cash_benefit", dtype=object)
    names[state == NUMBER["SICKNESS_BENEFIT"]] = "sickness_benefit"
    names[state == NUMBER["INTEGRATION_BENEFIT"]] = "integration_benefit"
    names[state == NUMBER["UNEMPLOYMENT_BENEFIT"]] = "insured_unemployed"
    return names


def _answers(frame, answered, questionnaire, wave, rng):
    parts, listed = [], items(questionnaire)
    for scale in LEVELS[questionnaire]:
        members = [item for item in listed if item["scale"] == scale]
        person = _location(frame, questionnaire, scale, wave) + rng.normal(0, _PERSON_SD, len(frame))
        for item, offset in zip(members, _offsets(len(members)), strict=True):
            score = np.clip(np.round(person + offset + rng.normal(0, _ITEM_SD, len(frame))), 1, 5)
            value = np.where(item["reverse"], 6 - score, score).astype(np.int64)
            value = pd.array(value, dtype="Int64")
            value[rng.random(len(frame)) < _ITEM_MISSING] = pd.NA
            parts.append(
                pd.DataFrame(
                    {
                        "questionnaire": questionnaire,
                        "wave": wave,
                        "respondent_id": frame["respondent_id"],
                        "role": frame["role"],
                        "item": item["name"],
                        "value": value,
                    }
                )[answered]
            )
    return pd.concat(parts, ignore_index=True)


def _mean(frame, questionnaire, scale, wave):
    """Return the expected mean of a scale over everybody asked."""
    location = _location(frame, questionnaire, scale, wave)
    n_items = sum(item["scale"] == scale for item in items(questionnaire))
    return float(np.mean([_expected(location + offset) for offset in _offsets(n_items)]))


def _location(frame, questionnaire, scale, wave):
    level, change = LEVELS[questionnaire][scale]
    return level + change * (wave == WAVES[1]) + frame["mood"].to_numpy()


def _offsets(n_items):
    """Items of a scale are not equally easy."""
    return np.linspace(-0.3, 0.3, n_items)


def _expected(location):
    """Return the mean over persons of the expected answer: a rounded normal cut to 1-5."""
    sd = np.hypot(_PERSON_SD, _ITEM_SD)
    cells, counts = np.unique(location, return_counts=True)
    below = [
        sum(0.5 * (1 + erf((cut - cell) / sd / 2**0.5)) for cut in (1.5, 2.5, 3.5, 4.5)) for cell in cells
    ]
    return np.average(5.0 - np.array(below), weights=counts)
