"""The walls stand: floors, face, sizes, who draws, and words for everything that is public."""

import ast
import importlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

import evalkit
from evalkit.result import COLUMNS

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src" / "evalkit"
MODULES = sorted(SOURCE.rglob("*.py"))
PLOTTING = {"matplotlib", "seaborn"}
MAX_LINES, MAX_FUNCTION, MAX_WIDTH = 300, 60, 110


def tree(path):
    return ast.parse(path.read_text(encoding="utf-8"))


def imported(path):
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


def functions(path):
    return [node for node in ast.walk(tree(path)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]


def test_nothing_imports_what_stands_above_it():
    linter = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    done = subprocess.run([sys.executable, "-c", linter, "--no-cache"], cwd=ROOT, capture_output=True,
                          text=True, encoding="utf-8", check=False,
                          env={**os.environ, "PYTHONIOENCODING": "utf-8"})
    assert done.returncode == 0, done.stdout[-3000:]


def test_only_charts_draws():
    drawing = {path.relative_to(SOURCE).as_posix() for path in MODULES
               if PLOTTING & {name.split(".")[0] for name in imported(path)}}
    assert drawing == {"reports/charts.py"}


def test_nothing_is_pickled():
    assert not [path for path in MODULES if {"pickle", "joblib", "shelve"} & set(imported(path))]


def test_no_file_knows_a_machine():
    own = ROOT.as_posix()
    found = [path for path in MODULES if own in path.read_text(encoding="utf-8")]
    assert not found


def test_the_face_is_what_it_says():
    assert sorted(evalkit.__all__) == evalkit.__all__
    for name in evalkit.__all__:
        assert getattr(evalkit, name) is not None
        is_shown = name in evalkit.__doc__ or name.endswith("Error") or name == "weeks"
        assert is_shown, f"the map does not show {name}"
    defined = [node.name for node in tree(SOURCE / "__init__.py").body
               if isinstance(node, ast.FunctionDef | ast.ClassDef)]
    assert defined == ["__getattr__", "__dir__"]
    with pytest.raises(AttributeError, match="no attribute 'survival'"):
        evalkit.survival  # noqa: B018 - the look-up is what is tested


@pytest.mark.parametrize("package", ["cohort", "contract", "disclosure", "estimators", "reports",
                                     "run", "simulate", "spec"])
def test_each_rooms_face_is_its_all(package):
    room = importlib.import_module(f"evalkit.{package}")
    assert len(set(room.__all__)) == len(room.__all__)
    assert all(hasattr(room, name) for name in room.__all__)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(SOURCE).as_posix())
def test_files_and_functions_stay_readable(path):
    lines = path.read_text(encoding="utf-8").splitlines()
    assert len(lines) <= MAX_LINES
    long = [node.name for node in functions(path)
            if node.end_lineno - node.lineno >= MAX_FUNCTION + _docstring(node)]
    assert not long
    assert ast.get_docstring(tree(path)), "a file says in its first line what it is for"


def test_no_line_is_wider_than_a_screen_beside_another():
    wide = [f"{path.relative_to(ROOT).as_posix()}:{number}"
            for path in [*MODULES, *sorted((ROOT / "tests").rglob("*.py"))]
            for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
            if len(line) > MAX_WIDTH]
    assert not wide


def test_what_another_module_uses_has_a_public_name():
    private = [f"{path.relative_to(SOURCE).as_posix()}: {alias.name}" for path in MODULES
               for node in ast.walk(tree(path)) if isinstance(node, ast.ImportFrom) for alias in node.names
               if alias.name.startswith("_") and not (SOURCE / "estimators" / f"{alias.name}.py").exists()]
    assert not private


def test_an_underscore_says_that_several_families_of_estimators_share_a_module():
    families = [path for path in MODULES if path.parent.parent == SOURCE / "estimators"]
    assert len(families) > 50
    assert not [path for path in families if path.name.startswith("_") and path.name != "__init__.py"]


def _docstring(node):
    first = node.body[0]
    is_text = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
    return first.end_lineno - first.lineno + 1 if is_text else 0


def test_most_functions_are_short():
    lengths = sorted(node.end_lineno - node.lineno + 1 - _docstring(node) for path in MODULES
                     for node in functions(path))
    assert lengths[len(lengths) // 2] <= 8
    assert lengths[len(lengths) * 9 // 10] <= 30


def test_public_functions_are_documented():
    bare = [f"{path.relative_to(SOURCE).as_posix()}: {node.name}" for path in MODULES
            for node in tree(path).body
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_")
            and not ast.get_docstring(node)]
    assert not bare


def test_the_glossary_has_every_public_word():
    glossary = (ROOT / "GLOSSARY.md").read_text(encoding="utf-8")
    states = [line.split(",")[0] for line in
              (ROOT / "data_schema" / "codes" / "states.csv").read_text(encoding="utf-8").splitlines()[1:]]
    estimators = importlib.import_module("evalkit.estimators").__all__
    missing = [word
               for word in [*COLUMNS, *states, *estimators, *evalkit.__all__] if f"`{word}`" not in glossary]
    assert not missing


def test_no_room_is_called_utils():
    assert not [path for path in MODULES if path.stem in {"utils", "helpers", "common", "misc"}]
