"""How County Business Patterns marks its figures: range letters, noise flags, and zeros that are no zeros.

Two ways in one series. Range letters (`empflag`, to 2017): the figure is withheld, printed as 0, and the letter gives
the range it lies in. Noise flags (`emp_nf`, `ap_nf`, from 2007): the figure is printed with noise of a stated size, or
withheld (D confidential, S below publication standards, N not available). Both may mark one cell. Source: record
layouts of County Business Patterns; checked on the files of 2001, 2005, 2009 to 2011 and 2017.
"""

from dataclasses import dataclass
from math import nan

import numpy as np

from etl.sources.tabular import Block, CodeNumbers
from etl.sources.us_cells import NOISED, REPORTED, WITHHELD, Floats, Numbers, Statuses

RANGES: dict[str, tuple[float, float]] = {
    "A": (0, 19),
    "B": (20, 99),
    "C": (100, 249),
    "E": (250, 499),
    "F": (500, 999),
    "G": (1_000, 2_499),
    "H": (2_500, 4_999),
    "I": (5_000, 9_999),
    "J": (10_000, 24_999),
    "K": (25_000, 49_999),
    "L": (50_000, 99_999),
    "M": (100_000, nan),
}
"""Persons by range letter, ends included; M has no upper end."""

NOISE: dict[str, tuple[float, float]] = {"G": (0.98, 1.02), "H": (0.95, 1.05), "J": (0.0, nan)}
"""Lowest and highest true figure, as multiples of the printed one. J is noise of 5 % or more: nothing bounds it."""

WITHHELD_MARKS = frozenset("DSN")
"""Marks, in either column, of a withheld figure without a range."""

UNMARKED = frozenset({"", "r"})
"""No mark, or `r` for a revised figure: the figure is as printed."""


@dataclass(frozen=True, slots=True)
class Mark:
    """What a pair of marks says: a status, and bounds: of a withheld figure as numbers, else as multiples of it."""

    status: int
    low: float = 0.0
    high: float = nan
    low_factor: float = 1.0
    high_factor: float = 1.0


def mark(letter: str, noise: str) -> Mark:
    """Read a pair of known marks: range letter and noise flag, each empty where there is none."""
    if letter in RANGES:
        return Mark(WITHHELD, *RANGES[letter])
    if letter in WITHHELD_MARKS or noise in WITHHELD_MARKS:
        return Mark(WITHHELD)
    if noise in NOISE:
        return Mark(NOISED, 0.0, nan, *NOISE[noise])
    return Mark(REPORTED)


@dataclass(frozen=True, slots=True)
class Disclosed:
    """Figures with their status: `figure` is NaN where withheld. Bounds and flags are worked out where they are wanted.

    `pairs` numbers each row's pair of marks, `marks` says what each pair means, `pair_flags` is its flag as found.
    """

    figure: Floats
    status: Statuses
    pairs: Numbers
    marks: list[Mark]
    pair_flags: list[int]

    @property
    def low(self) -> Floats:
        """Lowest true figure."""
        return self._bound("low", "low_factor")

    @property
    def high(self) -> Floats:
        """Highest true figure; NaN where nothing bounds it."""
        return self._bound("high", "high_factor")

    @property
    def flag(self) -> Numbers:
        """The number of the flag of each row."""
        flags: Numbers = np.array(self.pair_flags, np.int16)[self.pairs]
        return flags

    def _bound(self, withheld: str, factor: str) -> Floats:
        of_withheld, factors = (
            np.array([getattr(one, name) for one in self.marks], np.float64) for name in (withheld, factor)
        )
        return np.where(self.status == WITHHELD, of_withheld[self.pairs], self.figure * factors[self.pairs])


class Marks:
    """Reads the two columns of marks of one file, block by block, and lists the flags as found."""

    def __init__(self) -> None:
        self._letters = CodeNumbers(_letter)
        self._noise = CodeNumbers(_noise_flag)
        self.flags = CodeNumbers(str)

    def disclose(
        self,
        block: Block,
        figure_column: str,
        letter_column: str | None,
        noise_column: str,
        *,
        is_zero_printed: bool,
    ) -> Disclosed:
        """Tell figures from withheld ones, row by row; flags as found, noise flag and range letter joined by `|`.

        An empty figure is withheld. So is a zero without any mark where there are establishments, unless
        `is_zero_printed`: a file that has the column of range letters, and leaves it blank, does print a zero.
        Raises SourceFormatError for an unknown mark.
        """
        printed = block.floats(figure_column)
        pairs, texts = self._pairs(block, letter_column, noise_column)
        marks = [mark(letter, noise) for letter, noise in texts]
        status = np.array([one.status for one in marks], np.int8)[pairs]
        unprinted = np.isnan(printed)
        if not is_zero_printed:
            unprinted |= (status == REPORTED) & (printed == 0) & (block.floats("est") > 0)
        unprinted &= status != WITHHELD
        status[unprinted] = WITHHELD
        flags = [self.flags.number("|".join(filter(None, (noise, letter)))) for letter, noise in texts]
        return Disclosed(np.where(status == WITHHELD, nan, printed), status, pairs, marks, flags)

    def _pairs(
        self, block: Block, letter_column: str | None, noise_column: str
    ) -> tuple[Numbers, list[tuple[str, str]]]:
        """Number each row's pair of marks, and list the pairs in use."""
        letters = _numbers(self._letters, block, letter_column)
        noise = _numbers(self._noise, block, noise_column)
        texts = [(letter, flag) for letter in self._letters.values for flag in self._noise.values]
        pair = letters.astype(np.int32) * len(self._noise.values) + noise
        is_used = np.bincount(pair, minlength=len(texts)) > 0
        number = np.cumsum(is_used, dtype=np.int16) - 1
        return number[pair], [text for text, used in zip(texts, is_used, strict=True) if used]


def _numbers(codes: CodeNumbers, block: Block, column: str | None) -> Numbers:
    if column is None or not block.has(column):
        return np.full(block.rows.num_rows, codes.number(""), np.int16)
    return codes.of(block, column)


def _letter(text: str) -> str:
    if text in RANGES or text in WITHHELD_MARKS or text in UNMARKED:
        return text
    raise LookupError(f"{text!r} is no range letter of County Business Patterns")


def _noise_flag(text: str) -> str:
    if text in NOISE or text in WITHHELD_MARKS or text in UNMARKED:
        return text
    raise LookupError(f"{text!r} is no noise flag of County Business Patterns")
