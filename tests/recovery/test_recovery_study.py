"""The coverage study asks every survival estimator, and its questions have answers near the truth."""

import inspect

import numpy as np
import pytest
import study_survival
import survival_cells
import survival_families
import survival_movements
from survival_cells import PARTS

from evalkit import estimators

# What has no interval or test of its own, and what is no survival estimator.
NOT_ASKED = {
    "hazard_ratios", "residuals", "pseudo_observations", "occupation_influence", "Panel", "balance",
    "difference_in_differences", "synthetic_control", "synthetic_did", "placebo_inference", "placebo_rank",
    "smallest_detectable_effect", "propensity_scores", "propensity_weights"}


def test_every_survival_estimator_is_asked():
    source = "".join(map(inspect.getsource, (survival_cells, survival_families, survival_movements)))
    assert {name for name in estimators.__all__ if f"ev.{name}" not in source} == NOT_ASKED


@pytest.mark.parametrize("part", PARTS, ids=[part.name for part in PARTS])
def test_a_draw_in_every_setting_is_near_the_truth(part):
    for setting in part.settings:
        answers = study_survival.replicate(1, part.name, setting, 2000, [0])
        assert len(answers) == sum(setting in row.settings for row in part.rows)
        spread = (answers["high"] - answers["low"]) / (2 * 1.96)
        off = (answers["estimate"] - answers["truth"]).abs() > 5 * spread.where(np.isfinite(spread), 1.0)
        assert not off.any() and answers["low"].notna().all(), answers[off | answers["low"].isna()]
