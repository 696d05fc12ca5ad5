"""The truth beside a delivery: what is true in expectation, and what came true for the persons delivered."""

import numpy as np

from evalkit.errors import RunError
from evalkit.simulate import expectation, panel, payments, survey, worlds
from evalkit.simulate.own import Own

_NEVER = 1_000_000


def truth(register):
    """Return the content of ``truth.json``.

    Returns
    -------
    dict
        ``expected``: over persons and shocks, computed once per scenario (`expectation.stored`);
        ``realised``: the same persons with and without the programme from time zero on, on the same
        luck, and the public tables (``panel``) with and without it from its start on; ``extra_persons``:
        expected and realised number of persons in job, education or either beyond those without the
        programme; ``saved_dkk``: what the inflow's saved weeks are worth by year at the site's prices;
        ``survey``: scale means of everybody asked.
    """
    realised = _realised(register)
    expected = _expected(register)
    content = {
        "schema": "evalkit.truth/1",
        "site": register.site.name,
        "scenario": register.scenario,
        "seed": register.seed,
        "is_simulated": True,
        "expected": expected,
        "realised": realised,
        "extra_persons": _extra_persons(expected, realised),
        "saved_dkk": _saved_dkk(register.site, expected, realised),
        "shocks": {
            "sd_log_hazard_by_municipality_and_year": register.params.shock_sd,
            "sd_log_hazard_by_municipality": register.params.level_sd,
        },
    }
    if "survey_response" not in register.site.absent:
        content["survey"] = survey.scale_truth(Own(register))
    return content


def _expected(register):
    try:
        return expectation.stored(register.scenario, register.site.name)
    except RunError as error:
        return {"missing": str(error)}


def _realised(register):
    with_it = worlds.delivered(register)
    inflow = with_it.inflow(worlds.POST)
    off = np.full(register.n_persons, _NEVER)
    off[inflow[0]] = inflow[1] + register.first_week
    found = {"inflow": _pair(with_it, worlds.delivered(register, off_from=off), *inflow)}
    never = _never_begun(register)
    found["stock"] = _pair(with_it, never, *with_it.stock(worlds.CENSUS_POST))
    return found | {"panel": _public(register, with_it, never)}


def _never_begun(register):
    """Return the world in which the programme never began."""
    off = np.full(register.n_persons, register.site.programme_start)
    return worlds.delivered(register, off_from=off)


def _public(register, with_it, never):
    """Return what the programme changed in the public tables, which may count another draw."""
    counted = register.counted()
    if counted is not register:
        with_it, never = worlds.delivered(counted), _never_begun(counted)
    return {name: {key: round(number, 2 if key == "effect_persons" else 6) for key, number in value.items()}
            for name, value in panel.true_effect(with_it, never).items()}


def _pair(with_it, without, person, zero):
    if not len(person):
        return {"n_persons": 0, "estimands": {}}
    pair = [worlds.outcomes(world, person, zero) for world in (with_it, without)]
    estimands = {
        name: {
            "with": round(float(pair[0][name].mean()), 5),
            "without": round(float(pair[1][name].mean()), 5),
            "effect": round(float((pair[0][name] - pair[1][name]).mean()), 5),
        }
        for name in pair[0]
        if name[0] != "_"
    }
    return {"n_persons": len(person), "estimands": estimands}


def _saved_dkk(site, expected, realised):
    """Return the expected saving of as many persons as were delivered."""
    cells = expected.get("inflow", {}).get("saved_weeks", [])
    return payments.saved_dkk(site, cells, realised["inflow"]["n_persons"]) if cells else None


def _extra_persons(expected, realised):
    """Return persons beyond those without the programme, of as many as were delivered."""
    n_persons, out = realised["inflow"]["n_persons"], {}
    for name in realised["inflow"]["estimands"]:
        if name.split("_")[0] in ("employed", "education", "either"):
            known = expected.get("inflow", {}).get("estimands", {}).get(name, {}).get("effect")
            out[name] = {"expected": None if known is None else round(known * n_persons, 2),
                         "realised": round(realised["inflow"]["estimands"][name]["effect"] * n_persons, 2)}
    return out
