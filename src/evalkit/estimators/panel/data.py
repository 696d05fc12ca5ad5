"""`Panel`: an outcome of units by periods, and who is treated from when."""

from dataclasses import dataclass

import numpy as np

from evalkit.errors import EstimationError


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Panel:
    """A balanced panel with one starting period.

    Attributes
    ----------
    outcome : ndarray of float, shape (n_units, n_periods)
    units, periods : tuple
        Names of rows and columns, sorted.
    treated : ndarray of bool, shape (n_units,)
    n_pre : int
        Number of periods before the start.
    """

    outcome: np.ndarray
    units: tuple
    periods: tuple
    treated: np.ndarray
    n_pre: int

    @classmethod
    def from_frame(cls, frame, *, unit, period, value, treated, start):
        """Read a long frame and check it once.

        Parameters
        ----------
        frame : DataFrame
            One row per unit and period.
        unit, period, value : str
            Names of columns; periods must sort in time.
        treated : str or sequence of str
            Name or names of treated units.
        start : value of ``period``
            First period under treatment.

        Raises
        ------
        EstimationError
            Everything that is wrong, at once.

        Examples
        --------
        >>> import pandas as pd
        >>> frame = pd.DataFrame({"unit": list("AABB"), "year": [1, 2, 1, 2], "y": [0.0, 5.0, 1.0, 2.0]})
        >>> panel = Panel.from_frame(frame, unit="unit", period="year", value="y", treated="A", start=2)
        >>> panel.n_pre, panel.n_treated, panel.outcome.tolist()
        (1, 1, [[0.0, 5.0], [1.0, 2.0]])
        """
        names = [treated] if isinstance(treated, str) else list(treated)
        repeated = int(frame.duplicated([unit, period]).sum())
        if repeated:
            raise EstimationError(f"panel: {repeated} rows repeat a unit and period; aggregate them first")
        wide = frame.pivot(index=unit, columns=period, values=value).sort_index().sort_index(axis=1)
        _refuse(wide, names, start)
        return cls(
            outcome=wide.to_numpy(dtype=float),
            units=tuple(wide.index),
            periods=tuple(wide.columns),
            treated=wide.index.isin(names),
            n_pre=int((wide.columns < start).sum()),
        )

    @property
    def n_treated(self):
        """Number of treated units."""
        return int(self.treated.sum())

    def without(self, units):
        """Return the panel without some comparison units; unknown names are no fault."""
        keep = ~np.isin(np.array(self.units, dtype=object), list(units)) | self.treated
        return Panel(
            outcome=self.outcome[keep],
            units=tuple(np.array(self.units, dtype=object)[keep]),
            periods=self.periods,
            treated=self.treated[keep],
            n_pre=self.n_pre,
        )


def _refuse(wide, names, start):
    faults = []
    unknown = [name for name in names if name not in wide.index]
    if unknown:
        faults.append(f"treated units not in the panel: {', '.join(map(str, unknown))}")
    if len(wide.index) - len(names) < 1:
        faults.append(f"{len(wide.index)} units and {len(names)} treated: no unit is left to compare with")
    before = int((wide.columns < start).sum())
    if before == 0 or before == len(wide.columns):
        faults.append(
            f"start {start}: {before} of {len(wide.columns)} periods lie before it; some must on each side"
        )
    gaps = ~np.isfinite(wide.to_numpy(dtype=float))
    if gaps.any():
        faults.append(
            f"{int(gaps.sum())} values of {int(gaps.any(axis=1).sum())} units are missing; "
            "drop those units or shorten the window"
        )
    if faults:
        raise EstimationError("panel:\n" + "\n".join(f"- {fault}" for fault in faults))
