"""Weekly payments of the municipality's own persons, as Ydelsesrefusion has them: amount and refund share."""

import numpy as np
import pandas as pd

from evalkit.files import package_data
from evalkit.simulate.codes import benefit_names
from evalkit.simulate.own import Own, sanctions
from evalkit.simulate.states import STATES

# Weeks of support so far and the state's share of the cost since 2016; before, one flat share is used.
_LADDER_WEEKS, _LADDER_SHARES = np.array([4, 26, 52]), np.array([0.8, 0.4, 0.3, 0.2])
_LADDER_YEAR = 2016
_OTHER_RATE = 2500.0


def refund_weeks(register):
    """Return one row per week, person and benefit; a fully sanctioned week has no row.

    Returns
    -------
    DataFrame
        ``person_id, week, code, amount_dkk, refund_share, municipality``.
    """
    own, names = Own(register), benefit_names()
    paid = own.on & (names != "")[register.state]
    person, start, end = sanctions(register)
    for step in range(int((end - start).max(initial=0))):
        inside = start + step < end
        paid[start[inside] + step, person[inside]] = False
    so_far = _weeks_so_far(own.on)
    who, row = np.nonzero(paid.T)
    state = register.state[row, who]
    return pd.DataFrame({
        "person_id": register.person_id[who], "week": register.first_week + row, "code": names[state],
        "amount_dkk": _rates(register.site)[state],
        "refund_share": _LADDER_SHARES[np.searchsorted(_LADDER_WEEKS, so_far[row, who], side="right")],
        "municipality": register.site.municipality})


def saved_dkk(site, saved_weeks, n_persons):
    """Return what weeks saved are worth to the municipality, by calendar year and in all.

    Parameters
    ----------
    site : ExampleSite
        Whose price list holds: a week costs its rate less the state's refund.
    saved_weeks : list of dict
        ``state, year, refund_step, weeks_per_person`` (`worlds.weeks_by_cell`).
    n_persons : int

    Returns
    -------
    dict of str to float
        DKK by year, and ``total``.
    """
    rates, price = dict(zip(STATES, _rates(site), strict=True)), _prices(site)
    before = price.loc[price["valid_to"].notna() & (price["unit"] == "REFUND_SHARE"), "value"]
    out = {}
    for cell in saved_weeks:
        refund = before.iloc[0] if cell["year"] < _LADDER_YEAR else _LADDER_SHARES[cell["refund_step"]]
        saved = cell["weeks_per_person"] * n_persons * rates[cell["state"]] * (1.0 - refund)
        out[str(cell["year"])] = out.get(str(cell["year"]), 0.0) + saved
    return {year: round(float(value), 0) for year, value in (out | {"total": sum(out.values())}).items()}


def _weeks_so_far(on):
    """Return weeks of unbroken support before each week."""
    so_far = np.zeros(on.shape, dtype=np.int32)
    for row in range(1, len(on)):
        so_far[row] = (so_far[row - 1] + 1) * on[row - 1]
    return so_far


def _rates(site):
    """Return DKK a week by state from the site's own price list."""
    price = _prices(site)
    by_state = price[price["unit"] == "DKK_PER_WEEK"].drop_duplicates("state").set_index("state")["value"]
    return np.array([by_state.get(state, _OTHER_RATE) for state in STATES], dtype=float)


def _prices(site):
    path = package_data("analysis", "municipalities", f"{site.name}_prices.csv")
    return pd.read_csv(path, encoding="utf-8")
