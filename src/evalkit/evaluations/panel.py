"""Did the municipality differ from what all other municipalities let expect? Public tables, one treated unit.

These tables count every inhabitant and a programme reaches a part of them: each answer stands beside the
smallest effect that could have been told from nothing.
"""

from dataclasses import replace

import pandas as pd

from evalkit.errors import EstimationError
from evalkit.estimators import difference_in_differences, synthetic_control, synthetic_did
from evalkit.evaluations.panel_case import Case
from evalkit.evaluations.panel_series import label_of
from evalkit.result import Estimand, Provenance, Result, tidy

DESIGNS = {
    "difference_in_differences": difference_in_differences,
    "synthetic_control": synthetic_control,
    "synthetic_did": synthetic_did,
}
_PARTS = ("", "_rates", "_placebos", "_sensitivity", "_series")
_ASSUMPTIONS = (
    "same_shocks_given_weights",
    "no_anticipation",
    "no_spillover_between_municipalities",
    "comparisons_without_a_programme",
    "inhabitants_interpolated",
)


def evaluate(tables, study, *, municipality, programme_start, doubtful_donors=()):
    """Estimate the programme's effect on municipal outcomes against all other municipalities.

    Parameters
    ----------
    tables : Tables, mapping or DataFrame
        Holds ``municipality_period``, or is it.
    study : PanelStudy
    municipality : str
        The treated one.
    programme_start : date
        The quarter that holds it is the first under the programme.
    doubtful_donors : sequence of str
        Municipalities with a programme of their own: left out, and let in for a sensitivity row.

    Returns
    -------
    dict of str to Result
        For each measure ``m`` of the study, all of kind ``aggregate``, ``group`` the design:
        ``panel_m``: ``effect_persons`` and ``smallest_detectable_persons``, in persons of the municipality.
        ``panel_m_rates``: ``effect``, ``smallest_detectable_effect``, ``rmspe_pre``, per so many inhabitants.
        ``panel_m_placebos``: ``effect_rank``, ``rmspe_ratio_rank`` (of ``placebos_plus_one``), fit ratio.
        ``panel_m_sensitivity``: the effect per so many inhabitants under other choices (``term``).
        ``panel_m_series``: ``observed`` and what each design expects (``term``), by weeks since the start.
        A design that fails the gate on the fit has its fit only, and is named in ``withheld_designs``.
        A measure that the data do not hold is withheld by the gate ``missing_tables``.

    Raises
    ------
    EstimationError
        If the municipality is not in the data, is alone there, or the start lies too near an end.
    """
    frame = tables if isinstance(tables, pd.DataFrame) else tables["municipality_period"]
    results = {}
    for name, measure in study.measures.items():
        own = frame[frame["measure"].isin([measure.measure, study.inhabitants])]
        if own["measure"].nunique() < 2:
            results |= {f"panel_{name}{part}": _withheld(name) for part in _PARTS}
            continue
        case = Case(own, study, measure, municipality, programme_start, tuple(doubtful_donors))
        answers = {
            design: estimate(case.panel, conf_level=study.conf_level, power=study.power)
            for design, estimate in DESIGNS.items()
        }
        fitting = {design: answer for design, answer in answers.items() if case.fits(answer)}
        parts = (
            _persons(case, name, fitting),
            _rates(case, name, answers, fitting),
            _placebos(case, name, answers, fitting),
            _sensitivity(case, name, fitting),
            _series(case, name, fitting),
        )
        verdict = _verdict(case, answers, fitting)
        results |= {
            f"panel_{name}{part}": result.with_diagnostics(**verdict)
            for part, result in zip(_PARTS, parts, strict=True)
        }
    return results


def _verdict(case, answers, fitting):
    """What sentences read: whose tables, which designs are withheld, each one's rank, what is detectable."""
    told = {
        design: {
            name: answer.diagnostics[name]
            for name in ("effect_rank", "rmspe_ratio_rank", "prefit_ratio", "smallest_detectable_effect")
        }
        | {"smallest_detectable_persons": answer.diagnostics["smallest_detectable_effect"] * case.persons}
        for design, answer in fitting.items()
    }
    return {
        "panel_tables": f"panel_tables_{_provenance(case).rests_on[0]}",
        "withheld_designs": [design for design in answers if design not in fitting],
        "placebos_plus_one": len(case.panel.units),
        **told,
    }


def _persons(case, name, fitting):
    rows = [
        {
            "term": "effect_persons",
            "group": design,
            **(answer.table.iloc[0][_NUMBERS[:-1]] * case.persons).to_dict(),
            "p_value": answer.table["p_value"].iloc[0],
        }
        for design, answer in fitting.items()
    ]
    rows += [
        {
            "term": "smallest_detectable_persons",
            "group": design,
            "estimate": answer.diagnostics["smallest_detectable_effect"] * case.persons,
        }
        for design, answer in fitting.items()
    ]
    return _result(case, name, rows)


def _rates(case, name, answers, fitting):
    rows = [
        {"term": "effect", "group": design, **answer.table.iloc[0][_NUMBERS].to_dict()}
        for design, answer in fitting.items()
    ]
    return _result(
        case, name, rows + _told("smallest_detectable_effect", fitting) + _told("rmspe_pre", answers)
    )


def _placebos(case, name, answers, fitting):
    return _result(
        case,
        name,
        _told("effect_rank", fitting) + _told("rmspe_ratio_rank", fitting) + _told("prefit_ratio", answers),
    )


def _told(term, answers):
    return [
        {"term": term, "group": design, "estimate": answer.diagnostics[term]}
        for design, answer in answers.items()
    ]


def _sensitivity(case, name, fitting):
    """Other donors, other seasons, a start that never was, and each weighted donor left out in turn.

    A choice that leaves too few municipalities to compare with has no row.
    """
    early = _backdated(case.panel)
    rows = [
        {"term": "main", "group": design, **answer.table.iloc[0][_NUMBERS].to_dict()}
        for design, answer in fitting.items()
    ]
    panels = {
        "all_donors": lambda: case.everybody,
        "without_small": lambda: case.panel.without(case.small),
        "season_none": lambda: case.build("none")[0].without(case.doubtful),
        "season_year": lambda: case.build("year")[0].without(case.doubtful),
        "backdated": lambda: early,
    }
    for term, panel in panels.items():
        try:
            rows += _other_rows(case, term, panel(), fitting)
        except EstimationError:
            # Under this choice too few municipalities are left to compare with: the row is absent.
            continue
    for term in ("leave_one_out_low", "leave_one_out_high"):
        rows += [
            {"term": term, "group": design, "estimate": answer.diagnostics[term]}
            for design, answer in fitting.items()
        ]
    return _result(
        case,
        name,
        rows,
        n_donors_all=len(case.everybody.units) - 1,
        backdated_start=label_of(int(early.periods[early.n_pre])),
        small_municipalities=list(case.small),
    )


def _other_rows(case, term, panel, fitting):
    rows = []
    for design in fitting:
        answer = DESIGNS[design](panel, conf_level=case.study.conf_level, power=case.study.power)
        rows.append({"term": term, "group": design, **answer.table.iloc[0][_NUMBERS].to_dict()})
    return rows


_NUMBERS = ["estimate", "std_error", "conf_low", "conf_high", "p_value"]


def _backdated(panel):
    """Pretend a start in the middle of the years before the real one, and stop before the real one."""
    half = max(panel.n_pre // 8 * 4, 4)
    return replace(
        panel, outcome=panel.outcome[:, : panel.n_pre], periods=panel.periods[: panel.n_pre], n_pre=half
    )


def _series(case, name, fitting):
    treated = case.panel.outcome[case.panel.treated][0]
    weeks = [case.weeks(quarter) for quarter in case.panel.periods]
    lines = {"observed": treated}
    for design, answer in fitting.items():
        gap = answer.model["gap"]
        lines[design] = treated - gap + answer.model["period_weights"] @ gap[: case.panel.n_pre]
    rows = [
        {"term": line, "time_weeks": week, "estimate": float(value)}
        for line, values in lines.items()
        for week, value in zip(weeks, values, strict=True)
    ]
    return _result(case, name, rows)


def _result(case, name, rows, **diagnostics):
    columns = {
        key: [row.get(key, float("nan")) for row in rows]
        for key in ("term", "group", "time_weeks", *_NUMBERS)
        if any(key in row for row in rows)
    }
    columns |= {"group": [row.get("group", "") for row in rows]}
    panel = case.panel
    return Result(
        kind="aggregate",
        table=tidy(**columns),
        estimand=_estimand(name, case.measure.per_inhabitants),
        provenance=_provenance(case),
        diagnostics={
            "n_donors": len(panel.units) - 1,
            "n_quarters_before": panel.n_pre,
            "n_quarters_after": len(panel.periods) - panel.n_pre,
            "season": case.study.season,
            "first_quarter": label_of(int(panel.periods[0])),
            "start_quarter": label_of(case.start),
            "last_quarter": label_of(int(panel.periods[-1])),
            **diagnostics,
        },
    )


def _estimand(name, per_inhabitants=1):
    rate = f"per_{per_inhabitants}_inhabitants"
    units = {
        "": rate,
        "effect_persons": "persons",
        "smallest_detectable_persons": "persons",
        "effect_rank": "rank",
        "rmspe_ratio_rank": "rank",
        "prefit_ratio": "ratio",
    }
    return Estimand(
        name=f"panel_{name}",
        population="inhabitants_of_the_municipality",
        exposure="programme_in_the_municipality",
        outcome=f"outcome_{name}",
        summary="mean_over_quarters_after_start",
        unit=units,
        design="weighted_comparison_of_municipalities",
        assumptions=_ASSUMPTIONS,
    )


def _provenance(case):
    sources = sorted(set(case.frame["source"]))
    real = all(source.startswith("Statistics Denmark") for source in sources)
    return Provenance(
        method="evalkit.evaluations.panel",
        rests_on=("real",) if real else ("simulated",),
        options={"sources": sources, "season": case.study.season, "doubtful_donors": list(case.doubtful)},
    )


def _withheld(name):
    empty = Result(kind="aggregate", table=tidy(), estimand=_estimand(name)).withhold("missing_tables")
    return empty.with_diagnostics(missing=["municipality_period"])
