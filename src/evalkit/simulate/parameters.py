"""What the simulated world is made of: every number of the process, by scenario, in one frozen record."""

from dataclasses import dataclass, replace

GROUPS = ("cash", "sickness", "integration", "insured")
SLOTS = ("job", "course", "health", "mentor")


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameters:
    """Rates are per week, effects are logarithms of hazard ratios, tuples follow `GROUPS` or `SLOTS`.

    Persons enter support with a rate that does not depend on what they were like the last time:
    whether an episode is slow, and its frailty, are drawn anew after `redraw_weeks` off support.
    So a programme that ends episodes sooner does not change who enters later, and trends stay
    parallel. Movers and slow episodes together reconcile the flow and the stock of Danish cash
    benefit (about 1.9 % of new spells end in a week, 0.12 % of the stock leaves support for good).
    """

    group_share: tuple = (0.40, 0.25, 0.07, 0.28)
    slow_share: tuple = (0.11, 0.07, 0.18, 0.04)
    exit_mover: tuple = (0.030, 0.044, 0.024, 0.040)
    exit_slow: tuple = (0.0007, 0.0012, 0.0010, 0.0020)
    entry: tuple = (0.0052, 0.0056, 0.0060, 0.0066)
    job_share: tuple = (0.52, 0.72, 0.50, 0.74)
    education_share: tuple = (0.10, 0.04, 0.12, 0.06)
    young_education_share: float = 0.22
    frailty_shape: int = 3
    redraw_weeks: int = 26
    return_factor: tuple = ((4, 0.8), (13, 2.6), (26, 1.8), (52, 1.2))
    stock_slow: tuple = (0.27, 0.10, 0.25, 0.05)
    stock_mover: tuple = (0.10, 0.08, 0.12, 0.09)

    calendar_years: tuple = (2008.0, 2011.0, 2013.0, 2015.0, 2017.0, 2019.0, 2021.0)
    calendar_exit: tuple = (0.02, -0.08, -0.08, 0.00, 0.08, 0.12, 0.12)
    july_exit: float = -0.30
    july_starts: float = 0.15
    july_ends: float = 0.22

    level_treated: float = -0.12
    level_sd: float = 0.06
    shock_sd: float = 0.08

    during: tuple = (-0.60, -0.40, -0.25, -0.10)
    after: tuple = (0.30, 0.10, 0.20, 0.05)
    after_weeks: int = 52
    start_rate: tuple = (0.0100, 0.0110, 0.0035, 0.0045)
    slow_start: tuple = (-0.70, -0.10, 0.70, 0.60)
    frailty_start: tuple = (0.60, 0.10, -0.30, -0.40)

    is_effective: bool = True
    phase_start: float = 0.35
    phase_weeks: int = 104
    direct_mover: float = 0.38
    direct_slow: float = 1.00
    more_starts: float = 0.60
    course_share: float = 0.50

    rule_225h: float = 0.0008
    move: float = 0.0004
    emigrate: tuple = (0.00004, 0.00012)
    death_at_40: float = 0.00003
    death_per_year: float = 0.075
    sanction: float = 0.0012


def parameters(scenario="base"):
    """Return the parameters of a scenario.

    Parameters
    ----------
    scenario : str
        ``base``; ``null`` (the programme does nothing); ``no_shocks`` (municipalities share one
        calendar, so an interval that counts only persons is long enough); ``no_selection`` (who starts
        an activity does not depend on how soon they would leave support).

    Raises
    ------
    ValueError
        If the scenario is unknown.

    Examples
    --------
    >>> parameters("no_shocks").shock_sd
    0.0
    """
    base = Parameters()
    scenarios = {
        "base": base,
        "null": replace(base, is_effective=False),
        "no_shocks": replace(base, shock_sd=0.0, level_sd=0.0),
        "no_selection": replace(base, slow_start=(0.0,) * 4, frailty_start=(0.0,) * 4),
    }
    if scenario not in scenarios:
        raise ValueError(f"unknown scenario {scenario!r}; there are {', '.join(scenarios)}")
    return scenarios[scenario]
