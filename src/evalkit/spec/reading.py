"""YAML files read strictly: UTF-8, a mapping, no key twice; and the hash of what they say."""

import datetime as dt
from collections.abc import Mapping
from pathlib import Path

import yaml

from evalkit.errors import SpecError
from evalkit.files import sha256_json


def read_yaml(path):
    """Read a YAML mapping; duplicate keys and broken syntax are refused with their line.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    dict

    Raises
    ------
    SpecError
        If the file is missing, not UTF-8, not YAML, repeats a key, or holds no mapping.
    """
    path = Path(path)
    try:
        raw = yaml.load(path.read_text(encoding="utf-8-sig"), Loader=_StrictLoader)  # a SafeLoader
    except OSError:
        raise SpecError(f"{path.name}: no such file, or it cannot be read. Looked in {path.parent}") from None
    except UnicodeDecodeError:
        raise SpecError(f"{path.name}: not UTF-8 text. Save the file as UTF-8 and run again") from None
    except yaml.YAMLError as error:
        raise SpecError(f"{path.name}: {_yaml_fault(error)}") from None
    if not isinstance(raw, dict):
        raise SpecError(f"{path.name}: expected keys and values, found "
                        f"{'a list' if isinstance(raw, list) else 'no keys'}")
    return raw


def content_hash(raw):
    """Return the sha256 of what a file says: comments, order of keys and layout do not matter."""
    return sha256_json(_plain(raw))


class _StrictLoader(yaml.SafeLoader):
    """YAML in which a repeated key is an error: the last one would win without a word."""

    def construct_mapping(self, node, deep=False):
        seen = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key} stands twice; keep one", key_node.start_mark)
            seen.add(key)
        return super().construct_mapping(node, deep)


def _yaml_fault(error):
    mark = getattr(error, "problem_mark", None)
    place = f"line {mark.line + 1}: " if mark else ""
    return f"{place}{getattr(error, 'problem', None) or 'not valid YAML'}"


def _plain(raw):
    if isinstance(raw, Mapping):
        return {str(key): _plain(value) for key, value in raw.items()}
    if isinstance(raw, list | tuple):
        return [_plain(value) for value in raw]
    return raw.isoformat() if isinstance(raw, dt.date) else raw
