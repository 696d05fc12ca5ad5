"""A page of the documentation: read from Markdown, checked for its links, written as HTML."""

import base64
import mimetypes
import os
import posixpath
import re
from dataclasses import dataclass
from html import escape
from pathlib import Path

from colouring import coloured

STYLE = Path(__file__).resolve().parents[1] / "src" / "evalkit" / "reports" / "html" / "style.css"
OWN_STYLE = Path(__file__).parent / "site.css"
_PICTURES = (".png", ".svg", ".jpg")


@dataclass(frozen=True)
class Block:
    """Code of a page, and the line of its fence."""

    code: str
    line: int


@dataclass(frozen=True, eq=False)
class Page:
    """One Markdown file.

    Attributes
    ----------
    heading : str
        Of the navigation.
    file : Path
    name : str
        Path in the site, with ``.md``.
    tokens : list
        Of markdown-it.
    """

    heading: str
    file: Path
    name: str
    tokens: list

    @property
    def target(self):
        """Path of the page as written."""
        return self.name.removesuffix(".md") + ".html"

    @property
    def title(self):
        """The first heading's words."""
        return next((_words(self.tokens[k + 1]) for k, token in enumerate(self.tokens)
                     if token.type == "heading_open"), self.name)

    @property
    def blocks(self):
        """The Python blocks, in order."""
        return [Block(token.content, token.map[0] + 1) for token in self.tokens if _is_python(token)]

    @property
    def anchors(self):
        """Names of the places that a link can lead to."""
        return {anchor for anchor, _ in _headings(self.tokens)}

    def links(self):
        """Return the address of every link and picture of the page."""
        inline = [child for token in self.tokens for child in token.children or ()]
        return [token.attrGet("href") if token.type == "link_open" else token.attrGet("src")
                for token in inline if token.type in ("link_open", "image")]

    def files(self):
        """Return files beside the page that it links to, with their names from the page."""
        inside = (link.partition("#")[0] for link in self.links() if not _is_outside(link))
        named = [link for link in inside if link and not link.endswith((".md", *_PICTURES))]
        return [(self.file.parent / link, link) for link in named
                if not link.startswith("..") and (self.file.parent / link).is_file()]


def read(heading, file, name):
    """Read a page from its file."""
    text = file.read_text(encoding="utf-8")
    return Page(heading, file, name, _parser().parse(text))


def broken_links(site):
    """Return a line for each link that leads to no page, place or file."""
    known = {page.name: page for page in site.pages}
    return [f"{page.name}: the link {link} leads nowhere" for page in site.pages for link in page.links()
            if not _leads(page, link, known)]


def _leads(page, link, known):
    if _is_outside(link):
        return True
    path, _, anchor = link.partition("#")
    other = known.get(_in_site(page, path)) if path else page
    if other is not None:
        return not anchor or anchor in other.anchors
    return (page.file.parent / path).exists()


def _is_outside(link):
    return re.match(r"[a-z]+:", link) is not None


def _in_site(page, path):
    return posixpath.normpath(posixpath.join(posixpath.dirname(page.name), path))


def html(page, shown, site, out):
    """Return a page as one HTML text: its words, its code coloured, what the code showed, the navigation.

    Parameters
    ----------
    page : Page
    shown : sequence of str
        HTML of what each Python block showed.
    site : namespace
        Its ``pages``.
    out : Path
        Folder of the built site.
    """
    remaining = iter(shown)
    tokens, known = _parser().parse(page.file.read_text(encoding="utf-8")), {one.name for one in site.pages}
    anchors = iter(_headings(tokens))
    parts = []
    for token in tokens:
        if token.type == "heading_open":
            token.attrSet("id", next(anchors)[0])
        for child in token.children or ():
            _point(child, page, known, out)
    renderer = _parser().renderer
    for piece in _pieces(tokens):
        if len(piece) == 1 and piece[0].type == "fence":
            parts.append(_code(piece[0]))
            parts.append(next(remaining) if _is_python(piece[0]) else "")
        else:
            parts.append(_scrolling(renderer.render(piece, _parser().options, {})))
    body = "".join(parts).replace("</h1>", f"</h1>{_contents(tokens)}", 1)
    return _FRAME.format(title=escape(page.title), style=_style(), navigation=_navigation(page, site),
                         body=body, up=_up(page))


def _pieces(tokens):
    """Cut tokens at code blocks of the first level."""
    piece = []
    for token in tokens:
        if token.type == "fence" and token.level == 0:
            yield piece
            yield [token]
            piece = []
        else:
            piece.append(token)
    yield piece


def _code(token):
    code = coloured(token.content) if _is_python(token) else escape(token.content)
    return f'<pre class="code" tabindex="0"><code>{code}</code></pre>\n'


def _is_python(token):
    return token.type == "fence" and token.info.strip() == "python"


def _point(child, page, known, out):
    """Let a link lead to the page as written, and carry a picture inside the page."""
    if child.type == "link_open":
        path, sharp, anchor = child.attrGet("href").partition("#")
        inside = not _is_outside(path) and _in_site(page, path) in known
        if inside:
            child.attrSet("href", path.removesuffix(".md") + ".html" + sharp + anchor)
        elif not _is_outside(path) and path.startswith(".."):
            child.attrSet("href", _from(page, path, out))
    elif child.type == "image":
        child.attrSet("src", _data(page.file.parent / child.attrGet("src")))


def _from(page, path, out):
    """Return the address of a file that is no page, from where a page is written."""
    file = (page.file.parent / path).resolve()
    return Path(os.path.relpath(file, (out / page.target).resolve().parent)).as_posix()


def _data(file):
    kind = mimetypes.guess_type(file.name)[0]
    return f"data:{kind};base64,{base64.b64encode(file.read_bytes()).decode('ascii')}"


def _scrolling(text):
    """Let a wide table scroll by itself, reachable by keyboard."""
    frame = '<div class="scroll" role="group" aria-label="Table" tabindex="0">'
    return text.replace("<table>", f"{frame}<table>").replace("</table>", "</table></div>")


def _headings(tokens):
    """Return (anchor, words) of each heading; equal ones are numbered."""
    found = []
    for k, token in enumerate(tokens):
        if token.type == "heading_open":
            words = _words(tokens[k + 1])
            anchor = re.sub(r"[^\w]+", "-", words.lower()).strip("-")
            again = sum(anchor == before or before.startswith(f"{anchor}-again") for before, _ in found)
            found.append((f"{anchor}-again{again}" if again else anchor, words))
    return found


def _words(inline):
    return "".join(child.content for child in inline.children if child.type in ("text", "code_inline"))


def _contents(tokens):
    """Return links to the sections of a page that has many."""
    opened = [token for token in tokens if token.type == "heading_open"]
    second = [place for place, token in zip(_headings(tokens), opened, strict=True) if token.tag == "h2"]
    if len(second) < 4:
        return ""
    items = "".join(f'<li><a href="#{anchor}">{escape(words)}</a></li>' for anchor, words in second)
    return f'<nav class="toc" aria-label="On this page"><ol>{items}</ol></nav>'


def _navigation(page, site):
    groups = {}
    for one in site.pages:
        groups.setdefault(one.heading, []).append(one)
    return "".join(f'<section><h2>{escape(heading)}</h2><ul>{_entries(page, members)}</ul></section>'
                   for heading, members in groups.items())


def _entries(page, members):
    start = posixpath.dirname(page.name) or "."
    entries = []
    for one in members:
        here = ' aria-current="page"' if one.name == page.name else ""
        link = posixpath.relpath(one.target, start)
        entries.append(f'<li><a href="{link}"{here}>{escape(one.title)}</a></li>')
    return "".join(entries)


def _up(page):
    return "../" * page.name.count("/")


def _style():
    return STYLE.read_text(encoding="utf-8") + OWN_STYLE.read_text(encoding="utf-8")


def _parser():
    from markdown_it import MarkdownIt

    return MarkdownIt("commonmark", {"html": False}).enable("table")


_FRAME = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; style-src 'unsafe-inline'; img-src data:">
<title>{title} – evalkit</title>
<style>
{style}
</style>
</head>
<body class="docs">
<a class="skip" href="#content">Skip to content</a>
<div class="sheet">
<nav class="site" aria-label="All pages">
<p class="place"><a href="{up}index.html">evalkit</a></p>
<details class="menu"><summary>All pages</summary>{navigation}</details>
<div class="list">{navigation}</div>
</nav>
<main id="content">
{body}
</main>
</div>
</body>
</html>
"""
