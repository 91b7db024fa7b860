"""An invented American economy: establishments drawn by county and industry, and their sums at all levels."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from etl.sources.naics_codes import SECTOR_OF, TOTAL

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

#: First number of employees of each size class.
CLASS_STARTS = np.array([0, 5, 10, 20, 50, 100, 250, 500, 1000, 1500, 2500, 5000])
LARGEST_ESTABLISHMENT = 40_000
#: Digits of the levels of NAICS, sectors and the total last.
LEVELS = (6, 5, 4, 3, 2, 0)


@dataclass(frozen=True, slots=True)
class Cells:
    """Cells in the order of region and industry, both positions; `classes[k]`: establishments of size class k.

    `largest`: employees of the largest establishment, which decides what is withheld.
    """

    region: Integers
    industry: Integers
    employment: Floats
    establishments: Floats
    classes: npt.NDArray[np.int32]
    largest: Floats


def draw(counties: int, industries: int, establishments: int, seed: int = 1) -> Cells:
    """Draw establishments one by one: where few industries are, and how large they are, differs as it does in life."""
    rng = np.random.default_rng(seed)
    county_weight = rng.lognormal(0, 1.5, counties)
    industry_weight = rng.lognormal(0, 1.9, industries)
    counts = np.empty((counties, industries), np.int64)
    for number, count in enumerate(rng.multinomial(establishments, industry_weight / industry_weight.sum())):
        place = county_weight ** rng.uniform(0.9, 1.25) * rng.gamma(rng.uniform(0.1, 2), size=counties)
        counts[:, number] = rng.multinomial(count, place / place.sum())
    cell = np.flatnonzero(counts)
    region, industry = np.divmod(cell, industries)
    own = counts.ravel()[cell]
    mean = (rng.lognormal(2.4, 0.7, industries)[industry] * rng.lognormal(0, 0.25, cell.size)).astype(np.float32)
    spread = rng.uniform(0.8, 1.2, industries)[industry].astype(np.float32)
    size = rng.standard_normal(establishments, np.float32)
    np.exp(size * np.repeat(spread, own) - np.repeat(spread**2 / 2, own), out=size)
    size = np.minimum(size * np.repeat(mean, own), LARGEST_ESTABLISHMENT).astype(np.int64)
    first = np.append(0, np.cumsum(own)[:-1])
    kind = np.repeat(np.arange(cell.size) * CLASS_STARTS.size, own) + np.searchsorted(CLASS_STARTS, size, "right") - 1
    classes = np.bincount(kind, minlength=cell.size * CLASS_STARTS.size).reshape(cell.size, -1).T
    return Cells(
        region,
        industry,
        np.add.reduceat(size, first).astype(np.float64),
        own.astype(np.float64),
        classes.astype(np.int32),
        np.maximum.reduceat(size, first).astype(np.float64),
    )


def added_up(leaves: Cells, region_of: Integers, codes: Sequence[str]) -> tuple[Cells, list[str]]:
    """All levels of industries over regions: cells, and the codes their `industry` points at.

    `region_of`: the region of each county; `codes`: the six digits of each industry, ascending.
    """
    parts, names = [], []
    for digits in LEVELS:
        above = [SECTOR_OF.get(code[:digits], code[:digits]) or TOTAL for code in codes]
        found, place = np.unique(above, return_inverse=True)
        parts.append(_grouped(leaves, region_of[leaves.region], place[leaves.industry], found.size, len(names)))
        names += found.tolist()
    industry = np.concatenate([part.industry for part in parts])
    region = np.concatenate([part.region for part in parts])
    by_name = np.argsort(np.argsort(names, kind="stable"), kind="stable")
    order = np.lexsort((by_name[industry], region))
    stacked = Cells(
        region[order],
        industry[order],
        *(np.concatenate([getattr(part, name) for part in parts])[order] for name in ("employment", "establishments")),
        np.concatenate([part.classes for part in parts], axis=1)[:, order],
        np.concatenate([part.largest for part in parts])[order],
    )
    return stacked, names


def _grouped(leaves: Cells, region: Integers, industry: Integers, width: int, offset: int) -> Cells:
    key = region * width + industry
    size = (int(region.max()) + 1) * width
    present = np.flatnonzero(np.bincount(key, minlength=size))

    def summed(values: npt.NDArray) -> Floats:
        sums: Floats = np.bincount(key, values, size)[present]
        return sums

    largest = np.zeros(size)
    np.maximum.at(largest, key, leaves.largest)
    return Cells(
        present // width,
        present % width + offset,
        summed(leaves.employment),
        summed(leaves.establishments),
        np.array([summed(values) for values in leaves.classes]).astype(np.int32),
        largest[present],
    )
