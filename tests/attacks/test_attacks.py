"""Attacks on the door out. Each first succeeds with the protection off, then fails with it on."""

import base64
import copy
import json
import pickle

import numpy as np
import pytest
from attacked_run import (
    ID,
    NO_RULES,
    PERSONS,
    RULES,
    as_nbconvert_would,
    everything,
    forged,
    notebook,
    numbers,
    published,
    result,
    shown,
)

from evalkit.disclosure import release, scan
from evalkit.errors import DisclosureError
from evalkit.files import sha256_json
from evalkit.result import MEDIA_TYPE, Estimand, Provenance, Released, Result, tidy


def displayed(**data):
    return {"output_type": "display_data", "metadata": {}, "data": data}


OUTPUTS = {
    "print of ids": {"output_type": "stream", "name": "stdout", "text": f"looking at {ID}\n"},
    "data frame": displayed(**{"text/html": PERSONS.to_html(), "text/plain": repr(PERSONS)}),
    "traceback": {"output_type": "error", "ename": "KeyError", "evalue": f"'{ID}'",
                  "traceback": [f"\x1b[31mKeyError\x1b[0m: person {ID} at /home/anna/run.py, line 3"]},
    "class name of an error": {"output_type": "error", "ename": f"Missing_{ID}", "evalue": "",
                               "traceback": []},
    "svg text": displayed(**{"image/svg+xml": f'<svg><text x="1">{ID}</text></svg>'}),
    "base64 download": displayed(**{"text/html": f'<a href="data:text/csv,{ID}">rows</a>'}),
    "widget state": displayed(**{"application/vnd.jupyter.widget-view+json": {"model_id": ID}}),
}


@pytest.mark.parametrize("output", OUTPUTS.values(), ids=OUTPUTS)
def test_what_a_cell_displays_does_not_leave(output, tmp_path):
    executed = notebook(output)
    attack = ID in as_nbconvert_would(executed) or ID in json.dumps(output)
    assert attack
    # Known ids are not even needed: nothing but Released objects reaches a page.
    assert ID not in published(tmp_path, executed, known_ids=frozenset())


def test_forged_media_type_is_refused(tmp_path):
    fake = forged(result(table=tidy(term="step", estimate=1.0, n_persons=1.0)))
    executed = notebook(shown(fake))
    assert '"1"' in published(tmp_path / "off", executed, released=[fake])
    with pytest.raises(DisclosureError, match="not in the run's release log"):
        published(tmp_path / "on", executed)
    assert everything(tmp_path / "on" / "out") == ""


def test_released_payload_changed_afterwards_is_refused(tmp_path):
    honest = release(result(), RULES, name="answer")
    output = shown(honest)
    payload = output["data"][MEDIA_TYPE]
    payload["rows"][0][3] = "119"
    assert "119" in json.dumps(payload)
    with pytest.raises(DisclosureError):
        published(tmp_path / "kept_hash", notebook(output), released=[honest])
    payload["sha256"] = sha256_json({key: value for key, value in payload.items() if key != "sha256"})
    with pytest.raises(DisclosureError):
        published(tmp_path / "own_hash", notebook(output), released=[honest])


def test_release_of_another_name_is_refused(tmp_path):
    honest = release(result(), RULES, name="answer")
    output = shown(honest)
    logged = Released(name="other", payload={}, sha256=honest.sha256)
    assert "answer" in published(tmp_path / "off", notebook(output), released=[honest])
    with pytest.raises(DisclosureError):
        published(tmp_path / "on", notebook(output), released=[logged])


def hidden_cell(hidden):
    """A table with its total, in which one cell is too small to show."""
    cells = [17.0, 23.0, float(hidden), 40.0 + hidden]
    return result(table=tidy(term="persons", group=["a", "b", "c", "all"], estimate=cells, n_persons=cells))


def test_small_cell_by_subtraction():
    raw = [1, 2, 3, 4]
    without = [40 + hidden - 17 - 23 for hidden in raw]
    assert without == raw
    released = [numbers(hidden_cell(hidden)) for hidden in raw]
    assert all(cells[2] is None for cells in released)
    assert all(cells == released[0] for cells in released), "the four tables must look the same"


def test_small_cell_by_the_edges_of_rounding():
    # Rounded one by one, 17, 7, 4 and their sum 28 become 15, 5, hidden, 30: only 17 + 7 + 4 reaches 28.
    cells = [17.0, 7.0, 4.0, 28.0]
    alone = [5 * round(cell / 5) for cell in cells]
    fitting = {c for a in range(13, 18) for b in range(5, 8) for c in range(1, 5) if 28 <= a + b + c <= 32}
    assert alone[3] == 30
    assert fitting == {4}
    seen = _edges(17, 7, 4)
    still = {c for a in range(13, 18) for b in range(5, 8) for c in range(1, 5) if _edges(a, b, c) == seen}
    assert still == {1, 2, 3, 4}


def _edges(a, b, c):
    cells = [float(a), float(b), float(c), float(a + b + c)]
    return numbers(result(table=tidy(term="persons", group=["a", "b", "c", "all"], estimate=cells,
                                     n_persons=cells)))


def one_event_curve(week):
    events = np.zeros(30)
    events[[4, week, 20]] = [6, 1, 7]
    at_risk = 60 - np.r_[0, np.cumsum(events)[:-1]]
    level = np.cumprod(1 - events / at_risk)
    return Result(kind="curve", estimand=Estimand(name="s", unit="share"),
                  table=tidy(term="s", time_weeks=np.arange(30), estimate=level, n_persons=at_risk,
                             n_events=events))


def step_weeks(payload):
    levels = [(row[2], row[3]) for row in payload["rows"]]
    return [week for (_, before), (week, level) in zip(levels, levels[1:], strict=False) if level != before]


def test_week_in_which_one_person_left():
    for week in (9, 12, 15):
        assert str(week) in step_weeks(release(one_event_curve(week), NO_RULES, name="s").payload)
    protected = [release(one_event_curve(week), RULES, name="s").payload["rows"] for week in (9, 12, 15)]
    assert protected[0] == protected[1] == protected[2]


def regression(n_alone):
    """A regression with an indicator of n_alone persons only: intercept + coefficient is their mean."""
    table = tidy(term=["(Intercept)", "street[Hidden Lane]"], estimate=[10.0, 2.345678], n_persons=500.0)
    return Result(kind="model", estimand=Estimand(name="m", unit="weeks"), table=table,
                  model={"terms": ("(Intercept)", "street[Hidden Lane]"),
                         "n_term": np.array([500.0, n_alone])})


def test_dummy_of_one_person():
    assert sum(numbers(regression(1), NO_RULES)) == pytest.approx(12.345678)
    assert numbers(regression(1)) == [10.0, None]
    assert numbers(regression(60)) == [10.0, 2.346]


@pytest.mark.parametrize("events", [0, 20])
def test_everybody_or_nobody_in_a_group(events):
    table = tidy(term="sanctioned", n_persons=20.0, n_events=float(events), estimate=events / 20)
    assert numbers(result("share", "share", table), NO_RULES) == [events / 20]
    assert numbers(result("share", "share", table)) == [None]


def test_share_of_nearly_everybody_by_its_complement():
    table = tidy(term="in_job", n_persons=40.0, n_events=39.0, estimate=39 / 40)
    share, = numbers(result("share", "share", table), NO_RULES)
    assert round(40 * (1 - share)) == 1
    assert numbers(result("share", "share", table)) == [None]


def test_withheld_estimate_through_its_other_doors(tmp_path):
    secret = -3.217
    held = Result(kind="model", estimand=Estimand(name="goal"),
                  table=tidy(term="goal", estimate=secret, n_persons=900.0),
                  withheld="pre_period",
                  diagnostics={"estimate": secret, "text": f"it was {secret}", "n_inflow": 3217},
                  provenance=Provenance(options={"start": secret}))
    assert "3.217" in json.dumps([held.table["estimate"].tolist(), dict(held.diagnostics)])
    answer = release(held, RULES, name="goal")
    text = published(tmp_path, notebook(shown(answer)), released=[answer])
    assert not any(form in text for form in ("3.217", "3,217", "3217", "3.2", "3,2 ", "3215"))


def test_withheld_reason_that_is_the_estimate():
    answer = Result(kind="model", estimand=Estimand(name="goal"), table=tidy(), withheld="effect was -3.217")
    assert "3.217" in answer.withheld
    with pytest.raises(DisclosureError, match="key of a gate"):
        release(answer, RULES, name="goal")


def labelled(label):
    return result(table=tidy(term=["a", label], estimate=120.0, n_persons=120.0))


LABELS = {
    "plain": ID, "glued": f"person{ID}row", "upper case": ID.upper(), "zero width": f"{ID[:3]}\u200b{ID[3:]}",
    "entities": "".join(f"&#{ord(sign)};" for sign in ID), "tags": f"{ID[:3]}<b></b>{ID[3:]}",
    "base64": base64.b64encode(f"see {ID}".encode()).decode(),
    "data uri": f"data:text/plain;base64,{base64.b64encode(ID.encode()).decode()}",
}


@pytest.mark.parametrize("label", LABELS.values(), ids=LABELS)
def test_id_hidden_in_a_label(label, tmp_path):
    answer = release(labelled(label), RULES, name="answer")
    executed = notebook(shown(answer))
    published(tmp_path / "off", executed, released=[answer], known_ids=frozenset())
    with pytest.raises(DisclosureError, match="person_id") as refused:
        published(tmp_path / "on", executed, released=[answer])
    assert everything(tmp_path / "on" / "out") == ""
    assert ID not in str(refused.value)


def test_id_in_the_name_of_an_output(tmp_path):
    answer = release(result(), RULES, name=f"for_{ID}")
    executed = notebook(shown(answer))
    assert f"for_{ID}.json" in published(tmp_path / "off", executed, released=[answer], known_ids=frozenset())
    with pytest.raises(DisclosureError) as refused:
        published(tmp_path / "on", executed, released=[answer])
    assert ID not in str(refused.value)
    with pytest.raises(DisclosureError, match="name"):
        release(result(), RULES, name="person_0101701234")


def test_id_in_the_text_of_a_notebook(tmp_path):
    executed = notebook(sources=[f"Person {ID} is typical."])
    assert ID in published(tmp_path / "off", executed, known_ids=frozenset())
    with pytest.raises(DisclosureError, match="person_id"):
        published(tmp_path / "on", executed)


@pytest.mark.parametrize("text", ["CPR 010170-1234", "CPR 0101701234"])
def test_cpr_number_of_somebody_unknown(text):
    assert text.startswith("CPR")
    with pytest.raises(DisclosureError, match="cpr_shape"):
        release(labelled(text), RULES, name="answer")


@pytest.mark.parametrize("path", ["/home/anna/secret/dream.csv", r"C:\Users\anna\dream.csv",
                                  r"\\server\anna\dream.csv"])
def test_machine_path_in_the_provenance(path):
    answer = result(provenance=Provenance(inputs={path: "ab" * 32}))
    assert "anna" in json.dumps(dict(answer.provenance.inputs))
    assert "anna" not in json.dumps(release(answer, RULES, name="answer").payload)
    with pytest.raises(DisclosureError, match="machine_path"):
        release(result(provenance=Provenance(options={"file": path})), RULES, name="answer")


def persons(n):
    return result(table=tidy(term="persons", estimate=float(n), n_persons=float(n)))


def test_size_of_a_small_group_by_the_difference_of_two_releases():
    """The same table with and without 1 to 4 persons: no visible difference says how many they are."""
    sizes = (1, 2, 3, 4)
    bare = {numbers(persons(121 + n), NO_RULES)[0] - numbers(persons(121), NO_RULES)[0] for n in sizes}
    assert bare == set(sizes)
    fitting = {}
    for base in range(118, 123):
        for n in sizes:
            seen = numbers(persons(base + n))[0] - numbers(persons(base))[0]
            fitting.setdefault(seen, set()).add(n)
    assert fitting == {0.0: set(sizes), 5.0: set(sizes)}


@pytest.mark.parametrize("smuggled", [
    {"weights": PERSONS["weeks"]}, {"frame": PERSONS}, {"residuals": np.arange(500.0)},
    {"scores": list(range(401))},
    {"note": "x" * 700}])
def test_one_value_per_person_in_the_diagnostics(smuggled):
    answer = result(diagnostics=smuggled)
    assert answer.diagnostics
    with pytest.raises(DisclosureError):
        release(answer, RULES, name="answer")


def test_released_object_holds_the_raw_numbers_nowhere():
    table = tidy(term="step", group=["a", "b"], estimate=[0.123456789, 0.987654321], std_error=0.0123456,
                 n_persons=[12347, 3], n_events=[6173, 2])
    answer = result("model", "share", table, model={"estimates": table["estimate"].to_numpy()},
                    diagnostics={"n_left": 6173, "again": 0.987654321})
    raw = ("12347", "6173", "0.1234567", "0.98765", "0.0123456")
    assert all(number in json.dumps([table.to_dict("list"), dict(answer.diagnostics)]) for number in raw)
    released = release(answer, RULES, name="answer")
    doors = [repr(released), str(released), json.dumps(released._repr_mimebundle_()),
             repr(pickle.loads(pickle.dumps(released))), repr(copy.deepcopy(released)), released.sha256]
    assert not [number for number in raw for text in doors if number in text]
    assert released.payload["rows"][1][3:] == [None] * 7
    with pytest.raises(TypeError, match="never pickled"):
        pickle.dumps(answer)


def test_small_count_under_a_nested_key():
    answer = result(diagnostics={"balance": {"by": [{"n_left": 2}, {"n_left": 52}]}})
    assert release(answer, NO_RULES, name="a").payload["diagnostics"]["balance"]["by"][0] == {"n_left": "2"}
    assert release(answer, RULES, name="a").payload["diagnostics"] == {"balance": {"by": [{"n_left": None},
                                                                                          {"n_left": "50"}]}}


def test_subclass_that_calls_itself_a_result():
    class Friendly(Result):
        pass

    friend = Friendly(kind="counts", estimand=Estimand(name="x"), table=tidy(term="a", estimate=1.0))
    assert isinstance(friend, Result)
    with pytest.raises(DisclosureError):
        release(friend, RULES, name="answer")


@pytest.mark.parametrize("source",
                         ["![picture](https://x.dk/a.png)", "[link](https://x.dk)", "<b onclick='x()'>b</b>"])
def test_markdown_that_calls_home(source, tmp_path):
    from markdown_it import MarkdownIt

    assert scan(MarkdownIt("commonmark", {"html": True}).render(source))
    try:
        text = published(tmp_path, notebook(sources=[source]))
    except DisclosureError:
        text = everything(tmp_path / "out")
    assert "https:" not in text
    assert "<b " not in text
    assert "<img" not in text


@pytest.mark.parametrize("source", ["<script>fetch('//x.dk')</script>", '<img src="https://x.dk/a.png">'])
def test_markup_that_calls_home_is_refused(source, tmp_path):
    assert source in "".join(["# A report", source])
    with pytest.raises(DisclosureError):
        published(tmp_path, notebook(sources=[source]))


def test_failed_publication_leaves_the_earlier_pages(tmp_path):
    good = release(result(), RULES, name="answer")
    before = published(tmp_path, notebook(shown(good)), released=[good])
    bad = release(labelled(ID), RULES, name="answer")
    with pytest.raises(DisclosureError):
        published(tmp_path, notebook(shown(bad)), released=[bad])
    assert everything(tmp_path / "out") == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "private"]
