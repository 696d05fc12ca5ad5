"""Weekly hazards and rates that cannot be estimated: said by name, with the way out."""

import numpy as np
import pandas as pd
import pytest

from evalkit.atrisk import AtRisk
from evalkit.errors import EstimationError
from evalkit.estimators import cox, discrete_hazard, piecewise_exponential, predict_hazard


def frame(n=200):
    rng = np.random.default_rng(1)
    return pd.DataFrame(
        {
            "weeks": rng.integers(1, 12, n).astype(float),
            "left": rng.integers(0, 2, n),
            "entry": 0.0,
            "x": rng.normal(size=n),
            "arm": rng.integers(0, 2, n),
            "start": 1500,
            "town": np.arange(n) % 3,
        }
    )


def at_risk(data=None, **columns):
    return AtRisk.from_frame(
        frame() if data is None else data, exit="weeks", event="left", entry="entry", **columns
    )


def both(rows, message, **options):
    for fit in (
        lambda: discrete_hazard(rows, **{"duration": {"breaks": [4]}, **options}),
        lambda: piecewise_exponential(rows, breaks=[4]),
    ):
        with pytest.raises(EstimationError, match=message):
            fit()


def test_no_events():
    both(at_risk(frame().assign(left=0)), "no event among 200 persons.*length of follow-up")


def test_a_constant_covariate_is_named():
    both(
        at_risk(frame().assign(same=0.1, other=2.0), covariates=["x", "same", "other"]),
        "^same, other: constant",
    )


def test_a_combination_of_covariates_is_named():
    data = frame().assign(twice=lambda d: 2 * d["x"] - d["arm"])
    both(at_risk(data, covariates=["x", "arm", "twice"]), "twice is a combination of .*x, arm; leave one")


def test_a_covariate_that_repeats_the_strata_is_named():
    data = frame().assign(place=lambda d: d["arm"].map({0: "A", 1: "B"}))
    both(at_risk(data, strata="place", covariates=["x", "arm"]), "arm is a combination of .*of A")


@pytest.mark.parametrize("link", ["cloglog", "logit"])
def test_separation_is_named_with_the_way_out(link):
    data = frame().assign(left=lambda d: d["left"] * d["arm"], other=frame()["x"])
    both(at_risk(data, covariates=["other", "arm"]), r": arm: separates.*firth=True", link=link)


def test_monotone_likelihood_of_a_combination_is_named():
    # Those with a or b never leave; either alone leaves doubt of nothing.
    data = frame().assign(a=lambda d: (d["town"] == 0) * 1.0, b=lambda d: (d["town"] == 1) * 1.0)
    data["left"] = data["left"] * (data["town"] == 2)
    both(at_risk(data, covariates=["x", "a", "b"]), ": a, b: separates")


def test_times_between_weeks_are_refused_with_two_ways_out_and_rates_take_them():
    rows = at_risk(frame().assign(weeks=lambda d: d["weeks"] - 0.5 * (d["arm"] == 1)))
    n = int((frame()["arm"] == 1).sum())
    with pytest.raises(
        EstimationError, match=f"{n} of 200 rows begin or end between whole weeks.*piecewise_exponential"
    ):
        discrete_hazard(rows)
    assert piecewise_exponential(rows, breaks=[4.25]).table["estimate"].gt(0).all()


def test_levels_without_events_are_named():
    data = frame().assign(left=lambda d: d["left"] * (d["weeks"] > 4))
    with pytest.raises(
        EstimationError, match=r"no event in duration\[1-4\] \(\d+ weeks at risk\).*wider steps"
    ):
        discrete_hazard(at_risk(data), duration={"breaks": [4]})
    everybody = pd.DataFrame({"weeks": [1.0, 1, 2, 3, 3], "left": [1, 0, 1, 1, 1], "entry": 0})
    with pytest.raises(EstimationError, match=r"everybody at risk leaves in duration\[3\].*wider steps"):
        discrete_hazard(at_risk(everybody), duration={"breaks": [1, 2]})


def test_calendar_periods_without_events_are_named():
    data = frame().assign(start=lambda d: np.where(d["arm"] == 1, 1400, 1500))
    rows = at_risk(data.assign(left=data["left"] * data["arm"]), calendar="start")
    with pytest.raises(EstimationError, match=r"no event in calendar\[2018\].*join periods"):
        discrete_hazard(rows, duration=None, calendar="year")
    rows = at_risk(data.assign(left=data["left"] * (1 - data["arm"])), calendar="start")
    with pytest.raises(EstimationError, match="no event in the first calendar period"):
        discrete_hazard(rows, duration=None, calendar="year")


def test_calendar_terms_need_the_week_of_time_zero():
    with pytest.raises(EstimationError, match=r"week of time zero.*from_frame\(calendar="):
        discrete_hazard(at_risk(), season="month")


def test_all_events_in_one_week_are_answered_or_refused():
    data = frame().assign(weeks=lambda d: np.where(d["left"] == 1, 5.0, 9.0))
    hazard = predict_hazard(discrete_hazard(at_risk(data)), weeks=5).row(term="hazard")["estimate"]
    assert hazard == pytest.approx(data["left"].mean())
    with pytest.raises(EstimationError, match="fall on 1 different weeks; give fewer knots"):
        discrete_hazard(at_risk(data), duration={"knots": 4})
    with pytest.raises(EstimationError, match="everybody at risk leaves.*wider steps"):
        discrete_hazard(at_risk(data.assign(weeks=3.0, left=1)))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"link": "probit"}, "link"),
        ({"duration": {"knots": 2}}, "knots == 2"),
        ({"duration": {"knots": [1, 2]}}, "at least 3"),
        ({"duration": {"knots": [1, 3, 2]}}, "rising"),
        ({"duration": {"breaks": [4, 4]}}, "rising"),
        ({"duration": {"steps": [4]}}, "duration"),
        ({"duration": "month"}, "duration"),
        ({"calendar": "month"}, "calendar"),
        ({"season": "week"}, "season"),
        ({"season": {"harmonics": 9}}, "season"),
        ({"conf_level": 95}, "conf_level"),
        ({"duration": {"breaks": [np.inf]}}, "finite"),
        ({"duration": {"breaks": [4.5]}}, "whole weeks"),
    ],
)
def test_options_outside_their_values(options, message):
    with pytest.raises(ValueError, match=message):
        discrete_hazard(at_risk(calendar="start"), **options)


def test_breaks_beyond_the_data():
    with pytest.raises(EstimationError, match="nobody is at risk after week 99"):
        piecewise_exponential(at_risk(), breaks=[4, 99])
    with pytest.raises(EstimationError, match="nobody is at risk after week 11"):
        discrete_hazard(at_risk(), duration={"breaks": [4, 11]})


def test_one_cluster_and_fewer_clusters_than_terms():
    with pytest.raises(EstimationError, match="1 cluster"):
        discrete_hazard(at_risk(frame().assign(town=1), cluster="town"))
    with pytest.warns(UserWarning, match="^discrete_hazard: 3 clusters for 4 terms"):
        fit = discrete_hazard(at_risk(cluster="town", covariates=["x", "arm"]), duration={"breaks": [4]})
    assert np.isfinite(fit.table["std_error"]).all()


def test_a_stratum_without_events_says_nothing_by_week_and_is_named_by_steps():
    data = frame().assign(
        place=lambda d: d["town"].map({0: "A", 1: "B", 2: "C"}), left=lambda d: d["left"] * (d["town"] > 0)
    )
    rows = at_risk(data, strata="place", covariates=["x"])
    fit, without = (discrete_hazard(part) for part in (rows, rows.select(data["town"].to_numpy() > 0)))
    assert fit.row(term="x")["estimate"] == pytest.approx(without.row(term="x")["estimate"], rel=1e-5)
    assert (
        predict_hazard(fit, pd.DataFrame({"x": [0]}), weeks=range(1, 6)).table.query(
            "group == 'A, 0' and term == 'survival'"
        )["estimate"]
        == 1
    ).all()
    with pytest.raises(EstimationError, match=r"no event in duration\[1-4\] of A"):
        discrete_hazard(rows, duration={"breaks": [4]})
    rates = piecewise_exponential(rows, breaks=[4])
    assert (rates.table.query("group == 'A'")["estimate"] == 0).all()


def test_ten_thousand_strata_by_week_are_too_many_terms_and_one_constant_each_is_refused_in_words():
    n = 20_000
    rng = np.random.default_rng(1)
    data = pd.DataFrame(
        {
            "weeks": rng.integers(1, 9, n),
            "left": rng.integers(0, 2, n),
            "entry": 0,
            "x": rng.normal(size=n),
            "town": np.arange(n) % 10_000,
        }
    )
    with pytest.raises(EstimationError, match=r"\d+ terms of time \(10000 strata\), at most 3000.*cox"):
        discrete_hazard(at_risk(data, strata="town", covariates=["x"]))


def test_states_are_refused():
    data = pd.DataFrame({"weeks": [1.0, 2.0], "left": ["ON", None], "entry": 0.0, "now": ["OFF", "ON"]})
    both(at_risk(data, state="now"), "states")


def test_predictions_stay_inside_the_data():
    fit = discrete_hazard(at_risk(covariates=["x"], calendar="start"), duration={"breaks": [4]})
    profile = pd.DataFrame({"x": [0.0]})
    with pytest.raises(EstimationError,
                       match="predict_hazard: nobody is followed to week 40"):
        predict_hazard(fit, profile, weeks=40)
    with pytest.raises(EstimationError, match="missing columns x, unknown columns y"):
        predict_hazard(fit, pd.DataFrame({"y": [0.0]}), weeks=4)
    with pytest.raises(EstimationError, match="give profiles with the columns x"):
        predict_hazard(fit, weeks=4)
    for weeks in (2.5, 0, [], [1, -2], np.inf):
        with pytest.raises(ValueError, match="weeks == .*must be"):
            predict_hazard(fit, profile, weeks=weeks)
    with pytest.raises(EstimationError, match="predict_hazard: a result of cox has no hazard by week"):
        predict_hazard(cox(at_risk(covariates=["x"])), profile)
    seasonal = discrete_hazard(
        at_risk(frame().assign(start=1500 + frame()["town"] * 4), calendar="start"),
        duration=None,
        season="month",
    )
    with pytest.raises(EstimationError, match="give calendar, the week number of time zero"):
        predict_hazard(seasonal, weeks=4)
    with pytest.raises(EstimationError, match=r"\d+ of 4 weeks lie in periods that the data do not cover"):
        predict_hazard(seasonal, weeks=4, calendar=1480)


def test_an_empty_early_risk_set_is_said_and_does_not_keep_everybody():
    late = at_risk(frame().assign(entry=3, weeks=lambda d: d["weeks"] + 3))
    for fit in (discrete_hazard(late), piecewise_exponential(late, breaks=[3])):
        with pytest.raises(
            EstimationError, match=r"nobody is at risk in \d of the weeks up to 9 \(late entry"
        ):
            predict_hazard(fit, weeks=9)
    with pytest.raises(EstimationError, match=r"no event in duration\[1-3\] \(0 weeks at risk\)"):
        discrete_hazard(late, duration={"breaks": [3]})
    places = frame().assign(
        place=lambda d: np.where(d["arm"] == 1, "A", "B"),
        weeks=lambda d: d["weeks"].clip(upper=6 + 9 * d["arm"]),
    )
    with pytest.raises(EstimationError, match="nobody of stratum B is at risk in 2 of the weeks up to 8"):
        predict_hazard(discrete_hazard(at_risk(places, strata="place")), weeks=8)


def test_times_that_cannot_be_weeks_are_said():
    with pytest.raises(EstimationError, match="after 1e.06 weeks.*Is time in weeks"):
        discrete_hazard(at_risk(frame().assign(weeks=1e6)))


def test_a_stratum_that_has_no_rows_is_no_stratum():
    data = frame().assign(place=lambda d: d["arm"].map({0: "A", 1: "B"}))
    part = at_risk(data, strata="place").select(data["arm"].to_numpy() == 1)
    fit = discrete_hazard(part, duration={"breaks": [4]})
    assert fit.table["group"].unique().tolist() == ["B"]
    assert piecewise_exponential(part, breaks=[4]).table["group"].unique().tolist() == ["B"]
    assert len(predict_hazard(discrete_hazard(part), weeks=range(1, 5)).table) == 8
