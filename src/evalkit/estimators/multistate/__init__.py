"""States with returns: shares, expected weeks, transition probabilities, and hazards of each movement."""

from evalkit.estimators.multistate.markov import markov_test
from evalkit.estimators.multistate.occupation import occupation_influence, state_occupation
from evalkit.estimators.multistate.regression import transition_cox
from evalkit.estimators.multistate.transitions import transition_probabilities

__all__ = ["markov_test", "occupation_influence", "state_occupation", "transition_cox",
           "transition_probabilities"]
