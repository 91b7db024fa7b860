"""Spreading completed divisions over the classes of NACE, country by country.

The regions of a country (its finest level) are spread first: by their own classes where a national source has them,
else by the make-up of the country, bent to the region by the pattern of `colocation`. Areas above are made up as the
regions in them, so classes add up over areas as divisions do. Where the source gives groups, these divide their
division first; where it gives a section without divisions, the section is spread.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from etl.estimate.common.tree import Booleans, Floats, Integers
from etl.estimate.europe import colocation_pattern as colocation
from etl.estimate.europe.grid import AreaGrid, is_nuts
from etl.estimate.europe.imputation import ImputedGrid
from etl.estimate.europe.structures import ClassShares, Origin, Structure, national_mix, regional_shares
from etl.reference.nace import nace_classes, nace_section


@dataclass(frozen=True)
class Blocks:
    """The classes of a version of NACE, and the blocks they are spread within: the groups of a division that has
    groups among `industries`, else the division."""

    scheme: str
    industries: tuple[str, ...]

    @cached_property
    def classes(self) -> tuple[str, ...]:
        """All classes, in ascending order."""
        return nace_classes(self.scheme)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Codes of the blocks, in ascending order."""
        grouped = {code[:2] for code in self.industries if len(code) == 4 and not code.endswith("~")}
        return tuple(sorted({code[:4] if code[:2] in grouped else code[:2] for code in self.classes}))

    @cached_property
    def of_class(self) -> Integers:
        """Number of the block of each class."""
        place = {name: number for number, name in enumerate(self.names)}
        return np.array([place[code[:4] if code[:4] in place else code[:2]] for code in self.classes], np.int64)

    @cached_property
    def divisions(self) -> dict[str, Integers]:
        """Division to the numbers of its blocks."""
        return {code[:2]: self._where(code[:2], 2) for code in self.names}

    @cached_property
    def sections(self) -> dict[str, Integers]:
        """Section to the numbers of its blocks."""
        found: dict[str, list[int]] = {}
        for number, name in enumerate(self.names):
            found.setdefault(nace_section(name, self.scheme), []).append(number)
        return {code: np.array(numbers, np.int64) for code, numbers in found.items()}

    @cached_property
    def columns(self) -> dict[str, int]:
        """Column of each industry."""
        return {code: number for number, code in enumerate(self.industries)}

    def _where(self, code: str, length: int) -> Integers:
        return np.array([number for number, name in enumerate(self.names) if name[:length] == code], np.int64)


@dataclass(frozen=True, slots=True)
class Classes:
    """Modelled classes, areas × classes: `parent` is the column of the row that was spread, -1 where none was;
    `value` its part, 0 elsewhere; `origin` indexes `origins`."""

    blocks: Blocks
    parent: Integers
    value: Floats
    origin: Integers
    origins: tuple[Origin, ...]

    @property
    def exists(self) -> Booleans:
        """Where a class was made."""
        return self.parent >= 0


def spread_classes(done: ImputedGrid, structures: list[Structure], year: int) -> Classes:
    """Spread every division without published classes, and every section without divisions, over its classes."""
    blocks = Blocks(done.grid.industry_scheme, done.grid.industries)
    shape = (len(done.grid.areas), len(blocks.classes))
    parent, value, origin = np.full(shape, -1, np.int64), np.zeros(shape), np.full(shape, -1, np.int64)
    origins: dict[Origin, int] = {}
    areas = done.grid.areas
    for country in sorted({area.code[:2] for area in areas if is_nuts(area)}):
        rows = np.array([n for n, area in enumerate(areas) if is_nuts(area) and area.code[:2] == country], np.int64)
        mix = national_mix(structures, country, year, blocks.scheme, blocks.of_class)
        totals, block_parent = _block_totals(done, blocks, rows, mix)
        if not (block_parent >= 0).any():
            continue
        made = _Country(done.grid, blocks, rows, totals, mix, structures, year)
        value[rows], own = made.spread()
        parent[rows] = block_parent[:, blocks.of_class]
        numbers = np.array([origins.setdefault(one, len(origins)) for one in (*mix.origins, *made.own_origin)])
        origin[rows] = np.where(own, numbers[-1], numbers[mix.origin][None, :])
    return Classes(blocks, parent, np.where(parent >= 0, value, 0.0), origin, tuple(origins))


def _block_totals(done: ImputedGrid, blocks: Blocks, rows: Integers, mix: ClassShares) -> tuple[Floats, Integers]:
    """What is spread in each area (row) and block, and the column of the grid it comes from, -1 where nothing is."""
    totals = np.zeros((rows.size, len(blocks.names)))
    parent = np.full(totals.shape, -1, np.int64)
    value = np.nan_to_num(done.value[rows])
    present = done.grid.present[rows]
    nation = np.bincount(blocks.of_class, mix.amounts, minlength=len(blocks.names)).astype(np.float64)
    has_class = np.zeros((rows.size, len(blocks.names)), bool)
    for number, code in enumerate(blocks.classes):
        if code in blocks.columns:
            has_class[:, blocks.of_class[number]] |= present[:, blocks.columns[code]]
    has_division = np.zeros_like(has_class)
    for division, members in blocks.divisions.items():
        groups = [blocks.columns.get(blocks.names[number], -1) for number in members]
        column = blocks.columns.get(division, -1)
        known = value[:, groups] * (np.array(groups) >= 0)
        if column >= 0:
            here = present[:, column] & ~has_class[:, members].any(axis=1)
            has_division[:, members] |= present[:, column][:, None]
            known = known + _rest_of_groups(
                value[:, column], known, present[:, groups] & (np.array(groups) >= 0), nation[members]
            )
            weight = np.where(known.sum(axis=1, keepdims=True) > 0, known, _or_even(nation[members])[None, :])
            part = weight / weight.sum(axis=1, keepdims=True)
            totals[np.ix_(here, members)] = (value[:, column, None] * part)[here]
            parent[np.ix_(here, members)] = column
        has_group = present[:, groups] & (np.array(groups) >= 0)
        alone = has_group & (parent[:, members] < 0) & ~has_class[:, members] & ~has_division[:, members]
        totals[:, members] = np.where(alone, known, totals[:, members])
        parent[:, members] = np.where(alone, np.array(groups)[None, :], parent[:, members])
    for section, members in blocks.sections.items():
        column = blocks.columns.get(section, -1)
        if column < 0:
            continue
        busy = (has_division | has_class | (parent >= 0))[:, members].any(axis=1)
        here = present[:, column] & ~busy
        part = _or_even(nation[members]) / _or_even(nation[members]).sum()
        totals[np.ix_(here, members)] = value[here, column][:, None] * part[None, :]
        parent[np.ix_(here, members)] = column
    return totals, parent


def _rest_of_groups(division: Floats, known: Floats, is_there: Booleans, nation: Floats) -> Floats:
    """What a division has more than the groups that are there (areas × groups), for those that are not."""
    absent = (~is_there & is_there.any(axis=1, keepdims=True)).astype(float)
    weight = absent * nation[None, :]
    weight = np.where(weight.sum(axis=1, keepdims=True) > 0, weight, absent)
    rest = np.maximum(division - known.sum(axis=1), 0.0)
    result: Floats = rest[:, None] * weight / np.maximum(weight.sum(axis=1, keepdims=True), 1e-300)
    return result


def _or_even(weights: Floats) -> Floats:
    return weights if weights.sum() > 0 else np.ones(weights.size)


@dataclass(frozen=True)
class _Country:
    """One country: its areas (`rows` of the grid), what is spread in each block, and what tells how."""

    grid: AreaGrid
    blocks: Blocks
    rows: Integers
    totals: Floats
    mix: ClassShares
    structures: list[Structure]
    year: int

    @cached_property
    def codes(self) -> list[str]:
        return [self.grid.areas[row].code for row in self.rows.tolist()]

    @cached_property
    def finest(self) -> Integers:
        """Positions of the regions at the finest level, or of the country if it has none."""
        longest = max(len(code) for code in self.codes)
        return np.array([number for number, code in enumerate(self.codes) if len(code) == longest], np.int64)

    @cached_property
    def shares(self) -> Floats:
        return colocation.shares(self.mix.amounts, self.blocks.of_class, len(self.blocks.names))

    @cached_property
    def own_shares(self) -> tuple[Floats, Origin | None]:
        codes = [self.codes[number] for number in self.finest.tolist()]
        if len(codes[0]) == 2:
            return np.zeros((1, len(self.blocks.classes))), None
        return regional_shares(self.structures, codes, codes[0][:2], self.year, self.blocks.of_class)

    @property
    def own_origin(self) -> tuple[Origin, ...]:
        return () if self.own_shares[1] is None else (self.own_shares[1],)

    def spread(self) -> tuple[Floats, Booleans]:
        """Areas × classes: the persons, and where the area's own make-up gave them."""
        value = np.zeros((self.rows.size, len(self.blocks.classes)))
        own = np.zeros(value.shape, bool)
        value[self.finest], own[self.finest] = self._regions()
        for number in sorted(set(range(self.rows.size)) - set(self.finest.tolist()), key=lambda n: self.codes[n]):
            inside = [n for n in self.finest.tolist() if self.codes[n].startswith(self.codes[number])]
            value[number] = self._made_up_as(number, value[inside].sum(axis=0))
            own[number] = own[inside].any(axis=0)
        return value, own

    def _made_up_as(self, number: int, amounts: Floats) -> Floats:
        """An area made up as the regions in it; as the country where these have nothing of a block."""
        of_class = self.blocks.of_class
        within = colocation.shares(amounts, of_class, len(self.blocks.names))
        has_any = np.bincount(of_class, within, minlength=len(self.blocks.names))[of_class] > 0
        result: Floats = self.totals[number][of_class] * np.where(has_any, within, self.shares)
        return result

    def _regions(self) -> tuple[Floats, Booleans]:
        of_class = self.blocks.of_class
        totals = self.totals[self.finest]
        own, origin = self.own_shares
        has_own = colocation.block_sums(own, of_class, len(self.blocks.names)) > 0
        rest = colocation.spread(np.where(has_own, 0.0, totals), self.shares, of_class, self._ratios())
        covered = np.where(has_own, totals, 0.0)
        # Classes of another year follow the country's change since, where the country has classes of its own source.
        if origin is not None and origin.year != self.year:
            moved = self._is_of_this_year[of_class] & (self.shares > 0)
            bend = np.where(moved[None, :], colocation.ratio(own, np.tile(self.shares, (own.shape[0], 1))), 0.0)
            follows = self._is_of_this_year
            carried = colocation.spread(np.where(follows, covered, 0.0), self.shares, of_class, bend)
            rest = rest + carried
            covered = np.where(follows, 0.0, covered)
        return rest + covered[:, of_class] * own, has_own[:, of_class]

    @cached_property
    def _is_of_this_year(self) -> Booleans:
        """Blocks whose national make-up is the country's own, of the year in question."""
        current = np.array([one.year == self.year and one.is_own for one in self.mix.origins])[self.mix.origin]
        return np.bincount(self.blocks.of_class, current, minlength=len(self.blocks.names)) > 0

    def _ratios(self) -> Floats:
        """How the pattern bends the make-up of each region; 1 where there is one region, or another classification."""
        regions = self.finest.size
        if regions < 2 or self.blocks.scheme != "nace2":
            return np.ones((regions, len(self.blocks.classes)))
        names = tuple(self.blocks.divisions)
        by_division = np.stack([self.totals[self.finest][:, m].sum(axis=1) for m in self.blocks.divisions.values()], 1)
        found, is_there = colocation.known_features(names)
        amounts = np.where(is_there[None, :], by_division[:, found], 0.0)
        pattern = colocation.us_pattern().for_leaves(self.blocks.classes)
        return pattern.ratios(colocation.profile(amounts), self._sizes())

    def _sizes(self) -> Floats:
        """Average size of the local units in each class's block, where they are counted (see `colocation.sizes`)."""
        column = np.array([self.blocks.columns.get(name, -1) for name in self.blocks.names], np.int64)
        units = np.where(column >= 0, self.grid.units[self.rows[self.finest]][:, column], np.nan)
        return colocation.sizes(self.totals[self.finest], units)[:, self.blocks.of_class]
