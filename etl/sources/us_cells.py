"""Cells of the American publishers: from a block's figures and flags to rows of `region_industry`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from etl.columns import STATUSES, constant
from etl.errors import SourceFormatError
from etl.sources import naics_codes

Floats = npt.NDArray[np.float64]
Numbers = npt.NDArray[np.int16]
Statuses = npt.NDArray[np.int8]

REPORTED = STATUSES.index("reported")
NOISED = STATUSES.index("noised")
WITHHELD = STATUSES.index("withheld")
NO_STATUS = -1

_INDUSTRIES_MAX = 1 << 12


@dataclass(frozen=True, slots=True)
class AmericanCells:
    """Figures of some rows, aligned, as small as they get: a county year has two million.

    `region`, `industry`, `flag`: numbers of codes in the lists given to `region_industry`. `employment`: persons, as
    printed, null where withheld; `payroll`: US dollars. `status`, `payroll_status`: positions in STATUSES, or -1.
    """

    region: Numbers
    industry: Numbers
    employment: pa.Array
    low: pa.Array
    high: pa.Array
    status: Statuses
    flag: Numbers
    establishments: pa.Array
    payroll: pa.Array
    payroll_status: Statuses
    extra: Mapping[str, pa.Array] = field(default_factory=dict)


def nullable(values: Floats) -> pa.Array:
    """Numbers as a column; NaN becomes null."""
    return pa.array(values, from_pandas=True)


@dataclass(frozen=True, slots=True)
class Place:
    """What all rows of a table share."""

    source: str
    year: int
    region_scheme: str
    region_vintage: int
    industry_scheme: str


def region_industry(
    place: Place,
    cells: Sequence[AmericanCells],
    regions: list[str],
    industries: list[str],
    flags: list[str],
    where: str,
) -> pa.Table:
    """Put blocks of cells together as rows of `region_industry`, code columns dictionary-encoded.

    `where` names the file in errors. Raises SourceFormatError where it gives a cell twice.
    """
    once = OneEach(regions, industries)
    for block in cells:
        once.take(block.region, block.industry, where)
    levels = np.array([naics_codes.LEVELS.index(naics_codes.level(code)) for code in industries], np.int8)
    leaves = np.array([naics_codes.is_leaf(code) for code in industries], np.bool_)
    lists = {
        "region": pa.array(regions, pa.string()),
        "industry": pa.array(industries, pa.string()),
        "flag": pa.array(flags, pa.string()),
        "level": pa.array(naics_codes.LEVELS),
        "status": pa.array(STATUSES),
    }
    return pa.concat_tables(_rows(place, block, lists, levels, leaves) for block in cells)


def _rows(
    place: Place,
    cells: AmericanCells,
    lists: Mapping[str, pa.Array],
    levels: Statuses,
    leaves: npt.NDArray[np.bool_],
) -> pa.Table:
    rows = len(cells.region)
    year = pa.array(np.full(rows, place.year, np.int16))
    vintage = pa.array(np.full(rows, place.region_vintage, np.int16))
    return pa.table(
        {
            "source": constant(place.source, rows),
            "year": year,
            "region_scheme": constant(place.region_scheme, rows),
            "region_code": _listed(cells.region, lists["region"]),
            "region_vintage": vintage,
            "industry_scheme": constant(place.industry_scheme, rows),
            "industry_code": _listed(cells.industry, lists["industry"]),
            "industry_level": _listed(levels[cells.industry], lists["level"]),
            "is_leaf": pa.array(leaves[cells.industry]),
            "employment": cells.employment,
            "employment_low": cells.low,
            "employment_high": cells.high,
            "employment_reported": cells.employment,
            "employment_status": _listed(cells.status, lists["status"]),
            "employment_flag": _listed(cells.flag, lists["flag"]),
            "establishments": cells.establishments,
            "payroll": cells.payroll,
            "payroll_status": _listed(cells.payroll_status, lists["status"]),
            "currency_code": constant("USD", rows),
            **cells.extra,
        }
    )


def _listed(numbers: Numbers | Statuses, values: pa.Array) -> pa.DictionaryArray:
    mask = numbers < 0
    indices = pa.array(numbers, mask=mask) if mask.any() else pa.array(numbers)
    return pa.DictionaryArray.from_arrays(indices, values)


class OneEach:
    """Refuses a region and industry that a file gives twice. `regions`, `industries`: their codes, which may grow."""

    def __init__(self, regions: list[str], industries: list[str]) -> None:
        self._regions = regions
        self._industries = industries
        self._seen = np.zeros(0, np.bool_)

    def take(self, region: Numbers, industry: Numbers, where: str) -> None:
        """Note the rows of a block. Raises SourceFormatError, `where` naming the file."""
        keys, counts = np.unique(region.astype(np.int64) * _INDUSTRIES_MAX + industry, return_counts=True)
        if keys.size and keys[-1] >= self._seen.size:
            # Regions come in order: grown by half at least, it is copied a few times and not once a block.
            more = max(int(keys[-1]) + _INDUSTRIES_MAX - self._seen.size, self._seen.size // 2)
            self._seen = np.concatenate([self._seen, np.zeros(more, np.bool_)])
        if (twice := keys[(counts > 1) | self._seen[keys]]).size:
            number, code = divmod(int(twice[0]), _INDUSTRIES_MAX)
            raise SourceFormatError(
                f"{where}: region {self._regions[number]}, industry {self._industries[code]} stands there twice; "
                "are legal forms or size classes mixed?"
            )
        self._seen[keys] = True
