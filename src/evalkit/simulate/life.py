"""One run of the process: people, clock and luck, each from a stream of its own."""

import numpy as np

from evalkit.simulate.clock import Clock
from evalkit.simulate.population import People
from evalkit.simulate.process import Process

N_COMPARISONS = 24
# Persons of a comparison municipality against those of the programme's.
COMPARISON_SHARE = 0.1
_BURN_IN_WEEKS = 52


def simulate(facts, params, *, home, seed, programme_off_from=None):
    """Run the process for persons living in `home`.

    Parameters
    ----------
    facts : ExampleSite
    params : Parameters
    home : ndarray of int
        Municipality of each person in the first week; 0 has the programme.
    seed : int
        Equal seeds and homes give equal luck.
    programme_off_from : ndarray of int, optional
        Week from which each person is out of the programme's reach.

    Returns
    -------
    process : Process
        With the people as they are in the end, and what is recorded of them.
    state, activity : tuple of ndarray of uint8, shape (weeks, persons)
    """
    people_rng, clock_rng, weekly_rng = (np.random.default_rng([seed, stream]) for stream in (1, 2, 3))
    clock = Clock(params, programme_start=facts.programme_start, rng=clock_rng,
                  n_municipalities=max(int(home.max()), N_COMPARISONS) + 1)
    people = People(
        municipality=home, params=params, first_week=facts.first_week - _BURN_IN_WEEKS, rng=people_rng
    )
    process = Process(people, clock, weekly_rng, programme_off_from=programme_off_from)
    return process, process.run(facts.first_week, facts.last_week, burn_in=_BURN_IN_WEEKS)
