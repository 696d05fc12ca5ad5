"""Estimators: data, then design, then keyword-only options; every one answers with a `Result`."""

from evalkit.estimators.panel import difference_in_differences, synthetic_control, synthetic_did
from evalkit.estimators.panel_data import Panel
from evalkit.estimators.panel_inference import smallest_detectable_effect

__all__ = ["Panel", "difference_in_differences", "smallest_detectable_effect", "synthetic_control", "synthetic_did"]
