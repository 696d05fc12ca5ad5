"""AtRisk: what it refuses, what it counts, and the way to lifelines and back."""

import dataclasses
import pickle

import numpy as np
import pandas as pd
import pytest
from lifelines import CoxPHFitter

from evalkit import cohort, contract
from evalkit.atrisk import AtRisk
from evalkit.errors import CohortError
from evalkit.estimators import cox
from evalkit.weeks import week_of

PLAIN = {"exit": "exit", "event": "event"}


def frame(**columns):
    return pd.DataFrame({"exit": [3.0, 5.0, 8.0], "event": [1, 0, 1], **columns})


@pytest.mark.parametrize(
    ("columns", "arguments", "fault"),
    [
        ({"exit": [3, np.nan, 8]}, {}, "exit: 1 of 3 rows are missing"),
        ({"exit": [3, np.inf, 8]}, {}, "exit: 1 of 3 rows are infinite"),
        ({"exit": [3, 0, 8]}, {}, "1 rows end at or before they begin"),
        ({"exit": ["a", "b", "c"]}, {}, "exit: must be numbers"),
        ({"exit": pd.to_datetime(["2015-01-05"] * 3)}, {}, "exit: must be numbers, found datetime64"),
        ({"event": [1, np.nan, 0]}, {}, "event: 1 of 3 rows are missing"),
        ({"event": [1, 0.5, 0]}, {}, "event: 1 of 3 rows are not whole numbers"),
        ({"event": [1, 3, 0]}, {"causes": ["JOB", "STUDY"]}, "event: 1 rows have a code outside 0..2"),
        (
            {"event": ["JOB", None, "WORK"]},
            {"causes": ["JOB"]},
            "event: 1 rows have a label that causes does not",
        ),
        ({"entry": [-1, 0, 0]}, {"entry": "entry"}, "1 rows enter before time zero"),
        ({"entry": [3, 0, 0]}, {"entry": "entry"}, "1 rows end at or before they begin"),
        ({"w": [1, 0, -2]}, {"weight": "w"}, "w: 2 of 3 rows are not above 0"),
        ({"w": [1, np.nan, 2]}, {"weight": "w"}, "w: 1 of 3 rows are missing"),
        ({"k": [1, 1.5, 2]}, {"count": "k"}, "k: 1 of 3 rows are not whole numbers"),
        ({"x": [1, np.nan, np.inf]}, {"covariates": ["x"]}, "x: 1 of 3 rows are infinite"),
        ({"x": ["a", None, "b"]}, {"covariates": ["x"]}, "x: 1 of 3 rows are missing"),
        ({"x": ["a", "a", "a"]}, {"covariates": ["x"]}, "x: the same in all 3 rows"),
        ({"g": ["a", None, "b"]}, {"strata": "g"}, "g: 1 of 3 rows are missing"),
        ({"p": ["a", None, "b"]}, {"person": "p"}, "p: 1 of 3 rows are missing"),
        ({"p": ["a", "b", "b"]}, {"person": "p"}, "intervals overlap for 1 persons"),
        (
            {"p": ["a", "b", "b"], "entry": [0, 0, 5], "k": [1, 2, 3]},
            {"person": "p", "entry": "entry", "count": "k"},
            "count varies for 1 persons",
        ),
        ({"s": ["A", None, "B"], "event": ["B", None, "A"]}, {"state": "s"}, "s: 1 rows name no state"),
        (
            {"p": [1, 2, 2], "entry": [0, 0, 5], "s": ["A", "A", "B"], "event": ["B", None, None]},
            {"person": "p", "entry": "entry", "state": "s"},
            "1 persons go on in another state",
        ),
    ],
)
def test_from_frame_names_the_fault(columns, arguments, fault):
    with pytest.raises(CohortError) as caught:
        AtRisk.from_frame(frame(**columns), **{**PLAIN, **arguments})
    assert fault in str(caught.value)


def test_from_frame_reports_all_faults_at_once():
    with pytest.raises(CohortError) as caught:
        rows = frame(exit=[3, np.nan, 8], w=[0, 1, 1], x=[1, np.inf, 2])
        AtRisk.from_frame(rows, **PLAIN, weight="w", covariates=["x"])
    assert all(column in str(caught.value) for column in ("exit: 1", "w: 1", "x: 1"))


def test_from_frame_of_nobody_points_to_the_attrition_table():
    with pytest.raises(CohortError, match="no rows.*attrition"):
        AtRisk.from_frame(frame().iloc[:0], **PLAIN)


def test_from_frame_names_a_missing_column():
    with pytest.raises(CohortError, match="no column wekes"):
        AtRisk.from_frame(frame(), exit="wekes", event="event")


def test_a_message_holds_no_value():
    with pytest.raises(CohortError) as caught:
        AtRisk.from_frame(frame(p=["7391", "7391", "7391"]), **PLAIN, person="p")
    assert "7391" not in str(caught.value)


def test_several_clocks_of_a_person_are_told_apart_by_episode():
    at_risk = AtRisk.from_frame(frame(p=[1, 1, 1], e=[1, 2, 3]), **PLAIN, person="p", episode="e")
    assert (at_risk.n_rows, at_risk.n_persons) == (3, 1)


@pytest.mark.parametrize(
    "event",
    [
        [True, False, True],
        [1.0, 0.0, 1.0],
        pd.array([1, 0, 1], dtype="Int64"),
        pd.array([True, False, True], dtype="boolean"),
    ],
)
def test_events_may_be_booleans_or_numbers(event):
    at_risk = AtRisk.from_frame(frame(event=event), **PLAIN)
    assert at_risk.event.tolist() == [1, 0, 1] and at_risk.causes == ("1",)


def test_labels_become_causes_sorted_or_in_the_order_of_the_category():
    labels = ["STUDY", None, "JOB"]
    assert AtRisk.from_frame(frame(event=labels), **PLAIN).causes == ("JOB", "STUDY")
    category = pd.Categorical(labels, categories=["STUDY", "JOB"])
    assert AtRisk.from_frame(frame(event=category), **PLAIN).event.tolist() == [1, 0, 2]


def test_categories_become_indicators_of_every_level_but_the_first():
    at_risk = AtRisk.from_frame(frame(g=["b", "c", "a"], age=[30, 40, 50]), **PLAIN, covariates=["g", "age"])
    assert at_risk.terms == ("g[b]", "g[c]", "age")
    assert at_risk.covariates.tolist() == [[1, 0, 30], [0, 1, 40], [0, 0, 50]]


def test_strata_of_two_columns_are_named_by_both():
    at_risk = AtRisk.from_frame(frame(sex=["F", "M", "F"], place=[1, 1, 2]), **PLAIN, strata=["sex", "place"])
    assert at_risk.strata_labels == ("F, 1", "F, 2", "M, 1")


def test_counts_are_persons_and_events():
    at_risk = AtRisk.from_frame(frame(k=[2, 3, 4]), **PLAIN, count="k")
    assert (at_risk.n_rows, at_risk.n_persons, at_risk.n_events) == (3, 9, 6)


def test_a_person_with_a_count_stands_for_that_many_persons():
    rows = frame(p=[1, 2, 2], entry=[0, 0, 5], k=[3, 2, 2])
    assert AtRisk.from_frame(rows, **PLAIN, entry="entry", person="p", count="k").n_persons == 5


def test_compress_counts_equal_rows_and_keeps_what_differs():
    rows = pd.DataFrame({"exit": [5, 5, 5, 8], "event": [1, 1, 1, 0], "sex": list("FFMF"), "k": [1, 2, 4, 8]})
    cells = AtRisk.from_frame(rows, **PLAIN, covariates=["sex"], count="k").compress()
    assert sorted(cells.count.tolist()) == [3, 4, 8] and cells.person is None


def test_the_frame_is_not_changed_and_the_arrays_are_frozen():
    rows = frame(g=["a", "b", "a"])
    before = rows.copy(deep=True)
    at_risk = AtRisk.from_frame(rows, **PLAIN, strata="g", covariates=["g"])
    pd.testing.assert_frame_equal(rows, before)
    with pytest.raises(ValueError, match="read-only"):
        at_risk.exit[0] = 9
    with pytest.raises(dataclasses.FrozenInstanceError):
        at_risk.exit = None


def test_person_rows_are_never_pickled_and_not_shown():
    at_risk = AtRisk.from_frame(frame(p=["x1", "x2", "x3"]), **PLAIN, person="p")
    with pytest.raises(TypeError, match="never pickled"):
        pickle.dumps(at_risk)
    assert "x1" not in repr(at_risk)


def test_to_frame_and_back_is_the_same():
    rows = frame(p=[1, 2, 2], entry=[0, 0, 5], g=["u", "v", "v"], w=[1.5, 2, 2], x=[1.0, 2.0, 4.0])
    first = AtRisk.from_frame(
        rows, **PLAIN, entry="entry", person="p", strata="g", weight="w", covariates=["x"]
    )
    back = AtRisk.from_frame(
        first.to_frame(ids=True),
        **PLAIN,
        entry="entry",
        person="person",
        strata="strata",
        weight="weights",
        covariates=["x"],
    )
    for spec in dataclasses.fields(AtRisk):
        np.testing.assert_array_equal(getattr(first, spec.name), getattr(back, spec.name))


def test_a_frame_holds_what_a_model_takes_and_ids_only_when_asked():
    rows = frame(p=[1, 2, 3], c=[7, 7, 9], week=[1305, 1306, 1307], k=[1, 2, 3], x=[1.0, 2.0, 4.0])
    plain = AtRisk.from_frame(rows, **PLAIN, person="p", cluster="c", calendar="week", covariates=["x"])
    assert list(plain.to_frame()) == ["entry", "exit", "event", "x"]
    assert set(plain.to_frame(ids=True)) - set(plain.to_frame()) == {"person", "cluster", "calendar"}
    counted = AtRisk.from_frame(rows, **PLAIN, count="k")
    assert counted.to_frame()["weights"].tolist() == [1, 2, 3]


def test_of_several_causes_one_is_the_event_and_must_be_named():
    at_risk = AtRisk.from_frame(frame(event=["STUDY", None, "JOB"]), **PLAIN)
    assert at_risk.to_frame(cause="JOB")["event"].tolist() == [0, 0, 1]
    assert at_risk.to_frame(cause="STUDY")["event"].tolist() == [1, 0, 0]
    with pytest.raises(CohortError, match="no cause named, expected one of JOB, STUDY"):
        at_risk.to_frame()
    with pytest.raises(CohortError, match="no cause 'JOBS', expected one of JOB, STUDY"):
        at_risk.to_frame(cause="JOBS")


def test_states_occupied_come_by_name():
    rows = pd.DataFrame(
        {"p": [1, 1], "entry": [0, 2], "exit": [2, 5], "s": ["ON", "OFF"], "event": ["OFF", None]}
    )
    names = {"entry": "entry", "exit": "exit", "event": "event"}
    given = AtRisk.from_frame(rows, **names, state="s", person="p").to_frame(cause="OFF", ids=True)
    assert given["state"].tolist() == ["ON", "OFF"]
    assert given["event"].tolist() == [1, 0]


def assert_same_model(at_risk, cause=None, **options):
    """Fit in lifelines, in the two lines of the README, and in evalkit: Efron's ties, the same likelihood."""
    frame = at_risk.to_frame(cause=cause)
    fitter = CoxPHFitter().fit(frame, duration_col="exit", event_col="event", entry_col="entry",
                               fit_options={"precision": 1e-12}, **options)
    own = cox(at_risk, cause=cause, ties="efron", robust=False).table.set_index("term")
    assert list(fitter.params_.index) == list(own.index)
    np.testing.assert_allclose(own["estimate"], fitter.params_, rtol=0, atol=1e-6)
    np.testing.assert_allclose(own["std_error"], fitter.standard_errors_, rtol=0, atol=1e-6)


def test_a_lifelines_model_is_two_lines_away():
    rng = np.random.default_rng(2)
    n = 300
    late = rng.uniform(size=n) < 0.5
    rows = pd.DataFrame(
        {"entry": late * rng.integers(0, 5, n), "x": rng.normal(size=n), "g": rng.integers(0, 2, n)}
    )
    rows["exit"] = rows["entry"] + 1 + np.floor(rng.exponential(20, n))
    rows["event"] = rng.integers(0, 2, n)
    at_risk = AtRisk.from_frame(rows, **PLAIN, entry="entry", strata="g", covariates=["x"])
    assert_same_model(at_risk, strata="strata")


def test_a_real_cohort_is_two_lines_from_lifelines(example_site):
    tables = contract.read(example_site.sources)
    spells = cohort.spells(tables)
    start = week_of(example_site.programme_start)
    states = {"cash": ["CASH_BENEFIT_READY", "CASH_BENEFIT_ACTIVITY"], "sick": ["SICKNESS_BENEFIT"]}
    people = cohort.inflow(tables, spells, states=states, window=(start - 100, start + 100))
    at_risk = cohort.follow.to_exit(people, spells, covariates=["age", "target_group"],
                                    cluster="municipality")
    assert not at_risk.entry.any()
    assert (at_risk.event > 1).any(), "exits of another kind, which must not count as the event"
    assert_same_model(at_risk, cause="SELF_SUFFICIENT")
    with pytest.raises(CohortError, match="no cause named"):
        at_risk.to_frame()
