"""Publishing replaces whole folders, or nothing."""

import json
import re
from pathlib import Path

import pytest

from evalkit import publish
from evalkit.errors import RunError

SITE = {"title": {"da": "Kommunen", "en": "The municipality"}, "note": {"da": "Prøve", "en": "Sample"}}


@pytest.fixture
def run(tmp_path):
    """A run without results: one Markdown cell a language."""
    cells = [{"cell_type": "markdown", "metadata": {"tags": [language]},
              "source": f"# {title}\n\n## Data\n\n{text}"}
             for language, title, text in (("da", "Titel", "Æbler."), ("en", "Title", "Apples."))]
    folder = tmp_path / "private"
    (folder / "notebooks").mkdir(parents=True)
    (folder / "notebooks" / "effect.ipynb").write_text(json.dumps({"cells": cells}), encoding="utf-8")
    return folder


def names(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_pages_in_each_language_and_a_manifest(run, tmp_path):
    first = publish.pages(run, tmp_path / "out", site_meta=SITE)
    assert first == tmp_path / "out" / "index.html"
    assert names(tmp_path / "out") == [
        "da/dictionary.html", "da/effect.html", "da/index.html", "en/dictionary.html", "en/effect.html",
        "en/index.html",
        "index.html", "manifest.json"]
    danish = (tmp_path / "out" / "da" / "effect.html").read_text(encoding="utf-8")
    assert "Æbler." in danish
    assert "Apples" not in danish


def test_one_language_alone(run, tmp_path):
    publish.pages(run, tmp_path / "out", site_meta=SITE, languages=["en"])
    assert names(tmp_path / "out") == ["en/dictionary.html", "en/effect.html", "en/index.html", "index.html",
                                       "manifest.json"]
    assert 'lang="en"' in (tmp_path / "out" / "index.html").read_text(encoding="utf-8")


def test_one_language_made_again_leaves_the_other_as_it_is(run, tmp_path):
    out = tmp_path / "out"
    publish.pages(run, out, site_meta=SITE)
    before = {name: (out / name).read_bytes() for name in names(out)}
    text = (run / "notebooks" / "effect.ipynb").read_text(encoding="utf-8")
    (run / "notebooks" / "effect.ipynb").write_text(text.replace("Apples", "Pears"), encoding="utf-8")
    (run / "notebooks" / "user.ipynb").write_text(text, encoding="utf-8")
    publish.pages(run, out, site_meta=SITE, made=["en"])
    assert set(names(out)) == set(before) | {"en/user.html"}
    assert [name for name in before if name.startswith("da/")
            and (out / name).read_bytes() != before[name]] == []
    assert "Pears" in (out / "en" / "effect.html").read_text(encoding="utf-8")
    listed = json.loads((out / "manifest.json").read_text(encoding="utf-8"))["files"]
    assert set(listed) == set(names(out)) - {"manifest.json"}
    for page in out.rglob("*.html"):
        links = re.findall(r'href="([^"#:]+\.html)', page.read_text(encoding="utf-8"))
        assert links
        assert [link for link in links if not (page.parent / link).is_file()] == []
    assert 'lang="da"' in (out / "index.html").read_text(encoding="utf-8")


def test_a_page_that_somebody_changed_is_not_kept(run, tmp_path):
    out = tmp_path / "out"
    publish.pages(run, out, site_meta=SITE)
    (out / "da" / "effect.html").write_text("0101901234", encoding="utf-8")
    publish.pages(run, out, site_meta=SITE, made=["en"])
    assert "da/effect.html" not in names(out)


def test_pages_that_are_no_longer_made_go(run, tmp_path):
    publish.pages(run, tmp_path / "out", site_meta=SITE)
    (run / "notebooks" / "effect.ipynb").rename(run / "notebooks" / "user.ipynb")
    publish.pages(run, tmp_path / "out", site_meta=SITE)
    assert "da/effect.html" not in names(tmp_path / "out")
    assert "da/user.html" in names(tmp_path / "out")


def test_notebook_of_an_unfinished_run_is_not_published(run, tmp_path):
    (run / "notebooks" / ".user.part.ipynb").write_text("{}", encoding="utf-8")
    publish.pages(run, tmp_path / "out", site_meta=SITE)
    assert not any("user" in name for name in names(tmp_path / "out"))


def test_nothing_executed_is_said(tmp_path):
    (tmp_path / "private").mkdir()
    with pytest.raises(RunError, match="no executed notebook"):
        publish.pages(tmp_path / "private", tmp_path / "out", site_meta=SITE)
    assert not (tmp_path / "out").exists()


def test_folder_of_somebody_else_is_refused(run, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(RunError, match="did not make"):
        publish.pages(run, tmp_path / "out", site_meta=SITE)
    assert names(tmp_path / "out") == ["thesis.txt"]


@pytest.mark.parametrize("broken", ["write", "move in"])
def test_failure_in_the_middle_keeps_the_earlier_pages(broken, run, tmp_path, monkeypatch):
    publish.pages(run, tmp_path / "out", site_meta=SITE)
    before = {name: (tmp_path / "out" / name).read_bytes() for name in names(tmp_path / "out")}
    rename = Path.rename

    def fails(path, target):
        if path.name.endswith(".staging"):
            raise OSError("disk")
        return rename(path, target)

    def full(path, content):
        raise OSError("full")

    if broken == "write":
        monkeypatch.setattr(publish, "write_atomic", full)
    else:
        monkeypatch.setattr(Path, "rename", fails)
    with pytest.raises(RunError, match="earlier pages are untouched"):
        publish.pages(run, tmp_path / "out", site_meta=SITE)
    monkeypatch.undo()
    assert {name: (tmp_path / "out" / name).read_bytes() for name in names(tmp_path / "out")} == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "private"]


def test_crash_between_the_two_moves_is_mended(run, tmp_path):
    publish.pages(run, tmp_path / "out", site_meta=SITE)
    (tmp_path / "out").rename(tmp_path / ".out.old")
    publish.pages(run, tmp_path / "out", site_meta=SITE)
    assert "index.html" in names(tmp_path / "out")
    assert not (tmp_path / ".out.old").exists()


def test_held_folder_is_tried_again(run, tmp_path, monkeypatch):
    publish.pages(run, tmp_path / "out", site_meta=SITE)
    rename, tries = Path.rename, []

    def held_twice(path, target):
        tries.append(path.name)
        if len(tries) <= 2:
            raise PermissionError("held")
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", held_twice)
    monkeypatch.setattr(publish.time, "sleep", lambda _: None)
    publish.pages(run, tmp_path / "out", site_meta=SITE)
    assert tries[:3] == ["out", "out", "out"]
    assert "index.html" in names(tmp_path / "out")


def test_same_name_twice_is_refused(run, tmp_path):
    with pytest.raises(RunError, match="more than once"):
        publish._require_names([{"name": "a"}, {"name": "a"}], "effect")
