"""European cells as a grid of areas by industries, with the two trees of sums that lie over it.

A grid holds the cells of one source-year. Areas form the tree of NUTS (a region adds into the nearest area above it
that the source gives for the same industry), industries the tree of NACE. Figures may be rounded to whole persons, so
a sum may miss its members by as much as their rounding.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import NamedTuple, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from etl import columns
from etl.estimate.common.tree import Booleans, Floats, Integers
from etl.reference.nace import nace_levels, nace_parent

TOTAL = "TOTAL"


class AreaKey(NamedTuple):
    """One area: scheme (`nuts0` to `nuts3`, `eu_aggregate`), code and vintage."""

    scheme: str
    code: str
    vintage: int


@dataclass(frozen=True, slots=True)
class AreaGrid:
    """Cells of one source-year; every array is areas × industries.

    `row`: position of the cell in the table it was read from, -1 where there is none; `figure`: the published
    persons, NaN where withheld; `low`, `high`: what the publisher leaves open, infinite where nothing bounds it;
    `units`: establishments, NaN where unknown.
    """

    areas: tuple[AreaKey, ...]
    industries: tuple[str, ...]
    industry_scheme: str
    row: Integers
    figure: Floats
    low: Floats
    high: Floats
    units: Floats

    @property
    def present(self) -> Booleans:
        """Cells that exist."""
        return ~np.isnan(self.low)

    @property
    def is_known(self) -> Booleans:
        """Cells with a published figure."""
        return ~np.isnan(self.figure)

    @property
    def nation(self) -> Integers:
        """Position of each area's country among the areas; -1 where the source has no row for the country."""
        places = {area.code: place for place, area in enumerate(self.areas) if area.scheme == "nuts0"}
        return np.array([places.get(area.code[:2], -1) if is_nuts(area) else -1 for area in self.areas], np.int64)

    def members(self, scheme: str) -> Booleans:
        """Which areas are of a scheme."""
        return np.array([area.scheme == scheme for area in self.areas], bool)

    def add(self, areas: Sequence[AreaKey] = (), industries: Sequence[str] = ()) -> Self:
        """The grid with further areas and industries at the end, without cells."""
        pad = ((0, len(areas)), (0, len(industries)))

        def wider(values: Floats) -> Floats:
            return np.pad(values, pad, constant_values=np.nan)

        return replace(
            self,
            areas=(*self.areas, *areas),
            industries=(*self.industries, *industries),
            row=np.pad(self.row, pad, constant_values=-1),
            figure=wider(self.figure),
            low=wider(self.low),
            high=wider(self.high),
            units=wider(self.units),
        )

    def open_cells(self, where: Booleans) -> Self:
        """The grid with withheld cells of which nothing is known at these places."""
        return replace(self, low=np.where(where, 0.0, self.low), high=np.where(where, np.inf, self.high))


def is_nuts(area: AreaKey) -> bool:
    """Whether an area is a country or a region, not a sum of countries."""
    return area.scheme.startswith("nuts")


def extra_regio(area: AreaKey) -> bool:
    """Whether an area stands for what lies outside the regions of its country."""
    return len(area.code) > 2 and set(area.code[2:]) == {"Z"}


def read_grid(table: pa.Table) -> AreaGrid:
    """Arrange rows of `region_industry`, in any order, as a grid. All are of one source-year and classification."""
    area_codes, area_of = _areas(table)
    industry, industry_names = columns.codes(table.column("industry_code"))
    order = np.argsort(np.array(industry_names))
    rank = np.empty(order.size, np.int64)
    rank[order] = np.arange(order.size)
    place = (area_of, rank[industry])
    shape = (len(area_codes), order.size)
    withheld = pc.equal(table.column("employment_status"), "withheld").to_numpy()

    def spread(column: str, missing: float = np.nan) -> Floats:
        result = np.full(shape, np.nan)
        values = table.column(column).to_numpy().astype(float)
        result[place] = np.where(np.isnan(values), missing, values)
        return result

    figure = spread("employment")
    figure[place] = np.where(withheld, np.nan, figure[place])
    row = np.full(shape, -1, np.int64)
    row[place] = np.arange(table.num_rows)
    return AreaGrid(
        areas=tuple(area_codes),
        industries=tuple(np.array(industry_names)[order].tolist()),
        industry_scheme=table.column("industry_scheme")[0].as_py(),
        row=row,
        figure=figure,
        low=spread("employment_low", 0.0),
        high=spread("employment_high", np.inf),
        units=spread("establishments"),
    )


def _areas(table: pa.Table) -> tuple[list[AreaKey], Integers]:
    """The areas of a table in the order of their codes, and the position of each row's area."""
    names = ("region_scheme", "region_code", "region_vintage")
    schemes, scheme_names = columns.codes(table.column(names[0]))
    codes, code_names = columns.codes(table.column(names[1]))
    vintages = table.column(names[2]).to_numpy().astype(np.int64)
    joint = (schemes.astype(np.int64) * len(code_names) + codes) * 10_000 + vintages
    distinct, found = np.unique(joint, return_inverse=True)
    listed = [
        AreaKey(
            scheme_names[key // 10_000 // len(code_names)], code_names[key // 10_000 % len(code_names)], key % 10_000
        )
        for key in distinct.tolist()
    ]
    order = sorted(range(len(listed)), key=lambda place: (listed[place].code, listed[place]))
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    return [listed[place] for place in order], rank[found]


def industry_tree(grid: AreaGrid) -> Integers:
    """Cell that each cell adds into by industry: the nearest one above it in the same area; flat, -1 for none.

    Members `X~` of a sum X add into it.
    """
    place = {code: number for number, code in enumerate(grid.industries)}
    parent = np.full(grid.row.shape, -1, np.int64)
    present = grid.present
    first = np.arange(len(grid.areas), dtype=np.int64) * len(grid.industries)
    for number, code in enumerate(grid.industries):
        for ancestor in above(code, grid.industry_scheme):
            if ancestor in place:
                above_it = place[ancestor]
                free = present[:, number] & present[:, above_it] & (parent[:, number] < 0)
                parent[free, number] = first[free] + above_it
    return parent.ravel()


@cache
def above(code: str, scheme: str) -> tuple[str, ...]:
    """The codes above an industry, nearest first, the total last."""
    if code == TOTAL:
        return ()
    parent = code[:-1] if code.endswith("~") else nace_parent(code, scheme)
    return (TOTAL,) if parent is None else (parent, *above(parent, scheme))


@cache
def below(scheme: str) -> dict[str, tuple[str, ...]]:
    """The codes one level below each code of NACE."""
    found: dict[str, tuple[str, ...]] = {}
    for code in nace_levels(scheme):
        parent = nace_parent(code, scheme)
        if parent is not None:
            found[parent] = (*found.get(parent, ()), code)
    return found


def area_tree(grid: AreaGrid) -> Integers:
    """Cell that each cell adds into by area: the nearest area above it with a cell of the same industry; -1 for none.

    Only areas in the vintage of their country take part: others repeat its territory in another division.
    """
    place = {area: number for number, area in enumerate(grid.areas)}
    vintage = {area.code: area.vintage for area in grid.areas if area.scheme == "nuts0"}
    width = len(grid.industries)
    present = grid.present
    parent = np.full(grid.row.shape, -1, np.int64)
    for number, area in enumerate(grid.areas):
        if not is_nuts(area) or vintage.get(area.code[:2]) != area.vintage:
            continue
        for length in range(len(area.code) - 1, 1, -1):
            above_it = place.get(AreaKey(f"nuts{length - 2}", area.code[:length], area.vintage))
            if above_it is not None:
                free = present[number] & present[above_it] & (parent[number] < 0)
                parent[number, free] = above_it * width + np.flatnonzero(free)
    return parent.ravel()


def rounding_slack(grid: AreaGrid, parent: Integers) -> Floats:
    """How far a sum of figures, each rounded to whole persons, may miss its members: half a person for every
    figure. A sum of nobody has members of nobody."""
    members = np.bincount(parent[parent >= 0], minlength=parent.size).astype(np.float64)
    return np.where(grid.figure.ravel() == 0, 0.0, 0.5 * (1.0 + members))
