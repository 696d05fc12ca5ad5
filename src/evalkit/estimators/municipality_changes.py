"""Differences in differences of cell means: one treated municipality among others, persons in each.

A cell is a municipality in a period. Its mean moves for two reasons: other persons came (which the
persons' own spread measures), and something happened in that municipality in that period that had nothing to
do with the programme: a factory closed, a jobcentre moved. Persons of one cell share the second, so no number
of persons makes it small. How large such shocks are is seen in the comparison municipalities, whose changes
differ by more than their persons explain.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from evalkit.errors import EstimationError
from evalkit.estimators.mean_contributions import group_sums


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Changes:
    """The change of every municipality from before to after, for K outcomes at once.

    Attributes
    ----------
    units : tuple of str
        The treated one first.
    change, variance : ndarray of float, shape (n_units, K)
        Change and its sampling variance over persons.
    before, after : ndarray of float, shape (n_units, K)
        The means themselves.
    variance_after : ndarray of float, shape (n_units, K)
        Sampling variance of ``after``.
    n_before, n_after : ndarray of int, shape (n_units,)
    """

    units: tuple[str, ...]
    change: np.ndarray
    variance: np.ndarray
    before: np.ndarray
    after: np.ndarray
    variance_after: np.ndarray
    n_before: np.ndarray
    n_after: np.ndarray

    @property
    def n_persons(self):
        """Rows behind the difference; a person in both periods counts twice."""
        return int(self.n_before.sum() + self.n_after.sum())

    def without(self, unit):
        """Return the changes without one comparison municipality."""
        keep = np.array([name != unit for name in self.units])
        return Changes(units=tuple(name for name in self.units if name != unit), **{
            name: getattr(self, name)[keep] for name in
            ("change", "variance", "before", "after", "variance_after", "n_before", "n_after")})


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Contrast:
    """An effect for each of K outcomes, with both errors; every array has shape (K,).

    Attributes
    ----------
    estimate, std_error, conf_low, conf_high, p_value : errors count persons and shocks.
    person_error, person_low, person_high : the error that counts persons only, shown to be too short.
    shock_sd : estimated standard deviation of a municipality's change apart from its persons.
    rank : of the treated municipality among all by size of the placebo effect; 1 is the largest.
    n_comparisons : int
    """

    estimate: np.ndarray
    std_error: np.ndarray
    conf_low: np.ndarray
    conf_high: np.ndarray
    p_value: np.ndarray
    person_error: np.ndarray
    person_low: np.ndarray
    person_high: np.ndarray
    shock_sd: np.ndarray
    rank: np.ndarray
    n_comparisons: int


def cell_changes(values, *, unit, is_after, person, treated):
    """Average person values in each municipality and period and difference them.

    Parameters
    ----------
    values : ndarray of float, shape (n_rows, K)
        What each person contributes to each outcome's mean: the value itself, or the mean plus the
        person's influence.
    unit : array-like of str, shape (n_rows,)
    is_after : array-like of bool, shape (n_rows,)
    person : array-like, shape (n_rows,)
        A person in both periods links their errors.
    treated : str

    Returns
    -------
    Changes
        Comparison municipalities without two persons in each period are left out.

    Raises
    ------
    EstimationError
        If the treated municipality lacks persons in a period, or fewer than two comparisons are left.

    Examples
    --------
    >>> found = cell_changes(np.array([1.0, 3, 6, 8, 1, 3, 2, 4, 0, 2, 2, 4])[:, None], treated="T",
    ...     unit=list("TTTTAAAABBBB"), is_after=[0, 0, 1, 1] * 3, person=range(12))
    >>> found.units, found.change.ravel().tolist(), found.variance.round(6).ravel().tolist()
    (('T', 'A', 'B'), [5.0, 1.0, 2.0], [2.0, 2.0, 2.0])
    """
    values, after = np.asarray(values, dtype=float), np.asarray(is_after, dtype=bool)
    codes, names = pd.factorize(np.asarray(unit, dtype=object), sort=True)
    counts = np.array([np.bincount(codes[after == side], minlength=len(names)) for side in (False, True)])
    kept = _kept(names, counts.min(axis=0) >= 2, treated)
    cell = codes * 2 + after
    n_cell = np.bincount(cell, minlength=2 * len(names))
    mean = group_sums(values, cell, 2 * len(names)) / np.maximum(n_cell, 1)[:, None]
    weight = np.where(after, 1.0, -1.0) / np.sqrt(n_cell * np.maximum(n_cell - 1.0, 1.0))[cell]
    influence = (values - mean[cell]) * weight[:, None]
    whole, owner = _by_person(influence, codes, person)
    variance = group_sums(whole**2, owner, len(names))
    before, later = mean[::2][kept], mean[1::2][kept]
    return Changes(
        units=tuple(names[kept]),
        change=later - before,
        variance=variance[kept],
        before=before,
        after=later,
        variance_after=group_sums(influence[after] ** 2, codes[after], len(names))[kept],
        n_before=n_cell[::2][kept],
        n_after=n_cell[1::2][kept],
    )


def difference_of_changes(changes, *, conf_level=0.95):
    """Estimate the treated municipality's change less the comparisons' mean change.

    Parameters
    ----------
    changes : Changes
    conf_level : float

    Returns
    -------
    Contrast

    Raises
    ------
    EstimationError
        With fewer than two comparison municipalities.

    Notes
    -----
    With D the changes, v their sampling variances (taken as known), and S2 the variance of the J comparisons'
    D: shocks tau2 = S2 - mean v, and Var = tau2 + v_treated + (tau2 + mean v) / J. How large the shocks are
    is itself uncertain, and where comparison municipalities are small it is very uncertain. So the interval
    averages over the values that agree with S2, tau2 = max(0, (J - 1) S2 / X - mean v) with X chi-squared on
    J - 1 degrees of freedom: the generalised interval of Weerahandi (1993) for a mean with two variance
    components. Where the treated municipality has as many persons as the others and shocks dominate it is
    Student's interval on J - 1.

    The rank holds each municipality in turn against the comparisons, in standard errors since they have fewer
    persons; it needs exchangeability only. Its smallest p is 1 / (J + 1).

    References
    ----------
    .. [1] Weerahandi (1993), Journal of the American Statistical Association 88, 899-905.
    .. [2] Donald and Lang (2007), Review of Economics and Statistics 89, 221-233.
    """
    j = len(changes.units) - 1
    if j < 2:
        raise EstimationError(
            f"difference in differences: {j} comparison municipalities, at least 2 are needed "
            "to see how much municipalities move by themselves"
        )
    own, others = changes.change[0], changes.change[1:]
    spread, sampled = others.var(axis=0, ddof=1), changes.variance[1:].mean(axis=0)
    shock = _plausible_shocks(spread, sampled, j)
    variance = shock + changes.variance[0] + (shock + sampled) / j
    estimate = own - others.mean(axis=0)
    person = np.sqrt(changes.variance[0] + sampled / j)
    low, high, p_value = _limits(estimate, variance, conf_level)
    person_low, person_high, _ = _limits(estimate, person[None] ** 2, conf_level)
    tau2 = np.maximum(spread - sampled, 0)
    return Contrast(estimate=estimate, std_error=np.sqrt(variance.mean(axis=0)), conf_low=low, conf_high=high,
                    p_value=p_value, person_error=person, person_low=person_low, person_high=person_high,
                    shock_sd=np.sqrt(tau2), rank=_rank(changes, tau2), n_comparisons=j)


def naive_contrasts(changes, *, conf_level=0.95):
    """Return what two common shortcuts give: before and after alone, and treated against others alone.

    Returns
    -------
    dict of str to (estimate, std_error, conf_low, conf_high)
        Errors count persons only. ``before_after`` holds everything else that changed besides the effect,
        ``treated_against_others`` every old difference.
    """
    n_others = len(changes.units) - 1
    found = {
        "before_after": (changes.change[0], changes.variance[0]),
        "treated_against_others": (
            changes.after[0] - changes.after[1:].mean(axis=0),
            changes.variance_after[0] + changes.variance_after[1:].mean(axis=0) / n_others,
        ),
    }
    out = {}
    for name, (estimate, variance) in found.items():
        error = np.sqrt(variance)
        out[name] = (estimate, error, *_limits(estimate, variance[None], conf_level)[:2])
    return out


def _kept(names, enough, treated):
    """Return positions of the units that stay, the treated one first."""
    if treated not in names or not enough[names == treated].all():
        raise EstimationError(
            "difference in differences: the treated municipality has fewer than 2 persons in one of the "
            "two periods; look at the attrition table of each period"
        )
    own = np.flatnonzero(names == treated)
    others = np.flatnonzero(enough & (names != treated))
    if len(others) < 2:
        raise EstimationError(
            f"difference in differences: {len(others)} comparison municipalities have persons in both "
            "periods, at least 2 are needed"
        )
    return np.r_[own, others]


def _by_person(influence, codes, person):
    """Add up a person's influence within a unit; return it with the unit of each."""
    who = pd.factorize(np.asarray(person, dtype=object))[0]
    _, first, pair = np.unique(
        codes.astype(np.int64) * (who.max(initial=0) + 1) + who, return_index=True, return_inverse=True
    )
    return group_sums(influence, pair, len(first)), codes[first]


def _plausible_shocks(spread, sampled, j, n_nodes=200):
    """Return shock variances that agree with the comparisons' spread, equally likely, shape (n_nodes, K)."""
    from scipy.special import chdtri

    upper = (np.arange(n_nodes) + 0.5) / n_nodes
    return np.maximum((j - 1) * spread / chdtri(j - 1, upper)[:, None] - sampled, 0)


def _limits(estimate, variance, conf_level):
    """Return limits and p of a normal estimate whose variance is one of several, equally likely (rows)."""
    from scipy.special import ndtr, ndtri

    error = np.sqrt(variance)
    low, high = np.zeros(error.shape[1]), ndtri(0.5 + conf_level / 2) * error.max(axis=0)
    for _ in range(50):
        half = (low + high) / 2
        with np.errstate(divide="ignore", invalid="ignore"):
            inside = np.where(error > 0, ndtr(half / error), 1.0).mean(axis=0) >= 0.5 + conf_level / 2
        low, high = np.where(inside, low, half), np.where(inside, half, high)
    with np.errstate(divide="ignore", invalid="ignore"):
        p_value = np.where(error > 0, 2 * ndtr(-np.abs(estimate) / error), np.nan).mean(axis=0)
    return estimate - high, estimate + high, p_value


def _rank(changes, shock):
    """Rank unit 0 when each in turn is held against the comparisons (but itself), in standard errors."""
    change, variance, j = changes.change, changes.variance, len(changes.change) - 1
    size = np.full(len(change), j - 1.0)[:, None]
    size[0] = j
    own = np.r_[[np.zeros(change.shape[1])], np.ones((j, change.shape[1]))]
    placebo = change - (change[1:].sum(axis=0) - own * change) / size
    spread = shock + variance + (shock * size + variance[1:].sum(axis=0) - own * variance) / size**2
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(spread > 0, np.abs(placebo) / np.sqrt(spread), np.abs(placebo))
    return 1 + (ratio[1:] >= ratio[0]).sum(axis=0)
