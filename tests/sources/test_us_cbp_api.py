"""Census API: a zero beside establishments is withheld; bulk cells stand before the API's, and both are compared."""

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest
from us_files import csv_text, json_file, request_of, text_file, zip_file

from etl.errors import SourceFormatError
from etl.sources.base import ArchivedFile, Parsed
from etl.sources.census_cbp import CensusCbp, combine
from etl.sources.census_cbp_api import CensusCbpApi

API = CensusCbpApi()
CBP = CensusCbp()
HEADER = ["GEO_ID", "NAME", "YEAR", "NAICS2017", "NAICS2017_LABEL", "ESTAB", "EMP", "PAYANN", "state", "county"]


def line(code: str, estab: str, emp: str, payann: str, county: str = "001") -> list[str]:
    return [f"0500000US01{county}", "A County, Alabama", "2019", code, "A label", estab, emp, payann, "01", county]


ROWS = [
    line("00", "867", "11510", "385755"),
    line("31-33", "30", "1200", "70000"),
    line("321", "9", "900", "50000"),
    line("321113", "5", "0", "9000"),
    line("113310", "0", "0", "0"),
]


def answer(folder: Path, rows: list[list[str]], header: list[str] = HEADER, name: str = "answer") -> ArchivedFile:
    return json_file(request_of(API, 2019, "co"), folder / f"{name}.json", [header, *rows])


def frame(parsed: Parsed) -> pd.DataFrame:
    return parsed.tables["region_industry"].to_pandas().set_index(["region_code", "industry_code"])


def test_rows(tmp_path: Path) -> None:
    file = answer(tmp_path, ROWS)
    API.check(file)
    rows = frame(API.parse([file], 2019)).loc["01001"]
    assert rows.employment.fillna(-1).to_dict() == {"00": 11510, "31": 1200, "321": 900, "321113": -1, "113310": 0}
    assert set(rows.source) == {"census_cbp"} and set(rows.region_scheme) == {"us_county"}
    assert rows.payroll["00"] == 385_755_000
    assert rows.industry_level["31"] == "sector"


def test_zero_beside_establishments_is_withheld(tmp_path: Path) -> None:
    rows = frame(API.parse([answer(tmp_path, ROWS)], 2019)).loc["01001"]
    hidden, empty = rows.loc["321113"], rows.loc["113310"]
    assert (hidden.employment_status, hidden.employment_low) == ("withheld", 0)
    assert hidden[["employment", "employment_high", "employment_reported"]].isna().all()
    assert (hidden.payroll, hidden.payroll_status) == (9_000_000, "reported")
    assert (empty.employment, empty.employment_high, empty.employment_status) == (0, 0, "reported")


def test_predicates_that_come_back_as_columns_are_tolerated(tmp_path: Path) -> None:
    header = [*HEADER, "NAICS2017", "LFO", "EMPSZES"]
    rows = [[*row, "00", form, size] for row in ROWS for form, size in (("001", "001"), ("C", "001"), ("001", "212"))]
    assert len(frame(API.parse([answer(tmp_path, rows, header)], 2019))) == len(ROWS)


def test_order_of_columns_does_not_matter(tmp_path: Path) -> None:
    order = [9, 8, 7, 6, 5, 3, 0, 1, 2, 4]
    rows = [[row[i] for i in order] for row in ROWS]
    turned = frame(API.parse([answer(tmp_path, rows, [HEADER[i] for i in order])], 2019))
    pd.testing.assert_frame_equal(turned, frame(API.parse([answer(tmp_path, ROWS)], 2019)))


def test_marks_are_read_where_asked_for(tmp_path: Path) -> None:
    rows = [[*ROWS[0], "", "H"], [*ROWS[3], "B", "S"]]
    found = frame(API.parse([answer(tmp_path, rows, [*HEADER, "EMP_F", "EMP_N_F"])], 2019)).loc["01001"]
    assert found.employment_status.tolist() == ["noised", "withheld"]
    assert tuple(found.loc["321113", ["employment_low", "employment_high", "employment_flag"]]) == (20, 99, "S|B")


def test_a_blank_mark_does_not_make_a_zero_a_figure(tmp_path: Path) -> None:
    row = frame(API.parse([answer(tmp_path, [[*ROWS[3], ""]], [*HEADER, "EMP_F"])], 2019)).iloc[0]
    assert (row.employment_status, row.employment_low) == ("withheld", 0)


@pytest.mark.parametrize(
    ("rows", "header", "words"),
    [
        ([ROWS[0], line("999998", "3", "9", "9")], HEADER, "line 3: code '999998' is not in NAICS 2017"),
        ([line("00", "3", "many", "9")], HEADER, "column emp"),
        ([ROWS[0][:-1]], HEADER, "rows of equal length"),
        ([], HEADER, "no rows"),
        (ROWS, ["EMPLOYEES" if name == "EMP" else name for name in HEADER], "no column emp"),
        ([ROWS[0], ROWS[0]], HEADER, "stands there twice"),
    ],
)
def test_what_is_wrong_is_told(tmp_path: Path, rows: list[list[str]], header: list[str], words: str) -> None:
    with pytest.raises(SourceFormatError, match=words):
        API.parse([answer(tmp_path, rows, header)], 2019)


def test_an_error_page_or_message_is_refused(tmp_path: Path) -> None:
    for text in ("<html>Invalid Key</html>", '{"error": "x"}', "error: unknown variable", ""):
        with pytest.raises(SourceFormatError):
            API.check(text_file(request_of(API, 2019, "co"), tmp_path / "answer", text))


def test_addresses_and_the_key() -> None:
    found = API.requests([2016, 2021])
    assert len(found) == 51 * 2
    assert found[1].url == (
        "https://api.census.gov/data/2021/cbp?get=GEO_ID,NAME,YEAR,NAICS2017,NAICS2017_LABEL,ESTAB,EMP,PAYANN"
        "&for=county:*&in=state:01"
    )
    assert {request.secret for request in found} == {"census_api_key"}
    assert not any("key" in request.url for request in found)


def test_profile_is_regions_and_their_total_employment(tmp_path: Path) -> None:
    rows = [*ROWS, line("00", "5", "40", "90", county="003")]
    assert API.profile(answer(tmp_path, rows)) == {
        "regions": ["01001", "01003"],
        "sectors": ["31"],
        "employment": 11_550,
        "establishments": 872,
        "payroll": 385_845_000,
    }


def bulk_counties(folder: Path) -> ArchivedFile:
    """A bulk file with two cells of the answer, one of them with another figure, one withheld, and one of its own."""
    header = ["fipstate", "fipscty", "naics", "emp_nf", "emp", "ap_nf", "ap", "est"]
    rows = [
        ["01", "001", "------", "G", 11510, "G", 385755, 867],
        ["01", "001", "31----", "G", 1300, "G", 70000, 30],
        ["01", "001", "321///", "S", 0, "S", 0, 9],
        ["01", "003", "------", "G", 500, "G", 9000, 40],
        ["02", "063", "------", "G", 100, "G", 900, 10],
    ]
    return zip_file(request_of(CBP, 2019, "co"), folder / "co.zip", {"cbp19co.txt": csv_text(header, rows)})


def test_bulk_stands_and_the_answers_fill_in(tmp_path: Path) -> None:
    parsed = CBP.parse([answer(tmp_path, ROWS), bulk_counties(tmp_path)], 2019)
    rows = frame(parsed)
    assert rows.index.is_unique and len(rows) == 7
    county = rows.loc["01001"]
    assert county.employment_status.to_dict() == {
        "00": "noised",
        "31": "noised",
        "321": "withheld",
        "321113": "withheld",
        "113310": "reported",
    }
    assert county.employment["31"] == 1300
    assert parsed.notes == [
        "bulk files and API give 3 cells in common; employment compared in 2, 1 differ; the bulk file's stand"
    ]


def test_counties_of_both_are_in_one_list(tmp_path: Path) -> None:
    rows = frame(CBP.parse([answer(tmp_path, ROWS), bulk_counties(tmp_path)], 2019))
    assert set(rows.region_vintage) == {2021}, "02063 tells the list of 2021, also for the API's counties"


def test_one_way_in_alone_is_enough(tmp_path: Path) -> None:
    assert len(frame(CBP.parse([answer(tmp_path, ROWS)], 2019))) == len(ROWS)
    assert len(frame(CBP.parse([bulk_counties(tmp_path)], 2019))) == 5
    assert combine(Parsed({}), Parsed({})).tables == {}


def test_combined_rows_have_one_schema(tmp_path: Path) -> None:
    table = CBP.parse([answer(tmp_path, ROWS), bulk_counties(tmp_path)], 2019).tables["region_industry"]
    assert table.schema.field("establishments_1_4").type == pa.int32()
    assert table.column("establishments_1_4").null_count == table.num_rows
