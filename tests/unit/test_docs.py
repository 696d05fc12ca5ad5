"""The documentation: its builder on small pages, and every page of the repository with its examples run."""

import importlib.util
import re
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

from evalkit import estimators

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
CARD = ("Answers", "Use", "Assumes", "Fails when", "Refuses", "Agrees with", "Sources")
# Characters of a code block beside the navigation in a window of 1,100 points.
CODE_WIDTH = 100
PLACES = {"Start": ("index.md",), "More": ("more/*.md",)}

FIRST = """# First page

Look at [the second](more/second.md#a-part), at [a place here](#numbers) and at [the sheet](sheet.csv).

## Numbers

```python
one = 1
print("<one> is", one)
```

Then, in the same namespace:

```python
one + 1
```

```sh
not run
```

| a | b |
|---|---|
| 1 | 2 |
"""
SECOND = """# Second <page>

## A part

![A dot](dot.png)
"""


@pytest.fixture(scope="module")
def builder():
    """The builder as a module; its own modules are found beside it."""
    spec = importlib.util.spec_from_file_location("docs_builder", DOCS / "build.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    sys.path.remove(str(DOCS))


def write(folder, **files):
    for name, text in files.items():
        file = folder / f"{name.replace('__', '/')}.md"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")


@pytest.fixture
def small(tmp_path):
    folder = tmp_path / "docs"
    write(folder, index=FIRST, more__second=SECOND)
    (folder / "sheet.csv").write_text("a\n1\n", encoding="utf-8")
    (folder / "more" / "dot.png").write_bytes((DOCS / "img" / "report-en.png").read_bytes()[:100])
    return folder


def built(builder, folder):
    site, out = builder.gather(folder, places=PLACES), folder.parent / "out"
    return builder.build(site, site.pages, out), out


def test_a_page_shows_its_code_and_below_it_what_the_code_said(builder, small):
    broken, out = built(builder, small)
    text = (out / "index.html").read_text(encoding="utf-8")
    assert broken == []
    assert text.index("print") < text.index("&lt;one&gt; is 1</pre>") < text.index(">2</pre>")
    assert text.count('<pre class="output"') == 2
    assert "<table>" in text


def test_pages_are_linked_and_stand_alone(builder, small):
    out = built(builder, small)[1]
    first = (out / "index.html").read_text(encoding="utf-8")
    second = (out / "more" / "second.html").read_text(encoding="utf-8")
    assert 'href="more/second.html#a-part"' in first
    assert 'id="a-part"' in second
    assert 'href="../index.html"' in second
    assert 'src="data:image/png;base64,' in second
    assert "Second &lt;page&gt;" in second
    assert (out / "sheet.csv").is_file()
    for text in (first, second):
        assert not re.findall(r"(?:src|href)=\"(?:https?:)?//|<script|url\(", text)


def test_the_page_on_show_is_marked_in_the_navigation(builder, small):
    text = (built(builder, small)[1] / "more" / "second.html").read_text(encoding="utf-8")
    assert set(re.findall(r'href="([^"]+)" aria-current="page"', text)) == {"second.html"}


@pytest.mark.parametrize(("code", "told"), [
    ("x = 1\nraise KeyError('no')", r"index.md, block at line 3: KeyError: 'no' \(line 5\)"),
    ("import warnings\nwarnings.warn('mind')", r"UserWarning: mind \(line 5\)"),
    ("x =", "SyntaxError"),
    ("raise SystemExit(0)", "SystemExit"),
])
def test_a_block_that_stops_or_warns_fails_the_build_and_leaves_no_page(builder, tmp_path, code, told):
    write(tmp_path / "docs", index=f"# Page\n\n```python\n{code}\n```\n", more__second=SECOND.split("!")[0])
    broken, out = built(builder, tmp_path / "docs")
    assert len(broken) == 1
    assert re.search(told, broken[0]), broken
    assert not (out / "index.html").exists()
    assert (out / "more" / "second.html").exists()


@pytest.mark.parametrize("link", ["more/none.md", "#nowhere", "more/second.md#nowhere", "none.csv"])
def test_a_link_that_leads_nowhere_is_said(builder, tmp_path, link):
    write(tmp_path / "docs", index=f"# Page\n\n[there]({link})\n", more__second=SECOND.split("!")[0])
    assert built(builder, tmp_path / "docs")[0] == [f"index.md: the link {link} leads nowhere"]


def test_namespaces_of_pages_are_apart(builder, tmp_path):
    write(tmp_path / "docs", index="# One\n\n```python\nkept = 1\n```\n",
          more__second="# Two\n\n```python\nprint('kept' in globals())\n```\n")
    out = built(builder, tmp_path / "docs")[1]
    assert ">False</pre>" in (out / "more" / "second.html").read_text(encoding="utf-8")


RELEASED = """# Curve

```python
import numpy as np
from evalkit.disclosure import release
from evalkit.profile import Profile
from evalkit.result import Estimand, Result, tidy

rules = Profile(name="example", valid_from="2015-01-01", min_n=5, min_events=5, rounding_base=5,
                decimals=3, source="example", is_verified=False)
table = tidy(term="survival", time_weeks=[0, 5, 9], estimate=[1, 0.8, 0.5], conf_low=[1, 0.7, 0.4],
             conf_high=[1, 0.9, 0.6], n_persons=[100, 100, 80], n_events=[0, 20, 30])
curve = Result(kind="curve", estimand=Estimand(name="survival", unit="share"), table=table)
release(curve, rules, name="waiting_times")
```
"""


def test_a_released_object_is_drawn_with_its_table(builder, tmp_path):
    write(tmp_path / "docs", index=RELEASED)
    out = built(builder, tmp_path / "docs")[1]
    text = (out / "index.html").read_text(encoding="utf-8")
    assert "<svg" in text
    assert text.index("<svg") < text.index("The numbers behind the figure") < text.index("<table")


@pytest.mark.parametrize(("change", "shown"), [
    ("curve", ["Curve over weeks", "The numbers behind the figure"]),
    ("replace(curve, kind='model')", ["Points with intervals", "The numbers behind the figure"]),
])
def test_a_curve_is_drawn_as_one_and_estimates_as_points(builder, tmp_path, change, shown):
    page = RELEASED.replace("release(curve,", f"from dataclasses import replace\nrelease({change},")
    write(tmp_path / "docs", index=page)
    broken, out = built(builder, tmp_path / "docs")
    text = (out / "index.html").read_text(encoding="utf-8")
    assert broken == [] and all(words in text for words in shown)


def test_a_released_object_without_rows_fails_the_build(builder, tmp_path):
    write(tmp_path / "docs", index=RELEASED.replace("release(curve,", "release(curve.withhold('balance'),"))
    broken = built(builder, tmp_path / "docs")[0]
    assert len(broken) == 1 and "'waiting_times' has no rows: balance" in broken[0]


# --- the repository's own pages


@pytest.fixture(scope="module")
def site(builder, tmp_path_factory):
    """All pages of the repository, built with every block run."""
    out = tmp_path_factory.mktemp("site")
    found = builder.gather(DOCS, {"benchmarks": ROOT / "benchmarks" / "results"})
    return found, builder.build(found, found.pages, out), out


def test_every_block_runs_and_every_link_leads_somewhere(site):
    assert site[1] == []


def test_every_page_is_in_the_navigation(site):
    named = {page.name for page in site[0].pages}
    written = {file.relative_to(DOCS).as_posix() for file in DOCS.rglob("*.md")}
    assert written <= named


class Reader(HTMLParser):
    """Collects ids and addresses of a page."""

    def __init__(self, text):
        super().__init__()
        self.ids, self.links, self.levels, self.unnamed = [], [], [], 0
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        found = dict(attributes)
        if "id" in found:
            self.ids.append(found["id"])
        if tag == "a":
            self.links.append(found["href"])
        if re.fullmatch("h[1-6]", tag):
            self.levels.append(int(tag[1]))
        self.unnamed += tag == "img" and not found.get("alt")


def test_built_pages_have_one_title_unique_places_and_links_that_open(site):
    targets = [page.target for page in site[0].pages]
    known = {target: Reader((site[2] / target).read_text(encoding="utf-8")) for target in targets}
    for target, page in known.items():
        assert page.levels.count(1) == 1, target
        assert len(page.ids) == len(set(page.ids)), target
        assert page.unnamed == 0, target
        for link in page.links:
            path, _, anchor = link.partition("#")
            if re.match("[a-z]+:", link):
                continue
            file = (site[2] / target).parent / path if path else site[2] / target
            assert file.exists(), f"{target}: {link}"
            if anchor and anchor != "content":
                assert anchor in known[file.resolve().relative_to(site[2].resolve()).as_posix()].ids, link


def test_the_guide_names_every_survival_estimator_and_nothing_that_is_not_there():
    text = (DOCS / "guide.md").read_text(encoding="utf-8")
    table = re.search(r"## Decision table\n(.*?)\n## ", text, re.DOTALL)[1]
    others = ("evalkit.estimators.panel", "evalkit.estimators.weighting")
    survival = {name for name in estimators.__all__
                if not getattr(estimators, name).__module__.startswith(others)}
    named = set(re.findall(r"`([a-z_]+)`", table))
    assert survival <= named | {"residuals"}
    assert named <= set(estimators.__all__)


def test_a_truth_is_never_drawn_alone(site):
    pages = [page for page in site[0].pages if page.name.startswith("examples/")]
    drawings = [told for page in pages for told in
                re.findall(r"<desc[^>]*>(.*?)</desc>", (site[2] / page.target).read_text(encoding="utf-8"))]
    assert len(drawings) >= 10
    for told in drawings:
        if re.search(r"true(, without it)?: |known later: ", told):
            assert re.search("before: .*during: |estimated: |spline: ", told), told


def test_code_fits_the_page(site):
    wide = [f"{page.name}, line {block.line + k}" for page in site[0].pages for block in page.blocks
            for k, line in enumerate(block.code.splitlines(), 1) if len(line) > CODE_WIDTH]
    assert wide == []


@pytest.mark.parametrize("card", sorted((DOCS / "methods").glob("*.md")), ids=lambda file: file.stem)
def test_method_cards_have_the_same_headings(card):
    words = re.sub(r"```.*?```", "", card.read_text(encoding="utf-8"), flags=re.DOTALL)
    assert tuple(re.findall(r"(?m)^## (.+)$", words)) == CARD
