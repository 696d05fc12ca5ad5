"""From a cohort to `AtRisk`: how long until self-sufficiency, and which states, week by week.

Both functions look ahead: whether a week without benefit begins self-sufficiency is only known
``sustain_weeks`` - 1 weeks later. Follow-up therefore ends that many weeks before the data, for everybody,
or persons who leave support in the last weeks would be counted by another rule than the rest.
"""

import numpy as np
import pandas as pd

from evalkit.atrisk import AtRisk
from evalkit.cohort.exposures import split
from evalkit.cohort.lookup import expand, week_intervals
from evalkit.cohort.timeline import state_runs
from evalkit.errors import CohortError
from evalkit.weeks import week_of

# A closure belongs to the end of benefit nearest to it; case systems close up to a month late.
_CLOSURE_WEEKS = 4


def to_exit(cohort, spells, *, sustain_weeks=4, competing=None, horizon_weeks=None, tables=None,
            moved="ignore", covariates=(), strata=(), cluster=None, exposures=None):
    """Follow each person until the first sustained week without benefit, or another exit.

    Parameters
    ----------
    cohort : Cohort
    spells : Spells
    sustain_weeks : int
        Self-sufficiency begins with the first of at least this many consecutive weeks without benefit.
    competing : sequence of str, optional
        States whose first week is an exit of its own kind; states of ordinary education share the kind
        EDUCATION. Default: all with role education or exit in the code list. Any other state keeps the
        person at risk: disability pension and flex job are support.
    horizon_weeks : int, optional
        End of follow-up since time zero.
    tables : Tables, optional
        With ``closure``, an end of benefit with reason ``RULE_225H`` is ``CLOSED_BY_RULE``; without it
        closures by rule cannot be told from self-sufficiency and are among them. With ``residence``,
        ``moved`` works.
    moved : {"ignore", "censor", "compete"}
        What a move out of the municipality of time zero is. Default: nothing (intention to treat).
    covariates, strata : sequence of str
        Columns of the cohort.
    cluster : str, optional
        Column of the cohort.
    exposures : mapping of str to DataFrame, optional
        From `evalkit.cohort.exposures`: rows are split where an exposure changes, and ``name[during]``
        and ``name[after]`` become covariates.

    Returns
    -------
    AtRisk
        Causes: SELF_SUFFICIENT, CLOSED_BY_RULE, the competing states, and MOVED.

    Raises
    ------
    CohortError
        If somebody is in no spell at time zero, or nobody can be followed for a week.

    Notes
    -----
    ``exit`` is the number of weeks from time zero to the Monday of the first self-sufficient week; the last
    supported week is inside the interval. A gap that a state named in ``competing`` ends before
    ``sustain_weeks`` weeks have passed is that exit, not self-sufficiency.
    """
    frame = cohort.frame.reset_index(drop=True)
    last = spells.end_week - sustain_weeks
    if horizon_weeks is not None:
        last = np.minimum(last, frame["time_zero_week"] + horizon_weeks)
    kinds = _kinds(spells, competing)
    exits = [_support_ends(frame, spells, sustain_weeks, tables), _enters(frame, spells, kinds)]
    causes = list(dict.fromkeys(["SELF_SUFFICIENT", "CLOSED_BY_RULE", *kinds.values(), "MOVED"]))
    if moved != "ignore":
        exits.append(_moves(frame, tables).assign(cause="MOVED" if moved == "compete" else None))
    return _at_risk(_first(frame, pd.concat(exits, ignore_index=True), last), causes,
                    covariates, strata, cluster, exposures)


def states(
    cohort,
    spells,
    *,
    sustain_weeks=4,
    horizon_weeks=None,
    income=None,
    covariates=(),
    strata=(),
    cluster=None,
):
    """Follow each person through support, self-sufficiency or job, education and back.

    Parameters
    ----------
    cohort, spells, sustain_weeks, horizon_weeks, covariates, strata, cluster
        As in `to_exit`.
    income : DataFrame, optional
        Table ``income_month``. With it, a self-sufficient week in a month with wage income is EMPLOYED;
        without it job cannot be told from other ways of doing without benefit.

    Returns
    -------
    AtRisk
        ``state`` occupied and state entered; causes: SUPPORT, SELF_SUFFICIENT, EMPLOYED, EDUCATION,
        RETIREMENT, DEATH, OTHER. Returns to support are transitions like any other.
    """
    runs = state_runs(cohort, spells, sustain_weeks=sustain_weeks, horizon_weeks=horizon_weeks, income=income)
    frame = cohort.frame.reset_index(drop=True)
    wanted = [*covariates, *_listed(strata), *_listed(cluster)]
    rows = frame.loc[runs["row"], ["person_id", "time_zero_week", *_new(wanted)]].reset_index(drop=True)
    rows = rows.assign(
        entry=runs["entry"].to_numpy(),
        exit=runs["exit"].to_numpy(),
        episode=runs["row"].to_numpy(),
        state=runs["state"].astype(object).to_numpy(),
        event=runs["entered"].astype(object).to_numpy(),
    )
    return _table(rows, state="state", strata=strata, cluster=cluster, covariates=covariates,
                  causes=list(runs["state"].cat.categories))


def _table(rows, *, strata, **columns):
    """Hand over rows that are named as both ways of following name them."""
    return AtRisk.from_frame(rows, exit="exit", event="event", entry="entry", person="person_id",
                             episode="episode", calendar="time_zero_week", strata=_listed(strata) or None,
                             **columns)


def _listed(value):
    return [] if value is None else [value] if isinstance(value, str) else list(value)


def _new(columns):
    return [name for name in dict.fromkeys(columns) if name not in ("person_id", "time_zero_week")]


def _pairs(frame, person_id):
    """Return every pair (row of ``frame``, row of a table sorted by person) of one person."""
    ids, at = np.unique(np.asarray(person_id, dtype=object).astype(str), return_index=True)
    size = np.diff(np.r_[at, len(person_id)])
    own = pd.Index(ids).get_indexer(frame["person_id"].astype(str))
    known = np.flatnonzero(own >= 0)
    other, source = expand(at[own[known]], size[own[known]])
    return known[source], other


def _support_ends(frame, spells, sustain_weeks, tables):
    """Return the ends of benefit after time zero that are followed by enough weeks without any."""
    held = spells.frame
    start, end = held["start_week"].to_numpy(), held["end_week"].to_numpy()
    codes = pd.factorize(held["person_id"])[0]
    following = np.r_[np.where(codes[1:] == codes[:-1], start[1:], spells.end_week), spells.end_week][
        : len(held)
    ]
    row, spell = _pairs(frame, held["person_id"])
    zero = frame["time_zero_week"].to_numpy()[row]
    _check_in_spell(frame, row[(start[spell] <= zero) & (zero < end[spell])])
    leaves = (end[spell] > zero) & (following[spell] - end[spell] >= sustain_weeks)
    found = pd.DataFrame({"row": row[leaves], "week": end[spell[leaves]], "cause": "SELF_SUFFICIENT"})
    return _closed_by_rule(found, frame, tables)


def _check_in_spell(frame, rows):
    n_outside = len(frame) - len(np.unique(rows))
    if n_outside:
        raise CohortError(f"follow-up: {n_outside} of {len(frame)} cohort rows are in no spell at time zero; "
                          "time to exit is counted from a week on benefit")


def _closed_by_rule(found, frame, tables):
    if tables is None or not tables.has("closure"):
        return found
    closure = tables["closure"]
    closure = closure[closure["reason"] == "RULE_225H"].sort_values("person_id", kind="stable")
    exits = frame.loc[found["row"], ["person_id"]].reset_index(drop=True)
    if closure.empty or exits.empty:
        return found
    at, other = _pairs(exits, closure["person_id"])
    near = np.abs(week_of(closure["date"])[other] - found["week"].to_numpy()[at]) <= _CLOSURE_WEEKS
    by_rule = np.isin(np.arange(len(found)), at[near])
    return found.assign(cause=np.where(by_rule, "CLOSED_BY_RULE", found["cause"]))


def _kinds(spells, competing):
    """Return the kind of exit of each competing state."""
    named = [*spells.with_role("education"), *spells.with_role("exit")] if competing is None else competing
    education = spells.with_role("education")
    return {state: "EDUCATION" if state in education else state for state in named}


def _enters(frame, spells, kinds):
    held = spells.frame[spells.frame["state"].isin(kinds)]
    row, spell = _pairs(frame, held["person_id"])
    week = held["start_week"].to_numpy()[spell]
    found = pd.DataFrame(
        {"row": row, "week": week, "cause": held["state"].astype(object).map(kinds).to_numpy()[spell]}
    )
    return found[week > frame["time_zero_week"].to_numpy()[row]]


def _moves(frame, tables):
    """Return the ends of residence in the municipality of time zero."""
    if tables is None or not tables.has("residence"):
        raise CohortError("follow-up: moves are asked for, and table residence is not delivered")
    lived = week_intervals(tables["residence"]).sort_values(["person_id", "start_week"], kind="stable")
    lived = lived.reset_index(drop=True)
    same = (
        lived["person_id"].eq(lived["person_id"].shift())
        & lived["municipality"].eq(lived["municipality"].shift())
        & lived["start_week"].le(lived["end_week"].shift())
    )
    stays = lived.assign(stay=(~same).cumsum()).groupby("stay", as_index=False).agg(
        person_id=("person_id", "first"), municipality=("municipality", "first"),
        start_week=("start_week", "first"), end_week=("end_week", "max"))
    row, stay = _pairs(frame, stays["person_id"])
    zero, home = frame["time_zero_week"].to_numpy()[row], frame["municipality"].to_numpy()[row]
    begins, ends = stays["start_week"].to_numpy()[stay], stays["end_week"].to_numpy()[stay]
    mine = (begins <= zero) & (zero < ends) & (stays["municipality"].to_numpy()[stay] == home)
    return pd.DataFrame({"row": row[mine], "week": ends[mine]})


def _first(frame, exits, last):
    """Return each cohort row with its first exit on or before its last week of follow-up."""
    last = np.broadcast_to(np.asarray(last), len(frame))
    exits = exits[exits["week"].to_numpy() <= last[exits["row"].to_numpy(dtype=np.int64)]]
    # A competing state that begins the very week in which support ends is where the person went.
    exits = exits.assign(later=exits["cause"].eq("SELF_SUFFICIENT"))
    first = exits.sort_values(["row", "week", "later"], kind="stable").drop_duplicates("row").set_index("row")
    week = first["week"].reindex(frame.index).to_numpy(dtype=float)
    exit_week = np.where(np.isnan(week), last, week)
    return frame.assign(
        entry=0.0, exit=exit_week - frame["time_zero_week"], event=first["cause"].reindex(frame.index)
    )


def _at_risk(rows, causes, covariates, strata, cluster, exposures):
    rows = rows[rows["exit"] > 0].assign(episode=np.flatnonzero(rows["exit"] > 0))
    if rows.empty:
        raise CohortError(
            "follow-up: nobody can be followed for a week; time zero lies at the end of the data"
        )
    terms = []
    if exposures:
        rows, terms = split(rows, exposures)
    rows = rows.assign(event=rows["event"].astype(object))
    return _table(rows, strata=strata, cluster=cluster, covariates=[*covariates, *terms], causes=causes)
