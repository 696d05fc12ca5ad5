"""Who was asked, who answered, and what they left out: the survey's people before their answers."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from evalkit.evaluations.facts import needs, origin, shares
from evalkit.evaluations.survey import scale_scores, scores
from evalkit.result import Estimand
from evalkit.spec.user import load_questionnaire

SURVEY_TABLES = ("survey_response", "survey_frame")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Survey:
    """The scored answers and those asked. Holds person rows: never shown.

    Attributes
    ----------
    questionnaires : mapping of str to Questionnaire
    scored, scales : mapping of str to DataFrame
        By questionnaire, indexed by wave and respondent: items, and scale means.
    frame : DataFrame
        Persons asked, indexed by role, wave and respondent.
    """

    questionnaires: dict
    scored: dict
    scales: dict
    frame: pd.DataFrame


def read_survey(tables, study):
    """Score the answers of the study's questionnaires."""
    asked = {name: load_questionnaire(name) for name in study.questionnaires}
    scored = {name: scores(tables["survey_response"], questionnaire) for name, questionnaire in asked.items()}
    scales = {name: scale_scores(scored[name], questionnaire) for name, questionnaire in asked.items()}
    frame = tables["survey_frame"].set_index(["role", "wave", "respondent_id"]).sort_index()
    return Survey(questionnaires=asked, scored=scored, scales=scales, frame=frame)


@needs(*SURVEY_TABLES)
def response(tables, study, site, *, survey):
    """Share of those asked who answered at least one question, by role and wave."""
    rows = []
    for role, wave, asked, answered in _waves(survey, study):
        rows.append((role, str(wave), int(asked.index.isin(answered).sum()), len(asked)))
    return shares(
        "response",
        rows,
        estimand=asked_estimand("response", "share"),
        provenance=survey_origin(tables, study),
    )


@needs(*SURVEY_TABLES)
def response_by_group(tables, study, site, *, survey):
    """Share of the citizens asked who answered, by sex, age group and target group, and wave."""
    rows = []
    for role, wave, asked, answered in _waves(survey, study):
        for column in ("sex", "age_group", "target_group") if role == "CITIZEN" else ():
            for level, part in asked[asked[column] != ""].groupby(column):
                rows.append((level, str(wave), int(part.index.isin(answered).sum()), len(part)))
    return shares("response_by_group", rows, estimand=asked_estimand("response_by_group", "share"),
                  provenance=survey_origin(tables, study))


@needs(*SURVEY_TABLES)
def composition(tables, study, site, *, survey):
    """Share of each group among the citizens asked and among those who answered, over both waves."""
    parts = [
        (asked, asked.index.isin(answered))
        for role, _, asked, answered in _waves(survey, study)
        if role == "CITIZEN"
    ]
    asked, answers = pd.concat([part for part, _ in parts]), np.concatenate([mask for _, mask in parts])
    rows = []
    for column in ("sex", "age_group", "target_group"):
        for level in sorted(set(asked[column]) - {""}):
            held = (asked[column] == level).to_numpy()
            rows += [(level, "asked", int(held.sum()), len(held)),
                     (level, "answered", int((held & answers).sum()), int(answers.sum()))]
    return shares(
        "composition",
        rows,
        estimand=asked_estimand("composition", "share"),
        provenance=survey_origin(tables, study),
    )


@needs(*SURVEY_TABLES)
def missing_items(tables, study, site, *, survey):
    """Share of the respondents who left each item out."""
    rows = [
        (f"{name}.{item}", str(wave), int(part[item].isna().sum()), len(part))
        for name, scored in survey.scored.items()
        for wave, part in scored.groupby(level="wave")
        for item in part
    ]
    return shares(
        "missing_items",
        rows,
        estimand=asked_estimand("missing_items", "share"),
        provenance=survey_origin(tables, study),
    )


def asked_estimand(name, unit, summary=""):
    """Return the Estimand of something told of everybody asked: a mean of scores, or counted."""
    return Estimand(
        name=name,
        population="asked",
        outcome=name,
        summary=summary or ("mean" if unit == "score" else "counted"),
        unit=unit,
        assumptions=("silence_at_random",) if unit == "score" else (),
    )


def survey_origin(tables, study, method="count", **options):
    """Return the Provenance of something told by the survey."""
    return origin(tables, study, SURVEY_TABLES, method=method, **options)


def _waves(survey, study):
    """Yield role, wave, the persons asked and the respondents with an answer."""
    for name, questionnaire in survey.questionnaires.items():
        if questionnaire.role not in survey.frame.index:
            continue
        asked = survey.frame.loc[questionnaire.role]
        for wave in sorted(asked.index.unique("wave")):
            answered = survey.scored[name].index
            yield (
                questionnaire.role,
                wave,
                asked.loc[wave],
                answered[answered.get_level_values("wave") == wave].droplevel("wave"),
            )
