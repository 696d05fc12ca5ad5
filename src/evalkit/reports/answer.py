"""The answer above a result: its first sentence stands out, the interval and the rest stand back."""

import re
from html import escape

# A sentence may begin with a number, but then not after an abbreviation.
_END = re.compile(r"[.?!](?=\s+[A-ZÆØÅ])|(?<=[a-zæøå_]{4})[.?!](?=\s+[\d+\u2212])")
_PART = re.compile(r"[:;](?=\s)")
_ASIDE = re.compile(r"\([^()]*\)")
# A first sentence longer than this is cut at a colon or semicolon, if it has one.
_LONG = 110


def answer_html(text):
    """Return an answer as HTML, what is said first in ``<strong>``.

    Examples
    --------
    >>> answer_html("Ja. Tallet er 5.")
    '<strong>Ja.</strong> Tallet er 5.'
    >>> answer_html("5 færre (1 til 9).")
    '<strong>5 færre <span>(1 til 9)</span>.</strong>'
    """
    if not text:
        return ""
    end = _end_of_first(text)
    first, rest = escape(text[:end], quote=False), escape(text[end:].strip(), quote=False)
    first = _ASIDE.sub(lambda aside: f"<span>{aside[0]}</span>", first)
    return f"<strong>{first}</strong> {rest}".strip()


def _end_of_first(text):
    """Return where the first sentence ends; signs inside brackets end nothing."""
    bare = _ASIDE.sub(lambda aside: "_" * len(aside[0]), text)
    found = _END.search(bare)
    end = found.end() if found else len(text)
    parts = [part.end() for part in _PART.finditer(bare, 0, end) if part.end() > _LONG / 3]
    return parts[0] if end > _LONG and parts else end
