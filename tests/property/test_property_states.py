"""What holds for transition probabilities and hazards of movements whatever the histories."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from drawn import stays
from evalkit.atrisk import AtRisk
from evalkit.errors import EstimationError
from evalkit.estimators import markov_test, state_occupation, transition_cox, transition_probabilities

NAMES = ("EDUCATION", "SELF", "SUPPORT")
CHAIN = {"entry": "entry", "exit": "exit", "state": "state", "event": "event", "person": "person"}
SOME = settings(
    max_examples=25, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
FEW = settings(SOME, max_examples=6)
METHODS = ("aalen_johansen", "landmark")
NUMBERS = ["term", "time_weeks", "estimate", "std_error", "conf_low", "conf_high"]


@st.composite
def histories(draw):
    """Persons who move between three states, return, pause, enter late and leave observation."""
    parts = []
    for person in range(draw(st.integers(4, 14))):
        parts += stays(draw, person, NAMES, latest=3, fewest=1, most=5)
    # Somebody is seen throughout in every state, so that all are estimable to week 9.
    parts += [(90 + k, 0, 12, name, None) for k, name in enumerate(NAMES)]
    return pd.DataFrame(parts, columns=["person", "entry", "exit", "state", "event"])


def table_of(frame, **more):
    return AtRisk.from_frame(frame, **{**CHAIN, **more})


def probabilities(at_risk, weeks=(4, 6, 9), start=2, **options):
    return transition_probabilities(at_risk, from_weeks=start, to_weeks=weeks, **options).table


def same(first, second, columns=NUMBERS):
    pd.testing.assert_frame_equal(first[columns], second[columns], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("method", METHODS)
@SOME
@given(frame=histories())
def test_probabilities_are_distributions_within_their_limits(method, frame):
    table = probabilities(table_of(frame), method=method)
    assert table["estimate"].between(0, 1).all()
    start = table["term"].str.split(" -> ").str[0]
    np.testing.assert_allclose(table.groupby([start, "time_weeks"])["estimate"].sum(), 1, atol=1e-12)
    assert (table["conf_low"] <= table["estimate"]).all() and (table["estimate"] <= table["conf_high"]).all()
    assert table[["conf_low", "conf_high"]].stack().between(0, 1).all()
    assert (table["n_events"] <= table["n_persons"]).all()


@SOME
@given(frame=histories())
def test_expected_weeks_sum_to_the_horizon_and_probabilities_chain(frame):
    at_risk = table_of(frame)
    found = state_occupation(at_risk, horizon_weeks=[4, 9], weeks=[2, 6]).table
    weeks = found[found["term"].str.startswith("weeks")].groupby("time_weeks")["estimate"].sum()
    np.testing.assert_allclose(weeks, weeks.index, rtol=1e-12)
    # Chapman and Kolmogorov: shares at week 6 are shares at week 2 times the way from 2 to 6.
    share = found[found["term"].str.startswith("share")]["estimate"].to_numpy().reshape(2, 3)
    way = probabilities(at_risk, weeks=6)["estimate"].to_numpy().reshape(3, 3)
    np.testing.assert_allclose(share[0] @ way, share[1], atol=1e-12)


@SOME
@given(frame=histories())
def test_cells_equal_rows(frame):
    at_risk = table_of(frame.assign(place=frame["person"] % 4), cluster="place")
    for weeks in ((4, 6, 9), range(3, 12)):
        same(probabilities(at_risk, weeks), probabilities(at_risk.compress(), weeks))


@pytest.mark.parametrize("method", METHODS)
@SOME
@given(frame=histories())
def test_nothing_before_or_after_is_looked_at(method, frame):
    """P(2, 6) is the same whatever happens after week 6, and whichever way persons came to where they are."""
    plain = probabilities(table_of(frame), weeks=6, method=method)
    cut = frame[frame["entry"] < 6]
    cut = cut.assign(event=cut["event"].where(cut["exit"] <= 6), exit=cut["exit"].clip(upper=7))
    later = frame[(frame["exit"] > 2)]
    later = later.assign(entry=later["entry"].clip(lower=2))
    for part in (cut, later):
        found = probabilities(table_of(part, causes=list(NAMES)), weeks=6, method=method)
        same(plain, found)


@pytest.mark.parametrize("method", METHODS)
@FEW
@given(frame=histories())
def test_errors_are_the_derivatives_by_the_weight_of_each_person(method, frame):
    def estimate(weight):
        at_risk = table_of(frame.assign(w=weight), weight="w")
        return probabilities(at_risk, weeks=7, method=method)["estimate"].to_numpy()

    squares, step = 0.0, 1e-4
    for person in frame["person"].unique():
        change = step * (frame["person"] == person)
        squares = squares + ((estimate(1 + change) - estimate(1 - change)) / (2 * step)) ** 2
    found = probabilities(table_of(frame), weeks=7, method=method)["std_error"]
    np.testing.assert_allclose(found, np.sqrt(squares), rtol=1e-5, atol=1e-7)


@FEW
@given(frame=histories())
def test_errors_of_differences_are_derivatives_too(frame):
    def table(weight):
        at_risk = table_of(frame.assign(w=weight), weight="w")
        return markov_test(at_risk, from_weeks=2, to_weeks=7, method="difference").table

    try:
        plain = table(1.0)
    except EstimationError:
        return
    shares, squares, step = plain["term"].str.contains("->"), 0.0, 1e-4
    for person in frame["person"].unique():
        change = step * (frame["person"] == person)
        more, less = (table(1 + sign * change)["estimate"][shares] for sign in (1, -1))
        squares = squares + ((more - less) / (2 * step)) ** 2
    np.testing.assert_allclose(plain["std_error"][shares], np.sqrt(squares), rtol=1e-5, atol=1e-7)


def regression_frame(seed):
    rng = np.random.default_rng(seed)
    rows = []
    for person in range(120):
        week, state = int(rng.integers(0, 3)) * (person % 4 == 3), int(rng.integers(0, 3))
        for length in rng.integers(1, 7, 4):
            to = int(rng.integers(0, 3))
            rows.append((person, week, week + int(length), NAMES[state], None if to == state else NAMES[to]))
            week, state = week + int(length), to
    frame = pd.DataFrame(rows, columns=["person", "entry", "exit", "state", "event"])
    return frame.assign(x=rng.normal(size=120).round(1)[frame["person"]], z=frame["person"] % 2)


@pytest.mark.parametrize("shared", [(), ("x",), ("x", "z")])
@pytest.mark.parametrize("clock", ["forward", "reset"])
def test_hazards_of_movements_are_of_persons_not_rows(shared, clock):
    frame = regression_frame(4)
    if clock == "reset":
        frame = frame[frame.groupby("person")["entry"].transform("min") == 0]

    def fit(part, **more):
        at_risk = table_of(part, covariates=["x", "z"], **more)
        return transition_cox(at_risk, shared=shared, clock=clock).table

    plain = fit(frame)
    long = frame["exit"] - frame["entry"] >= 2
    halves = pd.concat([frame[~long], frame[long].assign(exit=frame["entry"] + 1, event=None),
                        frame[long].assign(entry=frame["entry"] + 1)])
    for part in (halves, frame.sample(frac=1, random_state=2)):
        pd.testing.assert_frame_equal(plain, fit(part), rtol=1e-7)
    doubled = pd.concat([frame, frame.assign(person=frame["person"] + 1000)])
    pd.testing.assert_frame_equal(fit(frame.assign(k=2), count="k"), fit(doubled), rtol=1e-7)
