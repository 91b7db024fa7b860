"""Draws of employment from the bands of its estimates: the same cell has the same draws in whatever company it is."""

import hashlib
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from etl.measure.panel import AMOUNTS
from etl.measure.quantiles import Floats

Seeds = NDArray[np.uint64]
# Distance, in standard deviations of a normal distribution, of the ends of an 80 % band.
_BAND_END = float(ndtri(0.9))
_STEP = np.uint64(0x9E3779B97F4A7C15)


def seeds(regions: Sequence[str], clusters: Sequence[int], year: int) -> Seeds:
    """A seed for each region (scheme and code), cluster and year, (r, k): a hash, whatever else is drawn."""
    by_region = np.array([_hash(f"{region} {year}") for region in regions], np.uint64)
    by_cluster = np.array([_hash(f"cluster {cluster}") for cluster in clusters], np.uint64)
    return _mix(by_region[:, None] ^ by_cluster[None, :])


def uniforms(seed: Seeds, first: int, count: int) -> Floats:
    """Numbers between 0 and 1, `seed.shape + (count,)`: draws `first`, `first + 1` … of each seed (SplitMix64)."""
    steps = np.arange(first + 1, first + 1 + count, dtype=np.uint64) * _STEP
    bits = _mix(seed[..., None] + steps) >> np.uint64(11)
    return (bits.astype(np.float64) + 0.5) * 2.0**-53


def draw(amounts: Mapping[str, Floats], uniform: Floats) -> Floats:
    """Employment at these quantiles of its distribution; the last axis of `uniform` runs over the draws.

    `amounts`: employment, its hard bounds and the ends of its band, by column name. The figure is the median. With an
    80 % band each side is normal, the band's end at its 10th or 90th percentile, cut at the hard bounds. Without one
    each side is even between the figure and its hard bound; a side without a bound stays at the figure.
    """
    centre, lower, upper, band_low, band_high = (amounts[name][..., None] for name in AMOUNTS)
    has_band = ~np.isnan(band_low) & ~np.isnan(band_high)
    is_above = uniform > 0.5
    side = np.where(is_above, band_high - centre, centre - band_low)
    by_band = centre + ndtri(uniform) / _BAND_END * side
    bound = np.where(is_above, upper - centre, centre - lower)
    by_bounds = centre + (2 * uniform - 1) * np.where(np.isnan(bound), 0.0, bound)
    drawn = np.where(has_band, by_band, by_bounds)
    cut = np.fmin(np.fmax(drawn, np.fmax(lower, 0.0)), upper)
    return np.where(np.isnan(centre), np.nan, cut)


def _hash(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")


def _mix(bits: Seeds) -> Seeds:
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return bits ^ (bits >> np.uint64(31))
