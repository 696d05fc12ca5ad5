"""The municipal panel, a part of the effect study (its key ``panel``)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal

from evalkit.spec.build import Range


@dataclass(frozen=True, slots=True, kw_only=True)
class PanelMeasure:
    """A municipal outcome: a measure of ``municipality_period`` over inhabitants."""

    measure: str
    per_inhabitants: Annotated[int, Range(1, 1_000_000)] = 100


def _panel_measures():
    return {
        "employees": PanelMeasure(measure="full_time_employees", per_inhabitants=100),
        "assistance": PanelMeasure(measure="net_unemployed_social_assistance", per_inhabitants=1000),
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class PanelStudy:
    """The municipal panel of the effect study: one treated municipality among all.

    Attributes
    ----------
    measures : mapping of str to PanelMeasure
        Outcomes by name.
    inhabitants : str
        The measure that outcomes are divided by.
    years_before, years_after : int
        Longest windows; the data may carry less.
    stop_before : str
        First quarter that no longer counts (the pandemic).
    season : str
        ``same_quarter`` takes out each municipality's own pattern of quarters before the start,
        ``year`` averages four quarters counted from the start, ``none`` leaves the series alone.
    min_quarters : int
        Fewest quarters on each side of the start.
    max_prefit_ratio : float
        A design whose error before the start is more than this many times the other municipalities' median
        is withheld.
    min_inhabitants : int
        Below it a municipality is left out in one of the sensitivity rows.
    conf_level, power : float
        Of intervals, and of the smallest detectable effect.
    """

    measures: Mapping[str, PanelMeasure] = field(default_factory=_panel_measures)
    inhabitants: str = "inhabitants"
    years_before: Annotated[int, Range(1, 30)] = 7
    years_after: Annotated[int, Range(1, 30)] = 5
    stop_before: str = "2020Q1"
    season: Literal["same_quarter", "year", "none"] = "same_quarter"
    min_quarters: Annotated[int, Range(4, 40)] = 8
    max_prefit_ratio: Annotated[float, Range(1.0, 20.0)] = 2.0
    min_inhabitants: Annotated[int, Range(0)] = 10_000
    conf_level: Annotated[float, Range(0.5, 0.999)] = 0.95
    power: Annotated[float, Range(0.5, 0.99)] = 0.8
