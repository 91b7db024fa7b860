"""Withheld cells: estimates with bounds, a status and a grade, one source-year at a time."""

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from etl.errors import DataError
from etl.estimate.common.result import Estimated
from etl.estimate.europe.estimate import estimate_europe
from etl.estimate.us.estimate import estimate_us

AMERICAN = frozenset({"census_cbp", "bls_qcew"})
"""Sources of the American cells; all others are European."""

__all__ = ["Estimated", "estimate"]


def estimate(cells: pa.Table, *, structures: Sequence[pa.Table] = (), previous: pa.Table | None = None) -> Estimated:
    """Fill what is withheld in one source-year of `region_industry`.

    `structures`: tables that say how coarse European cells are made up. `previous`: the same source's rows of the year
    before, a further prior for American cells. Raises DataError where the rows cannot be one source-year, a figure is
    below zero, or a cell's lower bound above its upper.
    """
    _refuse_negative(cells)
    _refuse_empty_ranges(cells)
    if cells.num_rows and cells.column("source")[0].as_py() in AMERICAN:
        return estimate_us(cells, previous=previous)
    return estimate_europe(cells, structures=structures)


def _refuse_negative(cells: pa.Table) -> None:
    for name in ("employment", "establishments"):
        below = cells.filter(pc.fill_null(pc.less(cells.column(name), 0), False)).slice(0, 1)
        if below.num_rows:
            region, industry, figure = (below.column(of)[0].as_py() for of in ("region_code", "industry_code", name))
            raise DataError(
                f"{name} of {region}, industry {industry}, is {figure:g}: a publisher's error; nothing below zero"
            )


def _refuse_empty_ranges(cells: pa.Table) -> None:
    is_empty = pc.greater(cells.column("employment_low"), cells.column("employment_high"))
    wrong = cells.filter(pc.fill_null(is_empty, False)).slice(0, 1)
    if wrong.num_rows:
        names = ("region_code", "industry_code", "employment_low", "employment_high")
        region, industry, low, high = (wrong.column(name)[0].as_py() for name in names)
        raise DataError(f"employment of {region}, industry {industry}, is said to lie between {low:g} and {high:g}")
