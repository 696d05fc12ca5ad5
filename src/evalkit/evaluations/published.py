"""What the source documents published, beside the same arithmetic done again."""

import pandas as pd

from evalkit.evaluations.activation import doubling, parse_month
from evalkit.evaluations.facts import needs, unanswered
from evalkit.result import Estimand, Provenance, Result, tidy
from evalkit.weeks import month_number

_CLAIMANT, _NATION = "Horsens", "Hele landet"
# The letter holds October against the first half of 2017.
_CLAIM_MONTH, _CLAIM_BASE = (
    month_number("2017-10-01"),
    range(month_number("2017-01-01"), month_number("2017-07-01")),
)


@needs("municipality_period")
def published_cases(tables, study, site):
    """Published shares of cases over five years by benefit (S04), and of the long stock without offer (S02).

    Returns
    -------
    Result
        Kind aggregate: figures that the municipalities published themselves.
    """
    figures = _figures(tables, "s0[124]_")
    if figures.empty:
        return unanswered("published_cases", ["municipality_period"], study)
    rows = [
        (
            "long_cases",
            benefit,
            figures[f"s04_long_cases_{benefit.lower()}"],
            figures[f"s04_cases_{benefit.lower()}"],
        )
        for benefit in ("CASH_BENEFIT", "EDUCATION_BENEFIT", "INTEGRATION_BENEFIT")
    ]
    stock = figures["s01_long_stock"]
    rows.append(("offered", "", stock - figures["s02_no_active_offer"], stock))
    terms, groups, events, persons = zip(*rows, strict=True)
    table = tidy(term=terms, group=groups, estimate=[n / of for n, of in zip(events, persons, strict=True)],
                 n_events=events, n_persons=persons)
    return _published("published_cases", table, study, unit="share")


@needs("municipality_period")
def published_offers(tables, study, site):
    """Published current offers of the long cases by benefit (S05-S07).

    Kind counts: the profile treats them as it would treat our own, so that a page shows what it would remove.
    """
    figures = _figures(tables, "s0[567]_offer_")
    if figures.empty:
        return unanswered("published_offers", ["municipality_period"], study)
    split = figures.index.str.extract(
        r"^s0\d_offer_(?P<offer>.+)_(?P<benefit>(?:cash|education|integration)_benefit)$"
    )
    table = tidy(term=split["offer"].str.upper().to_numpy(), group=split["benefit"].str.upper().to_numpy(),
                 estimate=figures.to_numpy(), n_persons=figures.to_numpy())
    return _published("published_offers", table, study, unit="persons", kind="counts")


@needs("municipality_period")
def published_touched(tables, study, site):
    """Published monthly shares touched by activation, Horsens and the nation (S11), in per cent."""
    rows = _touched(tables)
    if rows.empty:
        return unanswered("published_touched", ["municipality_period"], study)
    table = tidy(term=rows["period"], group=rows["municipality"], estimate=rows["value"])
    return _published("published_touched", table, study, unit="percent")


@needs("municipality_period")
def published_claim(tables, study, site):
    """Check the claim that Horsens doubled in October against the first half of 2017 (S12).

    Returns
    -------
    Result
        ``base_mean`` and ``month_share`` in per cent, ``ratio``, and the gaps to the nation in the first and
        the last month in percentage points. The ratio is of shares, while the letter speaks of the number of
        persons, and it rests on one month: the diagnostics say so.
    """
    wide = _touched(tables).pivot(index="month", columns="municipality", values="value")
    if wide.empty:
        return unanswered("published_claim", ["municipality_period"], study)
    told = doubling(wide[_CLAIMANT], _CLAIM_MONTH, _CLAIM_BASE)
    gap = wide[_CLAIMANT] - wide[_NATION]
    second = wide[_CLAIMANT].drop(_CLAIM_MONTH).max() / told["base_mean"]
    table = tidy(
        term=["base_mean", "month_share", "ratio", "next_highest_ratio", "gap_first", "gap_last"],
        estimate=[told["base_mean"], told["month_share"], told["ratio"], second, gap.iloc[0], gap.iloc[-1]],
    )
    units = dict.fromkeys(("base_mean", "month_share", "gap_first", "gap_last"), "percent")
    return _published(
        "published_claim",
        table,
        study,
        unit=units | {"ratio": "ratio", "next_highest_ratio": "ratio"},
        months=1,
        base_months=len(told["base"]),
        of="shares",
        claimed_of="persons",
    )


@needs("ledger")
def investment(tables, study, site):
    """Sum the investment ledger by year and category, each basis by itself (S16).

    Accounts, forecast, budget and amounts of no stated basis are never added together: the group names the
    basis, and there is a total for each.

    Returns
    -------
    Result
        Kind money: ``term`` is the category, ``total`` over all; ``group`` is the basis,
        alone or with the year (``NOT_STATED, 2015``).
    """
    ledger = tables["ledger"]
    whole = ledger.assign(category="total")
    rows = []
    for frame in (ledger, whole):
        for basis, part in frame.groupby("basis"):
            by_year = part.groupby(["category", part["year"].astype(str)])["amount_dkk"].sum()
            rows += [(category, f"{basis}, {year}", amount) for (category, year), amount in by_year.items()]
            rows += [
                (category, basis, amount)
                for category, amount in part.groupby("category")["amount_dkk"].sum().items()
            ]
    terms, groups, amounts = zip(*rows, strict=True)
    return Result(
        kind="money",
        estimand=Estimand(name="investment", unit="dkk", summary="sum"),
        table=tidy(term=terms, group=groups, estimate=amounts),
        provenance=Provenance(
            method="sum", study=study.name, study_sha256=study.sha256, rests_on=("ledger",)
        ),
        diagnostics={
            "bases": sorted(ledger["basis"].unique()),
            "has_basis": bool((ledger["basis"] != "NOT_STATED").all()),
        },
    )


def _figures(tables, pattern):
    """Return the published figures whose measure begins with a pattern, by measure."""
    frame = tables["municipality_period"]
    chosen = frame[frame["measure"].str.match(pattern)]
    return pd.Series(chosen["value"].to_numpy(dtype=float), index=pd.Index(chosen["measure"]))


def _touched(tables):
    frame = tables["municipality_period"]
    rows = frame[frame["measure"] == "s11_touched_percent"]
    return rows.assign(month=rows["period"].map(parse_month)).sort_values(["month", "municipality"])


def _published(name, table, study, *, unit, kind="aggregate", **diagnostics):
    return Result(kind=kind, estimand=Estimand(name=name, unit=unit, summary="published"), table=table,
                  provenance=Provenance(method="published", study=study.name, study_sha256=study.sha256,
                                        rests_on=("published",)), diagnostics=diagnostics)
