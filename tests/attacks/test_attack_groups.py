"""Attacks on what many persons seem to be behind: tests, effects and diagnostics of a small group."""

from functools import partial

import numpy as np
import pandas as pd
import pytest
from attacked_run import NO_RULES, RULES

from evalkit.atrisk import AtRisk
from evalkit.disclosure import release
from evalkit.estimators import (
    balance,
    concordance,
    cox,
    cured_share,
    gray_test,
    kaplan_meier,
    log_rank,
    markov_test,
    mixture_cure,
    parametric,
    predict_survival,
    proportionality_test,
    pseudo_regression,
    shared_frailty,
    standardised_contrasts,
    standardised_survival,
    transition_probabilities,
)


def told(answer, profile, column="estimate"):
    """Return a column of the released rows by term and group, and the diagnostics."""
    payload = release(answer, profile, name="answer").payload
    k = payload["columns"].index(column)
    return {tuple(row[:2]): None if row[k] is None else float(row[k]) for row in payload["rows"]}, \
        payload["diagnostics"]


def leavers(n_rare, n_rare_events, **columns):
    """Three hundred persons; some live in a home of their own, where few or all leave."""
    rng = np.random.default_rng(3)
    weeks = np.append(rng.geometric(0.05, 300 - n_rare), np.arange(1, n_rare + 1))
    left = np.append(np.ones(300 - n_rare), np.arange(n_rare) < n_rare_events)
    home = np.where(np.arange(300) < 300 - n_rare, np.where(np.arange(300) % 2, "n", "m"), "z")
    frame = pd.DataFrame({"weeks": weeks.astype(float), "left": left.astype(int), "home": home,
                          "caseworker": np.arange(300) % 3})
    return AtRisk.from_frame(frame, exit="weeks", event="left", **columns)


@pytest.mark.parametrize(("term", "others"), [("home[z]", ["home[n]"]), ("home", []), ("global", [])])
def test_whether_the_hazard_of_three_persons_changes(term, others):
    answer = proportionality_test(leavers(3, 3, covariates=["home"]))
    bare, protected = told(answer, NO_RULES)[0], told(answer, RULES)[0]
    assert bare[term, ""] > 0
    assert protected[term, ""] is None
    assert all(protected[other, ""] is not None for other in others)
    assert None not in told(proportionality_test(leavers(60, 50, covariates=["home"])), RULES)[0].values()


def test_how_three_persons_rank_by_an_indicator_as_score():
    rows = leavers(3, 3)
    score = np.arange(300) >= 297
    bare = told(concordance(rows, score=score), NO_RULES)[0]["concordance", ""]
    # Every pair with one of the three counts 0 or 1, the others a half.
    assert bare > 0.5
    assert told(concordance(rows, score=score), RULES)[0]["concordance", ""] is None
    assert told(concordance(rows, score=np.arange(300) % 2), RULES)[0]["concordance", ""] is not None
    assert told(concordance(rows, score=np.arange(300.0)), RULES)[0]["concordance", ""] is not None
    assert told(concordance(leavers(3, 3, covariates=["home"])), RULES)[0]["concordance", ""] is None


def movers(n_rare):
    """Persons who move on and off; a few were away at week 2 and are on after it like the others."""
    parts, rng = [], np.random.default_rng(5)
    for k in range(180):
        early = "AWAY" if k < n_rare else ("ON", "OFF")[k % 2]
        weeks = np.cumsum(rng.integers(1, 6, 4)) + 3
        parts += [(k, 0, 3, early, "ON" if early != "ON" else None), (k, 3, weeks[0], "ON", "OFF"),
                  (k, weeks[0], weeks[1], "OFF", "ON"), (k, weeks[1], weeks[2], "ON", None)]
    frame = pd.DataFrame(parts, columns=["person", "from", "to", "now", "then"])
    return AtRisk.from_frame(frame, entry="from", exit="to", state="now", event="then", person="person")


def test_where_three_persons_go_as_a_test_of_all():
    answer = markov_test(movers(3), from_weeks=2)
    bare, protected = told(answer, NO_RULES)[0], told(answer, RULES)[0]
    assert bare["ON -> OFF", ""] > 0 and bare["all", ""] > 0
    assert protected["ON -> OFF", ""] is protected["all", ""] is None
    healthy = told(markov_test(movers(20), from_weeks=2), RULES)
    assert healthy[0]["ON -> OFF", ""] is not None and healthy[0]["all", ""] is not None
    assert healthy[1]["df"] is not None


@pytest.mark.parametrize("n_rare", [3, 40])
def test_a_test_of_landmark_less_markov_is_judged_by_its_smallest_difference(n_rare):
    answer = markov_test(movers(n_rare), from_weeks=2, to_weeks=6, method="difference")
    protected = told(answer, RULES)[0]
    assert answer.row("AWAY")["p_value"] <= 1
    assert (protected["AWAY", ""] is None) == (n_rare == 3)
    assert protected["ON", ""] is not None


@pytest.mark.parametrize("key", ["wald_chi_square", "score_chi_square", "likelihood_ratio_chi_square",
                                 "wald_p_value"])
def test_effect_of_three_persons_as_the_test_of_all_terms(key):
    rows = leavers(3, 3)
    frame = pd.DataFrame({"weeks": rows.exit, "left": rows.event, "rare": (np.arange(300) >= 297) * 1})
    answer = cox(AtRisk.from_frame(frame, exit="weeks", event="left", covariates=["rare"]))
    assert float(told(answer, NO_RULES)[1][key]) > 0
    numbers, diagnostics = told(answer, RULES)
    assert numbers["rare", ""] is diagnostics[key] is None
    assert told(cox(leavers(60, 50, covariates=["home"])), RULES)[1][key] is not None


def test_statistic_of_three_persons_as_the_z_of_a_trend():
    answer = log_rank(leavers(3, 3, strata="home"), trend=[0, 0, 1])
    assert answer.diagnostics["z"] ** 2 == pytest.approx(answer.row("log_rank")["estimate"])
    numbers, diagnostics = told(answer, RULES)
    assert numbers["log_rank", ""] is diagnostics["z"] is None


@pytest.mark.parametrize(("test", "term"), [
    (log_rank, "log_rank"), (partial(gray_test, cause="1"), "gray")], ids=["log_rank", "gray"])
def test_exits_of_a_large_group_as_a_test(test, term):
    answer = test(leavers(60, 2, strata="home"))
    # It is the score test of the effect that the next attack is on.
    assert answer.row(term)["p_value"] < 1e-4
    assert told(answer, RULES)[0][term, ""] is None
    assert told(test(leavers(60, 50, strata="home")), RULES)[0][term, ""] is not None


@pytest.mark.parametrize("fit", [
    lambda rows: parametric(rows, distribution="exponential"), cox], ids=["exponential", "cox"])
def test_exits_of_a_large_group_by_the_error_of_its_effect(fit):
    rows = leavers(60, 2, covariates=["home"])
    n_others = ((rows.event > 0) & (rows.covariates == 0).all(axis=1)).sum()
    answer = fit(rows)
    error = told(answer, NO_RULES, "std_error")[0]["home[z]", ""]
    assert round(1 / (error**2 - 1 / n_others)) == 2
    assert told(answer, RULES, "std_error")[0]["home[z]", ""] is None
    assert told(answer, RULES)[0]["home[n]", ""] is not None


def test_exits_of_the_reference_by_the_error_of_the_intercept():
    frame = pd.DataFrame({"weeks": [*range(1, 41)] * 2, "left": [1] * 2 + [0] * 38 + [1] * 40,
                          "home": ["a"] * 40 + ["b"] * 40})
    rows = AtRisk.from_frame(frame, exit="weeks", event="left", covariates=["home"])
    answer = parametric(rows, distribution="exponential")
    assert round(told(answer, NO_RULES, "std_error")[0]["(Intercept)", ""] ** -2) == 2
    assert set(told(answer, RULES)[0].values()) == {None}


@pytest.mark.parametrize("n_stay", [3, 30])
def test_persons_who_stay_as_the_cured_share(n_stay):
    frame = pd.DataFrame({"weeks": [1.0, 2, 3, 4, 5] * 20 + [90] * n_stay, "left": [1] * 100 + [0] * n_stay})
    fit = mixture_cure(AtRisk.from_frame(frame, exit="weeks", event="left"))
    for answer, key, share in ((cured_share(fit), ("cured_share", ""), lambda value: value),
                               (fit, ("incidence:(Intercept)", ""), lambda odds: 1 / (1 + np.exp(odds)))):
        assert round((100 + n_stay) * share(told(answer, NO_RULES)[0][key])) == n_stay
        assert (told(answer, RULES)[0][key] is None) == (n_stay == 3)


def test_one_exit_as_the_difference_of_two_intercepts():
    frame = pd.DataFrame({"weeks": [3] * 8 + [7] + [12] * 10 + [20] * 81, "left": [1] * 19 + [0] * 81,
                          "x": np.arange(100) % 2 - 0.5})
    rows = AtRisk.from_frame(frame, exit="weeks", event="left", covariates=["x"])
    answer = pseudo_regression(rows, weeks=[5, 9, 15])
    bare, protected = told(answer, NO_RULES)[0], told(answer, RULES)[0]
    assert round(100 * (bare["intercept[5]", ""] - bare["intercept[9]", ""])) == 1
    assert protected["intercept[9]", ""] is None
    assert protected["intercept[5]", ""] is not None and protected["intercept[15]", ""] is not None


def test_spread_between_three_caseworkers():
    answer = shared_frailty(leavers(60, 50, covariates=["home"], cluster="caseworker"))
    assert "frailty_variance" in told(answer, NO_RULES)[1]
    numbers, diagnostics = told(answer, RULES)
    assert numbers["frailty_variance", ""] is None
    assert all(diagnostics[key] is None for key in ("frailty_variance", "kendall_tau", "frailty_chi_square",
                                                    "frailty_p_value", "clusters"))


def test_how_many_are_treated_as_their_effective_number():
    design = pd.DataFrame({"age": np.arange(100.0) % 17, "flat": np.arange(100) % 2})
    answer = balance(design, np.arange(100) < 3, np.ones(100))
    assert answer.diagnostics["effective_treated"] == pytest.approx(3)
    numbers, diagnostics = told(answer, RULES)
    assert diagnostics["effective_treated"] is diagnostics["largest_before"] is None
    assert set(numbers.values()) == {None}
    numbers, diagnostics = told(balance(design, np.arange(100) < 43, np.ones(100)), RULES)
    assert None not in numbers.values()
    assert diagnostics["effective_treated"] == "45"


def test_level_that_three_of_the_treated_have_as_a_difference_of_means():
    flat = np.isin(np.arange(100), [0, 1, 2, *range(60, 80)])
    design = pd.DataFrame({"age": np.arange(100.0) % 17, "flat": flat * 1})
    answer = balance(design, np.arange(100) < 40, np.ones(100))
    # Both shares follow from the difference and its standard deviation; 3 / 40 is one of few that fit.
    assert told(answer, NO_RULES)[0]["flat", "before"] is not None
    protected = told(answer, RULES)[0]
    assert protected["flat", "before"] is protected["flat", "after"] is None
    assert protected["age", "before"] is not None


def test_weeks_in_which_persons_left_as_the_number_of_merged_steps():
    def merged(n_weeks, profile):
        frame = pd.DataFrame({"weeks": [1.0 + k % n_weeks for k in range(4)], "left": 1})
        answer = kaplan_meier(AtRisk.from_frame(frame, exit="weeks", event="left"))
        return release(answer, profile, name="answer").payload["suppressed"]["n_cells"]

    few = RULES.stricter(rounding_base=5)
    assert {merged(n, few) for n in (1, 2, 3, 4)} == {5}
    bare = type(NO_RULES)(**{**{name: getattr(NO_RULES, name) for name in NO_RULES.__dataclass_fields__},
                             "min_n": 5})
    assert [merged(n, bare) for n in (1, 2, 3, 4)] == [2, 3, 4, 5]


def test_probabilities_of_a_large_group_in_many_states_are_told():
    answer = transition_probabilities(movers(40), from_weeks=2, to_weeks=6)
    assert answer.table["n_persons"].min() >= 40
    numbers = told(answer, RULES)[0]
    assert None not in [numbers[f"{one} -> {other}", ""] for one in ("ON", "OFF") for other in ("ON", "OFF")]


CODES = {"hours": lambda rare: np.where(rare, 7.5, 0.0), "from 1": lambda rare: 1 + rare,
         "signs": lambda rare: np.where(rare, -1, 1), "the usual": lambda rare: ~rare * 1}


@pytest.mark.parametrize("code", CODES.values(), ids=CODES)
def test_effect_of_three_persons_under_another_code(code):
    rare = np.arange(300) >= 297
    frame = pd.DataFrame({"weeks": leavers(3, 3).exit, "left": 1, "x": code(rare),
                          "age": np.arange(300) % 41})
    answer = cox(AtRisk.from_frame(frame, exit="weeks", event="left", covariates=["x", "age"]))
    assert told(answer, NO_RULES)[0]["x", ""] is not None
    numbers = told(answer, RULES)[0]
    assert numbers["x", ""] is None
    assert numbers["age", ""] is not None
    # Nor as a prediction for what they have, be it 0.
    profile = pd.DataFrame({"x": code(np.array([True])), "age": 20}, index=["theirs"])
    assert "theirs" in {group for _, group in told(predict_survival(answer, profile), NO_RULES)[0]}
    assert told(predict_survival(answer, profile), RULES)[0] == {}


def test_survival_of_three_persons_whose_effect_changes():
    frame = pd.DataFrame({"weeks": leavers(3, 3).exit, "left": 1, "rare": (np.arange(300) >= 297) * 1})
    rows = AtRisk.from_frame(frame, exit="weeks", event="left", covariates=["rare"])
    profile = pd.DataFrame({"rare": [1]}, index=["theirs"])
    answer = predict_survival(cox(rows, varying={"rare": (2,)}), profile)
    assert ("survival", "theirs") in told(answer, NO_RULES)[0]
    assert told(answer, RULES)[0] == {}


def test_one_exit_in_a_group_of_many_as_a_standardised_mean():
    """One of forty leaves, in week 2, while half of the others do."""
    frame = pd.DataFrame({"weeks": [2.0, *[30] * 39, *range(1, 41), *[30] * 40],
                          "left": [1, *[0] * 39, *[1] * 40, *[0] * 40],
                          "home": ["a"] * 40 + ["b"] * 80, "x": np.arange(120) % 2})
    rows = AtRisk.from_frame(frame.assign(weeks=frame["weeks"].clip(upper=30)), exit="weeks", event="left",
                             strata="home", covariates=["x"])
    answer = standardised_contrasts(rows, exposure="strata", horizon_weeks=20)
    bare, protected = told(answer, NO_RULES)[0], told(answer, RULES)[0]
    assert round(40 * (20 - bare["restricted_mean", "a"])) == 18
    assert protected["restricted_mean", "a"] is protected["restricted_mean_difference", "b"] is None
    assert protected["restricted_mean", "b"] is not None
    curve = standardised_survival(rows, exposure="strata")
    weeks = release(curve, RULES, name="answer").payload["rows"]
    assert not [row for row in weeks if row[1] == "a" and row[2] != "0"]
    assert len([row for row in weeks if row[1] == "b"]) > 4
