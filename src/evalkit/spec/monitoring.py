"""The monitoring study: `analysis/monitoring.yaml`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

from evalkit.spec.build import Range


@dataclass(frozen=True, slots=True, kw_only=True)
class MonitoringStudy:
    """The minister's questions about persons long in the benefit system, as counted facts.

    Attributes
    ----------
    census_days : int
        The date counted on, days after the programme start; moved back to the data's last date where they
        end before.
    benefits : mapping of str to tuple of str
        Each benefit of the system and its states; their union is the system whose weeks are added up.
    activity_ready_states, undecided_states : tuple of str
        States that say by themselves that a person is activity-ready, and states that cannot say it
        without a visitation. The states left over say that a person is not.
    ready_category : str
        The visitation category of activity-ready persons; it outranks the state.
    long_weeks, review_weeks : int
        Cumulated weeks in the system from which a case is long, and from which it is reviewed.
    seniority_weeks : int
        Weeks of the present run from which a person can be passive.
    gap_weeks : tuple of int
        Longest unexplained gaps bridged in the sensitivity table; the last is the upper bound's.
    window_months : int
        Months up to the census in which an offer counts.
    efforts : mapping of str to tuple of str
        What counts as an effort: the active offers of the law, these with mentor support, and everything
        that the municipality itself calls an effort.
    offer_priority : tuple of str
        Which of several offers on one date is the current one, first wins.
    reason_priority : tuple of str
        Which of several reasons for no offer is counted, first wins.
    rehabilitation_benefits : tuple of str
        Benefits whose persons the question of the rehabilitation team is about.
    sustain_weeks : int
        Weeks without benefit from which a person of the project is self-supporting.
    touched_benefit : str
        The benefit of the monthly share touched by activation.
    touched_months : tuple of int, int
        First and last month (exclusive), counted from the month of the programme start.
    claim_month : int
        The month that is held against the mean of ``claim_base_months`` (first, last exclusive).
    """

    name: str
    sha256: str
    census_days: Annotated[int, Range(-3650, 3650)]
    benefits: Mapping[str, tuple[str, ...]]
    activity_ready_states: tuple[str, ...]
    undecided_states: tuple[str, ...]
    ready_category: str
    long_weeks: Annotated[int, Range(1, 1040)]
    review_weeks: Annotated[int, Range(1, 1040)]
    seniority_weeks: Annotated[int, Range(1, 520)]
    gap_weeks: tuple[Annotated[int, Range(0, 52)], ...]
    window_months: Annotated[int, Range(1, 60)]
    efforts: Mapping[Literal["active", "with_mentor", "any_effort"], tuple[str, ...]]
    offer_priority: tuple[str, ...]
    reason_priority: tuple[str, ...]
    rehabilitation_benefits: tuple[str, ...]
    sustain_weeks: Annotated[int, Range(1, 52)]
    touched_benefit: str
    touched_months: tuple[int, int]
    claim_month: int
    claim_base_months: tuple[int, int]

    @property
    def system_states(self):
        """All states of the benefit system."""
        return tuple(state for states in self.benefits.values() for state in states)

    @property
    def benefit_of(self):
        """The benefit that each state belongs to."""
        return {state: benefit for benefit, states in self.benefits.items() for state in states}
