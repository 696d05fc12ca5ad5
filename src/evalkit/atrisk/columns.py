"""Columns of a frame read as the arrays of `AtRisk`; what is wrong is collected, counted, said at once."""

import numpy as np
import pandas as pd

from evalkit.atrisk.ranks import order_of, ranks
from evalkit.errors import CohortError

# More persons than this do not exist.
MOST_PERSONS = 1e9
# Codes of events that are numbers without names: as many causes as the largest of them.
MOST_CODES = 99
# Of sizes beyond these the largest leaves no digits to the others, or its square is no number any more.
TIMES, WEIGHTS, COVARIATES = (1e-12, 1e12), (1e-12, 1e12), (1e-100, 1e100)
# Whole numbers above this are not all numbers of the computer.
LARGEST_WHOLE = 2.0**53
# What stands for no event where events are told by labels, though only a missing value does.
NO_LABEL = {"", "0", "False"}
NUMBERS = {"integer", "floating", "mixed-integer-float", "decimal"}


def as_list(value):
    """Return a name, several or none as a list."""
    return [] if value is None else [value] if isinstance(value, str) else list(value)


def named(frame, names, faults):
    """Return a frame with each named column once and of one kind; refuse one that lacks it, or rows."""
    if frame.columns.nlevels > 1:
        raise CohortError(f"at-risk table: columns have {frame.columns.nlevels} levels of names, "
                          "expected one; join the levels of frame.columns to one text each")
    missing = [str(name) for name in names if name not in frame.columns]
    if missing:
        raise CohortError(f"at-risk table: no column {', '.join(missing)}; "
                          f"columns are {', '.join(map(str, frame.columns))}")
    again = frame.columns[frame.columns.duplicated()].intersection(names)
    if len(again):
        raise CohortError(f"at-risk table: several columns are named {', '.join(map(str, again))}; "
                          "rename or drop all but one of each")
    require_rows(len(frame))
    return _of_one_kind(frame, dict.fromkeys(names), faults)


def _of_one_kind(frame, names, faults):
    """Read objects as the numbers or booleans that they are; columns of several kinds are a fault."""
    read = {}
    for name in names:
        if not pd.api.types.is_object_dtype(frame[name]):
            continue
        kind = pd.api.types.infer_dtype(frame[name], skipna=True)
        if kind == "integer" and frame[name].notna().all():
            read[name] = frame[name].infer_objects()
        elif kind in NUMBERS:
            read[name] = frame[name].astype(float)
        elif kind == "boolean":
            read[name] = frame[name].astype("boolean")
        elif kind.startswith("mixed"):
            faults.append(f"{name}: holds values of several kinds, expected numbers or text alone; "
                          "make them one kind, for instance by astype(str)")
            read[name] = frame[name].map(str)
    if not read:
        return frame
    frame = frame.copy(deep=False)
    for name, column in read.items():
        frame[name] = column
    return frame


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
    if not pd.api.types.is_numeric_dtype(column) or pd.api.types.is_complex_dtype(column):
        faults.append(f"{name}: must be numbers, found {column.dtype}; convert it to weeks, codes or numbers")
        return np.ones(len(column))
    values = _floats(column)
    finite = np.isfinite(values)
    rules = [] if finite.all() else [(np.isnan(values), "are missing"), (np.isinf(values), "are infinite")]
    if positive:
        rules.append((values <= 0, "are not above 0; drop rows that should not count"))
    if whole:
        fraction = (values != np.round(values)) | (np.abs(values) > LARGEST_WHOLE)
        rules.append((finite & fraction, "are not whole numbers"))
    for bad, rule in rules:
        if bad.any():
            faults.append(f"{name}: {int(bad.sum())} of {len(values)} rows {rule}")
    # A fault is raised later; until then codes only have to be whole.
    return np.where(finite & ~fraction, values, 1.0) if whole else values


def sized(column, name, faults, sizes, positive=False):
    """Return numbers of which the largest has a size that can be squared and summed."""
    values = numbers(column, name, faults, positive=positive)
    largest, (low, high) = max(values.max(), -values.min()), sizes
    if 0 < largest < low or high < largest < np.inf:
        faults.append(f"{name}: the largest of {len(values)} rows is below {low:g} or above {high:g}; give "
                      "the column in another unit, and look at what is extreme")
    return values


def counts(column, name, faults):
    """Return counts as whole numbers of persons."""
    values = numbers(column, name, faults, positive=True, whole=True)
    if values.sum() > MOST_PERSONS:
        faults.append(f"{name}: stands for more than {MOST_PERSONS:g} persons; is it a weight?")
    return values.astype(np.int64)


def _floats(column):
    """Return a column as floats of its own, so that the frame may change later."""
    if isinstance(column.dtype, np.dtype):
        return np.array(column.to_numpy(), dtype=float)
    return column.to_numpy(dtype=float, na_value=np.nan, copy=True)


def event_codes(frame, event, state, causes, faults):
    """Return codes of events and of states occupied, and the causes they index."""
    column = frame[event]
    names = None if causes is None else tuple(map(str, as_list(causes)))
    if names is not None and len(set(names)) < len(names):
        faults.append(f"causes: {len(names) - len(set(names))} names stand twice; name each cause once")
    if state is not None:
        return _state_codes(column, frame[state], names, faults, event, state)
    if _is_text(column) and not _has_numbers(column):
        labels = _labels(column) or ("1",) if names is None else names
        _refuse_no_event(set(labels) if names is None else set(), event, faults)
        return _label_codes(column, labels, event, faults), None, labels
    codes = numbers(column.astype(float) if _is_text(column) else column, event, faults, whole=True)
    if names is None and codes.max(initial=0) > MOST_CODES:
        faults.append(f"{event}: codes above {MOST_CODES}; name every cause in causes, or give labels")
        codes = np.ones(len(codes))
    codes = codes.astype(np.int64)
    last = max(int(codes.max(initial=0)), 1)
    labels = tuple(map(str, range(1, last + 1))) if names is None else names
    outside = (codes < 0) | (codes > len(labels))
    if outside.any():
        faults.append(f"{event}: {int(outside.sum())} rows have a code outside 0..{len(labels)}; "
                      "name every cause in causes")
    return codes, None, labels


def _has_numbers(column):
    return isinstance(column.dtype, pd.CategoricalDtype) and \
        pd.api.types.is_numeric_dtype(column.cat.categories.dtype)


def _refuse_no_event(labels, name, faults):
    """A label such as "0" would make an event of everybody who had none."""
    odd = sorted(NO_LABEL & labels)
    if odd:
        faults.append(f"{name}: the label {' and '.join(map(repr, odd))} looks as if it stood for no event; "
                      "give numbers or a missing value there, or name every cause in causes")


def _labels(*columns):
    """Name the labels that occur, sorted, or in the order of their category."""
    if isinstance(columns[0].dtype, pd.CategoricalDtype):
        return tuple(map(str, columns[0].cat.categories))
    return tuple(sorted({_text(label) for column in columns for label in column.dropna().unique()}))


def _text(label):
    """Whole numbers are named alike, whether a missing value beside them made them floats or not."""
    return str(int(label)) if isinstance(label, float) and label.is_integer() else str(label)


def _state_codes(entered, occupied, causes, faults, event, state):
    here, next_one = occupied.astype(object), entered.astype(object)
    labels = _labels(here, next_one) if causes is None else causes
    if causes is None:
        _refuse_no_event(set(_labels(next_one)) - set(_labels(here)), event, faults)
    states = _label_codes(occupied, labels, state, faults)
    if occupied.isna().any():
        faults.append(f"{state}: {int(occupied.isna().sum())} rows name no state")
    return _label_codes(entered, labels, event, faults), states, labels


def _label_codes(column, labels, name, faults):
    found, levels = pd.factorize(column)
    known = pd.Index(labels, dtype=object).get_indexer([_text(level) for level in levels]) + 1
    codes = np.append(known.astype(np.int64), 0)[found]
    unknown = (codes == 0) & (found >= 0)
    if unknown.any():
        faults.append(f"{name}: {int(unknown.sum())} rows have a label that causes does not name; "
                      "name it there, or give a missing value where there was no event")
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
            category = column.astype("category").cat.remove_unused_categories()
            if len(category.cat.categories) < 2:
                faults.append(f"{name}: the same in all {len(column)} rows; "
                              "a constant covariate explains nothing")
            for k, level in enumerate(category.cat.categories[1:], start=1):
                columns.append((category.cat.codes == k).to_numpy(float))
                terms.append(f"{name}[{level}]")
        else:
            columns.append(sized(column, name, faults, COVARIATES))
            terms.append(str(name))
    again = len(terms) - len(set(terms))
    if again:
        faults.append(f"covariates: {again} terms stand twice; name each column once, and no column like the "
                      "level of another")
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
    if len(set(labels)) < len(labels):
        faults.append(f"{', '.join(map(str, columns))}: {len(labels) - len(set(labels))} strata are named "
                      "like another; rename their levels")
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
