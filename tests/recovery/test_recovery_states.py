"""Known histories, many times: transition probabilities, the Markov test, hazards of movements.

Weekly steps between support, self-sufficiency and education. Where the way into a state matters, those who
have returned to support from self-sufficiency leave it faster.
"""

import numpy as np
import pytest

from evalkit.atrisk import AtRisk
from evalkit.estimators import markov_test, transition_cox, transition_probabilities

NAMES = ("SUPPORT", "SELF", "EDUCATION")
MOVES = np.array([[0.90, 0.06, 0.04], [0.05, 0.93, 0.02], [0.04, 0.03, 0.93]])
FASTER = np.array([0.60, 0.36, 0.04])
WEEKS, FROM, TO = 40, 10, 25


def walk(rng, n, returned=None, late=True):
    """Return states (n, WEEKS + 1) by week; the first and last week seen of each person."""
    path = np.zeros((n, WEEKS + 1), dtype=np.int64)
    path[:, 0] = rng.choice(3, n, p=[0.6, 0.2, 0.2])
    was_self = path[:, 0] == 1
    for week in range(WEEKS):
        chance = MOVES[path[:, week]]
        if returned is not None:
            chance = np.where((was_self & (path[:, week] == 0))[:, None], returned, chance)
        path[:, week + 1] = (rng.uniform(size=(n, 1)) > np.cumsum(chance, axis=1)).sum(axis=1).clip(max=2)
        was_self |= path[:, week + 1] == 1
    first = rng.integers(1, 15, n) * (rng.uniform(size=n) < 0.3) if late else np.zeros(n, dtype=np.int64)
    return path, first, np.minimum(first + rng.integers(12, 50, n), WEEKS)


def stays(path, first, last, person=None):
    """Join the weeks of each person in one state to rows."""
    week = np.arange(WEEKS)
    seen = (week >= first[:, None]) & (week < last[:, None])
    moved = (path[:, 1:] != path[:, :-1]) & seen
    ends = moved | (seen & (week + 1 == last[:, None]))
    who, stop = np.nonzero(ends)
    new = np.append(True, who[1:] != who[:-1])
    entry = np.where(new, first[who], np.append(0, stop[:-1] + 1))
    return AtRisk(entry=entry.astype(float), exit=stop + 1.0, state=path[who, stop] + 1, causes=NAMES,
                  event=np.where(moved[who, stop], path[who, stop + 1] + 1, 0),
                  person=who if person is None else person[who],
                  covariates=np.empty((len(who), 0)), terms=())


def coverage(answers, truth):
    covered = [(table["conf_low"] <= truth) & (truth <= table["conf_high"]) for table in answers]
    return np.mean(covered, axis=0)


@pytest.mark.parametrize("method", ["aalen_johansen", "landmark"])
def test_probabilities_of_a_markov_process_are_covered(method):
    rng, n_worlds = np.random.default_rng(31), 300
    truth = np.linalg.matrix_power(MOVES, TO - FROM).ravel()
    answers = [transition_probabilities(stays(*walk(rng, 250)), from_weeks=FROM, to_weeks=TO,
                                        method=method).table for _ in range(n_worlds)]
    mean = np.mean([table["estimate"] for table in answers], axis=0)
    spread = np.std([table["estimate"] for table in answers], axis=0)
    np.testing.assert_allclose(mean, truth, atol=4 * spread.max() / np.sqrt(n_worlds))
    # Five Monte Carlo errors are 6 points; landmark groups of 60 to 85 persons reach 94 % on average.
    assert (np.abs(coverage(answers, truth) - 0.945) < 0.063).all()
    assert abs(coverage(answers, truth).mean() - 0.95) < 0.02
    errors = np.sqrt(np.mean([table["std_error"] ** 2 for table in answers], axis=0))
    np.testing.assert_allclose(errors, spread, rtol=0.15)


def test_where_the_way_matters_only_the_landmark_estimate_is_right():
    rng = np.random.default_rng(32)
    path, _, _ = walk(rng, 200_000, returned=FASTER)
    here = path[:, FROM] == 0
    truth = (path[here, TO] == 0).mean()
    worlds = [stays(*walk(rng, 600, returned=FASTER)) for _ in range(60)]
    answers = {method: [transition_probabilities(at_risk, from_weeks=FROM, to_weeks=TO, method=method).row(
        term="SUPPORT -> SUPPORT") for at_risk in worlds] for method in ("aalen_johansen", "landmark")}
    distance = {method: np.mean([row["estimate"] for row in rows]) - truth
                for method, rows in answers.items()}
    error = np.std([row["estimate"] for row in answers["landmark"]]) / np.sqrt(60)
    assert abs(distance["landmark"]) < 4 * error
    assert abs(distance["aalen_johansen"]) > 8 * error


def test_the_markov_test_has_its_size_and_power():
    rng, n_worlds = np.random.default_rng(33), 250
    p_values = np.array([markov_test(stays(*walk(rng, 150)), from_weeks=FROM).table["p_value"]
                         for _ in range(n_worlds)])
    size = (p_values < 0.05).mean(axis=0)
    # Three Monte Carlo errors at 5 % are 4.1 points.
    assert (np.abs(size - 0.05) < 0.041).all()
    assert np.nanmean(p_values, axis=0) == pytest.approx(0.5, abs=0.06)
    found = [markov_test(stays(*walk(rng, 400, returned=FASTER)), from_weeks=FROM).table for _ in range(40)]
    power = np.mean([table["p_value"] < 0.05 for table in found], axis=0)
    terms = found[0]["term"].tolist()
    assert power[terms.index("SUPPORT -> SELF")] > 0.9 and power[0] > 0.8
    assert power[terms.index("EDUCATION -> SELF")] < 0.25


def test_the_difference_of_both_estimates_has_its_size_and_power():
    rng, n_worlds = np.random.default_rng(35), 200
    options = {"from_weeks": FROM, "to_weeks": TO, "method": "difference"}
    p_values = np.array([markov_test(stays(*walk(rng, 250)), **options).table["p_value"]
                         for _ in range(n_worlds)])
    # Three Monte Carlo errors at 5 % are 4.6 points.
    assert (np.abs((p_values < 0.05).mean(axis=0) - 0.05) < 0.046).all()
    found = [markov_test(stays(*walk(rng, 400, returned=FASTER)), **options).table for _ in range(40)]
    power = np.mean([table["p_value"] < 0.05 for table in found], axis=0)
    assert power[found[0]["term"].tolist().index("SUPPORT -> SUPPORT")] > 0.4


def spells(rng, n, effects, shape):
    """Stays on a clock of their own: hazards proportional by movement, of Weibull shape, until week 60."""
    x, course = rng.normal(size=n), rng.integers(0, 2, n)
    rows, week, state = [], np.zeros(n), np.zeros(n, dtype=np.int64)
    alive = np.arange(n)
    while len(alive):
        z = np.column_stack([x, course])[alive]
        other = np.array([[1, 2], [0, 2], [0, 1]])[state[alive]]
        rate = 0.04 * np.exp(np.einsum("nk,nqk->nq", z, effects[state[alive][:, None], other]))
        each = (rng.exponential(size=rate.shape) / rate) ** (1 / shape)
        stay, to = np.ceil(each.min(axis=1)), other[np.arange(len(alive)), each.argmin(axis=1)]
        stop = np.minimum(week[alive] + stay, 60)
        moved = week[alive] + stay < 60
        rows.append(np.column_stack([alive, week[alive], stop, state[alive] + 1, np.where(moved, to + 1, 0)]))
        week[alive], state[alive] = stop, to
        alive = alive[moved]
    rows = np.vstack(rows)
    who = rows[:, 0].astype(np.int64)
    return AtRisk(entry=rows[:, 1], exit=rows[:, 2], state=rows[:, 3].astype(np.int64), causes=NAMES,
                  event=rows[:, 4].astype(np.int64), person=who, terms=("x", "course"),
                  covariates=np.column_stack([x, course])[who].astype(float))


@pytest.mark.parametrize("clock, shape", [("forward", 1.0), ("reset", 0.7)])
def test_effects_on_movements_are_recovered_with_returns(clock, shape):
    """On the clock of time zero hazards are constant here; on the clock of the state they fall."""
    effects = np.zeros((3, 3, 2))
    effects[:, :, 0], effects[0, 1, 1], effects[0, 2, 1], effects[1, 0, 1] = 0.5, 0.6, -0.4, 0.3
    rng = np.random.default_rng(34)
    answers = [transition_cox(spells(rng, 400, effects, shape), clock=clock, shared=["x"]).table
               for _ in range(60)]
    first = answers[0]
    truth = [effects[NAMES.index(a), NAMES.index(b), 1] for a, b in
             (group.split(" -> ") for group in first["group"][:-1])] + [0.5]
    mean = np.mean([table["estimate"] for table in answers], axis=0)
    spread = np.std([table["estimate"] for table in answers], axis=0)
    np.testing.assert_allclose(mean, truth, atol=4 * spread.max() / np.sqrt(60) + 0.01)
    assert abs(coverage(answers, np.array(truth)).mean() - 0.95) < 0.035
