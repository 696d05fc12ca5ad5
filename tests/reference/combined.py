"""What the tests of combined options share: the cases of an expected file, and how close they must come."""

import numpy as np
import reference_data

from evalkit.atrisk import AtRisk

# Estimates to 1e-6; what is a derivative, a limit or a test to 1e-5.
EXACT = {"estimate", "log_likelihood", "weeks", "pairs"}


def cases_of(name):
    """Return the cases by question and frame."""
    return {f"{case['question']}-{case['frame']}": case for case in reference_data.expected(name)["cases"]}


def table_of(frame, **columns):
    """Return the table of a weekly frame."""
    return AtRisk.from_frame(frame, **{"entry": "entry", "exit": "exit", "event": "event", **columns})


def differences(case, questions):
    """Return the largest relative difference of each kind of number; 1 where one of the two is missing."""
    r = {key: np.array(value, dtype=float) for key, value in case["values"].items()}
    found = questions[case["question"]](reference_data.frame_of(case["frame"]), r)
    return {key: _apart(np.asarray(found[key], dtype=float).ravel(), known) for key, known in r.items()}


def agree(case, questions):
    """Hold every number of a case to its tolerance."""
    apart = differences(case, questions)
    far = {key: value for key, value in apart.items() if value > (1e-6 if key in EXACT else 1e-5)}
    assert not far, case["call"]


def _apart(found, known):
    """Return the largest relative difference; a number near 0 is held to a millionth of the largest."""
    assert found.shape == known.shape
    if (np.isnan(found) != np.isnan(known)).any():
        return 1.0
    size = np.maximum(np.abs(known), 1e-6 * np.nanmax(np.abs(known), initial=0.0))
    return float(np.nanmax(np.abs(found - known) / np.where(size > 0, size, 1.0), initial=0.0))
