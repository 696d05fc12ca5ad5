"""Gates: what must hold before an estimate may be seen. Judged first, and when one fails nothing leaks.

Each gate compares one number with a limit that the study set before data were seen. The number and the
limit are shown, whichever way it went; the estimate is shown only if all gates hold, and withheld everywhere
(curve, sensitivity, money, bundle) if one fails. The stock is another population and has gates of its own.
"""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from evalkit.errors import EstimationError
from evalkit.estimators.municipality_changes import cell_changes, difference_of_changes
from evalkit.result import Estimand, Result, tidy

_CHARACTERISTICS = ("target_group", "sex", "age", "ancestry")


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """One judged gate.

    Attributes
    ----------
    name : str
    size : float
        What was found.
    limit : float
        The least (``at_least``) or the most that passes.
    at_least : bool
    passes : bool
        Decided by ``size`` and ``limit`` alone.
    conf_low, conf_high : float
        Interval of a size that is estimated, missing where it is counted. It decides nothing: a gate that
        holds with a wide interval says little, and the reader must see that.
    """

    name: str
    size: float
    limit: float
    at_least: bool
    passes: bool
    conf_low: float = np.nan
    conf_high: float = np.nan


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Verdict:
    """All gates that could be judged, in order.

    Attributes
    ----------
    gates : tuple of Gate
    failed : str
        The first gate that failed, or empty.
    result : Result
        Sizes and limits; never an estimate of the effect.
    missing : tuple of str
        Tables that were not delivered and without which nobody can be followed.
    """

    gates: tuple[Gate, ...]
    failed: str
    result: Result
    missing: tuple[str, ...] = ()

    def guard(self, make, *, kind, estimand):
        """Return ``make()`` if every gate holds, else an empty Result that names the gate that failed."""
        if self.failed:
            return withheld(self.failed, kind=kind, estimand=estimand, missing=self.missing)
        return make()


def withheld(reason, *, kind, estimand, missing=()):
    """Return a Result without any number; ``missing`` names tables that it would need."""
    facts = {"missing_tables": list(missing)} if missing else {}
    return Result(kind=kind, estimand=estimand, table=tidy(), withheld=reason, diagnostics=facts)


def unjudged(missing):
    """Return the verdict where tables are missing and nobody can be followed."""
    estimand = Estimand(name="gates", outcome="gates", summary="size_and_limit")
    return Verdict(gates=(), failed="missing_tables", missing=tuple(missing),
                   result=withheld("missing_tables", kind="model", estimand=estimand, missing=missing))


def judge(followed):
    """Judge the gates of the effect study.

    Parameters
    ----------
    followed : Followed
        The inflow of both periods.

    Returns
    -------
    Verdict
        Gates that need persons in both periods and places are judged only where there are some.

    Notes
    -----
    ``parallel_trends`` estimates the effect between the two halves of the earlier period, where there is
    none, and fails when the estimate lies beyond the limit, however wide its interval: little data must not
    let a difference pass. A gate that holds does not show that there is no difference, so the largest one
    that the interval cannot exclude stands beside it. (An equivalence test, the whole interval inside the
    limit, would withhold nearly every single municipality.)
    """
    gates = [_pre_period(followed), _persons(followed), _comparisons(followed)]
    if all(gate.passes for gate in gates):
        gates += [_lost(followed), _balance(followed), _pre_level(followed), _parallel_trends(followed)]
    return _verdict(gates, followed)


def judge_stock(standing):
    """Judge the gates of those who already were on support.

    Parameters
    ----------
    standing : Followed
        The stock at both censuses.

    Returns
    -------
    Verdict
        ``persons``, ``comparisons``, ``lost_weeks``, ``pre_level``. Not the mix of persons: who still is on
        support a year into the programme is part of what it did.
    """
    gates = [_persons(standing), _comparisons(standing)]
    if all(gate.passes for gate in gates):
        gates += [_lost(standing), _pre_level(standing)]
    return _verdict(gates, standing)


def shown(inflow, stock=None):
    """Put the gates of both populations into one Result; the stock's are named by it."""
    result = inflow.result
    if result.withheld:
        return result
    if stock is None:
        return result.with_diagnostics(stock_note="")
    table = stock.result.table
    table = table.assign(term=table["term"].str.replace("gate_", "gate_stock_"))
    return replace(
        result, table=pd.concat([result.table, table], ignore_index=True)
    ).with_diagnostics(stock_note="stock_gates_fail" if stock.failed else "")


def at_least(name, size, limit):
    """Judge a gate that wants enough of something."""
    return Gate(name=name, size=float(size), limit=float(limit), at_least=True, passes=bool(size >= limit))


def at_most(name, size, limit):
    """Judge a gate that wants little of something; what cannot be computed fails."""
    return Gate(name=name, size=float(size), limit=float(limit), at_least=False, passes=bool(size <= limit))


def _pre_period(followed):
    return at_least("pre_period", followed.plan.n_pre_weeks, followed.study.gates.min_pre_weeks)


def _persons(followed):
    treated, after = followed.is_treated, followed.is_after
    return at_least(
        "persons", min((treated & after).sum(), (treated & ~after).sum()), followed.study.gates.min_persons
    )


def _comparisons(followed):
    return at_least("comparisons", len(followed.comparisons), followed.study.gates.min_comparisons)


def _lost(followed):
    compared = (
        followed.is_treated | followed.people.frame["municipality"].isin(followed.comparisons).to_numpy()
    )
    missing = (followed.grid[compared] < 0).mean(axis=1)
    share = (
        pd.Series(missing).groupby([followed.is_treated[compared], followed.is_after[compared]]).mean().max()
    )
    return at_most("lost_weeks", share, followed.study.gates.max_lost_share)


def _balance(followed):
    """Find the characteristic whose difference between treated and comparison persons changed most."""
    frame, treated, after = followed.people.frame, followed.is_treated, followed.is_after
    compared = frame["municipality"].isin(followed.comparisons).to_numpy()
    largest = 0.0
    for values in _indicators(frame):
        spread = values[treated | compared].std()
        gap = [values[treated & when].mean() - values[compared & when].mean() for when in (after, ~after)]
        largest = max(largest, abs(gap[0] - gap[1]) / spread if spread > 0 else 0.0)
    return at_most("balance", largest, followed.study.gates.max_imbalance)


def _indicators(frame):
    for name in _CHARACTERISTICS:
        if name == "age":
            yield frame[name].to_numpy(dtype=float)
        else:
            yield from pd.get_dummies(frame[name], dtype=float).to_numpy().T


def _pre_level(followed):
    changes = followed.changes(followed.weeks_within("SUPPORT")[:, -1:])
    others = changes.before[1:, 0]
    spread = others.std(ddof=1)
    distance = abs(changes.before[0, 0] - others.mean())
    size = distance / spread if spread > 0 else (0.0 if distance == 0 else np.inf)
    return at_most("pre_level", size, followed.study.gates.max_pre_difference_sd)


def _parallel_trends(followed):
    limit = followed.study.gates.max_placebo_weeks
    try:
        placebo = placebo_in_time(followed)
    except EstimationError:
        return at_most("parallel_trends", np.nan, limit)
    estimate, low, high = (
        float(value[0]) for value in (placebo.estimate, placebo.conf_low, placebo.conf_high)
    )
    return replace(at_most("parallel_trends", abs(estimate), limit),
                   size=estimate, conf_low=low, conf_high=high)


def placebo_in_time(followed):
    """Estimate the effect between the two halves of the earlier period, where there is none."""
    frame = followed.people.frame
    rows = (
        ~followed.is_after
        & frame["municipality"].isin([followed.site.municipality, *followed.comparisons]).to_numpy()
    )
    values = followed.weeks_within("SUPPORT")[rows][:, -1:]
    later = frame["time_zero_week"][rows] >= sum(followed.plan.pre) / 2
    changes = cell_changes(
        values,
        unit=frame["municipality"][rows],
        is_after=later,
        person=frame["person_id"][rows],
        treated=followed.site.municipality,
    )
    return difference_of_changes(changes, conf_level=followed.study.conf_level)


def _verdict(gates, followed):
    failed = next((gate.name for gate in gates if not gate.passes), "")
    return Verdict(gates=tuple(gates), failed=failed, result=_result(gates, followed))


def _result(gates, followed):
    rows = []
    for gate in gates:
        name = f"gate_{gate.name}"
        rows.append((name, "passes" if gate.passes else "fails", gate.size, gate.conf_low, gate.conf_high))
        rows.append((name, "limit", gate.limit, np.nan, np.nan))
    term, group, *values = zip(*rows, strict=True)
    value, low, high = (np.where(np.isfinite(column), column, np.nan) for column in values)
    n_persons = followed.people.frame["person_id"].nunique()
    return Result(
        kind="model",
        table=tidy(term=list(term), group=list(group), estimate=value, conf_low=low, conf_high=high,
                   n_persons=float(n_persons)),
        estimand=Estimand(name="gates", outcome="gates", summary="size_and_limit", unit=_UNITS),
        provenance=followed.provenance("gates"),
        diagnostics={
            "n_gates": len(gates),
            "all_pass": all(gate.passes for gate in gates),
            "n_persons": n_persons,
            "failed": [gate.name for gate in gates if not gate.passes],
            **_trend(gates),
        },
    )


def _trend(gates):
    """Return what the gate of trends found and the largest difference that it cannot exclude."""
    found = next((gate for gate in gates if gate.name == "parallel_trends"), None)
    if found is None or not np.isfinite(found.size):
        return {}
    return {
        "trend_weeks": found.size,
        "trend_limit": found.limit,
        "cannot_exclude_weeks": max(abs(found.conf_low), abs(found.conf_high)),
    }


_UNITS = {
    "gate_pre_period": "weeks",
    "gate_persons": "persons",
    "gate_comparisons": "municipalities",
    "gate_lost_weeks": "share",
    "gate_balance": "standard_deviations",
    "gate_pre_level": "standard_deviations",
    "gate_parallel_trends": "weeks",
}
_UNITS |= {name.replace("gate_", "gate_stock_"): _UNITS[name]
           for name in ("gate_persons", "gate_comparisons", "gate_lost_weeks", "gate_pre_level")}
