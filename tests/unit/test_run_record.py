"""Status files, the hash cache, progress and the lock."""

import io
import json
import os
import subprocess
import sys
import time

import pytest

from evalkit.errors import RunError
from evalkit.run import record
from evalkit.run.lock import locked
from evalkit.run.progress import Progress
from evalkit.run.record import Status, data_hashes, read_status, write_status


def test_a_status_comes_back_and_holds_no_more_than_class_and_step(tmp_path):
    write_status(tmp_path, Status(notebook="effect", status="failed", step="cell 3 of 9", error="KeyError"))
    assert read_status(tmp_path, "effect").error == "KeyError"
    assert set(json.loads((tmp_path / "status" / "effect.json").read_text(encoding="utf-8"))) == {
        "notebook", "status", "step", "error", "input_sha256"}


@pytest.mark.parametrize("content", ["", "{", "[]", '{"notebook": "effect", "future": 1}'])
def test_a_broken_status_counts_as_none(tmp_path, content):
    (tmp_path / "status").mkdir()
    (tmp_path / "status" / "effect.json").write_text(content, encoding="utf-8")
    assert read_status(tmp_path, "effect").status == ""


def test_only_a_changed_file_is_hashed_again(tmp_path, monkeypatch):
    first, second, cache = tmp_path / "a.csv", tmp_path / "b.csv", tmp_path / "hashes.json"
    first.write_text("1", encoding="utf-8")
    second.write_text("2", encoding="utf-8")
    sources = [{"path": first}, {"path": second}, {"path": tmp_path / "missing.csv"}]
    before = data_hashes(sources, cache)
    assert before[str(tmp_path / "missing.csv")] == ""

    read = []
    real = record.sha256_file
    monkeypatch.setattr(record, "sha256_file", lambda path: read.append(path.name) or real(path))
    assert data_hashes(sources, cache) == before
    assert read == []
    second.write_text("22", encoding="utf-8")
    assert data_hashes(sources, cache)[str(second)] != before[str(second)]
    assert read == ["b.csv"]


def test_the_code_hash_ignores_what_only_draws_pages(tmp_path, monkeypatch):
    assert record.code_hash() == record.code_hash()
    monkeypatch.setattr(record, "_NOT_NUMBERS", record._NOT_NUMBERS | {"estimators"})
    without = record.code_hash()
    monkeypatch.undo()
    assert record.code_hash() != without


def test_progress_names_notebook_cell_and_time():
    stream = io.StringIO()
    progress = Progress(stream)
    with progress.notebook("effect", 9) as show:
        show(3)
    progress.say("effect: done")
    assert "effect: cell 3 of 9, 0:00" in stream.getvalue()
    assert stream.getvalue().endswith("effect: done\n")


def test_on_a_terminal_a_shorter_line_covers_the_one_before():
    stream = io.StringIO()
    stream.isatty = lambda: True
    progress = Progress(stream)
    with progress.notebook("effect", 10) as show:
        show(10)
        show(9)
    progress.say("done")
    progress.say("more")
    ten, nine, done, more = (line.split("\n")[0] for line in stream.getvalue().split("\r")[1:])
    assert nine == "  effect: cell 9 of 10, 0:00 " and len(nine) == len(ten)
    assert done == "done".ljust(len(nine) - 1) and more == "more"


def test_a_long_cell_is_seen_to_live(monkeypatch):
    monkeypatch.setattr("evalkit.run.progress._LOG_SECONDS", 0.02)
    stream = io.StringIO()
    with Progress(stream).notebook("effect", 9) as show:
        show(1)
        time.sleep(0.2)
    assert stream.getvalue().count("cell 1 of 9") > 2


HOLD = "import sys, time; from evalkit.run.lock import locked\n" \
       "with locked(sys.argv[1]): print('held', flush=True); time.sleep(60)"


def test_a_lock_is_refused_to_others_and_freed_when_its_holder_dies(tmp_path):
    holder = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout.readline() == "held\n"
        told = rf"another run is under way, started .* \(process {holder.pid}\)"
        with pytest.raises(RunError, match=told), locked(tmp_path):
            pass
    finally:
        holder.kill()
        holder.wait()
        holder.stdout.close()
    with locked(tmp_path):
        assert json.loads((tmp_path / ".lock").read_text(encoding="utf-8"))["process"] == os.getpid()
