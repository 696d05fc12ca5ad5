"""Parametric models of time: `parametric` (from exponential to generalised gamma)."""

from evalkit.estimators.parametric.regression import parametric

__all__ = ["parametric"]
