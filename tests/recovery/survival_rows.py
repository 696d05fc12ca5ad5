"""Rows of the coverage study, the table they are asked of, and how an answer is read off a result."""

from collections import namedtuple
from dataclasses import replace
from functools import cached_property, partial

import numpy as np
import pandas as pd
from survival_worlds import SETTINGS

# ``find`` takes a `Table` and returns estimate and limits; ``truth`` is a number, or a function of the
# setting where that decides who is asked about.
Row = namedtuple("Row", "estimator option find truth settings", defaults=[SETTINGS])


def each(estimator, options, find, truth, settings=SETTINGS):
    """Return a row for each option, which ``find`` takes second."""
    return [Row(estimator, option, partial(_with, find, option), truth, settings) for option in options]


class Table:
    """One drawn table, on which each model is fitted once however many rows read it."""

    def __init__(self, at_risk, setting):
        self.at_risk, self.setting, self._found = at_risk, setting, {}

    def __call__(self, estimator, **options):
        key = estimator.__name__, repr(sorted(options.items()))
        if key not in self._found:
            self._found[key] = estimator(self.at_risk, **options)
        return self._found[key]

    @cached_property
    def x(self):
        """The indicator that has an effect."""
        return self.at_risk.covariates[:, 0]

    @cached_property
    def by_x(self):
        """The same persons with x as their strata."""
        return self._by(self.x.astype(int))

    @cached_property
    def thirds(self):
        """The same persons with strata that mean nothing."""
        return self._by(np.arange(len(self.x)) % 3)

    @cached_property
    def only_one(self):
        """The persons with x = 1: their states are a Markov process, those of all are not."""
        return Table(self.at_risk.select(self.x == 1), self.setting)

    def _by(self, codes):
        labels = tuple(str(code) for code in np.unique(codes))
        return Table(replace(self.at_risk, strata=codes, strata_labels=labels), self.setting)


def profile(x):
    """Return persons of one x for a prediction."""
    return pd.DataFrame({"x": [float(x)]}, index=["profile"])


def at(result, week, term=None):
    """Read a curve at a week."""
    table = result.table
    kept = table["time_weeks"].to_numpy() <= week
    if term is not None:
        kept &= table["term"].to_numpy() == term
    return _numbers(table, np.flatnonzero(kept)[-1])


def row(result, term, **where):
    """Read one row of a result: the first of a term, where a column has a value."""
    table = result.table
    kept = np.logical_and.reduce([table[column].to_numpy() == value for column, value in
                                  {"term": term, **where}.items()])
    return _numbers(table, np.flatnonzero(kept)[0])


def quantile(result):
    """Read a median; a limit that the curve does not reach lies beyond every week."""
    estimate, low, high = row(result, "quantile[0.5]")
    return estimate, low, np.inf if np.isnan(high) else high


def naive(result):
    """Read the first term with the error of independent persons."""
    estimate, error = result.table["estimate"].iloc[0], np.sqrt(result.model["covariance_naive"][0, 0])
    return estimate, estimate - 1.959964 * error, estimate + 1.959964 * error


def p_of(result, place=0):
    """Read whether the test in a row of a result rejects."""
    return rejects(result.table["p_value"].iloc[place])


def rejects(p):
    """Return a p-value as an interval that holds 0 unless the test rejects at 5 %."""
    return float(p), np.nan if np.isnan(p) else 1.0 if p < 0.05 else -1.0, 2.0


def _with(find, option, table):
    return find(table, option)


def _numbers(table, place):
    return tuple(float(table[column].iat[place]) for column in ("estimate", "conf_low", "conf_high"))
