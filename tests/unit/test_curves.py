"""Curves and what is read off them, on cases that can be checked by hand."""

import numpy as np
import pandas as pd
import pytest

from evalkit.atrisk import AtRisk
from evalkit.disclosure import release
from evalkit.estimators import (
    kaplan_meier,
    log_rank,
    nelson_aalen,
    pseudo_observations,
    pseudo_regression,
    residual_time,
    restricted_mean,
    survival_quantiles,
)
from evalkit.profile import Profile

ROWS = {"exit": "exit", "event": "event"}
LATE = {**ROWS, "entry": "entry"}


def table(rows, columns=("exit", "event"), **named):
    return AtRisk.from_frame(pd.DataFrame(rows, columns=list(columns)), **{**ROWS, **named})


def many(n=300, seed=4):
    """Weekly rows with ties, late entry, groups, clusters, weights and counts."""
    rng = np.random.default_rng(seed)
    entry = rng.integers(0, 6, n) * (rng.uniform(size=n) < 0.4)
    return pd.DataFrame(
        {
            "entry": entry,
            "exit": entry + rng.integers(1, 30, n),
            "event": rng.uniform(size=n) < 0.6,
            "group": rng.integers(0, 3, n),
            "cluster": rng.integers(0, 25, n),
            "person": rng.permutation(n),
            "w": rng.uniform(0.5, 2, n),
            "k": rng.integers(1, 4, n),
            "x": rng.normal(size=n),
        }
    )


@pytest.mark.parametrize("more", [{}, {"weight": "w"}, {"cluster": "cluster", "weight": "w"}, {"count": "k"}])
@pytest.mark.parametrize("estimator", [kaplan_meier, nelson_aalen, survival_quantiles])
def test_curves_of_all_strata_at_once_are_those_of_each(estimator, more):
    """Weights make the errors robust, so both kinds of error are drawn in one line."""
    frame = many()
    together = estimator(AtRisk.from_frame(frame, **LATE, **more, strata="group")).table
    for label, part in frame.groupby("group"):
        alone = estimator(AtRisk.from_frame(part, **LATE, **more)).table.drop(columns="group")
        found = together[together["group"] == str(label)].drop(columns="group").reset_index(drop=True)
        pd.testing.assert_frame_equal(found, alone, rtol=1e-9)


@pytest.mark.parametrize("estimator", [kaplan_meier, nelson_aalen])
def test_few_clusters_in_a_table_are_those_sorted(estimator):
    """3,000 rows of 25 clusters are laid out as a table; a second stratum makes the first be sorted."""
    frame = many(3000)
    columns = {**LATE, "cluster": "cluster", "weight": "w"}
    alone = estimator(AtRisk.from_frame(frame, **columns)).table
    both = pd.concat([frame.assign(side="a"), many(40).assign(side="b")])
    together = estimator(AtRisk.from_frame(both, **columns, strata="side")).table.query("group == 'a'")
    pd.testing.assert_frame_equal(together.drop(columns="group"), alone.drop(columns="group"), rtol=1e-9)


def test_strata_without_rows_are_left_out():
    at_risk = AtRisk.from_frame(many(), **LATE, strata="group")
    kept = at_risk.select(at_risk.strata != 1)
    assert kaplan_meier(kept).model["groups"] == ("0", "2")


@pytest.mark.parametrize("step", [0.25, 1.75])
def test_weeks_in_a_table_and_times_off_the_grid_give_the_same_curve(step):
    frame = many()
    weekly = kaplan_meier(AtRisk.from_frame(frame, **LATE, strata="group")).table
    scaled = frame.assign(entry=frame["entry"] * step, exit=frame["exit"] * step)
    other = kaplan_meier(AtRisk.from_frame(scaled, **LATE, strata="group")).table
    np.testing.assert_allclose(other["time_weeks"], weekly["time_weeks"] * step)
    pd.testing.assert_frame_equal(other.drop(columns="time_weeks"), weekly.drop(columns="time_weeks"))


def test_huge_and_tiny_times_are_counted_too():
    for scale in (1e-9, 1e11):
        estimates = kaplan_meier(table([(1 * scale, 1), (2 * scale, 0)])).table["estimate"]
        assert estimates.tolist() == [1, 0.5, 0.5]


def test_ten_thousand_strata_are_drawn():
    n = 10_000
    frame = pd.DataFrame({"exit": np.arange(n) % 9 + 1, "event": np.arange(n) % 2, "group": np.arange(n)})
    answer = kaplan_meier(AtRisk.from_frame(frame, **ROWS, strata="group"))
    assert len(answer.model["groups"]) == n and len(answer.table) == 2 * n


def test_weeks_without_anybody_at_risk_are_named():
    rows = [(2, 5, 1), (3, 5, 0), (7, 9, 1), (8, 12, 0)]
    at_risk = table(rows, ("entry", "exit", "event"), entry="entry")
    for estimator in (kaplan_meier, nelson_aalen):
        assert estimator(at_risk).model["gaps"] == (("", 0.0, 2.0), ("", 5.0, 7.0))
        assert estimator(at_risk).diagnostics["n_gaps"] == 2
    assert kaplan_meier(table([(2, 1), (5, 0)])).model["gaps"] == ()


def test_weeks_without_anybody_at_risk_are_named_by_group():
    rows = [(0, 5, 0, "a"), (4, 9, 1, "a"), (1, 3, 0, "b"), (6, 9, 1, "b")]
    at_risk = table(rows, ("entry", "exit", "event", "g"), entry="entry", strata="g")
    assert kaplan_meier(at_risk).model["gaps"] == (("b", 0.0, 1.0), ("b", 3.0, 6.0))


def test_a_gap_is_closed_by_somebody_who_enters_in_the_very_week():
    """(entry, exit]: who enters at 5 is at risk just after 5, when the first has left."""
    at_risk = table([(0, 5, 0), (5, 9, 1)], ("entry", "exit", "event"), entry="entry")
    assert kaplan_meier(at_risk).model["gaps"] == ()


def test_a_curve_from_a_start_is_that_of_those_who_are_still_there():
    at_risk = table([(1, 1), (2, 1), (2, 0), (4, 1), (5, 0)])
    curve = kaplan_meier(at_risk, start_weeks=2).table
    assert curve["time_weeks"].tolist() == [2, 4, 5]
    assert curve["estimate"].tolist() == [1, 0.5, 0.5] and curve["n_persons"].tolist() == [2, 2, 1]
    assert nelson_aalen(at_risk, start_weeks=2).table["estimate"].tolist() == [0, 0.5, 0.5]
    assert survival_quantiles(at_risk, probs=0.4, start_weeks=2).table["estimate"][0] == 4


def test_a_start_is_the_way_out_of_an_early_empty_risk_set():
    at_risk = table([(0, 1, 1), (2, 6, 1), (2, 8, 0)], ("entry", "exit", "event"), entry="entry")
    assert kaplan_meier(at_risk, start_weeks=2).table["estimate"].tolist() == [1, 0.5, 0.5]


def test_a_quantile_on_a_flat_step_is_its_middle():
    at_risk = table([(1, 1), (2, 1), (5, 1), (9, 0)])
    quantiles = survival_quantiles(at_risk, probs=(0.25, 0.3, 0.5, 0.75, 0.8)).table["estimate"]
    # S is 3/4 from 1 to 2, 1/2 from 2 to 5 and 1/4 from 5 to the end at 9, and falls no further.
    assert quantiles[:4].tolist() == [1.5, 2, 3.5, 7] and np.isnan(quantiles[4])


def test_a_step_is_flat_in_spite_of_rounding():
    at_risk = table([(k, 1) for k in range(1, 21)])
    assert survival_quantiles(at_risk, probs=0.5).table["estimate"][0] == 10.5


def test_limits_of_a_quantile_are_the_crossings_of_the_limits():
    at_risk = AtRisk.from_frame(many(), **ROWS)
    curve = kaplan_meier(at_risk, conf_type="plain").table
    row = survival_quantiles(at_risk, probs=0.4, conf_type="plain").table.iloc[0]
    for limit in ("conf_low", "conf_high"):
        assert row[limit] == curve.loc[curve[limit] <= 0.6, "time_weeks"].min()


def test_quantiles_say_how_far_the_curve_falls():
    answer = survival_quantiles(
        table([(1, 1, "a"), (2, 0, "a"), (3, 0, "b")], ("exit", "event", "g"), strata="g")
    )
    assert answer.model["lowest_survival"].tolist() == [0.5, 1.0]


def test_the_ratio_of_restricted_means_and_its_limits():
    at_risk = AtRisk.from_frame(many(), **ROWS, strata="group")
    answer = restricted_mean(at_risk, horizon_weeks=[5, 15])
    levels = answer.table[answer.table["term"] == "restricted_mean"].set_index(["group", "time_weeks"])
    for row in answer.table[answer.table["term"] == "restricted_mean_ratio"].itertuples():
        top, bottom = levels.loc[(row.group, row.time_weeks)], levels.loc[("0", row.time_weeks)]
        error = np.hypot(top["std_error"] / top["estimate"], bottom["std_error"] / bottom["estimate"])
        assert row.estimate == pytest.approx(top["estimate"] / bottom["estimate"])
        assert row.std_error == pytest.approx(row.estimate * error)
        assert row.conf_high == pytest.approx(row.estimate * np.exp(1.959964 * error))
        assert row.conf_low * row.conf_high == pytest.approx(row.estimate**2)
        assert row.n_persons == top["n_persons"] + bottom["n_persons"]


def test_groups_of_the_same_persons_have_a_ratio_of_one_without_error():
    frame = many()
    twice = pd.concat([frame.assign(side="a"), frame.assign(side="b")])
    at_risk = AtRisk.from_frame(twice, **ROWS, strata="side", cluster="cluster")
    table = restricted_mean(at_risk, horizon_weeks=12).table.set_index("term")
    assert table.loc["restricted_mean_ratio", "estimate"] == pytest.approx(1)
    assert table.loc["restricted_mean_ratio", "std_error"] == pytest.approx(0, abs=1e-7)


@pytest.mark.parametrize(
    ("estimator", "options"),
    [
        (kaplan_meier, {}),
        (nelson_aalen, {}),
        (restricted_mean, {"horizon_weeks": [5, 12]}),
        (residual_time, {"elapsed_weeks": 3, "horizon_weeks": 9}),
    ],
)
def test_a_count_is_as_many_persons_in_robust_errors_too(estimator, options):
    frame = many()
    counted = AtRisk.from_frame(frame, **LATE, strata="group", count="k", person="person")
    repeated = frame.loc[frame.index.repeat(frame["k"])].assign(person=lambda part: np.arange(len(part)))
    rows = AtRisk.from_frame(repeated, **LATE, strata="group", person="person")
    first, second = (estimator(part, **options, robust=True).table for part in (counted, rows))
    pd.testing.assert_frame_equal(first, second, rtol=1e-9)


def test_errors_between_many_units_are_the_same_by_table_and_by_list(monkeypatch):
    at_risk = AtRisk.from_frame(many(), **LATE, strata="group", cluster="cluster", weight="w")
    full = restricted_mean(at_risk, horizon_weeks=[5, 15]).model["covariance"]
    monkeypatch.setattr("evalkit.estimators._functionals.FULL", 1)
    np.testing.assert_allclose(
        restricted_mean(at_risk, horizon_weeks=[5, 15]).model["covariance"], full, atol=1e-15
    )
    assert full[0, -1] != 0


STOCK = [(0, 4, 1), (0, 9, 0), (3, 5, 1), (3, 8, 1), (10, 12, 1), (11, 20, 0)]


def stock(rows=STOCK):
    return table(rows, ("entry", "exit", "event"), entry="entry")


def test_conditional_residual_time_is_the_curve_from_the_elapsed_week_on():
    answer = residual_time(stock(), elapsed_weeks=[3, 4], horizon_weeks=4).table.set_index("term")
    # From 3: four at risk at 4, three at 5, then 9 remains beyond 7; from 4: three at 5, none till 8.
    assert answer.loc["residual_survival[3]", "estimate"] == pytest.approx(3 / 4 * 2 / 3)
    assert answer.loc["residual_mean[3]", "estimate"] == pytest.approx(1 + 3 / 4 + 2 * 1 / 2)
    assert answer.loc["residual_survival[4]", "estimate"] == pytest.approx(2 / 3 * 1 / 2)
    assert answer.loc["residual_survival[3]", ["n_persons", "n_events"]].tolist() == [4, 2]


def test_conditional_errors_are_those_of_the_curve_from_the_start():
    at_risk = AtRisk.from_frame(many(), **LATE, cluster="cluster", weight="w")
    for robust in (False, True):
        row = residual_time(at_risk, elapsed_weeks=6, horizon_weeks=10, robust=robust).table.iloc[0]
        curve = kaplan_meier(at_risk, start_weeks=6, robust=robust).table
        last = curve[curve["time_weeks"] <= 16].iloc[-1]
        columns = ["estimate", "std_error", "conf_low", "conf_high"]
        np.testing.assert_allclose(row[columns].astype(float), last[columns].astype(float), rtol=1e-9)


def test_classes_follow_the_persons_found_with_so_many_weeks():
    answer = residual_time(stock(), elapsed_weeks=[0, 3, 10], horizon_weeks=2, method="classes").table
    assert answer["term"].tolist() == [
        f"{term}[{edge}]" for edge in (0, 3, 10) for term in ("residual_survival", "residual_mean")
    ]
    assert answer["estimate"].tolist() == [1, 2, 0.5, 2, 0.5, 2] and (answer["n_persons"] == 2).all()


@pytest.mark.parametrize("method", ["conditional", "classes"])
def test_groups_of_the_stock_are_compared_with_the_first(method):
    frame = many(400)
    columns = {**LATE, "strata": "group", "weight": "w", "cluster": "cluster"}
    answer = residual_time(
        AtRisk.from_frame(frame, **columns), elapsed_weeks=[0, 3], horizon_weeks=5, method=method
    )
    table = answer.table.set_index(["term", "group"])
    for term in ("residual_survival{}[3]", "residual_mean{}[0]"):
        row, level = table.loc[(term.format("_difference"), "2")], table["estimate"][term.format("")]
        assert row["estimate"] == pytest.approx(level["2"] - level["0"])
        assert row["conf_high"] - row["estimate"] == pytest.approx(1.959964 * row["std_error"])
    np.testing.assert_allclose(np.sqrt(np.diag(answer.model["covariance"])), answer.table["std_error"])
    twice = pd.concat([frame.assign(side="a"), frame.assign(side="b")])
    same = residual_time(
        AtRisk.from_frame(twice, **{**columns, "strata": "side"}),
        elapsed_weeks=3,
        horizon_weeks=5,
        method=method,
    ).table
    assert same.loc[same["term"] == "residual_mean_difference[3]", "std_error"].iloc[0] < 1e-7


def test_one_class_from_zero_is_the_whole_stock():
    whole = residual_time(stock(), elapsed_weeks=0, horizon_weeks=3, method="classes").row("residual_mean[0]")
    shifted = [(exit - entry, event) for entry, exit, event in STOCK]
    mean = restricted_mean(table(shifted), horizon_weeks=3).table.iloc[0]
    assert whole["estimate"] == mean["estimate"] and whole["std_error"] == mean["std_error"]


def test_split_rows_keep_the_elapsed_weeks_of_the_census():
    rows = [(1, 3, 5, 0), (1, 5, 9, 1), (2, 4, 6, 1)]
    at_risk = table(rows, ("person", "entry", "exit", "event"), entry="entry", person="person")
    joined = table([(3, 9, 1), (4, 6, 1)], ("entry", "exit", "event"), entry="entry")
    for method in ("classes", "conditional"):
        answers = [
            residual_time(part, elapsed_weeks=[3, 4], horizon_weeks=1.5, method=method).table
            for part in (at_risk, joined)
        ]
        pd.testing.assert_frame_equal(*answers)


def test_a_trend_is_positive_where_high_scores_leave_sooner():
    early = [(k, 1, "b") for k in range(1, 9)] + [(k, 1, "a") for k in range(5, 13)]
    at_risk = table(early, ("exit", "event", "g"), strata="g")
    answer = log_rank(at_risk, trend=[0, 1])
    assert answer.diagnostics["z"] > 2 and answer.diagnostics["df"] == 1
    assert answer.table["estimate"][0] == pytest.approx(log_rank(at_risk).table["estimate"][0])
    assert log_rank(at_risk, trend=[1, 0]).diagnostics["z"] == pytest.approx(-answer.diagnostics["z"])


def test_weights_look_where_they_say():
    """Groups that differ only late: the late weights see it best."""
    rng = np.random.default_rng(3)
    base = np.ceil(rng.exponential(20, 800))
    late = np.where(base > 20, 20 + np.ceil((base - 20) / 2), base)
    frame = pd.DataFrame({"exit": np.append(base, late), "event": 1, "g": np.repeat(["a", "b"], 800)})
    at_risk = AtRisk.from_frame(frame, **ROWS, strata="g")
    found = {
        name: log_rank(at_risk, **options).table["estimate"][0]
        for name, options in {
            "late": {"gamma": 1},
            "plain": {},
            "early": {"rho": 1},
            "gehan": {"weights": "gehan"},
        }.items()
    }
    assert found["late"] > found["plain"] > max(found["early"], found["gehan"])


def test_groups_that_meet_only_in_part_are_compared_where_they_do():
    rows = [(0, 2, 1, "a"), (0, 3, 1, "b"), (5, 7, 1, "c"), (5, 8, 1, "d")]
    at_risk = table(rows, ("entry", "exit", "event", "g"), entry="entry", strata="g")
    assert log_rank(at_risk).diagnostics["df"] == 2


def leave_one_out(at_risk, week, estimand):
    """Return the pseudo-observations by fitting again without each row."""

    def value(rows):
        if estimand == "survival":
            curve = kaplan_meier(rows).table
            return curve.loc[curve["time_weeks"] <= week, "estimate"].iloc[-1]
        return restricted_mean(rows, horizon_weeks=week).table["estimate"][0]

    n = at_risk.n_rows
    return [n * value(at_risk) - (n - 1) * value(at_risk.select(np.arange(n) != k)) for k in range(n)]


@pytest.mark.parametrize("estimand", ["survival", "restricted_mean"])
def test_pseudo_observations_are_the_jackknife(estimand):
    at_risk = AtRisk.from_frame(many(80), **ROWS)
    found = pseudo_observations(at_risk, weeks=[4, 11.5], estimand=estimand)
    for column, week in enumerate((4, 11.5)):
        np.testing.assert_allclose(found[:, column], leave_one_out(at_risk, week, estimand), atol=1e-11)


def test_without_censoring_pseudo_observations_are_the_outcomes():
    exit = np.array([1, 2, 2, 5, 7])
    at_risk = AtRisk.from_frame(
        pd.DataFrame({"exit": exit, "cause": [1, 2, 1, 2, 1]}), exit="exit", event="cause"
    )
    options = {"weeks": [2, 6, 9]}
    weeks = np.array(options["weeks"])
    expected = {
        "survival": exit[:, None] > weeks,
        "restricted_mean": np.minimum(exit[:, None], weeks),
        "cumulative_incidence": (exit[:, None] <= weeks) & (np.array([0, 1, 0, 1, 0])[:, None] == 1),
    }
    for estimand, outcome in expected.items():
        found = pseudo_observations(at_risk, **options, estimand=estimand, cause={"c": "2"}.get(estimand[0]))
        np.testing.assert_allclose(found, outcome, atol=1e-12)


def test_the_last_person_alone_leaves_a_curve_that_stays():
    """Without the last of three the curve is 1/2 from week 1 on; with it 2/3, and 0 from week 4."""
    at_risk = table([(1, 1), (2, 0), (4, 1)])
    found = pseudo_observations(at_risk, weeks=6)[2, 0]
    assert found == pytest.approx(3 * 0 - 2 * 0.5)
    mean = pseudo_observations(at_risk, weeks=6, estimand="restricted_mean")[2, 0]
    assert mean == pytest.approx(3 * (1 + 2 / 3 * 3) - 2 * (1 + 0.5 * 5))


def test_strata_have_their_own_curves_and_rows_of_a_person_their_value():
    frame = many(60)
    by_group = pseudo_observations(AtRisk.from_frame(frame, **ROWS, strata="group"), weeks=6)
    for label, part in frame.groupby("group"):
        alone = pseudo_observations(AtRisk.from_frame(part, **ROWS), weeks=6)
        np.testing.assert_allclose(by_group[frame["group"] == label], alone)
    rows = [(1, 0, 3, 0), (2, 0, 2, 1), (1, 3, 6, 1), (3, 0, 5, 0)]
    split = table(rows, ("person", "entry", "exit", "event"), entry="entry", person="person")
    whole = pseudo_observations(table([(6, 1), (2, 1), (5, 0)]), weeks=[2, 4])
    np.testing.assert_allclose(pseudo_observations(split, weeks=[2, 4]), whole[[0, 1, 0, 2]])


def test_one_binary_covariate_gives_back_the_groups():
    """Without censoring the identity link is the difference of shares, with the errors of two shares."""
    frame = pd.DataFrame({"exit": np.tile(np.arange(1, 11), 4), "event": 1, "x": np.repeat([0, 1, 1, 0], 10)})
    frame["exit"] += 3 * frame["x"]
    answer = pseudo_regression(AtRisk.from_frame(frame, **ROWS, covariates=["x"]), weeks=6).table
    assert answer["estimate"].tolist() == pytest.approx([0.4, 0.3])
    assert answer["std_error"][1] == pytest.approx(np.sqrt(0.4 * 0.6 / 20 + 0.7 * 0.3 / 20))
    assert answer["n_persons"].tolist() == [40, 20] and (answer["n_events"] == 40).all()


@pytest.mark.filterwarnings("ignore:The .* link function does not respect the domain")
@pytest.mark.parametrize("link", ["identity", "log", "logit", "cloglog"])
def test_errors_are_those_of_the_estimating_equations_of_statsmodels(link):
    import statsmodels.api as sm
    from statsmodels.genmod.families import Gaussian, links

    frame = many(200)
    at_risk = AtRisk.from_frame(frame, **ROWS, covariates=["x"], cluster="cluster")
    answer = pseudo_regression(at_risk, weeks=[5, 12], link=link)
    outcome = pseudo_observations(at_risk, weeks=[5, 12]).ravel()
    outcome = 1 - outcome if link == "cloglog" else outcome
    design = np.hstack([np.tile(np.eye(2), (200, 1)), np.repeat(at_risk.covariates, 2, axis=0)])
    function = {"identity": links.Identity, "log": links.Log, "logit": links.Logit, "cloglog": links.CLogLog}[
        link
    ]()
    fit = sm.GEE(
        outcome,
        design,
        groups=np.repeat(frame["cluster"].to_numpy(), 2),
        family=Gaussian(link=function, check_link=False),
        cov_struct=sm.cov_struct.Independence(),
    )
    fit = fit.fit(start_params=answer.model["estimates"], ctol=1e-11)
    np.testing.assert_allclose(answer.model["estimates"], fit.params, rtol=1e-8)
    np.testing.assert_allclose(answer.table["std_error"], fit.bse, rtol=1e-8)


@pytest.mark.parametrize("scale", [1e9, 1e-12])
def test_units_of_a_covariate_change_nothing(scale):
    frame = many(200)
    plain, scaled = (
        pseudo_regression(AtRisk.from_frame(part, **ROWS, covariates=["x"]), weeks=8, link="logit").table
        for part in (frame, frame.assign(x=frame["x"] * scale))
    )
    np.testing.assert_allclose(scaled["estimate"] * [1, scale], plain["estimate"], rtol=1e-6)
    np.testing.assert_allclose(scaled["p_value"], plain["p_value"], rtol=1e-6)


def test_what_is_read_off_curves_may_leave_where_enough_persons_are_behind_it():
    rules = Profile(
        name="example",
        valid_from="2015-01-01",
        min_n=5,
        min_events=5,
        rounding_base=5,
        decimals=3,
        source="example",
        is_verified=False,
    )
    frame = pd.concat([many(), many(4).assign(group=9)])
    at_risk = AtRisk.from_frame(frame, **ROWS, strata="group", covariates=["x"])
    released = {
        "quantile": survival_quantiles(at_risk, probs=0.5),
        "residual": residual_time(at_risk.select(at_risk.strata < 3), elapsed_weeks=0, horizon_weeks=8),
        "intercept": pseudo_regression(at_risk.select(at_risk.strata < 3), weeks=6),
        "mean": restricted_mean(at_risk.select(at_risk.strata < 3), horizon_weeks=8),
    }
    for name, result in released.items():
        payload = release(result, rules, name="answer").payload
        shown = {row[1] for row in payload["rows"] if row[3] is not None}
        assert shown == ({""} if name == "intercept" else {"0", "1", "2"}), name
