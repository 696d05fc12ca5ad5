"""Landmark less Markov transition probabilities, with the error of the difference."""

import numpy as np
import pandas as pd

from evalkit.errors import EstimationError
from evalkit.estimators._clusters import clusters_told
from evalkit.estimators._counting import divide
from evalkit.estimators._limits import chi_square, quantile, two_sided
from evalkit.estimators._units import require_clusters_by_stratum, units_of
from evalkit.estimators.multistate.chain import chains_of
from evalkit.estimators.multistate.landmark import moved_between
from evalkit.estimators.multistate.persons import fewest_by_row
from evalkit.estimators.multistate.start_week import BLOCK, StartWeek
from evalkit.result import Estimand, Provenance, Result, tidy

# Variance, against the largest among the states that are entered, below which a contrast does not vary.
CONSTANT = 1e-9


def differences(at_risk, start, weeks, conf_level):
    """Return the differences of all groups, states and later weeks as a Result (see `markov_test`)."""
    require_clusters_by_stratum(at_risk)
    seen, states = np.flatnonzero(np.bincount(at_risk.state)) - 1, at_risk.causes
    parts = [_Difference(chain, units_of(at_risk), position, seen, start, weeks)
             for chain, position in chains_of(at_risk)]
    if not any((part.df > 0).any() for part in parts):
        raise EstimationError(f"markov_test: nobody who is in a state at week {start:g} can be compared with "
                              "others who are in it later. Choose a week when persons are in several states, "
                              "or join groups")
    terms = tuple(f"{states[h]} -> {to}" for h in seen for to in states)
    model = {"terms": terms, "from_weeks": start, "times": weeks,
             "groups": tuple(part.chain.label for part in parts), "df": np.array([part.df for part in parts]),
             "estimates": np.array([part.estimate for part in parts]),
             "covariance": np.array([part.covariance for part in parts])}
    table = pd.concat([part.table(week, terms, conf_level) for part in parts for week in range(len(weeks))],
                      ignore_index=True)
    model["n_behind"] = _behind(table, len(seen), len(states))
    options = {"from_weeks": start, "to_weeks": weeks.tolist(), "method": "difference",
               "conf_level": conf_level}
    unit = {term: "share" for term in terms} | {states[h]: "chi_square" for h in seen}
    return Result(kind="model", table=table, model=model,
                  diagnostics=clusters_told(at_risk, len(states) - 1, "markov_test"),
                  provenance=Provenance(method="markov_test", options=options),
                  estimand=Estimand(name="markov_test", summary="transition_probabilities", unit=unit,
                                    horizon_weeks=float(weeks.max())))


def _behind(table, n_seen, n_states):
    """Return on how many each row rests: a test on the fewest behind the differences that it adds up."""
    behind = fewest_by_row(table).reshape(-1, n_seen * (1 + n_states))
    varies = table["p_value"].notna().to_numpy().reshape(behind.shape)
    added = np.where(varies, behind, np.inf)[:, n_seen:].reshape(-1, n_seen, n_states).min(axis=2)
    behind[:, :n_seen] = np.where(np.isfinite(added), added, 0.0)
    return behind.ravel()


class _Difference:
    """One stratum: both estimates on the same units, and the differences at each later week."""

    def __init__(self, chain, units, position, seen, start, weeks):
        markov, landmark = (StartWeek(chain, units, position, seen, start, method)
                            for method in ("aalen_johansen", "landmark"))
        self.chain, self.seen, self.weeks = chain, seen, weeks
        self.estimate = landmark.probabilities(weeks)[0] - markov.probabilities(weeks)[0]
        self.covariance = self._covariance(markov, landmark)
        self.n_persons, self.n_events = moved_between(chain, markov.followed, seen, weeks)
        tests = [[self._test(week, h) for h in range(len(seen))] for week in range(len(weeks))]
        self.statistic, self.df = np.moveaxis(np.array(tests, dtype=float), 2, 0)

    def _covariance(self, markov, landmark):
        """Square the differences of the units' influence; what is not estimable is missing."""
        size, width = len(self.chain.states), len(self.seen) * len(self.chain.states)
        known = np.arange(width).reshape(-1, size)[markov.occupied].ravel()
        whole = np.full((len(self.weeks), width, width), np.nan)
        for first in range(0, len(self.weeks) if len(known) else 0, BLOCK):
            block, square = slice(first, first + BLOCK), 0.0
            both = (one.influence(self.weeks[block]) for one in (markov, landmark))
            for (units, mine), (_, theirs) in zip(*both, strict=True):
                value = theirs - mine
                square = square + (value * markov.copies[units][:, None]).transpose(0, 2, 1) @ value
            whole[block, known[:, None], known] = square
        whole[np.isnan(self.estimate)] = np.nan
        return whole

    def _test(self, week, h):
        """Return chi-square and its degrees of freedom over the states that can be reached from one."""
        own = slice(h * len(self.chain.states), (h + 1) * len(self.chain.states))
        if np.isnan(self.estimate[week, own]).any():
            return np.nan, 0
        size, direction = np.linalg.eigh(self.covariance[week, own, own])
        # Where nobody enters late and all begin in one state, both estimates are the same: rounding is left.
        varies = size > max(CONSTANT * size[-1], 1e-15)
        along = direction[:, varies].T @ self.estimate[week, own]
        return (np.sum(along**2 / size[varies]) if varies.any() else np.nan), varies.sum()

    def table(self, week, terms, conf_level):
        """Return the tests of the states, then the differences, at one later week."""
        states = [self.chain.states[h] for h in self.seen]
        p_states = [chi_square(value, df) if df else np.nan
                    for value, df in zip(self.statistic[week], self.df[week], strict=True)]
        error = np.sqrt(np.maximum(np.diag(self.covariance[week]), 0))
        estimate, margin = self.estimate[week], quantile(conf_level) * error
        known = error > 3e-8
        p_values = np.where(known, two_sided(divide(estimate, np.where(known, error, 0))), np.nan)
        common = {"group": self.chain.label, "time_weeks": self.weeks[week]}
        tests = tidy(term=states, estimate=self.statistic[week], p_value=p_states,
                     n_persons=self.n_persons[week][:, 0], **common)
        shares = tidy(term=list(terms), estimate=estimate, std_error=error, conf_low=estimate - margin,
                      conf_high=estimate + margin, p_value=p_values, n_persons=self.n_persons[week].ravel(),
                      n_events=self.n_events[week].ravel(), **common)
        return pd.concat([tests, shares], ignore_index=True)
