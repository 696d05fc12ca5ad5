"""Where the package's own data lie, how files are fingerprinted, and how they are written."""

import hashlib
import json
import os
import tempfile
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def package_data(*parts):
    """Return the path of shipped data: ``data_schema``, ``notebooks`` or ``analysis`` and below.

    In a checkout these folders stand at the top of the repository; in an installed wheel they
    travel inside the package.

    Raises
    ------
    FileNotFoundError
        If neither place holds the named path.
    """
    for root in (_PACKAGE / "_data", _PACKAGE.parents[1]):
        path = root.joinpath(*parts)
        if path.exists():
            return path
    raise FileNotFoundError(f"evalkit's own {'/'.join(parts)} is missing; reinstall the package")


def sha256_file(path):
    """Return the hex sha256 of a file, read in blocks."""
    with Path(path).open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def sha256_json(value):
    """Return the hex sha256 of a JSON value in its canonical form (sorted keys, no spaces)."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()


def canonical_json(value):
    """Return the one text form of a JSON value that is hashed and compared."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def write_atomic(path, content):
    """Write text or bytes beside ``path`` and move them in: a reader sees the old or the new, whole.

    Parameters
    ----------
    path : path-like
        Its folder is made when missing.
    content : str or bytes
        Text is written as UTF-8 with ``\\n`` line ends on every system.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    data = content.encode() if isinstance(content, str) else content
    handle, part = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    try:
        with os.fdopen(handle, "wb") as out:
            out.write(data)
            out.flush()
            os.fsync(out.fileno())
        Path(part).chmod(0o644)
        Path(part).replace(path)
    except BaseException:
        Path(part).unlink(missing_ok=True)
        raise
