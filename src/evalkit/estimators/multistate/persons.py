"""Counting distinct persons among chosen rows, and the fewest in any state; without sorting."""

import numpy as np

from evalkit.estimators._counting import row_counts


def person_counter(rows):
    """Return a function from a mask of rows to the number of persons in them, counts included.

    Examples
    --------
    >>> import pandas as pd
    >>> from evalkit.atrisk import AtRisk
    >>> frame = pd.DataFrame({"person": [7, 7, 9], "from": [0, 1, 0], "to": [1, 2, 3], "left": 0,
    ...                       "k": [2, 2, 1]})
    >>> rows = AtRisk.from_frame(frame, entry="from", exit="to", event="left", person="person", count="k")
    >>> person_counter(rows)(np.array([True, True, False]))
    2
    """
    number = row_counts(rows)
    if rows.person is None:
        return lambda mask: int(number[mask].sum())
    code = person_codes(rows)
    copies = np.zeros(int(code.max(initial=-1)) + 1)
    copies[code] = number

    def count(mask):
        seen = np.zeros(len(copies), dtype=bool)
        seen[code[mask]] = True
        return int(copies[seen].sum())

    return count


def fewest(n_persons, n_events, *, is_outside_counted=True):
    """Return the fewest persons inside or outside any state that somebody is in: whether numbers may leave.

    Numbers of all states sum to a known total, so one that is hidden could be found from the others; all of
    them are judged by the smallest.

    Parameters
    ----------
    n_persons : ndarray, shape (..., 1) or (..., n_states)
    n_events : ndarray, shape (..., n_states)
        Those of them in each state; missing where it is not known, which counts as nobody.
    is_outside_counted : bool
        Whether persons outside a state matter too.

    Examples
    --------
    >>> fewest(np.array([[50], [0]]), np.array([[30, 20, 0], [0, 0, 0]]))
    20
    """
    total, inside = np.broadcast_to(n_persons, n_events.shape).max(axis=-1), np.nan_to_num(n_events)
    smallest = np.where(inside > 0, inside, np.inf).min(axis=-1)
    smallest = np.where(np.isinf(smallest), 0, smallest)
    if is_outside_counted:
        smallest = np.minimum(smallest, total - inside.max(axis=-1))
    return int(smallest[total > 0].min(initial=total.max()))


def fewest_by_beginning(n_persons, n_events, size, n_terms):
    """Return `fewest` for each term FROM -> TO, from counts in this order for every group and week."""
    shape = (-1, n_terms // size, size)
    n_persons, n_events = n_persons.reshape(shape), n_events.reshape(shape)
    each = [fewest(n_persons[:, h], n_events[:, h]) for h in range(shape[1])]
    return np.repeat(np.array(each, dtype=float), size)


def person_codes(rows):
    """Return the persons as codes from 0 that are at most a few times the number of rows."""
    person = rows.person
    if len(person) and 0 <= person.min() and person.max() < 4 * len(person):
        return person
    return np.unique(person, return_inverse=True)[1]
