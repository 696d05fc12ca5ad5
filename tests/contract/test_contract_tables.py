"""`Tables`: types, open ends, origins and windows; and the report as a Result."""

import datetime as dt
import pickle

import numpy as np
import pandas as pd
import pytest

from evalkit import contract, weeks
from evalkit.contract.dialects import csv, dream
from evalkit.errors import ContractError

PERSON = pd.DataFrame(
    {
        "person_id": ["p-1", "p-2"],
        "birth_year": [1980, 1990],
        "sex": ["F", "M"],
        "ancestry": ["danish", "western"],
    }
)


def source(path, table="", dialect="csv", origin="simulated", **options):
    return {"path": path, "dialect": dialect, "table": table, "origin": origin, **options}


def put(folder, table, frame):
    csv.write(folder / f"{table}.csv", frame, table=table)
    return source(folder / f"{table}.csv", table)


def test_columns_have_the_types_of_the_contract():
    activity = pd.DataFrame(
        {
            "person_id": ["p-1", "p-2"],
            "activity_id": [1, 2],
            "type": "SUNDHED",
            "track": [2, None],
            "start": ["2015-01-05", "2015-02-02"],
            "end": ["2015-02-02", None],
        }
    )
    frame = contract.Tables.from_frames({"activity": activity}, data_through="2015-12-27")["activity"]
    assert frame["start"].dtype == "datetime64[s]" and frame["end"].dtype == "datetime64[s]"
    assert frame["activity_id"].tolist() == ["1", "2"]
    assert frame["owner"].tolist() == ["", ""]
    np.testing.assert_array_equal(frame["track"], [2.0, np.nan])
    assert frame["end"].tolist() == [pd.Timestamp("2015-02-02"), pd.Timestamp("2015-12-28")]


@pytest.mark.parametrize("end", ["", "9999-12-31"])
def test_open_interval_ends_the_day_after_the_data(tmp_path, end):
    text = f"person_id,municipality,start,end\np-1,Hjørring,2010-01-01,{end}\np-2,Hjørring,2016-02-01,{end}\n"
    (tmp_path / "residence.csv").write_text(text, encoding="utf-8")
    sources = [
        source(tmp_path / "residence.csv", "residence", data_from="2015-01-05", data_through="2015-12-27")
    ]
    ends = contract.read(sources)["residence"]["end"].tolist()
    assert ends == [pd.Timestamp("2015-12-28"), pd.Timestamp("2016-02-02")]


def test_from_frames_leaves_the_frames_alone():
    before = PERSON.copy()
    person = contract.Tables.from_frames({"person": PERSON})["person"]
    person.loc[0, "sex"] = "M"
    pd.testing.assert_frame_equal(PERSON, before)


def test_from_frames_names_what_is_missing():
    with pytest.raises(ContractError, match="no column ancestry; required"):
        contract.Tables.from_frames({"person": PERSON.drop(columns="ancestry")})
    with pytest.raises(ContractError, match="no table 'persons'"):
        contract.Tables.from_frames({"persons": PERSON})


def test_table_that_was_not_delivered():
    tables = contract.Tables.from_frames({"person": PERSON})
    assert tables.has("person") and not tables.has("person", "benefit")
    with pytest.raises(ContractError, match="table benefit was not delivered; this site has person"):
        tables["benefit"]


def test_tables_are_never_pickled_and_show_no_person():
    tables = contract.Tables.from_frames({"person": PERSON})
    assert "p-1" not in repr(tables)
    with pytest.raises(TypeError, match="never pickled"):
        pickle.dumps(tables)


def test_one_simulated_file_makes_the_table_simulated(tmp_path):
    first = {**put(tmp_path, "person", PERSON[:1]), "origin": "real"}
    csv.write(tmp_path / "more.csv", PERSON[1:], table="person")
    tables = contract.read([first, source(tmp_path / "more.csv", "person")])
    assert tables.origins == {"person": "simulated"}
    assert tables["person"]["person_id"].tolist() == ["p-1", "p-2"]


def test_window_is_what_all_files_cover_or_what_files_in_a_row_cover(tmp_path):
    def deliver(name, first, n_weeks, person):
        first = weeks.week_of(first)
        dream.write(
            tmp_path / name, [person], first + np.arange(n_weeks), np.full((1, n_weeks), 730, dtype=np.uint16)
        )
        return source(tmp_path / name, dialect="dream")

    person = put(tmp_path, "person", PERSON)
    side_by_side = contract.check(
        [person, deliver("a.csv", "2015-01-05", 20, "p-1"), deliver("b.csv", "2015-01-19", 30, "p-2")]
    )
    assert (side_by_side.data_from, side_by_side.data_through) == (dt.date(2015, 1, 19), dt.date(2015, 5, 24))
    in_a_row = contract.check(
        [person, deliver("a.csv", "2015-01-05", 2, "p-1"), deliver("b.csv", "2015-01-19", 2, "p-1")]
    )
    assert (in_a_row.data_from, in_a_row.data_through) == (dt.date(2015, 1, 5), dt.date(2015, 2, 1))


def test_income_delivered_for_its_own_sake_wins_over_dream(tmp_path):
    codes = np.zeros((2, 5), dtype=np.uint16)
    months = weeks.month_number("2015-01-01") + np.arange(2)
    dream.write(
        tmp_path / "dream.csv",
        ["p-1", "p-2"],
        weeks.week_of("2015-01-05") + np.arange(5),
        codes,
        months,
        np.array([[11100, 11100], [0, 0]]),
        np.array([[1.0, 0.5], [np.nan, np.nan]]),
    )
    wage = pd.DataFrame(
        {"person_id": ["p-1"], "month": ["2015-01-01"], "wage_dkk": [25000.0], "hours": [140.0]}
    )
    sources = [
        put(tmp_path, "person", PERSON),
        source(tmp_path / "dream.csv", dialect="dream"),
        put(tmp_path, "income_month", wage),
    ]
    income = contract.read(sources)["income_month"].sort_values("month")
    np.testing.assert_array_equal(income["wage_dkk"], [25000.0, np.nan])
    np.testing.assert_allclose(income["hours"], [140.0, 0.5 * dream.FULL_TIME_HOURS], atol=0.01)
    assert income["industry"].tolist() == ["", "011100"]


def test_report_as_a_result_counts_rows_persons_and_broken_rules(tmp_path):
    sources = [
        put(tmp_path, "person", PERSON),
        put(
            tmp_path,
            "screening",
            pd.DataFrame(
                {
                    "person_id": ["p-1", "p-1", "p-9"],
                    "date": ["2015-01-05", "2015-02-05", "2015-03-05"],
                    "risk": ["LOW", "low", "low"],
                }
            ),
        ),
    ]
    report = contract.check(sources)
    result = report.result()
    assert result.kind == "counts"
    assert result.row(term="rows", group="screening")[["estimate", "n_persons"]].tolist() == [3, 2]
    assert result.row(term="problem", group="screening[enum]")["estimate"] == 2
    assert result.row(term="problem", group="screening[foreign_key]")["estimate"] == 1
    assert result.diagnostics["is_ok"] is False
    assert set(result.provenance.inputs) == {"person.csv", "screening.csv"}
    assert result.provenance.rests_on == ("simulated",)


def test_decimal_comma_and_semicolon_can_be_named(tmp_path):
    (tmp_path / "headcount.csv").write_text(
        "month;role;fte\n2015-01-01;HEALTH;10,5\n2015-02-01;HEALTH;11\n", encoding="utf-8"
    )
    named = source(tmp_path / "headcount.csv", "headcount", delimiter=";", decimal=",")
    assert contract.read([named])["headcount"]["fte"].tolist() == [10.5, 11.0]
    (tmp_path / "headcount.csv").write_text("month;role;fte\n2015-01-01;HEALTH;10.5\n", encoding="utf-8")
    assert contract.check([named]).problems["rule"].tolist() == ["type"]


def test_order_of_sources_changes_nothing(tmp_path):
    sources = [
        put(tmp_path, "person", PERSON),
        put(
            tmp_path,
            "screening",
            pd.DataFrame({"person_id": ["p-1"], "date": ["2015-01-05"], "risk": ["LOW"]}),
        ),
    ]
    forward, backward = contract.read(sources), contract.read(sources[::-1])
    assert list(forward) == list(backward)
    for table in forward:
        pd.testing.assert_frame_equal(forward[table], backward[table])
