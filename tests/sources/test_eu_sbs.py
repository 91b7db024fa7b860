"""Eurostat's regional statistics: cells, versions, leaves, totals; the file of 2015 against published figures."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from etl.contracts import contract
from etl.errors import SourceFormatError
from etl.sources import nace_codes
from etl.sources.base import ArchivedFile, Parsed
from etl.sources.eurostat_cells import leaves
from etl.sources.eurostat_sbs import EurostatSbs

HEADER = "freq,nace_r2,indic_sb,geo\\TIME_PERIOD\t2008 \t2015 \n"


def archived(folder: Path, rows: str, header: str = HEADER, name: str = "eurostat_sbs") -> ArchivedFile:
    path = folder / "body.tsv"
    path.write_text(header + rows, encoding="utf-8")
    return ArchivedFile(name, "https://ec.europa.eu/x", "sbs_r_nuts06_r2", "tsv", None, "", 1, path)


def frame(parsed: Parsed) -> pd.DataFrame:
    table = contract("region_industry").conform(parsed.tables["region_industry"])
    return table.to_pandas().set_index(["region_code", "industry_code"])


ROWS = """A,B-N_S95_X_K,V16110,DE\t: \t900 
A,C,V11210,DE\t: \t12 
A,C,V13320,DE\t: \t3.5 e
A,C,V16110,DE\t: \t700 p
A,C10,V13320,DE\t: \t: c
A,C10,V16110,DE\t: \t: c
A,C11,V16110,DE\t: \t5 u
A,C12,V16110,DE\t: \t: z
A,C13,V11210,DE\t: \t4 
A,C14,V16110,DE\t: \t0 n
A,C15,V16110,DE\t: \t0 
A,C10-C12,V16110,DE\t: \t99 
A,C,V16110,DE40\t: \t7 
A,C,V16110,DE41\t5 \t: 
A,C,V16110,EA19\t: \t5000 
A,C,V16110,EU28\t: \t9000 
A,S95,V16110,DE\t: \t: @C
A,C,V91290,DE\t: \t1.2 
"""


def test_a_cell_keeps_what_the_publisher_said(tmp_path: Path) -> None:
    rows = frame(EurostatSbs().parse([archived(tmp_path, ROWS)], 2015))
    manufacturing = rows.loc["DE", "C"]
    assert (
        manufacturing[["employment", "employment_low", "employment_high", "employment_reported"]].tolist()
        == [700.0] * 4
    )
    assert (manufacturing.employment_status, manufacturing.employment_flag) == ("reported", "p")
    assert (manufacturing.establishments, manufacturing.payroll, manufacturing.payroll_status) == (
        12,
        3_500_000,
        "reported",
    )
    assert manufacturing.currency_code == "EUR"
    food = rows.loc["DE", "10"]
    assert (food.employment_status, food.employment_flag, food.employment_low) == ("withheld", "c", 0)
    assert food[["employment", "employment_high", "employment_reported", "payroll"]].isna().all()
    assert food.payroll_status == "withheld"
    assert rows.loc["DE", "11"].employment_flag == "u"
    assert rows.loc["DE", "95"].employment_flag == "@C"


def test_not_applicable_is_no_cell_and_nothing_shown_is_no_zero(tmp_path: Path) -> None:
    rows = frame(EurostatSbs().parse([archived(tmp_path, ROWS)], 2015))
    assert ("DE", "12") not in rows.index
    units_only = rows.loc["DE", "13"]
    assert (units_only.employment_status, units_only.establishments) == ("withheld", 4)
    assert np.isnan(units_only.employment)
    not_significant = rows.loc["DE", "14"]
    assert (not_significant.employment, not_significant.employment_status) == (0, "rounded")
    assert (not_significant.employment_low, not_significant.employment_high) == (0, 0.5)
    assert (rows.loc["DE", "15"].employment_status, rows.loc["DE", "15"].employment_high) == ("reported", 0)


def test_sums_of_codes_and_other_sets_of_countries_are_left_out(tmp_path: Path) -> None:
    rows = frame(EurostatSbs().parse([archived(tmp_path, ROWS)], 2015))
    assert rows.loc["DE", "TOTAL"].industry_level == "total"
    assert set(rows.index.get_level_values(0)) == {"DE", "DE40", "EU28"}
    assert rows.loc["EU28", "C"].region_scheme == "eu_aggregate"
    assert (rows.loc["DE40", "C"].region_scheme, rows.loc["DE40", "C"].region_vintage) == ("nuts2", 2013)


def test_dead_codes_are_named_and_a_year_of_their_own_keeps_them(tmp_path: Path) -> None:
    file = archived(tmp_path, ROWS)
    parsed = EurostatSbs().parse([file], 2015)
    assert any("DE41" in note and note.startswith("1 areas of other NUTS versions are blank") for note in parsed.notes)
    rows = frame(EurostatSbs().parse([file], 2008))
    assert rows.loc["DE41", "C"].region_vintage == 2006
    assert rows.loc["DE41", "C"].employment == 5


def test_one_code_in_two_versions_gets_the_version_of_its_country_and_year(tmp_path: Path) -> None:
    header = "freq,nace_r2,indic_sb,geo\\TIME_PERIOD\t2015 \t2019 \n"
    body = "A,C,V16110,FRA1\t10 \t: \nA,C,V16110,FR21\t20 \t: \nA,C,V16110,FRY1\t: \t11 \nA,C,V16110,FRB0\t: \t21 \n"
    file = archived(tmp_path, body, header)
    assert set(frame(EurostatSbs().parse([file], 2015)).region_vintage) == {2013}
    later = frame(EurostatSbs().parse([file], 2019))
    assert later.index.get_level_values(0).tolist() == ["FRB0", "FRY1"]


def test_a_territory_told_twice_counts_once(tmp_path: Path) -> None:
    header = "freq,nace_r2,indic_sb,geo\\TIME_PERIOD\t2015 \n"
    slovenia = "".join(
        f"A,C,V16110,{code}\t{n} \n" for code, n in {"SI": 9, "SI01": 4, "SI02": 5, "SI03": 4, "SI04": 5}.items()
    )
    parsed = EurostatSbs().parse([archived(tmp_path, slovenia, header)], 2015)
    rows = frame(parsed)
    assert rows.employment.groupby("region_code").sum().to_dict() == {"SI": 9, "SI03": 4, "SI04": 5}
    assert any("repeat a territory" in note and "SI01 SI02" in note for note in parsed.notes)
    alone = EurostatSbs().parse([archived(tmp_path, "A,C,V16110,SI03\t4 \nA,C,V16110,SI02\t5 \n", header)], 2015)
    assert frame(alone).region_vintage.to_dict() == {("SI02", "C"): 2010, ("SI03", "C"): 2013}
    assert any("another NUTS version" in note for note in alone.notes)


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("A,C99,V16110,DE\t: \t1 \n", r"line 20.*C99"),
        ("A,C,V16110,QQ\t: \t1 \n", r"line 20.*QQ"),
        ("A,C,V16110,DE\t: \t1 \n", r"line (5|20).*twice"),
        ("A,C16,V16110,DE\t: \t-1 \n", r"line 20.*negative"),
        ("A,C16,V16110,DE\t: \t12:00 AM\n", r"line 20.*12:00 AM"),
    ],
)
def test_what_nobody_declared_stops_the_file_with_line_and_code(tmp_path: Path, row: str, words: str) -> None:
    with pytest.raises(SourceFormatError, match=words):
        EurostatSbs().parse([archived(tmp_path, ROWS + row)], 2015)


def test_years_come_from_the_sheet_and_a_year_without_column_is_refused(tmp_path: Path) -> None:
    file = archived(tmp_path, ROWS)
    assert EurostatSbs().by_year([file]) == {2008: [file], 2015: [file]}
    with pytest.raises(SourceFormatError, match="2014"):
        EurostatSbs().parse([file], 2014)


def test_the_address_is_the_whole_data_set() -> None:
    (request,) = EurostatSbs().requests(range(2015, 2018))
    assert request.url == (
        "https://ec.europa.eu/eurostat/api/dissemination/sdmx/2.1/data/SBS_R_NUTS06_R2?compressed=true&format=TSV"
    )
    assert request.year is None
    assert EurostatSbs().requests([2021, 1999]) == []


def test_leaves_partition_what_is_published() -> None:
    codes = ["TOTAL", "C", "10", "11", "G", "47", "47.1", "B", "95"]
    region = np.zeros(9, np.int64)
    is_leaf = leaves(region, np.arange(9), codes, "nace2", "division")
    assert [code for code, leaf in zip(codes, is_leaf, strict=True) if leaf] == ["10", "11", "47", "B", "95"]
    by_class = leaves(region[:5], np.arange(5), ["C", "10", "10.1", "10.11", "11"], "nace2", "class")
    assert by_class.tolist() == [False, False, False, True, True]
    group_alone = leaves(region[:1], np.array([0]), ["47.1"], "nace2", "division")
    assert group_alone.tolist() == [True]


def test_codes_are_looked_up_never_measured() -> None:
    total = "B-N_S95_X_K"
    spelled = {
        "C": "C",
        "C10": "10",
        "C101": "10.1",
        "C1011": "10.11",
        "S95": "95",
        total: "TOTAL",
        "B-E": None,
        "HTC": None,
    }
    assert {text: nace_codes.from_eurostat(text, "nace2", total) for text in spelled} == spelled
    assert nace_codes.from_eurostat("K62", "nace21", None) == "62"
    for wrong in ("", "c", "D10", "C34", "C1099", "B-Z", "10", "K62", "C10_", "C_X"):
        with pytest.raises(LookupError):
            nace_codes.from_eurostat(wrong, "nace2", total)
    counts = pd.Series(nace_codes.levels("nace2")).value_counts().to_dict()
    assert counts == {"class": 615, "group": 272, "division": 88, "section": 21}
    assert all(nace_codes.parent(code, "nace21") in nace_codes.levels("nace21") for code in ("62", "10.1", "10.11"))


@pytest.fixture(scope="module")
def regions_2015(shared: Path) -> pd.DataFrame:
    path = shared / "mirror/ec.europa.eu/eurostat/api/dissemination/sdmx/2.1/data/SBS_R_NUTS06_R2.tsv.gz"
    file = ArchivedFile("eurostat_sbs", "https://ec.europa.eu/", "sbs_r_nuts06_r2", "tsv", None, "", 1, path)
    parsed = EurostatSbs().parse([file], 2015)
    assert "40 areas" in parsed.notes[0]
    return contract("region_industry").conform(parsed.tables["region_industry"]).to_pandas()


def test_published_totals_of_2015(regions_2015: pd.DataFrame) -> None:
    nations = regions_2015[regions_2015.region_scheme == "nuts0"].set_index(["region_code", "industry_code"]).employment
    expected = {"DE": 6_992_286, "FR": 2_903_001, "IT": 3_618_487, "ES": 1_768_607, "PL": 2_442_436}
    assert nations.xs("C", level=1)[list(expected)].to_dict() == expected
    members = nations.drop(["NO", "IS"], level=0).groupby("industry_code").sum() / 1e6
    published = {"B": 0.55, "C": 29.37, "D": 1.16, "E": 1.51, "F": 12.03, "G": 32.88, "H": 10.90, "I": 11.12}
    published |= {"J": 6.48, "L": 2.70, "M": 12.86, "N": 14.72}
    assert members[list(published)].round(2).to_dict() == published
    assert round(members["95"], 2) == 0.41
    assert round(members[[*published, "95"]].sum(), 2) == 136.68


def test_missing_shares_and_versions_of_2015(regions_2015: pd.DataFrame) -> None:
    regions = regions_2015[regions_2015.region_scheme == "nuts2"]
    current = regions[(regions.region_vintage == 2013) & ~regions.region_code.str.endswith("ZZ")]
    assert current.region_code.nunique() == 276
    missing = current.groupby("industry_level").employment.apply(lambda column: column.isna().mean())
    assert missing.round(3).to_dict() == {"division": 0.128, "section": 0.046, "group": 0.035}
    assert regions[regions.region_code.str.endswith("ZZ")].region_code.nunique() == 8
    assert set(regions[regions.region_vintage == 2016].region_code.str[:2]) == {"NO", "IS"}


def test_leaves_of_2015_are_the_68_divisions(regions_2015: pd.DataFrame) -> None:
    leaf = regions_2015[regions_2015.is_leaf]
    assert set(leaf.industry_level) == {"division"}
    assert leaf.industry_code.nunique() == 68
    assert not regions_2015[regions_2015.industry_level.isin(["section", "group"])].is_leaf.any()
