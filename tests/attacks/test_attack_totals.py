"""Attacks on rounding by arithmetic: a total over a mean, a second total, a share of a total."""

import numpy as np
import pytest
from attacked_run import RULES, numbers, result

from evalkit.disclosure import release
from evalkit.result import Estimand, Result, tidy

N, MEAN = 1516, 13964.4173


def saved(scale):
    """What N persons saved, MEAN each, with diagnostics that give the mean away; ``scale`` protects."""
    invested = np.array([0.0, 19_300_000.0, -19_300_000.0])
    table = tidy(term="total", group=["saved", "invested", "net"],
                 estimate=np.array([N * MEAN, 0.0, N * MEAN]) + invested,
                 std_error=[400.0 * N, np.nan, 400.0 * N])
    model = {"scaled_by": N, "not_scaled": invested} if scale else {}
    return Result(kind="money", estimand=Estimand(name="saved", unit="dkk"), table=table, model=model,
                  diagnostics={"mean": MEAN, "net_again": float(table["estimate"].iloc[2]), "n_persons": N})


def test_number_of_persons_as_the_quotient_of_a_total_and_its_mean():
    bare, protected = numbers(saved(False)), numbers(saved(True))
    assert round(bare[0] / MEAN) == N
    # Even with the exact mean at hand, from whatever source, only the rounded number comes back.
    for total in (protected[0], protected[2] + 19_300_000):
        assert total / MEAN == pytest.approx(1515, abs=0.05)
    assert numbers(saved(True), column="std_error")[0] / 400 == pytest.approx(1515, abs=1.5)
    assert protected[1] == 19_300_000


def test_an_amount_in_the_diagnostics_is_rounded_as_its_cell():
    told = release(saved(True), RULES, name="saved").payload["diagnostics"]
    assert float(told["net_again"]) == numbers(saved(True))[2]
    assert told["mean"] == "13964"


def extra(scale):
    table = tidy(term="job", estimate=0.0801234 * N, std_error=0.02 * N, n_persons=14_695.0)
    return Result(kind="model", estimand=Estimand(name="job", unit="persons"), table=table,
                  model={"scaled_by": N} if scale else {})


def test_number_of_persons_as_the_quotient_of_extra_persons_and_an_effect():
    bare, protected = numbers(extra(False))[0], numbers(extra(True))[0]
    assert round(bare / 0.0801234) == N
    assert protected / 0.0801234 == pytest.approx(1515, abs=0.01)


def test_total_of_few_persons_is_kept_back():
    few = Result(kind="money", estimand=Estimand(name="saved", unit="dkk"), model={"scaled_by": 3},
                 table=tidy(term=["saved", "nothing"], estimate=[30_000.0, 0.0]))
    payload = release(few, RULES, name="saved").payload
    assert [row[3] for row in payload["rows"]] == [None, "0"]
    assert payload["suppressed"]["rules"] == {"min_n": 1}


def parts(*cells, kind="counts", **diagnostics):
    table = tidy(term=[f"part_{chr(97 + k)}" for k in range(len(cells))], estimate=cells, n_persons=cells)
    return result(kind, "persons", table, diagnostics=diagnostics)


def fitting(cells, total, at_most=2):
    """Return the totals that rounded cells and a total rounded by itself leave possible."""
    low, high = (sum(cells) + sign * at_most * len(cells) for sign in (-1, 1))
    return [n for n in range(int(low), int(high) + 1) if 5 * np.floor(n / 5 + 0.5) == total]


def test_sum_in_the_diagnostics_does_not_undo_the_rounding_of_its_parts():
    cells = (17.0, 7.0, 7.0)
    released = numbers(parts(*cells))
    assert released == [15.0, 5.0, 5.0]
    # Rounded by itself the sum 31 is 30: then the parts are 17, 7 and 7 or one less in all or two.
    assert len(fitting(released, 30)) < len(fitting(released, 25))
    told = release(parts(*cells, n_total=31), RULES, name="answer").payload["diagnostics"]
    assert told == {"n_total": "25"}


def test_sum_with_a_hidden_part_looks_the_same_whatever_is_hidden():
    by_itself = {n: 5 * int((40 + n) / 5 + 0.5) for n in (1, 2, 3, 4)}
    assert len(set(by_itself.values())) > 1
    told = [release(parts(17.0, 23.0, float(n), n_total=40 + n), RULES, name="answer").payload["diagnostics"]
            for n in (1, 2, 3, 4)]
    assert told == [told[0]] * 4


def test_sums_by_group_are_tied_as_well():
    table = tidy(term=["a", "b", "a", "b"], group=["x", "x", "y", "y"], estimate=[7, 7, 17, 17],
                 n_persons=[7, 7, 17, 17])
    told = release(result("counts", "persons", table, diagnostics={"n_x": 14, "n_y": 34, "n_all": 48}), RULES,
                   name="a")
    assert told.payload["diagnostics"] == {"n_x": "10", "n_y": "30", "n_all": "40"}


def shares_of(*persons):
    groups = [*"abcdefgh"[:len(persons)], "all"]
    table = tidy(term="passive", group=groups, n_persons=[*persons, sum(persons)],
                 n_events=[0.4 * n for n in (*persons, sum(persons))], estimate=0.4)
    return result("share", "share", table)


def test_total_of_shares_does_not_undo_the_rounding_of_its_parts():
    assert 5 * round((17 + 17 + 22) / 5) == 55
    assert numbers(shares_of(17.0, 17.0, 22.0), column="n_persons") == [15, 15, 20, 50]
    share = numbers(shares_of(17.0, 17.0, 22.0))
    assert share[-1] == pytest.approx(sum(numbers(shares_of(17.0, 17.0, 22.0), column="n_events")[:-1]) / 50,
                                      abs=1e-3)


def test_events_after_the_last_step_of_a_curve_are_not_told_by_their_sum():
    events, at_risk = np.array([0.0, 6, 6, 6, 2]), np.array([60.0, 60, 54, 48, 5])
    table = tidy(term="s", time_weeks=np.arange(5), estimate=np.cumprod(1 - events / at_risk),
                 n_persons=at_risk,
                 n_events=events)
    curve = Result(kind="curve", estimand=Estimand(name="s", unit="share"), table=table,
                   diagnostics={"n_exits": 20})
    payload = release(curve, RULES, name="s").payload
    assert payload["diagnostics"]["n_exits"] == str(sum(int(row[-1]) for row in payload["rows"] if row[-1]))


@pytest.mark.parametrize(("key", "told"), [
    ("n_donors_all", "97"), ("n_donors", "97"), ("n_quarters_before", "97"), ("n_placebos", "97"),
    ("n_persons", "95"), ("n_left_donors", "95"), ("n_weeks_lost", "95"), ("n_course", "95"),
    ("n_donorsmen", "95")])
def test_only_counts_of_the_design_are_exact(key, told):
    answer = result("aggregate", "", tidy(term="a", estimate=1.5), diagnostics={key: 97})
    assert release(answer, RULES, name="a").payload["diagnostics"] == {key: told}
