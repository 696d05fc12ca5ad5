"""Charts: every form is drawn, in both languages, from released rows only."""

import re
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from released_examples import RULES, results

from evalkit.disclosure import release
from evalkit.reports.alt import describe
from evalkit.reports.charts import chart
from evalkit.reports.layout import inches, row_places, spread, week_step
from evalkit.reports.series import Row, items, panels
from evalkit.reports.strings import Strings, load
from evalkit.result import tidy

STRINGS = load()
FORMS = {"survival": "curve", "states": "curve", "goal_1": "interval", "hazards": "interval",
         "in_job": "bars",
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
    assert "Uge 104: −6,4\u00a0uger (−11,8 til −1,0)." in text
    assert text.startswith("Punkter med intervaller.")
    assert "Aksen viser" not in text, "the common texts name no axis for it"
    text = describe(payloads["survival"], STRINGS, "en", "curve")
    assert re.search(r"Programme municipality: from 100\.0% in week 0 to \d\d\.\d% in week 10\d\.", text)


def test_many_lines_become_panels(payloads):
    assert [len(panel.lines) for panel in panels(payloads["states"], STRINGS, "da")] == [2] * 5
    assert [len(panel.lines) for panel in panels(payloads["survival"], STRINGS, "da")] == [2]


def test_layout_arithmetic():
    assert spread([1.0, 1.0, 1.0], [0.2, 0.2, 0.2]) == pytest.approx([1.0, 1.2, 1.4])
    assert [week_step(span, 9) for span in (30, 104, 156, 400)] == [4, 13, 26, 52]
    assert inches(["abc", "a\nabcde"]) == pytest.approx(5 * inches(["a"]))
    assert row_places([Row("a", "", None), Row("b", "", None)]) == ([(0.0, "a"), (1.0, "b")], [])


def saying(name, **entry):
    return Strings(STRINGS.labels, {name: entry})


def test_weeks_of_a_term_stand_under_its_name_and_the_secondary_last():
    result = results()["goal_1"]
    table = pd.concat([result.table.assign(term="narrow"), result.table], ignore_index=True)
    payload = release(replace(result, table=table), RULES, name="goal_1").payload
    rows = items(payload, saying("goal_1", lighter=["narrow"]), "en")
    assert [(row.heading, row.label, row.light) for row in rows[2:4]] == [
        ("Weeks on support", "Week 104", False), ("narrow", "Week 26", True)]
    drawing = chart(payload, saying("goal_1", lighter=["narrow"]), "en", prefix="p", form="interval")
    assert drawing.count(">narrow<") == 1


def test_goal_is_drawn_where_its_number_is_known(payloads):
    goal = {"at": "d.n_inflow", "times": -0.01, "da": "Målet {d.n_inflow:0}", "en": "The goal {d.n_inflow:0}"}
    told = saying("goal_1", goals=[goal, goal | {"at": "d.unknown", "en": "nothing"}])
    drawing = chart(payloads["goal_1"], told, "en", prefix="p", form="interval")
    assert drawing.count("The goal 1,205") == 1
    assert "nothing" not in drawing


@pytest.mark.parametrize(("numbers", "shown"),
                         [([1200.0] * 20, 0), (np.linspace(1200, 300, 20).round(-1), 1)])
def test_persons_followed_are_written_only_where_they_fall(numbers, shown):
    table = tidy(term="s", time_weeks=np.arange(20) * 5, estimate=np.linspace(1, 0.3, 20), n_persons=numbers)
    payload = release(replace(results()["survival"], table=table), RULES, name="survival").payload
    assert chart(payload, STRINGS, "en", prefix="p", form="curve").count("Persons followed") == shown


def test_money_is_in_millions_throughout_once_one_value_is(payloads):
    drawing = chart(payloads["net"], STRINGS, "da", prefix="p", form="bars")
    assert ">41,2 (12,0 til 70,0)<" in drawing
    assert "(mio. kr.)" in drawing


def test_drawing_says_in_itself_what_it_rests_on(payloads):
    assert ">Simulerede tal<" in chart(payloads["goal_1"], STRINGS, "da", prefix="p", form="interval")
    assert ">Real figures<" in chart(payloads["panel"], STRINGS, "en", prefix="p", form="series")


def test_groups_differ_in_shape_as_well_as_colour(payloads):
    drawing = chart(payloads["answers"], STRINGS, "en", prefix="p", form="bars")
    assert all(len(re.findall(shape, drawing)) == 3 for shape in "●■")
