"""The municipal question on Statistics Denmark's own tables: every published number is found again.

The tables are read from ``shared/real`` beside the repository. The tests are left out where that folder is
absent, and only then.
"""

import csv
import json
import re
import shutil
from pathlib import Path

import pytest

from evalkit import cli, contract, spec
from evalkit.evaluations import panel

ROOT = Path(__file__).resolve().parents[2]
REAL = ROOT.parent / "shared" / "real"
PUBLISHED = ROOT / "docs" / "panel" / "2026-11-24-hjoerring.csv"
TOLERANCE = 1e-3
SOURCE = {"da": "Kilde: Danmarks Statistik, Statistikbanken", "en": "Source: Statistics Denmark, StatBank"}

pytestmark = pytest.mark.skipif(not REAL.is_dir(), reason="no folder shared/real beside the repository")


@pytest.fixture(scope="module")
def site(example_site):
    return spec.load_site(example_site.path, public=REAL)


@pytest.fixture(scope="module")
def results(site):
    return panel.evaluate(
        contract.read(site.sources), spec.load_study("analysis/effect.yaml").panel,
        municipality=site.municipality, programme_start=site.programme_start,
        doubtful_donors=site.comparison.doubtful_donors)


def test_every_published_number_is_found_again(results):
    with PUBLISHED.open(encoding="utf-8", newline="") as handle:
        published = list(csv.DictReader(handle))
    answers = [result.table for name, result in results.items() if not name.endswith("_series")]
    assert len(published) == sum(map(len, answers))
    numbers = [name for name in published[0] if name not in ("result", "term", "group")]
    wrong = [(row, name) for row in published for name in numbers if not _is_same(results, row, name)]
    assert not wrong


def _is_same(results, row, name):
    found = results[row["result"]].row(row["term"], row["group"])[name]
    return found != found if row[name] == "" else float(row[name]) == pytest.approx(found, abs=TOLERANCE)


def test_every_municipality_and_quarter_takes_part(results):
    told = results["panel_employees"].diagnostics
    assert (told["n_donors"], told["placebos_plus_one"]) == (94, 95)
    assert (told["first_quarter"], told["start_quarter"]) == ("2008Q1", "2015Q1")
    assert not told["withheld_designs"]


def test_the_answer_rests_on_real_tables_alone(results):
    assert {result.provenance.rests_on for result in results.values()} == {("real",)}


def test_the_page_of_a_real_panel_says_so(site, put_site, tmp_path, capsys):
    path = put_site(tmp_path, "hjoerring")
    shutil.copytree(site.data.folder, tmp_path / "data" / "hjoerring")
    assert cli.main(["run", str(path), "--notebook", "effect", "--public", str(REAL)]) == 0
    assert "the panel section uses" not in capsys.readouterr().err
    out = spec.load_site(path, public=REAL).out
    payload = json.loads((out / "bundle" / "effect" / "panel_employees.json").read_text(encoding="utf-8"))
    assert payload["provenance"]["rests_on"] == ["real"]
    assert payload["diagnostics"]["panel_tables"] == "panel_tables_real"
    for language, said in (("da", "virkelige registertal"), ("en", "real register figures")):
        page = (out / language / "effect.html").read_text(encoding="utf-8")
        assert SOURCE[language] in page
        origins = re.findall(r'<p class="origin">(.*?)</p>', page, re.DOTALL)
        assert [text for text in origins if said in text]
