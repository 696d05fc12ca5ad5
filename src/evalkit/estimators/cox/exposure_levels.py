"""What covariates and strata the rows would have at each level of an exposure, and who is averaged over."""

from collections.abc import Mapping

import numpy as np

from evalkit.errors import EstimationError
from evalkit.estimators._counting import require_rows


def at_each_level(at_risk, exposure):
    """Return for each level its name, and the covariates and strata that the rows would have."""
    strata = np.zeros(at_risk.n_rows, dtype=np.int64) if at_risk.strata is None else at_risk.strata
    if isinstance(exposure, Mapping):
        return {str(label): (_given(at_risk, x), strata) for label, x in exposure.items()}
    if exposure == "strata" and at_risk.strata is not None:
        return {label: (at_risk.covariates, np.full_like(strata, code))
                for code, label in enumerate(at_risk.strata_labels) if (strata == code).any()}
    levels = _levels(at_risk, exposure)
    return {label: (_exposed(at_risk.covariates, columns), strata) for label, columns in levels.items()}


def averaged_over(at_risk, among):
    """Return the first row of each person averaged over."""
    rows = np.arange(at_risk.n_rows)
    if among is not None:
        among = np.asarray(among)
        require_rows("among", among, len(rows))
        if among.dtype != bool or not among.any():
            raise EstimationError(f"among: {among.dtype}, expected True or False for each row, True for some")
        rows = rows[among]
    if at_risk.person is None:
        return rows
    order = rows[np.lexsort((at_risk.entry[rows], at_risk.person[rows]))]
    return order[np.append(True, np.diff(at_risk.person[order]) != 0)]


def persons_at_own_level(at_risk, exposure):
    """Count the persons of each level who are there already; of levels that are made, all."""
    if isinstance(exposure, Mapping):
        return dict.fromkeys(map(str, exposure), at_risk.n_persons)
    own = 0 if at_risk.strata is None else at_risk.strata
    return {label: at_risk.n_persons_in((x == at_risk.covariates).all(axis=1) & (strata == own))
            for label, (x, strata) in at_each_level(at_risk, exposure).items()}


def name_of(exposure):
    """Return an exposure as provenance names it."""
    return list(map(str, exposure)) if isinstance(exposure, Mapping) else exposure


def _levels(at_risk, exposure):
    """Return for each level of a covariate the values of its columns."""
    terms = at_risk.terms
    if exposure in terms:
        k = terms.index(exposure)
        values = np.unique(at_risk.covariates[:, k])
        if not 2 <= len(values) <= 10:
            raise EstimationError(f"exposure {exposure}: {len(values)} distinct values, expected 2 to 10; "
                                  "give a mapping of names to covariates for the levels to compare")
        return {f"{value:g}": {k: value} for value in values}
    columns = [k for k, term in enumerate(terms) if term.startswith(f"{exposure}[")]
    if not columns:
        raise EstimationError(f"exposure {exposure}: no such covariate; the table has {', '.join(terms)}")
    nobody = dict.fromkeys(columns, 0.0)
    return {"reference": nobody} | {terms[k][len(exposure) + 1:-1]: {**nobody, k: 1.0} for k in columns}


def _exposed(covariates, columns):
    x = covariates.copy()
    for k, value in columns.items():
        x[:, k] = value
    return x


def _given(at_risk, x):
    x = np.asarray(x, dtype=float)
    if x.shape != at_risk.covariates.shape or not np.isfinite(x).all():
        raise EstimationError(f"exposure: covariates of shape {x.shape}, expected finite numbers of shape "
                              f"{at_risk.covariates.shape}, in the order {', '.join(at_risk.terms)}")
    return x
