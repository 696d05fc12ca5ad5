"""The study's words on a few rows that can be checked by hand."""

import numpy as np

from evalkit.simulate import definitions, observe
from evalkit.simulate.product_limit import restricted_mean
from evalkit.simulate.states import NUMBER
from evalkit.simulate.worlds import World, weeks_by_cell

CASH, JOB, STUDENT, PENSION = (
    NUMBER[name] for name in ("CASH_BENEFIT_READY", "EMPLOYED", "EDUCATION", "DISABILITY_PENSION")
)


def _column(*parts):
    return np.concatenate([np.full(n, value, dtype=np.uint8) for value, n in parts])[:, None]


def test_inflow_needs_a_year_without_support_and_takes_the_first():
    state = _column((JOB, 55), (CASH, 10), (JOB, 20), (CASH, 10), (JOB, 60), (CASH, 5))
    on = definitions.on_support(state)
    zero = definitions.first_inflow(state, on, eligible=lambda row: np.ones(1, bool), first=52, last=160)
    assert zero.tolist() == [55]
    # The second start came 20 weeks after the first ended; the third is new again.
    zero = definitions.first_inflow(state, on, eligible=lambda row: np.ones(1, bool), first=60, last=160)
    assert zero.tolist() == [155]


def test_inflow_begins_in_a_target_state():
    state = _column((JOB, 60), (PENSION, 10), (CASH, 10))
    zero = definitions.first_inflow(
        state, definitions.on_support(state), eligible=lambda row: np.ones(1, bool), first=52, last=80
    )
    assert zero.tolist() == [-1]


def test_a_gap_of_three_weeks_folds_and_one_of_four_does_not():
    state = _column((CASH, 2), (0, 3), (CASH, 2), (0, 4), (CASH, 1))
    assert definitions.on_support(state)[:, 0].astype(int).tolist() == [1] * 7 + [0] * 4 + [1]
    # Education is no gap: it is an exit of its own, however short.
    state = _column((CASH, 2), (STUDENT, 2), (CASH, 1))
    assert definitions.on_support(state)[:, 0].astype(int).tolist() == [1, 1, 0, 0, 1]


def test_weeks_on_counts_returns():
    state = _column((CASH, 4), (JOB, 6), (CASH, 3), (JOB, 7))
    on = definitions.on_support(state)
    assert definitions.weeks_on(on, np.array([0]), np.array([0]), 12).tolist() == [6]
    assert definitions.weeks_on(on, np.array([0]), np.array([0]), 20).tolist() == [7]


def test_employed_needs_four_weeks_and_wage_in_the_month():
    state = _column((CASH, 3), (JOB, 1), (0, 2), (CASH, 1), (0, 5))
    on = definitions.on_support(state)
    month = np.repeat([0, 1, 2], 4)
    assert not definitions.employed_weeks(state, on, month).any()
    state = _column((CASH, 2), (JOB, 2), (0, 8))
    found = definitions.employed_weeks(state, definitions.on_support(state), month)
    assert found[:, 0].astype(int).tolist() == [0, 0, 1, 1] + [0] * 8


def test_time_to_self_sufficiency_and_what_came_first():
    leaves = _column((CASH, 3), (JOB, 6))
    studies = _column((CASH, 2), (STUDENT, 7))
    stays = _column((CASH, 9))
    state = np.hstack([leaves, studies, stays])
    time, cause = definitions.time_to_self_sufficiency(
        state, definitions.on_support(state), np.arange(3), np.zeros(3, dtype=int), 8)
    assert time.tolist() == [3, 2, 8]
    assert cause.tolist() == [1, 2, 0]
    # By hand: at risk 3, 2, 1; the student is censored at 2, one of the two others leaves at 3.
    assert restricted_mean(time, cause, 8) == 3 + 0.5 * 5


def test_seniority_starts_again_after_a_year_without():
    on = _column((1, 2), (0, 51), (1, 1), (0, 52), (1, 2)).astype(bool)
    before = definitions.seniority(on)[:, 0]
    assert before[[0, 1, 53, 106, 107]].tolist() == [0, 1, 2, 0, 1]


def test_weeks_by_cell_add_up_to_the_weeks_on_support():
    state = _column((CASH, 5), (0, 2), (CASH, 2), (JOB, 6), (PENSION, 15))
    world = World(state=state, on=definitions.on_support(state), here=np.ones((30, 1), bool),
                  birth_year=np.array([1980]), first_week=1300, start=0, last=1330)
    cells = weeks_by_cell(world, np.array([0]), np.array([0]), 30)
    assert sum(cells.values()) == 24
    assert sum(n for (state, _, _), n in cells.items() if state == PENSION) == 15
    assert sum(n for (_, _, step), n in cells.items() if step == 0) == 4


def test_run_lengths_of_two_persons_never_join():
    runs = observe.run_lengths(np.array([[1, 1], [1, 2], [3, 2]]))
    assert runs.to_numpy().tolist() == [[0, 1, 0, 2], [0, 3, 2, 3], [1, 1, 0, 1], [1, 2, 1, 3]]
