"""Frames as they come from hand and from files: read rightly whatever their types, or refused in words."""

import re

import numpy as np
import pandas as pd
import pytest

from evalkit.atrisk import AtRisk
from evalkit.errors import CohortError
from evalkit.estimators import cox, kaplan_meier

N = 40
COLUMNS = {"exit": "exit", "event": "event", "person": "person", "strata": "group", "covariates": ["x"]}
# A person's value that no message may hold.
TELLING = 7391
NAMES = ("strata", "term", "group", "entry", "week", "weeks", "weights", "intercept", "estimate", "n_persons",
         "event", "person", "_id", "a[b]", "a:b", "alder, køn", "æøåÆØÅ ß", "", "x" * 500, 0)


def people(**columns):
    rng = np.random.default_rng(4)
    frame = pd.DataFrame({"exit": rng.integers(1, 9, N), "event": rng.integers(0, 2, N),
                          "x": rng.normal(size=N).round(1), "group": np.arange(N) % 2,
                          "person": np.arange(N)})
    return frame.assign(**columns)


def table_of(frame, **more):
    return AtRisk.from_frame(frame, **{**COLUMNS, **more})


def numbers(frame, **more):
    """Return a curve and a ratio: what all columns are read for."""
    at_risk = table_of(frame, **more)
    return pd.concat([kaplan_meier(at_risk).table, cox(at_risk).table], ignore_index=True)


def refusal(frame, **more):
    with pytest.raises(CohortError) as caught:
        table_of(frame, **more)
    words = str(caught.value)
    assert str(TELLING) not in words and len(words) > 30
    return words


def labels(frame, none):
    return frame["event"].map({0: none, 1: "1"})


READ = {
    "exit, objects": lambda f: {"exit": f["exit"].astype(object)},
    "exit, two kinds of numbers": lambda f: {"exit": [v + 0.0 if v % 2 else v for v in f["exit"]]},
    "exit, Int64": lambda f: {"exit": f["exit"].astype("Int64")},
    "exit, Float32": lambda f: {"exit": f["exit"].astype("Float32")},
    "exit, sparse": lambda f: {"exit": pd.arrays.SparseArray(f["exit"])},
    "event, floats": lambda f: {"event": f["event"].astype(float)},
    "event, booleans": lambda f: {"event": f["event"].astype(bool)},
    "event, booleans among missing ones": lambda f: {"event": f["event"].astype("boolean")},
    "event, objects": lambda f: {"event": f["event"].astype(object)},
    "event, objects that are booleans": lambda f: {"event": f["event"].astype(bool).astype(object)},
    "event, a category of numbers": lambda f: {"event": f["event"].astype("category")},
    "event, a category of booleans": lambda f: {"event": f["event"].astype(bool).astype("category")},
    "event, labels": lambda f: {"event": labels(f, None)},
    "event, string labels": lambda f: {"event": labels(f, pd.NA).astype("string")},
    "event, a category": lambda f: {"event": labels(f, None).astype("category")},
    "x, objects": lambda f: {"x": f["x"].astype(object)},
    "x, Float64": lambda f: {"x": f["x"].astype("Float64")},
    "group, objects": lambda f: {"group": f["group"].astype(object)},
    "group, text": lambda f: {"group": f["group"].astype(str)},
    "group, a category with an unused level": lambda f: {"group": pd.Categorical(f["group"], [0, 1, 2])},
    "group, Int8": lambda f: {"group": f["group"].astype("Int8")},
    "person, text": lambda f: {"person": "p" + f["person"].astype(str)},
    "person, objects": lambda f: {"person": f["person"].astype(object)},
    "person, Int64": lambda f: {"person": f["person"].astype("Int64")},
    "person, large numbers": lambda f: {"person": f["person"].astype("uint64") + 2**63},
    "person, times": lambda f: {"person": pd.to_datetime(f["person"], unit="D")},
}


@pytest.mark.parametrize("kind", READ)
def test_values_are_read_whatever_type_holds_them(kind):
    frame = people()
    pd.testing.assert_frame_equal(numbers(frame.assign(**READ[kind](frame))), numbers(frame))


def test_the_index_and_its_order_mean_nothing():
    frame = people()
    for other in (frame.set_index(np.zeros(N, dtype=int)), frame.set_index("person", drop=False),
                  frame.set_index(pd.MultiIndex.from_product([["a"], range(N)]))):
        pd.testing.assert_frame_equal(numbers(other), numbers(frame))


@pytest.mark.parametrize("levels", [["a", "b", "c"], ["0", "a", "b"]])
def test_a_level_that_nobody_has_is_no_term(levels):
    frame = people()
    side = np.where(frame["x"] > 0, "b", "a")
    unused = frame.assign(x=pd.Categorical(side, categories=levels))
    assert table_of(unused).terms == ("x[b]",)
    pd.testing.assert_frame_equal(numbers(unused), numbers(frame.assign(x=side)))


@pytest.mark.parametrize("name", NAMES)
def test_a_column_may_have_any_name(name):
    frame = people().rename(columns={"event": "happened", "person": "who", "group": "place"})
    columns = {"event": "happened", "person": "who", "strata": "place", "covariates": [name]}
    renamed = numbers(frame.rename(columns={"x": name}), **columns)
    wanted = numbers(people())
    wanted.loc[wanted["term"] == "x", "term"] = str(name)
    pd.testing.assert_frame_equal(renamed, wanted)


MISREAD = {
    "0 as a label": (lambda f: {"event": f["event"].astype(str)}, {}, "label '0' looks as if"),
    "False as a label": (lambda f: {"event": labels(f, "False")}, {}, "label 'False' looks as if"),
    "no text as a label": (lambda f: {"event": labels(f, "")}, {}, "label '' looks as if"),
    "codes that are numbers of a list": (lambda f: {"event": f["event"] * TELLING}, {}, "codes above 99"),
    "codes too large": (lambda f: {"event": f["event"] * 1e300}, {}, "event: .* are not whole numbers"),
    "codes beyond the causes": (lambda f: {"event": f["event"] * 3}, {"causes": ["JOB", "STUDY"]},
                                "code outside 0..2"),
    "codes with gaps": (lambda f: {"event": f["event"].where(f["person"] > 2).astype("Int64")}, {},
                        "event: 3 of 40 rows are missing"),
    "objects with gaps": (lambda f: {"event": f["event"].astype(object).where(f["person"] > 2, None)}, {},
                          "event: 3 of 40 rows are missing"),
    "a cause named twice": (lambda f: {}, {"causes": ["JOB", "JOB"]}, "causes: 1 names stand twice"),
    "a date of exit": (lambda f: {"exit": pd.Timestamp("2020-01-06")}, {}, "exit: must be numbers.*convert"),
    "a length of time": (lambda f: {"exit": pd.to_timedelta(f["exit"], unit="D")}, {}, "must be numbers"),
    "text": (lambda f: {"exit": f["exit"].astype(str)}, {}, "exit: must be numbers.*convert"),
    "complex numbers": (lambda f: {"exit": f["exit"].astype(complex)}, {}, "must be numbers, found comp"),
    "exits with gaps": (lambda f: {"exit": f["exit"].astype("Int64").where(f["person"] > 1)}, {},
                        "exit: 2 of 40 rows are missing"),
    "covariate with gaps": (lambda f: {"x": (f["x"] > 0).astype("boolean").where(f["person"] > 1)}, {},
                            "x: 2 of 40 rows are missing"),
    "covariate of several kinds": (lambda f: {"x": [TELLING, "a"] * (N // 2)}, {}, "x: .* several kinds"),
    "covariate of lists": (lambda f: {"x": [[TELLING], [2]] * (N // 2)}, {}, "x: .* several kinds"),
    "covariate that is a date": (lambda f: {"x": pd.Timestamp("2020-01-06")}, {}, "x: must be numbers"),
    "covariate named twice": (lambda f: {}, {"covariates": ["x", "x"]}, "covariates: 1 terms stand twice"),
    "group of several kinds": (lambda f: {"group": [1, "1"] * (N // 2)}, {}, "group: .* several kinds"),
    "group without a value": (lambda f: {"group": f["group"].where(f["person"] > 3)}, {},
                              "group: 4 of 40 rows are missing"),
    "groups of one name": (lambda f: {"other": "a, b", "group": ["a", "a, b"] * (N // 2),
                                      "third": ["b, a, b", "a, b"] * (N // 2)},
                           {"strata": ["group", "third"]}, "1 strata are named like another"),
    "person without a value": (lambda f: {"person": f["person"].where(f["person"] > 0)}, {},
                               "person: 1 of 40 rows are missing"),
    "person of two kinds": (lambda f: {"person": [TELLING, "a"] * (N // 2)}, {}, "person.* several kinds"),
    "cluster without a value": (lambda f: {"town": f["group"].where(f["person"] > 4)}, {"cluster": "town"},
                                "town: 5 of 40 rows are missing"),
    "weights that vanish": (lambda f: {"w": 1e-300}, {"weight": "w"}, "w: the largest of 40 rows is below"),
    "a covariate that vanishes": (lambda f: {"x": f["x"] * 1e-300}, {}, "x: the largest of 40 rows is below"),
    "a covariate without bounds": (lambda f: {"x": f["x"] * 1e300}, {}, "x: the largest .* above 1e.100"),
    "times that vanish": (lambda f: {"exit": f["exit"] * 5e-324}, {}, "the largest of 40 rows is below"),
    "times without bounds": (lambda f: {"exit": f["exit"] * 1e300}, {}, "exit: the largest .* above 1e.12"),
    "a weight above all others": (lambda f: {"w": np.where(f["person"] == 3, 1e300, 1.0)}, {"weight": "w"},
                                  "w: the largest of 40 rows .* above 1e.12"),
    "weights that are text": (lambda f: {"w": "1"}, {"weight": "w"}, "w: must be numbers"),
    "more persons than there are": (lambda f: {"k": 10**9}, {"count": "k"}, "k: stands for more than 1e.09"),
    "a count too large to be counted": (lambda f: {"k": 1e300}, {"count": "k"}, "k: .* not whole numbers"),
    "a count of nobody": (lambda f: {"k": 0}, {"count": "k"}, "k: 40 of 40 rows are not above 0"),
}


@pytest.mark.parametrize("fault", MISREAD)
def test_what_would_be_misread_is_refused(fault):
    change, more, words = MISREAD[fault]
    frame = people()
    assert re.search(words, refusal(frame.assign(**change(frame)), **more))


@pytest.mark.parametrize("weight", [1e-300, 5e-324])
def test_a_row_that_weighs_nothing_beside_others_is_as_if_left_out(weight):
    frame = people(w=np.where(np.arange(N) == 3, weight, 1.0))
    kept, left = numbers(frame, weight="w"), numbers(frame.drop(index=3))
    kept = kept.merge(left[["term", "group", "time_weeks"]])
    np.testing.assert_allclose(kept["estimate"], left["estimate"], rtol=1e-9)


@pytest.mark.parametrize("name", ["exit", "event", "person", "group", "x"])
def test_two_columns_of_one_name_are_refused(name):
    frame = people()
    assert f"several columns are named {name}" in refusal(pd.concat([frame, frame[[name]]], axis=1))


def test_an_unused_column_may_stand_twice():
    frame = people(note=1)
    twice = pd.concat([frame, frame[["note"]]], axis=1)
    pd.testing.assert_frame_equal(numbers(twice), numbers(frame))


def test_names_in_two_levels_are_refused():
    frame = people()
    frame.columns = pd.MultiIndex.from_product([frame.columns, ["value"]])
    assert "2 levels of names" in refusal(frame)


@pytest.mark.parametrize("frame", [people().head(0), pd.DataFrame({name: [] for name in people()})])
def test_an_empty_frame_is_refused(frame):
    assert "no rows" in refusal(frame)


def test_a_frame_without_columns_is_refused():
    assert "no column exit" in refusal(pd.DataFrame())


@pytest.mark.parametrize("gone", [2.0, 2, pd.NA])
def test_states_may_be_numbers_whatever_missing_values_make_of_them(gone):
    rows = pd.DataFrame({"p": [1, 1, 2], "entry": [0, 2, 0], "exit": [2, 5, 5], "state": [1, 2, 1],
                         "event": [2 if gone is pd.NA else gone, None, None]})
    columns = {"entry": "entry", "exit": "exit", "event": "event", "state": "state", "person": "p"}
    at_risk = AtRisk.from_frame(rows, **columns)
    assert at_risk.causes == ("1", "2")
    assert (at_risk.event.tolist(), at_risk.state.tolist()) == ([2, 0, 0], [1, 2, 1])
    with pytest.raises(CohortError, match="label '0' looks as if"):
        AtRisk.from_frame(rows.assign(event=[2, 0, 0]), **columns)


def test_a_lone_name_is_one_name():
    assert table_of(people(), causes="JOB").causes == ("JOB",)
    assert table_of(people(size=1.5).assign(size=people()["x"]), covariates="size").terms == ("size",)


def test_a_frame_of_objects_is_not_changed():
    frame = people().astype(object)
    before = frame.copy(deep=True)
    table_of(frame)
    pd.testing.assert_frame_equal(frame, before)
