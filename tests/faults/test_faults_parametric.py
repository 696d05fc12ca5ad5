"""What a parametric model cannot answer is refused by name, with the way out."""

import re

import numpy as np
import pandas as pd
import pytest

from evalkit import estimators
from evalkit.atrisk import AtRisk
from evalkit.errors import EstimationError
from evalkit.estimators.parametric import maximise

DISTRIBUTIONS = ("exponential", "weibull", "lognormal", "loglogistic", "gompertz", "generalised_gamma")
SHAPED = DISTRIBUTIONS[1:]


def rows(n=200, seed=3):
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({"entry": rng.integers(0, 4, n), "x": rng.normal(size=n).round(2)})
    frame["z"] = rng.integers(0, 2, n)
    stay = np.ceil(rng.weibull(1.3, n) * 20 * np.exp(0.3 * frame["x"]))
    frame = frame.assign(exit=frame["entry"] + stay.clip(upper=40), event=(stay < 40).astype(int))
    return frame.assign(person=np.arange(n), cluster=np.arange(n) % 4)


def table(frame, covariates=("x", "z"), **columns):
    return AtRisk.from_frame(frame, entry="entry", exit="exit", event="event", covariates=covariates,
                             **columns)


def every_fit(at_risk):
    """Call every parametric model."""
    for name in DISTRIBUTIONS:
        yield lambda name=name: estimators.parametric(at_risk, distribution=name)
    yield lambda: estimators.royston_parmar(at_risk, df=2)
    yield lambda: estimators.mixture_cure(at_risk)


@pytest.mark.parametrize(("change", "words"), [
    ({"event": 0}, "no event among 200 persons"),
    ({"x": 2.5}, "x: the same in all 200 rows"),
    ({"x": lambda d: 1 - 2 * d["z"]}, "z is a combination of x"),
])
def test_bad_tables_are_refused_by_every_model(change, words):
    at_risk = table(rows().assign(**change))
    for fit in every_fit(at_risk):
        with pytest.raises(EstimationError, match=words):
            fit()


def test_strata_states_and_unknown_causes_are_refused():
    for columns, cause, words in (({"strata": "z"}, None, "strata"), ({}, "MOON", "MOON")):
        with pytest.raises(EstimationError, match=words):
            estimators.parametric(table(rows(), ["x"], **columns), cause=cause)


@pytest.mark.parametrize("name", SHAPED)
def test_events_all_in_the_last_week_are_refused_and_the_exponential_answers(name):
    frame = rows().assign(entry=0, exit=lambda d: np.where(d["event"] == 1, 10, 6))
    with pytest.raises(EstimationError, match="one week.*exponential"):
        estimators.parametric(table(frame), distribution=name)
    assert len(estimators.parametric(table(frame), distribution="exponential").table) == 3


def test_events_in_one_week_with_longer_follow_up_have_a_maximum():
    frame = rows().assign(entry=0, exit=lambda d: np.where(d["event"] == 1, 10.0, 30.0))
    fit = estimators.parametric(table(frame, []))
    # With A = sum of (t/b)^k over all, d log k + d log A(k) is stationary: solved by hand for two times.
    d, rest = int(frame["event"].sum()), int((frame["event"] == 0).sum())
    k = np.exp(-fit.row("log(scale)").estimate)
    ratio = 3.0**k * rest / (d + 3.0**k * rest)
    assert 1 / k == pytest.approx(ratio * np.log(3), rel=1e-8)


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_separation_is_named(name):
    frame = rows().assign(event=lambda d: d["event"] * d["z"])
    with pytest.raises(EstimationError, match="z: separates .*firth"):
        estimators.parametric(table(frame), distribution=name)


def test_no_convergence_tells_the_last_gradient(monkeypatch):
    monkeypatch.setattr(maximise, "MAX_STEPS", 1)
    with pytest.raises(EstimationError, match=r"no convergence in 1 steps; last gradient .*x .*simpler"):
        estimators.parametric(table(rows()))


def test_one_cluster_is_refused_and_few_are_told():
    with pytest.raises(EstimationError, match="1 cluster"):
        estimators.parametric(table(rows().assign(cluster=1), cluster="cluster"))
    with pytest.warns(UserWarning, match="^parametric .weibull.: 4 clusters for 4 terms"):
        estimators.parametric(table(rows(), cluster="cluster"))


@pytest.mark.parametrize("scale", [1e9, 1e-12])
def test_huge_and_tiny_covariates_give_the_same_answer(scale):
    frame = rows()
    both = (every_fit(table(frame.assign(x=frame["x"] * by))) for by in (1.0, scale))
    for plain, scaled in zip(*both, strict=True):
        try:
            first = plain()
        except EstimationError as refusal:
            with pytest.raises(EstimationError, match=re.escape(str(refusal)[:30])):
                scaled()
            continue
        second = scaled()
        ratio = np.array([scale if term.endswith("x") else 1.0 for term in first.table["term"]])
        estimates = second.table["estimate"] * ratio
        np.testing.assert_allclose(estimates, first.table["estimate"], rtol=1e-6, atol=1e-8)
        np.testing.assert_allclose(second.table["std_error"] * ratio, first.table["std_error"], rtol=1e-5)


def test_a_shifted_huge_covariate_gives_the_same_slope():
    frame = rows()
    plain, moved = (estimators.parametric(table(frame.assign(x=frame["x"] + by))) for by in (0.0, 1e6))
    assert moved.row("x").estimate == pytest.approx(plain.row("x").estimate, rel=1e-6)


def changing():
    """Every person has two intervals, and z is 1 in the second."""
    frame = rows()
    cut = frame["entry"] + 1
    first = frame.assign(exit=cut, event=frame["event"] * (frame["exit"] == cut), z=0)
    return pd.concat([first, frame[frame["exit"] > cut].assign(entry=cut, z=1)])


@pytest.mark.parametrize("call", [
    *[lambda at_risk, name=name: estimators.parametric(at_risk, distribution=name)
      for name in ("lognormal", "loglogistic", "generalised_gamma")],
    lambda at_risk: estimators.royston_parmar(at_risk, scale="odds"), estimators.mixture_cure])
def test_changing_covariates_are_refused_where_time_is_stretched(call):
    with pytest.raises(EstimationError, match="z: changes between the intervals of .*weibull"):
        call(table(changing(), person="person"))


def test_changing_covariates_are_proportional_hazards_elsewhere():
    at_risk = table(changing(), ["x"], person="person")
    for name in ("exponential", "weibull", "gompertz"):
        whole = estimators.parametric(table(rows(), ["x"]), distribution=name)
        np.testing.assert_allclose(estimators.parametric(at_risk, distribution=name).table["estimate"],
                                   whole.table["estimate"], rtol=1e-8)
    assert estimators.royston_parmar(table(changing(), person="person"), df=2).row("z") is not None


def test_knots_that_fall_together_are_refused():
    frame = rows().assign(entry=0, exit=lambda d: np.minimum(d["exit"], 3))
    for options in ({"df": 6}, {"knots_weeks": [900]}):
        with pytest.raises(EstimationError, match="knots.*smaller df"):
            estimators.royston_parmar(table(frame, ["x"]), **options)
    with pytest.raises(ValueError, match="df == 1.5"):
        estimators.royston_parmar(table(frame, ["x"]), df=1.5)


def test_a_curve_without_plateau_has_no_cured_share():
    frame = rows().assign(entry=0, event=1)
    with pytest.raises(EstimationError, match="incidence.*no plateau.*parametric"):
        estimators.mixture_cure(table(frame, []))


def heavy(shape, n=400):
    """Times of a log-logistic distribution of this shape, at its quantiles."""
    share = (np.arange(n) + 0.5) / n
    frame = pd.DataFrame({"exit": 10 * (share / (1 - share)) ** (1 / shape), "event": 1})
    return AtRisk.from_frame(frame, exit="exit", event="event")


def falling():
    """A hazard that falls to nothing: many leave at once, then hardly anybody."""
    weeks = np.concatenate([np.repeat([1, 2, 3, 5, 8], [40, 20, 10, 4, 2]), np.full(60, 200)])
    return AtRisk.from_frame(pd.DataFrame({"exit": weeks, "event": weeks < 200}), exit="exit", event="event")


@pytest.mark.parametrize(("fit", "words"), [
    (lambda: estimators.parametric(heavy(0.8), distribution="loglogistic"), "shape is 0.8.*at most 1"),
    (lambda: estimators.parametric(falling(), distribution="gompertz"), "Gompertz shape is -"),
    (lambda: estimators.mixture_cure(falling()), "cured"),
    (lambda: estimators.royston_parmar(heavy(0.8), scale="odds", df=1), "slope is 0.8"),
])
def test_means_that_do_not_exist_are_refused_and_the_restricted_mean_answers(fit, words):
    result = fit()
    with pytest.raises(EstimationError, match=f"{words}.*horizon_weeks"):
        estimators.parametric_mean(result)
    table = estimators.parametric_mean(result, horizon_weeks=5).table
    assert 0 < table["estimate"][0] < 5 and table["estimate"][1] == 0


def test_a_quantile_that_is_never_reached_is_missing():
    table = estimators.parametric_quantiles(estimators.mixture_cure(falling()), probs=[0.3, 0.9]).table
    assert table["estimate"].notna().tolist() == [True, False]


def test_results_and_profiles_that_do_not_fit_are_refused():
    fit = estimators.parametric(table(rows()))
    for profiles, words in ((None, "give profiles with the columns x, z"),
                            (pd.DataFrame({"x": [1]}), "missing columns z"),
                            (pd.DataFrame({"x": [np.nan], "z": [1]}), "x: missing"),
                            (pd.DataFrame({"x": [1], "z": [1], "y": [1]}), "unknown columns y")):
        with pytest.raises(EstimationError, match=words):
            estimators.predict_parametric(fit, profiles)
    with pytest.raises(EstimationError, match="kaplan_meier is no parametric model"):
        estimators.parametric_mean(estimators.kaplan_meier(table(rows())))
    with pytest.raises(EstimationError, match="everybody leaves"):
        estimators.cured_share(fit, pd.DataFrame({"x": [1], "z": [1]}))


@pytest.mark.parametrize(("call", "words"), [
    (lambda a: estimators.parametric(a, distribution="normal"), "distribution == 'normal'"),
    (lambda a: estimators.parametric(a, start="zero"), "start == 'zero'"),
    (lambda a: estimators.parametric(a, conf_level=95), "conf_level == 95"),
    (lambda a: estimators.royston_parmar(a, scale="log"), "scale == 'log'"),
    (lambda a: estimators.mixture_cure(a, incidence=["y"]), "y: no such covariate"),
    (lambda a: estimators.predict_parametric(estimators.parametric(a), weeks=0), "above 0"),
    (lambda a: estimators.parametric_quantiles(estimators.parametric(a), probs=1), "between 0 and 1"),
    (lambda a: estimators.parametric_mean(estimators.parametric(a), horizon_weeks=-1), "above 0"),
])
def test_options_outside_their_values_are_refused(call, words):
    with pytest.raises(ValueError, match=words):
        call(table(rows(), []))


def test_a_message_shows_no_value_of_a_person():
    frame = rows().assign(x=7.654321)
    with pytest.raises(EstimationError) as refusal:
        estimators.parametric(table(frame))
    assert "7.65" not in str(refusal.value)
