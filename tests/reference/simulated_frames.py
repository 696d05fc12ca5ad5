"""Simulated data sets of the references: weeks, heavy ties, late entry.

RandomState, because its stream never changes between releases of numpy.
"""

import numpy as np
import pandas as pd


def weekly():
    """Weekly, heavily tied times with delayed entry, causes, strata, clusters and weights."""
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


def separated():
    """Weekly rows with ties and late entry where nobody without a course leaves: no maximum exists."""
    rng = np.random.RandomState(4)
    n = 80
    course, entry = rng.randint(0, 2, n), np.where(rng.uniform(size=n) < 0.3, rng.randint(1, 6, n), 0)
    return pd.DataFrame(
        {
            "entry": entry,
            "exit": entry + rng.randint(1, 15, n),
            "event": course * (rng.uniform(size=n) < 0.5).astype(int),
            "course": course,
            "age": np.round(rng.normal(size=n), 2),
        }
    )


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


def movements():
    """The weekly movements of states, with covariates of the person that some hazards depend on."""
    frame = states()
    rng = np.random.RandomState(11)
    age, course = np.round(rng.normal(size=200), 2), rng.randint(0, 2, 200)
    return frame.assign(age=age[frame["id"]], course=course[frame["id"]], k=frame["id"] % 3 + 1)


def crowded():
    """Three weeks in all, half the rows in one cluster, weights 0.01 to 100, one event in the last place."""
    rng = np.random.RandomState(12)
    n = 260
    entry, treated = rng.randint(0, 3, n), rng.randint(0, 2, n)
    place = np.where(np.arange(n) < 12, 3, rng.randint(0, 3, n))
    x = np.round(rng.normal(250_000, 90_000, n), -2)
    last = rng.uniform(size=n) < 0.45 + 0.2 * treated - (x - 250_000) / 4e5
    exit = np.minimum(entry + rng.randint(1, 4, n), 3)
    event = np.where(place == 3, np.arange(n) == 0, last).astype(int)
    return _followed(rng, entry, exit, event, x, treated, place,
                     np.where(rng.uniform(size=n) < 0.5, 0, rng.randint(1, 15, n)))


def latecomers():
    """Everybody enters late; weights 0.01 to 100, one event in the last place, x of a hundred-thousandth."""
    rng = np.random.RandomState(13)
    n = 320
    entry, treated = rng.randint(4, 30, n), rng.randint(0, 2, n)
    place = np.where(np.arange(n) < 9, 3, rng.randint(0, 3, n))
    x = np.round(rng.normal(0, 1e-5, n), 7)
    stay = np.ceil(rng.exponential(14 * np.exp(-4e4 * x + 0.3 * treated))).astype(int)
    end = rng.randint(3, 40, n)
    event = np.where(place == 3, np.arange(n) == 4, stay <= end).astype(int)
    return _followed(rng, entry, entry + np.minimum(stay, end), event, x, treated, place,
                     rng.randint(0, 25, n))


def restless():
    """Movements in eight weeks: returns, late entry, half of the persons in one cluster, hard weights."""
    rng = np.random.RandomState(14)
    names = ["SUPPORT", "SELF", "EDUCATION"]
    moves = np.array([[0.6, 0.3, 0.1], [0.35, 0.6, 0.05], [0.3, 0.2, 0.5]])
    rows = []
    for person in range(220):
        week, state = rng.choice([0, 1, 3], p=[0.7, 0.2, 0.1]), rng.choice(3, p=[0.6, 0.2, 0.2])
        end, begin = rng.randint(5, 9), week
        weight, cluster = round(10 ** rng.uniform(-2, 2), 2), 0 if person % 2 else rng.randint(1, 12)
        x, course = round(rng.normal(250_000, 90_000), -2), rng.randint(0, 2)
        while week < end:
            week += 1
            to = rng.choice(3, p=moves[state])
            if to != state or week == end:
                rows.append((person, begin, week, names[state], names[to] if to != state else "censor",
                             weight, cluster, person % 3 // 2, x, course))
                state, begin = to, week
    frame = pd.DataFrame(rows, columns=["id", "start", "stop", "now", "then", "pw", "cluster", "arm", "age",
                                        "course"])
    return frame.assign(k=frame["id"] % 3 + 1)


def _followed(rng, entry, exit, event, x, treated, place, cluster):
    """Add causes, weights and counts."""
    n = len(entry)
    return pd.DataFrame({
        "id": np.arange(n), "entry": entry, "exit": exit, "cause": event * rng.randint(1, 4, n), "x": x,
        "treated": treated, "place": place, "cluster": cluster,
        "pw": np.round(10 ** rng.uniform(-2, 2, n), 2), "k": rng.randint(1, 4, n), "event": event})


FRAMES = {make.__name__: make for make in (weekly, states, separated, shared, movers, movements, crowded,
                                             latecomers, restless)}
