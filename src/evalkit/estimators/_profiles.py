"""What a prediction is asked for, read and refused in one way: profiles of covariates, strata, weeks."""

import warnings
from bisect import bisect_left

import numpy as np
import pandas as pd

from evalkit.errors import EstimationError
from evalkit.estimators._clusters import clusters_told
from evalkit.estimators._limits import read_weeks

STRATA = "strata"
# Weeks that are asked for by nobody end with a quarter of a year, which at least so many are followed to.
QUARTER, MANY = 13, 10


def covariates_of(profiles, terms, method, *, has_strata=True):
    """Return the profiles' names and their covariates in the order of the model's, shape (n, n_terms).

    A column ``strata`` may stand beside the covariates of a model that has strata. No profiles at all is one
    without a name, of a model without covariates.
    """
    if profiles is None and not terms:
        return ("",), np.zeros((1, 0))
    if profiles is None:
        raise EstimationError(f"{method}: the model has covariates; give profiles with the columns "
                              f"{', '.join(terms)}")
    _require_columns(profiles, terms, method, {STRATA} if has_strata else set())
    x = profiles[list(terms)].apply(pd.to_numeric, errors="coerce").to_numpy(dtype=float)
    bad = [term for term, column in zip(terms, x.T, strict=True) if not np.isfinite(column).all()]
    if bad:
        raise EstimationError(f"{method}: profiles: {', '.join(bad)}: missing or infinite, or no numbers")
    return tuple(map(str, profiles.index)), x


def _require_columns(profiles, terms, method, beside):
    missing = [term for term in terms if term not in profiles.columns]
    unknown = [str(name) for name in profiles.columns if name not in terms and name not in beside]
    if missing or unknown or len(profiles) == 0:
        raise EstimationError(f"{method}: profiles: {len(profiles)} rows, missing columns "
                              f"{', '.join(missing) or 'none'}, unknown columns "
                              f"{', '.join(unknown) or 'none'}; expected a row for each curve and "
                              f"the columns {', '.join(terms) or 'none'}")


def range_of(at_risk):
    """Return the lowest and the highest value of each covariate, shape (2, n_terms)."""
    if not at_risk.terms:
        return np.empty((2, 0))
    return np.array([at_risk.covariates.min(axis=0), at_risk.covariates.max(axis=0)])


# Beyond this difference in the linear predictor hazards are 0 or infinite to the last digit.
_LARGEST = 100.0


def require_within_reach(x, covariate_range, slopes, terms, method, what="profiles"):
    """Refuse covariates farther from the data than the data are wide, or of a hazard that is 0 or infinite.

    ``x`` has shape (n, n_terms), ``slopes`` holds coefficients in its columns, ``covariate_range`` is what
    `range_of` found.
    """
    low, high = covariate_range
    outside = (x < low - (high - low)) | (x > high + (high - low))
    steep = ~(np.abs((x - (low + high) / 2) @ slopes) < _LARGEST).reshape(len(x), -1).all(axis=1)
    far = steep | outside.any(axis=1)
    if far.any():
        names = [term for term, out in zip(terms, outside[far].any(axis=0), strict=True) if out]
        raise EstimationError(
            f"{method}: {what}: {int(far.sum())} of {len(x)} lie farther from the data than these are wide, "
            f"or have a hazard of 0 or infinity, by {', '.join(names or terms)}; nothing is known there. "
            "Look at the units of the covariates")


def curves_of(profiles, strata, method):
    """Pair the number of each profile with the strata that it gets a curve in: its own, else all of them."""
    if profiles is None or STRATA not in profiles.columns:
        n_profiles = 1 if profiles is None else len(profiles)
        return [(row, code) for row in range(n_profiles) for code in range(len(strata))]
    named = profiles[STRATA].astype(str)
    unknown = set(named) - set(strata)
    if unknown:
        raise EstimationError(f"{method}: profiles name {len(unknown)} strata that the model "
                              f"does not have; it has {', '.join(strata)}")
    return [(row, strata.index(label)) for row, label in enumerate(named)]


def name_of(profile, stratum):
    """Return what a curve is called: its profile, and its stratum where there are several."""
    return ", ".join(word for word in (str(profile), stratum) if word)


def told_weeks(at_risk, step=QUARTER):
    """Return the week up to which is predicted where no week is asked for: not the last one of one person.

    The last multiple of ``step`` that enough persons are followed to, at least one.
    """
    def is_for_few(n_steps):
        return at_risk.n_persons_in(at_risk.exit >= step * n_steps) < MANY

    n_steps = bisect_left(range(1, int(at_risk.exit.max()) // step + 1), True, key=is_for_few)
    return float(step * max(n_steps, 1))


def asked_weeks(weeks):
    """Return the weeks asked for, rising and each once."""
    return np.unique(read_weeks("weeks", weeks))


def require_follow_up(week, end, stratum, method):
    """Refuse a week beyond the end of follow-up; when that is stays unsaid, it may be one person's week."""
    if week > end:
        where = f"stratum {stratum}: " if stratum else ""
        raise EstimationError(f"{method}: {where}nobody is followed to week {week:g}. Ask for earlier weeks; "
                              "parametric models extrapolate")


def limits_rest_on(at_risk, result, method):
    """Return, as diagnostics, the clusters of a prediction's table; warn where it needs one and has none."""
    if at_risk is not None:
        return clusters_told(at_risk, 1, method)
    if result.model["robust"] if "robust" in result.model else result.provenance.options["robust"]:
        warnings.warn(f"{method}: the fit has clusters, weights or persons with several events, but the "
                      "limits take the events of the baseline as independent and may be too short; give "
                      "at_risk, the table of the fit", UserWarning, stacklevel=3)
    return {}


def fewest_behind(model, covariates, x):
    """Return for each profile the fewest persons that it is predicted from, whether it may leave.

    Those in the reference levels, and those on the rarer side of every covariate, but of levels that it does
    not have; shape (n_profiles,), infinite where the model does not say.
    """
    found = list(zip(model["terms"], model.get("n_term", ()), strict=False))
    side = np.array([min((n for term, n in found if _is_of(term, name)), default=np.inf)
                     for name in covariates])
    is_told = (x != 0) | np.array([not name.endswith("]") for name in covariates], dtype=bool)
    behind = np.where(is_told, side, np.inf) if len(side) else np.full((len(x), 1), np.inf)
    return np.minimum(behind.min(axis=1), model.get("n_reference", np.inf))


def _is_of(term, covariate):
    """Return whether a term is x, of its effect that changes (x(0-26], x:log), or of a part (part:x)."""
    return term == covariate or term.endswith(f":{covariate}") \
        or term.startswith((f"{covariate}(", f"{covariate}:"))
