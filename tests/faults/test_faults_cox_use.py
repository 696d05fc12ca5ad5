"""What cannot be asked of Cox's model is refused: where, what was found, and what to do instead."""

import numpy as np
import pandas as pd
import pytest

from evalkit.atrisk import AtRisk
from evalkit.errors import EstimationError
from evalkit.estimators import (
    concordance,
    cox,
    kaplan_meier,
    predict_survival,
    proportionality_test,
    residuals,
    standardised_contrasts,
    standardised_survival,
)


def people(n=40, seed=3, **columns):
    rng = np.random.default_rng(seed)
    return pd.DataFrame({"exit": rng.integers(1, 20, n), "event": rng.integers(0, 2, n),
                         "x": rng.normal(size=n), "treated": np.arange(n) % 2, **columns})


def table_of(frame=None, covariates=("x", "treated"), **columns):
    return AtRisk.from_frame(people() if frame is None else frame, exit="exit", event="event",
                             covariates=covariates, **columns)


PROFILE = pd.DataFrame({"x": [0.0], "treated": [1]})
QUESTIONS = {
    "proportionality_test": proportionality_test, "residuals": residuals, "concordance": concordance,
    "standardised_survival": lambda table: standardised_survival(table, exposure="treated"),
    "standardised_contrasts": lambda table: standardised_contrasts(table, exposure="treated", weeks=5),
}


@pytest.mark.parametrize("ask", QUESTIONS.values(), ids=QUESTIONS)
def test_no_event_is_said(ask):
    with pytest.raises(EstimationError, match="no event among 40 persons"):
        ask(table_of(people(event=0)))


@pytest.mark.parametrize("ask", QUESTIONS.values(), ids=QUESTIONS)
def test_a_constant_covariate_is_named(ask):
    with pytest.raises(EstimationError, match="k: constant"):
        ask(table_of(people(k=1.0), covariates=("treated", "k")))


@pytest.mark.parametrize("name", ["concordance", "standardised_survival", "standardised_contrasts"])
def test_one_cluster_is_refused(name):
    with pytest.raises(EstimationError, match="1 cluster; errors between clusters need at least 2"):
        QUESTIONS[name](table_of(people(town=1), cluster="town"))


@pytest.mark.parametrize("ask", QUESTIONS.values(), ids=QUESTIONS)
def test_states_are_refused(ask):
    frame = people(state="ON").assign(event="OFF")
    with pytest.raises(EstimationError, match="has states"):
        ask(AtRisk.from_frame(frame, exit="exit", event="event", state="state", covariates=["x", "treated"]))


def test_a_changing_covariate_must_exist():
    with pytest.raises(EstimationError, match=r"varying: course: no such covariate; they are x, treated"):
        cox(table_of(), varying={"course": (26,)})


@pytest.mark.parametrize("steps", [(0, 10), (10, 5), (), (5, np.nan), (-3,), (10, 10)])
def test_steps_must_be_rising_weeks_above_zero(steps):
    with pytest.raises(ValueError, match="must be weeks above 0 in rising order"):
        cox(table_of(), varying={"x": steps})


def test_a_function_must_give_a_number_for_each_week():
    with pytest.raises(ValueError, match="the function gives shape"):
        cox(table_of(), varying={"x": lambda weeks: 1.0})
    with pytest.raises(EstimationError, match=r"varying: time is not finite at \d+ of \d+ event weeks"):
        cox(table_of(), varying={"x": lambda weeks: np.where(weeks > 5, np.nan, weeks)})


def test_a_function_that_never_changes_repeats_the_covariate():
    with pytest.raises(EstimationError, match="x:time is a combination of x"):
        cox(table_of(), varying={"x": lambda weeks: np.ones(len(weeks))})


def test_a_step_after_the_last_event_carries_nothing_and_is_named():
    with pytest.raises(EstimationError, match=r"treated\(50-\]: constant"):
        cox(table_of(), varying={"treated": (50,)})


def test_firth_with_a_function_of_time_is_refused_with_the_way_out():
    with pytest.raises(EstimationError, match="firth.*use steps"):
        cox(table_of(), varying={"x": np.log}, firth=True)


def test_a_step_in_which_events_are_separated_is_named():
    frame = people()
    frame.loc[(frame["exit"] <= 5) & (frame["treated"] == 1), "event"] = 0
    with pytest.raises(EstimationError, match=r"treated\(0-5\]: separates"):
        cox(table_of(frame), varying={"treated": (5,)})


def test_predictions_need_a_cox_model():
    with pytest.raises(EstimationError, match="kaplan_meier has no baseline hazard.*give a result of cox"):
        predict_survival(kaplan_meier(table_of()), PROFILE)


@pytest.mark.parametrize(("profiles", "found"), [
    (PROFILE.drop(columns="x"), "missing columns x, unknown columns none"),
    (PROFILE.assign(age=3), "missing columns none, unknown columns age"),
    (PROFILE.iloc[:0], "0 rows"), (PROFILE.assign(x=np.nan), "x: missing or infinite"),
    (PROFILE.assign(x="tall"), "x: missing or infinite"),
    (PROFILE.assign(strata="Z"), "1 strata that the model does not have"),
])
def test_profiles_must_hold_the_terms(profiles, found):
    with pytest.raises(EstimationError, match=found):
        predict_survival(cox(table_of()), profiles)


def test_weeks_beyond_the_follow_up_are_refused_with_the_stratum():
    frame = people(place=np.where(np.arange(40) < 20, "A", "B"))
    frame.loc[frame["place"] == "B", "exit"] = np.minimum(frame["exit"], 8)
    fit = cox(table_of(frame, strata="place"))
    assert len(predict_survival(fit, PROFILE.assign(strata="A"), weeks=15).table)
    with pytest.raises(EstimationError, match="stratum B: nobody is followed to week 15"):
        predict_survival(fit, PROFILE, weeks=15)
    for ask, how in ((standardised_survival, "weeks"), (standardised_contrasts, "horizon_weeks")):
        with pytest.raises(EstimationError, match="in some stratum nobody is followed to week 15"):
            ask(table_of(frame, strata="place"), exposure="treated", **{how: 15})


def test_an_empty_beginning_is_said():
    frame = people(place=np.where(np.arange(40) < 20, "A", "B"), entry=np.where(np.arange(40) < 20, 0, 3))
    frame["exit"] += 4
    at_risk = table_of(frame, strata="place", entry="entry")
    late = (("B", 0.0, 3.0),)
    assert predict_survival(cox(at_risk), PROFILE).model["gaps"] == late
    assert predict_survival(cox(at_risk), PROFILE.assign(strata="A")).model["gaps"] == ()
    for ask in (standardised_survival, standardised_contrasts):
        assert ask(at_risk, exposure="treated", weeks=[5]).model["gaps"] == late


@pytest.mark.parametrize("weeks", [-1, np.nan, [3, np.inf]])
def test_weeks_must_be_weeks(weeks):
    with pytest.raises(ValueError, match="must be one or more weeks from 0"):
        predict_survival(cox(table_of()), PROFILE, weeks=weeks)
    with pytest.raises(ValueError, match="must be one or more weeks from 0"):
        standardised_survival(table_of(), exposure="treated", weeks=weeks)


def test_options_outside_their_words_are_refused():
    fit = cox(table_of())
    for ask in (lambda: predict_survival(fit, PROFILE, quantity="hazard"),
                lambda: predict_survival(fit, PROFILE, quantity="cumulative_hazard", conf_type="log-log"),
                lambda: proportionality_test(table_of(), transform="sqrt"),
                lambda: residuals(table_of(), kind="pearson"),
                lambda: standardised_survival(table_of(), exposure="treated", conf_type="logit"),
                lambda: concordance(table_of(), conf_level=95)):
        with pytest.raises(ValueError, match="must be"):
            ask()


def test_exposures_that_cannot_be_compared_are_refused():
    with pytest.raises(EstimationError, match="exposure plan: no such covariate; the table has x, treated"):
        standardised_survival(table_of(), exposure="plan")
    with pytest.raises(EstimationError, match="exposure x: 40 distinct values, expected 2 to 10"):
        standardised_survival(table_of(), exposure="x")
    with pytest.raises(EstimationError, match="no such covariate"):
        standardised_survival(table_of(), exposure="strata")
    with pytest.raises(EstimationError, match=r"covariates of shape \(40, 1\), expected .* order x, treated"):
        standardised_survival(table_of(), exposure={"all": np.ones((40, 1))})


@pytest.mark.parametrize("among", [np.zeros(40, dtype=bool), np.ones(40), np.ones(39, dtype=bool)])
def test_nobody_to_average_over_is_refused(among):
    refused = (ValueError, "among has shape .39,.") if len(among) == 39 else (EstimationError, "among: ")
    with pytest.raises(refused[0], match=refused[1]):
        standardised_survival(table_of(), exposure="treated", among=among)


def test_contrasts_need_weeks_or_a_horizon():
    for options in ({}, {"horizon_weeks": 0}):
        with pytest.raises(ValueError, match="weeks must be given|horizon_weeks == 0, must be .* above 0"):
            standardised_contrasts(table_of(), exposure="treated", **options)


def test_events_in_one_week_show_no_change_in_time():
    with pytest.raises(EstimationError, match="all events fall at one value of the transformed time"):
        proportionality_test(table_of(people(exit=5)))


def test_a_function_of_time_is_not_tested_for_change():
    with pytest.raises(EstimationError, match="only steps can be tested within"):
        proportionality_test(table_of(), varying={"x": np.log})


def test_a_score_must_be_a_number_for_each_row():
    with pytest.raises(ValueError, match="score has shape .39,., must have one value for each of 40 rows"):
        concordance(table_of(), score=np.ones(39))
    with pytest.raises(EstimationError, match="score: 40 of 40 rows are missing"):
        concordance(table_of(), score=np.full(40, np.nan))


def test_without_pairs_there_is_no_concordance():
    with pytest.raises(EstimationError, match="no pairs to compare"):
        concordance(table_of(people(exit=5, event=1)), score=np.arange(40.0))


def test_messages_hold_no_persons_value():
    secret = people(x=np.append(np.full(39, 0.5), 31415.9))
    profiles = PROFILE.assign(x=np.nan)
    for ask in (lambda: predict_survival(cox(table_of(secret, covariates=("treated", "x"))), profiles),
                lambda: standardised_survival(table_of(secret), exposure={"all": np.full((40, 2), np.inf)})):
        with pytest.raises(EstimationError) as caught:
            ask()
        assert "31415" not in str(caught.value)
