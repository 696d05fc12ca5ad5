"""Who is followed, and through what: weeks, spells, episodes, cohorts, exposures, follow-up."""

from evalkit.cohort import follow
from evalkit.cohort.define import Cohort, combine, inflow, stock
from evalkit.cohort.exposures import exposures
from evalkit.cohort.spells import Spells, bridge, episodes, spells
from evalkit.cohort.timeline import OUTCOMES, employed_months, occupancy, stable_months

__all__ = [
    "OUTCOMES",
    "Cohort",
    "Spells",
    "bridge",
    "combine",
    "employed_months",
    "episodes",
    "exposures",
    "follow",
    "inflow",
    "occupancy",
    "spells",
    "stable_months",
    "stock",
]
