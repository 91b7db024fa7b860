"""Payroll of European cells: withheld cells by pay per head, then bounded and raked as employment is."""

from dataclasses import replace

import numpy as np
import pyarrow as pa

from etl.estimate.common.tree import Floats
from etl.estimate.europe.grid import AreaGrid, read_grid
from etl.estimate.europe.imputation import ImputedGrid, impute

#: Wages are published in tenths of a million.
_STEP = 1e5


def completed_pay(published: pa.Table, done: ImputedGrid) -> Floats:
    """Payroll of every cell of the completed grid, in currency units, NaN where nothing is known of it.

    The prior is persons times the average pay of a person in the same industry and country: the completion of
    employment, with persons in the place of local units. A source without payroll gives NaN throughout.
    """
    paid = published.column("payroll").to_numpy().astype(float)
    result = np.full(done.value.shape, np.nan)
    if np.isnan(paid).all():
        return result
    grid = _pay_grid(published, paid, done)
    height, width = grid.row.shape
    pay = impute(grid)
    is_silent = pay.is_silent[:height, :width] | done.is_silent[:height, :width]
    result[:height, :width] = np.where(is_silent, np.nan, pay.value[:height, :width]) * _STEP
    return result


def _pay_grid(published: pa.Table, paid: Floats, done: ImputedGrid) -> AreaGrid:
    read = read_grid(published)
    height, width = read.row.shape
    figure = np.full(read.row.shape, np.nan)
    there = read.row >= 0
    figure[there] = paid[read.row[there]] / _STEP
    low = np.where(read.present, np.nan_to_num(figure), np.nan)
    high = np.where(np.isnan(figure), np.inf, figure)
    return replace(
        read, figure=figure, low=low, high=np.where(read.present, high, np.nan), units=done.value[:height, :width]
    )
