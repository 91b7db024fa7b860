"""Bounded raking: move estimates as little as their spread allows until every tree of sums adds up."""

from collections.abc import Sequence

import numpy as np

from etl.estimate.bounds import TOLERANCE
from etl.estimate.tree import Floats, Integers, Level, gaps, levels, live_groups


def rake(
    values: Floats,
    low: Floats,
    high: Floats,
    parents: Sequence[Integers],
    *,
    spread: Floats | None = None,
    sweeps: int = 6,
    tolerance: float = 0.05,
) -> Floats:
    """Estimates inside `low` and `high` that add up in all trees, as near as the sweeps come; the first tree exactly.

    `values`: the prior of each cell that has no members, the start of every other; `parents`: one array a tree, see
    `etl.estimate.tree`. `spread`: how far a cell gives way beside the other members of its sum (its variance); without
    it, in proportion to its value. The last step is always the first tree, top down, so that tree adds up wherever its
    bounds allow; what is then missing in the others is `tree.gaps`. Stops when no gap is above `tolerance`.
    """
    result = np.clip(values, low, high)
    trees = live_groups([levels(parent) for parent in parents], high - low > TOLERANCE)
    for _ in range(sweeps):
        _fit(result, low, high, trees[0], spread)
        if _largest_gap(result, parents[1:]) <= tolerance:
            return result
        for groups in trees[1:]:
            _fit(result, low, high, groups, spread)
    _fit(result, low, high, trees[0], spread)
    return result


def _fit(values: Floats, low: Floats, high: Floats, groups: list[Level], spread: Floats | None) -> None:
    """Make one tree add up: its free sums follow their members, then members follow their sums."""
    for level in reversed(groups):
        values[level.parent] = np.clip(level.sum(values), low[level.parent], high[level.parent])
    for level in groups:
        _share_out(values, low, high, level, spread)


def _largest_gap(values: Floats, parents: Sequence[Integers]) -> float:
    return max((float(np.abs(gaps(values, parent)).max(initial=0.0)) for parent in parents), default=0.0)


def _share_out(values: Floats, low: Floats, high: Floats, level: Level, spread: Floats | None) -> None:
    """Give each group's difference to its members by their spread, within their bounds."""
    child, group = level.child, level.group
    own = values[child]
    own_low, own_high = low[child], high[child]
    give = np.maximum(own, 0.5) if spread is None else spread[child]
    for _ in range(4):
        difference = values[level.parent] - np.bincount(group, own, minlength=level.parent.size)
        room = np.where((difference > 0)[group], own_high - own, own - own_low)
        weight = np.where(room > 0, give, 0.0)
        total = np.bincount(group, weight, minlength=level.parent.size)
        rate = np.divide(difference, total, out=np.zeros_like(difference), where=total > 0)
        own = np.clip(own + rate[group] * weight, own_low, own_high)
    # What is left where members hit their bounds one after the other goes by room, which ends it at once.
    difference = values[level.parent] - np.bincount(group, own, minlength=level.parent.size)
    room = np.where((difference > 0)[group], own_high - own, own - own_low)
    total = np.bincount(group, room, minlength=level.parent.size)
    rate = np.divide(np.minimum(np.abs(difference), total), total, out=np.zeros_like(difference), where=total > 0)
    values[child] = own + np.sign(difference)[group] * rate[group] * room
