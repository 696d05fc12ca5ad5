"""Few clusters: what errors between them are worth, said in one way by every estimator."""

import warnings

from evalkit.estimators._units import n_clusters

# Fewer clusters than this tell little of how clusters differ, whatever is computed from them.
FEW = 20


def clusters_told(at_risk, n_terms, name, is_robust=True):
    """Return, as diagnostics, the clusters that errors rest on, and a warning where they are too few.

    A table without clusters has ``clusters`` None. Too few are less than `FEW`, or no more than the
    ``n_terms`` numbers that are estimated together; of the latter Python warns as well (UserWarning), as no
    error or test of all terms together exists.
    """
    if at_risk.cluster is None:
        return {"clusters": None}
    clusters = n_clusters(at_risk)
    return few_clusters(clusters, n_terms, name) if is_robust else {"clusters": clusters}


def few_clusters(clusters, n_terms, name):
    """Return the number of clusters, and a warning where they are too few."""
    if clusters >= FEW and clusters > n_terms:
        return {"clusters": clusters}
    together = ", and there is no test of all terms together" if clusters <= n_terms else ""
    warning = (f"{clusters} clusters for {n_terms} term{'' if n_terms == 1 else 's'}: so few say little of "
               f"how clusters differ, and errors between them are too small{together}. Choose a finer "
               "cluster or fewer terms, or read the limits as too narrow")
    if clusters <= n_terms:
        warnings.warn(f"{name}: {warning}", UserWarning, stacklevel=3)
    return {"clusters": clusters, "warning": warning}
