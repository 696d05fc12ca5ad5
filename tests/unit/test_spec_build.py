"""Raw YAML to frozen objects: every fault named, with its path, all at once."""

import datetime as dt
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

import pytest

from evalkit.errors import SpecError
from evalkit.spec.build import FrozenMapping, Range, Text, build
from evalkit.spec.reading import content_hash, read_yaml


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    start: Annotated[int, Range(-520, 0)]
    end: int

    def __post_init__(self):
        if self.end <= self.start:
            raise ValueError("end must come after start")


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    title: Text
    pre: Window
    share: Annotated[float, Range(0, 1)] = 0.5
    kind: Literal["inflow", "stock"] = "inflow"
    horizons: tuple[int, ...] = (26, 52)
    pair: tuple[int, str] = (1, "a")
    begins: dt.date | None = None
    folder: Path = Path("data")
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    windows: tuple[Window, ...] = ()
    is_open: bool = False


GOOD = {"title": {"da": "Titel", "en": "Title"}, "pre": {"start": -208, "end": -104}}


def built(**changes):
    return build(Study, {**GOOD, **changes}, where="study.yaml")


def faults(**changes):
    with pytest.raises(SpecError) as caught:
        built(**changes)
    return str(caught.value)


def test_every_type_is_read():
    study = built(share=1, kind="stock", horizons=[26], pair=[2, "b"], begins=dt.date(2015, 1, 5),
                  folder="out",
                  groups={"cash": ["A", "B"]}, windows=[{"start": -1, "end": 3}], is_open=True)
    assert study.pre == Window(start=-208, end=-104)
    assert (study.share, study.kind, study.horizons, study.pair) == (1.0, "stock", (26,), (2, "b"))
    assert (study.begins, study.folder, study.is_open) == (dt.date(2015, 1, 5), Path("out"), True)
    assert study.groups == {"cash": ("A", "B")}
    assert study.windows[0].end == 3


def test_defaults_hold():
    assert built().horizons == (26, 52)


@pytest.mark.parametrize(("changes", "said"), [
    ({"shar": 0.3}, "shar: unknown key; did you mean share?"),
    ({"pre": {"start": -208, "end": -104, "wash": 1}}, "pre.wash: unknown key"),
    ({"pre": {"start": -208}}, "pre.end: missing; expected a whole number"),
    ({"pre": {"start": -600, "end": 0}},
     "pre.start: -600 is out of range; expected a whole number from -520 to 0"),
    ({"pre": {"start": -208, "end": "-104"}}, "pre.end: expected a whole number, found a text"),
    ({"pre": {"start": -10, "end": -20}}, "pre: end must come after start"),
    ({"pre": [1, 2]}, "pre: expected keys and values, found a list"),
    ({"share": "0,5"}, "share: expected a number, found a text; a decimal point is written 0.5"),
    ({"share": 1.01}, "out of range"),
    ({"share": True}, "share: expected a number, found true or false"),
    ({"kind": "stok"}, "kind: 'stok' is not one of the choices; did you mean stock?"),
    ({"horizons": 26}, "horizons: expected a list, found a whole number"),
    ({"horizons": [26, 52.5]}, "horizons[1]: expected a whole number, found a number"),
    ({"pair": [1]}, "pair: expected 2 values, found 1"),
    ({"begins": "2015-01-05"}, "begins: expected a date, found a text; write 2015-01-05 without quotes"),
    ({"groups": {"cash": "A"}}, "groups.cash: expected a list, found a text"),
    ({"is_open": "yes"}, "is_open: expected true or false, found a text"),
    ({"title": {"da": "Titel"}}, "title.en: missing"),
    ({"title": {"da": "Titel", "en": ""}}, "title.en: expected a text, found an empty text"),
    ({"title": {"da": "T", "en": "T", "de": "T"}}, "title.de: unknown key"),
])
def test_one_fault_says_where_and_what(changes, said):
    assert said in faults(**changes)


def test_all_faults_come_at_once_and_name_the_file():
    text = faults(shar=1, kind="x", pre={"start": 1, "end": 2})
    assert text.startswith("study.yaml:\n")
    assert text.count("\n- ") == 3


def test_computed_fields_are_no_keys():
    @dataclass(frozen=True)
    class Named:
        n: int
        sha256: str

    assert build(Named, {"n": 1}, where="x", computed={"sha256": "abc"}).sha256 == "abc"
    with pytest.raises(SpecError, match="sha256: unknown key"):
        build(Named, {"n": 1, "sha256": "forged"}, where="x", computed={"sha256": "abc"})


def test_a_mapping_never_changes_and_is_plain_json():
    groups = built(groups={"cash": ["A"]}).groups
    assert isinstance(groups, FrozenMapping)
    with pytest.raises(TypeError):
        groups["cash"] = ()
    with pytest.raises(TypeError):
        groups.update(x=1)
    assert json.loads(json.dumps(groups)) == {"cash": ["A"]}


def written(tmp_path, text):
    path = tmp_path / "study.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


@pytest.mark.parametrize(("text", "said"), [
    ("a: 1\na: 2\n", "line 2: the key a stands twice"),
    ("a:\n  b: 1\n  b: 2\n", "line 3: the key b stands twice"),
    ("a: [1\n", "line"),
    ("- a\n", "expected keys and values, found a list"),
    ("", "expected keys and values, found no keys"),
    ("a: Hjørring".encode("latin-1"), "not UTF-8"),
])
def test_a_broken_file_is_refused_with_its_name(tmp_path, text, said):
    with pytest.raises(SpecError) as caught:
        read_yaml(written(tmp_path, text))
    assert "study.yaml" in str(caught.value)
    assert said in str(caught.value)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(SpecError, match=r"nowhere\.yaml: no such file"):
        read_yaml(tmp_path / "nowhere.yaml")


def test_a_byte_order_mark_does_no_harm(tmp_path):
    assert read_yaml(written(tmp_path, "\ufeffa: 1\n")) == {"a": 1}


def test_the_hash_is_of_the_content_not_of_the_layout(tmp_path):
    first = read_yaml(written(tmp_path, "a: 1\nb: [2015-01-05, x]  # why\n"))
    second = read_yaml(written(tmp_path, "b:\n  - 2015-01-05\n  - x\na: 1\n"))
    assert content_hash(first) == content_hash(second)
    assert content_hash(first) != content_hash({**first, "a": 2})
