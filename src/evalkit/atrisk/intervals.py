"""`AtRisk`: who is under observation, from when to when, and what happened."""

from dataclasses import dataclass, fields, replace

import numpy as np
import pandas as pd

from evalkit.atrisk import columns
from evalkit.atrisk.ranks import joint_ranks
from evalkit.errors import CohortError


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AtRisk:
    """Intervals at risk as frozen arrays, all of length ``n_rows``.

    Times are weeks since time zero; an interval is (entry, exit]. ``event`` is 0 for a censored
    interval, else k for ``causes[k - 1]``. With ``state`` (the state occupied during the interval),
    codes 1.. of both ``state`` and ``event`` index ``causes``, which then names the states.
    Where an event and a censoring fall in the same week, the event comes first.

    Attributes
    ----------
    entry, exit : ndarray of float, weeks
        ``entry`` > 0 is delayed entry (left truncation).
    event : ndarray of int
    causes : tuple of str
    covariates : ndarray of float, shape (n_rows, n_terms)
    terms : tuple of str
        Names of the covariates' columns; a category ``b`` of column ``a`` is ``a[b]``.
    person, episode, cluster, strata, state : ndarray of int or None
        Codes; ``strata_labels`` names the strata.
    calendar : ndarray of int or None
        Week number of time zero (`evalkit.weeks`).
    weight : ndarray of float or None
        Sampling or design weight.
    count : ndarray of int or None
        k stands for k identical rows, in every estimator, errors included. With ``person``, a person with
        count k stands for k persons with the same rows; k is then the same in all of them.
    """

    entry: np.ndarray
    exit: np.ndarray
    event: np.ndarray
    causes: tuple[str, ...]
    covariates: np.ndarray
    terms: tuple[str, ...]
    person: np.ndarray | None = None
    episode: np.ndarray | None = None
    cluster: np.ndarray | None = None
    strata: np.ndarray | None = None
    strata_labels: tuple[str, ...] = ()
    state: np.ndarray | None = None
    calendar: np.ndarray | None = None
    weight: np.ndarray | None = None
    count: np.ndarray | None = None

    def __post_init__(self):
        columns.require_rows(len(self.exit))
        for spec in fields(self):
            value = getattr(self, spec.name)
            if isinstance(value, np.ndarray):
                value = value.view()
                value.setflags(write=False)
                object.__setattr__(self, spec.name, value)

    def __reduce__(self):
        raise TypeError("AtRisk holds person rows and is never pickled")

    def __repr__(self):
        return (f"AtRisk({self.n_rows} rows, {self.n_persons} persons, "
                f"causes={self.causes}, terms={self.terms})")

    @classmethod
    def from_frame(cls, frame, *, exit, event, entry=None, person=None, episode=None, cluster=None,
                   strata=None, state=None, calendar=None, weight=None, count=None, covariates=(),
                   causes=None):
        """Read intervals at risk from a frame and check them once.

        Parameters
        ----------
        frame : DataFrame
            One row per interval; it is not changed.
        exit, event, entry, person, episode, cluster, strata, state, calendar, weight, count : str
            Names of columns. ``event`` holds 0/1.., booleans, or labels with a missing value for censored
            (a label such as "0" is refused unless ``causes`` names it). ``strata`` may be a list of columns.
            ``entry`` missing means 0.
        covariates : sequence of str
            Numeric columns enter as they are; text, category and boolean columns as indicators of every
            level but the first (of the sorted values, or of the category's order) that occurs.
        causes : sequence of str, optional
            Names of event codes 1.. (with ``state``: of the states). Default: the numbers, or the labels,
            sorted or in the order of their category.

        Returns
        -------
        AtRisk

        Raises
        ------
        CohortError
            Everything that is wrong, at once: column and count, no values.

        Examples
        --------
        >>> frame = pd.DataFrame({"weeks": [5, 8, 8], "left": [1, 0, 1], "sex": ["F", "M", "F"]})
        >>> AtRisk.from_frame(frame, exit="weeks", event="left", covariates=["sex"])
        AtRisk(3 rows, 3 persons, causes=('1',), terms=('sex[M]',))
        """
        covariates, faults = columns.as_list(covariates), []
        names = [exit, event, entry, person, episode, cluster, state, calendar, weight, count,
                 *columns.as_list(strata), *covariates]
        frame = columns.named(frame, [name for name in names if name is not None], faults)
        exits = columns.sized(frame[exit], exit, faults, columns.TIMES)
        entries = np.zeros(len(frame)) if entry is None else columns.numbers(frame[entry], entry, faults)
        events, states, causes = columns.event_codes(frame, event, state, causes, faults)
        matrix, terms = columns.design(frame, covariates, faults)
        strata_codes, labels = columns.strata_codes(frame, columns.as_list(strata), faults)
        codes = {name: columns.one_column(frame, column, faults) for name, column in
                 (("person", person), ("episode", episode), ("cluster", cluster))}
        weights = None if weight is None else columns.sized(frame[weight], weight, faults,
                                                                  columns.WEIGHTS, positive=True)
        counts = None if count is None else columns.counts(frame[count], count, faults)
        weeks = None if calendar is None else columns.numbers(frame[calendar], calendar, faults, whole=True)
        columns.check_times(entries, exits, faults)
        if not faults:
            columns.check_persons(entries, exits, events, states, counts, codes, strata_codes, faults)
        columns.raise_all(faults)
        return cls(entry=entries, exit=exits, event=events, causes=causes, covariates=matrix, terms=terms,
                   **codes, strata=strata_codes, strata_labels=labels, state=states, weight=weights,
                   calendar=None if weeks is None else weeks.astype(np.int64), count=counts)

    @property
    def n_rows(self):
        """Number of rows as stored."""
        return len(self.exit)

    @property
    def n_persons(self):
        """Distinct persons; where no person is named, every row (times its count) is one."""
        return self.n_persons_in(slice(None))

    @property
    def n_events(self):
        """Events of every cause, counts included."""
        return int((self.event > 0).sum() if self.count is None else self.count[self.event > 0].sum())

    @property
    def row_weights(self):
        """Weight times count of each row: what a weighted sum over rows needs."""
        weight = np.ones(self.n_rows) if self.weight is None else self.weight
        return weight if self.count is None else weight * self.count

    def n_persons_in(self, rows):
        """Return the distinct persons of the rows that a mask or an index names; there may be none."""
        count = None if self.count is None else self.count[rows]
        if self.person is None:
            return len(self.exit[rows]) if count is None else int(count.sum())
        persons = np.zeros(int(self.person.max()) + 1, dtype=np.int64)
        persons[self.person[rows]] = 1 if count is None else count
        return int(persons.sum())

    def select(self, rows):
        """Return the rows that a boolean mask or an index names, at least one; codes mean the same."""
        taken = {spec.name: _taken(getattr(self, spec.name), rows) for spec in fields(self)
                 if isinstance(getattr(self, spec.name), np.ndarray)}
        return replace(self, **taken)

    def compress(self):
        """Return one row per distinct interval and pattern, with its ``count``.

        Rows are equal when everything an estimator reads is: times, event, state, stratum, cluster, calendar
        week, weight and covariates. Persons and episodes are given up; cluster is kept. Estimates stay the
        same; so do errors that take rows as independent or add up within clusters. Where a person has
        several rows, errors by person are lost and `n_persons` counts rows.

        Examples
        --------
        >>> frame = pd.DataFrame({"weeks": [5, 5, 8], "left": [1, 1, 0]})
        >>> AtRisk.from_frame(frame, exit="weeks", event="left").compress().count.tolist()
        [2, 1]
        """
        parts = [self.entry, self.exit, self.event, *self.covariates.T]
        others = (self.cluster, self.strata, self.state, self.calendar, self.weight)
        parts += [part for part in others if part is not None]
        cell, n_cells = joint_ranks(parts)
        count = np.ones(self.n_rows, dtype=np.int64) if self.count is None else self.count
        first = np.empty(n_cells, dtype=np.int64)
        first[cell[::-1]] = np.arange(self.n_rows)[::-1]
        rows = replace(self, person=None, episode=None, count=count).select(first)
        return replace(rows, count=np.bincount(cell, weights=count).astype(np.int64))

    def to_frame(self, *, cause=None, ids=False):
        """Return the intervals as a frame that a lifelines regression takes as it is.

        ``entry``, ``exit`` and ``event`` are ``entry_col``, ``duration_col`` and ``event_col``; with weights
        or counts ``weights`` (weight times count) is ``weights_col``, with strata ``strata`` is ``strata``.
        Every other column is a covariate. `from_frame` reads the columns back.

        Parameters
        ----------
        cause : str, optional
            The cause that is the event (1); an interval that ends by any other cause is censored (0), as in a
            cause-specific hazard. Not needed where there is only one.
        ids : bool
            Add ``person``, ``cluster``, ``episode``, ``calendar`` and the ``state`` occupied, where there are
            any. lifelines takes them for covariates: name or drop them.

        Raises
        ------
        CohortError
            If there are several causes and none is named, or no such cause.

        Examples
        --------
        >>> frame = pd.DataFrame({"weeks": [5.0, 8.0], "left": ["JOB", "STUDY"], "age": [30, 40]})
        >>> at_risk = AtRisk.from_frame(frame, exit="weeks", event="left", covariates=["age"])
        >>> at_risk.to_frame(cause="JOB")
           entry  exit  event   age
        0    0.0   5.0      1  30.0
        1    0.0   8.0      0  40.0
        """
        code = self.causes.index(self._only(cause)) + 1
        data = {"entry": self.entry, "exit": self.exit, "event": (self.event == code).astype(np.int64)}
        if ids:
            data |= self._ids()
        if self.strata is not None:
            data["strata"] = np.array(self.strata_labels, dtype=object)[self.strata]
        if self.weight is not None or self.count is not None:
            data["weights"] = self.row_weights
        return pd.DataFrame({**data, **dict(zip(self.terms, self.covariates.T, strict=True))})

    def _only(self, cause):
        if cause is None and len(self.causes) == 1:
            return self.causes[0]
        if cause not in self.causes:
            found = "no cause named" if cause is None else f"no cause {cause!r}"
            raise CohortError(f"to_frame: {found}, expected one of {', '.join(self.causes)}; "
                              f"write for instance to_frame(cause={self.causes[0]!r})")
        return cause

    def _ids(self):
        names = ("person", "cluster", "episode", "calendar")
        found = {name: getattr(self, name) for name in names if getattr(self, name) is not None}
        if self.state is not None:
            found["state"] = np.array([None, *self.causes], dtype=object)[self.state]
        return found


def _taken(values, rows):
    """Return the values of some rows, a matrix of them column after column in memory."""
    if values.ndim == 1 or isinstance(rows, slice):
        return values[rows]
    rows = np.asarray(rows)
    return values.T.take(np.flatnonzero(rows) if rows.dtype == bool else rows, axis=1).T
