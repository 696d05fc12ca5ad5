"""The last look: final bytes are searched for what must never leave, in every layer they can be hidden in."""

import base64
import binascii
import datetime as dt
import html
import re
import urllib.parse
from dataclasses import dataclass
from functools import lru_cache

_MAX_DEPTH = 4
_DATA_URI = re.compile(r"data:[\w/+.;=-]*;base64,([A-Za-z0-9+/=\s]+)")
_BASE64 = re.compile(r"(?<![A-Za-z0-9+/])[A-Za-z0-9+/]{8,}={0,2}(?![A-Za-z0-9+/=])")
_SHA256 = re.compile(r"(?<![0-9a-fA-F])[0-9a-f]{64}(?![0-9a-fA-F])")
_CPR = re.compile(r"(?<![\d.,])(\d{2})(\d{2})(\d{2})[-\u2010-\u2015 ]?(\d{4})(?!\d)")
_INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u2060\ufeff]")
_TAG = re.compile(r"<[^>]*>")
# Cells, paragraphs and labels stand apart for a reader: their numbers are never one number.
_APART = re.compile(
    r"</?(?:t[dhr]|tbody|thead|table|caption|p|div|li|[uod]l|d[td]|h[1-6]|figcaption|summary|text|title|desc)"
    r"\b[^>]*>", re.I)
_WORD = re.compile(r"[\w-]+")
# Digits alone, this short, cannot be told from a count; other signs not from a part of a word.
_SHORTEST_DIGITS, _SHORTEST = 7, 5
_PATTERNS = {
    "traceback": re.compile(
        r"Traceback \(most recent call last\)|File \"[^\"]+\", line \d+|\x1b\[[0-9;]*m|\\u001b\["),
    "machine_path": re.compile(
        r"(?<![\w<.])/(?:home|Users|root|tmp|var|mnt|opt|srv|work|private|usr|media|data)/[\w.]"
        r"|(?<!\w)[A-Za-z]:\\{1,2}[\w. ]|(?<![\\\w])\\{2,4}[\w.-]+\\{1,2}\w|file://"),
    "network_address": re.compile(
        r"(?:src|href|srcset|action|poster|data|cite|background)\s*=\s*[\"']?\s*(?:https?:)?//"
        r"|url\(\s*[\"']?\s*(?:https?:)?//|@import|\bimport\s*\(?\s*[\"']https?:"
        r"|<(?:iframe|object|embed|base)\b|http-equiv=[\"']?refresh", re.I),
    "script": re.compile(r"<script\b|javascript:|<[^>]+\son\w+\s*=", re.I),
}


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that must not leave: its kind, where it is, and how many layers down. Never what it is."""

    kind: str
    position: int
    layer: int = 0


def scan(content, known_ids=frozenset()):
    """Search bytes that are about to leave.

    Entities, URL and JSON escapes, tags inside words, invisible characters and base64 (in data URIs or bare)
    are undone first, up to four layers.

    Parameters
    ----------
    content : bytes or str
        HTML, JSON, CSV or SVG.
    known_ids : set of str
        Person ids read from the site's files. Ids of fewer than five signs, or fewer than seven digits and
        nothing else, cannot be told from words and counts and are left out.

    Returns
    -------
    list of Finding
        ``person_id``, ``cpr_shape``, ``traceback``, ``machine_path``, ``network_address``, ``script``.

    Examples
    --------
    >>> {finding.kind for finding in scan(b"<p>0101701234</p>")}
    {'cpr_shape'}
    """
    text = content.decode("utf-8", errors="replace") if isinstance(content, bytes) else content
    ids = _known(frozenset(known_ids))
    found = {finding for depth, layer in _layers(text) for finding in _look(layer, ids, depth)}
    return sorted(found, key=lambda finding: (finding.layer, finding.position, finding.kind))


@lru_cache(maxsize=2)
def _known(ids):
    return _Known(ids)


class _Known:
    """Known ids by length, so that a text is searched once for all of them."""

    def __init__(self, ids):
        folded = {str(one).strip().casefold() for one in ids} - {""}
        self.ids = {one for one in folded if len(one) >= (_SHORTEST_DIGITS if one.isdigit() else _SHORTEST)}
        self.lengths = sorted({len(one) for one in self.ids if _WORD.fullmatch(one)})
        self.odd = [one for one in self.ids if not _WORD.fullmatch(one)]

    def positions(self, text):
        """Yield where an id begins."""
        yield from (text.index(one) for one in self.odd if one in text)
        if not self.lengths:
            return
        for word in _WORD.finditer(text):
            token = word[0]
            for length in self.lengths:
                for k in range(len(token) - length + 1):
                    if token[k:k + length] in self.ids:
                        yield word.start() + k


def _look(text, ids, depth):
    # A fingerprint is as good as random: some seven signs of it are somebody's pseudonym.
    text = _SHA256.sub(lambda match: " " * len(match[0]), text)
    for position in ids.positions(text.casefold()):
        yield Finding("person_id", position, depth)
    for match in _CPR.finditer(text):
        if _is_birthday(match):
            yield Finding("cpr_shape", match.start(), depth)
    for kind, pattern in _PATTERNS.items():
        for match in pattern.finditer(text):
            yield Finding(kind, match.start(), depth)


def _is_birthday(match):
    day, month, year = int(match[1]), int(match[2]), int(match[3])
    try:
        # A replacement number has 60 added to its day.
        dt.date(2000 + year, month, day - 60 if day > 60 else day)
    except ValueError:
        return False
    return True


def _layers(text, depth=0):
    """Yield the text and every text hidden in it, with how deep it lay."""
    shown = {text, _undone(text)}
    shown |= {_TAG.sub("", _APART.sub("\n", one)) for one in set(shown)}
    for one in sorted(shown):
        yield depth, one
    if depth < _MAX_DEPTH:
        for one in sorted(shown):
            for inner in _decoded(one):
                yield from _layers(inner, depth + 1)


def _undone(text):
    """Undo escapes until nothing changes: an escape may itself be escaped."""
    for _ in range(_MAX_DEPTH):
        before = text
        text = urllib.parse.unquote(html.unescape(text))
        text = re.sub(r"\\u([0-9a-fA-F]{4})", lambda match: chr(int(match[1], 16)), text)
        if text == before:
            break
    return _INVISIBLE.sub("", text)


def _decoded(text):
    for match in _DATA_URI.finditer(text):
        yield _unpack(re.sub(r"\s", "", match[1]), keep=True)
    for match in _BASE64.finditer(text):
        inner = _unpack(match[0], keep=False)
        if inner:
            yield inner


def _unpack(code, keep):
    """Return the text in base64; unless ``keep``, only when it reads as text."""
    try:
        data = base64.b64decode(code + "=" * (-len(code) % 4))
    except (binascii.Error, ValueError):
        return ""
    text = data.decode("utf-8" if not keep else "latin-1", errors="replace")
    return text if keep or text.isprintable() else ""
