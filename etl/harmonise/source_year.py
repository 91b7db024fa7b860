"""The cells of one source-year as arrays, and what the publisher printed for each region as a whole."""

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from etl import columns
from etl.errors import DataError
from etl.harmonise.arrays import Booleans, Floats, Integers, sums
from etl.reference.nace import nace_section

NOT_ALLOCATED = "~"
"""Ends the code of a leaf that holds what no published industry below its parent does."""

TOTALS = ("00", "TOTAL")
UPPER_LEVELS = ("total", "sector", "section", "division")
JOINT_SECTORS = {"32": "31", "33": "31", "45": "44", "49": "48"}

STATUS_COUNT = len(columns.STATUSES)
REPORTED, NOISED, ROUNDED, EXACT, BOUNDED, ESTIMATED, MODELLED, WITHHELD = range(STATUS_COUNT)
NO_STATUS = -1

AMOUNTS = (
    "employment",
    "employment_low",
    "employment_high",
    "employment_band_low",
    "employment_band_high",
    "employment_reported",
    "establishments",
    "payroll",
)
TOTALLED = ("employment_reported", "employment", "establishments", "payroll")
"""Amounts of which a region's total is asked."""


class RegionKey(NamedTuple):
    """Key of a region."""

    scheme: str
    code: str
    vintage: int


@dataclass(frozen=True)
class SourceYearArrays:
    """Rows of `region_industry` of one source and year, aligned; a missing amount is NaN.

    `region`, `industry`: positions in `regions` (sorted) and `industries`; `status`: positions in STATUSES, -1 none.
    """

    source: str
    year: int
    industry_scheme: str
    currency_code: str | None
    regions: list[RegionKey]
    region: Integers
    industries: list[str]
    industry: Integers
    is_leaf: Booleans
    amounts: dict[str, Floats]
    status: npt.NDArray[np.int8]
    payroll_status: npt.NDArray[np.int8]

    @property
    def is_nace(self) -> bool:
        """Whether the industries are NACE, else NAICS."""
        return self.industry_scheme.startswith("nace")

    @cached_property
    def branches(self) -> tuple[list[str], Integers]:
        """Sections or sectors, and that of each industry; -1 for totals."""
        names = [branch_of(code, self.industry_scheme) for code in self.industries]
        found = sorted({name for name in names if name})
        place = {name: number for number, name in enumerate(found)}
        return found, np.array([place.get(name or "", -1) for name in names], np.int64)

    @cached_property
    def printed(self) -> dict[str, Floats]:
        """What the publisher printed for each region as a whole, by amount (see `_printed_totals`)."""
        return {name: _printed_totals(self, name) for name in TOTALLED}

    def leaves(self) -> "SourceYearArrays":
        """Only the rows that may be summed."""
        return self.take(np.flatnonzero(self.is_leaf))

    def take(self, rows: Integers) -> "SourceYearArrays":
        """Only these rows."""
        return SourceYearArrays(
            self.source,
            self.year,
            self.industry_scheme,
            self.currency_code,
            self.regions,
            self.region[rows],
            self.industries,
            self.industry[rows],
            self.is_leaf[rows],
            {name: values[rows] for name, values in self.amounts.items()},
            self.status[rows],
            self.payroll_status[rows],
        )

    def rows_of(self, code: str) -> Integers:
        """The rows of one industry."""
        if code not in self.industries:
            return np.empty(0, np.int64)
        return np.flatnonzero(self.industry == self.industries.index(code))


def branch_of(code: str, scheme: str) -> str | None:
    """The section (NACE) or sector (NAICS, joint sectors by their first) of an industry; None for the total."""
    plain = code.removesuffix(NOT_ALLOCATED)
    if plain in TOTALS:
        return None
    if not scheme.startswith("nace"):
        return JOINT_SECTORS.get(plain[:2], plain[:2])
    return plain if plain.isalpha() else nace_section(plain, scheme)


def read_source_year(table: pa.Table, year: int) -> SourceYearArrays:
    """Turn `region_industry` rows of one source and year into arrays.

    Raises DataError where they are of several sources, years or industry schemes, or empty.
    """
    if not table.num_rows:
        raise DataError("a source-year without cells cannot be harmonised")
    source, scheme = (_only(table, name) for name in ("source", "industry_scheme"))
    years = pc.unique(table.column("year")).to_pylist()
    if years != [year]:
        raise DataError(f"cells of {source} are of {years}, not of {year}")
    table = _needed(table)
    regions, region = _regions(table)
    industry, industries = columns.codes(table.column("industry_code"))
    currency = [code for code in _distinct(table, "currency_code") if code]
    return SourceYearArrays(
        source,
        year,
        scheme,
        currency[0] if currency else None,
        regions,
        region,
        industries,
        industry.astype(np.int64),
        table.column("is_leaf").to_numpy(),
        {name: _floats(table, name) for name in AMOUNTS},
        _statuses(table, "employment_status"),
        _statuses(table, "payroll_status"),
    )


def _needed(table: pa.Table) -> pa.Table:
    """Leaves, and the levels that totals are read from; the levels between are most of the cells and tell no more."""
    names = [
        "region_scheme",
        "region_code",
        "region_vintage",
        "industry_code",
        "is_leaf",
        *AMOUNTS,
        "employment_status",
        "payroll_status",
        "currency_code",
    ]
    kept = pc.or_(table.column("is_leaf"), pc.is_in(table.column("industry_level"), value_set=pa.array(UPPER_LEVELS)))
    return table.select([name for name in names if name in table.column_names]).filter(kept)


def _only(table: pa.Table, name: str) -> str:
    found = _distinct(table, name)
    if len(found) != 1:
        raise DataError(f"the cells of a source-year have one {name}; here: {', '.join(map(str, found))}")
    return str(found[0])


def _distinct(table: pa.Table, name: str) -> list[str | None]:
    return sorted(pc.unique(table.column(name)).to_pylist(), key=str) if name in table.column_names else []


def _regions(table: pa.Table) -> tuple[list[RegionKey], Integers]:
    """The distinct regions in ascending order, and that of each row."""
    scheme, schemes = columns.codes(table.column("region_scheme"))
    code, names = columns.codes(table.column("region_code"))
    vintage = table.column("region_vintage").to_numpy().astype(np.int64)
    first = int(vintage.min())
    span = int(vintage.max()) - first + 1
    key = (scheme.astype(np.int64) * len(names) + code) * span + vintage - first
    present = np.flatnonzero(np.bincount(key, minlength=len(schemes) * len(names) * span))
    keys = [
        RegionKey(schemes[one // span // len(names)], names[one // span % len(names)], one % span + first)
        for one in present.tolist()
    ]
    order = sorted(range(len(keys)), key=keys.__getitem__)
    number = np.empty(len(schemes) * len(names) * span, np.int64)
    number[present[order]] = np.arange(len(keys))
    return [keys[position] for position in order], number[key]


def _floats(table: pa.Table, name: str) -> Floats:
    if name not in table.column_names:
        return np.full(table.num_rows, np.nan)
    values: Floats = pc.cast(table.column(name), pa.float64()).to_numpy()
    return values


def _statuses(table: pa.Table, name: str) -> npt.NDArray[np.int8]:
    if name not in table.column_names or table.column(name).null_count == table.num_rows:
        return np.full(table.num_rows, NO_STATUS, np.int8)
    column = table.column(name)
    if not pa.types.is_dictionary(column.type):
        column = pc.dictionary_encode(column)
    column = column.unify_dictionaries().combine_chunks()
    order = [columns.STATUSES.index(value) for value in column.dictionary.to_pylist()]
    positions = pc.fill_null(column.indices, len(order)).to_numpy()
    result: npt.NDArray[np.int8] = np.array([*order, NO_STATUS], np.int8)[positions]
    return result


def _printed_totals(data: SourceYearArrays, name: str) -> Floats:
    """What the publisher printed for each region as a whole, NaN where nothing.

    The total row; else the sum over sections (sectors): the printed figure, and where it is missing the sum of the
    printed divisions, and where a division is missing too the printed leaves below it. `name`: the amount.
    """
    size, amounts = len(data.regions), data.amounts[name]
    totals = np.full(size, np.nan)
    top = np.concatenate([data.rows_of(code) for code in TOTALS])
    totals[data.region[top]] = amounts[top]
    lacking = np.isnan(totals)
    if not lacking.any():
        return totals
    part = data.take(np.flatnonzero(lacking[data.region] & ~np.isnan(amounts)))
    totals[lacking] = _sum_of_branches(part, part.amounts[name])[lacking]
    return totals


def _sum_of_branches(data: SourceYearArrays, amounts: Floats) -> Floats:
    names, branch = data.branches
    codes = [code.removesuffix(NOT_ALLOCATED) for code in data.industries]
    is_branch = np.array([code in names for code in data.industries], bool)
    is_division = np.array([data.is_nace and len(code) == 2 and code[-1].isdigit() for code in data.industries], bool)
    divisions = sorted({code[:2] for code in codes})
    division = np.array([divisions.index(code[:2]) for code in codes], np.int64)
    below = _first_printed(data, amounts, is_division, division, len(divisions), data.is_leaf)
    branch_of_division = np.full(len(divisions), -1, np.int64)
    branch_of_division[division] = branch
    kept = branch_of_division >= 0
    by_branch = np.zeros((len(data.regions), len(names)))
    has_any = np.zeros_like(by_branch)
    for target, source in ((by_branch, np.nan_to_num(below)), (has_any, ~np.isnan(below))):
        np.add.at(target.T, branch_of_division[kept], source.T[kept])
    printed = np.full_like(by_branch, np.nan)
    rows = np.flatnonzero(is_branch[data.industry])
    printed[data.region[rows], branch[data.industry[rows]]] = amounts[rows]
    value = np.where(np.isnan(printed), np.where(has_any > 0, by_branch, np.nan), printed)
    total: Floats = np.where(np.isnan(value).all(axis=1), np.nan, np.nansum(value, axis=1))
    return total


def _first_printed(
    data: SourceYearArrays, amounts: Floats, is_own: Booleans, group: Integers, groups: int, is_leaf: Booleans
) -> Floats:
    """By region and division: the division's own figure, else the sum of the leaves below it; NaN where neither."""
    shape = (len(data.regions), groups)
    key = data.region * groups + group[data.industry]
    own = np.flatnonzero(is_own[data.industry])
    finer = np.flatnonzero(is_leaf & ~is_own[data.industry])
    leaves = sums(key[finer], amounts[finer], shape[0] * groups)
    leaves[sums(key[finer], np.ones(finer.size), shape[0] * groups) == 0] = np.nan
    leaves[key[own]] = amounts[own]
    return leaves.reshape(shape)
