"""Cells of a wide text file as numbers, found and parsed with arrays over bytes."""

from dataclasses import dataclass

import numpy as np

_BLOCK_BYTES = 8_000_000
_NEWLINE, _RETURN, _POINT, _ZERO = 10, 13, 46, 48
_WIDEST = 15


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Some whole lines of a file.

    Attributes
    ----------
    data : ndarray of uint8
    starts, lengths : ndarray of int32, shape (n_lines, n_columns)
        Where each cell begins and how many bytes it has.
    lines : ndarray of int
        Line numbers in the file, the header being line 1.
    ragged_lines : ndarray of int
        Lines left out because they have too few or too many cells.
    """

    data: np.ndarray
    starts: np.ndarray
    lengths: np.ndarray
    lines: np.ndarray
    ragged_lines: np.ndarray


def split_blocks(body, delimiter, n_columns):
    """Yield the lines after the header in blocks, each split into cells.

    Quotes are taken away: the cells of such a file are codes, and a delimiter inside quotes shows as a
    ragged line.
    """
    body = body.replace(b'"', b"") if b'"' in body else body
    body = body.rstrip(b"\r\n") + b"\n"
    line, begin = 2, 0
    while begin < len(body) and len(body) > 1:
        cut = body.find(b"\n", min(begin + _BLOCK_BYTES, len(body) - 1)) + 1
        data = np.frombuffer(body, dtype=np.uint8, count=cut - begin, offset=begin)
        block = _split(data, ord(delimiter), n_columns, line)
        yield block
        line += len(block.lines) + len(block.ragged_lines)
        begin = cut


def cell_texts(block, column):
    """Return one column as a list of str."""
    data, starts = block.data.tobytes(), block.starts[:, column].tolist()
    lengths = block.lengths[:, column].tolist()
    return [data[start:start + length].decode() for start, length in zip(starts, lengths, strict=True)]


def numbers(block, columns, *, decimal=""):
    """Return cells as numbers.

    Parameters
    ----------
    block : Block
    columns : ndarray of int
    decimal : str
        The decimal mark; empty for whole numbers.

    Returns
    -------
    values : ndarray of float32 (float64 with decimals), shape (n_lines, n_columns)
        A blank or a lone point is 0 for whole numbers, NaN for decimals.
    is_bad : ndarray of bool, same shape
        Cells that are no such number.
    """
    shape = (len(block.lines), len(columns))
    values = np.full(shape, np.nan if decimal else 0.0, dtype=np.float64 if decimal else np.float32)
    is_bad = np.zeros(shape, dtype=bool)
    lengths = block.lengths[:, columns].ravel()
    filled = np.flatnonzero(lengths)
    starts, lengths = block.starts[:, columns].ravel()[filled], lengths[filled]
    blank = (lengths == 1) & (block.data[starts] == _POINT)
    filled, starts, lengths = filled[~blank], starts[~blank], lengths[~blank]
    parsed, bad = _parse(block.data, starts, lengths, decimal)
    values.ravel()[filled] = parsed
    is_bad.ravel()[filled] = bad
    return values, is_bad


def _parse(data, starts, lengths, decimal):
    """Read digits place by place over all cells at once; the mark may occur once and not at the end."""
    value = np.zeros(len(starts))
    bad, after = lengths > _WIDEST, np.zeros(len(starts), dtype=np.int64)
    seen = np.zeros(len(starts), dtype=bool)
    for place in range(min(int(lengths.max(initial=0)), _WIDEST)):
        inside = np.flatnonzero(lengths > place) if place else slice(None)
        byte = data[starts[inside] + place]
        digit = byte - np.uint8(_ZERO)
        is_digit = digit <= 9
        value[inside] = np.where(is_digit, value[inside] * 10 + digit, value[inside])
        if decimal:
            after[inside] += seen[inside] & is_digit
            is_mark = (byte == ord(decimal)) & ~seen[inside] & (place > 0)
            seen[inside] |= is_mark
            is_digit |= is_mark
        bad[inside] |= ~is_digit
    return value / 10.0**after, bad | (seen & (after == 0))


def _split(data, delimiter, n_columns, first_line):
    ends = np.flatnonzero((data == delimiter) | (data == _NEWLINE)).astype(np.int32)
    is_last = data[ends] == _NEWLINE
    n_cells = np.diff(np.flatnonzero(is_last), prepend=-1)
    lines = first_line + np.arange(len(n_cells))
    fits = n_cells == n_columns
    starts = np.concatenate([np.zeros(1, dtype=np.int32), ends[:-1] + np.int32(1)])
    if not fits.all():
        keep = np.repeat(fits, n_cells)
        starts, ends = starts[keep], ends[keep]
    starts, lengths = starts.reshape(-1, n_columns), (ends - starts).reshape(-1, n_columns)
    _drop_returns(data, starts, lengths)
    return Block(data=data, starts=starts, lengths=lengths, lines=lines[fits], ragged_lines=lines[~fits])


def _drop_returns(data, starts, lengths):
    """Windows ends lines with two bytes; the first is no part of the last cell."""
    last = starts[:, -1] + lengths[:, -1] - 1
    lengths[:, -1] -= (lengths[:, -1] > 0) & (data[np.maximum(last, 0)] == _RETURN)
