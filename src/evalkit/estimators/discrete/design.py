"""The plan of a fit: covariate patterns, cells of time with their terms, which levels can be estimated."""

from dataclasses import dataclass, replace

import numpy as np

from evalkit.errors import EstimationError
from evalkit.estimators._counting import total
from evalkit.estimators.discrete.cells import (
    Cells,
    Spans,
    number_rows,
    rows_touching,
    spans_of,
    time_at_risk,
)
from evalkit.estimators.discrete.time_terms import TimeTerms, month_of_year, period_of, strata_present

# A baseline with more terms than this has no dense information matrix worth inverting.
MAX_TERMS = 3000


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Design:
    """Everything a pass over the data reads.

    ``x`` (n_patterns, p) holds centred and scaled covariates, ``z`` (n_cells, q) the terms of time of each
    cell of time, ``time`` and ``events`` what was counted in it. ``group`` is each row's pattern and onset
    (stratum and calendar week of time zero); ``pattern``, ``onset`` say which. ``cell_of[onset, piece]``
    numbers the cells of time.
    """

    times: TimeTerms
    spans: Spans
    cells: Cells
    x: np.ndarray
    z: np.ndarray
    mean: np.ndarray
    scale: np.ndarray
    group: np.ndarray
    pattern: np.ndarray
    onset: np.ndarray
    cell_of: np.ndarray
    time: np.ndarray
    events: np.ndarray


def design_of(at_risk, is_event, times, *, is_share, keep_empty):
    """Count time and events in every cell of time and decide which terms can be estimated.

    ``is_share`` says that time is counted in trials (a level in which everybody leaves has no finite
    estimate either); ``keep_empty`` leaves levels without events in, to be refused by name.
    """
    stratum = strata_present(at_risk)[1]
    start = at_risk.calendar if times.reads_calendar else np.zeros(at_risk.n_rows, dtype=np.int64)
    onset, example = number_rows([stratum, start], at_risk.n_rows)
    spans, weight = spans_of(at_risk, _edges(times)), at_risk.row_weights
    tally = _tally(spans, onset, weight, is_event, len(example))
    if not keep_empty:
        times = replace(times, has_level=_estimable(times, spans, stratum[example], tally, is_share))
    cell_of, times, z, example_of = _cells_of_time(times, spans, stratum[example], start[example], tally)
    time, events = (total(cell_of[cell_of >= 0], value[cell_of >= 0], len(z)) for value in tally[:2])
    group, pattern, onset_of_group, x, mean, scale = _patterns(at_risk, onset)
    cells = Cells(spans, weight, is_event, group, pattern, onset_of_group, cell_of)
    design = Design(times=times, spans=spans, cells=cells, x=x, z=z, mean=mean, scale=scale, group=group,
                    pattern=pattern, onset=onset_of_group, cell_of=cell_of, time=time, events=events)
    _require_events(design, example_of, is_share)
    return design


def _edges(times):
    """Return the edges of the pieces: whole weeks where the terms change weekly."""
    if times.reads_calendar or times.duration == "spline":
        return np.arange(times.breaks[-1] + 1)
    return times.breaks


def _tally(spans, onset, weight, is_event, n_onsets):
    """Return time, events and whether anybody was there, by onset and piece."""
    died = np.flatnonzero(is_event)
    events = total(onset[died] * spans.n_pieces + spans.last[died], weight[died], n_onsets * spans.n_pieces)
    return (time_at_risk(spans, onset, weight, n_onsets), events.reshape(n_onsets, -1),
            rows_touching(spans, onset, n_onsets) > 0)


def _estimable(times, spans, stratum, tally, is_share):
    """Return which levels of which strata can be estimated: with events (and, of shares, who stays)."""
    if times.duration != "levels":
        return times.has_level
    n_levels = times.has_level.shape[1]
    key = stratum[:, None] * n_levels + times.level_of(spans.edges[1:])
    time, events = (total(key.ravel(), value.ravel(), times.has_level.size).reshape(times.has_level.shape)
                    for value in tally[:2])
    return (events > 0) & ((events < time * (1 - 1e-12)) | (not is_share))


def _cells_of_time(times, spans, stratum, start, tally):
    """Number the cells of time that are used; return the completed terms of time and the cells' terms."""
    at, piece = np.nonzero(tally[2])
    week = spans.edges[piece + 1]
    if times.duration == "levels":
        is_kept = times.has_level[stratum[at], times.level_of(week)]
        at, piece, week = at[is_kept], piece[is_kept], week[is_kept]
    if not len(at):
        raise EstimationError("duration: in every week with an event everybody at risk leaves (or nobody "
                              "does), so no hazard lies between 0 and 1. Give wider steps: {'breaks': [...]}")
    calendar_week = start[at] + week.astype(np.int64) - 1
    periods = np.unique(period_of(calendar_week, times.calendar)) if times.calendar else times.periods
    months = np.unique(month_of_year(calendar_week)) if times.season == "month" else times.months
    times = replace(times, periods=periods, months=months)
    _require_few(times)
    code, example = number_rows(times.key(stratum[at], week, calendar_week), len(at))
    cell_of = np.full(tally[2].shape, -1, dtype=np.int64)
    cell_of[at, piece] = code
    z = times.design(stratum[at][example], week[example], calendar_week[example])
    return cell_of, times, z, calendar_week[example]


def _require_few(times):
    n_terms = len(times.columns())
    if n_terms > MAX_TERMS:
        raise EstimationError(f"{n_terms} terms of time ({len(times.groups)} strata), at most {MAX_TERMS}; "
                              "give wider steps of duration, or use cox, whose baseline hazards cost nothing")


def _patterns(at_risk, onset):
    """Number the patterns of covariates and the groups (pattern, onset); scale the patterns' covariates."""
    x, weight = at_risk.covariates, at_risk.row_weights
    mean = np.average(x, axis=0, weights=weight)
    scale = np.sqrt(np.average((x - mean) ** 2, axis=0, weights=weight))
    _require_variation(at_risk.terms, mean, scale)
    code, example = number_rows(list(x.T), at_risk.n_rows)
    group, first = number_rows([code, onset], at_risk.n_rows)
    # Groups of one pattern lie side by side, so that parts of the data merge into few cells.
    order = np.argsort(code[first], kind="stable")
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    first = first[order]
    return place[group], code[first], onset[first], (x[example] - mean) / scale, mean, scale


def _require_variation(terms, mean, scale):
    flat = scale <= 1e-13 * np.abs(mean)
    if flat.any():
        names = ", ".join(term for term, bad in zip(terms, flat, strict=True) if bad)
        raise EstimationError(f"{names}: constant in all rows; leave out")


def _require_events(design, calendar_week, is_share):
    """Refuse, by name, levels of time in which nobody (or everybody) has the event."""
    times = design.times
    levels = [(name if not group else f"{name} of {group}", design.z[:, k] != 0)
              for k, (name, group, is_level) in enumerate(times.columns()) if is_level]
    if times.calendar:
        period = period_of(calendar_week, times.calendar)
        names = [term for term, _, _ in times.columns() if term.startswith("calendar[")]
        names = ["the first calendar period", *names]
        levels += [(name, period == p) for name, p in zip(names, times.periods, strict=True)]
    if times.season == "month":
        month = month_of_year(calendar_week)
        levels += [(f"season[{m + 1:02d}]", month == m) for m in times.months]
    sums = [(name, design.time[where].sum(), design.events[where].sum()) for name, where in levels]
    empty = [f"{name} ({time:g} weeks at risk)" for name, time, events in sums if events == 0]
    full = [name for name, time, events in sums if is_share and events >= time > 0]
    if empty:
        raise EstimationError(f"no event in {', '.join(empty)}, so the hazard there is 0 and has no finite "
                              "term. Give wider steps, join periods, or end the follow-up before")
    if full:
        raise EstimationError(f"everybody at risk leaves in {', '.join(full)}, so the hazard there is 1 and "
                              "has no finite term. Give wider steps")
