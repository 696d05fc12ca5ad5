"""Cox's likelihood against one written out naively, and small cases of what may be asked of the fit."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from evalkit.atrisk import AtRisk
from evalkit.estimators import cox, hazard_ratios, shared_frailty
from evalkit.estimators._counting import event_codes
from evalkit.estimators.cox import maximise
from evalkit.estimators.cox.partial import design, evaluate, part, score_residuals
from evalkit.estimators.cox.penalty import firth_likelihood
from evalkit.estimators.cox.ties import NODES, efron


def people(n=300, seed=5, weeks=8):
    """Weekly rows with very heavy ties, late entry, strata, weights and counts."""
    rng = np.random.default_rng(seed)
    entry = rng.integers(0, 4, n) * (rng.random(n) < 0.5)
    return pd.DataFrame(
        {
            "entry": entry,
            "exit": entry + rng.integers(1, weeks, n),
            "event": (rng.random(n) < 0.6).astype(int),
            "x": rng.normal(size=n),
            "y": rng.integers(0, 2, n),
            "g": rng.integers(0, 3, n),
            "w": rng.uniform(0.3, 2, n),
            "k": rng.integers(1, 4, n),
            "town": rng.integers(0, 20, n),
        }
    )


def at_risk(frame=None, **columns):
    frame = people() if frame is None else frame
    return AtRisk.from_frame(
        frame, entry="entry", exit="exit", event="event", covariates=["x", "y"], **columns
    )


def naive(table, beta, ties, offset):
    """Return the log partial likelihood, one death after another."""
    eta = table.covariates @ beta + offset
    weight = table.row_weights
    number = np.ones(table.n_rows) if table.count is None else table.count
    strata = np.zeros(table.n_rows) if table.strata is None else table.strata
    value = 0.0
    for stratum in np.unique(strata):
        for time in np.unique(table.exit[(table.event > 0) & (strata == stratum)]):
            at = (strata == stratum) & (table.entry < time) & (time <= table.exit)
            dies = at & (table.exit == time) & (table.event > 0)
            risk, dying = (weight * np.exp(eta))[at].sum(), (weight * np.exp(eta))[dies].sum()
            d = int(number[dies].sum())
            value += (weight * eta)[dies].sum()
            for k in range(d):
                part_of = k / d if ties == "efron" else 0
                value -= weight[dies].sum() / d * np.log(risk - part_of * dying)
    return value


@pytest.mark.parametrize("ties", ["efron", "breslow"])
@pytest.mark.parametrize("columns", [{}, {"strata": "g"}, {"weight": "w", "strata": "g"}, {"count": "k"}])
def test_the_likelihood_and_its_derivatives_are_those_of_the_naive_one(columns, ties):
    table = at_risk(**columns)
    offset = np.random.default_rng(1).normal(size=table.n_rows) / 3
    plan, mean, scale = design(table, event_codes(table, None), ties, offset)
    if ties == "efron":
        assert len(plan.ties.shortened), "no week has enough deaths to shorten the sum"
    beta, step = np.array([0.4, -0.3]), 1e-5
    fit = evaluate(plan, beta)
    # The design's covariates are centred and scaled.
    at_mean = mean / scale @ beta * (table.row_weights[table.event > 0]).sum()
    shifted = naive(table, beta / scale, ties, offset)
    deaths = table.row_weights[table.event > 0].sum()
    assert fit.value == pytest.approx(shifted - at_mean + deaths * (mean / scale @ beta), rel=1e-12)
    for k, unit in enumerate(np.eye(2) * step):
        up, down = evaluate(plan, beta + unit), evaluate(plan, beta - unit)
        assert fit.gradient[k] == pytest.approx((up.value - down.value) / (2 * step), rel=1e-5, abs=1e-5)
        wanted = (down.gradient - up.gradient) / (2 * step)
        assert np.allclose(fit.information[k], wanted, rtol=1e-6, atol=1e-6)
    assert np.allclose(plan.weight @ score_residuals(plan, fit), fit.gradient, atol=1e-9)


@pytest.mark.parametrize("d", [NODES + 1, 40, 5000])
def test_the_quadrature_of_efrons_sum_is_the_sum(d):
    ties = efron(np.array([d]), np.array([float(d)]), np.array([0.2]))
    assert len(ties.at) == NODES
    whole = np.arange(d) / d
    for share in (1e-6, 0.1, 1 / 3):
        for power in (1, 2):
            found = ties.add(ties.share / (1 - share * ties.part) ** power)[0]
            assert found == pytest.approx((1 / (1 - share * whole) ** power).sum(), rel=1e-14)
        found = ties.add(ties.share * np.log(1 - share * ties.part))[0]
        assert found == pytest.approx(np.log(1 - share * whole).sum(), rel=1e-12)


def test_where_most_of_those_at_risk_die_no_term_is_left_out():
    ties = efron(np.array([50, 50]), np.array([50.0, 50.0]), np.array([0.9, 0.1]))
    assert ties.shortened.tolist() == [1] and len(ties.at) == 50 + NODES
    assert not ties.hold_for(np.array([1.0, 1.0]), np.array([0.9, 0.5]))
    assert len(ties.term_by_term(np.array([50, 50])).at) == 100


def test_coefficients_that_make_most_hazards_die_are_still_exact():
    """At zero few of those at risk die each week; at these coefficients nearly all hazard dies."""
    rng = np.random.default_rng(2)
    n = 400
    dies = np.arange(n) < 60
    frame = pd.DataFrame(
        {
            "entry": 0,
            "exit": np.where(dies, 1, 2),
            "event": dies.astype(int),
            "x": dies * 1.0,
            "y": rng.random(n),
        }
    )
    table = at_risk(frame)
    plan, mean, scale = design(table, event_codes(table, None), "efron")
    assert plan.ties.shortened.tolist() == [0]
    beta = np.array([2.0, 0.1])
    assert evaluate(plan, beta).value == pytest.approx(naive(table, beta / scale, "efron", 0.0), rel=1e-12)


def test_a_part_of_a_design_is_the_design_of_the_part():
    table = at_risk(strata="g")
    rows = np.arange(0, table.n_rows, 3)
    plan, _, scale = design(table, event_codes(table, None), "breslow")
    some = part(plan, rows)
    own, _, own_scale = design(table.select(rows), event_codes(table.select(rows), None), "breslow")
    beta = np.array([0.2, 0.5])
    assert evaluate(some, beta * scale).information / np.outer(1 / scale, 1 / scale) == pytest.approx(
        evaluate(own, beta * own_scale).information / np.outer(1 / own_scale, 1 / own_scale), rel=1e-10
    )


@pytest.mark.parametrize("columns", [{}, {"strata": "g"}])
def test_where_the_climb_begins_changes_nothing(columns, monkeypatch):
    frame = people(4000)
    moved = frame["x"] + np.random.default_rng(7).normal(size=len(frame)) > 0
    table = at_risk(frame.assign(event=moved.astype(int)), **columns)
    cold = cox(table)
    monkeypatch.setattr(maximise, "LARGE", 1000)
    monkeypatch.setattr(maximise, "PART", 500)
    plan, _, _ = design(table, event_codes(table, None), "efron")
    begun, _ = maximise.beginning(plan, evaluate(plan, np.zeros(2)))
    assert begun[0] > 0.3
    warm = cox(table)
    assert warm.model["estimates"] == pytest.approx(cold.model["estimates"], rel=1e-11, abs=1e-13)
    assert warm.model["covariance"] == pytest.approx(cold.model["covariance"], rel=1e-8, abs=1e-14)


def test_of_many_strata_a_part_is_begun_with(monkeypatch):
    monkeypatch.setattr(maximise, "LARGE", 1000)
    frame = people(6000).assign(g=lambda d: np.arange(len(d)) // 10)
    table = at_risk(frame, strata="g")
    plan, _, _ = design(table, event_codes(table, None), "efron")
    assert plan.block_of_time[-1] + 1 >= maximise.ONE_IN**2
    begun, _ = maximise.beginning(plan, evaluate(plan, np.zeros(2)))
    assert np.abs(begun).max() > 0
    assert np.isfinite(cox(table).table["std_error"]).all()


def test_positions_spread_evenly_and_never_repeat():
    for n, size in ((1000, 50), (999, 100), (10_000_000, 500_000)):
        found = maximise.evenly(n, size)
        assert len(np.unique(found)) == size and found[0] >= 0 and found[-1] < n
        assert np.diff(found).max() <= 2 * n / size + 1


def test_an_offset_of_a_known_effect_leaves_the_others():
    table = at_risk()
    whole = cox(table)
    only = replace(table, covariates=table.covariates[:, :1], terms=table.terms[:1])
    fit = cox(only, offset=table.covariates[:, 1] * whole.model["estimates"][1])
    assert fit.model["estimates"][0] == pytest.approx(whole.model["estimates"][0], rel=1e-9)
    assert fit.diagnostics["log_likelihood"] == pytest.approx(whole.diagnostics["log_likelihood"], rel=1e-12)


def test_a_constant_offset_changes_the_baseline_only():
    table = at_risk(strata="g")
    plain, moved = cox(table), cox(table, offset=np.full(table.n_rows, 0.7))
    assert moved.model["estimates"] == pytest.approx(plain.model["estimates"], rel=1e-10)
    lowered = moved.model["baseline_hazard"] * np.exp(0.7)
    assert lowered == pytest.approx(plain.model["baseline_hazard"], rel=1e-10)


def test_a_ridge_of_nothing_is_no_ridge_and_a_large_one_holds_at_zero():
    table = at_risk()
    plain, none, much = cox(table), cox(table, ridge=0), cox(table, ridge=1e8)
    assert none.model["estimates"] == pytest.approx(plain.model["estimates"], rel=1e-9)
    assert none.diagnostics["df"] == pytest.approx(2)
    assert np.abs(much.model["estimates"]).max() < 1e-5 and much.diagnostics["df"] < 1e-4


def test_a_ridge_on_every_term_shares_an_effect_among_equal_covariates():
    frame = people()
    table = AtRisk.from_frame(
        frame.assign(z=frame["x"]), entry="entry", exit="exit", event="event", covariates=["x", "z"]
    )
    fit = cox(table, ridge=1)
    assert fit.model["estimates"][0] == pytest.approx(fit.model["estimates"][1], rel=1e-8)
    assert np.isnan(fit.diagnostics["score_chi_square"])


@pytest.mark.parametrize("ties", ["efron", "breslow"])
def test_firths_gradient_is_the_derivative_of_its_likelihood(ties):
    table = at_risk(strata="g", weight="w")
    plan, _, _ = design(table, event_codes(table, None), ties)
    likelihood, beta, step = firth_likelihood(plan), np.array([0.3, -0.2]), 1e-5
    for k, unit in enumerate(np.eye(2) * step):
        wanted = (likelihood(beta + unit).value - likelihood(beta - unit).value) / (2 * step)
        assert likelihood(beta).gradient[k] == pytest.approx(wanted, rel=1e-6, abs=1e-6)


def test_firths_limits_are_where_the_penalised_profile_has_fallen():
    frame = pd.DataFrame({"weeks": [1, 2, 3, 4, 5, 6], "left": [1, 1, 1, 0, 0, 0], "x": [1, 1, 1, 0, 0, 0]})
    table = AtRisk.from_frame(frame, exit="weeks", event="left", covariates=["x"])
    row = cox(table, firth=True).table.iloc[0]
    plan, _, scale = design(table, event_codes(table, None), "efron")
    likelihood = firth_likelihood(plan)
    places = (row["estimate"], row["conf_low"], 0)
    top, low, zero = (likelihood(np.array([place * scale[0]])).value for place in places)
    assert 2 * (top - low) == pytest.approx(3.841458820694124, rel=1e-8)
    from scipy.stats import chi2

    assert row["p_value"] == pytest.approx(chi2.sf(2 * (top - zero), 1), rel=1e-8)


def test_two_penalties_are_refused():
    with pytest.raises(ValueError, match="choose one"):
        cox(at_risk(), ridge=1, firth=True)
    with pytest.raises(ValueError, match="must be finite and not negative"):
        cox(at_risk(), ridge=-1)


def frail(n=300, seed=3):
    return people(n, seed).assign(entry=0)


def test_frailty_of_groups_that_differ_no_more_than_chance_is_cox():
    frame = frail().assign(town=np.arange(300))
    fit, plain = shared_frailty(at_risk(frame, cluster="town")), cox(at_risk(frame))
    if fit.diagnostics["frailty_variance"] == 0:
        assert fit.table["estimate"][:2].to_numpy() == pytest.approx(plain.model["estimates"], rel=1e-8)
        assert fit.diagnostics["frailty_p_value"] == 0.5


def in_towns(frame, covariates):
    return AtRisk.from_frame(frame, exit="exit", event="event", covariates=covariates, cluster="town")


def test_frailty_without_covariates_is_that_of_one_without_effect():
    frame = frail(600).assign(town=np.arange(600) % 30)
    frame["exit"] = np.ceil(frame["exit"] * (0.5 + frame["town"] % 3))
    # A covariate of equal values at every event and in every town has no effect.
    twice = pd.concat([frame.assign(side=0), frame.assign(side=1)])
    alone, beside = (shared_frailty(in_towns(twice, terms)) for terms in ((), ("side",)))
    assert alone.table["term"].tolist() == ["frailty_variance"]
    assert alone.diagnostics["frailty_variance"] > 0.01
    for column in ("estimate", "conf_low", "conf_high"):
        assert alone.table[column][0] == pytest.approx(beside.table[column][1], rel=1e-5)


def test_frailty_of_thousands_of_groups_and_times_needs_no_table_of_them():
    rng = np.random.default_rng(2)
    frame = pd.DataFrame({"town": np.arange(4_000) // 2, "entry": 0, "x": rng.normal(size=4_000)})
    pace = rng.gamma(2, 1 / 2, 2_000)[frame["town"]] * np.exp(frame["x"] / 2)
    frame = frame.assign(exit=rng.exponential(1 / pace), event=rng.random(4_000) < 0.9)
    fit = shared_frailty(in_towns(frame, ("x",)))
    low, high = fit.table.loc[1, ["conf_low", "conf_high"]]
    assert low < 1 / 2 < high
    assert fit.table["estimate"][0] == pytest.approx(1 / 2, abs=4 * fit.table["std_error"][0])


def test_ratios_of_a_shared_frailty_leave_its_variance():
    fit = shared_frailty(at_risk(frail(), cluster="town"))
    ratios = hazard_ratios(fit)
    assert ratios.table["estimate"][2] == fit.table["estimate"][2]
    assert ratios.table["estimate"][0] == pytest.approx(np.exp(fit.table["estimate"][0]))


@pytest.mark.parametrize("n_towns", [20, 90])
def test_the_information_of_frailties_is_the_derivative_of_their_gradient(n_towns):
    """Few groups' information is inverted as a matrix, that of many is never made one."""
    from evalkit.estimators.cox.groups import FEW, Groups, shared_likelihood

    frame = frail().assign(town=np.arange(300) % n_towns)
    table = at_risk(frame, cluster="town", strata="g")
    plan, _, _ = design(table, event_codes(table, None), "efron")
    groups = Groups.of(table, plan, np.ones(len(plan.row)))
    likelihood = shared_likelihood(plan, groups, 2.5)
    rng = np.random.default_rng(0)
    at = rng.normal(size=2 + groups.n_groups) / 4
    found, step = likelihood(at), 1e-5
    assert (groups.n_groups > FEW) == (n_towns == 90)
    whole = np.empty((len(at), len(at)))
    for k, unit in enumerate(np.eye(len(at)) * step):
        up, down = likelihood(at + unit), likelihood(at - unit)
        assert found.gradient[k] == pytest.approx((up.value - down.value) / (2 * step), rel=1e-5, abs=1e-6)
        whole[k] = (down.gradient - up.gradient) / (2 * step)
    assert found.step() == pytest.approx(np.linalg.solve(whole, found.gradient), rel=1e-5, abs=1e-7)
    assert found.covariance == pytest.approx(np.linalg.inv(whole)[:2, :2], rel=1e-5)
