"""QCEW: N is withheld, private ownership alone, construction put together, sums across NAICS left out."""

from datetime import date
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from us_files import csv_text, request_of, text_file, zip_file

from etl.contracts import contract
from etl.errors import SourceFormatError
from etl.sources.base import ArchivedFile, Request, years_on_offer
from etl.sources.bls_qcew import NEWEST_SEEN, BlsQcew

QCEW = BlsQcew()
COLUMNS = ["area_fips", "own_code", "industry_code", "agglvl_code", "size_code", "year", "qtr", "disclosure_code"]
COLUMNS += ["annual_avg_estabs", "annual_avg_emplvl", "total_annual_wages", "lq_disclosure_code"]

Row = tuple[str, str, str, int, int]

ROWS: list[Row] = [
    ("10", "51", "", 1000, 20_000),
    ("101", "52", "", 400, 8_000),
    ("1012", "53", "", 300, 6_000),
    ("23", "54", "", 300, 6_000),
    ("31-33", "54", "N", 9, 0),
    ("238", "55", "", 250, 5_000),
    ("238111", "58", "", 20, 300),
    ("238112", "58", "", 10, 700),
    ("238121", "58", "N", 5, 0),
    ("238122", "58", "", 6, 90),
    ("238131", "58", "", 4, 40),
    ("111110", "58", "", 3, 12),
    ("113310", "58", "", 1, 0),
    ("99", "54", "", 8, 30),
    ("999", "55", "", 8, 30),
    ("999999", "58", "", 8, 30),
]


def text(rows: list[Row], areas: tuple[str, ...] = ("41000",), year: int = 2019, bulk: bool = False) -> str:
    """A file: each row private, once more under another ownership, once more for one size of establishment."""
    lines = [
        [area, own, code, level, size, str(year), "A", mark, estabs, emp, emp * 1000, ""]
        for area in areas
        for code, level, mark, estabs, emp in rows
        for own, size in (("5", "0"), ("1", "0"), ("5", "3"))
    ]
    header = [f"{name}_count" if bulk and name == "annual_avg_estabs" else name for name in COLUMNS]
    return csv_text(header, lines)


def area_file(folder: Path, rows: list[Row], area: str = "41000", year: int = 2019) -> ArchivedFile:
    return text_file(request_of(QCEW, year, "area"), folder / f"{area}.csv", text(rows, (area,), year))


def single_file(folder: Path, rows: list[Row], areas: tuple[str, ...], year: int = 2019) -> ArchivedFile:
    body = text(rows, areas, year, bulk=True)
    return zip_file(request_of(QCEW, year, "single"), folder / "all.zip", {f"{year}.annual.singlefile.csv": body})


def frame(files: list[ArchivedFile], year: int = 2019) -> pd.DataFrame:
    for file in files:
        QCEW.check(file)
    table = contract("region_industry").conform(QCEW.parse(files, year).tables["region_industry"])
    return table.to_pandas().set_index(["region_code", "industry_code"])


def test_rows(tmp_path: Path) -> None:
    rows = frame([area_file(tmp_path, ROWS)]).loc["41"]
    assert sorted(rows.index) == sorted(
        ["00", "23", "31", "238", "238110", "238120", "238130", "111110", "113310", "99"]
    )
    assert (rows.employment["00"], rows.payroll["00"]) == (20_000, 20_000_000)
    assert (rows.industry_level["00"], rows.industry_level["31"]) == ("total", "sector")
    assert set(rows.index[rows.is_leaf]) == {"238110", "238120", "238130", "111110", "113310", "99"}
    assert set(rows.region_scheme) == {"us_state"} and set(rows.industry_scheme) == {"naics2017"}


def test_not_disclosed_is_withheld_and_a_printed_zero_is_zero(tmp_path: Path) -> None:
    rows = frame([area_file(tmp_path, ROWS)]).loc["41"]
    hidden, zero = rows.loc["31"], rows.loc["113310"]
    assert (hidden.employment_status, hidden.employment_flag, hidden.employment_low) == ("withheld", "N", 0)
    assert hidden[["employment", "employment_high", "employment_reported", "payroll"]].isna().all()
    assert hidden.establishments == 9
    assert (zero.employment, zero.employment_status) == (0, "reported")


def test_construction_is_put_together(tmp_path: Path) -> None:
    parsed = QCEW.parse([area_file(tmp_path, ROWS)], 2019)
    assert parsed.notes == [
        "2 cells were added up: construction in two parts (238xx1, 238xx2), places outside counties"
    ]
    rows = frame([area_file(tmp_path, ROWS)]).loc["41"]
    whole, hidden, single = rows.loc["238110"], rows.loc["238120"], rows.loc["238130"]
    assert (whole.employment, whole.establishments, whole.payroll) == (1_000, 30, 1_000_000)
    assert (hidden.employment_status, hidden.employment_low, hidden.establishments) == ("withheld", 90, 11)
    assert hidden[["employment", "employment_reported", "payroll", "employment_high"]].isna().all()
    assert single.employment == 40


@given(st.lists(st.tuples(st.integers(0, 10**5), st.booleans(), st.integers(1, 99)), min_size=2, max_size=2))
def test_putting_together_loses_nothing(parts: list[tuple[int, bool, int]]) -> None:
    import tempfile

    rows = [
        (code, "58", "N" if hidden else "", estabs, 0 if hidden else emp)
        for code, (emp, hidden, estabs) in zip(("238211", "238212"), parts, strict=True)
    ]
    with tempfile.TemporaryDirectory() as folder:
        row = frame([area_file(Path(folder), rows)]).loc["41", "238210"]
    known = sum(emp for emp, hidden, _ in parts if not hidden)
    assert row.employment_low == known
    assert row.establishments == sum(estabs for _, _, estabs in parts)
    assert pd.isna(row.employment) if any(hidden for _, hidden, _ in parts) else row.employment == known


def test_single_file_adds_counties_and_never_a_second_state(tmp_path: Path) -> None:
    areas = ("US000", "41000", "41067", "41999", "C3890", "CS440", "USMSA", "72000", "72001")
    slices = [area_file(tmp_path, ROWS)]
    rows = frame([*slices, single_file(tmp_path, ROWS, areas)])
    assert rows.index.is_unique
    schemes = rows.reset_index().groupby("region_scheme").region_code.unique().map(set).to_dict()
    assert schemes == {"us_nation": {"US"}, "us_state": {"41"}, "us_county": {"41067", "41999"}}
    assert set(rows.region_vintage) == {2020}


@pytest.mark.parametrize(("year", "scheme"), [(2014, "naics2012"), (2017, "naics2017"), (2022, "naics2022")])
def test_vintage(tmp_path: Path, year: int, scheme: str) -> None:
    assert set(frame([area_file(tmp_path, ROWS, year=year)], year).industry_scheme) == {scheme}


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (("238113", "58", "", 3, 9), "line 2: code '238113' is not in NAICS 2017"),
        (("113310", "58", "X", 3, 9), "line 2: 'X' is no disclosure code"),
    ],
)
def test_what_nobody_declared_stops_the_file(tmp_path: Path, row: Row, words: str) -> None:
    with pytest.raises(SourceFormatError, match=words):
        frame([area_file(tmp_path, [row])])


def test_another_year_stops_the_file(tmp_path: Path) -> None:
    file = text_file(request_of(QCEW, 2019, "area"), tmp_path / "a.csv", text(ROWS, year=2018))
    with pytest.raises(SourceFormatError, match="line 2: a row of another year than 2019"):
        frame([file])


def test_the_same_slice_twice_stops(tmp_path: Path) -> None:
    with pytest.raises(SourceFormatError, match="more than two parts"):
        frame([area_file(tmp_path, ROWS), area_file(tmp_path, ROWS)])


def test_profile_is_areas_and_their_private_employment(tmp_path: Path) -> None:
    file = single_file(tmp_path, ROWS, ("41000", "41067", "C3890"))
    assert QCEW.profile(file) == {
        "areas": ["41", "41067"],
        "sectors": ["23", "31", "99"],
        "employment": 40_000,
        "establishments": 2_000,
        "wages": 40_000_000,
    }


def test_addresses() -> None:
    found = QCEW.requests([2013, 2019])
    single, *slices = found
    assert single.url == "https://data.bls.gov/cew/data/files/2019/csv/2019_annual_singlefile.zip"
    assert slices[0].url == "https://data.bls.gov/cew/data/api/2019/a/area/US000.csv" and len(slices) == 52
    assert single.better is None and {request.better for request in slices} == {single.url}


def test_years_on_offer_run_to_what_could_be_out() -> None:
    assert years_on_offer(2014, 5, date(2026, 5, 31)) == range(2014, 2025)
    assert years_on_offer(2014, 5, date(2026, 6, 1)) == range(2014, 2026)
    assert years_on_offer(1998, 15, date(2026, 3, 31)) == range(1998, 2024)
    assert years_on_offer(1998, 15, date(2026, 4, 1)) == range(1998, 2025)
    assert set(range(2014, 2026)) <= set(QCEW.years)


@pytest.mark.parametrize("year", [2024, 2025])
def test_the_newest_years_have_planning_regions_and_naics_2022(tmp_path: Path, year: int) -> None:
    rows = [*ROWS, ("516210", "58", "", 7, 40)]  # streaming is an industry of NAICS 2022 alone
    areas = ("09000", "09110", "09190", "09999", "C2554", "CS122", "72000", "USCMS")
    table = frame([single_file(tmp_path, rows, areas, year)], year).reset_index()
    assert set(table["industry_scheme"]) == {"naics2022"}
    assert set(table["region_code"]) == {"09", "09110", "09190", "09999"}
    assert set(table.loc[table["region_scheme"] == "us_county", "region_vintage"]) == {2022}
    assert set(table.loc[table["industry_code"] == "516210", "employment"]) == {40}


def test_a_code_that_breaks_the_assumption_on_a_new_year_says_so(tmp_path: Path) -> None:
    year = NEWEST_SEEN + 1
    request = Request(QCEW.name, "https://data.bls.gov/new.zip", "single", "zip", year)
    body = text([*ROWS, ("999990", "58", "", 1, 1)], ("41000",), year, bulk=True)
    good = zip_file(request, tmp_path / "good.zip", {"a.csv": text(ROWS, ("41000",), year, bulk=True)})
    assert set(frame([good], year)["industry_scheme"]) == {"naics2022"}
    bad = zip_file(request, tmp_path / "bad.zip", {"a.csv": body.replace("999990", "517919")})
    with pytest.raises(SourceFormatError, match=f"'517919'.*QCEW of {year} is in NAICS 2022 is assumed.*breaks"):
        QCEW.profile(bad)
