"""The last gaps of raked estimates, closed exactly: the smallest change that makes every sum hold as published.

Raking two trees at once can stop short of a solution that exists, where chains of bounds tie cells together. The
tables of Europe are small enough to finish with a linear programme; those of US counties are not.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.optimize import linprog

from etl.errors import DataError
from etl.estimate.common.tree import Booleans, Floats, Integers, gaps

#: What a person of gap costs within the publisher's rounding, and beyond it, where relative changes of cells cost 1.
_ROUNDING_COST = 0.1
_EXCESS_COST = 100.0

#: Persons added to a cell before its change is taken relative to it.
_SOFTENING = 10.0


@dataclass(frozen=True, slots=True)
class Closed:
    """Values whose sums hold, and by how much each sum still fails, one array a tree; 0 but where the source allows no
    solution."""

    value: Floats
    excess: list[Floats]


def close(
    value: Floats,
    low: Floats,
    high: Floats,
    is_free: Booleans,
    parents: Sequence[Integers],
    slack: Sequence[Floats],
) -> Closed:
    """Change free cells as little as possible, each beside its size, until no sum misses its members beyond slack.

    `value`: all cells, the published ones exact; `is_free`: cells that may move within `low` and `high`; `parents` and
    `slack`: by tree, see `etl.estimate.common.bounds.tighten`. Raises DataError if the solver fails.
    """
    free = np.flatnonzero(is_free)
    blocks, targets, room, sums = [], [], [], []
    for parent, allowed in zip(parents, slack, strict=True):
        matrix, groups = _sums(parent, is_free, free)
        blocks.append(matrix)
        targets.append(-gaps(np.where(is_free, 0.0, value), parent)[groups])
        room.append(allowed[groups])
        sums.append(groups)
    matrix = sparse.vstack(blocks).tocsr()
    excess = [np.zeros(value.size) for _ in parents]
    if not matrix.shape[0]:
        return Closed(value, excess)
    solution, beyond = _solve(matrix, np.concatenate(targets), np.concatenate(room), value[free], low[free], high[free])
    result = value.copy()
    result[free] = np.clip(solution, low[free], high[free])
    offset = 0
    for tree, groups in enumerate(sums):
        excess[tree][groups] = beyond[offset : offset + groups.size]
        offset += groups.size
    return Closed(result, excess)


def _sums(parent: Integers, is_free: Booleans, free: Integers) -> tuple[sparse.csr_matrix, Integers]:
    """Rows `sum less members` over the free cells, for every sum that touches one; and the cells of these sums."""
    member = parent >= 0
    counts = np.bincount(parent[member], is_free[member], minlength=parent.size)
    is_sum = np.bincount(parent[member], minlength=parent.size) > 0
    groups = np.flatnonzero(is_sum & ((counts > 0) | is_free))
    row_of = np.full(parent.size, -1)
    row_of[groups] = np.arange(groups.size)
    column_of = np.full(parent.size, -1)
    column_of[free] = np.arange(free.size)
    down = free[parent[free] >= 0]
    up = groups[is_free[groups]]
    rows = np.concatenate([row_of[parent[down]], row_of[up]])
    columns = np.concatenate([column_of[down], column_of[up]])
    signs = np.concatenate([-np.ones(down.size), np.ones(up.size)])
    return sparse.csr_matrix((signs, (rows, columns)), shape=(groups.size, free.size)), groups


def _solve(
    matrix: sparse.csr_matrix, target: Floats, room: Floats, start: Floats, low: Floats, high: Floats
) -> tuple[Floats, Floats]:
    """Least relative change so that `matrix @ x` is `target` to within `room`; and what goes beyond it.

    Unknowns: rises and falls of the cells, gaps of either sign within the room, gaps beyond it.
    """
    groups, cells = matrix.shape
    identity = sparse.identity(groups, format="csr")
    equations = sparse.hstack([matrix, -matrix, identity, -identity, identity, -identity]).tocsr()
    start = np.clip(start, low, high)
    relative = 1.0 / (np.abs(start) + _SOFTENING)
    cost = np.concatenate([relative, relative, np.full(2 * groups, _ROUNDING_COST), np.full(2 * groups, _EXCESS_COST)])
    ceiling = np.concatenate([high - start, start - low, room, room, np.full(2 * groups, np.inf)])
    found = linprog(
        cost,
        A_eq=equations,
        b_eq=target - matrix @ start,
        bounds=np.column_stack([np.zeros(ceiling.size), ceiling]),
        method="highs",
    )
    if not found.success:
        raise DataError(f"the sums of the cells could not be closed: {found.message}")
    rise, fall = found.x[:cells], found.x[cells : 2 * cells]
    beyond = found.x[2 * cells + 2 * groups :]
    return start + rise - fall, beyond[:groups] + beyond[groups:]
