"""What goes wrong while notebooks run: stopped early where it can be, said plainly, earlier reports kept."""

import json
import os
import signal
import stat
import subprocess
import sys
import time
from dataclasses import replace

import nbformat
import pytest

from evalkit import cli, publish, run, spec
from evalkit.errors import ContractError, RunError, SpecError
from evalkit.files import write_atomic

PARAMETERS = 'site: str = "x.yaml"  # the municipality\nseed: int = 1  # of draws'


@pytest.fixture
def site(tmp_path, put_site, no_public):
    return spec.load_site(put_site(tmp_path, "hjoerring"))


def notebook(site, name, *cells, parameters=PARAMETERS):
    """Put a notebook of these code cells beside the others; returns their folder."""
    first = nbformat.v4.new_code_cell(parameters)
    first.metadata["tags"] = ["parameters"]
    cells = [first, *map(nbformat.v4.new_code_cell, cells)]
    write_atomic(site.root / "notebooks" / f"{name}.ipynb",
                 nbformat.writes(nbformat.v4.new_notebook(cells=cells)))
    return site.root / "notebooks"


def ran(site, folder, **options):
    with run.workspace(site):
        return run.run_notebooks(site, folder=folder, **options)


def status(site, name):
    return json.loads((site.private / "status" / f"{name}.json").read_text(encoding="utf-8"))


def executed(site, name):
    return site.private / "notebooks" / f"{name}.ipynb"


@pytest.fixture
def no_kernel(monkeypatch):
    def refuse(*_args, **_options):
        raise AssertionError("a kernel was started")

    monkeypatch.setattr("evalkit.run.execute.execute", refuse)


def test_a_good_notebook_runs_once_and_only_once(site, capsys, monkeypatch):
    monkeypatch.setattr("evalkit.run.execute.code_hash", lambda: "the same code")
    folder = notebook(site, "effect", "x = seed + 1", "assert x == 2")
    assert ran(site, folder).done == ["effect"]
    assert ran(site, folder).up_to_date == ["effect"]
    assert "effect: up to date" in capsys.readouterr().err
    assert ran(site, folder, parameters={"seed": "1"}).up_to_date == ["effect"]
    notebook(site, "effect", "x = seed + 1", "assert x == 2  # edited")
    assert ran(site, folder).done == ["effect"]


def test_the_kernel_has_fixed_hashes_private_sockets_and_its_own_name(site):
    folder = notebook(site, "effect", "import os, sys\nassert os.environ['PYTHONHASHSEED'] == '0'\n"
                                      "assert os.environ['EVALKIT_RUN'] == 'effect'\nassert sys.executable "
                                      f"== {sys.executable!r}",
                      "from ipykernel.kernelapp import IPKernelApp\n"
                      "assert os.name == 'nt' or IPKernelApp.instance().transport == 'ipc'")
    assert ran(site, folder).done == ["effect"]
    if os.name != "nt":
        assert stat.S_IMODE(site.private.stat().st_mode) == 0o700
        assert stat.S_IMODE(executed(site, "effect").stat().st_mode) == 0o600


@pytest.mark.parametrize(("given", "said"), [
    ({"sed": "1"}, "did you mean seed"), ({"seed": "1,5"}, "is not int"), ({"site": 3}, "is not str")])
def test_a_wrong_parameter_stops_before_any_kernel(site, no_kernel, given, said):
    with pytest.raises(RunError, match=said):
        ran(site, notebook(site, "effect", "1"), parameters=given)


def test_a_malformed_study_stops_before_any_kernel(site, no_kernel):
    (site.root / "odd.yaml").write_text("study: efect\n", encoding="utf-8")
    folder = notebook(site, "effect", "1",
                      parameters=PARAMETERS + f"\nstudy: str = {str(site.root / 'odd.yaml')!r}")
    with pytest.raises(SpecError, match="no kind of study"):
        ran(site, folder)


def test_an_unknown_notebook_names_the_known(site, no_kernel):
    with pytest.raises(RunError, match="no notebook efect; notebooks are effect"):
        ran(site, notebook(site, "effect", "1"), names=["efect"])


def test_an_unwritable_folder_stops_before_any_kernel(site, no_kernel):
    site.out.parent.mkdir()
    site.out.write_text("a file where the folder should be", encoding="utf-8")
    with pytest.raises(RunError, match="cannot be written"):
        ran(site, notebook(site, "effect", "1"))


def test_a_second_run_at_the_same_time_is_refused(site, no_kernel):
    with run.workspace(site), pytest.raises(RunError, match="another run is under way, started"):
        ran(site, notebook(site, "effect", "1"))


def test_an_error_shows_class_and_step_and_keeps_the_data_private(site, capsys):
    folder = notebook(site, "effect", "raise KeyError('p-secret-7')", "1")
    notebook(site, "monitoring", "1")
    outcome = ran(site, folder)
    assert outcome.failed == {"effect": "KeyError at cell 3 of 4"}
    assert outcome.done == ["monitoring"], "one failure does not stop the others"
    assert status(site, "effect") == {"notebook": "effect", "status": "failed", "step": "cell 3 of 4",
                                      "error": "KeyError", "input_sha256": ""}
    assert "p-secret-7" not in capsys.readouterr().err
    log = site.private / "log.txt"
    assert "p-secret-7" in log.read_text(encoding="utf-8")
    assert os.name == "nt" or stat.S_IMODE(log.stat().st_mode) == 0o600


def test_evalkits_own_error_is_said_in_full(site, capsys):
    ran(site, notebook(site, "effect",
                       "from evalkit.errors import CohortError\nraise CohortError('nobody is left')"))
    assert "CohortError: nobody is left" in capsys.readouterr().err


@pytest.mark.parametrize("death", ["import os; os.kill(os.getpid(), 9)", "import os; os._exit(0)"])
def test_a_killed_kernel_is_an_error(site, death):
    outcome = ran(site, notebook(site, "effect", death, "1"))
    assert outcome.failed["effect"].startswith("KernelDied at cell 3")
    assert status(site, "effect")["status"] == "failed"


def test_a_failed_run_leaves_the_earlier_report(site):
    folder = notebook(site, "effect", "print('good')")
    ran(site, folder)
    before = executed(site, "effect").read_bytes()
    notebook(site, "effect", "raise ValueError")
    assert "effect" in ran(site, folder).failed
    assert executed(site, "effect").read_bytes() == before
    assert "effect" in ran(site, folder).failed, "a failed notebook is never taken for up to date"


def test_nothing_is_published_twice(site, capsys, monkeypatch):
    published = []
    monkeypatch.setattr("evalkit.run.execute.package_data", lambda *_: site.root / "notebooks")
    monkeypatch.setattr("evalkit.publish.pages", _counting(published))
    notebook(site, "effect", "1")
    call = ["run", str(site.path)]
    assert cli.main(call) == 0
    assert cli.main(call) == 0
    assert len(published) == 1
    said = capsys.readouterr()
    assert "pages: up to date" in said.err
    assert said.out.count(f"Open {site.out / 'index.html'}") == 2
    assert "no StatBank tables in data/public; the panel section has no tables to use" in said.err

    assert cli.main([*call, "--language", "en"]) == 0
    assert cli.main([*call, "--language", "en"]) == 0
    assert len(published) == 2, "another choice of languages is another set of pages"
    assert cli.main(["release", str(site.path)]) == 0
    assert len(published) == 3, "release always publishes"
    page = site.out / "da" / "effect.html"
    for change in (page.unlink, lambda: page.write_text("changed", encoding="utf-8"),
                   lambda: notebook(site, "effect", "2")):
        assert cli.main(call) == 0
        before = len(published)
        change()
        assert cli.main(call) == 0
        assert len(published) == before + 1


def test_pages_are_made_again_when_what_draws_them_changed(site, monkeypatch):
    executed(site, "effect").parent.mkdir(parents=True)
    executed(site, "effect").write_text('{"cells": []}', encoding="utf-8")
    publish.pages(site.private, site.out, site_meta={"title": "A", "note": ""})
    run.record_pages(site, ["da", "en"])
    assert run.pages_up_to_date(site, ["da", "en"])
    assert not run.pages_up_to_date(site, ["da"])
    assert not run.pages_up_to_date(replace(site, sha256="another"), ["da", "en"])
    monkeypatch.setattr("importlib.metadata.version", lambda _: "another")
    assert not run.pages_up_to_date(site, ["da", "en"])


def _counting(calls):
    real = publish.pages

    def pages(*args, **options):
        calls.append(options)
        return real(*args, **options)
    return pages


def test_data_that_were_refused_stop_the_other_notebooks(site):
    shown = {"name": "problems", "diagnostics": {"is_ok": False}}
    folder = notebook(site, "data_check", "from IPython.display import display\n"
                      f"display({{'application/vnd.evalkit.released+json': {shown!r}}}, raw=True)")
    notebook(site, "effect", "1")
    with pytest.raises(ContractError, match="data_check found errors"):
        ran(site, folder, names=["effect"])
    assert not executed(site, "effect").exists()


def test_a_name_shown_twice_is_refused(site):
    shown = {"name": "goal", "diagnostics": {}}
    cell = ("from IPython.display import display\n"
            f"display({{'application/vnd.evalkit.released+json': {shown!r}}}, raw=True)")
    assert ran(site, notebook(site, "effect", cell, cell)).failed["effect"].startswith("RunError")


def test_what_a_crash_left_half_written_is_cleared(site):
    folder = notebook(site, "effect", "1")
    ran(site, folder)
    left = site.out / ".index.html.abc.part"
    left.write_text("half", encoding="utf-8")
    ran(site, folder)
    assert not left.exists()


CALL = """
import sys
from evalkit import run, spec
site = spec.load_site(sys.argv[1])
try:
    with run.workspace(site):
        run.run_notebooks(site, folder=site.root / "notebooks")
except Exception as error:
    print(type(error).__name__, error, flush=True)
    sys.exit(error.exit_code)
"""


@pytest.mark.skipif(os.name == "nt", reason="Windows sends no SIGINT to one process")
def test_an_interrupt_in_the_middle_stops_the_kernel_and_keeps_earlier_reports(site):
    folder = notebook(site, "effect", "print('good')")
    ran(site, folder)
    before = executed(site, "effect").read_bytes()
    notebook(site, "effect", "import os, pathlib, time\n"
                             f"pathlib.Path({str(site.root / 'pid')!r}).write_text(str(os.getpid()))\n"
                             "time.sleep(60)")
    process = subprocess.Popen([sys.executable, "-c", CALL, str(site.path)], stdout=subprocess.PIPE,
                               stderr=subprocess.DEVNULL,
                               text=True)
    kernel = int(_wait_for_text(site.root / "pid"))
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=30)
    assert process.returncode == RunError.exit_code
    assert "effect: interrupted at cell 3 of 3" in said
    assert executed(site, "effect").read_bytes() == before
    assert status(site, "effect")["status"] == "interrupted"
    assert not _lives(kernel)


def _wait_for_text(path, seconds=30):
    limit = time.monotonic() + seconds
    while time.monotonic() < limit:
        if path.is_file() and path.read_text(encoding="utf-8"):
            return path.read_text(encoding="utf-8")
        time.sleep(0.1)
    raise AssertionError("the kernel did not start")


def _lives(process_id, seconds=10):
    limit = time.monotonic() + seconds
    while time.monotonic() < limit:
        try:
            os.kill(process_id, 0)
        except ProcessLookupError:
            return False
        time.sleep(0.1)
    return True


def test_the_command_line_stops_a_misspelt_parameter_with_its_code(site, no_kernel, capsys):
    assert cli.main(["run", str(site.path), "--notebook", "data_check", "-p", "sed=1"]) == RunError.exit_code
    assert "did you mean seed?" in capsys.readouterr().err
