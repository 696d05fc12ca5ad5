"""The package as others get it: lists of packages agree, the wheel is whole, the README's example runs."""

import os
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
import yaml

from evalkit import cli

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
# conda-forge calls the same thing something else, or has a part without what evalkit does not need.
CONDA_NAMES = {"duckdb": "python-duckdb", "matplotlib": "matplotlib-base", "seaborn": "seaborn-base"}


def requirement(text):
    name, bounds = re.fullmatch(r"([A-Za-z0-9_.-]+?)\s*([<>=!~].*)?", text).groups()
    return name.lower(), bounds or ""


def declared(*extras):
    lines = PROJECT["dependencies"] + [line for extra in extras
                                       for line in PROJECT["optional-dependencies"][extra]]
    return dict(requirement(line) for line in lines)


def locked(name):
    text = (ROOT / name).read_text(encoding="utf-8")
    pins = {}
    for package, version in re.findall(r"(?m)^([A-Za-z0-9_.-]+)==([^ \\;]+)", text):
        pins.setdefault(package.lower(), []).append(tuple(int(part) for part in re.findall(r"\d+", version)))
    return pins


def holds(version, bounds):
    """Whether a version keeps bounds of the two kinds that pyproject.toml uses: >= and <."""
    tests = {">=": lambda limit: version >= limit, "<": lambda limit: version < limit}
    found = re.findall(r"(>=|<)([\d.]+)", bounds)
    return all(tests[sign](tuple(map(int, limit.split(".")))) for sign, limit in found)


@pytest.mark.parametrize(("lock", "extras"), [("requirements.lock", ("build",)),
                                              ("requirements-dev.lock", ("build", "lab", "test"))])
def test_the_lock_holds_every_declared_package_within_its_bounds(lock, extras):
    pins = locked(lock)
    for name, bounds in declared(*extras).items():
        assert name in pins, f"{name} is not locked; run make lock"
        assert all(holds(version, bounds)
                   for version in pins[name]), f"{name} {pins[name]} breaks {bounds}; run make lock"


def test_the_two_locks_agree():
    small, large = locked("requirements.lock"), locked("requirements-dev.lock")
    assert {name: large.get(name) for name in small} == small


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-dev.lock"])
def test_the_lock_has_hashes_and_no_address(lock):
    text = (ROOT / lock).read_text(encoding="utf-8")
    blocks = re.split(r"(?m)^(?=\S)", text)[1:]
    assert all("--hash=sha256:" in block for block in blocks if not block.startswith("#"))
    assert "://" not in text


def test_the_locked_pandas_is_one_that_the_locked_lifelines_declares():
    assert all(version < (3,) for version in locked("requirements.lock")["pandas"])


def test_environment_yml_lists_the_same_packages():
    lines = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))["dependencies"]
    conda = dict(requirement(line) for line in lines)
    assert conda.pop("python") == PROJECT["requires-python"]
    assert conda == {CONDA_NAMES.get(name, name): bounds for name, bounds in declared("lab", "build").items()}


def test_every_dependency_has_its_reason():
    record = (ROOT / "docs" / "decisions" / "0002-dependencies.md").read_text(encoding="utf-8")
    assert not [name for name in declared() if f"| {name} |" not in record]


def test_bounds_are_read_right():
    assert holds((2, 3, 3), ">=2.3,<4")
    assert not holds((4, 0), ">=2.3,<4")
    assert not holds((2, 2, 9), ">=2.3,<4")


def test_the_readmes_example_runs():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    example = re.search(r"```python\n(.*?)```", text, re.DOTALL)[1]
    assert len(example.strip().splitlines()) == 10
    done = subprocess.run([sys.executable, "-W", "error", "-c", example], capture_output=True, text=True,
                          check=False)
    assert done.returncode == 0, done.stderr
    assert "cash benefit" in done.stdout


def test_the_worked_example_runs():
    text = (ROOT / "docs" / "examples" / "own-analysis.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    # Without -W error: lifelines itself uses what newer pandas is about to retire.
    done = subprocess.run([sys.executable, "-c", "".join(blocks)], capture_output=True, text=True,
                          check=False)
    assert done.returncode == 0, done.stderr
    for said in ("SELF_SUFFICIENT", "sex[M]", "log(scale)", "weeks[SUPPORT]"):
        assert said in done.stdout


def test_the_readme_names_only_commands_that_exist():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    targets = set(re.findall(r"(?m)^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8")))
    assert set(re.findall(r"`make ([a-z]+)`", text)) <= targets
    used = set(re.findall(r"(?m)(?:^|`)evalkit ([a-z]+) ", text)) | {"demo"}
    for command in used:
        with pytest.raises(SystemExit) as stopped:
            cli.main([command, "--help"])
        assert stopped.value.code == 0


def test_links_in_the_guides_lead_somewhere():
    for guide in ("README.md", "CONTRIBUTING.md"):
        for link in re.findall(r"\]\(([^)]+)\)", (ROOT / guide).read_text(encoding="utf-8")):
            assert link.startswith("http") or (ROOT / link).exists(), link


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run([sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder),
                    str(ROOT)],
                   check=True, capture_output=True)
    return next(folder.glob("*.whl"))


def test_the_wheel_carries_what_the_package_reads(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    for folder in ("data_schema", "notebooks", "analysis"):
        shipped = {f"evalkit/_data/{path.relative_to(ROOT).as_posix()}" for path in (ROOT / folder).rglob("*")
                   if path.is_file() and ".ipynb_checkpoints" not in path.parts}
        assert shipped <= names
    assert {"evalkit/reports/strings/common.yaml", "evalkit/reports/html/page.html"} <= names
    assert not [name for name in names if name.startswith(("data/", "out/", "private/")) or "/tests/" in name]


def test_an_installed_wheel_works_in_another_folder(wheel, tmp_path):
    """The stack is the environment's own; evalkit comes from the unpacked wheel and finds its own data."""
    installed, work = tmp_path / "installed", tmp_path / "work"
    zipfile.ZipFile(wheel).extractall(installed)
    work.mkdir()
    code = f"import sys; sys.path.insert(0, {str(installed)!r})\nfrom evalkit import cli, files\n" \
           f"assert files.__file__.startswith({str(installed)!r})\nsys.exit(cli.main(sys.argv[1:]))"
    demo = ["demo", "--site", "frederikshavn", "--persons", "400"]
    done = subprocess.run([sys.executable, "-c", code, *demo], cwd=work, capture_output=True, text=True,
                          check=False,
                          encoding="utf-8", env={**_environment(), "PYTHONPATH": str(installed)})
    assert done.returncode == 0, done.stderr[-3000:]
    assert (work / "out" / "frederikshavn" / "da" / "effect.html").is_file()
    assert {path.name for path in work.iterdir()} == {"analysis", "data", "out", "private"}


def _environment():
    return {key: value for key, value in os.environ.items() if key != "EVALKIT_PUBLIC"}
