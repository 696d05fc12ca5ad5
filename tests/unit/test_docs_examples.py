"""Every public estimator is used: in a worked example, or in the code that the notebooks call."""

import ast
import json
import re
from functools import cache
from pathlib import Path

from evalkit import estimators

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src"


@cache
def module(name):
    """Return a module's top-level names with their code, and what it imports by name; None: no module."""
    path = SOURCE / name.replace(".", "/")
    file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    return read(file.read_text(encoding="utf-8")) if file.is_file() else None


def read(code):
    defined, imported = {}, {}
    for node in ast.parse(code).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            defined[node.name] = node
        elif isinstance(node, ast.Assign):
            defined |= {target.id: node for target in node.targets if isinstance(target, ast.Name)}
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("evalkit"):
            imported |= {alias.asname or alias.name: (node.module, alias.name) for alias in node.names}
    return defined, imported


def found(place, name):
    """Return what a module means by a name: a place where it is defined, a module, or None."""
    if module(place) is None:
        return None
    defined, imported = module(place)
    if name in defined:
        return place, name
    if name in imported and imported[name] != (place, name):
        return found(*imported[name])
    inner = f"{place}.{name}"
    return inner if module(inner) else None


def meant(node, imported, place):
    """Return what a name or a dotted name in code means."""
    if isinstance(node, ast.Attribute):
        owner = meant(node.value, imported, place)
        return found(owner, node.attr) if isinstance(owner, str) else None
    if not isinstance(node, ast.Name):
        return None
    return found(*imported[node.id]) if node.id in imported else place and found(place, node.id)


def uses(tree, imported, place=None):
    everything = (meant(node, imported, place) for node in ast.walk(tree))
    return {one for one in everything if isinstance(one, tuple)}


def reached(codes):
    """Return every definition of the package that pieces of code lead to."""
    waiting, seen = [one for code in codes for one in uses(ast.parse(code), read(code)[1])], set()
    while waiting:
        here = waiting.pop()
        if here not in seen:
            seen.add(here)
            defined, imported = module(here[0])
            waiting += uses(defined[here[1]], imported, here[0])
    return seen


def examples():
    pages = sorted((ROOT / "docs" / "examples").glob("*.md"))
    return ["\n".join(re.findall(r"(?ms)^```python\n(.*?)^```$", page.read_text(encoding="utf-8")))
            for page in pages]


def notebooks():
    for file in sorted((ROOT / "notebooks").glob("*.ipynb")):
        cells = json.loads(file.read_text(encoding="utf-8"))["cells"]
        yield "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")


def home(name):
    return found("evalkit.estimators", name)


def test_every_public_estimator_stands_in_a_worked_example_or_behind_a_notebook():
    used = reached([*examples(), *notebooks()])
    assert [name for name in estimators.__all__ if home(name) not in used] == []


def test_the_walk_sees_what_notebooks_use_and_nothing_that_they_do_not():
    used = reached(notebooks())
    assert {home("shared_frailty"), home("synthetic_control")} <= used
    assert home("mixture_cure") not in used
    assert reached(["x = 1"]) == set()
