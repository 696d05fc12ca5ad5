"""From an at-risk table to a fitted parametric model: scaling, Newton's method, errors, `Result`."""

from dataclasses import dataclass

import numpy as np

from evalkit.estimators._clusters import clusters_told
from evalkit.estimators._counting import require_distinct, row_counts
from evalkit.estimators._limits import quantile, two_sided
from evalkit.estimators._profiles import range_of, told_weeks
from evalkit.estimators._rarest import n_reference, rarer_side
from evalkit.estimators._units import is_robust, require_clusters, units_of
from evalkit.estimators.parametric.checks import flatness
from evalkit.estimators.parametric.likelihood import evaluate, sample, scores
from evalkit.estimators.parametric.maximise import maximise
from evalkit.estimators.parametric.scale import standardised, to_reported
from evalkit.result import Estimand, Provenance, Result, tidy


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Model:
    """What is fitted: the family, and for each predictor which covariates and what it is called.

    ``form`` says how parameters are reported: ``time`` (log time ratios and log(scale)) or ``hazard``.
    ``name`` with ``knots`` (log weeks) is enough to make the family again for prediction.
    """

    method: str
    name: str
    family: object
    form: str
    columns: tuple
    shapes: tuple
    prefixes: tuple = ("",)
    intercept: str = "(Intercept)"
    knots: tuple = ()

    def names(self, covariates):
        """Name the parameters of each predictor: its intercept and its covariates."""
        return [[prefix + name for name in (self.intercept, *(covariates[k] for k in columns))]
                for prefix, columns in zip(self.prefixes, self.columns, strict=True)]

    def terms(self, covariates):
        """Name all parameters in their order: each predictor's in turn, then the shapes."""
        return (*(name for names in self.names(covariates) for name in names), *self.shapes)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Fit:
    """Parameters of the family on standardised data, and all that turns them into what is reported."""

    theta: np.ndarray
    data: object
    scaling: object
    value: float
    information: np.ndarray
    steps: int


def maximum(at_risk, died, model, start):
    """Find the maximum of the likelihood; ``start`` holds the family's parameters on standardised data."""
    scaling = standardised(at_risk, model)
    weight = at_risk.row_weights
    with np.errstate(divide="ignore"):
        entry, exit = (np.log(moment) - scaling.log_unit for moment in (at_risk.entry, at_risk.exit))
    data = sample(model.family, scaling.designs, weight, entry, exit, died)
    theta, best, steps = maximise(
        lambda theta: evaluate(model.family, data, theta), start, names=model.terms(at_risk.terms),
        check=flatness(data, died, model, at_risk.terms), method=model.method)
    # The density is per week, not per unit of the scaled time.
    value = best.value - scaling.log_unit * float(weight[died].sum())
    return Fit(theta=theta, data=data, scaling=scaling, value=value, information=best.information,
               steps=steps)


def result_of(at_risk, died, model, fit, *, conf_level, robust, start, options):
    """Turn a fit into a `Result`; ``options`` say which model it is, ``start`` where its fit began."""
    robust = is_robust(at_risk, robust)
    content = _content(at_risk, died, model, fit, robust)
    require_distinct(content["terms"], model.method)
    name = "log_time_ratio" if model.form == "time" else "log_hazard_ratio"
    n_terms = len(content["terms"])
    return Result(
        kind="model",
        estimand=Estimand(name=name, summary=name, unit="log_ratio"),
        table=_table(content, at_risk, row_counts(at_risk)[died].sum(), conf_level),
        model=content,
        provenance=Provenance(method=model.method.partition(" ")[0],
                              options={**options, "conf_level": conf_level, "robust": robust}),
        diagnostics={"log_likelihood": fit.value, "aic": 2 * n_terms - 2 * fit.value, "df": n_terms,
                     "steps": fit.steps, "start": start,
                     "last_observed_weeks": float(at_risk.exit.max()),
                     **clusters_told(at_risk, n_terms, model.method, robust)},
    )


def _content(at_risk, died, model, fit, robust):
    naive = np.linalg.inv(fit.information)
    inner = _between_units(at_risk, model, fit, naive) if robust else naive
    estimates, jacobian = to_reported(fit.theta, fit.scaling, model)
    covariance, naive = (jacobian @ matrix @ jacobian.T for matrix in (inner, naive))
    sides, persons = _on_fewest(at_risk, died, is_cure=len(model.columns) > 1)
    n_term = [value for columns in model.columns for value in (persons, *sides[list(columns)])]
    n_term += [persons] * len(model.shapes)
    return {"terms": model.terms(at_risk.terms), "estimates": estimates, "covariance": covariance,
            "covariance_naive": naive, "n_term": np.array(n_term, dtype=float), "covariates": at_risk.terms,
            "covariate_range": range_of(at_risk), "columns": model.columns, "name": model.name,
            "knots": np.array(model.knots), "last_weeks": at_risk.exit.max(), "n_reference": persons,
            "told_weeks": told_weeks(at_risk),
            "n_at_last": at_risk.select(at_risk.exit == at_risk.exit.max()).n_persons}


def _on_fewest(at_risk, died, *, is_cure):
    """Return on how many each covariate and the reference rest; a cured share also on those who stay."""
    counted = [died, ~died] if is_cure else [died]
    return (np.min([rarer_side(at_risk, rows) for rows in counted], axis=0),
            min(n_reference(at_risk, rows) for rows in counted))


def _between_units(at_risk, model, fit, naive):
    """Return the sandwich: scores summed within clusters (else persons, else rows), then squared."""
    require_clusters(at_risk)
    return units_of(at_risk).covariance(scores(model.family, fit.data, fit.theta) @ naive)


def _table(content, at_risk, n_events, conf_level):
    estimate, error = content["estimates"], np.sqrt(np.diag(content["covariance"]))
    # Clusters that all agree leave a robust error of rounding only; a p-value of it would be noise.
    is_real = error > 1e-7 * np.sqrt(np.diag(content["covariance_naive"]))
    z = np.divide(estimate, error, out=np.full(len(error), np.nan), where=is_real)
    margin = quantile(conf_level) * error
    return tidy(term=list(content["terms"]), estimate=estimate, std_error=error, conf_low=estimate - margin,
                conf_high=estimate + margin, p_value=two_sided(z), n_persons=at_risk.n_persons,
                n_events=n_events)
