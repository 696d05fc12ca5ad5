"""On how many a row rests, where that is fewer than it counts."""

import numpy as np


def n_behind(result):
    """Return on how many persons or events each row rests, or None where the result does not say.

    Numbers that do not belong to the rows of the table are no numbers: nobody is behind them.
    """
    if "n_behind" not in result.model:
        return None
    behind = np.asarray(result.model["n_behind"], dtype=float)
    return behind if behind.shape == (len(result.table),) else np.zeros(len(result.table))
