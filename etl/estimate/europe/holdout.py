"""Held-out cells: how good completed cells of this source-year are, measured by hiding published ones.

Regional divisions are hidden, more often where the publisher hides more, together with the rows that repeat the same
territory and the groups below. Only those count whose bounds leave something to estimate: others can be had by
subtraction, as publishers take care that theirs cannot.
"""

from dataclasses import dataclass, replace

import numpy as np

from etl.estimate.common.tree import Booleans, Floats
from etl.estimate.europe import bands
from etl.estimate.europe.grid import AreaGrid, area_tree
from etl.estimate.europe.imputation import impute
from etl.reference.nace import nace_levels, nace_section
from etl.uncertainty.grades import WITHIN_B

#: Share of cells hidden at a time, and how often.
SHARE = 0.06
ROUNDS = 4
#: Cells needed to calibrate.
ENOUGH = 400
#: Missing rate added to every industry, so that all can be hidden.
_BASE_RATE = 0.02


@dataclass(frozen=True, slots=True)
class HeldOut:
    """Held-out cells: what was estimated, its bounds, the truth, and the section of each; `round` is 0, 1, 2 …"""

    value: Floats
    low: Floats
    high: Floats
    truth: Floats
    section: np.ndarray
    round: np.ndarray

    @property
    def is_enough(self) -> bool:
        """Whether the band can be calibrated on them."""
        return self.value.size >= ENOUGH

    @property
    def q(self) -> float:
        """The factor of the band (see `europe_bands`) that holds 80 % of the truths."""
        return self._q_of(np.ones(self.value.size, bool)) if self.is_enough else bands.DEFAULT_Q

    def _q_of(self, chosen: Booleans) -> float:
        distance = np.abs(self.value - self.truth) / bands.completed_scale(self.value, self.low, self.high)
        return float(np.quantile(distance[chosen], bands.LEVEL))

    @property
    def is_covered(self) -> Booleans:
        """Whether the band holds the truth; its factor is that of the other half of the rounds."""
        first = self.round < ROUNDS // 2
        q = np.where(first, self._q_of(~first), self._q_of(first)) if self.is_enough else np.full(first.size, self.q)
        low, high = bands.completed(self.value, self.low, self.high, q)
        result: Booleans = (self.truth >= low) & (self.truth <= high)
        return result

    def represents(self, grid: AreaGrid) -> Booleans:
        """Cells like those held out: divisions of NUTS 2 regions whose country publishes the division.

        None where too few could be held out.
        """
        if not self.is_enough:
            return grid.present & False
        nation = grid.nation
        is_told = grid.is_known[nation] & (nation >= 0)[:, None]
        return grid.members("nuts2")[:, None] & _divisions(grid)[None, :] & is_told

    def quality(self, section: str | None) -> dict[str, object]:
        """Error and coverage in a section, or in all: columns of table estimate_quality, from `cells` on.

        The band is calibrated over all sections together, not within each.
        """
        chosen = np.ones(self.value.size, bool) if section is None else self.section == section
        truth = self.truth[chosen]
        hits, cells = int(self.is_covered[chosen].sum()), int(chosen.sum())
        ends = bands.interval(hits, cells)
        finite = chosen & np.isfinite(self.high)
        middle = (self.low + self.high)[finite] / 2
        return {
            "cells": cells,
            "weighted_error": _over(np.abs(self.value[chosen] - truth).sum(), truth.sum()),
            "midpoint_error": _over(np.abs(middle - self.truth[finite]).sum(), self.truth[finite].sum()),
            "band_coverage": hits / cells if cells else None,
            "band_coverage_low": ends[0],
            "band_coverage_high": ends[1],
            "is_calibrated": self.is_enough and section is None,
        }


def _over(error: float, total: float) -> float | None:
    return float(error / total) if total > 0 else None


def hold_out(grid: AreaGrid) -> HeldOut:
    """Hide published regional divisions in several rounds and estimate them; no cells where nothing is withheld."""
    is_division = _divisions(grid)
    is_region = grid.members("nuts2")
    withheld = grid.present & ~grid.is_known
    eligible = grid.is_known & is_division[None, :] & is_region[:, None]
    parts = []
    if eligible.any() and withheld[np.ix_(is_region, is_division)].any():
        rate = withheld[is_region].sum(axis=0) / np.maximum(grid.present[is_region].sum(axis=0), 1) + _BASE_RATE
        chance = SHARE * rate / rate[is_division].mean()
        parts = [_round(grid, eligible & (_draws(grid, n) < chance[None, :]), n) for n in range(ROUNDS)]
    return HeldOut(*(np.concatenate(columns) for columns in zip(*parts, strict=True))) if parts else _nothing()


def _divisions(grid: AreaGrid) -> Booleans:
    levels = nace_levels(grid.industry_scheme)
    return np.array([levels.get(code) == "division" for code in grid.industries], bool)


def _draws(grid: AreaGrid, number: int) -> Floats:
    return np.random.default_rng(number).random(grid.row.shape)


def _nothing() -> HeldOut:
    empty = np.empty(0)
    return HeldOut(empty, empty, empty, empty, np.empty(0, object), np.empty(0, int))


def _round(
    grid: AreaGrid, hidden: Booleans, number: int
) -> tuple[Floats, Floats, Floats, Floats, np.ndarray, np.ndarray]:
    done = impute(_without(grid, hidden))
    height, width = grid.row.shape
    value, low, high = (part[:height, :width][hidden] for part in (done.value, done.low, done.high))
    open_ = (high - low) / 2 > np.maximum(WITHIN_B * value, 2.0)
    column = np.nonzero(hidden)[1]
    section = np.array([nace_section(code, grid.industry_scheme) for code in grid.industries], object)[column]
    truth = grid.figure[hidden]
    return value[open_], low[open_], high[open_], truth[open_], section[open_], np.full(int(open_.sum()), number)


def _without(grid: AreaGrid, hidden: Booleans) -> AreaGrid:
    """The grid with cells hidden, with the areas above that are the same territory and the groups below."""
    parent = area_tree(grid)
    members = np.bincount(parent[parent >= 0], minlength=parent.size)
    all_hidden = hidden.ravel().copy()
    for _ in range(2):
        above = parent[all_hidden]
        above = above[above >= 0]
        all_hidden[above[members[above] == 1]] = True
    result = all_hidden.reshape(hidden.shape)
    place = {code: number for number, code in enumerate(grid.industries)}
    for code, number in place.items():
        if len(code) > 2 and code[:2] in place:
            result[:, number] |= result[:, place[code[:2]]]
    result &= grid.is_known
    return replace(
        grid,
        figure=np.where(result, np.nan, grid.figure),
        low=np.where(result, 0.0, grid.low),
        high=np.where(result, np.inf, grid.high),
    )
