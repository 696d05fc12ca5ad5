"""Notebooks stay narrative and calls; each runs on both small examples."""

import ast
import re

import nbformat
import pytest

from evalkit.files import package_data
from evalkit.run.execute import ORDER, released
from evalkit.run.parameters import read_parameters

NOTEBOOKS = sorted(package_data("notebooks").glob("*.ipynb"))
HEADINGS = {
    "en": ["Question", "Data", "Cohort", "Estimand", "Estimate", "Sensitivity", "What this does not show"],
    "da": ["Spørgsmål", "Data", "Kohorte", "Estimand", "Estimat", "Følsomhed", "Hvad dette ikke viser"],
}
MAX_CELL_LINES = 12


def read(path):
    return nbformat.read(path, as_version=4)


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def prose(notebook, language):
    return "\n\n".join(cell.source for cell in notebook.cells
                       if cell.cell_type == "markdown" and language in cell.metadata.get("tags", []))


def headings(text, level):
    return re.findall(rf"(?m)^{'#' * level} +(.+?) *$", text)


every_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def test_there_is_a_notebook_for_each_evaluation():
    assert {path.stem for path in NOTEBOOKS} >= set(ORDER)


@every_notebook
def test_nothing_was_run_before_it_was_committed(path):
    notebook = read(path)
    nbformat.validate(notebook)
    assert not [cell for cell in code_cells(notebook) if cell.outputs or cell.execution_count is not None]


@every_notebook
def test_cells_are_calls(path):
    for cell in code_cells(read(path)):
        nodes = list(ast.walk(ast.parse(cell.source)))
        kinds = (ast.FunctionDef, ast.ClassDef, ast.Lambda, ast.For, ast.While, ast.If, ast.Try,
                 ast.comprehension)
        assert not [node for node in nodes if isinstance(node, kinds)], cell.source
        assert len(cell.source.splitlines()) <= MAX_CELL_LINES, cell.source


@every_notebook
def test_parameters_are_typed_and_explained(path):
    parameters = read_parameters(read(path), path.stem)
    assert set(parameters) <= {"site", "study", "seed"}
    assert {"site", "seed"} <= set(parameters)
    assert all(parameter.meaning for parameter in parameters.values())
    if "study" in parameters:
        assert parameters["study"].default == f"analysis/{path.stem}.yaml"


@every_notebook
@pytest.mark.parametrize("language", ["da", "en"])
def test_headings_are_the_fixed_ones(path, language):
    text = prose(read(path), language)
    assert len(headings(text, 1)) == 1
    assert headings(text, 2) == HEADINGS[language]


@every_notebook
def test_every_text_has_its_twin(path):
    cells = [cell for cell in read(path).cells if cell.cell_type == "markdown"]
    assert [cell.metadata["tags"] for cell in cells] == [["da"], ["en"]] * (len(cells) // 2)
    for danish, english in zip(cells[::2], cells[1::2], strict=True):
        shapes = [[len(mark) for mark in re.findall(r"(?m)^(#+) ", cell.source)]
                  for cell in (danish, english)]
        assert shapes[0] == shapes[1], danish.source


@every_notebook
def test_prose_holds_no_results(path):
    for language in ("da", "en"):
        words = re.sub(r"\b(19|20)\d\d\b|\b225\b", "", prose(read(path), language))
        assert not re.search(r"\d", words), "numbers are made by sentences, from what was released"


@every_notebook
def test_a_new_analysis_touches_no_page(path):
    used = {alias.name for cell in code_cells(read(path)) for node in ast.walk(ast.parse(cell.source))
            if isinstance(node, ast.Import) for alias in node.names}
    used |= {node.module for cell in code_cells(read(path)) for node in ast.walk(ast.parse(cell.source))
             if isinstance(node, ast.ImportFrom)}
    assert all(name.split(".")[0] == "evalkit" for name in used)
    assert not {name for name in used if name.startswith(("evalkit.disclosure", "evalkit.reports"))}


@pytest.mark.parametrize("name", [path.stem for path in NOTEBOOKS])
@pytest.mark.parametrize("example", ["example_run", "second_run"])
def test_each_runs_on_both_examples(name, example, request):
    site = request.getfixturevalue(example)
    notebook = read(site.private / "notebooks" / f"{name}.ipynb")
    kinds = [output.output_type for cell in code_cells(notebook) for output in cell.outputs]
    assert "error" not in kinds
    assert all(cell.execution_count for cell in code_cells(notebook))
    assert [payload["name"] for payload in released(notebook)], "a notebook that answers nothing is none"
    assert set(kinds) == {"display_data"}, "nothing is printed, no warning is left"


def test_the_two_sites_give_different_numbers(example_run, second_run):
    for name in ("data_check", "monitoring"):
        rows = [[payload["rows"] for payload in released(read(site.private / "notebooks" / f"{name}.ipynb"))]
                for site in (example_run, second_run)]
        assert rows[0] != rows[1]


def test_the_second_site_says_what_it_cannot_answer(second_run):
    withheld = {payload["withheld"] for name in ORDER
                for payload in released(read(second_run.private / "notebooks" / f"{name}.ipynb"))}
    assert withheld - {""}, "no survey and no comparison persons: something must be withheld"
    page = (second_run.out / "da" / "user.html").read_text(encoding="utf-8")
    assert "ikke leveret" in page
