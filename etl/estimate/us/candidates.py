"""Candidates for cells that a file dropped: where both margins have establishments to spare.

A cell may be missing where the next industry above it in its own region has more establishments than the cells below
it, and its own industry in the region above has more than the regions below it. The spare establishments of both
margins are met as far as they can be by raking; each cell's share is its expected count. Regions that a file lacks as a
whole are one region, the remainder, in which anything may be.
"""

from dataclasses import dataclass

import numpy as np

from etl.estimate.common.tree import Booleans, Floats, Integers
from etl.estimate.us.hierarchy import CellHierarchy, Lists, remainder_of
from etl.sources.naics_codes import TOTAL

LIKELY = {1: 0.0, 2: 0.5}
"""By level of regions, expected establishments from which a candidate is kept. States are few and keep all, so that
their sums meet the nation's at every level; a county keeps what is rather there than not."""

LEFT = 0.001
"""Expected establishments with which any candidate not kept counts: its sums do not show all they hold."""

FEW = 0.001
"""Share of the published cells that may be smaller than the rule by which cells are dropped allows."""

ROUNDS = 20
"""Rounds of raking of the expected counts; they need not be exact, the estimates are raked again."""


@dataclass(frozen=True, slots=True)
class Added:
    """Candidates, and the lists with the remainder regions in them.

    `left_by_industry`, `left_by_region`: by region and industry, expected establishments of candidates that were not
    kept, which their sums hold without showing them.
    """

    lists: Lists
    region: Integers
    industry: Integers
    establishments: Floats
    left_by_industry: Floats
    left_by_region: Floats


def candidates(grid: CellHierarchy, establishments: Floats, spare: Floats, supply: Floats) -> Added:
    """Find the candidates, states before counties.

    `spare`, `supply`: establishments each cell has more than the cells below it, by industry and by region.
    """
    table = _Table.of(grid, establishments, spare, supply)
    entered = [_enter(table, level) for level in LIKELY]
    region, industry = np.nonzero(np.logical_or.reduce(entered))
    counts = table.count[region, industry]
    return Added(table.lists, region, industry, counts, table.left_by_industry, table.left_by_region)


@dataclass(frozen=True, slots=True)
class _Table:
    """Establishments by region and industry while candidates enter: `count` (NaN: no cell), and what each cell has
    more than the cells below it, by industry (`spare`) and by region (`supply`). Remainder regions come last.
    `left_by_industry`, `left_by_region`: see `Added`."""

    lists: Lists
    published: int
    count: Floats
    spare: Floats
    supply: Floats
    left_by_industry: Floats
    left_by_region: Floats

    @classmethod
    def of(cls, grid: CellHierarchy, establishments: Floats, spare: Floats, supply: Floats) -> "_Table":
        """Lay the cells out, with an empty remainder for each region whose total has establishments to spare."""
        known = grid.lists.regions
        is_total = np.array([code == TOTAL for code in grid.lists.industries])[grid.industry]
        new = [remainder_of(known[region]) for region in np.unique(grid.region[is_total & (supply > 0.5)])]
        lists = Lists.of(known + [code for code in new if code not in known], grid.lists.industries)
        tables = []
        counts = np.nan_to_num(establishments)
        for values, empty in ((counts, np.nan), (spare, 0.0), (supply, 0.0), (0.0, 0.0), (0.0, 0.0)):
            table = np.full((len(lists.regions), len(lists.industries)), empty)
            table[grid.region, grid.industry] = values
            tables.append(table)
        return cls(lists, len(known), *tables)

    def take(self, region: Integers, industry: Integers, expected: Floats, parent: Integers) -> None:
        """Enter cells: their establishments come out of the parent's spare ones and of the supply above."""
        for own in (self.count, self.spare, self.supply):
            own[region, industry] = expected
        has_parent = parent[industry] >= 0
        np.subtract.at(self.spare, (region[has_parent], parent[industry[has_parent]]), expected[has_parent])
        np.subtract.at(self.supply, (self.lists.region_up[region], industry), expected)

    def leave(self, region: Integers, industry: Integers, expected: Floats, parent: Integers) -> None:
        """Note candidates that are not kept, be they ever so unlikely."""
        expected = np.maximum(expected, LEFT)
        np.add.at(self.left_by_industry, (region, parent[industry]), expected)
        np.add.at(self.left_by_region, (self.lists.region_up[region], industry), expected)


def _enter(table: _Table, level: int) -> Booleans:
    """Enter the candidates of one level of regions, from the top of the classification down; return where they are."""
    lists = table.lists
    is_new = np.zeros(table.count.shape, bool)
    here = np.flatnonzero((lists.region_level == level) & (lists.region_up >= 0))
    real = here[here < table.published]
    if not real.size:
        return is_new
    has_spare = table.spare > 0
    is_in_use = np.any(~np.isnan(table.count[real]), axis=0)
    parent, depth = _above_in_use(lists, is_in_use)
    limit = _largest_dropped(table.count[real], is_in_use, lists.industry_up < 0)
    for step in range(int(depth.max(initial=0)) + 1):
        codes = np.flatnonzero((is_in_use | ~lists.has_detail) & ~lists.is_not_allocated & (depth == step))
        region, industry = _open_pairs(table, here, codes, parent, limit)
        most = np.where(region < table.published, limit[industry], np.inf)
        expected = _expected_counts(table, region, industry, parent, most)
        keep = expected >= LIKELY[level]
        table.leave(region[~keep], industry[~keep], expected[~keep], parent)
        table.take(region[keep], industry[keep], expected[keep], parent)
        is_new[region[keep], industry[keep]] = True
    if level == max(LIKELY):
        region, industry = np.nonzero(_barren(table, is_new, parent, depth))
        table.leave(region, industry, table.count[region, industry], parent)
        is_new[region, industry] = False
    _pass_on(table, here, has_spare | is_new, parent, depth, is_in_use)
    return is_new


def _pass_on(
    table: _Table, here: Integers, may_lack: Booleans, parent: Integers, depth: Integers, is_in_use: Booleans
) -> None:
    """What could not be sought may still be there: note it in the sums that would not show it.

    Below an industry whose candidate was not kept none was sought in that region; and what the region above does not
    show of an industry cannot be sought in the regions below; where these show the industry nowhere, it may be in the
    one above it.
    """
    above = np.unique(table.lists.region_up[here])
    for step in range(1, int(depth.max(initial=0)) + 1):
        codes = np.flatnonzero(depth == step)
        own, wider = np.ix_(above, codes), np.ix_(above, parent[codes])
        table.left_by_region[own] = np.maximum(table.left_by_region[own], table.left_by_region[wider] / 2)
    is_open = (table.left_by_industry[above] > 0) | (table.spare[above] > 0.5)
    for code in np.flatnonzero(~is_in_use & (parent >= 0)):
        is_open[:, parent[code]] |= is_open[:, code]
    is_open_above = np.zeros(table.count.shape, bool)
    is_open_above[above] = is_open
    lacks = is_open_above[table.lists.region_up[here]] & may_lack[here]
    table.left_by_industry[here] += np.where(lacks, LEFT, 0.0)


def _above_in_use(lists: Lists, is_in_use: Booleans) -> tuple[Integers, Integers]:
    """For each industry the nearest one above it in use at this level of regions (-1: none), and how many there are."""
    parent, depth = lists.industry_up.copy(), np.zeros(len(lists.industries), np.int64)
    while (skip := (parent >= 0) & ~is_in_use[parent]).any():
        parent[skip] = lists.industry_up[parent[skip]]
    current = parent
    while (current >= 0).any():
        depth[current >= 0] += 1
        current = np.where(current >= 0, parent[current], -1)
    return parent, depth


def _largest_dropped(counts: Floats, is_in_use: Booleans, is_total: Booleans) -> Floats:
    """By industry, the most establishments a dropped cell may have: one less than the smallest published count.

    Totals are printed however small they are, and a few smaller cells mean nothing (FEW). Where cells of one
    establishment are published, nothing was dropped: an industry that other regions show is then truly absent. An
    industry that no region shows may have any number.
    """
    below_total = counts[:, ~is_total]
    shown = np.sort(below_total[below_total > 0] if (below_total > 0).any() else counts[counts > 0])
    smallest = shown[int(FEW * shown.size)] if shown.size else np.inf
    return np.where(is_in_use, max(np.floor(smallest) - 1, 0.0), np.inf)


def _open_pairs(
    table: _Table, here: Integers, codes: Integers, parent: Integers, limit: Floats
) -> tuple[Integers, Integers]:
    """Regions and industries where a cell may be missing. A remainder region's total, which has no parent, may be."""
    lists = table.lists
    pairs = [(np.zeros(0, np.int64), np.zeros(0, np.int64))]
    for above in np.unique(lists.region_up[here]):
        members = here[lists.region_up[here] == above]
        offered = codes[table.supply[above, codes] > 0]
        spare = np.where(parent[offered] < 0, 1.0, table.spare[np.ix_(members, parent[offered])])
        is_open = np.isnan(table.count[np.ix_(members, offered)]) & (spare > 0)
        is_open &= (limit[offered] > 0) | (members >= table.published)[:, None]
        row, column = np.nonzero(is_open)
        pairs.append((members[row], offered[column]))
    region, industry = (np.concatenate(part) for part in zip(*pairs, strict=True))
    return region, industry


def _expected_counts(table: _Table, region: Integers, industry: Integers, parent: Integers, most: Floats) -> Floats:
    """Share the spare establishments of the parents among the pairs, within the supply above and `most` a cell."""
    width = len(table.lists.industries)
    above = table.lists.region_up[region]
    by_parent, row = np.unique(region * width + np.maximum(parent[industry], 0), return_inverse=True)
    by_supply, column = np.unique(above * width + industry, return_inverse=True)
    spare, supply = table.spare.ravel()[by_parent], table.supply.ravel()[by_supply]
    is_top = parent[industry] < 0
    expected = np.where(is_top, supply[column], np.minimum(np.minimum(spare[row], supply[column]), most))
    for _ in range(ROUNDS):
        rows = np.bincount(row, expected, minlength=by_parent.size)
        expected = np.where(is_top, expected, np.minimum(expected * (spare / np.maximum(rows, 1e-9))[row], most))
        columns = np.bincount(column, expected, minlength=by_supply.size)
        expected *= np.minimum(1.0, supply / np.maximum(columns, 1e-9))[column]
    return expected


def _barren(table: _Table, is_new: Booleans, parent: Integers, depth: Integers) -> Booleans:
    """Candidates of an industry with detail below which no leaf was found: their parent keeps what they hold."""
    is_barren = np.zeros_like(is_new)
    has_child = np.zeros_like(is_new)
    exists = ~np.isnan(table.count)
    for step in range(int(depth.max(initial=0)), 0, -1):
        codes = np.flatnonzero(depth == step)
        barren = is_new[:, codes] & table.lists.has_detail[codes] & ~has_child[:, codes]
        is_barren[:, codes] = barren
        for code, standing in zip(codes, (exists[:, codes] & ~barren).T, strict=True):
            has_child[:, parent[code]] |= standing
    return is_barren
