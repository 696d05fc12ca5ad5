"""What holds for quantiles, residual weeks, weighted tests and pseudo-observations, whatever the rows."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from evalkit.atrisk import AtRisk
from evalkit.errors import EstimationError
from evalkit.estimators import (
    aalen_johansen,
    kaplan_meier,
    log_rank,
    pseudo_observations,
    pseudo_regression,
    residual_time,
    restricted_mean,
    survival_quantiles,
)

SOME = settings(
    max_examples=25, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
LATE = {"entry": "entry", "exit": "exit", "event": "event", "causes": ["JOB", "STUDY"]}
NOW = {"exit": "exit", "event": "event", "causes": ["JOB", "STUDY"]}


@st.composite
def rows(draw):
    """Weekly rows with ties, late entry, two causes, three groups and two levels; one is seen to the end."""
    n = draw(st.integers(5, 25))

    def column(low, high):
        return np.array(draw(st.lists(st.integers(low, high), min_size=n, max_size=n)))

    entry = column(0, 3) * (column(0, 2) == 0)
    frame = pd.DataFrame(
        {
            "entry": entry,
            "exit": entry + column(1, 8),
            "event": column(0, 2),
            "group": column(0, 2),
            "level": column(0, 1),
        }
    )
    end = pd.DataFrame({"entry": [0, 0], "exit": 12, "event": 0, "group": [0, 1], "level": [0, 1]})
    return pd.concat([frame, end], ignore_index=True)


def at(table, week, **chosen):
    for column, value in chosen.items():
        table = table[table[column] == value]
    return table.loc[table["time_weeks"] <= week, "estimate"].iloc[-1]


@SOME
@given(frame=rows(), p=st.sampled_from([0.1, 0.25, 0.4, 0.5, 0.73]))
def test_the_curve_crosses_at_its_quantile(frame, p):
    at_risk = AtRisk.from_frame(frame, **LATE)
    week = survival_quantiles(at_risk, probs=p).table["estimate"][0]
    curve = kaplan_meier(at_risk).table
    if np.isnan(week):
        assert curve["estimate"].min() > 1 - p
    else:
        assert at(curve, week) <= 1 - p + 1e-7
        earlier = curve.loc[curve["time_weeks"] < week, "estimate"]
        assert (earlier > 1 - p - 1e-7).all()


def answered(estimator, at_risk, **options):
    """Return the table, or None where it is refused."""
    try:
        return estimator(at_risk, **options).table
    except EstimationError:
        return None


@SOME
@given(frame=rows(), scale=st.sampled_from([7, 1 / 52, 0.3]))
def test_weeks_scale_with_their_unit(frame, scale):
    other = frame.assign(entry=frame["entry"] * scale, exit=frame["exit"] * scale)
    plain, scaled = (AtRisk.from_frame(part, **LATE, strata="group") for part in (frame, other))
    pairs = [
        (answered(survival_quantiles, plain), answered(survival_quantiles, scaled)),
        (
            answered(restricted_mean, plain, horizon_weeks=4),
            answered(restricted_mean, scaled, horizon_weeks=4 * scale),
        ),
        (answered(log_rank, plain, weights="peto"), answered(log_rank, scaled, weights="peto")),
    ]
    for first, second in pairs:
        assert (first is None) == (second is None)
        if first is not None:
            in_weeks = first["term"].str.contains("quantile|mean") & ~first["term"].str.endswith("ratio")
            for column in ("estimate", "std_error", "conf_low", "conf_high"):
                wanted = first[column] * np.where(in_weeks, scale, 1.0)
                np.testing.assert_allclose(second[column], wanted, rtol=1e-9, atol=1e-12)


@SOME
@given(frame=rows(), start=st.integers(0, 5))
def test_residual_survival_is_a_ratio_and_its_mean_the_area(frame, start):
    at_risk = AtRisk.from_frame(frame, **LATE)
    curve = kaplan_meier(at_risk).table
    below = at(curve, start)
    assume(below > 0)
    table = residual_time(at_risk, elapsed_weeks=start, horizon_weeks=[1, 2, 3, 4]).table
    ratio = [at(curve, start + u) / below for u in range(5)]
    np.testing.assert_allclose(table["estimate"][:4], ratio[1:], atol=1e-12)
    np.testing.assert_allclose(table["estimate"][4:], np.cumsum(ratio[:4]), atol=1e-12)


@SOME
@given(frame=rows())
def test_a_class_that_holds_everybody_is_the_residual_curve(frame):
    table = residual_time(
        AtRisk.from_frame(frame, **LATE), elapsed_weeks=0, horizon_weeks=3, method="classes"
    ).table
    residual = AtRisk.from_frame(frame.assign(exit=frame["exit"] - frame["entry"]), **NOW)
    assert table["estimate"][0] == pytest.approx(at(kaplan_meier(residual).table, 3))
    assert table["estimate"][1] == pytest.approx(
        restricted_mean(residual, horizon_weeks=3).table["estimate"][0]
    )


@SOME
@given(frame=rows(), options=st.sampled_from([{}, {"weights": "gehan"}, {"weights": "peto"}, {"gamma": 1.5}]))
def test_observed_and_expected_agree_in_sum_and_scores_may_be_moved(frame, options):
    at_risk = AtRisk.from_frame(frame, **LATE, strata="group")
    assume(len(at_risk.strata_labels) == 3)
    level = frame["level"].to_numpy()
    try:
        table = log_rank(at_risk, stratify=level, **options).table
        trends = [
            log_rank(at_risk, stratify=level, trend=scores, **options) for scores in ([0, 1, 5], [3, 5, 13])
        ]
    except EstimationError:
        return
    sums = table.groupby("term")["estimate"].sum()
    assert sums["observed"] == pytest.approx(sums["expected"])
    assert table["estimate"][0] >= trends[0].table["estimate"][0] - 1e-9 >= -1e-9
    assert trends[0].diagnostics["z"] == pytest.approx(trends[1].diagnostics["z"], abs=1e-9)


def naive(rows, week, estimand):
    """Return the estimate at a week, person-week by person-week; after the last exit nothing changes."""
    there, area, gone = 1.0, 0.0, 0.0
    for now in range(1, week + 1):
        area += there
        n = sum(exit >= now for exit, _ in rows)
        events = [event for exit, event in rows if exit == now and event > 0]
        gone += there * events.count(1) / n if n else 0
        there *= 1 - len(events) / n if n else 1
    return {"survival": there, "restricted_mean": area, "cumulative_incidence": gone}[estimand]


@pytest.mark.parametrize("estimand", ["survival", "restricted_mean", "cumulative_incidence"])
@SOME
@given(frame=rows(), week=st.integers(1, 9))
def test_pseudo_observations_are_what_is_left_out(estimand, frame, week):
    at_risk = AtRisk.from_frame(frame, **NOW)
    cause = "JOB" if estimand == "cumulative_incidence" else None
    found = pseudo_observations(at_risk, weeks=week, estimand=estimand, cause=cause)[:, 0]
    people, n = list(zip(frame["exit"], frame["event"], strict=True)), len(frame)
    whole = naive(people, week, estimand)
    rest = [naive(people[:k] + people[k + 1 :], week, estimand) for k in range(n)]
    np.testing.assert_allclose(found, n * whole - (n - 1) * np.array(rest), atol=1e-10)


@SOME
@given(frame=rows(), week=st.integers(1, 9))
def test_pseudo_observations_of_all_outcomes_sum_to_one(frame, week):
    at_risk = AtRisk.from_frame(frame, **NOW, strata="level")
    gone = [
        pseudo_observations(at_risk, weeks=week, estimand="cumulative_incidence", cause=cause)
        for cause in ("JOB", "STUDY")
    ]
    there = pseudo_observations(at_risk, weeks=week)
    np.testing.assert_allclose(there + sum(gone), 1, atol=1e-10)


@SOME
@given(frame=rows(), week=st.integers(2, 8))
def test_copies_are_rows_and_splits_are_nothing(frame, week):
    frame = frame.assign(k=1 + frame["level"], person=np.arange(len(frame)), entry=0)
    options = {"weeks": [1, week], "estimand": "restricted_mean"}
    counted = AtRisk.from_frame(frame, **NOW, count="k", covariates=["group"])
    repeated = AtRisk.from_frame(frame.loc[frame.index.repeat(frame["k"])], **NOW, covariates=["group"])
    np.testing.assert_allclose(
        np.repeat(pseudo_observations(counted, **options), frame["k"], axis=0),
        pseudo_observations(repeated, **options),
        atol=1e-10,
    )
    long = frame["exit"] > 1
    halves = pd.concat([frame[long].assign(exit=1, event=0), frame.assign(entry=long.astype(int))])
    split, whole = (
        AtRisk.from_frame(part, **LATE, person="person", count="k", covariates=["group"])
        for part in (halves.sample(frac=1, random_state=1), frame)
    )
    first, second, third = (
        answered(pseudo_regression, part, weeks=week, estimand="restricted_mean")
        for part in (split, whole, repeated)
    )
    if second is None:
        assert first is None and third is None
    else:
        pd.testing.assert_frame_equal(first, second)
        pd.testing.assert_frame_equal(third, second)


@SOME
@given(frame=rows(), week=st.integers(1, 9))
def test_the_mean_of_pseudo_observations_is_near_the_curve(frame, week):
    """Leaving one out is unbiased to 1 / n; the mean of n values may be off by that much."""
    at_risk = AtRisk.from_frame(frame, **NOW)
    curve = aalen_johansen(at_risk).table
    for term, options in (("survival", {}), ("JOB", {"estimand": "cumulative_incidence", "cause": "JOB"})):
        mean = pseudo_observations(at_risk, weeks=week, **options).mean()
        assert mean == pytest.approx(at(curve, week, term=term), abs=1.5 / len(frame))
