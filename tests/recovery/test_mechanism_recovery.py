"""A naive comparison of who gets an effort is visibly wrong; weighted answers recover those asked."""

import numpy as np
import pytest

from evalkit import cohort, simulate, spec
from evalkit.evaluations import hazards, mechanism, user
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


@pytest.fixture(scope="module")
def naive(told):
    """The same Cox model in the world as it is, and in one where starts do not depend on a person's own rate.

    Both are ratios among the persons still on support. What frailty and the stage of support do to such a
    ratio is in both; between them lies only who was selected. The parameter of the simulation is no
    yardstick: it holds given the frailty, and a Cox model without it is off even where nobody is selected.
    """
    return {scenario: _efforts(scenario, told[2]) for scenario in ("base", "no_selection")}


def _efforts(scenario, site):
    tables = tables_of(simulate.register(n_persons=12000, n_comparisons=0, seed=11, scenario=scenario))
    study = spec.load_study("analysis/mechanism.yaml")
    people = hazards.followed(tables, study, site, cohort.spells(tables))
    table = hazards.efforts(tables, study, site, people=people).table.set_index("term")
    return {term: (np.log(row["estimate"]), row["std_error"] / row["estimate"]) for term,
            row in table.iterrows()}


@pytest.mark.parametrize("term", ["job_during", "job_after", "health_during", "health_after"])
def test_selection_moves_the_naive_hazard_ratio(naive, term):
    (chosen, error), (by_chance, other) = (naive[scenario][term] for scenario in ("base", "no_selection"))
    # Job-directed efforts look better than they are, health-directed ones worse.
    shift = (chosen - by_chance) * (1 if term.startswith("job") else -1)
    assert shift > 1.96 * np.hypot(error, other)


def test_after_a_health_effort_the_sign_is_wrong_by_selection(naive, told):
    (chosen, error), (by_chance, other) = (naive[scenario]["health_after"]
                                           for scenario in ("base", "no_selection"))
    assert told[4]["after"]["health"] > 0
    assert chosen + 1.96 * error < 0 < by_chance + 1.96 * other


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
