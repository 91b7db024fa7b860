"""Great Britain: Business Register and Employment Survey (open access), five-digit SIC by NUTS 2, through Nomis.

Employment (employees and working owners) in September by place of work, every figure rounded on a grid that widens
with its size; none is suppressed, small ones become 0. Five-digit subclasses are added up to NACE classes, which are
the same in both classifications. Only the classes are taken: the publisher's coarser figures are rounded on their own
and do not add up, so no total and no national row is made here. Great Britain is not the United Kingdom.

Two geographies: TYPE438, NUTS 2 of 2016, has 2015 to 2022; TYPE429, the International Territorial Levels 2 of 2021 in
codes `TL…`, has 2022 on. 2022 is taken from the first, and from the second where the first does not have it. The
regions of both are the same; `TERRITORIAL_LEVEL` says which is which, region by region.

Evidence: all figures of 2015, 2017 to 2019 and 2021; the ids in the address (industries 134217728 + SIC) and the years
of each geography from documentation and public readers.
"""

import re
from collections.abc import Iterable, Sequence
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from etl.columns import constant
from etl.errors import SourceFormatError
from etl.reference.nuts import nuts_regions
from etl.sources import nace_codes
from etl.sources.base import ArchivedFile, Dataset, Parsed, Request, Side, years_on_offer
from etl.sources.bodies import head
from etl.sources.tabular import CODE, Block, CodeNumbers, check_header, read_blocks

Floats = npt.NDArray[np.float64]
Booleans = npt.NDArray[np.bool_]

_ADDRESS = (
    "https://www.nomisweb.co.uk/api/v01/dataset/NM_189_1.data.csv?date={year}&employment_status=4&geography={areas}"
    "&industry=134218728...134316728&measure=1&measures=20100"
    "&select=date_name,geography_name,geography_code,industry_name,obs_value,record_count&recordoffset={offset}"
)
_AREAS = re.compile(r"geography=(\w+)")
_OFFSET = re.compile(r"recordoffset=(\d+)")

_COLUMNS = {
    "date_name": CODE,
    "geography_code": CODE,
    "industry_name": CODE,
    "obs_value": pa.float64(),
    "record_count": pa.int64(),
}

#: Geography to its years (the second is open-ended) and the NUTS version whose regions it has.
NUTS_2016, ITL_2021 = "TYPE438", "TYPE429"
NUTS_VERSION = {NUTS_2016: 2016, ITL_2021: 2021}
LAST_OF_NUTS, FIRST_OF_ITL = 2022, 2022

#: International Territorial Level 2 of 2021 to the NUTS 2 region it is.
_LEVELS = """
TLC1=UKC1 TLC2=UKC2 TLD1=UKD1 TLD3=UKD3 TLD4=UKD4 TLD6=UKD6 TLD7=UKD7 TLE1=UKE1 TLE2=UKE2 TLE3=UKE3 TLE4=UKE4
TLF1=UKF1 TLF2=UKF2 TLF3=UKF3 TLG1=UKG1 TLG2=UKG2 TLG3=UKG3 TLH1=UKH1 TLH2=UKH2 TLH3=UKH3 TLI3=UKI3 TLI4=UKI4
TLI5=UKI5 TLI6=UKI6 TLI7=UKI7 TLJ1=UKJ1 TLJ2=UKJ2 TLJ3=UKJ3 TLJ4=UKJ4 TLK1=UKK1 TLK2=UKK2 TLK3=UKK3 TLK4=UKK4
TLL1=UKL1 TLL2=UKL2 TLM5=UKM5 TLM6=UKM6 TLM7=UKM7 TLM8=UKM8 TLM9=UKM9 TLN0=UKN0
"""
TERRITORIAL_LEVEL = dict(pair.split("=") for pair in _LEVELS.split())

#: Codes that are no NACE class: jobs on farms from the agricultural departments, on another concept.
IGNORED = frozenset({"01000"})

#: Rounding: below this figure, to this step; the second step holds where few enterprises or a dominant one stand
#: behind the figure, and nothing tells which cells these are (Nomis, article 1103).
ROUNDING = (
    (50, 5, 10),
    (250, 25, 50),
    (500, 50, 100),
    (1000, 100, 200),
    (2500, 250, 500),
    (5000, 500, 1000),
    (np.inf, 1000, 2000),
)


class UkBres(Dataset):
    """Employment by NACE class and NUTS 2 region, rounded; no establishments, no pay."""

    name = "uk_bres"
    source = "uk_bres"
    side: ClassVar[Side] = "eu"
    title = "Business Register and Employment Survey, open access"
    publisher = "Office for National Statistics"
    #: A year comes out in the autumn of the next.
    years = years_on_offer(2015, 9)
    newest_seen: ClassVar[int | None] = 2024
    megabytes: ClassVar[float] = 3

    def requests(self, years: Iterable[int]) -> list[Request]:
        """The first page of each year, of the year that both geographies have one each; `follow` asks for the rest."""
        found = []
        for year in sorted(set(years) & set(self.years)):
            if year <= LAST_OF_NUTS:
                found.append(self._page(year, NUTS_2016, 0))
            if year >= FIRST_OF_ITL:
                better = self._page(year, NUTS_2016, 0).url if year <= LAST_OF_NUTS else None
                found.append(self._page(year, ITL_2021, 0, better))
        return found

    def follow(self, file: ArchivedFile) -> list[Request]:
        """The next page, while rows are left: without a key an answer stops after 25,000 rows."""
        rows = 0
        total = 0
        for block in read_blocks(file, {"record_count": pa.int64()}, frozenset({"record_count"})):
            rows += block.rows.num_rows
            total = int(block.rows.column("record_count")[0].as_py())
        offset = _offset(file) + rows
        if not rows or file.year is None or offset >= total:
            return []
        return [self._page(file.year, _areas(file), offset)]

    def check(self, file: ArchivedFile) -> None:
        """Refuse an answer without the columns asked for, or without rows: a year that is not published yet."""
        check_header(file, frozenset(_COLUMNS))
        if not head(file).partition(b"\n")[2].strip():
            raise SourceFormatError(f"{file.url}: no rows; the publisher has no figures for this year")

    def profile(self, file: ArchivedFile) -> dict[str, float | list[str]]:
        """Regions and jobs of a page. Reads every row as `parse` does."""
        pages = _Pages(file.year)
        pages.read(file)
        return {"regions": sorted(pages.regions.values), "jobs": pages.jobs}

    def parse(self, files: Sequence[ArchivedFile], year: int | None) -> Parsed:
        """Read the pages of one year and add subclasses up to classes (table region_industry).

        Bounds are the sums of the subclasses' bounds. Raises SourceFormatError where pages are missing, and for a
        figure off the publisher's grid: the bounds would be wrong.
        """
        pages = _Pages(year)
        areas = min(map(_areas, files), key=list(NUTS_VERSION).index)
        files = [file for file in files if _areas(file) == areas]
        for file in sorted(files, key=_offset):
            pages.read(file)
        if pages.rows != pages.total or not pages.rows:
            raise SourceFormatError(
                f"{files[0].url}: {pages.rows:,} of {pages.total:,} rows are here; a page is missing"
            )
        place = np.concatenate([part[0] for part in pages.parts], axis=1)
        value = np.concatenate([part[1] for part in pages.parts])
        names = pages.regions.values, pages.industries.values
        table = _table(place, value, *names, int(year or 0), NUTS_VERSION[areas])
        note = f"{pages.left_out:,.0f} jobs under 01000 (farms, from another survey) were left out: it is no NACE class"
        return Parsed({"region_industry": table}, [note])

    def _page(self, year: int, areas: str, offset: int, better: str | None = None) -> Request:
        url = _ADDRESS.format(year=year, areas=areas, offset=offset)
        return Request(self.name, url, "page", "csv", year, better=better)


class _Pages:
    """What the pages of one year hold: places and figures of the rows that are kept, and what is left out."""

    def __init__(self, year: int | None) -> None:
        self.year = year
        self.regions = CodeNumbers(_region)
        self.industries = CodeNumbers(_industry)
        self.parts: list[tuple[npt.NDArray[np.int64], Floats]] = []
        self.rows = self.total = 0
        self.jobs = self.left_out = 0.0
        self._pairs: set[tuple[str, str]] = set()

    def read(self, file: ArchivedFile) -> None:
        """Add a page. Raises SourceFormatError with file, line and code for what the reader does not expect."""
        for block in read_blocks(file, _COLUMNS, frozenset(_COLUMNS)):
            _refuse_other_year(block, self.year)
            value = block.floats("obs_value")
            _refuse_off_grid(block, value)
            _refuse_twice(block, self._pairs)
            region, industry = self.regions.of(block, "geography_code"), self.industries.of(block, "industry_name")
            kept = industry >= 0
            self.jobs += float(np.nansum(value))
            self.left_out += float(np.nansum(value[~kept]))
            self.parts.append((np.stack([region[kept], industry[kept]]).astype(np.int64), value[kept]))
            self.rows += block.rows.num_rows
            self.total = int(block.rows.column("record_count")[0].as_py())


def bounds(value: Floats) -> tuple[Floats, Floats]:
    """Lower and upper bound of the figures behind rounded ones, whichever of the two steps was used.

    A figure on the wider grid may have been rounded to either step, any other only to the narrower one. Halves are
    taken as rounded up. NaN gives 0 and NaN.
    """
    narrow, wide = _steps(value)
    half = np.where(value % wide == 0, wide, narrow) / 2
    return np.where(np.isnan(value), 0.0, np.maximum(value - half, 0.0)), value + half


def is_on_grid(value: Floats) -> Booleans:
    """Which figures are multiples of the narrower step of their size; a missing one counts as such."""
    result: Booleans = np.isnan(value) | (value % _steps(value)[0] == 0)
    return result


def _steps(value: Floats) -> tuple[Floats, Floats]:
    below, narrow, wide = (np.array(column, np.float64) for column in zip(*ROUNDING, strict=True))
    band = np.searchsorted(below[:-1], np.nan_to_num(value), side="right")
    return narrow[band], wide[band]


def _table(
    place: npt.NDArray[np.int64], value: Floats, regions: list[str], industries: list[str], year: int, version: int
) -> pa.Table:
    cells, group = np.unique(place[0] * len(industries) + place[1], return_inverse=True)
    count = cells.size
    employment, low, high = (np.bincount(group, part, minlength=count) for part in (value, *bounds(value)))
    figure = pa.array(employment, from_pandas=True)
    status = np.where(np.isnan(employment), 0, 1).astype(np.int32)
    return pa.table(
        {
            "source": constant("uk_bres", count),
            "year": constant(year, count),
            "region_scheme": constant("nuts2", count),
            "region_code": _spelled(cells // len(industries), regions),
            "region_vintage": constant(version, count),
            "industry_scheme": constant("nace2", count),
            "industry_code": _spelled(cells % len(industries), industries),
            "industry_level": constant("class", count),
            "is_leaf": pa.array(np.ones(count, np.bool_)),
            "employment": figure,
            "employment_low": pa.array(low),
            "employment_high": pa.array(high, from_pandas=True),
            "employment_reported": figure,
            "employment_status": pa.DictionaryArray.from_arrays(pa.array(status), pa.array(["withheld", "rounded"])),
            "employment_flag": constant("", count),
            "establishments": pa.nulls(count, pa.float64()),
            "payroll": pa.nulls(count, pa.float64()),
            "payroll_status": pa.nulls(count, pa.string()),
            "currency_code": constant("GBP", count),
        }
    )


def _spelled(numbers: npt.NDArray[np.int64], values: list[str]) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(pa.array(numbers.astype(np.int32)), pa.array(values, pa.string()))


def _offset(file: ArchivedFile) -> int:
    match = _OFFSET.search(file.url)
    return int(match[1]) if match else 0


def _areas(file: ArchivedFile) -> str:
    """The geography that an answer is by."""
    match = _AREAS.search(file.url)
    return match[1] if match and match[1] in NUTS_VERSION else NUTS_2016


def _region(code: str) -> str:
    region = TERRITORIAL_LEVEL.get(code, code)
    if len(region) == 4 and region in nuts_regions(NUTS_VERSION[NUTS_2016]):
        return region
    raise LookupError(f"region {code!r} is no NUTS 2 region of 2016 and no International Territorial Level 2 of 2021")


def _industry(name: str) -> str | None:
    code = name.partition(" :")[0].strip()
    if code in IGNORED:
        return None
    found = nace_codes.class_of(code) if re.fullmatch(r"\d{5}", code) else None
    if found is None:
        raise LookupError(f"industry {code!r} has no NACE class and nobody declared what to do with it")
    return found


def _refuse_other_year(block: Block, year: int | None) -> None:
    found = set(block.rows.column("date_name").dictionary.to_pylist())
    if found != {str(year)}:
        raise SourceFormatError(f"{block.file.url}: figures of {', '.join(sorted(found))}, not of {year}")


def _refuse_off_grid(block: Block, value: Floats) -> None:
    off = np.flatnonzero(~is_on_grid(value))
    if off.size:
        raise SourceFormatError(
            f"{block.file.url}, line {block.line + int(off[0])}: {value[off[0]]:g} is not on the publisher's rounding "
            "grid; the rounding may have changed"
        )


def _refuse_twice(block: Block, seen: set[tuple[str, str]]) -> None:
    regions, industries = (block.rows.column(name).to_pylist() for name in ("geography_code", "industry_name"))
    pairs = [(TERRITORIAL_LEVEL.get(code, code), name) for code, name in zip(regions, industries, strict=True)]
    before = len(seen)
    seen.update(pairs)
    if len(seen) - before != len(pairs):
        raise SourceFormatError(f"{block.file.url}: a region and industry stands there twice; pages may overlap")
