"""Raw YAML becomes a frozen dataclass once; what does not fit is refused, all faults together.

The annotations of the dataclass are the schema. Understood are ``str``, ``int``, ``float``, ``bool``,
``date``, ``Path``, ``Literal[...]``, ``X | None``, ``tuple[X, ...]``, ``tuple[X, Y]``,
``Mapping[str, X]``, other dataclasses, and ``Annotated[X, Range(...)]``. A field without default is
required; fields named in ``computed`` are filled by the caller and are no keys of the file.
"""

import datetime as dt
import difflib
import types
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from evalkit.errors import SpecError


@dataclass(frozen=True, slots=True)
class Range:
    """Closed bounds of a number, for ``Annotated[int, Range(1, 520)]``; None leaves a side open."""

    low: float | None = None
    high: float | None = None

    def holds(self, value):
        """Say whether the value lies inside."""
        return (self.low is None or value >= self.low) and (self.high is None or value <= self.high)

    def __str__(self):
        if self.low is None:
            return f"at most {self.high}"
        return f"at least {self.low}" if self.high is None else f"from {self.low} to {self.high}"


# A text that pages show: both languages, or the page would mix them.
Text = Mapping[Literal["da", "en"], str]


class FrozenMapping(dict):
    """A dict that refuses to change, so that a spec stays what was hashed."""

    def _refuse(self, *_args, **_kwargs):
        raise TypeError("a study or site is never changed after it was read; edit the file instead")

    __setitem__ = __delitem__ = __ior__ = clear = pop = popitem = setdefault = update = _refuse

    def __reduce__(self):
        return FrozenMapping, (dict(self),)


def build(cls, raw, *, where, computed=None):
    """Build the dataclass ``cls`` from a raw mapping.

    Parameters
    ----------
    cls : type
        A dataclass; its annotations are the schema.
    raw : mapping
        As YAML gives it.
    where : str
        Name of the file, for messages.
    computed : mapping, optional
        Fields that the caller fills.

    Returns
    -------
    cls

    Raises
    ------
    SpecError
        Every unknown, missing, mistyped or out-of-range key at once, with its path and the nearest valid
        name.

    Examples
    --------
    >>> @dataclass(frozen=True)
    ... class Window:
    ...     start_weeks: int
    ...     washout_weeks: Annotated[int, Range(0, 520)] = 52
    >>> build(Window, {"start_weeks": -104}, where="effect.yaml")
    Window(start_weeks=-104, washout_weeks=52)
    >>> build(Window, {"start_week": -104}, where="effect.yaml")
    Traceback (most recent call last):
    evalkit.errors.SpecError: effect.yaml:
    - start_week: unknown key; did you mean start_weeks?
    - start_weeks: missing; expected a whole number
    """
    faults = []
    value = _dataclass(cls, raw, "", faults, computed or {})
    if faults:
        raise SpecError(f"{where}:\n" + "\n".join(f"- {fault}" for fault in faults))
    return value


def nearest(name, valid):
    """Return ``; did you mean X?`` for the closest valid name, else the list of valid names."""
    close = difflib.get_close_matches(str(name), [str(item) for item in valid], n=1, cutoff=0.6)
    return f"; did you mean {close[0]}?" if close else f"; valid are {', '.join(map(str, valid))}"


def _dataclass(cls, raw, path, faults, computed=()):
    if not isinstance(raw, Mapping):
        faults.append(f"{path}: expected keys and values, found {_kind(raw)}")
        return None
    hints = get_type_hints(cls, include_extras=True)
    keys = {spec.name: spec for spec in fields(cls) if spec.init and spec.name not in computed}
    for key in raw:
        if key not in keys:
            faults.append(f"{_join(path, key)}: unknown key{nearest(key, keys)}")
    before, values = len(faults), dict(computed)
    for name, spec in keys.items():
        if name in raw:
            values[name] = _value(hints[name], raw[name], _join(path, name), faults)
        elif spec.default is MISSING and spec.default_factory is MISSING:
            faults.append(f"{_join(path, name)}: missing; expected {_expected(hints[name])}")
    return None if len(faults) > before else _construct(cls, values, path, faults)


def _construct(cls, values, path, faults):
    # A dataclass may hold rules across its keys in __post_init__; they are faults of the file too.
    try:
        return cls(**values)
    except ValueError as error:
        faults.append(f"{path}: {error}" if path else str(error))
        return None


def _value(hint, raw, path, faults):
    origin, args = get_origin(hint), get_args(hint)
    if is_dataclass(hint):
        return _dataclass(hint, raw, path, faults)
    if origin is Annotated:
        return _ranged(args, raw, path, faults)
    if origin in (Union, types.UnionType):
        return _union(args, raw, path, faults)
    if origin is tuple:
        return _tuple(args, raw, path, faults)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return _mapping(args, raw, path, faults)
    if origin is Literal:
        return _literal(args, raw, path, faults)
    return _scalar(hint, raw, path, faults)


def _ranged(args, raw, path, faults):
    before = len(faults)
    value = _value(args[0], raw, path, faults)
    for bounds in args[1:]:
        is_read = len(faults) == before and value is not None
        if isinstance(bounds, Range) and is_read and not bounds.holds(value):
            faults.append(f"{path}: {raw} is out of range; expected {_expected(args[0])} {bounds}")
    return value


def _union(args, raw, path, faults):
    if raw is None and type(None) in args:
        return None
    tries = []
    for hint in (arg for arg in args if arg is not type(None)):
        tries.append([])
        value = _value(hint, raw, path, tries[-1])
        if not tries[-1]:
            return value
    faults.extend(min(tries, key=len))
    return None


def _tuple(args, raw, path, faults):
    if not isinstance(raw, list | tuple):
        faults.append(f"{path}: expected a list, found {_kind(raw)}; write [a, b]")
        return None
    hints = [args[0]] * len(raw) if args[-1] is Ellipsis else list(args)
    if len(hints) != len(raw):
        faults.append(f"{path}: expected {len(hints)} values, found {len(raw)}")
        return None
    return tuple(_value(hint, item, f"{path}[{i}]", faults)
                 for i, (hint, item) in enumerate(zip(hints, raw, strict=True)))


def _mapping(args, raw, path, faults):
    if not isinstance(raw, Mapping):
        faults.append(f"{path}: expected keys and values, found {_kind(raw)}")
        return None
    key_hint, value_hint = args or (str, Any)
    _check_keys(key_hint, raw, path, faults)
    return FrozenMapping({key: _value(value_hint, item, _join(path, key), faults)
                          for key, item in raw.items()})


def _check_keys(hint, raw, path, faults):
    if get_origin(hint) is not Literal:
        faults.extend(f"{_join(path, key)}: a key here is {_expected(hint)}, found {_kind(key)}"
                      for key in raw if isinstance(hint, type) and type(key) is not hint)
        return
    valid = get_args(hint)
    faults.extend(f"{_join(path, key)}: unknown key{nearest(key, valid)}" for key in raw if key not in valid)
    faults.extend(f"{_join(path, key)}: missing" for key in valid if key not in raw)


def _literal(valid, raw, path, faults):
    if raw not in valid or type(raw) not in {type(item) for item in valid}:
        faults.append(f"{path}: {raw!r} is not one of the choices{nearest(raw, valid)}")
    return raw


def _scalar(hint, raw, path, faults):
    if hint is Any:
        return _frozen(raw)
    if hint is float and type(raw) is int:
        return float(raw)
    if hint is Path and isinstance(raw, str):
        return Path(raw)
    if hint is str and type(raw) is dt.date:
        return raw.isoformat()
    if type(raw) is not hint or raw == "":
        faults.append(f"{path}: expected {_expected(hint)}, found {_kind(raw)}{_advice(hint, raw)}")
    return raw


def _advice(hint, raw):
    if hint in (int, float) and isinstance(raw, str) and raw.replace(",", "", 1).lstrip("-").isdigit():
        return f"; a decimal point is written {raw.replace(',', '.')}"
    return "; write 2015-01-05 without quotes" if hint is dt.date and isinstance(raw, str) else ""


_WORDS = {str: "a text", int: "a whole number", float: "a number", bool: "true or false", list: "a list",
          dt.date: "a date", dt.datetime: "a date with time", Path: "a path", type(None): "nothing"}


def _kind(raw):
    if isinstance(raw, dict):
        return "keys and values"
    return "an empty text" if raw == "" else _WORDS.get(type(raw), "?")


def _expected(hint):
    origin, args = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return f"{_expected(args[0])} {' '.join(map(str, args[1:]))}"
    if origin is Literal:
        return "one of " + ", ".join(map(str, args))
    if origin in (Union, types.UnionType):
        return " or ".join(_expected(arg) for arg in args)
    return "a list" if origin is tuple else _WORDS.get(hint, "keys and values")


def _frozen(raw):
    if isinstance(raw, Mapping):
        return FrozenMapping({key: _frozen(value) for key, value in raw.items()})
    return tuple(map(_frozen, raw)) if isinstance(raw, list) else raw


def _join(path, key):
    return f"{path}.{key}" if path else str(key)
