"""Saved weeks times price less investment, by hand."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from effect_world import followed, study, world
from test_gates import ledger, prices

from evalkit.disclosure import release
from evalkit.evaluations import economy, effect
from evalkit.spec import load_profile


@pytest.fixture(scope="module")
def evidence():
    return followed(world(tables={"price": prices(), "ledger": ledger()}), study())


def money(result):
    return result.table.set_index(["group", "term"])["estimate"]


def test_flat_price_makes_savings_the_effect_times_the_price(evidence):
    """At 1,000 kr. a week and half of it refunded, 500 kr. are saved by each week less."""
    weeks = effect.weeks_on_support(evidence).row("weeks_on_support", time_weeks=104)
    saved = economy.net_result(evidence).row("total", "saved")
    n = evidence.followed.n_treated_after
    assert saved.estimate == pytest.approx(-weeks.estimate * 500 * n, rel=0.02)
    assert saved.conf_high - saved.conf_low == pytest.approx(
        (weeks.conf_high - weeks.conf_low) * 500 * n, rel=0.05
    )


def test_years_add_up_and_investment_is_the_ledgers(evidence):
    result = economy.net_result(evidence)
    table = money(result)
    years = [group for term, group in table.index if term == "saved" and group != "total"]
    assert years == [str(year) for year in range(2015, 2020)]
    for term in ("saved", "invested", "net"):
        assert sum(table[term, year] for year in years) == pytest.approx(table[term, "total"])
    assert table["invested", "2015"] == 1000
    assert table["invested", "2017"] == 0
    assert table["net", "total"] == pytest.approx(table["saved", "total"] - 3000)
    assert result.diagnostics["prices_verified"] is False
    assert result.diagnostics["goal_year"] == "2019"


def test_interval_is_carried_through_to_the_net(evidence):
    table = economy.net_result(evidence).table.set_index(["group", "term"])
    saved, net = table.loc["saved", "total"], table.loc["net", "total"]
    assert net.conf_high - net.conf_low == pytest.approx(saved.conf_high - saved.conf_low)
    assert net.std_error == saved.std_error


@pytest.mark.parametrize(
    ("bases", "used"),
    [
        (("ACCOUNTS", "FORECAST", "BUDGET", "NOT_STATED"), "ACCOUNTS"),
        (("BUDGET", "FORECAST"), "FORECAST"),
        (("NOT_STATED", "BUDGET"), "BUDGET"),
        (("NOT_STATED",), "NOT_STATED"),
    ],
)
def test_one_year_is_counted_on_one_basis(bases, used):
    amounts = {"ACCOUNTS": 1.0, "FORECAST": 2.0, "BUDGET": 4.0, "NOT_STATED": 8.0}
    rows = [(2015, basis, amounts[basis]) for basis in bases for _ in range(2)]
    found = economy.one_basis(pd.DataFrame(rows, columns=["year", "basis", "amount_dkk"]))
    assert found["basis"].tolist() == [used, used] and found["amount_dkk"].sum() == 2 * amounts[used]


def test_accounts_and_budget_of_one_year_are_not_added():
    both = pd.concat([ledger().assign(basis="BUDGET"),
                      ledger().iloc[:1].assign(basis="ACCOUNTS", amount_dkk=900.0)])
    result = economy.net_result(followed(world(tables={"price": prices(), "ledger": both}), study()))
    assert (money(result)["invested", "2015"], money(result)["invested", "2016"]) == (900, 2000)
    assert result.diagnostics["invested_total"] == money(result)["invested", "total"] == 2900
    assert result.diagnostics["ledger_basis"] == "ACCOUNTS, BUDGET"


def test_goal_of_a_year_is_told_how_little_of_it_is_followed(evidence):
    told = economy.net_result(evidence).diagnostics
    assert told["invested_in_goal_year"] is False
    assert 0 < told["goal_year_weeks_share"] < 0.1
    assert (told["invested_from"], told["invested_to"]) == ("2015", "2016")


def test_scale_is_spoken_of_only_where_persons_are_simulated_and_amounts_are_not():
    made = world(tables={"price": prices(), "ledger": ledger()})
    notes = [
        economy.net_result(followed(replace(made, origins=made.origins | origins),
                                    study())).diagnostics["scale_note"]
        for origins in ({"ledger": "source"}, {}, {"benefit": "real", "ledger": "source"})
    ]
    assert notes == ["scale_differs", "", ""]


def test_refund_ladder_prices_a_week_by_seniority():
    ladder = pd.DataFrame(
        {
            "state": ["A", "", "", ""],
            "valid_from": pd.to_datetime(["2010-01-01", "2010-01-01", "2016-01-01", "2016-01-01"]),
            "valid_to": pd.to_datetime([None, "2016-01-01", None, None]),
            "seniority_from_weeks": [np.nan, np.nan, 0, 4],
            "seniority_to_weeks": [np.nan, np.nan, 4, np.nan],
            "value": [1000.0, 0.3, 0.8, 0.2],
            "unit": ["DKK_PER_WEEK", *["REFUND_SHARE"] * 3],
        }
    )
    net, edges = economy.week_prices(ladder, ["A", "B"], [2015, 2016])
    assert edges.tolist() == [4]
    assert net[:, 0].tolist() == [[700, 700], [pytest.approx(200), 800]]
    assert np.isnan(net[:, 1]).all()


def test_ladder_makes_late_weeks_dearer():
    """The effect takes weeks 30 to 40 of a spell; if only these cost, it saves as much as with no ladder."""
    late = prices().assign(seniority_from_weeks=np.nan, seniority_to_weeks=np.nan)
    free = pd.DataFrame(
        {
            "item": "refund",
            "state": "",
            "valid_from": pd.Timestamp("2010-01-01"),
            "valid_to": pd.NaT,
            "seniority_from_weeks": [0, 20],
            "seniority_to_weeks": [20, np.nan],
            "value": [1.0, 0.5],
            "unit": "REFUND_SHARE",
            "source": "the test",
            "is_verified": False,
        }
    )
    ladder = pd.concat([late[late["unit"] == "DKK_PER_WEEK"], free])
    saved = [
        economy.net_result(followed(world(tables={"price": price, "ledger": ledger()}), study()))
        .row("total", "saved")
        .estimate
        for price in (prices(), ladder)
    ]
    assert saved[1] == pytest.approx(saved[0], rel=0.1)


def test_missing_tables_and_prices_are_named():
    without = economy.net_result(followed(world(), study()))
    assert without.withheld == "missing_tables"
    assert without.diagnostics["missing_tables"] == ["price", "ledger"]
    few = prices()[lambda price: price["state"] != "SICKNESS_BENEFIT"]
    unpriced = economy.net_result(followed(world(tables={"price": few, "ledger": ledger()}), study()))
    assert unpriced.withheld == "missing_prices"
    assert unpriced.diagnostics["missing"] == ["sickness_benefit"]


def test_no_released_number_over_another_is_the_exact_number_of_persons(evidence):
    """The attack on goal 3: what was saved over the change in kroner per person."""
    result, n = economy.net_result(evidence), evidence.followed.n_treated_after
    rules = replace(load_profile("municipality_5"), rounding_base=7)
    rounded = 7 * int(n / 7 + 0.5)
    assert rounded != n
    per_person = money(result)["saved", "total"] / n
    payload = release(result, rules, name="goal_3").payload
    shown = {(row[1], row[0]): float(row[3]) for row in payload["rows"]}
    assert shown["saved", "total"] / per_person == pytest.approx(rounded, abs=0.1)
    assert shown["net", "total"] == pytest.approx(shown["saved", "total"] - 3000, abs=1001)
    assert not {"treated_before", "comparisons_after", "largest_possible",
                "shock_sd"} & set(payload["diagnostics"])


def test_extra_persons_are_made_of_the_rounded_number(evidence):
    result, n = effect.extra_persons(evidence), evidence.followed.n_treated_after
    rules = replace(load_profile("municipality_5"), rounding_base=7, decimals=6)
    payload = release(result, rules, name="goal_2").payload
    shown = [float(row[6]) for row in payload["rows"]]
    true = result.table["conf_high"].to_numpy()
    moved = true != 0
    assert moved.any()
    assert np.array(shown)[moved] == pytest.approx(true[moved] / n * (7 * int(n / 7 + 0.5)), rel=1e-4)
