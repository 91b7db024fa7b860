"""How good the estimates are: printed cells are hidden as the publisher would, estimated, and compared.

Cells are hidden with the pattern of the withheld ones (by establishments), turned into the range letter where the
source-year has letters, and estimated with everything else as it is. Cells that their sums give away exactly are left
out: what is published of those is exact too.
"""

from dataclasses import dataclass, replace

import numpy as np

from etl.estimate.common.bounds import UNBOUNDED, exact
from etl.estimate.common.tree import Booleans, Floats, Integers
from etl.estimate.us.bands import Calibration, band, remaining_deviation, strata
from etl.estimate.us.problem import Problem
from etl.estimate.us.solve import solve
from etl.sources.census_disclosure import RANGES

SEED = 20_190_312
SHARE = 0.1
"""Share of the printed leaves that is hidden."""

MOST = 0.3
"""Share of the printed leaves of a stratum that is hidden at most."""

LARGEST = 200_000
"""Cells; of a larger table the hold-out takes whole states, drawn by lot, up to about so many."""


@dataclass(frozen=True, slots=True)
class HoldOut:
    """Held-out cells that were not given away: truth, estimate, mid-point of the letter (NaN in a year without
    letters); whether the band set on the other half covers the truth; where they are."""

    truth: Floats
    estimate: Floats
    midpoint: Floats
    is_covered: Booleans
    sector: Integers
    region_level: Integers
    calibration: Calibration


def hold_out(problem: Problem) -> HoldOut:
    """Hide, estimate and compare; the same cells at every run."""
    rng = np.random.default_rng(SEED)
    problem = _some_states(problem, rng)
    hidden = _chosen(problem, rng)
    truth = problem.low[hidden]
    has_letters = bool((_is_withheld(problem) & (problem.high < UNBOUNDED)).any())
    letter_low, letter_high = letter_range(truth)
    masked = replace(problem, low=problem.low.copy(), high=problem.high.copy(), payroll=problem.payroll.copy())
    masked.low[hidden] = letter_low if has_letters else 0.0
    masked.high[hidden] = letter_high if has_letters else UNBOUNDED
    masked.payroll[hidden[rng.random(hidden.size) < _share_without_payroll(problem)]] = np.nan
    solution = solve(masked)
    kept = ~exact(solution.low[hidden], solution.high[hidden])
    hidden, truth = hidden[kept], truth[kept]
    stratum = strata(problem, hidden)
    error = np.abs(solution.value[hidden] - truth)
    distance = error / np.maximum(remaining_deviation(solution)[hidden], 1e-9)
    half = rng.random(hidden.size) < 0.5
    is_covered = np.zeros(hidden.size, bool)
    for own in (half, ~half):
        ends = band(masked, solution, Calibration.of(distance[~own], stratum[~own]))
        is_covered[own] = ((ends[0][hidden] <= truth) & (truth <= ends[1][hidden]))[own]
    return HoldOut(
        truth,
        solution.value[hidden],
        midpoint(truth) if has_letters else np.full(truth.size, np.nan),
        is_covered,
        problem.sector[hidden],
        problem.region_level[hidden],
        Calibration.of(distance, stratum),
    )


def letter_range(figure: Floats) -> tuple[Floats, Floats]:
    """The range of the letter that County Business Patterns would print for each figure."""
    ranges = np.array(list(RANGES.values()), np.float64)
    letter = np.searchsorted(ranges[:, 0], figure, side="right") - 1
    return ranges[letter, 0], np.nan_to_num(ranges[letter, 1], nan=UNBOUNDED)


def midpoint(figure: Floats) -> Floats:
    """What the mid-point rule puts for each figure were it withheld; the lower end where the range is open."""
    low, high = letter_range(figure)
    return np.where(high < UNBOUNDED, np.round((low + high + 0.5) / 2), low)


def _some_states(problem: Problem, rng: np.random.Generator) -> Problem:
    """Whole states by lot, up to about LARGEST cells; everything where it is no more than that."""
    if problem.low.size <= LARGEST:
        return problem
    cells = np.bincount(problem.state[problem.state >= 0])
    drawn = rng.permutation(cells.size)
    last = int(np.searchsorted(np.cumsum(cells[drawn]), LARGEST)) + 1
    return problem.take(np.flatnonzero(np.isin(problem.state, drawn[:last])))


def _is_withheld(problem: Problem) -> Booleans:
    return problem.is_published & (problem.high > problem.low)


def _candidates(problem: Problem) -> Booleans:
    """Leaves below the nation that are printed and not zero."""
    is_printed: Booleans = problem.is_published & (problem.high == problem.low) & (problem.low > 0)
    return is_printed & problem.is_leaf & (problem.region_level > 0)


def _chosen(problem: Problem, rng: np.random.Generator) -> Integers:
    """Printed leaves drawn so that they are spread over the strata as the withheld leaves are."""
    stratum = strata(problem)
    printed = np.flatnonzero(_candidates(problem))
    withheld = _is_withheld(problem) & problem.is_leaf & (problem.region_level > 0)
    wanted = np.bincount(stratum[withheld], minlength=stratum.max(initial=0) + 1).astype(np.float64)
    offered = np.bincount(stratum[printed], minlength=wanted.size)
    if not wanted.sum() or not printed.size:
        return np.zeros(0, np.int64)
    rate = np.divide(wanted, offered, out=np.zeros_like(wanted), where=offered > 0)
    chance = _chances(rate, offered, SHARE * printed.size)[stratum[printed]]
    chosen: Integers = printed[rng.random(printed.size) < chance]
    return chosen


def _chances(rate: Floats, offered: Integers, target: float) -> Floats:
    """Chances in proportion to `rate`, none above MOST, that yield about `target` cells of those offered."""
    least, most = 0.0, 1e12
    for _ in range(80):
        factor = (least + most) / 2 if least else most / 2
        if (np.minimum(rate * factor, MOST) * offered).sum() > target:
            most = factor
        else:
            least = factor
    return np.minimum(rate * most, MOST)


def _share_without_payroll(problem: Problem) -> float:
    """Of the withheld leaves, the share whose payroll is withheld too."""
    withheld = _is_withheld(problem) & problem.is_leaf
    return float(np.isnan(problem.payroll[withheld]).mean()) if withheld.any() else 1.0
