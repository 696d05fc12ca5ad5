"""The inputs of the references, as R reads them, and what R made of them.

``python tests/reference/reference_data.py DIR`` writes every frame as CSV beside its hash, for the scripts in
tests/reference/r; none of it is committed. Expected files hold the hashes of their inputs, which
test_reference_data.py compares with those of the frames that the tests build.
"""

import hashlib
import json
import sys
from functools import cache
from pathlib import Path

import public_frames
import simulated_frames

HERE = Path(__file__).parent
EXPECTED = HERE / "expected"
FRAMES = {**public_frames.FRAMES, **simulated_frames.FRAMES}


@cache
def frame_of(name):
    """Return the frame that R read; nobody may write into it."""
    return FRAMES[name]()


@cache
def expected(name):
    """Return versions, inputs and cases of an expected JSON file."""
    return json.loads((EXPECTED / f"{name}.json").read_text(encoding="utf-8"))


def sha256(name):
    """Return the hash of a frame, or of a file of tests/reference/inputs."""
    content = as_csv(name) if name in FRAMES else (HERE / "inputs" / name).read_bytes()
    return hashlib.sha256(content).hexdigest()


def hashes(path):
    """Return the hashes of the inputs that an expected file was made from."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".json":
        return json.loads(text)["inputs"]
    marked = [line.removeprefix("# input: ") for line in text.splitlines() if line.startswith("# input: ")]
    return dict(line.split() for line in marked)


def as_csv(name):
    """Return the bytes that R reads."""
    return frame_of(name).to_csv(index=False, lineterminator="\n").encode("utf-8")


def write(folder):
    """Write every frame and its hash."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in FRAMES:
        (folder / f"{name}.csv").write_bytes(as_csv(name))
        (folder / f"{name}.sha256").write_text(sha256(name), encoding="utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1]))
