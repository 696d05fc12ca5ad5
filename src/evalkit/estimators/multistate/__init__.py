"""States with returns: shares, expected weeks, transition probabilities, and hazards of each movement."""

from evalkit.estimators.multistate.occupation import occupation_influence, state_occupation

__all__ = ["occupation_influence", "state_occupation"]
