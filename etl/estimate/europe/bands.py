"""80 % bands and grades of European estimates.

Completed cells: estimate ± q × √((estimate + 5) × width of the bounds), q from cells held out in the same source-year.

Classes: the factors below by size of the estimate, times √(1 − share of the block), times a number by where the make-up
comes from. The factors were calibrated on US states spread by patterns that never saw them (2019 to 2021); Great
Britain, which had no part in it, then has 79 % of its classes inside (2015, 2017 to 2019, 2021). The numbers for other
origins are those that give Great Britain 80 %.
"""

import numpy as np

from etl.estimate.common.tree import Booleans, Floats, Integers

#: Share of truths that bands are made to hold.
LEVEL = 0.8

#: q where too few cells could be held out: the value of 2015.
DEFAULT_Q = 0.45
_SMALL = 5.0

#: Relative distance of the band's ends from the estimate, by estimate in persons (between them by logarithm).
SIZES = np.array([1.0, 10.0, 30.0, 100.0, 300.0, 1000.0, 3000.0, 10000.0, 30000.0])
DOWN = np.array([1.03, 1.02, 1.02, 1.01, 0.88, 0.63, 0.48, 0.36, 0.27])
UP = np.array([1.20, 1.53, 1.34, 1.16, 0.86, 0.63, 0.45, 0.35, 0.26])

#: By origin of the make-up: the nation's own; another country's (Great Britain by US shares: 80 % at 1.9); equal parts.
NATIONAL, FOREIGN, EQUAL = 1.0, 2.0, 3.0

#: From the best to the worst, and the half-width up to which B and C are given.
GRADES = ("A", "B", "C", "D")
A, B, C, D = range(4)
GRADE_B, GRADE_C = 0.10, 0.35


def own_region(distance: int) -> float:
    """Factor for the region's own make-up, `distance` years away (Great Britain: 0.50 for one, 0.75 for six)."""
    return 0.45 + 0.05 * distance


def completed(value: Floats, low: Floats, high: Floats, q: Floats | float) -> tuple[Floats, Floats]:
    """Ends of the band of completed cells, within their bounds; the cell itself where the bounds meet."""
    half = q * completed_scale(value, low, high)
    return np.maximum(value - half, low), np.minimum(value + half, high)


def completed_scale(value: Floats, low: Floats, high: Floats) -> Floats:
    """What q multiplies; an unknown upper bound counts as ten times the estimate."""
    width = np.where(np.isfinite(high), high, 10.0 * (value + _SMALL)) - low
    result: Floats = np.sqrt((value + _SMALL) * np.maximum(width, 0.0))
    return result


def classes(value: Floats, block: Floats, factor: Floats) -> tuple[Floats, Floats]:
    """Relative distance of the band's ends below and above the estimate of a class in a block, both positive."""
    share = np.divide(value, block, out=np.zeros_like(value), where=block > 0)
    scale = factor * np.sqrt(np.maximum(1.0 - share, 0.0))
    size = np.log(np.maximum(value, 1e-9))
    return scale * np.interp(size, np.log(SIZES), DOWN), scale * np.interp(size, np.log(SIZES), UP)


def grades(value: Floats, low: Floats, high: Floats, is_exact: Booleans, best: Integers | int = B) -> Integers:
    """Positions in GRADES: A exact; by half the width of `low` to `high` beside the value B, C or D.

    `best`: nothing but an exact figure gets a better grade.
    """
    half = np.divide((high - low) / 2, value, out=np.full_like(value, np.inf), where=value > 0)
    grade = np.where(half <= GRADE_B, B, np.where(half <= GRADE_C, C, D))
    result: Integers = np.where(is_exact, A, np.maximum(grade, best))
    return result


def interval(hits: int, cells: int, z: float = 2.576) -> tuple[float, float]:
    """Wilson's interval of a share, 99 % by default; 0 to 1 without cells."""
    if cells == 0:
        return 0.0, 1.0
    share = hits / cells
    centre = share + z * z / (2 * cells)
    spread = z * np.sqrt(share * (1 - share) / cells + z * z / (4 * cells * cells))
    scale = 1 + z * z / cells
    return float((centre - spread) / scale), float((centre + spread) / scale)
