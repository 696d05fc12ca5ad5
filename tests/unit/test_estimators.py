"""What the survival estimators refuse, with which words, and small cases that can be checked by hand."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from evalkit.atrisk import AtRisk
from evalkit.errors import EstimationError
from evalkit.estimators import (
    aalen_johansen,
    cox,
    hazard_ratios,
    kaplan_meier,
    log_rank,
    nelson_aalen,
    occupation_influence,
    restricted_mean,
    state_occupation,
)
from evalkit.estimators.cox import maximise


def people(n=40, seed=3, **columns):
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "exit": rng.integers(1, 20, n),
            "event": rng.integers(0, 2, n),
            "x": rng.normal(size=n),
            "sex": np.where(np.arange(n) % 2, "M", "F"),
            **columns,
        }
    )


def at_risk(frame=None, **columns):
    return AtRisk.from_frame(people() if frame is None else frame, exit="exit", event="event", **columns)


def movements(**columns):
    rows = [
        (1, 0, 4, "ON", "OFF"),
        (1, 4, 6, "OFF", "ON"),
        (1, 6, 10, "ON", None),
        (2, 0, 10, "ON", None),
        (3, 0, 2, "ON", "OUT"),
    ]
    return pd.DataFrame(rows, columns=["person", "entry", "exit", "state", "event"]).assign(**columns)


CHAIN = {"entry": "entry", "exit": "exit", "state": "state", "event": "event", "person": "person"}


def test_cox_without_events_says_so():
    with pytest.raises(EstimationError, match="no event among 40 persons"):
        cox(at_risk(people(event=0), covariates=["x"]))


def test_cox_without_covariates_says_where_they_are_named():
    with pytest.raises(EstimationError, match="covariates=..."):
        cox(at_risk())


def test_one_event_has_an_estimate_only_inside_the_risk_set():
    frame = people(event=0)
    frame.loc[frame["x"].abs().idxmin(), ["event", "exit"]] = [1, 1]
    assert np.isfinite(cox(at_risk(frame, covariates=["x"])).table["estimate"][0])
    frame.loc[frame["event"] == 1, "x"] = 99.0
    with pytest.raises(EstimationError, match="x: separates"):
        cox(at_risk(frame, covariates=["x"]))


@pytest.mark.parametrize("ties", ["efron", "breslow"])
def test_a_separated_covariate_is_named_with_the_way_out(ties):
    frame = people()
    frame["event"] = (frame["sex"] == "M").astype(int) * frame["event"]
    with pytest.raises(EstimationError, match=r"sex\[M\]: separates.*Join categories"):
        cox(at_risk(frame, covariates=["x", "sex"]), ties=ties)


def test_two_covariates_that_separate_together_are_both_named():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"a": rng.normal(size=60), "b": rng.normal(size=60), "c": rng.normal(size=60)})
    frame["event"] = (frame["a"] + frame["b"] > 0).astype(int)
    order = np.argsort(np.argsort(-(frame["a"] + frame["b"])))
    frame["exit"] = np.where(frame["event"] == 1, order + 1, 100)
    with pytest.raises(EstimationError, match="cox: a, b: separates"):
        cox(at_risk(frame, covariates=["a", "b", "c"]))


def test_a_constant_covariate_is_named():
    with pytest.raises(EstimationError, match="cox: k: constant"):
        cox(at_risk(people(k=3.0), covariates=["x", "k"]))


def test_a_covariate_constant_within_strata_is_named():
    frame = people().assign(male=lambda d: (d["sex"] == "M").astype(float))
    with pytest.raises(EstimationError, match="cox: male: constant"):
        cox(at_risk(frame, covariates=["x", "male"], strata="sex"))


def test_a_collinear_covariate_is_named_with_what_it_repeats():
    frame = (
        people().assign(y=lambda d: np.sin(np.arange(len(d)))).assign(both=lambda d: d["x"] - 2 * d["y"] + 7)
    )
    with pytest.raises(EstimationError, match="both is a combination of x, y"):
        cox(at_risk(frame, covariates=["x", "y", "both"]))


def test_no_convergence_shows_the_last_gradient(monkeypatch):
    monkeypatch.setattr(maximise, "MAX_STEPS", 1)
    with pytest.raises(EstimationError, match=r"no convergence in 1 steps; last gradient .*x -?\d"):
        cox(at_risk(covariates=["x"]))


def test_all_events_in_one_week():
    fit = cox(at_risk(people(exit=5, event=np.arange(40) % 2), covariates=["x"]))
    assert np.isfinite(fit.table["std_error"][0])


def test_one_cluster_is_refused_and_fewer_clusters_than_covariates_have_no_wald_test():
    with pytest.raises(EstimationError, match="1 cluster"):
        cox(at_risk(people(c=1), covariates=["x"], cluster="c"))
    frame = people(c=np.arange(40) % 2).assign(y=lambda d: d["x"] ** 2, z=lambda d: np.cos(9 * d["x"]))
    with pytest.warns(UserWarning, match="cox: 2 clusters for 3 terms"):
        fit = cox(at_risk(frame, covariates=["x", "y", "z"], cluster="c"))
    assert fit.diagnostics["clusters"] == 2 and np.isnan(fit.diagnostics["wald_chi_square"])


def test_a_stratum_without_events_changes_nothing():
    frame = people()
    more = pd.concat([frame.assign(g=0), people(seed=5, event=0).assign(g=1)])
    one, two = cox(at_risk(frame, covariates=["x"])), cox(at_risk(more, covariates=["x"], strata="g"))
    assert two.table["estimate"][0] == pytest.approx(one.table["estimate"][0], rel=1e-9)


def test_ten_thousand_strata_are_no_burden():
    n = 20_000
    frame = people(n=n, g=np.arange(n) // 2)
    assert cox(at_risk(frame, covariates=["x"], strata="g")).diagnostics["strata_with_events"] <= 10_000


def test_hazard_ratios_are_the_exponentials():
    fit = cox(at_risk(covariates=["x"]))
    ratio, log_ratio = hazard_ratios(fit).table.loc[0], fit.table.loc[0]
    assert ratio["estimate"] == np.exp(log_ratio["estimate"])
    assert ratio["conf_high"] == np.exp(log_ratio["conf_high"])
    assert hazard_ratios(fit).estimand.unit == "ratio"


def test_a_curve_begins_at_time_zero_and_ends_with_follow_up():
    table = kaplan_meier(at_risk(pd.DataFrame({"exit": [2, 5], "event": [1, 0]}))).table
    assert table["time_weeks"].tolist() == [0, 2, 5]
    assert table["estimate"].tolist() == [1, 0.5, 0.5]


def test_events_precede_censorings_of_the_same_week():
    table = kaplan_meier(at_risk(pd.DataFrame({"exit": [3, 3], "event": [1, 0]}))).table
    assert table["n_persons"].tolist() == [2, 2] and table["estimate"].tolist() == [1, 0.5]


def test_float_times_off_the_weekly_grid_are_right():
    table = kaplan_meier(at_risk(pd.DataFrame({"exit": [0.3, 0.7, 1.1], "event": [1, 1, 0]}))).table
    np.testing.assert_allclose(table["estimate"], [1, 2 / 3, 1 / 3, 1 / 3])


def test_a_person_with_several_open_episodes_counts_once():
    frame = pd.DataFrame({"person": [1, 1, 2], "episode": [1, 2, 1], "exit": [4, 6, 6], "event": [1, 0, 0]})
    table = kaplan_meier(at_risk(frame, person="person", episode="episode")).table
    assert table["n_persons"].tolist() == [2, 2, 2] and table["estimate"][1] == pytest.approx(2 / 3)


@pytest.mark.parametrize("estimator", [kaplan_meier, aalen_johansen])
def test_an_early_empty_risk_set_is_said_not_swallowed(estimator):
    frame = pd.DataFrame({"entry": [0, 3, 3], "exit": [2, 6, 8], "event": [1, 0, 1]})
    with pytest.raises(EstimationError, match=r"everybody at risk \(1 persons\).*2 rows enter later"):
        estimator(at_risk(frame, entry="entry"))


def test_an_unknown_cause_or_option_is_named():
    table = at_risk(covariates=["x"])
    with pytest.raises(EstimationError, match="cause == 'JOB', must be one of 1"):
        kaplan_meier(table, cause="JOB")
    with pytest.raises(ValueError, match="conf_type == 'arcsin', must be one of plain, log, log-log"):
        kaplan_meier(table, conf_type="arcsin")
    with pytest.raises(ValueError, match="ties == 'exact', must be one of efron, breslow"):
        cox(table, ties="exact")
    for estimator in (kaplan_meier, nelson_aalen, aalen_johansen, cox):
        with pytest.raises(ValueError, match="conf_level == 95, must be between 0 and 1"):
            estimator(table, conf_level=95)


def test_curves_of_one_event_refuse_states():
    with pytest.raises(EstimationError, match="use aalen_johansen or state_occupation"):
        kaplan_meier(AtRisk.from_frame(movements(), **CHAIN))


def test_a_horizon_beyond_follow_up_is_refused_unless_everybody_has_left():
    frame = pd.DataFrame({"exit": [2, 4], "event": [1, 1]})
    assert restricted_mean(at_risk(frame), horizon_weeks=10).table["estimate"][0] == 3
    with pytest.raises(EstimationError, match="nobody is followed to week 10"):
        restricted_mean(at_risk(frame.assign(event=[1, 0])), horizon_weeks=10)
    with pytest.raises(EstimationError, match="nobody is followed to week 11"):
        state_occupation(AtRisk.from_frame(movements(), **CHAIN), horizon_weeks=11)


def test_restricted_mean_difference_is_later_less_first():
    frame = people(n=200, seed=1)
    result = restricted_mean(at_risk(frame, strata="sex"), horizon_weeks=15)
    levels = result.table[result.table["term"] == "restricted_mean"].set_index("group")
    difference = result.row("restricted_mean_difference")
    assert difference["group"] == "M" and result.diagnostics["reference"] == "F"
    assert difference["estimate"] == pytest.approx(levels["estimate"]["M"] - levels["estimate"]["F"])
    assert difference["std_error"] == pytest.approx(np.hypot(*levels["std_error"]))


def test_groups_that_share_persons_are_compared_with_their_covariance():
    frame = people(n=60)
    twice = pd.concat([frame.assign(g=0, p=range(60)), frame.assign(g=1, p=range(60))])
    result = restricted_mean(at_risk(twice, person="p", strata="g"), horizon_weeks=15, robust=True)
    difference = result.row("restricted_mean_difference")
    assert difference["estimate"] == pytest.approx(0) and difference["std_error"] == pytest.approx(
        0, abs=1e-9
    )


def test_log_rank_needs_groups_events_and_independent_rows():
    with pytest.raises(EstimationError, match="one group"):
        log_rank(at_risk())
    with pytest.raises(EstimationError, match="no event among 40"):
        log_rank(at_risk(people(event=0), strata="sex"))
    with pytest.raises(EstimationError, match="use cox"):
        log_rank(at_risk(people(w=2.0), strata="sex", weight="w"))
    with pytest.raises(ValueError, match="stratify has shape .3,., must have one value for each of 40 rows"):
        log_rank(at_risk(strata="sex"), stratify=[1, 2, 3])


def test_occupation_counts_returns():
    result = state_occupation(AtRisk.from_frame(movements(), **CHAIN), horizon_weeks=10, weeks=5)
    table = result.table.set_index("term")
    assert table["estimate"]["weeks[OFF]"] == pytest.approx(2 / 3)
    assert table["estimate"]["weeks[ON]"] == pytest.approx((8 + 10 + 2) / 3)
    assert table["estimate"]["weeks[OUT]"] == pytest.approx(8 / 3)
    assert table["estimate"]["share[OFF]"] == pytest.approx(1 / 3)
    assert table["n_persons"].tolist() == [3] * 6
    assert table["n_events"].tolist() == [1, 3, 1, 1, 1, 1]


def test_occupation_needs_states_persons_and_a_start():
    with pytest.raises(EstimationError, match="no states"):
        state_occupation(at_risk(), horizon_weeks=5)
    chain = AtRisk.from_frame(movements(), **CHAIN)
    with pytest.raises(EstimationError, match="no person is named"):
        state_occupation(chain.compress(), horizon_weeks=5)
    with pytest.raises(EstimationError, match="nobody is under observation at time zero"):
        state_occupation(replace(chain, entry=chain.entry + 1, exit=chain.exit + 1), horizon_weeks=5)
    with pytest.raises(ValueError, match="horizon_weeks"):
        state_occupation(chain, horizon_weeks=0)


def test_influence_is_given_in_the_order_of_the_rows():
    frame = movements(arm=[0, 0, 0, 0, 1])
    shuffled = frame.sample(frac=1, random_state=1)
    one, two = (
        occupation_influence(AtRisk.from_frame(rows, **CHAIN), horizon_weeks=10, weeks=[2, 5])
        for rows in (frame, shuffled)
    )
    np.testing.assert_allclose(one[shuffled.index], two, atol=1e-12)
