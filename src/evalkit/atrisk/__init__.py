"""`AtRisk`, the currency of survival estimators: who is observed, from when to when, and what happened."""

from evalkit.atrisk.intervals import AtRisk

__all__ = ["AtRisk"]
