"""Cox's model with strata, offset, weights, late entry and clusters at once, on weekly data.

Estimates to 1e-6, errors and limits to 1e-5, relative (tests/reference/r/combined_cox.R).
"""

import numpy as np
import pandas as pd
import pytest
from combined import agree, cases_of, table_of

from evalkit.estimators import (
    concordance,
    cox,
    predict_survival,
    proportionality_test,
    residuals,
    standardised_contrasts,
)

ALL = {"covariates": ["x", "treated"], "strata": "place", "weight": "pw"}
CASES = cases_of("combined_cox")


def offset_of(frame):
    return (frame["id"] % 5) / 4


def of_model(fit):
    return {"estimate": fit.table["estimate"], "std_error": fit.table["std_error"],
            "naive_error": np.sqrt(np.diag(fit.model["covariance_naive"])),
            "log_likelihood": [fit.diagnostics["log_likelihood_null"], fit.diagnostics["log_likelihood"]]}


def everything(frame, r, ties):
    fit = cox(table_of(frame, **ALL, cluster="cluster"), ties=ties, offset=offset_of(frame))
    return {**of_model(fit), "wald": fit.diagnostics["wald_chi_square"],
            "score": fit.diagnostics["score_chi_square"]}


def counts(frame, r, ties):
    return of_model(cox(table_of(frame, **ALL, count="k"), ties=ties, offset=offset_of(frame)))


def cause(frame, r, ties):
    at_risk = table_of(frame, **ALL, event="cause")
    return of_model(cox(at_risk, ties=ties, cause="2", offset=offset_of(frame)))


def ridge(frame, r, ties):
    at_risk = table_of(frame, **ALL, cluster="cluster")
    return of_model(cox(at_risk, ties=ties, ridge=5, offset=offset_of(frame)))


def firth(frame, r, ties):
    fit = cox(table_of(frame, **ALL), ties=ties, firth=True, offset=offset_of(frame), robust=False)
    return fit.table[["estimate", "std_error", "conf_low", "conf_high"]]


def profiles_of(frame, place=None):
    """Return R's two profiles: quantiles of x that are values of x."""
    x = np.quantile(frame["x"], [0.2, 0.7], method="inverted_cdf")
    profiles = pd.DataFrame({"x": x, "treated": [0, 1]}, index=["low", "high"])
    return profiles if place is None else profiles.assign(strata=str(place))


def curve(frame, r, ties, at_risk=None, **options):
    fit = cox(table_of(frame, **ALL, cluster="cluster"), ties=ties, offset=offset_of(frame))
    given = {"at_risk": at_risk, "offset": offset_of(frame)} if at_risk is not None else {}
    found = [predict_survival(fit, profiles_of(frame, place), weeks=r["weeks"], **given, **options).table
             for place in sorted(frame["place"].unique())]
    table = pd.concat(found)
    return {"weeks": r["weeks"], **table[table["time_weeks"] > 0]}


def curve_by_events(frame, r, ties, **options):
    with pytest.warns(UserWarning, match="too short"):
        return curve(frame, r, ties, **options)


def curve_influence(frame, r, ties):
    return curve(frame, r, ties, at_risk=table_of(frame, **ALL, cluster="cluster"))


def standardised(frame, r, ties, exposure="treated", event="event", **options):
    at_risk = table_of(frame, **ALL, cluster="cluster", event=event)
    if exposure == "given":
        moved = at_risk.covariates + np.array([0.2 * frame["x"].std(), 0])
        exposure = {"as they are": at_risk.covariates, "moved": moved}
    table = standardised_contrasts(at_risk, exposure=exposure, weeks=r["weeks"],
                                   horizon_weeks=max(r["weeks"]), ties=ties, **options).table
    return {"weeks": r["weeks"], **table}


def among(frame, r, ties):
    return standardised(frame, r, ties, among=frame["treated"] == 1)


def zph(frame, r, ties, transform):
    at_risk = table_of(frame, **ALL)
    return proportionality_test(at_risk, transform=transform, ties=ties, offset=offset_of(frame)).table


def of_residuals(frame, r, ties):
    at_risk, found = table_of(frame, **ALL), {}
    for kind in r:
        value = residuals(at_risk, kind=kind, ties=ties, offset=offset_of(frame))
        if "schoenfeld" in kind:
            found[kind] = np.sort(value[~np.isnan(value[:, 0])], axis=0).ravel(order="F")
        else:
            found[kind] = value[::11].ravel()
    return found


def harrell(frame, r, event="event", **columns):
    score = (frame["x"] - frame["x"].mean()) / frame["x"].std()
    options = {"cause": "2"} if event == "cause" else {}
    fit = concordance(table_of(frame, strata="place", weight="pw", event=event, **columns),
                      score=score.round() + frame["treated"], **options)
    pairs = [fit.diagnostics[kind] for kind in ("concordant", "discordant", "tied")]
    return {"estimate": fit.table["estimate"], "std_error": fit.table["std_error"], "pairs": pairs}


BY_TIES = {
    "all": everything, "counts": counts, "cause": cause, "ridge": ridge, "firth": firth,
    "curve_log": curve_by_events, "curve_influence": curve_influence,
    "curve_loglog": lambda *given: curve_by_events(*given, conf_type="log-log"),
    "curve_plain": lambda *given: curve_by_events(*given, conf_type="plain"),
    "standardised_treated": standardised, "standardised_among": among,
    "standardised_places": lambda *given: standardised(*given, exposure="strata"),
    "standardised_given": lambda *given: standardised(*given, exposure="given"),
    "standardised_cause": lambda *given: standardised(*given, event="cause", cause="2"),
    "residuals": of_residuals,
    **{f"zph_{kind}": lambda *given, kind=kind: zph(*given, kind)
       for kind in ("km", "rank", "identity", "log")},
}
QUESTIONS = {
    **{f"{name}_{ties}": lambda frame, r, ask=ask, ties=ties: ask(frame, r, ties)
       for name, ask in BY_TIES.items() for ties in ("efron", "breslow")},
    "concordance_score": lambda frame, r: harrell(frame, r, cluster="cluster"),
    "concordance_cause": lambda frame, r: harrell(frame, r, event="cause", count="k"),
}


@pytest.mark.parametrize("case", CASES)
def test_combined_options_equal_r(case):
    agree(CASES[case], QUESTIONS)


def test_every_question_is_asked():
    assert {case["question"] for case in CASES.values()} == set(QUESTIONS)
