"""Tables and answers as a reader meets them: units, what is said once, groups side by side."""

import re

import pytest

from evalkit.reports.answer import answer_html
from evalkit.reports.strings import load
from evalkit.reports.tables import table

STRINGS = load()
COLUMNS = ["term", "group", "time_weeks", "estimate", "std_error", "conf_low", "conf_high", "p_value",
           "n_persons", "n_events"]


def payload(*rows, unit="weeks", kind="model"):
    cells = [[row.get(name, "" if name in ("term", "group") else None) for name in COLUMNS] for row in rows]
    return {"name": "found", "kind": kind, "withheld": "", "columns": COLUMNS, "rows": cells,
            "diagnostics": {},
            "estimand": {"name": "found", "unit": unit}, "profile": {"min_n": "5", "rounding_base": "5"},
            "suppressed": {"n_cells": 0, "rules": {}}, "provenance": {"options": {}, "rests_on": ["real"]}}


def cells(html):
    rows = re.findall(r"<tr>(.*?)</tr>", html)
    return [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row) for row in rows]


def test_unit_stands_in_the_header_where_all_rows_share_it():
    shown = cells(table(payload({"term": "a", "estimate": "5.50"}, {"term": "b", "estimate": "2.00"}),
                        STRINGS, "en", caption="t"))
    assert shown == [["Measure", "Value (weeks)"], ["a", "5.5"], ["b", "2.0"]]


def test_unit_stands_at_each_number_where_rows_differ():
    mixed = payload({"term": "a", "estimate": "5.50"}, {"term": "b", "estimate": "1435"},
                    unit={"a": "weeks", "b": "persons"})
    shown = cells(table(mixed, STRINGS, "da", caption="t"))
    assert shown == [["Mål", "Værdi"], ["a", "5,5\u00a0uger"], ["b", "1.435\u00a0personer"]]


def test_what_every_row_says_is_said_once_below():
    rows = [{"term": term, "estimate": value, "time_weeks": "104", "n_persons": "14695"} for term,
            value in (("a", "1"), ("b", "2"))]
    html = table(payload(*rows), STRINGS, "en", caption="t")
    assert [len(row) for row in cells(html)] == [2, 2, 2]
    assert html.count("14,695") == 1
    assert html.count("week 104") == 1


def test_groups_of_one_number_stand_side_by_side():
    rows = [{"term": term, "group": group, "estimate": value} for term, group, value in (
        ("a", "F", "1"), ("b", "F", "2"), ("c", "F", "3"), ("a", "M", "4"), ("b", "M", None))]
    shown = cells(table(payload(*rows, unit=""), STRINGS, "en", caption="t"))
    assert shown == [["Measure", "Women", "Men"], ["a", "1", "4"], ["b", "2", "–"], ["c", "3", "–"]]


def test_interval_stands_in_brackets_and_persons_of_a_line_in_a_column():
    rows = [{"term": term, "group": group, "estimate": "5.5", "n_persons": n}
            for term, n in (("a", "120"), ("b", "340")) for group in "FM"]
    rows[0] |= {"conf_low": "1.0", "conf_high": "9.0"}
    html = table(payload(*rows), STRINGS, "en", caption="t")
    assert cells(html)[1:] == [["a", "5.5 (1.0 to 9.0)", "5.5", "120"], ["b", "5.5", "5.5", "340"]]
    assert "In brackets: 95% confidence interval." in html


def test_persons_of_each_number_keep_a_long_table():
    rows = [{"term": term, "group": group, "estimate": "5.5", "n_persons": n}
            for (term, group), n in zip((("a", "F"), ("a", "M"), ("b", "F"), ("b", "M")),
                                        ("10", "20", "30", "40"),
                                          strict=True)]
    assert cells(table(payload(*rows), STRINGS, "en", caption="t"))[0] == ["Measure", "Group",
                                                                           "Value (weeks)", "Persons"]


def test_unit_of_groups_side_by_side_is_said_below():
    rows = [{"term": term, "group": group, "estimate": "4500000"} for term in "ab" for group in "FM"]
    html = table(payload(*rows, unit="dkk"), STRINGS, "en", caption="t")
    assert cells(html)[1] == ["a", "4.5", "4.5"]
    assert "Numbers are in DKK million." in html
    danish = table(payload(*rows, unit="dkk"), STRINGS, "da", caption="t")
    assert "Tallene er i mio. kr.<" in danish


def test_decimals_are_the_same_down_a_column():
    shown = cells(table(payload({"term": "a", "estimate": "0.22"}, {"term": "b", "estimate": "0.20"},
                                unit="per_1000"),
                        STRINGS, "en", caption="t"))
    assert [row[1] for row in shown[1:]] == ["0.22", "0.20"]


@pytest.mark.parametrize(("text", "first"), [
    ("Målet er nået. Det var 52 uger.", "Målet er nået."),
    ("Det er nr. 2 i størrelse. Mere kan ikke siges.", "Det er nr. 2 i størrelse."),
    ("Fra 2. kvartal 2010 til 3. kvartal. Ja.", "Fra 2. kvartal 2010 til 3. kvartal."),
    ("69 % får en analyse. 45 % begynder.", "69 % får en analyse."),
    ("Det kostede 5 mio. kr. I 2019 var det 2.", "Det kostede 5 mio. kr."),
    ("Kort svar: 5 uger.", "Kort svar: 5 uger."), ("", "")])
def test_first_sentence_stands_out(text, first):
    found = re.match(r"<strong>(.*?)</strong>", answer_html(text))
    assert (found[1] if found else "") == first


def test_answer_is_escaped_and_its_interval_stands_back():
    assert answer_html("a < b (1 til 2).") == "<strong>a &lt; b <span>(1 til 2)</span>.</strong>"
