"""Propensity scores, weights and balance against R's glm (tests/reference/r/panel.R)."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from evalkit.estimators import balance, propensity_scores, propensity_weights

HERE = Path(__file__).parent
INPUT = HERE / "inputs" / "weighting.csv"
EXPECTED = pd.read_csv(HERE / "expected" / "weighting.csv", comment="#", dtype={"name": str})
PERSONS = pd.read_csv(INPUT)
DESIGN, TREATED = PERSONS[["age", "sex", "weeks"]], PERSONS["treated"].to_numpy(dtype=bool)


def expected(quantity):
    return EXPECTED[EXPECTED["quantity"] == quantity].set_index("name")["value"]


def test_propensity_scores_as_in_glm():
    theirs = expected("fitted")
    ours = propensity_scores(DESIGN, TREATED)[theirs.index.astype(int) - 1]
    np.testing.assert_allclose(ours, theirs, rtol=1e-9)


@pytest.mark.parametrize("estimand", ["att", "ate", "overlap"])
def test_balance_as_in_r(estimand):
    found = balance(DESIGN, TREATED, propensity_weights(DESIGN, TREATED, estimand=estimand)).table
    before, after = (
        found[found["group"] == group].set_index("term")["estimate"] for group in ("before", "after")
    )
    np.testing.assert_allclose(before, expected("before")[before.index], rtol=1e-9)
    np.testing.assert_allclose(after, expected(estimand)[after.index], atol=1e-9)
