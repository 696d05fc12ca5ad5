"""Charts: every form is drawn, in both languages, from released rows only."""

import re
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from evalkit.disclosure import release
from evalkit.reports.alt import describe
from evalkit.reports.charts import chart
from evalkit.reports.layout import inches, row_places, spread, week_step
from evalkit.reports.series import panels
from evalkit.reports.strings import load

sys.path.insert(0, str(Path(__file__).parents[1] / "export"))
from released_examples import RULES, results  # noqa: E402

STRINGS = load()
FORMS = {"survival": "curve", "states": "curve", "goal_1": "interval", "hazards": "interval", "in_job": "bars",
         "answers": "bars", "net": "bars", "panel": "series"}


@pytest.fixture(scope="module")
def payloads():
    return {name: release(result, RULES, name=name).payload for name, result in results().items()}


@pytest.mark.parametrize(("name", "form"), FORMS.items())
@pytest.mark.parametrize("language", ["da", "en"])
def test_drawing_is_one_named_svg(name, form, language, payloads):
    drawing = chart(payloads[name], STRINGS, language, prefix="p1", form=form)
    root = ElementTree.fromstring(drawing)
    assert root.attrib["role"] == "img"
    assert [child.tag for child in root[:2]] == ["title", "desc"]
    assert all(found.startswith("p1-") for found in re.findall(r'\bid="([^"]+)"', drawing))
    assert not re.search(r"<!--|metadata|DejaVu|xlink|http", drawing)


def test_drawing_is_the_same_every_time(payloads):
    drawn = {chart(payloads["survival"], STRINGS, "da", prefix="p", form="curve") for _ in range(2)}
    assert len(drawn) == 1


def test_nothing_is_drawn_of_nothing(payloads):
    assert chart(payloads["held"], STRINGS, "da", prefix="p", form="interval") == ""
    assert chart(payloads["attrition"], STRINGS, "da", prefix="p") == ""


def test_suppressed_row_is_named_and_has_no_mark(payloads):
    drawing = chart(payloads["in_job"], STRINGS, "da", prefix="p", form="bars")
    assert "for få" in drawing
    assert drawing.count(" til ") == 6, "three intervals, each in the drawing and in its description"


def test_alt_text_holds_the_main_numbers(payloads):
    text = describe(payloads["goal_1"], STRINGS, "da", "interval")
    assert "Uge 104: −6,4 (−11,8 til −1,0)." in text
    text = describe(payloads["survival"], STRINGS, "en", "curve")
    assert re.search(r"Programme municipality: from 100\.0% in week 0 to \d\d\.\d% in week 10\d\.", text)


def test_many_lines_become_panels(payloads):
    assert [len(panel.lines) for panel in panels(payloads["states"], STRINGS, "da")] == [2] * 5
    assert [len(panel.lines) for panel in panels(payloads["survival"], STRINGS, "da")] == [2]


def test_layout_arithmetic():
    assert spread([1.0, 1.0, 1.0], [0.2, 0.2, 0.2]) == pytest.approx([1.0, 1.2, 1.4])
    assert [week_step(span, 9) for span in (30, 104, 156, 400)] == [4, 13, 26, 52]
    assert inches(["abc", "a\nabcde"]) == pytest.approx(5 * inches(["a"]))
    assert row_places([("a", "", None), ("b", "", None)]) == [(0.0, "a"), (1.0, "b")]
