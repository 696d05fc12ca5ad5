"""One run at a time in a folder: a lock that the operating system releases when its holder dies."""

import contextlib
import datetime as dt
import getpass
import json
import os
import sys
from pathlib import Path

from evalkit.errors import RunError

# Windows locks bytes, not files: one far behind the text leaves the text readable.
_LOCKED_BYTE = 1 << 30


@contextlib.contextmanager
def locked(folder):
    """Hold the folder for this process.

    Raises
    ------
    RunError
        If another process holds it; the message says who and since when.
    """
    path = Path(folder) / ".lock"
    with path.open("a+", encoding="utf-8") as handle:
        if not _try_lock(handle):
            raise RunError(f"{path.parent.name}: another run is under way{_holder(path)}. "
                           "Wait until it ends; nothing was started")
        handle.truncate(0)
        handle.write(json.dumps({"who": _who(), "since": f"{dt.datetime.now():%Y-%m-%d %H:%M:%S}",
                                 "process": os.getpid()}))
        handle.flush()
        try:
            yield
        finally:
            _unlock(handle)


def _who():
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "unknown"


def _holder(path):
    try:
        held = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return ""
    return f", started {held['since']} by {held['who']} (process {held['process']})"


if sys.platform == "win32":
    import msvcrt

    def _try_lock(handle):
        handle.seek(_LOCKED_BYTE)
        try:
            msvcrt.locking(handle.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

    def _unlock(handle):
        handle.seek(_LOCKED_BYTE)
        msvcrt.locking(handle.fileno(), msvcrt.LK_UNLCK, 1)
else:
    import fcntl

    def _try_lock(handle):
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True

    def _unlock(handle):
        fcntl.flock(handle, fcntl.LOCK_UN)
