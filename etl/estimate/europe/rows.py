"""Rows of `region_industry` from a completed grid: the publisher's own, the remainders, the modelled classes."""

from collections.abc import Mapping

import numpy as np
import pyarrow as pa

from etl import columns
from etl.estimate.common.tree import Floats
from etl.estimate.europe.cell_facts import CellFacts
from etl.estimate.europe.class_rows import class_rows
from etl.estimate.europe.classes import Classes
from etl.estimate.europe.grid import TOTAL
from etl.estimate.europe.holdout import HeldOut
from etl.estimate.europe.imputation import ImputedGrid
from etl.estimate.europe.row_columns import amounts, nullable, pay_columns, table_of
from etl.reference.nace import nace_levels
from etl.uncertainty.grades import spelled

#: Columns that only estimates fill.
MADE_HERE = (
    *("employment_band_low", "employment_band_high", "is_band_calibrated"),
    *("grade", "structure_source", "structure_year", "structure_kind"),
)


def rows_of(published: pa.Table, done: ImputedGrid, classes: Classes, pay: Floats, held: HeldOut) -> pa.Table:
    """All rows of the source-year: the publisher's completed, remainders and classes added, in no order.

    `pay`: payroll by cell of the completed grid, NaN where unknown; `held`: sets the band of completed cells.
    """
    cells = CellFacts(published, done, classes, held)
    head = {name: published.column(name)[0].as_py() for name in ("source", "year", "currency_code")}
    head["industry_scheme"] = done.grid.industry_scheme
    own = _own_rows(published, cells, pay)
    return columns.concat([own, _remainders(head, cells, pay), class_rows(head, cells, classes, pay)])


def _own_rows(published: pa.Table, cells: CellFacts, pay: Floats) -> pa.Table:
    where = np.nonzero(cells.is_own)
    back = np.argsort(cells.grid.row[where])

    def of(values: np.ndarray) -> np.ndarray:
        picked: np.ndarray = values[where][back]
        return picked

    paid = published.column("payroll").to_numpy().astype(float)
    fills = np.isnan(paid) & ~np.isnan(of(pay))
    pay_status = np.array(published.column("payroll_status").to_pylist(), object)
    pay_status[fills] = "estimated"
    new = {
        "is_leaf": pa.array(of(cells.is_leaf)),
        **amounts(of(cells.value), of(cells.low), of(cells.high), of(cells.band_low), of(cells.band_high)),
        "employment_status": pa.array(of(cells.status).tolist(), pa.string()),
        "is_band_calibrated": pa.array(of(cells.is_calibrated), mask=of(cells.is_exact | cells.is_silent)),
        "grade": spelled(of(cells.grade), of(cells.is_silent)),
        "payroll": nullable(np.where(fills, of(pay), paid)),
        "payroll_status": pa.array(pay_status.tolist(), pa.string()),
    }
    kept = {name: published.column(name) for name in published.column_names if name not in new}
    return pa.table(kept | new)


def _remainders(head: Mapping[str, object], cells: CellFacts, pay: Floats) -> pa.Table:
    where = np.nonzero(cells.exists & ~cells.is_own)
    grid = cells.grid
    names = [grid.industries[number] for number in where[1].tolist()]
    levels = nace_levels(grid.industry_scheme)
    level = ["not_allocated" if n.endswith("~") else "total" if n == TOTAL else levels[n] for n in names]
    return table_of(
        head,
        grid,
        where[0],
        {
            "industry_code": pa.array(names, pa.string()),
            "industry_level": pa.array(level, pa.string()),
            "is_leaf": pa.array(cells.is_leaf[where]),
            **amounts(
                cells.value[where],
                cells.low[where],
                cells.high[where],
                cells.band_low[where],
                cells.band_high[where],
            ),
            "employment_status": pa.array(cells.status[where].tolist(), pa.string()),
            "is_band_calibrated": pa.array(cells.is_calibrated[where], mask=cells.is_exact[where]),
            "grade": spelled(cells.grade[where]),
            **pay_columns(pay[where], "estimated"),
        },
    )
