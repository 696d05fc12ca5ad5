"""Who is in which state at one week, and what is seen of them afterwards."""

from dataclasses import dataclass

import numpy as np

from evalkit.errors import EstimationError
from evalkit.estimators._counting import row_counts
from evalkit.estimators.multistate.persons import person_codes


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Followed:
    """The state of every path (a person, in one episode) at one week, -1 where it is not seen.

    ``path`` is the path of each row, or None where no person is named; ``present`` marks the rows under
    observation at that week, ``later`` those that end after it.
    """

    path: np.ndarray | None
    state: np.ndarray
    row_state: np.ndarray
    present: np.ndarray
    later: np.ndarray

    def is_occupied(self, h):
        """Return whether anybody is seen in a state at the week."""
        return bool((self.row_state[self.present] == h).any())

    def rows_of(self, h):
        """Return the positions of what is seen, after the week, of those in a state at the week."""
        return np.flatnonzero(self.later & (self.state[self.path] == h))


def followed_from(chain, week):
    """Find the state of every path at a week; movements in that very week have happened."""
    rows = chain.rows
    present, path = (rows.entry <= week) & (week < rows.exit), paths_of(rows)
    state = np.full(0 if path is None else int(path.max()) + 1, -1)
    if path is not None:
        state[path[present]] = chain.state[present]
    return Followed(path=path, state=state, row_state=chain.state, present=present, later=rows.exit > week)


def moved_between(chain, followed, seen, weeks):
    """Count persons in each state at the first week, and those of them in each state at later weeks.

    Returns
    -------
    n_persons, n_events : ndarray of float, shape (n_weeks, n_from, n_states)
        ``n_events`` is missing where no person is named.
    """
    size, number = len(chain.states), row_counts(chain.rows)
    shape = (len(weeks), len(seen), size)
    if followed.path is None:
        at = followed.present
        start = np.bincount(chain.state[at], weights=number[at], minlength=size)[seen]
        return np.broadcast_to(start[:, None], shape), np.full(shape, np.nan)
    copies = _by_path(followed, number)
    person = None if chain.rows.episode is None else _by_path(followed, person_codes(chain.rows))
    start = _persons(person, copies, followed.state, np.zeros_like(followed.state), (size, 1))[seen]
    later = [state_of_paths(chain, followed, week) for week in weeks]
    moved = [_persons(person, copies, followed.state, state, (size, size))[seen] for state in later]
    return np.broadcast_to(start, shape), np.array(moved)


def state_of_paths(chain, followed, week):
    """Return the state of every path just after a week, -1 where it is not seen."""
    state = np.full(len(followed.state), -1)
    for k, rows in enumerate(chain.occupants(week)):
        state[followed.path[rows]] = k
    return state


def require_persons(at_risk, name):
    """Refuse a table whose rows cannot be joined to persons."""
    if at_risk.person is None:
        raise EstimationError(f"{name}: rows of one person must be found again, and no person is named; "
                              "name the column in AtRisk.from_frame(person=...), and do not compress")


def paths_of(rows):
    """Return what is followed as codes: a person, in one episode; None where no person is named."""
    if rows.person is None:
        return None
    if rows.episode is None:
        return person_codes(rows)
    return np.unique(np.column_stack([rows.person, rows.episode]), axis=0, return_inverse=True)[1].ravel()


def _by_path(followed, value):
    """Return the value that all rows of a path share."""
    one = np.zeros(len(followed.state), dtype=value.dtype)
    one[followed.path] = value
    return one


def _persons(person, copies, first, second, shape):
    """Count persons by the states of their paths at two weeks; ``person`` is None where each has one path."""
    known = np.flatnonzero((first >= 0) & (second >= 0))
    cell = first[known] * shape[1] + second[known]
    if person is not None:
        once = np.unique(cell + person[known] * shape[0] * shape[1], return_index=True)[1]
        known, cell = known[once], cell[once]
    return np.bincount(cell, weights=copies[known], minlength=shape[0] * shape[1]).reshape(shape)
