"""Quarterly Census of Employment and Wages of the US Bureau of Labor Statistics, annual averages.

Addresses: `https://data.bls.gov/cew/data/files/YYYY/csv/YYYY_annual_singlefile.zip`, everything in one file (63 to 83
MB, 520 MB unpacked); where it is not to be had, `https://data.bls.gov/cew/data/api/YYYY/a/area/AREA.csv`, the slices of
the nation (US000) and the states (SS000), which hold no counties. An area's rows are taken from the single file, and
from its slice where that file does not have it. Years from 2014: slices of earlier years were taken away.

Read are private ownership (`own_code` 5) and all sizes (`size_code` 0). `industry_code` 10 is the total; 101, 102 and
1011 to 1029 are sums across NAICS; unclassified is 99, which its longer forms 999 to 999999 repeat. Construction has
238xx1 (residential) and 238xx2 (other), which NAICS has not: both are mended to 238xx0 and added. Wages are whole
dollars. `disclosure_code` N: employment and wages are withheld and printed as 0; establishments are a figure. What a
state has outside its counties stands as county 996 (overseas), 997 (several counties), 998 (out of state) and 999
(unknown): all are mended to 999 and added.

NAICS by data year: 2012 for 2014-16, 2017 for 2017-21, 2022 from 2022; that years after 2025 are in NAICS 2022 is an
assumption, checked by their codes. Connecticut stands by planning regions from 2024. Farms, rail, post and private
households are counted, which County Business Patterns leaves out: they are leaves in no cluster.

Evidence: slices of 2019 of 50 states and the District of Columbia read byte by byte; the national slice, other years
and the single file (same 38 columns) from the publisher's documentation and public readers of 2022 to 2025.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace
from functools import cache
from math import nan
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from etl import columns, reference
from etl.errors import SourceFormatError
from etl.reference.counties import STATEWIDE
from etl.sources.base import ArchivedFile, Dataset, Parsed, Request, Side, years_on_offer
from etl.sources.completeness import EXACT, SMALL_AREAS, RequiredParts
from etl.sources.naics_codes import TOTAL, UNCLASSIFIED, CodeLists, assumed, known_codes, level
from etl.sources.plausible import require_plausible
from etl.sources.tabular import CODE, Block, CodeNumbers, check_header, read_blocks
from etl.sources.us_cells import (
    REPORTED,
    WITHHELD,
    AmericanCells,
    Floats,
    Numbers,
    OneEach,
    Place,
    nullable,
    region_industry,
)

SOURCE = "bls_qcew"
BASE = "https://data.bls.gov/cew/data"
MEMBER = r".*\.csv"

VINTAGES = ((2022, 2022), (2017, 2017), (2014, 2012))
"""First data year and NAICS vintage from then on, newest first."""

NEWEST_SEEN = 2025
"""Public traces of this year have NAICS 2022 codes only; later years are assumed to be the same."""

PRIVATE, ALL_SIZES = "5", "0"

DISCLOSURES = ("", "N")
"""Published; withheld."""

ESTABLISHMENTS = ("annual_avg_estabs", "annual_avg_estabs_count")
"""The slices' name and the single file's."""

REQUIRED = frozenset(
    {
        *("area_fips", "own_code", "industry_code", "size_code", "year", "disclosure_code"),
        *("annual_avg_emplvl", "total_annual_wages"),
    }
)

COLUMNS: dict[str, pa.DataType] = {
    **dict.fromkeys(("area_fips", "own_code", "industry_code", "size_code", "year", "disclosure_code"), CODE),
    **dict.fromkeys((*ESTABLISHMENTS, "annual_avg_emplvl", "total_annual_wages"), pa.int64()),
}

SUMS_ACROSS_NAICS = ("101", "102", *(f"10{number}" for number in (11, 12, 13, *range(21, 30))))
"""Goods, services and supersectors. The publisher's list ends with 1029, unclassified."""

OUTSIDE_COUNTIES = frozenset({"996", "997", "998", "999"})
"""Endings of areas that are no county; added up as 999 of their state."""

TERRITORIES = frozenset({"60", "66", "69", "72", "78"})
"""Outside the national total: Samoa, Guam, Northern Marianas, Puerto Rico, Virgin Islands."""


def naics_vintage(year: int) -> int:
    """NAICS vintage of a data year. Raises SourceFormatError for a year before the first."""
    for first, vintage in VINTAGES:
        if year >= first:
            return vintage
    raise SourceFormatError(f"QCEW of {year}: the first year on offer is {VINTAGES[-1][0]}")


@cache
def code_lists(year: int) -> CodeLists:
    """The industry codes of a data year: all of NAICS; the total and construction mended; sums left out."""
    vintage = naics_vintage(year)
    known = known_codes(vintage)
    construction = [code for code in known if code.startswith("238") and len(code) == 6]
    reason = "residential and other construction are no NAICS industries; they are added up"
    fixes = {code[:5] + part: (code, reason) for code in construction for part in "12"}
    ignored = dict.fromkeys(SUMS_ACROSS_NAICS, "a sum across NAICS")
    ignored |= {UNCLASSIFIED + "9" * more: f"repeats {UNCLASSIFIED}" for more in range(1, 5)}
    fixes |= {"10": (TOTAL, "the publisher's code of all industries")}
    return CodeLists(vintage, known, fixes, ignored, assumed("QCEW", year, NEWEST_SEEN, vintage))


@dataclass(frozen=True, slots=True)
class Rows:
    """Private rows of some areas, aligned; employment and wages are 0 where `is_withheld`."""

    region: Numbers
    industry: Numbers
    employment: Floats
    wages: Floats
    establishments: Floats
    is_withheld: npt.NDArray[np.bool_]

    def of(self, mask: npt.NDArray[np.bool_]) -> "Rows":
        """The rows of the mask."""
        return Rows(*(getattr(self, column.name)[mask] for column in fields(self)))


class BlsQcew(Dataset):
    """Annual averages of the Quarterly Census of Employment and Wages, private ownership."""

    name: ClassVar[str] = SOURCE
    source: ClassVar[str | None] = SOURCE
    side: ClassVar[Side] = "us"
    title: ClassVar[str] = "Quarterly Census of Employment and Wages, annual averages"
    publisher: ClassVar[str] = "US Bureau of Labor Statistics"
    #: The fourth quarter, and with it the year, comes out from June of the next year on.
    years: ClassVar[Sequence[int]] = years_on_offer(2014, 5)
    newest_seen: ClassVar[int | None] = NEWEST_SEEN
    is_first: ClassVar[bool] = True
    megabytes: ClassVar[float] = 75

    def requests(self, years: Iterable[int]) -> list[Request]:
        """The single file of each year on offer, and the slices of nation and states that may stand in for it."""
        areas = ["US000", *(f"{state}000" for state in sorted(reference.states()))]
        found = []
        for year in (year for year in years if year in self.years):
            url = f"{BASE}/files/{year}/csv/{year}_annual_singlefile.zip"
            found.append(Request(self.name, url, "single", "zip", year))
            if year <= NEWEST_SEEN:  # a fallback is asked for no year that the better file only might have
                slices = (f"{BASE}/api/{year}/a/area/{area}.csv" for area in areas)
                found += [Request(self.name, slice, "area", "csv", year, better=url) for slice in slices]
        return found

    def sample(self, years: Iterable[int]) -> list[Request]:
        """The nation's slice and one state's."""
        return [request for request in self.requests(years) if request.url.endswith(("/US000.csv", "/41000.csv"))]

    def check(self, file: ArchivedFile) -> None:
        """Refuse a file without the columns the reader needs."""
        _establishments(check_header(file, REQUIRED, MEMBER), file)

    def profile(self, file: ArchivedFile) -> dict[str, float | list[str]]:
        """Areas, sectors, and what private establishments have in the areas' totals.

        Raises SourceFormatError also for a slice of another area than asked for, and for totals that cannot be.
        """
        if file.year is None:
            return {}
        regions, industries = CodeNumbers(_area), CodeNumbers(code_lists(file.year).resolve, [TOTAL])
        rows = _join(_read(file, file.year, regions, industries))
        slice_of = re.search(r"/area/(\w+)\.csv$", file.url)
        if slice_of and regions.values != [_area(slice_of[1])]:
            raise SourceFormatError(f"{file.url}: the slice is of {', '.join(regions.values) or 'no area'}")
        rows = _add_up(rows, regions.values, industries.values, code_lists(file.year))
        OneEach(regions.values, industries.values).take(rows.region, rows.industry, file.url)
        _require_whole(file, rows, regions.values, industries.values)
        totals = rows.of(rows.industry == 0)
        employment, establishments, wages = (
            float(column.sum()) for column in (totals.employment, totals.establishments, totals.wages)
        )
        require_plausible(file.url, employment, establishments, wages)
        return {
            "areas": sorted(regions.values),
            "sectors": sorted(code for code in industries.values if level(code) == "sector"),
            "employment": employment,
            "establishments": establishments,
            "wages": wages,
        }

    def parse(self, files: Sequence[ArchivedFile], year: int | None) -> Parsed:
        """Read a year into `region_industry`. Raises SourceFormatError naming file, line and code."""
        if year is None or not files:
            return Parsed({})
        industries = CodeNumbers(code_lists(year).resolve)
        regions = CodeNumbers(_area)
        single = [rows for file in _of_kind(files, "single") for rows in _read(file, year, regions, industries)]
        given = frozenset(regions.values)
        others = CodeNumbers(lambda text: area if (area := _area(text)) not in given else None, list(regions.values))
        slices = [rows for file in _of_kind(files, "area") for rows in _read(file, year, others, industries)]
        found = _join(single + slices)
        rows = _add_up(found, others.values, industries.values, code_lists(year))
        pairs = len(found.region) - len(rows.region)
        note = f"{pairs:,} cells were added up: construction in two parts (238xx1, 238xx2), places outside counties"
        return Parsed({"region_industry": _table(rows, year, others.values, industries.values)}, [note])


def _require_whole(file: ArchivedFile, rows: Rows, regions: list[str], industries: list[str]) -> None:
    """Averages over a year: each sector's establishments are rounded."""
    parts = RequiredParts(regions, industries)
    parts.take(rows.region, rows.industry, rows.establishments, np.where(rows.is_withheld, nan, rows.employment))
    schemes = {_scheme(code) for code in regions}
    limits = EXACT.get(schemes.pop(), SMALL_AREAS) if len(schemes) == 1 else SMALL_AREAS
    parts.require_whole(file.url, replace(limits, rounding=0.5))


def _of_kind(files: Sequence[ArchivedFile], kind: str) -> list[ArchivedFile]:
    return [file for file in files if file.kind == kind]


def _establishments(names: Sequence[str], file: ArchivedFile) -> str:
    for name in ESTABLISHMENTS:
        if name in names:
            return name
    raise SourceFormatError(f"{file.url}, line 1: no column {' or '.join(ESTABLISHMENTS)}")


def _area(code: str) -> str | None:
    """Our code of an area: nation, state or county. Metropolitan areas and territories are left out."""
    if code == "US000":
        return "US"
    if code[:1] == "C" or code in ("USCMS", "USMSA", "USNMS") or code[:2] in TERRITORIES:
        return None
    state, county = code[:2], code[2:]
    area = state if county == "000" else f"{state}{STATEWIDE}" if county in OUTSIDE_COUNTIES else code
    if state not in reference.states() or not (area == state or reference.is_county(area)):
        raise LookupError(f"area {code!r} is in no list and nobody declared what to do with it")
    return area


def _read(file: ArchivedFile, year: int, regions: CodeNumbers, industries: CodeNumbers) -> list[Rows]:
    return [
        _rows(block, _establishments(block.rows.schema.names, file), year, regions, industries)
        for block in read_blocks(file, COLUMNS, REQUIRED, MEMBER)
    ]


def _rows(block: Block, establishments: str, year: int, regions: CodeNumbers, industries: CodeNumbers) -> Rows:
    block = block.keep(_is(block, "own_code", PRIVATE) & _is(block, "size_code", ALL_SIZES))
    region = regions.of(block, "area_fips")
    block, region = block.keep(region >= 0), region[region >= 0]
    if not (is_year := _is(block, "year", str(year))).all():
        line = block.line_of(int(np.argmin(is_year)))
        raise SourceFormatError(f"{block.file.url}, line {line}: a row of another year than {year}")
    employment, wages = block.floats("annual_avg_emplvl"), block.floats("total_annual_wages")
    is_marked = CodeNumbers(_disclosure, list(DISCLOSURES)).of(block, "disclosure_code") == DISCLOSURES.index("N")
    is_withheld = is_marked | np.isnan(employment) | np.isnan(wages)
    rows = Rows(
        region,
        industries.of(block, "industry_code"),
        np.where(is_withheld, 0, employment),
        np.where(is_withheld, 0, wages),
        block.floats(establishments),
        is_withheld,
    )
    return rows.of(rows.industry >= 0)


def _is(block: Block, column: str, value: str) -> npt.NDArray[np.bool_]:
    rows = block.rows.column(column)
    is_value = np.array([found == value for found in rows.dictionary.to_pylist()], np.bool_)
    mask: npt.NDArray[np.bool_] = is_value[rows.indices.to_numpy()]
    return mask


def _disclosure(text: str) -> str:
    if text.strip() not in DISCLOSURES:
        raise LookupError(f"{text!r} is no disclosure code of QCEW; there are blank and N")
    return text.strip()


def _join(parts: Sequence[Rows]) -> Rows:
    return Rows(*(np.concatenate([getattr(part, column.name) for part in parts]) for column in fields(Rows)))


def _add_up(rows: Rows, regions: list[str], industries: list[str], codes: CodeLists) -> Rows:
    """Add the two parts of each construction industry, and what stands outside counties under several codes.

    A sum is withheld where a part is; its employment is then the sum of the parts that are known: a lower bound.
    """
    mended = {code for code, _ in codes.fixes.values()} - {TOTAL}
    is_outside = np.array([code.endswith(STATEWIDE) for code in regions], np.bool_)[rows.region]
    is_part = np.array([code in mended for code in industries], np.bool_)[rows.industry] | is_outside
    parts, others = rows.of(is_part), rows.of(~is_part)
    keys, first, group, counts = np.unique(
        parts.region.astype(np.int64) * len(industries) + parts.industry,
        return_index=True,
        return_inverse=True,
        return_counts=True,
    )
    if (more := keys[(counts > 2) & ~is_outside[is_part][first]]).size:
        region, industry = divmod(int(more[0]), len(industries))
        raise SourceFormatError(f"QCEW: area {regions[region]} has {industries[industry]} in more than two parts")

    def total(values: Floats) -> Floats:
        sums: Floats = np.bincount(group, values, len(keys)).astype(np.float64)
        return sums

    sums = Rows(
        parts.region[first],
        parts.industry[first],
        total(parts.employment),
        total(parts.wages),
        total(parts.establishments),
        total(parts.is_withheld.astype(np.float64)) > 0,
    )
    return _join([others, sums])


def _table(rows: Rows, year: int, regions: list[str], industries: list[str]) -> pa.Table:
    tables = []
    for scheme in ("us_nation", "us_state", "us_county"):
        is_of_scheme = np.array([_scheme(code) == scheme for code in regions], np.bool_)
        part = rows.of(is_of_scheme[rows.region])
        if len(part.region):
            counties = [code for code in regions if _scheme(code) == "us_county"]
            vintage = reference.county_vintage(counties) if scheme == "us_county" else 2020
            place = Place(SOURCE, year, scheme, vintage, f"naics{naics_vintage(year)}")
            where = f"QCEW, {year}, {scheme}"
            tables.append(region_industry(place, [_cells(part)], regions, industries, list(DISCLOSURES), where))
    return columns.concat(tables)


def _scheme(code: str) -> str:
    if code == "US":
        return "us_nation"
    return "us_state" if len(code) == 2 else "us_county"


def _cells(rows: Rows) -> AmericanCells:
    status = np.where(rows.is_withheld, WITHHELD, REPORTED).astype(np.int8)
    employment = nullable(np.where(rows.is_withheld, nan, rows.employment))
    return AmericanCells(
        rows.region,
        rows.industry,
        employment,
        nullable(rows.employment),
        employment,
        status,
        rows.is_withheld.astype(np.int16),
        nullable(rows.establishments),
        nullable(np.where(rows.is_withheld, nan, rows.wages)),
        status,
    )
