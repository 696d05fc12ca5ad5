"""Quantiles, restricted means, residual time, the log-rank family and pseudo-observations against R.

Estimates to 1e-6, errors and limits to 1e-5, relative; the calls stand in
tests/reference/expected/curves.json, which tests/reference/r/curves.R writes.
"""

import numpy as np
import pandas as pd
import pytest
import reference_data
from reference_data import frame_of

from evalkit.atrisk import AtRisk
from evalkit.estimators import (
    aalen_johansen,
    kaplan_meier,
    log_rank,
    pseudo_observations,
    pseudo_regression,
    residual_time,
    restricted_mean,
    survival_quantiles,
)

STORED = reference_data.expected("curves")
LUNG = {"exit": "week", "event": "status"}
WEEKLY = {"entry": "entry", "exit": "exit", "event": "event"}
HARD = {"weight": "pw", "cluster": "cluster"}
TYPES = ("log", "log-log", "plain")


def wanted(case):
    """Return the numbers of a case."""
    stored = STORED["cases"][case]
    return {key: np.array(value, dtype=float) for key, value in stored["values"].items() if key != "weights"}


def at_risk_of(case, columns):
    return AtRisk.from_frame(frame_of(STORED["cases"][case]["input"]), **columns)


def close(actual, expected, tolerance=1e-6):
    np.testing.assert_allclose(np.asarray(actual, dtype=float), expected, rtol=tolerance, atol=1e-12)


QUANTILES = {
    **{f"quantiles_lung_{kind}": ({**LUNG, "strata": "sex"}, {"conf_type": kind}) for kind in TYPES},
    **{f"quantiles_weekly_{kind}": ({**WEEKLY, "strata": "place"}, {"conf_type": kind}) for kind in TYPES},
    "quantiles_clustered": ({**WEEKLY, **HARD}, {}),
    "quantiles_rotterdam": ({"exit": "dtime", "event": "death", "strata": "chemo"}, {}),
}


@pytest.mark.parametrize("case", QUANTILES)
def test_quantiles_equal_r(case):
    columns, options = QUANTILES[case]
    table = survival_quantiles(at_risk_of(case, columns), probs=(0.1, 0.25, 0.5, 0.6), **options).table
    for column, values in wanted(case).items():
        close(table[column], values)


ARMS = {
    "rmst2_lung": ({**LUNG, "strata": "sex"}, 52, 0.95),
    "rmst2_rotterdam": ({"exit": "dtime", "event": "death", "strata": "chemo"}, 2000, 0.95),
    "rmst2_veteran_90": ({**LUNG, "strata": "trt"}, 40, 0.9),
}


@pytest.mark.parametrize("case", ARMS)
def test_restricted_means_their_difference_and_ratio_equal_rmst2(case):
    columns, horizon, level = ARMS[case]
    table = restricted_mean(at_risk_of(case, columns), horizon_weeks=horizon, conf_level=level).table
    values = wanted(case)
    close(table["estimate"], values["estimate"])
    close(table["std_error"][:2], values["std_error"], 1e-5)
    for column in ("conf_low", "conf_high", "p_value"):
        close(table[column][2:], values[column], 1e-5)


def test_a_curve_from_a_start_equals_survfit_with_start_time():
    case = "start_20"
    table = kaplan_meier(at_risk_of(case, WEEKLY), start_weeks=20).table
    found = pd.DataFrame(wanted(case)).merge(
        table, on="time_weeks", suffixes=("_r", ""), validate="one_to_one"
    )
    assert len(found) == len(wanted(case)["time_weeks"]) and table["time_weeks"][0] == 20
    close(found["estimate"], found["estimate_r"])
    for column in ("std_error", "conf_low", "conf_high"):
        close(found[column], found[f"{column}_r"], 1e-5)


def residuals(case, starts, **options):
    columns = {**WEEKLY, **(HARD if "clustered" in case else {})}
    return residual_time(at_risk_of(case, columns), elapsed_weeks=starts, horizon_weeks=26, **options).table


@pytest.mark.parametrize(
    ("case", "options"),
    [
        ("residual_5", {}),
        ("residual_12", {}),
        ("residual_30", {}),
        ("residual_12_clustered", {}),
        ("residual_classes", {"method": "classes"}),
    ],
)
def test_residual_time_equals_survfit(case, options):
    starts = [0, 10, 20] if options else float(case.split("_")[1])
    table, values = residuals(case, starts, **options), wanted(case)
    is_share = table["term"].str.startswith("residual_survival")
    close(table["estimate"][is_share], values["survival"])
    close(table["std_error"][is_share], values["survival_error"], 1e-5)
    close(table["estimate"][~is_share], values["mean"])
    close(table["std_error"][~is_share], values["mean_error"], 1e-5)
    for column in {"conf_low", "conf_high"} & set(values):
        close(table[column][is_share], values[column], 1e-5)


def test_conditional_survival_is_the_ratio_of_the_curve():
    case = "residual_12_ratio"
    close(residuals(case, 12)["estimate"][:1], wanted(case)["survival"])


def chi_square(case, columns, **options):
    return log_rank(at_risk_of(case, columns), **options).table["estimate"][0]


def test_survdiff_and_exact_score_tests_equal():
    cells, lung, veteran = {**LUNG, "strata": "celltype"}, frame_of("lung"), frame_of("veteran")
    found = {
        "rho_1": chi_square("rho_1", cells, rho=1),
        "rho_half_stratified": chi_square("rho_half_stratified", cells, rho=0.5, stratify=veteran["trt"]),
        "plain_stratified": chi_square("plain_stratified", {**LUNG, "strata": "sex"}, stratify=lung["ecog"]),
        "trend": chi_square("trend", {**LUNG, "strata": "ecog"}, trend=range(4)),
        "trend_stratified": chi_square(
            "trend_stratified", {**LUNG, "strata": "ecog"}, trend=range(4), stratify=lung["sex"]
        ),
    }
    for case, value in found.items():
        close(value, wanted(case)["chi_square"])


def test_the_family_of_weights_equals_survmisc():
    """The names in the file are survMisc's: n is Gehan's weight, S1 Peto's, FH_p=, q= rho and gamma."""
    options = {
        "1": {},
        "n": {"weights": "gehan"},
        "sqrtN": {"weights": "tarone_ware"},
        "S1": {"weights": "peto"},
        "FH_p=0_q=1": {"gamma": 1},
        "FH_p=1_q=1": {"rho": 1, "gamma": 1},
        "FH_p=0.5_q=2": {"rho": 0.5, "gamma": 2},
    }
    names, values = STORED["cases"]["family"]["values"]["weights"], wanted("family")
    at_risk = at_risk_of("family", {**LUNG, "strata": "celltype"})
    assert set(options) == set(names) - {"S2"}
    for name, option in options.items():
        place = names.index(name)
        close(log_rank(at_risk, **option).table["estimate"][0], values["chi_square"][place])
        close(log_rank(at_risk, **option, trend=[1, 2, 3, 4]).diagnostics["z"], values["z"][place])


@pytest.mark.parametrize("name", ["gehan", "tarone_ware", "peto", "fh"])
@pytest.mark.parametrize("kind", ["", "stratified_", "trend_"])
def test_weighted_tests_with_delayed_entry_equal_the_sums_written_out(name, kind):
    option = {"rho": 0.5, "gamma": 2} if name == "fh" else {"weights": name}
    option |= {
        "stratified_": {"stratify": frame_of("weekly")["treated"]},
        "trend_": {"trend": [0, 1, 5]},
    }.get(kind, {})
    case = f"entry_{kind}{name}"
    close(chi_square(case, {**WEEKLY, "strata": "place"}, **option), wanted(case)["chi_square"])


@pytest.mark.parametrize("case", ["pseudo_survival", "pseudo_prodlim"])
def test_pseudo_survival_equals_r(case):
    found = pseudo_observations(at_risk_of(case, LUNG), weeks=[26, 52])[:50]
    close(found[:, 0], wanted(case)["week_26"])
    close(found[:, 1], wanted(case)["week_52"])


def test_pseudo_means_and_incidences_equal_r():
    mean = pseudo_observations(at_risk_of("pseudo_mean", LUNG), weeks=52, estimand="restricted_mean")
    close(mean[:50, 0], wanted("pseudo_mean")["week_52"])
    at_risk = at_risk_of("pseudo_incidence", {"exit": "months", "event": "cause"})
    curve = aalen_johansen(at_risk).table.query("time_weeks <= 120")
    for cause in ("1", "2"):
        found = pseudo_observations(at_risk, weeks=120, estimand="cumulative_incidence", cause=cause)
        # R's values are n times a difference of two estimates near 1: 1384 x 1e-16 is what it can know.
        np.testing.assert_allclose(
            found[:50, 0], wanted("pseudo_incidence")[f"cause_{cause}"], rtol=1e-6, atol=1e-11
        )
        assert found.mean() == pytest.approx(curve.loc[curve["term"] == cause, "estimate"].iloc[-1], abs=1e-4)


def test_the_infinitesimal_jackknife_of_survival_pseudo_differs_by_one_over_n():
    found = pseudo_observations(at_risk_of("pseudo_infinitesimal", LUNG), weeks=[26, 52])[:50]
    values = wanted("pseudo_infinitesimal")
    apart = np.abs(found - np.column_stack([values["week_26"], values["week_52"]])).max()
    assert 1e-6 < apart < 5 / len(frame_of("lung"))


COVARIATES = {**LUNG, "covariates": ["age", "sex", "ecog"]}
REGRESSIONS = {
    **{
        f"regression_{link}": (COVARIATES, [26, 52], {"link": link})
        for link in ("identity", "log", "logit", "cloglog")
    },
    "regression_clustered": ({**COVARIATES, "cluster": "inst"}, [26, 52], {"link": "logit"}),
    "regression_mean_identity": (COVARIATES, 52, {"estimand": "restricted_mean"}),
    "regression_mean_log": (COVARIATES, 52, {"estimand": "restricted_mean", "link": "log"}),
}


@pytest.mark.parametrize("case", REGRESSIONS)
def test_regression_equals_geese(case):
    columns, weeks, options = REGRESSIONS[case]
    table = pseudo_regression(at_risk_of(case, columns), weeks=weeks, **options).table
    close(table["estimate"], wanted(case)["estimate"])
    close(table["std_error"], wanted(case)["std_error"], 1e-5)


def test_every_case_is_used():
    entries = {
        f"entry_{kind}{name}"
        for kind in ("", "stratified_", "trend_")
        for name in ("gehan", "tarone_ware", "peto", "fh")
    }
    tested = {
        *QUANTILES,
        *ARMS,
        *REGRESSIONS,
        *entries,
        "start_20",
        "residual_5",
        "residual_12",
        "residual_30",
        "residual_12_clustered",
        "residual_12_ratio",
        "residual_classes",
        "rho_1",
        "rho_half_stratified",
        "plain_stratified",
        "trend",
        "trend_stratified",
        "family",
        "pseudo_survival",
        "pseudo_prodlim",
        "pseudo_mean",
        "pseudo_incidence",
        "pseudo_infinitesimal",
    }
    assert tested == set(STORED["cases"])
