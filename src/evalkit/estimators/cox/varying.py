"""Effects that change with time: by steps, for which rows are split, or by given functions of time."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from evalkit.errors import EstimationError
from evalkit.estimators.cox.varying_likelihood import place


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Varied:
    """Which term is which covariate times which function of time.

    Attributes
    ----------
    base_terms : tuple of str
        The covariates as they were.
    base : ndarray of int, shape (n_terms,)
    functions : tuple
        For each term None (constant), a step (from, to], or a function of an array of weeks.
    """

    base_terms: tuple[str, ...]
    base: np.ndarray
    functions: tuple

    @property
    def by_function(self):
        """Say of each term whether a function multiplies it: the steps are already in the rows."""
        return np.array([callable(function) for function in self.functions], dtype=bool)

    def place(self, plan):
        """Return the design with the functions of its terms, if there are any."""
        if not self.by_function.any():
            return plan
        return place(plan, np.where(self.by_function, self._factor(plan.time), 1.0), self.by_function)

    def at_reference(self, plan, mean):
        """Return the terms of a row of mean covariates: where functions multiply them, at each event time."""
        if not self.by_function.any():
            return mean
        return mean * np.where(self.by_function, self._factor(plan.time), 1.0)

    def model(self, plan):
        """Return what prediction needs to know of terms that change."""
        if all(function is None for function in self.functions):
            return {}
        factor = self._factor(plan.time)
        return {"base_terms": self.base_terms, "base": self.base, "factor": factor,
                "reference_factor": np.where(self.by_function, factor, 1.0)}

    def _factor(self, weeks):
        """Return each term's function at each week, shape (n_weeks, n_terms)."""
        return np.column_stack([_at(function, weeks) for function in self.functions])


def vary(at_risk, offset, varying):
    """Return table and offset with a column for each effect that changes, and what the columns are."""
    if not varying:
        none = (None,) * len(at_risk.terms)
        return at_risk, offset, Varied(base_terms=at_risk.terms, base=np.arange(len(none)), functions=none)
    steps, functions = _read(at_risk, varying)
    effects = [(k, kind, name) for k, term in enumerate(at_risk.terms)
               for kind, name in _effects(term, steps.get(term), functions.get(term))]
    base, kinds, terms = (list(column) for column in zip(*effects, strict=True))
    bare = replace(at_risk, covariates=at_risk.covariates[:, :0], terms=())
    row, pieces = _split(bare, np.unique(np.concatenate([[], *steps.values()])))
    x = np.empty((pieces.n_rows, len(base)), order="F")
    for column, k, kind in zip(x.T, base, kinds, strict=True):
        column[:] = at_risk.covariates[:, k][row]
        if isinstance(kind, tuple):
            column *= _at(kind, pieces.exit)
    table = replace(pieces, covariates=x, terms=tuple(terms))
    return table, None if offset is None else offset[row], Varied(
        base_terms=at_risk.terms, base=np.array(base), functions=tuple(kinds))


def describe(varying):
    """Return plain values that say what was asked."""
    return None if not varying else {name: _name(how) if callable(how) else [float(cut) for cut in how]
                                     for name, how in varying.items()}


def _read(at_risk, varying):
    """Sort what is asked into steps and functions of terms; a category stands for its columns."""
    if not isinstance(varying, Mapping):
        raise ValueError("varying must be a mapping of covariates to weeks or a function, "
                         "for instance {'age': (26, 52)}")
    steps, functions = {}, {}
    for name, how in varying.items():
        columns = [term for term in at_risk.terms if term == name or term.startswith(f"{name}[")]
        if not columns:
            raise EstimationError(f"varying: {name}: no such covariate; they are {', '.join(at_risk.terms)}")
        for term in columns:
            if isinstance(how, Callable):
                functions[term] = how
            else:
                steps[term] = _cuts(name, how)
    return steps, functions


def _cuts(name, how):
    cuts = np.atleast_1d(np.asarray(how, dtype=float))
    if not (len(cuts) and np.isfinite(cuts).all() and cuts[0] > 0 and (np.diff(cuts) > 0).all()):
        raise ValueError(f"varying: {name}: {how!r}, must be weeks above 0 in rising order, or a function of "
                         "weeks")
    return cuts


def _effects(term, cuts, function):
    """Yield the kind and the name of each effect of one covariate."""
    if cuts is not None:
        for low, high in zip(np.append(0.0, cuts), np.append(cuts, np.inf), strict=True):
            yield (low, high), f"{term}({low:g}-{high:g}]" if np.isfinite(high) else f"{term}({low:g}-]"
        return
    yield None, term
    if function is not None:
        columns = _columns(term, function, np.array([1.0, 2.0]))
        for j in range(columns):
            number = f"[{j + 1}]" if columns > 1 else ""
            yield _Column(function, j, columns), f"{term}:{_name(function)}{number}"


class _Column:
    """One column of a function of weeks that may give several."""

    def __init__(self, function, column, columns):
        self.function, self.column, self.columns = function, column, columns

    def __call__(self, weeks):
        values = np.asarray(self.function(weeks), dtype=float)
        values = values.reshape(len(weeks), self.columns)[:, self.column]
        if not np.isfinite(values).all():
            raise EstimationError(f"varying: {_name(self.function)} is not finite at "
                                  f"{int((~np.isfinite(values)).sum())} of {len(weeks)} event weeks")
        return values


def _columns(term, function, weeks):
    shape = np.shape(function(weeks))
    if not shape or shape[0] != len(weeks) or len(shape) > 2:
        raise ValueError(f"varying: {term}: the function gives shape {shape} for {len(weeks)} weeks, must "
                         "give a value, or a row of values, for each week")
    return shape[1] if len(shape) == 2 else 1


def _name(function):
    name = getattr(function, "__name__", "<lambda>")
    return "time" if name == "<lambda>" else name


def _at(function, weeks):
    if function is None:
        return np.ones(len(weeks))
    if callable(function):
        return function(weeks)
    low, high = function
    return ((weeks > low) & (weeks <= high)).astype(float)


def _split(table, cuts):
    """Cut rows at the steps; return the row of each piece, and the pieces. Those of one row stay together."""
    if not len(cuts):
        return slice(None), table
    lowest = np.searchsorted(cuts, table.entry, side="right")
    pieces = np.searchsorted(cuts, table.exit) - lowest + 1
    row = np.repeat(np.arange(table.n_rows), pieces)
    last = np.cumsum(pieces) - 1
    step = np.arange(len(row)) - (last - pieces + 1)[row] + lowest[row]
    parts = table.select(row)
    edges = np.concatenate([[0.0], cuts, [np.inf]])
    event = np.zeros_like(parts.event)
    event[last] = table.event
    return row, replace(parts, entry=np.maximum(parts.entry, edges[step]), event=event,
                        exit=np.minimum(parts.exit, edges[step + 1]),
                        person=row if table.person is None else parts.person)
