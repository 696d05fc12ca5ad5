"""A run folder with one released result of every kind and form, made in a second, without notebooks."""

import json

import numpy as np
import pandas as pd

from evalkit.disclosure import release
from evalkit.profile import Profile
from evalkit.result import Estimand, Provenance, Result, tidy

RULES = Profile(name="municipality_5", valid_from="2015-01-01", min_n=5, min_events=5, rounding_base=5,
                decimals=3,
                source="example", is_verified=False)
SITE = {"title": {"da": "Hjørring Kommune", "en": "Hjørring Municipality"},
        "note": {"da": "Alle personer er simulerede.", "en": "All persons are simulated."}}
IDS = {f"q{k:06d}x" for k in range(3000)}
ORIGIN = Provenance(method="example", study="effect", study_sha256="ab" * 32, site="hjoerring",
                    site_sha256="cd" * 32,
                    inputs={"data/hjoerring/dream.csv": "ef" * 32}, rests_on=("simulated",),
                    data_through="2019-12-30",
                    versions={"evalkit": "0.1.0"}, seed=1)
GROUPS = ("cash_benefit", "sickness_benefit", "integration_benefit", "insured_unemployed")


def both(danish, english):
    """Return a text in both languages."""
    return {"da": danish, "en": english}


def results():
    """Return a Result of every kind and form by name."""
    return {"attrition": _attrition(), "survival": _survival(), "goal_1": _goal(), "in_job": _in_job(),
            "panel": _panel(), "states": _states(), "hazards": _hazards(), "answers": _answers(),
            "net": _net(),
            "held": _goal().withhold("pre_period")}


def strings():
    """Return the catalogue of the example: what is said about each result."""
    titles = {
        "attrition": (both("Fra register til kohorte", "From register to cohort"), "none"),
        "survival": (both("Stadig på forsørgelse", "Still on support"), "curve"),
        "goal_1": (both("Uger på forsørgelse", "Weeks on support"), "interval"),
        "in_job": (both("I job efter et år", "In a job after a year"), "bars"),
        "panel": (both("Lønmodtagere", "Employees"), "series"),
        "states": (both("Hvor er de henne?", "Where are they?"), "curve"),
        "hazards": (both("Afgang under indsats", "Exit during interventions"), "interval"),
        "answers": (both("Svar i to grupper", "Answers of two groups"), "bars"),
        "net": (both("Nettoresultat", "Net result"), "bars"),
        "held": (both("Holdt tilbage", "Kept back"), "interval"),
    }
    entries = {name: {"title": title, "chart": chart, "axis": both("Måleenhed", "Unit of measure")}
               for name, (title, chart) in titles.items()}
    entries["goal_1"] |= {
        "rows": {"effect": {"term": "weeks_on_support", "time_weeks": 104}},
        "sentences": [{
            "when": "negative",
            "da": "{effect.estimate:|1} færre uger ({effect.conf_low:1} til {effect.conf_high:1}).",
            "en": "{effect.estimate:|1} fewer weeks ({effect.conf_low:1} to {effect.conf_high:1})."}],
        "caveat": both("Det siger ikke hvorfor.", "It does not say why.")}
    labels = {"weeks_on_support": both("Uger på forsørgelse", "Weeks on support"),
              "employees": both("I arbejde", "In work"),
              "on_support": both("På forsørgelse", "On support"),
              "ages": both("18 til 64 år", "Aged 18 to 64"),
              "washout": both("Uden forsørgelse før", "No support before"),
              "few": both("Få personer", "Few persons"),
              "fair": both("Retfærdigt", "Fair"), "heard": both("Hørt", "Heard"),
              "saved": both("Sparet", "Saved"),
              "invested": both("Investeret", "Invested"), "MENTOR": both("Mentorordning", "Mentoring"),
              "PRAKTIK": both("Virksomhedspraktik", "Work placement")}
    return {"labels": labels, "results": entries}


def write_run(folder, released=None, extra=(), logged=None):
    """Write what a run leaves: an executed notebook and the release log; return the run folder."""
    released = {name: release(result, RULES, name=name) for name,
                result in results().items()} if released is None else released
    cells = [_markdown(both("# Når vi målene?\n\nIndledning.", "# Are the goals met?\n\nIntroduction."),
                       language)
             for language in ("da", "en")]
    for danish, english, names in (("Spørgsmål", "Question", ()), ("Estimat", "Estimate", list(released))):
        cells += [_markdown(both(f"## {danish}\n\nPrøvetekst.", f"## {english}\n\nSample text."), language)
                  for language in ("da", "en")]
        cells += [code(output(released[name])) for name in names]
    (folder / "notebooks").mkdir(parents=True, exist_ok=True)
    (folder / "notebooks" / "effect.ipynb").write_text(json.dumps({"cells": [*cells, *extra]}),
                                                       encoding="utf-8")
    log = [{"notebook": "effect", "name": one.name, "sha256": one.sha256}
           for one in (logged or released.values())]
    (folder / "releases.jsonl").write_text("\n".join(map(json.dumps, log)), encoding="utf-8")
    return folder


def code(*outputs):
    """Return an executed code cell."""
    return {"cell_type": "code", "metadata": {}, "source": "run.show(...)", "outputs": list(outputs)}


def output(released):
    """Return the display of a Released object as a notebook keeps it."""
    return {"output_type": "display_data", "metadata": {},
            "data": json.loads(json.dumps(released._repr_mimebundle_()))}


def _markdown(text, language):
    return {"cell_type": "markdown", "metadata": {"tags": [language]}, "source": text[language]}


def _estimand(name, unit):
    return Estimand(name=name, unit=unit, population=both("Alle over 18 år", "Everybody over 18"),
                    horizon_weeks=104,
                    design="difference_in_differences", assumptions=(both("Ens udvikling", "Common trends"),))


def _attrition():
    counts = [6021.0, 4012.0, 3.0]
    return Result(kind="counts", estimand=_estimand("attrition", "persons"), provenance=ORIGIN,
                  table=tidy(term=["ages", "washout", "few"], estimate=counts, n_persons=counts))


def _survival():
    tables = []
    for group, hazard in (("treated", 0.02), ("comparison", 0.015)):
        weeks = np.arange(105)
        level = np.exp(-hazard * weeks ** 0.8)
        at_risk = np.round(900 * np.r_[1, level[:-1]])
        error = np.sqrt(level * (1 - level) / 900)
        tables.append(tidy(term="on_support", group=group, time_weeks=weeks, estimate=level,
                           conf_low=level - 2 * error,
                           conf_high=np.minimum(level + 2 * error, 1), n_persons=at_risk,
                           n_events=np.round(at_risk * np.r_[0, 1 - level[1:] / level[:-1]])))
    return Result(kind="curve", estimand=_estimand("on_support", "share"), provenance=ORIGIN,
                  table=pd.concat(tables, ignore_index=True))


def _goal():
    table = tidy(term="weeks_on_support", time_weeks=[26, 52, 104], estimate=[-1.2, -3.1, -6.4],
                 std_error=[0.8, 1.4, 2.6],
                 conf_low=[-2.9, -6.0, -11.8], conf_high=[0.5, -0.2, -1.0], p_value=[0.15, 0.037, 0.0004],
                 n_persons=2412)
    return Result(kind="model", estimand=_estimand("weeks_on_support", "weeks"), provenance=ORIGIN,
                  table=table,
                  diagnostics={"n_inflow": 1203})


def _in_job():
    persons, events = np.array([412, 230, 48, 610]), np.array([160, 104, 3, 401])
    return Result(kind="share", estimand=_estimand("in_job", "share"), provenance=ORIGIN,
                  table=tidy(term=GROUPS, estimate=events / persons, n_persons=persons, n_events=events))


def _panel():
    weeks = np.arange(-104, 157, 13)
    lines = [tidy(term="employees", group=group, time_weeks=weeks, estimate=60 + shift + 0.01 * weeks)
             for group, shift in (("treated", 0.5), ("comparison", 0.0))]
    return Result(kind="aggregate", estimand=_estimand("employees", "percent"),
                  table=pd.concat(lines, ignore_index=True),
                  provenance=Provenance(rests_on=("real",), versions={"evalkit": "0.1.0"}))


def _states():
    weeks, tables = np.arange(0, 105, 4.0), []
    for state, share in (("on_support", 0.5), ("EMPLOYED", 0.3), ("EDUCATION", 0.1), ("FLEX_JOB", 0.05),
                         ("RETIREMENT", 0.05)):
        for group, factor in (("treated", 1.1), ("comparison", 1.0)):
            level = share * factor * (1 - np.exp(-weeks / 20))
            level = 1 - level if state == "on_support" else level
            tables.append(tidy(term=state, group=group, time_weeks=weeks, estimate=level, n_persons=1200))
    return Result(kind="curve", estimand=_estimand("states", "share"), provenance=ORIGIN,
                  table=pd.concat(tables, ignore_index=True))


def _hazards():
    table = tidy(term=["PRAKTIK", "MENTOR"], estimate=[1.2, 0.7], conf_low=[1.0, 0.4], conf_high=[1.45, 1.2],
                 n_persons=800,
                 n_events=200)
    return Result(kind="model", estimand=_estimand("hazard", "ratio"), provenance=ORIGIN, table=table)


def _answers():
    table = tidy(term=["fair", "heard"] * 2, group=["CITIZEN"] * 2 + ["CASEWORKER"] * 2,
                 n_persons=[220, 220, 60, 60],
                 n_events=[120, 140, 40, 50])
    return Result(kind="share", estimand=_estimand("answers", "share"), provenance=ORIGIN, table=table)


def _net():
    table = tidy(term=["saved", "invested"], estimate=[41.2e6, -38.3e6], conf_low=[12e6, np.nan],
                 conf_high=[70e6, np.nan])
    return Result(kind="money", estimand=_estimand("net", "dkk"), provenance=ORIGIN, table=table)
