"""Bounds and estimates of one set of American cells: tighten, expect, rake."""

from dataclasses import dataclass, fields, replace
from typing import Any, Self

import numpy as np

from etl.estimate.bounds import Conflict, exact, tighten
from etl.estimate.europe_close import close
from etl.estimate.prior import SMALLEST, Expectation, scale_by_size, truncated
from etl.estimate.rake import Raker
from etl.estimate.rates import usual_rate
from etl.estimate.sizes import SizeClasses
from etl.estimate.tree import Booleans, Floats, Integers

FIRST_SWEEPS = 3
"""Sweeps in which cells give way by their variance, which is the most accurate."""

CLOSED_CELLS = 60_000
"""Free cells up to which the last gaps are closed exactly, by a linear programme; counties have too many."""

SWEEPS = 3
"""Further sweeps, by standard deviation, which close the remaining gaps sooner."""

WEIGHT_ABOVE = 3.0
"""Establishments with which the average size of a wider group counts in that of a narrower one."""

PERSONS_ABOVE = 50.0
"""The same for pay a head, in persons."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Cells to estimate, aligned arrays.

    `low`, `high`: what the file says of each cell by itself, equal where it prints a figure. `industry_parent`,
    `region_parent`: see `etl.estimate.tree`. `region_level`: 0 the nation …; `state`: a number,
    -1 for the nation; `industry`: a number, whose parent is
    `industry_up[industry]`; `sector`: a number. `is_leaf`: nothing below it by industry. `is_published`: not added by
    us. `payroll`: as printed, NaN where not. `before`: the figure of the year before brought forward by establishments,
    NaN where none. `slack`: how far a sum may miss its members because figures are rounded, by tree.
    """

    low: Floats
    high: Floats
    establishments: Floats
    industry_parent: Integers
    region_parent: Integers
    region: Integers
    region_level: Integers
    state: Integers
    industry: Integers
    industry_up: Integers
    sector: Integers
    is_leaf: Booleans
    is_published: Booleans
    payroll: Floats
    before: Floats
    sizes: SizeClasses | None
    is_noisy: bool
    slack: tuple[Floats | None, Floats | None] = (None, None)

    @property
    def parents(self) -> tuple[Integers, Integers]:
        """Both trees, the industries first: they are made to add up exactly."""
        return self.industry_parent, self.region_parent

    def take(self, rows: Integers) -> Self:
        """These cells alone; a cell whose sum is not among them adds into none."""
        place = np.full(self.low.size + 1, -1)
        place[rows] = np.arange(rows.size)
        arrays = {field.name: getattr(self, field.name) for field in fields(self) if field.name != "industry_up"}
        aligned: dict[str, Any] = {name: one[rows] for name, one in arrays.items() if isinstance(one, np.ndarray)}
        industries, regions = (None if one is None else one[rows] for one in self.slack)
        aligned["industry_parent"] = place[self.industry_parent[rows]]
        aligned["region_parent"] = place[self.region_parent[rows]]
        sizes = None if self.sizes is None else self.sizes.take(rows)
        return replace(self, **aligned, sizes=sizes, slack=(industries, regions))

    def rate(
        self, amount: Floats, base: Floats, known: Booleans, weight: float, factor: Floats | None = None
    ) -> Floats:
        """`usual_rate` over these cells."""
        return usual_rate(
            amount,
            base,
            known & self.is_published,
            self.industry,
            self.industry_up,
            self.region_level,
            self.region_parent,
            weight,
            factor,
        )


@dataclass(frozen=True, slots=True)
class Solution:
    """`value` within `low` and `high`; `own_high`: the upper end each cell has by itself; `variance` of the prior, 0
    where exact; `parents`: the trees without the sums that cannot be met, which are `conflicts`; `unmet`: by tree, what
    is missing from sums that could be met alone but not together; `range_conflicts`: cells whose size classes and range
    exclude each other (the range stands)."""

    low: Floats
    high: Floats
    own_high: Floats
    value: Floats
    variance: Floats
    parents: tuple[Integers, Integers]
    conflicts: list[Conflict]
    unmet: list[Floats]
    range_conflicts: Integers


def solve(problem: Problem) -> Solution:
    """Tighten the bounds, expect every free cell between them, rake; close the last gaps where the table is small."""
    low, high, range_conflicts = _own_bounds(problem)
    tight = tighten(low, high, problem.parents, slack=problem.slack)
    is_exact = exact(tight.low, tight.high)
    free = np.flatnonzero(~is_exact)
    value, variance = tight.low.copy(), np.zeros(low.size)
    expected = _expectation(problem, tight.low, is_exact)
    prior = Expectation(expected.mean[free], expected.scale[free])
    value[free], variance[free] = truncated(prior, tight.low[free], tight.high[free])
    raker = Raker(tight.low, tight.high, tight.parents)
    value = raker.rake(value, variance, FIRST_SWEEPS)
    value = raker.rake(value, np.sqrt(variance), SWEEPS)
    unmet = []
    if 0 < free.size <= CLOSED_CELLS:
        nothing = [np.zeros(low.size) if slack is None else slack for slack in problem.slack]
        closed = close(value, tight.low, tight.high, ~is_exact, tight.parents, nothing)
        value, unmet = closed.value, closed.excess
    industries, regions = tight.parents
    return Solution(
        tight.low, tight.high, high, value, variance, (industries, regions), tight.conflicts, unmet, range_conflicts
    )


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


def _expectation(problem: Problem, employment: Floats, known: Booleans) -> Expectation:
    """What each cell is expected to hold, from all that speaks of it; `employment` counts where `known`."""
    establishments = problem.establishments
    usual = problem.rate(employment, establishments, known, WEIGHT_ABOVE)
    by_number = np.maximum(establishments * usual, SMALLEST)
    fitted = known & problem.is_leaf & problem.is_published & (establishments > 0)
    result = Expectation(by_number, scale_by_size(employment, by_number, establishments, fitted))
    if problem.sizes is not None:
        by_class = problem.sizes.expectation(employment, fitted, problem.sector, usual)
        shown = ~np.isnan(by_class.mean)
        result = Expectation(np.where(shown, by_class.mean, result.mean), np.where(shown, by_class.scale, result.scale))
    if (~known & (problem.payroll > 0)).any():
        result = result.combined(_by_payroll(problem, employment, known, fitted))
    if (~known & (problem.before > 0)).any():
        result = result.combined(_measured(problem, problem.before, employment, fitted))
    return result


def _by_payroll(problem: Problem, employment: Floats, known: Booleans, fitted: Booleans) -> Expectation:
    payroll = np.nan_to_num(problem.payroll)
    paid = known & (payroll > 0) & (employment > 0)
    rate = problem.rate(payroll, employment, paid, PERSONS_ABOVE, pay_level(problem, payroll, employment, paid))
    return _measured(problem, np.where(payroll > 0, payroll / rate, np.nan), employment, fitted)


def pay_level(problem: Problem, payroll: Floats, employment: Floats, paid: Booleans) -> Floats:
    """Pay a head over all industries of each cell's region, beside the mean of regions; 1 where it is not printed."""
    total = np.flatnonzero(paid & (problem.industry_up[problem.industry] < 0) & problem.is_published)
    level = np.ones(int(problem.region.max(initial=0)) + 1)
    if total.size:
        level[problem.region[total]] = (payroll[total] / employment[total]) / (
            payroll[total].sum() / employment[total].sum()
        )
    result: Floats = level[problem.region]
    return result


def _measured(problem: Problem, mean: Floats, employment: Floats, fitted: Booleans) -> Expectation:
    """An expectation whose spread is measured on the cells that have it and are known."""
    both = fitted & (np.nan_to_num(mean) > 0)
    scale = scale_by_size(employment, np.where(both, mean, 1.0), problem.establishments, both)
    return Expectation(np.where(mean > 0, mean, np.nan), np.where(mean > 0, scale, np.nan))
