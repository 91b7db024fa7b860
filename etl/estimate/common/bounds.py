"""Smallest possible range of every cell, from ranges of single cells and trees of sums."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from etl.estimate.common.tree import Booleans, Floats, Integers, Level, levels

UNBOUNDED = 1e10
"""Stands for "nothing bounds it": more persons than there are, and sums of it still keep hundredths."""

TOLERANCE = 1e-6


@dataclass(frozen=True, slots=True)
class Conflict:
    """A sum that its members cannot meet: tree, cell of the sum, its own range, and the range of the members' sum."""

    tree: int
    cell: int
    low: float
    high: float
    members_low: float
    members_high: float


@dataclass(frozen=True, slots=True)
class Tightened:
    """Ranges after tightening; the sums that cannot be met, which were left out; the trees without these, as arrays
    and, as far as anything in them was free, as levels."""

    low: Floats
    high: Floats
    conflicts: list[Conflict]
    parents: list[Integers]
    trees: list[list[Level]]


def tighten(
    low: Floats,
    high: Floats,
    parents: Sequence[Integers],
    *,
    slack: Sequence[Floats | None] | None = None,
    passes: int = 12,
) -> Tightened:
    """Narrow ranges until the trees have no more to say, or `passes` are done; the truth stays inside at any moment.

    `low`, `high`: range of each cell (equal where it is known; UNBOUNDED where there is none). `parents`: one array a
    tree, see `etl.estimate.common.tree`. `slack`: per tree, by the cell of the sum, how far published figures may miss
    their sum because each was rounded.

    A sum which its members cannot meet is never forced: it is reported in `conflicts`, taken out of its tree (its
    members get parent -1 in the returned `parents`) and everything starts again from the ranges given, so that nothing
    is narrowed by a figure known to be wrong. Raises ValueError for a cell whose own range is empty.
    """
    if (low > high + TOLERANCE).any():
        raise ValueError("a cell's own range is empty")
    parents = list(parents)
    slacks: list[Floats | None] = [None] * len(parents) if slack is None else list(slack)
    conflicts: list[Conflict] = []
    while True:
        narrowed_low, narrowed_high = low.astype(float), np.minimum(high.astype(float), UNBOUNDED)
        trees, found = _narrow(narrowed_low, narrowed_high, parents, slacks, passes)
        if not found:
            return Tightened(narrowed_low, narrowed_high, conflicts, parents, trees)
        conflicts += found
        for conflict in found:
            whole = parents[conflict.tree]
            parents[conflict.tree] = np.where(whole == conflict.cell, -1, whole)


def _narrow(
    low: Floats, high: Floats, parents: Sequence[Integers], slacks: list[Floats | None], passes: int
) -> tuple[list[list[Level]], list[Conflict]]:
    """Narrow in place, tree by tree, from the leaves up and from the top down; stop where conflicts are found.

    Return the trees as far as anything in them is free, and the conflicts.
    """
    trees = [levels(parent) for parent in parents]
    if found := _narrow_upwards(low, high, trees, slacks):
        return trees, found
    trees = reduced = _reduced(trees, low, high)
    for done in range(passes):
        before = high.sum() - low.sum()
        for number, tree in enumerate(reduced):
            if found := _narrow_upwards(low, high, [tree], slacks[number : number + 1], number):
                return trees, found
            for level in tree:
                _narrow_members(low, high, level, slacks[number])
        if before - (high.sum() - low.sum()) < 0.5:
            break
        if done in (0, 2) and done + 1 < passes:
            reduced = _reduced(reduced, low, high)
    # Groups in which everything became known were left out on the way; here they are looked at once more.
    return trees, _narrow_upwards(low, high, trees, slacks)


def _reduced(trees: list[list[Level]], low: Floats, high: Floats) -> list[list[Level]]:
    is_free = high - low > TOLERANCE
    return [[level.reduced(is_free, low) for level in tree] for tree in trees]


def _narrow_upwards(
    low: Floats, high: Floats, trees: list[list[Level]], slacks: list[Floats | None], first: int = 0
) -> list[Conflict]:
    """Narrow the sums of these trees, of which the first has the number `first`, from the leaves up."""
    return [
        conflict
        for number, (tree, slack) in enumerate(zip(trees, slacks, strict=True), first)
        for level in reversed(tree)
        for conflict in _narrow_sums(low, high, level, slack, number)
    ]


def _slack(slack: Floats | None, level: Level) -> Floats | float:
    return 0.0 if slack is None else slack[level.parent]


def _narrow_sums(low: Floats, high: Floats, level: Level, slack: Floats | None, tree: int) -> list[Conflict]:
    """Narrow the cells that are sums by the ranges of their members; return the sums that cannot be met."""
    room = _slack(slack, level)
    own_low, own_high = low[level.parent], high[level.parent]
    members_low, members_high = level.sum(low), level.sum(high)
    tolerance = TOLERANCE * (1.0 + np.minimum(own_high, members_low))
    wrong = (members_low - room > own_high + tolerance) | (members_high + room < own_low - tolerance)
    if wrong.any():
        return [
            Conflict(tree, int(level.parent[g]), own_low[g], own_high[g], members_low[g], members_high[g])
            for g in np.flatnonzero(wrong)
        ]
    low[level.parent] = np.minimum(np.maximum(own_low, members_low - room), own_high)
    high[level.parent] = np.maximum(np.minimum(own_high, members_high + room), low[level.parent])
    return []


def _narrow_members(low: Floats, high: Floats, level: Level, slack: Floats | None) -> None:
    """Narrow each member by what the sum leaves when all other members are at their other end."""
    room = _slack(slack, level)
    least = (low[level.parent] - level.sum(high) - room)[level.group]
    most = (high[level.parent] - level.sum(low) + room)[level.group]
    own_low, own_high = low[level.child], high[level.child]
    new_low = np.minimum(np.maximum(own_low, least + own_high), own_high)
    low[level.child] = new_low
    high[level.child] = np.maximum(np.minimum(own_high, most + own_low), new_low)


def exact(low: Floats, high: Floats) -> Booleans:
    """Where the bounds meet."""
    return high - low <= TOLERANCE * (1.0 + np.abs(low))
