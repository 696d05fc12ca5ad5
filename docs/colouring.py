"""Colour Python code by its tokens."""

import io
import keyword
import tokenize
from html import escape

_KINDS = {tokenize.COMMENT: "remark", tokenize.STRING: "text", tokenize.NUMBER: "number"}
# From Python 3.12 on, a formatted string is several tokens.
_KINDS |= {getattr(tokenize, name): "text" for name in ("FSTRING_START", "FSTRING_MIDDLE", "FSTRING_END")
           if hasattr(tokenize, name)}


def coloured(code):
    """Return code as HTML with spans around comments, strings, numbers and keywords.

    Examples
    --------
    >>> coloured("x = 1  # one")
    'x = <span class="number">1</span>  <span class="remark"># one</span>'
    """
    lines, parts, at = code.splitlines(True), [], (1, 0)
    for token in tokenize.generate_tokens(io.StringIO(code).readline):
        kind = _KINDS.get(token.type) or ("word" if keyword.iskeyword(token.string) else "")
        if kind and token.string:
            parts.append(escape(_between(lines, at, token.start), quote=False))
            inner = escape(_between(lines, token.start, token.end), quote=False)
            parts.append(f'<span class="{kind}">{inner}</span>')
            at = token.end
    parts.append(escape(_between(lines, at, (len(lines) + 1, 0)), quote=False))
    return "".join(parts)


def _between(lines, start, end):
    """Return the text between two places (row from 1, column)."""
    (row, column), (last_row, last_column) = start, end
    if row == last_row:
        return lines[row - 1][column:last_column] if row <= len(lines) else ""
    middle = "".join(lines[row:last_row - 1])
    tail = lines[last_row - 1][:last_column] if last_row <= len(lines) else ""
    return lines[row - 1][column:] + middle + tail if row <= len(lines) else ""
