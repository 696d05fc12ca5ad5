"""A municipal panel in StatBank's own form, counted from the simulated persons, and what is true of it."""

import numpy as np
import pandas as pd

from evalkit import weeks
from evalkit.simulate.states import NUMBER

# One simulated person stands for so many inhabitants of the panel.
_SCALE = 8
_ELDERLY_AND_CHILDREN = 1.35
_JOB_READY = tuple(NUMBER[name] for name in ("CASH_BENEFIT_READY", "EDUCATION_BENEFIT_READY"))
_GONE = tuple(NUMBER[name] for name in ("DEATH", "EMIGRATION"))
# The panel study's names of the two outcomes, and the table each is counted in.
MEASURES = {"employees": "LBESK69", "assistance": "AUK01"}


def municipality_period(register):
    """Return the panel by quarter: full-time employees, job-ready assistance, inhabitants.

    Returns
    -------
    dict of str to DataFrame
        By StatBank table: ``municipality, period, value`` of simulated municipalities.
    """
    place, quarter = register.municipality(), _quarters(register.first_week, len(register.state))
    names, size = np.unique(quarter), len(register.municipalities)
    found = {}
    for table, flag in _flags(register.state).items():
        value = _SCALE * _mean_counts(flag, place, quarter, size)
        found[table] = pd.DataFrame({
            "municipality": np.repeat(register.municipalities, len(names)), "period": np.tile(names, size),
            "value": (value * _inhabitants_each(table)).T.ravel().round()})
    return found


def true_effect(with_it, without):
    """Return what the programme changed in its municipality's public outcomes, on average after its start.

    Parameters
    ----------
    with_it, without : World
        The same persons with the programme, and without it from its start.

    Returns
    -------
    dict
        By outcome: ``with``, ``without``, ``effect`` as shares of the inhabitants, mean over the quarters
        since the programme began; ``effect_persons``: the effect times the mean number of inhabitants.
    """
    inhabitants = _since_start(with_it, "FOLK1A").mean()
    found = {}
    for name, table in MEASURES.items():
        pair = [float(np.mean(_since_start(world, table) / _since_start(world, "FOLK1A")))
                for world in (with_it, without)]
        effect = pair[0] - pair[1]
        found[name] = {"with": pair[0], "without": pair[1], "effect": effect,
                       "effect_persons": effect * float(inhabitants)}
    return found


def _since_start(world, table):
    """Return the programme's municipality's values by quarter, from the one that holds the start."""
    n_weeks = min(world.last - world.first_week, len(world.state))
    quarter = _quarters(world.first_week, n_weeks)
    flag = _flags(world.state[:n_weeks])[table]
    value = _mean_counts(flag, np.where(world.here[:n_weeks], 0, 1), quarter, 2)[:, 0]
    return _SCALE * _inhabitants_each(table) * value[np.unique(quarter) >= quarter[world.start]]


def _flags(state):
    """Return who is counted in each table, arrays (weeks, persons)."""
    return {"LBESK69": state == NUMBER["EMPLOYED"], "AUK01": np.isin(state, _JOB_READY),
            "FOLK1A": ~np.isin(state, _GONE)}


def _inhabitants_each(table):
    return _ELDERLY_AND_CHILDREN if table == "FOLK1A" else 1.0


def _quarters(first_week, n_weeks):
    month = weeks.month_of(first_week + np.arange(n_weeks))
    return np.array([f"{1990 + one // 12}Q{one % 12 // 3 + 1}" for one in month])


def _mean_counts(flag, place, quarter, n_places):
    """Return the mean number of flagged persons by quarter and place."""
    means = []
    for name in np.unique(quarter):
        rows = np.flatnonzero(quarter == name)
        means.append(np.bincount(place[rows][flag[rows]], minlength=n_places) / len(rows))
    return np.array(means)
