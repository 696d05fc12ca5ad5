"""The user study, `analysis/user.yaml`, and the questionnaires of `data_schema/questionnaires`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

from evalkit.files import package_data
from evalkit.spec.build import Range, Text, build
from evalkit.spec.reading import read_yaml

Score = Annotated[int, Range(1, 5)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Anchor:
    """What one answer is called."""

    value: Score
    da: str
    en: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """A scale: the mean of its items where at least ``min_items`` of them are answered."""

    name: str
    min_items: Annotated[int, Range(1)]
    title: Text


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One question; ``reverse`` says that 5 is the bad end."""

    name: str
    scale: str
    anchors: str
    reverse: bool
    da: str
    en: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Questionnaire:
    """What is asked of one role.

    Attributes
    ----------
    name, version : str
    role : str
    title : mapping of language to text
    is_validated : bool
        Whether the scales were validated elsewhere.
    anchors : mapping of str to tuple of Anchor
    scales : tuple of Scale
    items : tuple of Item
    """

    name: str
    version: str
    role: Literal["CITIZEN", "CASEWORKER"]
    title: Text
    is_validated: bool
    anchors: Mapping[str, tuple[Anchor, ...]]
    scales: tuple[Scale, ...]
    items: tuple[Item, ...]

    def __post_init__(self):
        scales, anchors = {scale.name for scale in self.scales}, set(self.anchors)
        faults = [
            f"item {item.name}: no scale {item.scale}" for item in self.items if item.scale not in scales
        ]
        faults += [
            f"item {item.name}: no anchors {item.anchors}"
            for item in self.items
            if item.anchors not in anchors
        ]
        faults += [
            f"scale {scale.name}: min_items {scale.min_items} is more than its items"
            for scale in self.scales
            if scale.min_items > len(self.items_of(scale.name))
        ]
        if faults:
            raise ValueError("; ".join(faults))

    def items_of(self, scale):
        """Return the items of a scale."""
        return tuple(item for item in self.items if item.scale == scale)


@dataclass(frozen=True, slots=True, kw_only=True)
class UserStudy:
    """How the programme is experienced: citizens and caseworkers, two waves.

    Attributes
    ----------
    questionnaires : tuple of str
        Names of files in ``data_schema/questionnaires``.
    waves : tuple of int, int
        The first and the second wave.
    weighting : tuple of str
        Columns of the frame in whose cells the answers are weighted up to those asked.
    min_cell : int
        Answers that a weighting cell needs; smaller cells of a role and wave are joined.
    shared_items : tuple of str
        Items that citizens and caseworkers are both asked, each from their own side.
    key_questionnaire, key_item : str
        The item whose answers the ordinal model compares between the waves.
    """

    name: str
    sha256: str
    questionnaires: tuple[str, ...]
    waves: tuple[int, int]
    weighting: tuple[Literal["sex", "age_group", "target_group"], ...]
    min_cell: Annotated[int, Range(1)]
    shared_items: tuple[str, ...]
    key_questionnaire: str
    key_item: str


def load_questionnaire(name):
    """Read a questionnaire by name.

    Raises
    ------
    SpecError
        If its file is missing or not well formed.

    Examples
    --------
    >>> load_questionnaire("citizens").role
    'CITIZEN'
    """
    path = package_data("data_schema", "questionnaires") / f"{name}.yaml"
    return build(Questionnaire, read_yaml(path), where=path.name)
