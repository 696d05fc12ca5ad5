"""What cannot be answered about states is refused, with where, how many, and what to do."""

from functools import partial

import numpy as np
import pandas as pd
import pytest

from evalkit.atrisk import AtRisk
from evalkit.errors import EstimationError
from evalkit.estimators import (
    aalen_johansen,
    markov_test,
    state_occupation,
    transition_cox,
    transition_probabilities,
)

CHAIN = {"entry": "entry", "exit": "exit", "state": "state", "event": "event", "person": "person"}


def frame_of(n=40, **columns):
    """Persons who are in A, then B, then A again; leaving at staggered weeks."""
    rows = []
    for person in range(n):
        first, second = 2 + person % 5, 9 + person % 4
        rows += [(person, 0, first, "A", "B"), (person, first, second, "B", "A"),
                 (person, second, 15, "A", None)]
    frame = pd.DataFrame(rows, columns=["person", "entry", "exit", "state", "event"])
    return frame.assign(x=np.random.default_rng(1).normal(size=n)[frame["person"]], place=frame["person"] % 3,
                        w=1.5).assign(**columns)


def table_of(frame, leave=(), **more):
    columns = {key: value for key, value in CHAIN.items() if key not in leave}
    return AtRisk.from_frame(frame, **columns, **more)


def ask(at_risk, **options):
    return transition_probabilities(at_risk, **{"from_weeks": 3, "to_weeks": 8, **options})


def test_transition_probabilities_need_states_and_persons():
    plain = AtRisk.from_frame(pd.DataFrame({"weeks": [1, 2], "left": [1, 0]}), exit="weeks", event="left")
    with pytest.raises(EstimationError, match=r"no states; name their column"):
        ask(plain)
    with pytest.raises(EstimationError, match=r"no person is named; name the column"):
        ask(table_of(frame_of(), leave=["person"]))
    cells = table_of(frame_of(), cluster="place").compress()
    assert ask(cells).table["estimate"].notna().all()
    with pytest.raises(EstimationError, match=r"method='landmark'.*must be found again.*do not compress"):
        ask(cells, method="landmark")
    with pytest.raises(EstimationError, match="1 cluster; errors between clusters need at least 2"):
        ask(table_of(frame_of(place=1), cluster="place"))
    grouped = table_of(frame_of(town=lambda d: d["place"] % 2 * d["person"]), strata="place", cluster="town")
    for question in (ask, partial(state_occupation, horizon_weeks=8)):
        with pytest.raises(EstimationError, match="2 of the strata within one cluster, the first of them 0;"):
            question(grouped)


@pytest.mark.parametrize("options", [{"from_weeks": -1}, {"from_weeks": np.nan}, {"to_weeks": 3},
                                     {"to_weeks": []}, {"to_weeks": [5, np.inf]}, {"method": "markov"},
                                     {"conf_type": "logit"}, {"conf_level": 95}])
def test_options_outside_their_values_are_refused(options):
    with pytest.raises(ValueError, match=next(iter(options))):
        ask(table_of(frame_of()), **options)


@pytest.mark.parametrize("method", ["aalen_johansen", "landmark"])
def test_a_week_without_anybody_is_refused(method):
    with pytest.raises(EstimationError, match="seen in a state at week 15 can be followed to week 20"):
        ask(table_of(frame_of()), from_weeks=15, to_weeks=20, method=method)
    with pytest.raises(EstimationError, match=r"followed to week 20. Choose an earlier week, or pool groups"):
        ask(table_of(frame_of()), to_weeks=20, method=method)


def test_an_empty_group_is_named_and_the_others_answered():
    frame = pd.concat([frame_of(arm="early"), frame_of(arm="late").assign(
        person=lambda d: d["person"] + 100, entry=lambda d: d["entry"] + 5, exit=lambda d: d["exit"] + 5)])
    result = ask(table_of(frame, strata="arm"))
    known = result.table.groupby("group")["estimate"].count()
    assert known.to_dict() == {"early": 4, "late": 0}
    assert result.diagnostics["not_estimable"] == ["stratum late: A to week 8", "stratum late: B to week 8"]


def test_markov_test_refuses_what_it_cannot_judge():
    with pytest.raises(EstimationError, match="has no states"):
        markov_test(AtRisk.from_frame(frame_of(), exit="exit", entry="entry", event="event", person="person"),
                    from_weeks=3)
    with pytest.raises(EstimationError, match="must be found again"):
        markov_test(table_of(frame_of(), cluster="place").compress(), from_weeks=3)
    for more in ({"cluster": "place"}, {"weight": "w"}):
        with pytest.raises(EstimationError, match="independent, unweighted persons"):
            markov_test(table_of(frame_of(), **more), from_weeks=3)
    with pytest.raises(EstimationError, match="markov_test: no movement among 40 persons"):
        markov_test(table_of(frame_of().assign(event=None).drop_duplicates("person"), causes=["A", "B"]),
                    from_weeks=1)
    with pytest.raises(EstimationError, match="no movement, after any of the weeks"):
        markov_test(table_of(frame_of()), from_weeks=1)
    for told, options in (("from_weeks", {"from_weeks": []}), ("to_weeks", {"to_weeks": 8}),
                          ("from_weeks", {"from_weeks": [1, 2], "to_weeks": 8, "method": "difference"}),
                          ("to_weeks", {"method": "difference"}), ("method", {"method": "sup"}),
                          ("conf_level", {"conf_level": 0})):
        with pytest.raises(ValueError, match=told):
            markov_test(table_of(frame_of()), **{"from_weeks": 3, **options})
    with pytest.raises(EstimationError, match="can be compared with others"):
        markov_test(table_of(frame_of()), from_weeks=1, to_weeks=8, method="difference")


def test_transition_cox_refuses_what_it_cannot_fit():
    at_risk = table_of(frame_of(), covariates=["x"])
    with pytest.raises(EstimationError, match="no covariates; name them"):
        transition_cox(table_of(frame_of()))
    still = frame_of().assign(event=None).drop_duplicates("person")
    with pytest.raises(EstimationError, match="no movement among 40 persons"):
        transition_cox(table_of(still, covariates=["x"], causes=["A", "B"]))
    for options in ({"clock": "calendar"}, {"shared": ["z"]}, {"shared": "x"}, {"transitions": ["A -> C"]},
                    {"transitions": []}, {"transitions": "A -> B"}, {"ties": "exact"}):
        with pytest.raises(ValueError, match=next(iter(options))):
            transition_cox(at_risk, **options)


def test_a_movement_that_cannot_be_fitted_is_named_with_the_way_out():
    frame = frame_of()
    frame = frame.assign(x=frame["x"].where(frame["state"] == "A", 1.0))
    with pytest.raises(EstimationError, match=r"B -> A: .*x: constant.*share the effect, or leave the"):
        transition_cox(table_of(frame, covariates=["x"]))
    assert len(transition_cox(table_of(frame, covariates=["x"]), transitions=["A -> B"]).table) == 1
    assert len(transition_cox(table_of(frame, covariates=["x"]), shared=["x"]).table) == 1


def test_a_stay_of_unknown_beginning_has_no_clock_of_its_own():
    frame = frame_of()
    late = frame[(frame["person"] > 2) | (frame["entry"] > 0)]
    at_risk = table_of(late, covariates=["x"])
    assert len(transition_cox(at_risk).table) == 2
    with pytest.raises(EstimationError, match=r"clock='reset': 3 of 40 persons .* beginning is unknown"):
        transition_cox(at_risk, clock="reset")
    gap = frame[~((frame["person"] == 5) & (frame["state"] == "B"))]
    with pytest.raises(EstimationError, match=r"1 of 40 persons .* again after a gap"):
        transition_cox(table_of(gap, covariates=["x"]), clock="reset")
    with pytest.raises(EstimationError, match="must be found again"):
        transition_cox(table_of(frame, covariates=["x"], cluster="place").compress(), clock="reset")


def test_a_state_that_should_hold_persons_but_is_not_observed_is_said():
    """Half of A leaves at week 2, the others are lost at week 3: nobody in A is seen when B moves."""
    rows = [(1, 0, 2, "A", "B"), (2, 0, 20, "A", None), (3, 0, 4, "B", "A"), (4, 0, 20, "B", None)]
    frame = pd.DataFrame(rows, columns=["person", "entry", "exit", "state", "event"])
    assert ask(table_of(frame), from_weeks=1).model["gaps"] == ()
    lost = frame.assign(exit=frame["exit"].where(frame["person"] != 2, 3))
    assert ask(table_of(lost), from_weeks=1).model["gaps"] == (("A", 3.0, 8.0),)
    own = ask(table_of(lost), from_weeks=1, method="landmark")
    assert own.diagnostics["not_estimable"] == ["A to week 8"] and own.model["gaps"] == ()
    weeks = state_occupation(table_of(lost), horizon_weeks=8)
    assert weeks.model["gaps"] == (("A", 3.0, 8.0),) and weeks.diagnostics["n_gaps"] == 1
    assert state_occupation(table_of(lost), horizon_weeks=3.5).model["gaps"] == ()
    # Seen again from week 6 on.
    back = pd.concat([lost, pd.DataFrame([(5, 6, 20, "A", None)], columns=lost.columns)])
    for answer in (state_occupation(table_of(back), horizon_weeks=8), aalen_johansen(table_of(back))):
        assert answer.model["gaps"] == (("A", 3.0, 6.0),) and answer.diagnostics["n_gaps"] == 1
