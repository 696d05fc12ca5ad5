"""From benefit rows to weeks in one state, from weeks to spells, from spells to episodes.

A register delivers runs of weeks per benefit code. They overlap, a code means different things in
different years, a fully sanctioned week is missing, and a change of municipality or of age group
starts a new row. What an evaluation asks about is none of that: it asks in which one state a person
was in each week, and for how long without interruption. So every person's weeks are painted on a
grid, the state of the highest rank last, and the runs are read off again: rows that only differ in
an attribute become one spell because neighbouring weeks carry the same colour.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from evalkit.cohort.lookup import expand, week_intervals
from evalkit.errors import CohortError
from evalkit.weeks import week_of

# Persons painted at a time: 522 weeks of 20,000 persons are 10 MB.
_BLOCK = 20_000


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Spells:
    """Unbroken runs of weeks in one state, one state a week.

    Attributes
    ----------
    frame : DataFrame
        ``person_id``, ``state`` (category), ``start_week``, ``end_week`` (half-open), sorted by
        person and start, never overlapping. A week without any benefit is in no spell.
    first_week, end_week : int
        The weeks that the register covers, half-open.
    support : tuple of str
        States that count as support (``is_support`` of the code list).
    roles : mapping of str to str
        Role of each state: support, employment, education, exit, none.
    """

    frame: pd.DataFrame
    first_week: int
    end_week: int
    support: tuple[str, ...]
    roles: Mapping[str, str]

    def with_role(self, role):
        """Return the states of one role, in the code list's order."""
        return tuple(state for state, held in self.roles.items() if held == role)


def spells(tables):
    """Pick one state a week and return each person's unbroken runs of weeks.

    Parameters
    ----------
    tables : Tables
        ``benefit``, the code lists, and ``sanction`` where it is delivered: a week without benefit that a
        sanction covers belongs to the spell that it interrupts.

    Returns
    -------
    Spells

    Raises
    ------
    CohortError
        If no benefit week lies inside the data's weeks, or a code has no state.

    Notes
    -----
    Among overlapping benefits the state with the lowest ``priority`` number holds the week. A week counts
    as supported when one day of it is, as in DREAM.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> benefit = pd.DataFrame({"person_id": ["a", "a"], "code": ["1", "1"],
    ...     "start": pd.to_datetime(["2015-12-28", "2016-01-04"]),
    ...     "end": pd.to_datetime(["2016-01-04", "2016-01-11"])})
    >>> codes = pd.DataFrame({"code": ["1"], "valid_from": ["1991-01-01"], "valid_to": [None],
    ...                       "state": ["LEAVE"]})
    >>> states = pd.DataFrame({"state": ["LEAVE"], "is_support": [True], "role": ["support"],
    ...                        "priority": [1]})
    >>> class Few(dict):
    ...     has = dict.__contains__
    >>> few = Few(benefit=benefit)
    >>> few.codes, few.states, few.data_from, few.data_through = codes, states, "2015-12-07", "2016-01-31"
    >>> spells(few).frame.to_dict("records")
    [{'person_id': 'a', 'state': 'LEAVE', 'start_week': 1356, 'end_week': 1358}]
    """
    first = week_of(tables.data_from)
    end = week_of(np.datetime64(tables.data_through, "D") + np.timedelta64(1, "D"))
    states = _ranked_states(tables.states)
    rows = _inside(_coded(tables, states), first, end)
    if rows.empty:
        raise CohortError("table benefit: no week of benefit lies inside the data's own weeks; "
                          "look at data_from and data_through of the delivery and at the dates of benefit")
    person, ids = pd.factorize(rows["person_id"], sort=True)
    sanctions = _sanctions(tables, ids, first, end)
    painted = [_read_block(lo, rows, person, sanctions, states, first, end)
               for lo in range(0, len(ids), _BLOCK)]
    frame = _as_frame(np.concatenate(painted), ids, states)
    return Spells(
        frame=frame,
        first_week=first,
        end_week=end,
        support=tuple(states.index[states["is_support"]]),
        roles=dict(zip(states.index, states["role"], strict=True)),
    )


def bridge(spells, *, max_gap_weeks, states=None):
    """Fill gaps of at most ``max_gap_weeks`` weeks between two spells of ``states``.

    Parameters
    ----------
    spells : Spells
    max_gap_weeks : int
        Longest gap filled, with the state before it. The sensitivity of every duration to this number is
        shown.
    states : sequence of str, optional
        Default: all support states.

    Returns
    -------
    Spells
    """
    frame = spells.frame
    inside = frame["state"].isin(spells.support if states is None else states).to_numpy()
    person = pd.factorize(frame["person_id"])[0]
    start, end = frame["start_week"].to_numpy(), frame["end_week"].to_numpy().copy()
    follows = (person[1:] == person[:-1]) & inside[1:] & inside[:-1] & (start[1:] - end[:-1] <= max_gap_weeks)
    end[:-1][follows] = start[1:][follows]
    code = frame["state"].cat.codes.to_numpy()
    joined = follows & (code[1:] == code[:-1])
    first = np.flatnonzero(np.r_[True, ~joined])[:len(frame)]
    merged = frame.iloc[first].assign(end_week=end[np.r_[first[1:] - 1, len(frame) - 1]][:len(first)])
    return replace(spells, frame=merged.reset_index(drop=True))


def episodes(spells, states, *, max_gap_weeks):
    """Join spells of a set of states over short gaps.

    Parameters
    ----------
    spells : Spells
    states : sequence of str
        The states that count as one thing. All benefits of one system belong here together: a person whose
        benefit is renamed has one episode.
    max_gap_weeks : int
        Longest gap joined.

    Returns
    -------
    DataFrame
        ``person_id``, ``episode_id`` (0, 1, ... within a person), ``start_week``, ``end_week`` (half-open),
        ``n_weeks`` (weeks in the states, gaps not counted), ``first_state``, ``is_left_truncated`` (it began
        before the data do: its start was not observed) and ``is_open`` (it had not ended at the data's end).
    """
    frame = spells.frame[spells.frame["state"].isin(states)]
    person = pd.factorize(frame["person_id"])[0]
    start, end = frame["start_week"].to_numpy(), frame["end_week"].to_numpy()
    new = np.r_[True, (person[1:] != person[:-1]) | (start[1:] - end[:-1] > max_gap_weeks)][:len(frame)]
    first = np.flatnonzero(new)
    last = np.r_[first[1:] - 1, len(frame) - 1][:len(first)]
    weeks = np.add.reduceat(end - start, first) if len(first) else np.zeros(0, dtype=np.int64)
    out = pd.DataFrame({
        "person_id": frame["person_id"].to_numpy()[first], "episode_id": 0,
        "start_week": start[first], "end_week": end[last], "n_weeks": weeks,
        "first_state": frame["state"].astype(object).to_numpy()[first],
        "is_left_truncated": start[first] <= spells.first_week, "is_open": end[last] >= spells.end_week})
    out["episode_id"] = out.groupby("person_id").cumcount()
    return out


def _ranked_states(states):
    """Return the state list indexed by state, the ones that win a week last."""
    listed = states.drop_duplicates("state").set_index("state")
    support = listed["is_support"].astype(str).str.lower().isin(("true", "1"))
    ranked = pd.DataFrame({"is_support": support, "role": listed["role"].astype(str),
                           "priority": listed["priority"].astype(float)})
    return ranked.sort_index().sort_values("priority", ascending=False, kind="stable")


def _coded(tables, states):
    """Return benefit rows with their state's rank, each row cut where its code changes meaning."""
    rows = tables["benefit"][["person_id", "code", "start", "end"]]
    codes = _code_list(tables.codes)
    found = rows.merge(codes, on="code", how="left")
    if found["state"].isna().any():
        raise CohortError(
            f"table benefit: {int(found['state'].isna().sum())} rows have a code that no code list in "
            "data_schema/codes names; add the code with its state and its dates"
        )
    weeks = week_intervals(found)
    valid_to = np.where(
        found["valid_to"].isna(), np.iinfo(np.int32).max, _weeks_or_zero(found["valid_to"]) + 1
    )
    weeks["start_week"] = np.maximum(weeks["start_week"], _weeks_or_zero(found["valid_from"]))
    weeks["end_week"] = np.minimum(weeks["end_week"], valid_to)
    rank = pd.Series(np.arange(1, len(states) + 1), index=states.index)
    weeks["rank"] = found["state"].map(rank).fillna(0).astype(np.int64)
    return weeks[weeks["rank"] > 0]


def _code_list(codes):
    """Return all code lists as one: DREAM's numbers and the benefits' names never meet."""
    lists = list(codes.values()) if isinstance(codes, Mapping) else [codes]
    columns = ["code", "valid_from", "valid_to", "state"]
    lists = [frame[columns].astype({"code": str}) for frame in lists if set(columns) <= set(frame.columns)]
    return pd.concat(lists, ignore_index=True).drop_duplicates()


def _weeks_or_zero(dates):
    filled = pd.to_datetime(dates).fillna(pd.Timestamp("1990-01-01"))
    return week_of(filled)


def _inside(rows, first, end):
    clipped = rows.assign(
        start_week=rows["start_week"].clip(lower=first), end_week=rows["end_week"].clip(upper=end)
    )
    return clipped[clipped["start_week"] < clipped["end_week"]]


def _sanctions(tables, ids, first, end):
    """Return person number, start and end week of the sanctions of persons who have benefit."""
    if not tables.has("sanction") or len(tables["sanction"]) == 0:
        return np.zeros((0, 3), dtype=np.int64)
    rows = _inside(week_intervals(tables["sanction"]), first, end)
    person = pd.Index(ids).get_indexer(rows["person_id"])
    return np.column_stack([person, rows["start_week"], rows["end_week"]])[person >= 0]


def _read_block(lo, rows, person, sanctions, states, first, end):
    """Paint one block of persons and read its runs: person, rank, start, end."""
    width, n = end - first, min(_BLOCK, person.max() + 1 - lo)
    mine = (person >= lo) & (person < lo + n)
    block = rows[mine].assign(row=person[mine] - lo)
    block = block.sort_values("rank", kind="stable")
    grid = np.zeros(n * width, dtype=np.int8)
    start, stop = block["start_week"].to_numpy() - first, block["end_week"].to_numpy() - first
    cell, source = expand(block["row"].to_numpy() * width + start, stop - start)
    grid[cell] = block["rank"].to_numpy(dtype=np.int8)[source]
    grid = grid.reshape(n, width)
    held = sanctions[(sanctions[:, 0] >= lo) & (sanctions[:, 0] < lo + n)] - [lo, first, first]
    if len(held):
        _fill_sanctions(grid, held, np.r_[False, states["is_support"].to_numpy()])
    return _runs(grid) + [lo, 0, first, first]


def _fill_sanctions(grid, sanctions, is_support):
    """Let a sanctioned week without benefit belong to the support that it interrupts, in place."""
    persons, row = np.unique(sanctions[:, 0], return_inverse=True)
    part = grid[persons]
    width = part.shape[1]
    cell, _ = expand(row * width + sanctions[:, 1], sanctions[:, 2] - sanctions[:, 1])
    empty = np.zeros(part.size, dtype=bool)
    empty[cell] = True
    empty = empty.reshape(part.shape) & (part == 0)
    last = np.maximum.accumulate(np.where(empty, 0, np.arange(width)), axis=1)
    before = np.take_along_axis(part, last, axis=1)
    grid[persons] = np.where(empty & is_support[before], before, part)


def _runs(grid):
    """Return (row, value, start, end) of every run of one value above zero."""
    width = grid.shape[1]
    begins = np.ones(grid.shape, dtype=bool)
    begins[:, 1:] = grid[:, 1:] != grid[:, :-1]
    at = np.flatnonzero(begins)
    value = grid.ravel()[at]
    ends = np.r_[at[1:], grid.size][:len(at)]
    runs = np.column_stack([at // width, value, at % width, ends - (at // width) * width])
    return runs[value > 0]


def _as_frame(runs, ids, states):
    state = pd.Categorical.from_codes(runs[:, 1] - 1, categories=list(states.index))
    return pd.DataFrame({"person_id": np.asarray(ids, dtype=object)[runs[:, 0]], "state": state,
                         "start_week": runs[:, 2], "end_week": runs[:, 3]})
