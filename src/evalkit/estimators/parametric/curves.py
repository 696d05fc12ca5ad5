"""Curves of a fitted parametric model for profiles of covariates, with derivatives in what is reported."""

from dataclasses import dataclass

import numpy as np

from evalkit.errors import EstimationError
from evalkit.estimators._profiles import covariates_of, fewest_behind, require_within_reach
from evalkit.estimators.parametric.cure import LATENCIES, cure_model
from evalkit.estimators.parametric.regression import DISTRIBUTIONS, model_of
from evalkit.estimators.parametric.scale import to_family
from evalkit.estimators.parametric.spline import SCALES, spline_model


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Profiles:
    """A fitted model and the profiles it is read for: names, covariates, and the covariance of estimates."""

    model: object
    estimates: np.ndarray
    covariance: np.ndarray
    names: tuple
    x: np.ndarray
    last_weeks: float
    told_weeks: float
    counts: dict
    behind: dict
    n_at_last: float

    def log_survival(self, k, weeks):
        """Return log S of profile k at each week above 0, and its derivative in the estimates, (n, p)."""
        return self._read(k, weeks, "survival")

    def log_hazard(self, k, weeks):
        """Return the logarithm of the hazard, and its derivative."""
        density, survival = (self._read(k, weeks, kind) for kind in ("density", "survival"))
        return density[0] - survival[0], density[1] - survival[1]

    def error(self, gradient):
        """Return the standard error of what has this derivative (one row each)."""
        return np.sqrt(np.maximum(np.einsum("ij,jk,ik->i", gradient, self.covariance, gradient), 0))

    def told(self, table):
        """Return, as a model, by how many persons it is judged whether each row of a table may leave."""
        last = table["term"].eq("share_beyond").to_numpy()
        behind = table["group"].map(self.behind).to_numpy(dtype=float)
        return {"n_behind": np.where(last, np.minimum(behind, self.n_at_last), behind),
                "n_at_last": self.n_at_last}

    def coefficients(self, block):
        """Return for each profile the predictor of one part, and its derivative."""
        start = sum(1 + len(columns) for columns in self.model.columns[:block])
        design = self._design(self.model.columns[block], self.x)
        gradient = np.zeros((len(design), len(self.estimates)))
        gradient[:, start:start + design.shape[1]] = design
        return gradient @ self.estimates, gradient

    def _read(self, k, weeks, kind):
        family, slope = to_family(self.estimates, self.model)
        designs = [self._design(columns, self.x[[k]]) for columns in self.model.columns]
        *parts, shape = np.split(family, np.cumsum([design.shape[1] for design in designs]))
        one = [design @ part for design, part in zip(designs, parts, strict=True)]
        at = np.repeat(one, len(weeks), axis=1)
        # Where survival is 0 to the last digit its logarithm and derivatives are not finite; callers know.
        with np.errstate(all="ignore"):
            local = getattr(self.model.family, kind)(self.model.family.basis(np.log(weeks)), at, shape)
            columns = [by[:, None] * design for by, design in zip(local.predictor, designs, strict=True)]
            return local.value, np.hstack([*columns, local.shape]) @ slope

    @staticmethod
    def _design(columns, x):
        return np.hstack([np.ones((len(x), 1)), x[:, list(columns)]])


def profiles_of(result, profiles, method):
    """Read the profiles and the model of a result; refuse what does not fit."""
    model = _model(result, method)
    names, x = covariates_of(profiles, result.model["covariates"], method, has_strata=False)
    require_within_reach(x, result.model["covariate_range"], _slopes(result.model, model),
                         result.model["covariates"], method)
    row = result.table.iloc[0]
    return Profiles(model=model, estimates=result.model["estimates"], covariance=result.model["covariance"],
                    names=names, x=x, last_weeks=float(result.model["last_weeks"]),
                    told_weeks=result.model["told_weeks"],
                    behind=dict(zip(names, fewest_behind(result.model, result.model["covariates"], x),
                                    strict=True)),
                    n_at_last=float(result.model.get("n_at_last", 0)),
                    counts={"n_persons": row["n_persons"], "n_events": row["n_events"]})


def _slopes(content, model):
    """Return the coefficients of the covariates, a column for each predictor."""
    slopes, start = np.zeros((len(content["covariates"]), len(model.columns))), 0
    for block, columns in enumerate(model.columns):
        slopes[list(columns), block] = content["estimates"][start + 1:start + 1 + len(columns)]
        start += 1 + len(columns)
    return slopes


def _model(result, method):
    name = result.model.get("name")
    if name in DISTRIBUTIONS:
        return model_of(name, result.model["columns"][0])
    if name in SCALES:
        return spline_model(name, tuple(result.model["knots"]), result.model["columns"][0])
    if name in [f"cure_{latency}" for latency in LATENCIES]:
        return cure_model(name.removeprefix("cure_"), result.model["columns"])
    raise EstimationError(f"{method}: a result of {result.provenance.method or 'unknown origin'} is no "
                          "parametric model; give a result of parametric, royston_parmar or mixture_cure")
