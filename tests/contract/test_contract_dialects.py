"""What a written file holds, reading gives back; a slower reading of DREAM agrees with the fast one."""

import datetime as dt
import time

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from evalkit import contract, weeks
from evalkit.contract import cells
from evalkit.contract.dialects import dream, ydelsesrefusion
from evalkit.errors import ContractError

LAST = weeks.week_of("2025-06-02")


@st.composite
def registers(draw):
    """A few persons over some weeks and months, 53-week years and the turn of the century within reach."""
    n_persons, n_weeks, n_months = draw(st.integers(1, 4)), draw(st.integers(1, 60)), draw(st.integers(0, 5))
    first = draw(
        st.sampled_from(
            [weeks.week_of("1999-11-01"), weeks.week_of("2009-12-07"), weeks.week_of("2015-11-30")]
        )
        | st.integers(weeks.week_of("1991-08-05"), LAST)
    )
    codes = draw(
        arrays(np.uint16, (n_persons, n_weeks), elements=st.sampled_from([0, 0, 111, 730, 733, 999, 65535]))
    )
    industry = draw(
        arrays(np.int64, (n_persons, n_months), elements=st.sampled_from([0, 11100, 841100, 999999]))
    )
    degree = draw(
        arrays(float, (n_persons, n_months), elements=st.sampled_from([np.nan, 0.0, 0.01, 0.75, 1.0, 1.37]))
    )
    month = draw(st.integers(weeks.month_number("1999-10-01"), weeks.month_number("2020-01-01")))
    return {
        "ids": [f"p-{k}" for k in range(n_persons)],
        "weeks": first + np.arange(n_weeks),
        "codes": codes,
        "months": month + np.arange(n_months),
        "industry": industry,
        "degree": degree,
    }


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return tmp_path_factory.mktemp("dialects") / "delivery.csv"


@given(register=registers())
@settings(max_examples=60, deadline=None)
def test_dream_gives_back_every_week_and_month(register, path):
    dream.write(
        path,
        register["ids"],
        register["weeks"],
        register["codes"],
        register["months"],
        register["industry"],
        register["degree"],
    )
    delivery = dream.read(path)
    assert delivery.problems == ()
    assert delivery.window == (
        weeks.monday(register["weeks"][0]),
        weeks.monday(register["weeks"][-1] + 1) - dt.timedelta(days=1),
    )
    np.testing.assert_array_equal(weekly(delivery.tables["benefit"], register), register["codes"])
    if len(register["months"]):
        industry, degree = monthly(delivery.tables["income_month"], register)
        np.testing.assert_array_equal(industry, register["industry"])
        np.testing.assert_array_equal(degree, register["degree"])


def weekly(runs, register):
    codes = np.zeros_like(register["codes"])
    for run in runs.itertuples():
        first = weeks.week_of(run.start) - register["weeks"][0]
        codes[register["ids"].index(run.person_id), first : weeks.week_of(run.end) - register["weeks"][0]] = (
            int(run.code)
        )
    return codes


def monthly(work, register):
    industry, degree = np.zeros_like(register["industry"]), np.full_like(register["degree"], np.nan)
    for row in work.itertuples():
        at = register["ids"].index(row.person_id), weeks.month_number(row.month) - register["months"][0]
        industry[at] = int(row.industry or 0)
        degree[at] = np.round(row.hours / dream.FULL_TIME_HOURS, 2)
    return industry, degree


@given(register=registers())
@settings(max_examples=20, deadline=None)
def test_runs_are_as_long_as_they_can_be_and_never_overlap(register, path):
    dream.write(path, register["ids"], register["weeks"], register["codes"])
    runs = dream.read(path).tables["benefit"].sort_values(["person_id", "start"])
    same = runs["person_id"].astype(str) == runs["person_id"].astype(str).shift()
    before = runs.shift()
    assert (runs["start"] < runs["end"]).all()
    assert (runs["start"] >= before["end"])[same].all()
    joined = (
        same & (runs["start"] == before["end"]) & (runs["code"].astype(str) == before["code"].astype(str))
    )
    assert not joined.any()


def slow_dream(path, columns):
    """Melt with pandas, one row a week: the reading that needs no trust."""
    wide = pd.read_csv(path, sep=";", dtype=str, keep_default_na=False, encoding="utf-8")
    long = wide.melt(id_vars="PNR", value_vars=columns, var_name="column", value_name="code")
    long["week"] = long["column"].map({name: weeks.parse_dream_column(name) for name in columns})
    return {
        (row.PNR, row.week): row.code for row in long[~long["code"].isin(["", "0", "000", "."])].itertuples()
    }


def test_dream_as_other_systems_write_it(path):
    """Windows line ends, quotes, blanks as SAS has them, shuffled columns, columns that are none of ours."""
    rng = np.random.default_rng(5)
    columns = [weeks.dream_column(week) for week in weeks.week_of("1999-11-01") + np.arange(30)]
    frame = pd.DataFrame(rng.choice(["", ".", "000", "0", "730", "733"], (40, 30)), columns=columns)
    frame.insert(0, "PNR", [f"p-{k}" for k in range(40)])
    frame["y_note"], frame["xy_9950"] = "7", "y_9951"
    frame = frame[rng.permutation(frame.columns)]
    frame.to_csv(path, sep=";", index=False, quoting=1, lineterminator="\r\n", encoding="utf-8-sig")
    delivery = dream.read(path)
    assert [problem.rule for problem in delivery.problems] == ["byte_order_mark"]
    path.write_text(path.read_text(encoding="utf-8-sig"), encoding="utf-8")
    expanded = {
        (run.person_id, week): run.code
        for run in delivery.tables["benefit"].itertuples()
        for week in range(weeks.week_of(run.start), weeks.week_of(run.end))
    }
    assert expanded == slow_dream(path, columns)


def test_small_blocks_give_the_same_as_one(path, monkeypatch):
    rng = np.random.default_rng(6)
    codes = rng.choice([0, 111, 730], (300, 20)).astype(np.uint16)
    dream.write(path, [f"p-{k}" for k in range(300)], weeks.week_of("2015-01-05") + np.arange(20), codes)
    whole = dream.read(path)
    monkeypatch.setattr(cells, "_BLOCK_BYTES", 1000)
    parts = dream.read(path)
    pd.testing.assert_frame_equal(whole.tables["benefit"], parts.tables["benefit"])


def test_dream_of_a_large_municipality_takes_seconds(path):
    """A tenth of 20,000 persons, 522 weeks and 240 month columns; the whole takes ten times this."""
    rng = np.random.default_rng(7)
    codes = np.repeat(rng.choice([0, 730, 890], (2000, 87)), 6, axis=1).astype(np.uint16)
    degree = np.where(rng.random((2000, 120)) < 0.6, np.nan, 0.5)
    dream.write(
        path,
        [f"p-{k}" for k in range(2000)],
        weeks.week_of("2010-01-04") + np.arange(522),
        codes,
        240 + np.arange(120),
        np.where(np.isnan(degree), 0, 841100),
        degree,
    )
    began = time.process_time()
    dream.read(path)
    assert time.process_time() - began < 1.5


@st.composite
def payments(draw):
    """Payments of a few persons; several rows a week happen, and so do rows of nothing."""
    row = st.fixed_dictionaries(
        {
            "person_id": st.sampled_from(["p-a", "p-b"]),
            "week": st.integers(1350, 1365),
            "code": st.sampled_from(["Kontanthjælp", "Sygedagpenge"]),
            "amount_dkk": st.sampled_from([0.0, 0.01, 1234.5, 99999.99]),
        }
    )
    rows = draw(st.lists(row, min_size=1, max_size=25))
    frame = pd.DataFrame(rows).drop_duplicates()
    return frame.assign(refund_share=np.where(frame["week"] < 1357, 0.8, 0.2), municipality="Frederikshavn")


@given(frame=payments())
@settings(max_examples=60, deadline=None)
def test_ydelsesrefusion_gives_back_every_week_summed(frame, path):
    ydelsesrefusion.write(path, frame)
    delivery = ydelsesrefusion.read(path)
    assert delivery.problems == ()
    assert delivery.window[0] == weeks.monday(frame["week"].min())
    paid = frame.groupby(["person_id", "week", "code", "refund_share"])["amount_dkk"].sum().round(2)
    expected = {key: amount for key, amount in paid.items() if amount > 0}
    read = {}
    for run in delivery.tables["benefit"].itertuples():
        for week in range(weeks.week_of(run.start), weeks.week_of(run.end)):
            key = (run.person_id, week, run.code, run.refund_share)
            assert key not in read
            read[key] = run.amount_dkk
    assert read == expected


def test_ydelsesrefusion_row_delivered_twice_is_paid_once(path):
    frame = pd.DataFrame(
        {
            "person_id": "p-a",
            "week": [1357, 1357],
            "code": "Kontanthjælp",
            "amount_dkk": 100.0,
            "refund_share": 0.8,
        }
    )
    ydelsesrefusion.write(path, frame)
    assert ydelsesrefusion.read(path).tables["benefit"]["amount_dkk"].tolist() == [100.0]


def test_ydelsesrefusion_week_of_nothing_is_a_gap(path):
    frame = pd.DataFrame(
        {
            "person_id": "p-a",
            "week": [1357, 1358, 1359],
            "code": "Kontanthjælp",
            "amount_dkk": [100.0, 0, 100.0],
            "refund_share": 0.8,
        }
    )
    ydelsesrefusion.write(path, frame)
    runs = ydelsesrefusion.read(path).tables["benefit"]
    assert weeks.week_of(runs["start"]).tolist() == [1357, 1359]
    assert weeks.week_of(runs["end"]).tolist() == [1358, 1360]


def test_ydelsesrefusion_with_danish_dates_and_few_columns(path):
    path.write_text(
        "Uge;CPR nummer;Ydelse;Beregnet udbetalingsbeløb\n04-01-2016;p-a;Kontanthjælp;100,5\n",
        encoding="utf-8",
    )
    assert "type" in [problem.rule for problem in ydelsesrefusion.read(path).problems]
    runs = ydelsesrefusion.read(path, date_format="%d-%m-%Y").tables["benefit"]
    assert runs[["start", "amount_dkk"]].to_numpy().tolist() == [[pd.Timestamp("2016-01-04"), 100.5]]
    assert runs["refund_share"].isna().all()


def test_tables_keep_amounts_of_ydelsesrefusion(path):
    frame = pd.DataFrame(
        {
            "person_id": "p-a",
            "week": [1357, 1358],
            "code": "Kontanthjælp",
            "amount_dkk": 100.5,
            "refund_share": 0.8,
        }
    )
    ydelsesrefusion.write(path, frame)
    tables = contract.read([{"path": path, "dialect": "ydelsesrefusion", "origin": "simulated"}])
    row = tables["benefit"].iloc[0]
    assert (row["amount_dkk"], row["refund_share"], row["code"]) == (100.5, 0.8, "Kontanthjælp")
    assert (tables.data_from, tables.data_through) == (dt.date(2016, 1, 4), dt.date(2016, 1, 17))


def test_ydelsesrefusion_leaves_out_what_is_not_paid_to_a_person(path):
    frame = pd.DataFrame(
        {"person_id": "p-a", "week": 1357, "code": ["Fleksløntilskud", "Fleksbidrag fra staten"]}
    )
    ydelsesrefusion.write(path, frame.assign(amount_dkk=100.0, refund_share=0.8))
    assert ydelsesrefusion.read(path).tables["benefit"]["code"].tolist() == ["Fleksløntilskud"]


def test_csv_as_a_danish_spreadsheet_writes_it(path):
    text = (
        "person_id;activity_id;type;hours_per_week;start;end\r\np-1;7;PRAKTIK;7,5;05-01-2015;02-03-2015\r\n"
    )
    path.write_bytes(b"\xef\xbb\xbf" + text.encode())
    options = {
        "delimiter": ";",
        "decimal": ",",
        "date_format": "%d-%m-%Y",
        "data_from": "2015-01-05",
        "data_through": "2015-12-27",
    }
    source = {"path": path, "dialect": "csv", "table": "activity", "origin": "simulated", **options}
    row = contract.read([source])["activity"].iloc[0]
    assert (row["hours_per_week"], row["start"], row["end"]) == (
        7.5,
        pd.Timestamp("2015-01-05"),
        pd.Timestamp("2015-03-02"),
    )
    report = contract.check([{**source, "date_format": "%d.%m.%Y"}])
    assert report.problems[report.problems["severity"] == "error"][
        ["column", "rule"]
    ].to_numpy().tolist() == [["start", "type"], ["end", "type"]]
    with pytest.raises(ContractError, match="formats are"):
        contract.check([{**source, "date_format": "%d/%m/%y"}])
