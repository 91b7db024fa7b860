"""Bounded raking: move estimates as little as their spread allows until every tree of sums adds up."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from etl.estimate.common.bounds import TOLERANCE
from etl.estimate.common.tree import Booleans, Floats, Integers, Level, levels

INNER = 4
"""Times that what a member at its bound could not take is offered to the others of its sum."""

MOST_OPEN = 0.6
"""Share of the groups with a difference from which all are worked on."""

LEAST_GIVE = 0.5
"""Persons by which a cell gives way at least where cells give way by their value."""

RELAXATION = 1.3
"""How much of a difference is shared out while several trees pull at the cells; beyond 1 they settle in half the
sweeps (measured on synthetic and real tables; at 1.5 they no longer do)."""

CLOSE = 1e-12
"""Share of a sum below which its members have nothing left to share out."""


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
    `etl.estimate.common.tree`. `spread`: how far a cell gives way beside the other members of its sum (its variance);
    without it, in proportion to its value. The last step is always the first tree, top down, so that tree adds up
    wherever its bounds allow; what is then missing in the others is `tree.gaps`. Stops when no gap is above
    `tolerance`.
    """
    trees = [levels(parent) for parent in parents]
    return Raker(low, high, trees).rake(values, [(spread, sweeps)], tolerance)


class Raker:
    """Trees and bounds made ready, to rake over them more than once."""

    def __init__(self, low: Floats, high: Floats, trees: Sequence[list[Level]]) -> None:
        self._low, self._high = low, high
        is_free = high - low > TOLERANCE
        self._trees = [[_Groups.of(level, is_free, low, high) for level in tree] for tree in trees]
        tied = [_tied(tree, low.size) for tree in trees]
        count = sum(one.astype(np.int8) for one in tied)
        self._tied_elsewhere = [(count - one) > 0 for one in tied]

    def settle(self, cells: Integers, values: Floats) -> None:
        """From now on these cells have these values."""
        self._low, self._high = self._low.copy(), self._high.copy()
        self._low[cells] = self._high[cells] = values
        self._trees = [[groups.within(self._low, self._high) for groups in tree] for tree in self._trees]

    def rake(self, values: Floats, stages: Sequence[tuple[Floats | None, int]], tolerance: float = 0.05) -> Floats:
        """See `rake`; `stages`: several spreads one after the other, each with its number of sweeps."""
        result = np.clip(values, self._low, self._high)
        more = RELAXATION if len(self._trees) > 1 else 1.0
        is_first = True
        for spread, sweeps in stages:
            trees = [[groups.giving(spread) for groups in tree] for tree in self._trees]
            for _ in range(sweeps):
                for number, tree in enumerate(trees):
                    if number == 1 and _largest_gap(result, trees[1:]) <= tolerance:
                        break
                    self._fit(result, tree, self._tied_elsewhere[number], is_first=is_first, more=more)
                is_first = False
        self._fit(result, trees[0], self._tied_elsewhere[0], is_first=is_first, more=1.0)
        return result

    def _fit(
        self, values: Floats, tree: "list[_Groups]", is_tied_elsewhere: Booleans, *, is_first: bool, more: float
    ) -> None:
        """Make one tree add up: its free sums follow their members, then members follow their sums.

        A sum that another tree has moved meets its members half way, as far as both give way.
        """
        for groups in reversed(tree):
            cells = groups.level.parent[groups.free_sums]
            total = groups.level.sum(values)[groups.free_sums]
            if not is_first:
                met = values[cells] + groups.own_share(values) * (total - values[cells])
                total = np.where(is_tied_elsewhere[cells], met, total)
            values[cells] = np.clip(total, self._low[cells], self._high[cells])
        for groups in tree:
            groups.share_out(values, more)


def _largest_gap(values: Floats, trees: "Sequence[list[_Groups]]") -> float:
    others = [groups.level for tree in trees for groups in tree]
    gaps = [np.abs(values[level.parent] - level.sum(values)).max(initial=0.0) for level in others]
    return float(max(gaps, default=0.0))


@dataclass(frozen=True, slots=True)
class _Groups:
    """A level reduced to what is free, with the bounds of its members; `free_sums`: groups whose sum is free itself.

    `give`: how far members give way, `share`: how much of a difference the free sums take upon themselves; None where
    both go by the values of the moment.
    """

    level: Level
    low: Floats
    high: Floats
    free_sums: Integers
    give: Floats | None = None
    share: Floats | None = None

    @classmethod
    def of(cls, level: Level, is_free: Booleans, low: Floats, high: Floats) -> "_Groups":
        level = level.reduced(is_free, low)
        return cls(level, low[level.child], high[level.child], np.flatnonzero(is_free[level.parent]))

    def within(self, low: Floats, high: Floats) -> "_Groups":
        """The same groups with other bounds."""
        return replace(self, low=low[self.level.child], high=high[self.level.child])

    def giving(self, spread: Floats | None) -> "_Groups":
        """The same groups, whose cells give way by `spread`."""
        if spread is None:
            return self
        return replace(self, give=spread[self.level.child], share=self._share_of(spread))

    def own_share(self, values: Floats) -> Floats:
        """For the free sums, how much of a difference to their members they take upon themselves."""
        return self._share_of(np.maximum(values, LEAST_GIVE)) if self.share is None else self.share

    def _share_of(self, give: Floats) -> Floats:
        level = self.level
        own = give[level.parent[self.free_sums]]
        members = np.bincount(level.group, give[level.child], minlength=level.parent.size)[self.free_sums]
        share: Floats = own / np.maximum(own + members, 1e-300)
        return share

    def share_out(self, values: Floats, more: float) -> None:
        """Give each group's difference, times `more`, to its members as they give way, within their bounds."""
        level, groups = self.level, self.level.parent.size
        own = values[level.child]
        give = np.maximum(own, LEAST_GIVE) if self.give is None else self.give
        target = values[level.parent]
        difference = more * (target - level.fixed - np.bincount(level.group, own, minlength=groups))
        for attempt in range(INNER + 1):
            is_open = np.abs(difference) > CLOSE * (1.0 + np.abs(target))
            if not is_open.any():
                break
            # Where most groups are open it costs less to take them all.
            members = slice(None) if is_open.mean() > MOST_OPEN else np.flatnonzero(is_open[level.group])
            group, now, low, high = level.group[members], own[members], self.low[members], self.high[members]
            is_up = (difference > 0)[group]
            bound = np.where(is_up, high, low)
            # What is left where members reach their bounds one after the other goes by room, which ends it at once.
            weight = np.abs(bound - now) if attempt == INNER else np.where(bound != now, give[members], 0.0)
            total = np.bincount(group, weight, minlength=groups)
            rate = np.divide(difference, total, out=np.zeros_like(difference), where=total > 0)
            moved = now + rate[group] * weight
            moved = np.where(is_up, np.minimum(moved, bound), np.maximum(moved, bound))
            difference -= np.bincount(group, moved - now, minlength=groups)
            own[members] = moved
        values[level.child] = own


def _tied(tree: list[Level], cells: int) -> Booleans:
    """Cells that are in a tree, as members or sums."""
    result = np.zeros(cells, bool)
    for level in tree:
        result[level.child] = True
        result[level.parent] = True
    return result
