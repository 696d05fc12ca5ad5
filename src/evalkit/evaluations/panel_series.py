"""Municipal outcomes by quarter: a published count over interpolated inhabitants, seasons taken out."""

import numpy as np
import pandas as pd

from evalkit.errors import EstimationError


def quarter_of(date):
    """Return the quarter that holds a date, counted from 0.

    Examples
    --------
    >>> import datetime as dt
    >>> label_of(quarter_of(dt.date(2015, 1, 5)))
    '2015Q1'
    """
    return date.year * 4 + (date.month - 1) // 3


def label_of(quarter):
    """Write a quarter as ``2015Q1``."""
    return f"{quarter // 4}Q{quarter % 4 + 1}"


def number_of(label):
    """Read ``2015Q1``; missing for months and years."""
    return int(label[:4]) * 4 + int(label[5]) - 1 if len(label) == 6 and label[4] == "Q" else None


def outcome(frame, measure, study, start):
    """Return an outcome of every municipality by quarter, per so many inhabitants, inside the windows.

    Parameters
    ----------
    frame : DataFrame
        Table ``municipality_period``.
    measure : PanelMeasure
    study : PanelStudy
    start : int
        Quarter of the programme's start, the first one under it.

    Returns
    -------
    outcome : DataFrame
        Municipalities by quarters (whole numbers), complete.
    inhabitants : DataFrame
        The same shape: log-linear between the published days, which are few before 2021.

    Raises
    ------
    EstimationError
        If the start lies outside the quarters that the data carry, or too near an end.
    """
    counts = _quarters(frame[frame["measure"] == measure.measure])
    people = _inhabitants(frame[frame["measure"] == study.inhabitants], counts.columns)
    quarters = _window(
        counts.columns[people.notna().any().reindex(counts.columns, fill_value=False)], study, start
    )
    both = counts.index.intersection(people.index)
    counts, people = counts.loc[both, quarters], people.loc[both, quarters]
    whole = (counts.notna() & people.notna()).all(axis=1)
    counts, people = counts[whole], people[whole]
    return _deseasonalised(counts / people * measure.per_inhabitants, study.season, start), people


def _quarters(frame):
    numbers = frame["period"].map(number_of)
    frame = frame[numbers.notna()].assign(quarter=numbers[numbers.notna()].astype(int))
    return frame.pivot_table(
        index="municipality", columns="quarter", values="value", aggfunc="first"
    ).sort_index(axis=1)


def _inhabitants(frame, quarters):
    """Interpolate the logarithm between the published first days; nothing beyond the outermost."""
    day = frame["period"].map(_first_day)
    frame = frame[day.notna() & (frame["value"] > 0)].assign(day=day)
    wanted = np.array([_day(quarter) for quarter in quarters])
    rows = {}
    for name, own in (
        frame.sort_values("day").drop_duplicates(["municipality", "day"]).groupby("municipality")
    ):
        days = own["day"].to_numpy(dtype=float)
        people = np.exp(np.interp(wanted, days, np.log(own["value"].to_numpy(dtype=float))))
        rows[name] = np.where((wanted >= days[0]) & (wanted <= days[-1]), people, np.nan)
    return pd.DataFrame.from_dict(rows, orient="index", columns=quarters)


def _first_day(period):
    if number_of(period) is not None:
        return _day(number_of(period))
    if len(period) == 7:
        return pd.Timestamp(int(period[:4]), int(period[5:]), 1).toordinal()
    return None


def _day(quarter):
    return pd.Timestamp(quarter // 4, quarter % 4 * 3 + 1, 1).toordinal()


def _window(quarters, study, start):
    """Whole years on both sides, so that a season never counts on one side only."""
    kept = [
        int(quarter)
        for quarter in quarters
        if start - 4 * study.years_before <= quarter < start + 4 * study.years_after
        and quarter < number_of(study.stop_before)
    ]
    before, after = sum(quarter < start for quarter in kept), sum(quarter >= start for quarter in kept)
    if min(before, after) < study.min_quarters:
        spell = (
            f"{label_of(int(quarters[0]))} to {label_of(int(quarters[-1]))}"
            if len(quarters)
            else "no quarter"
        )
        raise EstimationError(
            f"panel: the programme starts in {label_of(start)}; the data carry {spell}, which gives {before} "
            f"quarters before it and {after} after it inside the study's windows; at least "
            f"{study.min_quarters} are needed on each side. Fetch more periods, or correct "
            "programme_start in the site file"
        )
    return [quarter for quarter in kept if start - before // 4 * 4 <= quarter < start + after // 4 * 4]


def _deseasonalised(rates, season, start):
    if season == "none":
        return rates
    if season == "year":
        blocks = start + 4 * np.floor_divide(rates.columns.to_numpy() - start, 4)
        return rates.T.groupby(blocks).mean().T
    before = rates.loc[:, rates.columns < start]
    pattern = before.T.groupby(before.columns % 4).mean().T.sub(before.mean(axis=1), axis=0)
    return rates - pattern[rates.columns % 4].to_numpy()
