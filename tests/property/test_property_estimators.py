"""What changes no answer, of every public function that tells of time to an event."""

import copy
from dataclasses import fields

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import asked
from asked import ARRAYS, INDEPENDENT, QUESTIONS, names, units
from drawn import SOME, frames, rich
from evalkit.errors import EstimationError
from evalkit.estimators import bootstrap
from evalkit.result import COLUMNS, Result

# One number a row that adds up over the rows of a person.
ADDITIVE = {"occupation_influence", "residuals", "residuals, dfbeta"}


def answer(name, at_risk, **options):
    """Return the table or array, or None for a refusal: it must hold for the same inputs as an answer."""
    try:
        result = QUESTIONS[name].ask(at_risk, **options)
    except EstimationError:
        return None
    if isinstance(result, np.ndarray):
        return result
    assert isinstance(result, Result) and tuple(result.table.columns) == COLUMNS
    return result.table


def same(first, second, rtol=1e-6, atol=1e-8):
    assert (first is None) == (second is None)
    if isinstance(first, np.ndarray):
        np.testing.assert_allclose(first, second, rtol=rtol, atol=atol)
    elif first is not None:
        pd.testing.assert_frame_equal(first, second, rtol=rtol, atol=atol)


def copies(frame, number):
    """Repeat every person as a new one."""
    rows = frame.loc[frame.index.repeat(number)]
    copy_number = rows.groupby(level=0).cumcount()
    return rows.assign(person=rows["person"] + 1000 * copy_number)


def split(frame):
    """Cut every interval of two weeks or more after its first week."""
    cut = frame["exit"] - frame["entry"] >= 2
    first = frame[cut].assign(exit=lambda part: part["entry"] + 1, event=None if "state" in frame else 0)
    rest = frame.assign(entry=np.where(cut, frame["entry"] + 1, frame["entry"]))
    return pd.concat([rest, first], ignore_index=True)


def test_every_public_function_is_asked():
    assert not asked.missing(), asked.missing()


@pytest.mark.parametrize("name", names())
@SOME
@given(data=st.data())
def test_a_count_is_so_many_rows(name, data):
    question, frame = QUESTIONS[name], data.draw(frames(QUESTIONS[name]))
    cluster = question.cluster or (
        None if question.function in INDEPENDENT else data.draw(st.sampled_from([None, "team"])))
    counted = answer(name, question.table(frame, count="k", cluster=cluster))
    rows = answer(name, question.table(copies(frame, frame["k"]), cluster=cluster))
    same(np.repeat(counted, frame["k"], axis=0) if isinstance(counted, np.ndarray) else counted, rows)


@pytest.mark.parametrize("name", names())
@SOME
@given(data=st.data())
def test_order_splits_names_and_weights_of_one_change_nothing(name, data):
    question, frame = QUESTIONS[name], data.draw(frames(QUESTIONS[name]))
    whole = answer(name, question.table(frame))
    order = np.random.default_rng(data.draw(st.integers(0, 99))).permutation(len(frame))
    for change, other in {
        "again": question.table(frame),
        "order": question.table(frame.iloc[order]),
        "splits": question.table(split(frame)),
        "weights": question.table(frame.assign(w=1.0), weight="w"),
        "counts": question.table(frame.assign(n=1), count="n"),
        "persons": question.table(frame.assign(person=(7 * frame["person"] % 101).map("æ{}".format))),
        "labels": question.table(labelled(frame)),
    }.items():
        found = answer(name, other)
        if isinstance(whole, np.ndarray) and found is not None:
            wanted = whole[order] if change == "order" else whole
            if change == "splits":
                wanted, found = (summed(values, part["person"]) if name in ADDITIVE else None
                                 for values, part in ((whole, frame), (found, split(frame))))
        else:
            wanted = whole
        try:
            same(wanted, found)
        except AssertionError as error:
            error.add_note(change)
            raise


def labelled(frame):
    """Say in words what codes say."""
    words = frame.assign(group=frame["group"].astype(str))
    return words if "state" in frame else words.assign(event=frame["event"].map({1: "JOB", 2: "STUDY"}))


def summed(values, person):
    return pd.DataFrame(values).groupby(person.to_numpy()).sum().to_numpy()


# Who goes on to where needs the person: refused on cells, which know no persons.
BY_PERSON = {"markov_test", "markov_test, difference", "transition_probabilities, landmark"}


@pytest.mark.parametrize("name", names(*BY_PERSON, functions=ARRAYS))
@SOME
@given(data=st.data())
def test_cells_equal_rows(name, data):
    question, frame = QUESTIONS[name], data.draw(frames(QUESTIONS[name]))
    at_risk = question.table(frame, cluster=None if question.function in INDEPENDENT else "team")
    rows, cells = answer(name, at_risk), answer(name, at_risk.compress())
    if question.data == "movements" and rows is not None and cells is not None:
        # Cells of persons with several rows count rows.
        rows, cells = (table.drop(columns=["n_persons", "n_events"]) for table in (rows, cells))
    same(rows, cells)


# Weights are refused (tests, pseudo-observations, a shared factor), or knots stand where persons do.
UNWEIGHTED = {*INDEPENDENT, *ARRAYS, "pseudo_regression", "royston_parmar", "shared_frailty"}


@pytest.mark.parametrize("name", names(functions=UNWEIGHTED))
@SOME
@given(data=st.data())
def test_a_weight_is_so_many_rows_in_the_estimates_where_ties_are_breslows(name, data):
    question, frame = QUESTIONS[name], data.draw(frames(QUESTIONS[name]))
    options = {"ties": "breslow"} if question.accepts("ties") else {}
    weighted = answer(name, question.table(frame, weight="k"), **options)
    counted = answer(name, question.table(frame, count="k"), **options)
    assert (weighted is None) == (counted is None)
    if counted is not None:
        np.testing.assert_allclose(weighted["estimate"], counted["estimate"], rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("name", [name for name in names() if QUESTIONS[name].accepts("ties")])
@SOME
@given(data=st.data())
def test_efron_is_breslow_without_ties(name, data):
    frame = data.draw(frames(QUESTIONS[name]))
    later = frame["person"] / 128
    at_risk = QUESTIONS[name].table(frame.assign(exit=frame["exit"] + later,
                                                 entry=frame["entry"] + later * (frame["entry"] > 0)))
    same(answer(name, at_risk, ties="efron"), answer(name, at_risk, ties="breslow"))


@pytest.mark.parametrize("name", names("shared_frailty", functions=INDEPENDENT | ARRAYS))
@SOME
@given(data=st.data())
def test_a_cluster_for_every_person_is_none(name, data):
    question, frame = QUESTIONS[name], data.draw(frames(QUESTIONS[name]))
    options = {"robust": True} if question.accepts("robust") else {}
    clustered = question.table(frame, cluster="person")
    same(answer(name, question.table(frame), **options), answer(name, clustered))


# A week is what these count; a share in a day is another model.
IN_WEEKS = {"discrete_hazard", "predict_hazard"}
# Locations on another scale move: test_property_parametric.py.
LOCATED = {"mixture_cure", "parametric", "royston_parmar"}
POWER = {"weeks": 1, "per_week": -1}


@pytest.mark.parametrize("name", names(functions={*IN_WEEKS, "occupation_influence"}))
@SOME
@given(data=st.data(), factor=st.sampled_from([7, 1 / 8]))
def test_another_unit_of_time_changes_what_is_counted_in_it(name, data, factor):
    question, frame = QUESTIONS[name], data.draw(frames(QUESTIONS[name]))
    other = frame.assign(entry=frame["entry"] * factor, exit=frame["exit"] * factor)
    try:
        first = question.ask(question.table(frame))
    except EstimationError:
        with pytest.raises(EstimationError):
            question.scaled(factor).ask(question.table(other))
        return
    second = question.scaled(factor).ask(question.table(other))
    if isinstance(first, np.ndarray):
        same(first, second)
        return
    kept = first.table["term"].str.contains("x") if question.function in LOCATED else slice(None)
    wanted = first.table.assign(time_weeks=first.table["time_weeks"] * factor, term=second.table["term"])
    scale = factor ** np.array([POWER.get(unit, 0.0) for unit in units(first)])
    for column in ("estimate", "std_error", "conf_low", "conf_high"):
        wanted[column] *= scale
    same(wanted[kept], second.table[kept])


@pytest.mark.parametrize("name", names())
def test_nothing_that_is_given_is_changed(name):
    question, frame = QUESTIONS[name], rich(QUESTIONS[name])
    at_risk, before, profiles = question.table(frame), copy.deepcopy(question.options), asked.PROFILES.copy()
    arrays = {spec.name: np.copy(getattr(at_risk, spec.name)) for spec in fields(at_risk)}
    assert answer(name, at_risk) is not None
    for key, value in arrays.items():
        np.testing.assert_array_equal(getattr(at_risk, key), value)
    assert question.options == before
    pd.testing.assert_frame_equal(asked.PROFILES, profiles)


@pytest.mark.parametrize("name", names(functions=ARRAYS))
def test_the_bootstrap_of_anything_is_the_same_for_any_number_of_workers(name):
    question = QUESTIONS[name]
    at_risk = question.table(rich(question))
    options = {"n_replications": 3, "seed": 1, "conf_level": 0.5, "max_failed_share": 0.5}
    one, three = (bootstrap(at_risk, question.ask, n_workers=n, **options) for n in (1, 3))
    pd.testing.assert_frame_equal(one.table, three.table)
