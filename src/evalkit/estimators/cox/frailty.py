"""Shared gamma frailty: persons of one group leave sooner or later together."""

from dataclasses import dataclass

import numpy as np

from evalkit.errors import EstimationError
from evalkit.estimators._clusters import clusters_told
from evalkit.estimators._counting import event_codes, require_distinct, row_counts, total
from evalkit.estimators._limits import chi_square, quantile, require_one_of, two_sided
from evalkit.estimators._rarest import rarer_side
from evalkit.estimators.cox.groups import Groups, require_shared, shared_likelihood
from evalkit.estimators.cox.maximise import maximise, require_variation, root_of
from evalkit.estimators.cox.partial import design, evaluate
from evalkit.result import Estimand, Provenance, Result, tidy

VARIANCE = "frailty_variance"
# Where the search for the variance begins, and the smallest and largest that it takes for a variance.
BEGIN, SMALLEST, LARGEST = 0.1, 1e-7, 1e4
# How far from the variance, on the log scale, its limits are looked for first, and by how much more at most.
WIDER, FARTHER = 0.2, 1.5
# Expected gain at which coefficients and factors of one variance are found.
ENOUGH = 1e-14


def shared_frailty(at_risk, *, ties="efron", cause=None, conf_level=0.95):
    """Estimate log hazard ratios within groups whose hazards share a gamma factor of mean 1.

    Parameters
    ----------
    at_risk : AtRisk
        With or without covariates. ``cluster`` is the group (caseworker, municipality; a person with several
        events); strata have their own baseline hazards, the factor is shared across them.
    ties : {"efron", "breslow"}
        As in :func:`cox`.
    cause, conf_level
        As in :func:`kaplan_meier`.

    Returns
    -------
    Result
        Kind ``model``: one row per term as in :func:`cox`, and ``frailty_variance``: its limits from the
        profile of the likelihood, its p-value from the likelihood ratio against no frailty (half the tail of
        chi-square with 1 degree of freedom: 0 is the edge of what is possible). ``model``: terms, estimates,
        covariance, means, n_term. ``diagnostics``: log likelihoods, variance, Kendall's tau of two of one
        group, and of clusters as in :func:`cox`.

    Raises
    ------
    EstimationError
        No event; no cluster, or one; weights; delayed entry: who enters late was selected by the frailty, and
        the likelihood would have to say how; what :func:`cox` refuses.

    Notes
    -----
    Maximises the likelihood of the data without the factors over coefficients, baseline hazards and
    variance; given the variance, coefficients and log factors w maximise the penalised likelihood PL(b, w) +
    sum(w - exp(w)) / variance. Equals ``coxph(... + frailty(group, sparse = FALSE))`` of R survival, which
    stops its search for the variance early (its default ``eps`` leaves three digits); its default ``sparse``
    leaves part of the information out of the errors. Errors hold the variance fixed, as R's do. Under
    Efron's ties PL is Efron's, as in R.

    References
    ----------
    .. [1] Therneau, Grambsch and Pankratz (2003), Journal of Computational and Graphical Statistics 12,
       156-175.
    .. [2] Nielsen, Gill, Andersen and Soerensen (1992), Scandinavian Journal of Statistics 19, 25-43.

    Examples
    --------
    Both groups leave at the same pace: there is nothing to share, and the fit is Cox's.

    >>> import pandas as pd
    >>> from evalkit.atrisk import AtRisk
    >>> frame = pd.DataFrame({"weeks": [1, 2, 3, 4], "left": 1, "sex": list("MFMF"), "town": [1, 2, 2, 1]})
    >>> fit = shared_frailty(AtRisk.from_frame(frame, exit="weeks", event="left", covariates=["sex"],
    ...                                        cluster="town"))
    >>> fit.table["estimate"].round(4).tolist()
    [0.9406, 0.0]
    """
    require_one_of("ties", ties, ("efron", "breslow"))
    quantile(conf_level)
    events = event_codes(at_risk, cause)
    require_shared(at_risk, events, cause)
    require_distinct([*at_risk.terms, VARIANCE], "shared_frailty")
    search, alone, mean, scale = _search(at_risk, events, ties)
    variance = _variance(search)
    found = search.at(variance)
    ratio = max(2 * (found.marginal - alone.value), 0.0)
    limits = _limits(search, variance, found.marginal, quantile(conf_level) ** 2)
    covariance = found.covariance / np.outer(scale, scale)
    model = {"terms": at_risk.terms, "estimates": found.beta / scale, "covariance": covariance, "means": mean,
             "n_term": rarer_side(at_risk, events)}
    # The variance is told of the groups, who may be caseworkers: persons too.
    model["n_behind"] = np.append(model["n_term"], search.groups.n_groups)
    diagnostics = {"log_likelihood_null": search.null.value, "log_likelihood_no_frailty": alone.value,
                   "log_likelihood": found.marginal, VARIANCE: variance,
                   "kendall_tau": variance / (variance + 2),
                   "frailty_chi_square": ratio, "frailty_p_value": chi_square(ratio, 1) / 2,
                   "ties": ties, **clusters_told(at_risk, 1, "shared_frailty")}
    options = {"ties": ties, "cause": cause, "conf_level": conf_level}
    unit = {**dict.fromkeys(at_risk.terms, "log_ratio"), VARIANCE: "score"}
    table = _table(model, variance, limits, diagnostics["frailty_p_value"], at_risk, events, conf_level)
    return Result(kind="model", table=table, model=model, diagnostics=diagnostics,
                  provenance=Provenance(method="shared_frailty", options=options),
                  estimand=Estimand(name="hazard_ratio", summary="log_hazard_ratio", unit=unit))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Found:
    """The fit for one variance: ``marginal`` is the likelihood without the factors, ``slope`` its derivative
    by 1 / variance."""

    beta: np.ndarray
    log_factor: np.ndarray
    covariance: np.ndarray
    marginal: float
    slope: float


class Search:
    """Fits for one variance after another, each begun where the last one ended."""

    def __init__(self, plan, groups, null, start):
        self.plan, self.groups, self.null = plan, groups, null
        self.beta, self.log_factor, self.found = start, np.zeros(groups.n_groups), {}

    def at(self, variance):
        """Return the fit for a variance; 0 is Cox's model."""
        if variance not in self.found:
            self.found[variance] = self._fit(variance)
        return self.found[variance]

    def _fit(self, variance):
        if variance == 0:
            return self._cox()
        likelihood = shared_likelihood(self.plan, self.groups, 1 / variance)
        start = np.concatenate([self.beta, self.log_factor])
        terms = ("factors",) * len(start)
        both, at, _ = maximise(likelihood, (start, likelihood(start)), terms, enough=ENOUGH,
                               name="shared_frailty")
        self.beta, self.log_factor = np.split(both, [len(self.beta)])
        marginal, slope = _marginal(at.fit.value, self.log_factor, self.groups.deaths, 1 / variance)
        return Found(beta=self.beta, log_factor=self.log_factor, covariance=at.covariance, marginal=marginal,
                     slope=slope)

    def _cox(self):
        fit = evaluate(self.plan, self.beta)
        return Found(beta=self.beta, log_factor=np.zeros(self.groups.n_groups),
                     covariance=np.linalg.inv(fit.information), marginal=fit.value, slope=0.0)


def _search(at_risk, events, ties):
    """Fit Cox's model, from which the search sets out."""
    plan, mean, scale = design(at_risk, events, ties)
    null = evaluate(plan, np.zeros(len(at_risk.terms)))
    beta, alone = np.zeros(len(at_risk.terms)), null
    if at_risk.terms:
        require_variation(null.information, len(plan.died), at_risk.terms, "shared_frailty")
        beta, alone, _ = maximise(lambda beta: evaluate(plan, beta), (beta, null), at_risk.terms,
                                  root_of(null.information), name="shared_frailty")
    groups = Groups.of(at_risk, plan, row_counts(at_risk)[plan.row])
    return Search(plan, groups, null, beta), alone, mean, scale


def _variance(search):
    """Return the variance at which the marginal likelihood is largest: a root of its derivative."""
    from scipy.optimize import brentq
    alone = search.at(0.0)
    fit = evaluate(search.plan, alone.beta)
    gap = search.groups.deaths - search.groups.sums(fit.relative * search.plan.weight * fit.moments[-1])
    # The derivative by the variance at 0 (Commenges and Andersen 1995): no more spread than chance gives.
    if (gap**2 - search.groups.deaths).sum() <= 0:
        return 0.0
    low = high = BEGIN
    while search.at(high).slope < 0:
        low, high = high, 4 * high
        if high > LARGEST:
            raise EstimationError(f"shared_frailty: the likelihood still grows at a variance of {LARGEST:g}: "
                                  "groups have all events or none. Use larger groups, or make them strata")
    while search.at(low).slope >= 0:
        low, high = low / 4, low
        if low < SMALLEST:
            return 0.0
    return float(np.exp(brentq(lambda log: search.at(float(np.exp(log))).slope, np.log(low), np.log(high),
                               xtol=1e-9, rtol=1e-12)))


def _limits(search, variance, top, height):
    """Return where twice the fall of the profile reaches a height, below and above the variance."""
    from scipy.optimize import brentq

    def short(log):
        return 2 * (top - search.at(float(np.exp(log))).marginal) - height

    def crossing(step, inner):
        outer = inner + step
        while short(outer) < 0:
            if outer in edges:
                return np.nan
            step = np.clip(2 * step, -FARTHER, FARTHER)
            inner, outer = outer, float(np.clip(outer + step, *edges))
        return float(np.exp(brentq(short, *sorted((inner, outer)), xtol=1e-6)))

    edges = np.log([SMALLEST, LARGEST])
    inside = np.log(variance) if variance > 0 else edges[0]
    low = 0.0 if 2 * (top - search.at(0.0).marginal) <= height else crossing(-WIDER, inside)
    return low, crossing(WIDER, inside)


def _marginal(value, log_factor, deaths, precision):
    """Return the likelihood without the factors and its derivative by the precision (Nielsen et al. 1992).

    Scaled so that it becomes Cox's where the precision grows without bound.
    """
    from scipy.special import digamma, gammaln
    excess = log_factor - np.expm1(log_factor)
    grown = np.log1p(deaths / precision)
    gain = (precision * excess + gammaln(precision + deaths) - gammaln(precision) - deaths * np.log(precision)
            - (precision + deaths) * grown + deaths)
    slope = excess + digamma(precision + deaths) - digamma(precision) - grown
    return float(value + gain.sum()), float(slope.sum())


def _table(model, variance, limits, p_value, at_risk, events, conf_level):
    error = np.sqrt(np.diag(model["covariance"]))
    estimate, margin = model["estimates"], quantile(conf_level) * error
    n_events = total(np.zeros(at_risk.n_rows, dtype=np.int64), row_counts(at_risk) * (events > 0), 1)[0]
    return tidy(term=[*model["terms"], VARIANCE], estimate=np.append(estimate, variance),
                std_error=np.append(error, np.nan), conf_low=np.append(estimate - margin, limits[0]),
                conf_high=np.append(estimate + margin, limits[1]),
                p_value=np.append(two_sided(estimate / error), p_value),
                n_persons=at_risk.n_persons, n_events=n_events)
