"""A drawing as it stands in a page: named for screen readers, ids of its own, no metadata, no font files."""

import html
import re

from evalkit.reports.palette import DARK, variable

_FONT = re.compile(r"font:\s*(?:italic |normal )?(?P<weight>(?:bold |\d+ )?)(?P<size>[\d.]+)px [^;\"]+")
_FAMILY = re.compile(r"font-family:\s*[^;\"]+;?\s*")
_ID = re.compile(r'\bid="([^"]+)"')


def embed(drawing, *, prefix, title, description):
    """Turn a drawing program's SVG file into an inline figure.

    Parameters
    ----------
    drawing : str
        SVG as matplotlib writes it with text as text.
    prefix : str
        Unique on the page; every id and every reference to one gets it.
    title, description : str
        Name and long text for readers who do not see it.

    Returns
    -------
    str
        ``<svg role="img">`` with ``<title>`` and ``<desc>``; fonts are left to the page.
    """
    body = drawing[drawing.index("<svg"):]
    body = re.sub(r"<metadata>.*?</metadata>|<!--.*?-->", "", body, flags=re.S)
    body = _own_ids(body, prefix)
    # Older matplotlib writes one font property, newer ones each by itself; the family is the page's.
    body = _FAMILY.sub("", _FONT.sub(lambda m: f"font-size:{m['size']}px{_weight(m['weight'])}", body))
    for colour in DARK:
        body = body.replace(f": {colour}", f": {variable(colour)}")
    box = re.search(r'viewBox="([^"]+)"', body)[1]
    inner = body[body.index(">", body.index("<svg")) + 1:]
    head = (f'<svg role="img" viewBox="{box}" aria-labelledby="{prefix}-title {prefix}-desc">'
            f'<title id="{prefix}-title">{html.escape(title)}</title>'
            f'<desc id="{prefix}-desc">{html.escape(description)}</desc>')
    return head + re.sub(r"\n\s*", "\n", inner).strip()


def _own_ids(body, prefix):
    """Number the ids that something refers to and drop the rest: hashes could look like anything."""
    body = re.sub(r'xlink:href="#', 'href="#', body)
    used = dict.fromkeys(re.findall(r'(?:url\(#|href="#)([^)"]+)', body))
    names = {old: f"{prefix}-{k}" for k, old in enumerate(used)}
    body = _ID.sub(lambda m: f'id="{names[m[1]]}"' if m[1] in names else "", body)
    return re.sub(r'(url\(#|href="#)([^)"]+)', lambda m: m[1] + names[m[2]], body)


def _weight(weight):
    return f";font-weight:{weight.strip()}" if weight.strip() else ""
