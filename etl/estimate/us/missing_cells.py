"""What the files leave out: remainders made explicit, and candidate cells where the establishments say so.

Establishments carry no noise and add up, so what a sum has more of them than its members is missing from the file.
From 2017 cells of fewer than three establishments are dropped; rebuilt files lack single codes or states. What an
industry of a region has to spare is one leaf, not allocated, but for the candidates found in `candidates`.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from etl.estimate.common.tree import Booleans, Floats, Integers
from etl.estimate.us.candidates import candidates
from etl.estimate.us.hierarchy import CellHierarchy, Lists, member_sums

PUBLISHED, CANDIDATE, REMAINDER, HIDDEN = range(4)
"""Kinds of cells. HIDDEN closes a sum over regions where candidates were not kept: what it holds stands in the regions'
own remainders, under an industry above. It is never published."""

SPARE = 0.5
"""Establishments below which nothing is left over: counts are whole, but the expected ones of candidates are not."""


@dataclass(frozen=True, slots=True)
class CompletedCells:
    """Cells published and added, in this order, with the two trees of their sums.

    `kind`: PUBLISHED …; the `industry` of a REMAINDER is that of its parent. `establishments` of added cells are
    expected counts.
    """

    lists: Lists
    region: Integers
    industry: Integers
    establishments: Floats
    kind: Integers
    industry_parent: Integers
    region_parent: Integers


def add_missing_cells(grid: CellHierarchy, establishments: Floats, rounding: float = 0.0) -> CompletedCells:
    """Add to the published cells what their establishments say is missing.

    `establishments`: of each cell, NaN where unknown; then nothing is known to be missing from the sums it is in.
    `rounding`: how far each count may be off because it was rounded; a gap that rounding explains is none.
    """
    published = grid.region.size
    parents = grid.industry_parent(), grid.region_parent()
    spare, supply, has_regions = _excess(grid, parents, establishments, rounding)
    if (supply > SPARE).any():
        added = candidates(grid, establishments, spare, supply)
        grid = CellHierarchy.of(
            added.lists, np.append(grid.region, added.region), np.append(grid.industry, added.industry)
        )
        establishments = np.append(establishments, added.establishments)
        parents = grid.industry_parent(), grid.region_parent()
        spare, supply, has_regions = _excess(grid, parents, establishments, rounding)
        spare = _with_left(spare, added.left_by_industry[grid.region, grid.industry])
        supply = _with_left(supply, added.left_by_region[grid.region, grid.industry])
    over, above = np.flatnonzero(spare > SPARE), np.flatnonzero((supply > SPARE) & has_regions)
    kinds = (published, grid.region.size - published, over.size, above.size)
    nothing = np.full(over.size + above.size, -1)
    return CompletedCells(
        grid.lists,
        _joined(grid.region, grid.region[over], grid.region[above]),
        _joined(grid.industry, grid.industry[over], grid.industry[above]),
        _joined(establishments, spare[over], supply[above]),
        np.repeat(np.array([PUBLISHED, CANDIDATE, REMAINDER, HIDDEN], np.int8), kinds),
        _joined(parents[0], over, nothing[: above.size]),
        _joined(parents[1], nothing[: over.size], above),
    )


def _joined(first: Any, *more: Any) -> Any:
    """Arrays one after the other; where the others are empty no copy is made."""
    return np.concatenate([first, *more]) if any(one.size for one in more) else first


def _with_left(excess: Floats, left: Floats) -> Floats:
    """At least what the candidates not kept were expected to have, and a little in any case."""
    return np.where(left > 0, np.maximum(excess, np.maximum(left, 1.01 * SPARE)), excess)


def _excess(
    grid: CellHierarchy, parents: tuple[Integers, Integers], establishments: Floats, rounding: float
) -> tuple[Floats, Floats, Booleans]:
    """What each cell has more than the cells below it, by industry and by region, and which have cells by region.

    An industry that has others below it elsewhere, but none in this region, has everything to spare; so has an industry
    that no region below this one shows.
    """
    lists = grid.lists
    spare, has_members = _more_than_members(establishments, parents[0], rounding)
    childless = ~has_members & lists.has_detail[grid.industry]
    spare[childless] = np.nan_to_num(establishments[childless])
    supply, has_regions = _more_than_members(establishments, parents[1], rounding)
    is_above = np.isin(np.arange(len(lists.regions)), lists.region_up)[grid.region]
    missing = is_above & ~has_regions & ~lists.is_not_allocated[grid.industry]
    supply[missing] = np.nan_to_num(establishments[missing])
    return spare, supply, has_regions


def _more_than_members(establishments: Floats, parent: Integers, rounding: float) -> tuple[Floats, Booleans]:
    sums, has_members = member_sums(establishments, parent)
    more = np.where(has_members, np.nan_to_num(establishments - sums), 0.0)
    if rounding:
        members, _ = member_sums(np.ones(parent.size), parent)
        more[np.abs(more) <= rounding * (members + 1)] = 0.0
    return more, has_members
