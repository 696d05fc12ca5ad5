"""Cohorts and panels from which next to nothing can be estimated: said plainly, and never released."""

import numpy as np
import pandas as pd
import pytest

from evalkit import disclosure, estimators
from evalkit.atrisk import AtRisk
from evalkit.errors import CohortError, EstimationError
from evalkit.profile import Profile

PROFILE = Profile(name="test", valid_from="2020-01-01", min_n=5, min_events=5, rounding_base=5, decimals=3,
                  source="test", is_verified=True)


def persons(n=60):
    rng = np.random.default_rng(1)
    return pd.DataFrame({"weeks": rng.integers(1, 50, n).astype(float), "left": rng.integers(0, 2, n),
                         "score": rng.normal(size=n), "same": 1.0})


def at_risk(frame, **columns):
    return AtRisk.from_frame(frame, exit="weeks", event="left", **columns)


def panel(units, start):
    rows = pd.DataFrame([(unit, period, float(period * (k + 1) % 5)) for k, unit in enumerate(units)
                         for period in range(8)], columns=["unit", "period", "value"])
    return estimators.Panel.from_frame(rows, unit="unit", period="period", value="value", treated="A",
                                       start=start)


def test_a_cohort_of_nobody_points_to_the_attrition_table():
    with pytest.raises(CohortError, match="no rows.*attrition"):
        at_risk(persons().iloc[:0])


def test_without_events_nobody_leaves_and_no_hazard_is_compared():
    still = persons().assign(left=0)
    assert (estimators.kaplan_meier(at_risk(still)).table["estimate"] == 1).all()
    mean = estimators.restricted_mean(at_risk(still), horizon_weeks=20).table.iloc[0]
    assert (mean["estimate"], mean["std_error"]) == (20, 0)
    with pytest.raises(EstimationError, match="no event among 60 persons.*length of follow-up"):
        estimators.cox(at_risk(still, covariates=["score"]))


def test_one_event_is_estimated_inside_and_does_not_leave():
    once = persons().assign(left=(np.arange(60) == 5).astype(int))
    curve = estimators.kaplan_meier(at_risk(once))
    assert curve.table["n_events"].sum() == 1
    released = disclosure.release(curve, PROFILE, name="once").payload
    estimate, week = released["columns"].index("estimate"), released["columns"].index("time_weeks")
    assert [(float(row[week]), float(row[estimate])) for row in released["rows"]] == [(0, 1)]
    ratio = estimators.cox(at_risk(once, covariates=["score"]))
    assert [row[estimate]
            for row in disclosure.release(ratio, PROFILE, name="ratio").payload["rows"]] == [None]


def test_a_constant_covariate_is_named():
    with pytest.raises(EstimationError, match="same: constant.*leave out"):
        estimators.cox(at_risk(persons(), covariates=["score", "same"]))


def test_a_separating_covariate_is_named_with_the_way_out():
    frame = persons()
    high = frame["score"] > 0
    frame = frame.assign(left=high.astype(int), weeks=frame["weeks"].where(high, 60.0),
                         high=high.astype(float))
    with pytest.raises(EstimationError, match="high: separates.*leave the covariate out"):
        estimators.cox(at_risk(frame, covariates=["high"]))


def test_one_municipality_alone_has_none_to_compare_with():
    with pytest.raises(EstimationError, match="no unit is left to compare with"):
        panel("A", start=4)


@pytest.mark.parametrize("start", [-3, 0, 8])
def test_a_treatment_outside_the_data_is_refused(start):
    with pytest.raises(EstimationError, match="of 8 periods lie before it; some must on each side"):
        panel("ABCD", start=start)
