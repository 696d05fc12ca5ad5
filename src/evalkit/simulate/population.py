"""Persons before the first week: who they are, where they live, and what they are doing."""

import numpy as np

from evalkit.simulate.parameters import GROUPS
from evalkit.simulate.states import STAGE

OFF, ON, GONE = 0, 1, 2
# Ages in the first week; the youngest come of age during the decade.
_AGES = (8.0, 62.0)


class People:
    """Mutable arrays, one entry a person; the process changes them week by week."""

    def __init__(self, *, municipality, params, first_week, rng):
        n = len(municipality)
        self.municipality = np.asarray(municipality, dtype=np.int16)
        bounds = np.cumsum(params.group_share)[:-1]
        self.group = np.searchsorted(bounds, rng.random(n), side="right").astype(np.int8)
        self.birth_week = self._birth(n, first_week, rng)
        self.sex = rng.integers(0, 2, n).astype(np.int8)
        self.ancestry = self._ancestry(rng.random(n))
        self.schooled = rng.random(n) < 0.55
        self.turn(first_week)
        self.mode = np.zeros(n, dtype=np.int8)
        self.work = np.searchsorted([0.25, 0.88], rng.random(n)).astype(np.int8)
        self.work[self.age(first_week) < 18] = 0
        self.slow = np.zeros(n, dtype=bool)
        self.frailty = draw_frailty(rng.random((2, n)), params.frailty_shape)
        self.ready = np.zeros(n, dtype=bool)
        self.stage = np.zeros(n, dtype=np.int8)
        self.on_weeks = np.zeros(n, dtype=np.int32)
        self.off_weeks = np.full(n, 200, dtype=np.int32)
        self.newcomer = np.zeros(n, dtype=bool)
        self.course_in = np.full(n, -1, dtype=np.int16)
        self.left = np.zeros((4, n), dtype=np.int16)
        self.kind = np.zeros((4, n), dtype=np.int8)
        self.after = np.zeros((4, n), dtype=np.int16)
        self.event = np.full((4, n), -1, dtype=np.int64)
        self._start_on_support(params, first_week, rng)

    @property
    def n(self):
        return len(self.group)

    def age(self, week):
        """Return the age in whole years in a week."""
        return (week - self.birth_week) * 7 // 365.25

    def turn(self, week):
        """Make everybody as old as they are in a week."""
        self.years = self.age(week).astype(np.int16)

    @staticmethod
    def _birth(n, first_week, rng):
        return first_week - np.floor(rng.uniform(*_AGES, n) * 52.18).astype(np.int64)

    def _ancestry(self, u):
        newcomer = self.group == GROUPS.index("integration")
        western, non_western = np.where(newcomer, 0.10, 0.05), np.where(newcomer, 0.88, 0.06)
        return np.where(u < non_western, 2, np.where(u < non_western + western, 1, 0)).astype(np.int8)

    def _start_on_support(self, params, first_week, rng):
        """Draw the first week's stock: mostly slow episodes that have lasted long already."""
        adult = self.age(first_week) >= 18
        u, draw = rng.random(self.n), rng.random((4, self.n))
        slow, mover = np.take(params.stock_slow, self.group), np.take(params.stock_mover, self.group)
        on = adult & (u < slow + mover)
        self.slow[:] = on & (u < slow)
        self.mode[on] = ON
        elapsed = np.where(self.slow, 350.0, 25.0) * -np.log1p(-draw[0])
        youngest = np.maximum(first_week - self.birth_week - 18 * 52, 0)
        self.on_weeks[:] = np.where(on, np.minimum(elapsed, youngest), 0)
        self.ready[:] = draw[1] < np.where(self.slow, 0.15, 0.80)
        self._start_stage(on, draw[2:], first_week)

    def _start_stage(self, on, draw, first_week):
        old = on & self.slow & (self.on_weeks > 104) & (self.age(first_week) >= 35)
        stage = np.searchsorted([0.50, 0.56, 0.60, 0.78], draw[0])
        names = ("plain", "rehabilitation", "allowance", "flex_job", "pension")
        self.stage[old] = np.array([STAGE[name] for name in names])[stage[old]]


def draw_frailty(u, shape):
    """Return gamma frailties with mean 1 from two rows of uniforms."""
    # Wilson-Hilferty: a gamma variate is nearly the cube of a normal one, exact enough for a frailty.
    normal = np.sqrt(-2.0 * np.log1p(-u[0])) * np.cos(2.0 * np.pi * u[1])
    cube = 1.0 - 1.0 / (9.0 * shape) + normal / (3.0 * np.sqrt(shape))
    return np.maximum(cube, 0.05) ** 3
