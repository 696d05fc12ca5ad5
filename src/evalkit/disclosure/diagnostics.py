"""Diagnostics as they leave: counts by the rules for counts, and what only the house may know not at all."""

import re
from collections.abc import Mapping

import numpy as np

from evalkit.disclosure.plain import is_number, key_text, plain, short
from evalkit.disclosure.rounding import money_text, plain_text, round_count
from evalkit.disclosure.ties import Ties

# In a result in kroner a number this large is an amount: no decimals, from 100,000 no hundreds.
_LEAST_MONEY = 1000
# The word after n_ says what is counted. Counts of these are facts of the design, not of persons: exact.
_NOT_PERSONS = re.compile(
    r"^n_(?:comparisons|donors|draws|gaps|gates|groups|items|municipalities|periods|placebos|quarters"
    r"|replications|rules|steps|tables|waves|weeks|years)(?:_(?:all|after|before|broken|failed|used))?$")
# Clusters are caseworkers and providers: persons too. The effective number of
# persons is their number where all weigh the same.
_COUNTED = {"clusters", "effective_comparison", "effective_treated"}
# A likelihood and the rates that were fitted, sums of weeks and pairs give back exact counts. The weeks
# to which a last person is seen are weeks of single persons; so are the words that name them.
# Knots lie at shares of the events: weeks in which one person leaves.
_INSIDE = {"aic", "concordant", "discordant", "failures", "knots", "log_likelihood",
           "log_likelihood_no_frailty", "log_likelihood_null", "not_estimable", "person_weeks", "tied"}
# A test of all rows tells of those that are kept back: of one term it is the square of its estimate over its
# error. Told where no row is kept back for too few persons.
_OF_ALL_ROWS = re.compile(r"^(df|z|frailty_variance|kendall_tau)$|_(chi_square|p_value)$")
_TOO_FEW = ("min_n", "no_count", "too_many_terms")
# Told where enough persons are followed so long (model["n_at_last"]): then it is the end of the data.
_OF_THE_LAST = {"last_observed_weeks", "n_beyond", "n_weeks_beyond"}


def diagnostics_of(result, rows, profile, tally):
    """Return what of a result's diagnostics may leave.

    Parameters
    ----------
    result : Result
    rows : list of dict
        The released rows, in texts.
    profile : Profile
    tally : Tally
        ``kept_inside`` counts what is null because it never leaves, whatever the profile.

    Returns
    -------
    dict
    """
    ties = Ties(result, rows, profile)
    is_end_told = float(result.model.get("n_at_last", 0)) >= profile.min_n
    inside = _INSIDE if is_end_told else _INSIDE | _OF_THE_LAST
    is_some_kept = result.kind == "model" and any(tally.rules[rule] for rule in _TOO_FEW)
    told = {}
    for key, value in result.diagnostics.items():
        # A diagnostic of one cause of several is told as name[cause].
        name = str(key).partition("[")[0]
        is_inside = name in inside or (is_some_kept and _OF_ALL_ROWS.search(name))
        if is_inside and not _is_nothing(value):
            tally.add("kept_inside")
            told[key] = None
        else:
            told[key] = _diagnostic("n_persons" if name in _COUNTED else key, value, ties, profile, tally)
    return told


def _is_nothing(value):
    return value is None or (isinstance(value, list | tuple | Mapping) and not len(value))


def _diagnostic(key, value, ties, profile, tally):
    if isinstance(value, Mapping):
        named = {inner: inner if str(inner).startswith("n_") else key for inner in value}
        return {key_text(inner): _diagnostic(named[inner], entry, ties, profile, tally)
                for inner, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_diagnostic(key, entry, ties, profile, tally) for entry in short(value, key)]
    if is_number(value) and str(key).startswith("n_") and not _NOT_PERSONS.match(key):
        return _count(value, ties, profile, tally)
    if is_number(value) and value in ties.cells:
        return ties.cells[value]
    if is_number(value) and ties.is_money and abs(value) >= _LEAST_MONEY:
        return money_text(value, "dkk", profile.decimals)
    if key == "warning" and isinstance(value, str):
        # It says how many clusters are too few.
        return re.sub(r"\d[\d.,]*", "some", short(value, key))
    return plain(value, f"diagnostic {key}", profile.decimals)


def _count(value, ties, profile, tally):
    if 0 < value < profile.min_n:
        tally.add("min_n")
        return None
    if value in ties.sums:
        return ties.sums[value]
    return plain_text(round_count(value, profile.rounding_base)) if np.isfinite(value) else None
