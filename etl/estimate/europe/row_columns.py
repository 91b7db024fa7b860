"""Columns of `region_industry` that the rows made by the estimate share."""

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa

from etl import columns
from etl.estimate.common.tree import Floats, Integers
from etl.estimate.europe.grid import AreaGrid
from etl.uncertainty.grades import known_bounds


def table_of(head: Mapping[str, object], grid: AreaGrid, area: Integers, values: Mapping[str, pa.Array]) -> pa.Table:
    """Rows that the publisher does not have: `head` in every row, the areas by their position in the grid."""
    rows = area.size
    areas = grid.areas

    def of_area(values: list[str]) -> pa.Array:
        return pa.array(values, pa.string()).take(pa.array(area))

    return pa.table(
        {
            "source": columns.constant(str(head["source"]), rows),
            "year": pa.array(np.full(rows, head["year"], np.int16)),
            "region_scheme": of_area([one.scheme for one in areas]),
            "region_code": of_area([one.code for one in areas]),
            "region_vintage": pa.array(np.array([one.vintage for one in areas], np.int16)[area]),
            "industry_scheme": columns.constant(str(head["industry_scheme"]), rows),
            **values,
            "currency_code": pa.array([head["currency_code"]] * rows, pa.string()),
        }
    )


def amounts(value: Floats, low: Floats, high: Floats, band_low: Floats, band_high: Floats) -> dict[str, pa.Array]:
    """Employment with its bounds, null where they say nothing, and its band."""
    low, high = known_bounds(low, high)
    return {
        "employment": nullable(value),
        "employment_low": nullable(low),
        "employment_high": nullable(high),
        "employment_band_low": nullable(band_low),
        "employment_band_high": nullable(band_high),
    }


def pay_columns(values: Floats, status: str) -> dict[str, pa.Array]:
    """Payroll, and its status where there is one."""
    return {
        "payroll": nullable(values),
        "payroll_status": pa.array([status]).take(pa.array(np.zeros(values.size, np.int32), mask=np.isnan(values))),
    }


def spelled_by(numbers: np.ndarray, words: Sequence[str]) -> pa.Array:
    """A column of words from their numbers."""
    return pa.array(words, pa.string()).take(pa.array(numbers.astype(np.int32)))


def nullable(values: Floats) -> pa.Array:
    """NaN and infinite are null."""
    return pa.array(np.where(np.isfinite(values), values, np.nan), pa.float64(), from_pandas=True)
