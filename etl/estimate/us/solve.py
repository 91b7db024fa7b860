"""Bounds and estimates of one set of American cells: tighten, expect, rake."""

from dataclasses import dataclass, replace

import numpy as np

from etl.errors import DataError
from etl.estimate.common.bounds import Conflict, Tightened, exact, tighten
from etl.estimate.common.close import close
from etl.estimate.common.rake import Raker
from etl.estimate.common.tree import Booleans, Floats, Integers, gaps, levels
from etl.estimate.us.expect import expectation
from etl.estimate.us.prior import truncated
from etl.estimate.us.problem import Problem, place_of

PASSES, PASSES_LARGE, LARGE = 12, 3, 500_000
"""Passes of tightening, fewer for more than so many cells: the fourth finds one more exact cell in a thousand."""

FIRST_SWEEPS = 2
"""Sweeps in which cells give way by their variance, which is the most accurate."""

SWEEPS = 4
"""Further sweeps, in which they give way by the room between their bounds, which closes what is left soonest."""

MOST_ROOM = 1e6
"""Persons of room that a cell without upper bound counts with."""

BRANCHES, MORE_SWEEPS = (2, 1), 30
"""Where the branches begin, below the total, in which sums still missed are raked on, and for how many sweeps."""

CLOSED_BRANCH = 1
"""Where the branches begin in which what is missed after that is closed exactly; the fewest are left over so."""

MISSED, MISSED_PERSONS = 0.001, 0.5
"""Share of a sum over regions, and persons, beyond which its difference to its members is worked on further."""

ADDED_UP = 1e-6
"""Share of a sum by which industries may miss it."""

CLOSED_CELLS = 60_000
"""Free cells up to which the last gaps are closed exactly, by a linear programme. Where counties are too many for that,
nation and states are closed, and the counties follow."""


@dataclass(frozen=True, slots=True)
class Solution:
    """Bounds and estimates of the cells.

    `value` lies within `low` and `high`; `variance` is that of the prior, 0 where exact. `conflicts`: sums that cannot
    be met; `parents`: the trees without them; `unmet`: by tree, what sums miss (by cell) that could be met alone but
    not beside what is settled already. `range_conflicts`: cells whose size classes and range exclude each other (the
    range stands).
    """

    low: Floats
    high: Floats
    value: Floats
    variance: Floats
    parents: tuple[Integers, Integers]
    conflicts: list[Conflict]
    unmet: list[dict[int, float]]
    range_conflicts: Integers


def solve(problem: Problem) -> Solution:
    """Tighten the bounds, expect every free cell between them, rake; close the last gaps where the table is small."""
    tight, range_conflicts = _tightened(problem)
    low, high = tight.low, tight.high
    raker = Raker(low, high, tight.trees)
    tight = replace(tight, trees=[])  # the raker has what it needs of them; the rest is a tenth of the memory
    is_exact = exact(low, high)
    free = np.flatnonzero(~is_exact)
    value, variance = low.copy(), np.zeros(low.size)
    value[free], variance[free] = truncated(expectation(problem, low, is_exact, free), low[free], high[free])
    value, unmet = _adjusted(problem, tight, raker, value, variance)
    industries, regions = tight.parents
    return Solution(low, high, value, variance, (industries, regions), tight.conflicts, unmet, range_conflicts)


def _tightened(problem: Problem) -> tuple[Tightened, Integers]:
    """Ranges from letters, size classes and both trees; and the cells whose size classes exclude their own range."""
    low, high, range_conflicts = _own_bounds(problem)
    passes = PASSES if low.size <= LARGE else PASSES_LARGE
    return tighten(low, high, problem.parents, slack=problem.slack, passes=passes), range_conflicts


def _adjusted(
    problem: Problem, tight: Tightened, raker: Raker, value: Floats, variance: Floats
) -> tuple[Floats, list[dict[int, float]]]:
    """Make the expectations add up; also by tree, what sums miss that cannot be met together."""
    is_free = ~exact(tight.low, tight.high)
    room = np.where(is_free, np.minimum(tight.high - tight.low, MOST_ROOM), 0.0)
    is_small = is_free.sum() <= CLOSED_CELLS
    value = raker.rake(value, [(variance, FIRST_SWEEPS), (room, 4 * SWEEPS if is_small else SWEEPS // 2)])
    if is_small:
        return _closed(problem, tight, value, is_free)
    top = _nation_and_states(problem)
    if top.size < value.size and is_free[top].sum() <= CLOSED_CELLS:
        parents = [place_of(parent, top) for parent in tight.parents]
        ranges = replace(tight, low=tight.low[top], high=tight.high[top], parents=parents)
        value[top], _ = _closed(problem.take(top), ranges, value[top], is_free[top])
        raker.settle(top, value[top])
    value = raker.rake(value, [(room, SWEEPS)])
    for depth in BRANCHES:
        value = _raked_further(problem, tight, value, room, depth)
    value = _closed_further(problem, tight, value, room, CLOSED_BRANCH)
    industry, region = (gaps(value, parent) for parent in tight.parents)
    is_off = np.abs(industry) > ADDED_UP * (1.0 + value) + _allowed(problem, 0)
    return value, [_listed(industry, is_off), _listed(region, _is_missed(problem, value, region))]


def _is_missed(problem: Problem, value: Floats, missing: Floats) -> Booleans:
    allowed = np.maximum(MISSED * value, MISSED_PERSONS)
    result: Booleans = np.abs(missing) > np.maximum(allowed, _allowed(problem, 1))
    return result


def _allowed(problem: Problem, tree: int) -> Floats | float:
    """By how much sums of a tree may miss their members for the publisher's rounding."""
    slack = problem.slack[tree]
    return 0.0 if slack is None else slack


def _missed_branches(problem: Problem, tight: Tightened, value: Floats, depth: int) -> tuple[Integers, Booleans]:
    """The cells of the branches, of industries of single states, in which sums over regions are missed; and which of
    them stay: what stands above a branch, and the states.

    `depth`: how far below the total a branch begins.
    """
    missed = _is_missed(problem, value, gaps(value, tight.parents[1]))
    head = _heads(problem.industry_up, depth)[problem.industry]
    branch = np.where(head >= 0, problem.state.astype(np.int64) * problem.industry_up.size + head, -1)
    rows = np.flatnonzero((branch >= 0) & np.isin(branch, branch[missed]))
    stays = np.zeros(value.size, bool)
    stays[_nation_and_states(problem)] = True
    return rows, (stays | (head == problem.industry))[rows]


def _raked_further(problem: Problem, tight: Tightened, value: Floats, room: Floats, depth: int) -> Floats:
    """Rake on where sums over regions are missed; whole tables would need many more sweeps for a few hundred sums."""
    rows, stays = _missed_branches(problem, tight, value, depth)
    return _raked_within(tight, value, room, rows, stays, MORE_SWEEPS) if rows.size else value


def _closed_further(problem: Problem, tight: Tightened, value: Floats, room: Floats, depth: int) -> Floats:
    """Close exactly what sums over regions are missed by still, where their branches leave a way to do so."""
    rows, stays = _missed_branches(problem, tight, value, depth)
    low, high = (np.where(stays, value[rows], bound[rows]) for bound in (tight.low, tight.high))
    is_free = ~exact(low, high)
    if not 0 < is_free.sum() <= CLOSED_CELLS:
        return value
    parents = [place_of(parent, rows) for parent in tight.parents]
    slack = [np.zeros(rows.size) if one is None else one[rows] for one in problem.slack]
    result = value.copy()
    try:
        result[rows] = close(value[rows], low, high, is_free, parents, slack).value
    except DataError:  # the solver gave up: what is missed is listed
        return value
    # Where no way is left, the industries add up and the regions miss.
    return _raked_within(tight, result, room, rows, stays, sweeps=0)


def _raked_within(
    tight: Tightened, value: Floats, room: Floats, rows: Integers, stays: Booleans, sweeps: int
) -> Floats:
    """Rake these rows alone, those that stay at their values."""
    low, high = (np.where(stays, value[rows], bound[rows]) for bound in (tight.low, tight.high))
    raker = Raker(low, high, [levels(place_of(parent, rows)) for parent in tight.parents])
    result = value.copy()
    result[rows] = raker.rake(value[rows], [(np.where(stays, 0.0, room[rows]), sweeps)])
    return result


def _heads(industry_up: Integers, depth: int) -> Integers:
    """For each industry the one it is in, or is, that stands so far below the total; -1 for those above these."""
    path = [np.arange(industry_up.size)]
    while (path[-1] >= 0).any():
        path.append(np.where(path[-1] >= 0, industry_up[path[-1]], -1))
    below_total = np.sum([step >= 0 for step in path], axis=0) - 1
    steps = np.maximum(below_total - depth, 0)
    return np.where(below_total >= depth, np.stack(path)[steps, path[0]], -1)


def _nation_and_states(problem: Problem) -> Integers:
    """Cells above the counties: of nation and states, but for what only closes the sums over counties."""
    is_top = problem.region_level < 2
    below = np.flatnonzero(problem.region_parent >= 0)
    is_top[below] &= problem.region_level[problem.region_parent[below]] < 1
    return np.flatnonzero(is_top)


def _closed(
    problem: Problem, tight: Tightened, value: Floats, is_free: Booleans
) -> tuple[Floats, list[dict[int, float]]]:
    slack = [np.zeros(value.size) if one is None else one for one in problem.slack]
    if not is_free.any():
        return value, []
    closed = close(value, tight.low, tight.high, is_free, tight.parents, slack)
    missing = [gaps(closed.value, parent) for parent in tight.parents]
    is_unmet = [excess > MISSED_PERSONS for excess in closed.excess]
    return closed.value, [_listed(gap, unmet) for gap, unmet in zip(missing, is_unmet, strict=True)]


def _listed(missing: Floats, is_unmet: Booleans) -> dict[int, float]:
    return {cell: float(missing[cell]) for cell in np.flatnonzero(is_unmet).tolist()}


def _own_bounds(problem: Problem) -> tuple[Floats, Floats, Integers]:
    """Each cell's own range, narrowed by its size classes unless they exclude each other; and where they do."""
    if problem.sizes is None:
        return problem.low, problem.high, np.zeros(0, np.int64)
    least, most = problem.sizes.range(is_noisy=problem.is_noisy)
    is_free = problem.high > problem.low
    wrong = is_free & ((least > problem.high) | (most < problem.low))
    narrow = is_free & ~wrong
    low = np.where(narrow, np.maximum(problem.low, least), problem.low)
    high = np.where(narrow, np.minimum(problem.high, most), problem.high)
    return low, high, np.flatnonzero(wrong)
