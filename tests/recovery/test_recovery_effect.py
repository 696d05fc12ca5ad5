"""The effect's intervals hold a known truth: often on drawn municipalities, a few times on the register."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom
from study import NAIVE, PROPER, replicate, setting, summarise, truths

from evalkit.estimators.municipality_changes import Changes, difference_of_changes

N_DRAWS = 2000
# J comparisons, standard deviation of shocks, sampling variance of the treated one and of the others
SITUATIONS = [
    (24, 1.7, 1.6, 17.0),
    (24, 1.7, 1.6, 1.6),
    (24, 5.0, 1.6, 17.0),
    (24, 0.0, 5.0, 5.0),
    (8, 5.0, 5.0, 5.0),
]


def drawn(situation, rng, effect=-5.0):
    """Draw the changes of many sets of municipalities at once: each draw is a column."""
    n_others, shock, own, others = situation
    variance = np.r_[own, np.full(n_others, others)][:, None] * np.ones(N_DRAWS)
    change = rng.normal(0, np.sqrt(shock**2 + variance))
    change[0] += effect
    return Changes(
        units=tuple(map(str, range(n_others + 1))),
        change=change,
        variance=variance,
        before=change,
        after=change,
        variance_after=variance,
        n_before=variance[:, 0],
        n_after=variance[:, 0],
    )


@pytest.mark.parametrize("situation", SITUATIONS)
def test_interval_with_shocks_covers(situation):
    """At least as often as it says, and where shocks are small against persons' noise more often."""
    found = difference_of_changes(drawn(situation, np.random.default_rng(11)))
    covers = ((found.conf_low <= -5) & (found.conf_high >= -5)).mean()
    error = np.sqrt(0.95 * 0.05 / N_DRAWS)
    assert covers > 0.95 - 4 * error
    assert covers < 0.985
    assert abs(found.estimate.mean() + 5) < 4 * found.estimate.std() / np.sqrt(N_DRAWS)


def test_interval_of_persons_alone_is_seen_to_fail():
    found = difference_of_changes(drawn(SITUATIONS[1], np.random.default_rng(12)))
    assert ((found.person_low <= -5) & (found.person_high >= -5)).mean() < 0.85


def test_p_value_keeps_its_level_without_an_effect():
    found = difference_of_changes(drawn(SITUATIONS[1], np.random.default_rng(13), effect=0.0))
    assert (found.p_value < 0.05).mean() < 0.05 + 4 * np.sqrt(0.95 * 0.05 / N_DRAWS)


def test_rank_is_even_without_an_effect():
    """Where all municipalities are alike every rank is as likely as the next."""
    found = difference_of_changes(drawn(SITUATIONS[1], np.random.default_rng(14), effect=0.0))
    share = np.bincount(found.rank, minlength=26)[1:] / N_DRAWS
    assert abs(share - 1 / 25).max() < 4.5 * np.sqrt(1 / 25 * 24 / 25 / N_DRAWS)


N_WORLDS = 12
# Small worlds, so that a dozen fit into half a minute. That the test can fail is a test of its own, below.
SMALL = {"n_persons": 1500, "persons_per_comparison": 200}


@pytest.fixture(scope="module")
def replications():
    given = setting(**SMALL)
    found = [replicate(seed, given)[0] for seed in range(501, 501 + N_WORLDS)]
    return pd.concat(found, ignore_index=True)


@pytest.fixture(scope="module")
def worlds(replications):
    return summarise(replications, truths(setting(**SMALL))).set_index(["estimand", "method"])


def holds(table):
    """Whether each estimand's intervals hold the truth in as many worlds as 95 % allow, and all together."""
    proper = table.xs(PROPER, level="method")
    fewest = binom.ppf(0.002, N_WORLDS, 0.95)
    return bool(
        (proper["coverage"] * N_WORLDS >= fewest).all() and proper["coverage"].mean() > 0.91
    )


def near(table):
    """Whether no mean estimate is further from the truth than its Monte-Carlo error allows."""
    proper = table.xs(PROPER, level="method")
    allowed = np.maximum(proper["bias_mc"], proper["mean_error"] / np.sqrt(N_WORLDS) / 2)
    return bool((np.abs(proper["bias"]) < 4 * allowed).all())


def test_simulated_register_gives_back_its_truth(worlds):
    assert near(worlds) and holds(worlds)


@pytest.mark.parametrize("scale", [0.3, 0.5])
def test_intervals_that_are_too_short_would_be_seen(replications, scale):
    half = (replications["high"] - replications["low"]) / 2 * scale
    short = replications.assign(low=replications["estimate"] - half, high=replications["estimate"] + half)
    assert not holds(summarise(short, truths(setting())).set_index(["estimand", "method"]))


def test_estimates_that_are_off_would_be_seen(replications):
    off = 1.5 * replications["std_error"]
    moved = replications.assign(**{name: replications[name] + off for name in ("estimate", "low", "high")})
    table = summarise(moved, truths(setting())).set_index(["estimand", "method"])
    assert not near(table) and not holds(table)


def test_shortcuts_miss_the_truth(worlds):
    """Before and after takes the boom for the programme, treated against others the old level."""
    wrong = worlds.loc["inflow: weeks_on_support_104"].loc[list(NAIVE[1:])]
    assert wrong.loc["before and after", "bias"] < -2
    assert wrong.loc["treated against others", "bias"] > 1
    assert wrong["coverage"].mean() <= 0.75


def test_person_interval_is_shorter_than_the_truth_needs(worlds):
    both = worlds.loc["inflow: weeks_on_support_104"]
    assert both.loc[NAIVE[0], "width"] < 0.8 * both.loc[PROPER, "width"]


@pytest.mark.parametrize("outcome", ["panel: employees", "panel: assistance"])
def test_panel_designs_find_what_the_programme_did_to_the_public_tables(worlds, outcome):
    """Small comparison municipalities widen the intervals; difference in differences is unbiased."""
    found = worlds.loc[outcome]
    assert len(found) == 3 and (found["coverage"] * N_WORLDS >= binom.ppf(0.002, N_WORLDS, 0.95)).all()
    plain = found.loc["difference in differences"]
    assert abs(plain["bias"]) < 4 * plain["bias_mc"]


def test_a_wrong_truth_of_the_panel_would_be_seen(replications):
    """Twice the effect in work is outside what so many worlds allow."""
    truth = truths(setting(**SMALL))
    truth["panel: employees"] *= 2
    plain = summarise(replications, truth).set_index(["estimand", "method"])
    plain = plain.loc["panel: employees", "difference in differences"]
    assert abs(plain["bias"]) > 4 * plain["bias_mc"]
