"""The main estimate beside its rivals: every design with its assumption, and the same under other choices."""

from dataclasses import replace

import numpy as np
import pandas as pd

from evalkit.errors import CohortError, EstimationError
from evalkit.estimators.municipality_changes import difference_of_changes, naive_contrasts
from evalkit.evaluations.answers import effect_estimand
from evalkit.evaluations.followed import follow_inflow
from evalkit.evaluations.gates import withheld
from evalkit.evaluations.mix import alike
from evalkit.result import Result, tidy

_PERSON_DESIGNS = ("did_shocks", "did_persons_only", "before_after", "treated_against_others")
_NUMBERS = ["estimate", "std_error", "conf_low", "conf_high", "p_value"]


def compare_designs(evidence, panel=None):
    """Put every design's estimate into one table.

    Parameters
    ----------
    evidence : Evidence
    panel : mapping of str to Result, optional
        What `evalkit.evaluations.panel.evaluate` answers; its effects are told in persons.

    Returns
    -------
    Result
        Kind ``model``; ``term`` is the design, ``group`` the outcome. ``before_after`` and
        ``treated_against_others`` are shortcuts shown to be seen through. ``estimand.assumptions`` has a key
        for each design. Where a gate failed the designs on persons are absent and named in the diagnostics.
    """
    followed, failed = evidence.followed, evidence.verdict.failed
    tables = [] if failed else [_person_rows(followed)]
    for name, result in (panel or {}).items():
        if not name.endswith(("_sensitivity", "_series")):
            tables.append(_panel_rows(name, result))
    tables = [table for table in tables if len(table)]
    unit = dict.fromkeys(_PERSON_DESIGNS, "weeks")
    estimand = effect_estimand(
        evidence, "designs", outcome="several", summary="difference", unit=unit, design="several"
    )
    if not tables:
        return withheld(failed or "missing_tables", kind="model", estimand=estimand,
                        missing=evidence.verdict.missing)
    table = pd.concat(tables, ignore_index=True)
    units = {term: unit.get(term, "persons") for term in dict.fromkeys(table["term"])}
    return Result(
        kind="model",
        table=table,
        provenance=_provenance(followed, panel, failed),
        estimand=replace(estimand, unit=units, assumptions=tuple(f"assumes_{term}" for term in units)),
        diagnostics={
            "withheld_designs": list(_PERSON_DESIGNS) if failed else [],
            "gate": failed,
            "n_persons": len(followed.people.frame),
            "horizon_weeks": followed.plan.horizon,
        },
    )


def sensitivity(evidence):
    """Repeat the main estimate under the other choices that the study names.

    Returns
    -------
    Result
        Kind ``model``: ``main``; ``bridge_weeks_k`` (gaps of up to k weeks count as support);
        ``washout_weeks_k``; ``same_mix`` (everybody weighted to the mix of the programme's persons);
        ``leave_one_out_low`` and ``_high`` (a comparison municipality left out, the two extremes). A choice
        under which nobody can be followed is absent.
    """
    estimand = effect_estimand(
        evidence, "weeks_on_support", outcome="weeks_in_support", summary="mean_difference", unit="weeks"
    )
    return evidence.estimate(
        lambda followed: _sensitivity(followed, estimand), kind="model", estimand=estimand
    )


def _person_rows(followed):
    changes = _support_changes(followed)
    contrast = difference_of_changes(changes, conf_level=followed.study.conf_level)
    naive = naive_contrasts(changes, conf_level=followed.study.conf_level)
    rows = [
        (contrast.estimate, contrast.std_error, contrast.conf_low, contrast.conf_high),
        (contrast.estimate, contrast.person_error, contrast.person_low, contrast.person_high),
        *naive.values(),
    ]
    values = np.array(rows)[:, :, 0]
    p_value = [contrast.p_value[0], *[np.nan] * (len(rows) - 1)]
    return tidy(term=list(_PERSON_DESIGNS), group="weeks_on_support", time_weeks=float(followed.plan.horizon),
                estimate=values[:, 0], std_error=values[:, 1], conf_low=values[:, 2], conf_high=values[:, 3],
                p_value=p_value, n_persons=float(changes.n_persons))


def _panel_rows(name, result):
    rows = result.table[result.table["term"] == "effect_persons"]
    return rows.assign(term="panel_" + rows["group"].astype(str), group=name)


def _provenance(followed, panel, failed):
    origin = followed.provenance("compare_designs")
    rests_on = [] if failed else [*origin.rests_on]
    for result in (panel or {}).values():
        rests_on += [name for name in result.provenance.rests_on if name not in rests_on]
    return replace(origin, rests_on=tuple(rests_on))


def _sensitivity(followed, estimand):
    tables = [_row("main", followed)]
    for name, other in _others(followed):
        try:
            tables.append(_row(name, other()))
        except (CohortError, EstimationError):
            continue
    tables.append(_same_mix(followed))
    table = pd.concat([*tables, _leave_one_out(followed)], ignore_index=True)
    return Result(
        kind="model",
        table=table,
        estimand=estimand,
        provenance=followed.provenance("sensitivity"),
        diagnostics={
            "n_persons": len(followed.people.frame),
            "n_comparisons": len(followed.comparisons),
            "horizon_weeks": followed.plan.horizon,
            "lowest": float(table["estimate"].min()),
            "highest": float(table["estimate"].max()),
        },
    )


def _others(followed):
    """Yield each other choice with a way to follow the persons under it."""
    study = followed.study
    for weeks in study.sensitivity.bridge_weeks:
        # A gap folds back into support when it is shorter than what makes somebody self-sufficient.
        yield f"bridge_weeks_{weeks}", lambda weeks=weeks: replace(
            followed, study=replace(study, sustain_weeks=weeks + 1))
    for weeks in study.sensitivity.washout_weeks:
        yield f"washout_weeks_{weeks}", lambda weeks=weeks: follow_inflow(
            followed.tables, followed.spells, replace(study, washout_weeks=weeks), followed.site)


def _support_changes(followed):
    return followed.changes(followed.weeks_within("SUPPORT")[:, -1:])


def _same_mix(followed):
    try:
        values = alike(followed, followed.weeks_within("SUPPORT")[:, -1:])
    except EstimationError:
        return tidy()
    return _row("same_mix", followed, followed.changes(values))


def _row(name, followed, changes=None):
    changes = _support_changes(followed) if changes is None else changes
    contrast = difference_of_changes(changes, conf_level=followed.study.conf_level)
    values = {key: getattr(contrast, key) for key in _NUMBERS}
    return tidy(
        term=name, time_weeks=float(followed.plan.horizon), n_persons=float(changes.n_persons), **values
    )


def _leave_one_out(followed):
    changes = _support_changes(followed)
    found = [
        difference_of_changes(changes.without(unit), conf_level=followed.study.conf_level)
        for unit in changes.units[1:]
        if len(changes.units) > 3
    ]
    found = sorted(found, key=lambda contrast: contrast.estimate[0])
    ends = {"leave_one_out_low": found[0], "leave_one_out_high": found[-1]} if found else {}
    return pd.concat(
        [
            tidy(
                term=name,
                time_weeks=float(followed.plan.horizon),
                n_persons=float(changes.n_persons),
                **{key: getattr(contrast, key) for key in _NUMBERS},
            )
            for name, contrast in ends.items()
        ]
        or [tidy()],
        ignore_index=True,
    )
