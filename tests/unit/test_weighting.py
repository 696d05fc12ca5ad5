"""Propensity weights and balance, by hand and at the edges."""

import numpy as np
import pandas as pd
import pytest

from evalkit.atrisk import AtRisk
from evalkit.errors import EstimationError
from evalkit.estimators import balance, propensity_scores, propensity_weights

OLD = pd.DataFrame({"old": [0.0, 0, 0, 0, 1, 1, 1, 1]})
TREATED = np.array([1, 1, 0, 0, 1, 0, 0, 0], dtype=bool)


def test_scores_are_the_shares_of_a_saturated_model():
    np.testing.assert_allclose(propensity_scores(OLD, TREATED), [0.5] * 4 + [0.25] * 4)


@pytest.mark.parametrize(
    ("estimand", "treated", "comparison"),
    [("att", [1, 1], [1, 1 / 3]), ("ate", [2, 4], [2, 4 / 3]), ("overlap", [0.5, 0.75], [0.5, 0.25])],
)
def test_weights_by_hand(estimand, treated, comparison):
    weights = propensity_weights(OLD, TREATED, estimand=estimand)
    np.testing.assert_allclose(weights[[0, 4]], treated)
    np.testing.assert_allclose(weights[[2, 5]], comparison)
    assert balance(OLD, TREATED, weights).diagnostics["largest_after"] < 1e-12


def test_balance_by_hand():
    # Means 1/3 and 3/5; variances 1/3 and 3/10.
    found = balance(OLD, TREATED, np.ones(8))
    expected = (1 / 3 - 3 / 5) / np.sqrt((1 / 3 + 3 / 10) / 2)
    np.testing.assert_allclose(found.table["estimate"], [expected, expected])
    assert found.diagnostics["effective_treated"] == 3 and found.diagnostics["effective_comparison"] == 5


def test_trimming_leaves_out_the_extremes():
    weights = propensity_weights(OLD, TREATED, estimand="ate", trim=0.3)
    assert (weights[:4] > 0).all() and (weights[4:] == 0).all()


def test_count_stands_for_identical_rows():
    rows = OLD.assign(exit=1.0, event=0, treated=TREATED)
    cells = rows.groupby(["old", "treated"], as_index=False).agg(
        exit=("exit", "first"), event=("event", "first"), k=("exit", "size")
    )
    at_risk = AtRisk.from_frame(cells, exit="exit", event="event", count="k", covariates=["old"])
    treated = cells["treated"].to_numpy()
    np.testing.assert_allclose(propensity_scores(at_risk, treated), [0.5, 0.5, 0.25, 0.25])
    by_cells, by_rows = balance(at_risk, treated, np.ones(4)), balance(OLD, TREATED, np.ones(8))
    np.testing.assert_allclose(by_cells.table["estimate"], by_rows.table["estimate"])
    assert by_cells.table["n_persons"].iloc[0] == 8


@pytest.mark.parametrize(
    ("design", "treated", "message"),
    [
        (OLD, np.ones(8), "everybody is treated"),
        (OLD.assign(old=np.nan), TREATED, "missing values in old"),
        (OLD.assign(same=2.0), TREATED, "same: constant"),
        (OLD.assign(young=1 - OLD["old"]), TREATED, "young: constant, or given by"),
        (OLD.assign(decides=TREATED * 1.0), TREATED, "predict treatment perfectly"),
    ],
)
def test_what_cannot_be_weighted_is_refused(design, treated, message):
    with pytest.raises(EstimationError, match=message):
        propensity_weights(design, treated)


def test_names_of_options_are_checked():
    with pytest.raises(ValueError, match="estimand"):
        propensity_weights(OLD, TREATED, estimand="atc")


def test_overlap_weights_balance_every_covariate_exactly():
    rng = np.random.default_rng(2)
    design = rng.standard_normal((300, 4))
    treated = rng.random(300) < 1 / (1 + np.exp(-design @ [0.5, -0.5, 0.2, 0.0]))
    found = balance(design, treated, propensity_weights(design, treated, estimand="overlap"))
    assert found.diagnostics["largest_after"] < 1e-9 < found.diagnostics["largest_before"]
