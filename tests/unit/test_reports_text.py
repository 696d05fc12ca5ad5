"""Numbers and sentences in two languages."""

import pytest

from evalkit.reports.strings import Strings, load
from evalkit.reports.text import condition, fill, find_row, in_unit, million, number, percent, sentence

COMMON = load()
COLUMNS = ["term", "group", "time_weeks", "estimate", "std_error", "conf_low", "conf_high", "p_value",
           "n_persons", "n_events"]


def payload(*rows, kind="model", unit="weeks", withheld="", **diagnostics):
    cells = [[row.get(name, "" if name in ("term", "group") else None) for name in COLUMNS] for row in rows]
    return {"name": "goal", "kind": kind, "withheld": withheld, "columns": COLUMNS, "rows": cells,
            "estimand": {"name": "goal", "unit": unit, "horizon_weeks": "104"}, "diagnostics": diagnostics,
            "profile": {"min_n": "5"}}


def speaking(*sentences, rows=None):
    entry = {"rows": rows or {"effect": {"term": "weeks"}}, "sentences": list(sentences)}
    return Strings(COMMON.labels, {"goal": entry})


@pytest.mark.parametrize(("value", "decimals", "danish", "english"), [
    ("1234567.891", 2, "1.234.567,89", "1,234,567.89"), ("-0.25", 1, "−0,3", "−0.3"),
    ("2.675", 2, "2,68", "2.68"),
    ("-0.04", 1, "0,0", "0.0"), (None, 1, "–", "–"), (12, 0, "12", "12")])
def test_number(value, decimals, danish, english):
    assert number(value, decimals, "da") == danish
    assert number(value, decimals, "en") == english


def test_per_cent_and_millions():
    assert percent("0.125", 1, "da") == "12,5\u00a0%"
    assert percent("0.125", 0, "en") == "13%"
    assert million("12400000", 1, "da") == "12,4\u00a0mio.\u00a0kr."
    assert in_unit("0.61", "share", "da") == "61\u00a0%"
    assert in_unit("0.612", "share", "da") == "61,2\u00a0%"
    assert in_unit("412000", "dkk", "en") == "412,000"


@pytest.mark.parametrize(("low", "high", "unit", "expected"), [
    ("0.1", "2", "weeks", "positive"), ("-2", "-0.1", "weeks", "negative"), ("-1", "1", "weeks", "unclear"),
    ("0.5", "0.9", "ratio", "negative"), ("1.1", "2", "ratio", "positive"),
    (None, None, "weeks", "otherwise")])
def test_condition(low, high, unit, expected):
    row = {"term": "weeks", "estimate": "1", "conf_low": low, "conf_high": high, "n_persons": "50"}
    assert condition(payload(row, unit=unit), row) == expected


def test_sentence_takes_the_first_that_holds_and_fills_it():
    row = {"term": "weeks", "estimate": "-6.43", "conf_low": "-11.8", "conf_high": "-1.04",
           "n_persons": "2410"}
    strings = speaking(
        {"when": "positive", "da": "flere", "en": "more"},
        {"when": "negative", "en": "fewer",
         "da": "{effect.estimate:|1} færre ({effect.conf_low:1} til {effect.conf_high:+1}), "
               "{effect.n_persons:n}, {d.share:%0}, {d.deep.gain:+mio1}, {e.horizon_weeks:0}"})
    told = sentence(payload(row, share="0.2", deep={"gain": "2500000"}), strings, "da")
    assert told == "6,4 færre (−11,8 til −1,0), 2.410, 20\u00a0%, +2,5\u00a0mio.\u00a0kr., 104"
    assert sentence(payload(row), strings, "en") == "Fewer"


def test_withheld_and_suppressed_never_reach_otherwise():
    strings = speaking({"when": "otherwise", "da": "svar {effect.estimate:1}",
                        "en": "answer {effect.estimate:1}"})
    held = sentence(payload(withheld="pre_period"), strings, "en")
    assert held.startswith("The number is withheld")
    assert "answer" not in sentence(payload({"term": "weeks"}), strings, "en")
    assert "5" in sentence(payload(), strings, "da")


def test_withheld_for_lack_of_data_names_the_tables():
    told = sentence(payload(withheld="missing_tables", missing_tables=["person", "activity"]), speaking(),
                    "en")
    named = ", ".join(COMMON.label(table, "en") for table in ("person", "activity"))
    assert named != "person, activity"
    assert told == f"The number is withheld: the data for the question were not delivered ({named})."


def test_sentence_may_ask_a_diagnostic():
    strings = speaking({"when": "not d.n_broken", "da": "ingen", "en": "none"},
                       {"when": "d.is_ok", "da": "godt", "en": "fine"},
                       {"when": "otherwise", "da": "skidt", "en": "bad"})
    row = {"term": "weeks", "estimate": "1", "n_persons": "50"}
    told = [sentence(payload(row, **found), strings, "en") for found in (
        {"n_broken": "0", "is_ok": True}, {"n_broken": "3", "is_ok": True},
        {"n_broken": "3", "is_ok": False})]
    assert told == ["None", "Fine", "Bad"]


def test_sentence_may_leave_out_another_row_that_is_suppressed():
    strings = speaking({"when": "partly", "da": "kun {a.estimate:0}", "en": "only {a.estimate:0}"},
                       {"when": "otherwise", "da": "{a.estimate:0} og {b.estimate:0}",
                        "en": "{a.estimate:0} and {b.estimate:0}"},
                       rows={"a": {"term": "a"}, "b": {"term": "b"}})
    shown = [{"term": term, "estimate": value, "n_persons": value} for term,
             value in (("a", "7"), ("b", "9"))]
    assert sentence(payload(*shown), strings, "en") == "7 and 9"
    assert sentence(payload(shown[0], {"term": "b"}), strings, "en") == "Only 7"
    assert "not shown" in sentence(payload({"term": "a"}, shown[1]), strings, "en")


def test_row_of_a_curve_is_the_last_step_before_the_time():
    steps = [{"term": "s", "time_weeks": week, "estimate": value} for week,
             value in (("0", "1"), ("7", "0.9"), ("20", "0.8"))]
    assert find_row(payload(*steps, kind="curve"), {"term": "s", "time_weeks": 13})["estimate"] == "0.9"
    assert find_row(payload(*steps, kind="model"), {"term": "s", "time_weeks": 13}) is None
    assert find_row(payload(*steps), {"time_weeks": "last"})["estimate"] == "0.8"


def test_a_wave_is_found_by_its_order_and_a_second_one_may_be_missing():
    """Rows of another term do not count: a site names its waves itself."""
    waves = [{"term": "b", "group": "2011"}, {"term": "a", "group": "2019"}, {"term": "a", "group": "2017"}]
    told = payload(*waves)
    assert find_row(told, {"term": "a", "group": "first"})["group"] == "2017"
    assert find_row(told, {"term": "a", "group": "second"})["group"] == "2019"
    assert find_row(told, {"term": "b", "group": "second"}) is None


def test_unknown_code_is_an_error():
    with pytest.raises(ValueError, match="unknown format code"):
        fill("{e.horizon_weeks:x9}", payload(), {}, COMMON, "da")


def test_labels_are_put_together_from_their_parts():
    assert COMMON.label("sex[M]", "da") == "Køn: Mænd"
    assert COMMON.label("F, total", "en") == "Women, Total"
    assert COMMON.label("2015Q1", "da") == "1. kvartal 2015"
    assert COMMON.label({"da": "egen", "en": "own"}, "en") == "own"
    assert COMMON.label("Hjørring", "da") == "Hjørring"
