"""One outcome of one treated municipality: the panel that the designs read, and what its numbers mean."""

from dataclasses import replace

import pandas as pd

from evalkit.errors import EstimationError
from evalkit.estimators import Panel
from evalkit.evaluations.panel_series import outcome, quarter_of


class Case:
    """Holds ``everybody`` (all municipalities) and ``panel`` (without the doubtful donors)."""

    def __init__(self, frame, study, measure, municipality, programme_start, doubtful):
        self.frame, self.study, self.measure = frame, study, measure
        self.municipality, self.programme_start, self.doubtful = municipality, programme_start, doubtful
        self.start = quarter_of(programme_start)
        self.everybody, self.inhabitants = self.build(study.season)
        self.panel = self.everybody.without(doubtful)

    def build(self, season):
        rates, inhabitants = outcome(self.frame, self.measure, replace(self.study, season=season), self.start)
        if len(rates) < 3 or self.municipality not in rates.index:
            raise EstimationError(
                f"panel, {self.measure.measure}: {len(rates)} municipalities with every quarter"
                + ("" if self.municipality in rates.index else f", {self.municipality} not among them")
                + "; the treated one and at least two others are needed. Read the tables of "
                "all municipalities"
            )
        long = rates.rename_axis(columns="quarter").stack().rename("rate").reset_index()
        long.columns = ["municipality", "quarter", "rate"]
        return Panel.from_frame(
            long,
            unit="municipality",
            period="quarter",
            value="rate",
            treated=self.municipality,
            start=self.start,
        ), inhabitants

    def fits(self, answer):
        """Say whether the error before the start is of other municipalities' size; unknown is no."""
        return bool(answer.diagnostics["prefit_ratio"] <= self.study.max_prefit_ratio)

    @property
    def persons(self):
        """Persons of the municipality behind one unit of the rate, on average after the start."""
        people = self.inhabitants.loc[self.municipality]
        return float(people[people.index >= self.start].mean()) / self.measure.per_inhabitants

    @property
    def small(self):
        """Municipalities below the study's size in the first quarter."""
        first = self.inhabitants.iloc[:, 0]
        return tuple(first.index[first < self.study.min_inhabitants])

    def weeks(self, quarter):
        """Weeks from the programme's start to the first day of a quarter."""
        first = pd.Timestamp(int(quarter) // 4, int(quarter) % 4 * 3 + 1, 1)
        return round((first - pd.Timestamp(self.programme_start)).days / 7)
