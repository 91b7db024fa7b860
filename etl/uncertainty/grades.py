"""The grade of a figure: the one rule.

| grade | rule |
|---|---|
| A | printed or exact by subtraction, and every industry of it belongs wholly to it |
| B | half the 80 % band is at most 10 % of the figure |
| C | at most 35 % |
| D | wider |

Where nothing like the figure was held out, it has no band and its hard bounds stand in for it: B or C only where they
alone hold it so close, D where nothing bounds it.

No grade is better than that of what the figure was made from, nor than the publisher's own doubt allows (`best`).
"""

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Floats = npt.NDArray[np.float64]
Booleans = npt.NDArray[np.bool_]
Grades = npt.NDArray[np.int8]

LETTERS = ("A", "B", "C", "D")
A, B, C, D = range(4)

#: Half-width of the 80 % band over the figure up to which B and C are given.
WITHIN_B, WITHIN_C = 0.10, 0.35

#: Share of a figure that may rest on parts of which nothing like them was held out: above it, there is no band.
UNKNOWN_SHARE = 0.10

#: The publisher's own doubt about a figure, as Eurostat marks it, in words; and the best grade that leaves.
DOUBTS = {"p": "provisional", "e": "estimated", "s": "estimated by Eurostat", "u": "unreliable", "f": "forecast"}
BEST_WITH_DOUBT = {"provisional": B, "estimated": C, "estimated by Eurostat": C, "unreliable": D, "forecast": D}

#: Doubts from none to the gravest; among several marks the gravest counts.
BY_GRAVITY: tuple[str | None, ...] = (None, *BEST_WITH_DOUBT)


def _half_width(value: Floats, low: Floats, high: Floats) -> Floats:
    """Half of low to high over the value; infinite where either end is unknown, 0 where both ends are the value."""
    half = (high - low) / 2
    width = np.divide(half, np.abs(value), out=np.full(np.shape(value), np.inf), where=np.abs(value) > 0)
    return np.where(half == 0, 0.0, np.where(np.isnan(width), np.inf, width))


def grade_of(
    value: Floats,
    band: tuple[Floats, Floats],
    bounds: tuple[Floats, Floats],
    is_exact: Booleans,
    best: Grades | npt.NDArray[np.int64] | int = A,
) -> Grades:
    """Positions in LETTERS; the rule of the module.

    `band`, `bounds`: lower and upper ends, NaN where unknown. `is_exact`: printed or exact, and belonging whole to the
    figure; `best`: nothing gets a better grade.
    """
    of_band, of_bounds = (_half_width(value, *ends) for ends in (band, bounds))
    width = np.where(np.isnan(band[0]) | np.isnan(band[1]), of_bounds, of_band)
    level = np.where(is_exact, A, np.where(width <= WITHIN_B, B, np.where(width <= WITHIN_C, C, D)))
    return np.maximum(level, best).astype(np.int8)


def spelled(grades: Grades, is_null: Booleans | None = None) -> pa.DictionaryArray:
    """Grades as a column of letters, null where there is no figure."""
    return pa.DictionaryArray.from_arrays(pa.array(grades.astype(np.int8), mask=is_null), pa.array(LETTERS))


def known_bounds(low: Floats, high: Floats) -> tuple[Floats, Floats]:
    """Bounds that say something: NaN instead of infinite, and instead of a lower bound of 0 without an upper one."""
    open_above = ~np.isfinite(high)
    says_nothing = open_above & ~(low > 0)
    return np.where(says_nothing, np.nan, low), np.where(open_above, np.nan, high)


def doubt_of(mark: str | None) -> int:
    """The gravest doubt among the publisher's marks of a figure (`e`, `bp@u`), as a position in BY_GRAVITY."""
    letters = (mark or "").partition("@")[0]
    return max((BY_GRAVITY.index(DOUBTS[letter]) for letter in letters if letter in DOUBTS), default=0)
