"""County Business Patterns: every header era gives the same tidy rows, and each mark its status and bounds."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest
from us_files import OPEN_SIZES, SIZES, csv_text, request_of, text_file, zip_file

from etl import reference
from etl.contracts import contract
from etl.errors import SourceFormatError
from etl.sources import tabular
from etl.sources.base import ArchivedFile
from etl.sources.census_cbp import CensusCbp
from etl.sources.census_cells import SIZE_CLASSES

CBP = CensusCbp()


@dataclass(frozen=True)
class Cell:
    """One row of a file. `letter`: range letter, where employment is withheld; `sizes`: establishments by size."""

    naics: str
    emp: int
    ap: int
    est: int
    sizes: tuple[int, ...]
    noise: str = "G"
    letter: str = ""


CELLS = (
    Cell("------", 5_210, 260_000, 80, (40, 20, 10, 4, 3, 1, 1, 0, 1)),
    Cell("31----", 5_100, 255_000, 60, (30, 15, 6, 3, 3, 1, 1, 0, 1)),
    Cell("334///", 5_000, 250_000, 30, (10, 8, 4, 2, 3, 1, 1, 0, 1), "H"),
    Cell("3344//", 4_000, 200_000, 20, (6, 5, 3, 1, 2, 1, 1, 0, 1)),
    Cell("33441/", 4_000, 200_000, 20, (6, 5, 3, 1, 2, 1, 1, 0, 1)),
    Cell("334413", 3_800, 190_000, 15, (4, 4, 2, 1, 2, 0, 1, 0, 1)),
    Cell("334418", 0, 0, 5, (2, 1, 1, 0, 0, 1, 0, 0, 0), "D", "C"),
    Cell("99----", 40, 1_000, 20, (18, 2, 0, 0, 0, 0, 0, 0, 0)),
)
CODES = {"------": "00", "31----": "31", "334///": "334", "3344//": "3344", "33441/": "33441", "99----": "99"}
PLACES = {
    "us": ({"uscode": "98"}, "US", "us_nation"),
    "st": ({"fipstate": "41"}, "41", "us_state"),
    "co": ({"fipstate": "41", "fipscty": "067"}, "41067", "us_county"),
    "msa": ({"msa": "38900"}, "38900", "us_cbsa"),
}


@dataclass(frozen=True)
class Era:
    """What a header era has: range letters, noise flags, which name of the smallest class, capitals, and more."""

    year: int
    has_letters: bool = True
    has_noise: bool = True
    first_class: str = "n1_4"
    is_upper: bool = False
    is_reversed: bool = False
    has_forms: bool = False
    has_blocks: bool = False


ERAS = {
    "1998-2006": Era(2004, has_noise=False),
    "2006 in capitals": Era(2006, has_noise=False, is_upper=True),
    "2007-2016": Era(2014),
    "2010 with legal forms": Era(2010, has_forms=True),
    "2015 in capitals": Era(2015, is_upper=True, has_forms=True),
    "2017": Era(2017, first_class="n<5", has_forms=True),
    "2017 with size blocks": Era(2017, first_class="n<5", has_forms=True, has_blocks=True),
    "2018 on": Era(2021, has_letters=False, first_class="n<5"),
    "2018 on with legal forms": Era(2023, has_letters=False, first_class="n<5", has_forms=True),
    "another order of columns": Era(2012, is_reversed=True),
}


def row_of(cell: Cell, era: Era, kind: str) -> dict[str, object]:
    """One cell in an era's layout, by column name."""
    row: dict[str, object] = {**PLACES[kind][0], "naics": cell.naics}
    if era.has_forms:
        row["lfo"] = "-"
    if era.has_letters:
        row["empflag"] = cell.letter
    for name, value in (("emp", cell.emp), ("qp1", cell.ap // 4), ("ap", cell.ap)):
        if era.has_noise:
            row[f"{name}_nf"] = cell.noise
        row[name] = value
    row["est"] = cell.est
    for name, count in zip((era.first_class, *SIZES), cell.sizes, strict=True):
        if era.has_blocks:
            size = name.removeprefix("n")
            row |= {f"f{size}": "", f"e{size}nf": "N", f"e{size}": 0, f"a{size}nf": "N", f"a{size}": 0}
        row[name] = "N" if era.year >= 2017 and count < 3 else count
    return row | dict.fromkeys(OPEN_SIZES, 1)


def cbp_file(folder: Path, era: Era, kind: str, cells: tuple[Cell, ...] = CELLS, member: str = "") -> ArchivedFile:
    """A file of one era and kind; with `has_forms` each row also stands there for corporations, to be left out."""
    rows = [row_of(cell, era, kind) for cell in cells]
    if era.has_forms:
        rows = [copy for row in rows for copy in (row, row | {"lfo": "C"})]
    header = list(rows[0])
    if era.is_reversed:
        header.reverse()
    shown = [name.upper() for name in header] if era.is_upper else header
    text = csv_text(shown, [[row[name] for name in header] for row in rows])
    request = request_of(CBP, era.year, kind)
    path = folder / f"{era.year}{kind}"
    if request.content == "csv":
        return text_file(request, path, text)
    return zip_file(request, path, {member or f"cbp{era.year % 100:02d}{kind}.txt": text})


def frame(file: ArchivedFile) -> pd.DataFrame:
    """Rows of a file by industry."""
    CBP.check(file)
    table = CBP.parse([file], file.year).tables["region_industry"]
    contract("region_industry").conform(table.drop_columns(list(SIZE_CLASSES)))
    return table.to_pandas().set_index("industry_code")


@pytest.mark.parametrize("kind", PLACES)
@pytest.mark.parametrize("name", ERAS)
def test_each_era_gives_the_same_rows(tmp_path: Path, name: str, kind: str) -> None:
    era = ERAS[name]
    rows = frame(cbp_file(tmp_path, era, kind))
    assert len(rows) == len(CELLS)
    assert set(rows.region_code) == {PLACES[kind][1]} and set(rows.region_scheme) == {PLACES[kind][2]}
    assert set(rows.source) == {"census_cbp"} and set(rows.currency_code) == {"USD"}
    for cell in CELLS:
        row = rows.loc[CODES.get(cell.naics, cell.naics)]
        assert row.establishments == cell.est
        for column, count in zip(list(SIZE_CLASSES)[:9], cell.sizes, strict=True):
            assert pd.isna(row[column]) if era.year >= 2017 and count < 3 else row[column] == count
        assert row.establishments_5000 == 1
        if cell.letter:
            assert (row.employment_status, row.payroll_status) == ("withheld", "withheld")
            assert row[["employment", "employment_reported", "payroll"]].isna().all()
        else:
            assert row.employment == row.employment_reported == cell.emp
            assert row.payroll == cell.ap * 1000
            assert row.employment_status == row.payroll_status == ("noised" if era.has_noise else "reported")
            assert row.employment_low <= cell.emp <= row.employment_high


def test_levels_and_leaves(tmp_path: Path) -> None:
    rows = frame(cbp_file(tmp_path, ERAS["2007-2016"], "co"))
    assert rows.industry_level.to_dict() == {
        "00": "total",
        "31": "sector",
        "334": "subsector",
        "3344": "industry_group",
        "33441": "industry",
        "334413": "national_industry",
        "334418": "national_industry",
        "99": "sector",
    }
    assert set(rows.index[rows.is_leaf]) == {"334413", "334418", "99"}


def test_range_letter_and_noise_flag_give_bounds(tmp_path: Path) -> None:
    rows = frame(cbp_file(tmp_path, ERAS["2007-2016"], "co"))
    bounds = rows[["employment_low", "employment_high", "employment_flag"]]
    assert tuple(bounds.loc["334418"]) == (100, 249, "D|C")
    assert bounds.loc["334413"].tolist()[:2] == pytest.approx([3_800 * 0.98, 3_800 * 1.02])
    assert bounds.loc["334"].tolist()[:2] == pytest.approx([5_000 * 0.95, 5_000 * 1.05])
    assert bounds.employment_flag["334"] == "H"


def test_without_letters_nothing_bounds_a_withheld_cell(tmp_path: Path) -> None:
    row = frame(cbp_file(tmp_path, ERAS["2018 on"], "co")).loc["334418"]
    assert (row.employment_low, row.employment_flag) == (0, "D")
    assert pd.isna(row.employment_high)


@pytest.mark.parametrize(
    ("year", "scheme"),
    [
        *((1998, "naics1997"), (2002, "naics1997"), (2003, "naics2002"), (2007, "naics2002"), (2008, "naics2007")),
        *((2011, "naics2007"), (2012, "naics2012"), (2016, "naics2012"), (2017, "naics2017"), (2023, "naics2017")),
    ],
)
def test_vintage_follows_the_data_year(tmp_path: Path, year: int, scheme: str) -> None:
    era = Era(year, has_noise=year >= 2007, has_letters=year < 2018)
    assert set(frame(cbp_file(tmp_path, era, "st")).industry_scheme) == {scheme}


def test_a_member_with_a_capital_letter_is_found(tmp_path: Path) -> None:
    file = cbp_file(tmp_path, Era(2008), "co", member="Cbp08co.txt")
    assert len(frame(file)) == len(CELLS)


def test_statewide_county_is_kept(tmp_path: Path) -> None:
    rows = [row_of(cell, Era(2014), "co") | {"fipscty": "999"} for cell in CELLS]
    text = csv_text(list(rows[0]), [list(row.values()) for row in rows])
    file = zip_file(request_of(CBP, 2014, "co"), tmp_path / "co.zip", {"cbp14co.txt": text})
    assert set(frame(file).region_code) == {"41999"}


def one_cell(folder: Path, era: Era, **changes: object) -> pd.Series:
    """The row of one cell whose columns were changed."""
    row = row_of(CELLS[5], era, "st") | changes
    text = csv_text(list(row), [list(row.values())])
    return frame(
        zip_file(request_of(CBP, era.year, "st"), folder / "st.zip", {f"cbp{era.year % 100:02d}st.txt": text})
    ).iloc[0]


def test_blank_letter_beside_a_zero_says_zero(tmp_path: Path) -> None:
    row = one_cell(tmp_path, Era(2005, has_noise=False), emp=0)
    assert (row.employment, row.employment_status) == (0, "reported")


def test_noised_zero_is_a_figure(tmp_path: Path) -> None:
    row = one_cell(tmp_path, Era(2009), emp=0)
    assert (row.employment, row.employment_high, row.employment_status) == (0, 0, "noised")


def test_file_without_any_mark_withholds_by_zero(tmp_path: Path) -> None:
    request = request_of(CBP, 2005, "us")
    text = csv_text(["uscode", "naics", "emp", "est"], [["98", "334413", 0, 7], ["98", "113310", 0, 0]])
    rows = frame(text_file(request, tmp_path / "us.txt", text))
    assert rows.loc["334413", ["employment_status", "employment_low"]].tolist() == ["withheld", 0]
    assert pd.isna(rows.employment["334413"])
    assert rows.loc["113310", ["employment_status", "employment"]].tolist() == ["reported", 0]


def test_payroll_may_be_printed_where_employment_is_withheld(tmp_path: Path) -> None:
    row = one_cell(tmp_path, Era(2011), empflag="H", emp_nf="S", emp=0, ap_nf="H", ap=180_788)
    assert (row.employment_status, row.employment_low, row.employment_high) == ("withheld", 2_500, 4_999)
    assert (row.payroll_status, row.payroll) == ("noised", 180_788_000)


def test_noise_of_unknown_size_has_no_upper_bound(tmp_path: Path) -> None:
    row = one_cell(tmp_path, Era(2021, has_letters=False), emp_nf="J", emp=10)
    assert (row.employment, row.employment_low, row.employment_status) == (10, 0, "noised")
    assert pd.isna(row.employment_high)


def test_empty_figure_is_withheld(tmp_path: Path) -> None:
    assert one_cell(tmp_path, Era(2005, has_noise=False), emp="").employment_status == "withheld"


def test_widest_range_has_no_upper_end(tmp_path: Path) -> None:
    row = one_cell(tmp_path, Era(2005, has_noise=False), empflag="M", emp=0)
    assert row.employment_low == 100_000
    assert pd.isna(row.employment_high)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"naics": "999998"}, "line 2: code '999998' is not in NAICS 2007"),
        ({"naics": "3344"}, None),
        ({"naics": "33-44-"}, "line 2: '33-44-' is no NAICS code"),
        ({"naics": "32----"}, "line 2: code '32----' is not in NAICS 2007"),
        ({"naics": "531320"}, None),
        ({"empflag": "Q"}, "line 2: 'Q' is no range letter"),
        ({"emp_nf": "X"}, "line 2: 'X' is no noise flag"),
        ({"fipstate": "1"}, "line 2: '1' is no state code"),
        ({"emp": "many"}, "many"),
    ],
)
def test_what_nobody_declared_stops_the_file(tmp_path: Path, changes: dict[str, object], words: str | None) -> None:
    if words is None:
        assert one_cell(tmp_path, Era(2009), **changes).employment == 3_800
        return
    with pytest.raises(SourceFormatError, match=r"2009/cbp09st\.zip") as error:
        one_cell(tmp_path, Era(2009), **changes)
    assert words in str(error.value)


def test_line_is_told_behind_rows_that_are_left_out(tmp_path: Path) -> None:
    rows = [row_of(cell, Era(2010, has_forms=True), "st") for cell in CELLS]
    rows[1]["lfo"] = "C"
    rows[6]["empflag"] = "Q"
    text = csv_text(list(rows[0]), [list(row.values()) for row in rows])
    file = zip_file(request_of(CBP, 2010, "st"), tmp_path / "st.zip", {"cbp10st.txt": text})
    with pytest.raises(SourceFormatError, match="line 8: 'Q'"):
        CBP.parse([file], 2010)


def test_line_is_told_far_down_a_long_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tabular, "BLOCK_BYTES", 4096)
    row = row_of(CELLS[5], Era(2014), "co")
    counties = sorted(reference.counties(2013))[:399]
    rows = [row | {"fipstate": code[:2], "fipscty": code[2:]} for code in counties]
    rows[350]["naics"] = "999998"
    text = csv_text(list(row), [list(row.values()) for row in rows])
    file = zip_file(request_of(CBP, 2014, "co"), tmp_path / "co.zip", {"cbp14co.txt": text})
    with pytest.raises(SourceFormatError, match="line 352: code '999998'"):
        CBP.parse([file], 2014)


def test_a_cell_given_twice_stops_the_file(tmp_path: Path) -> None:
    file = cbp_file(tmp_path, Era(2009), "st", (*CELLS, CELLS[3]))
    with pytest.raises(SourceFormatError, match="region 41, industry 3344 stands there twice"):
        CBP.parse([file], 2009)


def test_missing_columns_are_named(tmp_path: Path) -> None:
    request = request_of(CBP, 2009, "st")
    file = zip_file(request, tmp_path / "st.zip", {"cbp09st.txt": csv_text(["fipstate", "naics", "emp"], [])})
    with pytest.raises(SourceFormatError, match="line 1: no column est; the header begins fipstate, naics, emp"):
        CBP.check(file)


def test_a_zip_without_the_member_is_refused(tmp_path: Path) -> None:
    file = zip_file(request_of(CBP, 2009, "st"), tmp_path / "st.zip", {"cbp09co.txt": "x"})
    with pytest.raises(SourceFormatError, match=r"holds cbp09co\.txt"):
        CBP.check(file)


def test_a_web_page_is_refused(tmp_path: Path) -> None:
    file = text_file(request_of(CBP, 2001, "us"), tmp_path / "us.txt", "<!DOCTYPE html><html>down</html>")
    with pytest.raises(SourceFormatError, match="web page"):
        CBP.check(file)


def test_a_damaged_zip_is_refused(tmp_path: Path) -> None:
    file = cbp_file(tmp_path, Era(2009), "st")
    body = bytearray(file.path.read_bytes())
    body[80:90] = b"0123456789"
    file.path.write_bytes(bytes(body))
    with pytest.raises(SourceFormatError, match="damaged or cut short"):
        CBP.parse([file], 2009)


@pytest.mark.parametrize("kind", PLACES)
def test_profile_is_regions_and_their_total_employment(tmp_path: Path, kind: str) -> None:
    file = cbp_file(tmp_path, ERAS["2015 in capitals"], kind)
    assert CBP.profile(file) == {
        "regions": [PLACES[kind][1]],
        "sectors": ["31", "99"],
        "employment": 5_210,
        "establishments": 80,
        "payroll": 260_000_000,
    }


def test_profile_refuses_what_nobody_declared(tmp_path: Path) -> None:
    file = cbp_file(tmp_path, Era(2009), "st", (*CELLS, Cell("999998", 5, 5, 5, (5,) + (0,) * 8)))
    with pytest.raises(SourceFormatError, match="999998"):
        CBP.profile(file)


def test_addresses() -> None:
    base = "https://www2.census.gov/programs-surveys/cbp/datasets"
    assert [request.url for request in CBP.requests([2007, 2008])] == [
        f"{base}/2007/cbp07us.txt",
        *(f"{base}/2007/cbp07{kind}.zip" for kind in ("st", "co", "msa")),
        *(f"{base}/2008/cbp08{kind}.zip" for kind in ("us", "st", "co", "msa")),
    ]
    assert CBP.requests([1997, 2099]) == []


def test_metropolitan_areas_of_the_1990s_are_left_out(tmp_path: Path) -> None:
    file = cbp_file(tmp_path, Era(2001, has_noise=False), "msa")
    parsed = CBP.parse([file], 2001)
    assert parsed.tables == {}
    assert "areas are those of the 1990s" in parsed.notes[0]


def test_an_area_without_a_name_is_left_out_and_told(tmp_path: Path) -> None:
    rows = [row_of(cell, Era(2014), "msa") | {"msa": area} for area in ("38900", "99990") for cell in CELLS]
    text = csv_text(list(rows[0]), [list(row.values()) for row in rows])
    file = zip_file(request_of(CBP, 2014, "msa"), tmp_path / "msa.zip", {"cbp14msa.txt": text})
    parsed = CBP.parse([file], 2014)
    assert set(parsed.tables["region_industry"]["region_code"].to_pylist()) == {"38900"}
    assert parsed.tables["region_industry"]["region_vintage"][0].as_py() == 2013
    assert "99990" in parsed.notes[0]
