"""What curves, tests and pseudo-observations refuse, and with which words."""

from functools import partial

import numpy as np
import pandas as pd
import pytest

from evalkit.atrisk import AtRisk
from evalkit.errors import EstimationError
from evalkit.estimators import (
    aalen_johansen,
    kaplan_meier,
    log_rank,
    nelson_aalen,
    pseudo_observations,
    pseudo_regression,
    residual_time,
    restricted_mean,
    survival_quantiles,
    time_lost,
)

ROWS = {"exit": "exit", "event": "event"}


def people(n=40, **columns):
    rng = np.random.default_rng(5)
    frame = {
        "entry": 0,
        "exit": rng.integers(1, 20, n),
        "event": rng.integers(0, 2, n),
        "x": rng.normal(size=n),
        "g": np.where(np.arange(n) % 2, "a", "b"),
    }
    return pd.DataFrame(frame).assign(**columns)


def at_risk(frame=None, **columns):
    return AtRisk.from_frame(people() if frame is None else frame, **ROWS, **columns)


def emptied():
    """One person alone at risk has the event in week 1; ten enter in week 2."""
    frame = people(11, entry=[0] + [2] * 10, exit=[1] + [5] * 10, event=1, g=["a"] + ["b"] * 10)
    return AtRisk.from_frame(frame, **ROWS, entry="entry")


@pytest.mark.parametrize(
    "curve",
    [
        kaplan_meier,
        survival_quantiles,
        lambda rows: restricted_mean(rows, horizon_weeks=4),
        lambda rows: residual_time(rows, elapsed_weeks=0, horizon_weeks=4),
    ],
)
def test_a_curve_does_not_fall_to_zero_before_the_others_enter(curve):
    with pytest.raises(EstimationError, match="1 persons.*while 10 rows enter later.*start_weeks"):
        curve(emptied())


def test_the_stratum_that_is_emptied_early_is_named():
    frame = people(11, entry=[0] + [2] * 10, exit=[1] + [5] * 10, event=1, g=["a"] + ["b"] * 10)
    both = pd.concat([people().assign(g="calm"), frame.assign(g="early")])
    with pytest.raises(EstimationError, match="stratum early: everybody"):
        kaplan_meier(AtRisk.from_frame(both, **ROWS, entry="entry", strata="g"))


def test_the_cumulative_hazard_does_not_need_survivors():
    assert nelson_aalen(emptied()).table["estimate"].tolist() == [0, 1, 2]


def test_nobody_beyond_the_start():
    with pytest.raises(EstimationError, match="nobody is followed beyond start_weeks == 99"):
        kaplan_meier(at_risk(), start_weeks=99)


@pytest.mark.parametrize("probs", [0, 1, -0.1, [0.5, np.nan], []])
def test_quantiles_are_of_shares(probs):
    with pytest.raises(ValueError, match="must be shares between 0 and 1"):
        survival_quantiles(at_risk(), probs=probs)


def test_one_cluster_has_no_errors_between_clusters():
    for estimator in (survival_quantiles, kaplan_meier):
        with pytest.raises(EstimationError, match="1 cluster"):
            estimator(at_risk(people(c=1), cluster="c"))
    with pytest.raises(EstimationError, match="1 cluster"):
        pseudo_regression(at_risk(people(c=1), cluster="c", covariates=["x"]), weeks=5)


@pytest.mark.parametrize("ask", [
    kaplan_meier, nelson_aalen, survival_quantiles, aalen_johansen,
    partial(restricted_mean, horizon_weeks=5), partial(time_lost, horizon_weeks=5),
    partial(residual_time, elapsed_weeks=1, horizon_weeks=5)])
def test_a_group_within_one_cluster_has_no_errors_between_clusters(ask):
    frame = people(town=lambda d: np.where(d["g"] == "a", 0, d.index % 5))
    with pytest.raises(EstimationError, match="1 of the strata within one cluster, the first of them a;"):
        ask(at_risk(frame, strata="g", cluster="town"))
    ask(at_risk(frame.assign(town=frame.index % 5), strata="g", cluster="town"))


@pytest.mark.parametrize("horizon", [0, -1, np.nan, np.inf, []])
def test_horizons_are_weeks_above_zero(horizon):
    with pytest.raises(ValueError, match="must be one or more weeks above 0"):
        restricted_mean(at_risk(), horizon_weeks=horizon)


def test_too_many_means_for_a_covariance():
    n = 2_001
    frame = pd.DataFrame({"exit": 2, "event": 0, "g": np.arange(n)})
    with pytest.raises(EstimationError, match="2001 groups and 2001 numbers.*fewer strata"):
        restricted_mean(at_risk(frame, strata="g"), horizon_weeks=1)


def test_residual_time_needs_persons_follow_up_and_order():
    stock = AtRisk.from_frame(
        people(entry=5, exit=np.arange(40) + 6, event=np.arange(40) % 2 == 0), **ROWS, entry="entry"
    )
    with pytest.raises(
        EstimationError, match="nobody is at risk just after 3 elapsed weeks; choose"
    ):
        residual_time(stock, elapsed_weeks=3, horizon_weeks=4)
    with pytest.raises(EstimationError, match="nobody has 9 elapsed weeks.*join classes"):
        residual_time(stock, elapsed_weeks=[0, 9], horizon_weeks=4, method="classes")
    with pytest.raises(EstimationError, match="nobody is followed to week 65.*earlier horizon_weeks"):
        residual_time(stock, elapsed_weeks=5, horizon_weeks=60)
    with pytest.raises(ValueError, match="elapsed_weeks == .8, 6., must be increasing"):
        residual_time(stock, elapsed_weeks=[8, 6], horizon_weeks=4)
    with pytest.raises(ValueError, match="method == 'ratio', must be one of conditional, classes"):
        residual_time(stock, elapsed_weeks=5, horizon_weeks=4, method="ratio")


def test_log_rank_refuses_options_that_mean_nothing():
    groups = at_risk(strata="g")
    with pytest.raises(ValueError, match="weights == 'late', must be one of log_rank, gehan"):
        log_rank(groups, weights="late")
    with pytest.raises(ValueError, match="choose one family"):
        log_rank(groups, weights="gehan", rho=1)
    with pytest.raises(ValueError, match="gamma == -1, must be 0 or above"):
        log_rank(groups, gamma=-1)
    for trend in ([1], [1, 1], [1, np.nan]):
        with pytest.raises(ValueError, match="trend must be 2 numbers, not all equal"):
            log_rank(groups, trend=trend)


def test_log_rank_refuses_dependent_rows_and_says_what_to_do():
    for columns in ({"cluster": "x"}, {"weight": "w"}):
        with pytest.raises(EstimationError, match="use cox with the groups as a covariate"):
            log_rank(at_risk(people(w=2.0), strata="g", **columns))


def test_a_curve_that_weighs_must_not_be_zero_while_persons_enter():
    frame = people(12, entry=[0, 0] + [2] * 10, exit=[1, 1, *range(5, 15)], event=1, g=["a", "b"] * 6)
    groups = AtRisk.from_frame(frame, **ROWS, entry="entry", strata="g")
    with pytest.raises(EstimationError, match="S is 0 from there on; use weights='peto'"):
        log_rank(groups, rho=1)
    assert log_rank(groups, weights="peto").diagnostics["df"] == 1


def test_groups_that_never_meet_are_not_compared():
    frame = people(4, entry=[0, 0, 5, 5], exit=[2, 3, 7, 8], event=1, g=["a", "a", "b", "b"])
    groups = AtRisk.from_frame(frame, **ROWS, entry="entry", strata="g")
    for options in ({}, {"trend": [0, 1]}, {"weights": "gehan"}):
        with pytest.raises(EstimationError, match="no event falls in a week in which two groups are at risk"):
            log_rank(groups, **options)


@pytest.mark.parametrize("fit", [pseudo_observations, pseudo_regression])
def test_pseudo_observations_refuse_delayed_entry_with_the_way_out(fit):
    late = AtRisk.from_frame(
        people(entry=[1] * 3 + [0] * 37, exit=9), **ROWS, entry="entry", covariates=["x"]
    )
    with pytest.raises(EstimationError, match="3 of 40 persons enter late.*Use cox.*landmark"):
        fit(late, weeks=5)


def test_pseudo_observations_refuse_weights_gaps_and_returns():
    with pytest.raises(EstimationError, match="leaves out persons, not weights.*count"):
        pseudo_observations(at_risk(people(w=2.0), weight="w"), weeks=5)
    rows = {"entry": [0, 4, 0], "exit": [3, 9, 9], "p": [1, 1, 2], "event": [0, 1, 0]}
    named = {"entry": "entry", "person": "p"}
    with pytest.raises(EstimationError, match="1 rows of persons begin after the row before"):
        pseudo_observations(at_risk(pd.DataFrame(rows), **named), weeks=5)
    again = pd.DataFrame({**rows, "entry": [0, 3, 0], "event": [1, 1, 0]})
    with pytest.raises(EstimationError, match="1 rows with an event are followed by another row"):
        pseudo_observations(at_risk(again, **named), weeks=5)


def test_pseudo_observations_refuse_weeks_beyond_the_follow_up():
    with pytest.raises(EstimationError, match="nobody is followed to week 50"):
        pseudo_observations(at_risk(people(event=0)), weeks=[5, 50])
    for weeks in (0, [3, 3], np.nan, []):
        with pytest.raises(ValueError, match="weeks == .* must be (different|one or more) weeks"):
            pseudo_observations(at_risk(), weeks=weeks)


def test_the_cause_of_an_incidence_is_named():
    rows = AtRisk.from_frame(people(event=np.arange(40) % 3), **ROWS, causes=["JOB", "STUDY"])
    with pytest.raises(EstimationError, match="2 causes and none named; name one of JOB, STUDY"):
        pseudo_observations(rows, weeks=5, estimand="cumulative_incidence")
    with pytest.raises(EstimationError, match="cause == 'DEATH'"):
        pseudo_observations(rows, weeks=5, estimand="cumulative_incidence", cause="DEATH")


def test_states_are_refused():
    frame = people(person=np.arange(40), s="ON", event=np.where(np.arange(40) % 2, "OFF", None))
    rows = AtRisk.from_frame(frame, **ROWS, state="s", person="person", covariates=["x"])
    for call in (
        lambda: survival_quantiles(rows),
        lambda: pseudo_observations(rows, weeks=3),
        lambda: residual_time(rows, elapsed_weeks=0, horizon_weeks=3),
        lambda: log_rank(rows),
    ):
        with pytest.raises(EstimationError, match="has states"):
            call()


def test_a_regression_needs_covariates_that_vary_and_differ():
    with pytest.raises(EstimationError, match="has no covariates; name them"):
        pseudo_regression(at_risk(), weeks=5)
    flat = people(c=1.0, y=2.0)
    with pytest.raises(EstimationError, match="c, y: the same for all 40 persons; leave out"):
        pseudo_regression(at_risk(flat, covariates=["c", "x", "y"]), weeks=5)
    double = people().assign(y=lambda frame: 3 * frame["x"] + 1)
    with pytest.raises(EstimationError, match="pseudo_regression: y: a combination of the terms before"):
        pseudo_regression(at_risk(double, covariates=["x", "y"]), weeks=5)


def test_a_covariate_that_changes_within_a_person_is_named():
    frame = pd.DataFrame(
        {"p": [1, 1, 2], "entry": [0, 3, 0], "exit": [3, 6, 5], "event": [0, 1, 0], "x": [1, 2, 1]}
    )
    with pytest.raises(EstimationError, match="x: changes within a person"):
        pseudo_regression(at_risk(frame, entry="entry", person="p", covariates=["x"]), weeks=4)


def test_a_week_at_which_all_are_alike_has_no_regression():
    with pytest.raises(EstimationError, match="the same for all 40 persons at week 5 .no event before"):
        pseudo_regression(at_risk(people(event=0, exit=9), covariates=["x"]), weeks=5)


def test_a_group_that_nobody_leaves_has_no_end_on_the_logit_scale():
    frame = people(exit=np.where(np.arange(40) % 4 == 1, 3, 9), event=1)
    rows = at_risk(frame, covariates=["g"])
    assert np.isfinite(pseudo_regression(rows, weeks=5).table["estimate"]).all()
    with pytest.raises(EstimationError, match=r"\(logit\): no convergence.*farthest g\[b\].*link='identity'"):
        pseudo_regression(rows, weeks=5, link="logit")


def test_a_link_must_fit_the_estimand():
    with pytest.raises(ValueError, match="link == 'logit', must be one of identity, log"):
        pseudo_regression(at_risk(covariates=["x"]), weeks=5, estimand="restricted_mean", link="logit")
    with pytest.raises(ValueError, match="estimand == 'mean', must be one of"):
        pseudo_observations(at_risk(), weeks=5, estimand="mean")


def test_one_person_alone_is_answered():
    one = at_risk(pd.DataFrame({"exit": [3], "event": [1]}))
    assert pseudo_observations(one, weeks=[2, 4]).tolist() == [[1, 0]]
    assert survival_quantiles(one, probs=0.5).table["estimate"][0] == 3
