"""States with returns: groups, weights, clusters and late entry at once.

Estimates to 1e-6, errors and limits to 1e-5, relative (tests/reference/r/combined_states.R).
"""

from functools import partial

import numpy as np
import pandas as pd
import pytest
from combined import agree, cases_of

from evalkit.atrisk import AtRisk
from evalkit.estimators import (
    markov_test,
    occupation_influence,
    state_occupation,
    transition_cox,
    transition_probabilities,
)

HARD = {"weight": "pw", "cluster": "cluster"}
CASES = cases_of("combined_states")
TYPES = {"log": "log", "loglog": "log-log", "plain": "plain"}


def table_of(frame, **columns):
    frame = frame.assign(then=frame["then"].where(frame["then"] != "censor"))
    return AtRisk.from_frame(frame, entry="start", exit="stop", state="now", event="then", person="id",
                             **columns)


def in_order(table, *keys):
    """Return the rows in R's order of what the keys say; a stable sort keeps what they leave open."""
    return table.sort_values(list(keys), kind="stable")


def asked(r):
    return {key: r[key] for key in ("weeks", "horizon", "from", "persons") if key in r}


def occupied(frame, r, conf_type="plain", **columns):
    at_risk = table_of(frame, **columns or {**HARD, "strata": "arm"})
    table = state_occupation(at_risk, horizon_weeks=r["horizon"], weeks=r["weeks"],
                             conf_type=conf_type).table
    return in_order(table.assign(is_share=table["term"].str.startswith("share")),
                    "group", "is_share", "term", "time_weeks")


def occupation(frame, r):
    return {**asked(r), **occupied(frame, r)}


def share_limits(frame, r, conf_type):
    table = occupied(frame, r, conf_type)
    return {**asked(r), **table[table["is_share"]]}


def share_counts(frame, r):
    table = occupied(frame, r, count="k")
    return {**asked(r), **table[table["is_share"]]}


def influence(frame, r):
    first = frame[frame["arm"] == 0]
    rows = occupation_influence(table_of(first, weight="pw"), horizon_weeks=r["horizon"])
    by_person = pd.DataFrame(rows).groupby(first["id"].to_numpy()).sum()
    return {**asked(r), "influence": by_person.loc[r["persons"]].to_numpy().ravel(order="F")}


def moved(frame, r, ask):
    """Return a table of transition probabilities: group by group, from by from, to by to."""
    table = ask(table_of(frame, strata="arm", **HARD), from_weeks=float(r["from"][0]),
                to_weeks=r["weeks"]).table
    ends = table["term"].str.split(" -> ", expand=True)
    return in_order(table.assign(now=ends[0], then=ends[1]), "group", "now", "then", "time_weeks")


def probability(frame, r, method, **options):
    ask = partial(transition_probabilities, method=METHODS[method], **options)
    return {**asked(r), **moved(frame, r, ask)}


def difference(frame, r):
    table = moved(frame, r, partial(markov_test, method="difference"))
    is_pair = table["then"].notna()
    tests = in_order(table[~is_pair], "group", "now", "time_weeks")
    pairs = table[is_pair]
    return {**asked(r), "estimate": pairs["estimate"], "std_error": pairs["std_error"],
            "statistic": tests["estimate"]}


def regression(frame, r, clock, ties):
    if clock == "reset":
        frame = frame[frame.groupby("id")["start"].transform("min") == 0]
    pairs = frame.loc[frame["then"] != "censor", ["now", "then"]].drop_duplicates()
    moves = sorted(pairs["now"] + " -> " + pairs["then"])
    fit = transition_cox(table_of(frame, covariates=["age", "course"], strata="arm", **HARD), clock=clock,
                         shared=["course"], ties=ties,
                         transitions=[move for move in moves if not move.endswith("DEATH")])
    return {"estimate": fit.table["estimate"], "std_error": fit.table["std_error"],
            "naive_error": np.sqrt(np.diag(fit.model["covariance_naive"])),
            "log_likelihood": [fit.diagnostics["log_likelihood_null"], fit.diagnostics["log_likelihood"]]}


METHODS = {"markov": "aalen_johansen", "landmark": "landmark"}
QUESTIONS = {
    "occupation": occupation, "share_counts": share_counts, "occupation_influence": influence,
    "markov_difference": difference,
    **{f"share_limits_{short}": partial(share_limits, conf_type=kind) for short, kind in TYPES.items()},
    **{f"probability_{method}": partial(probability, method=method) for method in METHODS},
    **{f"probability_limits_{method}_{short}": partial(probability, method=method, conf_type=kind,
                                                       conf_level=0.9)
       for short, kind in TYPES.items() for method in METHODS},
    **{f"cox_{clock}_{ties}": partial(regression, clock=clock, ties=ties)
       for clock in ("forward", "reset") for ties in ("efron", "breslow")},
}


@pytest.mark.parametrize("case", CASES)
def test_combined_options_equal_r(case):
    agree(CASES[case], QUESTIONS)


def test_every_question_is_asked():
    assert {case["question"] for case in CASES.values()} == set(QUESTIONS)
