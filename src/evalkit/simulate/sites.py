"""The two example sites: who they are, when their programme starts, what they can deliver."""

from dataclasses import dataclass

from evalkit import weeks

# The public panel of every site begins here, whenever its own files do.
PUBLIC_FROM = weeks.week_of("2010-01-04")


@dataclass(frozen=True, slots=True, kw_only=True)
class ExampleSite:
    """A municipality that has the programme, with the weeks that its register delivers.

    Attributes
    ----------
    name, municipality : str
        Key and Danish name.
    programme_start, first_week, last_week : int
        Week numbers; the last is exclusive.
    dialect : str
        ``dream`` or ``ydelsesrefusion``.
    has_comparisons : bool
        Whether persons of other municipalities are in the delivery.
    absent : tuple of str
        Tables that the site does not have.
    """

    name: str
    municipality: str
    programme_start: int
    first_week: int
    last_week: int
    dialect: str
    has_comparisons: bool
    absent: tuple[str, ...] = ()


SITES = {
    site.name: site
    for site in (
        ExampleSite(
            name="hjoerring", municipality="Hjørring", programme_start=weeks.week_of("2015-01-05"),
            first_week=weeks.week_of("2010-01-04"), last_week=weeks.week_of("2019-12-30"),
            dialect="dream", has_comparisons=True,
            # DREAM's monthly columns hold the work of every person.
            absent=("income_month",),
        ),
        ExampleSite(
            name="frederikshavn", municipality="Frederikshavn", programme_start=weeks.week_of("2018-01-01"),
            first_week=weeks.week_of("2016-01-04"), last_week=weeks.week_of("2019-12-30"),
            dialect="ydelsesrefusion", has_comparisons=False,
            absent=("survey_response", "survey_frame", "process", "screening", "progress"),
        ),
    )
}


def example_site(name):
    """Return one of the example sites.

    Raises
    ------
    ValueError
        If there is no such site.
    """
    if name not in SITES:
        raise ValueError(f"unknown site {name!r}; the simulated sites are {', '.join(SITES)}")
    return SITES[name]
