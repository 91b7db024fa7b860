"""US employment behind the weights: rebuilt from the publisher's files, and filled as it says."""

import csv
import hashlib
import io
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl.errors import DataError, UsageError
from etl.reference.store import rows
from etl.reference.us_employment import (
    VINTAGE_OF_YEAR,
    NationalCell,
    fill_withheld,
    national_leaves,
    us_employment,
)
from tools.lint_reference import described

PUBLISHED_TOTALS = {2001: 115_061_184, 2005: 116_317_003, 2009: 114_509_626, 2011: 113_425_965, 2017: 128_591_812}
RANGES = {
    "A": (0, 19),
    "B": (20, 99),
    "C": (100, 249),
    "E": (250, 499),
    "F": (500, 999),
    "G": (1_000, 2_499),
    "H": (2_500, 4_999),
    "I": (5_000, 9_999),
    "J": (10_000, 24_999),
    "K": (25_000, 49_999),
    "L": (50_000, 99_999),
    "M": (100_000, float("inf")),
}


def national_cells(path: Path) -> dict[str, NationalCell]:
    """The rows of a national file, all legal forms together, by plain code."""
    body = path.read_bytes()
    if path.suffix == ".zip":
        with zipfile.ZipFile(path) as archive:
            body = archive.read(archive.namelist()[0])
    cells = {}
    for row in csv.DictReader(io.StringIO(body.decode("latin-1"))):
        if row.get("lfo", "-") != "-":
            continue
        code = row["naics"].replace("-", "").replace("/", "") or "00"
        employment, units = int(row["emp"]), int(row["est"])
        low, high = RANGES.get(row.get("empflag", ""), (0, float("inf")))
        cells[code] = NationalCell(None if employment == 0 and units > 0 else employment, units, low, high)
    return cells


@pytest.mark.shared
@pytest.mark.parametrize("year", VINTAGE_OF_YEAR)
def test_the_table_is_rebuilt_from_the_publishers_file(shared: Path, year: int) -> None:
    name, sha256 = described()["us_employment"]["source_files"][str(year)]
    path = shared / "mirror/www2.census.gov/programs-surveys/cbp/datasets" / str(year) / name
    assert hashlib.sha256(path.read_bytes()).hexdigest() == sha256
    expected = national_leaves(national_cells(path))
    found = {
        row["naics_code"]: (float(row["employment"]), row["employment_status"])
        for row in rows("us_employment")
        if row["year"] == str(year)
    }
    assert found.keys() == expected.keys()
    for code, (employment, status) in expected.items():
        assert found[code][0] == pytest.approx(employment, rel=1e-8), code
        assert found[code][1] == status, code


@pytest.mark.parametrize("year", VINTAGE_OF_YEAR)
def test_a_year_adds_up_to_its_published_total(year: int) -> None:
    assert sum(us_employment(year).values()) == pytest.approx(PUBLISHED_TOTALS[year], abs=0.01)


def test_the_one_industry_withheld_in_2017_is_what_its_parent_leaves() -> None:
    statuses = {row["naics_code"]: row["employment_status"] for row in rows("us_employment") if row["year"] == "2017"}
    assert [code for code, status in statuses.items() if status != "reported"] == ["522190"]
    assert us_employment(2017)["522190"] == 2319


def test_a_year_that_is_not_built_in_is_refused() -> None:
    with pytest.raises(UsageError, match="2016"):
        us_employment(2016)


def test_a_residual_goes_whole_to_a_single_withheld_industry() -> None:
    cells = {"00": NationalCell(10, 3), "11": NationalCell(4, 1), "21": NationalCell(None, 2)}
    assert fill_withheld(cells)["21"] == (6.0, "derived_exactly")


def test_several_share_a_residual_by_establishments_within_their_ranges() -> None:
    cells = {
        "00": NationalCell(100, 11),
        "11": NationalCell(None, 9, 0, 20),
        "21": NationalCell(None, 1, 20, 99),
        "22": NationalCell(None, 1, 20, 99),
    }
    filled = fill_withheld(cells)
    assert filled["11"] == (20.0, "estimated")
    assert filled["21"] == filled["22"] == (40.0, "estimated")


def test_a_residual_that_fits_no_range_is_an_error() -> None:
    cells = {"00": NationalCell(500, 2), "11": NationalCell(None, 2, 0, 19)}
    with pytest.raises(DataError, match="00"):
        fill_withheld(cells)


@given(
    st.lists(st.tuples(st.integers(0, 50), st.integers(0, 100), st.integers(0, 100)), min_size=1, max_size=6),
    st.floats(0, 1),
)
def test_shares_add_up_and_stay_in_range(children: list[tuple[int, int, int]], place: float) -> None:
    cells = {f"{11 + n}": NationalCell(None, units, low, low + more) for n, (units, low, more) in enumerate(children)}
    low, high = sum(c.low for c in cells.values()), sum(c.high for c in cells.values())
    cells["00"] = NationalCell(round(low + place * (high - low)), 1)
    filled = fill_withheld(cells)
    shares = {code: filled[code][0] for code in cells if code != "00"}
    assert sum(shares.values()) == pytest.approx(cells["00"].employment)
    assert all(cells[code].low - 1e-6 <= share <= cells[code].high + 1e-6 for code, share in shares.items())
