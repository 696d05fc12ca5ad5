"""Sites, studies and profiles as shipped, and what happens to a wrong one."""

import datetime as dt
from pathlib import Path

import pytest
import yaml

from evalkit import spec
from evalkit.errors import SpecError
from evalkit.files import package_data

SITES = ("hjoerring", "frederikshavn")


def shipped(name):
    return package_data("analysis", "municipalities", f"{name}.yaml")


def copied(tmp_path, name="hjoerring", **changes):
    raw = yaml.safe_load(shipped(name).read_text(encoding="utf-8"))
    folder = tmp_path / "analysis" / "municipalities"
    folder.mkdir(parents=True)
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump({**raw, **changes}, allow_unicode=True), encoding="utf-8")
    return path


@pytest.mark.parametrize("name", SITES)
def test_shipped_sites_are_well_formed(name):
    site = spec.load_site(shipped(name))
    assert site.name == name
    assert len(site.sha256) == 64
    assert site.price.is_file()
    assert spec.load_profile(site.profile).min_n >= 3


def test_the_two_sites_differ_in_what_the_second_is_for():
    first, second = (spec.load_site(shipped(name)) for name in SITES)
    assert {item.dialect for item in first.data.deliveries} == {"csv", "dream"}
    assert {item.dialect for item in second.data.deliveries} == {"csv", "ydelsesrefusion"}
    assert second.programme_start == dt.date(2018, 1, 1)
    assert first.profile != second.profile
    assert first.price.read_bytes() != second.price.read_bytes()
    assert "survey_response" not in {item.table for item in second.data.deliveries}
    assert "invented" in second.note["en"]


def test_paths_start_at_the_project(tmp_path):
    site = spec.load_site(copied(tmp_path))
    assert site.root == tmp_path.resolve()
    assert site.out == tmp_path.resolve() / "out" / "hjoerring"
    assert site.data.folder == tmp_path.resolve() / "data" / "hjoerring"


def test_paths_of_a_file_elsewhere_start_beside_it(tmp_path):
    path = copied(tmp_path)
    moved = tmp_path / "mine.yaml"
    path.rename(moved)
    assert spec.load_site(moved).root == tmp_path.resolve()


def test_sources_carry_origin_and_options(tmp_path, no_public):
    data = {"folder": "data", "origin": "real", "deliveries": [
        {"file": "a.csv", "dialect": "csv", "table": "person", "options": {"delimiter": ";"}},
        {"file": "b.csv", "dialect": "csv", "table": "ledger", "origin": "source"}]}
    first, second, *rest = spec.load_site(copied(tmp_path, data=data)).sources
    assert first == {"path": tmp_path.resolve() / "data" / "a.csv", "dialect": "csv", "table": "person",
                     "origin": "real", "delimiter": ";"}
    assert second["origin"] == "source"
    assert {source["table"] for source in rest} == {"municipality_period", "price"}


def test_real_tables_replace_the_simulated_panel(tmp_path, no_public):
    path = copied(tmp_path)
    for folder in ("data/hjoerring", "elsewhere"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "LBESK69.csv").touch()
        (tmp_path / folder / "README.csv").touch()
        (tmp_path / folder / "unemployment.csv").touch()

    def panel(site):
        return [(source["path"].parent.name, source["path"].name, source["origin"])
                for source in site.sources if source["dialect"] == "statbank"]

    assert ("hjoerring", "LBESK69.csv", "simulated") in panel(spec.load_site(path))
    real = panel(spec.load_site(path, public=tmp_path / "elsewhere"))
    assert ("elsewhere", "LBESK69.csv", "real") in real
    assert not [item for item in real if item[0] == "hjoerring"
                or item[1] in ("unemployment.csv", "README.csv")]


def test_the_environment_names_the_public_folder(tmp_path, monkeypatch):
    for folder in ("theirs", "mine"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "LBESK69.csv").touch()
    monkeypatch.setenv(spec.PUBLIC_VARIABLE, str(tmp_path / "theirs"))
    path = copied(tmp_path)
    assert spec.load_site(path).public == (tmp_path / "theirs").resolve()
    assert spec.load_site(path, public=tmp_path / "mine").public == (tmp_path / "mine").resolve()


@pytest.mark.parametrize("by", ["--public", spec.PUBLIC_VARIABLE])
@pytest.mark.parametrize(("has_folder", "said"), [(False, "no such folder"), (True, "no StatBank tables")])
def test_a_named_folder_without_tables_stops(tmp_path, monkeypatch, no_public, by, has_folder, said):
    named = tmp_path / "nowhere"
    if has_folder:
        named.mkdir()
        (named / "README.csv").touch()
    if by != "--public":
        monkeypatch.setenv(by, str(named))
    with pytest.raises(SpecError, match=rf"{said}.*named by {by}\. Fetch them with: evalkit public --to"):
        spec.load_site(copied(tmp_path), public=named if by == "--public" else None)


def test_the_files_own_folder_may_be_absent(tmp_path, monkeypatch):
    monkeypatch.setenv(spec.PUBLIC_VARIABLE, "")
    site = spec.load_site(copied(tmp_path))
    assert not site.has_public
    assert not site.has_panel
    site.data.folder.mkdir(parents=True)
    (site.data.folder / "LBESK69.csv").touch()
    assert site.has_panel


@pytest.mark.parametrize(("said", "origin"), [({}, "assumed"), ({"price_origin": "source"}, "source")])
def test_prices_are_assumed_until_the_site_says_more(tmp_path, no_public, said, origin):
    sources = spec.load_site(copied(tmp_path, **said)).sources
    assert [source["origin"] for source in sources if source["table"] == "price"] == [origin]


def test_a_misspelt_key_stops_with_the_nearest_name(tmp_path):
    with pytest.raises(SpecError, match=r"municipalty: unknown key; did you mean municipality\?"):
        spec.load_site(copied(tmp_path, municipalty="Hjørring"))


def test_a_csv_without_table_is_refused(tmp_path):
    data = {"folder": "d", "origin": "real", "deliveries": [{"file": "a.csv", "dialect": "csv"}]}
    with pytest.raises(SpecError, match=r"data\.deliveries\[0\]: a\.csv: a csv file needs the key table"):
        spec.load_site(copied(tmp_path, data=data))


def test_a_missing_site_says_where_it_looked():
    with pytest.raises(SpecError, match="nowhere.yaml: no such file. Looked in"):
        spec.load_site("analysis/municipalities/nowhere.yaml")


def test_an_unknown_profile_names_the_known():
    with pytest.raises(SpecError, match="did you mean municipality_5"):
        spec.load_profile("municipality5")


@pytest.mark.parametrize("path", sorted(package_data("analysis").glob("*.yaml")), ids=lambda path: path.stem)
def test_shipped_studies_are_well_formed(path):
    study = spec.load_study(path)
    assert study.name == path.stem
    assert len(study.sha256) == 64


def test_a_study_of_unknown_kind_is_refused(tmp_path):
    path = tmp_path / "odd.yaml"
    path.write_text("study: efect\n", encoding="utf-8")
    with pytest.raises(SpecError, match="'efect' is no kind of study"):
        spec.load_study(path)


def test_a_notebook_finds_the_site_from_its_own_folder(tmp_path, monkeypatch):
    path = copied(tmp_path)
    (tmp_path / "notebooks").mkdir()
    monkeypatch.chdir(tmp_path / "notebooks")
    assert spec.find("analysis/municipalities/hjoerring.yaml") == path.resolve()
    assert spec.find(Path("analysis") / "municipalities" / "hjoerring.yaml") == path.resolve()
