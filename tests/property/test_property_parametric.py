"""What holds for every parametric model and all inputs."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evalkit import estimators
from evalkit.atrisk import AtRisk
from evalkit.errors import EstimationError

SOME = settings(max_examples=4, deadline=None, derandomize=True,
                suppress_health_check=[HealthCheck.too_slow])
DISTRIBUTIONS = ("exponential", "weibull", "lognormal", "loglogistic", "gompertz", "generalised_gamma")
MODELS = {
    **{name: (estimators.parametric, {"distribution": name}) for name in DISTRIBUTIONS},
    **{f"spline_{scale}": (estimators.royston_parmar, {"scale": scale, "df": 2})
       for scale in ("hazard", "odds", "normal")},
    **{f"cure_{name}": (estimators.mixture_cure, {"distribution": name, "latency": []})
       for name in ("weibull", "lognormal")},
}
PROFILES = pd.DataFrame({"x": [0.0, 1.0]}, index=["a", "b"])


@st.composite
def rows(draw):
    """Weekly rows with ties, late entry, a plateau, whole weights and clusters; large enough to be fitted."""
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    n = draw(st.integers(80, 160))
    x = rng.integers(0, 2, n)
    leaves = rng.uniform(size=n) < 0.5 + 0.2 * x
    stay = np.where(leaves, np.ceil(rng.weibull(draw(st.sampled_from([0.8, 1.5])), n) * 8), 1000)
    entry, end = rng.integers(0, 3, n) * rng.integers(0, 2, n), rng.integers(20, 60, n)
    frame = pd.DataFrame({"entry": entry, "exit": np.minimum(stay, end).astype(float), "x": x,
                          "event": (stay <= end).astype(int), "person": np.arange(n),
                          "k": rng.integers(1, 4, n), "cluster": rng.integers(0, 9, n)})
    return frame[frame["exit"] > frame["entry"]]


def table(frame, **columns):
    return AtRisk.from_frame(frame, entry="entry", exit="exit", event="event", covariates=["x"], **columns)


def answer(name, at_risk, **options):
    function, own = MODELS[name]
    try:
        return function(at_risk, start="moments", **own, **options)
    except EstimationError:
        return None


def same(first, second, rtol=1e-6):
    assert (first is None) == (second is None)
    if first is not None:
        pd.testing.assert_frame_equal(first.table, second.table, rtol=rtol, atol=1e-7)


@pytest.mark.parametrize("name", MODELS)
@SOME
@given(frame=rows())
def test_counts_cells_splits_and_order(name, frame):
    repeated = frame.loc[frame.index.repeat(frame["k"])].assign(person=lambda d: np.arange(len(d)))
    same(answer(name, table(frame, count="k")), answer(name, table(repeated)))
    plain = table(frame, cluster="cluster")
    whole = answer(name, plain)
    same(whole, answer(name, plain.compress()))
    same(whole, answer(name, table(frame.sample(frac=1, random_state=1), cluster="cluster")))
    cut = frame["exit"] - frame["entry"] >= 2
    middle = np.where(cut, frame["entry"] + 1, frame["entry"])
    split = pd.concat([frame.assign(entry=middle), frame[cut].assign(exit=frame["entry"] + 1, event=0)])
    same(*(answer(name, table(part, person="person"), robust=True) for part in (frame, split)))


@pytest.mark.parametrize("name", MODELS)
@SOME
@given(frame=rows())
def test_a_unit_of_time_moves_locations_alone(name, frame):
    weeks, days = table(frame), table(frame.assign(entry=frame["entry"] * 7, exit=frame["exit"] * 7))
    first, second = answer(name, weeks), answer(name, days)
    assert (first is None) == (second is None)
    if first is None:
        return
    n_events = first.table["n_events"][0]
    likelihoods = [fit.diagnostics["log_likelihood"] for fit in (first, second)]
    assert likelihoods[0] - n_events * np.log(7) == pytest.approx(likelihoods[1], abs=1e-6)
    term = "x" if "x" in first.model["terms"] else "incidence:x"
    assert second.row(term).estimate == pytest.approx(first.row(term).estimate, rel=1e-6, abs=1e-7)
    quantiles = [estimators.parametric_quantiles(fit, PROFILES, probs=[0.1, 0.3]).table
                 for fit in (first, second)]
    for column in ("estimate", "std_error", "conf_low", "conf_high"):
        np.testing.assert_allclose(quantiles[1][column], quantiles[0][column] * 7, rtol=1e-5)


@pytest.mark.parametrize("name", MODELS)
@SOME
@given(frame=rows())
def test_predicted_curves_fall_and_their_quantiles_and_means_agree(name, frame):
    fit = answer(name, table(frame))
    if fit is None:
        return
    weeks = np.arange(1, 25)
    curve = estimators.predict_parametric(fit, PROFILES, weeks=weeks).table.pivot(
        index=["group", "time_weeks"], columns="term", values=["estimate", "conf_low", "conf_high"])
    survival, low, high = (curve[column, "survival"] for column in ("estimate", "conf_low", "conf_high"))
    assert survival.between(0, 1).all() and (curve["estimate", "hazard"] > 0).all()
    assert (survival.groupby("group").diff().dropna() <= 0).all()
    assert (low <= survival).all() and (survival <= high).all()
    found = estimators.parametric_quantiles(fit, PROFILES, probs=0.2).table
    for k in range(2):
        at = estimators.predict_parametric(fit, PROFILES, weeks=found["estimate"][k]).table
        assert at[at["term"] == "survival"]["estimate"].iloc[k] == pytest.approx(0.8, rel=1e-9)
    means = estimators.parametric_mean(fit, PROFILES, horizon_weeks=[5, 24]).table
    means = means[means["term"] == "restricted_mean"].set_index(["group", "time_weeks"])["estimate"]
    for group in "ab":
        assert means[group, 5] < 5 and means[group, 5] < means[group, 24]
        # A falling curve: the mean lies between its sums over weeks.
        assert survival[group].sum() <= means[group, 24] <= 1 + survival[group].iloc[:-1].sum()


@SOME
@given(frame=rows(), scale=st.sampled_from([1e-6, 1e6]))
def test_a_weight_moves_no_estimate_and_no_robust_error(frame, scale):
    weighted = table(frame.assign(w=frame["k"] * scale), weight="w", cluster="cluster")
    first = answer("weibull", table(frame.assign(w=frame["k"]), weight="w", cluster="cluster"))
    second = answer("weibull", weighted)
    same(first, second, rtol=1e-5)


@SOME
@given(frame=rows())
def test_nested_models_never_lie_higher(frame):
    at_risk = table(frame)
    fits = {name: answer(name, at_risk) for name in DISTRIBUTIONS}
    value = {name: fit.diagnostics["log_likelihood"] for name, fit in fits.items() if fit}
    for inner, outer in (("exponential", "weibull"), ("exponential", "gompertz"),
                         ("weibull", "generalised_gamma"), ("lognormal", "generalised_gamma")):
        if {inner, outer} <= set(value):
            assert value[inner] <= value[outer] + 1e-8


def test_the_strategy_reaches_every_model():
    """Refusals must hold for the same inputs as answers, but answers must be the rule."""
    answered = dict.fromkeys(MODELS, 0)

    @settings(max_examples=5, deadline=None, derandomize=True)
    @given(frame=rows())
    def look(frame):
        for name in MODELS:
            answered[name] += answer(name, table(frame)) is not None

    look()
    assert min(answered.values()) >= 3
