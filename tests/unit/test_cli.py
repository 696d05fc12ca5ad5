"""The command line: what it says, what it returns, and what it never does."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from evalkit import cli, run, spec
from evalkit.errors import ContractError, RunError, SpecError
from evalkit.simulate.sites import SITES

COMMANDS = ("demo", "simulate", "public", "check", "run", "release", "lab")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_shows_an_example(command, capsys):
    with pytest.raises(SystemExit) as stopped:
        cli.main([command, "--help"])
    assert stopped.value.code == 0
    assert f"example: evalkit {command}" in capsys.readouterr().out


def test_every_command_has_a_line_in_the_help(capsys):
    with pytest.raises(SystemExit):
        cli.main(["--help"])
    said = capsys.readouterr().out
    assert all(f"  {command} " in said for command in COMMANDS)


def test_a_wrong_call_is_told_so(capsys):
    with pytest.raises(SystemExit) as stopped:
        cli.main(["run", "x.yaml", "-p", "seed"])
    assert stopped.value.code == 2
    assert "expected NAME=VALUE" in capsys.readouterr().err


@pytest.mark.parametrize(("options", "said"), [
    (["--site", "hjorring"], "no example 'hjorring'; did you mean hjoerring?"),
    (["--site", "xyz"], "no example 'xyz'; examples are hjoerring, frederikshavn"),
    (["--persons", "0"], "'0' is not a whole number of at least 1"),
    (["--persons", "-5"], "'-5' is not a whole number of at least 1"),
    (["--persons", "6e3"], "'6e3' is not a whole number of at least 1"),
    (["--seed", "-1"], "'-1' is not a whole number of at least 0")])
@pytest.mark.parametrize("command", ["demo", "simulate"])
def test_an_example_that_cannot_be_made_is_told_before_anything_is(command, options, said, tmp_path, capsys):
    with pytest.raises(SystemExit) as stopped:
        cli.main([command, *options, "--to", str(tmp_path)])
    assert stopped.value.code == 2
    assert said in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_the_examples_are_those_that_can_be_simulated():
    assert set(cli.EXAMPLES) == set(SITES)


@pytest.mark.parametrize("options", [["--notebook", "efect"], ["-p", "sed=1"], ["-p", "seed=x"]])
def test_a_misspelt_name_is_told_also_while_a_run_is_under_way(options, tmp_path, put_site, no_public,
                                                               capsys):
    site = spec.load_site(put_site(tmp_path, "hjoerring"))
    with run.workspace(site):
        assert cli.main(["run", str(site.path), *options]) == RunError.exit_code
    said = capsys.readouterr().err
    assert "under way" not in said
    assert options[1].partition("=")[0] in said


def test_a_public_folder_that_is_not_there_is_told(tmp_path, put_site, capsys):
    site = put_site(tmp_path, "hjoerring")
    assert cli.main(["check", str(site), "--public", str(tmp_path / "nowhere")]) == SpecError.exit_code
    assert "evalkit public --to" in capsys.readouterr().err


def test_each_kind_of_error_has_its_code_and_no_traceback(tmp_path, put_site, no_public, capsys):
    site = put_site(tmp_path, "hjoerring")
    assert cli.main(["check", str(tmp_path / "nowhere.yaml")]) == SpecError.exit_code
    assert cli.main(["check", str(site)]) == ContractError.exit_code
    assert cli.main(["release", str(site)]) == RunError.exit_code
    said = capsys.readouterr()
    assert "Traceback" not in said.out + said.err
    assert "missing_file" in said.out
    assert "run the site first" in said.err


def test_an_interrupt_is_130(monkeypatch, tmp_path, capsys):
    def interrupt(*_args, **_options):
        raise KeyboardInterrupt

    monkeypatch.setattr("evalkit.spec.load_site", interrupt)
    assert cli.main(["check", str(tmp_path)]) == 130
    assert "untouched" in capsys.readouterr().err


def test_check_says_that_good_files_are_good(example_site, no_public, capsys):
    assert cli.main(["check", str(example_site.path)]) == 0
    assert "files keep the contract" in capsys.readouterr().out


def test_a_name_that_the_code_page_lacks_is_escaped(example_site, no_public):
    call = [sys.executable, "-m", "evalkit", "check", str(example_site.path)]
    env = {**os.environ, "PYTHONIOENCODING": "cp1251"}
    said = subprocess.run(call, capture_output=True, check=True, env=env)
    assert said.stdout.startswith(rb"Hj\xf8rring: ")


def test_simulate_never_writes_among_real_files(tmp_path, capsys):
    (tmp_path / "person.csv").write_text("real", encoding="utf-8")
    assert cli.main(["simulate", "--persons", "50", "--to", str(tmp_path)]) == RunError.exit_code
    assert (tmp_path / "person.csv").read_text(encoding="utf-8") == "real"
    assert [path.name for path in tmp_path.iterdir()] == ["person.csv"]


def test_the_face_imports_nothing_heavy():
    heavy = ("scipy.stats", "statsmodels", "seaborn", "matplotlib", "papermill", "duckdb", "pandas")
    code = f"import sys, evalkit; print([name for name in {heavy} if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True,
                          check=True).stdout == "[]\n"


def test_a_notebooks_first_lines_import_no_plots_and_no_models():
    heavy = ("statsmodels", "seaborn", "matplotlib", "papermill", "lifelines")
    code = ("import sys, evalkit; evalkit.open, evalkit.evaluations; "
            f"print([name for name in {heavy} if name in sys.modules])")
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True,
                          check=True).stdout == "[]\n"


def test_the_console_script_is_the_module():
    script = shutil.which("evalkit", path=str(Path(sys.executable).parent))
    said = [subprocess.run([*command, "--help"], capture_output=True, text=True, check=True).stdout
            for command in ([sys.executable, "-m", "evalkit"], [script])]
    assert said[0] == said[1]
