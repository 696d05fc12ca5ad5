"""What is independent of what: clusters, else persons, else rows; sums within them, and what is too few."""

from dataclasses import dataclass

import numpy as np

from evalkit.errors import EstimationError
from evalkit.estimators._counting import row_counts, total
from evalkit.estimators._limits import require_one_of


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Units:
    """What is independent: a cluster, else a person, else a row. ``copies`` says how many each stands for."""

    code: np.ndarray
    weight: np.ndarray
    copies: np.ndarray

    def sums(self, value, position=slice(None)):
        """Add up a value of rows (all, or those at positions), times their weight, within each unit."""
        return total(self.code[position], self.weight[position] * value, len(self.copies))

    def covariance(self, influence):
        """Return the covariance of columns of influence: rows added up within units, then squared."""
        sums = np.column_stack([self.sums(column) for column in influence.T])
        return sums.T @ (sums * self.copies[:, None])


def units_of(rows):
    """Return what the robust error adds up within before squaring."""
    number = row_counts(rows)
    weight = np.ones(rows.n_rows) if rows.weight is None else rows.weight
    if rows.cluster is not None:
        code, size = _renumbered(rows.cluster)
        return Units(code=code, weight=weight * number, copies=np.ones(size))
    if rows.person is not None:
        code, size = _renumbered(rows.person)
        copies = np.empty(size)
        copies[code] = number
        return Units(code=code, weight=weight, copies=copies)
    return Units(code=np.arange(rows.n_rows), weight=weight, copies=number)


def _renumbered(code):
    """Return codes without holes, and how many there are."""
    rank = np.cumsum(np.bincount(code) > 0)
    return rank[code] - 1, int(rank[-1])


def is_robust(at_risk, robust):
    """Decide as R does: robust where rows are dependent or weighted, unless the caller says otherwise."""
    if robust is not None:
        require_one_of("robust", robust, (True, False))
        return bool(robust)
    if at_risk.cluster is not None or (at_risk.weight is not None and (at_risk.weight != 1).any()):
        return True
    if at_risk.person is None:
        return False
    return bool(np.bincount(at_risk.person[at_risk.event > 0], minlength=1).max() > 1)


def n_clusters(at_risk):
    """Count the clusters that have rows."""
    return int(np.count_nonzero(np.bincount(at_risk.cluster)))


def require_clusters(at_risk):
    """Refuse robust errors that rest on one cluster."""
    if at_risk.cluster is not None and n_clusters(at_risk) < 2:
        raise EstimationError("cluster: 1 cluster; errors between clusters need at least 2. "
                              "Leave cluster out, or choose a finer one")


def require_clusters_by_stratum(at_risk):
    """Refuse robust errors of a curve of one stratum that rest on one cluster: they would be 0."""
    require_clusters(at_risk)
    if at_risk.cluster is None or at_risk.strata is None:
        return
    first = np.zeros(at_risk.strata.max() + 1, dtype=at_risk.cluster.dtype)
    first[at_risk.strata] = at_risk.cluster
    lonely = np.ones(len(first), dtype=bool)
    lonely[at_risk.strata[at_risk.cluster != first[at_risk.strata]]] = False
    alone = np.intersect1d(np.flatnonzero(lonely), at_risk.strata)
    if len(alone):
        raise EstimationError(f"cluster: {len(alone)} of the strata within one cluster, the first of them "
                              f"{at_risk.strata_labels[alone[0]]}; errors between clusters need at least 2 "
                              "in every stratum. Leave cluster out, or choose a finer one")
