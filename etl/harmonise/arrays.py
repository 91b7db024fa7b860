"""Names of array types, and sums by group."""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Booleans = npt.NDArray[np.bool_]
Strings = npt.NDArray[np.str_]


def sums(group: npt.NDArray[np.integer], values: npt.NDArray[np.generic], size: int) -> Floats:
    """Sum of the values in each of the groups 0 to `size` - 1; 0 where a group is empty."""
    return np.bincount(group, values, minlength=size).astype(np.float64, copy=False)


def filled(values: Floats, value: float = 0.0) -> Floats:
    """The values with `value` for what is missing."""
    return np.where(np.isnan(values), value, values)


def repeat(group: Integers, count: Integers) -> tuple[Integers, Integers]:
    """Repeat each row as often as its group counts members: (row, member), members numbered through all groups.

    `group`: group of each row, -1 for none; `count`: members of each group, which stand one group after the other.
    """
    first = np.cumsum(count) - count
    times = np.where(group >= 0, count[group], 0) if count.size else np.zeros(group.size, np.int64)
    if (times == 1).all():
        return np.arange(group.size), first[group]
    row = np.repeat(np.arange(group.size), times)
    within = np.arange(row.size) - np.repeat(np.cumsum(times) - times, times)
    return row, first[group[row]] + within
