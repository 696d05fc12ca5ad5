"""Does it matter, for what happens next, where a person was before? The test of the Markov property."""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from evalkit.errors import EstimationError
from evalkit.estimators._counting import MOST_GROUPS
from evalkit.estimators._limits import chi_square, quantile, read_weeks, require_one_of
from evalkit.estimators.comparison import log_rank
from evalkit.estimators.multistate.chain import chains_of, require_states
from evalkit.estimators.multistate.difference import differences
from evalkit.estimators.multistate.landmark import followed_from, require_persons
from evalkit.estimators.multistate.start_week import later_weeks
from evalkit.result import Estimand, Provenance, Result, tidy


def markov_test(at_risk, *, from_weeks, to_weeks=None, method="log_rank", conf_level=0.95):
    """Test whether what happens after a week depends on the state at that week, given the state now.

    Parameters
    ----------
    at_risk : AtRisk
        With ``state`` and ``person``. Its strata are tested one by one. No weights and no clusters with
        ``log_rank``.
    from_weeks : float or sequence of float
        Weeks s at which the earlier state is looked up, each tested on its own; one with ``difference``.
    to_weeks : float or sequence of float, optional
        Weeks t at which transition probabilities are compared, with ``difference``.
    method : {"log_rank", "difference"}
        ``log_rank`` compares the hazards of each movement after s between the states at s. ``difference``
        compares landmark with Aalen-Johansen probabilities from s to t.
    conf_level : float
        Of the limits of differences.

    Returns
    -------
    Result
        Kind ``model``. ``log_rank``: for each group and week s (``time_weeks``) term ``all``, then each
        movement ``FROM -> TO``, with the chi-square statistic as ``estimate``, ``n_persons`` at risk after s
        and ``n_events`` movements; what cannot be tested (one earlier state only, or no movement after s) has
        no estimate. ``model``: terms, landmarks (states at s), times, groups, df (n_groups, n_times,
        n_terms), z (n_groups, n_times, n_terms, n_landmarks): above 0 where those who were in that state at s
        move more often than the others, and n_behind: for each row the persons or events of the
        smallest group compared. ``diagnostics``: ``df`` of ``all``, by group and week.

        ``difference``: for each group and week t (``time_weeks``) each state FROM with the chi-square
        statistic over all states it leads to, then ``FROM -> TO`` with the landmark less the
        Aalen-Johansen probability, its error, limits and p-value, and counts as in
        :func:`transition_probabilities`. ``model``: terms, from_weeks, times, groups, df (n_groups, n_times,
        n_from), estimates, covariance.

    Raises
    ------
    EstimationError
        No states or persons, weights or clusters with ``log_rank``, or nothing that can be tested.

    Notes
    -----
    In a Markov process the hazard of FROM -> TO after s is the same for all who are in FROM, wherever they
    were at s. ``log_rank`` compares it by the log-rank test with delayed entry (Titman and Putter 2022: their
    test at one s; ``zbar`` of ``mstate::MarkovTest`` for untied times; with ties evalkit has the
    hypergeometric variance). Those who are not under observation at s are left out. ``all`` adds up the
    statistics of all movements, which are uncorrelated in a Markov process.

    ``difference`` sets both estimates of :func:`transition_probabilities` against each other; in a Markov
    process both are right. Its error comes from the persons' (or clusters') influence on the difference, so
    it holds for weights and clusters. It judges what matters for these probabilities and no more. Several
    weeks are several tests of one hypothesis: read them with that in mind.

    References
    ----------
    .. [1] Titman and Putter (2022), Biostatistics 23, 380-396.

    Examples
    --------
    After week 1 persons 1 and 2 have returned to ON; they leave it at week 3 and 4, persons 3 and 4 stay.

    >>> from evalkit.atrisk import AtRisk
    >>> rows = [(1, 0, 2, "OFF", "ON"), (1, 2, 3, "ON", "OFF"), (2, 0, 2, "OFF", "ON"),
    ...         (2, 2, 4, "ON", "OFF"), (3, 0, 5, "ON", None), (4, 0, 5, "ON", None)]
    >>> frame = pd.DataFrame(rows, columns=["person", "from", "to", "now", "then"])
    >>> table = AtRisk.from_frame(frame, entry="from", exit="to", state="now", event="then", person="person")
    >>> markov_test(table, from_weeks=1).table[["term", "estimate", "n_persons", "n_events"]].round(3)
            term  estimate  n_persons  n_events
    0        all     2.882        4.0       4.0
    1  OFF -> ON       NaN        2.0       2.0
    2  ON -> OFF     2.882        4.0       2.0
    """
    require_one_of("method", method, ("log_rank", "difference"))
    quantile(conf_level)
    require_states(at_risk, "markov_test")
    require_persons(at_risk, "markov_test")
    if len(at_risk.strata_labels) > MOST_GROUPS:
        raise EstimationError(f"markov_test: {len(at_risk.strata_labels)} groups, at most {MOST_GROUPS} are "
                              "tested at once; join groups, or leave strata out")
    if method == "difference":
        return differences(at_risk, *later_weeks(from_weeks, to_weeks), conf_level)
    weeks = _weeks(from_weeks, to_weeks)
    _require_independence(at_risk)
    moves = movements_of(at_risk, "markov_test")
    tests = [_at_week(chain, week, moves) for chain, _ in chains_of(at_risk) for week in weeks]
    if not any((test.df > 0).any() for test in tests):
        raise EstimationError("markov_test: no movement, after any of the weeks, can be compared between "
                              "persons who were in different states. "
                              "Choose weeks when persons are in several states")
    return _result(at_risk, tests, moves, weeks)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Test:
    """One stratum at one week: chi-square, degrees of freedom, z by state, and counts of each movement."""

    label: str
    week: float
    statistic: np.ndarray
    df: np.ndarray
    z: np.ndarray
    n_persons: np.ndarray
    n_events: np.ndarray
    n_behind: np.ndarray
    n_all: int


def movements_of(at_risk, name):
    """Return the movements (from, to) that occur, as codes of states from 1, in the order of the states."""
    moved = (at_risk.event > 0) & (at_risk.event != at_risk.state)
    if not moved.any():
        raise EstimationError(f"{name}: no movement among {at_risk.n_persons} persons. "
                              "Look at the definition of the states and the length of follow-up")
    return np.unique(np.column_stack([at_risk.state[moved], at_risk.event[moved]]), axis=0)


def _weeks(from_weeks, to_weeks):
    if to_weeks is not None:
        raise ValueError(f"to_weeks == {to_weeks!r}, only with method='difference'")
    return read_weeks("from_weeks", from_weeks)


def _require_independence(at_risk):
    if at_risk.cluster is not None or (at_risk.weight is not None and (at_risk.weight != 1).any()):
        raise EstimationError("markov_test: the log-rank test assumes independent, unweighted persons. Use "
                              "method='difference', or leave cluster and weight out")


def _at_week(chain, week, moves):
    """Compare, movement by movement, those who were in different states at the week."""
    followed = followed_from(chain, week)
    landmark = followed.state[followed.path]
    known = np.flatnonzero(followed.later & (landmark >= 0))
    answers, n_all = [_nothing(len(chain.states))] * len(moves), 0
    if len(known):
        rows = chain.rows.select(known)
        rows = replace(rows, entry=np.maximum(rows.entry, week), strata=landmark[known],
                       strata_labels=chain.states, state=None)
        state, target = chain.state[known] + 1, chain.target[known] + 1
        answers = [_compare(rows, state == source, target == to) for source, to in moves]
        n_all = rows.n_persons
    names = ("statistic", "df", "z", "n_persons", "n_events", "n_behind")
    columns = dict(zip(names, map(np.array, zip(*answers, strict=True)), strict=True))
    return _Test(label=chain.label, week=week, n_all=n_all, **columns)


def _compare(rows, here, moved):
    """Return chi-square, degrees of freedom, z of each earlier state, persons at risk, movements, and behind.

    A test says of the smallest group what it says of the others: its persons, or events, are behind it.
    """
    size = len(rows.strata_labels)
    if not here.any():
        return _nothing(size)
    chosen = replace(rows.select(here), event=moved[here].astype(np.int64), causes=("moved",))
    try:
        found = log_rank(chosen)
    except EstimationError:
        return _nothing(size, chosen.n_persons, chosen.n_events)
    spread = np.sqrt(np.diag(found.model["covariance"]))
    z = np.divide(found.model["difference"], spread, out=np.full(size, np.nan), where=spread > 0)
    groups = found.table[["n_persons", "n_events"]][1:size + 1]
    return (float(found.table["estimate"][0]), found.diagnostics["df"], z, chosen.n_persons, chosen.n_events,
            groups[groups["n_persons"] > 0].min(axis=None))


def _nothing(size, n_persons=0, n_events=0):
    return np.nan, 0, np.full(size, np.nan), n_persons, n_events, n_persons


def _result(at_risk, tests, moves, weeks):
    states = at_risk.causes
    terms = ("all", *(f"{states[source - 1]} -> {states[to - 1]}" for source, to in moves))
    shape = (len(tests) // len(weeks), len(weeks), len(moves))
    model = {"terms": terms[1:], "landmarks": states, "times": weeks,
             "groups": tuple(test.label for test in tests[::len(weeks)]),
             "df": np.array([test.df for test in tests]).reshape(shape),
             "z": np.array([test.z for test in tests]).reshape(*shape, len(states)),
             "n_behind": np.concatenate([_behind(test) for test in tests])}
    return Result(kind="model", table=pd.concat([_table(test, terms) for test in tests], ignore_index=True),
                  model=model, diagnostics={"df": model["df"].sum(axis=2).tolist()},
                  provenance=Provenance(method="markov_test",
                                        options={"from_weeks": weeks.tolist(), "method": "log_rank"}),
                  estimand=Estimand(name="markov_test", summary="log_rank", unit="chi_square"))


def _behind(test):
    compared = test.n_behind[test.df > 0]
    return np.append(compared.min() if len(compared) else test.n_all, test.n_behind)


def _table(test, terms):
    df = np.append(test.df.sum(), test.df)
    statistic = np.append(np.nansum(test.statistic) if df[0] else np.nan, test.statistic)
    p_value = [chi_square(value, k) if k else np.nan for value, k in zip(statistic, df, strict=True)]
    return tidy(term=list(terms), group=test.label, time_weeks=test.week, estimate=statistic, p_value=p_value,
                n_persons=np.append(test.n_all, test.n_persons),
                n_events=np.append(test.n_events.sum(), test.n_events))
