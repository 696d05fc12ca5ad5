"""Cells counted from ends, terms of time by name, predictions by hand."""

from functools import partial

import numpy as np
import pandas as pd
import pytest

from evalkit import weeks
from evalkit.atrisk import AtRisk
from evalkit.disclosure import release
from evalkit.estimators import discrete_hazard, hazard_ratios, piecewise_exponential, predict_hazard
from evalkit.estimators.discrete import cells, time_terms
from evalkit.estimators.discrete.splines import restricted_cubic
from evalkit.profile import Profile


def frame(n=300, seed=3):
    rng = np.random.default_rng(seed)
    entry = rng.integers(0, 5, n) * (rng.uniform(size=n) < 0.4)
    return pd.DataFrame(
        {
            "person": np.arange(n),
            "entry": entry,
            "exit": entry + rng.integers(1, 12, n),
            "event": rng.uniform(size=n) < 0.6,
            "x": rng.normal(size=n).round(2),
            "arm": rng.integers(0, 2, n),
            "start": 1400 + rng.integers(0, 60, n),
            "place": rng.choice(["A", "B"], n),
            "k": rng.integers(1, 4, n),
            "w": rng.uniform(0.5, 2, n),
            "town": rng.integers(0, 20, n),
        }
    )


def table(data, **columns):
    return AtRisk.from_frame(data, entry="entry", exit="exit", event="event", **columns)


def test_an_end_on_an_edge_ends_the_piece_and_an_entry_on_it_begins_the_next():
    at_risk = AtRisk.from_frame(
        pd.DataFrame({"entry": [0, 4.0], "exit": [4.0, 6.0], "event": [1, 1]}),
        entry="entry",
        exit="exit",
        event="event",
    )
    spans = cells.spans_of(at_risk, np.array([0.0, 4.0, 10.0]))
    assert spans.first.tolist() == [0, 1] and spans.last.tolist() == [0, 1]
    weeks_at_risk = cells.time_at_risk(spans, np.zeros(2, dtype=int), np.ones(2), 1)
    assert weeks_at_risk.tolist() == [[4.0, 2.0]]
    assert cells.rows_touching(spans, np.zeros(2, dtype=int), 1).tolist() == [[1, 1]]
    fit = piecewise_exponential(at_risk, breaks=[4])
    assert fit.table["n_events"].tolist() == [1, 1]
    assert fit.table["estimate"].tolist() == pytest.approx([1 / 4, 1 / 2])


def test_a_person_with_several_rows_in_a_piece_counts_once():
    data = pd.DataFrame({"id": [1, 1, 2, 1], "k": [2, 2, 1, 2]})
    at_risk = AtRisk.from_frame(
        data.assign(entry=[0, 2, 0, 4], exit=[2, 4, 1, 9], event=0),
        entry="entry",
        exit="exit",
        event="event",
        person="id",
        count="k",
    )
    first, last = np.array([0, 0, 0, 1]), np.array([0, 1, 0, 3])
    assert cells.persons_touching(at_risk, slice(None), first, last, 5).tolist() == [3, 2, 2, 2, 0]


def test_numbers_follow_the_first_appearance_and_never_run_over():
    rng = np.random.default_rng(0)
    columns = [rng.integers(0, 1000, 500) for _ in range(9)]
    code, example = cells.number_rows(columns, 500)
    rows = list(zip(*columns, strict=True))
    assert len(example) == len(set(rows)) and code[example].tolist() == list(range(len(example)))
    assert all(rows[example[c]] == rows[i] for i, c in enumerate(code))


@pytest.mark.parametrize(
    "options",
    [
        {"duration": "week"},
        {"duration": {"breaks": [3, 7]}},
        {"duration": {"knots": [1, 4, 9]}},
        {"duration": {"breaks": [3]}, "calendar": "quarter", "season": {"harmonics": 1}},
    ],
)
@pytest.mark.parametrize("more", [{}, {"weight": "w", "cluster": "town"}, {"count": "k", "strata": "place"}])
def test_parts_counted_anew_at_every_pass_equal_cells_kept(monkeypatch, options, more):
    at_risk = table(frame(), covariates=["x", "arm"], calendar="start", **more)
    whole = discrete_hazard(at_risk, **options)
    monkeypatch.setattr(cells, "PART", 40)
    monkeypatch.setattr(cells, "KEPT", 0)
    monkeypatch.setattr("evalkit.estimators.discrete.scoring.PART", 40)
    parts = discrete_hazard(at_risk, **options)
    pd.testing.assert_frame_equal(whole.table, parts.table, rtol=1e-8)


@pytest.mark.parametrize("calendar", [None, "year"])
def test_cells_listed_row_by_row_equal_cells_counted_on_a_table(monkeypatch, calendar):
    at_risk = table(frame(), covariates=["x", "arm"], calendar="start", count="k", strata="place")
    fits = []
    for full in (0, np.inf):
        monkeypatch.setattr(cells, "FULL", full)
        fits.append(discrete_hazard(at_risk, duration={"breaks": [3, 7]}, calendar=calendar))
    pd.testing.assert_frame_equal(fits[0].table, fits[1].table, rtol=1e-9)


def test_terms_say_which_weeks_periods_and_months():
    fit = discrete_hazard(
        table(frame(3000), covariates=["arm"], calendar="start"),
        duration={"breaks": [1, 5]},
        calendar="year",
        season="month",
    )
    names = fit.table["term"].tolist()
    assert names[:4] == ["arm", "duration[1]", "duration[2-5]", "duration[6-]"]
    years = sorted({int(y) for y in weeks.year_of(1400 + np.arange(59 + 16))})
    assert [name for name in names if name.startswith("calendar")] == [f"calendar[{y}]" for y in years[1:]]
    assert names[-11:] == [f"season[{m:02d}]" for m in range(2, 13)]
    assert fit.table.set_index("term").loc["duration[1]":"duration[6-]", "p_value"].isna().all()
    assert fit.table.set_index("term").loc[["arm", "season[05]"], "p_value"].notna().all()
    waves = discrete_hazard(table(frame(), calendar="start"), duration=None, season={"harmonics": 2}).table
    assert waves["term"].tolist() == [
        "(Intercept)",
        "season_sin_1",
        "season_cos_1",
        "season_sin_2",
        "season_cos_2",
    ]


def test_who_is_behind_a_level_is_counted():
    data = frame()
    fit = discrete_hazard(
        table(data, calendar="start", person="person", covariates=["arm"]),
        duration={"breaks": [4]},
        calendar="year",
    )
    rows = fit.table.set_index("term")
    late = data["exit"] > 4
    assert rows.loc["duration[5-]", "n_persons"] == late.sum()
    assert rows.loc["duration[5-]", "n_events"] == (late & data["event"]).sum()
    assert rows.loc["arm", "n_persons"] == 300 and rows.loc["arm", "n_events"] == data["event"].sum()
    year = weeks.year_of((data["start"] + data["exit"] - 1).to_numpy())
    first = weeks.year_of((data["start"] + data["entry"]).to_numpy())
    second = first.min() + 1
    assert rows.loc[f"calendar[{second}]", "n_persons"] == ((first <= second) & (year >= second)).sum()
    assert rows.loc[f"calendar[{second}]", "n_events"] == (data["event"] & (year == second)).sum()
    persons = dict(zip(fit.model["terms"], fit.model["n_term"], strict=True))
    # The error of its effect tells the events of an arm: they are fewer than its persons.
    assert persons["arm"] == min((data["event"] & (data["arm"] == arm)).sum() for arm in (0, 1))
    assert persons["duration[5-]"] == min(late.sum(), data["event"].sum())


def test_week_of_year_runs_through_a_year_of_53_weeks():
    last = weeks.week_of("2020-12-28")
    assert time_terms.week_of_year(np.array([last - 52, last - 1, last, last + 1])).tolist() == [1, 52, 53, 1]
    assert time_terms.month_of_year(np.array([last, last + 1])).tolist() == [11, 0]
    period = int(time_terms.period_of(np.array([last]), "quarter")[0])
    assert time_terms.period_name(period, "quarter") == "2020Q4"


def test_the_spline_is_straight_beyond_the_outer_knots():
    value = restricted_cubic(np.array([-3.0, -2, -1, 30, 31, 32]), [0, 5, 10, 20])
    np.testing.assert_allclose(np.diff(value, n=2, axis=0)[[0, 3]], 0, atol=1e-10)


@pytest.mark.parametrize("link", ["cloglog", "logit"])
def test_weeks_without_covariates_are_shares_and_survival_is_the_product(link):
    data = frame()
    fit = discrete_hazard(table(data), link=link)
    answer = predict_hazard(fit, weeks=range(1, 9)).table
    at_risk = [((data["entry"] < t) & (t <= data["exit"])).sum() for t in range(1, 9)]
    died = [(data["event"] & (data["exit"] == t)).sum() for t in range(1, 9)]
    share = np.divide(died, at_risk)
    hazard, survival = (answer[answer["term"] == term] for term in ("hazard", "survival"))
    np.testing.assert_allclose(hazard["estimate"], share, rtol=1e-9)
    np.testing.assert_allclose(survival["estimate"], np.cumprod(1 - share), rtol=1e-9)
    # Binomial shares and Greenwood's formula.
    np.testing.assert_allclose(hazard["std_error"], np.sqrt(share * (1 - share) / at_risk), rtol=1e-6)
    greenwood = np.cumsum(np.array(died) / (np.array(at_risk) * (np.array(at_risk) - np.array(died))))
    np.testing.assert_allclose(survival["std_error"], np.cumprod(1 - share) * np.sqrt(greenwood), rtol=1e-6)
    assert ((answer["conf_low"] < answer["estimate"]) & (answer["estimate"] < answer["conf_high"])).all()


def test_weeks_in_which_nobody_or_everybody_leaves_have_hazard_0_and_1():
    data = pd.DataFrame({"exit": [1, 1, 3, 3, 3, 4, 4], "event": [1, 0, 1, 1, 0, 1, 1], "entry": 0})
    answer = predict_hazard(discrete_hazard(table(data)), weeks=[1, 2, 3, 4]).table
    assert answer["estimate"].round(9).tolist() == [
        round(v, 9) for v in (1 / 7, 0, 2 / 5, 1, 6 / 7, 6 / 7, 6 / 7 * 3 / 5, 0)
    ]
    assert answer["conf_high"].tolist()[3] == 1 and answer["conf_high"].tolist()[-1] == 0


def test_a_profile_is_predicted_by_its_covariates_stratum_and_calendar():
    fit = discrete_hazard(
        table(frame(), covariates=["x"], strata="place", calendar="start"),
        duration={"breaks": [4]},
        calendar="year",
    )
    profiles = pd.DataFrame({"x": [0.0, 1.0]}, index=["zero", "one"])
    answer = predict_hazard(fit, profiles, weeks=[2, 6], calendar=1400)
    model = dict(zip(fit.model["terms"], fit.model["estimates"], strict=True))
    year = int(weeks.year_of(1400))
    later = model.get(f"calendar[{year}]", 0.0)
    eta = model["duration[5-] of B"] + model["x"] + later
    got = answer.row(term="hazard", group="one, B", time_weeks=6.0)["estimate"]
    assert got == pytest.approx(1 - np.exp(-np.exp(eta)), rel=1e-9)
    assert answer.table["group"].unique().tolist() == ["zero, A", "zero, B", "one, A", "one, B"]
    alone = predict_hazard(fit, profiles.assign(strata=["B", "A"]), weeks=[2, 6], calendar=1400)
    assert alone.table["group"].unique().tolist() == ["zero, B", "one, A"]
    assert alone.row(term="hazard", group="zero, B", time_weeks=6.0)["estimate"] == pytest.approx(
        answer.row(term="hazard", group="zero, B", time_weeks=6.0)["estimate"], rel=1e-12)


@pytest.mark.parametrize("model", [discrete_hazard, partial(piecewise_exponential, breaks=[2.5, 4])])
def test_weeks_asked_for_are_rows_of_all_weeks(model):
    fit = model(table(frame(), covariates=["x"], strata="place"))
    profile = pd.DataFrame({"x": [0.5]})
    every = predict_hazard(fit, profile).table
    assert frame()["exit"].max() == 14
    # No further than ten persons are followed to, by whole quarters of a year.
    assert every["time_weeks"].unique().tolist() == list(range(1, 14))
    some = predict_hazard(fit, profile, weeks=[6, 3]).table
    pd.testing.assert_frame_equal(some, every[every["time_weeks"].isin([3, 6])].reset_index(drop=True))


def test_rates_predict_survival_between_breaks():
    data = pd.DataFrame({"weeks": [1.0, 2.5, 3.0, 6.0], "left": [1, 1, 0, 1]})
    fit = piecewise_exponential(AtRisk.from_frame(data, exit="weeks", event="left"), breaks=[2.5])
    rates = fit.table["estimate"].tolist()
    assert rates == pytest.approx([2 / (1 + 2.5 * 3), 1 / (0.5 + 3.5)])
    answer = predict_hazard(fit, weeks=[0.5, 3, 4])
    assert answer.row(term="survival", time_weeks=0.5)["estimate"] == pytest.approx(np.exp(-0.5 * rates[0]))
    assert answer.row(term="survival", time_weeks=4.0)["estimate"] == pytest.approx(
        np.exp(-2.5 * rates[0] - 1.5 * rates[1])
    )
    assert answer.row(term="hazard", time_weeks=3.0)["estimate"] == pytest.approx(rates[1])


def test_an_interval_without_events_has_rate_0_and_an_exact_upper_limit():
    data = pd.DataFrame({"weeks": [1.0, 2.0, 5.0, 6.0], "left": [1, 1, 0, 0]})
    fit = piecewise_exponential(AtRisk.from_frame(data, exit="weeks", event="left"), breaks=[2])
    last = fit.table.iloc[1]
    assert last["estimate"] == 0 and last["conf_low"] == 0
    # exp(-rate * 7 weeks) = 0.025
    assert last["conf_high"] == pytest.approx(-np.log(0.025) / 7)


def test_an_interval_in_which_a_stratum_is_not_seen_has_no_rate():
    data = pd.DataFrame({"weeks": [1.0, 2.0, 5.0], "left": [1, 1, 1], "place": ["A", "A", "B"]})
    fit = piecewise_exponential(
        AtRisk.from_frame(data, exit="weeks", event="left", strata="place"), breaks=[2]
    )
    missing = fit.row(term="rate", group="A", time_weeks=5.0)
    assert np.isnan(missing["estimate"]) and missing["n_persons"] == 0


def test_cloglog_is_the_hazard_ratio_and_logit_the_odds_ratio():
    at_risk = table(frame(), covariates=["arm"])
    fits = [discrete_hazard(at_risk, link=link) for link in ("cloglog", "logit")]
    assert [fit.estimand.name for fit in fits] == ["hazard_ratio", "odds_ratio"]
    ratio = hazard_ratios(fits[0]).row(term="arm")["estimate"]
    assert ratio == pytest.approx(np.exp(fits[0].row(term="arm")["estimate"]))


def test_scales_and_origins_of_covariates_do_not_matter():
    data = frame()
    plain = discrete_hazard(table(data, covariates=["x"]), duration={"breaks": [4]})
    for factor, shift in ((1e9, 0), (1e-12, 0), (1, 1e6)):
        scaled = discrete_hazard(
            table(data.assign(x=data["x"] * factor + shift), covariates=["x"]), duration={"breaks": [4]}
        )
        first, second = plain.row(term="x"), scaled.row(term="x")
        assert second["estimate"] * factor == pytest.approx(first["estimate"], rel=1e-6)
        assert second["std_error"] * factor == pytest.approx(first["std_error"], rel=1e-6)


def test_terms_are_named_once_and_may_leave_where_enough_persons_are_behind_them():
    profile = Profile(
        name="test",
        valid_from="2020-01-01",
        min_n=5,
        min_events=5,
        rounding_base=5,
        decimals=3,
        source="test",
        is_verified=True,
    )
    at_risk = table(frame(3000), covariates=["arm"], strata="place", calendar="start")
    fit = discrete_hazard(at_risk, duration={"breaks": [4]}, calendar="year")
    assert tuple(fit.table["term"]) == fit.model["terms"] and len(set(fit.model["terms"])) == len(fit.table)
    rates = piecewise_exponential(at_risk, breaks=[4])
    ahead = predict_hazard(fit, pd.DataFrame({"arm": [1]}), weeks=range(1, 4), calendar=1400)
    for result in (fit, rates, ahead):
        released = release(result, profile, name="hazards").payload
        estimate = released["columns"].index("estimate")
        assert all(row[estimate] is not None for row in released["rows"])
    few = discrete_hazard(
        table(frame(3000).assign(arm=lambda d: (d["person"] < 4) * 1), covariates=["arm"]), duration=None
    )
    released = release(few, profile, name="hazards").payload
    assert [row[released["columns"].index("estimate")] is None for row in released["rows"]] == [True, False]
