"""The terms of time: how long at risk (duration), when (calendar), and which part of the year (season)."""

from dataclasses import dataclass

import numpy as np

from evalkit import weeks
from evalkit.errors import EstimationError
from evalkit.estimators._limits import require_one_of
from evalkit.estimators.discrete.splines import PLACES, place_knots, restricted_cubic

CALENDARS, SEASONS = ("year", "quarter"), ("month",)
_ARRAYS = ("breaks", "knots", "has_level", "periods", "months")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TimeTerms:
    """Terms of time of a fitted or planned model.

    ``duration`` is ``levels`` (one term for each piece between ``breaks``), ``spline`` (``knots``) or
    ``constant``; every stratum of ``groups`` has its own, and of its levels those in ``has_level``
    (n_groups, n_levels). ``periods`` are years or quarters (4 year + 0..3), ``months`` 0..11; the first of
    each is the reference. ``harmonics`` counts pairs of sine and cosine over the year.
    """

    duration: str
    breaks: np.ndarray
    knots: np.ndarray
    calendar: str = ""
    season: str = ""
    harmonics: int = 0
    groups: tuple = ("",)
    has_level: np.ndarray
    periods: np.ndarray
    months: np.ndarray

    @property
    def reads_calendar(self):
        """Whether the calendar week matters."""
        return bool(self.calendar or self.season)

    def level_of(self, week):
        """Return the number of the piece that ends at or holds each week."""
        return np.searchsorted(self.breaks, week, side="left") - 1

    def key(self, stratum, week, calendar_week):
        """Return columns that are equal where all terms are."""
        known = {"levels": self.level_of(week), "spline": week, "constant": np.zeros_like(week)}
        keys = [stratum, known[self.duration]]
        if self.calendar:
            keys.append(period_of(calendar_week, self.calendar))
        if self.season:
            part_of_year = month_of_year if self.season == "month" else week_of_year
            keys.append(part_of_year(calendar_week))
        return keys

    def columns(self):
        """Name each term and its stratum; say whether it is a level of the baseline."""
        named = []
        for group, kept in zip(self.groups, self.has_level, strict=True):
            named += [(name, group, is_level) for name, is_level in self._baseline(kept)]
        named += [(f"calendar[{period_name(p, self.calendar)}]", "", False) for p in self.periods[1:]]
        named += [(f"season[{month + 1:02d}]", "", False) for month in self.months[1:]]
        return named + [(f"season_{wave}_{k}", "", False)
                        for k in range(1, self.harmonics + 1) for wave in ("sin", "cos")]

    def design(self, stratum, week, calendar_week):
        """Return the terms' values, shape (n, n_terms), for weeks of a stratum."""
        parts = []
        baseline = self._baseline_values(stratum, week)
        for s, kept in enumerate(self.has_level):
            own = baseline[:, np.flatnonzero(kept)] if self.duration == "levels" else baseline
            parts.append(own * (stratum == s)[:, None])
        if self.calendar:
            parts.append(period_of(calendar_week, self.calendar)[:, None] == self.periods[1:])
        if self.season == "month":
            parts.append(month_of_year(calendar_week)[:, None] == self.months[1:])
        if self.harmonics:
            angle = 2 * np.pi * (week_of_year(calendar_week) - 0.5) / 52.1775
            parts += [wave(k * angle)[:, None]
                      for k in range(1, self.harmonics + 1) for wave in (np.sin, np.cos)]
        return np.hstack(parts).astype(float)

    def _baseline(self, kept):
        if self.duration == "levels":
            return [(f"duration[{self._piece(j)}]", True) for j in np.flatnonzero(kept)]
        n_curved = len(self.knots) - 1 if self.duration == "spline" else 0
        return [("(Intercept)", True), *(("duration" + "'" * j, False) for j in range(n_curved))]

    def _piece(self, j):
        is_last, low, high = j == len(self.breaks) - 2, self.breaks[j] + 1, self.breaks[j + 1]
        if (self.breaks[:-1] % 1 != 0).any():
            return f"after {low - 1:g}" if is_last else f"{low - 1:g} to {high:g}"
        if low == high:
            return f"{low:g}"
        return f"{low:g}-" if is_last else f"{low:g}-{high:g}"

    def _baseline_values(self, stratum, week):
        if self.duration == "levels":
            return (self.level_of(week)[:, None] == np.arange(len(self.breaks) - 1)).astype(float)
        one = np.ones((len(week), 1))
        return one if self.duration == "constant" else np.hstack([one, restricted_cubic(week, self.knots)])

    def as_model(self):
        """Return the terms of time as plain arrays and tuples."""
        return {"time_terms": (self.duration, self.calendar, self.season), "groups": self.groups,
                "harmonics": np.array([self.harmonics]), **{name: getattr(self, name) for name in _ARRAYS}}

    @classmethod
    def from_model(cls, model):
        """Return the terms of time that :meth:`as_model` wrote down."""
        duration, calendar, season = model["time_terms"]
        arrays = {name: model[name] for name in _ARRAYS}
        return cls(duration=duration, calendar=calendar, season=season, groups=model["groups"],
                   harmonics=int(model["harmonics"][0]), **arrays)


def time_terms_of(at_risk, events, duration, calendar, season):
    """Read the options into terms of time that do not yet know which levels and periods occur."""
    kind, breaks, knots = _duration(at_risk, events, duration)
    if calendar is not None:
        require_one_of("calendar", calendar, CALENDARS)
    season, harmonics = _season(season)
    none = np.zeros(0, dtype=np.int64)
    groups, _ = strata_present(at_risk)
    return TimeTerms(duration=kind, breaks=breaks, knots=knots, calendar=calendar or "", season=season,
                 groups=groups, harmonics=harmonics, periods=none, months=none,
                 has_level=np.ones((len(groups), len(breaks) - 1), dtype=bool))


def strata_present(at_risk):
    """Return the labels of the strata that have rows, and each row's number among them."""
    if at_risk.strata is None:
        return ("",), np.zeros(at_risk.n_rows, dtype=np.int64)
    found, stratum = np.unique(at_risk.strata, return_inverse=True)
    return tuple(at_risk.strata_labels[code] for code in found), stratum


def period_of(week, calendar):
    """Return the year, or 4 times the year plus the quarter (0..3), of calendar weeks."""
    if calendar == "year":
        return weeks.year_of(week)
    return 4 * 1990 + weeks.month_of(week) // 3


def period_name(period, calendar):
    """Write a year as 2024, a quarter as 2024Q1."""
    return str(period) if calendar == "year" else f"{period // 4}Q{period % 4 + 1}"


def month_of_year(week):
    """Return the month, 0..11, of calendar weeks."""
    return weeks.month_of(week) % 12


def week_of_year(week):
    """Return the ISO week number, 1..53, of calendar weeks."""
    thursday = weeks.thursday(week)
    return (thursday - thursday.astype("datetime64[Y]").astype("datetime64[D]")).astype(np.int64) // 7 + 1


def _duration(at_risk, events, duration):
    top, nowhere = float(at_risk.exit.max()), np.zeros(0)
    if duration is None:
        return "constant", np.array([0.0, top]), nowhere
    if isinstance(duration, str) and duration == "week":
        return "levels", np.arange(top + 1), nowhere
    if not isinstance(duration, dict) or len(duration) != 1 or not set(duration) <= {"breaks", "knots"}:
        raise ValueError(f"duration == {duration!r}, must be 'week', None, {{'breaks': [4, 13, 26]}} or "
                         "{'knots': 4}")
    if "breaks" in duration:
        return "levels", edges_of(duration["breaks"], top), nowhere
    return "spline", np.array([0.0, top]), _knots(at_risk, events, duration["knots"])


def edges_of(breaks, top):
    """Return the edges 0, the breaks, and the end of follow-up."""
    breaks = np.atleast_1d(np.asarray(breaks, dtype=float))
    if not np.isfinite(breaks).all() or (np.diff(np.append(0, breaks)) <= 0).any():
        raise ValueError("breaks must be finite, above 0 and rising")
    if len(breaks) and breaks[-1] >= top:
        raise EstimationError(f"breaks: nobody is at risk after week {breaks[-1]:g} (the last row ends at "
                              f"{top:g}); leave out the breaks from there on")
    return np.concatenate([[0.0], breaks, [top]])


def _knots(at_risk, events, knots):
    if np.ndim(knots) == 0:
        if knots not in PLACES:
            raise ValueError(f"knots == {knots!r}, must be {min(PLACES)} to {max(PLACES)}, or the weeks "
                             "themselves")
        died = events > 0
        return place_knots(at_risk.exit[died], at_risk.row_weights[died], int(knots))
    knots = np.asarray(knots, dtype=float)
    if len(knots) < 3 or (np.diff(knots) <= 0).any():
        raise ValueError(f"knots: {len(knots)} given, must be at least 3 and rising")
    return knots


def _season(season):
    if season is None or season in SEASONS:
        return season or "", 0
    if isinstance(season, dict) and set(season) == {"harmonics"} and season["harmonics"] in (1, 2, 3, 4):
        return "harmonics", int(season["harmonics"])
    raise ValueError(f"season == {season!r}, must be 'month', {{'harmonics': 1}} (to 4) or None")
