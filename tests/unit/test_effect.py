"""The effect evaluation on towns with a planted effect."""

import datetime as dt
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from effect_world import SITE, START, STUDY, followed, study, world

from evalkit.errors import CohortError, SpecError
from evalkit.evaluations import effect, preflight
from evalkit.evaluations.followed import plan_weeks


@pytest.fixture(scope="module")
def evidence():
    return followed(world(effect_weeks=-10.0), study())


def test_weeks_on_support_finds_the_planted_effect(evidence):
    result = effect.weeks_on_support(evidence)
    row = result.row("weeks_on_support", time_weeks=104)
    assert row.conf_low < -10 < row.conf_high
    assert row.conf_high < 0
    assert result.estimand.population == "inflow"
    assert result.diagnostics["placebo_rank"] == 1
    assert result.diagnostics["smallest_p"] == pytest.approx(1 / 11)


def test_weeks_at_each_horizon_are_what_fits_into_it(evidence):
    """Spells of 40 weeks less 10: nothing happens within 26 weeks, everything by 52."""
    table = effect.weeks_on_support(evidence).table.set_index(["term", "time_weeks"])["estimate"]
    assert abs(table["weeks_on_support", 26]) < 1.5
    assert table["weeks_on_support", 52] == pytest.approx(table["weeks_on_support", 104], abs=0.5)


def test_person_interval_stands_beside_and_is_shorter(evidence):
    table = effect.weeks_on_support(evidence).table
    shocks, persons = (table[table["term"] == term] for term in ("weeks_on_support", "person_error_only"))
    width = [(part["conf_high"] - part["conf_low"]).to_numpy() for part in (shocks, persons)]
    assert (width[1] < width[0]).all()
    assert (shocks["estimate"].to_numpy() == persons["estimate"].to_numpy()).all()


def test_curve_lies_inside_what_is_possible(evidence):
    table = effect.curve(evidence).table
    found = table[table["term"] == "weeks_difference"].set_index("time_weeks")
    possible = table[table["term"] == "largest_possible"].set_index("time_weeks")["estimate"]
    assert found["estimate"].index.tolist() == list(range(1, 105))
    assert (found["estimate"] >= possible - 1e-9).all()
    assert possible[1] == pytest.approx(-1.0)
    assert found.loc[104, "estimate"] == pytest.approx(
        effect.weeks_on_support(evidence).row("weeks_on_support", time_weeks=104).estimate
    )


def test_extra_persons_are_shares_times_the_persons_met(evidence):
    """In week 40 the spells of about half the others and of nearly all treated have ended."""
    result = effect.extra_persons(evidence)
    table = result.table.set_index(["term", "time_weeks"])["estimate"]
    assert result.diagnostics["n_treated_after"] == 40
    assert (table["job_or_education"] == table["job"] + table["education"]).all()
    assert (table["education"] == 0).all()


def test_extra_persons_need_income():
    tables = world()
    bare = replace(tables, frames={name: tables[name] for name in tables if name != "income_month"})
    assert effect.extra_persons(followed(bare, study())).withheld == "no_income"


def test_time_to_exit_has_weeks_and_ratio(evidence):
    table = effect.time_to_exit(evidence).table.set_index("term")
    assert table.loc["weeks_to_exit", "conf_low"] < -10 < table.loc["weeks_to_exit", "conf_high"]
    assert table.loc["hazard_ratio", "estimate"] > 1


def test_closures_known_on_one_side_only_change_nothing(evidence):
    """Only the programme's municipality delivers why a case closed; its exits must not shrink for that."""
    benefit = evidence.followed.tables["benefit"]
    closure = pd.DataFrame({"person_id": benefit["person_id"], "date": benefit["end"], "reason": "RULE_225H"})
    treated = evidence.followed.people.frame["person_id"][evidence.followed.is_treated]
    own = closure[benefit["person_id"].isin(treated)]
    told = followed(world(effect_weeks=-10.0, tables={"closure": own}), study())
    assert effect.time_to_exit(told).table.equals(effect.time_to_exit(evidence).table)


def test_waiting_shows_four_curves(evidence):
    table = effect.waiting(evidence).table
    assert set(table["group"]) == {"treated_before", "treated_after", "comparison_before", "comparison_after"}
    assert (table.groupby("group")["estimate"].max() == 1).all()


def test_ways_out_add_up_to_those_who_are_out(evidence):
    """Of the programme's citizens alone: what is still waiting and every way together are everybody."""
    ways = effect.first_exits(evidence).table
    assert set(ways["term"]) == {"SELF_SUFFICIENT", "EDUCATION", "OTHER_EXIT"} and (ways["group"] == "").all()
    waiting = effect.waiting(evidence).table
    left = 1 - waiting.loc[waiting["group"] == "treated_after", "estimate"].min()
    assert ways.groupby("term")["estimate"].max().sum() == pytest.approx(left)


def test_designs_stand_in_one_table_with_what_they_assume(evidence):
    result = effect.compare_designs(evidence)
    assert list(result.table["term"]) == [
        "did_shocks",
        "did_persons_only",
        "before_after",
        "treated_against_others",
    ]
    assert result.estimand.assumptions == tuple(f"assumes_{term}" for term in result.table["term"])


def test_sensitivity_repeats_the_main_estimate(evidence):
    table = effect.sensitivity(evidence).table.set_index("term")["estimate"]
    main = effect.weeks_on_support(evidence).row("weeks_on_support", time_weeks=104).estimate
    assert table["main"] == main
    assert table["leave_one_out_low"] <= main <= table["leave_one_out_high"]
    assert {"bridge_weeks_0", "bridge_weeks_1", "bridge_weeks_8", "washout_weeks_26"} <= set(table.index)


def test_gaps_count_as_support_up_to_the_weeks_chosen():
    """Every treated spell after the start has a hole of three weeks; closing none sees three less."""
    tables, whole = world(effect_weeks=0.0), followed(world(effect_weeks=0.0), study())
    benefit = tables["benefit"]
    frame = whole.followed.people.frame
    own = frame.loc[whole.followed.is_treated & whole.followed.is_after, "person_id"]
    holed = benefit["person_id"].isin(own)
    first = benefit[holed].assign(end=benefit.loc[holed, "start"] + dt.timedelta(weeks=10))
    second = benefit[holed].assign(start=benefit.loc[holed, "start"] + dt.timedelta(weeks=13))
    benefit = pd.concat([benefit[~holed], first, second], ignore_index=True)
    gaps = followed(replace(tables, frames={**tables.frames, "benefit": benefit}), study())
    found = effect.sensitivity(gaps).table.set_index("term")["estimate"]
    without = effect.weeks_on_support(whole).row("weeks_on_support", time_weeks=104).estimate
    assert found["main"] == found["bridge_weeks_8"] == pytest.approx(without)
    assert found["bridge_weeks_0"] == found["bridge_weeks_1"] == pytest.approx(without - 3)


def test_stock_is_another_population():
    """All spells are of 40 weeks, the treated ones after the start of 30: of those met on the census day,
    evenly somewhere in their spells, the treated have on average 15 weeks left and the others 20."""
    found = followed(world(n_persons=300, spread=0.0, shock=0.3), study(stock_census=(-150, 70)))
    result, inflow = effect.stock(found), effect.weeks_on_support(found)
    assert (result.estimand.population, result.estimand.horizon_weeks) == ("stock", 104)
    row = result.row("weeks_on_support", time_weeks=104)
    assert row.conf_low < -5 < row.conf_high and row.conf_high < 0
    assert result.diagnostics["n_treated_after"] < inflow.diagnostics["n_treated_after"] / 2


def test_stock_before_the_data_is_withheld_with_its_reason():
    found = effect.stock(followed(world(), study(stock_census=(-400, 52))))
    assert found.withheld == "no_stock"
    assert found.table.empty


def test_attrition_counts_both_periods(evidence):
    table = evidence.attrition.table
    assert set(table["group"]) == {"pre", "post"}
    counts = table.set_index(["term", "group"])["n_persons"]
    assert counts["in_programme_municipality", "post"] == 40
    assert counts["in_comparison_municipalities", "pre"] == 400
    assert counts["lives_here", "pre"] == 440


@pytest.mark.parametrize(
    ("data_from", "horizon", "pre"),
    [
        (-320, 104, (-208, -104)),
        (-230, 104, (-178, -104)),
        (-181, 52, (-129, -52)),
        (-110, 26, (-58, -26)),
        (-90, 26, (-38, -26)),
    ],
)
def test_plan_takes_the_longest_horizon_that_the_data_carry(data_from, horizon, pre):
    """Windows begin a washout after the data; an earlier horizon lets the period before begin later."""
    from types import SimpleNamespace

    spells = SimpleNamespace(first_week=START + data_from, end_week=START + 261)
    plan = plan_weeks(STUDY, SITE, spells)
    assert (plan.horizon, plan.pre[0] - START, plan.pre[1] - START) == (horizon, *pre)
    assert plan.post == (START + 26, START + min(156, 261 - horizon))


def test_plan_cuts_the_period_after_where_the_data_end():
    from types import SimpleNamespace

    plan = plan_weeks(STUDY, SITE, SimpleNamespace(first_week=START - 400, end_week=START + 200))
    assert plan.post[1] == START + 96


def test_preflight_names_every_unknown_state_and_measure():
    panel = replace(STUDY.panel, inhabitants="inhabitant")
    wrong = replace(
        STUDY, target_groups={"cash_benefit": ("CASH_BENEFIT",)}, competing=("DEATHS",), panel=panel
    )
    with pytest.raises(SpecError, match="CASH_BENEFIT") as caught:
        preflight(wrong)
    for words in ("did you mean DEATH?", "did you mean inhabitants?", "target_groups.cash_benefit"):
        assert words in str(caught.value)


def test_preflight_lets_the_shipped_study_pass():
    preflight(STUDY)


def test_cohort_of_nobody_is_an_error_that_names_the_step():
    with pytest.raises(CohortError, match="in_target_group"):
        followed(world(n_towns=2), study(target_groups={"integration": ("INTEGRATION_BENEFIT",)}))


def test_nobody_ever_leaves_is_an_answer():
    """No events: nothing to estimate a ratio from, and weeks on support equal the horizon for all."""
    evidence = followed(
        world(level=lambda persons: np.full(len(persons), 400.0), spread=0.0, shock=0.0), study()
    )
    assert effect.weeks_on_support(evidence).row("weeks_on_support", time_weeks=104).estimate == 0
    table = effect.time_to_exit(evidence).table.set_index("term")
    assert np.isnan(table.loc["hazard_ratio", "estimate"])
    assert table.loc["weeks_to_exit", "estimate"] == 0
