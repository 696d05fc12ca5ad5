"""What holds for every hazard regression: counts and cells are rows, splits and order change nothing."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from evalkit.atrisk import AtRisk
from evalkit.errors import EstimationError
from evalkit.estimators import cox, shared_frailty

SOME = settings(
    max_examples=15, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
)
TIES = ("efron", "breslow")
FITS = {
    "cox": cox,
    "breslow": lambda table: cox(table, ties="breslow"),
    "ridge": lambda table: cox(table, ridge={"x": 2.0}, ridge_scale=False),
    "firth": lambda table: cox(table, firth=True),
    "shared_frailty": shared_frailty,
}


@st.composite
def rows(draw, from_start=False):
    """Weekly rows with heavy ties of persons in four towns; covariates with few values."""
    n = draw(st.integers(25, 60))

    def column(low, high):
        return np.array(draw(st.lists(st.integers(low, high), min_size=n, max_size=n)))

    entry = np.zeros(n, dtype=int) if from_start else column(0, 3) * (column(0, 2) == 0)
    return pd.DataFrame(
        {
            "entry": entry,
            "exit": entry + column(1, 6),
            "event": column(0, 1),
            "x": column(-2, 2) / 2,
            "y": column(0, 1),
            "group": column(0, 1),
            "town": column(0, 3),
            "k": column(1, 3),
        }
    )


def at_risk(frame, **columns):
    columns = {"cluster": "town", "strata": "group", **columns}
    return AtRisk.from_frame(
        frame, entry="entry", exit="exit", event="event", covariates=["x", "y"], **columns
    )


def numbers(fit, table):
    """Return estimates, errors and limits; a table that is refused is no example."""
    try:
        found = fit(table).table
    except EstimationError:
        assume(False)
    return found[["estimate", "std_error", "conf_low", "conf_high"]].to_numpy()


def same(found, wanted, rel=1e-7):
    assert found == pytest.approx(wanted, rel=rel, abs=1e-9, nan_ok=True)


@pytest.mark.parametrize("name", FITS)
@SOME
@given(data=st.data())
def test_a_count_of_k_is_k_rows_and_cells_are_rows(name, data):
    frame = data.draw(rows(from_start=name == "shared_frailty"))
    long = frame.loc[np.repeat(frame.index, frame["k"])]
    whole = numbers(FITS[name], at_risk(long))
    same(numbers(FITS[name], at_risk(frame, count="k")), whole)
    same(numbers(FITS[name], at_risk(long).compress()), whole)


@pytest.mark.parametrize("name", FITS)
@SOME
@given(data=st.data())
def test_order_and_splits_of_rows_change_nothing(name, data):
    frame = data.draw(rows(from_start=name == "shared_frailty"))
    frame = frame.assign(id=np.arange(len(frame)))
    whole = numbers(FITS[name], at_risk(frame, person="id"))
    cut = frame["entry"] + 1
    long = frame["exit"] > cut
    early = frame.assign(exit=cut, event=0)[long]
    split = pd.concat([frame.assign(entry=np.where(long, cut, frame["entry"])), early])
    shuffled = split.sample(frac=1, random_state=1)
    same(numbers(FITS[name], at_risk(shuffled, person="id")), whole)


@SOME
@given(frame=rows())
def test_a_breslow_weight_of_k_is_k_rows(frame):
    def fit(table):
        return cox(table, ties="breslow", robust=False)

    same(numbers(fit, at_risk(frame, weight="k")), numbers(fit, at_risk(frame, count="k")))


@SOME
@given(frame=rows())
def test_an_effect_put_into_the_offset_is_no_longer_found(frame):
    def moved(table):
        return cox(table, offset=0.7 * table.covariates[:, 0] - 0.2 * table.covariates[:, 1], robust=False)

    def plain(table):
        return cox(table, robust=False)

    found, wanted = numbers(moved, at_risk(frame)), numbers(plain, at_risk(frame))
    same(found[:, 0], wanted[:, 0] - [0.7, -0.2])
    same(found[:, 1], wanted[:, 1])


@SOME
@given(frame=rows(), ties=st.sampled_from(TIES))
def test_penalties_never_pass_the_maximum_of_the_likelihood(frame, ties):
    table = at_risk(frame)
    try:
        plain = cox(table, ties=ties).diagnostics["log_likelihood"]
    except EstimationError:
        assume(False)
    for options in ({"ridge": 1.5}, {"firth": True}):
        assert cox(table, ties=ties, **options).diagnostics["log_likelihood"] <= plain + 1e-9


@SOME
@given(frame=rows(from_start=True))
def test_a_shared_factor_never_lowers_the_likelihood(frame):
    try:
        found = shared_frailty(at_risk(frame)).diagnostics
    except EstimationError:
        assume(False)
    assert found["log_likelihood"] >= found["log_likelihood_no_frailty"] - 1e-9
    assert 0 <= found["frailty_p_value"] <= 0.5
    assert 0 <= found["kendall_tau"] < 1
