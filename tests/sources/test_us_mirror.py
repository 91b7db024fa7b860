"""The American publishers' real files: everything parses, totals are the published ones, nothing withheld is a zero."""

import csv
import json
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pandas as pd
import pytest
from us_files import mirrored

from etl import reference
from etl.contracts import contract
from etl.sources import DATASETS
from etl.sources.base import ArchivedFile
from etl.sources.census_cells import SIZE_CLASSES, naics_vintage
from etl.sources.census_disclosure import RANGES

pytestmark = pytest.mark.shared

Frames = Callable[[int], pd.DataFrame]
KEYS = ["region_scheme", "region_code", "industry_code"]
YEARS = (2001, 2005, 2009, 2010, 2011, 2017, 2018, 2019, 2020, 2021)
STATE_YEARS = (2005, 2009, 2010, 2011)
API_YEARS = (2019, 2020, 2021)

NATION = {
    2001: (115_061_184, 7_095_302, 1_082),
    2005: (116_317_003, 7_499_702, 1_092),
    2009: (114_509_626, 7_433_465, 1_088),
    2010: (111_970_095, 7_396_628, 1_088),
    2011: (113_425_965, 7_354_043, 1_088),
    2017: (128_591_812, 7_860_674, 970),
    2018: (130_881_471, 7_912_405, 970),
    2019: (132_989_428, 7_959_103, 970),
    2020: (134_163_349, 8_000_178, 970),
    2021: (128_346_299, 8_148_606, 970),
}
"""Published total of employment and establishments, number of six-digit industries."""


@pytest.fixture(scope="module")
def files(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, int], list[ArchivedFile]]:
    """The real files of a dataset and year."""
    folder = tmp_path_factory.mktemp("mirrored")
    return lambda name, year: mirrored(shared, folder, DATASETS[name], [year])


@pytest.fixture(scope="module")
def cbp(files: Callable[[str, int], list[ArchivedFile]]) -> Frames:
    """A year of County Business Patterns, bulk and API together."""

    @cache
    def read(year: int) -> pd.DataFrame:
        found = files("census_cbp", year) + files("census_cbp_api", year)
        for file in found:
            DATASETS[file.dataset].check(file)
        table = DATASETS["census_cbp"].parse(found, year).tables["region_industry"]
        return contract("region_industry").conform(table.drop_columns(list(SIZE_CLASSES))).to_pandas()

    return read


def test_every_file_of_these_publishers_is_asked_for(shared: Path) -> None:
    with (shared / "mirror" / "index.csv").open(encoding="utf-8", newline="") as stream:
        here = {row["url"] for row in csv.DictReader(stream)}
    hosts = ("census.gov/", "bls.gov/", "clustermapping.us/")
    ours = {url for url in here if any(host in url.split("?")[0] for host in hosts)}
    american = [dataset for dataset in DATASETS.values() if dataset.side == "us"]
    asked = {request.url for dataset in american for request in dataset.requests(range(1998, 2024))}
    following = {url for url in ours if url.endswith("start=10000")}
    assert len(ours) == 14 + 3 * 88 + 51 + 6 + 3
    assert ours - asked == following, "pages past the first are asked for only after a full one"


@pytest.mark.parametrize("year", YEARS)
def test_nation(cbp: Frames, year: int) -> None:
    employment, establishments, industries = NATION[year]
    rows = cbp(year)
    nation = rows[rows.region_scheme == "us_nation"].set_index("industry_code")
    assert (nation.employment["00"], nation.establishments["00"]) == (employment, establishments)
    six = nation[nation.industry_level == "national_industry"]
    assert len(six) == industries
    assert six.employment_reported.sum() <= employment
    assert 0.975 < six.employment_reported.sum() / employment < 1.0


def test_payroll_is_in_dollars(cbp: Frames) -> None:
    nation = cbp(2017).set_index(KEYS)
    assert nation.payroll["us_nation", "US", "00"] == 6_725_346_754_000


@pytest.mark.parametrize("year", YEARS)
def test_every_industry_has_a_cluster_in_its_vintage(cbp: Frames, year: int) -> None:
    rows = cbp(year)
    vintage = naics_vintage(year)
    assert set(rows.industry_scheme) == {f"naics{vintage}"}
    cluster_of = reference.naics_cluster(vintage)
    industries = set(rows.industry_code[rows.industry_level == "national_industry"])
    assert not [code for code in industries if not cluster_of.get(code)]
    assert {cluster_of[code] for code in industries} == set(reference.cluster_codes())


@pytest.mark.parametrize("year", YEARS)
def test_withheld_is_null_and_everything_else_has_bounds(cbp: Frames, year: int) -> None:
    rows = cbp(year)
    withheld = rows[rows.employment_status == "withheld"]
    assert withheld[["employment", "employment_reported"]].isna().all(axis=None)
    assert withheld.employment_low.notna().all() and (withheld.establishments > 0).all()
    printed = rows[rows.employment_status != "withheld"]
    assert (printed.employment == printed.employment_reported).all()
    assert (printed.employment_low <= printed.employment).all()
    assert (printed.employment_high.fillna(float("inf")) >= printed.employment).all()
    assert (printed.employment_high.isna() == (printed.employment_flag == "J")).all()


def raw_states(files: Callable[[str, int], list[ArchivedFile]], year: int) -> pd.DataFrame:
    """The state file as it stands, all legal forms together, by region and code in digits."""
    (path,) = [file.path for file in files("census_cbp", year) if file.kind == "st"]
    raw = pd.read_csv(path, dtype={"fipstate": str}, keep_default_na=False, compression="zip")
    if "lfo" in raw:
        raw = raw[raw.lfo == "-"]
    raw["industry_code"] = raw.naics.str.strip("-/").replace("", "00")
    return raw.rename(columns={"fipstate": "region_code"}).set_index(["region_code", "industry_code"])


@pytest.mark.parametrize("year", STATE_YEARS)
def test_states_carry_the_range_of_their_letter(
    files: Callable[[str, int], list[ArchivedFile]], cbp: Frames, year: int
) -> None:
    raw = raw_states(files, year)
    rows = cbp(year)
    states = rows[rows.region_scheme == "us_state"].set_index(["region_code", "industry_code"])
    assert len(states) == len(raw)
    states = states.loc[raw.index]
    for letter, (low, high) in RANGES.items():
        cells = states[(raw.empflag == letter).to_numpy()]
        assert len(cells) and (cells.employment_status == "withheld").all()
        assert (cells.employment_low == low).all()
        assert cells.employment_high.isna().all() if letter == "M" else (cells.employment_high == high).all()
    printed = (raw.empflag == "").to_numpy()
    assert (states.employment_status[printed] == ("reported" if year < 2007 else "noised")).all()
    assert (states.employment[printed].to_numpy() == raw.emp[printed].to_numpy()).all()
    assert (states.establishments.to_numpy() == raw.est.to_numpy()).all()


@pytest.mark.parametrize("year", STATE_YEARS)
def test_bounds_of_sectors_hold_the_state_total(cbp: Frames, year: int) -> None:
    rows = cbp(year)
    states = rows[rows.region_scheme == "us_state"]
    totals = states[states.industry_code == "00"].set_index("region_code").employment
    sectors = states[states.industry_level == "sector"].groupby("region_code")
    assert len(totals) == 51
    assert (sectors.employment_low.sum() <= totals).all()
    assert (sectors.employment_high.agg(lambda high: high.sum(skipna=False)).fillna(float("inf")) >= totals).all()


@pytest.mark.parametrize(
    ("year", "total", "states", "counties", "county_rows"),
    [
        (2019, 132_460_602, 9, 450, 565_436),
        (2020, 133_620_175, 9, 429, 562_787),
        (2021, 127_862_992, 12, 456, 566_683),
    ],
)
def test_answers_of_the_api(cbp: Frames, year: int, total: int, states: int, counties: int, county_rows: int) -> None:
    rows = cbp(year)
    state = rows[rows.region_scheme == "us_state"]
    county = rows[rows.region_scheme == "us_county"]
    assert state.employment[state.industry_code == "00"].sum() == total
    assert len(county) == county_rows
    for part, withheld in ((state, states), (county, counties)):
        hidden = part[part.employment_status == "withheld"]
        assert len(hidden) == withheld
        assert (hidden.employment_low == 0).all() and hidden.employment_high.isna().all()
        assert (part.employment[part.employment_status == "reported"] > 0).all()
    assert set(county.region_vintage) == {2020}


def test_autauga(cbp: Frames) -> None:
    row = cbp(2021).set_index(KEYS).loc["us_county", "01001", "00"]
    assert (row.establishments, row.employment, row.payroll) == (924, 11_216, 424_826_000)


def test_qcew(files: Callable[[str, int], list[ArchivedFile]]) -> None:
    found = files("bls_qcew", 2019)
    assert len(found) == 51
    raw = pd.concat(pd.read_csv(file.path, dtype=str, keep_default_na=False) for file in found)
    raw = raw[(raw.own_code == "5") & ~raw.agglvl_code.isin(["52", "53"]) & ~raw.industry_code.str.match("999+")]
    is_part = raw.industry_code.str.match(r"238\d\d[12]$")
    rows = contract("region_industry").conform(DATASETS["bls_qcew"].parse(found, 2019).tables["region_industry"])
    cells = rows.to_pandas()
    withheld = cells[cells.employment_status == "withheld"]
    assert withheld[["employment", "employment_reported", "payroll"]].isna().all(axis=None)
    parts = raw[is_part].assign(code=lambda part: part.industry_code.str[:5] + "0").groupby(["area_fips", "code"])
    is_hidden = parts.disclosure_code.agg(lambda marks: "N" in set(marks))
    assert len(withheld) == (raw.disclosure_code[~is_part] == "N").sum() + is_hidden.sum()
    assert len(cells) == (~is_part).sum() + len(is_hidden)
    # Nothing of the printed figures is lost: what stands beside a withheld part is the sum's lower bound.
    assert cells.employment_low.sum() == raw.annual_avg_emplvl.astype(int).sum()
    assert cells.establishments.sum() == raw.annual_avg_estabs.astype(int).sum()
    assert cells.employment[cells.industry_code == "00"].sum() == 126_358_746
    construction = cells[cells.industry_code.str.startswith("238") & cells.is_leaf]
    assert construction.employment_low.sum() > 4_700_000
    known = reference.naics_cluster(2017)
    assert all(code in known for code in cells.industry_code[cells.industry_level == "national_industry"])


def test_us_cluster_mapping(shared: Path, files: Callable[[str, int], list[ArchivedFile]]) -> None:
    portal = DATASETS["us_cluster_mapping"]
    found = files(portal.name, 2016)
    for file in found:
        portal.check(file)
        assert portal.follow(file) == []
    lists = [file for file in found if file.year is None]
    assert {file.kind for file in lists} == {"clusters", "regions"}
    assert portal.parse(lists, None).notes == [], "the portal's definitions and regions are the built-in ones"
    pages = [file for file in found if file.year]
    table = contract("published_region_cluster").conform(portal.parse(pages, 2016).tables["published_region_cluster"])
    rows = table.to_pandas()
    assert rows.region_scheme.value_counts().to_dict() == {"us_state": 3_350, "us_economic_area": 335}
    aerospace = rows.set_index(["region_code", "cluster_code"]).loc["53", 1]
    assert (aerospace.employment, aerospace.employment_reported) == (95_581, 19_821)
    assert (rows.employment != rows.employment_reported)[rows.region_scheme == "us_state"].sum() == 2_293
    end = shared / "mirror" / "clustermapping.us/data/region/state/all/2016/all-end.json"
    assert json.loads(end.read_text()) == []


@pytest.mark.parametrize(("name", "count"), [("cbsa_delineation", 1), ("naics_concordances", 2)])
def test_lists_agree_with_the_built_in_tables(
    files: Callable[[str, int], list[ArchivedFile]], name: str, count: int
) -> None:
    found = files(name, 2020)
    assert len(found) == count
    for file in found:
        DATASETS[name].check(file)
    assert DATASETS[name].parse(found, None).notes == []
