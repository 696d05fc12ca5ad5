"""The inputs of the parametric references: public data by name, and two simulations.

``python tests/reference/parametric_data.py DIR`` writes them as CSV for r/parametric.R; nothing of
it is committed. The tests build the same frames and compare their hashes with the expected file's header.
"""

import hashlib
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import survival_data


def recurrence():
    """Time to recurrence of colon cancer in years: a third to a half never have one."""
    frame = survival_data.colon().query("etype == 1")
    return frame.assign(years=frame["time"] / 365.25)[["id", "years", "status", "age", "sex", "nodes"]]


def movers():
    """Weekly exits of movers, stayers beside them, half seen late; RandomState keeps its stream."""
    rng = np.random.RandomState(31)
    n = 1500
    x, late = rng.randint(0, 2, n), rng.uniform(size=n) < 0.4
    mover = rng.uniform(size=n) < 1 / (1 + np.exp(-(0.4 + 0.6 * x)))
    stay = np.where(mover, np.ceil(rng.weibull(1.4, n) * 20 * np.exp(0.3 * x)), np.inf)
    end, entry = rng.randint(30, 150, n), np.where(late, rng.randint(1, 15, n), 0)
    frame = pd.DataFrame({"entry": entry, "exit": np.minimum(stay, end).astype(int), "x": x,
                          "event": (stay <= end).astype(int), "cluster": rng.randint(0, 50, n)})
    return frame[frame["exit"] > frame["entry"]].reset_index(drop=True)


OWN = {make.__name__: make for make in (recurrence, movers)}
PUBLIC = ("lung", "veteran", "weekly", "heart", "mgus2")
FRAMES = {**{name: survival_data.FRAMES[name] for name in PUBLIC}, **OWN}


def as_csv(name):
    """Return the text that R reads."""
    return FRAMES[name]().to_csv(index=False, lineterminator="\n")


def sha256(name):
    """Return the hash that the expected file's header must hold."""
    return hashlib.sha256(as_csv(name).encode("utf-8")).hexdigest()


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for key in FRAMES:
        (folder / f"{key}.csv").write_bytes(as_csv(key).encode("utf-8"))
        (folder / f"{key}.sha256").write_text(sha256(key), encoding="utf-8")
