"""What a parametric model cannot be fitted to, said by name."""

import numpy as np

from evalkit.errors import EstimationError
from evalkit.estimators._counting import event_codes, require_events

# Information per event along a direction of the covariates, against their spread, below which the
# likelihood has flattened out.
FLAT = 1e-7
# A shape parameter beyond these (1 / scale, Q) is on its way to infinity.
STEEP, SKEW = 1e4, 50.0
# Share of a covariate's spread left by the others below which it counts as a combination of them.
REDUNDANT = 1e-10


def events_of(at_risk, cause, method):
    """Return which rows have the event; refuse strata, no events, constant and collinear covariates."""
    died = event_codes(at_risk, cause) > 0
    if at_risk.strata is not None:
        raise EstimationError(f"{method}: the at-risk table has strata, which a parametric model does not "
                              "take; name the column in covariates, or fit each group by itself")
    require_events(at_risk, died, method, cause)
    _require_variation(at_risk, method)
    return died


def require_spread(at_risk, died, method):
    """Refuse events that all fall at the last week seen: the steeper the curve, the likelier, without end."""
    weeks = at_risk.exit[died]
    if weeks.min() == weeks.max() == at_risk.exit.max():
        raise EstimationError(f"{method}: all events fall in one week ({int(died.sum())} rows) and nobody is "
                              "followed longer, so the shape has no maximum; use kaplan_meier, or "
                              "parametric(distribution='exponential')")


def require_fixed_covariates(at_risk, method):
    """Refuse covariates that change between the intervals of one person (in one episode)."""
    if at_risk.person is None or not at_risk.terms:
        return
    keys = [at_risk.person] if at_risk.episode is None else [at_risk.person, at_risk.episode]
    order = np.lexsort(keys[::-1])
    same = np.logical_and.reduce([key[order][1:] == key[order][:-1] for key in keys])
    changed = same[:, None] & (np.diff(at_risk.covariates[order], axis=0) != 0)
    if changed.any():
        names = ", ".join(at_risk.terms[k] for k in np.flatnonzero(changed.any(axis=0)))
        n_persons = len(np.unique(at_risk.person[order][1:][changed.any(axis=1)]))
        raise EstimationError(f"{method}: {names}: changes between the intervals of {n_persons} persons, but "
                              "a time ratio holds for the whole time. Use the covariate at entry, or a model "
                              "of proportional hazards: weibull, gompertz, royston_parmar, cox")


def flatness(data, died, model, covariates):
    """Return a check of each step: information along every direction of the covariates, and the shapes' size.

    Where covariates separate the events, information vanishes along them as the estimate runs off.
    """
    events, blocks, start = data.weight[died].sum(), [], 0
    for names, design in zip(model.names(covariates), data.designs, strict=True):
        gram = design.T @ (data.weight[:, None] * design) / data.weight.sum()
        blocks.append((slice(start, start + len(names)), np.linalg.inv(np.linalg.cholesky(gram)), names))
        start += len(names)

    def check(theta, here):
        _require_finite_shapes(theta[start:], model)
        for block, root, names in blocks:
            left, direction = np.linalg.eigh(root @ here.information[block, block] @ root.T / events)
            flattest = np.argmin(np.abs(left))
            if abs(left[flattest]) < FLAT:
                _refuse(np.abs(root.T @ direction[:, flattest]), names, model)

    return check


def _require_finite_shapes(shapes, model):
    limits = (STEEP, SKEW) if model.form == "time" else ()
    for name, size, limit in zip(model.shapes, np.abs(shapes), limits, strict=False):
        if size > limit:
            where = "0" if limit == STEEP else "infinity"
            raise EstimationError(f"{model.method}: {name}: runs to {where}, so the likelihood has no "
                                  "maximum: too few different weeks with events for so many parameters. "
                                  "Leave covariates out, or use a simpler distribution")


def _require_variation(at_risk, method):
    x, terms = at_risk.covariates, at_risk.terms
    constant = [term for term, column in zip(terms, x.T, strict=True) if column.min() == column.max()]
    if constant:
        raise EstimationError(f"{method}: {', '.join(constant)}: the same in all {at_risk.n_rows} rows; "
                              "leave out")
    spread = (x - x.mean(axis=0)) / x.std(axis=0)
    correlation = spread.T @ spread / len(x)
    for k in range(1, len(terms)):
        weights = np.linalg.lstsq(correlation[:k, :k], correlation[:k, k], rcond=1e-12)[0]
        if 1 - correlation[k, :k] @ weights < REDUNDANT:
            others = ", ".join(terms[j] for j in range(k) if abs(weights[j]) > 1e-6)
            raise EstimationError(f"{method}: {terms[k]} is a combination of {others}; leave one of them out")


def _refuse(loading, names, model):
    chosen = [name for name, size in zip(names, loading, strict=True) if size > 0.3 * loading.max()]
    slopes = [name for name in chosen if not name.endswith(model.intercept)] or chosen
    if chosen[0].startswith("incidence:"):
        raise EstimationError(
            f"{model.method}: {', '.join(slopes)}: the cured share runs to 0 or 1 along it, as these data "
            "show no plateau (or all leave, or nobody). Leave it out of incidence, use parametric(), or "
            "follow persons longer")
    raise EstimationError(
        f"{model.method}: {', '.join(slopes)}: separates those with the event from those without, so the "
        "likelihood has no maximum and the ratio would be 0 or infinite. Join categories, leave the "
        "covariate out, or use cox(firth=True)")
