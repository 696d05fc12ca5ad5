"""What the municipality saves and pays: saved weeks times their price, less the investment, year by year.

A week on support costs the municipality its rate less the state's refund, and the refund falls with the
weeks that the person has been on support. So weeks are counted by state, by refund step and by calendar year,
each with its own price. The difference between municipalities is then taken of the priced weeks themselves:
every person, treated or not, before or after, is priced as if he had met the prices and years that the
programme's persons met. The effect's uncertainty, persons and shocks, comes along by itself.
"""

from dataclasses import replace

import numpy as np
import pandas as pd

from evalkit.cohort.timeline import register_states
from evalkit.estimators.mean_contributions import mean_contributions
from evalkit.estimators.municipality_changes import difference_of_changes
from evalkit.evaluations.answers import OF_THE_OUTCOME, diagnostics, effect_estimand
from evalkit.evaluations.gates import withheld
from evalkit.result import Result, tidy
from evalkit.weeks import year_of

_NEEDED = ("price", "ledger")
# The first that a year has is used.
_BASES = ("ACCOUNTS", "FORECAST", "BUDGET", "NOT_STATED")


def net_result(evidence):
    """Estimate the net municipal result per year and in all: the 50 million goal.

    Parameters
    ----------
    evidence : Evidence

    Returns
    -------
    Result
        Kind ``money``, DKK, one row per year (``term``) and group: ``saved`` (with the effect's interval),
        ``invested`` and ``net``; term ``total`` over all years. Withheld when a gate failed, or with
        ``missing_tables`` when prices or the ledger were not delivered, or ``missing_prices``.

    Notes
    -----
    Invested is the whole ledger, each year on one basis (`one_basis`), for everybody the programme served.

    Saved in year y = - N sum over weeks k, states s, refund steps r of effect(s, r, k) x share(k, y) x
    rate(s, y) x (1 - refund(r, y)): N the persons that the programme met, share(k, y) the part of them whose
    week k since time zero lies in y. Only their weeks up to the horizon are counted: what persons outside the
    inflow's window and later weeks save is not in it. Current prices, not discounted. Refund steps count
    weeks of support since time zero: before it there was none for ``washout_weeks``.
    """
    estimand = effect_estimand(evidence, "net_result", outcome="municipal_cost", summary="sum", unit="dkk")
    tables = evidence.followed.tables
    missing = [name for name in _NEEDED if not tables.has(name) or tables[name].empty]
    if missing and not evidence.verdict.failed:
        return withheld("missing_tables", kind="money", estimand=estimand, missing=missing)
    return evidence.estimate(lambda followed: _net(followed, estimand), kind="money", estimand=estimand)


def week_prices(price, states, years):
    """Return what a week on support costs the municipality.

    Parameters
    ----------
    price : DataFrame
        Table ``price``; the price of the middle of a year holds for the year.
    states : sequence of str
    years : sequence of int

    Returns
    -------
    net : ndarray of float, shape (n_years, n_states, n_steps)
        DKK a week after refund; NaN where a state has no rate or a step no refund.
    edges : ndarray of int, shape (n_steps - 1,)
        Weeks of support at which the next refund step begins.

    Examples
    --------
    >>> price = pd.DataFrame({"state": ["CASH", "", ""], "valid_from": pd.Timestamp("2016-01-01"),
    ...     "valid_to": pd.NaT, "seniority_from_weeks": [np.nan, 0, 4],
    ...     "seniority_to_weeks": [np.nan, 4, np.nan],
    ...     "value": [1000.0, 0.8, 0.2], "unit": ["DKK_PER_WEEK", "REFUND_SHARE", "REFUND_SHARE"]})
    >>> net, edges = week_prices(price, ["CASH"], [2016])
    >>> net.round(6).tolist(), edges.tolist()
    ([[[200.0, 800.0]]], [4])
    """
    refunds = price[price["unit"] == "REFUND_SHARE"]
    edges = np.unique(refunds["seniority_from_weeks"].fillna(0))
    edges = edges[edges > 0].astype(np.int64)
    low = np.r_[0, edges]
    net = np.full((len(years), len(states), len(low)), np.nan)
    for y, year in enumerate(years):
        now = _valid(price, pd.Timestamp(year, 7, 1))
        rate = (
            now[now["unit"] == "DKK_PER_WEEK"]
            .drop_duplicates("state")
            .set_index("state")["value"]
            .reindex(list(states))
        )
        share = _refund(now[now["unit"] == "REFUND_SHARE"], low)
        net[y] = rate.to_numpy(dtype=float)[:, None] * (1 - share)
    return net, edges


def _net(followed, estimand):
    years, weights = _calendar(followed)
    costs, unpriced = _costs(followed, years, weights)
    if unpriced:
        return withheld("missing_prices", kind="money", estimand=estimand).with_diagnostics(missing=unpriced)
    changes = followed.changes(np.column_stack([costs, costs.sum(axis=1)]))
    contrast = difference_of_changes(changes, conf_level=followed.study.conf_level)
    invested = _invested(followed, years)
    table = _table(
        contrast, followed.n_treated_after, [*map(str, years), "total"], np.r_[invested, invested.sum()]
    )
    return Result(
        kind="money",
        table=table,
        estimand=estimand,
        provenance=_provenance(followed),
        diagnostics={**_shared(followed, contrast, changes), **_facts(followed, years, weights)},
        model=_scale(followed.n_treated_after, table),
    )


def _calendar(followed):
    """Return the years that the programme's persons meet, and the share of them in each by week."""
    zero = followed.people.frame["time_zero_week"].to_numpy()[followed.is_treated & followed.is_after]
    year = year_of(zero[:, None] + np.arange(followed.plan.horizon))
    ledger_years = followed.tables["ledger"]["year"].astype(int)
    years = np.arange(min(year.min(), ledger_years.min()), max(year.max(), ledger_years.max()) + 1)
    return years.tolist(), np.array([(year == one).mean(axis=0) for one in years])


def _costs(followed, years, weights):
    """Return each row's contribution to the mean cost in each year, and support states that have no price."""
    grid = register_states(followed.people, followed.spells, n_weeks=followed.plan.horizon)
    states = followed.spells.frame["state"].cat.categories
    support = np.isin(states, followed.spells.support)
    net, edges = week_prices(followed.tables["price"], states, years)
    on = (grid >= 0) & support[grid]
    met = np.unique(grid[on])
    unpriced = [states[k].lower() for k in met if np.isnan(net[weights.sum(axis=1) > 0][:, k]).any()]
    step = np.searchsorted(edges, np.cumsum(on, axis=1) - 1, side="right")
    observed = followed.grid[:, :-1] >= 0
    cell = np.where(on, grid * net.shape[2] + step, -1)
    columns = [mean_contributions(_priced(cell, prices), observed, followed.cell) @ weight
               for prices, weight in zip(net, weights, strict=True)]
    return np.column_stack(columns), unpriced


def _priced(cell, prices):
    """Look up the price of each week; the last entry is that of a week without support."""
    return np.r_[np.nan_to_num(prices).ravel(), 0.0][cell]


def _valid(price, day):
    return price[(price["valid_from"] <= day) & (price["valid_to"].isna() | (price["valid_to"] > day))]


def _refund(rows, low):
    share = np.full(len(low), np.nan)
    begin = rows["seniority_from_weeks"].fillna(0).to_numpy()
    end = rows["seniority_to_weeks"].fillna(np.inf).to_numpy()
    for k, week in enumerate(low):
        found = rows["value"].to_numpy(dtype=float)[(begin <= week) & (week < end)]
        share[k] = found[0] if len(found) else np.nan
    return share


def one_basis(ledger):
    """Return each year's amounts on one basis: accounts, else the forecast, else the budget, else not stated.

    Accounts, forecast and budget of one year tell of the same money; added up they would count it again.

    Examples
    --------
    >>> ledger = pd.DataFrame({"year": [2015, 2015, 2016], "amount_dkk": [9.0, 10.0, 8.0],
    ...     "basis": ["ACCOUNTS", "BUDGET", "BUDGET"]})
    >>> one_basis(ledger)[["year", "basis", "amount_dkk"]].values.tolist()
    [[2015, 'ACCOUNTS', 9.0], [2016, 'BUDGET', 8.0]]
    """
    rank = ledger["basis"].map(_BASES.index)
    return ledger[rank == rank.groupby(ledger["year"]).transform("min")]


def _invested(followed, years):
    ledger = one_basis(followed.tables["ledger"])
    by_year = ledger.groupby(ledger["year"].astype(int))["amount_dkk"].sum()
    return by_year.reindex(years, fill_value=0.0).to_numpy(dtype=float)


def _table(contrast, n_persons, years, invested):
    saved, low, high = (
        -n_persons * value for value in (contrast.estimate, contrast.conf_high, contrast.conf_low)
    )
    error = n_persons * contrast.std_error
    # A year that the persons do not reach saves nothing and knows it for sure.
    return pd.concat([
        tidy(term=years, group="saved", estimate=saved, std_error=error, conf_low=low, conf_high=high),
        tidy(term=years, group="invested", estimate=invested),
        tidy(term=years, group="net", estimate=saved - invested, std_error=error, conf_low=low - invested,
             conf_high=high - invested)], ignore_index=True)


def _scale(n_persons, table):
    """Say what is a mean times persons, so that no quotient of released numbers is the number of persons."""
    invested = table.loc[table["group"] == "invested", "estimate"].to_numpy()
    return {"scaled_by": n_persons, "not_scaled": np.concatenate([0 * invested, invested, -invested])}


def _shared(followed, contrast, changes):
    """Return the diagnostics of every effect without those in kroner per person: beside totals they count."""
    return {key: value for key, value in diagnostics(followed, contrast, changes).items()
            if key not in OF_THE_OUTCOME}


def _provenance(followed):
    origin = followed.provenance("net_result", prices="middle_of_year", discounted=False)
    return replace(origin, rests_on=(*origin.rests_on, *_NEEDED))


def _facts(followed, years, weights):
    price, ledger = followed.tables["price"], one_basis(followed.tables["ledger"])
    goal_year = followed.site.programme_start.year + followed.study.goals.net_after_years
    by_year = dict(zip(years, weights.sum(axis=1) / weights.sum(), strict=True))
    return {
        "goal_dkk": followed.study.goals.net_dkk_a_year,
        "goal_year": str(goal_year),
        # How much of what is followed lies in the year of the goal: the tail of the inflow's weeks.
        "goal_year_weeks_share": float(by_year.get(goal_year, 0.0)),
        "invested_in_goal_year": bool((ledger["year"] == goal_year).any()),
        "invested_total": float(ledger["amount_dkk"].sum()),
        "invested_from": str(int(ledger["year"].min())),
        "invested_to": str(int(ledger["year"].max())),
        "ledger_basis": ", ".join(basis for basis in _BASES if (ledger["basis"] == basis).any()),
        "prices_verified": bool(price["is_verified"].all()),
        "unverified_price_share": float(1 - price["is_verified"].mean()),
        "scale_note": _scale_note(followed.tables),
    }


def _scale_note(tables):
    """Say when the persons are simulated and the investment is that of a real municipality."""
    persons, ledger = (tables.origins.get(name, "") for name in ("benefit", "ledger"))
    return "scale_differs" if persons == "simulated" and ledger not in ("", "simulated") else ""
