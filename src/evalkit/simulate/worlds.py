"""Worlds with and without the programme on the same luck, and what the study would find in each.

The truth is an expectation over persons and over shocks: many municipalities, each with its own
shocks, each lived through several times from the same random numbers.
"""

from dataclasses import dataclass, replace

import numpy as np

from evalkit import weeks
from evalkit.simulate import definitions
from evalkit.simulate.life import N_COMPARISONS, simulate
from evalkit.simulate.states import FIRST_SUPPORT, NUMBER, TARGET

PRE, POST = (-208, -104), (26, 156)
# The later census is the programme's first day: who is there is not its doing.
CENSUS_PRE, CENSUS_POST = -156, 0
HORIZON = 104
AGES = (18, 64)
_LADDER_WEEKS = (4, 26, 52)
# Self-sufficiency is known when it has lasted: the last horizon needs these weeks more.
_LOOK_AHEAD = definitions.SUSTAIN_WEEKS - 1


@dataclass(frozen=True, slots=True, eq=False)
class World:
    """Latent weeks of one municipality, with what the definitions need of them.

    ``start`` is the row in which the programme begins, ``last`` the week after the register's last.
    """

    state: np.ndarray
    on: np.ndarray
    here: np.ndarray
    birth_year: np.ndarray
    first_week: int
    start: int
    last: int

    @property
    def month(self):
        """Month of each row."""
        return weeks.month_of(self.first_week + np.arange(len(self.state)))

    def eligible(self, row):
        """Return who lives here at a fitting age in a row."""
        age = weeks.year_of(self.first_week + row) - self.birth_year
        return self.here[row] & (age >= AGES[0]) & (age <= AGES[1])

    def inflow(self, window):
        """Return persons and rows of time zero of the inflow in a window of weeks since the programme."""
        zero = definitions.first_inflow(self.state, self.on, eligible=self.eligible,
                                        first=self.start + window[0], last=self.start + window[1])
        person = np.flatnonzero(zero >= 0)
        return person, zero[person]

    def stock(self, census):
        """Return persons on target support at a census, and its row for each."""
        row = self.start + census
        person = np.flatnonzero(self.on[row] & np.isin(self.state[row], TARGET) & self.eligible(row))
        return person, np.full(len(person), row)


def live(facts, params, *, n_persons, seed, treated=True, off_from=None):
    """Live through a municipality's weeks once, far enough for every horizon; returns a `World`."""
    number = 0 if treated else 1
    return _lived(facts, params, np.full(n_persons, number), seed, off_from, number)


def country(facts, params, *, n_persons, per_comparison, seed, off_from=None):
    """Live through the programme's municipality among others, whose persons may move to it; a `World`."""
    home = np.repeat(np.arange(N_COMPARISONS + 1), [n_persons, *[per_comparison] * N_COMPARISONS])
    return _lived(facts, params, home, seed, off_from, 0)


def delivered(register, *, off_from=None):
    """Live a register's weeks again, with the programme or without it; returns its municipality's `World`."""
    return _lived(register.site, register.params, register.home, register.seed, off_from, 0)


def _lived(facts, params, home, seed, off_from, number):
    process, (state, _) = simulate(
        _far_enough(facts), params, home=home, seed=seed, programme_off_from=off_from
    )
    return _world(facts, state, process.people, process.moves, home, number)


def _far_enough(facts):
    needed = facts.programme_start + POST[1] + HORIZON + _LOOK_AHEAD
    return replace(facts, last_week=max(facts.last_week, needed))


def _world(facts, state, people, moves, home, number):
    return World(state=state, on=definitions.on_support(state),
                 here=_here(moves, home, number, len(state), facts.first_week),
                 birth_year=weeks.year_of(people.birth_week), first_week=facts.first_week,
                 start=facts.programme_start - facts.first_week, last=facts.last_week)


def outcomes(world, person, zero):
    """Return the outcomes of persons as a mapping of name to one value a person.

    Names are ``weeks_on_support_26`` and so on; those that begin with ``_`` are no outcomes themselves.
    """
    found = {}
    for horizon in definitions.HORIZONS:
        found[f"weeks_on_support_{horizon}"] = definitions.weeks_on(world.on, person, zero, horizon)
        found |= _shares(world, person, zero, horizon)
    found |= _times(world, person, zero)
    return {name: value if name[0] == "_" else np.asarray(value, dtype=float)
            for name, value in found.items()}


def weeks_by_cell(world, person, zero, horizon=HORIZON):
    """Return supported weeks of all persons together by state, calendar year and refund step.

    The refund step counts weeks on support since 52 weeks without: below 4, below 26, below 52, more.

    Returns
    -------
    dict of (str, int, int) to int
    """
    step = np.arange(horizon)
    row = np.minimum(zero[:, None] + step, len(world.state) - 1)
    on = world.on[row, person[:, None]]
    state = np.where(on, world.state[row, person[:, None]], 0)
    # A folded gap counts to the state before it.
    gap = on & (state < FIRST_SUPPORT)
    last = np.maximum.accumulate(np.where(gap, 0, step), axis=1)
    state = np.where(gap, np.take_along_axis(state, last, axis=1), state)
    year = weeks.year_of(world.first_week + row)
    before = definitions.seniority(world.on[:, person])[row, np.arange(len(person))[:, None]]
    ladder = np.searchsorted(_LADDER_WEEKS, before, side="right")
    key = (state.astype(np.int64) * 3000 + year) * 4 + ladder
    values, counts = np.unique(key[on], return_counts=True)
    cells = [(int(one) // 4 // 3000, int(one) // 4 % 3000, int(one) % 4) for one in values]
    return dict(zip(cells, counts.tolist(), strict=True))


def _shares(world, person, zero, horizon):
    at = np.minimum(zero + horizon, len(world.state) - 1)
    employed = _employed(world, person)[at, np.arange(len(person))]
    education = world.state[at, person] == NUMBER["EDUCATION"]
    return {f"employed_{horizon}": employed, f"education_{horizon}": education,
            f"either_{horizon}": employed | education}


def _employed(world, person):
    return definitions.employed_weeks(world.state[:, person], world.on[:, person], world.month)


def _times(world, person, zero):
    time, cause = definitions.time_to_self_sufficiency(world.state, world.on, person, zero, HORIZON)
    return {"weeks_to_self_sufficiency": np.where(cause == 1, time, HORIZON), "weeks_to_any_exit": time,
            "_time": time, "_cause": cause}


def _here(moves, home, number, n_weeks, first_week):
    """Return who lives in a municipality in which week."""
    here = np.tile(home == number, (n_weeks, 1))
    for persons, in_week, to in moves:
        for person, week, target in zip(persons, in_week, to, strict=True):
            here[max(int(week) - first_week, 0):, person] = target == number
    return here
