"""A page from what a notebook said and released, in one language."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from html import escape

from evalkit.reports.answer import answer_html
from evalkit.reports.appendix import appendix
from evalkit.reports.charts import chart
from evalkit.reports.dictionary import dictionary_tables
from evalkit.reports.estimand import meaning
from evalkit.reports.palette import INK, PAPER
from evalkit.reports.strings import load
from evalkit.reports.tables import table
from evalkit.reports.text import fill, find_row, sentence, title_of

# The section whose answers a page and the index begin with.
_ESTIMATE = ("Estimat", "Estimate")
# A table with more rows than this is folded where a sentence stands above it.
_LONG = 24


@dataclass(frozen=True, slots=True)
class Prose:
    """A Markdown cell of the page's language."""

    text: str


@dataclass(frozen=True, slots=True)
class Shown:
    """The payload of a Released object."""

    payload: Mapping


@dataclass(frozen=True, slots=True)
class Failure:
    """A cell that stopped: the class of its error and its number, never its message."""

    error: str
    step: int


def page(cells, language, strings, meta):
    """Return a notebook's page: one self-contained HTML text.

    Parameters
    ----------
    cells : sequence of Prose, Shown or Failure
        In the notebook's order. A heading of level 1 is the title, each of level 2 begins a section.
    language : {"da", "en"}
    strings : Strings
    meta : mapping
        ``title`` (used where no cell has one), ``site``, ``note``, ``languages`` {language: link},
        ``index`` (link), ``n_not_exported``, ``is_simulated`` (marks the page).

    Returns
    -------
    str
        HTML, the same for the same input.
    """
    title, sections = _sections(cells, language, strings, meta)
    shown = [cell.payload for cell in cells if isinstance(cell, Shown)]
    return _template("page.html").render(
        language=language, say=_say(strings, language), title=title, meta=meta, lead=sections[0]["parts"],
        sections=sections[1:], summary=_summary(cells, strings, language),
        appendix=appendix(shown, strings, language, meta), other=_others(meta, language))


def index(entries, language, strings, meta):
    """Return the first page: one card a report, with its most important sentences.

    Parameters
    ----------
    entries : sequence of mapping
        ``title``, ``link``, ``parts`` (its cells), ``payloads`` and ``strings`` of each report.
    """
    cards = [{"title": entry["title"], "link": entry["link"], "n_results": len(entry["payloads"]),
              "answers": _summary(entry["parts"], entry["strings"], language)} for entry in entries]
    return _template("index.html").render(
        language=language, say=_say(strings, language), cards=cards, meta=meta, other=_others(meta, language))


def dictionary(entries, language, strings, meta):
    """Return the data dictionary's page; ``entries`` as for `index`, with each report's ``notebook``."""
    return _template("dictionary.html").render(
        language=language, say=_say(strings, language), meta=meta, other=_others(meta, language),
        tables=dictionary_tables(entries, language, strings))


def preview(released, language="da", notebook=""):
    """Return what JupyterLab shows of a Released object: title, sentence, chart and table."""
    strings = load(notebook)
    shown = _result(released.payload, strings, language, "preview")
    return f'<div lang="{language}" style="background:{PAPER};color:{INK};max-width:52rem">{shown}</div>'


def markdown(text):
    """Return Markdown as HTML; raw HTML is shown as text, links keep their words and lose their address."""
    return re.sub(r"</?a\b[^>]*>|<img[^>]*>", "", _markdown().render(text))


def _sections(cells, language, strings, meta):
    title, sections = "", [_new_section("", "intro")]
    for k, cell in enumerate(cells):
        if isinstance(cell, Prose):
            title = _add_prose(cell.text, sections, title)
        elif isinstance(cell, Shown):
            sections[-1]["parts"].append(_result(cell.payload, strings, language, f"r{k}"))
            sections[-1]["origins"].update(dict.fromkeys(cell.payload["provenance"]["rests_on"]))
        else:
            text = strings.say("failure", language, step=cell.step, error=cell.error)
            sections[-1]["parts"].append(f'<p class="failure">{escape(text)}</p>')
    for section in sections:
        section["rests_on"] = _rests_on(section["origins"], strings, language)
        section["origins"] = _origins(section["origins"])
    return title or meta["title"], [sections[0], *(section for section in sections[1:] if section["parts"])]


def _add_prose(text, sections, title):
    """Cut a Markdown cell at its headings of level 1 and 2, and begin sections there."""
    for block in re.split(r"(?m)^(?=#{1,2} )", text):
        heading = re.match(r"(#{1,2}) +(.+)", block)
        if heading is None:
            rest = block
        elif heading[1] == "#":
            title, rest = title or heading[2].strip(), block[heading.end():]
        else:
            sections.append(_new_section(heading[2].strip(), f"s{len(sections)}"))
            rest = block[heading.end():]
        if rest.strip():
            sections[-1]["parts"].append(markdown(rest))
    return title


def _new_section(heading, key):
    return {"heading": heading, "id": key, "parts": [], "origins": {}}


def _rests_on(origins, strings, language):
    names = [strings.say(f"rests_on_{origin}", language) for origin in _origins(origins)]
    if not names:
        return ""
    joined = f" {strings.say('and', language)} ".join(filter(None, (", ".join(names[:-1]), names[-1])))
    return strings.say("section_rests_on", language, origins=joined)


def _origins(named):
    """Return the kinds of origin once each, the invented first; what sources printed has two names."""
    kinds = {"source" if origin == "published" else origin for origin in named}
    return [kind for kind in ("simulated", "assumed", "real", "source") if kind in kinds]


def _result(payload, strings, language, key):
    title = title_of(payload, strings, language)
    entry = strings.result(payload["name"])
    answer = sentence(payload, strings, language)
    numbers = table(payload, strings, language, caption=title,
                    about=strings.say("table_of", language, title=title))
    return _template("result.html").render(
        say=_say(strings, language), key=key, title=title, answer=answer_html(answer),
        withheld=payload["withheld"], drawing=chart(payload, strings, language, prefix=key), table=numbers,
        is_folded=bool(answer) and _says_little(payload), n_rows=numbers.count("<tr>") - 1,
        meaning=meaning(payload, strings, language), origins=_origins(payload["provenance"]["rests_on"]),
        caveat=_caveat(payload, entry, strings, language))


def _says_little(payload):
    """Return whether a table is for looking up: very long, or the same number in every row."""
    estimates = {row[payload["columns"].index("estimate")] for row in payload["rows"]}
    return len(payload["rows"]) > _LONG or (len(payload["rows"]) > 3 and len(estimates - {None}) == 1)


def _caveat(payload, entry, strings, language):
    """Return what the number does not show; of a withheld number there is nothing to say."""
    if payload["withheld"] or "caveat" not in entry:
        return ""
    rows = {name: find_row(payload, selector) for name, selector in (entry.get("rows") or {}).items()}
    return fill(entry["caveat"][language], payload, rows, strings, language)


def _summary(cells, strings, language):
    """Return what a page is read for, as title and answer: results marked ``key``, else three estimates."""
    spoken = [(heading, payload) for heading, payload in _placed(cells)
              if strings.result(payload["name"]).get("sentences")]
    marked = [payload for _, payload in spoken if strings.result(payload["name"]).get("key")]
    estimates = [payload for heading, payload in spoken if heading in _ESTIMATE]
    chosen = marked or estimates[:3] or [payload for _, payload in spoken[:3]]
    # Several questions may be unanswered for one reason: it is said once.
    answers = {sentence(payload, strings, language): payload for payload in reversed(chosen)}
    return [{"title": title_of(payload, strings, language), "text": answer_html(text)}
            for text, payload in reversed(answers.items())]


def _placed(cells):
    """Return each payload with the heading of its section."""
    heading, placed = "", []
    for cell in cells:
        if isinstance(cell, Prose):
            heading = (re.findall(r"(?m)^## +(.+?) *$", cell.text) or [heading])[-1]
        elif isinstance(cell, Shown):
            placed.append((heading, cell.payload))
    return placed


def _others(meta, language):
    return {other: link for other, link in meta["languages"].items() if other != language}


def _say(strings, language):
    return lambda key, **values: strings.say(key, language, **values)


@cache
def _markdown():
    from markdown_it import MarkdownIt

    return MarkdownIt("commonmark", {"html": False}).enable("table")


@cache
def _template(name):
    from jinja2 import Environment, PackageLoader, StrictUndefined

    loader = PackageLoader("evalkit.reports", "html")
    rooms = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True,
                        lstrip_blocks=True, keep_trailing_newline=True)
    return rooms.get_template(name)
