"""Studies, sites and profiles: YAML in, frozen objects out; a key that nobody knows is refused."""

from pathlib import Path

from evalkit.errors import SpecError
from evalkit.files import package_data
from evalkit.profile import Profile
from evalkit.spec.build import Range, Text, build, nearest
from evalkit.spec.reading import content_hash, read_yaml
from evalkit.spec.site import PUBLIC_VARIABLE, Site, find, load_site
from evalkit.spec.study import STUDIES

__all__ = ["PUBLIC_VARIABLE", "Range", "Site", "Text", "find", "load_profile", "load_site", "load_study"]


def load_study(path):
    """Read a study: what is asked, of whom, over which windows.

    Parameters
    ----------
    path : path-like
        For instance ``analysis/effect.yaml``; its key ``study`` chooses the kind.

    Returns
    -------
    EffectStudy, MechanismStudy, UserStudy or MonitoringStudy
        With ``name`` and ``sha256`` (of the content, not of the layout).

    Raises
    ------
    SpecError
        Everything that is wrong with the file, at once.
    """
    path = find(path)
    raw = read_yaml(path)
    kind = raw.pop("study", None)
    if kind not in STUDIES:
        raise SpecError(f"{path.name}: study: {kind!r} is no kind of study{nearest(kind, STUDIES)}")
    computed = {"name": kind, "sha256": content_hash({"study": kind, **raw})}
    return build(STUDIES[kind], raw, where=path.name, computed=computed)


def load_profile(name):
    """Read the disclosure rules of a data holder by name.

    Raises
    ------
    SpecError
        If no such profile is shipped, or its file is not well formed.
    """
    folder = Path(package_data("data_schema", "profiles"))
    names = sorted(path.stem for path in folder.glob("*.yaml"))
    if name not in names:
        raise SpecError(f"profile: {name!r} is not in data_schema/profiles{nearest(name, names)}")
    return build(Profile, read_yaml(folder / f"{name}.yaml"), where=f"{name}.yaml")
