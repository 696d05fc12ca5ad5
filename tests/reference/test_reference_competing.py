"""Competing exits against R: estimates to 1e-6, errors to 1e-5, relative (tests/reference/r/competing.R).

The R call stands with its numbers in expected/competing.json.
"""

from functools import cache

import numpy as np
import pandas as pd
import pytest
import reference_data

from evalkit.atrisk import AtRisk
from evalkit.estimators import cause_specific, fine_gray, gray_test, predict_incidence, time_lost

ENTERING = {"entry": "entry", "exit": "exit", "event": "cause", "person": "id",
            "covariates": ["x", "treated"]}
MONTHS = {"exit": "months", "event": "cause", "person": "id", "covariates": ["sex", "age"]}
AGE = {**MONTHS, "exit": "exit", "entry": "entry"}
WEEKS, PROFILES = [5, 20, 50], pd.DataFrame({"x": [-1, 0.5], "treated": [0, 1]}, index=["low", "high"])
FIXED, CRR = {"errors": "fixed_weights"}, {"errors": "fine_gray", "ties": "breslow"}
BRESLOW = {**FIXED, "ties": "breslow"}

GRAY = {
    "gray_weekly": ("start", {"strata": "place"}, {}),
    "gray_weekly_rho": ("start", {"strata": "place"}, {"rho": 1}),
    "gray_weekly_within": ("start", {"strata": "place"}, {"stratify": "treated"}),
    "gray_weekly_count": ("start", {"strata": "place", "count": "k"}, {}),
    "gray_mgus2": ("mgus2", {"exit": "months", "strata": "sex"}, {}),
    "gray_pbc": ("pbc", {"exit": "week", "strata": "trt"}, {"rho": 0.5}),
}
FINE_GRAY = {
    "fg_entry_breslow": ("weekly", ENTERING, BRESLOW),
    "fg_entry_efron": ("weekly", ENTERING, FIXED),
    "fg_mgus2_breslow": ("mgus2", MONTHS, BRESLOW),
    "fg_mgus2_efron": ("mgus2", MONTHS, FIXED),
    "fg_mgus2_age": ("mgus2", AGE, BRESLOW),
    "fg_cluster": ("weekly", {**ENTERING, "cluster": "cluster"}, BRESLOW),
    "fg_both": ("weekly", {**ENTERING, "strata": "place"}, FIXED),
    "fg_baseline": ("weekly", {**ENTERING, "strata": "place"}, {**FIXED, "stratified": ["baseline"]}),
    "fg_weighted": ("weekly", {**ENTERING, "weight": "tenths"}, BRESLOW),
    "fg_count": ("weekly", {**ENTERING, "count": "k"}, FIXED),
    "crr_weekly": ("start", {**ENTERING, "entry": None}, CRR),
    "crr_mgus2": ("mgus2", MONTHS, CRR),
    "crr_cengroup": ("start", {**ENTERING, "entry": None, "strata": "place"},
                     {**CRR, "stratified": ["censoring"]}),
    "fg_settled": ("settled", {**ENTERING, "entry": None, "strata": "place"},
                   {**BRESLOW, "stratified": ["censoring"]}),
}


def reference():
    return reference_data.expected("competing")


@cache
def frame_of(name):
    if name == "start":
        return frame_of("weekly").query("entry == 0").reset_index(drop=True)
    if name == "settled":
        return frame_of("start").query("cause > 0").reset_index(drop=True)
    frame = reference_data.frame_of(name)
    return frame.assign(tenths=(10 * frame["pw"]).round() / 10) if name == "weekly" else frame


def agree(case, table):
    """Compare row by row with what R printed; what R does not give is not asked."""
    wanted = pd.DataFrame(reference()["cases"][case]["rows"])
    wanted["term"] = wanted["term"].replace({"sexM": "sex[M]"})
    keys = ["term", "group", "time_weeks"] if wanted["time_weeks"].notna().any() else ["term", "group"]
    both = wanted.merge(table, on=keys, how="left", suffixes=("_r", ""), validate="one_to_one")
    assert len(both) == len(wanted) and both["estimate"].notna().all()
    for column, rtol in (("estimate", 1e-6), ("std_error", 1e-5), ("p_value", 1e-5)):
        if column in wanted and wanted[column].notna().all():
            found, known = both[column].astype(float), both[f"{column}_r"].astype(float)
            np.testing.assert_allclose(found, known, rtol=rtol, err_msg=f"{case}: {column}")


@pytest.mark.parametrize("case", GRAY)
def test_gray_equals_cuminc(case):
    name, columns, options = GRAY[case]
    frame = frame_of(name)
    at_risk = AtRisk.from_frame(frame, **{"exit": "exit", "event": "cause", **columns})
    options = {**options, "stratify": frame[options["stratify"]]} if "stratify" in options else options
    tests = [gray_test(at_risk, cause=cause, **options) for cause in at_risk.causes]
    agree(case, pd.concat([test.table.iloc[:1].assign(group=cause)
                           for cause, test in zip(at_risk.causes, tests, strict=True)]))
    assert [test.diagnostics["df"] for test in tests] == reference()["cases"][case]["rows"]["df"]


@pytest.mark.parametrize("case", FINE_GRAY)
def test_fine_gray_equals_finegray_with_coxph_and_crr(case):
    name, columns, options = FINE_GRAY[case]
    agree(case, fine_gray(AtRisk.from_frame(frame_of(name), **columns), cause="1", **options).table)


@pytest.mark.parametrize(("case", "columns", "options"), [
    ("predict_crr", {**ENTERING, "entry": None}, {"ties": "breslow"}), ("predict_fg", ENTERING, {})])
def test_predicted_subdistribution_equals_r(case, columns, options):
    frame = frame_of("start" if columns["entry"] is None else "weekly")
    fit = fine_gray(AtRisk.from_frame(frame, **columns), cause="1", **options)
    agree(case, predict_incidence(fit, PROFILES, weeks=WEEKS).table)


@pytest.mark.filterwarnings("ignore:predict_incidence. the fit has clusters")
@pytest.mark.parametrize("ties", ["breslow", "efron"])
def test_cause_specific_and_its_incidence_equal_multi_state_coxph(ties):
    fit = cause_specific(AtRisk.from_frame(frame_of("weekly"), **ENTERING), ties=ties, robust=True)
    agree(f"cs_{ties}", fit.table)
    with pytest.warns(UserWarning, match="give at_risk"):
        agree(f"cs_predict_{ties}", predict_incidence(fit, PROFILES, weeks=WEEKS).table)


def test_errors_of_predicted_incidence_are_derivatives_by_weight():
    frame = frame_of("weekly").query("place == 0 and id % 2 == 0")
    at_risk = AtRisk.from_frame(frame, **ENTERING)
    fit = cause_specific(at_risk, ties="breslow")
    agree("cs_predict_influence", predict_incidence(fit, PROFILES, weeks=WEEKS, at_risk=at_risk).table)


def test_errors_of_predicted_incidence_equal_the_delta_method():
    fit = cause_specific(AtRisk.from_frame(frame_of("weekly"), **ENTERING), ties="breslow", robust=False)
    agree("cs_predict_delta", predict_incidence(fit, PROFILES.iloc[:1], weeks=WEEKS).table)


def test_weeks_lost_equal_the_area_under_survfit():
    columns = {key: value for key, value in ENTERING.items() if key != "covariates"}
    agree("lost_weekly", time_lost(AtRisk.from_frame(frame_of("weekly"), **columns), horizon_weeks=60).table)
    months = {key: value for key, value in MONTHS.items() if key != "covariates"}
    groups = AtRisk.from_frame(frame_of("mgus2"), **months, strata="sex")
    agree("lost_mgus2", time_lost(groups, horizon_weeks=120).table)
