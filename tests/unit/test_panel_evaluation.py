"""The municipal panel: outcomes per inhabitant, windows, gate, and what the answer rests on."""

import datetime as dt
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from evalkit.errors import EstimationError
from evalkit.evaluations import panel
from evalkit.evaluations.panel_case import Case
from evalkit.evaluations.panel_series import label_of, number_of, outcome, quarter_of
from evalkit.spec.panel import PanelMeasure, PanelStudy

START = dt.date(2015, 1, 5)
QUARTERS = [f"{year}Q{quarter}" for year in range(2008, 2021) for quarter in (1, 2, 3, 4)]
STUDY = PanelStudy(measures={"employees": PanelMeasure(measure="full_time_employees", per_inhabitants=100)})


def towns(rng, n_towns=14, effect=0.0, people=20_000.0, noise=0.2):
    """Employees per 100 follow two shared factors; the first town gains ``effect`` from 2015."""
    factors = rng.standard_normal((2, len(QUARTERS))).cumsum(axis=1) * 0.2
    rates = 40 + rng.random((n_towns, 2)) @ factors + noise * rng.standard_normal((n_towns, len(QUARTERS)))
    rates[0, QUARTERS.index("2015Q1") :] += effect
    return municipality_period(rates, people)


def municipality_period(rates, people=20_000.0, source="Statistics Denmark, table LBESK69, CC BY 4.0"):
    names = ["Hjørring", *(f"Town {k:02d}" for k in range(1, len(rates)))]
    employees = pd.DataFrame(rates / 100 * people, index=names, columns=QUARTERS).stack().reset_index()
    employees.columns = ["municipality", "period", "value"]
    inhabitants = pd.DataFrame(
        [(name, period, people) for name in names for period in ("2008Q1", "2021M10")],
        columns=["municipality", "period", "value"],
    )
    return pd.concat(
        [employees.assign(measure="full_time_employees"), inhabitants.assign(measure="inhabitants")],
        ignore_index=True,
    ).assign(source=source)


def evaluate(frame, study=STUDY, municipality="Hjørring", programme_start=START, **options):
    return panel.evaluate(frame, study, municipality=municipality, programme_start=programme_start, **options)


def test_every_design_finds_a_large_effect_and_ranks_it_first():
    results = evaluate({"municipality_period": towns(np.random.default_rng(1), effect=5.0)})
    assert list(results) == [
        f"panel_employees{part}" for part in ("", "_rates", "_placebos", "_sensitivity", "_series")
    ]
    persons, rates, placebos = (results[f"panel_employees{part}"] for part in ("", "_rates", "_placebos"))
    for design in panel.DESIGNS:
        effect = rates.row("effect", design)
        assert effect.estimate == pytest.approx(5.0, abs=0.5) and effect.p_value == pytest.approx(1 / 14)
        assert placebos.row("effect_rank", design).estimate == 1
        for column in ("estimate", "std_error", "conf_low", "conf_high"):
            assert persons.row("effect_persons", design)[column] == pytest.approx(effect[column] * 200)
        assert persons.row("smallest_detectable_persons", design).estimate == pytest.approx(
            rates.row("smallest_detectable_effect", design).estimate * 200
        )
        assert persons.diagnostics[design]["effect_rank"] == 1
    assert persons.kind == "aggregate" and persons.diagnostics["placebos_plus_one"] == 14


def test_no_effect_is_found_where_there_is_none():
    main = evaluate(towns(np.random.default_rng(2)))["panel_employees_rates"]
    for design in panel.DESIGNS:
        row = main.row("effect", design)
        assert row.conf_low < 0 < row.conf_high


def test_series_lead_from_the_first_quarter_to_the_last_before_the_pandemic():
    series = evaluate(towns(np.random.default_rng(3), effect=5.0))["panel_employees_series"].table
    assert set(series["term"]) == {"observed", *panel.DESIGNS}
    observed = series[series["term"] == "observed"]
    assert (
        len(observed) == 48 and observed["time_weeks"].min() == -366 and observed["time_weeks"].max() == 247
    )
    expected = series[series["term"] == "synthetic_did"]
    gap = (observed["estimate"].to_numpy() - expected["estimate"].to_numpy())[28:].mean()
    main = evaluate(towns(np.random.default_rng(3), effect=5.0))["panel_employees_rates"]
    assert gap == pytest.approx(main.row("effect", "synthetic_did").estimate)


def test_doubtful_donors_are_left_out_and_let_in_for_sensitivity():
    frame = towns(np.random.default_rng(4))
    results = evaluate(frame, doubtful_donors=("Town 01", "Town 02", "Elsewhere"))
    assert results["panel_employees"].diagnostics["n_donors"] == 11
    sensitivity = results["panel_employees_sensitivity"]
    assert sensitivity.diagnostics["n_donors_all"] == 13
    everybody, main = evaluate(frame)["panel_employees_rates"], results["panel_employees_rates"]
    for design in panel.DESIGNS:
        assert sensitivity.row("all_donors", design).estimate == everybody.row("effect", design).estimate
        assert sensitivity.row("main", design).estimate == main.row("effect", design).estimate
    assert set(sensitivity.table["term"]) == {
        "main",
        "all_donors",
        "without_small",
        "season_none",
        "season_year",
        "backdated",
        "leave_one_out_low",
        "leave_one_out_high",
    }
    assert sensitivity.diagnostics["backdated_start"] == "2011Q1"


def test_a_bad_fit_withholds_the_design_and_says_which():
    rates = np.random.default_rng(5).standard_normal((14, len(QUARTERS))) * 0.1 + 40
    rates[0] += 30
    results = evaluate(municipality_period(rates))
    kept = pd.concat([result.table for result in results.values()]).query("group == 'synthetic_control'")[
        "term"
    ]
    assert set(kept) == {"rmspe_pre", "prefit_ratio"}
    assert "synthetic_control" not in set(results["panel_employees_series"].table["term"])
    for result in results.values():
        assert result.diagnostics["withheld_designs"] == ["synthetic_control"]
        assert "synthetic_control" not in result.diagnostics
    assert results["panel_employees_rates"].row("effect", "synthetic_did").estimate == pytest.approx(
        0, abs=0.2
    )
    lax = evaluate(municipality_period(rates), replace(STUDY, max_prefit_ratio=1e9))["panel_employees"]
    assert lax.diagnostics["withheld_designs"] == [] and "synthetic_control" in set(lax.table["group"])


def test_a_pattern_of_quarters_of_its_own_changes_nothing():
    rng = np.random.default_rng(6)
    frame = towns(rng)
    pattern = {"1": 0.9, "2": 1.1, "3": 1.05, "4": 0.95}
    touched = frame.copy()
    rows = (touched["municipality"] == "Hjørring") & (touched["measure"] == "full_time_employees")
    touched.loc[rows, "value"] += touched.loc[rows, "period"].str[-1].map(pattern) * 500 - 500
    plain, seasonal = (evaluate(one)["panel_employees_rates"].table["estimate"] for one in (frame, touched))
    np.testing.assert_allclose(plain, seasonal, rtol=1e-6)


def test_inhabitants_are_interpolated_in_logarithms_and_not_beyond():
    frame = municipality_period(np.full((3, len(QUARTERS)), 40.0))
    frame.loc[(frame["measure"] == "inhabitants") & (frame["period"] == "2021M10"), "value"] = 40_000.0
    _, people = outcome(frame, STUDY.measures["employees"], STUDY, quarter_of(START))
    days = (dt.date(2015, 1, 1) - dt.date(2008, 1, 1)).days / (
        dt.date(2021, 10, 1) - dt.date(2008, 1, 1)
    ).days
    assert people.loc["Hjørring", number_of("2015Q1")] == pytest.approx(20_000 * 2**days)
    frame.loc[frame["period"] == "2021M10", "period"] = "2018Q1"
    _, shorter = outcome(frame, STUDY.measures["employees"], STUDY, quarter_of(START))
    assert label_of(shorter.columns.max()) == "2017Q4"


@pytest.mark.parametrize(
    ("start", "first", "last"),
    [
        (dt.date(2015, 1, 5), "2008Q1", "2019Q4"),
        (dt.date(2012, 2, 1), "2008Q1", "2016Q4"),
        (dt.date(2011, 5, 15), "2008Q2", "2016Q1"),
        (dt.date(2017, 8, 15), "2010Q3", "2019Q2"),
    ],
)
def test_windows_are_whole_years_around_any_start(start, first, last):
    found = evaluate(towns(np.random.default_rng(7)), programme_start=start)["panel_employees"].diagnostics
    assert (found["first_quarter"], found["last_quarter"]) == (first, last)
    assert found["n_quarters_before"] % 4 == 0 == found["n_quarters_after"] % 4


@pytest.mark.parametrize(
    "start", [dt.date(2005, 1, 1), dt.date(2009, 1, 1), dt.date(2019, 1, 1), dt.date(2030, 1, 1)]
)
def test_a_start_outside_the_data_is_an_error_with_a_next_step(start):
    with pytest.raises(
        EstimationError, match=r"at least 8 are needed on each side\. Fetch more periods, or correct"
    ):
        evaluate(towns(np.random.default_rng(8)), programme_start=start)


def test_one_municipality_alone_is_an_error():
    frame = towns(np.random.default_rng(9))
    with pytest.raises(
        EstimationError, match="1 municipalities with every quarter; the treated one and at least two"
    ):
        evaluate(frame[frame["municipality"] == "Hjørring"])
    with pytest.raises(EstimationError, match="13 municipalities.*Hjørring not among them"):
        evaluate(frame[frame["municipality"] != "Hjørring"])


def test_a_municipality_with_a_missing_quarter_is_no_donor():
    frame = towns(np.random.default_rng(10))
    frame.loc[(frame["municipality"] == "Town 05") & (frame["period"] == "2013Q2"), "value"] = np.nan
    assert evaluate(frame)["panel_employees"].diagnostics["n_donors"] == 12


def test_what_is_not_in_the_data_is_withheld():
    frame = towns(np.random.default_rng(11))
    results = evaluate(frame, PanelStudy())
    assert results["panel_employees"].withheld == ""
    for part in ("", "_rates", "_placebos", "_sensitivity", "_series"):
        assert results[f"panel_assistance{part}"].withheld == "missing_tables"
        assert len(results[f"panel_assistance{part}"].table) == 0


@pytest.mark.parametrize(
    ("source", "rests_on"),
    [
        ("Statistics Denmark, table LBESK69, CC BY 4.0", ("real",)),
        ("Simulated, in the form of table LBESK69", ("simulated",)),
    ],
)
def test_the_answer_says_what_it_rests_on(source, rests_on):
    rates = np.random.default_rng(12).standard_normal((6, len(QUARTERS))) + 40
    found = evaluate(municipality_period(rates, source=source))["panel_employees"]
    assert found.provenance.rests_on == rests_on and found.provenance.options["sources"] == [source]


def test_persons_are_those_of_the_years_after_the_start():
    frame = towns(np.random.default_rng(14), effect=5.0)
    frame.loc[(frame["measure"] == "inhabitants") & (frame["period"] == "2021M10"), "value"] = 40_000.0
    results = evaluate(frame)
    _, people = outcome(frame, STUDY.measures["employees"], STUDY, quarter_of(START))
    after = people.loc["Hjørring", people.columns >= quarter_of(START)].mean()
    rate = results["panel_employees_rates"].row("effect", "synthetic_did").estimate
    found = results["panel_employees"].row("effect_persons", "synthetic_did").estimate
    assert found == pytest.approx(rate * after / 100) and after > 1.1 * people.loc["Hjørring"].mean()


def test_small_municipalities_are_left_out_of_one_row():
    frame = towns(np.random.default_rng(13))
    rows = (frame["municipality"] == "Town 03") & (frame["measure"] == "inhabitants")
    frame.loc[rows, "value"] = 5_000.0
    found = evaluate(frame)["panel_employees_sensitivity"]
    assert found.diagnostics["small_municipalities"] == ["Town 03"]
    assert (
        found.row("without_small", "difference_in_differences").estimate
        != found.row("main", "difference_in_differences").estimate
    )


@pytest.mark.parametrize("n_left", [0, 1, 2])
def test_choice_that_leaves_too_few_municipalities_has_no_row(n_left):
    """All but so many donors are small: `without_small` cannot be answered, everything else can."""
    frame = towns(np.random.default_rng(15))
    small = [f"Town {k:02d}" for k in range(1, 14 - n_left)]
    frame.loc[frame["municipality"].isin(small) & (frame["measure"] == "inhabitants"), "value"] = 5_000.0
    found = evaluate(frame)["panel_employees_sensitivity"]
    assert found.diagnostics["small_municipalities"] == small
    shown = set(found.table["term"])
    assert ("without_small" in shown) is (n_left == 2)
    assert {"main", "all_donors", "season_none", "season_year", "backdated"} <= shown


@pytest.mark.parametrize(("ratio", "fits"), [(1.0, True), (2.0, True), (2.1, False), (float("nan"), False)])
def test_fit_that_is_not_known_is_no_fit(ratio, fits):
    case = SimpleNamespace(study=STUDY)
    assert Case.fits(case, SimpleNamespace(diagnostics={"prefit_ratio": ratio})) is fits
