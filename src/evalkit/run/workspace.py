"""The folders of a run: made, private where they must be, writable, and held by one run at a time."""

import contextlib
import tempfile
from pathlib import Path

from evalkit.errors import RunError
from evalkit.run.lock import locked


@contextlib.contextmanager
def workspace(site):
    """Hold the folders of a site; whatever an earlier crash left half-written is cleared.

    Raises
    ------
    RunError
        If a folder cannot be written, or another run holds it: both before any kernel starts.
    """
    for folder, mode in ((site.private, 0o700), (site.out, 0o755)):
        _make(folder, mode)
    with locked(site.private):
        for part in (*site.private.rglob("*.part"), *site.out.rglob("*.part")):
            part.unlink(missing_ok=True)
        yield


def executed(site, name):
    """Where the last good run of a notebook lies; `publish` reads it there."""
    return site.private / "notebooks" / f"{name}.ipynb"


def part_of(site, name):
    """Where a notebook is written while it runs; a failed one stays here for its author."""
    return site.private / "notebooks" / f".{name}.part.ipynb"


def append_private(path, text):
    """Append to a log that only its owner can read."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with path.open("a", encoding="utf-8", newline="\n") as handle:
        Path(path).chmod(0o600)
        handle.write(text)


def _make(folder, mode):
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=mode)
        if mode == 0o700:
            folder.chmod(mode)
            (folder / "notebooks").mkdir(exist_ok=True, mode=mode)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise RunError(f"{folder}: cannot be written ({type(error).__name__}). Choose another folder under "
                       "out or private in the site file, or ask for the right to write; nothing was started"
                       ) from None
