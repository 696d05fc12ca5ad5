"""Attacks on survival models: each first succeeds with the protection off, then fails with it on."""

import numpy as np
import pandas as pd
import pytest
from attacked_run import NO_RULES, RULES

from evalkit.atrisk import AtRisk
from evalkit.disclosure import release
from evalkit.estimators import (
    aalen_johansen,
    gray_test,
    log_rank,
    parametric,
    parametric_mean,
    predict_parametric,
    restricted_mean,
    state_occupation,
    survival_quantiles,
    time_lost,
)
from evalkit.result import Estimand, Result, tidy


def told(answer, profile):
    """Return the released numbers by term, group and week, and the diagnostics."""
    payload = release(answer, profile, name="answer").payload
    numbers = {tuple(row[:3]): None if row[3] is None else float(row[3]) for row in payload["rows"]}
    return numbers, payload["diagnostics"]


def course(n=300, rare=3, **columns):
    """Weekly exits of two large groups and one of three persons, who leave by a cause of their own."""
    rng = np.random.default_rng(4)
    frame = pd.DataFrame({"weeks": np.minimum(rng.geometric(0.08, n), 30), "left": rng.integers(0, 3, n),
                          "group": np.where(np.arange(n) % 2, "A", "B")})
    frame.loc[:rare - 1, ["left", "group", "weeks"]] = [3, "Rare", 2]
    return AtRisk.from_frame(frame, exit="weeks", event="left", causes=["JOB", "STUDY", "DEATH"], **columns)


def test_mean_of_three_persons_as_a_difference_from_another_mean():
    answer = restricted_mean(course(strata="group"), horizon_weeks=6)
    key = [("restricted_mean", "A", "6"), ("restricted_mean_difference", "Rare", "6")]
    # Three rows of three persons are more terms than any rules allow: the attacker needs but two numbers.
    bare = [answer.row(term, group)["estimate"] for term, group, _ in key]
    protected = told(answer, RULES)[0]
    assert sum(bare) == pytest.approx(2.0, abs=1e-5)
    assert protected[key[0]] is not None
    assert protected[key[1]] is None
    assert protected["restricted_mean_ratio", "Rare", "6"] is None


def test_weeks_lost_to_a_rare_cause_as_the_rest_of_the_horizon():
    answer = time_lost(course(), horizon_weeks=10)
    names = ["restricted_mean", "time_lost[JOB]", "time_lost[STUDY]"]
    bare, protected = told(answer, NO_RULES)[0], told(answer, RULES)[0]
    rest = 10 - sum(bare[name, "", "10"] for name in names)
    assert rest == pytest.approx(3 * 8 / 300, rel=0.05)
    assert sum(protected[name, "", "10"] is None for name in [*names, "time_lost[DEATH]"]) == 2


def test_curve_of_a_rare_cause_as_the_rest_of_the_others():
    answer = aalen_johansen(course())

    def rests(profile):
        numbers = told(answer, profile)[0]
        weeks = {week for _, _, week in numbers if week != "0"}
        others = [[numbers.get((term, "", week)) for term in ("survival", "JOB", "STUDY")] for week in weeks]
        return [1 - sum(values) for values in others if None not in values]

    assert max(rests(NO_RULES)) == pytest.approx(3 / 300, rel=0.05)
    assert rests(RULES) == []


def test_week_of_one_exit_by_means_up_to_horizons_in_a_row():
    frame = pd.DataFrame({"weeks": [3] * 8 + [7] + [12] * 10 + [20] * 41, "left": [1] * 19 + [0] * 41})
    answer = restricted_mean(AtRisk.from_frame(frame, exit="weeks", event="left"),
                             horizon_weeks=np.arange(1, 16))

    def steps(profile):
        numbers = told(answer, profile)[0]
        level = [numbers["restricted_mean", "", str(week)] for week in range(1, 16)]
        known = [None if None in pair else pair[1] - pair[0] for pair in zip(level, level[1:], strict=False)]
        return {week for week, pair in enumerate(zip(known, known[1:], strict=False), start=2)
                if None not in pair and pair[0] - pair[1] > 0.01}

    assert 7 in steps(NO_RULES)
    assert 7 not in steps(RULES)


def test_weeks_of_single_persons_as_quantiles():
    frame = pd.DataFrame({"weeks": [3] * 8 + [7] + [12] * 10 + [20] * 41, "left": [1] * 19 + [0] * 41})
    answer = survival_quantiles(AtRisk.from_frame(frame, exit="weeks", event="left"), probs=[0.1, 0.14, 0.2])
    assert 7.0 in told(answer, NO_RULES)[0].values()
    assert set(told(answer, RULES)[0].values()) == {3.0, 12.0}


def test_score_of_three_persons_as_the_rest_of_the_scores():
    answer = gray_test(course(strata="group"), cause="JOB")
    bare, protected = told(answer, NO_RULES)[0], told(answer, RULES)[0]
    assert -bare["score", "A", None] - bare["score", "B", None] == pytest.approx(
        bare["score", "Rare", None], abs=1e-5)
    assert sum(value is None for (term, _, _), value in protected.items() if term == "score") == 2
    assert protected["gray", "", None] is None


def test_exact_events_of_a_group_in_a_test():
    answer = log_rank(course(strata="group"))
    observed = answer.row("observed", "A")["n_events"]
    assert told(answer, NO_RULES)[0]["observed", "A", None] == observed
    protected = told(answer, RULES)[0]
    assert protected["observed", "A", None] % RULES.rounding_base == 0
    assert protected["expected", "A", None] % RULES.rounding_base == 0
    assert protected["log_rank", "", None] is None


def last_alone(n_last):
    frame = pd.DataFrame({"weeks": [*range(1, 41), *[57] * n_last], "left": [1] * 40 + [0] * n_last})
    return parametric(AtRisk.from_frame(frame, exit="weeks", event="left"), distribution="exponential")


def test_last_week_of_one_person_as_the_share_beyond_it():
    fit = last_alone(1)
    numbers, diagnostics = told(parametric_mean(fit), NO_RULES)
    weeks = -np.log(numbers["share_beyond", "", None]) * numbers["mean", "", None]
    assert weeks == pytest.approx(57, abs=0.01)
    assert diagnostics["last_observed_weeks"] == "57"
    numbers, diagnostics = told(parametric_mean(fit), RULES)
    assert numbers["share_beyond", "", None] is None
    assert diagnostics == {"share_beyond": None, "last_observed_weeks": None}
    assert told(predict_parametric(fit, weeks=5), RULES)[1]["last_observed_weeks"] is None
    # The weeks that are told where none is asked for end with a quarter that ten have reached.
    assert max(int(week) for _, _, week in told(predict_parametric(fit), RULES)[0]) == 26
    # Where many are followed so long it is the end of the data.
    assert told(parametric_mean(last_alone(9)), RULES)[1]["last_observed_weeks"] == "57"


def test_events_of_an_exponential_model_as_its_likelihood():
    fit = last_alone(9)
    numbers, diagnostics = told(fit, NO_RULES)
    rate = np.exp(-numbers["(Intercept)", "", None])
    likelihood = float(fit.diagnostics["log_likelihood"])
    assert round(likelihood / (np.log(rate) - 1)) == 40
    assert diagnostics["log_likelihood"] is None
    assert diagnostics["aic"] is None


def rare_level(level):
    frame = pd.DataFrame({"weeks": [2.0] * 3 + list(range(1, 41)) * 2, "left": 1,
                          "home": [level] * 3 + ["m"] * 40 + ["n"] * 40})
    return parametric(AtRisk.from_frame(frame, exit="weeks", event="left", covariates=["home"]),
                      distribution="exponential")


def test_mean_of_three_persons_as_a_prediction_for_their_level():
    fit = rare_level("z")
    profiles = pd.DataFrame({"home[n]": [0, 0], "home[z]": [0, 1]}, index=["m", "z"])
    answer = parametric_mean(fit, profiles)
    assert told(answer, NO_RULES)[0]["mean", "z", None] == pytest.approx(2, abs=1e-4)
    protected = told(answer, RULES)[0]
    assert protected["mean", "m", None] == pytest.approx(20.5, abs=1e-3)
    assert protected["mean", "z", None] is protected["mean_difference", "z", None] is None


def test_mean_of_three_persons_who_are_the_reference_level():
    fit = rare_level("a")
    assert np.exp(told(fit, NO_RULES)[0]["(Intercept)", "", None]) == pytest.approx(2, abs=1e-4)
    protected = told(fit, RULES)[0]
    assert protected["(Intercept)", "", None] is None
    assert protected["home[m]", "", None] is protected["home[n]", "", None] is None


def test_share_of_a_rare_state_as_the_rest_of_the_shares():
    frame = pd.DataFrame({"person": np.arange(100), "state": ["ON"] * 57 + ["OFF"] * 40 + ["AWAY"] * 3,
                          "from": 0, "to": 9, "then": None})
    frame.loc[[0, 57, 99], "then"] = ["OFF", "AWAY", "ON"]
    at_risk = AtRisk.from_frame(frame, entry="from", exit="to", state="state", event="then", person="person")
    answer = state_occupation(at_risk, horizon_weeks=8, weeks=4)
    bare, protected = told(answer, NO_RULES)[0], told(answer, RULES)[0]
    assert 1 - bare["share[ON]", "", "4"] - bare["share[OFF]", "", "4"] == pytest.approx(0.03, abs=1e-5)
    shares = {term: value for (term, _, _), value in protected.items() if term.startswith("share")}
    assert shares["share[AWAY]"] is shares["share[OFF]"] is None
    assert shares["share[ON]"] == 0.57


def test_numbers_behind_other_rows_are_behind_none():
    table = tidy(term=["a", "b"], estimate=[1.5, 2.5], n_persons=90.0)
    answer = Result(kind="model", estimand=Estimand(name="a"), table=table,
                    model={"n_behind": np.array([90.0])})
    assert list(told(answer, RULES)[0].values()) == [None, None]
