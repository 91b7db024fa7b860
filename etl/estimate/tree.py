"""A tree of sums over cells: which cell each cell adds into.

A constraint of the estimates is an array of integers, one a cell: the position of the cell it adds into, -1 where it
adds into none. A cell with members equals their sum; where members are missing from the source the caller adds a cell
for the remainder. Any number of trees may lie over the same cells: industries, regions.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Booleans = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Level:
    """Groups at one depth: cell `child[j]` is a member of group `group[j]`, whose sum is cell `parent[group[j]]`."""

    child: Integers
    group: Integers
    parent: Integers

    def sum(self, values: Floats) -> Floats:
        """Sum of the members of each group."""
        return np.bincount(self.group, values[self.child], minlength=self.parent.size).astype(np.float64, copy=False)

    def keep(self, groups: Booleans, members: Booleans) -> Self:
        """Only these groups and, within them, only these members."""
        number = np.cumsum(groups) - 1
        chosen = members & groups[self.group]
        return type(self)(self.child[chosen], number[self.group[chosen]], self.parent[groups])


def levels(parent: Integers) -> list[Level]:
    """The groups of a tree, the top first; within a level no cell is both a member and a sum.

    Raises ValueError where the arrows run in a circle.
    """
    depth = np.where(parent < 0, 0, -1)
    current = 0
    while (unknown := np.flatnonzero(depth < 0)).size:
        above = depth[parent[unknown]]
        if not (above >= 0).any():
            raise ValueError("a tree of sums may not run in a circle")
        depth[unknown[above >= 0]] = above[above >= 0] + 1
        current += 1
    result = []
    for step in range(1, int(depth.max(initial=0)) + 1):
        child = np.flatnonzero(depth == step)
        parents, group = np.unique(parent[child], return_inverse=True)
        result.append(Level(child, group, parents))
    return result


def gaps(values: Floats, parent: Integers) -> Floats:
    """For each cell with members, the cell less the sum of its members; 0 elsewhere."""
    member = parent >= 0
    total = np.bincount(parent[member], values[member], minlength=values.size)
    has_members = np.bincount(parent[member], minlength=values.size) > 0
    return np.where(has_members, values - total, 0.0)


def live_groups(trees: Sequence[list[Level]], free: Booleans) -> list[list[Level]]:
    """The trees without the groups that hold no free cell."""
    kept = []
    for tree in trees:
        alive = []
        for level in tree:
            active = free[level.parent] | (np.bincount(level.group, free[level.child], minlength=level.parent.size) > 0)
            if active.all():
                alive.append(level)
            elif active.any():
                alive.append(level.keep(active, np.ones(level.child.size, bool)))
        kept.append(alive)
    return kept
