"""What holds of spells and episodes for every register."""

import numpy as np
import pandas as pd
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from evalkit import cohort, weeks

CODES = pd.DataFrame({"code": list("123"), "valid_from": "1991-01-01", "valid_to": None,
                      "state": ["SICKNESS_BENEFIT", "CASH_BENEFIT_READY", "EDUCATION"]})
STATES = pd.DataFrame(
    {
        "state": ["SICKNESS_BENEFIT", "CASH_BENEFIT_READY", "EDUCATION"],
        "is_support": [1, 1, 0],
        "role": ["support", "support", "education"],
        "priority": [1, 2, 3],
    }
)
ZERO, LENGTH = weeks.week_of("2015-06-01"), 60  # the 53rd week of 2015 lies inside
rows = st.lists(
    st.tuples(st.sampled_from("abc"), st.integers(0, LENGTH - 1), st.integers(1, 15), st.sampled_from("123")),
    min_size=1,
    max_size=12,
)


class Tables(dict):
    has = dict.__contains__
    codes, states = CODES, STATES
    data_from = weeks.monday(ZERO)
    data_through = weeks.monday(ZERO + LENGTH) - np.timedelta64(1, "D").astype(object)


def register(rows, **more):
    frame = pd.DataFrame(rows, columns=["person_id", "start", "weeks", "code"])
    start = weeks.monday(ZERO + frame["start"].to_numpy())
    end = weeks.monday(ZERO + (frame["start"] + frame["weeks"]).clip(upper=LENGTH).to_numpy())
    return Tables(benefit=frame.assign(start=pd.to_datetime(start), end=pd.to_datetime(end)), **more)


def person_weeks(frame):
    return {
        (row.person_id, week): row.state
        for row in frame.itertuples()
        for week in range(row.start_week, row.end_week)
    }


def oracle(rows):
    """The same weeks, person by person and week by week: the lowest code outranks."""
    held = {}
    for person, start, length, code in rows:
        for week in range(start, min(start + length, LENGTH)):
            key = person, ZERO + week
            held[key] = min(held.get(key, code), code)
    return {key: CODES.set_index("code")["state"][code] for key, code in held.items()}


@settings(max_examples=50, deadline=None)
@given(rows)
def test_weeks_in_spells_are_the_weeks_of_the_register(rows):
    assert person_weeks(cohort.spells(register(rows)).frame) == oracle(rows)


@settings(max_examples=50, deadline=None)
@given(rows)
def test_spells_never_overlap_and_are_as_long_as_they_can_be(rows):
    frame = cohort.spells(register(rows)).frame
    same = frame["person_id"].eq(frame["person_id"].shift(-1)).to_numpy()[:-1]
    start, end, state = (
        frame["start_week"].to_numpy(),
        frame["end_week"].to_numpy(),
        frame["state"].cat.codes.to_numpy(),
    )
    assert (end > start).all()
    assert (start[1:] >= end[:-1])[same].all()
    assert not ((start[1:] == end[:-1]) & (state[1:] == state[:-1]) & same).any()


@settings(max_examples=50, deadline=None)
@given(rows, st.randoms(use_true_random=False))
def test_order_of_rows_never_matters(rows, random):
    shuffled = list(rows)
    random.shuffle(shuffled)
    first, second = cohort.spells(register(rows)), cohort.spells(register(shuffled))
    pd.testing.assert_frame_equal(first.frame, second.frame)


@settings(max_examples=50, deadline=None)
@given(rows, st.integers(1, 14))
def test_attribute_changes_never_split(rows, at):
    """A row cut in two, as when a person turns 30 or moves, gives the same spells."""
    cut = [part for person, start, length, code in rows for part in
           ([(person, start, at, code), (person, start + at, length - at, code)]
            if at < length and start + at < LENGTH else [(person, start, length, code)])]
    pd.testing.assert_frame_equal(cohort.spells(register(rows)).frame, cohort.spells(register(cut)).frame)


@settings(max_examples=50, deadline=None)
@given(rows, st.integers(0, 10), st.integers(0, 10))
def test_a_larger_gap_never_makes_more_episodes(rows, low, more):
    spells = cohort.spells(register(rows))
    few, many = (cohort.episodes(spells, spells.support, max_gap_weeks=gap) for gap in (low + more, low))
    assert len(few) <= len(many)
    assert few["n_weeks"].sum() == many["n_weeks"].sum()


@settings(max_examples=50, deadline=None)
@given(rows, st.integers(0, 10))
def test_bridged_spells_have_the_episodes_of_the_gap(rows, gap):
    """Where nothing else is in the gaps, filling them and joining over them are one thing."""
    rows = [row for row in rows if row[3] != "3"]
    assume(rows)
    spells = cohort.spells(register(rows))
    bridged = cohort.bridge(spells, max_gap_weeks=gap)
    edges = ["person_id", "start_week", "end_week"]
    pd.testing.assert_frame_equal(cohort.episodes(spells, spells.support, max_gap_weeks=gap)[edges],
                                  cohort.episodes(bridged, spells.support, max_gap_weeks=0)[edges])


@settings(max_examples=50, deadline=None)
@given(rows, st.integers(0, LENGTH - 1), st.integers(1, 20))
def test_a_sanction_only_adds_weeks_right_after_support(rows, start, length):
    when = [pd.Timestamp(weeks.monday(ZERO + week)) for week in (start, start + length)]
    sanction = pd.DataFrame({"person_id": list("abc"), "start": when[0], "end": when[1]})
    before, after = (
        person_weeks(cohort.spells(tables).frame)
        for tables in (register(rows), register(rows, sanction=sanction))
    )
    assert before.items() <= after.items()
    for person, week in after.keys() - before.keys():
        assert ZERO + start <= week < ZERO + start + length
        assert after[person, week] == after[person, week - 1] != "EDUCATION"


@settings(max_examples=50, deadline=None)
@given(rows, st.integers(20, LENGTH))
def test_follow_up_never_reads_beyond_its_look_ahead(rows, data_end):
    """Cutting the data changes no interval but by censoring it at the new end of follow-up."""
    full = cohort.spells(register(rows))
    frame = full.frame.drop_duplicates("person_id")
    frame = frame[frame["state"].ne("EDUCATION") & (frame["start_week"] < ZERO + data_end - 4)]
    assume(len(frame))
    people = cohort.Cohort(attrition=None, frame=pd.DataFrame({
        "person_id": frame["person_id"].to_numpy(), "time_zero_week": frame["start_week"].to_numpy()}))
    cut = register(rows)
    cut.data_through = weeks.monday(ZERO + data_end) - np.timedelta64(1, "D").astype(object)
    short, long = (cohort.follow.to_exit(people, spells) for spells in (cohort.spells(cut), full))
    last = ZERO + data_end - 4 - people.frame["time_zero_week"].to_numpy()
    assert (short.exit == np.minimum(long.exit, last)).all()
    assert (short.event == np.where(long.exit <= last, long.event, 0)).all()
