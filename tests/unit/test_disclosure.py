"""What release lets through, kind by kind, on both sides of each limit."""

import math

import numpy as np
import pandas as pd
import pytest

from evalkit.disclosure import release
from evalkit.errors import DisclosureError
from evalkit.files import sha256_json
from evalkit.profile import Profile
from evalkit.result import COLUMNS, Estimand, Provenance, Released, Result, tidy

RULES = Profile(name="example", valid_from="2015-01-01", min_n=5, min_events=5, rounding_base=5, decimals=3,
                source="example", is_verified=False)


def made(kind, table, unit="share", name="answer", **parts):
    return Result(kind=kind, estimand=Estimand(name="answer", unit=unit), table=table, **parts)


def rows(result, name="answer"):
    payload = release(result, RULES, name=name).payload
    return [dict(zip(payload["columns"], row, strict=True)) for row in payload["rows"]]


@pytest.mark.parametrize(("raw", "released"),
                         [(0, "0"), (1, None), (4, None), (5, "5"), (7, "5"), (8, "10"), (1203, "1205")])
def test_counts_are_tested_raw_then_rounded(raw, released):
    row, = rows(made("counts", tidy(term="step", estimate=raw, n_persons=raw), unit="persons"))
    assert row["estimate"] == released
    assert row["n_persons"] == released


def test_counts_hide_the_part_when_few_are_left_over():
    row, = rows(made("counts", tidy(term="step", estimate=38, n_persons=40, n_events=38), unit="persons"))
    assert row["n_persons"] == "40"
    assert row["n_events"] is None
    assert row["estimate"] is None


def test_counts_keep_a_measured_value_beside_the_count():
    table = tidy(term="caseload", estimate=41.2346, n_persons=120)
    row, = rows(made("counts", table, unit="ratio"))
    assert row["estimate"] == "41.235"
    few, = rows(made("counts", tidy(term="caseload", estimate=41.2346, n_persons=3), unit="ratio"))
    assert few["estimate"] is None


def test_counts_total_is_the_sum_of_released_parts():
    table = tidy(term="persons", group=["a", "b", "c", "all"], estimate=[17, 7, 4, 28],
                 n_persons=[17, 7, 4, 28])
    released = {row["group"]: row["estimate"] for row in rows(made("counts", table, unit="persons"))}
    assert released == {"a": "15", "b": "5", "c": None, "all": "25"}


def test_counts_total_is_left_alone_where_parts_overlap():
    table = tidy(term=["all", "first", "second"], estimate=[100, 90, 80], n_persons=[100, 90, 80])
    assert [row["estimate"] for row in rows(made("counts", table, unit="persons"))] == ["100", "90", "80"]


@pytest.mark.parametrize(("events", "persons", "shown"), [
    (5, 20, True), (4, 20, False), (0, 20, False), (15, 20, True), (16, 20, False), (20, 20, False),
    (2, 4, False)])
def test_share_needs_enough_on_both_sides(events, persons, shown):
    row, = rows(made("share",
                     tidy(term="in_job", estimate=events / persons, n_persons=persons, n_events=events)))
    assert (row["estimate"] is not None) is shown
    assert (row["n_persons"] is not None) is shown


def test_share_and_its_limits_come_from_rounded_counts():
    row, = rows(made("share", tidy(term="in_job", estimate=17 / 52, n_persons=52, n_events=17)))
    assert (row["n_persons"], row["n_events"], row["estimate"]) == ("50", "15", "0.300")
    # R: prop.test(15, 50, correct = FALSE)$conf.int
    assert (row["conf_low"], row["conf_high"]) == ("0.191", "0.438")


def test_weighted_share_keeps_its_estimate_behind_the_same_tests():
    table = tidy(term="agree", estimate=0.41234, conf_low=0.35, conf_high=0.47, n_persons=[52, 52],
                 n_events=[17, 2])
    first, second = rows(made("share", table))
    assert first["estimate"] == "0.412"
    assert second["estimate"] is None


def curve(events, at_risk, group="", **columns):
    survival = np.cumprod(1 - np.array(events) / np.array(at_risk))
    return tidy(term="on_support", group=group, time_weeks=np.arange(len(events)), estimate=survival,
                n_persons=at_risk, n_events=events, **columns)


def test_curve_merges_steps_until_enough_events():
    events, at_risk = [0, 3, 1, 2, 6, 1, 4, 1], [60, 60, 57, 56, 54, 48, 47, 43]
    shown = rows(made("curve", curve(events, at_risk)))
    assert [row["time_weeks"] for row in shown] == ["0", "3", "4", "6"]
    assert [row["n_events"] for row in shown] == [None, "5", "5", "5"]
    assert shown[1]["estimate"] == f"{(57 / 60) * (56 / 57) * (54 / 56):.3f}"


def test_curve_ends_where_too_few_are_left():
    shown = rows(made("curve", curve([0, 5, 5, 5], [18, 18, 13, 8])))
    assert [row["time_weeks"] for row in shown] == ["0", "1", "2"]


def test_curve_of_few_persons_is_not_shown_at_all():
    assert rows(made("curve", curve([0, 1], [4, 4]))) == []


def test_curves_of_groups_have_their_own_grids():
    table = pd.concat([curve([0, 6, 6], [50, 50, 44], "a"), curve([0, 2, 2, 2], [50, 50, 48, 46], "b")],
                      ignore_index=True)
    shown = [(row["group"], row["time_weeks"]) for row in rows(made("curve", table))]
    assert shown == [("a", "0"), ("a", "1"), ("a", "2"), ("b", "0"), ("b", "3")]


def test_occupation_curve_needs_enough_inside_and_outside():
    table = tidy(term="EMPLOYED", time_weeks=[0, 1, 2, 3, 4], estimate=[0.0, 0.02, 0.05, 0.95, 0.96],
                 n_persons=100)
    assert [row["time_weeks"] for row in rows(made("curve", table))] == ["0", "2", "3"]


def test_model_rows_with_too_few_are_suppressed_and_values_rounded():
    table = tidy(term=["a", "b", "c"], group=["x", "y", "z"], estimate=1.23456, std_error=0.1,
                 p_value=0.04321,
                 n_persons=[120, 4, 120], n_events=[30, 3, 4])
    first, second, third = rows(made("model", table, unit="weeks"))
    assert (first["estimate"], first["p_value"], first["n_persons"], first["n_events"]) == ("1.235", "0.043",
                                                                                            "120", "30")
    assert second["estimate"] is None
    assert third["estimate"] is None


def test_model_without_a_count_of_persons_is_kept_back():
    table = tidy(term="effect", estimate=1.0)
    assert rows(made("model", table))[0]["estimate"] is None
    assert rows(made("model", table, diagnostics={"n_persons": 120}))[0]["estimate"] == "1.000"
    assert rows(made("model", table, provenance=Provenance(rests_on=("source",))))[0]["estimate"] == "1.000"
    assert rows(made("aggregate", table))[0]["estimate"] == "1.000"


def test_model_value_in_persons_without_uncertainty_is_a_count():
    table = tidy(term=["found", "few", "effect"], estimate=[1437, 3, 121.4], std_error=[np.nan, np.nan, 34.0],
                 n_persons=900)
    assert [row["estimate"] for row in rows(made("model", table, unit="persons"))] == ["1435", None,
                                                                                       "121.400"]


def test_model_indicator_needs_persons_on_both_sides():
    table = tidy(term=["sex[M]", "age"], estimate=[0.5, 0.1], n_persons=100)
    terms = {"terms": ("sex[M]", "age")}
    few, many = (made("model", table, model={**terms, "n_term": [n, 100]}) for n in (3, 40))
    assert [row["estimate"] for row in rows(few)] == [None, "0.100"]
    assert [row["estimate"] for row in rows(many)] == ["0.500", "0.100"]
    assert rows(made("model", table, model=terms))[0]["estimate"] is None


def test_model_with_a_term_for_every_third_person_is_kept_back():
    table = tidy(term=[f"t{chr(97 + k)}" for k in range(10)], estimate=1.0, n_persons=29)
    assert all(row["estimate"] is None for row in rows(made("model", table)))


def test_money_is_rounded_by_its_size():
    table = tidy(term=["net", "rate", "ratio"], estimate=[2_912_345.6, 2712.4, 0.5])
    result = made("money", table, unit={"net": "dkk", "rate": "dkk", "ratio": "ratio"})
    assert [row["estimate"] for row in rows(result)] == ["2912000", "2712", "0.500"]


def test_diagnostics_counts_are_counts_at_every_depth():
    diagnostics = {"n_inflow": 1203, "n_lost": 3, "n_municipalities": 24, "rank": 2, "rmse": 0.123456,
                   "balance": {"n_treated": 7, "n_lost": 2}, "n_by_year": [4, 12], "is_ok": True,
                   "reason": "pre_period"}
    payload = release(made("model", tidy(term="a", estimate=1.0, n_persons=50), diagnostics=diagnostics),
                      RULES, name="a").payload
    assert payload["diagnostics"] == {
        "n_inflow": "1205", "n_lost": None, "n_municipalities": "24", "rank": "2", "rmse": "0.123",
        "balance": {"n_treated": "5", "n_lost": None}, "n_by_year": [None, "10"], "is_ok": True,
        "reason": "pre_period"}


def test_withheld_result_holds_no_number_but_why():
    result = made("model", tidy(term="a", estimate=1.0, n_persons=50)).withhold("pre_period")
    result = result.with_diagnostics(missing_tables=["activity"], effect=3.2, text="effect 3")
    payload = release(result, RULES, name="a").payload
    assert payload["rows"] == []
    assert payload["withheld"] == "pre_period"
    assert payload["diagnostics"] == {"missing_tables": ["activity"]}


@pytest.mark.parametrize("diagnostics", [
    {"frame": pd.DataFrame({"a": [1]})}, {"values": np.arange(3)}, {"weights": [0.5] * 401}, {"f": math.sqrt},
    {"t": "x" * 601}])
def test_what_is_not_plain_is_refused(diagnostics):
    with pytest.raises(DisclosureError):
        release(made("aggregate", tidy(term="a", estimate=1.0), diagnostics=diagnostics), RULES, name="a")


@pytest.mark.parametrize("name", ["Goal", "goal-1", "", "../goal", "goal_12345", "a" * 61])
def test_names_that_are_no_file_names_are_refused(name):
    with pytest.raises(DisclosureError):
        release(made("aggregate", tidy(term="a", estimate=1.0)), RULES, name=name)


def test_only_results_are_released():
    for thing in (pd.DataFrame({"a": [1]}), 3, "text", tidy(term="a")):
        with pytest.raises(DisclosureError, match="expected a Result"):
            release(thing, RULES, name="a")


def test_person_rows_as_labels_are_refused():
    table = tidy(term="a", estimate=[1.0])
    table["group"] = [("row", 1)]
    with pytest.raises(DisclosureError, match="not short texts"):
        release(made("aggregate", table), RULES, name="a")


def test_release_is_the_same_every_time_and_says_its_hash():
    result = made("curve", curve([0, 3, 1, 2, 6], [60, 60, 57, 56, 54]))
    first, second = release(result, RULES, name="a"), release(result, RULES, name="a")
    assert isinstance(first, Released)
    assert first.payload == second.payload
    assert first.sha256 == second.sha256 == sha256_json(first.payload)
    assert first.payload["columns"] == list(COLUMNS)


def test_suppression_is_counted_and_never_shown():
    table = tidy(term="a", group=["x", "y"], estimate=[3, 40], n_persons=[3, 40])
    payload = release(made("counts", table, unit="persons"), RULES, name="a").payload
    assert payload["suppressed"] == {"n_cells": 2, "rules": {"min_n": 2}}
