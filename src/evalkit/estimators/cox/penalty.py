"""Penalised partial likelihoods: a ridge, and Firth's, which always has a maximum."""

from dataclasses import dataclass

import numpy as np

from evalkit.errors import EstimationError
from evalkit.estimators._limits import chi_square, quantile
from evalkit.estimators.cox.maximise import maximise, root_of
from evalkit.estimators.cox.partial import Pass, evaluate, sums

# Firth's step uses the information in the place of the second derivative: it converges, but linearly.
FIRTH_STEPS, FIRTH_ENOUGH = 400, 1e-16
# How often a limit is looked for twice as far away.
WIDENINGS = 40


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Penalised:
    """A penalised log likelihood with its derivatives, and the likelihood without the penalty."""

    value: float
    gradient: np.ndarray
    information: np.ndarray
    fit: Pass

    @property
    def relative(self):
        """The relative hazard of each row."""
        return self.fit.relative

    def step(self):
        """Return Newton's step."""
        return np.linalg.solve(self.information, self.gradient)


def ridge_weights(at_risk, ridge, scaled):
    """Return what multiplies beta**2 / 2 in the penalty of each term, on the covariates' own scale."""
    named = ridge if isinstance(ridge, dict) else dict.fromkeys(at_risk.terms, ridge)
    unknown = sorted(set(named) - set(at_risk.terms))
    if unknown:
        raise EstimationError(f"cox: ridge names {', '.join(unknown)}, no terms of the model; "
                              f"terms are {', '.join(at_risk.terms)}")
    weights = np.array([float(named.get(term, 0.0)) for term in at_risk.terms])
    if not (np.isfinite(weights) & (weights >= 0)).all():
        raise ValueError(f"ridge == {ridge!r}, must be finite and not negative")
    return weights * _variance(at_risk) if scaled else weights


def ridge_likelihood(plan, weights):
    """Subtract weights @ beta**2 / 2 (coefficients of scaled covariates)."""
    def likelihood(beta):
        fit = evaluate(plan, beta)
        return Penalised(value=fit.value - weights @ beta**2 / 2, gradient=fit.gradient - weights * beta,
                         information=fit.information + np.diag(weights), fit=fit)
    return likelihood


def firth_likelihood(plan):
    """Add half the log determinant of the information (Firth 1993; Heinze and Schemper 2001)."""
    def likelihood(beta):
        fit = evaluate(plan, beta)
        sign, log_determinant = np.linalg.slogdet(fit.information)
        if sign <= 0:
            return Penalised(value=-np.inf, gradient=fit.gradient, information=fit.information, fit=fit)
        return Penalised(value=fit.value + log_determinant / 2, information=fit.information, fit=fit,
                         gradient=fit.gradient + _penalty_slope(plan, fit))
    return likelihood


def maximise_penalised(likelihood, start, terms, is_refused=False):
    """Return the maximum of a penalised likelihood; one that flattens out may be refused."""
    first = likelihood(start)
    root = root_of(first.information) if is_refused else None
    return maximise(likelihood, (start, first), terms, root, enough=FIRTH_ENOUGH, steps=FIRTH_STEPS,
                    name="cox")


def profiled(likelihood, beta, top, terms, conf_level):
    """Return limits and p-values of each coefficient from the profile of a penalised likelihood.

    ``top`` is the likelihood at its maximum ``beta``. The information whose determinant is the penalty keeps
    all its terms where one coefficient is held, as in R's logistf and coxphf.
    """
    z, errors = quantile(conf_level), np.sqrt(np.diag(np.linalg.inv(top.information)))
    low, high, p_value = (np.empty(len(beta)) for _ in range(3))
    for k, error in enumerate(errors):
        drop = _Profile(likelihood, beta, top.value, k, terms)
        low[k], high[k] = (_crossing(drop, beta[k], side * z * error, z**2) for side in (-1, 1))
        p_value[k] = chi_square(drop(0.0), 1)
    return low, high, p_value


class _Profile:
    """Twice the fall of the likelihood when one coefficient is held and the others give way."""

    def __init__(self, likelihood, beta, top, k, terms):
        self.likelihood, self.top, self.k = likelihood, top, k
        self.others, self.terms = np.delete(beta, k), [*terms[:k], *terms[k + 1 :]]

    def __call__(self, held):
        def likelihood(others):
            at = self.likelihood(np.insert(others, self.k, held))
            information = np.delete(np.delete(at.information, self.k, axis=0), self.k, axis=1)
            return Penalised(value=at.value, gradient=np.delete(at.gradient, self.k), information=information,
                             fit=at.fit)
        if not len(self.others):
            return 2 * (self.top - likelihood(self.others).value)
        # Begun where the last one ended: the held coefficient has moved little.
        self.others, at, _ = maximise_penalised(likelihood, self.others, self.terms)
        return 2 * (self.top - at.value)


def _crossing(drop, centre, step, height):
    """Return where the drop reaches a height, on the side of the step."""
    from scipy.optimize import brentq
    inner = 0.0
    for _ in range(WIDENINGS):
        if drop(centre + step) >= height:
            return centre + brentq(lambda shift: drop(centre + shift) - height, inner, step,
                                   xtol=1e-10 * abs(step), rtol=1e-12)
        inner, step = step, 2 * step
    return np.sign(step) * np.inf


def _penalty_slope(plan, fit):
    """Return the derivative of half the log determinant of the information.

    It is half the sum, over the terms of the likelihood, of the mean of q (x - mean) among those at risk,
    where q is the squared distance of x from their mean in the metric of the inverse information. In
    coordinates y in which the information is the identity, q is a plain square.
    """
    root = np.linalg.cholesky(fit.information)
    y = np.linalg.solve(root, plan.x.T)
    p, q = len(y), np.square(y).sum(axis=0)
    upper = np.triu_indices(p)
    columns = [*y, q, *(q * column for column in y), *(y[j] * y[k] for j, k in zip(*upper, strict=True))]
    at_risk, dying = sums(plan, fit.relative * plan.weight, columns)
    ties = plan.ties if plan.ties.hold_for(fit.s0, fit.d0) else plan.ties.term_by_term(plan.number)
    bottom = fit.s0[ties.at] - ties.part * fit.d0[ties.at]
    moments = (at_risk[:, ties.at] - ties.part * dying[:, ties.at]) / bottom
    mean, mean_q, mean_qy = moments[:p], moments[p], moments[p + 1 : 2 * p + 1]
    product = np.empty((p, p, moments.shape[1]))
    product[upper] = product[upper[::-1]] = moments[2 * p + 1 :]
    turned = np.einsum("jkt,jt->kt", product, mean) - np.square(mean).sum(axis=0) * mean
    return root @ ((mean_qy - mean_q * mean - 2 * turned) @ ties.share) / 2


def _variance(at_risk):
    """Return the variance of each covariate over all rows, as R's ``ridge`` does."""
    count = np.ones(at_risk.n_rows) if at_risk.count is None else at_risk.count
    centred = at_risk.covariates - np.average(at_risk.covariates, axis=0, weights=count)
    return count @ centred**2 / max(count.sum() - 1, 1)
