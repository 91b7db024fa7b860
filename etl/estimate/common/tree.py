"""A tree of sums over cells: which cell each cell adds into.

A constraint of the estimates is an array of integers, one a cell: the position of the cell it adds into, -1 where it
adds into none. A cell with members equals their sum; where members are missing from the source the caller adds a cell
for the remainder. Any number of trees may lie over the same cells: industries, regions.
"""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.integer[Any]]
Booleans = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Level:
    """Groups at one depth: cell `child[j]` is a member of group `group[j]`, whose sum is cell `parent[group[j]]`.

    `fixed`: what members left out of `child`, because they are known, add up to, by group.
    """

    child: Integers
    group: Integers
    parent: Integers
    fixed: Floats

    def sum(self, values: Floats) -> Floats:
        """Sum of the members of each group."""
        result: Floats = self.fixed + np.bincount(self.group, values[self.child], minlength=self.parent.size)
        return result

    def reduced(self, is_free: Booleans, values: Floats) -> Self:
        """The groups with something free in them; members that are not free go into `fixed` with their `values`."""
        members = is_free[self.child]
        known = self.child[~members]
        fixed = self.fixed + np.bincount(self.group[~members], values[known], minlength=self.parent.size)
        is_kept = is_free[self.parent]
        is_kept[self.group[members]] = True
        number = np.cumsum(is_kept) - 1
        return type(self)(self.child[members], number[self.group[members]], self.parent[is_kept], fixed[is_kept])


def levels(parent: Integers) -> list[Level]:
    """The groups of a tree, the top first; within a level no cell is both a member and a sum.

    Raises ValueError where the arrows run in a circle.
    """
    result = []
    number = np.full(parent.size, -1, np.int64)
    above = parent < 0
    below = np.flatnonzero(~above)
    while below.size:
        ready = above[parent[below]]
        child = below[ready]
        if not child.size:
            raise ValueError("a tree of sums may not run in a circle")
        above = np.zeros(parent.size, bool)
        above[parent[child]] = True
        parents = np.flatnonzero(above)
        number[parents] = np.arange(parents.size)
        result.append(Level(child, number[parent[child]], parents, np.zeros(parents.size)))
        above[parents], above[child] = False, True
        below = below[~ready]
    return result


def gaps(values: Floats, parent: Integers) -> Floats:
    """For each cell with members, the cell less the sum of its members; 0 elsewhere."""
    member = parent >= 0
    total = np.bincount(parent[member], values[member], minlength=values.size)
    has_members = np.bincount(parent[member], minlength=values.size) > 0
    return np.where(has_members, values - total, 0.0)
