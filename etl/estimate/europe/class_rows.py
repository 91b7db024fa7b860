"""Rows of the classes that divisions were spread over: value, bounds, band, grade, and what they rest on."""

from collections.abc import Mapping

import numpy as np
import pyarrow as pa

from etl import columns
from etl.estimate.common.tree import Booleans, Floats, Integers
from etl.estimate.europe.cell_facts import CellFacts, is_division
from etl.estimate.europe.classes import Classes
from etl.estimate.europe.row_columns import amounts, pay_columns, spelled_by, table_of
from etl.uncertainty import composition
from etl.uncertainty.grades import grade_of, known_bounds, spelled

#: Standard deviations from the middle of a normal distribution to the end of its 80 % band.
BAND_END = 1.2816


def class_rows(head: Mapping[str, object], cells: CellFacts, classes: Classes, pay: Floats) -> pa.Table:
    """The rows; `head` in each of them, `pay`: payroll by cell of the completed grid."""
    exists = classes.exists.copy()
    area, column = np.nonzero(exists)
    exists[area, column] = cells.exists[area, classes.parent[area, column]]
    area, column = np.nonzero(exists)
    parent = (area, classes.parent[area, column])
    is_silent = cells.is_silent[parent]
    value, whole = np.where(is_silent, np.nan, classes.value[area, column]), np.nan_to_num(cells.value[parent])
    origin = classes.origin[area, column]
    is_alone = alone(classes)[column] & is_division(cells.grid)[parent[1]]
    is_exact = cells.is_exact[parent] & (is_alone | (cells.high[parent] <= 0))
    low, high = np.where(is_alone, cells.low[parent], 0.0), cells.high[parent]
    kinds = np.array([one.kind for one in classes.origins] or [""])[origin]
    ends = _bands(head, cells, classes, area, column, np.where(is_alone | is_silent, whole, value))
    # Where nothing tells how sure the total is, nothing tells it of its parts; nor where proportions are made up.
    is_open = ~cells.is_exact[parent] & np.isnan(cells.band_low[parent])
    has_band = ~is_exact & ~is_open & ~is_silent & (is_alone | (kinds != composition.EQUAL_PARTS))
    band_low, band_high = (
        np.where(has_band, np.clip(np.where(is_alone, of_parent[parent], end), low, high), np.nan)
        for of_parent, end in zip((cells.band_low, cells.band_high), ends, strict=True)
    )
    grade = grade_of(value, (band_low, band_high), known_bounds(low, high), is_exact, cells.grade[parent])
    share = np.divide(value, whole, out=np.zeros_like(value), where=whole > 0)
    labels, years = [one.source for one in classes.origins], pa.array([one.year for one in classes.origins], pa.int16())
    origins = pa.array(origin, mask=is_exact | is_silent)
    return table_of(
        head,
        cells.grid,
        area,
        {
            "industry_code": spelled_by(column, classes.blocks.classes),
            "industry_level": columns.constant("class", area.size),
            "is_leaf": pa.array(np.ones(area.size, bool)),
            **amounts(value, low, high, band_low, band_high),
            "employment_status": spelled_by(
                np.where(is_silent, 2, is_exact), ("modelled", "derived_exactly", "withheld")
            ),
            "is_band_calibrated": pa.array(~np.isnan(band_low), mask=is_exact | is_silent),
            "grade": spelled(grade, is_silent),
            "structure_source": pa.array(labels, pa.string()).take(origins),
            "structure_year": years.take(origins),
            "structure_kind": pa.array([one.kind for one in classes.origins], pa.string()).take(origins),
            **pay_columns(pay[parent] * share, "modelled"),
        },
    )


def _bands(
    head: Mapping[str, object], cells: CellFacts, classes: Classes, area: Integers, column: Integers, value: Floats
) -> tuple[Floats, Floats]:
    """Ends of the bands by the law of `composition`, with the doubt about the total and about foreign proportions."""
    codes = classes.blocks.classes
    kappa = composition.restlessness_of(codes)[column] if classes.blocks.scheme == "nace2" else np.ones(column.size)
    distance = [abs(int(str(head["year"])) - (one.year or 0)) for one in classes.origins]
    factors = [composition.factor_of(one.kind, far) for one, far in zip(classes.origins, distance, strict=True)]
    origin = classes.origin[area, column]
    factor = np.array(factors or [1.0])[origin]
    block = classes.blocks.of_class[column]
    total = np.zeros((len(cells.grid.areas), len(classes.blocks.names)))
    np.add.at(total, (area, block), value)
    half = (cells.band_high - cells.band_low)[area, classes.parent[area, column]] / 2
    whole = cells.done.value[area, classes.parent[area, column]]
    # A section that is spread says nothing of its divisions: its classes are parts of the section.
    is_section = np.array([code.isalpha() for code in cells.grid.industries])[classes.parent[area, column]]
    of_part = np.where(is_section, whole, total[area, block])
    relative = np.divide(half / BAND_END, whole, out=np.zeros_like(value), where=whole > 0)
    more = np.nan_to_num(relative * value) ** 2
    is_foreign = np.array([not one.is_own for one in classes.origins] or [False])[origin]
    more += np.where(is_foreign, _foreign(cells, classes, area, column, value), 0.0)
    return composition.part_band(value, of_part, kappa, factor, more)


def _foreign(cells: CellFacts, classes: Classes, area: Integers, column: Integers, value: Floats) -> Floats:
    """Variance from another country's proportions: all regions of a nation share the relative error of its part."""
    nation = np.where(cells.grid.nation >= 0, cells.grid.nation, np.arange(len(cells.grid.areas)))
    national = np.maximum(classes.value[nation[area], column], value)
    whole = np.zeros((len(cells.grid.areas), len(classes.blocks.names)))
    np.add.at(whole.T, classes.blocks.of_class, classes.value.T)
    block = np.maximum(whole[nation[area], classes.blocks.of_class[column]], national)
    share = np.divide(national, block, out=np.zeros_like(value), where=block > 0)
    relative = np.divide(value, national, out=np.zeros_like(value), where=national > 0)
    result: Floats = composition.foreign_variance(national, share) * relative**2
    return result


def alone(classes: Classes) -> Booleans:
    """Which classes are the only one of their division."""
    division = [code[:2] for code in classes.blocks.classes]
    result: Booleans = np.array([division.count(code) == 1 for code in division], bool)
    return result
