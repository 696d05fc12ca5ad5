"""Counting distinct persons among chosen rows, and on how many a row rests; without sorting."""

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


def fewest_by_row(table):
    """Return for each row on how many persons it rests, by which it is judged whether it may leave.

    Of a share or probability the fewer of those inside and those outside the state, of weeks those ever in
    it; nobody where it is not known.
    """
    n_persons, inside = (np.nan_to_num(table[name].to_numpy()) for name in ("n_persons", "n_events"))
    is_share = table["term"].str.startswith("share[") | table["term"].str.contains(" -> ", regex=False)
    return np.where(is_share, np.minimum(inside, n_persons - inside), inside)


def person_codes(rows):
    """Return the persons as codes from 0 that are at most a few times the number of rows."""
    person = rows.person
    if len(person) and person.min() >= 0 and person.max() < 4 * len(person):
        return person
    return np.unique(person, return_inverse=True)[1]
