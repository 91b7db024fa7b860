"""From rows of `region_industry` to the arrays that are solved: cells in one order, whatever the order of the rows."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from etl import columns
from etl.errors import DataError
from etl.estimate.common.bounds import UNBOUNDED
from etl.estimate.common.tree import Floats, Integers
from etl.estimate.us.hierarchy import NATION, CellHierarchy, Lists
from etl.estimate.us.missing_cells import PUBLISHED, CompletedCells, add_missing_cells
from etl.estimate.us.problem import Problem
from etl.estimate.us.sizes import SizeClasses

ROUNDING = {"bls_qcew": 0.5}
"""Sources whose figures are averages rounded to whole numbers: how far each may be off. Others add up exactly."""


CERTAIN = frozenset({"reported", "noised", "derived_exactly"})
"""Statuses of a figure that may stand for its cell a year later."""


Order = Integers | slice
"""Rows in the order of the cells; a slice, which copies nothing, where they stand in it already."""


@dataclass(frozen=True, slots=True)
class EstimationInput:
    """`problem` over the published cells and those added to them; `order`: the row of each of the `published` cells."""

    problem: Problem
    completed: CompletedCells
    order: Order
    published: int


def build_problem(table: pa.Table, previous: pa.Table | None) -> EstimationInput:
    """Arrange the rows of one source-year: nation, states and counties.

    `previous`: rows of the same source a year before; used where its industries are of the same vintage. Raises
    DataError where a cell stands there twice.
    """
    region, region_codes = sorted_codes(table.column("region_code"))
    industry, industry_codes = sorted_codes(table.column("industry_code"))
    key = region.astype(np.int64) * len(industry_codes) + industry
    order: Order = slice(0, key.size) if (key[1:] > key[:-1]).all() else np.argsort(key, kind="stable")
    lists = Lists.of(region_codes, industry_codes)
    try:
        grid = CellHierarchy.of(lists, region[order], industry[order])
    except ValueError:
        raise DataError("a region and industry stand twice in one source-year of American cells") from None
    rounding = ROUNDING.get(table.column("source")[0].as_py(), 0.0)
    completed = add_missing_cells(grid, _floats(table, "establishments", order), rounding)
    problem = _problem(table, order, completed, rounding, previous)
    return EstimationInput(problem, completed, order, table.num_rows)


def _problem(
    table: pa.Table, order: Order, completed: CompletedCells, rounding: float, previous: pa.Table | None
) -> Problem:
    lists, size = completed.lists, completed.region.size
    printed = _floats(table, "employment", order)
    withheld = np.isnan(printed)
    low = np.where(withheld, np.nan_to_num(_floats(table, "employment_low", order)), printed)
    high = np.where(withheld, np.nan_to_num(_floats(table, "employment_high", order), nan=UNBOUNDED), printed)
    establishments = np.nan_to_num(completed.establishments)
    has_members = np.zeros(size, bool)
    has_members[completed.industry_parent[completed.industry_parent >= 0]] = True
    return Problem(
        low=_extended(low, size, 0.0),
        high=_extended(high, size, UNBOUNDED),
        establishments=establishments,
        industry_parent=completed.industry_parent,
        region_parent=completed.region_parent,
        region=completed.region,
        region_level=lists.region_level[completed.region],
        state=_states(lists)[completed.region],
        industry=completed.industry,
        industry_up=lists.industry_up,
        sector=_sectors(lists)[completed.industry],
        is_leaf=~has_members,
        is_published=completed.kind == PUBLISHED,
        payroll=_extended(_floats(table, "payroll", order), size, np.nan),
        before=_extended(_brought_forward(table, order, establishments[: table.num_rows], previous), size, np.nan),
        sizes=SizeClasses.of(table, establishments, order),
        is_noisy="noised" in pc.unique(table.column("employment_status")).to_pylist(),
        slack=_slack(completed, rounding),
    )


def _extended(values: Floats, size: int, filler: float) -> Floats:
    """`values`, and `filler` for the cells added after them."""
    return values if values.size == size else np.append(values, np.full(size - values.size, filler))


def sorted_codes(column: pa.ChunkedArray) -> tuple[Integers, list[str]]:
    """Each row's position in the sorted list of codes in use."""
    positions, values = columns.codes(column)
    used = np.zeros(len(values), bool)
    used[positions] = True
    chosen = sorted((value, number) for number, value in enumerate(values) if used[number])
    rank = np.zeros(len(values), np.int32)
    rank[[number for _, number in chosen]] = np.arange(len(chosen))
    return rank[positions], [value for value, _ in chosen]


def _floats(table: pa.Table, name: str, order: Order = slice(None)) -> Floats:
    if name not in table.column_names:
        return np.full(table.num_rows, np.nan)
    column = table.column(name)
    values: Floats = (column if column.type == pa.float64() else column.cast(pa.float64())).to_numpy()
    return values[order]


def _sectors(lists: Lists) -> Integers:
    """A number for the sector of each industry; the total is one of its own."""
    up = lists.industry_up
    sector = np.arange(up.size)
    for _ in range(8):
        above = np.where(up[sector] >= 0, up[sector], sector)
        is_below_sector = up[above] >= 0
        sector = np.where(is_below_sector, above, sector)
    _, numbers = np.unique(sector, return_inverse=True)
    return numbers.astype(np.int16)


def _states(lists: Lists) -> Integers:
    """A number for the state of each region, -1 for the nation."""
    states = {code: number for number, code in enumerate(sorted({code[:2] for code in lists.regions} - {NATION}))}
    return np.array([states.get(code[:2], -1) for code in lists.regions], np.int8)


def _slack(completed: CompletedCells, rounding: float) -> tuple[Floats | None, Floats | None]:
    """By the cell of the sum: rounding of the sum and of each member."""
    if not rounding:
        return None, None
    result = []
    for parent in (completed.industry_parent, completed.region_parent):
        members = np.bincount(parent[parent >= 0], minlength=parent.size)
        result.append((rounding * (members + 1.0)).astype(np.float64))
    return result[0], result[1]


def _brought_forward(table: pa.Table, order: Order, establishments: Floats, previous: pa.Table | None) -> Floats:
    """Last year's figure times the growth in establishments, where it was printed or exact; NaN elsewhere."""
    result = np.full(table.num_rows, np.nan)
    if previous is None or not previous.num_rows or not table.num_rows:
        return result
    if previous.column("industry_scheme")[0].as_py() != table.column("industry_scheme")[0].as_py():
        return result
    statuses, names = columns.codes(previous.column("employment_status"))
    before = previous.filter(pa.array(np.array([name in CERTAIN for name in names], bool)[statuses]))
    keys, wanted = _common_keys(before, table)
    by_key = np.argsort(keys, kind="stable")
    place = np.minimum(np.searchsorted(keys, wanted, sorter=by_key), max(keys.size - 1, 0))
    if not keys.size:
        return result
    row = by_key[place]
    found = keys[row] == wanted
    figure, count = _floats(before, "employment")[row], _floats(before, "establishments")[row]
    with np.errstate(divide="ignore", invalid="ignore"):
        size = np.where(found & (figure > 0) & (count > 0), figure / count, np.nan)
    result[:] = size[order] * establishments
    return result


def _common_keys(before: pa.Table, table: pa.Table) -> tuple[Integers, Integers]:
    """Numbers of region and industry that mean the same in both tables."""
    keys = [np.zeros(before.num_rows, np.int64), np.zeros(table.num_rows, np.int64)]
    for name in ("region_code", "industry_code"):
        positions, values = zip(*(columns.codes(one.column(name)) for one in (before, table)), strict=True)
        number = {code: place for place, code in enumerate(sorted({*values[0], *values[1]}))}
        for key, own, codes in zip(keys, positions, values, strict=True):
            key *= len(number)
            key += np.array([number[code] for code in codes], np.int64)[own]
    return keys[0], keys[1]
