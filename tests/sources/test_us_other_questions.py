"""American answers to another question than was asked, and totals that no economy has, are refused at the door."""

from pathlib import Path
from typing import Any

import pytest
from us_files import archived, csv_text, json_file, request_of, zip_file

from etl.errors import SourceFormatError
from etl.sources.base import ArchivedFile
from etl.sources.bls_qcew import BlsQcew
from etl.sources.census_cbp import CensusCbp
from etl.sources.census_cbp_api import CensusCbpApi
from etl.sources.plausible import require_plausible

API_HEADER = ["GEO_ID", "NAME", "YEAR", "NAICS2017", "NAICS2017_LABEL", "ESTAB", "EMP", "PAYANN", "state"]


def answer(folder: Path, **changes: str) -> ArchivedFile:
    """An answer of the Census API for Alabama in 2019."""
    row = dict(zip(API_HEADER, ["x", "Alabama", "2019", "00", "Total", "100", "2000", "90000", "01"], strict=True))
    return json_file(request_of(CensusCbpApi(), 2019, "st"), folder / "a", [API_HEADER, list((row | changes).values())])


def test_an_answer_of_another_year_or_state(tmp_path: Path) -> None:
    api = CensusCbpApi()
    assert api.profile(answer(tmp_path))["employment"] == 2000
    with pytest.raises(SourceFormatError, match="year 2018, not 2019"):
        api.profile(answer(tmp_path, YEAR="2018"))
    with pytest.raises(SourceFormatError, match="fipstate 02, not 01"):
        api.profile(answer(tmp_path, state="02"))
    with pytest.raises(SourceFormatError, match="persons an establishment"):
        api.profile(answer(tmp_path, ESTAB="90000", PAYANN="100"))


def qcew(folder: Path, area: str, rows: list[tuple[str, str, int]]) -> ArchivedFile:
    """A slice of QCEW asked for area 41000: area, industry and jobs of each row."""
    header = ["area_fips", "own_code", "industry_code", "size_code", "year", "disclosure_code"]
    header += ["annual_avg_estabs", "annual_avg_emplvl", "total_annual_wages"]
    lines: list[list[Any]] = [
        [place, "5", code, "0", "2019", "", jobs // 10, jobs, jobs * 50_000] for place, code, jobs in rows
    ]
    request = next(one for one in BlsQcew().requests([2019]) if f"/{area}." in one.url or area in one.url)
    path = folder / "slice.csv"
    path.write_text(csv_text(header, lines))
    return archived(request, path)


def test_a_slice_of_another_area(tmp_path: Path) -> None:
    dataset = BlsQcew()
    assert dataset.profile(qcew(tmp_path, "41000", [("41000", "10", 500)]))["areas"] == ["41"]
    with pytest.raises(SourceFormatError, match="the slice is of 53"):
        dataset.profile(qcew(tmp_path, "41000", [("53000", "10", 500)]))
    with pytest.raises(SourceFormatError, match="line 2: area '03000'"):
        dataset.profile(qcew(tmp_path, "41000", [("03000", "10", 500)]))


def test_what_stands_outside_counties_is_added_up(tmp_path: Path) -> None:
    codes = ["41001", "41996", "41997", "41998", "41999"]
    file = qcew(tmp_path, "singlefile", [(code, "10", 100 * (n + 1)) for n, code in enumerate(codes)])
    table = BlsQcew().parse([file], 2019).tables["region_industry"].to_pylist()
    assert {row["region_code"]: row["employment"] for row in table} == {"41001": 100, "41999": 1400}


@pytest.mark.parametrize(("kind", "place"), [("st", {"fipstate": "03"}), ("co", {"fipstate": "41", "fipscty": "002"})])
def test_a_region_that_no_list_has_is_told_with_its_line(tmp_path: Path, kind: str, place: dict[str, str]) -> None:
    row = {**place, "naics": "------", "lfo": "-", "emp_nf": "G", "emp": 500, "ap": 25_000, "est": 40}
    text = csv_text(list(row), [list(row.values())])
    file = zip_file(request_of(CensusCbp(), 2019, kind), tmp_path / "f.zip", {f"cbp19{kind}.txt": text})
    with pytest.raises(SourceFormatError, match=r"line 2: (county '41002'|'03' is no state)"):
        CensusCbp().profile(file)


@pytest.mark.parametrize(("persons", "units", "pay"), [(7, 130, 0), (1e6, 10, 0), (100, 10, 1e9), (100, 10, 5e3)])
def test_totals_that_no_economy_has(persons: float, units: float, pay: float) -> None:
    with pytest.raises(SourceFormatError, match="changed places"):
        require_plausible("a file", persons, units, pay)
    require_plausible("a file", 128_591_812, 7_860_674, 6.7e12)
    require_plausible("a file", 0, 5, 0)
