"""A site: one municipality's files, dates, prices and disclosure rules. Science is in the study."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any, Literal

from evalkit.errors import SpecError
from evalkit.files import package_data
from evalkit.spec.build import Text, build
from evalkit.spec.reading import content_hash, read_yaml

# source: published figures; assumed: set by hand, such as an example's prices.
Origin = Literal["simulated", "real", "source", "assumed"]
_STATBANK_NAME = re.compile(r"^[A-Z]+\d+[A-Z]*$")
PUBLIC_VARIABLE = "EVALKIT_PUBLIC"


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One delivered file: its name in the data folder, the dialect it is written in, and what it holds."""

    file: str
    dialect: Literal["csv", "dream", "ydelsesrefusion", "statbank"]
    table: str = ""
    origin: Origin | None = None
    options: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self):
        if self.dialect == "csv" and not self.table:
            raise ValueError(f"{self.file}: a csv file needs the key table, "
                             "the name of a table in data_schema/")


@dataclass(frozen=True, slots=True, kw_only=True)
class Data:
    """The folder of deliveries; ``origin`` holds for every delivery that says nothing else."""

    folder: Path
    origin: Origin
    deliveries: tuple[Delivery, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Municipalities that may be poor donors, with the reason beside the list in the file."""

    doubtful_donors: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A municipality as evalkit sees it. Relative paths of the file are resolved against ``root``.

    Attributes
    ----------
    name : str
        Names the folders ``out/<name>`` and ``private/<name>``.
    municipality : str
        As the tables spell it.
    title, note : mapping of language to text
        The note is shown on every page.
    programme_start : date
        From which every study counts its windows.
    languages : tuple of str
    profile : str
        Disclosure profile of the data holder.
    public : Path
        Folder of Statistics Denmark's tables as the StatBank answers them.
    price : Path
        Table of dated prices.
    price_origin : str
        What the prices are: assumed, until somebody has checked them against the year's rates.
    data : Data
    comparison : Comparison
    out, private : Path
        Pages and bundle; executed notebooks, logs and the release log.
    path : Path
        The file itself.
    root : Path
        The folder that the file's relative paths start from.
    sha256 : str
        Of the file's content.
    """

    name: str
    municipality: str
    title: Text
    note: Text
    programme_start: date
    languages: tuple[Literal["da", "en"], ...]
    profile: str
    public: Path
    price: Path
    price_origin: Origin = "assumed"
    data: Data
    comparison: Comparison = Comparison()
    out: Path
    private: Path
    path: Path
    root: Path
    sha256: str

    @property
    def has_public(self):
        """Whether the StatBank tables are there; else the simulated panel takes their place."""
        return any(_statbank_files(self.public))

    @property
    def has_panel(self):
        """Whether there are tables of municipalities at all, Statistics Denmark's or the site's own."""
        return self.has_public or any(_statbank_files(self.data.folder))

    @property
    def sources(self):
        """Every file that the contract reads, as plain mappings ``{path, dialect, table, origin, ...}``."""
        delivered = [{**item.options, "path": self.data.folder / item.file, "dialect": item.dialect,
                      "table": item.table, "origin": item.origin or self.data.origin}
                     for item in self.data.deliveries]
        return delivered + self._public_sources() + self._published_sources()

    def _public_sources(self):
        # Without the real tables the panel that lies among the site's own files takes their place.
        folder, origin = (self.public, "real") if self.has_public else (self.data.folder, self.data.origin)
        return [{"path": path, "dialect": "statbank", "table": "municipality_period", "origin": origin}
                for path in _statbank_files(folder)]

    def _published_sources(self):
        figures = package_data("data_schema", "figures", "source_figures.csv")
        return [{"path": figures, "dialect": "csv", "table": "municipality_period", "origin": "source"},
                {"path": self.price, "dialect": "csv", "table": "price", "origin": self.price_origin}]


def load_site(path, *, public=None):
    """Read a site file.

    Parameters
    ----------
    path : path-like
        For instance ``analysis/municipalities/hjoerring.yaml``.
    public : path-like, optional
        Folder of StatBank tables instead of the file's own; so does the variable ``EVALKIT_PUBLIC``.
        A folder that is named so must hold tables; the file's own may be absent.

    Returns
    -------
    Site

    Raises
    ------
    SpecError
        Everything that is wrong with the file, at once; or there are no tables in the folder named.
    """
    path = find(path)
    raw = read_yaml(path)
    root = _root(path)
    computed = {"path": path, "root": root, "sha256": content_hash(raw)}
    site = build(Site, raw, where=path.name, computed=computed)
    return replace(site, public=_public(public) or (root / site.public).resolve(),
                   price=_price(root, site.price), out=root / site.out, private=root / site.private,
                   data=replace(site.data, folder=root / site.data.folder))


def _public(folder):
    """Return the folder that the caller or the environment names; who names one wants no other tables."""
    named = folder or os.environ.get(PUBLIC_VARIABLE)
    if not named:
        return None
    if not _statbank_files(Path(named)):
        by = "--public" if folder else PUBLIC_VARIABLE
        found = "no StatBank tables (files such as LBESK69.csv)" if Path(named).is_dir() else "no such folder"
        raise SpecError(f"{named}: {found}, named by {by}. Fetch them with: evalkit public --to {named}")
    return Path(named).resolve()


def find(path):
    """Return the file: as named, else seen from the folder above (a notebook's own), else the shipped one.

    Raises
    ------
    SpecError
        If none of the three exists.
    """
    path = Path(path)
    for place in (path, Path("..") / path):
        if place.is_file():
            return place.resolve()
    try:
        return package_data(*path.parts)
    except FileNotFoundError:
        raise SpecError(f"{path.as_posix()}: no such file. Looked in {Path.cwd()}, in the folder above it, "
                        "and among the files that evalkit ships") from None


def _root(path):
    """Paths of analysis/municipalities/x.yaml start at the project's top, those of any other file beside it.

    A site that travels inside the installed package works in the current folder.
    """
    shipped = package_data("analysis").parent
    if shipped.name == "_data" and path.is_relative_to(shipped):
        return Path.cwd()
    in_project = path.parent.name == "municipalities" and path.parent.parent.name == "analysis"
    return path.parents[2] if in_project else path.parent


def _price(root, price):
    return next((place for place in (root / price, _shipped(price)) if place.is_file()), root / price)


def _shipped(path):
    try:
        return package_data(*path.parts)
    except FileNotFoundError:
        return path


def _statbank_files(folder):
    """StatBank's tables have names such as LBESK69; whatever else lies there is not read."""
    found = folder.glob("*.csv") if folder.is_dir() else ()
    return sorted(path for path in found if _STATBANK_NAME.match(path.stem))
