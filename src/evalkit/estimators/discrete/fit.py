"""From a plan to a model: coefficients on the covariates' own scale, errors, who is behind each term."""

import numpy as np

from evalkit.estimators._clusters import clusters_told
from evalkit.estimators._counting import row_counts, strata_of, total
from evalkit.estimators._limits import quantile, two_sided
from evalkit.estimators._profiles import QUARTER, range_of, told_weeks
from evalkit.estimators._rarest import n_reference, rarer_side
from evalkit.estimators._units import is_robust
from evalkit.estimators.discrete.cells import persons_touching
from evalkit.estimators.discrete.scoring import covariance_between_units, maximise
from evalkit.estimators.discrete.time_terms import period_of
from evalkit.result import tidy


def fitted(at_risk, is_event, design, link, robust, name):
    """Maximise, turn back to the covariates' own scale, and return the model and its diagnostics."""
    terms = (*at_risk.terms, *(_name(column) for column in design.times.columns()))
    beta, fit, steps = maximise(design, link, terms, name)
    naive = covariance = np.linalg.inv(fit.information)
    robust = is_robust(at_risk, robust)
    if robust:
        covariance = covariance_between_units(design, link, beta, naive, at_risk, is_event)
    back = _own_scale(design)
    in_level = persons_by_level(at_risk, design)
    persons, events = _behind(at_risk, design, is_event, in_level)
    fewest = n_reference(at_risk, is_event)
    model = {"link": (link,), "terms": terms, "estimates": back @ beta,
             "covariance": back @ covariance @ back.T, "covariance_naive": back @ naive @ back.T,
             "means": design.mean, "covariates": at_risk.terms, "covariate_range": range_of(at_risk),
             "n_term": np.concatenate([rarer_side(at_risk, is_event), np.minimum(persons, fewest)]),
             "n_reference": fewest, "n_persons_term": persons,
             "n_events_term": events, "n_persons_level": in_level, **design.times.as_model(),
             "told_weeks": told_weeks(at_risk, QUARTER if at_risk.exit.max() >= QUARTER else 1)}
    diagnostics = {"log_likelihood": fit.value, "df": len(beta), "steps": steps, "robust": robust,
                   "link": link, "n_cells_of_time": len(design.z),
                   "n_patterns": len(design.x), "n_persons": at_risk.n_persons,
                   "n_events": float(row_counts(at_risk)[is_event].sum()),
                   "person_weeks": float(row_counts(at_risk) @ (at_risk.exit - at_risk.entry)),
                   **clusters_told(at_risk, len(beta), name, robust)}
    return model, diagnostics


def table_of(model, times, at_risk, n_events, conf_level):
    """Return one row per term, covariates first; a level of the baseline is no effect and has no p-value."""
    estimate, error = model["estimates"], np.sqrt(np.diag(model["covariance"]))
    columns, p = times.columns(), len(at_risk.terms)
    z = np.divide(estimate, error, out=np.full(len(error), np.nan), where=error > 0)
    z[p:][[is_level for _, _, is_level in columns]] = np.nan
    margin = quantile(conf_level) * error
    return tidy(term=list(model["terms"]),
                group=[""] * p + [group for _, group, _ in columns],
                estimate=estimate, std_error=error, conf_low=estimate - margin, conf_high=estimate + margin,
                p_value=two_sided(z),
                n_persons=np.concatenate([np.full(p, at_risk.n_persons), model["n_persons_term"]]),
                n_events=np.concatenate([np.full(p, n_events), model["n_events_term"]]))


def _name(column):
    name, group, _ = column
    return f"{name} of {group}" if group else name


def _own_scale(design):
    """Return the matrix that turns coefficients of centred and scaled covariates into those of their own."""
    p, size = design.x.shape[1], design.x.shape[1] + design.z.shape[1]
    back = np.eye(size)
    back[:p, :p] = np.diag(1 / design.scale)
    is_level = np.array([level for _, _, level in design.times.columns()], dtype=float)
    back[p:, :p] = -np.outer(is_level, design.mean / design.scale)
    return back


def _behind(at_risk, design, is_event, in_level):
    """Return persons at risk and events behind each term of time; a curve's term has everybody behind it."""
    times, columns = design.times, design.times.columns()
    persons = np.full(len(columns), float(at_risk.n_persons))
    indicator = np.array([level or name.endswith("]") for name, _, level in columns])
    died = np.flatnonzero(is_event)
    number = row_counts(at_risk)[died]
    cell = design.cell_of[design.onset[design.group[died]], design.spans.last[died]]
    in_cell = total(cell[cell >= 0], number[cell >= 0], len(design.z))
    events = np.where(indicator, in_cell @ (design.z != 0), number.sum())
    levels, periods = [], []
    if times.duration == "levels":
        levels = np.concatenate([np.atleast_1d(seen[kept]) for seen, kept in
                                 zip(in_level, times.has_level, strict=True)])
    if times.calendar:
        periods = _persons_by_period(at_risk, times)
    persons[:len(levels)] = levels if len(levels) else persons[:0]
    start = sum(level or not name.startswith(("calendar[", "season")) for name, _, level in columns)
    persons[start:start + len(periods)] = periods
    return persons, events


def curves_of_levels(times, model):
    """Return, of each stratum, the ends of the levels of duration, the persons at risk and events in each."""
    events = np.zeros(times.has_level.shape)
    events[times.has_level] = model["n_events_term"][:int(times.has_level.sum())]
    return [(times.breaks[1:], persons, n)
            for persons, n in zip(model["n_persons_level"], events, strict=True)]


def persons_by_level(at_risk, design):
    """Count the persons at risk in each level of duration, by stratum: shape (n_groups, n_levels)."""
    times, spans = design.times, design.spans
    level, seen = times.level_of(spans.edges[1:]), np.zeros(times.has_level.shape)
    first, last = level[spans.first], level[spans.last]
    number = {label: k for k, label in enumerate(times.groups)}
    for label, rows in strata_of(at_risk):
        seen[number[label]] = persons_touching(at_risk, rows, first, last, seen.shape[1])
    return seen


def _persons_by_period(at_risk, times):
    first = period_of(at_risk.calendar + at_risk.entry.astype(np.int64), times.calendar)
    last = period_of(at_risk.calendar + at_risk.exit.astype(np.int64) - 1, times.calendar)
    low = first.min()
    seen = persons_touching(at_risk, slice(None), first - low, last - low, int(last.max() - low) + 1)
    return seen[times.periods[1:] - low]
