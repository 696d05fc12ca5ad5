"""The effect study: `analysis/effect.yaml`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from evalkit.spec.build import Range
from evalkit.spec.panel import PanelStudy

Weeks = Annotated[int, Range(1, 520)]
Shift = Annotated[int, Range(-1040, 1040)]
Share = Annotated[float, Range(0, 1)]


@dataclass(frozen=True, slots=True, kw_only=True)
class EffectGoals:
    """What the municipality promised.

    Attributes
    ----------
    weeks_fewer : int
        Weeks less on support, on average.
    extra_persons : int
        More persons in job or education.
    net_dkk_a_year : float
        Net saving a year, reached after ``net_after_years`` years.
    net_after_years : int
    """

    weeks_fewer: Weeks
    extra_persons: Annotated[int, Range(1)]
    net_dkk_a_year: float
    net_after_years: Annotated[int, Range(0, 20)]


@dataclass(frozen=True, slots=True, kw_only=True)
class EffectGates:
    """Limits beyond which no estimate is shown; each is judged before any estimate is seen.

    Attributes
    ----------
    min_pre_weeks : int
        Weeks of inflow before the programme with the whole follow-up inside the data.
    min_persons : int
        Persons in each of the treated municipality's two periods.
    min_comparisons : int
        Comparison municipalities with persons enough in both periods.
    min_comparison_persons : int
        Persons in each period from which a comparison municipality is one.
    max_placebo_weeks : float
        The effect found where there is none (between the two halves of the time before) may be
        this far from 0, however wide its interval.
    max_pre_difference_sd : float
        Distance of the treated municipality's level before from the comparisons' mean, in their standard
        deviations.
    max_imbalance : float
        Largest change from before to after in the standardised difference of a characteristic
        between the treated and the comparison persons.
    max_lost_share : float
        Largest share of the weeks up to the horizon, in any period, that the data do not reach.
    """

    min_pre_weeks: Weeks
    min_persons: Annotated[int, Range(2)]
    min_comparisons: Annotated[int, Range(2)]
    min_comparison_persons: Annotated[int, Range(2)]
    max_placebo_weeks: Annotated[float, Range(0)]
    max_pre_difference_sd: Annotated[float, Range(0)]
    max_imbalance: Annotated[float, Range(0)]
    max_lost_share: Share


@dataclass(frozen=True, slots=True, kw_only=True)
class EffectSensitivity:
    """Other choices that could have been made; the main estimate is repeated under each.

    Attributes
    ----------
    bridge_weeks : tuple of int
        Longest gaps that count as support instead of ``sustain_weeks`` less one.
    washout_weeks : tuple of int
    """

    bridge_weeks: tuple[Annotated[int, Range(0, 51)], ...]
    washout_weeks: tuple[Weeks, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class EffectStudy:
    """Are the three goals reached? One treated municipality against others, before and after.

    Attributes
    ----------
    target_groups : mapping of str to tuple of str
        States in which an episode of each group begins.
    ages : (int, int)
        Lowest and highest age at time zero.
    pre_window, post_window : (int, int)
        Weeks since the programme start, half-open, in which the inflow's support begins.
    stock_census : (int, int)
        Weeks since the programme start at which the stock before and after is counted.
    washout_weeks, max_gap_weeks, sustain_weeks : int
        Time without support before a new episode; longest gap inside one; shortest self-sufficiency.
    horizons_weeks : tuple of int
        Weeks since time zero at which effects are told; the last one is the main one.
    competing : tuple of str
        States that end the wait for self-sufficiency otherwise.
    conf_level : float
    goals : EffectGoals
    gates : EffectGates
    sensitivity : EffectSensitivity
    panel : PanelStudy
    """

    name: str
    sha256: str
    target_groups: Mapping[str, tuple[str, ...]]
    ages: tuple[int, int]
    pre_window: tuple[Shift, Shift]
    post_window: tuple[Shift, Shift]
    stock_census: tuple[Shift, Shift]
    washout_weeks: Weeks
    max_gap_weeks: Annotated[int, Range(0, 52)]
    sustain_weeks: Weeks
    horizons_weeks: tuple[Weeks, ...]
    competing: tuple[str, ...]
    conf_level: Annotated[float, Range(0.5, 0.999)]
    goals: EffectGoals
    gates: EffectGates
    sensitivity: EffectSensitivity
    panel: PanelStudy

    def __post_init__(self):
        faults = [f"{name} must begin before it ends" for name in ("pre_window", "post_window")
                  if getattr(self, name)[0] >= getattr(self, name)[1]]
        if list(self.horizons_weeks) != sorted(set(self.horizons_weeks)) or not self.horizons_weeks:
            faults.append("horizons_weeks must rise")
        elif (
            self.pre_window[1] + self.horizons_weeks[-1] > 0
            and self.pre_window[0] + self.horizons_weeks[-1] > 0
        ):
            faults.append(
                "pre_window lies so late that nobody is followed to the last horizon before "
                "the programme starts"
            )
        if faults:
            raise ValueError("; ".join(faults))
