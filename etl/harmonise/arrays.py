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
