"""Every public function that tells of time to an event, and how tests ask it: one entry each, or more.

`missing` walks the package: a function without an entry fails the tests with what to add. Tests that hold a
property for all questions name those for which it is not true, and why.
"""

import inspect
from dataclasses import dataclass, field, replace

import pandas as pd

from evalkit import estimators
from evalkit.atrisk import AtRisk

CAUSES, STATES = ("JOB", "STUDY"), ("EDUCATION", "SELF", "SUPPORT")
# Options that are weeks.
WEEKS = {"breaks", "elapsed_weeks", "from_weeks", "horizon_weeks", "start_weeks", "to_weeks",
         "varying", "weeks"}
PROFILES = pd.DataFrame({"x": [0.5]}, index=["middle"])


@dataclass(frozen=True, kw_only=True)
class Question:
    """A public function with its options; with ``of``, it is asked of the answer to another question.

    ``data``: exits (by a cause, some enter late), starters (all seen from time zero), stayers (many are seen
    long and never leave), movements (states, with returns). ``strata``, ``cluster``: the columns that it
    needs. ``profiled``: takes PROFILES; ``retold``: takes the at-risk table again, for its errors.
    """

    function: str
    options: dict = field(default_factory=dict)
    data: str = "exits"
    strata: str | None = "group"
    covariates: tuple = ("x",)
    cluster: str | None = None
    of: "Question | None" = None
    profiled: bool = False
    retold: bool = False

    def ask(self, at_risk, **options):
        """Return what the function answers; options go to it, or to what it is asked of where it has none."""
        function = getattr(estimators, self.function)
        own = {name: value for name, value in options.items() if name in parameters(function)}
        if self.of is None:
            return function(at_risk, **{**self.options, **options})
        rest = {name: value for name, value in options.items() if name not in own}
        profiles = (PROFILES,) if self.profiled else ()
        if self.retold:
            own["at_risk"] = at_risk
        return function(self.of.ask(at_risk, **rest), *profiles, **{**self.options, **own})

    def scaled(self, factor):
        """Return the same question where a week is ``factor`` units of time."""
        options = {name: _times(value, factor) if name in WEEKS else value
                   for name, value in self.options.items()}
        return replace(self, options=options, of=self.of and self.of.scaled(factor))

    def accepts(self, option):
        """Say whether the function, or what it is asked of, has an option."""
        asked = parameters(getattr(estimators, self.function))
        return option in asked or (self.of is not None and self.of.accepts(option))

    def table(self, frame, **columns):
        """Return the at-risk table of a frame, as the question needs it."""
        named = {"entry": "entry", "exit": "exit", "event": "event", "person": "person",
                 "covariates": self.covariates, "strata": self.strata, "cluster": self.cluster}
        named |= {"state": "state", "causes": STATES} if self.data == "movements" else {"causes": CAUSES}
        return AtRisk.from_frame(frame, **{**named, **columns})


def _times(value, factor):
    if callable(value):
        return lambda time: value(time / factor)
    if isinstance(value, dict):
        return {name: _times(each, factor) for name, each in value.items()}
    return [each * factor for each in value] if isinstance(value, (list, tuple)) else value * factor


def parameters(function):
    return inspect.signature(function).parameters


def question(function, *, data="exits", strata="group", covariates=("x",), cluster=None, **options):
    return Question(function=function, options=options, data=data, strata=strata, covariates=covariates,
                    cluster=cluster)


def predicted(function, of, *, profiled=True, retold=False, **options):
    return Question(function=function, options=options, of=of, profiled=profiled, retold=retold,
                    data=of.data, strata=of.strata, cluster=of.cluster)


def movements(function, **options):
    return question(function, data="movements", **options)


def one_baseline(function, data="exits", **options):
    """Groups are covariates in these models: they are asked without strata."""
    return question(function, data=data, strata=None, start="moments", **options)


def centred(weeks):
    """Far from a constant, so that few rows still tell x from x times it."""
    return weeks / 3 - 1


COX = question("cox")
WEIBULL = one_baseline("parametric")
CURE = one_baseline("mixture_cure", data="stayers")
QUESTIONS = {
    "aalen_johansen": question("aalen_johansen"),
    "cause_specific": question("cause_specific"),
    "concordance": question("concordance"),
    "cox": COX,
    "cox, breslow": question("cox", ties="breslow"),
    "cox, firth": question("cox", firth=True),
    "cox, function": question("cox", varying={"x": centred}),
    "cox, ridge": question("cox", ridge=1.0, ridge_scale=False),
    "cox, steps": question("cox", varying={"x": (3,)}),
    "cured_share": predicted("cured_share", CURE),
    "discrete_hazard": question("discrete_hazard", duration=None),
    "discrete_hazard, logit": question("discrete_hazard", duration=None, link="logit"),
    "fine_gray": question("fine_gray", cause="JOB"),
    "gray_test": question("gray_test", cause="JOB", data="starters"),
    "hazard_ratios": predicted("hazard_ratios", COX, profiled=False),
    "kaplan_meier": question("kaplan_meier"),
    "kaplan_meier, later": question("kaplan_meier", start_weeks=1, robust=True, cause="JOB"),
    "log_rank": question("log_rank"),
    "log_rank, peto": question("log_rank", weights="peto"),
    "log_rank, trend": question("log_rank", trend=[0, 1]),
    "markov_test": movements("markov_test", from_weeks=[1, 3]),
    "markov_test, difference": movements("markov_test", from_weeks=1, to_weeks=[3, 6], method="difference"),
    "mixture_cure": CURE,
    "nelson_aalen": question("nelson_aalen"),
    "occupation_influence": movements("occupation_influence", horizon_weeks=4, weeks=2),
    "parametric": WEIBULL,
    "parametric, gompertz": one_baseline("parametric", distribution="gompertz"),
    "parametric_mean": predicted("parametric_mean", WEIBULL, horizon_weeks=[2, 6]),
    "parametric_quantiles": predicted("parametric_quantiles", WEIBULL),
    "piecewise_exponential": question("piecewise_exponential", breaks=[2]),
    "predict_hazard": predicted("predict_hazard", question("discrete_hazard", duration=None), weeks=[1, 3]),
    "predict_incidence": predicted("predict_incidence", question("cause_specific"), retold=True,
                                   weeks=[1, 3]),
    "predict_parametric": predicted("predict_parametric", WEIBULL, weeks=[1, 3]),
    "predict_survival": predicted("predict_survival", COX, retold=True, weeks=[1, 3]),
    "predict_survival, steps": predicted("predict_survival", question("cox", varying={"x": (3,)}),
                                         retold=True, weeks=[1, 4]),
    "proportionality_test": question("proportionality_test"),
    "pseudo_observations": question("pseudo_observations", weeks=[2, 3], data="starters"),
    "pseudo_regression": question("pseudo_regression", weeks=3, data="starters"),
    "residual_time": question("residual_time", elapsed_weeks=[0, 1], horizon_weeks=3),
    "residual_time, classes": question("residual_time", elapsed_weeks=0, horizon_weeks=3, method="classes"),
    "residuals": question("residuals"),
    "residuals, dfbeta": question("residuals", kind="dfbeta"),
    "restricted_mean": question("restricted_mean", horizon_weeks=4),
    "royston_parmar": one_baseline("royston_parmar", df=2),
    "shared_frailty": question("shared_frailty", data="starters", cluster="team"),
    "standardised_contrasts": question("standardised_contrasts", exposure="strata", weeks=3, horizon_weeks=4),
    "standardised_contrasts, treated": question("standardised_contrasts", exposure="treated",
                                                covariates=("x", "treated"), weeks=3, horizon_weeks=4),
    "standardised_survival": question("standardised_survival", exposure="strata", weeks=[1, 3]),
    "state_occupation": movements("state_occupation", horizon_weeks=[3, 6], weeks=4),
    "survival_quantiles": question("survival_quantiles"),
    "time_lost": question("time_lost", horizon_weeks=4),
    "transition_cox": movements("transition_cox"),
    "transition_probabilities": movements("transition_probabilities", from_weeks=2, to_weeks=[3, 6]),
    "transition_probabilities, landmark": movements("transition_probabilities", from_weeks=2,
                                                    to_weeks=[3, 6], method="landmark"),
}
# Public, but not asked of an at-risk table: where they are held.
ELSEWHERE = {
    "Panel": "test_property_panel.py",
    "balance": "test_property_estimators.py",
    "bootstrap": "test_property_estimators.py",
    "difference_in_differences": "test_property_panel.py",
    "placebo_inference": "test_property_panel.py",
    "placebo_rank": "test_property_panel.py",
    "propensity_scores": "test_property_estimators.py",
    "propensity_weights": "test_property_estimators.py",
    "smallest_detectable_effect": "test_property_panel.py",
    "synthetic_control": "test_property_panel.py",
    "synthetic_did": "test_property_panel.py",
}


# Answers that are one number a row, or more.
ARRAYS = {"occupation_influence", "pseudo_observations", "residuals"}
# Rows or persons must be independent here: clusters are refused.
INDEPENDENT = {"gray_test", "log_rank", "markov_test", "proportionality_test"}


def names(*without, functions=()):
    """Name the questions but those named, and all of some functions."""
    assert set(without) <= set(QUESTIONS)
    return sorted(name for name, question in QUESTIONS.items()
                  if name not in without and question.function not in functions)


def units(result):
    """Return the unit of each row."""
    unit = result.estimand.unit
    return [unit] * len(result.table) if isinstance(unit, str) else result.table["term"].map(unit).tolist()


def missing():
    """Say in a sentence which public functions are not asked, or which are asked but no longer public."""
    public = set(estimators.__all__)
    asked = {question.function for question in QUESTIONS.values()} | set(ELSEWHERE)
    if public - asked:
        return (f"{', '.join(sorted(public - asked))}: public in evalkit.estimators, but asked by no test; "
                "add an entry to QUESTIONS in tests/asked.py that says how it is called")
    if asked - public:
        return f"{', '.join(sorted(asked - public))}: asked in tests/asked.py, but not public; take it out"
    return ""
