"""The bootstrap: what is drawn, the same for any number of workers, and what fails is counted."""

import multiprocessing
import os
from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd
import pytest

from evalkit.atrisk import AtRisk
from evalkit.errors import EstimationError
from evalkit.estimators import (
    _parallel,
    aalen_johansen,
    bootstrap,
    cox,
    discrete_hazard,
    kaplan_meier,
    restricted_mean,
    state_occupation,
)
from evalkit.estimators._resampling import draws_of
from evalkit.result import Result, tidy

MEAN = partial(restricted_mean, horizon_weeks=20)


def frame(n=200, seed=5):
    rng = np.random.default_rng(seed)
    town = rng.integers(0, 25, n)
    return pd.DataFrame(
        {
            "person": np.arange(n),
            "weeks": rng.integers(1, 25, n) + town // 5,
            "left": rng.uniform(size=n) < 0.8,
            "arm": rng.integers(0, 2, n),
            "x": rng.normal(size=n).round(1),
            "town": town,
        }
    )


def at_risk(data=None, **columns):
    return AtRisk.from_frame(frame() if data is None else data, exit="weeks", event="left", **columns)


def number_of(rows):
    """A statistic that answers how many there are."""
    return Result(
        kind="model",
        estimand=MEAN(at_risk()).estimand,
        table=tidy(term=["persons", "events"], estimate=[rows.n_persons, rows.n_events]),
    )


def test_the_same_for_any_number_of_workers_processes_or_threads(monkeypatch):
    rows, options = at_risk(strata="arm"), {"n_replications": 60, "seed": 3, "conf_level": 0.9}
    one = bootstrap(rows, MEAN, **options)
    two = bootstrap(rows, MEAN, n_workers=2, **options)
    monkeypatch.setattr(_parallel, "can_fork", lambda: False)
    threads = bootstrap(rows, MEAN, n_workers=3, **options)
    assert threads.diagnostics["workers"] == "threads" and one.diagnostics["workers"] == "one worker"
    for other in (two, threads):
        np.testing.assert_array_equal(other.model["replications"], one.model["replications"])
        pd.testing.assert_frame_equal(other.table, one.table)
    different = bootstrap(rows, MEAN, **{**options, "seed": 4})
    assert (different.model["replications"] != one.model["replications"]).any()


def drawn_by_two(seed):
    """Called in a process that was spawned, as on Windows."""
    answer = bootstrap(at_risk(strata="arm"), MEAN, n_replications=60, seed=seed, n_workers=2)
    return answer.diagnostics["workers"], answer.model["replications"]


def test_the_same_in_a_spawned_process_which_may_have_no_workers_of_its_own():
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        how, values = pool.apply(drawn_by_two, (3,))
    here = bootstrap(at_risk(strata="arm"), MEAN, n_replications=60, seed=3)
    np.testing.assert_array_equal(values, here.model["replications"])
    assert how == "threads"


def test_the_estimate_is_that_of_the_data_and_the_error_of_the_replications():
    rows = at_risk(strata="arm")
    answer, plain = bootstrap(rows, MEAN, n_replications=100, seed=1), MEAN(rows)
    assert answer.table["estimate"].tolist() == plain.table["estimate"].tolist()
    np.testing.assert_allclose(answer.table["std_error"], answer.model["replications"].std(axis=0, ddof=1))
    assert answer.table["p_value"].isna().all() and answer.provenance.seed == 1
    assert answer.provenance.options["statistic"] == "restricted_mean"
    assert (answer.table["conf_low"] < answer.table["estimate"]).all()


def test_as_many_persons_are_drawn_as_there_are():
    values = bootstrap(at_risk(), number_of, n_replications=60, seed=1).model["replications"]
    assert (values[:, 0] == 200).all() and len(np.unique(values[:, 1])) > 5


def test_equal_persons_become_cells_and_a_cell_is_drawn_as_its_persons():
    data = pd.concat([frame().assign(x=0)] * 5)
    cells = draws_of(at_risk(data), "person", False, False)
    assert cells.rows.n_rows < 60 and cells.n_units == 1000
    rng = np.random.default_rng(1)
    drawn = [cells.draw(rng).n_events for _ in range(2000)]
    share = data["left"].mean()
    # Events among 1,000 persons drawn with replacement are binomial.
    assert np.mean(drawn) == pytest.approx(1000 * share, abs=4 * np.sqrt(1000 * share * (1 - share) / 2000))
    assert np.var(drawn) == pytest.approx(1000 * share * (1 - share), rel=4 * np.sqrt(2 / 2000))


def test_counts_and_copies_draw_the_same():
    rows = at_risk(covariates=["x"], person="person")
    counted, copied = draws_of(rows, "person", False, False), draws_of(rows, "person", False, True)
    for seed in range(5):
        first, second = (draw.draw(np.random.default_rng(seed)) for draw in (counted, copied))
        assert (
            second.count is None
            and first.n_persons == second.n_persons == len(np.unique(second.person)) == 200
        )
        assert cox(first).table["estimate"][0] == pytest.approx(cox(second).table["estimate"][0], rel=1e-9)


def test_a_person_is_drawn_with_all_rows():
    data = pd.concat([frame(60).assign(entry=0, weeks=3, left=False), frame(60).assign(entry=3, weeks=9)])
    rows = AtRisk.from_frame(data, entry="entry", exit="weeks", event="left", person="person")
    drawn = draws_of(rows, "person", False, False).draw(np.random.default_rng(2))
    count = pd.DataFrame({"person": drawn.person, "k": drawn.count})
    assert (count.groupby("person")["k"].nunique() == 1).all() and (count.groupby("person").size() == 2).all()
    assert drawn.n_persons == 60


def test_a_cluster_is_drawn_with_all_its_persons():
    rows, sizes = at_risk(cluster="town", person="person"), frame().groupby("town").size()
    counted = draws_of(rows, "cluster", False, False).draw(np.random.default_rng(2))
    drawn = (
        pd.DataFrame({"town": counted.cluster, "k": counted.count})
        .groupby("town")["k"]
        .agg(["size", "nunique", "first"])
    )
    assert (
        (drawn["nunique"] == 1).all()
        and (drawn["size"] == sizes[drawn.index]).all()
        and drawn["first"].sum() == 25
    )
    copied = draws_of(rows, "cluster", False, True).draw(np.random.default_rng(2))
    again = pd.Series(copied.cluster).groupby(copied.cluster).size()
    assert len(again) == 25 and sorted(again) == sorted(np.repeat(drawn["size"], drawn["first"]))
    assert len(np.unique(copied.person)) == copied.n_rows


def test_counts_that_are_there_already_are_kept_when_clusters_are_drawn():
    data = frame().assign(k=3)
    assert draws_of(at_risk(data, cluster="town", count="k"), "cluster", False, False).n_units == 25
    one = bootstrap(at_risk(data, cluster="town", count="k"), MEAN, n_replications=60, seed=1, unit="cluster")
    two = bootstrap(at_risk(cluster="town"), MEAN, n_replications=60, seed=1, unit="cluster")
    np.testing.assert_allclose(one.model["replications"], two.model["replications"])


def test_within_strata_groups_keep_their_sizes():
    rows = at_risk(strata="arm", covariates=["x"])
    for seed in range(3):
        drawn = draws_of(rows, "person", True, False).draw(np.random.default_rng(seed))
        sizes = [drawn.count[drawn.strata == s].sum() for s in (0, 1)]
        assert sizes == frame().groupby("arm").size().tolist()


def test_curves_are_read_at_the_times_of_the_data():
    rows = at_risk(strata="arm")
    answer = bootstrap(rows, kaplan_meier, n_replications=60, seed=1)
    plain = kaplan_meier(rows)
    pd.testing.assert_frame_equal(
        answer.table[["term", "group", "time_weeks", "estimate"]],
        plain.table[["term", "group", "time_weeks", "estimate"]],
    )
    values = answer.model["replications"]
    start = (plain.table["time_weeks"] == 0).to_numpy()
    assert (values[:, start] == 1).all()
    falling = np.diff(values[:, (plain.table["group"] == "0").to_numpy()], axis=1)
    assert np.nanmax(falling) <= 0


def test_a_curve_that_has_fallen_to_zero_stays_there():
    data = pd.DataFrame({"weeks": np.arange(1, 41), "left": 1})
    answer = bootstrap(at_risk(data), aalen_johansen, n_replications=60, seed=1)
    assert answer.diagnostics["rows_without_limits"] == 0
    assert np.isfinite(answer.model["replications"]).all()
    censored = bootstrap(at_risk(data.assign(left=0)), kaplan_meier, n_replications=60, seed=1)
    # Four in ten resamples do not hold the last person, so nothing is known of the last week there.
    assert censored.diagnostics["rows_without_limits"] > 0


def test_states_with_returns_are_drawn_by_person():
    rng = np.random.default_rng(1)
    data = pd.DataFrame(
        [
            (p, w, w + 2, "ON" if (p + w) % 4 else "OFF", rng.choice(["ON", "OFF"]) if w == 2 else None)
            for p in range(60)
            for w in (0, 2)
        ],
        columns=["p", "a", "b", "now", "then"],
    )
    data["then"] = data.groupby("p")["now"].shift(-1)
    data["then"] = data["then"].where(data["then"] != data["now"])
    rows = AtRisk.from_frame(data, entry="a", exit="b", state="now", event="then", person="p")
    answer = bootstrap(rows, partial(state_occupation, horizon_weeks=4), n_replications=200, seed=1)
    plain = state_occupation(rows, horizon_weeks=4).table
    np.testing.assert_allclose(answer.table["std_error"], plain["std_error"], rtol=0.3)


def failing_sometimes(rows):
    if rows.n_events % 7 == 0:
        raise EstimationError("no answer on sevens")
    return MEAN(rows)


def test_failed_replications_are_counted_and_said():
    data = frame().iloc[1:] if frame()["left"].sum() % 7 == 0 else frame()
    answer = bootstrap(at_risk(data), failing_sometimes, n_replications=200, seed=1, max_failed_share=0.5)
    n_failed = answer.diagnostics["n_failed"]
    assert 0 < n_failed < 100 and answer.diagnostics["failures"] == {"no answer on sevens": n_failed}
    assert len(answer.model["replications"]) == 200 - n_failed
    with pytest.raises(
        EstimationError, match=rf"{n_failed} of 200 replications failed, at most 5% may.*no answer on sevens"
    ):
        bootstrap(at_risk(data), failing_sometimes, n_replications=200, seed=1)


@pytest.mark.parametrize("n_workers", [1, 2])
def test_a_mistake_in_the_statistic_is_no_failed_replication(n_workers):
    first = iter([True])

    def wrong(rows):
        if next(first, False):
            return MEAN(rows)
        raise TypeError("a mistake")

    with pytest.raises((TypeError, RuntimeError), match="a mistake"):
        bootstrap(at_risk(), wrong, n_replications=60, seed=1, n_workers=n_workers)


@pytest.mark.skipif(not _parallel.can_fork(), reason="no worker processes here")
def test_a_worker_that_dies_is_said():
    parent = os.getpid()

    def dying(rows):
        if os.getpid() != parent:
            os._exit(1)
        return MEAN(rows)

    with pytest.raises(EstimationError, match="a worker ended without an answer.*fewer workers"):
        bootstrap(at_risk(), dying, n_replications=60, seed=1, n_workers=2)


def test_what_a_replication_does_not_say_is_missing_and_counted():
    data = frame().assign(weeks=25, arm=lambda d: (d["person"] < 2).astype(int))
    answer = bootstrap(at_risk(data, strata="arm"), MEAN, n_replications=200, seed=1)
    # Two of 200 persons are not drawn in 0.99^200 = 13 % of the resamples.
    lost = np.isnan(answer.model["replications"]).mean(axis=0)
    first = (answer.table["group"] == "0").to_numpy()
    assert (lost[first] == 0).all() and lost[~first] == pytest.approx(
        0.134, abs=4 * np.sqrt(0.134 * 0.866 / 200)
    )
    assert answer.diagnostics["n_failed"] == 0 and answer.diagnostics["rows_without_limits"] == (~first).sum()
    assert (
        answer.table.loc[first, "std_error"].notna().all()
        and answer.table.loc[~first, "std_error"].isna().all()
    )
    accepted = bootstrap(at_risk(data, strata="arm"), MEAN, n_replications=200, seed=1, max_failed_share=0.3)
    assert accepted.diagnostics["rows_without_limits"] == 0
    assert accepted.diagnostics["most_missing"] == round(lost.max() * 200)


def test_levels_that_come_and_go_leave_the_covariates_their_limits():
    rows = at_risk(covariates=["x"])
    answer = bootstrap(rows, discrete_hazard, n_replications=60, seed=1)
    effect = answer.row(term="x")
    assert effect["std_error"] == pytest.approx(discrete_hazard(rows).row(term="x")["std_error"], rel=0.4)
    nothing = iter(["first"])

    def other(rows):
        fit = discrete_hazard(rows)
        table = fit.table if next(nothing, None) else fit.table.assign(term="else")
        return replace(fit, table=table)

    with pytest.raises(EstimationError, match="none of the .* rows of the answer"):
        bootstrap(rows, other, n_replications=60, seed=1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_replications": 38}, "at least 39"),
        ({"conf_type": "bca"}, "conf_type"),
        ({"unit": "row"}, "unit"),
        ({"seed": None}, "seed"),
        ({"n_workers": 0}, "n_workers"),
        ({"conf_level": 1}, "conf_level"),
        ({"max_failed_share": 1}, "max_failed_share"),
    ],
)
def test_options_outside_their_values_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        bootstrap(at_risk(), MEAN, **{"n_replications": 99, "seed": 1, **options})


def test_clusters_must_be_there_several_and_hold_whole_persons():
    draw = partial(bootstrap, statistic=MEAN, n_replications=39, seed=1, unit="cluster")
    with pytest.raises(EstimationError, match="has none.*cluster="):
        draw(at_risk())
    with pytest.raises(EstimationError, match="1 cluster"):
        draw(at_risk(frame().assign(town=1), cluster="town"))
    split = frame().assign(person=lambda d: d["person"] // 2, episode=range(200))
    with pytest.raises(EstimationError, match=r"\d+ persons have rows in several clusters"):
        draw(at_risk(split, cluster="town", person="person", episode="episode"))
    with pytest.raises(EstimationError, match=r"within_strata: \d+ of 25 units"):
        draw(at_risk(strata="arm", cluster="town"), within_strata=True)
    few = draw(at_risk(frame().assign(town=lambda d: d["town"] % 5), cluster="town"))
    assert "5 clusters" in few.diagnostics["warning"]


def test_persons_drawn_as_persons_agree_with_influence_functions():
    data = frame(400)
    rows = at_risk(data, strata="arm")
    drawn = bootstrap(rows, MEAN, n_replications=300, seed=1).table["std_error"]
    # A standard deviation of 300 replications has an error of 4 %.
    np.testing.assert_allclose(drawn, MEAN(rows, robust=True).table["std_error"], rtol=0.16)
    clustered = at_risk(data, strata="arm", cluster="town")
    drawn = bootstrap(clustered, MEAN, n_replications=300, seed=1, unit="cluster").table["std_error"]
    np.testing.assert_allclose(drawn, MEAN(clustered).table["std_error"], rtol=0.25)
