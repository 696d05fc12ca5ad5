"""What holds of hazards on cells for all inputs: they are those of naive person-weeks, however cut."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

import oracle
from evalkit.atrisk import AtRisk
from evalkit.errors import EstimationError
from evalkit.estimators import discrete_hazard, piecewise_exponential, predict_hazard
from evalkit.estimators.discrete import cells

SOME = settings(
    max_examples=15, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
RICH = {"duration": {"breaks": [2]}, "season": {"harmonics": 1}}


@st.composite
def frames(draw):
    n = draw(st.integers(20, 50))

    def column(low, high):
        return np.array(draw(st.lists(st.integers(low, high), min_size=n, max_size=n)))

    entry = column(0, 3) * (column(0, 2) == 0)
    return pd.DataFrame(
        {
            "person": np.arange(n),
            "entry": entry,
            "exit": entry + column(1, 8),
            "event": column(0, 1),
            "x": column(-2, 2) / 2,
            "start": 1500 + column(0, 40),
            "place": column(0, 1),
        }
    )


def table(frame, **more):
    columns = {
        "entry": "entry",
        "exit": "exit",
        "event": "event",
        "person": "person",
        "covariates": ["x"],
        "calendar": "start",
        **more,
    }
    return AtRisk.from_frame(frame, **columns)


def answer(rows, **options):
    try:
        return discrete_hazard(rows, **options)
    except EstimationError:
        return None


@SOME
@given(frame=frames(), edges=st.lists(st.integers(1, 9), unique=True, max_size=4))
def test_cells_hold_the_weeks_and_events_of_naive_person_weeks(frame, edges):
    rows = table(frame.assign(k=frame["person"] % 3 + 1), count="k")
    spans = cells.spans_of(rows, np.array([0, *sorted(edges), 99], dtype=float))
    counted = cells.time_at_risk(spans, frame["place"].to_numpy(), rows.row_weights, 2)
    naive = np.zeros_like(counted)
    for i, week, _, _, weight in oracle.person_weeks(rows):
        naive[frame["place"][i], np.searchsorted(spans.edges, week) - 1] += weight
    np.testing.assert_array_equal(counted, naive)


@pytest.mark.parametrize("link", ["cloglog", "logit"])
@SOME
@given(frame=frames())
def test_the_score_of_naive_person_weeks_is_zero_at_the_estimate(link, frame):
    rows = table(frame)
    fit = answer(rows, link=link, duration={"breaks": [2]})
    assume(fit is not None)
    x, first, later = fit.model["estimates"]
    score, scale = np.zeros(3), 0.0
    for i, week, _, target, weight in oracle.person_weeks(rows):
        design = np.array([rows.covariates[i, 0], week <= 2, week > 2])
        eta = design @ (x, first, later)
        hazard = 1 - np.exp(-np.exp(eta)) if link == "cloglog" else 1 / (1 + np.exp(-eta))
        slope = np.exp(eta) * (1 - hazard) if link == "cloglog" else hazard * (1 - hazard)
        score += weight * (target - hazard) * slope / (hazard * (1 - hazard)) * design
        scale += abs(slope)
    np.testing.assert_allclose(score / scale, 0, atol=1e-8)


@SOME
@given(frame=frames(), factor=st.sampled_from([1 / 7, 0.1, 30.0]))
def test_rates_are_events_over_time_and_scale_with_its_unit(frame, factor):
    assume(frame["event"].any())
    frame = frame.assign(exit=frame["exit"] - 0.3)
    rows = table(frame, covariates=[])
    top = frame["exit"].max()
    fit = piecewise_exponential(rows, breaks=[top / 2])
    piece = frame["exit"] > top / 2
    early = (frame["exit"].clip(upper=top / 2) - frame["entry"].clip(upper=top / 2)).sum()
    late = (frame["exit"] - frame["entry"]).sum() - early
    np.testing.assert_allclose(
        fit.table["estimate"] * [early, late],
        [frame.loc[~piece, "event"].sum(), frame.loc[piece, "event"].sum()],
        atol=1e-9,
    )
    scaled = piecewise_exponential(
        table(frame.assign(entry=frame["entry"] * factor, exit=frame["exit"] * factor), covariates=[]),
        breaks=[top / 2 * factor],
    )
    for name in ("estimate", "std_error", "conf_low", "conf_high"):
        np.testing.assert_allclose(scaled.table[name] * factor, fit.table[name], rtol=1e-6, atol=1e-12)


@SOME
@given(data=st.data())
def test_order_splits_counts_and_cells_change_nothing(data):
    frame = data.draw(frames())
    plain = answer(table(frame), **RICH)
    assume(plain is not None)
    cut = frame["exit"] - frame["entry"] >= 2
    parts = pd.concat(
        [
            frame.assign(entry=np.where(cut, frame["entry"] + 1, frame["entry"])),
            frame[cut].assign(exit=lambda part: part["entry"] + 1, event=0),
        ]
    )
    others = [
        table(frame.sample(frac=1, random_state=data.draw(st.integers(0, 99)))),
        table(parts),
        table(frame).compress(),
        table(frame.assign(k=1), count="k"),
    ]
    for other in others:
        pd.testing.assert_frame_equal(answer(other, **RICH).table, plain.table, rtol=1e-6, atol=1e-8)
    twice = pd.concat([frame, frame.assign(person=frame["person"] + 100)])
    pd.testing.assert_frame_equal(
        answer(table(frame.assign(k=2), count="k"), **RICH).table,
        answer(table(twice), **RICH).table,
        rtol=1e-6,
        atol=1e-8,
    )


@SOME
@given(frame=frames())
def test_survival_falls_from_one_and_limits_hold_it(frame):
    rows = table(frame, strata="place")
    fit = answer(rows)
    assume(fit is not None)
    profiles = pd.DataFrame({"x": [0.0, 0.5]}, index=["a", "b"])
    try:
        predicted = predict_hazard(fit, profiles, weeks=[1, 2, 3]).table
    except EstimationError as refusal:
        assert "nobody of stratum" in str(refusal)
        return
    assert predicted["estimate"].between(0, 1).all()
    survival = predicted[predicted["term"] == "survival"]
    assert (survival.groupby("group")["estimate"].diff().dropna() <= 1e-12).all()
    assert (survival["conf_low"] <= survival["estimate"] + 1e-9).all()
    assert (survival["estimate"] <= survival["conf_high"] + 1e-9).all()
