"""Differences in differences of cell means: arithmetic by hand, both errors against what they must be."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from evalkit import cohort
from evalkit.errors import EstimationError
from evalkit.estimators import state_occupation
from evalkit.estimators.mean_contributions import mean_contributions
from evalkit.estimators.municipality_changes import (
    Changes,
    cell_changes,
    difference_of_changes,
    naive_contrasts,
)


def changes_of(change, variance=0.0, n=50):
    change = np.asarray(change, dtype=float)[:, None]
    size = np.full(len(change), n)
    return Changes(
        units=tuple("ABCDEFGHIJKLMNOPQRSTUVWXYZ"[: len(change)]),
        change=change,
        before=0 * change,
        after=change,
        variance=np.full(change.shape, variance),
        variance_after=np.full(change.shape, variance / 2),
        n_before=size,
        n_after=size,
    )


def test_shocks_alone_give_students_interval():
    """Without sampling error the interval is Student's on J - 1: t sqrt(S2 (1 + 1/J))."""
    others = [1.0, 3.0, 2.0, 6.0, 3.0]
    found = difference_of_changes(changes_of([9.0, *others]))
    half = stats.t.ppf(0.975, 4) * np.std(others, ddof=1) * np.sqrt(1 + 1 / 5)
    assert found.estimate[0] == pytest.approx(6.0)
    assert found.conf_high[0] - found.estimate[0] == pytest.approx(half, rel=0.02)
    assert found.p_value[0] == pytest.approx(2 * stats.t.sf(6 / (half / stats.t.ppf(0.975, 4)), 4), rel=0.05)


def test_persons_alone_give_the_normal_interval():
    """Comparisons that spread less than their persons explain leave no room for shocks."""
    found = difference_of_changes(changes_of([9.0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1], variance=4.0))
    assert found.shock_sd[0] == 0
    assert found.conf_high[0] - found.estimate[0] == pytest.approx(1.96 * np.sqrt(4 + 4 / 10), rel=1e-3)
    assert found.person_high[0] == pytest.approx(found.conf_high[0], rel=1e-6)


def test_person_interval_is_shorter_and_both_widen_with_the_level():
    rng = np.random.default_rng(5)
    changes = changes_of(rng.normal(0, 3, 20), variance=1.0)
    wide, narrow = (difference_of_changes(changes, conf_level=level) for level in (0.95, 0.5))
    assert wide.person_high < wide.conf_high
    assert narrow.conf_high < wide.conf_high
    assert narrow.person_high < wide.person_high
    assert wide.estimate == narrow.estimate


def test_rank_is_that_of_the_largest_change():
    assert difference_of_changes(changes_of([9.0, 1, 2, 3, 2])).rank[0] == 1
    assert difference_of_changes(changes_of([2.0, 1, 2, 9, 2])).rank[0] > 1


def test_swapping_before_and_after_flips_the_sign():
    rng = np.random.default_rng(6)
    values, after = rng.normal(0, 1, (120, 1)), np.tile([False, True], 60)
    unit = np.repeat(list("TABCDE"), 20)
    one, other = (
        difference_of_changes(
            cell_changes(values, unit=unit, is_after=side, person=np.arange(120), treated="T")
        )
        for side in (after, ~after)
    )
    assert one.estimate == pytest.approx(-other.estimate)
    assert one.conf_low == pytest.approx(-other.conf_high)


def test_a_person_in_both_periods_links_their_errors():
    """A value that never changes within persons has a change without error."""
    value = np.tile([1.0, 5.0, 9.0], 6)[:, None]
    unit, after = np.repeat(list("TAB"), 6), np.tile(np.repeat([False, True], 3), 3)
    same = np.concatenate([np.tile(np.arange(3), 2) + 10 * k for k in range(3)])
    linked = cell_changes(value, unit=unit, is_after=after, person=same, treated="T")
    apart = cell_changes(value, unit=unit, is_after=after, person=np.arange(18), treated="T")
    assert linked.variance == pytest.approx(np.zeros((3, 1)))
    assert apart.variance == pytest.approx(np.full((3, 1), 2 * 16 / 3))


def test_too_little_is_refused_without_a_value():
    value, after = np.ones((8, 1)), [False, False, True, True] * 2
    with pytest.raises(EstimationError, match="1 comparison"):
        cell_changes(value, unit=list("TTTTAAAA"), is_after=after, person=range(8), treated="T")
    with pytest.raises(EstimationError, match="fewer than 2 persons"):
        cell_changes(value, unit=list("BBBBAAAA"), is_after=after, person=range(8), treated="T")


def test_before_after_and_treated_against_others_are_what_they_say():
    found = naive_contrasts(Changes(
        units=("T", "A", "B"), change=np.array([[5.0], [1.0], [2.0]]), variance=np.full((3, 1), 2.0),
        before=np.array([[1.0], [7.0], [8.0]]), after=np.array([[6.0], [8.0], [10.0]]),
        variance_after=np.full((3, 1), 1.0), n_before=np.full(3, 9), n_after=np.full(3, 9)))
    assert found["before_after"][0] == 5.0
    assert found["before_after"][1] == pytest.approx(np.sqrt(2.0))
    assert found["treated_against_others"][0] == 6.0 - 9.0
    assert found["treated_against_others"][1] == pytest.approx(np.sqrt(1 + 1 / 2))


def test_contributions_without_gaps_are_the_values():
    value = np.arange(6.0).reshape(3, 2)
    assert mean_contributions(value, np.ones((3, 2), dtype=bool), np.zeros(3, dtype=int)) is value


def test_two_ways_to_the_expected_weeks_agree():
    """Weeks per person equal the state occupation of Aalen and Johansen, errors too, if all are followed."""
    from effect_world import STUDY, followed, study, world

    evidence = followed(world(n_towns=9), study(horizons_weeks=(52,), pre_window=(-208, -104)))
    here = evidence.followed
    at_risk = cohort.follow.states(
        here.people,
        here.spells,
        horizon_weeks=52,
        strata=["municipality", "period"],
        sustain_weeks=STUDY.sustain_weeks,
    )
    other = state_occupation(at_risk, horizon_weeks=52).table.set_index(["term", "group"])
    changes = here.changes(here.weeks_within("SUPPORT")[:, -1:])
    for k, unit in enumerate(changes.units):
        after, before = (other.loc["weeks[SUPPORT]", f"{unit}, {period}"] for period in ("post", "pre"))
        assert changes.after[k, 0] == pytest.approx(after["estimate"])
        assert changes.before[k, 0] == pytest.approx(before["estimate"])
        # The cell's variance divides by n - 1, the influence functions by n.
        n = 40
        assert changes.variance[k, 0] * (n - 1) / n == pytest.approx(
            after["std_error"] ** 2 + before["std_error"] ** 2
        )
    assert isinstance(other, pd.DataFrame)
