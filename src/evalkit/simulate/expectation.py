"""The true value of every estimand, as an expectation over persons and shocks, and where it is stored.

The computation takes minutes, so it is made once and shipped as ``truth/<scenario>.json`` with a
fingerprint of the parameters and of what the process makes of them: when either changes, the stored
truth is stale and says so. One command makes all that is stored, ten minutes of one core, the same
bytes every time (one scenario when its name is added)::

    python -m evalkit.simulate.expectation
"""

import hashlib
import json
import sys
from dataclasses import asdict, replace
from functools import cache
from pathlib import Path

import numpy as np

from evalkit.errors import RunError
from evalkit.files import sha256_json, write_atomic
from evalkit.simulate import panel, worlds
from evalkit.simulate.life import COMPARISON_SHARE, N_COMPARISONS
from evalkit.simulate.parameters import SLOTS, parameters
from evalkit.simulate.product_limit import restricted_mean
from evalkit.simulate.sites import PUBLIC_FROM, SITES, example_site
from evalkit.simulate.states import STATES

_STORE = Path(__file__).parent / "truth"
_SEED = 20_150_105
_FEW = 300
_NEVER = 1_000_000


def stored(scenario="base", site="hjoerring"):
    """Return the true values of a scenario at a site, as they ship with the package.

    Raises
    ------
    RunError
        If the truth was never computed or belongs to other parameters.
    """
    path = _STORE / f"{scenario}.json"
    again = f"run `python -m evalkit.simulate.expectation {scenario}`"
    if not path.exists():
        raise RunError(f"no true values for scenario {scenario!r}; {again}")
    content = json.loads(path.read_text(encoding="utf-8"))
    if content["fingerprint"] != fingerprint(scenario):
        raise RunError(f"{path.name}: computed for another process than the package has now; {again}")
    kept = ("scenario", "fingerprint", "n_persons")
    return content["sites"][site] | {key: content[key] for key in kept}


@cache
def fingerprint(scenario):
    """Return the hash of a scenario's parameters and of what the process makes of a few persons with them."""
    params = parameters(scenario)
    world = worlds.live(example_site("hjoerring"), params, n_persons=_FEW, seed=_SEED)
    found = worlds.outcomes(world, *world.inflow(worlds.POST))
    latent = hashlib.sha256(world.state.tobytes()).hexdigest()
    return sha256_json([asdict(params), latent, {name: float(value.sum()) for name, value in found.items()}])


def compute(scenario="base", *, n_municipalities=72, n_persons=6000, progress=lambda text: None):
    """Compute the truth of a scenario at every site and store it.

    Parameters
    ----------
    scenario : str
    n_municipalities, n_persons : int
        Municipalities lived through, each with its own shocks, and persons in each. A site that no
        estimate is compared with makes do with a third of the municipalities.
    progress : callable
        Told what is going on.

    Returns
    -------
    Path
        The file written.
    """
    sites = {}
    for name in SITES:
        few = n_municipalities if SITES[name].has_comparisons else max(n_municipalities // 3, 2)
        sites[name] = _site_truth(example_site(name), parameters(scenario), few, n_persons,
                                  lambda text, name=name: progress(f"{scenario} {name} {text}"))
    content = {"schema": "evalkit.truth/1", "scenario": scenario, "fingerprint": fingerprint(scenario),
               "n_persons": n_persons, "sites": sites}
    path = _STORE / f"{scenario}.json"
    write_atomic(path, json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False) + "\n")
    return path


def _site_truth(facts, params, n_municipalities, n_persons, progress):
    drawn = []
    for number in range(n_municipalities):
        progress(f"{number + 1}/{n_municipalities}")
        drawn.append(_municipality(facts, params, n_persons, _SEED + number))
    truth = {population: _summaries([one[population] for one in drawn]) for population in ("inflow", "stock")}
    truth |= {"n_municipalities": n_municipalities, "hazards": _hazards(params)}
    if facts.has_comparisons:
        truth["design"] = _design([one["design"] for one in drawn])
    return truth | {"panel": _panel(facts, params, max(n_municipalities // 2, 2), n_persons, progress)}


def _panel(facts, params, n_countries, n_persons, progress):
    """Return what the programme changes in the public tables of a municipality of so many persons.

    Persons of other municipalities move in and out, so that the whole country is lived through.
    """
    # The public tables begin before a site's own files do.
    facts = replace(facts, first_week=PUBLIC_FROM)
    per_comparison = max(round(n_persons * COMPARISON_SHARE), 1)
    off = np.full(n_persons + N_COMPARISONS * per_comparison, facts.programme_start)
    drawn = []
    for number in range(n_countries):
        progress(f"panel {number + 1}/{n_countries}")
        options = {"n_persons": n_persons, "per_comparison": per_comparison, "seed": _SEED + number}
        with_it = worlds.country(facts, params, **options)
        without = worlds.country(facts, params, **options, off_from=off) if params.is_effective else with_it
        drawn.append(panel.true_effect(with_it, without))
    return {"n_countries": n_countries, "estimands": {name: _mean([one[name] for one in drawn])
                                                      for name in drawn[0]}}


def _mean(drawn):
    """Return means over worlds, and the Monte-Carlo errors of both effects."""
    values = {key: np.array([one[key] for one in drawn]) for key in drawn[0]}
    errors = {f"mc_error{key.removeprefix('effect')}": value.std(ddof=1) / np.sqrt(len(value))
              for key, value in values.items() if key.startswith("effect")}
    return {key: round(float(value.mean()), 7) for key, value in values.items()} | {
        key: round(float(value), 7) for key, value in errors.items()}


def _municipality(facts, params, n_persons, seed):
    """Live through one municipality with the programme and without it from each time zero on."""
    with_it = worlds.live(facts, params, n_persons=n_persons, seed=seed)
    found = {}
    chosen_of = {"inflow": with_it.inflow(worlds.POST), "stock": with_it.stock(worlds.CENSUS_POST)}
    for population, chosen in chosen_of.items():
        off = np.full(n_persons, _NEVER)
        off[chosen[0]] = chosen[1] + facts.first_week
        # Where the programme does nothing, both worlds are one.
        without = with_it if not params.is_effective else worlds.live(
            facts, params, n_persons=n_persons, seed=seed, off_from=off)
        found[population] = _compare(with_it, without, *chosen)
    if facts.has_comparisons:
        other = worlds.live(facts, params, n_persons=n_persons, seed=seed, treated=False)
        found["design"] = _study({"treated": with_it, "comparison": other})
    return found


def _compare(with_it, without, person, zero):
    """Return mean outcomes of the same persons in both worlds, and their weeks by cell."""
    pair = [worlds.outcomes(world, person, zero) for world in (with_it, without)]
    means = {name: [float(np.mean(side[name])) for side in pair] for name in pair[0] if name[0] != "_"}
    means["restricted_mean_self_sufficiency"] = [
        restricted_mean(side["_time"], side["_cause"], worlds.HORIZON) for side in pair]
    cells = [worlds.weeks_by_cell(world, person, zero) for world in (with_it, without)]
    return {"n": len(person), "means": means, "cells": cells}


def _summaries(drawn):
    """Return with, without, effect and its Monte-Carlo error over municipalities."""
    weight = np.array([one["n"] for one in drawn], dtype=float)
    out = {"n_persons_per_6000": round(float(weight.mean()), 1), "estimands": {}}
    for name in drawn[0]["means"]:
        values = np.array([one["means"][name] for one in drawn])
        mean = np.average(values, axis=0, weights=weight)
        effects = values[:, 0] - values[:, 1]
        error = np.sqrt(np.sum((weight * (effects - (mean[0] - mean[1]))) ** 2)) / weight.sum()
        out["estimands"][name] = {"with": round(mean[0], 5), "without": round(mean[1], 5),
                                  "effect": round(mean[0] - mean[1], 5), "mc_error": round(float(error), 5)}
    return out | {"saved_weeks": _saved(drawn, weight.sum())}


def _saved(drawn, n_persons):
    """Return weeks saved a person by state, calendar year and refund step (without less with)."""
    total = {}
    for one in drawn:
        for side, sign in zip(one["cells"], (-1, 1), strict=True):
            for cell, n_weeks in side.items():
                total[cell] = total.get(cell, 0) + sign * n_weeks
    keys = ("state", "year", "refund_step", "weeks_per_person")
    return [dict(zip(keys, (STATES[state], year, step, round(n_weeks / n_persons, 6)), strict=True))
            for (state, year, step), n_weeks in sorted(total.items())]


def _study(places):
    """Return what each cell of the study's design would hold: mean and variance of every outcome."""
    periods = {"pre": (worlds.PRE, worlds.CENSUS_PRE), "post": (worlds.POST, worlds.CENSUS_POST)}
    found = {}
    for place, world in places.items():
        for period, (window, census) in periods.items():
            for population, chosen in (("inflow", world.inflow(window)), ("stock", world.stock(census))):
                values = worlds.outcomes(world, *chosen)
                found[population, place, period] = {"n": len(chosen[0])} | {
                    name: (float(value.mean()), float(value.var(ddof=1)))
                    for name, value in values.items() if name[0] != "_"}
    return found


def _design(drawn):
    """Return expected difference in differences, naive comparisons, and the spread of shocks."""
    out = {}
    for population in ("inflow", "stock"):
        for name in drawn[0][population, "treated", "pre"]:
            if name != "n":
                out.setdefault(population, {})[name] = _design_of(drawn, population, name)
    return out


def _design_of(drawn, population, name):
    cells = [(place, period) for place in ("treated", "comparison") for period in ("pre", "post")]
    mean = {cell: np.array([one[population, *cell][name][0] for one in drawn]) for cell in cells}
    treated, change = (mean[place, "post"] - mean[place, "pre"] for place in ("treated", "comparison"))
    double = treated - change
    persons = np.mean(
        [
            sum(one[population, *cell][name][1] / one[population, *cell]["n"] for cell in cells[2:])
            for one in drawn
        ]
    )
    after = mean["treated", "post"] - mean["comparison", "post"]
    found = {
        "difference_in_differences": double.mean(), "mc_error": double.std(ddof=1) / np.sqrt(len(drawn)),
        "before_after": treated.mean(), "treated_less_comparison_after": after.mean(),
        "sd_persons": np.sqrt(persons), "sd_total": change.std(ddof=1)}
    return {key: round(float(value), 5) for key, value in found.items()}


def _hazards(params):
    """Return the true log hazard ratios of leaving support, given a person's frailty."""
    return {
        "during": dict(zip(SLOTS, params.during, strict=True)),
        "after": dict(zip(SLOTS, params.after, strict=True)), "after_weeks": params.after_weeks,
        "programme": {"mover": params.direct_mover, "slow": params.direct_slow}}


if __name__ == "__main__":
    for wanted in sys.argv[1:] or ("base", "null", "no_shocks"):
        n_drawn = 72 if parameters(wanted).is_effective else 12
        compute(wanted, n_municipalities=n_drawn,
                progress=lambda text: print(text, file=sys.stderr, flush=True))
