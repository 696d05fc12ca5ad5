"""Progression scores by time since the first measurement, as the citizen and the professionals see them."""

import numpy as np
import pandas as pd

from evalkit.evaluations.facts import needs, origin
from evalkit.result import Estimand, Result, tidy

_Z = 1.959963984540054


@needs("progress")
def progression(tables, study, site):
    """Mean score over all indicators by period since a person's first measurement and by rater.

    Returns
    -------
    Result
        Kind model, unit score: ``group`` the rater, ``time_weeks`` the first week of the period. A person's
        scores within a period are averaged first. Later periods hold only persons still measured: compare
        `progression_change`, which follows the same persons.
    """
    scores = _timed(tables["progress"])
    bounds = [*study.progress_weeks, np.inf]
    scores["period"] = pd.cut(scores["weeks"], bounds, right=False, labels=study.progress_weeks).astype(float)
    person = scores.dropna(subset="period").groupby(["rater", "period", "person_id"])["score"].mean()
    told = person.groupby(level=["rater", "period"]).agg(["mean", "std", "size"]).reset_index()
    table = _with_limits(
        tidy(
            term="mean_score",
            group=told["rater"],
            time_weeks=told["period"],
            estimate=told["mean"],
            std_error=told["std"] / np.sqrt(told["size"]),
            n_persons=told["size"],
        )
    )
    return _result("progression", table, tables, study)


@needs("progress")
def progression_change(tables, study, site):
    """Mean change from a person's first to last measurement, by indicator and rater.

    Only persons measured at least twice; the error is between persons.
    """
    scores = _timed(tables["progress"]).sort_values("date", kind="stable")
    ends = scores.groupby(["indicator", "rater", "person_id"]).agg(
        first=("score", "first"),
        last=("score", "last"),
        from_date=("date", "first"),
        to_date=("date", "last"),
    )
    ends = ends[ends["to_date"] > ends["from_date"]]
    change = (
        (ends["last"] - ends["first"])
        .groupby(level=["indicator", "rater"])
        .agg(["mean", "std", "size"])
        .reset_index()
    )
    table = _with_limits(tidy(term=change["indicator"], group=change["rater"], estimate=change["mean"],
                              std_error=change["std"] / np.sqrt(change["size"]), n_persons=change["size"]))
    weeks = (ends["to_date"] - ends["from_date"]).dt.days.mean() / 7
    return _result("progression_change", table, tables, study, mean_weeks=float(weeks))


def _timed(progress):
    first = progress.groupby("person_id")["date"].transform("min")
    return progress.assign(weeks=(progress["date"] - first).dt.days // 7)


def _with_limits(table):
    return table.assign(conf_low=table["estimate"] - _Z * table["std_error"],
                        conf_high=table["estimate"] + _Z * table["std_error"])


def _result(name, table, tables, study, **diagnostics):
    estimand = Estimand(
        name=name, population="measured", outcome="progress_score", summary="mean", unit="score"
    )
    return Result(kind="model", estimand=estimand, table=table, diagnostics=diagnostics,
                  provenance=origin(tables, study, ("progress",), method="mean"))
