"""Columns of a frame read as the arrays of `AtRisk`; what is wrong is collected, counted, said at once."""

import numpy as np
import pandas as pd

from evalkit.atrisk.ranks import order_of, ranks
from evalkit.errors import CohortError


def as_list(value):
    """Return a name, several or none as a list."""
    return [] if value is None else [value] if isinstance(value, str) else list(value)


def require_columns(frame, names):
    """Refuse a frame without rows or without a named column."""
    missing = [name for name in names if name not in frame.columns]
    if missing:
        raise CohortError(f"at-risk table: no column {', '.join(missing)}; "
                          f"columns are {', '.join(map(str, frame.columns))}")
    require_rows(len(frame))


def require_rows(n_rows):
    """Refuse a table of nobody."""
    if n_rows == 0:
        raise CohortError("at-risk table: no rows. "
                          "Look at the cohort's attrition table to see which step removed everybody")


def raise_all(faults):
    """Raise every fault as one error."""
    if faults:
        raise CohortError("at-risk table:\n" + "\n".join(f"- {fault}" for fault in faults))


def numbers(column, name, faults, positive=False, whole=False):
    """Return a column as floats; what is no number is a fault."""
    if not (pd.api.types.is_numeric_dtype(column) or pd.api.types.is_bool_dtype(column)):
        faults.append(f"{name}: must be numbers, found {column.dtype}")
        return np.ones(len(column))
    values = _floats(column)
    finite = np.isfinite(values)
    rules = [] if finite.all() else [(np.isnan(values), "are missing"), (np.isinf(values), "are infinite")]
    if positive:
        rules.append((values <= 0, "are not above 0; drop rows that should not count"))
    if whole:
        rules.append((finite & (values != np.round(values)), "are not whole numbers"))
    for bad, rule in rules:
        if bad.any():
            faults.append(f"{name}: {int(bad.sum())} of {len(values)} rows {rule}")
    # A fault is raised later; until then the numbers only have to be numbers.
    return values if finite.all() else np.where(finite, values, 1.0)


def _floats(column):
    """Return a column as floats of its own, so that the frame may change later."""
    if isinstance(column.dtype, np.dtype):
        return np.array(column.to_numpy(), dtype=float)
    return column.to_numpy(dtype=float, na_value=np.nan, copy=True)


def event_codes(frame, event, state, causes, faults):
    """Return codes of events and of states occupied, and the causes they index."""
    column = frame[event]
    if state is not None:
        return _state_codes(column, frame[state], causes, faults, event, state)
    if _is_text(column):
        labels = _labels(column) if causes is None else tuple(map(str, causes))
        return _label_codes(column, labels, event, faults), None, labels
    codes = numbers(column, event, faults, whole=True).astype(np.int64)
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
    found, levels = pd.factorize(column)
    known = pd.Index(labels, dtype=object).get_indexer([str(level) for level in levels]).astype(np.int64) + 1
    codes = np.append(known, 0)[found]
    unknown = (codes == 0) & (found >= 0)
    if unknown.any():
        faults.append(f"{name}: {int(unknown.sum())} rows have a label that causes does not name")
    return codes


def _is_text(column):
    return isinstance(column.dtype, pd.CategoricalDtype) or pd.api.types.is_object_dtype(column) \
        or pd.api.types.is_string_dtype(column)


def design(frame, covariates, faults):
    """Return the matrix of covariates and the names of its columns."""
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
            columns.append(numbers(column, name, faults))
            terms.append(name)
    # One column after another in memory: estimators read them so, and so does the frame.
    matrix = np.empty((len(frame), len(columns)), order="F")
    for k, column in enumerate(columns):
        matrix[:, k] = column
    return matrix, tuple(terms)


def one_column(frame, column, faults):
    """Return a column as codes from 0, or None."""
    if column is None:
        return None
    if frame[column].isna().any():
        faults.append(f"{column}: {int(frame[column].isna().sum())} of {len(frame)} rows are missing")
    values = frame[column].to_numpy()
    if values.dtype.kind in "iu":
        return ranks(values)[0]
    return pd.factorize(frame[column], sort=True)[0].astype(np.int64)


def strata_codes(frame, columns, faults):
    """Return codes of strata and their labels."""
    if not columns:
        return None, ()
    if frame[columns].isna().any(axis=None):
        faults.append(f"{', '.join(columns)}: {int(frame[columns].isna().any(axis=1).sum())} "
                      f"of {len(frame)} rows are missing")
    key = frame[columns[0]] if len(columns) == 1 else pd.MultiIndex.from_frame(frame[columns])
    codes, levels = pd.factorize(key, sort=True)
    labels = [", ".join(map(str, level)) if isinstance(level, tuple) else str(level) for level in levels]
    return codes.astype(np.int64), tuple(labels)


def check_times(entries, exits, faults):
    """Add a fault for every interval that does not end after it begins, or begins before 0."""
    if (entries < 0).any():
        faults.append(f"{int((entries < 0).sum())} rows enter before time zero; "
                      "a person cannot be at risk before being followed")
    empty = entries >= exits
    if empty.any():
        faults.append(f"{int(empty.sum())} rows end at or before they begin; "
                      "an interval is (entry, exit] with entry < exit")


def check_persons(entries, exits, events, states, counts, codes, strata, faults):
    """Check what must hold along the rows of one person (in one episode and stratum)."""
    person = codes["person"]
    if person is None:
        return
    several = np.flatnonzero((np.bincount(person) > 1)[person])
    if not len(several):
        return
    keys = [key for key in (person, codes["episode"], strata) if key is not None]
    order = several[order_of([part[several] for part in (*keys, entries)])]
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
