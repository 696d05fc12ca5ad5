"""The StatBank dialect: languages, codes, periods, and everything in the file that is no municipality."""

import numpy as np
import pandas as pd
import pytest

from evalkit.contract.dialects import statbank
from evalkit.errors import ContractError

MUNICIPALITIES = statbank.municipalities()
OTHERS_EN = [
    "All Denmark",
    "Region Nordjylland",
    "Province Bornholm",
    "Christiansø",
    "Abroad",
    "Not stated municipality",
    "Outside Denmark",
]
OTHERS_DA = [
    "Hele landet",
    "Region Nordjylland",
    "Landsdel Bornholm",
    "Christiansø",
    "Udlandet",
    "Uoplyst kommune",
    "Uden for Danmark",
]


def save(path, rows, header="YDELSESTYPE;OMRÅDE;KØN;TID;INDHOLD"):
    path.write_bytes(b"\xef\xbb\xbf" + "\r\n".join([header, *rows, ""]).encode())
    return path


def english(names=None, period="2015Q1", label="Net unemployed recipients of social assistance"):
    names = [*OTHERS_EN, *(row["name_en"] for row in MUNICIPALITIES)] if names is None else names
    return [f"{label};{name};Total;{period};{k}" for k, name in enumerate(names)]


def test_the_list_has_98_municipalities_in_five_regions():
    frame = pd.DataFrame(MUNICIPALITIES)
    assert len(frame) == 98 and frame["code"].is_unique and frame["name"].is_unique
    assert frame["region"].value_counts().to_dict() == {
        "Hovedstaden": 29,
        "Syddanmark": 22,
        "Midtjylland": 19,
        "Sjælland": 17,
        "Nordjylland": 11,
    }


def test_english_labels_keep_the_98_and_nothing_else(tmp_path):
    frame = statbank.read(save(tmp_path / "AUK01.csv", english()))
    assert set(frame["municipality"]) == {row["name"] for row in MUNICIPALITIES}
    assert "København" in set(frame["municipality"]) and "Allerød" in set(frame["municipality"])
    assert set(frame["measure"]) == {"net_unemployed_social_assistance"}
    assert set(frame["source"]) == {"Statistics Denmark, table AUK01, CC BY 4.0"}
    bornholm = frame.set_index("municipality").loc["Bornholm", "value"]
    assert bornholm == len(OTHERS_EN) + [row["name"] for row in MUNICIPALITIES].index("Bornholm")


def test_danish_labels_with_codes_read_the_same(tmp_path):
    codes = ["000", "081", "11", "411", "998", "999", "950"]
    names = [f"{code} {name}" for code, name in zip(codes, OTHERS_DA, strict=True)]
    names += [f"{row['code']} {row['name']}" for row in MUNICIPALITIES]
    rows = [
        f"LKT Nettoledige kontanthjælpsmodtagere;{name};TOT I alt;2015K1 2015K1;{k}"
        for k, name in enumerate(names)
    ]
    danish = statbank.read(save(tmp_path / "AUK01.csv", rows))
    pd.testing.assert_frame_equal(danish, statbank.read(save(tmp_path / "AUK01.csv", english())))


def test_a_province_of_a_municipalitys_name_is_told_by_its_code(tmp_path):
    names = ["11 Bornholm", *(f"{row['code']} {row['name_en']}" for row in MUNICIPALITIES)]
    frame = statbank.read(save(tmp_path / "AUK01.csv", english(names)))
    assert (frame["municipality"] == "Bornholm").sum() == 1


@pytest.mark.parametrize(
    ("written", "read"),
    [("2008Q1", "2008Q1"), ("2008K4", "2008Q4"), ("2021M10", "2021M10"), ("2015", "2015")],
)
def test_periods(tmp_path, written, read):
    assert set(statbank.read(save(tmp_path / "AUK01.csv", english(period=written)))["period"]) == {read}


def test_another_benefit_type_is_never_taken_for_the_listed_one(tmp_path):
    frame = statbank.read(save(tmp_path / "AUK01.csv", english(label="Sickness benefit")))
    assert set(frame["measure"]) == {"AUK01: Sickness benefit"}


def test_men_alone_are_never_taken_for_everybody(tmp_path):
    rows = [row.replace(";Total;", ";Men;") for row in english()]
    frame = statbank.read(save(tmp_path / "AUK01.csv", [*english(), *rows]))
    assert set(frame["measure"]) == {
        "net_unemployed_social_assistance",
        "AUK01: net_unemployed_social_assistance: Men",
    }


def test_two_dots_are_missing_and_a_comma_is_a_decimal_mark(tmp_path):
    rows = english()
    rows[-1], rows[-2] = rows[-1].rpartition(";")[0] + ";..", rows[-2].rpartition(";")[0] + ";12,5"
    values = statbank.read(save(tmp_path / "AUK01.csv", rows))["value"]
    assert np.isnan(values.iloc[-1]) and values.iloc[-2] == 12.5


def test_missing_municipalities_are_named(tmp_path):
    names = [row["name_en"] for row in MUNICIPALITIES if row["name"] not in ("Allerød", "Læsø")]
    with pytest.raises(ContractError, match=r"96 of 98 municipalities are there; missing: Allerød, Læsø"):
        statbank.read(save(tmp_path / "AUK01.csv", english(names)))


def test_all_faults_come_at_once(tmp_path):
    rows = english()[:-1]
    rows += [rows[-1], rows[-1].replace("2015Q1", "spring"), rows[-2].rpartition(";")[0] + ";many"]
    with pytest.raises(ContractError) as caught:
        statbank.read(save(tmp_path / "AUK01.csv", rows))
    message = str(caught.value)
    assert "column TID: 1 of" in message and "column INDHOLD: 1 of" in message
    assert "97 of 98" in message and "rows repeat" in message
    assert "many" not in message and "spring" not in message


@pytest.mark.parametrize(
    "content", [b"", b"<html>\n", b"a,b,c\n1,2,3\n", b'{"message": "no"}', b"\xff\xfe\x00"]
)
def test_what_is_no_table_is_refused_with_a_next_step(tmp_path, content):
    path = tmp_path / "AUK01.csv"
    path.write_bytes(content)
    with pytest.raises(ContractError, match="AUK01.csv.*evalkit public"):
        statbank.read(path)


@pytest.mark.parametrize("language", ["en", "da"])
@pytest.mark.parametrize("with_codes", [False, True])
@pytest.mark.parametrize("table", ["LBESK69", "AUK01", "FOLK1A", "INDKP101"])
def test_what_is_written_is_read(tmp_path, language, with_codes, table):
    names = [row["name"] for row in MUNICIPALITIES]
    frame = pd.DataFrame(
        {
            "municipality": np.repeat(names, 2),
            "period": ["2015Q1", "2015Q2"] * 98,
            "value": np.arange(196) + 0.5,
        }
    )
    statbank.write(tmp_path / f"{table}.csv", frame, statbank=table, language=language, with_codes=with_codes)
    assert (tmp_path / f"{table}.csv").read_bytes()[:3] == b"\xef\xbb\xbf"
    back = statbank.read(tmp_path / f"{table}.csv")
    pd.testing.assert_frame_equal(back[["municipality", "period", "value"]], frame)
    assert set(back["measure"]) == {
        next(row["measure"] for row in statbank.tables() if row["table"] == table)
    }


def test_a_simulated_table_is_never_cited_as_statistics_denmarks(tmp_path):
    frame = pd.DataFrame(
        {"municipality": ["Hjørring", "Kommune 01", "Kommune 24"], "period": "2015Q1", "value": 1.0}
    )
    statbank.write(tmp_path / "LBESK69.csv", frame, statbank="LBESK69")
    back = statbank.read(tmp_path / "LBESK69.csv")
    assert list(back["municipality"]) == ["Hjørring", "Kommune 01", "Kommune 24"]
    assert set(back["source"]) == {"Simulated, in the form of table LBESK69"}
