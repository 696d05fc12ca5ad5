"""The evaluations: a study and tables in, Results out.

`effect` and `economy` (are the goals reached, at what net cost), `panel` (the municipal tables), `mechanism`
(what happens to whom on the way), `user` (how it is experienced), `monitoring` (the minister's questions).
None knows how its answers are released or drawn.
"""

from importlib import import_module


def preflight(study):
    """Let the study's evaluation say whether what the study names exists, before anything runs.

    Parameters
    ----------
    study : EffectStudy, MechanismStudy, UserStudy or MonitoringStudy
        An evaluation whose module has no ``preflight`` names nothing that could be missing.

    Raises
    ------
    SpecError
        All unknown names at once.
    """
    check = getattr(import_module(f"evalkit.evaluations.{study.name}"), "preflight", None)
    if check is not None:
        check(study)
