"""No number of a sentence is typed in: when the numbers of the result change, those of its text do.

A result's text is its title, answer, caveat and the text alternative of its figure. Each is made twice: from
what was released, and from the same payload with every number moved far away, on its own side of "no effect",
so that the same sentence is chosen. A number that stays was written by hand.
"""

import datetime as dt
import functools
import html
import json
import re
from dataclasses import replace
from types import MappingProxyType

import pytest

from evalkit import reports, spec
from evalkit.files import package_data
from evalkit.reports.alt import describe
from evalkit.reports.page import _caveat
from evalkit.reports.strings import Strings
from evalkit.reports.text import number, reference_of, rows_of, sentence, title_of, unit_of
from evalkit.result import COLUMNS

NOTEBOOKS = sorted(path.stem for path in package_data("notebooks").glob("*.ipynb"))
LANGUAGES = ("da", "en")
# Odd in every place that a format shows: per cent, units and millions.
FAR = 37_311_113.37
NUMBER = re.compile(r"(?<![\w])\d+(?:[.,]\d+)*")
PLAIN = re.compile(r"-?\d+(\.\d+)?")
# What a text may say in digits of its own: the level of every interval, and the rule of 225 hours.
CONSTANTS = {"95", "225"}
_STUDY = spec.load_study("analysis/effect.yaml")
# And by result: which goal it is, what the study says the goal is, per how many inhabitants the study counts,
# the usual bound of Cronbach's alpha, and the ends of a scale.
TYPED = {"goal_1": (1,), "goal_2": (2, _STUDY.goals.extra_persons), "time_to_exit": (1,),
         "goal_3": (3, round(_STUDY.goals.net_dkk_a_year / 10**6)), "reliability": (0.7,)}
TYPED |= {f"panel_{name}_{part}": (measure.per_inhabitants,)
          for name, measure in _STUDY.panel.measures.items() for part in ("rates", "sensitivity", "series")}
TYPED |= dict.fromkeys(("ratings", "change", "unweighted_change", "scales", "both_sides"), (1, 5))


@functools.cache
def bundle(folder):
    return [json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json"))]


def moved(value, nothing=0.0, downwards=False):
    """Move a decimal text away from the value that means "nothing", and from its own digits."""
    if not isinstance(value, str) or not PLAIN.fullmatch(value):
        return value
    down = float(value) < nothing or (downwards and float(value) == nothing)
    decimals = len(value.partition(".")[2])
    return f"{float(value) + (-FAR if down else FAR):.{max(decimals, 2) if decimals else 0}f}"


def moved_row(payload, row):
    nothing = reference_of(unit_of(payload, row["term"]))
    ours = {name: moved(row[name], nothing, name == "conf_low")
            for name in ("estimate", "conf_low", "conf_high")}
    rest = {name: moved(row[name]) for name in row if name not in (*ours, "term", "group")}
    rest |= {name: moved_date(row[name]) for name in ("term", "group")}
    return [(row | ours | rest)[name] for name in payload["columns"]]


def moved_facts(value, keep=()):
    """Move the numbers of nested facts; a zero that a sentence asks for stays zero."""
    if isinstance(value, dict):
        return {key: one if key in keep and one in ("0", 0) else moved_facts(one)
                for key, one in value.items()}
    if isinstance(value, list):
        return [moved_facts(one) for one in value]
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value + round(FAR)
    return moved_date(moved(value)) if isinstance(value, str) else value


def moved_date(text):
    """Move a day, month, quarter, half or year (one of the parts of a name, too) to a later one."""
    if ", " in text:
        return ", ".join(map(moved_date, text.split(", ")))
    if re.fullmatch(r"\d{4}-\d\d-\d\d", text):
        return str(dt.date.fromisoformat(text) + dt.timedelta(days=61 * 365 + 90))
    found = re.fullmatch(r"(\d{4})([HQM]?)(\d*)", text)
    if not found or bool(found[2]) != bool(found[3]):
        return text
    year, unit, part = found.groups()
    if not unit:
        return f"{int(year) + 61}"
    in_year = {"H": 2, "Q": 4, "M": 12}[unit]
    later = int(year) * in_year + int(part) - 1 + 61 * in_year + 1
    return f"{later // in_year}{unit}{later % in_year + 1:0{len(part)}d}"


def moved_payload(payload, strings):
    asked = {choice["when"].removeprefix("not ").removeprefix("d.")
             for choice in strings.result(payload["name"]).get("sentences") or ()}
    facts = {part: moved_facts(payload[part], asked) for part in ("diagnostics", "estimand", "profile")}
    return payload | facts | {"rows": [moved_row(payload, row) for row in rows_of(payload)]}


def moved_strings(strings):
    """Let the rows that sentences name be found at the moved weeks."""
    def selector(one):
        weeks = one.get("time_weeks")
        found = {key: moved_date(str(one[key])) for key in ("term", "group") if key in one}
        return {**one, **found, "time_weeks": weeks if weeks in (None, "last") else moved(f"{weeks}")}

    results = {name: {**entry, "rows": {key: selector(one) for key, one in (entry.get("rows") or {}).items()}}
               for name, entry in strings.results.items()}
    return replace(strings, results=MappingProxyType(results))


def texts(payload, strings, language):
    """Return the texts that a reader meets around a result, by kind."""
    entry, title = strings.result(payload["name"]), title_of(payload, strings, language)
    form = entry.get("chart") or ("curve" if payload["kind"] == "curve" else "none")
    alt = "" if form == "none" else describe(payload, strings, language, form).replace(title, "")
    return {"title": title, "answer": sentence(payload, strings, language),
            "caveat": _caveat(payload, entry, strings, language),
            "alt": alt and without_rest(alt, payload, strings, language)}


def without_rest(text, payload, strings, language):
    """Leave out how many more values a figure has: it counts rows, which do not move."""
    for n in range(len(payload["rows"]) + 1):
        text = text.removesuffix(strings.say("alt_more", language, n=n))
    return text


def names_in(payload, strings, language):
    """Return numbers that are part of a name: 18-29 years, a track, an item of a questionnaire."""
    keys = {row[name] for row in rows_of(payload) for name in ("term", "group")}
    keys |= strings_of(payload["diagnostics"])
    parts = {part for key in keys for part in key.split(", ") if moved_date(part) == part}
    return {found for part in parts for found in NUMBER.findall(strings.label(part, language))}


def may_be_typed(strings, name, language):
    """Return the constants, and numbers by which the catalogue itself looks up the rows that it names."""
    rows = (strings.result(name).get("rows") or {}).values()
    weeks = {str(one["time_weeks"]) for one in rows if "time_weeks" in one}
    keys = [strings.label(one[key], language) for one in rows for key in ("term", "group") if key in one]
    typed = {number(value, len(str(value).partition(".")[2]), language) for value in TYPED.get(name, ())}
    return CONSTANTS | weeks | typed | {found for key in keys for found in NUMBER.findall(key)}


def strings_of(value):
    if isinstance(value, dict):
        return set().union(*map(strings_of, value.values()))
    if isinstance(value, list):
        return set().union(*map(strings_of, value))
    return {value} if isinstance(value, str) and not PLAIN.fullmatch(value) else set()


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", NOTEBOOKS)
@pytest.mark.parametrize("example", ["example_run", "second_run"])
def test_every_number_of_a_text_comes_from_its_own_result(example, name, language, request):
    strings = reports.load(name)
    typed = []
    for payload in bundle(request.getfixturevalue(example).out / "bundle" / name):
        before = texts(payload, strings, language)
        after = texts(moved_payload(payload, strings), moved_strings(strings), language)
        allowed = names_in(payload, strings, language) | may_be_typed(strings, payload["name"], language)
        typed += [(payload["name"], kind, found, before[kind]) for kind in before
                  for found in stayed(before[kind], after[kind]) if found not in allowed]
    assert not typed, "\n".join(map(str, typed))


def stayed(before, after):
    """Return the numbers of a text that are the same, in the same place, after everything moved."""
    numbers = [NUMBER.findall(text) for text in (before, after)]
    assert len(numbers[0]) == len(numbers[1]), f"another sentence was chosen:\n{before}\n{after}"
    return [old for old, new in zip(*numbers, strict=True) if old == new]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", NOTEBOOKS)
def test_no_text_has_a_number_typed_into_it(name, language):
    """Also in the sentences that the example does not choose."""
    strings = reports.load(name)
    typed = [(result, text, found) for result, entry in strings.results.items()
             for text in written(entry, language)
             for found in NUMBER.findall(re.sub(r"\{[^{}]*\}", "", text))
             if found not in may_be_typed(strings, result, language)]
    assert not typed, "\n".join(map(str, typed))


def written(entry, language):
    texts = [entry.get(key, "") for key in ("title", "axis", "caveat")] + list(entry.get("sentences") or ())
    return [text[language] for text in texts if text]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", NOTEBOOKS)
def test_the_page_says_these_texts_and_no_others(example_run, name, language):
    strings = reports.load(name)
    page = (example_run.out / language / f"{name}.html").read_text(encoding="utf-8")
    known = [texts(payload, strings, language) for payload in bundle(example_run.out / "bundle" / name)]
    said = {"answer": set(), "caveat": set(), "title": set()}
    for tag, mark, kind in (("p", r' class="answer[^"]*"', "answer"), ("figcaption", "", "caveat"),
                            ("p", ' class="caveat"', "caveat"), ("h3", r" id=[^>]*", "title")):
        said[kind] |= {html.unescape(re.sub("<[^<>]*>", "", text))
                       for text in re.findall(rf"<{tag}{mark}>(.*?)</{tag}>", page, re.DOTALL)}
    for kind in said:
        assert said[kind] == {one[kind] for one in known} - {""}, kind


def test_a_number_typed_into_a_sentence_is_found():
    entry = {"rows": {"it": {"term": "n"}}, "title": {"en": "N"}, "chart": "none",
             "sentences": [{"when": "otherwise", "en": "{it.estimate:0} of 12, {d.n_all:0} in all in 2015"}]}
    strings = Strings(labels=MappingProxyType({}), results=MappingProxyType({"x": entry}))
    row = dict.fromkeys(COLUMNS) | {"term": "n", "group": "", "estimate": "7"}
    payload = {"name": "x", "kind": "counts", "withheld": "", "estimand": {}, "diagnostics": {"n_all": "40"},
               "profile": {}, "columns": list(row), "rows": [list(row.values())]}
    before = texts(payload, strings, "en")["answer"]
    assert before == "7 of 12, 40 in all in 2015"
    after = texts(moved_payload(payload, strings), moved_strings(strings), "en")["answer"]
    assert stayed(before, after) == ["12", "2015"]
