"""When each stay in a state began."""

from dataclasses import replace

import numpy as np

from evalkit.errors import EstimationError
from evalkit.estimators.multistate.landmark import paths_of, require_persons


def state_clock(at_risk):
    """Return the rows with times counted from the week in which the state was entered.

    Raises
    ------
    EstimationError
        If a person is first seen, or seen again after a gap, in a state whose beginning is unknown.

    Examples
    --------
    >>> import pandas as pd
    >>> from evalkit.atrisk import AtRisk
    >>> frame = pd.DataFrame({"person": 1, "from": [0, 3, 5], "to": [3, 5, 9], "now": ["ON", "OFF", "OFF"],
    ...                       "then": ["OFF", None, None]})
    >>> table = AtRisk.from_frame(frame, entry="from", exit="to", state="now", event="then", person="person")
    >>> state_clock(table).exit.tolist()
    [3.0, 2.0, 6.0]
    """
    require_persons(at_risk, "clock='reset'")
    path = paths_of(at_risk)
    order = np.lexsort((at_risk.entry, path))
    goes_on, stays = _continues(at_risk, path, order)
    _require_beginnings(at_risk, order[~goes_on & (at_risk.entry[order] > 0)])
    first = np.flatnonzero(~stays)
    begin = np.empty(at_risk.n_rows)
    begin[order] = np.repeat(at_risk.entry[order][first], np.diff(np.append(first, at_risk.n_rows)))
    return replace(at_risk, entry=at_risk.entry - begin, exit=at_risk.exit - begin)


def _continues(at_risk, path, order):
    """Tell, in order, whether a row goes on where the one before ended, and whether in the same state."""
    before, after = order[:-1], order[1:]
    goes_on = (path[after] == path[before]) & (at_risk.entry[after] == at_risk.exit[before])
    stays = goes_on & (at_risk.state[after] == at_risk.state[before])
    return np.append(False, goes_on), np.append(False, stays)


def _require_beginnings(at_risk, unknown):
    if len(unknown):
        n_persons = at_risk.select(unknown).n_persons
        raise EstimationError(
            f"clock='reset': {n_persons} of {at_risk.n_persons} persons are first seen after time zero, or "
            "again after a gap, in a state whose beginning is unknown. Leave their rows out until the next "
            "movement, or use clock='forward'")
