"""Hazards on cells of time: weekly (complementary log-log, logit) and piecewise constant."""

from evalkit.estimators.discrete.hazard import discrete_hazard
from evalkit.estimators.discrete.piecewise import piecewise_exponential
from evalkit.estimators.discrete.predict import predict_hazard

__all__ = ["discrete_hazard", "piecewise_exponential", "predict_hazard"]
