"""An export can be published: self-contained, accessible, complete in both languages, the same every time."""

import json
import math
import re
from itertools import combinations, pairwise

import pytest
from page_reader import Page
from released_examples import IDS, RULES, SITE, results, strings, write_run

from evalkit import publish, reports
from evalkit.disclosure import release, scan
from evalkit.reports import strings as catalogue
from evalkit.reports.palette import BEHIND, DARK, DARK_PAPER, INK, MUTED, PAPER, SERIES, contrast

LANGUAGES = ("da", "en")
# Words that are the same in Danish and English, names, keys and code.
SAME = {"Data", "Hjørring", "hjoerring", "evalkit", "p-value", "Mentor", "effect", "Index", "estimat",
        "Total", "Data:",
        "DKK", "sha256", "Estimand", "Sum", "Passive", "Horsens", "Syddjurs", "frederikshavn", "Progression",
        "Budget"}
NO_WORDS = re.compile(r"^[\W\d]*$")
KEY_OR_FILE = re.compile(r"^[a-z0-9]+([_./-][a-z0-9_.-]+)+$|^[0-9a-f]{64}$"
                         r"|^(\w+ [\d.]+(, )?)+$|^\w+ [0-9a-f]{64}$")


@pytest.fixture(scope="module")
def example(tmp_path_factory):
    folder = tmp_path_factory.mktemp("published")
    with pytest.MonkeyPatch.context() as patch:
        own = {**catalogue._catalogues(), "effect": strings()}
        patch.setattr(catalogue, "_catalogues", lambda: own)
        publish.pages(write_run(folder / "private"), folder / "out", site_meta=SITE, known_ids=IDS)
    return folder / "out"


@pytest.fixture(scope="module", params=["example", "example_run", "second_run"])
def out(request):
    made = request.getfixturevalue(request.param)
    return made if request.param == "example" else made.out


def pages(out):
    return {path.relative_to(out).as_posix(): path.read_text(encoding="utf-8")
            for path in sorted(out.rglob("*.html"))}


def test_pages_are_all_there_in_both_languages(out):
    names = {name: {path.name for path in (out / name).glob("*.html")} for name in LANGUAGES}
    assert names["da"] == names["en"]
    assert {"index.html", "dictionary.html"} < names["da"]
    assert (out / "index.html").is_file()


def test_pages_ask_the_network_for_nothing(out):
    for name, text in pages(out).items():
        assert not re.search(r"https?:|//\w|@import|<script|<link|<iframe|url\((?!#)", text), name
        assert "default-src 'none'" in text


def test_every_file_is_clean(out):
    for path in out.rglob("*"):
        if path.is_file():
            assert scan(path.read_bytes(), IDS) == [], path.name


def test_links_lead_to_files_that_exist(out):
    for path in out.rglob("*.html"):
        page = Page(path.read_text(encoding="utf-8"))
        ids = {element["attrs"].get("id") for element in page.elements}
        for link in (element["attrs"]["href"] for element in page.all("a")):
            assert link[1:] in ids if link.startswith("#") else (path.parent / link).is_file(), (path.name,
                                                                                                 link)


def test_language_title_and_one_h1(out):
    for name, text in pages(out).items():
        page = Page(text)
        assert page.unclosed == []
        assert page.all("html")[0]["attrs"]["lang"] == (name[:2] if "/" in name else "da")
        assert len(page.all("h1")) == 1, name
        assert page.all("title")[0]["text"].strip()
        assert len(page.all("main")) == 1


def test_headings_never_skip_a_level(out):
    for name, text in pages(out).items():
        levels = [int(element["tag"][1]) for element in Page(text).all("h1", "h2", "h3", "h4", "h5", "h6")]
        assert levels[0] == 1
        assert all(after <= before + 1 for before, after in pairwise(levels)), (name, levels)


def test_ids_are_unique_and_references_meet_them(out):
    for name, text in pages(out).items():
        ids = [element["attrs"]["id"] for element in Page(text).elements if "id" in element["attrs"]]
        assert len(ids) == len(set(ids)), name
        for element in Page(text).elements:
            for reference in element["attrs"].get("aria-labelledby", "").split():
                assert reference in ids, (name, reference)
        assert set(re.findall(r"url\(#([^)]+)\)", text)) <= set(ids)


def test_every_figure_is_named_described_and_has_its_numbers(out):
    for name, text in pages(out).items():
        page = Page(text)
        articles = page.all("article")
        assert len(page.all("svg")) == sum(any(e["tag"] == "svg" for e in page.within(a)) for a in articles)
        for article in articles:
            inside = page.within(article)
            for svg in (element for element in inside if element["tag"] == "svg"):
                title, description = page.within(svg)[:2]
                assert svg["attrs"]["role"] == "img"
                assert (title["tag"], description["tag"]) == ("title", "desc")
                assert title["text"].strip(), name
                assert re.search(r"\d", description["text"]), (name, description["text"])
                assert any(element["tag"] == "table" and "details" in element["around"]
                           for element in inside), name


def test_every_table_has_caption_and_scopes(out):
    for name, text in pages(out).items():
        page = Page(text)
        for table in page.all("table"):
            inside = page.within(table)
            if "article" not in table["around"] and "scroll" not in str(table["around"]) and not any(
                    element["tag"] == "caption" for element in inside):
                continue  # a table of a Markdown cell
            assert [element["text"].strip() for element in inside if element["tag"] == "caption"][0], name
            assert {element["attrs"].get("scope") for element in inside if element["tag"] == "th"} <= {"col",
                                                                                                       "row"}
            assert any(element["attrs"].get("scope") == "row" for element in inside if element["tag"] == "th")


def test_scroll_regions_are_reached_by_keyboard_and_named(out):
    for text in pages(out).values():
        regions = [element
                   for element in Page(text).elements if element["attrs"].get("class") in ("scroll", "draw")]
        assert all(e["attrs"].get("tabindex") == "0" and e["attrs"].get("aria-label") for e in regions)


def test_twins_have_the_same_structure(out):
    for name in {path.name for path in (out / "da").glob("*.html")}:
        twins = [Page((out / language / name).read_text(encoding="utf-8")) for language in LANGUAGES]
        shapes = [[element["tag"] for element in page.all("h1", "h2", "h3", "table", "figure", "article",
                                                          "tr")] for page in twins]
        assert shapes[0] == shapes[1], name


def test_no_visible_string_of_a_danish_page_is_english(out):
    left = untranslated(out)
    assert left == [], f"the same in both languages; translate, or add a name to SAME: {left}"


def untranslated(out):
    """List the strings that a Danish page and its English twin share, neither names nor numbers."""
    left = set()
    for name in {path.name for path in (out / "da").glob("*.html")}:
        danish, english = (Page((out / language / name).read_text(encoding="utf-8"))
                           for language in LANGUAGES)
        for text in set(danish.texts()) & set(english.texts()):
            if not _may_be_shared(text):
                left.add((name, text))
    return sorted(left)


def _may_be_shared(text):
    if NO_WORDS.match(text) or KEY_OR_FILE.match(text) or text in SAME or text in _names():
        return True
    return all(part in SAME or part in _names() or NO_WORDS.match(part) or KEY_OR_FILE.match(part)
               for part in re.split(r"[ ,;:()–]+", text))


def _names():
    """Names of columns and municipalities, and keys: they are not translated."""
    from evalkit.result import COLUMNS

    return {*COLUMNS, *(f"Kommune {k:02d}" for k in range(1, 99)), "Kommune"}


def test_catalogues_are_complete_in_both_languages():
    assert catalogue.incomplete() == []


def test_second_publication_is_byte_identical(tmp_path):
    run = write_run(tmp_path / "private")
    publish.pages(run, tmp_path / "one", site_meta=SITE)
    publish.pages(run, tmp_path / "two", site_meta=SITE)
    files = [{path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
             for folder in (tmp_path / "one", tmp_path / "two")]
    assert files[0] == files[1]


def test_numbers_on_the_page_are_in_the_bundle(example):
    page = (example / "da" / "effect.html").read_text(encoding="utf-8")
    payload, table = ((example / "bundle" / "effect" / f"goal_1.{kind}").read_text(encoding="utf-8")
                      for kind in ("json", "csv"))
    assert json.loads(payload)["rows"][2][3] == "-6.400"
    assert "6,4 færre uger <span>(−11,8 til −1,0)</span>" in page
    assert table.splitlines()[3].startswith("weeks_on_support,,104,-6.400")


def test_bundle_holds_every_released_object_with_its_hash(out):
    for path in (out / "bundle").rglob("*.json"):
        payload = json.loads(path.read_text(encoding="utf-8"))
        assert payload["name"] == path.stem
        assert re.fullmatch("[0-9a-f]{64}", payload["sha256"])
        assert path.with_suffix(".csv").is_file()


def test_withheld_and_suppressed_are_said_and_not_shown(example):
    text = (example / "da" / "effect.html").read_text(encoding="utf-8")
    assert "Tallet er holdt tilbage: der er for få uger før programmet" in text
    assert "for få" in text
    assert json.loads((example / "bundle" / "effect" / "held.json").read_text(encoding="utf-8"))["rows"] == []


def test_danish_charts_write_danish_numbers(example):
    page = Page((example / "da" / "effect.html").read_text(encoding="utf-8"))
    drawn = " ".join(element["text"] for element in page.all("text", "tspan"))
    assert "0,5" in drawn
    assert not re.search(r"\d\.\d(?!\d\d)", drawn)


def test_sections_say_what_they_rest_on(example):
    text = (example / "en" / "effect.html").read_text(encoding="utf-8")
    assert "This section rests on simulated figures and real register figures." in text


def test_simulated_pages_are_marked_in_words(out):
    for name, text in pages(out).items():
        said = "describe no real people" in text or "ingen virkelige mennesker" in text
        assert said, name


def test_every_figure_says_what_it_rests_on(out):
    for name, text in pages(out).items():
        page = Page(text)
        for article in page.all("article"):
            kinds = [e for e in page.within(article) if "kind" in e["attrs"].get("class", "").split()]
            # What data are missing rests on no data; everything that is drawn does.
            shows = any(element["tag"] == "svg" for element in page.within(article))
            assert kinds or not shows, name
            assert all(kind["text"].strip() for kind in kinds)


def test_no_two_landmarks_have_one_name(out):
    for name, text in pages(out).items():
        assert 'role="region"' not in text, name
        boxes = [e["attrs"]["aria-label"] for e in Page(text).elements if e["attrs"].get("role") == "group"]
        assert len(boxes) == len(set(boxes)), name


def test_provenance_is_on_the_page(example):
    text = (example / "en" / "effect.html").read_text(encoding="utf-8")
    for fact in ("ab" * 32, "ef" * 32, "dream.csv", "2019-12-30", "evalkit 0.1.0", "at least 5 persons",
                 "steps of curves merged"):
        assert fact in text
    assert "data/hjoerring" not in text


def test_unshown_outputs_are_counted(tmp_path):
    extra = [{"cell_type": "code", "metadata": {}, "source": "", "outputs": [
        {"output_type": "stream", "name": "stdout", "text": "hello"},
        {"output_type": "error", "ename": "EstimationError", "evalue": "person q000001x",
         "traceback": ["..."]}]}]
    publish.pages(write_run(tmp_path / "private", extra=extra), tmp_path / "out", site_meta=SITE,
                  known_ids=IDS)
    text = (tmp_path / "out" / "en" / "effect.html").read_text(encoding="utf-8")
    assert "1 output of the notebook is not shown here" in text
    assert "stopped with the error EstimationError" in text


@pytest.mark.parametrize("colour", [*SERIES, INK, MUTED])
def test_text_colours_are_readable(colour):
    assert contrast(colour, PAPER) >= 4.5


@pytest.mark.parametrize("colour", [*SERIES, INK, MUTED])
def test_text_colours_are_readable_on_a_dark_page(colour):
    assert contrast(DARK[colour], DARK_PAPER) >= 4.5


def test_style_sheet_has_the_dark_colours(example):
    text = (example / "da" / "effect.html").read_text(encoding="utf-8")
    assert all(f"--c{k}:{colour}" in text for k, colour in enumerate(DARK.values()))
    assert f"--paper:{DARK_PAPER}" in text


def test_lines_behind_are_visible():
    assert contrast(BEHIND, PAPER) >= 3


@pytest.mark.parametrize("sight", ["normal", "protan", "deutan"])
def test_first_colours_stay_apart_for_colour_blind_readers(sight):
    seen = [_lab(_as_seen(colour, sight)) for colour in SERIES[:4]]
    nearest = min(math.dist(one, other) for one, other in combinations(seen, 2))
    assert nearest > 25


def _as_seen(colour, sight):
    """Return linear RGB as a dichromat sees it (Machado, Oliveira and Fernandes 2009, severity 1)."""
    matrix = {
        "normal": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
        "protan": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216),
                   (-0.003882, -0.048116, 1.051998)),
        "deutan": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413),
                   (-0.011820, 0.042940, 0.968881))}
    linear = [_linear(int(colour[k:k + 2], 16) / 255) for k in (1, 3, 5)]
    return [sum(weight * channel for weight, channel in zip(row, linear, strict=True))
            for row in matrix[sight]]


def _linear(channel):
    return channel / 12.92 if channel <= 0.04045 else ((channel + 0.055) / 1.055) ** 2.4


def _lab(rgb):
    """Return CIELAB (D65), where equal distances look about equally far apart."""
    rows = ((0.4124, 0.3576, 0.1805), (0.2126, 0.7152, 0.0722), (0.0193, 0.1192, 0.9505))
    xyz = [max(0.0, sum(a * b for a, b in zip(row, rgb, strict=True))) for row in rows]
    x, y, z = ((t ** (1 / 3) if t > 0.008856 else 7.787 * t + 16 / 116)
               for t in (xyz[0] / 0.95047, xyz[1], xyz[2] / 1.08883))
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


def test_preview_shows_title_sentence_and_table():
    shown = reports.preview(release(results()["in_job"], RULES, name="in_job"), "da")
    assert "<table>" in shown
    assert 'lang="da"' in shown
