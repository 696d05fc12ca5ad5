"""What holds for every hazard regression and its penalties; what changes nothing is asked of all alike."""

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
