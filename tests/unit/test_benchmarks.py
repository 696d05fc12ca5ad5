"""The benchmark runs at tiny size and says something of every work and peer; no time is judged."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture(autouse=True)
def on_path(monkeypatch):
    """The benchmark's scripts import each other by name, as they do when they are run."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    yield
    for name in ("data", "works", "tasks", "measure", "report", "survival_benchmark"):
        sys.modules.pop(name, None)


def load(name):
    spec = importlib.util.spec_from_file_location(name, BENCHMARKS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_work_and_peer_has_its_line_and_nothing_fails():
    done = subprocess.run([sys.executable, str(BENCHMARKS / "survival.py"), "--quick", "--scale", "0.02"],
                          capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    for work in load("works").WORKS:
        start = work.words.split("{n}")[0]
        own = [line for line in lines if line.startswith(start)]
        assert own, start
        assert all(any(peer in line for line in own) for peer in work.peers if peer != "evalkit_cox"), start
    assert "failed" not in done.stdout, done.stdout


def test_a_peer_that_is_not_installed_is_said(tmp_path):
    data, works = load("data"), load("works")
    data.write(data.rows(200), tmp_path / "rows")
    # A folder whose lifelines cannot be imported stands first on the path.
    (tmp_path / "lifelines.py").write_text("raise ImportError('not here')", encoding="utf-8")
    done = subprocess.run([sys.executable, str(BENCHMARKS / "measure.py"), "lifelines", "0.1",
                           f"cox={tmp_path / 'rows'}"], capture_output=True, text=True, check=True,
                          env={**os.environ, "PYTHONPATH": str(tmp_path)})
    assert json.loads(done.stdout) == {"work": "cox", "error": "not installed"}
    assert "lifelines" in works.WORKS[0].peers


def test_data_come_back_as_they_were_written(tmp_path):
    data = load("data")
    frame = data.transitions(300)
    data.write(frame, tmp_path / "moves")
    assert data.read(tmp_path / "moves").equals(frame)


@pytest.mark.parametrize("name", ["rows", "rows_right", "intervals", "patterns", "shared", "causes",
                                  "transitions"])
def test_data_are_the_same_every_time_and_can_be_followed(name):
    make = getattr(load("data"), name)
    frame = make(400)
    assert frame.equals(make(400))
    assert (frame["entry"] < frame["exit"]).all()
    assert (frame["exit"] == frame["exit"].round()).all()
    if name != "transitions":
        assert len(frame) == 400


def test_agreement_is_the_worst_difference_of_what_both_found():
    report = load("report")

    class Line:
        peer, own, other = "R", {"answer": [1.0, 2.0, 9.0]}, {"answer": [1.0, 2.2]}

    assert report.agreement(Line) == "9e-02"
    Line.other = {"error": "not installed"}
    assert report.agreement(Line) == ""


def test_the_page_judges_what_was_asked():
    report, works, survival = load("report"), load("works"), load("survival")
    cox = works.WORKS[0]
    peer = {"work": cox, "n": cox.n, "peer": "R survival"}
    slow = survival.Line(own={"best": 1.0, "megabytes": 100.0}, other={"best": 14.0}, **peer)
    assert "15x: MISSED; at most 0.4 GB: met" in report._row(slow)
    fast = survival.Line(own={"best": 1.0, "megabytes": 500.0}, other={"best": 15.0}, **peer)
    assert "15x: met; at most 0.4 GB: MISSED" in report._row(fast)
