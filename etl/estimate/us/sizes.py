"""Establishments by size class: bounds of a cell's employment, and what it is expected to be."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from etl.estimate.common.bounds import UNBOUNDED
from etl.estimate.common.tree import Floats, Integers
from etl.estimate.us.prior import SMALLEST, PriorExpectation

CLASSES: dict[str, tuple[float, float]] = {
    "establishments_1_4": (0, 4),
    "establishments_5_9": (5, 9),
    "establishments_10_19": (10, 19),
    "establishments_20_49": (20, 49),
    "establishments_50_99": (50, 99),
    "establishments_100_249": (100, 249),
    "establishments_250_499": (250, 499),
    "establishments_500_999": (500, 999),
    "establishments_1000_1499": (1000, 1499),
    "establishments_1500_2499": (1500, 2499),
    "establishments_2500_4999": (2500, 4999),
    "establishments_5000": (5000, UNBOUNDED),
    "establishments_1000": (1000, UNBOUNDED),
}
"""Column and range of each class. The first counts establishments without employees on the day too: nationally its mean
is as low as 0.4 (County Business Patterns 2001). Of the last, only what the four before it do not show is counted."""

OPEN_CLASS = "establishments_1000"

NOISE_ROOM = 0.15
"""In noisy years the printed figure may miss the range of its size classes: noise of single establishments is not
published, cells with more than 5 % are."""

SHRINK = 10.0
"""Establishments with which the nation's mean of a class counts in a sector's."""

MOST_FITTED = 100_000
"""Cells on which mean sizes are fitted; of more, every second, third … is taken."""

_ROUNDS = 3
_OPEN_SPREAD = 0.6
_MEDIAN_OF_SQUARE = 0.455


@dataclass(frozen=True, slots=True)
class SizeClasses:
    """Counts of the classes `names` (one array each), and the establishments that no class shows."""

    names: tuple[str, ...]
    counts: list[Integers]
    unknown: Floats

    @classmethod
    def of(cls, table: pa.Table, establishments: Floats, order: Integers | slice) -> "SizeClasses | None":
        """Read the columns of a table that has them, rows in `order`; None where it has none or all are empty.

        `establishments`: of these rows and of any that follow them, which show no class.
        """
        names = [name for name in CLASSES if name in table.column_names]
        if not any(table.column(name).null_count < table.num_rows for name in names):
            return None
        more = establishments.size - table.num_rows
        counts = {name: _counts(table.column(name), order, more) for name in names}
        if OPEN_CLASS in counts:
            shown = [count for name, count in counts.items() if CLASSES[name][0] >= 1000 and name != OPEN_CLASS]
            counts[OPEN_CLASS] = np.maximum(counts[OPEN_CLASS] - sum(shown), 0)
        unknown = establishments.copy()
        for count in counts.values():
            unknown -= count
        return cls(tuple(counts), list(counts.values()), np.maximum(unknown, 0))

    def take(self, rows: Integers) -> "SizeClasses":
        """Only these rows."""
        return SizeClasses(self.names, [count[rows] for count in self.counts], self.unknown[rows])

    def range(self, *, is_noisy: bool) -> tuple[Floats, Floats]:
        """Least and most employment the classes allow; rows that show no class, or not all, have no upper end."""
        low, high = np.zeros(self.unknown.size), np.where(self.unknown > 0, UNBOUNDED, 0.0)
        for name, count in zip(self.names, self.counts, strict=True):
            least, most = CLASSES[name]
            low += count * least
            high += count * most
        high[low + high == 0] = UNBOUNDED
        room = NOISE_ROOM if is_noisy else 0.0
        return np.floor(low * (1 - room)), np.minimum(np.ceil(high * (1 + room)), UNBOUNDED)

    def expectation(
        self, employment: Floats, fitted: Integers, rows: Integers, sector: Integers, usual: Floats
    ) -> PriorExpectation:
        """Expected employment of `rows` from mean sizes by class and sector, measured on the `fitted`.

        `usual`: mean size of an establishment, for those that no class shows. NaN for rows that show no class.
        """
        fitted = fitted[(self.unknown[fitted] == 0) & (employment[fitted] > 0)]
        fitted = fitted[:: 1 + fitted.size // MOST_FITTED]
        counts: Floats = np.column_stack([count[fitted] for count in self.counts]).astype(np.float64)
        ranges = np.array([CLASSES[name] for name in self.names], np.float64)
        sectors = int(sector.max(initial=0)) + 1
        means, spreads, excess = _mean_sizes(ranges, counts, employment[fitted], sector[fitted], sectors)
        own = sector[rows]
        mean, variance = self.unknown[rows] * usual[rows], self.unknown[rows] * usual[rows] ** 2
        is_shown = np.zeros(rows.size, bool)
        for number, column in enumerate(self.counts):
            count = column[rows]
            mean += count * means[own, number]
            variance += count * (excess * spreads[number])
            is_shown |= count > 0
        mean = np.where(is_shown, np.maximum(mean, SMALLEST), np.nan)
        return PriorExpectation(mean, np.sqrt(np.log1p(variance / mean**2)))


def _counts(column: pa.ChunkedArray, order: Integers | slice, more: int) -> Integers:
    known = column.fill_null(0) if column.null_count else column
    values: Integers = known.to_numpy()[order]
    return np.append(values, np.zeros(more, values.dtype)) if more else values


def _mean_sizes(
    ranges: Floats, counts: Floats, employment: Floats, sector: Integers, sectors: int
) -> tuple[Floats, Floats, float]:
    """By weighted least squares the mean size by sector and class, its variance by class, and the errors beside that.

    A sector's means are shrunk to the nation's.
    """
    lows, highs = ranges.T
    national = np.where(highs < UNBOUNDED, (lows + highs) / 2, 1.6 * lows)
    members = [np.flatnonzero(sector == number) for number in range(sectors)]
    means = np.tile(national, (sectors, 1))
    for _ in range(_ROUNDS):
        variance = np.where(highs < UNBOUNDED, (highs - lows) ** 2 / 12, (_OPEN_SPREAD * national) ** 2) + 0.25
        weight = 1.0 / np.maximum(counts @ variance, 0.25)
        products = [(counts[rows] * weight[rows, None]).T for rows in members]
        square = np.array([product @ counts[rows] for product, rows in zip(products, members, strict=True)])
        moment = np.array([product @ employment[rows] for product, rows in zip(products, members, strict=True)])
        national = np.clip(_solve(square.sum(axis=0), moment.sum(axis=0), national, 1.0 / variance), lows, highs)
        means = np.array([_solve(s, m, national, SHRINK / variance) for s, m in zip(square, moment, strict=True)])
        means = np.clip(means, lows, highs)
    error = (employment - np.einsum("ij,ij->i", counts, means[sector])) ** 2
    excess = float(np.median(error * weight)) / _MEDIAN_OF_SQUARE if employment.size else 1.0
    return means, variance, max(excess, 0.1)


def _solve(square: Floats, moment: Floats, towards: Floats, strength: Floats) -> Floats:
    return np.linalg.solve(square + np.diag(strength), moment + strength * towards).astype(np.float64)
