"""What is sure and what is judgement in clusters made from NACE industries.

The unit of judgement is what the source itself gives: a division, or a class it publishes. Classes that a division was
spread over by an assumed structure (status `modelled`) are judged together, as their division.
"""

from dataclasses import dataclass

import numpy as np

from etl.harmonise.arrays import Floats, Integers, filled, sums
from etl.harmonise.cluster_sums import WIDTH
from etl.harmonise.source_year import MODELLED, SourceYearArrays

CERTAIN = 1 - 1e-12


@dataclass(frozen=True, slots=True)
class Ambiguity:
    """Contributions to the sums `low`, `high`, `own`, `sure`, `entropy` at `key` (region × WIDTH + column)."""

    key: Integers
    sums: dict[str, Floats]


def ambiguity(
    data: SourceYearArrays,
    leaves: SourceYearArrays,
    row: Integers,
    column: Integers,
    weight: Floats,
    low: Floats,
    high: Floats,
) -> Ambiguity:
    """Judge every unit's clusters; the arrays are pairs of leaves and clusters (see `industries.Pairs`).

    With E the employment of a unit and x its part in the cluster: own = x·x/E; sure = x where all of the unit belongs
    to the cluster; entropy = x·H(unit). Hard bounds: the lower bounds of what is sure; the upper bounds of all that
    could belong, for a modelled unit at most its division's.
    """
    unit, unit_of_leaf, limit = _units(data, leaves)
    size = unit.size
    of_pair = unit_of_leaf[row]
    key, cell = np.unique(of_pair * WIDTH + column, return_inverse=True)
    cell_unit = key // WIDTH
    best = filled(leaves.amounts["employment"])
    amount = sums(unit_of_leaf, best, size)
    part = sums(cell, best[row] * weight, key.size)
    certain = sums(cell, best[row] * low, key.size)
    whole = amount[cell_unit]
    share = np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)
    bits = -share * np.log2(np.where(share > 0, share, 1.0))
    entropy = sums(cell_unit, bits, size)
    lower = filled(leaves.amounts["employment_low"])[row] * low
    upper = filled(leaves.amounts["employment_high"], np.inf)[row] * np.where(high > 0, high, 0.0)
    return Ambiguity(
        unit[cell_unit] * WIDTH + key % WIDTH,
        {
            "own": part * share,
            "sure": np.where((certain >= whole * CERTAIN) & (whole > 0), part, 0.0),
            "entropy": part * entropy[cell_unit],
            "low": sums(cell, lower, key.size),
            "high": np.minimum(sums(cell, upper, key.size), limit[cell_unit]),
        },
    )


def _units(data: SourceYearArrays, leaves: SourceYearArrays) -> tuple[Integers, Integers, Floats]:
    """The region of each unit, the unit of each leaf, and each unit's own upper bound (inf where it has none)."""
    codes = data.industries
    names = {code: number for number, code in enumerate(codes)}
    division = np.array([names.get(code[:2], number) for number, code in enumerate(codes)], np.int64)
    is_modelled = leaves.status == MODELLED
    head = np.where(is_modelled, division[leaves.industry], leaves.industry)
    # A modelled leaf and a published one never share a unit.
    key, unit_of_leaf = np.unique((leaves.region * len(codes) + head) * 2 + is_modelled, return_inverse=True)
    above = np.full((len(data.regions), len(codes)), np.inf)
    rows = np.flatnonzero(~data.is_leaf)
    above[data.region[rows], data.industry[rows]] = filled(data.amounts["employment_high"][rows], np.inf)
    region, industry = key // 2 // len(codes), key // 2 % len(codes)
    limit = np.where(key % 2 == 1, above[region, industry], np.inf)
    return region, unit_of_leaf, limit
