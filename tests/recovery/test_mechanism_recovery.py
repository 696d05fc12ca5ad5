"""A naive comparison of who gets an effort is visibly wrong; weighted answers recover those asked."""

import numpy as np
import pytest

from evalkit import cohort, simulate, spec
from evalkit.evaluations import mechanism, user
from evalkit.simulate.delivered import truth as truth_of
from evalkit.simulate.write import tables as tables_of


@pytest.fixture(scope="module")
def told():
    register = simulate.register(n_persons=6000, n_comparisons=0, seed=11)
    tables = tables_of(register)
    site = spec.load_site("analysis/municipalities/hjoerring.yaml")
    described = mechanism.describe(
        tables, spec.load_study("analysis/mechanism.yaml"), site, spells=cohort.spells(tables)
    )
    return register, tables, site, described, truth_of(register)["expected"]["hazards"]


@pytest.mark.parametrize("kind", ["job", "health"])
def test_the_naive_hazard_ratio_is_off_by_more_than_its_interval(told, kind):
    row = told[3].efforts.row(f"{kind}_during", "all")
    truth = np.exp(told[4]["during"][kind])
    assert not row["conf_low"] <= truth <= row["conf_high"]
    # Selection: job-directed efforts look better than they are, health-directed ones worse.
    assert (row["estimate"] > truth) == (kind == "job")


def test_after_a_health_effort_the_sign_is_wrong(told):
    row = told[3].efforts.row("health_after", "all")
    assert np.exp(told[4]["after"]["health"]) > 1 > row["conf_high"]


def test_hazards_are_labelled_descriptive(told):
    for name in ("efforts", "parallel", "course", "interplay"):
        result = getattr(told[3], name)
        assert result.diagnostics["descriptive"] is True
        assert result.estimand.design == "" and "no_selection" in result.estimand.assumptions


def test_weighted_scale_means_recover_everybody_asked(told):
    from evalkit.simulate.own import Own
    from evalkit.simulate.survey import scale_truth

    register, tables, site, *_ = told
    answers = user.experience(tables, spec.load_study("analysis/user.yaml"), site)
    truth = scale_truth(Own(register))
    off = [
        (answers.scales.row(scale, wave)["estimate"] - truth[scale][wave])
        / answers.scales.row(scale, wave)["std_error"]
        for scale in truth
        for wave in ("2015", "2016")
    ]
    assert np.abs(off).max() < 3.5
    change = [
        (answers.change.row(scale, "")["estimate"] - truth[scale]["change"])
        / answers.change.row(scale, "")["std_error"]
        for scale in truth
    ]
    assert np.abs(change).max() < 3.5
