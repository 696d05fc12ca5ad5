"""JSON data: texts and booleans as they are, numbers as decimal texts; the rest is refused."""

from collections.abc import Mapping

import numpy as np

from evalkit.disclosure.rounding import decimal_text, plain_text
from evalkit.errors import DisclosureError

_MAX_TEXT, _MAX_LIST = 600, 400


def plain(value, where, decimals=6):
    """Return a value as JSON data.

    Parameters
    ----------
    value : None, bool, str, number, list, tuple or mapping
    where : str
        What is told of it in an error.
    decimals : int
        Of numbers that are not whole.

    Raises
    ------
    DisclosureError
        If a value is of another type, or a text or list so long that it may be one value per person.
    """
    if value is None or isinstance(value, bool | np.bool_):
        return None if value is None else bool(value)
    if isinstance(value, str):
        return short(str(value), where)
    if is_number(value):
        return plain_text(value) if float(value).is_integer() else decimal_text(value, decimals)
    if isinstance(value, Mapping):
        return {key_text(key): plain(entry, where, decimals) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [plain(entry, where, decimals) for entry in short(value, where)]
    raise DisclosureError(
        f"release: {where} holds a {type(value).__name__}; only numbers, texts, lists and mappings may leave")


def is_number(value):
    """Return whether a value is a number and no boolean."""
    return isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)


def key_text(key):
    """Return a key of a mapping as a short text."""
    return str(key) if not isinstance(key, str) else short(key, "a key")


def short(value, where):
    """Return a text or list as it is; refuse one that is too long."""
    limit = _MAX_TEXT if isinstance(value, str) else _MAX_LIST
    if len(value) > limit:
        raise DisclosureError(f"release: {where} is longer than {limit}; one value per person may not leave")
    return value
