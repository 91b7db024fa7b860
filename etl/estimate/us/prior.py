"""What a withheld cell is expected to be before anything has to add up: lognormal, cut to its range.

Three things speak of a cell, each with its own spread, measured on the cells that are known: its establishments times
their usual size (by size class where the file has them, else by industry and region above), its payroll over the usual
pay, and its figure of the year before. They are put together by precision, on the logarithm, where errors are roughly
normal. The prior of a cell is the mean of that distribution between the cell's bounds: a figure outside its range is
drawn inside by as much as its spread says, not put on the edge.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr

from etl.estimate.common.tree import Floats, Integers

SMALLEST = 0.25
"""Persons: a cell with establishments has no smaller expectation, so that the logarithm exists."""

_BINS = 16
_ENOUGH = 30


@dataclass(frozen=True, slots=True)
class PriorExpectation:
    """Mean of the figure and standard deviation of its logarithm; NaN where nothing is known."""

    mean: Floats
    scale: Floats

    def combined(self, other: "PriorExpectation") -> "PriorExpectation":
        """Both by precision; where one is unknown, the other."""
        own, its = (np.where(np.isnan(one.mean), 0.0, one.scale**-2.0) for one in (self, other))
        logs = [np.log(np.where(np.isnan(one.mean), 1.0, one.mean)) for one in (self, other)]
        precision = own + its
        known = precision > 0
        precision = np.where(known, precision, 1.0)
        mean = np.exp((logs[0] * own + logs[1] * its) / precision)
        return PriorExpectation(np.where(known, mean, np.nan), np.where(known, precision**-0.5, np.nan))


def size_bins(establishments: Floats) -> Integers:
    """Bins of establishments, by powers of two."""
    return np.clip(np.log2(np.maximum(establishments, 1.0)), 0, _BINS - 1).astype(np.int64)


def scale_by_size(actual: Floats, expected: Floats, establishments: Floats, of_one: float) -> Floats:
    """Standard deviation of log(actual / expected) by bin of establishments, measured on these cells.

    Few establishments differ much, many little. Where too few cells tell, `of_one` / n^0.27 with n the establishments,
    which fits County Business Patterns.
    """
    bins = size_bins(establishments)
    error = np.log(np.maximum(actual, 0.5) / expected)
    count = np.bincount(bins, minlength=_BINS)
    mean = np.bincount(bins, error, minlength=_BINS) / np.maximum(count, 1)
    square = np.bincount(bins, error**2, minlength=_BINS) / np.maximum(count, 1)
    usual = of_one * (1.4 * 2.0 ** np.arange(_BINS)) ** -0.27
    result: Floats = np.where(count >= _ENOUGH, np.sqrt(np.maximum(square - mean**2, 0.0025)), usual)
    return result


def truncated(expected: PriorExpectation, low: Floats, high: Floats) -> tuple[Floats, Floats]:
    """Mean and variance of each lognormal between its bounds, a whole person's width added to them.

    Where the bounds lie so far out that nothing is left of the distribution, near the nearer bound.
    """
    scale = expected.scale
    location = np.log(expected.mean) - scale**2 / 2
    lower = (np.log(np.maximum(low - 0.5, 1e-3)) - location) / scale
    upper = (np.log(high + 0.5) - location) / scale
    mass = _between(lower, upper)
    possible = mass > 1e-12
    divisor = np.where(possible, mass, 1.0)
    mean = expected.mean * _between(lower - scale, upper - scale) / divisor
    square = expected.mean**2 * np.exp(scale**2) * _between(lower - 2 * scale, upper - 2 * scale) / divisor
    width = high - low
    edge = np.where(expected.mean < low, low + 0.05 * width, high - 0.05 * width)
    mean = np.clip(np.where(possible, mean, edge), low, high)
    variance = np.where(possible, square - mean**2, (0.1 * width) ** 2)
    return mean, np.clip(variance, 1e-6, (width / 2 + 0.5) ** 2)


def _between(lower: Floats, upper: Floats) -> Floats:
    """Normal probability between two points, precise in both tails."""
    flip = lower > 0
    result: Floats = ndtr(np.where(flip, -lower, upper)) - ndtr(np.where(flip, -upper, lower))
    return result
