"""evalkit: evaluate a programme for people on long-term support from weekly register data and surveys.

The map, from the door in to the door out::

    checked tables --> AtRisk (entry, exit, event) --> Result (tidy table) --> Released (may leave)

==================  =========================================================================
`open`              a site and a study, in a notebook: ``run.tables``, ``run.show(result, name=...)``
`contract`          the door in: read and check what a municipality delivers
`spec`              studies and sites: YAML files as frozen objects
`cohort`            weeks, spells, episodes; who is followed from when, and who was left out why
`estimators`        survival, states, panels: plain functions from data to a `Result`
`evaluations`       the client's questions: effect, mechanism, user, monitoring
`disclosure`        the door out: nothing leaves but what `release` makes
`reports`           sentences, tables and charts of what was released
`simulate`          a register with a known truth, to try everything before there are data
`run`, `publish`    notebooks executed, pages written; `cli` composes them
`AtRisk`, `Result`, `Estimand`, `Provenance`, `Released`, `Profile`, `Site`   the nouns
`EvalkitError` and its children                                                what can go wrong
==================  =========================================================================
"""

import importlib

_HOMES = {
    "AtRisk": "atrisk", "Result": "result", "Estimand": "result", "Provenance": "result",
    "Released": "result", "Profile": "profile", "Site": "spec", "open": "notebook",
    "EvalkitError": "errors", "ContractError": "errors", "SpecError": "errors", "CohortError": "errors",
    "EstimationError": "errors", "DisclosureError": "errors", "RunError": "errors",
}
_ROOMS = ("cli", "cohort", "contract", "disclosure", "estimators", "evaluations", "publish", "reports", "run",
          "simulate", "spec", "weeks")

__all__ = sorted([*_HOMES, *_ROOMS])


def __getattr__(name):
    # Nothing is imported before it is used: the first line of a notebook answers at once (PEP 562).
    if name in _HOMES:
        return getattr(importlib.import_module(f"evalkit.{_HOMES[name]}"), name)
    if name in _ROOMS:
        return importlib.import_module(f"evalkit.{name}")
    raise AttributeError(f"module 'evalkit' has no attribute {name!r}")


def __dir__():
    return [*globals(), *__all__]
