"""What goes wrong in a hazard regression or at its door: named, counted, with the way out, no value shown."""

import numpy as np
import pandas as pd
import pytest

from evalkit.atrisk import AtRisk
from evalkit.errors import CohortError, EstimationError
from evalkit.estimators import cox, shared_frailty
from evalkit.estimators.cox import maximise


def people(n=80, seed=2, **columns):
    rng = np.random.default_rng(seed)
    entry = rng.integers(0, 3, n)
    return pd.DataFrame(
        {
            "entry": entry,
            "exit": entry + rng.integers(1, 20, n),
            "event": rng.integers(0, 2, n),
            "x": rng.normal(size=n),
            "y": rng.normal(size=n),
            "town": np.arange(n) % 8,
            **columns,
        }
    )


def at_risk(frame=None, covariates=("x", "y"), **columns):
    frame = people() if frame is None else frame
    return AtRisk.from_frame(
        frame, entry="entry", exit="exit", event="event", covariates=list(covariates), **columns
    )


def with_one(column, value):
    frame = people().astype({column: object if isinstance(value, str) else float})
    frame.loc[7, column] = value
    return frame


@pytest.mark.parametrize(
    ("frame", "columns", "said"),
    [
        (people().iloc[:0], {}, "no rows.*attrition"),
        (with_one("exit", 0.0), {}, "1 rows end at or before they begin"),
        (with_one("entry", -1.0), {}, "1 rows enter before time zero"),
        (with_one("exit", np.nan), {}, "exit: 1 of 80 rows are missing"),
        (with_one("event", np.nan), {}, "event: 1 of 80 rows are missing"),
        (with_one("x", np.nan), {}, "x: 1 of 80 rows are missing"),
        (with_one("y", np.inf), {}, "y: 1 of 80 rows are infinite"),
        (people(w=[0.0] * 3 + [1.0] * 77), {"weight": "w"}, "w: 3 of 80 rows are not above 0"),
        (people(w=[-1.0] + [1.0] * 79), {"weight": "w"}, "w: 1 of 80 rows are not above 0"),
        (people(w=[np.nan] * 2 + [1.0] * 78), {"weight": "w"}, "w: 2 of 80 rows are missing"),
        (people(k=[1.5] + [1] * 79), {"count": "k"}, "k: 1 of 80 rows are not whole numbers"),
        (people(event=[3] + [1] * 79), {"causes": ["JOB", "STUDY"]}, "1 rows have a code outside 0..2"),
        (people(id=[0, 0] + list(range(2, 80)), entry=0), {"person": "id"},
         "intervals overlap for 1 persons"),
        (with_one("town", np.nan), {"strata": "town"}, "town: 1 of 80 rows are missing"),
        (with_one("town", np.nan), {"cluster": "town"}, "town: 1 of 80 rows are missing"),
    ],
)
def test_a_table_that_is_wrong_is_refused_with_column_and_count(frame, columns, said):
    with pytest.raises(CohortError, match=said):
        at_risk(frame, **columns)


def test_everything_wrong_is_said_at_once():
    frame = with_one("x", np.nan).assign(exit=0)
    with pytest.raises(CohortError, match=r"(?s)x: 1 of 80 rows are missing.*80 rows end at or before"):
        at_risk(frame)


@pytest.mark.parametrize("fit", [cox, shared_frailty])
def test_without_events_there_is_no_model(fit):
    with pytest.raises(EstimationError, match="no event among 80 persons"):
        fit(at_risk(people(event=0), cluster="town"))


def test_without_covariates_there_is_no_cox_model():
    with pytest.raises(EstimationError, match=r"no covariates.*covariates="):
        cox(at_risk(covariates=(), cluster="town"))


@pytest.mark.parametrize("fit", [cox, shared_frailty])
def test_constant_and_collinear_covariates_are_named(fit):
    frame = people(entry=0, one=1.0).assign(sum=lambda d: d["x"] + 2 * d["y"])
    with pytest.raises(EstimationError, match="one: constant among the persons at risk"):
        fit(at_risk(frame, ("x", "one"), cluster="town"))
    with pytest.raises(EstimationError, match="sum is a combination of x, y; leave one of them out"):
        fit(at_risk(frame, ("x", "y", "sum"), cluster="town"))


@pytest.mark.parametrize("ties", ["efron", "breslow"])
def test_separation_names_the_covariate_and_firth_and_firth_answers(ties):
    frame = people(entry=0).assign(course=lambda d: d["event"])
    table = at_risk(frame, ("course", "x"))
    with pytest.raises(EstimationError, match=r"cox: course: separates.*firth=True"):
        cox(table, ties=ties)
    row = cox(table, ties=ties, firth=True).table.iloc[0]
    assert 0 < row["conf_low"] < row["estimate"] < row["conf_high"] < np.inf


def test_separation_far_beyond_the_range_of_numbers_is_still_named():
    """Hazards that fall below the smallest number before the information does."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"a": rng.normal(size=60), "b": rng.normal(size=60), "entry": 0})
    score = frame["a"] + frame["b"]
    frame["event"] = (score > 0).astype(int)
    frame["exit"] = np.where(frame["event"] == 1, np.argsort(np.argsort(-score)) + 1, 100)
    with pytest.raises(EstimationError, match="cox: a, b: separates"):
        cox(at_risk(frame, ("a", "b")))


def test_no_convergence_shows_the_last_gradient_and_what_to_try(monkeypatch):
    monkeypatch.setattr(maximise, "MAX_STEPS", 1)
    with pytest.raises(EstimationError, match=r"no convergence in 1 steps; last gradient .*x -?\d.*leave"):
        cox(at_risk())
    with pytest.raises(EstimationError, match="shared_frailty: no convergence in 1 steps"):
        shared_frailty(at_risk(people(entry=0), cluster="town"))


def test_an_offset_must_be_a_number_of_every_row():
    with pytest.raises(ValueError, match="must have one value for each of 80 rows"):
        cox(at_risk(), offset=[1.0])
    with pytest.raises(EstimationError, match="offset: 2 of 80 rows are missing or infinite"):
        cox(at_risk(), offset=np.array([np.nan, np.inf] + [0.0] * 78))


def test_a_ridge_names_terms_that_there_are():
    with pytest.raises(EstimationError, match="ridge names z, no terms of the model; terms are x, y"):
        cox(at_risk(), ridge={"z": 1})
    for wrong in (-1, np.inf, {"x": np.nan}):
        with pytest.raises(ValueError, match="ridge == .*finite and not negative"):
            cox(at_risk(), ridge=wrong)


def test_one_cluster_carries_no_error_and_few_are_said():
    with pytest.raises(EstimationError, match="1 cluster; errors between clusters need at least 2"):
        cox(at_risk(people(town=1), cluster="town"))
    with pytest.warns(UserWarning, match="^cox: 2 clusters for 2 terms"):
        few = cox(at_risk(people(town=np.arange(80) % 2), cluster="town")).diagnostics
    assert np.isnan(few["wald_p_value"])


def test_a_stratum_without_events_and_ten_thousand_strata_are_fine():
    frame = people(400)
    frame.loc[frame["town"] == 3, "event"] = 0
    fit = cox(at_risk(frame, strata="town"))
    assert fit.diagnostics["strata_with_events"] == 7
    rest = cox(at_risk(frame[frame["town"] != 3], strata="town"))
    assert fit.model["estimates"] == pytest.approx(rest.model["estimates"], rel=1e-12)
    many = people(30_000).assign(g=np.arange(30_000) // 3)
    assert np.isfinite(cox(at_risk(many, strata="g")).table["std_error"]).all()


@pytest.mark.parametrize("ties", ["efron", "breslow"])
@pytest.mark.parametrize(("factor", "shift"), [(1e9, 0.0), (1e-12, 0.0), (1.0, 1e4), (1e9, 1e12)])
def test_huge_and_tiny_covariates_give_the_same_answer(factor, shift, ties):
    # Whole numbers, so that the shifted covariate holds all that the plain one does.
    frame = people().assign(x=lambda d: (4 * d["x"]).round())
    plain = cox(at_risk(frame), ties=ties)
    moved = cox(at_risk(frame.assign(x=frame["x"] * factor + shift)), ties=ties)
    assert moved.model["estimates"] * [factor, 1] == pytest.approx(plain.model["estimates"], rel=1e-9)
    errors = moved.table["std_error"].to_numpy() * [factor, 1]
    assert errors == pytest.approx(plain.table["std_error"].to_numpy(), rel=1e-9)
    assert moved.diagnostics["log_likelihood"] == pytest.approx(plain.diagnostics["log_likelihood"],
                                                                rel=1e-12)


@pytest.mark.parametrize("factor", [1e9, 1e-12])
def test_penalised_and_shared_models_scale_too(factor):
    frame = people(entry=0)
    big = frame.assign(x=frame["x"] * factor)
    for fit in (lambda table: cox(table, ridge=3), lambda table: cox(table, firth=True), shared_frailty):
        plain, moved = (fit(at_risk(data, cluster="town")) for data in (frame, big))
        found = moved.model["estimates"] * [factor, 1]
        assert found == pytest.approx(plain.model["estimates"], rel=1e-7)


def test_times_off_the_weekly_grid_are_right():
    frame = people()
    exact = frame.assign(entry=frame["entry"] * 0.37, exit=frame["exit"] * 0.37)
    plain, moved = cox(at_risk(frame)), cox(at_risk(exact))
    assert moved.model["estimates"] == pytest.approx(plain.model["estimates"], rel=1e-12)
    assert moved.model["baseline_time"] == pytest.approx(plain.model["baseline_time"] * 0.37, rel=1e-12)


def test_all_events_in_one_week_and_an_early_risk_set_of_one_are_answered():
    assert np.isfinite(cox(at_risk(people(entry=0, exit=5))).table["std_error"]).all()
    first = people()
    first.loc[0, ["entry", "exit", "event"]] = [0, 1, 1]
    first.loc[1:, "entry"] += 1
    first.loc[1:, "exit"] += 1
    fit = cox(at_risk(first))
    assert fit.model["baseline_time"][0] == 1
    # Who leaves alone says nothing about covariates.
    assert fit.model["estimates"] == pytest.approx(cox(at_risk(first.iloc[1:])).model["estimates"], rel=1e-9)


def test_shared_frailty_refuses_what_its_likelihood_does_not_hold():
    with pytest.raises(EstimationError, match=r"enter late.*selected by the frailty.*use cox"):
        shared_frailty(at_risk(cluster="town"))
    with pytest.raises(EstimationError, match=r"0 groups.*cluster="):
        shared_frailty(at_risk(people(entry=0)))
    with pytest.raises(EstimationError, match="1 groups, at least 2"):
        shared_frailty(at_risk(people(entry=0, town=1), cluster="town"))
    with pytest.raises(EstimationError, match="weights other than 1"):
        shared_frailty(at_risk(people(entry=0, w=2.0), cluster="town", weight="w"))


def test_rows_that_go_on_are_no_late_entry():
    frame = people(40, entry=0, id=np.arange(40), exit=np.arange(2, 42))
    first, second = frame.assign(exit=1, event=0), frame.assign(entry=1)
    split = pd.concat([first, second]).sort_values(["id", "entry"])
    whole = shared_frailty(at_risk(frame, cluster="town"))
    parts = shared_frailty(at_risk(split, cluster="town", person="id"))
    assert parts.model["estimates"] == pytest.approx(whole.model["estimates"], rel=1e-7)
    with pytest.raises(EstimationError, match="1 of 79 rows enter late"):
        shared_frailty(at_risk(split.iloc[1:], cluster="town", person="id"))


def test_no_message_shows_a_persons_value():
    frame = people(exit=123456.75, entry=0, event=1)
    frame["x"] = np.where(np.arange(80) == 3, 987654.25, 1.0)
    frame["event"] = (frame["x"] > 2).astype(int)
    with pytest.raises(EstimationError) as refused:
        cox(at_risk(frame, ("x",)))
    assert "987654" not in str(refused.value) and "123456" not in str(refused.value)


def test_a_ridge_that_leaves_the_separating_term_free_is_no_way_out():
    frame = people(entry=0).assign(course=lambda d: d["event"])
    table = at_risk(frame, ("course", "x"))
    with pytest.raises(EstimationError, match="course: separates"):
        cox(table, ridge={"x": 1.0})
    assert np.isfinite(cox(table, ridge=1.0).table["std_error"]).all()
