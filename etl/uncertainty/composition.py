"""How far a spread total may lie from the truth: the law of its parts, and worlds of parts that keep every sum.

A total (a division of a region) is spread over parts (classes) in proportions that are known from elsewhere. A part of
m persons that holds the share s of its total has, about m, the variance

    (1 - s) · κ · (PER_PERSON · m + PER_SQUARE · m²) · factor²

κ is the part's own (`restlessness`): how far it lay from its estimate in American states spread without themselves,
drawn to 1 by ENOUGH cells. `factor` tells what the proportions rest on: 1 the country's own, less the region's own of
another year. Another country's proportions err in all regions together: a nation's part of M persons and share S has

    (1 - S) · (FOREIGN_PER_PERSON · M + FOREIGN_PER_SQUARE · M²)

Parts are drawn by gamma distributions and raked, SWEEPS times, to the totals of their region and to the nation's parts.
The constants were set on British classes spread from divisions (2015 to 2021, `tools/fit_restlessness.py` prints what
they hold), κ on American states; the foreign ones on Great Britain spread by American proportions.
"""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy.special import gammaincinv

Floats = npt.NDArray[np.float64]
Singles = npt.NDArray[np.float32]
Integers = npt.NDArray[np.int64]

PER_PERSON, PER_SQUARE = 190.0, 0.36
FOREIGN_PER_PERSON, FOREIGN_PER_SQUARE = 8000.0, 1.3
#: Cells by which the restlessness of a part is drawn to that of all.
ENOUGH = 60
SWEEPS = 8
#: Share of the variance that raking leaves to a single part.
RAKED = 0.8
#: Parts of the mean under which no draw falls: what is drawn away wholly could never be raked back.
LEAST = 1e-4

#: What proportions rest on, from the best.
OWN_REGION, OWN_COUNTRY, OTHER_COUNTRY, EQUAL_PARTS = "own_region", "own_country", "other_country", "equal_parts"
KINDS = (OWN_REGION, OWN_COUNTRY, OTHER_COUNTRY, EQUAL_PARTS)

_TABLE = Path(__file__).with_name("restlessness.csv")


@cache
def restlessness() -> dict[str, float]:
    """κ by class of NACE Rev. 2; a class that is not listed has 1."""
    lines = _TABLE.read_text(encoding="utf-8").split()[1:]
    return {code: float(value) for code, value in (line.split(",") for line in lines)}


def restlessness_of(codes: tuple[str, ...]) -> Floats:
    """κ of these classes, in their order."""
    known = restlessness()
    return np.array([known.get(code, 1.0) for code in codes])


def factor_of(kind: str, distance: int) -> float:
    """How the standard deviation compares with that by the country's own proportions; `distance` in years."""
    return OWN_REGION_FACTOR + OWN_REGION_A_YEAR * distance if kind == OWN_REGION else 1.0


#: Of the region's own proportions of the same year, and more for each year they are away.
OWN_REGION_FACTOR, OWN_REGION_A_YEAR = 0.35, 0.05


def variance(part: Floats, share: Floats, kappa: Floats, factor: Floats | float = 1.0) -> Floats:
    """Variance of parts, persons², by the law of the module."""
    result: Floats = np.maximum(1.0 - share, 0.0) * kappa * (PER_PERSON * part + PER_SQUARE * part**2) * factor**2
    return result


def foreign_variance(part: Floats, share: Floats) -> Floats:
    """Variance of a nation's parts that follow another country's proportions."""
    result: Floats = np.maximum(1.0 - share, 0.0) * (FOREIGN_PER_PERSON * part + FOREIGN_PER_SQUARE * part**2)
    return result


def gamma_band(mean: Floats, spread: Floats) -> tuple[Floats, Floats]:
    """10th and 90th percentile of gamma distributions with these means and variances; the mean itself without one.

    An end below one person is none at all.
    """
    is_open = (mean > 0) & (spread > 0)
    shape, scale = mean[is_open] ** 2 / spread[is_open], spread[is_open] / mean[is_open]
    low, high = mean.copy(), mean.copy()
    low[is_open], high[is_open] = (gammaincinv(shape, quantile) * scale for quantile in (0.1, 0.9))
    # The mean of a very skew distribution is beyond its 90th percentile: a band holds its figure.
    return np.where(low < 1.0, 0.0, np.minimum(low, mean)), np.maximum(high, mean)


def part_band(
    part: Floats, total: Floats, kappa: Floats, factor: Floats | float = 1.0, more: Floats | float = 0.0
) -> tuple[Floats, Floats]:
    """80 % band of single parts of totals; `more`: further variance, of the total itself or of foreign proportions."""
    share = np.divide(part, total, out=np.zeros_like(part), where=total > 0)
    low, high = gamma_band(part, RAKED * variance(part, share, kappa, factor) + more)
    return low, high


@dataclass(frozen=True, slots=True)
class Spread:
    """Totals of regions spread over parts that stand block by block.

    `mean`, `variance`: regions × parts; `national_variance`: by part, 0 where the nation's parts are known; `starts`:
    the first part of each block.
    """

    mean: Floats
    variance: Floats
    national_variance: Floats
    starts: Integers

    @property
    def sizes(self) -> Integers:
        """Parts in each block."""
        return np.diff(np.append(self.starts, self.mean.shape[1]))

    def worlds(self, count: int, totals: Singles | None, rng: np.random.Generator) -> Singles:
        """Worlds × regions × parts. `totals`: worlds × regions × blocks, where these are uncertain themselves."""
        blocks = np.add.reduceat(self.mean, self.starts, axis=1)
        totals = blocks.astype(np.float32)[None] if totals is None else totals
        nation = self._nations(count, totals, blocks, rng)
        drawn = gammas(self.mean, self.variance, count, rng)
        for _ in range(SWEEPS):
            drawn *= _ratio(nation, drawn.sum(axis=1, keepdims=True))
            drawn *= np.repeat(_ratio(totals, np.add.reduceat(drawn, self.starts, axis=2)), self.sizes, axis=2)
        return drawn

    def _nations(self, count: int, totals: Singles, blocks: Floats, rng: np.random.Generator) -> Singles:
        """The nation's parts in each world, which make up the sum of the regions' totals of that world."""
        parts = self.mean.sum(axis=0)[None, :]
        nation = gammas(parts, self.national_variance[None, :], count, rng)
        whole = np.broadcast_to(totals, (count, *blocks.shape)).sum(axis=1, keepdims=True)
        nation *= np.repeat(_ratio(whole, np.add.reduceat(nation, self.starts, axis=2)), self.sizes, axis=2)
        return nation


def gammas(mean: Floats, spread: Floats, count: int, rng: np.random.Generator) -> Singles:
    """Draws (count, *mean.shape) of gamma distributions; the mean where there is no variance."""
    is_open = (mean > 0) & (spread > 0)
    shape = np.divide(mean**2, spread, out=np.zeros_like(mean), where=is_open).astype(np.float32)
    scale = np.divide(spread, mean, out=np.zeros_like(mean), where=is_open).astype(np.float32)
    drawn = np.broadcast_to(mean.astype(np.float32), (count, *mean.shape)).copy()
    if is_open.any():
        picked = rng.standard_gamma(np.broadcast_to(shape[is_open], (count, int(is_open.sum()))), dtype=np.float32)
        drawn[:, is_open] = np.maximum(picked * scale[is_open], LEAST * mean[is_open].astype(np.float32))
    return drawn


def _ratio(wanted: Singles, found: Singles) -> Singles:
    """Factors that bring what is found to what is wanted; 1 where nothing is found."""
    shape = np.broadcast_shapes(wanted.shape, found.shape)
    return np.divide(wanted, found, out=np.ones(shape, np.float32), where=np.broadcast_to(found > 0, shape))
