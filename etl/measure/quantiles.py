"""Quantiles and ranks of every column of a matrix at once; NaN means no figure."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def column_quantiles(values: Floats, *shares: float) -> Floats:
    """Quantiles (len(shares), k) of each column of `values` (n, k) by linear interpolation, NaN rows left out.

    The interpolation is that of d3.quantile, which US Cluster Mapping uses (numpy's default, type 7); its terms are
    added in the same order, so that a figure equal to a quantile there is equal to it here. A column without figures
    has NaN.
    """
    ordered = np.sort(values, axis=0)
    counts = np.count_nonzero(~np.isnan(ordered), axis=0)
    result = np.full((len(shares), values.shape[1]), np.nan)
    known = np.flatnonzero(counts)
    for i, share in enumerate(shares):
        position = (counts[known] - 1) * share
        below = np.floor(position).astype(np.int64)
        above = np.minimum(below + 1, counts[known] - 1)
        low, high = ordered[below, known], ordered[above, known]
        result[i, known] = low + (high - low) * (position - below)
    return result


def column_ranks(values: Floats) -> Floats:
    """Rank of each figure (n, k) within its column, 1 the highest; NaN for NaN and zero. Ties share the best rank."""
    figures = np.where(values == 0, np.nan, values)
    ranks = np.full(values.shape, np.nan)
    for column in range(values.shape[1]):
        known = np.flatnonzero(~np.isnan(figures[:, column]))
        ordered = np.sort(figures[known, column])
        ranks[known, column] = len(known) - np.searchsorted(ordered, figures[known, column], side="right") + 1
    return ranks
