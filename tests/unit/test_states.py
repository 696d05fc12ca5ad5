"""States with returns on tables small enough to follow by hand, and two ways to the same number."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from evalkit.atrisk import AtRisk
from evalkit.disclosure import release
from evalkit.estimators import (
    aalen_johansen,
    cox,
    markov_test,
    state_occupation,
    transition_cox,
    transition_probabilities,
)
from evalkit.estimators.multistate import occupation_covariance, regression
from evalkit.estimators.multistate.spells import state_clock
from evalkit.profile import Profile

CHAIN = {"entry": "entry", "exit": "exit", "state": "state", "event": "event", "person": "person"}
NAMES = np.array(["EDUCATION", "SELF", "SUPPORT"], dtype=object)


def lives(n=60, seed=3, last=20):
    """Weekly movements of n persons with returns; every sixth enters late, some are lost."""
    rng = np.random.default_rng(seed)
    rows = []
    for person in range(n):
        week = int(rng.integers(1, 6)) if person % 6 == 5 else 0
        state, end = int(rng.integers(0, 3)), int(rng.integers(8, last + 1))
        while week < end:
            stop = min(week + int(rng.integers(1, 7)), end)
            to = int(rng.integers(0, 3))
            moves = to != state and stop < end
            rows.append((person, week, stop, NAMES[state], NAMES[to] if moves else None))
            week, state = stop, to if moves else state
    frame = pd.DataFrame(rows, columns=["person", "entry", "exit", "state", "event"])
    return frame.assign(place=frame["person"] % 7, arm=frame["person"] % 2, w=1 + frame["person"] % 3,
                        x=(frame["person"] * 7 % 11) / 5, course=(frame["person"] // 2) % 2)


def table_of(frame, **more):
    return AtRisk.from_frame(frame, **{**CHAIN, **more})


def estimates(result, group=""):
    table = result.table[result.table["group"] == group]
    return table.pivot(index="time_weeks", columns="term", values="estimate")


def test_probabilities_follow_by_hand():
    rows = [(1, 0, 2, "ON", "OFF"), (1, 2, 5, "OFF", "ON"), (1, 5, 6, "ON", None), (2, 0, 4, "ON", "OFF"),
            (2, 4, 6, "OFF", None), (3, 0, 6, "ON", None)]
    at_risk = table_of(pd.DataFrame(rows, columns=["person", "entry", "exit", "state", "event"]))
    found = estimates(transition_probabilities(at_risk, from_weeks=2, to_weeks=[3, 4, 5]))
    # After week 2: one of two leaves ON in week 4, one of two (persons 1 and 2) leaves OFF in week 5.
    assert found["ON -> ON"].tolist() == [1, 0.5, 0.75]
    assert found["OFF -> ON"].tolist() == [0, 0, 0.5]
    seen = transition_probabilities(at_risk, from_weeks=2, to_weeks=[5], method="landmark").table
    # The landmark estimate from OFF follows person 1 alone.
    assert seen.set_index("term")["estimate"].to_dict() == {
        "OFF -> OFF": 0, "OFF -> ON": 1, "ON -> OFF": 0.5, "ON -> ON": 0.5}
    assert seen["n_persons"].tolist() == [1, 1, 2, 2]
    assert seen["n_events"].tolist() == [0, 1, 1, 1]


def test_from_one_state_at_zero_all_estimates_are_one():
    frame = lives()
    begun = frame[(frame["entry"] == 0) & (frame["state"] == "SUPPORT")]["person"]
    frame = frame[frame["person"].isin(begun)]
    at_risk = table_of(frame)
    shares = state_occupation(at_risk, horizon_weeks=8, weeks=8).table.iloc[3:]
    curve = aalen_johansen(at_risk).table
    last = curve[curve["time_weeks"] <= 8].groupby("term").last()
    for method in ("aalen_johansen", "landmark"):
        found = transition_probabilities(at_risk, from_weeks=0, to_weeks=8, method=method).table
        found = found[found["term"].str.startswith("SUPPORT")]
        for column in ("estimate", "std_error"):
            np.testing.assert_allclose(found[column], shares[column], atol=1e-12)
            np.testing.assert_allclose(found[column], last[column], atol=1e-12)


@pytest.mark.parametrize("more", [{}, {"cluster": "place"}, {"weight": "w"}, {"count": "w"},
                                  {"strata": "arm"}])
def test_many_weeks_in_one_pass_are_few_weeks(more):
    at_risk = table_of(lives(), **more)
    weeks = np.arange(3, 14, 0.5).tolist()
    swept = transition_probabilities(at_risk, from_weeks=2, to_weeks=weeks)
    few = [transition_probabilities(at_risk, from_weeks=2, to_weeks=part)
           for part in (weeks[:7], weeks[7:14], weeks[14:])]
    for name in ("estimates", "covariance"):
        joined = np.concatenate([part.model[name] for part in few], axis=1)
        np.testing.assert_allclose(swept.model[name], joined, atol=1e-12)


def test_hardly_tied_times_have_the_errors_of_single_weeks(monkeypatch):
    """More times than are looked back on at once: units are brought up to date again and again."""
    frame = lives()
    jitter = frame["person"] / 128
    frame = frame.assign(entry=frame["entry"] - jitter * (frame["entry"] > 0), exit=frame["exit"] - jitter)
    at_risk = table_of(frame, cluster="place")
    monkeypatch.setattr(occupation_covariance, "LATEST", 3)
    curve, weeks = aalen_johansen(at_risk).table, (5.0, 9.5, 15.0)
    assert curve["time_weeks"].nunique() > 20 * 4
    single = state_occupation(at_risk, horizon_weeks=1, weeks=weeks)
    for state in NAMES:
        own = curve[curve["term"] == state]
        at = np.searchsorted(own["time_weeks"], weeks, side="right") - 1
        for place, week in zip(at, weeks, strict=True):
            row = single.row(term=f"share[{state}]", time_weeks=week)
            assert own["estimate"].iloc[place] == pytest.approx(row.estimate, rel=1e-12)
            assert own["std_error"].iloc[place] == pytest.approx(row.std_error, rel=1e-9)


def test_probabilities_of_one_beginning_vary_against_each_other():
    result = transition_probabilities(table_of(lives()), from_weeks=2, to_weeks=9)
    covariance = result.model["covariance"][0, 0]
    np.testing.assert_allclose(covariance.reshape(9, 3, 3).sum(axis=2), 0, atol=1e-12)
    assert (np.linalg.eigvalsh(covariance) > -1e-12).all()


def test_states_that_nobody_is_in_have_no_estimate():
    frame = lives()
    late = frame[~((frame["state"] == "EDUCATION") & (frame["entry"] <= 2))]
    result = transition_probabilities(table_of(late), from_weeks=2, to_weeks=[6, 10], method="landmark")
    found = result.table[result.table["term"].str.startswith("EDUCATION")]
    assert found[["estimate", "std_error", "conf_low", "conf_high"]].isna().all(axis=None)
    assert (found["n_persons"] == 0).all()
    assert result.diagnostics["not_estimable"] == ["EDUCATION to week 6", "EDUCATION to week 10"]
    assert result.table["estimate"].notna().sum() == 12


def test_what_nobody_could_be_followed_to_has_no_estimate():
    frame = lives()
    cut = frame[~((frame["state"] == "SELF") & (frame["entry"] <= 2) & (frame["exit"] > 2))]
    alone = pd.DataFrame([(900, 0, 4, "SELF", None)], columns=["person", "entry", "exit", "state", "event"])
    result = transition_probabilities(table_of(pd.concat([cut, alone])), from_weeks=2, to_weeks=[3, 9],
                                      method="landmark")
    assert result.diagnostics["not_estimable"] == ["SELF to week 9"]


def test_persons_with_several_episodes_count_once():
    frame = lives(30).assign(episode=0)
    twice = pd.concat([frame, frame.assign(episode=1)])
    options = {"from_weeks": 2, "to_weeks": [6, 9]}
    one, two = (transition_probabilities(table_of(part, episode="episode"), **options).table
                for part in (frame, twice))
    pd.testing.assert_frame_equal(one, two)
    plain = transition_probabilities(table_of(frame), **options).table
    pd.testing.assert_frame_equal(one, plain)


def test_a_final_state_keeps_its_persons():
    frame = lives()
    ended = frame.groupby("person")["exit"].transform("max") == frame["exit"]
    frame.loc[ended & (frame["person"] % 2 == 0), "event"] = "DEATH"
    table = transition_probabilities(table_of(frame), from_weeks=2, to_weeks=[10, 15]).table
    assert not table["term"].str.startswith("DEATH").any()
    known = table.set_index(["term", "time_weeks"])["n_events"]
    died = frame[(frame["event"] == "DEATH") & (frame["exit"] <= 15)]["person"]
    start = frame[(frame["entry"] <= 2) & (frame["exit"] > 2)]
    for state in NAMES:
        here = start[start["state"] == state]["person"]
        assert known[f"{state} -> DEATH", 15] == here.isin(died).sum()


def test_markov_test_is_the_log_rank_of_each_movement():
    frame = lives(200)
    result = markov_test(table_of(frame), from_weeks=4)
    table = result.table.set_index("term")
    tested = table.drop(index="all")
    assert table.at["all", "estimate"] == pytest.approx(tested["estimate"].sum())
    assert table.at["all", "n_events"] == tested["n_events"].sum()
    start = frame[(frame["entry"] <= 4) & (frame["exit"] > 4)].set_index("person")["state"]
    part = frame[(frame["state"] == "SELF") & (frame["exit"] > 4) & frame["person"].isin(start.index)]
    part = part.assign(entry=part["entry"].clip(lower=4), moved=(part["event"] == "SUPPORT").astype(int),
                       education=(part["person"].map(start) == "EDUCATION"),
                       support=(part["person"].map(start) == "SUPPORT"))
    # Without ties the score test of Cox's model is the log-rank test; with them it is close.
    score = cox(AtRisk.from_frame(part, entry="entry", exit="exit", event="moved",
                                  covariates=["education", "support"]), ties="breslow").diagnostics
    assert table.at["SELF -> SUPPORT", "estimate"] == pytest.approx(score["score_chi_square"], rel=0.1)
    assert table.at["SELF -> SUPPORT", "n_events"] == part["moved"].sum()
    assert result.diagnostics["df"] == [[12]]


def test_differences_are_of_the_two_estimates():
    frame = lives(80)
    options = {"from_weeks": 3, "to_weeks": [6, 9]}
    for more in ({}, {"strata": "arm"}, {"weight": "w", "cluster": "place"}):
        at_risk = table_of(frame, **more)
        table = markov_test(at_risk, method="difference", **options).table
        shares = table[table["term"].str.contains("->")].reset_index(drop=True)
        landmark, markov = (transition_probabilities(at_risk, method=method, **options).table
                            for method in ("landmark", "aalen_johansen"))
        np.testing.assert_allclose(shares["estimate"], landmark["estimate"] - markov["estimate"], atol=1e-12)
        pd.testing.assert_frame_equal(shares[["term", "group", "time_weeks", "n_persons", "n_events"]],
                                      landmark[["term", "group", "time_weeks", "n_persons", "n_events"]])
        # One of three shares is the rest: two degrees of freedom.
        assert set(table["term"]) - set(shares["term"]) == set(NAMES)
    result = markov_test(table_of(frame), method="difference", **options)
    assert (result.model["df"] == 2).all()
    contrast = result.model["covariance"][0, 1, :2, :2]
    change = result.model["estimates"][0, 1, :2]
    assert result.row(term="EDUCATION", time_weeks=9)["estimate"] == pytest.approx(
        change @ np.linalg.solve(contrast, change))


def test_effects_of_their_own_are_one_model():
    """Fitted movement by movement, covariance between movements included, as in one stacked model."""
    at_risk = table_of(lives(200), covariates=["x", "course"], strata="arm", weight="w")
    options = {"ties": "efron", "conf_level": 0.95, "robust": True}
    apart = transition_cox(at_risk)
    moves = regression.movements_of(at_risk, "transition_cox")
    names = list(dict.fromkeys(apart.model["transitions"]))
    together = regression.fit_together(at_risk, moves, names, (), options)
    for name in ("estimates", "covariance", "covariance_naive", "baseline_hazard", "baseline_time"):
        np.testing.assert_allclose(apart.model[name], together.model[name], rtol=1e-7, atol=1e-12)
    assert apart.model["groups"] == together.model["groups"]
    assert (apart.model["baseline_group"] == together.model["baseline_group"]).all()
    for name, value in together.diagnostics.items():
        assert apart.diagnostics[name] == pytest.approx(value, rel=1e-6), name
    between = apart.model["covariance"][:2, 2:]
    assert np.abs(between).max() > 1e-6


def test_movements_can_be_chosen():
    at_risk = table_of(lives(200), covariates=["x", "course"])
    every = transition_cox(at_risk).table
    some = transition_cox(at_risk, transitions=["SELF -> SUPPORT", "SUPPORT -> SELF"]).table
    same = every[every["group"].isin(some["group"])].reset_index(drop=True)
    pd.testing.assert_frame_equal(some, same, rtol=1e-7)
    assert some["group"].tolist() == ["SELF -> SUPPORT"] * 2 + ["SUPPORT -> SELF"] * 2


def test_the_clock_of_the_state_starts_with_the_stay():
    frame = lives()
    frame = frame[frame.groupby("person")["entry"].transform("min") == 0]
    stay = (frame["state"] != frame.groupby("person")["state"].shift()).cumsum()
    begin = frame.groupby(stay)["entry"].transform("min")
    whole = state_clock(table_of(frame))
    assert (stay.value_counts() > 1).any()
    np.testing.assert_array_equal(whole.entry, frame["entry"] - begin)
    np.testing.assert_array_equal(whole.exit, frame["exit"] - begin)
    order = np.random.default_rng(1).permutation(len(frame))
    np.testing.assert_array_equal(state_clock(table_of(frame.iloc[order])).exit, whole.exit[order])


def test_many_groups_are_answered_without_their_joint_covariance():
    frame = lives(1600).assign(arm=lambda d: d["person"] // 2)
    frame = frame[frame.groupby("arm")["entry"].transform("min") == 0]
    at_risk = table_of(frame, strata="arm")
    options = {"horizon_weeks": [3, 7], "weeks": 5}
    result = state_occupation(at_risk, **options)
    assert len(result.model["groups"]) * 9 > 5000 and "covariance" not in result.model
    few = state_occupation(at_risk.select(at_risk.strata < 40), **options)
    np.testing.assert_allclose(few.table["std_error"], result.table["std_error"][:len(few.table)])
    np.testing.assert_allclose(few.model["variance"].ravel(), np.diag(few.model["covariance"]))
    found = transition_probabilities(at_risk, from_weeks=1, to_weeks=5)
    assert len(found.model["groups"]) == len(result.model["groups"])


def test_numbers_of_states_leave_only_where_no_state_gives_away_another():
    rules = Profile(name="example", valid_from="2015-01-01", min_n=5, min_events=5, rounding_base=5,
                    decimals=3, source="example", is_verified=False)
    frame = lives(400)
    last = frame.groupby("person")["exit"].transform("max") == frame["exit"]
    few = frame.assign(event=frame["event"].mask(last & (frame["person"] < 3), "DEATH"))

    def shown(answer, part):
        payload = release(answer(table_of(part)), rules, name="states").payload
        at = payload["columns"].index("estimate")
        return [row[at] is not None for row in payload["rows"]]

    def weeks(at_risk):
        return state_occupation(at_risk, horizon_weeks=16)

    def way(at_risk):
        return transition_probabilities(at_risk, from_weeks=2, to_weeks=10)

    for answer in (weeks, way):
        assert all(shown(answer, frame))
    # Three deaths cannot be shown; nor can one more state, without which they would follow from the rest.
    assert shown(weeks, few).count(False) == 2
    cells = table_of(frame, cluster="place").compress()
    assert not any(shown(lambda _: way(cells), frame))


def test_a_shared_effect_lies_between_its_own():
    at_risk = table_of(lives(300), covariates=["x", "course"])
    own, shared = transition_cox(at_risk), transition_cox(at_risk, shared=["x"])
    each = own.table[own.table["term"] == "x"]["estimate"]
    row = shared.row(term="x", group="")
    assert each.min() < row["estimate"] < each.max()
    assert row["std_error"] < own.table[own.table["term"] == "x"]["std_error"].min()
    assert row["n_events"] == at_risk.n_events and row["n_persons"] == at_risk.n_persons
    assert shared.diagnostics["df"] == own.diagnostics["df"] - 5


def test_errors_need_no_person_where_there_is_a_cluster():
    at_risk = table_of(lives(), cluster="place")
    known = transition_probabilities(at_risk, from_weeks=2, to_weeks=9).table
    cells = transition_probabilities(replace(at_risk, person=None), from_weeks=2, to_weeks=9).table
    pd.testing.assert_frame_equal(known.drop(columns="n_events"), cells.drop(columns="n_events"))
    assert cells["n_events"].isna().all()
