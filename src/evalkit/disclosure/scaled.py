"""Totals made of a mean and a number of persons are made again of the rounded number."""

from dataclasses import replace

import numpy as np

from evalkit.disclosure.rounding import round_count

_SCALED = ("estimate", "std_error", "conf_low", "conf_high")


def rescaled(result, profile, tally):
    """Return the result with every total computed from the rounded number of persons.

    A total divided by its mean is the exact number of persons, whatever is done to the number itself. So a
    result whose rows are a value per person times persons says so: ``model["scaled_by"]`` is that number,
    one for all rows or one a row, and ``model["not_scaled"]`` the part of each row that does not
    depend on it (default 0). Totals of fewer than ``min_n`` persons are kept back.

    Parameters
    ----------
    result : Result
    profile : Profile
    tally : Tally

    Returns
    -------
    Result

    Examples
    --------
    >>> from evalkit.disclosure.rounding import Tally
    >>> from evalkit.profile import Profile
    >>> from evalkit.result import Estimand, Result, tidy
    >>> rules = Profile(name="example", valid_from="2015-01-01", min_n=5, min_events=5, rounding_base=5,
    ...                 decimals=3, source="example", is_verified=False)
    >>> saved = Result(kind="money", estimand=Estimand(name="saved", unit="dkk"),
    ...                table=tidy(term="saved", estimate=12.0 * 101), model={"scaled_by": 101})
    >>> float(rescaled(saved, rules, Tally()).row("saved")["estimate"])
    1200.0
    """
    if "scaled_by" not in result.model:
        return result
    table = result.table
    persons, fixed = (np.broadcast_to(np.asarray(result.model.get(name, 0.0), dtype=float), len(table))
                      for name in ("scaled_by", "not_scaled"))
    few = (persons < profile.min_n) & (table["estimate"].to_numpy() != fixed)
    tally.add("min_n", int(few.sum())) if few.any() else None
    rounded = np.array([round_count(n, profile.rounding_base) for n in persons])
    ratio = np.where(few, np.nan, rounded / np.where(persons > 0, persons, 1))
    values = {name: _again(table[name].to_numpy(), 0.0 if name == "std_error" else fixed, ratio)
              for name in _SCALED}
    return replace(result, table=table.assign(**values))


def _again(values, fixed, ratio):
    moving = values - fixed
    return fixed + np.where(moving == 0, 0.0, moving * ratio)
