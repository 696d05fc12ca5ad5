"""The weekly process: persons enter support, work or learn, leave, return, move, retire and die.

One week is one step over all persons at once. The uniforms of a week are drawn for everybody,
whatever they are doing, so that two runs from one seed differ only by what their programme does.
"""

import numpy as np

from evalkit.simulate import support
from evalkit.simulate.activities import Activities
from evalkit.simulate.parameters import GROUPS
from evalkit.simulate.population import GONE, OFF, ON, draw_frailty
from evalkit.simulate.states import INTEGRATION_NEWCOMERS_FROM, NUMBER, RULE_225H_FROM, STAGE

_N_DRAWS = 15
_NONE, _EMPLOYED, _EDUCATION = 0, 1, 2
_INTEGRATION = GROUPS.index("integration")
# Stages scale the hazard of leaving; a pension is not left but at old age.
_STAGE_EXIT = np.log([1.0, 0.7, 0.5, 1.0, 0.6, 0.25, 1e-12, 0.4])


class Process:
    """Holds the people, the clock and what is recorded of them.

    Parameters
    ----------
    people : People
    clock : Clock
    rng : Generator
        One stream; a second process with an equal stream sees the same luck.
    programme_off_from : ndarray of int or None
        Week from which a person is out of the programme's reach (the world without it).
    """

    def __init__(self, people, clock, rng, *, programme_off_from=None):
        self.people, self.clock, self.rng, self.params = people, clock, rng, clock.params
        self.off_from = programme_off_from
        self.activities = Activities(clock.params)
        self.moves, self.exits, self.courses = [], [], []

    def run(self, first, last, *, burn_in):
        """Run the weeks and return state and main activity, arrays (weeks, persons) of uint8."""
        state = np.empty((last - first, self.people.n), dtype=np.uint8)
        activity = np.empty_like(state)
        for week in range(first - burn_in, last):
            self._step(week)
            if week >= first:
                state[week - first] = support.state(self.people, week)
                activity[week - first] = support.main_activity(self.people)
        return state, activity

    def _step(self, week):
        u = self.rng.random((_N_DRAWS, self.people.n), dtype=np.float32)
        self.people.turn(week)
        exposed, phase = self._exposed(week), self.clock.phase(week)
        self._life(week, u[0], u[1])
        stayed = np.flatnonzero(self.people.mode == ON)
        self._off(week, u[2:5])
        self._leave(week, stayed, exposed, phase, u[5:7])
        self._enter(week, exposed, phase, u)
        support.progress(self.people, week, u[14], exposed, phase)
        self.activities.step(self.people, week, exposed, phase, u[7:13])

    def _exposed(self, week):
        if week < self.clock.programme_start or not self.params.is_effective:
            return np.zeros(self.people.n, dtype=bool)
        exposed = self.people.municipality == 0
        return exposed if self.off_from is None else exposed & (week < self.off_from)

    def _life(self, week, u, where):
        """Old age, death, emigration and moves."""
        people, params = self.people, self.params
        age = people.years
        alive = people.mode != GONE
        self._go(np.flatnonzero(alive & (age >= 65)), "RETIREMENT", week)
        rare = np.flatnonzero((u < 0.002) & alive & (age >= 18) & (age < 65))
        death = params.death_at_40 * np.exp(params.death_per_year * (age[rare] - 40.0))
        away = np.take(params.emigrate, (people.ancestry[rare] == 2).astype(int))
        self._go(rare[u[rare] < death], "DEATH", week)
        self._go(rare[(u[rare] >= death) & (u[rare] < death + away)], "EMIGRATION", week)
        mover = (u[rare] >= death + away) & (u[rare] < death + away + params.move)
        self._move(rare[mover], where[rare[mover]], week)

    def _go(self, who, state, week):
        on = who[self.people.mode[who] == ON]
        self.activities.stop(self.people, on, week)
        self.people.mode[who] = GONE
        self.people.work[who] = NUMBER[state]

    def _move(self, who, u, week):
        target = np.floor(u * len(self.clock.level)).astype(np.int16)
        leaves = target != self.people.municipality[who]
        who, target = who[leaves], target[leaves]
        self.people.municipality[who] = target
        self.moves.append((who, np.full(len(who), week), target))

    def _off(self, week, u):
        """Those off support find and lose work, begin and end education."""
        people = self.people
        off = np.flatnonzero((people.mode == OFF) & (people.years >= 18))
        people.off_weeks[off] += 1
        work, age = people.work[off], people.years[off]
        found = (work == _NONE) & (u[0, off] < 0.012)
        lost = (work == _EMPLOYED) & (u[0, off] < 0.0025)
        ended = (work == _EDUCATION) & (u[0, off] < 0.008)
        begun = (work == _NONE) & (age < 30) & ~people.schooled[off] & (u[1, off] < 0.002)
        people.work[off] = np.select([found | ended, lost, begun], [_EMPLOYED, _NONE, _EDUCATION], work)
        people.schooled[off[ended]] = True

    def _leave(self, week, who, exposed, phase, u):
        people = self.people
        who = who[people.mode[who] == ON]
        people.on_weeks[who] += 1
        hazards = self._hazards(week, who, exposed, phase)
        total = hazards.sum(axis=0)
        hit = u[0, who] < -np.expm1(-total)
        leaver = who[hit]
        cause = (u[1, leaver] * total[hit] >= np.cumsum(hazards[:, hit], axis=0)[:-1]).sum(axis=0)
        self.activities.stop(people, leaver, week)
        people.mode[leaver] = OFF
        people.off_weeks[leaver] = 0
        people.course_in[leaver] = -1
        people.work[leaver] = np.array([_EMPLOYED, _EDUCATION, _NONE, _NONE])[cause]
        self.exits.append((leaver, np.full(len(leaver), week), cause.astype(np.int8)))

    def _hazards(self, week, who, exposed, phase):
        """Return the hazards of leaving by cause, (4, persons): job, education, other, 225-hour rule."""
        people, params, clock = self.people, self.params, self.clock
        group, slow = people.group[who], people.slow[who]
        base = np.where(slow, np.take(params.exit_slow, group),
                        np.take(params.exit_mover, group) * people.frailty[who])
        log = (clock.municipality_exit(week)[people.municipality[who]] + clock.calendar_exit(week)
               + _STAGE_EXIT[people.stage[who]] + self.activities.hazard(people, who))
        hazard = base * np.exp(log)
        gain = np.exp(phase * np.where(slow, params.direct_slow, params.direct_mover) * exposed[who])
        job, learn = np.take(params.job_share, group), np.take(params.education_share, group)
        young = (people.years[who] < 30) & ~people.schooled[who]
        learn = np.where(young, params.young_education_share, learn)
        rule = (week >= RULE_225H_FROM) * params.rule_225h * (
            (people.on_weeks[who] >= 52) & (people.stage[who] == STAGE["plain"]) & (group % 2 == 0))
        return np.stack([hazard * job * gain, hazard * learn * gain, hazard * (1.0 - job - learn), rule])

    def _enter(self, week, exposed, phase, u):
        people, params = self.people, self.params
        age = people.years
        off = np.flatnonzero((people.mode == OFF) & (age >= 18) & (people.off_weeks > 0))
        rate = np.take(params.entry, people.group[off]) * self.clock.calendar_entry(week) * self._return(off)
        new = off[u[2, off] < rate]
        fresh = new[people.off_weeks[new] >= params.redraw_weeks]
        people.slow[fresh] = u[3, fresh] < np.take(params.slow_share, people.group[fresh])
        people.frailty[fresh] = draw_frailty(u[5:7, fresh], params.frailty_shape)
        people.ready[fresh] = u[4, fresh] < np.where(people.slow[fresh], 0.15, 0.80)
        people.newcomer[fresh] = (week >= INTEGRATION_NEWCOMERS_FROM) & (people.group[fresh] == _INTEGRATION)
        people.stage[fresh] = 0
        people.mode[new] = ON
        people.on_weeks[new] = 0
        self._refer(new, week, exposed, phase, u[13])

    def _return(self, off):
        """Return the factor on entries by weeks since the last support: soon after, more return."""
        bounds, factors = zip(*self.params.return_factor, strict=True)
        return np.array([*factors, 1.0])[np.searchsorted(bounds, self.people.off_weeks[off], side="left")]

    def _refer(self, new, week, exposed, phase, u):
        """Screening at the start: who is at moderate or high risk goes on to analysis and a course."""
        people = self.people
        at_risk = people.slow[new] | (people.frailty[new] < 0.8)
        share = self.params.course_share * phase * np.where(at_risk, 1.4, 0.5)
        chosen = exposed[new] & (u[new] < share)
        referred = new[chosen]
        people.course_in[referred] = 4 + np.floor(u[referred] / share[chosen] * 9).astype(np.int16)
        self.courses.append((referred, np.full(len(referred), week), people.course_in[referred].copy()))
