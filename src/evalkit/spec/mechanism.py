"""The mechanism study: `analysis/mechanism.yaml`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

from evalkit.spec.build import Range


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """One named course: activities of a type, an owner and a health track."""

    type: str
    owner: str
    track: Annotated[int, Range(1, 8)]


@dataclass(frozen=True, slots=True, kw_only=True)
class MechanismStudy:
    """What happens on the way from screening to self-sufficiency; described, not yet identified.

    Attributes
    ----------
    target_groups : mapping of str to tuple of str
        States of each target group.
    window_weeks : tuple of int, int
        Time zeros of the followed persons, weeks after the programme start.
    ages : tuple of int, int
        Youngest and oldest age at time zero.
    washout_weeks, sustain_weeks, max_gap_weeks, horizon_weeks : int
        As in the effect study.
    risk_levels : tuple of str
        Screening results that lead on to the interdisciplinary analysis.
    steps : tuple of str
        Gates after the screening, in order.
    gate_weeks : tuple of int
        Weeks after a gate at which the share that passed the next one is told.
    rate_breaks_weeks : tuple of int
        Weeks since the start of support between which the rate of leaving is told as one number.
    kinds : mapping of str to tuple of str
        Kinds of effort and their activities; ``job`` and ``health`` in one week are parallel.
    after_weeks : int
        Weeks after an activity in which it counts as just ended.
    min_exposed_events : int
        Fewest exits among the exposed for a ratio to be estimated.
    course : Course
        The course for light anxiety, stress and depression.
    recent_change_weeks : int
        Weeks after a change of caseworker in which it counts as recent.
    contact_weeks : int
        Length of the look-back in which contacts are counted.
    survey : str
        The user study whose survey tells how both sides see their cooperation.
    rating_items : tuple of str
        Items of it that both sides are asked.
    caseload_role : str
        Role of the head count that the case load is divided by.
    progress_weeks : tuple of int
        Weeks since time zero that bound the periods of the progression scores.
    """

    name: str
    sha256: str
    target_groups: Mapping[str, tuple[str, ...]]
    window_weeks: tuple[int, int]
    ages: tuple[int, int]
    washout_weeks: Annotated[int, Range(0, 520)]
    sustain_weeks: Annotated[int, Range(1, 52)]
    max_gap_weeks: Annotated[int, Range(0, 52)]
    horizon_weeks: Annotated[int, Range(1, 520)]
    risk_levels: tuple[str, ...]
    steps: tuple[str, ...]
    gate_weeks: tuple[int, ...]
    rate_breaks_weeks: tuple[int, ...]
    kinds: Mapping[Literal["job", "training", "health", "mentor"], tuple[str, ...]]
    after_weeks: Annotated[int, Range(1, 260)]
    min_exposed_events: Annotated[int, Range(5)]
    course: Course
    recent_change_weeks: Annotated[int, Range(1, 260)]
    contact_weeks: Annotated[int, Range(1, 104)]
    survey: str
    rating_items: tuple[str, ...]
    caseload_role: str
    progress_weeks: tuple[int, ...]
