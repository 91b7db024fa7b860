"""Rows of `region_industry` from a completed grid: the publisher's own, the remainders, the modelled classes."""

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa

from etl import columns
from etl.estimate.common.bounds import exact
from etl.estimate.common.tree import Booleans, Floats, Integers
from etl.estimate.europe import bands
from etl.estimate.europe.classes import Classes
from etl.estimate.europe.grid import TOTAL, AreaGrid, industry_tree
from etl.estimate.europe.holdout import HeldOut
from etl.estimate.europe.imputation import ImputedGrid
from etl.reference.nace import nace_levels

#: Columns that only estimates fill.
MADE_HERE = (
    *("employment_band_low", "employment_band_high", "is_band_calibrated"),
    *("grade", "structure_source", "structure_year"),
)

#: A remainder below this many persons is none.
_NOTHING = 0.5


class _Cells:
    """What is known of every cell of the completed grid: areas × industries."""

    def __init__(self, published: pa.Table, done: ImputedGrid, classes: Classes, held: HeldOut) -> None:
        grid = done.grid
        self.done, self.grid = done, grid
        self.is_own = grid.row >= 0
        self.exists = self.is_own | (grid.present & (done.value >= _NOTHING) & ~_is_spread(grid, classes))
        self.is_silent = done.is_silent
        self.value = np.where(done.is_silent, np.nan, done.value)
        self.status = _statuses(published, done)
        self.is_published = np.isin(self.status, ("reported", "rounded", "noised"))
        self.low = np.where(self.is_published, grid.low, done.low)
        self.high = np.where(self.is_published, grid.high, done.high)
        band_low, band_high = bands.completed(done.value, done.low, done.high, held.q)
        self.band_low = np.where(self.is_published, self.low, band_low)
        self.band_high = np.where(self.is_published, self.high, band_high)
        self.is_exact = self.is_published | (self.status == "derived_exactly")
        self.is_calibrated = held.represents(grid) & self.is_own
        best = np.where(self.is_calibrated, bands.B, bands.C)
        self.band_low, self.band_high = (
            np.where(done.is_silent, np.nan, ends) for ends in (self.band_low, self.band_high)
        )
        self.grade = bands.grades(np.nan_to_num(done.value), self.low, self.high, self.is_exact, best)
        self.is_leaf = self._leaves(published, classes)

    def _leaves(self, published: pa.Table, classes: Classes) -> Booleans:
        """The publisher's leaves and the remainders with nothing below them, without the rows that were spread."""
        listed = np.zeros(self.grid.row.shape, bool)
        listed[self.is_own] = published.column("is_leaf").to_numpy()[self.grid.row[self.is_own]]
        parent = industry_tree(self.grid)
        has_below = np.zeros(parent.size, bool)
        has_below[parent[(parent >= 0) & self.grid.present.ravel()]] = True
        is_group = np.array([len(code.rstrip("~")) == 4 for code in self.grid.industries])
        made = self.grid.present & ~self.is_own & ~has_below.reshape(listed.shape) & ~is_group[None, :]
        # A division of a remainder has groups below it, but groups are never leaves beside their division.
        made |= self.grid.present & ~self.is_own & _is_division(self.grid)[None, :] & ~self._has_leaves()
        leaf: Booleans = listed | made
        area, _ = np.nonzero(classes.exists)
        leaf[area, classes.parent[classes.exists]] = False
        return leaf

    def _has_leaves(self) -> Booleans:
        """Divisions (areas × industries) with a class or a remainder among the rows of the same area."""
        place = {code: number for number, code in enumerate(self.grid.industries)}
        result = np.zeros(self.grid.row.shape, bool)
        for code, number in place.items():
            if code[:2] in place and (len(code) == 5 or (code.endswith("~") and len(code) > 2)):
                result[:, place[code[:2]]] |= self.exists[:, number]
        return result


def rows_of(published: pa.Table, done: ImputedGrid, classes: Classes, pay: Floats, held: HeldOut) -> pa.Table:
    """All rows of the source-year: the publisher's completed, remainders and classes added, in no order.

    `pay`: payroll by cell of the completed grid, NaN where unknown; `held`: sets the band of completed cells.
    """
    cells = _Cells(published, done, classes, held)
    head = {name: published.column(name)[0].as_py() for name in ("source", "year", "currency_code")}
    head["industry_scheme"] = done.grid.industry_scheme
    own = _own_rows(published, cells, pay)
    return columns.concat([own, _remainders(head, cells, pay), _class_rows(head, cells, classes, pay)])


def _statuses(published: pa.Table, done: ImputedGrid) -> np.ndarray:
    """Status of every cell: the publisher's, or how well its bounds tell a withheld one."""
    grid = done.grid
    given = np.array(published.column("employment_status").to_pylist(), object)
    status = np.full(grid.row.shape, "withheld", object)
    own = grid.row >= 0
    status[own] = given[grid.row[own]]
    half = (done.high - done.low) / 2
    found = np.where(half <= bands.GRADE_B * done.value, "bounded", "estimated").astype(object)
    found[exact(done.low, done.high)] = "derived_exactly"
    found[done.is_silent] = "withheld"
    result: np.ndarray = np.where((status == "withheld") & grid.present, found, status)
    return result


def _own_rows(published: pa.Table, cells: _Cells, pay: Floats) -> pa.Table:
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
        **_amounts(of(cells.value), of(cells.low), of(cells.high), of(cells.band_low), of(cells.band_high)),
        "employment_status": pa.array(of(cells.status).tolist(), pa.string()),
        "is_band_calibrated": pa.array(of(cells.is_calibrated), mask=of(cells.is_exact | cells.is_silent)),
        "grade": _spelled(of(cells.grade), bands.GRADES, of(cells.is_silent)),
        "payroll": _nullable(np.where(fills, of(pay), paid)),
        "payroll_status": pa.array(pay_status.tolist(), pa.string()),
    }
    kept = {name: published.column(name) for name in published.column_names if name not in new}
    return pa.table(kept | new)


def _remainders(head: Mapping[str, object], cells: _Cells, pay: Floats) -> pa.Table:
    where = np.nonzero(cells.exists & ~cells.is_own)
    grid = cells.grid
    names = [grid.industries[number] for number in where[1].tolist()]
    levels = nace_levels(grid.industry_scheme)
    level = ["not_allocated" if n.endswith("~") else "total" if n == TOTAL else levels[n] for n in names]
    return _table(
        head,
        grid,
        where[0],
        {
            "industry_code": pa.array(names, pa.string()),
            "industry_level": pa.array(level, pa.string()),
            "is_leaf": pa.array(cells.is_leaf[where]),
            **_amounts(
                cells.value[where],
                cells.low[where],
                cells.high[where],
                cells.band_low[where],
                cells.band_high[where],
            ),
            "employment_status": pa.array(cells.status[where].tolist(), pa.string()),
            "is_band_calibrated": pa.array(cells.is_calibrated[where], mask=cells.is_exact[where]),
            "grade": _spelled(cells.grade[where], bands.GRADES),
            **_pay(pay[where], "estimated"),
        },
    )


def _class_rows(head: Mapping[str, object], cells: _Cells, classes: Classes, pay: Floats) -> pa.Table:
    exists = classes.exists.copy()
    area, column = np.nonzero(exists)
    exists[area, column] = cells.exists[area, classes.parent[area, column]]
    area, column = np.nonzero(exists)
    parent = (area, classes.parent[area, column])
    is_silent = cells.is_silent[parent]
    value = np.where(is_silent, np.nan, classes.value[area, column])
    whole = np.nan_to_num(cells.value[parent])
    origin = classes.origin[area, column]
    factors = np.array([one.factor for one in classes.origins] or [0.0])
    down, up = bands.classes(value, whole, factors[origin])
    is_alone = _alone(classes)[column] & _is_division(cells.grid)[parent[1]]
    is_zero = cells.high[parent] <= 0
    down, up = np.where(is_alone, 0.0, down), np.where(is_alone, 0.0, up)
    below = np.divide(whole - cells.band_low[parent], whole, out=np.zeros_like(whole), where=whole > 0)
    beyond = np.divide(cells.band_high[parent] - whole, whole, out=np.zeros_like(whole), where=whole > 0)
    low = np.where(is_alone, cells.low[parent], 0.0)
    high = cells.high[parent]
    band_low = np.maximum(value * (1.0 - np.hypot(down, below)), low)
    band_high = np.minimum(value * (1.0 + np.hypot(up, beyond)), high)
    is_known = np.isin(cells.status[parent], ("reported", "rounded", "noised", "derived_exactly"))
    is_exact = is_known & (is_alone | is_zero)
    is_own_year = np.array(
        [one.year == head["year"] and one.factor < bands.NATIONAL for one in classes.origins] or [False]
    )
    is_measured = np.array([one.factor < bands.NATIONAL for one in classes.origins] or [False])
    own = bands.grades(value, band_low, band_high, is_exact | (is_own_year[origin] & is_known))
    capped = bands.grades(value, band_low, band_high, is_exact, best=bands.C)
    grade = np.maximum(np.where(is_measured[origin], own, capped), cells.grade[parent])
    share = np.divide(value, whole, out=np.zeros_like(value), where=whole > 0)
    labels = [one.source for one in classes.origins]
    years = pa.array([one.year for one in classes.origins], pa.int16())
    origins = pa.array(origin, mask=is_exact | is_silent)
    return _table(
        head,
        cells.grid,
        area,
        {
            "industry_code": _spelled(column, classes.blocks.classes),
            "industry_level": columns.constant("class", area.size),
            "is_leaf": pa.array(np.ones(area.size, bool)),
            **_amounts(value, low, high, band_low, band_high),
            "employment_status": _spelled(
                np.where(is_silent, 2, is_exact), ("modelled", "derived_exactly", "withheld")
            ),
            "is_band_calibrated": pa.array(is_measured[origin], mask=is_exact | is_silent),
            "grade": _spelled(grade, bands.GRADES, is_silent),
            "structure_source": pa.array(labels, pa.string()).take(origins),
            "structure_year": years.take(origins),
            **_pay(pay[parent] * share, "modelled"),
        },
    )


def _is_spread(grid: AreaGrid, classes: Classes) -> Booleans:
    """Remainders of divisions (areas × industries) that are spread with their division, over the groups that lack."""
    place = {code: number for number, code in enumerate(grid.industries)}
    result = np.zeros(grid.row.shape, bool)
    for code, number in place.items():
        division = code.removesuffix("~")
        if code != division and len(division) == 2 and division in place:
            result[:, number] = (classes.parent == place[division]).any(axis=1)
    return result


def _is_division(grid: AreaGrid) -> Booleans:
    """Which industries are divisions."""
    return np.array([len(code) == 2 and code.isdigit() for code in grid.industries], bool)


def _alone(classes: Classes) -> Booleans:
    """Which classes are the only one of their division."""
    division = [code[:2] for code in classes.blocks.classes]
    result: Booleans = np.array([division.count(code) == 1 for code in division], bool)
    return result


def _table(head: Mapping[str, object], grid: AreaGrid, area: Integers, values: Mapping[str, pa.Array]) -> pa.Table:
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


def _amounts(value: Floats, low: Floats, high: Floats, band_low: Floats, band_high: Floats) -> dict[str, pa.Array]:
    return {
        "employment": _nullable(value),
        "employment_low": _nullable(low),
        "employment_high": _nullable(high),
        "employment_band_low": _nullable(band_low),
        "employment_band_high": _nullable(band_high),
    }


def _pay(values: Floats, status: str) -> dict[str, pa.Array]:
    return {
        "payroll": _nullable(values),
        "payroll_status": pa.array([status]).take(pa.array(np.zeros(values.size, np.int32), mask=np.isnan(values))),
    }


def _spelled(numbers: np.ndarray, words: Sequence[str], is_missing: np.ndarray | None = None) -> pa.Array:
    """A column of words from their numbers, null where `is_missing`."""
    return pa.array(words, pa.string()).take(pa.array(numbers.astype(np.int32), mask=is_missing))


def _nullable(values: Floats) -> pa.Array:
    """NaN and infinite are null."""
    return pa.array(np.where(np.isfinite(values), values, np.nan), pa.float64(), from_pandas=True)
