"""The way from screening to progression: who passes each gate, and how long it takes."""

import datetime as dt

import numpy as np
import pandas as pd

from evalkit.atrisk import AtRisk
from evalkit.estimators import kaplan_meier
from evalkit.evaluations.facts import needs, origin, shares
from evalkit.result import Estimand, Result, tidy


@needs("screening", "process")
def funnel(tables, study, site):
    """Share of the screened persons who passed each gate, of all and of those at the gate before (S19).

    Returns
    -------
    Result
        Kind share: ``term`` the gate; ``group`` ``of_screened`` or ``of_previous``; the numerator is
        ``n_events``.

    Notes
    -----
    A person's first screening since the programme began counts. A gate is passed when its date is on or after
    that of the gate before; a later gate without the earlier one does not count and is told in the
    diagnostics. Persons screened late have had less time: `gate_times` takes that into account.
    """
    gates = gate_dates(tables, study, site)
    passed = gates.notna()
    n = passed.sum()
    names = list(gates.columns)
    rows = [(name, "of_screened", int(n[name]), int(n[names[0]])) for name in names[1:]]
    rows += [
        (name, "of_previous", int(n[name]), int(n[before]))
        for before, name in zip(names[:-1], names[1:], strict=True)
    ]
    skipped = _skipped(tables, study, gates)
    return shares(
        "funnel",
        rows,
        provenance=origin(tables, study, ("screening", "process")),
        n_screened=len(gates),
        n_skipped_gate=skipped,
        estimand=Estimand(
            name="funnel", population="screened_since_start", outcome="gates", unit="share", summary="counted"
        ),
    )


@needs("screening", "process")
def waits(tables, study, site):
    """Share still at each gate by weeks since they reached it.

    Returns
    -------
    Result
        Kind curve (Kaplan-Meier): ``group`` is the gate waited for. Persons are followed to the end of the
        data; whoever leaves support without passing stays among those who have not passed.
    """
    curve = kaplan_meier(_waiting(tables, study, site))
    names = dict(enumerate(list(gate_dates(tables, study, site).columns)[1:]))
    table = curve.table.assign(term="waiting", group=curve.table["group"].map(lambda code: names[int(code)]))
    estimand = Estimand(
        name="waits", population="screened_since_start", outcome="gates", summary="survival", unit="share"
    )
    return Result(kind="curve", estimand=estimand, table=table, model=curve.model,
                  provenance=origin(tables, study, ("screening", "process"), method="kaplan_meier"))


@needs("screening", "process")
def gate_times(tables, study, site):
    """Share that passed the next gate within the study's weeks, those followed shorter taken into account.

    Returns
    -------
    Result
        Kind share: ``term`` the gate, ``group`` ``within_<k>`` weeks. The estimate is one minus
        Kaplan-Meier, ``n_persons`` those who reached the gate before, ``n_events`` who passed by then.
    """
    curve = waits(tables, study, site)
    rows = []
    for gate, steps in curve.table.groupby("group", sort=False):
        for weeks in study.gate_weeks:
            until = steps[steps["time_weeks"] <= weeks]
            last = until.iloc[-1]
            rows.append(
                (
                    gate,
                    f"within_{weeks}",
                    1 - last["estimate"],
                    last["std_error"],
                    1 - last["conf_high"],
                    1 - last["conf_low"],
                    steps["n_persons"].iloc[0],
                    until["n_events"].sum(),
                )
            )
    columns = ("term", "group", "estimate", "std_error", "conf_low", "conf_high", "n_persons", "n_events")
    table = tidy(**dict(zip(columns, zip(*rows, strict=True), strict=True)))
    estimand = Estimand(name="gate_times", population="screened_since_start", outcome="gates", unit="share",
                        summary="passed_within")
    return Result(kind="share", estimand=estimand, table=table, provenance=curve.provenance)


def gate_dates(tables, study, site):
    """Return each screened person's date at every gate passed in order, missing from the first not passed.

    Returns
    -------
    DataFrame
        Index ``person_id``; columns ``SCREENED``, ``AT_RISK``, the study's steps, and ``PROGRESS`` where
        progression is measured.
    """
    screening = tables["screening"]
    screening = screening[screening["date"] >= pd.Timestamp(site.programme_start)]
    first = screening.sort_values("date", kind="stable").drop_duplicates("person_id").set_index("person_id")
    gates = pd.DataFrame({"SCREENED": first["date"]})
    # A person found at low risk first and at moderate or high risk later is at risk from then on.
    gates["AT_RISK"] = _first_after(screening[screening["risk"].isin(study.risk_levels)], gates["SCREENED"])
    for step in study.steps:
        dates = tables["process"][tables["process"]["step"] == step]
        gates[step] = _first_after(dates, gates.iloc[:, -1])
    if tables.has("progress"):
        # The first measurement is the start; progression is seen from the second on.
        later = tables["progress"]
        gates["PROGRESS"] = _first_after(later, gates.iloc[:, -1] + dt.timedelta(days=1))
    return gates


def _first_after(dates, earliest):
    """Return each person's first date that is not before their date at the previous gate."""
    since = dates["person_id"].map(earliest)
    valid = dates[dates["date"] >= since]
    return valid.groupby("person_id")["date"].min().reindex(earliest.index)


def _skipped(tables, study, gates):
    """Count screened persons with a later step that has no earlier one before it."""
    steps = tables["process"]
    later = steps[steps["step"] == study.steps[-1]]["person_id"].unique()
    return int((gates.index.isin(later) & gates[study.steps[-1]].isna()).sum())


def _waiting(tables, study, site):
    gates = gate_dates(tables, study, site)
    names = list(gates.columns)
    end = pd.Timestamp(tables.data_through) + dt.timedelta(days=1)
    # Twice the longest period told is enough to see where a curve flattens out.
    horizon, parts = 2 * max(study.gate_weeks), []
    for number, (before, name) in enumerate(zip(names[:-1], names[1:], strict=True)):
        if name == "AT_RISK":
            continue
        reached = gates[gates[before].notna()]
        passed = reached[name].notna()
        days = (reached[name].fillna(end) - reached[before]).dt.days
        # A week begun counts as a week: whoever passes within seven days has waited one.
        weeks = np.floor(days.clip(lower=0) / 7) + 1
        late = weeks > horizon
        parts.append(pd.DataFrame({"person": reached.index, "weeks": weeks.clip(upper=horizon),
                                   "passed": (passed & ~late).to_numpy(dtype=int), "gate": number}))
    rows = pd.concat(parts, ignore_index=True)
    return AtRisk.from_frame(
        rows, exit="weeks", event="passed", person="person", episode="gate", strata="gate"
    )
