"""What holds for all that is asked of Cox's model; what changes nothing is asked of all alike."""

import numpy as np
import pandas as pd
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from evalkit.atrisk import AtRisk
from evalkit.errors import EstimationError
from evalkit.estimators import (
    cox,
    nelson_aalen,
    predict_survival,
    proportionality_test,
    residuals,
    standardised_contrasts,
    standardised_survival,
)

SOME = settings(max_examples=12, deadline=None, derandomize=True,
                suppress_health_check=[HealthCheck.too_slow])
COLUMNS = {"entry": "entry", "exit": "exit", "event": "event", "strata": "group"}
PROFILE = pd.DataFrame({"x": [0.4], "treated": [1.0]})


@st.composite
def frames(draw):
    """Weekly rows with ties, late entry, two groups, two covariates, and a last row in each group."""
    n = draw(st.integers(16, 40))
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    entry = rng.integers(0, 4, n) * (rng.uniform(size=n) < 0.3)
    frame = pd.DataFrame({"entry": entry, "exit": entry + rng.integers(1, 9, n),
                          "event": rng.integers(0, 2, n), "x": rng.integers(-2, 3, n) / 2,
                          "treated": rng.integers(0, 2, n), "group": np.arange(n) % 2})
    frame.loc[[0, 1], ["entry", "exit", "event"]] = [0, 14, 0]
    return frame.assign(person=np.arange(n), k=rng.integers(1, 4, n))


def table_of(frame, **more):
    return AtRisk.from_frame(frame, **{**COLUMNS, **more}, covariates=["x", "treated"])


def same(one, other):
    assert (one is None) == (other is None)
    if one is not None:
        one, other = (table.reset_index(drop=True) for table in (one, other))
        pd.testing.assert_frame_equal(one, other, rtol=1e-6, atol=1e-8)


@SOME
@given(frame=frames())
def test_another_unit_of_time_changes_times_only(frame):
    days = frame.assign(entry=frame["entry"] * 7, exit=frame["exit"] * 7)
    for kind in ("rank", "km", "identity"):
        def tested(at_risk, kind=kind):
            return proportionality_test(at_risk, transform=kind).table
        same(*(refusal(tested, table_of(part)) for part in (frame, days)))

    def means(scale):
        def ask(at_risk):
            answer = standardised_contrasts(at_risk, exposure="treated", horizon_weeks=6 * scale)
            return answer.table[["estimate", "std_error"]] / scale
        return ask
    same(refusal(means(1), table_of(frame)), refusal(means(7), table_of(days)))


def refusal(ask, at_risk):
    try:
        return ask(at_risk)
    except EstimationError:
        return None


@SOME
@given(frame=frames())
def test_residuals_of_counted_rows_are_those_of_each_copy(frame):
    assume(refusal(cox, table_of(frame, count="k")) is not None)
    rows = frame.loc[frame.index.repeat(frame["k"])]
    for kind in ("martingale", "deviance", "score", "dfbeta", "schoenfeld"):
        counted = residuals(table_of(frame, count="k"), kind=kind)
        each = residuals(table_of(rows), kind=kind)
        np.testing.assert_allclose(np.repeat(counted, frame["k"], axis=0), each, rtol=1e-6, atol=1e-8)


@SOME
@given(frame=frames())
def test_standardised_shares_lie_between_those_of_extreme_persons(frame):
    at_risk = table_of(frame)
    found = refusal(lambda t: standardised_survival(t, exposure="treated", weeks=[1, 4]), at_risk)
    if found is None:
        return
    table = found.table
    assert table["estimate"].between(0, 1).all()
    for _, curve in table.groupby("group"):
        assert (np.diff(curve["estimate"]) <= 1e-12).all()
    x = pd.DataFrame({"x": [-1.0, 1.0], "treated": [1, 1]})
    both = predict_survival(cox(at_risk), x, weeks=4).table.query("time_weeks == 4")["estimate"]
    mean = table.query("group == '1' and time_weeks == 4")["estimate"].iloc[0]
    assert both.min() - 1e-9 <= mean <= both.max() + 1e-9


@SOME
@given(frame=frames())
def test_hazards_without_covariates_effects_give_the_nelson_aalen_curve(frame):
    doubled = pd.concat([frame.assign(x=1.0, treated=0), frame.assign(x=0.0, treated=0)], ignore_index=True)
    at_risk = AtRisk.from_frame(doubled, **COLUMNS, covariates=["x"])
    fit = refusal(lambda t: cox(t, ties="breslow"), at_risk)
    if fit is None:
        return
    curve = predict_survival(fit, pd.DataFrame({"x": [0.7]}), quantity="cumulative_hazard").table
    plain = nelson_aalen(AtRisk.from_frame(doubled, **COLUMNS)).table
    np.testing.assert_allclose(curve.groupby("group")["estimate"].last().to_numpy(),
                               plain.groupby("group")["estimate"].last().to_numpy(), rtol=1e-7, atol=1e-12)
