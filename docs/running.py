"""Run the Python blocks of a page, and turn what they show into HTML."""

import ast
import contextlib
import io
import linecache
import os
import traceback
import warnings
from html import escape
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
_LONG = 40


class BlockError(Exception):
    """A block stopped, or warned."""


def run(page):
    """Run the blocks of a page in one namespace; returns the HTML of what each shows.

    Blocks run from the repository's root. A warning is an error, unless a package says that it uses what
    another is about to retire.

    Raises
    ------
    BlockError
        With the line of the page and the error's text.
    """
    space, shown = {"__name__": "__page__"}, []
    for block in page.blocks:
        with _quiet(), contextlib.chdir(ROOT):
            shown.append(_run(page, block, space))
    return shown


@contextlib.contextmanager
def _quiet():
    # A figure library that a peer imports must not look for a screen.
    os.environ.setdefault("MPLBACKEND", "Agg")
    import pandas as pd

    with warnings.catch_warnings(), pd.option_context("display.width", 100, "display.max_columns", 20):
        warnings.simplefilter("error")
        for category in (DeprecationWarning, PendingDeprecationWarning, FutureWarning):
            warnings.simplefilter("ignore", category)
        yield


def _run(page, block, space):
    name = f"<{page.name}:{block.line}>"
    linecache.cache[name] = (len(block.code), None, block.code.splitlines(True), name)
    said = io.StringIO()
    try:
        with contextlib.redirect_stdout(said):
            value = _execute(block.code, name, space)
        return _printed(said.getvalue()) + _value(value, f"b{block.line}")
    except BaseException as error:
        raise BlockError(f"block at line {block.line}: {_told(error, name, block.line)}") from error


def _execute(code, name, space):
    """Run statements; the value of a last expression is returned."""
    body = ast.parse(code, name).body
    last = body.pop() if body and isinstance(body[-1], ast.Expr) else None
    exec(compile(ast.Module(body, type_ignores=[]), name, "exec"), space)
    return None if last is None else eval(compile(ast.Expression(last.value), name, "eval"), space)


def _told(error, name, first):
    own = [entry.lineno for entry in traceback.extract_tb(error.__traceback__) if entry.filename == name]
    where = f" (line {first + own[-1]})" if own else ""
    return f"{type(error).__name__}: {error}{where}"


def _printed(text):
    if not text.strip():
        return ""
    return f'<pre class="output" tabindex="0" aria-label="Output">{escape(text.rstrip())}</pre>\n'


def _value(value, prefix):
    """Return what a notebook would show of a block's last value; of a Released object its chart and table."""
    from evalkit.result import Released

    if value is None:
        return ""
    if isinstance(value, Released):
        return _drawn(value.payload, prefix)
    return _printed(repr(value))


def _drawn(payload, prefix):
    from evalkit.reports.charts import chart
    from evalkit.reports.strings import load
    from evalkit.reports.tables import table
    from evalkit.reports.text import title_of

    if not payload["rows"]:
        why = payload["withheld"] or "all are kept back"
        raise ValueError(f"Released {payload['name']!r} has no rows: {why}")
    strings = load()
    title = title_of(payload, strings, "en")
    drawing = chart(payload, strings, "en", prefix=prefix, form=_form(payload))
    numbers = table(payload, strings, "en", caption=title, about=strings.say("table_of", "en", title=title))
    words = strings.say("table_behind", "en")
    # On paper a long table stays folded away.
    long = ' class="long"' if numbers.count("<tr>") > _LONG else ""
    frame = f'<div class="draw" role="group" tabindex="0" aria-label="Figure: {escape(title)}">'
    return (f"<figure>{frame}{drawing}</div><figcaption>{escape(title)}</figcaption></figure>\n"
            f"<details{long}><summary>{words}</summary>\n{numbers}</details>\n")


def _form(payload):
    """Return how a result of no catalogue is drawn: a curve as one, estimates as points on intervals."""
    return "curve" if payload["kind"] == "curve" else "interval"
