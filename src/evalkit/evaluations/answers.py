"""What every answer on the effect shares: its estimand, its rows, its diagnostics."""

import numpy as np

from evalkit.result import Estimand, Result, tidy

ASSUMPTIONS = (
    "assumes_parallel_trends",
    "assumes_no_anticipation",
    "assumes_no_spillover",
    "assumes_shocks_alike",
)
# Diagnostics in the unit of the outcome.
OF_THE_OUTCOME = ("shock_sd", "person_error", "treated_before", "treated_after", "comparisons_before",
                  "comparisons_after", "largest_possible")


# What else can happen first, by outcome: a first exit knows no return.
_INTERCURRENT = {
    "first_exit": "returns_not_seen",
    "in_job_or_education": "state_of_the_week",
    "municipal_cost": "returns_priced",
    "several": "several",
}


def effect_estimand(
    evidence, name, *, outcome, summary, unit, population="inflow", design="difference_in_differences"
):
    """Return the estimand of an effect on the persons followed."""
    return Estimand(
        name=name,
        population=population,
        exposure="living_in_programme_municipality",
        outcome=outcome,
        summary=summary,
        intercurrent_events=_INTERCURRENT.get(outcome, "returns_counted"),
        unit=unit,
        design=design,
        horizon_weeks=float(evidence.followed.plan.horizon),
        assumptions=ASSUMPTIONS if design else (),
    )


def effect_rows(term, times, contrast, changes, scale=1.0):
    """Return one row a horizon; ``scale`` turns a share into persons."""
    return tidy(
        term=term,
        time_weeks=np.asarray(times, dtype=float),
        estimate=contrast.estimate * scale,
        std_error=contrast.std_error * scale,
        conf_low=contrast.conf_low * scale,
        conf_high=contrast.conf_high * scale,
        p_value=contrast.p_value,
        n_persons=float(changes.n_persons),
    )


def answer(followed, table, estimand, contrast, changes, **model):
    """Make the Result; the diagnostics are those of the last outcome asked for, the main one."""
    return Result(
        kind="curve" if estimand.name.endswith("curve") else "model",
        table=table,
        estimand=estimand,
        provenance=followed.provenance("difference_of_changes", conf_level=followed.study.conf_level),
        diagnostics=diagnostics(followed, contrast, changes),
        model=model,
    )


def diagnostics(followed, contrast, changes):
    """Return what sentences and readers want beside an effect."""
    return {
        "n_persons": changes.n_persons,
        "n_treated_after": followed.n_treated_after,
        "n_comparisons": contrast.n_comparisons,
        "horizon_weeks": followed.plan.horizon,
        "shock_sd": float(contrast.shock_sd[-1]),
        "person_error": float(contrast.person_error[-1]),
        "error_ratio": _ratio(contrast.std_error[-1], contrast.person_error[-1]),
        "placebo_rank": int(contrast.rank[-1]),
        "n_placebos": contrast.n_comparisons + 1,
        "placebo_p": float(contrast.rank[-1] / (contrast.n_comparisons + 1)),
        "smallest_p": float(1 / (contrast.n_comparisons + 1)),
        "treated_before": float(changes.before[0, -1]),
        "treated_after": float(changes.after[0, -1]),
        "comparisons_before": float(changes.before[1:, -1].mean()),
        "comparisons_after": float(changes.after[1:, -1].mean()),
        "largest_possible": float(changes.after[0, -1] - contrast.estimate[-1]),
        "goal_weeks": followed.study.goals.weeks_fewer,
        "goal_persons": followed.study.goals.extra_persons,
        "goal_note": _goal_note(followed),
    }


def _goal_note(followed):
    """Say when fewer are followed than the goal wanted more of: then it cannot be reached among them."""
    return "goal_beyond_followed" if followed.n_treated_after < followed.study.goals.extra_persons else ""


def _ratio(error, person_error):
    """How much wider than persons alone make it; nothing where all persons are alike."""
    return float(error / person_error) if person_error > 0 else None
