"""Weeks in which nobody is at risk: every estimator that reads a curve says them, in one form."""

from functools import partial

import numpy as np
import pandas as pd
import pytest

from evalkit import estimators
from evalkit.atrisk import AtRisk

WORLDS = {"exposure": "treated"}
FIRST, SECOND = ("A", 0.0, 2.0), ("A", 5.0, 7.0)
PROFILE = pd.DataFrame({"treated": [1]})


def table(groups="AB"):
    """In A nobody is seen before week 2, and nobody from 5 to 7; B is seen all the time."""
    rng = np.random.default_rng(2)
    waves = [("A", 2, 5), ("A", 7, 12), ("B", 0, 12)]
    frame = pd.concat([pd.DataFrame({"group": name, "entry": begin,
                                     "exit": np.append(rng.integers(begin + 1, end + 1, 40), end)})
                       for name, begin, end in waves], ignore_index=True)
    frame = frame.assign(treated=np.arange(len(frame)) % 2, event=rng.integers(0, 3, len(frame)))
    # The last of each wave is censored: nobody's curve falls to 0.
    frame.loc[frame["exit"].isin([5, 12]), "event"] = 0
    frame = frame[frame["group"].isin(list(groups))]
    return AtRisk.from_frame(frame, entry="entry", exit="exit", event="event", causes=["JOB", "STUDY"],
                             strata="group", covariates=["treated"])


def predicted(predict, fit, **options):
    return lambda at_risk, **more: predict(fit(at_risk), PROFILE, **options, **more)


CURVES = {
    "aalen_johansen": estimators.aalen_johansen,
    "bootstrap": partial(estimators.bootstrap, statistic=estimators.kaplan_meier, n_replications=39, seed=1,
                         max_failed_share=0.5),
    "kaplan_meier": estimators.kaplan_meier,
    "nelson_aalen": estimators.nelson_aalen,
    "predict_incidence, causes": predicted(estimators.predict_incidence, estimators.cause_specific),
    "predict_incidence, fine_gray": predicted(estimators.predict_incidence,
                                              partial(estimators.fine_gray, cause="JOB")),
    "predict_survival": predicted(estimators.predict_survival, estimators.cox),
    "standardised_survival": partial(estimators.standardised_survival, **WORLDS),
    "survival_quantiles": estimators.survival_quantiles,
}
UNTIL = {
    "predict_incidence": (predicted(estimators.predict_incidence, estimators.cause_specific), "weeks"),
    "predict_survival": (predicted(estimators.predict_survival, estimators.cox), "weeks"),
    "restricted_mean": (estimators.restricted_mean, "horizon_weeks"),
    "standardised_contrasts": (partial(estimators.standardised_contrasts, **WORLDS), "horizon_weeks"),
    "standardised_survival": (partial(estimators.standardised_survival, **WORLDS), "weeks"),
    "time_lost": (estimators.time_lost, "horizon_weeks"),
}


def told(answer):
    assert answer.diagnostics["n_gaps"] == len(answer.model["gaps"])
    return answer.model["gaps"]


@pytest.mark.parametrize("name", sorted(CURVES))
def test_a_curve_says_its_gaps(name):
    assert told(CURVES[name](table())) == (FIRST, SECOND)


@pytest.mark.parametrize("name", sorted(UNTIL))
def test_what_ends_before_a_gap_does_not_depend_on_it(name):
    ask, option = UNTIL[name]
    assert told(ask(table(), **{option: 9})) == (FIRST, SECOND)
    assert told(ask(table(), **{option: 5})) == (FIRST,)


@pytest.mark.parametrize("name", sorted({**CURVES, **UNTIL}))
def test_who_is_always_seen_has_no_gap(name):
    ask, option = UNTIL.get(name, (CURVES.get(name), None))
    assert told(ask(table("B"), **({option: 9} if option else {}))) == ()


def test_what_begins_after_a_gap_does_not_depend_on_it():
    for start, gaps in ((0, (FIRST, SECOND)), (2, (SECOND,)), (6, (("A", 6.0, 7.0),)), (7, ())):
        assert told(estimators.kaplan_meier(table(), start_weeks=start)) == gaps
    for start, gaps in ((2, (SECOND,)), (8, ())):
        assert told(estimators.residual_time(table(), elapsed_weeks=start, horizon_weeks=4)) == gaps
    assert told(estimators.residual_time(table(), elapsed_weeks=2, horizon_weeks=3)) == ()
    frame = pd.DataFrame([(0, 5, 0), (7, 12, 0), (9, 12, 1)], columns=["entry", "exit", "event"])
    at_risk = AtRisk.from_frame(frame, entry="entry", exit="exit", event="event")
    assert told(estimators.residual_time(at_risk, elapsed_weeks=8, horizon_weeks=2)) == ()


def test_only_the_strata_asked_for_have_gaps():
    profile = PROFILE.assign(strata="B")
    fits = (estimators.cox(table()), estimators.cause_specific(table()))
    for predict, fit in zip((estimators.predict_survival, estimators.predict_incidence), fits, strict=True):
        assert told(predict(fit, profile)) == ()


def test_a_mean_over_a_gap_is_an_upper_bound():
    """As if all who were still there at its beginning were there at its end: nothing else is larger."""
    rows = [(0, 2, 1), (0, 3, 0), (5, 9, 1), (5, 9, 0)]
    frame = pd.DataFrame(rows, columns=["entry", "exit", "event"])
    seen = pd.concat([frame, pd.DataFrame([(3, 5, 1), (3, 5, 0)], columns=frame.columns)])
    with_gap, without = (estimators.restricted_mean(
        AtRisk.from_frame(part, entry="entry", exit="exit", event="event"), horizon_weeks=8)
        for part in (frame, seen))
    assert told(with_gap) == (("", 3.0, 5.0),) and told(without) == ()
    assert with_gap.table["estimate"][0] > without.table["estimate"][0]
