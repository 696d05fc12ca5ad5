"""On how few persons or events a term rests: by these it is judged whether it may leave."""

import numpy as np


def rarer_side(at_risk, events):
    """Return, for each covariate, the persons or events on its rarer side, whichever are fewer.

    Whether a term may leave is judged by it: the error of a log hazard ratio tells the events of a rare
    level, 1 / error^2. A covariate rests on those who differ from its usual value (a number that is 0 for
    nearly all tells of the others), and one of two values on both its sides.
    """
    fewest = _fewest(at_risk, events)

    def side(column):
        low = column == column.min()
        high = column == column.max()
        if (low | high).all():
            return min(fewest(low), fewest(high)) if not low.all() else 0
        return fewest(column != _usual(column, at_risk.count))

    sides = np.array([side(column) for column in at_risk.covariates.T], dtype=float)
    # A level is compared with the reference: its columns rest on the persons there as well.
    for columns, reference in _references(at_risk):
        sides[columns] = np.minimum(sides[columns], fewest(reference))
    return sides


def _usual(column, count):
    """Return the median, of which a row of ``count`` k says as much as k rows."""
    if count is None:
        return np.partition(column, len(column) // 2)[len(column) // 2]
    order = np.argsort(column)
    passed = np.cumsum(count[order])
    return column[order][np.searchsorted(passed, passed[-1] // 2, side="right")]


def n_reference(at_risk, events):
    """Return the persons or events in the rarest reference level of any categorical covariate, else of all.

    What is told of a row whose covariates are all 0, an intercept or a baseline, is told of them.
    """
    fewest = _fewest(at_risk, events)
    return min((fewest(rows) for _, rows in _references(at_risk)),
               default=fewest(np.ones(at_risk.n_rows, dtype=bool)))


def _fewest(at_risk, events):
    """Return what counts the persons of a mask of rows, or their events where these are fewer."""
    died = np.asarray(events) > 0
    is_alike = at_risk.count is None and at_risk.n_persons == at_risk.n_rows

    def count(rows):
        having = rows & died
        n_events = np.count_nonzero(having) if at_risk.count is None else at_risk.count[having].sum()
        return int(min(np.count_nonzero(rows) if is_alike else at_risk.n_persons_in(rows), n_events))

    return count


def _references(at_risk):
    """Yield the columns of each categorical covariate with the rows in its reference level, if any are."""
    for columns in _factors(at_risk.terms):
        reference = (at_risk.covariates[:, columns] == 0).all(axis=1)
        if reference.any():
            yield columns, reference


def _factors(terms):
    """Yield the columns of each categorical covariate: those named ``sex[F]``, ``sex[M]``."""
    names = [term.partition("[")[0] if term.endswith("]") else None for term in terms]
    yield from ([k for k, other in enumerate(names) if other == name]
                for name in dict.fromkeys(names) if name is not None)
