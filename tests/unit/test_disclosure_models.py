"""Every survival estimator released: nothing of a small cell leaves, much of a healthy table does."""

import re
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import evalkit.estimators
from evalkit.atrisk import AtRisk
from evalkit.disclosure import release
from evalkit.errors import EstimationError
from evalkit.profile import Profile

sys.path.insert(0, str(Path(__file__).parents[1] / "property"))
from test_property_estimators import CALLS, COLUMNS_OF, FROM_START, OF_STATES, UNSTRATIFIED

DEFAULT = Profile(name="example", valid_from="2015-01-01", min_n=5, min_events=5, rounding_base=5,
                  decimals=3, source="example", is_verified=False)
STRICT = DEFAULT.stricter(min_n=10, min_events=10, rounding_base=10, decimals=2)
OPTIONS = CALLS | {"residual_time": {"elapsed_weeks": [0, 4], "horizon_weeks": 12}}
RARE, SMALL = "Rare", 3
# Diagnostics that are numbers and no counts, or are told by the rules for counts.
KNOWN = re.compile(
    r"^(n_.*|clusters|df|steps|z|reference|ties|start|robust|link|knots|warning|kendall_tau"
    r"|.*variance|.*chi_square|.*p_value|strata_with_events|share_beyond|log_likelihood.*|aic|person_weeks"
    r"|concordant|discordant|tied|not_estimable|last_observed_weeks|workers|unit"
    r"|failures|rows_without_limits|most_missing)(\[.*\])?$")


def leavers(n, planted):
    rng = np.random.default_rng(1)
    entry = rng.integers(0, 6, n) * (rng.uniform(size=n) < 0.3)
    frame = pd.DataFrame({"person": np.arange(n), "entry": entry,
                          "exit": entry + np.minimum(rng.geometric(0.07, n), 30),
                          "event": rng.integers(0, 3, n), "x": rng.normal(size=n).round(1),
                          "group": np.where(np.arange(n) % 2, "A", "B")})
    if planted:
        frame.loc[:SMALL - 1, "group"] = RARE
        # One cause has no more than two events in all, in the large groups.
        frame.loc[SMALL:SMALL + 1, "event"] = 3
    return frame


def movers(n, planted):
    rng, parts, states = np.random.default_rng(2), [], ["EDUCATION", "SELF", "SUPPORT"]
    for person in range(n):
        week, state = 0, states[rng.integers(3)]
        for length in rng.integers(1, 5, 6):
            to = RARE if planted and person < SMALL and week > 2 else states[rng.integers(3)]
            event = None if to == state else to
            parts.append((person, week, week + length, state, event, person % 2, person % 5))
            week, state = week + length, to
    return pd.DataFrame(parts, columns=["person", "entry", "exit", "state", "event", "group", "x"])


def table_of(name, planted):
    columns = {**COLUMNS_OF, "covariates": ["x"]}
    if name in OF_STATES:
        frame, columns["state"] = movers(240, planted), "state"
    else:
        frame, columns["causes"] = leavers(400, planted), ["JOB", "STUDY", *(["DEATH"] if planted else [])]
    if name in FROM_START:
        frame = frame.assign(exit=frame["exit"] - frame["entry"], entry=0)
    if name in UNSTRATIFIED:
        columns["covariates"] = ["x", "group"]
    else:
        columns["strata"] = "group"
    return AtRisk.from_frame(frame, **columns)


# A cured share needs a plateau, which these tables lack; a rare group is not followed for 35 weeks.
REFUSED = {False: {"mixture_cure"}, True: {"mixture_cure", "standardised_survival"}}


def answer(name, planted):
    """Return the estimator's Result, or None where it refuses: what is not estimated cannot leave."""
    try:
        return getattr(evalkit.estimators, name)(table_of(name, planted), **OPTIONS[name])
    except EstimationError:
        assert name in REFUSED[planted]
        return None


def shown(payload):
    return [dict(zip(payload["columns"], row, strict=True)) for row in payload["rows"] if row[3] is not None]


@pytest.mark.parametrize("profile", [DEFAULT, STRICT], ids=["default", "strict"])
@pytest.mark.parametrize("name", sorted(OPTIONS))
def test_nothing_of_a_small_cell_leaves(name, profile):
    result = answer(name, planted=True)
    if result is None:
        return
    payload = release(result, profile, name="answer").payload
    rows = shown(payload)
    for row in rows:
        of_start = row["time_weeks"] == "0" and float(row["estimate"]) in (0, 1)
        assert row["group"] != RARE
        assert f"[{RARE}]" not in row["term"]
        assert not row["term"].endswith(f"> {RARE}")
        assert "DEATH" not in row["term"] or of_start
        for count in (row["n_persons"], row["n_events"]):
            assert count is None or (float(count) % profile.rounding_base == 0)
    assert_no_rest(result, rows)


def assert_no_rest(result, rows):
    """What is shown of states, causes or scores never leaves one part out."""
    table = result.table
    told = {(row["term"], row["group"], row["time_weeks"]) for row in rows}
    known = table.dropna(subset=["estimate"])
    for (group, time), part in known.groupby(["group", "time_weeks"], dropna=False):
        when = None if np.isnan(time) else f"{time:.10g}"
        for family in (r"share\[", r"weeks\[", r"restricted_mean$|time_lost\["):
            members = part[part["term"].str.match(family)]
            total = members["estimate"].sum()
            if len(members) < 2 or not np.isclose(total, [1, time]).any():
                continue
            hidden = members[[(term, group, when) not in told for term in members["term"]]]
            n_hidden = (hidden["estimate"] > 1e-9).sum()
            assert n_hidden != 1 or len(hidden) == len(members), (group, time)


@pytest.mark.parametrize("name", sorted(set(OPTIONS) - REFUSED[False]))
def test_much_of_a_healthy_table_leaves(name):
    result = answer(name, planted=False)
    payload = release(result, DEFAULT, name="answer").payload
    assert len(shown(payload)) >= max(1, 0.2 * len(result.table.dropna(subset=["estimate"])))


@pytest.mark.parametrize("name", sorted(set(OPTIONS) - REFUSED[False]))
def test_every_diagnostic_has_rules(name):
    unknown = [key for key in answer(name, planted=False).diagnostics if not KNOWN.match(key)]
    assert not unknown, "say in disclosure/diagnostics.py what may leave of it, then name it here"


@pytest.mark.parametrize("name", ["cox", "parametric", "discrete_hazard", "concordance", "aalen_johansen"])
def test_exact_sums_and_weeks_of_persons_stay_inside(name):
    told = release(answer(name, planted=False), DEFAULT, name="answer").payload["diagnostics"]
    for key in ("log_likelihood", "aic", "person_weeks", "concordant", "last_observed_weeks"):
        assert told.get(key) is None


def test_a_warning_does_not_tell_how_many_clusters():
    frame = leavers(90, planted=False).assign(caseworker=lambda rows: rows["person"] % 3)
    at_risk = AtRisk.from_frame(frame.assign(y=frame["x"] ** 2, z=frame["x"] ** 3), **COLUMNS_OF,
                                cluster="caseworker", covariates=["x", "y", "z"])
    with pytest.warns(UserWarning, match="3 clusters for 3 terms"):
        fit = evalkit.estimators.cox(at_risk)
    assert fit.diagnostics["clusters"] == 3
    told = release(fit, DEFAULT, name="answer").payload["diagnostics"]
    assert told["clusters"] is None
    assert not re.search(r"\d", told["warning"])
