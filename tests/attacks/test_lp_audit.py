"""An audit by linear programming: what released counts and totals say about each true cell, at worst."""

import numpy as np
import pytest
from attacked_run import RULES
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from evalkit.disclosure import release
from evalkit.result import Estimand, Result, tidy

BASE, LEAST = RULES.rounding_base, RULES.min_n


def table_of(cells):
    """The counts of cells with both margins and the grand total, as (term, group, count)."""
    terms, groups = [f"t{chr(97 + k)}" for k in range(cells.shape[0])], [f"g{chr(97 + k)}"
                                                                         for k in range(cells.shape[1])]
    rows = [(term, group, cells[i, j]) for i, term in enumerate(terms) for j, group in enumerate(groups)]
    rows += [(term, "all", cells[i].sum()) for i, term in enumerate(terms)]
    rows += [("all", group, cells[:, j].sum()) for j, group in enumerate(groups)]
    return [*rows, ("all", "all", cells.sum())]


def released(rows, **diagnostics):
    """Return what leaves of a table, by term and group; None where a cell was kept back."""
    term, group, n = zip(*rows, strict=True)
    answer = Result(kind="counts", estimand=Estimand(name="n", unit="persons"), diagnostics=diagnostics,
                    table=tidy(term=term, group=group, estimate=n, n_persons=n))
    payload = release(answer, RULES, name="n").payload
    told = {k: None if payload["diagnostics"][k] is None else float(payload["diagnostics"][k])
            for k in diagnostics}
    return {(row[0], row[1]): None if row[3] is None else float(row[3]) for row in payload["rows"]}, told


def one_by_one(rows):
    """The same table with every number tested and rounded by itself: what would leave without the rule."""
    return {(term, group): None if 0 < n < LEAST else float(np.floor(n / BASE + 0.5) * BASE) for term, group,
            n in rows}


def prior(shown):
    """What a cell tells by itself: hidden 1 to 4; an exact zero; else what rounds to it and is not hidden."""
    if shown is None:
        return 1.0, LEAST - 1.0
    if shown == 0:
        return 0.0, 0.0
    half = (BASE - 1) / 2
    return max(shown - half, LEAST), shown + half


def is_margin(key):
    return "all" in key


def audit(told, slack):
    """Return the narrowest and widest value of every inner cell that fits all that was released.

    Parameters
    ----------
    told : mapping of (term, group) to float or None
    slack : callable
        (margin's released value, released values of its parts) -> the lowest and highest true total.
    """
    cells = [key for key in told if not is_margin(key)]
    rows, low, high = [], [], []
    for margin in filter(is_margin, told):
        parts = [k for k, key in enumerate(cells) if margin[0] in ("all", key[0])
                 and margin[1] in ("all", key[1])]
        bounds = slack(told[margin], [told[cells[k]] for k in parts])
        rows.append(np.isin(np.arange(len(cells)), parts).astype(float))
        low.append(bounds[0])
        high.append(bounds[1])
    fit = {"A_ub": np.vstack([rows, -np.array(rows)]), "b_ub": np.r_[high, -np.array(low)],
           "bounds": [prior(told[key]) for key in cells], "method": "highs"}
    found = {}
    for k, key in enumerate(cells):
        goal = np.eye(len(cells))[k]
        ends = [linprog(sign * goal, **fit) for sign in (1, -1)]
        assert all(end.success for end in ends), "the true table must fit what was released"
        found[key] = (ends[0].fun, -ends[1].fun)
    return found


def rounded_alone(total, _):
    return prior(total)


def sum_of_parts(total, parts):
    """Read a total as the rule makes it: released parts and half of min_n for each hidden one, rounded."""
    only_hidden = None in parts and all(not part for part in parts)
    assert (total is None) == only_hidden, "only a total of nothing but hidden parts is hidden"
    if not only_hidden and total:
        made = sum(LEAST / 2 if part is None else part for part in parts)
        assert total == np.floor(made / BASE + 0.5) * BASE, "a total must be made of its released parts"
    # So it says nothing that the parts do not: the true total lies where theirs can add up to.
    return tuple(map(sum, zip(*map(prior, parts), strict=True)))


def narrowed(found, told):
    """Return the cells of which an audit knows more than the cell itself says."""
    return [key for key, (low, high) in found.items()
            if low > prior(told[key])[0] + 1e-6 or high < prior(told[key])[1] - 1e-6]


def population(draw):
    shape = draw(st.tuples(st.integers(2, 3), st.integers(2, 4)))
    counts = st.one_of(st.just(0), st.integers(1, 4), st.integers(5, 60))
    cells = draw(st.lists(counts, min_size=shape[0] * shape[1], max_size=shape[0] * shape[1]))
    return np.array(cells, dtype=float).reshape(shape)


POPULATIONS = st.composite(population)()


def test_the_audit_finds_a_cell_where_every_number_is_rounded_by_itself():
    rows = table_of(np.array([[17.0, 7.0, 4.0], [20.0, 10.0, 30.0]]))
    told = one_by_one(rows)
    found = audit(told, rounded_alone)
    assert told["ta", "gc"] is None
    assert ("ta", "gc") in narrowed(found, told)
    assert found["ta", "gc"] == pytest.approx((4.0, 4.0))


@settings(max_examples=25, deadline=None)
@given(POPULATIONS)
def test_no_cell_is_known_better_than_its_own_rounding(cells):
    assume(cells.sum() >= LEAST)
    told, _ = released(table_of(cells))
    assert narrowed(audit(told, sum_of_parts), told) == []


@settings(max_examples=25, deadline=None)
@given(POPULATIONS, st.data())
def test_a_hidden_cell_may_be_any_small_number(cells, data):
    """The release is turned round: every other value of the hidden cells gives the very same table."""
    hidden = np.argwhere((cells > 0) & (cells < LEAST))
    assume(len(hidden))
    other = cells.copy()
    for i, j in hidden:
        other[i, j] = data.draw(st.integers(1, LEAST - 1))
    assert released(table_of(cells), n_total=cells.sum()) == released(table_of(other), n_total=other.sum())


@settings(max_examples=25, deadline=None)
@given(POPULATIONS)
def test_a_sum_in_the_diagnostics_tells_no_more_than_the_table(cells):
    assume(cells.sum() >= LEAST and len(np.unique(cells)) > 1)
    inner = [row for row in table_of(cells) if not is_margin(row[:2])]
    told, sums = released(inner, n_total=cells.sum(), n_first=cells[0].sum())
    for shown, part in zip(sums.values(), (inner, inner[:cells.shape[1]]), strict=True):
        sum_of_parts(shown, [told[row[:2]] for row in part])
