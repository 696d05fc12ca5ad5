"""The parameters cell of a notebook, read as Python: names, types, defaults and what they mean.

papermill reads the cell with a regular expression and only warns about a name that it does not know;
the report then speaks of the default municipality. Here a wrong name or type stops before any kernel.
"""

import ast
import difflib
import io
import tokenize
from dataclasses import dataclass

from evalkit.errors import RunError

_TYPES = {"str": str, "int": int, "float": float, "bool": bool}
_BOOLEANS = {"true": True, "false": False}
_EXAMPLES = {str: "text", int: "7", float: "1.5", bool: "true"}


@dataclass(frozen=True, slots=True)
class Parameter:
    """One line of the parameters cell: ``name: kind = default  # meaning``."""

    name: str
    kind: type
    default: object
    meaning: str


def read_parameters(notebook, name):
    """Return the parameters of a notebook by name.

    Parameters
    ----------
    notebook : mapping
        As nbformat reads it.
    name : str
        For messages.

    Returns
    -------
    dict of str to Parameter

    Raises
    ------
    RunError
        If there is not exactly one cell tagged ``parameters``, or a line is not ``name: type = value``.
    """
    cells = [cell for cell in notebook["cells"] if "parameters" in cell["metadata"].get("tags", [])]
    if len(cells) != 1:
        raise RunError(f"{name}: {len(cells)} cells are tagged parameters; expected one")
    return parse_parameters(cells[0]["source"], name)


def parse_parameters(source, name):
    """Read the source of a parameters cell.

    Examples
    --------
    >>> parse_parameters("seed: int = 1  # draws", "effect")["seed"]
    Parameter(name='seed', kind=<class 'int'>, default=1, meaning='draws')
    """
    meanings = _comments(source)
    found, faults = {}, []
    for node in ast.parse(source).body:
        if not _is_declaration(node):
            faults.append(f"line {node.lineno}: expected name: type = value  # meaning")
            continue
        try:
            default = ast.literal_eval(node.value)
        except ValueError:
            faults.append(f"line {node.lineno}: {node.target.id} must be a plain value, not an expression")
            continue
        kind = _TYPES[node.annotation.id]
        found[node.target.id] = Parameter(node.target.id, kind, default, meanings.get(node.end_lineno, ""))
    if faults:
        raise RunError(f"{name}: parameters cell\n" + "\n".join(f"- {fault}" for fault in faults))
    return found


def fill(parameters, given, name):
    """Return every parameter's value: the given ones, checked, and the defaults of the rest.

    Parameters
    ----------
    parameters : mapping of str to Parameter
    given : mapping of str to object
        Values of the declared type, or texts from the command line.
    name : str
        Of the notebook, for messages.

    Raises
    ------
    RunError
        Unknown names (with the nearest valid one) and mistyped values, all at once.
    """
    faults, values = [], {key: parameter.default for key, parameter in parameters.items()}
    for key, raw in given.items():
        if key not in parameters:
            faults.append(f"{key}: no such parameter{_nearest(key, parameters)}")
            continue
        try:
            values[key] = _convert(raw, parameters[key].kind)
        except (ValueError, KeyError):
            kind = parameters[key].kind
            faults.append(f"{key}: {raw!r} is not {kind.__name__}; write for instance "
                          f"{key}={_EXAMPLES[kind]}")
    if faults:
        raise RunError(f"{name}: parameters\n" + "\n".join(f"- {fault}" for fault in faults))
    return values


def _is_declaration(node):
    return (isinstance(node, ast.AnnAssign) and node.value is not None and isinstance(node.target, ast.Name)
            and isinstance(node.annotation, ast.Name) and node.annotation.id in _TYPES)


def _comments(source):
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    return {token.start[0]: token.string.lstrip("# ") for token in tokens if token.type == tokenize.COMMENT}


def _convert(raw, kind):
    if kind is float and type(raw) is int:
        return float(raw)
    if type(raw) is kind:
        return raw
    if not isinstance(raw, str):
        raise ValueError
    if kind is bool:
        return _BOOLEANS[raw.lower()]
    return kind(raw)


def _nearest(name, valid):
    close = difflib.get_close_matches(name, list(valid), n=1)
    return f"; did you mean {close[0]}?" if close else f"; valid are {', '.join(valid)}"
