"""What holds for all that is asked of Cox's model: counts are rows, order and splits change nothing."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from evalkit.atrisk import AtRisk
from evalkit.errors import EstimationError
from evalkit.estimators import (
    concordance,
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


def centred(weeks):
    """Far from a constant, so that few rows still tell x from x times it."""
    return weeks / 3 - 1


def predicted(at_risk, **options):
    return predict_survival(cox(at_risk, **options), PROFILE, weeks=[0.5, 3, 6]).table


QUESTIONS = {
    "steps": lambda t: cox(t, varying={"treated": (3,)}).table,
    "function": lambda t: cox(t, varying={"x": centred}).table,
    "predict": predicted,
    "predict_steps": lambda t: predicted(t, varying={"treated": (3,)}),
    "predict_function": lambda t: predicted(t, varying={"x": centred}),
    "contrasts": lambda t: standardised_contrasts(t, exposure="treated", weeks=3, horizon_weeks=6).table,
    "curve": lambda t: standardised_survival(t, exposure="treated", weeks=[1, 4]).table,
    "proportionality": lambda t: proportionality_test(t).table,
    "concordance": lambda t: concordance(t).table,
}


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


def answer(name, at_risk):
    """Return the table, or the refusal."""
    try:
        return QUESTIONS[name](at_risk)
    except EstimationError:
        return None


def same(one, other):
    assert (one is None) == (other is None)
    if one is not None:
        one, other = (table.reset_index(drop=True) for table in (one, other))
        pd.testing.assert_frame_equal(one, other, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("name", QUESTIONS)
@SOME
@given(frame=frames())
def test_a_count_is_so_many_rows_errors_included(name, frame):
    rows = frame.loc[frame.index.repeat(frame["k"])].assign(person=lambda d: np.arange(len(d)))
    counted = table_of(frame, count="k", person="person")
    same(answer(name, counted), answer(name, table_of(rows, person="person")))


@pytest.mark.parametrize("name", QUESTIONS)
@SOME
@given(frame=frames())
def test_cells_equal_rows(name, frame):
    at_risk = table_of(frame)
    same(answer(name, at_risk), answer(name, at_risk.compress()))


@pytest.mark.parametrize("name", QUESTIONS)
@SOME
@given(frame=frames(), seed=st.integers(0, 99))
def test_the_order_of_rows_changes_nothing(name, frame, seed):
    same(answer(name, table_of(frame)), answer(name, table_of(frame.sample(frac=1, random_state=seed))))


@pytest.mark.parametrize("name", sorted(set(QUESTIONS) - {"proportionality"}))
@SOME
@given(frame=frames())
def test_splitting_rows_changes_nothing(name, frame):
    middle = (frame["entry"] + frame["exit"]) / 2
    first = frame.assign(exit=middle, event=0)
    split = pd.concat([first, frame.assign(entry=middle)], ignore_index=True)
    same(*(answer(name, table_of(part, person="person")) for part in (frame, split)))


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
    table = answer("curve", at_risk)
    if table is None:
        return
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
