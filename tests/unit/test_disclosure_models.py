"""Every survival function released: nothing of a small cell leaves, much of a healthy table does."""

import json
import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import evalkit.estimators
from asked import QUESTIONS
from evalkit.atrisk import AtRisk
from evalkit.disclosure import release
from evalkit.profile import Profile

DEFAULT = Profile(name="example", valid_from="2015-01-01", min_n=5, min_events=5, rounding_base=5,
                  decimals=3, source="example", is_verified=False)
STRICT = DEFAULT.stricter(min_n=10, min_events=10, rounding_base=10, decimals=2)
CAUSES = ["JOB", "STUDY", "DEATH"]
# Numbers of persons, one each, are no results: release refuses them.
ARRAYS = {"occupation_influence", "pseudo_observations", "residuals"}
NAMES = sorted(name for name, question in QUESTIONS.items() if question.function not in ARRAYS)
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


def stayers(planted):
    """Persons of whom many leave within weeks and the others never: a plateau, for a cured share."""
    frame = leavers(400, planted)
    stays = np.arange(400) // 2 % 4 == 0
    return frame.assign(exit=np.where(stays, 90, np.minimum(frame["exit"], 20)),
                        event=np.where(stays, 0, np.maximum(frame["event"], 1)), entry=0)


def table_of(question, planted):
    if question.data == "movements":
        frame, columns = movers(240, planted), {"causes": None}
    elif question.data == "stayers":
        frame, columns = stayers(planted), {"causes": CAUSES[:2 + planted]}
    else:
        frame, columns = leavers(400, planted), {"causes": CAUSES[:2 + planted]}
    if question.data == "starters":
        frame = frame.assign(exit=frame["exit"] - frame["entry"], entry=0)
    if question.strata is None:
        columns["covariates"] = ["x", "group"]
    frame = frame.assign(team=frame["person"] % 20, treated=frame["person"] // 2 % 2)
    return question.table(frame, **columns)


def ask(question, at_risk):
    """Ask the question; a prediction is asked for each group, where groups are covariates."""
    function = getattr(evalkit.estimators, question.function)
    options = dict(question.options)
    if "trend" in options:
        options["trend"] = range(len(at_risk.strata_labels))
    if question.of is None:
        return function(at_risk, **options)
    fit = ask(question.of, at_risk)
    if not question.profiled:
        return function(fit, **options)
    groups = [term for term in at_risk.terms if term.startswith("group[")]
    profiles = pd.DataFrame({term: [float(term == other) for other in ["", *groups]]
                             for term in at_risk.terms}, index=["A", *(term[6:-1] for term in groups)])
    return function(fit, profiles.assign(x=0.5), **options)


def answer(name, planted):
    question = QUESTIONS[name]
    return ask(question, table_of(question, planted))


def shown(payload):
    return [dict(zip(payload["columns"], row, strict=True)) for row in payload["rows"] if row[3] is not None]


@pytest.mark.parametrize("profile", [DEFAULT, STRICT], ids=["default", "strict"])
@pytest.mark.parametrize("name", NAMES)
def test_nothing_of_a_small_cell_leaves(name, profile):
    result = answer(name, planted=True)
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


@pytest.mark.parametrize("name", NAMES)
def test_much_of_a_healthy_table_leaves(name):
    result = answer(name, planted=False)
    payload = release(result, DEFAULT, name="answer").payload
    assert len(shown(payload)) >= max(1, 0.2 * len(result.table.dropna(subset=["estimate"])))


@pytest.mark.parametrize("name", NAMES)
def test_every_diagnostic_has_rules(name):
    unknown = [key for key in answer(name, planted=False).diagnostics if not KNOWN.match(key)]
    assert not unknown, "say in disclosure/diagnostics.py what may leave of it, then name it here"


@pytest.mark.parametrize("name", ["cox", "parametric", "discrete_hazard", "concordance", "aalen_johansen"])
def test_exact_sums_and_weeks_of_persons_stay_inside(name):
    told = release(answer(name, planted=False), DEFAULT, name="answer").payload["diagnostics"]
    for key in ("log_likelihood", "aic", "person_weeks", "concordant", "last_observed_weeks"):
        assert told.get(key) is None


@pytest.mark.parametrize("name", NAMES)
def test_where_one_person_is_last_or_far_out_is_told_nowhere(name):
    question = QUESTIONS[name]
    # Weeks that nobody asks for must not be those of the data.
    if question.of is not None and "weeks" in question.options:
        options = {key: value for key, value in question.options.items() if key != "weeks"}
        question = replace(question, options=options)
    at_risk = table_of(question, planted=False)
    last, far = at_risk.exit.argmax(), np.zeros_like(at_risk.covariates)
    far[last, 0] = 7.77
    at_risk = replace(at_risk, covariates=at_risk.covariates + far,
                      exit=np.where(np.arange(at_risk.n_rows) == last, 131.0, at_risk.exit))
    payload = release(ask(question, at_risk), DEFAULT, name="answer").payload
    words = set(re.findall(r"[\w.]+", json.dumps(payload)))
    assert not [word for word in words if re.fullmatch(r"131(\.0*)?|7\.77\d*", word)]


def test_a_warning_does_not_tell_how_many_clusters():
    frame = leavers(90, planted=False).assign(caseworker=lambda rows: rows["person"] % 3)
    frame = frame.assign(y=frame["x"] ** 2, z=frame["x"] ** 3)
    at_risk = AtRisk.from_frame(frame, entry="entry", exit="exit", event="event", person="person",
                                cluster="caseworker", covariates=["x", "y", "z"])
    with pytest.warns(UserWarning, match="3 clusters for 3 terms"):
        fit = evalkit.estimators.cox(at_risk)
    assert fit.diagnostics["clusters"] == 3
    told = release(fit, DEFAULT, name="answer").payload["diagnostics"]
    assert told["clusters"] is None
    assert not re.search(r"\d", told["warning"])
