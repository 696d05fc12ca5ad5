"""Every way in which delivered files are known to be wrong: refused, counted, located, and no value shown."""

import datetime as dt
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from evalkit import contract, weeks
from evalkit.contract.dialects import csv, dream, ydelsesrefusion
from evalkit.errors import ContractError

AS_OF = dt.date(2016, 6, 30)
PERSONS = [f"p-{letter}{letter}7" for letter in "abcdefghijkl"]
WEEKS = weeks.week_of("2015-12-07") + np.arange(8)


@pytest.fixture
def site(tmp_path):
    """A small delivery without faults: persons, residence, DREAM with months."""
    return Site(tmp_path)


class Site:
    def __init__(self, folder):
        self.folder = folder
        ids = pd.Series(PERSONS)
        self.put(
            "person",
            pd.DataFrame(
                {"person_id": ids, "birth_year": 1971 + ids.index, "sex": "F", "ancestry": "western"}
            ),
        )
        self.put(
            "residence",
            pd.DataFrame(
                {"person_id": ids, "municipality": "Hjørring", "start": "2010-02-03", "end": "2016-02-01"}
            ),
        )
        codes = np.full((len(ids), len(WEEKS)), 733, dtype=np.uint16)
        codes[:, 4:6] = 0
        months = weeks.month_number("2015-12-01") + np.arange(2)
        degree = np.full((len(ids), 2), 0.37)
        dream.write(self.path("dream"), PERSONS, WEEKS, codes, months, np.full(degree.shape, 11100), degree)

    def path(self, name):
        return self.folder / f"{name}.csv"

    def put(self, table, frame):
        csv.write(self.path(table), frame, table=table)

    def edit(self, name, old, new, count=1):
        text = self.path(name).read_text(encoding="utf-8")
        assert old in text
        self.path(name).write_bytes(text.replace(old, new, count).encode())

    @property
    def sources(self):
        others = {"dream": "dream", "ydelsesrefusion": "ydelsesrefusion"}
        return [
            {"path": path, "dialect": others.get(path.stem, "csv"), "table": path.stem, "origin": "simulated"}
            for path in sorted(self.folder.glob("*.csv"))
        ]

    def report(self, *more):
        return contract.check([*self.sources, *more], as_of=AS_OF)


def expect(site, rule, *, table, count, first_rows=None, column=None, secrets=(), sources=()):
    """The rule is reported with its place and size, reading stops on it, and neither tells a value."""
    report = site.report(*sources)
    found = report.problems[(report.problems["rule"] == rule) & (report.problems["table"] == table)]
    assert len(found) == 1, report.problems[["table", "rule", "count"]]
    row = found.iloc[0]
    assert row["count"] == count
    assert first_rows is None or row["first_rows"] == first_rows
    assert column is None or column in row["column"]
    assert row["next_step"]
    assert not report.ok
    with pytest.raises(ContractError) as caught:
        contract.read([*site.sources, *sources], as_of=AS_OF)
    tells_no_value(report.problems.to_csv() + str(caught.value), secrets)
    return row


def tells_no_value(message, secrets=()):
    for secret in [*PERSONS, "Hjørring", "western", "1971", "0,37", *secrets]:
        assert secret not in message


def test_delivery_without_faults_is_read(site):
    assert site.report().problems.empty
    tables = contract.read(site.sources, as_of=AS_OF)
    assert set(tables) == {"person", "residence", "benefit", "income_month"}
    assert len(tables["benefit"]) == 2 * len(PERSONS)
    assert tables.data_through == dt.date(2016, 1, 31)
    assert tables.origins["benefit"] == "simulated"
    assert set(tables.inputs) == {"person.csv", "residence.csv", "dream.csv"}


def test_missing_file(site):
    lost = {"path": site.folder / "sanction.csv", "dialect": "csv", "table": "sanction", "origin": "real"}
    expect(site, "missing_file", table="sanction", count=1, sources=[lost])


@pytest.mark.parametrize("content", [b"", b"\n", b"\xef\xbb\xbf"])
def test_empty_file(site, content):
    site.path("residence").write_bytes(content)
    expect(site, "empty_file", table="residence", count=1)


def test_header_without_rows(site):
    site.path("residence").write_text("person_id,municipality,start,end\n", encoding="utf-8")
    expect(site, "no_rows", table="residence", count=1)


def test_header_without_rows_of_a_table_that_may_be_empty(site):
    site.path("sanction").write_text("person_id,start,end,kind\n", encoding="utf-8")
    report = site.report()
    assert report.problems["rule"].tolist() == ["no_rows_optional"]
    assert contract.read(site.sources, as_of=AS_OF)["sanction"].empty


def test_dream_without_persons(site):
    header = site.path("dream").read_text(encoding="utf-8").splitlines()[0]
    site.path("dream").write_text(header + "\n", encoding="utf-8")
    expect(site, "no_rows", table="benefit", count=1)


@pytest.mark.parametrize(
    ("name", "table", "old", "new"), [("residence", "residence", ",", ";"), ("dream", "benefit", ";", "\t")]
)
def test_wrong_delimiter_names_the_one_that_fits(site, name, table, old, new):
    site.path(name).write_text(
        site.path(name).read_text(encoding="utf-8").replace(old, new), encoding="utf-8"
    )
    row = expect(site, "wrong_delimiter", table=table, count=1)
    assert {";": "a semicolon", "\t": "a tab"}[new] in row["next_step"]


def test_latin1_is_named_and_never_replaced(site):
    text = site.path("residence").read_text(encoding="utf-8")
    site.path("residence").write_bytes(text.encode("latin-1"))
    row = expect(site, "encoding", table="residence", count=len(PERSONS), first_rows=(2, 3, 4, 5, 6))
    assert "UTF-8" in row["next_step"]


def test_bytes_of_no_known_encoding(site):
    data = site.path("residence").read_bytes()
    site.path("residence").write_bytes(data.replace("ø".encode(), b"\x81"))
    expect(site, "encoding_unknown", table="residence", count=len(PERSONS))


def test_utf16(site):
    site.path("person").write_text(site.path("person").read_text(encoding="utf-8"), encoding="utf-16")
    expect(site, "encoding_unknown", table="person", count=1)


def test_zero_bytes(site):
    with site.path("person").open("ab") as handle:
        handle.write(b"\0\0\0\n")
    expect(site, "nul_bytes", table="person", count=3)


@pytest.mark.parametrize("name", ["person", "dream"])
def test_byte_order_mark_is_skipped_and_said(site, name):
    before = contract.read(site.sources, as_of=AS_OF)
    site.path(name).write_bytes(b"\xef\xbb\xbf" + site.path(name).read_bytes())
    report = site.report()
    assert report.ok
    assert report.problems["rule"].tolist() == ["byte_order_mark"]
    after = contract.read(site.sources, as_of=AS_OF)
    for table in before:
        pd.testing.assert_frame_equal(before[table], after[table])


def test_decimal_point_for_comma_in_dream(site):
    site.edit("dream", "0,37", "0.37", count=3)
    expect(site, "decimal_mark", table="benefit", count=2, first_rows=(2, 3), column="grad", secrets=["0.37"])


def test_decimal_comma_for_point_in_csv(site):
    site.put(
        "income_month",
        pd.DataFrame(
            {"person_id": PERSONS[:2], "month": "2015-12-01", "wage_dkk": [1234.75, 5], "hours": [1, 2]}
        ),
    )
    site.edit("income_month", "1234.75", '"1234,75"')
    expect(site, "type", table="income_month", count=1, first_rows=(2,), column="wage_dkk", secrets=["1234"])


def refund(site, **columns):
    site.path("dream").unlink()
    frame = pd.DataFrame(
        {
            "person_id": PERSONS,
            "week": WEEKS[0] + 4,
            "code": "Kontanthjælp",
            "amount_dkk": 1234.5,
            "refund_share": 0.2,
        }
    )
    ydelsesrefusion.write(site.path("ydelsesrefusion"), frame.assign(**columns))


def test_decimal_point_for_comma_in_ydelsesrefusion(site):
    refund(site)
    site.edit("ydelsesrefusion", "1234,50", "1234.50")
    expect(
        site, "decimal_mark", table="benefit", count=1, first_rows=(2,), column="Beregnet", secrets=["1234"]
    )


def test_thousands_mark_is_not_guessed(site):
    refund(site)
    site.edit("ydelsesrefusion", "1234,50", "1.234")
    expect(site, "decimal_mark", table="benefit", count=1, secrets=["1.234"])


def test_paying_back_is_added_up_and_said(site):
    refund(site)
    site.edit("ydelsesrefusion", "1234,50", "-1234,50")
    report = site.report()
    assert report.ok
    assert report.problems[["rule", "count", "first_rows"]].to_numpy().tolist() == [
        ["negative_amount", 1, (2,)]
    ]
    assert len(contract.read(site.sources, as_of=AS_OF)["benefit"]) == len(PERSONS) - 1


def test_file_that_is_no_table_of_the_statbank(site):
    (site.folder / "panel.txt").write_text("a;b\n1;2\n", encoding="utf-8")
    panel = {
        "path": site.folder / "panel.txt",
        "dialect": "statbank",
        "table": "municipality_period",
        "origin": "real",
    }
    expect(site, "statbank", table="municipality_period", count=1, sources=[panel])


def cpr(n):
    return [f"{1 + k % 28:02d}{1 + k % 12:02d}70{1000 + k}" for k in range(n)]


def test_cpr_shaped_column_is_refused_and_counted(site):
    numbers = cpr(len(PERSONS))
    for name in ("person", "residence", "dream"):
        for pseudonym, number in zip(PERSONS, numbers, strict=True):
            site.edit(name, pseudonym, number)
    for table in ("person", "residence", "benefit"):
        expect(site, "cpr_shaped", table=table, count=len(PERSONS), secrets=numbers)


def test_cpr_numbers_in_ydelsesrefusion_also_without_leading_zero(site):
    numbers = [number.lstrip("0") for number in cpr(len(PERSONS))]
    refund(site, person_id=numbers)
    expect(site, "cpr_shaped", table="benefit", count=len(PERSONS), column="CPR nummer", secrets=numbers)


def test_cpr_numbers_in_a_column_that_nobody_asked_for(site):
    frame = pd.read_csv(site.path("person"), dtype=str, encoding="utf-8")
    frame.assign(gammelt_nr=cpr(len(PERSONS))).to_csv(site.path("person"), index=False, encoding="utf-8")
    expect(
        site, "cpr_shaped", table="person", count=len(PERSONS), column="gammelt_nr", secrets=cpr(len(PERSONS))
    )


def test_few_pseudonyms_that_look_like_cpr_by_chance_pass(site):
    for name in ("person", "residence", "dream"):
        site.edit(name, PERSONS[0], cpr(1)[0])
    assert site.report().ok


def test_leading_zero_lost(site):
    padded = [f"{700000 + k:08d}" for k in range(len(PERSONS))]
    for name in ("person", "residence", "dream"):
        for pseudonym, number in zip(PERSONS, padded, strict=True):
            site.edit(name, pseudonym, number.lstrip("0") if name == "dream" else number)
    expect(
        site,
        "leading_zero_lost",
        table="benefit",
        count=2 * len(PERSONS),
        column="person_id",
        secrets=["70000"],
    )


def test_leading_zero_of_an_industry_is_kept(site):
    assert set(contract.read(site.sources, as_of=AS_OF)["income_month"]["industry"]) == {"011100"}


def test_person_unknown_to_the_person_table(site):
    site.edit("residence", PERSONS[3], "p-zz9")
    expect(site, "foreign_key", table="residence", count=1, first_rows=(5,), secrets=["p-zz9"])


def test_unknown_benefit_code(site):
    site.edit("dream", "733", "595")
    row = expect(
        site, "unknown_code", table="benefit", count=1, first_rows=(2,), column="code", secrets=["595"]
    )
    assert "code list" in row["next_step"]


def test_unknown_benefit_name(site):
    refund(site, code="Ukendt hjælp")
    expect(site, "unknown_code", table="benefit", count=len(PERSONS), secrets=["Ukendt"])


def test_code_before_it_existed(site, tmp_path):
    site.path("dream").unlink()
    site.put(
        "benefit",
        pd.DataFrame({"person_id": PERSONS[:1], "code": "160", "start": "2013-01-07", "end": "2013-01-14"}),
    )
    expect(site, "code_not_valid_then", table="benefit", count=1)


def test_own_code_list_takes_the_place_of_ours(site):
    site.edit("dream", "733", "595")
    head = "code,valid_from,valid_to,state,activity_type,title_da,is_verified,source\n"
    row = "{},1991-08-05,,CASH_BENEFIT_ACTIVITY,,egen kode,1,egen liste\n"
    (site.folder / "own").mkdir()
    (site.folder / "own" / "codes.csv").write_text(head + row.format(595) + row.format(733), encoding="utf-8")
    sources = [
        {**source, "codes": "own/codes.csv"} if source["dialect"] == "dream" else source
        for source in site.sources
    ]
    assert contract.check(sources, as_of=AS_OF).ok


def test_week_that_is_no_week(site):
    site.edit("dream", "y_1550", "y_9953")
    expect(site, "not_a_week", table="benefit", count=1, column="y_9953")


def test_month_that_is_no_month(site):
    site.edit("dream", "grad_2016_01", "grad_2016_13")
    expect(site, "not_a_month", table="benefit", count=1, column="grad_2016_13")


def drop_column(site, name):
    frame = pd.read_csv(site.path("dream"), sep=";", dtype=str, keep_default_na=False, encoding="utf-8")
    frame.drop(columns=name).to_csv(site.path("dream"), sep=";", index=False, encoding="utf-8")


def test_missing_week_column_in_the_middle(site):
    drop_column(site, "y_1553")
    expect(site, "missing_week", table="benefit", count=1, column="y_1553")


def test_missing_month_column_in_the_middle(site):
    months = weeks.month_number("2015-11-01") + np.arange(3)
    codes = np.full((len(PERSONS), len(WEEKS)), 733, dtype=np.uint16)
    dream.write(site.path("dream"), PERSONS, WEEKS, codes, months, np.full((len(PERSONS), 3), 841100))
    drop_column(site, "branche_2015_12")
    expect(site, "missing_month", table="benefit", count=1, column="branche_2015_12")


def test_missing_last_week_column_is_a_shorter_window(site):
    drop_column(site, "y_1604")
    report = site.report()
    assert report.ok
    assert report.data_through == dt.date(2016, 1, 24)


def test_duplicate_week_column(site):
    site.edit("dream", "y_1552", "y_1551")
    expect(site, "duplicate_column", table="benefit", count=2, column="y_1551")


def test_file_without_week_columns(site):
    site.path("dream").write_text(
        "PNR;uge\n" + "".join(f"{person};733\n" for person in PERSONS), encoding="utf-8"
    )
    expect(site, "no_weeks", table="benefit", count=1)


def test_week_columns_in_any_order_are_read_by_date(site):
    before = contract.read(site.sources, as_of=AS_OF)["benefit"]
    frame = pd.read_csv(site.path("dream"), sep=";", dtype=str, keep_default_na=False, encoding="utf-8")
    frame[frame.columns[::-1]].to_csv(site.path("dream"), sep=";", index=False, encoding="utf-8")
    pd.testing.assert_frame_equal(before, contract.read(site.sources, as_of=AS_OF)["benefit"])


def test_letters_among_the_codes(site):
    site.edit("dream", "733", "7B3")
    expect(site, "type", table="benefit", count=1, first_rows=(2,), secrets=["7B3"])


def test_same_person_twice_in_dream(site):
    site.edit("dream", PERSONS[4], PERSONS[2])
    expect(site, "duplicate_person", table="benefit", count=1, first_rows=(6,))


def test_same_person_twice_with_different_facts(site):
    site.edit("person", PERSONS[4], PERSONS[2])
    expect(site, "primary_key", table="person", count=1, first_rows=(6,), column="person_id")


def test_same_person_twice_wholly_equal_is_one_person(site):
    line = site.path("person").read_text(encoding="utf-8").splitlines()[3]
    with site.path("person").open("a", encoding="utf-8") as handle:
        handle.write(line + "\n")
    report = site.report()
    assert report.ok
    assert report.problems[["rule", "count"]].to_numpy().tolist() == [["duplicate_row", 1]]
    tells_no_value(report.problems.to_csv())
    assert contract.read(site.sources, as_of=AS_OF)["person"]["person_id"].tolist() == PERSONS


@pytest.mark.parametrize("end", ["2010-02-03", "2009-12-31"])
def test_end_not_after_start(site, end):
    site.edit("residence", "2016-02-01", end)
    expect(site, "end_after_start", table="residence", count=1, first_rows=(2,), secrets=[end])


@pytest.mark.parametrize(
    ("day", "is_future"), [("2016-06-30", False), ("2016-07-01", True), ("2106-02-01", True)]
)
def test_future_date(site, day, is_future):
    site.put("screening", pd.DataFrame({"person_id": PERSONS[:1], "date": [day], "risk": "LOW"}))
    if is_future:
        expect(site, "future_date", table="screening", count=1, first_rows=(2,), secrets=[day])
    else:
        assert site.report().ok


def test_weeks_filled_after_the_extract(site):
    report = contract.check(site.sources, as_of=dt.date(2016, 1, 3))
    assert report.problems["rule"].tolist() == ["future_date", "future_date"][: len(report.problems)]
    assert report.problems.set_index("table").loc["benefit", "count"] == len(PERSONS)


@pytest.mark.parametrize("name", ["person", "dream"])
def test_truncated_last_line(site, name):
    data = site.path(name).read_bytes()
    site.path(name).write_bytes(data[:-4])
    expect(
        site, "truncated", table={"dream": "benefit"}.get(name, name), count=1, first_rows=(len(PERSONS) + 1,)
    )


@pytest.mark.parametrize(("name", "mark"), [("person", ","), ("dream", ";")])
def test_line_with_too_many_values(site, name, mark):
    site.edit(name, PERSONS[1], PERSONS[1] + mark + "x")
    expect(site, "row_shape", table={"dream": "benefit"}.get(name, name), count=1, first_rows=(3,))


@pytest.mark.parametrize("name", ["person", "dream"])
def test_file_that_may_not_be_read(site, name, monkeypatch):
    read_bytes = Path.read_bytes

    def refuse(path):
        if path == site.path(name):
            raise PermissionError(13, "Permission denied", str(path))
        return read_bytes(path)

    monkeypatch.setattr(Path, "read_bytes", refuse)
    expect(site, "unreadable_file", table={"dream": "benefit"}.get(name, name), count=1)


def test_line_that_the_reader_gives_up_on(site):
    site.edit("person", PERSONS[3], "x" * 3_000_000)
    report = site.report()
    assert not report.ok
    tells_no_value(report.problems.to_csv(), ["xxx"])


def test_folder_whose_name_is_a_pattern(tmp_path):
    folder = tmp_path / "år [2015] 'ny'"
    folder.mkdir()
    assert Site(folder).report().problems.empty


def test_quote_that_is_not_closed(site):
    site.edit("residence", "Hjørring", '"Hjørring')
    report = site.report()
    assert "row_shape" in report.problems["rule"].tolist()
    assert not report.ok


def test_two_municipalities_in_one_week(site):
    with site.path("residence").open("a", encoding="utf-8") as handle:
        handle.write(f"{PERSONS[5]},Frederikshavn,2016-01-20,2016-02-01\n")
    expect(site, "no_overlap", table="residence", count=1, first_rows=(14,), secrets=["Frederikshavn"])


def test_moving_day_is_no_overlap_whatever_the_order_of_rows(site):
    site.edit("residence", f"{PERSONS[5]},Hjørring,2010-02-03", f"{PERSONS[5]},Hjørring,2012-02-03")
    with site.path("residence").open("a", encoding="utf-8") as handle:
        handle.write(f"{PERSONS[5]},Frederikshavn,2008-01-20,2012-02-03\n")
    assert site.report().ok


def test_missing_required_column_and_misspelt_one(site):
    site.edit("person", "ancestry", "ancestri")
    row = expect(site, "missing_column", table="person", count=1, column="ancestry")
    assert row["severity"] == "error"
    unknown = site.report().problems.set_index("rule").loc["unknown_column"]
    assert "ancestry" in unknown["next_step"]


def test_day_first_date_is_not_guessed(site):
    site.edit("residence", "2010-02-03", "03-02-2010")
    expect(site, "type", table="residence", count=1, column="start", secrets=["03-02-2010"])


def test_everything_wrong_is_told_at_once(site):
    site.edit("dream", "y_1550", "y_9953")
    site.edit("person", ",F,", ",X,")
    site.edit("residence", "2016-02-01", "2009-12-31")
    with pytest.raises(ContractError) as caught:
        contract.read(site.sources, as_of=AS_OF)
    assert all(rule in str(caught.value) for rule in ("not_a_week", "enum", "end_after_start"))
    tells_no_value(str(caught.value))


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"dialect": "excel"}, "dialects are"),
        ({"origin": "guess"}, "origins are"),
        ({"table": "persons"}, "tables are"),
        ({"delimeter": ";"}, "options are"),
    ],
)
def test_source_that_names_what_does_not_exist(site, change, word):
    source = next(source for source in site.sources if source["table"] == "person")
    with pytest.raises(ContractError, match=word):
        contract.check([{**source, **change}])
