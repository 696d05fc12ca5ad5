"""One treated unit in a panel: weighted double differences, judged by placebos."""

from evalkit.estimators.panel.data import Panel
from evalkit.estimators.panel.designs import difference_in_differences, synthetic_control, synthetic_did
from evalkit.estimators.panel.inference import placebo_inference, placebo_rank, smallest_detectable_effect

__all__ = [
    "Panel", "difference_in_differences", "placebo_inference", "placebo_rank", "smallest_detectable_effect",
    "synthetic_control", "synthetic_did",
]
