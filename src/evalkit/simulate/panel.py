"""A municipal panel in StatBank's own form, counted from the simulated persons."""

import numpy as np
import pandas as pd

from evalkit import weeks
from evalkit.simulate.states import NUMBER

# One simulated person stands for so many inhabitants of the panel.
_SCALE = 8
_ELDERLY_AND_CHILDREN = 1.35
_JOB_READY = ("CASH_BENEFIT_READY", "EDUCATION_BENEFIT_READY")


def municipality_period(register):
    """Return the panel by quarter: full-time employees, job-ready assistance, inhabitants.

    Returns
    -------
    dict of str to DataFrame
        By StatBank table: ``municipality, period, value`` of simulated municipalities.
    """
    place, quarter = register.municipality(), _quarters(register)
    employed = register.state == NUMBER["EMPLOYED"]
    ready = np.isin(register.state, [NUMBER[name] for name in _JOB_READY])
    alive = ~np.isin(register.state, (NUMBER["DEATH"], NUMBER["EMIGRATION"]))
    counted = {name: _mean_count(register, place, quarter, flag) for name, flag in
               (("LBESK69", employed), ("AUK01", ready), ("FOLK1A", alive))}
    counted["FOLK1A"]["value"] *= _ELDERLY_AND_CHILDREN
    return {name: frame.assign(value=frame["value"].round()) for name, frame in counted.items()}


def _quarters(register):
    month = weeks.month_of(register.weeks)
    return np.array([f"{1990 + one // 12}Q{one % 12 // 3 + 1}" for one in month])


def _mean_count(register, place, quarter, flag):
    n_places, parts = len(register.municipalities), []
    for name in np.unique(quarter):
        rows = np.flatnonzero(quarter == name)
        count = np.bincount(place[rows][flag[rows]], minlength=n_places) / len(rows)
        parts.append(
            pd.DataFrame({"municipality": register.municipalities, "period": name, "value": count * _SCALE})
        )
    return pd.concat(parts, ignore_index=True).sort_values(["municipality", "period"], ignore_index=True)
