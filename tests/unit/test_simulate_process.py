"""The process behaves as Danish figures say people on support do, and the law when it says."""

import numpy as np
import pytest

from evalkit import simulate, weeks
from evalkit.simulate import definitions
from evalkit.simulate.activities import ACTIVITY
from evalkit.simulate.clock import Clock
from evalkit.simulate.life import simulate as live
from evalkit.simulate.own import Own, sanctions
from evalkit.simulate.parameters import parameters
from evalkit.simulate.sites import example_site
from evalkit.simulate.states import (
    EDUCATION_BENEFIT_FROM,
    FIRST_SUPPORT,
    INTEGRATION_ALL_FROM,
    INTEGRATION_NEWCOMERS_FROM,
    NUMBER,
    SOCIAL_ASSISTANCE,
)


@pytest.fixture(scope="module")
def register():
    return simulate.register(n_persons=2500, n_comparisons=8, persons_per_comparison=250, seed=3)


def _row(register, date):
    return weeks.week_of(date) - register.first_week


def test_few_of_the_new_spells_and_fewer_of_the_stock_end(register):
    assistance = np.isin(register.state, SOCIAL_ASSISTANCE)
    on = definitions.on_support(register.state)
    ended = at_risk = 0
    for row in range(53, 200):
        spell = np.flatnonzero(assistance[row] & ~on[row - 52:row].any(axis=0))
        still = np.logical_and.accumulate(assistance[row:row + 53, spell], axis=0)
        at_risk += still[:-1].sum()
        ended += (still[:-1] & ~still[1:]).sum()
    stock = np.flatnonzero(assistance[0] & (register.people.age(register.first_week) < 55))
    net = -np.log(on[312, stock].mean()) / 312
    assert 0.015 < ended / at_risk < 0.023
    assert 0.0009 < net < 0.0017


def test_activity_dips_in_july(register):
    month = weeks.month_of(register.weeks) % 12
    ready = np.isin(register.state, (NUMBER["CASH_BENEFIT_ACTIVITY"], NUMBER["EDUCATION_BENEFIT_ACTIVITY"]))
    active = (register.activity > 0) & (register.activity < ACTIVITY["MENTOR"])
    share = [active[month == one][ready[month == one]].mean() for one in range(12)]
    assert min(share) == min(share[6:8])
    assert share[6] < 0.75 * np.mean(share[:5])
    assert 0.1 < np.mean(share) < 0.5


def test_nobody_is_on_a_benefit_before_it_exists(register):
    before = {
        EDUCATION_BENEFIT_FROM: ("EDUCATION_BENEFIT_READY", "EDUCATION_BENEFIT_ACTIVITY"),
        INTEGRATION_NEWCOMERS_FROM: ("INTEGRATION_BENEFIT",),
        weeks.week_of("2013-01-07"): ("RESOURCE_COURSE",),
        weeks.week_of("2014-07-07"): ("JOB_CLARIFICATION",),
    }
    for week, names in before.items():
        numbers = [NUMBER[name] for name in names]
        assert not np.isin(register.state[:week - register.first_week], numbers).any()
        assert np.isin(register.state[week - register.first_week:], numbers).any()


def test_integration_benefit_relabels_everybody_in_one_week(register):
    row = INTEGRATION_ALL_FROM - register.first_week
    integration = register.state == NUMBER["INTEGRATION_BENEFIT"]
    renamed = integration[row] & ~integration[row - 1] & (register.state[row - 1] >= FIRST_SUPPORT)
    usual = [(integration[one] & ~integration[one - 1]).sum() for one in range(row - 30, row)]
    assert renamed.sum() > 10 * np.mean(usual)


def test_rule_of_225_hours_closes_only_from_october_2016(register):
    rule = register.exits["cause"] == 3
    assert rule.any()
    assert register.exits["week"][rule].min() >= weeks.week_of("2016-10-03")


def test_the_gone_stay_gone(register):
    gone = (register.state >= NUMBER["RETIREMENT"]) & (register.state < FIRST_SUPPORT)
    assert (gone[1:] >= gone[:-1]).all()
    assert {NUMBER["RETIREMENT"], NUMBER["DEATH"], NUMBER["EMIGRATION"]} <= set(register.state[-1].tolist())


def test_returns_are_frequent_soon_after_leaving(register):
    on = register.state >= FIRST_SUPPORT
    row, person = np.nonzero(on[:-60] & ~on[1:-59] & (register.state[1:-59] <= NUMBER["EMPLOYED"]))
    since = np.array([on[row + 1 + step, person] for step in range(1, 53)])
    back = since.argmax(axis=0)[since.any(axis=0)]
    assert 0.1 < since.any(axis=0).mean() < 0.6
    assert (back < 26).mean() > 0.6


def test_the_programme_works_through_more_activities(register):
    start = register.site.programme_start
    book = register.activities
    treated = register.home[book["person"]] == 0
    per_person = {}
    for place, mine in (("treated", treated), ("comparison", ~treated)):
        before, after = (mine & (book["start"] >= low) & (book["start"] < low + 150)
                         for low in (start - 150, start + 52))
        per_person[place] = after.sum() / before.sum()
    assert per_person["treated"] > 1.3 * per_person["comparison"]
    assert not book["is_course"][~treated & (register.people.municipality[book["person"]] != 0)].any()


def test_activities_never_outlast_support(register):
    book = register.activities
    inside = (book["start"] >= register.first_week) & (book["end"] > book["start"])
    last = book["end"][inside] - 1 - register.first_week
    assert (register.state[np.maximum(last, 0), book["person"][inside]] >= FIRST_SUPPORT).all()
    assert (book["end"] >= book["start"]).all()


def test_activities_run_in_parallel(register):
    book = register.activities
    row = _row(register, "2017-03-06") + register.first_week
    running = book["person"][(book["start"] <= row) & (book["end"] > row)]
    assert (np.unique(running, return_counts=True)[1] > 1).mean() > 0.05


def test_shocks_have_the_stated_spread():
    params = parameters("base")
    clocks = [
        Clock(params, programme_start=0, n_municipalities=25, rng=np.random.default_rng(seed))
        for seed in range(40)
    ]
    assert np.std([clock.shock for clock in clocks]) == pytest.approx(params.shock_sd, rel=0.02)
    assert np.std([clock.level[1:] for clock in clocks]) == pytest.approx(params.level_sd, rel=0.1)
    assert not Clock(parameters("no_shocks"), programme_start=0, n_municipalities=9,
                     rng=np.random.default_rng(1)).shock.any()


def test_worlds_differ_only_after_the_programme_is_switched_off():
    site, home = example_site("hjoerring"), np.zeros(400, dtype=int)
    _, (with_it, _) = live(site, parameters(), home=home, seed=2)
    off = np.where(np.arange(400) < 200, site.programme_start + 60, 10**6)
    _, (without, _) = live(site, parameters(), home=home, seed=2, programme_off_from=off)
    row = site.programme_start + 60 - site.first_week
    assert (with_it[:row] == without[:row]).all()
    assert (with_it[:, 200:] == without[:, 200:]).all()
    assert (with_it[:, :200] != without[:, :200]).any()


def test_the_null_scenario_does_nothing():
    site, home = example_site("hjoerring"), np.zeros(300, dtype=int)
    _, (with_it, _) = live(site, parameters("null"), home=home, seed=2)
    _, (without, _) = live(site, parameters("null"), home=home, seed=2, programme_off_from=np.zeros(300))
    assert (with_it == without).all()


def test_an_unknown_scenario_or_site_is_named():
    with pytest.raises(ValueError, match="scenario 'wild'"):
        parameters("wild")
    with pytest.raises(ValueError, match="site 'aarhus'"):
        simulate.register(site="aarhus")


def test_full_sanctions_are_short_and_inside_assistance(register):
    person, start, end = sanctions(register)
    assert len(person) > 20
    assert ((end - start) >= 1).all() and ((end - start) <= 3).all()
    for row in (start - 1, end):
        assert np.isin(register.state[row, person], SOCIAL_ASSISTANCE).all()


def test_caseload_falls_from_eighty_to_forty(register):
    from evalkit.simulate import caseload
    own = Own(register)
    staff = caseload.headcount(own)
    staff = staff[staff["role"] == "CASEWORKER"].set_index("month")["fte"]
    for date, expected in (("2014-06-01", 80), ("2018-06-01", 40)):
        stock = own.on[_row(register, date)].sum()
        assert stock / staff[date] == pytest.approx(expected, rel=0.12)
