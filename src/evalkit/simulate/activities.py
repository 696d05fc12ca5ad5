"""Parallel activities in four slots: who starts, how long, and what that does to leaving support."""

import numpy as np

from evalkit.simulate.clock import is_july
from evalkit.simulate.population import ON
from evalkit.simulate.states import ACTIVITY, STAGE

# Kinds of each slot with their shares, and the range of planned weeks of each kind.
_KINDS = (
    (("PRAKTIK", 0.55), ("LOENTIL", 0.70), ("NYTTE", 0.84), ("ORD_TIMER", 1.0)),
    (("VEJL_OPK", 0.80), ("UDD", 1.0)),
    (("SUNDHED", 0.75), ("MISBRUG", 1.0)),
    (("MENTOR", 0.70), ("SOCIAL", 1.0)),
)
_PLANNED = {
    "PRAKTIK": (4, 13), "LOENTIL": (13, 26), "NYTTE": (4, 13), "ORD_TIMER": (8, 26), "IPS": (26, 52),
    "VEJL_OPK": (4, 20), "UDD": (6, 13), "SUNDHED": (8, 16), "MISBRUG": (12, 26), "MENTOR": (13, 52),
    "SOCIAL": (13, 26),
}
_OPEN_STAGES = [STAGE[name] for name in ("plain", "resource_course", "job_clarification")]
_JOB, _HEALTH = 0, 2
_IPS_SHARE = 0.15
# A course of development is an effort on the job side and the health side at the same time.
_COURSE_SLOTS = (_JOB, _HEALTH)
_PLANNED_LOW = np.array([0] + [_PLANNED[name][0] for name in list(ACTIVITY)[1:]])
_PLANNED_SPAN = np.array([0] + [_PLANNED[name][1] - _PLANNED[name][0] + 1 for name in list(ACTIVITY)[1:]])


class Activities:
    """Runs the slots and keeps a book of starts and ends.

    ``book()`` gives person, week of start, week of end (exclusive), kind and whether it belonged
    to a course of the programme.
    """

    def __init__(self, params):
        self.params = params
        nobody = np.zeros(0, dtype=np.int64)
        self._starts, self._ends, self._count = [(nobody, nobody, nobody, nobody.astype(bool))], [], 0

    def hazard(self, people, who):
        """Return the log hazard ratio of leaving from what is going on or was lately."""
        effect = np.zeros(len(who))
        for slot in range(4):
            effect += np.where(people.left[slot, who] > 0, self.params.during[slot],
                               np.where(people.after[slot, who] > 0, self.params.after[slot], 0.0))
        return effect

    def step(self, people, week, exposed, phase, u):
        """Let activities run a week, end and start; ``exposed`` marks persons under the programme."""
        on = np.flatnonzero(people.mode == ON)
        july = is_july(week)
        self._run(people, on, week, july, u)
        in_course = self._course_begins(people, on)
        open_stage = on[np.isin(people.stage[on], _OPEN_STAGES)]
        more = np.where(exposed[open_stage], np.exp(np.log1p(self.params.more_starts) * phase), 1.0)
        for slot in range(4):
            rate = self._rate(people, open_stage, slot) * more * (self.params.july_starts if july else 1.0)
            hit = (u[slot, open_stage] < rate) & (people.left[slot, open_stage] == 0)
            self._start(people, open_stage[hit], slot, week, (u[slot, open_stage] / rate)[hit],
                        u[4, open_stage[hit]], exposed[open_stage[hit]], False)
        for slot in _COURSE_SLOTS:
            free = in_course[people.left[slot, in_course] == 0]
            self._start(people, free, slot, week, u[slot, free], u[4, free], exposed[free], True)

    def stop(self, people, who, week):
        """End everything of persons who leave support; what it did to them is past."""
        for slot in range(4):
            running = who[people.left[slot, who] > 0]
            self._ends.append((people.event[slot, running], np.full(len(running), week)))
        people.left[:, who] = 0
        people.after[:, who] = 0

    def book(self, last_week):
        """Return starts and ends as arrays: person, start, end, kind, is_course."""
        person, start, kind, course = (np.concatenate(part) for part in zip(*self._starts, strict=True))
        end = np.full(self._count, last_week, dtype=np.int64)
        for event, week in self._ends:
            end[event] = week
        return {"person": person, "start": start, "end": end, "kind": kind, "is_course": course}

    def _run(self, people, on, week, july, u):
        for slot in range(4):
            busy = on[people.left[slot, on] > 0]
            people.left[slot, busy] -= 1
            cut = july & (u[5, busy] < self.params.july_ends)
            ended = busy[(people.left[slot, busy] == 0) | cut]
            people.left[slot, ended] = 0
            people.after[slot, on] = np.maximum(people.after[slot, on] - 1, 0)
            people.after[slot, ended] = self.params.after_weeks
            self._ends.append((people.event[slot, ended], np.full(len(ended), week)))

    @staticmethod
    def _course_begins(people, on):
        waiting = on[people.course_in[on] >= 0]
        people.course_in[waiting] -= 1
        return waiting[people.course_in[waiting] == 0]

    def _rate(self, people, who, slot):
        """Selection: job-directed efforts go to those who would leave anyway, health efforts to others."""
        mover = self.params.frailty_start[slot] * (np.minimum(people.frailty[who], 2.5) - 1.0)
        return self.params.start_rate[slot] * np.exp(
            np.where(people.slow[who], self.params.slow_start[slot], mover))

    def _start(self, people, who, slot, week, u_kind, u_weeks, exposed, is_course):
        if not len(who):
            return
        names, shares = zip(*_KINDS[slot], strict=True)
        drawn = np.searchsorted(shares[:-1], u_kind, side="right")
        kind = np.array([ACTIVITY[name] for name in names])[drawn]
        if slot == _JOB:
            kind = np.where(exposed & (u_weeks < _IPS_SHARE), ACTIVITY["IPS"], kind)
        planned = _PLANNED_LOW[kind] + np.floor(u_weeks * _PLANNED_SPAN[kind]).astype(np.int64)
        people.left[slot, who] = planned
        people.kind[slot, who] = kind
        people.event[slot, who] = self._count + np.arange(len(who))
        self._starts.append((who, np.full(len(who), week), kind, np.full(len(who), is_course)))
        self._count += len(who)
