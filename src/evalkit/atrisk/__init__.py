"""`AtRisk`, the currency of every survival estimator: who is under observation, from when to when, and what happened."""

from evalkit.atrisk.intervals import AtRisk

__all__ = ["AtRisk"]
