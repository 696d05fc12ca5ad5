"""The simulated register: latent weeks of persons, and what a delivery makes of them."""

from dataclasses import dataclass, replace

import numpy as np

from evalkit.simulate import observe, write
from evalkit.simulate.clock import Clock
from evalkit.simulate.life import COMPARISON_SHARE, N_COMPARISONS, simulate
from evalkit.simulate.parameters import Parameters, parameters
from evalkit.simulate.population import People
from evalkit.simulate.sites import PUBLIC_FROM, ExampleSite, example_site

PERSONS_PER_COMPARISON = 600


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Register:
    """Latent truth and observed codes of one simulated world.

    Attributes
    ----------
    site : ExampleSite
    scenario : str
    params : Parameters
    seed : int
    is_dirty : bool
    first_week : int
        Week number of row 0.
    municipalities : tuple of str
        The first has the programme.
    person_id : ndarray of str
    people : People
        As they are after the last week; birth, sex, group and ancestry never change.
    state, activity : ndarray of uint8, shape (weeks, persons)
        Numbers of `states.STATES` and `states.ACTIVITIES`.
    home : ndarray of int, shape (persons,)
        Municipality in the first week.
    moves, exits, courses : dict of ndarray
        Who moved where, left support why, was referred to a course, and when.
    activities : dict of ndarray
        Every activity: person, start, end (exclusive), kind, is_course.
    clock : Clock
        Levels and shocks that were drawn.
    detail : bool
        Whether tables beyond person, residence, benefit and income are made.
    """

    site: ExampleSite
    scenario: str
    params: Parameters
    seed: int
    is_dirty: bool
    first_week: int
    municipalities: tuple[str, ...]
    person_id: np.ndarray
    people: People
    state: np.ndarray
    activity: np.ndarray
    home: np.ndarray
    moves: dict
    exits: dict
    courses: dict
    activities: dict
    clock: Clock
    detail: bool

    @property
    def weeks(self):
        """Week numbers of the rows."""
        return self.first_week + np.arange(len(self.state))

    @property
    def n_persons(self):
        """Number of persons."""
        return self.state.shape[1]

    def rng(self, purpose):
        """Return a stream of its own for one purpose, so that no table changes another."""
        return np.random.default_rng([self.seed, *purpose.encode()])

    def municipality(self):
        """Return where each person lives in each week, array (weeks, persons) of int16."""
        return observe.municipality(self)

    def counted(self):
        """Return the world that the public panel counts: it always holds other municipalities.

        A site that delivers its own persons only has a panel of another draw of the same process,
        from years before its own files on, for public tables are older than a municipality's.
        """
        if self.site.has_comparisons:
            return self
        facts = replace(self.site, has_comparisons=True, first_week=PUBLIC_FROM)
        others = [max(round(self.n_persons * COMPARISON_SHARE), 1)] * N_COMPARISONS
        return _live(facts, self.scenario, self.seed, is_dirty=False, detail=False,
                     n_persons=[self.n_persons, *others])

    def tables(self):
        """Return the register as `contract.Tables`, in memory: no file is written."""
        return write.tables(self)


def register(*, site="hjoerring", n_persons=6000, n_comparisons=N_COMPARISONS, seed=1, scenario="base",
             persons_per_comparison=PERSONS_PER_COMPARISON, dirty=False, detail=True):
    """Simulate a weekly register with a known truth.

    Parameters
    ----------
    site : str
        ``hjoerring`` or ``frederikshavn``.
    n_persons, n_comparisons, persons_per_comparison : int
        Persons living in the municipality in the first week, comparison municipalities, and
        persons in each. A site that receives only its own persons has no comparisons.
    seed : int
    scenario : str
        See `parameters.parameters`.
    dirty : bool
        Plant the traps and the ordinary dirt when written.
    detail : bool
        ``False`` leaves out every table but person, residence, benefit and income: recovery studies.

    Returns
    -------
    Register
        Equal arguments give equal bytes.

    Examples
    --------
    >>> small = register(n_persons=50, n_comparisons=1, persons_per_comparison=20, detail=False)
    >>> small.state.shape
    (521, 70)
    """
    facts = example_site(site)
    if not facts.has_comparisons:
        n_comparisons = 0
    return _live(facts, scenario, seed, is_dirty=dirty, detail=detail,
                 n_persons=[n_persons] + [persons_per_comparison] * n_comparisons)


def _live(facts, scenario, seed, *, is_dirty, detail, n_persons):
    """Run the process for so many persons of each municipality."""
    home = np.repeat(np.arange(len(n_persons)), n_persons)
    process, latent = simulate(facts, parameters(scenario), home=home, seed=seed)
    names = (facts.municipality, *(f"Kommune {number:02d}" for number in range(1, len(process.clock.level))))
    return Register(
        site=facts, scenario=scenario, params=process.params, seed=seed, is_dirty=is_dirty, detail=detail,
        first_week=facts.first_week, municipalities=names, person_id=observe.pseudonyms(len(home), seed),
        people=process.people, state=latent[0], activity=latent[1], home=home, clock=process.clock,
        moves=_columns(process.moves, ("person", "week", "to")),
        exits=_columns(process.exits, ("person", "week", "cause")),
        courses=_columns(process.courses, ("person", "week", "wait")),
        activities=process.activities.book(facts.last_week),
    )


def _columns(parts, names):
    columns = zip(*parts, strict=True) if parts else ([np.zeros(0, dtype=np.int64)],) * len(names)
    return {name: np.concatenate(list(column)) for name, column in zip(names, columns, strict=True)}
