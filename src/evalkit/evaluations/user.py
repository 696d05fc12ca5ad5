"""How is the programme experienced? Citizens and caseworkers, two waves, the silent kept in mind."""

from dataclasses import dataclass

import numpy as np

from evalkit.errors import EstimationError
from evalkit.estimators.ordinal import ordered_logit
from evalkit.evaluations.facts import needs, reach, unanswered
from evalkit.evaluations.participation import (
    SURVEY_TABLES,
    asked_estimand,
    composition,
    missing_items,
    read_survey,
    response,
    response_by_group,
    survey_origin,
)
from evalkit.evaluations.survey import cells, cronbach_alpha, plain_mean, weighted_mean
from evalkit.result import Result, tidy

_Z = 1.959963984540054


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Experience:
    """One Result for each question."""

    response: Result
    response_by_group: Result
    composition: Result
    missing_items: Result
    items: Result
    scales: Result
    reliability: Result
    change: Result
    unweighted_change: Result
    both_sides: Result
    both_sides_gap: Result
    key_item: Result
    reach: Result


def experience(tables, study, site):
    """Answer every question of the study that the delivered survey can answer.

    Returns
    -------
    Experience
        Without a survey every answer is a withheld Result that names the missing tables.
    """
    survey = read_survey(tables, study) if tables.has(*SURVEY_TABLES) else None
    told = {question.__name__: question(tables, study, site, survey=survey) for question in QUESTIONS}
    return Experience(**told, reach=reach(tables, study, QUESTIONS, told))


@needs(*SURVEY_TABLES)
def items(tables, study, site, *, survey):
    """Mean score of each item by wave, 5 the good end, weighted up to those asked."""
    means = {(f"{name}.{item}", str(wave)): _mean(survey, study, name, wave, scored[item])
             for name, scored in survey.scored.items() for wave in _waves_of(scored) for item in scored}
    return _means("items", means, tables, study)


@needs(*SURVEY_TABLES)
def scales(tables, study, site, *, survey):
    """Mean score of each scale by wave, weighted up to those asked."""
    return _means("scales", _scale_means(survey, study), tables, study)


@needs(*SURVEY_TABLES)
def reliability(tables, study, site, *, survey):
    """Cronbach's alpha of each scale by wave."""
    rows = []
    for name, scored in survey.scored.items():
        for scale in survey.questionnaires[name].scales:
            columns = [item.name for item in survey.questionnaires[name].items_of(scale.name)]
            rows += [
                (
                    f"{name}.{scale.name}",
                    str(wave),
                    cronbach_alpha(part[columns]),
                    len(part[columns].dropna()),
                )
                for wave, part in scored.groupby(level="wave")
            ]
    terms, groups, alpha, n = zip(*rows, strict=True)
    return Result(
        kind="counts",
        estimand=asked_estimand("reliability", "ratio", "cronbach_alpha"),
        provenance=survey_origin(tables, study),
        table=tidy(term=terms, group=groups, estimate=alpha, n_persons=n),
    )


@needs(*SURVEY_TABLES)
def change(tables, study, site, *, survey):
    """Change of each scale from the first to the second wave.

    Respondents with the same pseudonym in both waves are one person: their answers move together, and the
    error says so. The diagnostics tell how many of the second wave were in the first.
    """
    return _change("change", _scale_means(survey, study), tables, study, survey)


@needs(*SURVEY_TABLES)
def unweighted_change(tables, study, site, *, survey):
    """Change of each scale among those who answered, nobody weighted up."""
    means = {(f"{name}.{scale}", str(wave)): plain_mean(part.loc[wave, scale])
             for name, part in survey.scales.items() for wave in _waves_of(part) for scale in part}
    return _change("unweighted_change", means, tables, study, survey)


@needs(*SURVEY_TABLES)
def both_sides(tables, study, site, *, survey):
    """Mean of the items that citizens and caseworkers are both asked, by side, in the latest wave."""
    means = {(item, role): mean for (item, role), mean in _side_means(survey, study).items()}
    return _means("both_sides", means, tables, study, wave=_latest(survey))


@needs(*SURVEY_TABLES)
def both_sides_gap(tables, study, site, *, survey):
    """Difference between caseworkers and citizens on the items that both are asked, in the latest wave."""
    means = _side_means(survey, study)
    gaps = {(item, ""): means[item, "CASEWORKER"] - means[item, "CITIZEN"] for item in study.shared_items
            if (item, "CASEWORKER") in means and (item, "CITIZEN") in means}
    return _means("both_sides_gap", gaps, tables, study, wave=_latest(survey))


@needs(*SURVEY_TABLES)
def key_item(tables, study, site, *, survey):
    """Odds of a higher answer to the key item in the second wave against the first.

    Proportional-odds model of the citizens' answers, adjusted for sex, age group and target group; persons in
    both waves are treated as different persons, which makes the error a little too large.
    """
    role = survey.questionnaires[study.key_questionnaire].role
    scored = survey.scored[study.key_questionnaire][study.key_item].dropna().rename("answer").reset_index()
    known = (
        survey.frame.loc[role].reset_index() if role in survey.frame.index else survey.frame.reset_index()[:0]
    )
    rows = scored.merge(known, on=["wave", "respondent_id"])
    rows = rows[rows["wave"].isin(study.waves)].assign(
        second_wave=lambda frame: (frame["wave"] == study.waves[1]).astype(float)
    )
    adjusted = [name for name in ("sex", "age_group", "target_group") if rows[name].nunique() > 1]
    try:
        fit = ordered_logit(rows, outcome="answer", covariates=["second_wave", *adjusted])
    except EstimationError:
        return unanswered("key_item", [], study, reason="no_model")
    wanted = fit.table[fit.table["term"] == "second_wave"].assign(group=study.key_item)
    return Result(
        kind="model",
        estimand=asked_estimand("key_item", "ratio", "odds_ratio"),
        table=wanted.reset_index(drop=True),
        provenance=survey_origin(tables, study, "ordered_logit", adjusted=adjusted),
    )


def _waves_of(scored):
    return sorted(scored.index.unique("wave"))


def _latest(survey):
    return max(_waves_of(scored)[-1] for scored in survey.scored.values() if len(scored))


def _mean(survey, study, name, wave, values):
    """Return the weighted mean of one column of scores in one wave."""
    role = survey.questionnaires[name].role
    values = values.loc[wave].dropna()
    if (role, wave) not in survey.frame.index.droplevel("respondent_id"):
        return plain_mean(values)
    asked = survey.frame.loc[(role, wave)]
    return weighted_mean(values, cells(asked, study.weighting, values.index, study.min_cell))


def _scale_means(survey, study):
    return {(f"{name}.{scale}", str(wave)): _mean(survey, study, name, wave, part[scale])
            for name, part in survey.scales.items() for wave in _waves_of(part) for scale in part}


def _side_means(survey, study):
    """Return the mean of each shared item by role in the latest wave."""
    wave = _latest(survey)
    return {(item, survey.questionnaires[name].role): _mean(survey, study, name, wave, scored[item])
            for item in study.shared_items for name, scored in survey.scored.items()
            if item in scored and wave in _waves_of(scored)}


def _change(name, means, tables, study, survey):
    first, second = map(str, study.waves)
    changes = {(term, ""): means[term, second] - means[term, first] for term, wave in means
               if wave == second and (term, first) in means}
    if not changes:
        return Result(
            kind="counts",
            estimand=asked_estimand(name, "score"),
            table=tidy(),
            withheld="one_wave",
            provenance=survey_origin(tables, study),
        )
    return _means(name, changes, tables, study, **_linked(survey, study))


def _linked(survey, study):
    """Tell how many of the second wave's respondents answered the first as well, by questionnaire.

    One number for all would be a second total beside the counts of `response`.
    """
    first, second = study.waves
    both = {name: (scored.loc[second].index, scored.loc[first].index)
            for name, scored in survey.scored.items() if {first, second} <= set(_waves_of(scored))}
    return {"n_linked": {name: int(now.isin(before).sum()) for name, (now, before) in both.items()},
            "n_second_wave": {name: len(now) for name, (now, _) in both.items()}}


def _means(name, means, tables, study, **diagnostics):
    terms, groups = zip(*means, strict=True) if means else ((), ())
    values = list(means.values())
    estimate, error = np.array([mean.value for mean in values]), np.array([mean.error for mean in values])
    table = tidy(term=terms, group=groups, estimate=estimate, std_error=error, conf_low=estimate - _Z * error,
                 conf_high=estimate + _Z * error, n_persons=[mean.n for mean in values])
    # Kind counts: measured means of persons in cells; the rule for a model's many terms is not about them.
    return Result(
        kind="counts",
        estimand=asked_estimand(name, "score"),
        table=table,
        diagnostics=diagnostics,
        provenance=survey_origin(tables, study, "post_stratified_mean", weighting=list(study.weighting)),
    )


QUESTIONS = (response, response_by_group, composition, missing_items, items, scales, reliability, change,
             unweighted_change, both_sides, both_sides_gap, key_item)
