"""Attacks by the weeks that answers are asked for: neighbours in time, and where the data end."""

import json
import re
from functools import partial

import numpy as np
import pandas as pd
import pytest
from attacked_run import NO_RULES, RULES

from evalkit.atrisk import AtRisk
from evalkit.disclosure import release
from evalkit.estimators import (
    aalen_johansen,
    cured_share,
    discrete_hazard,
    kaplan_meier,
    mixture_cure,
    parametric,
    parametric_mean,
    piecewise_exponential,
    predict_hazard,
    predict_parametric,
    residual_time,
    restricted_mean,
    royston_parmar,
    state_occupation,
    time_lost,
    transition_probabilities,
)


def told(answer, profile):
    """Return the released estimates by term, group and week; what is kept back is None."""
    rows = release(answer, profile, name="answer").payload["rows"]
    return {tuple(row[:3]): None if row[3] is None else float(row[3]) for row in rows}


def difference(numbers, one, other):
    """Return one number less the other; None where either is kept back."""
    pair = numbers.get(one), numbers.get(other)
    return None if None in pair else pair[0] - pair[1]


def stock(week):
    """A hundred persons of whom one leaves in a week between those in which many do."""
    frame = pd.DataFrame({"weeks": [3] * 10 + [week] + [12] * 10 + [30] * 79, "left": [1] * 21 + [0] * 79})
    return AtRisk.from_frame(frame, exit="weeks", event="left")


@pytest.mark.parametrize("week", [6, 8])
def test_week_of_one_exit_by_neighbouring_elapsed_weeks(week):
    elapsed = np.arange(4, 10)
    answer = residual_time(stock(week), elapsed_weeks=elapsed, horizon_weeks=14 - elapsed[::-1])

    def found(profile):
        numbers = told(answer, profile)
        until = {e: numbers.get((f"residual_survival[{e}]", "", f"{14 - e}")) for e in elapsed}
        return [e + 1 for e in elapsed[:-1] if None not in (until[e], until[e + 1])
                and until[e + 1] - until[e] > 0.005]

    assert found(NO_RULES) == [week]
    assert found(RULES) == []
    assert sum(value is not None for value in told(answer, RULES).values()) >= 12


@pytest.mark.parametrize("term", ["residual_survival[0]", "residual_mean[0]"])
def test_week_of_one_exit_by_neighbouring_horizons(term):
    answer = residual_time(stock(7), elapsed_weeks=0, horizon_weeks=np.arange(4, 12))

    def steps(profile):
        numbers = told(answer, profile)
        step = [difference(numbers, (term, "", f"{k + 1}"), (term, "", f"{k}")) for k in range(4, 11)]
        after = step[1:] if "mean" in term else [0.0] * 6
        return [week for week, pair in enumerate(zip(step, after, strict=False), start=5)
                if None not in pair and abs(pair[0] - pair[1]) > 0.005]

    assert steps(NO_RULES) == [7]
    assert steps(RULES) == []


@pytest.mark.parametrize(("ask", "term"), [
    (partial(residual_time, elapsed_weeks=0), "residual_mean[0]"), (restricted_mean, "restricted_mean"),
    (time_lost, "restricted_mean")], ids=["residual", "restricted", "lost"])
def test_two_who_are_left_by_the_mean_weeks_up_to_two_horizons(ask, term):
    frame = pd.DataFrame({"weeks": [*range(1, 39), 60, 60], "left": [1] * 38 + [0] * 2})
    answer = ask(AtRisk.from_frame(frame, exit="weeks", event="left"), horizon_weeks=[30, 40, 50])

    def left(profile):
        step = difference(told(answer, profile), (term, "", "50"), (term, "", "40"))
        return None if step is None else round(40 * step / 10)

    assert left(NO_RULES) == 2
    assert left(RULES) is None
    assert told(answer, RULES)[term, "", "40"] is not None
    assert told(answer, RULES).get(("residual_survival[0]", "", "40")) is None


def away(n_away):
    """Persons of whom ten are away in weeks 1 and 2, a few in week 4 and others later."""
    parts = [(k, 0, 20, "ON", None) for k in range(60)]
    for k in range(60, 100):
        first, last = (1, 3) if k < 70 else (4, 5) if k < 70 + n_away else (10 + k % 5, 16)
        parts += [(k, 0, first, "ON", "AWAY"), (k, first, last, "AWAY", "OFF"), (k, last, 20, "OFF", None)]
    frame = pd.DataFrame(parts, columns=["person", "from", "to", "now", "then"])
    return AtRisk.from_frame(frame, entry="from", exit="to", state="now", event="then", person="person")


def test_share_of_three_persons_as_weeks_until_neighbouring_horizons():
    answer = state_occupation(away(3), horizon_weeks=[4, 5, 18], weeks=4)
    bare, protected = told(answer, NO_RULES), told(answer, RULES)
    horizons = ("weeks[AWAY]", "", "5"), ("weeks[AWAY]", "", "4")
    assert bare["share[AWAY]", "", "4"] == pytest.approx(0.03)
    assert difference(bare, *horizons) == pytest.approx(0.03)
    assert protected["share[AWAY]", "", "4"] is None
    assert difference(protected, *horizons) is None
    # Nor as the rest of what is told of the other states at both horizons.
    others = [difference(protected, (f"weeks[{state}]", "", "5"), (f"weeks[{state}]", "", "4"))
              for state in ("ON", "OFF")]
    assert None in others
    assert protected["weeks[AWAY]", "", "18"] is not None
    shown = told(state_occupation(away(9), horizon_weeks=[4, 5, 18]), RULES)
    assert shown["weeks[AWAY]", "", "5"] is not None


@pytest.mark.parametrize(("ask", "term"), [
    (partial(state_occupation, horizon_weeks=18), "share[DEAD]"),
    (partial(transition_probabilities, from_weeks=2), "ALIVE -> DEAD")], ids=["share", "probability"])
def test_week_of_one_death_by_shares_in_a_state_that_nobody_leaves(ask, term):
    death = [5] * 8 + [9] + [14] * 8 + [20] * 83
    frame = pd.DataFrame({"person": np.arange(100), "from": 0, "to": death, "now": "ALIVE",
                          "then": ["DEAD"] * 17 + [None] * 83})
    at_risk = AtRisk.from_frame(frame, entry="from", exit="to", state="now", event="then", person="person")
    weeks = "weeks" if "share" in term else "to_weeks"
    answer = ask(at_risk, **{weeks: np.arange(6, 16)})

    def rises(profile):
        numbers = told(answer, profile)
        steps = {week: difference(numbers, (term, "", f"{week}"), (term, "", f"{week - 1}"))
                 for week in range(7, 16)}
        return [week for week, step in steps.items() if step and step < 0.015]

    assert rises(NO_RULES) == [9]
    assert rises(RULES) == []


def last_alone(column="weeks"):
    frame = pd.DataFrame({column: [*range(1, 41), 57], "left": [1] * 40 + [0]})
    return AtRisk.from_frame(frame, exit=column, event="left")


@pytest.mark.parametrize("answer", [
    lambda rows: piecewise_exponential(rows, breaks=[13]),
    lambda rows: predict_parametric(parametric(rows), weeks=[13, 26]),
    lambda rows: parametric_mean(parametric(rows)),
    lambda rows: parametric_mean(parametric(rows), horizon_weeks=[20, 80]),
    lambda rows: cured_share(mixture_cure(rows, start="moments")),
    lambda rows: royston_parmar(rows, df=2),
], ids=["rates", "predicted", "mean", "means", "cured", "spline"])
def test_last_week_of_one_person_by_where_an_answer_ends(answer):
    found = answer(last_alone())
    assert "57" in texts(found, NO_RULES)
    assert not {"57", "57.000", "57.000000"} & texts(found, RULES)


def texts(answer, profile):
    """Return every word of what leaves."""
    return set(re.findall(r"[\w.]+", json.dumps(release(answer, profile, name="answer").payload)))


def test_weeks_of_single_persons_as_the_names_of_terms():
    fit = discrete_hazard(stock(7), duration="week")
    assert "duration[7]" in {term for term, _, _ in told(fit, NO_RULES)}
    assert {term for term, _, _ in told(fit, RULES)} == {"duration[3]"}


def test_one_exit_between_two_weeks_by_the_errors_of_their_hazards():
    fit = discrete_hazard(stock(7), duration="week")

    def at_risk(profile, term):
        """Return the one number at risk, near what is told of it, by which hazard and error are as told."""
        rows = release(fit, profile, name="answer").payload["rows"]
        row = next((row for row in rows if row[0] == term), None)
        if row is None:
            return None
        near = [(n, d / n) for n in range(int(row[8]) - 4, int(row[8]) + 5) for d in range(1, 16)]
        found = [n for n, h in near if abs(np.log(-np.log(1 - h)) - float(row[3])) < 5e-4
                 and abs(np.sqrt(h / (1 - h) / n) / -np.log(1 - h) - float(row[4])) < 5e-4]
        return found[0] if len(found) == 1 else None

    assert at_risk(NO_RULES, "duration[3]") - 10 - at_risk(NO_RULES, "duration[12]") == 1
    assert at_risk(RULES, "duration[3]") == 100
    assert at_risk(RULES, "duration[12]") is None


def test_one_exit_as_the_hazard_and_two_survivals_around_it():
    frame = pd.DataFrame({"weeks": [5] * 8 + [6] + [7] * 8 + [9] * 83, "left": [1] * 17 + [0] * 83})
    rows = AtRisk.from_frame(frame, exit="weeks", event="left")
    answer = predict_hazard(discrete_hazard(rows), weeks=[5, 7])

    def between(profile):
        numbers = told(answer, profile)
        values = [numbers[key] for key in (("survival", "", "7"), ("hazard", "", "7"), ("survival", "", "5"))]
        return None if None in values else round(92 * (1 - values[0] / (1 - values[1]) / values[2]))

    assert between(NO_RULES) == 1
    assert between(RULES) is None
    assert told(answer, RULES)["survival", "", "7"] == 0.83


def test_rate_of_two_exits_between_survivals_of_other_pieces():
    frame = pd.DataFrame({"weeks": [*[1, 2, 3] * 5, 6, 7, *range(9, 29), *[30] * 63],
                          "left": [1] * 37 + [0] * 63})
    fit = piecewise_exponential(AtRisk.from_frame(frame, exit="weeks", event="left"), breaks=[4, 8])
    answer = predict_hazard(fit, weeks=[2, 4, 12, 16])

    def between(profile):
        """Go on from week 4 and back from week 12 along the rate after week 8."""
        numbers = told(answer, profile)
        values = [numbers["survival", "", week] for week in ("4", "12", "16")]
        if None in values:
            return None
        at_8 = values[1] * values[1] / values[2]
        return round(-np.log(at_8 / values[0]) * 84)

    assert between(NO_RULES) == 2
    assert between(RULES) is None


def test_weeks_of_events_as_the_knots_of_a_spline():
    fit = royston_parmar(last_alone(), df=3)
    assert fit.model["knots"] == pytest.approx(np.log([1, 14, 27, 40]))
    assert release(fit, RULES, name="answer").payload["provenance"]["options"]["knots_weeks"] is None
    fit = discrete_hazard(last_alone(), duration={"knots": 3})
    assert fit.diagnostics["knots"] == [4, 20, 36]
    assert release(fit, RULES, name="answer").payload["diagnostics"]["knots"] is None


@pytest.mark.parametrize("answer", [
    lambda rows: predict_hazard(piecewise_exponential(rows, breaks=[13])),
    lambda rows: predict_hazard(discrete_hazard(rows, duration=None)),
    lambda rows: predict_parametric(parametric(rows)),
], ids=["rates", "hazard", "parametric"])
def test_weeks_that_nobody_asked_for_end_where_ten_persons_have_been(answer):
    assert answer(last_alone()).table["time_weeks"].tolist() == [*range(1, 27)] * 2


def test_exits_between_the_steps_of_two_curves_of_the_same_persons():
    """Two of one cause and three of the other in turn: their curves and that of all take other steps."""
    weeks = np.repeat(np.arange(1, 21), 3)
    frame = pd.DataFrame({"weeks": [*weeks, *[30] * 140], "left": [*([1, 1, 2] * 20), *[0] * 140]})
    at_risk = AtRisk.from_frame(frame, exit="weeks", event="left", causes=["JOB", "STUDY"])
    answers = kaplan_meier(at_risk), aalen_johansen(at_risk)

    def fewest(profile):
        """Return the fewest exits that lie between two weeks at which either curve of all is told."""
        level = {}
        for answer in answers:
            numbers = told(answer, profile)
            level |= {float(week): value for (term, _, week), value in numbers.items() if term == "survival"}
        steps = -np.diff([level[week] for week in sorted(level)])
        return min(round(200 * step) for step in steps if step > 0)

    assert fewest(NO_RULES) == 3
    assert fewest(RULES) >= RULES.min_events
    assert len(told(answers[1], RULES)) > 6
