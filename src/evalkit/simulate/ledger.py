"""The investment of a site without a published one: amounts invented for the example, and marked so."""

import pandas as pd

from evalkit import weeks

SOURCE = "Simulated example: invented amounts"
_YEARS = 4
# DKK a year for each person of the example, and how far a year strays from it.
_A_PERSON = {"CASEWORKERS_TFA": 700.0, "MENTOR_COMPANY": 350.0, "HEALTH_EDUCATION_SOCIAL": 950.0}
_STRAY = 0.15
_STEP_DKK = 1000


def ledger(register):
    """Return four years' amounts by category: accounts where the data hold the whole year, budget beyond.

    Returns
    -------
    DataFrame
        ``year, category, amount_dkk, basis, source``.
    """
    first, rng = int(weeks.year_of(register.site.programme_start)), register.rng("ledger")
    years, closed = range(first, first + _YEARS), int(weeks.year_of(register.site.last_week - 1))
    rows = [
        (year, category, rng.uniform(1 - _STRAY, 1 + _STRAY) * a_person * register.n_persons,
         "ACCOUNTS" if year <= closed else "BUDGET", SOURCE)
        for category, a_person in _A_PERSON.items() for year in years
    ]
    made = pd.DataFrame(rows, columns=["year", "category", "amount_dkk", "basis", "source"])
    return made.assign(amount_dkk=(made["amount_dkk"] / _STEP_DKK).round() * _STEP_DKK)
