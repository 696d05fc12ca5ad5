"""Who is in which state at one week, and what is seen of them afterwards."""

from dataclasses import dataclass

import numpy as np

from evalkit.errors import EstimationError
from evalkit.estimators._counting import positions, row_counts, total
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
        start = total(chain.state[at], number[at], size)[seen]
        return np.broadcast_to(start[:, None], shape), np.full(shape, np.nan)
    if chain.rows.episode is not None:
        return _distinct(chain, followed, seen, weeks)
    copies = _by_path(followed, number)
    start = total(followed.state[followed.state >= 0], copies[followed.state >= 0], size)[seen]
    return np.broadcast_to(start[:, None], shape), _running(chain, followed, number, weeks)[:, seen]


def _running(chain, followed, number, weeks):
    """Sum, at every week, those in each state by their state at the first week: linear in rows and weeks."""
    size, landmark = len(chain.states), followed.state[followed.path]
    known, ended = landmark >= 0, ~chain.moving[chain.target]
    change = np.zeros((len(weeks) + 1) * size * size)
    order = np.sort(weeks)
    first, last = (positions(order, moment, side="left") for moment in (chain.rows.entry, chain.rows.exit))
    for point, state, sign, rows in ((first, chain.state, 1, known), (last, chain.state, -1, known),
                                     (last, chain.target, 1, known & ended)):
        cell = (point[rows] * size + landmark[rows]) * size + state[rows]
        change += sign * total(cell, number[rows], len(change))
    sums = np.cumsum(change.reshape(-1, size, size), axis=0)[:-1]
    return sums[np.searchsorted(order, weeks)]


def _distinct(chain, followed, seen, weeks):
    """Count as above where a person may have several paths, which are counted once."""
    size = len(chain.states)
    copies = _by_path(followed, row_counts(chain.rows))
    person = _by_path(followed, person_codes(chain.rows))
    start = _persons(person, copies, followed.state, np.zeros_like(followed.state), (size, 1))[seen]
    later = [_state_of_paths(chain, followed, week) for week in weeks]
    moved = [_persons(person, copies, followed.state, state, (size, size))[seen] for state in later]
    return np.broadcast_to(start, (len(weeks), len(seen), size)), np.array(moved)


def _state_of_paths(chain, followed, week):
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
    known = np.flatnonzero((first >= 0) & (second >= 0))
    cell = first[known] * shape[1] + second[known]
    once = np.unique(cell + person[known] * shape[0] * shape[1], return_index=True)[1]
    return total(cell[once], copies[known[once]], shape[0] * shape[1]).reshape(shape)
