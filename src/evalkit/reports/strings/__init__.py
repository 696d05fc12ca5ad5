"""The catalogue of texts: labels of keys, and what is said about each result, in every language."""

import re
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from types import MappingProxyType

LANGUAGES = ("da", "en")
_LEVEL = re.compile(r"^(?P<name>[^\[\]]+)\[(?P<level>.+)\]$")
_DATE = re.compile(r"^(?P<year>\d{4})-(?P<month>\d{2})-(?P<day>\d{2})$")
_PERIOD = re.compile(r"^(?P<year>\d{4})(?P<unit>[HQM])(?P<number>\d{1,2})$")


@dataclass(frozen=True)
class Strings:
    """Texts of one notebook.

    Attributes
    ----------
    labels : mapping
        Key -> {language: text}.
    results : mapping
        Name of a result -> its title, chart, axis, rows, sentences and caveat.
    missing : set of str
        Keys that were asked for and have no label; names fall through as they are.
    """

    labels: MappingProxyType
    results: MappingProxyType
    missing: set = field(default_factory=set)

    def label(self, key, language):
        """Return the text of a key; ``sex[M]``, ``F, young`` and ``person.type`` are put together.

        A mapping of language to text is its own label. A key without a label is returned as it is.
        """
        if not isinstance(key, str):
            return key.get(language, "")
        if key == "" or key in self.labels:
            return self.labels[key][language] if key else ""
        return self._composed(key, language)

    def say(self, key, language, **values):
        """Return a common text with its ``{placeholders}`` filled."""
        return self.labels[key][language].format(**values)

    def result(self, name):
        """Return what is said about a result; an empty mapping when nothing is."""
        return self.results.get(name, {})

    def _composed(self, key, language):
        level, period, date = _LEVEL.match(key), _PERIOD.match(key), _DATE.match(key)
        if level:
            return f"{self.label(level['name'], language)}: {self.label(level['level'], language)}"
        if period:
            return self.say(f"period_{period['unit']}", language, year=period["year"],
                            number=int(period["number"]), month=self._month(period["number"], language))
        if date:
            return self.say("date", language, day=int(date["day"]),
                            month=self._month(date["month"], language),
                            year=date["year"])
        if ", " in key:
            return ", ".join(self.label(part, language) for part in key.split(", "))
        if key.partition(".")[0] in self.labels and key.partition(".")[2]:
            first, _, rest = key.partition(".")
            return f"{self.label(first, language)}: {self.label(rest, language)}"
        self.missing.add(key)
        return key

    def _month(self, number, language):
        return self.labels[f"month_{int(number)}"][language] if f"month_{int(number)}" in self.labels else ""


def load(notebook=""):
    """Return the texts of a notebook: its own files first, then the common ones, then everybody's labels.

    ``effect`` owns ``effect.yaml`` and ``effect_*.yaml``.
    """
    catalogues = _catalogues()
    own = [name for name in catalogues if name == notebook or name.startswith(f"{notebook}_")]
    order = [*(name for name in catalogues if name not in own and name != "common"), "common", *own]
    labels, results = {}, {}
    for name in order:
        labels |= catalogues[name].get("labels") or {}
        if name in ("common", *own):
            results |= catalogues[name].get("results") or {}
    return Strings(MappingProxyType(labels), MappingProxyType(results))


def incomplete():
    """List texts that lack a language, as ``file: where``."""
    return [f"{name}.yaml: {where}" for name, catalogue in _catalogues().items()
            for where in _lacking(catalogue, ())]


@cache
def _catalogues():
    import yaml

    folder = files(__name__)
    texts = {item.name.removesuffix(".yaml"): item.read_text(encoding="utf-8")
             for item in folder.iterdir() if item.name.endswith(".yaml")}
    return {name: yaml.safe_load(texts[name]) or {} for name in sorted(texts)}


def _lacking(node, trail):
    if isinstance(node, dict):
        given = [language for language in LANGUAGES if node.get(language)]
        if 0 < len(given) < len(LANGUAGES):
            yield ".".join(trail)
        for key, inner in node.items():
            yield from _lacking(inner, (*trail, str(key)))
    elif isinstance(node, list):
        for k, inner in enumerate(node):
            yield from _lacking(inner, (*trail, str(k)))
