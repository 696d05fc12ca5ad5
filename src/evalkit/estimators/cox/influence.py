"""What each row adds to predicted curves and their means: by coefficients, hazards, who is averaged over."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from evalkit.errors import EstimationError
from evalkit.estimators._counting import event_codes, total
from evalkit.estimators._units import require_clusters, units_of
from evalkit.estimators.cox.partial import Design, Pass, design, evaluate, score_columns
from evalkit.estimators.cox.varying import vary
from evalkit.estimators.cox.varying_likelihood import VaryingDesign, place
from evalkit.result import Result


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Placed:
    """A result on the rows that it was fitted on."""

    result: Result
    plan: Design
    at: Pass
    scale: np.ndarray


class Influences:
    """A fitted model as what averages of its predictions need: hazards at mean covariates and derivatives.

    ``rows`` are the rows whose covariates are averaged over. ``of_beta`` (n_units, n_terms) is the change of
    the estimates by each unit; ``in_average`` says which units the averaged rows are of, and their share.
    """

    def __init__(self, at_risk, fitted, rows=slice(None)):
        plan, at = fitted.plan, fitted.at
        q0, q1 = at.moments[1:3]
        shift = np.exp(-at.shift[plan.block_of_time])
        self.plan, self.at, self.rows = plan, at, rows
        self.beta = fitted.result.model["estimates"] * fitted.scale
        self.mean, self.scale = fitted.result.model["means"], fitted.scale
        self.hazard, self.square, self.tied = at.hazard * shift, q0 * shift**2, q1 * shift**2
        self.drift = (at.s1 * q0[:, None] - at.d1 * q1[:, None]) * shift[:, None]
        self.relative = at.relative * np.exp(at.shift[plan.block])
        # The change of the estimates by one unit of each row's weight; under a penalty its information.
        inverse = fitted.result.model["covariance_naive"] * np.outer(self.scale, self.scale)
        self.units, self.weight = units_of(at_risk), at_risk.row_weights[rows]
        self.in_design = self.units.code[plan.row], self.units.weight[plan.row]
        self.in_average = self.units.code[rows], self.units.weight[rows] / self.weight.sum()
        self.of_beta = np.array([self._by_unit(score) for score in score_columns(plan, at)]).T @ inverse
        self.averaged = total(*self.in_average, len(self.units.copies))

    def of_unit(self, effect, by_beta):
        """Return what each unit changes through the hazards, of this effect each, and the coefficients."""
        return self._by_unit(_of_hazards(self, effect)) + self.of_beta @ by_beta

    def _by_unit(self, of_row):
        code, weight = self.in_design
        return total(code, weight * of_row, len(self.units.copies))

    @cached_property
    def passing(self):
        """Which entries of a table over times each unit passes, with weights, as a sparse matrix.

        Entries are the ends of rows (without the event, then with it), their beginnings, and events.
        """
        from scipy.sparse import csr_matrix
        plan, n_times, (code, weight) = self.plan, len(self.plan.time), self.in_design
        relative, end = weight * self.relative, plan.last - 1
        end[plan.died] += n_times
        value = np.concatenate([relative, relative, weight[plan.died]])
        entry = np.concatenate([end, 2 * n_times + plan.first, 3 * n_times + 1 + plan.at])
        unit = np.concatenate([code, code, code[plan.died]])
        return csr_matrix((value, (unit, entry)), shape=(len(self.units.copies), 4 * n_times + 1))


def influences_of(result, at_risk, offset):
    """Place the rows that a result of :func:`cox` was fitted on; refuse others. Nothing is refitted."""
    require_clusters(at_risk)
    model, options = result.model, result.provenance.options
    _require_columns(model, at_risk, options, offset)
    steps = {name: how for name, how in (options["varying"] or {}).items() if not isinstance(how, str)}
    table, offset, _ = vary(at_risk, offset, steps)
    table = replace(table, covariates=_covariates(model, table), terms=model["terms"])
    plan, mean, scale = design(table, event_codes(table, options["cause"]), options["ties"], offset)
    _require_equal(plan.time, model["baseline_time"], "event weeks")
    _require_equal(plan.number, model["baseline_n_events"], "numbers of events")
    _require_equal(mean, model["means"], "means of the covariates")
    changes = (model.get("reference_factor", np.ones(1)) != 1).any(axis=0)
    if changes.any():
        plan = place(plan, model["reference_factor"], changes)
    at = evaluate(plan, model["estimates"] * scale)
    _require_equal(at.value, result.diagnostics["log_likelihood"], "log likelihood")
    influences = Influences(table, _Placed(result=result, plan=plan, at=at, scale=scale))
    _require_equal(influences.hazard, model["reference_hazard"], "baseline hazard")
    return influences


def _require_columns(model, at_risk, options, offset):
    terms = model.get("base_terms", model["terms"])
    if at_risk.terms != terms or (at_risk.strata_labels or ("",)) != model["groups"]:
        named, fitted = ((", ".join(labels) or "none") for labels in (at_risk.terms, terms))
        raise EstimationError(f"predict_survival: at_risk has the terms {named}, the result {fitted}, or "
                              "other strata; give the table that was fitted")
    if options["offset"] != (offset is not None) or (offset is not None and len(offset) != at_risk.n_rows):
        how = "with" if options["offset"] else "without"
        raise EstimationError(f"predict_survival: the model was fitted {how} an offset of each row; give "
                              "at_risk and offset as they were fitted")


def _covariates(model, table):
    """Return a column for each term of the model: a function of time multiplies its covariate itself."""
    if "base" not in model:
        return table.covariates
    names = [term if term in table.terms else model["base_terms"][base]
             for term, base in zip(model["terms"], model["base"], strict=True)]
    return np.asfortranarray(table.covariates[:, [table.terms.index(name) for name in names]])


def _require_equal(found, fitted, what):
    if np.shape(found) != np.shape(fitted) or not np.allclose(found, fitted, rtol=1e-7, atol=1e-9):
        raise EstimationError(f"predict_survival: the {what} of at_risk are not those of the result; give "
                              "the table that was fitted")


def spread(influences, code, relative, turn, n_times):
    """Return errors of one row's cumulative hazard after numbers of event times of its stratum.

    Parameters
    ----------
    influences : Influences
    code : int
        The stratum.
    relative : ndarray, shape (n_times,)
        The row's hazard at each event time of the stratum, relative to that at the model's means.
    turn : ndarray, shape (n_times, n_terms)
        The derivative of its cumulative hazard by the coefficients.
    n_times : ndarray of int
        How many event times have passed.

    Returns
    -------
    ndarray, shape of n_times
    """
    start = np.searchsorted(influences.plan.stratum, code)
    passed, back = np.unique(n_times, return_inverse=True)
    errors = np.zeros(len(passed))
    for k, n in enumerate(passed):
        if n:
            effect = np.zeros(len(influences.plan.time))
            effect[start:start + n] = relative[:n]
            change = influences.of_unit(effect, turn[n - 1] / influences.scale)
            errors[k] = np.sqrt(influences.units.copies @ change**2)
    return errors[back]


def _of_hazards(influences, effect):
    """Return what one unit of each row's weight changes through the hazards, the coefficients fixed."""
    plan, n_times = influences.plan, len(effect)
    if isinstance(plan, VaryingDesign):
        return _of_varying_hazards(influences, effect)
    passed = np.append(0.0, np.cumsum(effect * influences.square))
    at_end = np.concatenate([-passed[1:], effect * influences.tied - passed[1:]])
    own = np.concatenate([np.zeros(n_times), effect * influences.hazard / plan.deaths])
    cells = plan.cells
    change = influences.relative * cells.rows(at_end[cells.end] + passed[cells.first])
    return change + cells.rows(own[cells.end])


def _of_varying_hazards(influences, effect):
    """Return the same where the hazards of rows change with time."""
    plan, hazards = influences.plan, influences.at.hazards
    passed = hazards.over_times((effect * influences.square)[:, None])[:, 0]
    passed[plan.died] -= hazards.at_death * (effect * influences.tied)[plan.at]
    change = -influences.relative * passed
    change[plan.died] += (effect * influences.hazard / plan.deaths)[plan.at]
    return change
