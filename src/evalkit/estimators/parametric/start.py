"""Where a fit begins: lifelines fits the distribution without covariates, on rows enough for a start."""

import warnings

import numpy as np

# lifelines costs tens of milliseconds a fit; more rows would not bring the start nearer to the maximum.
N_ROWS = 400
STARTS = ("lifelines", "moments")
_FITTERS = {"weibull": "WeibullFitter", "lognormal": "LogNormalFitter", "loglogistic": "LogLogisticFitter"}


def start_of(distribution, at_risk, died, log_unit, start):
    """Return location and scale of log time (less ``log_unit``), and who found them: lifelines, or moments.

    Parameters
    ----------
    distribution : {"weibull", "lognormal", "loglogistic"}
    start : {"lifelines", "moments"}
        With lifelines, rows are thinned evenly along time; where it fails the moments begin.
    """
    location, scale = _moments(at_risk, died)
    if start == "lifelines":
        found = _lifelines(distribution, *_thinned(at_risk, died))
        if found is not None:
            return found[0] - log_unit, found[1], f"lifelines {_FITTERS[distribution]}"
    return location - log_unit, scale, "moments"


def cured_start(at_risk, died, log_unit, start):
    """Return log odds of not being cured, location and scale of a Weibull latency, and who found them."""
    if start == "lifelines":
        found = _lifelines_cure(*_thinned(at_risk, died))
        if found is not None:
            return found[0], found[1] - log_unit, found[2], "lifelines MixtureCureFitter"
    location = np.average(np.log(at_risk.exit[died]), weights=at_risk.row_weights[died])
    share = np.clip(np.average(died, weights=at_risk.row_weights), 0.05, 0.95)
    return np.log(share / (1 - share)), location - log_unit, 0.7, "moments"


def _moments(at_risk, died):
    """Begin as an exponential: events per week at risk."""
    weight = at_risk.row_weights
    weeks = weight @ (at_risk.exit - at_risk.entry)
    return np.log(weeks / weight[died].sum()), 1.0


def _thinned(at_risk, died):
    """Return exit, event, entry and weight of at most `N_ROWS` rows, evenly along the order of exits."""
    order = np.argsort(at_risk.exit, kind="stable")
    chosen = order[np.linspace(0, len(order) - 1, min(N_ROWS, len(order))).astype(int)]
    return at_risk.exit[chosen], died[chosen], at_risk.entry[chosen], at_risk.row_weights[chosen]


def _lifelines(distribution, exit, died, entry, weight):
    import lifelines

    fitter = getattr(lifelines, _FITTERS[distribution])()
    found = _fitted(fitter, exit, died, entry, weight)
    if found is None:
        return None
    first, second = found
    if distribution == "lognormal":
        return _finite(first, second)
    return _finite(np.log(first), 1 / second)


def _lifelines_cure(exit, died, entry, weight):
    import lifelines

    fitter = lifelines.MixtureCureFitter(base_fitter=lifelines.WeibullFitter())
    found = _fitted(fitter, exit, died, entry, weight)
    if found is None:
        return None
    cured, scale, shape = found
    cured = np.clip(cured, 0.02, 0.98)
    return _finite(np.log1p(-cured) - np.log(cured), np.log(scale), 1 / shape)


def _fitted(fitter, exit, died, entry, weight):
    """Return the fitter's parameters, or None: a start that fails is no failure of the fit."""
    late = {"entry": entry} if (entry > 0).any() else {}
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            return fitter.fit(exit, died, weights=weight / weight.mean(), **late).params_.to_numpy()
    except Exception:
        return None


def _finite(*values):
    return values if np.isfinite(values).all() and values[-1] > 0 else None
