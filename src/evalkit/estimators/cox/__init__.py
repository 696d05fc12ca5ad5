"""Proportional hazards: Cox's partial likelihood and what is asked of it."""

from evalkit.estimators.cox.concordance import concordance
from evalkit.estimators.cox.fit import cox, hazard_ratios
from evalkit.estimators.cox.frailty import shared_frailty
from evalkit.estimators.cox.predict import predict_survival
from evalkit.estimators.cox.proportionality import proportionality_test
from evalkit.estimators.cox.residuals import residuals
from evalkit.estimators.cox.standardise import standardised_contrasts, standardised_survival

__all__ = [
    "concordance", "cox", "hazard_ratios", "predict_survival", "proportionality_test", "residuals",
    "shared_frailty", "standardised_contrasts", "standardised_survival",
]
