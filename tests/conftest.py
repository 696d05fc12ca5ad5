"""One small simulated example for every test that needs one: made once a session, shared by all workers."""

import contextlib
import os
import time
from pathlib import Path

import pytest

from evalkit import cli, simulate, spec

# Small enough for a few seconds, large enough that every notebook has something to say.
N_PERSONS, N_COMPARISONS, PERSONS_PER_COMPARISON = 600, 24, 60


@pytest.fixture(scope="session")
def example_root(tmp_path_factory):
    """A project folder that holds both sites' files and simulated deliveries; read it, never change it."""
    def make(root):
        for name in ("hjoerring", "frederikshavn"):
            copy_site(root, name)
            made = simulate.register(site=name, n_persons=N_PERSONS, n_comparisons=N_COMPARISONS, seed=1,
                                     persons_per_comparison=PERSONS_PER_COMPARISON)
            simulate.write(made, root / "data" / name)
    return _once(tmp_path_factory, "example", make)


@pytest.fixture(scope="session")
def example_site(example_root):
    """The small Hjørring: a Site whose simulated files exist."""
    return spec.load_site(example_root / "analysis" / "municipalities" / "hjoerring.yaml")


@pytest.fixture(scope="session")
def example_run(example_root, tmp_path_factory):
    """The small Hjørring after ``evalkit run``: every notebook executed and published."""
    path = example_root / "analysis" / "municipalities" / "hjoerring.yaml"
    _once(tmp_path_factory, "example-run", lambda _: _run(path))
    return spec.load_site(path)


@pytest.fixture(scope="session")
def second_run(example_root, tmp_path_factory):
    """The small Frederikshavn after ``evalkit run``."""
    path = example_root / "analysis" / "municipalities" / "frederikshavn.yaml"
    _once(tmp_path_factory, "second-run", lambda _: _run(path))
    return spec.load_site(path)


@pytest.fixture
def put_site():
    """Call it with a folder and a site's name: the site's file and prices are put there."""
    return copy_site


@pytest.fixture
def no_public(monkeypatch):
    """Run on the simulated panel, whatever the machine's environment says."""
    monkeypatch.delenv(spec.PUBLIC_VARIABLE, raising=False)


def copy_site(root, name):
    """Put a site's file and prices into a project folder; returns the site file."""
    folder = root / "analysis" / "municipalities"
    folder.mkdir(parents=True, exist_ok=True)
    for file in (f"{name}.yaml", f"{name}_prices.csv"):
        (folder / file).write_bytes(spec.find(f"analysis/municipalities/{file}").read_bytes())
    return folder / f"{name}.yaml"


def _run(path):
    assert cli.main(["run", str(path)]) == 0


def _once(tmp_path_factory, name, make):
    """Make a folder once for all xdist workers: the first makes it, the others wait for its mark."""
    base = tmp_path_factory.getbasetemp()
    base = base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base
    root, done, failed = base / name, base / f"{name}.done", base / f"{name}.failed"
    try:
        root.mkdir()
    except FileExistsError:
        _wait(done, failed)
        return root
    try:
        make(root)
    except BaseException:
        failed.touch()
        raise
    done.touch()
    return root


def _wait(done, failed, seconds=300):
    limit = time.monotonic() + seconds
    while not done.exists():
        assert not failed.exists(), "the shared example could not be made; see the other worker's error"
        assert time.monotonic() < limit, "the shared example was not made in time"
        time.sleep(0.2)


@contextlib.contextmanager
def working_in(folder):
    """Work in another folder for a while."""
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)
