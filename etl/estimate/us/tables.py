"""From solved arrays back to rows: the cells with their estimates, and the cells added to them."""

import numpy as np
import pyarrow as pa

from etl import columns
from etl.columns import STATUSES
from etl.contracts import contract
from etl.estimate.common.bounds import TOLERANCE, UNBOUNDED, exact
from etl.estimate.common.tree import Booleans, Floats, Integers, gaps
from etl.estimate.us.bands import Calibration, band, strata
from etl.estimate.us.hierarchy import NOT_ALLOCATED, Lists
from etl.estimate.us.missing_cells import HIDDEN, REMAINDER
from etl.estimate.us.problem_from_rows import EstimationInput, sorted_codes
from etl.estimate.us.solve import Solution
from etl.sources import naics_codes
from etl.uncertainty.grades import WITHIN_B, grade_of, known_bounds, spelled

SCHEMES = ("us_nation", "us_state", "us_county")
"""Region schemes by level."""

DERIVED, BOUNDED, ESTIMATED = (STATUSES.index(name) for name in ("derived_exactly", "bounded", "estimated"))


def completed_rows(
    table: pa.Table, posed: EstimationInput, solution: Solution, calibration: Calibration, payroll: Floats
) -> pa.Table:
    """The rows of `table` with their estimates, and the rows added to them, sorted by region and industry."""
    completed, published = posed.completed, posed.published
    shown = np.flatnonzero(completed.kind != HIDDEN)
    cell = shown.copy()
    cell[posed.order] = shown[:published]
    names = [name for name in contract("region_industry").column_names if name in table.column_names]
    added = cell[published:]
    more = _added_rows(
        table,
        completed.lists,
        completed.region[added],
        completed.industry[added],
        completed.kind[added] == REMAINDER,
        completed.establishments[added],
    )
    whole = columns.concat([table.select(names), more.select(names)])
    figures: dict[str, pa.Array] = {
        "is_leaf": pa.array(posed.problem.is_leaf[cell]),
        **_employment(whole, posed, solution, calibration, cell),
        **_payroll(whole, payroll[cell]),
    }
    order = _order(whole)
    ordered = {}
    for name in contract("region_industry").column_names:
        if name in figures or name in names:
            # Taken one by one and dropped, the columns need the memory of one more instead of all.
            column = figures.pop(name) if name in figures else whole.column(name)
            ordered[name] = column if order is None else column.take(order)
    result = pa.table(ordered)
    differences = _difference_rows(table, posed, solution)
    if differences is None:
        return result
    result = columns.concat([result, differences.select(result.column_names)])
    order = _order(result)
    return result if order is None else result.take(order)


def _difference_rows(table: pa.Table, posed: EstimationInput, solution: Solution) -> pa.Table | None:
    """Leaves for what a figure has more than its members can hold where the source contradicts itself."""
    missing = gaps(solution.value, posed.problem.industry_parent)
    short = [one.cell for one in solution.conflicts if one.tree == 0 and missing[one.cell] > TOLERANCE]
    if not short:
        return None
    completed, cell = posed.completed, np.array(short)
    rows = _added_rows(
        table,
        completed.lists,
        completed.region[cell],
        completed.industry[cell],
        np.ones(cell.size, bool),
        np.zeros(cell.size),
    )
    filled = {
        "employment": pa.array(missing[cell]),
        "employment_status": columns.constant("estimated", cell.size),
        "grade": columns.constant("D", cell.size),
    }
    for name, values in filled.items():
        rows = rows.set_column(rows.schema.get_field_index(name), name, values)
    return rows


def _added_rows(
    table: pa.Table, lists: Lists, region: Integers, industry: Integers, is_remainder: Booleans, establishments: Floats
) -> pa.Table:
    """Codes and counts of candidates and remainders; figures are filled in later."""
    number = (industry + is_remainder * len(lists.industries)).astype(np.int32)
    codes = lists.industries + [code + NOT_ALLOCATED for code in lists.industries]
    levels = [naics_codes.level(code) for code in lists.industries] + ["not_allocated"] * len(lists.industries)
    level = lists.region_level[region]
    vintages = region_vintages(table)
    rows = region.size
    filled: dict[str, pa.Array] = {
        "region_scheme": pa.DictionaryArray.from_arrays(level.astype(np.int8), pa.array(SCHEMES)),
        "region_code": pa.DictionaryArray.from_arrays(region.astype(np.int32), pa.array(lists.regions)),
        "region_vintage": pa.array(np.array([vintages.get(scheme, 0) for scheme in SCHEMES], np.int16)[level]),
        "industry_code": pa.DictionaryArray.from_arrays(number, pa.array(codes)),
        "industry_level": pa.DictionaryArray.from_arrays(number, pa.array(levels)),
        "is_leaf": pa.array(np.ones(rows, bool)),
        "employment_status": columns.constant("withheld", rows),
        "establishments": pa.array(establishments),
        "year": pa.array(np.full(rows, table.column("year")[0].as_py(), np.int16)),
    }
    for name in ("source", "industry_scheme", "currency_code"):
        if name in table.column_names and (value := table.column(name)[0].as_py()) is not None:
            filled[name] = columns.constant(value, rows)
    schema = contract("region_industry").arrow_schema
    return pa.table({field.name: filled.get(field.name, pa.nulls(rows, field.type)) for field in schema})


def region_vintages(table: pa.Table) -> dict[str, int]:
    """The vintage of each region scheme in the table."""
    positions, schemes = columns.codes(table.column("region_scheme"))
    found, first = np.unique(positions, return_index=True)
    vintages = table.column("region_vintage").to_numpy()
    return {schemes[scheme]: int(vintages[row]) for scheme, row in zip(found, first, strict=True)}


def _order(table: pa.Table) -> pa.Array | None:
    """Rows by region scheme, region and industry; None where they stand so."""
    key = np.zeros(table.num_rows, np.int64)
    for name in ("region_scheme", "region_code", "industry_code"):
        positions, codes = sorted_codes(table.column(name))
        key = key * len(codes) + positions
    return None if (key[1:] > key[:-1]).all() else pa.array(np.argsort(key, kind="stable"))


def _employment(
    whole: pa.Table, posed: EstimationInput, solution: Solution, calibration: Calibration, cell: Integers
) -> dict[str, pa.Array]:
    """Employment with its bounds, band, status and grade; what is printed stays as it is.

    Where the bounds meet a cell is derived exactly; it is bounded where they alone hold it to within a tenth.
    """
    problem = posed.problem
    printed = whole.column("employment").is_valid().to_numpy()
    is_exact = exact(solution.low, solution.high)[cell]
    value = np.where(is_exact, np.round(solution.low[cell], 6), solution.value[cell])
    is_calibrated = (problem.is_published & calibration.is_calibrated[strata(problem)])[cell] & ~is_exact
    ends = (end[cell] for end in band(problem, solution, calibration))
    band_low, band_high = (np.where(is_calibrated, end, np.nan) for end in ends)
    is_bounded = (solution.high - solution.low)[cell] / 2 <= WITHIN_B * value
    status = np.where(is_exact, DERIVED, np.where(is_bounded, BOUNDED, ESTIMATED)).astype(np.int8)
    high = np.where(solution.high[cell] < UNBOUNDED / 10, solution.high[cell], np.nan)
    low, high = known_bounds(solution.low[cell], high)
    grade = grade_of(value, (band_low, band_high), (low, high), is_exact)
    return {
        "employment": _over(whole, "employment", printed, value),
        "employment_low": _over(whole, "employment_low", printed, low),
        "employment_high": _over(whole, "employment_high", printed, high),
        "employment_band_low": pa.array(band_low, from_pandas=True),
        "employment_band_high": pa.array(band_high, from_pandas=True),
        "employment_status": _status_over(whole, "employment_status", printed, status),
        "is_band_calibrated": pa.array(is_calibrated, mask=is_exact),
        "grade": spelled(grade),
    }


def _payroll(whole: pa.Table, payroll: Floats) -> dict[str, pa.Array]:
    """Payroll and its status; nothing where the source has none."""
    if "payroll" not in whole.column_names or np.isnan(payroll).all():
        return {}
    printed = whole.column("payroll").is_valid().to_numpy()
    return {
        "payroll": _over(whole, "payroll", printed, payroll),
        "payroll_status": _status_over(whole, "payroll_status", printed, np.full(payroll.size, ESTIMATED, np.int8)),
    }


def _over(whole: pa.Table, name: str, printed: Booleans, values: Floats) -> pa.Array:
    """The column where the figure is printed, elsewhere `values`; NaN becomes null."""
    own = whole.column(name).cast(pa.float64()).to_numpy()
    return pa.array(np.where(printed, own, values), from_pandas=True)


def _status_over(whole: pa.Table, name: str, printed: Booleans, status: Integers) -> pa.Array:
    """The column where the figure is printed, elsewhere `status`, a position in STATUSES."""
    own = whole.column(name)
    positions, values = columns.codes(own.fill_null("withheld") if own.null_count else own)
    known = np.array([STATUSES.index(value) for value in values], np.int8)[positions]
    return pa.DictionaryArray.from_arrays(np.where(printed, known, status), pa.array(STATUSES))
