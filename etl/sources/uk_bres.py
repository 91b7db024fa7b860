"""Great Britain: Business Register and Employment Survey (open access), five-digit SIC by NUTS 2, through Nomis.

Employment (employees and working owners) in September by place of work, every figure rounded on a grid that widens
with its size; none is suppressed, small ones become 0. Five-digit subclasses are added up to NACE classes, which are
the same in both classifications. Only the classes are taken: the publisher's coarser figures are rounded on their own
and do not add up, so no total and no national row is made here. Great Britain is not the United Kingdom.

Evidence: all figures of 2015, 2017 to 2019 and 2021; the ids in the address (industries 134217728 + SIC, areas TYPE438:
NUTS 2 of 2016) and whether later years are served for these areas from documentation and public readers.
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
from etl.sources.base import ArchivedFile, Dataset, Parsed, Request, Side
from etl.sources.bodies import head
from etl.sources.tabular import CODE, Block, CodeNumbers, check_header, read_blocks

Floats = npt.NDArray[np.float64]
Booleans = npt.NDArray[np.bool_]

_ADDRESS = (
    "https://www.nomisweb.co.uk/api/v01/dataset/NM_189_1.data.csv?date={year}&employment_status=4&geography=TYPE438"
    "&industry=134218728...134316728&measure=1&measures=20100"
    "&select=date_name,geography_name,geography_code,industry_name,obs_value,record_count&recordoffset={offset}"
)
_OFFSET = re.compile(r"recordoffset=(\d+)")

_COLUMNS = {
    "date_name": CODE,
    "geography_code": CODE,
    "industry_name": CODE,
    "obs_value": pa.float64(),
    "record_count": pa.int64(),
}

NUTS_VERSION = 2016

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
    """Employment by NACE class and NUTS 2 region (codes of 2016), rounded; no establishments, no pay."""

    name = "uk_bres"
    source = "uk_bres"
    side: ClassVar[Side] = "eu"
    title = "Business Register and Employment Survey, open access"
    publisher = "Office for National Statistics"
    years = range(2015, 2025)

    def requests(self, years: Iterable[int]) -> list[Request]:
        """The first page of each year; `follow` asks for the rest."""
        return [self._page(year, 0) for year in sorted(set(years) & set(self.years))]

    def follow(self, file: ArchivedFile) -> list[Request]:
        """The next page, while rows are left: without a key an answer stops after 25,000 rows."""
        rows = 0
        total = 0
        for block in read_blocks(file, {"record_count": pa.int64()}, frozenset({"record_count"})):
            rows += block.rows.num_rows
            total = int(block.rows.column("record_count")[0].as_py())
        offset = _offset(file) + rows
        return [self._page(file.year, offset)] if rows and file.year is not None and offset < total else []

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
        for file in sorted(files, key=_offset):
            pages.read(file)
        if pages.rows != pages.total or not pages.rows:
            raise SourceFormatError(
                f"{files[0].url}: {pages.rows:,} of {pages.total:,} rows are here; a page is missing"
            )
        place = np.concatenate([part[0] for part in pages.parts], axis=1)
        value = np.concatenate([part[1] for part in pages.parts])
        table = _table(place, value, pages.regions.values, pages.industries.values, int(year or 0))
        note = f"{pages.left_out:,.0f} jobs under 01000 (farms, from another survey) were left out: it is no NACE class"
        return Parsed({"region_industry": table}, [note])

    def _page(self, year: int, offset: int) -> Request:
        return Request(self.name, _ADDRESS.format(year=year, offset=offset), "page", "csv", year)


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
    place: npt.NDArray[np.int64], value: Floats, regions: list[str], industries: list[str], year: int
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
            "region_vintage": constant(NUTS_VERSION, count),
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


def _region(code: str) -> str:
    if len(code) == 4 and code in nuts_regions(NUTS_VERSION):
        return code
    raise LookupError(f"region {code!r} is no NUTS 2 region of {NUTS_VERSION}")


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
    pairs = list(
        zip(
            block.rows.column("geography_code").to_pylist(), block.rows.column("industry_name").to_pylist(), strict=True
        )
    )
    before = len(seen)
    seen.update(pairs)
    if len(seen) - before != len(pairs):
        raise SourceFormatError(f"{block.file.url}: a region and industry stands there twice; pages may overlap")
