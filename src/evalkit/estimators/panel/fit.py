"""The weighted double difference behind every panel design: weights of units, weights of periods, effect."""

from dataclasses import dataclass

import numpy as np

from evalkit.estimators.panel.simplex import frank_wolfe, simplex_least_squares

# Ridge that makes weights unique without moving them (synthdid's eta.lambda).
HARDLY_ANY = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class Design:
    """How weights are found; ``unit_penalty`` is in units of the noise (synthdid's eta.omega)."""

    name: str
    unit_weights: str
    period_weights: str
    unit_intercept: bool = True
    unit_penalty: float = 0.0
    as_in: str = "optimum"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Fit:
    """Weights, the effect, and the gap (treated less weighted comparisons) by period."""

    effect: float
    unit_weights: np.ndarray
    period_weights: np.ndarray
    gap: np.ndarray
    n_pre: int

    @property
    def rmspe(self):
        """Root mean squared gap before and after; designs with an intercept allow a constant gap."""
        before, after = self.gap[: self.n_pre], self.gap[self.n_pre :]
        level = before.mean() if self.period_weights.any() else 0.0
        return _root_mean_square(before - level), _root_mean_square(after - self.period_weights @ before)

    @property
    def rmspe_ratio(self):
        """Error after over error before; without bound where the fit before is perfect."""
        before, after = self.rmspe
        return after / before if before > 0 else np.inf


def fit_design(donors, treated, n_pre, design, noise, start=(None, None)):
    """Find the weights and the double difference; ``start`` matters only for R's early stopping."""
    units = _unit_weights(donors, treated, n_pre, design, noise, start[0])
    periods = _period_weights(donors, n_pre, design, noise, start[1])
    gap = treated - units @ donors
    return Fit(
        effect=float(gap[n_pre:].mean() - periods @ gap[:n_pre]),
        unit_weights=units,
        period_weights=periods,
        gap=gap,
        n_pre=n_pre,
    )


def _unit_weights(donors, treated, n_pre, design, noise, start):
    if design.unit_weights == "equal":
        return np.full(len(donors), 1.0 / len(donors))
    return _weights(
        donors[:, :n_pre].T,
        treated[:n_pre],
        design.unit_intercept,
        design.unit_penalty,
        noise,
        design.as_in,
        start,
    )


def _period_weights(donors, n_pre, design, noise, start):
    if design.period_weights != "fitted":
        return np.full(n_pre, 1.0 / n_pre if design.period_weights == "equal" else 0.0)
    return _weights(
        donors[:, :n_pre], donors[:, n_pre:].mean(axis=1), True, HARDLY_ANY, noise, design.as_in, start
    )


def _weights(columns, target, intercept, penalty, noise, as_in, start):
    if intercept:
        columns, target = columns - columns.mean(axis=0), target - target.mean()
    ridge = len(target) * (penalty * noise) ** 2
    if as_in == "optimum":
        return simplex_least_squares(columns, target, ridge=ridge)
    # R: a first round of 100 steps, weights below a quarter of the largest set to nothing, then the rest.
    options = {"ridge": ridge, "min_decrease": 1e-5 * noise}
    first = frank_wolfe(columns, target, max_iterations=100, start=start, **options)
    sparse = np.where(first <= first.max() / 4, 0.0, first)
    return frank_wolfe(columns, target, max_iterations=10_000, start=sparse / sparse.sum(), **options)


def _root_mean_square(values):
    return float(np.sqrt((values**2).mean()))
