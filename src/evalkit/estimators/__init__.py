"""Estimators: data in (`AtRisk` or a `Panel`), a `Result` out.

Curves: `kaplan_meier`, `nelson_aalen`, `aalen_johansen`. Weeks: `restricted_mean`, `residual_time`,
`survival_quantiles`, `state_occupation`. One number a person: `pseudo_observations`, `pseudo_regression`.
Movements between states: `transition_probabilities`, `markov_test`, `transition_cox`.
Comparisons: `log_rank`, `cox`, `shared_frailty`, `hazard_ratios`. Models of time: `parametric`,
`discrete_hazard`, `piecewise_exponential`.
One treated unit: `difference_in_differences`, `synthetic_control`, `synthetic_did`.
Comparison persons: `propensity_weights`, `balance`.
"""

from evalkit.estimators.comparison import log_rank
from evalkit.estimators.competing import (
    aalen_johansen,
    cause_specific,
    fine_gray,
    gray_test,
    predict_incidence,
    time_lost,
)
from evalkit.estimators.cox import (
    concordance,
    cox,
    hazard_ratios,
    predict_survival,
    proportionality_test,
    residuals,
    shared_frailty,
    standardised_contrasts,
    standardised_survival,
)
from evalkit.estimators.discrete import discrete_hazard, piecewise_exponential, predict_hazard
from evalkit.estimators.multistate import (
    markov_test,
    occupation_influence,
    state_occupation,
    transition_cox,
    transition_probabilities,
)
from evalkit.estimators.nonparametric import kaplan_meier, nelson_aalen, survival_quantiles
from evalkit.estimators.panel import (
    Panel,
    difference_in_differences,
    placebo_inference,
    placebo_rank,
    smallest_detectable_effect,
    synthetic_control,
    synthetic_did,
)
from evalkit.estimators.parametric import (
    cured_share,
    mixture_cure,
    parametric,
    parametric_mean,
    parametric_quantiles,
    predict_parametric,
    royston_parmar,
)
from evalkit.estimators.pseudo import pseudo_observations, pseudo_regression
from evalkit.estimators.resample import bootstrap
from evalkit.estimators.residual import residual_time
from evalkit.estimators.restricted import restricted_mean
from evalkit.estimators.weighting import balance, propensity_scores, propensity_weights

__all__ = [
    "Panel", "aalen_johansen", "balance", "bootstrap", "cause_specific", "concordance", "cox",
    "cured_share", "difference_in_differences", "discrete_hazard", "fine_gray", "gray_test",
    "hazard_ratios", "kaplan_meier", "log_rank", "markov_test", "mixture_cure", "nelson_aalen",
    "occupation_influence", "parametric", "parametric_mean", "parametric_quantiles",
    "piecewise_exponential", "placebo_inference", "placebo_rank", "predict_hazard", "predict_incidence",
    "predict_parametric", "predict_survival", "propensity_scores", "propensity_weights",
    "proportionality_test", "pseudo_observations", "pseudo_regression", "residual_time", "residuals",
    "restricted_mean", "royston_parmar", "shared_frailty", "smallest_detectable_effect",
    "standardised_contrasts", "standardised_survival", "state_occupation", "survival_quantiles",
    "synthetic_control", "synthetic_did", "time_lost", "transition_cox", "transition_probabilities",
]
