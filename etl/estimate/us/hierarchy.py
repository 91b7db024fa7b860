"""American cells as integers: which cell each cell adds into, by industry and by region.

A cell adds into the cell of the nearest published industry above it in its own region, and into the cell of its own
industry in the nearest region above that publishes it: county, state, nation. Files leave out levels of the
classification here and there, so "the level above" will not do.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from etl.estimate.common.tree import Booleans, Floats, Integers
from etl.sources.naics_codes import SECTOR_OF, TOTAL

NOT_ALLOCATED = "~"
"""Ends the code of the leaf that holds what no published industry below its parent does."""

NATION = "US"

Positions = npt.NDArray[np.int32]


def industry_above(code: str, known: frozenset[str]) -> str | None:
    """The nearest code above `code` among `known`; None for the total.

    `3344~` stands below `3344`, `33…` in the sector 31, a sector below the total.
    """
    if code.endswith(NOT_ALLOCATED):
        return code.removesuffix(NOT_ALLOCATED)
    while code != TOTAL:
        shorter = code[:-1] if len(code) > 2 else TOTAL
        code = SECTOR_OF.get(shorter, shorter)
        if code in known:
            return code
    return None


def region_above(code: str, known: frozenset[str]) -> str | None:
    """The nearest region above `code` among `known`: a county's state, else the nation; None for the nation."""
    for above in (code[:2], NATION) if len(code) == 5 else (NATION,):
        if above in known and above != code:
            return above
    return None


def remainder_of(region: str) -> str:
    """Code of the region that holds what no region of the next level does: state 99, or county 999 of a state."""
    return "99" if region == NATION else f"{region}999"


@dataclass(frozen=True, slots=True)
class Lists:
    """Regions and industries in use, each with the position of the one above it (-1: none); regions by level.

    `region_level`: 0 the nation, 1 states, 2 counties. `has_detail`: industries with others below them anywhere.
    """

    regions: list[str]
    industries: list[str]
    region_up: Integers
    region_level: Integers
    industry_up: Integers
    is_not_allocated: Booleans
    has_detail: Booleans

    @classmethod
    def of(cls, regions: Sequence[str], industries: Sequence[str]) -> Self:
        """Find what stands above each code; the order of the codes is kept."""
        industry_up = _above(industries, industry_above)
        remainder = np.array([code.endswith(NOT_ALLOCATED) for code in industries], bool)
        has_detail = np.zeros(len(industries), bool)
        has_detail[industry_up[(industry_up >= 0) & ~remainder]] = True
        level = np.array([0 if code == NATION else 1 if len(code) == 2 else 2 for code in regions], np.int8)
        region_up = _above(regions, region_above)
        return cls(list(regions), list(industries), region_up, level, industry_up, remainder, has_detail)


def _above(codes: Sequence[str], find: Callable[[str, frozenset[str]], str | None]) -> Integers:
    known = frozenset(codes)
    position = {code: number for number, code in enumerate(codes)}
    return np.array([position.get(find(code, known) or "", -1) for code in codes], np.int64)


@dataclass(frozen=True, slots=True)
class CellHierarchy:
    """Cells as pairs of positions in `lists`, and back: `at[region, industry]` is the cell, -1 where none is."""

    lists: Lists
    region: Integers
    industry: Integers
    at: Positions

    @classmethod
    def of(cls, lists: Lists, region: Integers, industry: Integers) -> Self:
        """Raises ValueError where a cell stands there twice."""
        at = np.full((len(lists.regions), len(lists.industries)), -1, np.int32)
        at[region, industry] = np.arange(region.size, dtype=np.int32)
        if np.count_nonzero(at >= 0) != region.size:
            raise ValueError("a cell stands there twice")
        return cls(lists, region, industry, at)

    def industry_parent(self) -> Integers:
        """The cell of the same region that each cell adds into, -1 for the totals."""
        return self._climb(self.region, self.industry, self.lists.industry_up, by_region=False)

    def region_parent(self) -> Integers:
        """The cell of the same industry that each cell adds into; -1 at the top and for what is not allocated."""
        parent = self._climb(self.region, self.industry, self.lists.region_up, by_region=True)
        parent[self.lists.is_not_allocated[self.industry]] = -1
        return parent

    def _climb(self, region: Integers, industry: Integers, up: Integers, *, by_region: bool) -> Integers:
        result = np.full(region.size, -1, np.int64)
        current = up[region] if by_region else up[industry]
        open_cells = np.flatnonzero(current >= 0)
        while open_cells.size:
            above = current[open_cells]
            found = self.at[above, industry[open_cells]] if by_region else self.at[region[open_cells], above]
            result[open_cells] = found
            current[open_cells] = up[above]
            open_cells = open_cells[(found < 0) & (current[open_cells] >= 0)]
        return result


def member_sums(values: Floats, parent: Integers) -> tuple[Floats, Booleans]:
    """Sum of the members of each cell, and which cells have any."""
    member = parent >= 0
    sums = np.bincount(parent[member], values[member], minlength=parent.size)
    return sums.astype(np.float64, copy=False), np.bincount(parent[member], minlength=parent.size) > 0
