"""The parameters cell read as Python, and what the command line may put into it."""

import pytest

from evalkit.errors import RunError
from evalkit.run.parameters import fill, parse_parameters, read_parameters

CELL = '''site: str = "analysis/municipalities/hjoerring.yaml"  # the municipality
seed: int = 1  # of "draws # and more"
share: float = 0.5
is_open: bool = False
'''


def test_names_types_defaults_and_meanings_are_read():
    found = parse_parameters(CELL, "effect")
    assert list(found) == ["site", "seed", "share", "is_open"]
    assert (found["seed"].kind, found["seed"].default, found["seed"].meaning) == (int, 1,
                                                                                  'of "draws # and more"')
    assert found["share"].meaning == ""


@pytest.mark.parametrize("line", ["seed = 1", "seed: int", "a, b = 1, 2", "seed: list = []", "print(1)",
                                  "a: str | None = None"])
def test_another_shape_is_refused(line):
    with pytest.raises(RunError, match="line 1: expected name: type = value"):
        parse_parameters(line, "effect")


def test_an_expression_is_no_default():
    with pytest.raises(RunError, match="seed must be a plain value"):
        parse_parameters("seed: int = int('3')", "effect")


def test_exactly_one_cell_is_tagged():
    cell = {"source": CELL, "metadata": {"tags": ["parameters"]}}
    assert read_parameters({"cells": [cell, {"source": "", "metadata": {}}]}, "x")["seed"].default == 1
    for cells in ([], [cell, cell]):
        with pytest.raises(RunError, match="expected one"):
            read_parameters({"cells": cells}, "x")


@pytest.mark.parametrize(("given", "value"), [
    ({"seed": "7"}, 7), ({"seed": 7}, 7), ({"share": "0.25"}, 0.25), ({"share": 1}, 1.0),
    ({"is_open": "true"}, True)])
def test_given_values_take_the_declared_type(given, value):
    name = next(iter(given))
    filled = fill(parse_parameters(CELL, "effect"), given, "effect")
    assert filled[name] == value
    assert type(filled[name]) is type(value)
    assert filled["site"].endswith("hjoerring.yaml")


@pytest.mark.parametrize(("given", "said"), [
    ({"sed": 1}, "sed: no such parameter; did you mean seed?"),
    ({"zzz": 1}, "zzz: no such parameter; valid are site, seed, share, is_open"),
    ({"share": "0,5"}, "share: '0,5' is not float; write for instance share=1.5"),
    ({"seed": "1.5"}, "seed: '1.5' is not int"),
    ({"seed": True}, "seed: True is not int"),
    ({"seed": None}, "seed: None is not int"),
    ({"site": 3}, "site: 3 is not str"),
    ({"is_open": "ja"}, "is_open: 'ja' is not bool"),
])
def test_a_wrong_name_or_type_stops(given, said):
    with pytest.raises(RunError) as caught:
        fill(parse_parameters(CELL, "effect"), given, "effect")
    assert said in str(caught.value)


def test_all_faults_come_at_once():
    with pytest.raises(RunError) as caught:
        fill(parse_parameters(CELL, "effect"), {"sed": 1, "share": "x"}, "effect")
    assert str(caught.value).count("\n- ") == 2
