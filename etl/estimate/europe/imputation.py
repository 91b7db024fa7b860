"""Completion of withheld European cells: national industries and regional divisions, from both trees of sums.

1. Where a source shows that the regions of a country do not make up the country (all of them published, the nation
   larger), or where a region or an industry is absent, the sum gets an explicit remainder: the area `CCZ`, `CCZZ`, the
   industry `X~`. It may be zero, it is never negative.
2. Bounds are tightened by both trees; sums that cannot be met are reported and left out.
3. The prior of a withheld cell is its local units times the average size of a unit, else the size of the area times
   the weight of the industry in the country, and for a country in all countries.
4. Bounded raking to both trees, then the last gaps are closed exactly.

Cells of which nothing published tells the size (see `evidence`) take an even share, so that the others do not take
theirs, and have no estimate in the end.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np

from etl.estimate.common import bounds, rake
from etl.estimate.common.bounds import Conflict
from etl.estimate.common.close import Closed, close
from etl.estimate.common.tree import Booleans, Floats, Integers, gaps
from etl.estimate.europe.evidence import even_shares, silent_cells
from etl.estimate.europe.grid import (
    AreaGrid,
    AreaKey,
    above,
    area_tree,
    below,
    extra_regio,
    industry_tree,
    rounding_slack,
)

TREES = ("industry", "geography")
SWEEPS = 10
PASSES = 60


@dataclass(frozen=True, slots=True)
class ImputedGrid:
    """A grid with every cell estimated: `value`, `low` and `high` are areas × industries, NaN where there is no cell.

    `is_silent`: cells of the source whose value means nothing, since nothing published tells their size.
    `conflicts`: sums that their members cannot meet, by tree (see TREES) and flat position; `shortfalls`: the same
    for countries whose regions fall short of them, which is kept as a remainder.
    """

    grid: AreaGrid
    value: Floats
    low: Floats
    high: Floats
    is_silent: Booleans
    conflicts: list[Conflict]
    shortfalls: list[Conflict]


def impute(grid: AreaGrid) -> ImputedGrid:
    """Estimate all withheld cells of a grid; published figures stay as they are. See the module for the method."""
    grid, shortfalls = with_remainders(grid)
    present = grid.present
    parents = [industry_tree(grid), area_tree(grid)]
    slack = [rounding_slack(grid, parent) for parent in parents]
    low = np.where(present, grid.low, 0.0).ravel()
    high = np.where(present, np.minimum(grid.high, bounds.UNBOUNDED), 0.0).ravel()
    tightened = bounds.tighten(low, high, parents, slack=slack, passes=PASSES)

    def shaped(values: Floats) -> Floats:
        result: Floats = np.where(present, values.reshape(present.shape), np.nan)
        return result

    high = np.where(tightened.high >= bounds.UNBOUNDED / 2, np.inf, tightened.high)
    start = np.where(grid.is_known, grid.figure, prior(grid))
    is_silent = silent_cells(grid, start, shaped(tightened.low), shaped(high))
    start = np.where(is_silent, even_shares(grid, start), start).ravel()
    start = np.where(present.ravel(), start, 0.0)
    known = grid.is_known.ravel()
    floor, ceiling = np.where(known, start, tightened.low), np.where(known, start, tightened.high)
    raked = rake.rake(start, floor, ceiling, tightened.parents, sweeps=SWEEPS)
    closed = close(raked, floor, ceiling, present.ravel() & ~known, tightened.parents, slack)
    conflicts = tightened.conflicts + _unmet(closed, tightened.parents)
    return ImputedGrid(
        grid, shaped(closed.value), shaped(tightened.low), shaped(high), is_silent, conflicts, shortfalls
    )


def _unmet(closed: Closed, parents: list[Integers]) -> list[Conflict]:
    """Sums that each fit their members, but not all at once."""
    found = []
    for tree, (parent, excess) in enumerate(zip(parents, closed.excess, strict=True)):
        gap = gaps(closed.value, parent)
        found += [
            Conflict(tree, cell, closed.value[cell], closed.value[cell], *[closed.value[cell] - gap[cell]] * 2)
            for cell in np.flatnonzero(excess > 0.5).tolist()
        ]
    return found


def with_remainders(grid: AreaGrid) -> tuple[AreaGrid, list[Conflict]]:
    """Add the remainders that sums need, as withheld cells, and list the regions that fall short of their country."""
    grid = _with_industry_remainders(grid)
    short = _shortfalls(grid)
    return _with_area_remainders(grid, short), short


def _with_industry_remainders(grid: AreaGrid) -> AreaGrid:
    """A remainder `X~` in every area that has some of the industries below X but not all of them.

    An industry without a row is there all the same where all industries below it are.
    """
    place = {code: number for number, code in enumerate(grid.industries)}
    present, members = grid.present, below(grid.industry_scheme)
    nowhere = np.zeros(len(grid.areas), bool)

    @cache
    def there(code: str) -> tuple[Booleans, Booleans]:
        """Where something of an industry is, and where all of it."""
        own = present[:, place[code]] if code in place else nowhere
        parts = [there(member) for member in members.get(code, ())]
        if not parts:
            return own, own
        some, whole = (np.array(one) for one in zip(*parts, strict=True))
        return own | some.any(axis=0), own | whole.all(axis=0)

    wanted: dict[str, Booleans] = {}
    # The publisher's total is the sum of what the source covers: its members are whatever stands highest.
    for code in members.keys() & place.keys():
        parts = [there(member) for member in members[code]]
        some, whole = (np.array(one) for one in zip(*parts, strict=True))
        partial = present[:, place[code]] & some.any(axis=0) & ~whole.all(axis=0)
        if partial.any() and f"{code}~" not in place:
            wanted[f"{code}~"] = partial
    wider = grid.add(industries=sorted(wanted))
    where = np.zeros(wider.row.shape, bool)
    for number, code in enumerate(sorted(wanted)):
        where[:, len(grid.industries) + number] = wanted[code]
    return wider.open_cells(where)


def _shortfalls(grid: AreaGrid) -> list[Conflict]:
    """Published countries that exceed their published regions by more than rounding, all regions being published."""
    parent = area_tree(grid)
    member = parent >= 0
    filled = np.where(grid.is_known, grid.figure, np.nan).ravel()
    complete_sums = np.bincount(parent[member], np.isnan(filled[member]), minlength=filled.size) == 0
    gap = gaps(filled, parent)
    is_nation = np.repeat(grid.members("nuts0"), len(grid.industries))
    short = is_nation & complete_sums & (gap > rounding_slack(grid, parent))
    return [
        Conflict(1, cell, filled[cell], filled[cell], filled[cell] - gap[cell], filled[cell] - gap[cell])
        for cell in np.flatnonzero(short).tolist()
    ]


def _with_area_remainders(grid: AreaGrid, short: list[Conflict]) -> AreaGrid:
    """Remainders `CCZ` and `CCZZ` in countries whose regions fall short, and where a region lacks an industry."""
    width = len(grid.industries)
    countries = {conflict.cell // width for conflict in short}
    nation = grid.nation
    present = grid.present
    existing = {area.code for area in grid.areas if extra_regio(area)}
    new: list[AreaKey] = []
    masks: list[Booleans] = []
    for country in sorted(set(nation[nation >= 0].tolist())):
        top = grid.areas[country]
        for level in (1, 2):
            scheme, code = f"nuts{level}", top.code + "Z" * level
            members = [n for n, a in enumerate(grid.areas) if nation[n] == country and a.scheme == scheme]
            if not members or code in existing:
                continue
            absent = present[country] & ~present[members].all(axis=0) & present[members].any(axis=0)
            mask = present[country] if country in countries else absent
            if mask.any():
                new.append(AreaKey(scheme, code, top.vintage))
                masks.append(mask)
    wider = grid.add(areas=new)
    where = np.zeros(wider.row.shape, bool)
    for number, mask in enumerate(masks):
        where[len(grid.areas) + number] = mask
    return wider.open_cells(where)


def prior(grid: AreaGrid) -> Floats:
    """A first guess for every cell, from the cells that are published; areas × industries, never negative.

    Countries: size of the country times weight of the industry in all countries, fitted together (quasi-independence).
    Regions: the industry's figure of the country times the region's share of it in the published industries, those of
    the same section first. Where local units are known: units times the average size of a unit in that country.
    Remainders start at zero.
    """
    known = grid.is_known
    figure = np.where(known, grid.figure, 0.0)
    guess = np.zeros(figure.shape)
    nations = np.flatnonzero(grid.members("nuts0") | grid.members("eu_aggregate"))
    if nations.size:
        guess[nations] = _quasi_independent(figure[nations], known[nations])
    national = np.where(known, figure, guess)
    for country in nations.tolist():
        regions = np.flatnonzero((grid.nation == country) & (np.arange(len(grid.areas)) != country))
        if regions.size:
            guess[regions] = _by_share(grid, figure[regions], known[regions], national[country])
    alone = np.flatnonzero((grid.nation < 0) & ~grid.members("eu_aggregate"))
    if alone.size:
        guess[alone] = _quasi_independent(figure[alone], known[alone])
    guess = _by_units(grid, guess)
    is_rest = np.array([code.endswith("~") for code in grid.industries])
    guess[:, is_rest] = 0.0
    return guess


def _quasi_independent(figure: Floats, known: Booleans, rounds: int = 20) -> Floats:
    """Row effect times column effect, fitted to the known cells (their margins agree)."""
    rows = np.ones(figure.shape[0])
    columns = np.ones(figure.shape[1])
    for _ in range(rounds):
        columns = _ratio(figure.sum(axis=0), (known * rows[:, None]).sum(axis=0))
        rows = _ratio(figure.sum(axis=1), (known * columns[None, :]).sum(axis=1))
    return np.outer(rows, columns)


def _by_share(grid: AreaGrid, figure: Floats, known: Booleans, national: Floats) -> Floats:
    """Each region's share of its country, by section where the section has published industries, times the nation."""
    shared = known & (national > 0)
    own = _ratio(figure.sum(axis=1, where=shared), (shared * national).sum(axis=1))
    result = np.zeros(figure.shape)
    section = np.array([_section(code, grid.industry_scheme) for code in grid.industries])
    for letter in np.unique(section):
        columns = section == letter
        weight = (shared[:, columns] * national[columns]).sum(axis=1)
        amount = figure[:, columns].sum(axis=1, where=shared[:, columns])
        # A section of which little is published says little about the rest of it.
        pull = SECTION_PULL * national[columns].max(initial=0.0)
        share = _ratio(amount + pull * own, weight + pull)
        result[:, columns] = share[:, None] * national[columns][None, :]
    return result


SECTION_PULL = 1.0
"""Weight of the region's overall share beside the section's own, in largest industries of the section."""


def _by_units(grid: AreaGrid, guess: Floats) -> Floats:
    """Local units times the average size of a unit in the same country and industry, wherever both can be had."""
    known = grid.is_known & (grid.units > 0)
    if not known.any():
        return guess
    nation = grid.nation
    result = guess.copy()
    for country in np.unique(nation).tolist():
        rows = np.flatnonzero(nation == country)
        amount = np.where(known[rows], grid.figure[rows], 0.0).sum(axis=0)
        units = np.where(known[rows], grid.units[rows], 0.0).sum(axis=0)
        average = _ratio(amount, units)
        usable = (grid.units[rows] >= 0) & (units > 0)[None, :]
        result[rows] = np.where(usable, np.nan_to_num(grid.units[rows]) * average[None, :], result[rows])
    return result


def _section(code: str, scheme: str) -> str:
    """The section of an industry; the total is one of its own."""
    chain = (code, *above(code, scheme))
    return chain[-2] if len(chain) > 1 else code


def _ratio(amount: Floats, weight: Floats) -> Floats:
    result: Floats = np.divide(amount, weight, out=np.zeros_like(amount), where=weight > 0)
    return result
