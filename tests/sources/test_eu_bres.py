"""Great Britain's survey: pages, classes from subclasses, rounding bounds that contain the truth on either grid."""

import csv
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl.contracts import contract
from etl.errors import SourceFormatError
from etl.reference.nuts import nuts_regions
from etl.sources.base import ArchivedFile
from etl.sources.uk_bres import ROUNDING, TERRITORIAL_LEVEL, UkBres, bounds, is_on_grid

HEADER = '"DATE_NAME","GEOGRAPHY_NAME","GEOGRAPHY_CODE","INDUSTRY_NAME","OBS_VALUE","RECORD_COUNT"\n'
ROWS = [
    ("UKC1", "01000 : DEFRA/Scottish Executive Agricultural Data", "5000"),
    ("UKC1", "10110 : Processing and preserving of meat", "450"),
    ("UKC1", "01110 : Growing of cereals (except rice), leguminous crops and oil seeds", "0"),
    ("UKC1", "20301 : Manufacture of paints, varnishes, mastics and sealants", "225"),
    ("UKC1", "20302 : Manufacture of printing ink", "15"),
    ("UKM5", "01000 : DEFRA/Scottish Executive Agricultural Data", ""),
    ("UKM5", "10110 : Processing and preserving of meat", ""),
]


def page(folder: Path, rows: list[tuple[str, str, str]], offset: int = 0, total: int | None = None) -> ArchivedFile:
    count = len(rows) if total is None else total
    lines = [f'"2021","A region, with comma","{geo}","{name}","{value}",{count}' for geo, name, value in rows]
    path = folder / f"page-{offset}.csv"
    path.write_text(HEADER + "".join(line + "\n" for line in lines), encoding="utf-8")
    url = UkBres().requests([2021])[0].url.replace("recordoffset=0", f"recordoffset={offset}")
    return ArchivedFile("uk_bres", url, "page", "csv", 2021, "", 1, path)


def frame(files: list[ArchivedFile], year: int = 2021) -> pd.DataFrame:
    table = UkBres().parse(files, year).tables["region_industry"]
    return contract("region_industry").conform(table).to_pandas().set_index(["region_code", "industry_code"])


def test_subclasses_add_up_to_classes_with_their_bounds(tmp_path: Path) -> None:
    rows = frame([page(tmp_path, ROWS)])
    paints = rows.loc["UKC1", "20.30"]
    assert (paints.employment, paints.employment_low, paints.employment_high) == (240, 212.5 + 12.5, 237.5 + 17.5)
    assert (paints.employment_status, paints.industry_level, paints.is_leaf) == ("rounded", "class", True)
    assert (paints.region_scheme, paints.region_vintage, paints.currency_code) == ("nuts2", 2016, "GBP")
    assert np.isnan(paints.payroll) and np.isnan(paints.establishments)


def territorial(folder: Path, year: int, rows: list[tuple[str, str, str]] = ROWS) -> ArchivedFile:
    """The same page by International Territorial Levels."""
    file = page(folder, [(geo.replace("UK", "TL"), name, value) for geo, name, value in rows])
    file.path.write_text(file.path.read_text(encoding="utf-8").replace('"2021"', f'"{year}"'), encoding="utf-8")
    url = UkBres().requests([year])[-1].url
    return ArchivedFile("uk_bres", url, "page", "csv", year, "", 1, file.path)


def test_territorial_levels_are_the_regions_they_were(tmp_path: Path) -> None:
    by_nuts = frame([page(tmp_path, ROWS)])
    by_level = frame([territorial(tmp_path, 2023)], 2023)
    assert set(by_level["region_vintage"]) == {2021} and set(by_level["year"]) == {2023}
    columns = ["employment", "employment_low", "employment_high", "employment_status", "region_scheme"]
    pd.testing.assert_frame_equal(by_nuts[columns], by_level[columns])


def test_every_region_of_the_country_has_its_territorial_level() -> None:
    regions = {code for code in nuts_regions(2021) if len(code) == 4 and code.startswith("UK")} - {"UKZZ"}
    assert set(TERRITORIAL_LEVEL.values()) == regions and len(TERRITORIAL_LEVEL) == 41
    assert {name: nuts_regions(2016)[name] for name in regions} == {name: nuts_regions(2021)[name] for name in regions}


def test_each_geography_is_asked_for_its_years(tmp_path: Path) -> None:
    asked = UkBres().requests(range(2015, 2025))
    by_type = {kind: [r.year for r in asked if f"geography={kind}&" in r.url] for kind in ("TYPE438", "TYPE429")}
    assert by_type == {"TYPE438": list(range(2015, 2023)), "TYPE429": [2022, 2023, 2024]}
    first, second = UkBres().requests([2022])
    assert (first.better, second.better) == (None, first.url)
    (following,) = UkBres().follow(_cut(tmp_path))
    assert "geography=TYPE429&" in following.url and following.better is None


def _cut(folder: Path) -> ArchivedFile:
    """The first of several pages by International Territorial Levels."""
    file = territorial(folder, 2023, ROWS)
    file.path.write_text(file.path.read_text(encoding="utf-8").replace(f",{len(ROWS)}\n", ",99\n"), encoding="utf-8")
    return file


def test_a_year_that_both_geographies_gave_counts_once(tmp_path: Path) -> None:
    first, _ = UkBres().requests([2022])
    (tmp_path / "itl").mkdir()
    by_level = territorial(tmp_path / "itl", 2022)
    file = page(tmp_path, ROWS[:5])
    file.path.write_text(file.path.read_text(encoding="utf-8").replace('"2021"', '"2022"'), encoding="utf-8")
    by_nuts = ArchivedFile("uk_bres", first.url, "page", "csv", 2022, "", 1, file.path)
    rows = frame([by_level, by_nuts], 2022)
    assert set(rows["region_vintage"]) == {2016} and len(rows) == 3
    assert len(frame([by_level], 2022)) == 4


def test_zero_may_hide_a_few_jobs_and_a_blank_is_withheld(tmp_path: Path) -> None:
    rows = frame([page(tmp_path, ROWS)])
    cereals = rows.loc["UKC1", "01.11"]
    assert (cereals.employment, cereals.employment_low, cereals.employment_high) == (0, 0, 5)
    blank = rows.loc["UKM5", "10.11"]
    assert (blank.employment_status, blank.employment_low) == ("withheld", 0)
    assert blank[["employment", "employment_high", "employment_reported"]].isna().all()


def test_farm_jobs_of_another_survey_are_left_out_and_counted(tmp_path: Path) -> None:
    parsed = UkBres().parse([page(tmp_path, ROWS)], 2021)
    assert parsed.tables["region_industry"].num_rows == 4
    assert parsed.notes == ["5,000 jobs under 01000 (farms, from another survey) were left out: it is no NACE class"]


def test_pages_are_asked_for_until_all_rows_are_here(tmp_path: Path) -> None:
    first, second = page(tmp_path, ROWS[:4], 0, 7), page(tmp_path, ROWS[4:], 4, 7)
    (following,) = UkBres().follow(first)
    assert following.url == second.url and following.year == 2021
    assert UkBres().follow(second) == []
    assert len(frame([second, first])) == 4
    with pytest.raises(SourceFormatError, match="4 of 7 rows"):
        UkBres().parse([first], 2021)


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (("UKC1", "10120 : Poultry", "13"), "line 9.*grid"),
        (("UKC1", "10120 : Poultry", "1100"), "line 9.*grid"),
        (("UKM2", "10120 : Poultry", "5"), "line 9.*UKM2"),
        (("UKC", "10120 : Poultry", "5"), "line 9.*'UKC'"),
        (("UKC1", "10190 : Nothing", "5"), "line 9.*10190"),
        (("UKC1", "1012 : Poultry", "5"), "line 9.*1012"),
        (("UKC1", "10110 : Processing and preserving of meat", "450"), "twice"),
    ],
)
def test_what_nobody_declared_stops_the_file(tmp_path: Path, row: tuple[str, str, str], words: str) -> None:
    with pytest.raises(SourceFormatError, match=words):
        UkBres().parse([page(tmp_path, [*ROWS, row])], 2021)


def test_an_answer_without_rows_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceFormatError, match="no figures"):
        UkBres().check(page(tmp_path, []))
    UkBres().check(page(tmp_path, ROWS[:1]))


def test_figures_of_another_year_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceFormatError, match="2021, not of 2019"):
        UkBres().parse([page(tmp_path, ROWS)], 2019)


def rounded(truth: float, wide: bool) -> float:
    """The publisher's rule, halves up."""
    step = next(steps[wide] for below, *steps in ROUNDING if truth < below)
    return float(np.floor(truth / step + 0.5) * step)


@given(st.one_of(st.integers(0, 300), st.integers(0, 60_000)), st.booleans())
def test_bounds_contain_the_truth_whichever_grid_was_used(truth: int, wide: bool) -> None:
    shown = np.array([rounded(truth, wide)])
    low, high = bounds(shown)
    assert low[0] <= truth <= high[0]
    assert is_on_grid(shown)[0]


def test_bounds_by_hand() -> None:
    low, high = bounds(np.array([0.0, 5, 10, 75, 100, 450, 600, 7000, 8000, np.nan]))
    assert low.tolist() == [0, 2.5, 5, 62.5, 75, 425, 500, 6500, 7000, 0]
    assert high[:-1].tolist() == [5, 7.5, 15, 87.5, 125, 475, 700, 7500, 9000]
    assert np.isnan(high[-1])
    assert is_on_grid(np.array([0, 5, 7, 60, 1000, 1100, 5500, np.nan])).tolist() == [
        *(True, True, False, False, True, False, False, True)
    ]


#: Jobs by the sum of the five-digit figures, without farms.
TOTALS = {2015: 29_377_390, 2017: 30_131_615, 2018: 30_332_030, 2019: 30_638_640, 2021: 30_941_315}


@pytest.mark.parametrize("year", TOTALS)
def test_the_real_years(shared: Path, year: int) -> None:
    with (shared / "mirror/index.csv").open(encoding="utf-8") as index:
        pages = {
            row["url"]: row["path"] for row in csv.DictReader(index) if f"NM_189_1.data.csv?date={year}&" in row["url"]
        }
    (first,) = UkBres().requests([year])
    files = [
        ArchivedFile("uk_bres", url, "page", "csv", year, "", 1, shared / "mirror" / pages[url])
        for url in sorted(pages)
    ]
    assert first.url == files[0].url
    assert [request.url for request in UkBres().follow(files[0])] == [files[1].url]
    UkBres().check(files[0])
    rows = frame(files, year)
    assert rows.index.get_level_values(0).nunique() == 40
    assert rows.index.get_level_values(1).nunique() == 615
    assert rows.employment.sum() == TOTALS[year]
    assert set(rows.employment_status) == {"rounded"}
    if year == 2021:
        assert round((TOTALS[year] + 424_685) / 1e6, 2) == 31.37
        aberdeen = rows.xs("UKM5")
        assert aberdeen.loc[["06.10", "06.20", "09.10"]].employment.sum() > 15_000
