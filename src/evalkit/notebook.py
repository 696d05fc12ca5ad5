"""`open` a site in a notebook, and `run.show` what it answers: released, displayed, kept for the report."""

import importlib.metadata
import json
import os
import platform
import re
from functools import cached_property

import numpy as np

from evalkit import cohort, contract, spec
from evalkit.disclosure import release
from evalkit.errors import DisclosureError
from evalkit.result import MEDIA_TYPE, Result

_NAME = re.compile(r"^[a-z][a-z0-9_]{0,59}$")
_STACK = ("evalkit", "numpy", "pandas", "scipy", "statsmodels", "lifelines", "duckdb")
_ORIGINS = ("simulated", "real", "source", "assumed")
RELEASE_LOG = "releases.jsonl"
# Set by the runner to the notebook's name: there a name may be shown only once.
_RUN_VARIABLE = "EVALKIT_RUN"


def open(site, study=None, seed=0):
    """Open a site for an evaluation.

    Parameters
    ----------
    site : path-like
        ``analysis/municipalities/<name>.yaml``.
    study : path-like, optional
        ``analysis/<study>.yaml``.
    seed : int
        Of every draw in the notebook.

    Returns
    -------
    Run

    Raises
    ------
    SpecError
        If one of the files is not well formed.

    Examples
    --------
    >>> run = open("analysis/municipalities/hjoerring.yaml", seed=1)
    >>> run.site.municipality
    'Hjørring'
    """
    return Run(spec.load_site(site), None if study is None else spec.load_study(study), seed)


class Run:
    """One evaluation of one site: explicit, so that a notebook needs no global.

    Attributes
    ----------
    site : Site
    study : EffectStudy, MechanismStudy, UserStudy, MonitoringStudy or None
    profile : Profile
        Disclosure rules of the site's data holder.
    rng : numpy.random.Generator
    seed : int
    tables : Tables
        Read and checked at first use.
    spells : DataFrame
        One state a week per person, at first use.
    """

    def __init__(self, site, study, seed):
        self.site, self.study, self.seed = site, study, seed
        self.profile = spec.load_profile(site.profile)
        self.rng = np.random.default_rng(seed)
        self._shown = set()

    def __repr__(self):
        return f"Run(site={self.site.name!r}, study={getattr(self.study, 'name', None)!r}, seed={self.seed})"

    @cached_property
    def tables(self):
        """The site's tables; `ContractError` with every problem if they break the contract."""
        return contract.read(self.site.sources)

    @cached_property
    def spells(self):
        """Unbroken runs of weeks in one state."""
        return cohort.spells(self.tables)

    def show(self, result, name):
        """Release a result, keep it for the report, and display it.

        Parameters
        ----------
        result : Result
            Nothing else has rules by which it may leave; person rows and arrays are refused.
        name : str
            Its file in the bundle, once in a notebook: small letters, digits and ``_``.

        Raises
        ------
        DisclosureError
            If the object or its name may not leave.
        """
        self._require(result, name)
        released = release(self._with_provenance(result), self.profile, name=name)
        self._log(released)
        self._shown.add(name)
        notebook = os.environ.get(_RUN_VARIABLE) or getattr(self.study, "name", "")
        _display(released, self.site.languages[0], notebook)

    def _require(self, result, name):
        if not isinstance(result, Result):
            raise DisclosureError(f"show: found {type(result).__name__}, expected a Result. Numbers per "
                                  "person stay inside; an evaluation or estimator makes a Result of them")
        if not isinstance(name, str) or not _NAME.match(name):
            raise DisclosureError(f"show: the name {name!r} must begin with a small letter and hold only "
                                  "small letters, digits and _")
        if name in self._shown and os.environ.get(_RUN_VARIABLE):
            raise DisclosureError(f"show: the name {name!r} was used before in this notebook; each result "
                                  "has its own file in the bundle")

    def _with_provenance(self, result):
        stated = result.provenance
        inputs, origins, data_through = stated.inputs, {}, stated.data_through
        if not inputs:  # a check of refused data states its own
            inputs, origins = self.tables.inputs, self.tables.origins
            data_through = str(self.tables.data_through)
        return result.with_provenance(
            study=getattr(self.study, "name", ""), study_sha256=getattr(self.study, "sha256", ""),
            site=self.site.name, site_sha256=self.site.sha256, inputs=inputs,
            rests_on=_rests_on(stated.rests_on, origins), data_through=data_through,
            versions=_versions(), seed=self.seed)

    def _log(self, released):
        entry = {"notebook": os.environ.get(_RUN_VARIABLE, ""), "name": released.name,
                 "sha256": released.sha256}
        self.site.private.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle = os.open(self.site.private / RELEASE_LOG, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        with os.fdopen(handle, "a", encoding="utf-8", newline="\n") as log:
            log.write(json.dumps(entry) + "\n")


def _rests_on(named, origins):
    """Return the origins of the tables (or the origins) that the evaluation names; no claim where none."""
    found = {origins.get(item, item) for item in named}
    # Evaluations of facts say what kind of figure the reader meets, the contract what kind of file.
    return tuple(sorted({"source" if origin == "published" else origin for origin in found} & set(_ORIGINS)))


def _versions():
    return {"python": platform.python_version(),
            **{name: importlib.metadata.version(name) for name in _STACK}}


def _display(released, language, notebook):
    from IPython.display import display

    from evalkit.reports import preview

    bundle = released._repr_mimebundle_()
    shown = {MEDIA_TYPE: bundle[MEDIA_TYPE], "text/plain": bundle["text/plain"]}
    # The runner's notebooks are read as pages: drawing previews there would only cost time.
    if not os.environ.get(_RUN_VARIABLE):
        shown["text/html"] = preview(released, language, notebook)
    display(shown, raw=True)
