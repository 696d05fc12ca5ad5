"""What the municipality's own case system is made from: its persons' weeks on support as episodes."""

from functools import cached_property

import numpy as np

from evalkit import weeks
from evalkit.simulate import observe
from evalkit.simulate.states import FIRST_SUPPORT, SOCIAL_ASSISTANCE

# Full sanctions are three weeks at most: longer ones exist, but they are closures.
_LONGEST_SANCTION = 3


class Own:
    """The treated municipality's view of a register; every table is made from it.

    Attributes
    ----------
    person : ndarray of int
        Persons who ever lived there.
    here, on : ndarray of bool, shape (weeks, all persons)
        Living there; on support while living there.
    episodes : DataFrame
        ``person, start, end`` (rows of the register, half-open) of unbroken support there.
    """

    def __init__(self, register):
        self.register = register
        self.n_weeks = len(register.state)
        self.first_week = register.first_week
        self.last_week = register.first_week + self.n_weeks
        self.programme_row = register.site.programme_start - register.first_week
        self.here = observe.municipality(register) == 0
        self.on = self.here & (register.state >= FIRST_SUPPORT)
        self.person = np.flatnonzero(self.here.any(axis=0))

    def rng(self, purpose):
        """Return a stream for one table."""
        return self.register.rng(purpose)

    def name(self, person):
        """Return the pseudonyms of persons."""
        return self.register.person_id[np.asarray(person, dtype=np.int64)]

    def date(self, row, day=0):
        """Return the date of a day (0 Monday) in a row's week."""
        return weeks.monday(self.first_week + np.asarray(row, dtype=np.int64)) + np.asarray(day).astype(
            "timedelta64[D]"
        )

    def open_end(self, row):
        """Return the Monday of each row, missing (still running) at the end of the data."""
        date = self.date(row)
        return np.where(np.asarray(row) >= self.n_weeks, np.datetime64("NaT", "D"), date)

    @cached_property
    def episodes(self):
        """Unbroken weeks on support while living here."""
        return self.runs(self.on)

    def runs(self, flag):
        """Return ``person, start, end`` of the runs in which a (weeks, persons) flag holds."""
        runs = observe.run_lengths(flag[:, self.person].astype(np.int8))
        runs = runs[runs["value"] == 1].reset_index(drop=True)
        return runs.assign(person=self.person[runs["person"]]).drop(columns="value")

    def state_runs(self):
        """Return ``person, value, start, end`` of support states while living here."""
        code = np.where(self.on, self.register.state, 0)[:, self.person]
        runs = observe.run_lengths(code)
        runs = runs[runs["value"] > 0].reset_index(drop=True)
        return runs.assign(person=self.person[runs["person"]])


def sanctions(register):
    """Return person, start and end row of full sanctions, everywhere: weeks that no register pays.

    A sanction lies inside an episode of social assistance, with paid weeks on both sides.
    """
    rng = register.rng("sanction")
    at_risk = np.isin(register.state, SOCIAL_ASSISTANCE)
    n_expected = rng.poisson(register.params.sanction * at_risk.sum())
    row, person = (
        rng.integers(1, len(register.state) - 4, n_expected),
        rng.integers(0, register.n_persons, n_expected),
    )
    # Aim again until it hits: choose among weeks at risk without listing them all.
    for _ in range(40):
        miss = ~at_risk[row, person]
        row[miss] = rng.integers(1, len(register.state) - 4, miss.sum())
        person[miss] = rng.integers(0, register.n_persons, miss.sum())
    length = rng.integers(1, _LONGEST_SANCTION + 1, n_expected)
    inside = np.all([at_risk[row + step, person] for step in (-1, 0, 1, 2, 3)], axis=0)
    person, row, length = person[inside], row[inside], length[inside]
    order = np.lexsort((row, person))
    person, row, length = person[order], row[order], length[order]
    apart = np.ones(len(person), dtype=bool)
    apart[1:] = (person[1:] != person[:-1]) | (row[1:] - row[:-1] > 8)
    return person[apart], row[apart], (row + length)[apart]
