"""The calendar of the process: years, seasons, phase of the programme, shocks by municipality and year."""

import numpy as np

from evalkit import weeks

_FIRST_YEAR = 2000


class Clock:
    """What a week does to everybody in it.

    Parameters
    ----------
    params : Parameters
    programme_start : int
        Week number.
    n_municipalities : int
        The first is the one with the programme.
    rng : Generator
        Draws levels and shocks; the treated municipality's level is a parameter.
    """

    def __init__(self, params, *, programme_start, n_municipalities, rng):
        self.params = params
        self.programme_start = programme_start
        self.level = rng.standard_normal(n_municipalities) * params.level_sd
        self.level[0] = params.level_treated
        self.shock = rng.standard_normal((n_municipalities, 30)) * params.shock_sd

    def municipality_exit(self, week):
        """Return the log hazard ratio of each municipality in a week."""
        return self.level + self.shock[:, weeks.year_of(week) - _FIRST_YEAR]

    def calendar_exit(self, week):
        """Return the common log hazard ratio of exits in a week: business cycle and July."""
        cycle = np.interp(_year_fraction(week), self.params.calendar_years, self.params.calendar_exit)
        return cycle + (self.params.july_exit if is_july(week) else 0.0)

    def calendar_entry(self, week):
        """Return the factor on entries in a week: fewer in a boom, more in winter."""
        cycle = np.interp(_year_fraction(week), self.params.calendar_years, self.params.calendar_exit)
        return float(np.exp(-0.6 * cycle) * (1.0 + 0.08 * np.cos(2 * np.pi * _year_fraction(week))))

    def phase(self, week):
        """Return how much of the programme is there: none, a start, then all of it."""
        since = week - self.programme_start
        if since < 0:
            return 0.0
        share = min(since / self.params.phase_weeks, 1.0)
        return self.params.phase_start + (1.0 - self.params.phase_start) * share


def is_july(week):
    """Return whether the week's Thursday is in July."""
    return weeks.month_of(int(week)) % 12 == 6


def _year_fraction(week):
    return 1990.0 + (int(week) * 7 + 3) / 365.25
