"""The 80 % band of an estimate, and its calibration on cells hidden on purpose."""

from dataclasses import dataclass

import numpy as np

from etl.estimate.common.tree import Booleans, Floats, Integers
from etl.estimate.us.problem import Problem
from etl.estimate.us.solve import Solution

COVERAGE = 0.8
"""Share of the true values that the band is to hold."""

NORMAL = 1.2816
"""Half-width, in standard deviations, of an 80 % band where no hold-out tells better: the normal distribution's."""

SIZES, LEVELS = 8, 3
"""Cells are calibrated by level of their region and by establishments: 1, 2-3, 4-7 … 128 and more."""

ENOUGH = 50
"""Held-out cells from which a stratum is calibrated."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """By stratum, the half-width of the band in standard deviations and whether enough held-out cells set it."""

    width: Floats
    is_calibrated: Booleans

    @classmethod
    def of(cls, distance: Floats, stratum: Integers) -> "Calibration":
        """From the distances of held-out truths to their estimates, in standard deviations.

        A stratum with few takes its width from all of its level, a level with few from all there are.
        """
        width, enough = np.empty(LEVELS * SIZES), np.zeros(LEVELS * SIZES, bool)
        everywhere = _quantile(distance, NORMAL)
        for level in range(LEVELS):
            of_level = _quantile(distance[stratum // SIZES == level], everywhere)
            for number in range(level * SIZES, (level + 1) * SIZES):
                own = distance[stratum == number]
                width[number], enough[number] = _quantile(own, of_level), own.size >= ENOUGH
        return cls(width, enough)


def _quantile(distance: Floats, otherwise: float) -> float:
    return float(np.quantile(distance, COVERAGE)) if distance.size >= ENOUGH else otherwise


def strata(problem: Problem, cells: Integers | slice = slice(None)) -> Integers:
    """The stratum of each cell."""
    sizes = np.clip(np.log2(np.maximum(problem.establishments[cells], 1.0)), 0, SIZES - 1).astype(np.int64)
    return problem.region_level[cells] * SIZES + sizes


def remaining_deviation(solution: Solution) -> Floats:
    """Standard deviation left to each cell after it was made to add up.

    A cell that gives way alone in its sum is pinned by it; one among many others is hardly: of its variance its own
    share in the variance of the members goes, for each tree.
    """
    variance = solution.variance
    free = np.flatnonzero(variance > 0)
    remaining = variance[free]
    for parent in solution.parents:
        above = parent[free]
        member = above >= 0
        total = np.bincount(above[member], variance[free[member]], minlength=parent.size)[above[member]]
        remaining[member] *= 1.0 - variance[free[member]] / total
    result = np.zeros(variance.size)
    # A cell that is pinned by sums which are themselves uncertain keeps some of its variance.
    result[free] = np.sqrt(np.maximum(remaining, 0.01 * variance[free]))
    return result


def band(problem: Problem, solution: Solution, calibration: Calibration) -> tuple[Floats, Floats]:
    """Lower and upper end, within the bounds; NaN where a cell is exact."""
    free = np.flatnonzero(solution.variance > 0)
    half = calibration.width[strata(problem, free)] * remaining_deviation(solution)[free]
    low, high = np.full(solution.value.size, np.nan), np.full(solution.value.size, np.nan)
    low[free] = np.maximum(solution.value[free] - half, solution.low[free])
    high[free] = np.minimum(solution.value[free] + half, solution.high[free])
    return low, high
