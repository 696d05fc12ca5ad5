"""Parametric models of time: from the exponential to the generalised gamma, splines, and a cured share.

`parametric`, `royston_parmar` and `mixture_cure` fit; `predict_parametric`, `parametric_quantiles`,
`parametric_mean` and `cured_share` predict, for profiles of covariates, with limits.
"""

from evalkit.estimators.parametric.cure import mixture_cure
from evalkit.estimators.parametric.means import parametric_mean
from evalkit.estimators.parametric.predict import cured_share, parametric_quantiles, predict_parametric
from evalkit.estimators.parametric.regression import parametric
from evalkit.estimators.parametric.spline import royston_parmar

__all__ = [
    "cured_share", "mixture_cure", "parametric", "parametric_mean", "parametric_quantiles",
    "predict_parametric", "royston_parmar",
]
