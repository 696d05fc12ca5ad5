"""The same mix of persons everywhere: every period and side weighted to those whom the programme met."""

import numpy as np
import pandas as pd

from evalkit.errors import EstimationError
from evalkit.estimators import balance, propensity_weights
from evalkit.evaluations.answers import effect_estimand
from evalkit.evaluations.gates import withheld
from evalkit.result import Result, tidy

_CHARACTERISTICS = ("target_group", "sex", "ancestry")


def mix(evidence):
    """Show how alike the persons compared are, before and after they are weighted to those the programme met.

    Returns
    -------
    Result
        Kind ``model``: ``term`` is a characteristic, ``group`` ``as_they_came`` or ``weighted``,
        ``estimate`` the largest standardised mean difference from the programme's persons in any of the
        three other groups (own persons before, others before, others after).
        A level that a group lacks is not weighted for in it. `sensitivity` holds the effect under these
        weights.
    """
    estimand = effect_estimand(evidence, "mix", outcome="characteristics",
                               summary="standardised_mean_difference", unit="standard_deviations", design="")
    return evidence.verdict.guard(
        lambda: _mix(evidence.followed, estimand), kind="model", estimand=estimand
    )


def alike(followed, values):
    """Return contributions to each cell's mean when its persons are weighted to those the programme met.

    Raises
    ------
    EstimationError
        If a characteristic tells the sides apart, so that no weight makes them alike.

    Notes
    -----
    Weights e / (1 - e) of the odds of being one of the programme's persons, fitted for each of the three
    other groups by itself and taken as known: m + n w / sum(w) (x - m) with m the cell's weighted mean.
    """
    weights, cell = _weights(followed), followed.cell
    n_cells = int(cell.max()) + 1
    total = np.bincount(cell, weights=weights, minlength=n_cells)
    share = weights * np.bincount(cell, minlength=n_cells)[cell] / np.where(total > 0, total, 1.0)[cell]
    mean = np.column_stack([np.bincount(cell, weights=weights * column, minlength=n_cells)
                            for column in values.T])
    mean = (mean / np.where(total > 0, total, 1.0)[:, None])[cell]
    return mean + share[:, None] * (values - mean)


def _mix(followed, estimand):
    try:
        found = [balance(design, met, weights) for _, design, met, weights in _fits(followed)]
    except EstimationError:
        return withheld("no_weights", kind="model", estimand=estimand)
    table = pd.concat([result.table for result in found], ignore_index=True)
    sizes = table.assign(estimate=table["estimate"].abs())
    largest = sizes.groupby(["term", "group"], sort=False)["estimate"].max()
    group = largest.index.get_level_values("group").map({"before": "as_they_came", "after": "weighted"})
    n_persons = float(_compared(followed).sum())
    return Result(
        kind="model",
        estimand=estimand,
        provenance=followed.provenance("propensity_weights", estimand="att"),
        table=tidy(term=largest.index.get_level_values("term"), group=group, estimate=largest.to_numpy(),
                   n_persons=n_persons),
        model=_rarer_side(followed),
        diagnostics={
            "n_persons": n_persons,
            "largest_before": float(largest.xs("before", level="group").max()),
            "largest_after": float(largest.xs("after", level="group").max()),
        },
    )


def _rarer_side(followed):
    """Return how many persons stand behind the rarer side of each indicator, for the disclosure rules."""
    covariates = _covariates(followed.people.frame)[_compared(followed)]
    n_term = [len(values) if name == "age" else min(values.sum(), len(values) - values.sum())
              for name, values in covariates.items()]
    return {"terms": tuple(covariates.columns), "n_term": np.array(n_term)}


def _weights(followed):
    """Return a weight for every row: 1 for those the programme met, 0 for those who are not compared."""
    weights = (followed.is_treated & followed.is_after).astype(float)
    for rows, _, met, fitted in _fits(followed):
        weights[rows[~met]] = fitted[~met]
    return weights


def _fits(followed):
    """Yield for each of the other groups: rows of it and of those met, their design, who is met, weights."""
    treated, after, compared = followed.is_treated, followed.is_after, _compared(followed)
    target, covariates = treated & after, _covariates(followed.people.frame)
    for group in (treated & ~after, compared & ~treated & ~after, compared & ~treated & after):
        rows = np.flatnonzero(target | group)
        design = _on_both_sides(covariates.iloc[rows], target[rows])
        yield rows, design, target[rows], propensity_weights(design, target[rows], estimand="att")


def _on_both_sides(design, met):
    """Leave out levels that one side lacks (a benefit that came later): no weight can make up for them."""
    varies = [values[met].nunique() > 1 and values[~met].nunique() > 1 for _, values in design.items()]
    return design.loc[:, varies]


def _compared(followed):
    return followed.is_treated | followed.people.frame["municipality"].isin(followed.comparisons).to_numpy()


def _covariates(frame):
    """Age and one indicator for each level but the commonest."""
    columns = {"age": frame["age"].astype(float)}
    for name in _CHARACTERISTICS:
        for level in frame[name].value_counts().index[1:]:
            columns[f"{name}[{level}]"] = frame[name].eq(level).astype(float)
    return pd.DataFrame(columns)
