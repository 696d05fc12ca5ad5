"""Proportional hazards: Cox's partial likelihood and what is asked of it."""

from evalkit.estimators.cox.fit import cox, hazard_ratios

__all__ = ["cox", "hazard_ratios"]
