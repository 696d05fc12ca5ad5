"""Where dirt and traps are put, and the book of what was planted: trap, table, rule, count."""

import numpy as np
import pandas as pd

UNKNOWN_PERSON = "pukendt"


class Planting:
    """The tables of one delivery, to be spoilt on purpose.

    Attributes
    ----------
    tables : dict of str to DataFrame
        Changed in place of the caller's dict; the frames are copies.
    codes : ndarray of uint16, shape (persons, weeks)
        DREAM's codes.
    degree : ndarray of float, shape (persons, months)
        Employment degree.
    entries : list of dict
        ``trap`` (empty for ordinary dirt), ``table``, ``column``, ``rule`` (of the contract, empty
        for what no rule can see), ``count``, ``how``.
    """

    def __init__(self, register, tables, codes, degree):
        self.register, self.codes, self.degree = register, codes, degree
        self.tables = {name: frame.copy() for name, frame in tables.items()}
        self.rng = register.rng("dirt")
        self.entries = []
        self._used = {}

    def note(self, table, rule, count, *, column="", trap="", how=""):
        """Write down what was planted."""
        self.entries.append(
            {"trap": trap, "table": table, "column": column, "rule": rule, "count": int(count), "how": how}
        )

    def rows(self, table, n, *, where=None):
        """Return labels of `n` rows that nothing was done to yet, drawn among those that fit."""
        frame = self.tables[table]
        fits = np.ones(len(frame), dtype=bool) if where is None else np.asarray(where, dtype=bool)
        free = frame.index[fits].difference(pd.Index(self._used.get(table, [])))
        chosen = self.rng.choice(np.sort(free.to_numpy()), min(n, len(free)), replace=False)
        self._used.setdefault(table, []).extend(chosen.tolist())
        return np.sort(chosen)

    def put(self, table, rows, column, value):
        """Set a column of some rows to a value that its type may not hold."""
        frame = self.tables[table]
        if frame[column].dtype != object:
            frame[column] = (
                frame[column].astype(object) if isinstance(value, str | type(None)) else frame[column]
            )
        frame.loc[rows, column] = value

    def add(self, table, new):
        """Append rows; none of them is drawn again."""
        old = self.tables[table]
        self.tables[table] = pd.concat([old, new], ignore_index=True)
        self._used.setdefault(table, []).extend(range(len(old), len(old) + len(new)))

    def single(self, table):
        """Return which rows are the only one of their person."""
        return ~self.tables[table]["person_id"].duplicated(keep=False)

    def blank_cells(self, n, row, *, around):
        """Return `n` unused persons whose codes are blank for `around` weeks on both sides of a week."""
        low, high = max(row - around, 0), row + around + 1
        blank = np.flatnonzero((self.codes[:, low:high] == 0).all(axis=1))
        free = np.setdiff1d(blank, self._used.get("_codes", []))
        chosen = np.sort(self.rng.choice(free, min(n, len(free)), replace=False))
        self._used.setdefault("_codes", []).extend(chosen.tolist())
        return chosen
