"""`AtRisk`: who is under observation, from when to when, and what happened."""

from dataclasses import dataclass, fields, replace

import numpy as np
import pandas as pd

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
            Names of columns. ``event`` holds 0/1.., booleans, or (with ``causes``) labels with a missing
            value for censored. ``strata`` may be a list of columns. ``entry`` missing means 0.
        covariates : sequence of str
            Numeric columns enter as they are; text, category and boolean columns as indicators of every
            level but the first (of the sorted values, or of the category's order).
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
        names = [exit, event, entry, person, episode, cluster, state, calendar, weight, count,
                 *_as_list(strata), *covariates]
        _require_columns(frame, [name for name in names if name is not None])
        faults = []
        exits = _numbers(frame[exit], exit, faults)
        entries = np.zeros(len(frame)) if entry is None else _numbers(frame[entry], entry, faults)
        events, states, causes = _event_codes(frame, event, state, causes, faults)
        matrix, terms = _design(frame, covariates, faults)
        strata_codes, labels = _strata(frame, _as_list(strata), faults)
        codes = {name: _codes(frame, column, faults) for name, column in
                 (("person", person), ("episode", episode), ("cluster", cluster))}
        weights = None if weight is None else _numbers(frame[weight], weight, faults, positive=True)
        counts = None if count is None else _numbers(frame[count], count, faults, positive=True, whole=True)
        weeks = None if calendar is None else _numbers(frame[calendar], calendar, faults, whole=True)
        _check_times(entries, exits, faults)
        if not faults:
            _check_persons(entries, exits, events, states, counts, codes, strata_codes, faults)
        _raise(faults)
        return cls(entry=entries, exit=exits, event=events, causes=causes, covariates=matrix, terms=terms,
                   **codes, strata=strata_codes, strata_labels=labels, state=states, weight=weights,
                   calendar=None if weeks is None else weeks.astype(np.int64),
                   count=None if counts is None else counts.astype(np.int64))

    @property
    def n_rows(self):
        """Number of rows as stored."""
        return len(self.exit)

    @property
    def n_persons(self):
        """Distinct persons; where no person is named, every row (times its count) is one."""
        if self.person is None:
            return int(self.n_rows if self.count is None else self.count.sum())
        first = np.unique(self.person, return_index=True)[1]
        return int(len(first) if self.count is None else self.count[first].sum())

    @property
    def n_events(self):
        """Events of every cause, counts included."""
        return int((self.event > 0).sum() if self.count is None else self.count[self.event > 0].sum())

    @property
    def row_weights(self):
        """Weight times count of each row: what a weighted sum over rows needs."""
        weight = np.ones(self.n_rows) if self.weight is None else self.weight
        return weight if self.count is None else weight * self.count

    def select(self, rows):
        """Return the rows that a boolean mask or an index names; codes keep their meaning."""
        taken = {spec.name: getattr(self, spec.name)[rows] for spec in fields(self)
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
        order, first = _group(parts)
        count = np.ones(self.n_rows, dtype=np.int64) if self.count is None else self.count
        cells = replace(self, person=None, episode=None, count=count).select(order[first])
        return replace(cells, count=np.add.reduceat(count[order], first))

    def to_frame(self):
        """Return the intervals as a frame whose columns lifelines takes.

        ``entry``, ``exit`` and ``event`` are ``entry_col``, ``duration_col`` and ``event_col`` of a lifelines
        regression; ``weights`` (weight times count) is its ``weights_col``; ``cluster`` its ``cluster_col``.
        lifelines takes every other column for a covariate: drop ``person`` where it is not needed.
        `from_frame` reads the columns back; strata and states come as their labels.

        Examples
        --------
        >>> frame = pd.DataFrame({"weeks": [5.0, 8.0], "left": [1, 0], "age": [30, 40]})
        >>> AtRisk.from_frame(frame, exit="weeks", event="left", covariates=["age"]).to_frame()
           entry  exit  event   age
        0    0.0   5.0      1  30.0
        1    0.0   8.0      0  40.0
        """
        data = {"entry": self.entry, "exit": self.exit, "event": self.event}
        for name in ("person", "episode", "cluster", "calendar"):
            if getattr(self, name) is not None:
                data[name] = getattr(self, name)
        if self.strata is not None:
            data["strata"] = np.array(self.strata_labels, dtype=object)[self.strata]
        if self.state is not None:
            names = np.array([None, *self.causes], dtype=object)
            data["state"], data["event"] = names[self.state], names[self.event]
        if self.weight is not None or self.count is not None:
            data["weights"] = self.row_weights
        return pd.DataFrame({**data, **dict(zip(self.terms, self.covariates.T, strict=True))})


def _as_list(value):
    return [] if value is None else [value] if isinstance(value, str) else list(value)


def _require_columns(frame, names):
    missing = [name for name in names if name not in frame.columns]
    if missing:
        raise CohortError(f"at-risk table: no column {', '.join(missing)}; "
                          f"columns are {', '.join(map(str, frame.columns))}")
    if len(frame) == 0:
        raise CohortError("at-risk table: no rows. "
                          "Look at the cohort's attrition table to see which step removed everybody")


def _raise(faults):
    if faults:
        raise CohortError("at-risk table:\n" + "\n".join(f"- {fault}" for fault in faults))


def _numbers(column, name, faults, positive=False, whole=False):
    if not (pd.api.types.is_numeric_dtype(column) or pd.api.types.is_bool_dtype(column)):
        faults.append(f"{name}: must be numbers, found {column.dtype}")
        return np.ones(len(column))
    values = column.to_numpy(dtype=float, na_value=np.nan)
    finite = np.isfinite(values)
    rules = [(np.isnan(values), "are missing"), (np.isinf(values), "are infinite")]
    if positive:
        rules.append((values <= 0, "are not above 0; drop rows that should not count"))
    if whole:
        rules.append((finite & (values != np.round(values)), "are not whole numbers"))
    for bad, rule in rules:
        if bad.any():
            faults.append(f"{name}: {int(bad.sum())} of {len(values)} rows {rule}")
    # A fault is raised later; until then the numbers only have to be numbers.
    return values if finite.all() else np.where(finite, values, 1.0)


def _event_codes(frame, event, state, causes, faults):
    column = frame[event]
    if state is not None:
        return _state_codes(column, frame[state], causes, faults, event, state)
    if _is_text(column):
        labels = _labels(column) if causes is None else tuple(map(str, causes))
        return _label_codes(column, labels, event, faults), None, labels
    codes = _numbers(column, event, faults, whole=True).astype(np.int64)
    last = max(int(codes.max(initial=0)), 1)
    labels = tuple(map(str, range(1, last + 1) if causes is None else causes))
    outside = (codes < 0) | (codes > len(labels))
    if outside.any():
        faults.append(f"{event}: {int(outside.sum())} rows have a code outside 0..{len(labels)}; "
                      "name every cause in causes")
    return codes, None, labels


def _labels(*columns):
    """Name the labels that occur, sorted, or in the order of their category."""
    if isinstance(columns[0].dtype, pd.CategoricalDtype):
        return tuple(map(str, columns[0].cat.categories))
    return tuple(sorted({str(label) for column in columns for label in column.dropna().unique()}))


def _state_codes(entered, occupied, causes, faults, event, state):
    found = _labels(occupied.astype(object), entered.astype(object))
    labels = found if causes is None else tuple(map(str, causes))
    states = _label_codes(occupied, labels, state, faults)
    if occupied.isna().any():
        faults.append(f"{state}: {int(occupied.isna().sum())} rows name no state")
    return _label_codes(entered, labels, event, faults), states, labels


def _label_codes(column, labels, name, faults):
    known = column.notna().to_numpy()
    text = column.astype(object).where(known).map(str, na_action="ignore")
    codes = pd.Index(labels, dtype=object).get_indexer(text.to_numpy(dtype=object)).astype(np.int64) + 1
    unknown = (codes == 0) & known
    if unknown.any():
        faults.append(f"{name}: {int(unknown.sum())} rows have a label that causes does not name")
    return codes


def _is_text(column):
    return isinstance(column.dtype, pd.CategoricalDtype) or pd.api.types.is_object_dtype(column) \
        or pd.api.types.is_string_dtype(column)


def _design(frame, covariates, faults):
    columns, terms = [], []
    for name in covariates:
        column = frame[name]
        if _is_text(column) or pd.api.types.is_bool_dtype(column):
            if column.isna().any():
                faults.append(f"{name}: {int(column.isna().sum())} of {len(column)} rows are missing")
            category = column.astype("category")
            if len(category.cat.categories) < 2:
                faults.append(f"{name}: the same in all {len(column)} rows; "
                              "a constant covariate explains nothing")
            for k, level in enumerate(category.cat.categories[1:], start=1):
                columns.append((category.cat.codes == k).to_numpy(float))
                terms.append(f"{name}[{level}]")
        else:
            columns.append(_numbers(column, name, faults))
            terms.append(name)
    matrix = np.column_stack(columns) if columns else np.empty((len(frame), 0))
    return matrix, tuple(terms)


def _codes(frame, column, faults):
    if column is None:
        return None
    if frame[column].isna().any():
        faults.append(f"{column}: {int(frame[column].isna().sum())} of {len(frame)} rows are missing")
    return pd.factorize(frame[column], sort=True)[0].astype(np.int64)


def _strata(frame, columns, faults):
    if not columns:
        return None, ()
    if frame[columns].isna().any(axis=None):
        faults.append(f"{', '.join(columns)}: {int(frame[columns].isna().any(axis=1).sum())} "
                      f"of {len(frame)} rows are missing")
    key = frame[columns[0]] if len(columns) == 1 else pd.MultiIndex.from_frame(frame[columns])
    codes, levels = pd.factorize(key, sort=True)
    labels = [", ".join(map(str, level)) if isinstance(level, tuple) else str(level) for level in levels]
    return codes.astype(np.int64), tuple(labels)


def _check_times(entries, exits, faults):
    if (entries < 0).any():
        faults.append(f"{int((entries < 0).sum())} rows enter before time zero; "
                      "a person cannot be at risk before being followed")
    empty = entries >= exits
    if empty.any():
        faults.append(f"{int(empty.sum())} rows end at or before they begin; "
                      "an interval is (entry, exit] with entry < exit")


def _check_persons(entries, exits, events, states, counts, codes, strata, faults):
    """Check what must hold along the rows of one person (in one episode and stratum)."""
    person = codes["person"]
    if person is None:
        return
    keys = [key for key in (person, codes["episode"], strata) if key is not None]
    order = np.lexsort((entries, *keys[::-1]))
    same = np.logical_and.reduce([key[order][1:] == key[order][:-1] for key in keys])
    before, after = order[:-1], order[1:]
    overlap = same & (entries[after] < exits[before])
    if overlap.any():
        faults.append(f"intervals overlap for {len(np.unique(person[after][overlap]))} persons; "
                      "give episode where one person has several clocks")
    if states is not None:
        reached = np.where(events > 0, events, states)
        broken = same & (entries[after] == exits[before]) & (states[after] != reached[before])
        if broken.any():
            faults.append(f"{len(np.unique(person[after][broken]))} persons go on in another state than the "
                          "one they entered or stayed in; event must be the state of the next row")
    if counts is not None:
        varying = (person[order][1:] == person[order][:-1]) & (counts[after] != counts[before])
        if varying.any():
            faults.append(f"count varies for {len(np.unique(person[after][varying]))} persons; "
                          "k stands for k persons with the same rows")


def _group(parts):
    """Return a sorting order and the position of each group's first row in it."""
    order = np.lexsort(parts[::-1])
    new = np.zeros(len(order), dtype=bool)
    new[:1] = True
    for part in parts:
        new[1:] |= part[order][1:] != part[order][:-1]
    return order, np.flatnonzero(new)
