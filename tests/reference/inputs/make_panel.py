"""Draw the inputs of the panel and weighting references: python tests/reference/inputs/make_panel.py.

The files are committed, because a random stream may differ between versions of numpy.
"""

from pathlib import Path

import numpy as np
import pandas as pd

HERE = Path(__file__).parent


def panel(rng, n_units, n_periods, n_treated, n_pre):
    """Two factors, unit and period effects, noise; the treated are the last units and gain 1.5."""
    loadings, factors = rng.gamma(2.0, 1.0, (n_units, 2)), rng.standard_normal((2, n_periods)).cumsum(axis=1)
    outcome = (
        20
        + 2 * rng.standard_normal((n_units, 1))
        + loadings @ factors
        + rng.standard_normal((n_units, n_periods))
    )
    outcome[n_units - n_treated :, n_pre:] += 1.5
    names = [f"{'treated' if k >= n_units - n_treated else 'comparison'}_{k + 1:02d}" for k in range(n_units)]
    return pd.DataFrame(outcome.round(4), index=pd.Index(names, name="unit"), columns=range(1, n_periods + 1))


def persons(rng, n_rows):
    """Treatment depends on age, sex and earlier weeks."""
    age, sex, weeks = rng.integers(18, 65, n_rows), rng.integers(0, 2, n_rows), rng.poisson(20, n_rows)
    log_odds = -0.5 + 0.03 * (age - 40) - 0.6 * sex + 0.05 * (weeks - 20)
    treated = (rng.random(n_rows) < 1 / (1 + np.exp(-log_odds))).astype(int)
    return pd.DataFrame({"age": age, "sex": sex, "weeks": weeks, "treated": treated})


if __name__ == "__main__":
    rng = np.random.default_rng(20150105)
    panel(rng, 20, 24, 1, 16).to_csv(HERE / "panel_one.csv", lineterminator="\n")
    panel(rng, 32, 18, 12, 12).to_csv(HERE / "panel_block.csv", lineterminator="\n")
    persons(rng, 240).to_csv(HERE / "weighting.csv", index=False, lineterminator="\n")
