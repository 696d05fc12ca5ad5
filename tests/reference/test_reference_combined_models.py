"""Models of time and of pseudo-observations with everything at once, and what they predict.

Estimates to 1e-6, errors and limits to 1e-5, relative (tests/reference/r/combined_models.R).
"""

from functools import partial

import numpy as np
import pandas as pd
import pytest
from combined import agree, cases_of, table_of

from evalkit.atrisk import AtRisk
from evalkit.estimators import (
    cox,
    cured_share,
    discrete_hazard,
    mixture_cure,
    parametric,
    parametric_mean,
    parametric_quantiles,
    piecewise_exponential,
    predict_hazard,
    predict_parametric,
    predict_survival,
    proportionality_test,
    pseudo_observations,
    pseudo_regression,
    royston_parmar,
    shared_frailty,
)

HARD = {"weight": "pw", "cluster": "cluster"}
ALL = {**HARD, "covariates": ["x", "treated"]}
CASES = cases_of("combined_models")


def offset_of(frame):
    return (frame["id"] % 5) / 4


def of_model(fit):
    return {"estimate": fit.model["estimates"], "std_error": np.sqrt(np.diag(fit.model["covariance"])),
            "naive_error": np.sqrt(np.diag(fit.model["covariance_naive"])),
            "log_likelihood": [fit.diagnostics.get("log_likelihood_null"),
                               fit.diagnostics["log_likelihood"]]}


def profile_of(frame, place):
    """Return R's person: a high x that occurs, treated."""
    x = np.quantile(frame["x"], 0.7, method="inverted_cdf")
    return pd.DataFrame({"x": [x], "treated": [1], "strata": [str(place)]})


def steps(frame, r, ties):
    varying = {"treated": tuple(r["cut"])}
    at_risk, offset = table_of(frame, **ALL, strata="place"), offset_of(frame)
    found = {**r, **of_model(cox(at_risk, ties=ties, offset=offset, varying=varying))}
    if "zph" in r:
        found["zph"] = proportionality_test(at_risk, transform="identity", ties=ties, offset=offset,
                                            varying=varying).table["estimate"]
    return found


def steps_curve(frame, r, ties):
    at_risk, offset = table_of(frame, **ALL, strata="place"), offset_of(frame)
    fit = cox(at_risk, ties=ties, offset=offset, varying={"treated": tuple(r["cut"])})
    plain, robust = [], []
    for place in sorted(frame["place"].unique()):
        predict = partial(predict_survival, fit, profile_of(frame, place), weeks=r["weeks"])
        with pytest.warns(UserWarning, match="too short"):
            plain.append(predict().table.iloc[1:])
        robust.append(predict(at_risk=at_risk, offset=offset).table.iloc[1:])
    plain, robust = pd.concat(plain), pd.concat(robust)
    return {**r, "estimate": plain["estimate"], "std_error": plain["std_error"],
            "influence_error": robust["std_error"]}


def function(frame, r, ties):
    at_risk = table_of(frame, **ALL, strata="place")
    return of_model(cox(at_risk, ties=ties, offset=offset_of(frame), varying={"treated": np.log}))


def frailty(frame, r, ties):
    at_risk = AtRisk.from_frame(frame.assign(k=frame["id"] % 3 + 1), entry="start", exit="stop",
                                event="event", person="id", cluster="town", strata="place", count="k",
                                covariates=["x", "arm"])
    fit = shared_frailty(at_risk, ties=ties)
    table = fit.table.iloc[:2]
    # At least R's likelihood: its search stops early.
    reached = max(fit.diagnostics["log_likelihood"], r["log_likelihood"][0])
    assert reached == fit.diagnostics["log_likelihood"]
    return {"near": table["estimate"], "near_error": table["std_error"], "log_likelihood": reached}


def three_places(frame, **more):
    return table_of(frame.query("place < 3"), **ALL, **more)


def weekly_model(frame, r, fit_of, cause):
    at_risk = three_places(frame, strata="place", event="cause" if cause == "2" else "event")
    ask = partial(fit_of, at_risk, cut=r["cut"].tolist(), cause=cause if cause == "2" else None)
    return ask(), ask(robust=False)


def discrete(at_risk, *, cut, link, **options):
    return discrete_hazard(at_risk, link=link, duration={"breaks": cut}, **options)


def rates(at_risk, *, cut, **options):
    return piecewise_exponential(at_risk, breaks=cut, **options)


def time_model(frame, r, fit_of, cause):
    fit, plain = weekly_model(frame, r, fit_of, cause)
    return {**r, "estimate": fit.model["estimates"], "std_error": np.sqrt(np.diag(fit.model["covariance"])),
            "naive_error": np.sqrt(np.diag(plain.model["covariance"]))}


def time_curve(frame, r, fit_of, cause):
    fit, _ = weekly_model(frame, r, fit_of, cause)
    frame = frame.query("place < 3")
    tables = [predict_hazard(fit, profile_of(frame, place), weeks=r["asked"]).table
              for place in range(3)]
    table = pd.concat([table.sort_values(["term", "time_weeks"]) for table in tables])
    return {**r, "estimate": table["estimate"], "std_error": table["std_error"]}


def no_event(frame, r):
    rows = pd.DataFrame({"weeks": [5.0, *[6.0] * 250], "left": [1, *[0] * 250]})
    at_risk = AtRisk.from_frame(rows, exit="weeks", event="left")
    asked = {"conf_high": 0.95, "conf_high_90": 0.9}
    return {name: piecewise_exponential(at_risk, breaks=[5], conf_level=level).table["conf_high"].iloc[-1:]
            for name, level in asked.items()}


def after_entry(frame, event="event", **more):
    """Return the table of the weeks after entry; pseudo-observations take no weights."""
    frame = frame.query("place < 3").assign(time=lambda d: d["exit"] - d["entry"])
    columns = {"exit": "time", "event": event, "strata": "place", "cluster": "cluster", **more}
    return AtRisk.from_frame(frame, **columns)


ESTIMANDS = {"survival": ("event", {}), "cause": ("cause", {"cause": "2"}),
             "mean": ("event", {"estimand": "restricted_mean"}),
             "incidence": ("cause", {"estimand": "cumulative_incidence", "cause": "2"})}


def pseudo(frame, r, what):
    event, options = ESTIMANDS[what]
    found = pseudo_observations(after_entry(frame, event), weeks=r["weeks"], **options)
    return {**r, "estimate": found[::9].ravel()}


def regression(frame, r, what, link):
    event, options = ESTIMANDS[what]
    at_risk = after_entry(frame, event, covariates=["x", "treated"])
    table = pseudo_regression(at_risk, weeks=r["weeks"], link=link, **options).table
    return {**r, "estimate": table["estimate"], "std_error": table["std_error"]}


def fit_spline(frame, scale):
    inner = np.exp(np.quantile(np.log(frame.loc[frame["event"] == 1, "exit"]), 0.4))
    return royston_parmar(table_of(frame, **ALL), scale=scale, knots_weeks=[inner])


def fit_family(frame, distribution):
    return parametric(table_of(frame, **ALL), distribution=distribution)


def with_more_columns(frame):
    """Return R's covariates and weights of the movers."""
    number = np.arange(1, len(frame) + 1)
    return frame.assign(treated=frame["x"], x=np.sin(number).round(2), pw=0.5 + number % 7 / 4)


def fit_cure(frame, distribution):
    return mixture_cure(table_of(frame, **ALL), distribution=distribution)


def two_profiles(frame):
    x = np.quantile(frame["x"], [0.2, 0.7], method="inverted_cdf")
    return pd.DataFrame({"x": x, "treated": [0, 1]}, index=["low", "high"])


def fitted(frame, r, fit_of):
    fit = fit_of(frame)
    return {"estimate": fit.model["estimates"], "std_error": np.sqrt(np.diag(fit.model["covariance"])),
            "log_likelihood": fit.diagnostics["log_likelihood"]}


def predicted(frame, r, fit_of, ask, order=("group", "term", "time_weeks")):
    """Return what a fit predicts of the two profiles, low first, survival before hazard."""
    table = ask(fit_of(frame), two_profiles(frame), r).table
    table = table.assign(group=(table["group"] == "high").astype(int), term=table["term"] == "hazard")
    table = table.sort_values(list(order), kind="stable")
    return {**r, "estimate": table["estimate"], "std_error": table["std_error"]}


def mean(frame, r, fit_of):
    table = parametric_mean(fit_of(frame), two_profiles(frame), horizon_weeks=r["horizon"]).table
    table = table[table["term"] != "share_beyond"]
    return {**r, "estimate": table["estimate"], "std_error": table["std_error"]}


def share(frame, r, fit_of):
    return cured_share(fit_of(frame), two_profiles(frame)).table


PREDICTIONS = {
    "fit": fitted, "mean": mean,
    "curve": partial(predicted, ask=lambda fit, profiles, r: predict_parametric(fit, profiles,
                                                                               weeks=r["weeks"])),
    "quantiles": partial(predicted, ask=lambda fit, profiles, r: parametric_quantiles(fit, profiles,
                                                                                      probs=(0.1, 0.25))),
}
FITS = {**{f"spline_{scale}": partial(fit_spline, scale=scale) for scale in ("hazard", "odds", "normal")},
        **{name: partial(fit_family, distribution=name)
           for name in ("weibull", "lognormal", "loglogistic", "gompertz")}}


def of_movers(frame, r, ask, **options):
    return ask(with_more_columns(frame), r, **options)


QUESTIONS = {
    **{f"{name}_{ties}": partial(ask, ties=ties) for ties in ("efron", "breslow")
       for name, ask in (("steps", steps), ("steps_curve", steps_curve), ("function", function),
                         ("frailty", frailty))},
    **{f"discrete{kind}_{link}_{cause}": partial(ask, fit_of=partial(discrete, link=link), cause=cause)
       for kind, ask in (("", time_model), ("_curve", time_curve))
       for link in ("cloglog", "logit") for cause in ("any", "2")},
    **{f"rates{kind}_{cause}": partial(ask, fit_of=rates, cause=cause)
       for kind, ask in (("", time_model), ("_curve", time_curve)) for cause in ("any", "2")},
    "no_event": no_event,
    **{f"pseudo_{what}": partial(pseudo, what=what) for what in ESTIMANDS},
    **{f"regression_{what}_{link}": partial(regression, what=what, link=link)
       for what, links in (("survival", ("identity", "logit")), ("cause", ("cloglog",)),
                           ("mean", ("identity", "log")),
                           ("incidence", ("identity", "log", "logit", "cloglog"))) for link in links},
    **{f"{name}_{what}": partial(ask, fit_of=fit) for name, fit in FITS.items()
       for what, ask in PREDICTIONS.items()},
    **{f"cure_{name}_{what}": partial(of_movers, ask=ask, fit_of=partial(fit_cure, distribution=name))
       for name in ("weibull", "lognormal") for what, ask in {**PREDICTIONS, "share": share}.items()},
}


@pytest.mark.parametrize("case", CASES)
def test_combined_options_equal_r(case):
    agree(CASES[case], QUESTIONS)


def test_every_question_is_asked():
    assert {case["question"] for case in CASES.values()} == set(QUESTIONS)
