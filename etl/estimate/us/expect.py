"""What each withheld American cell is expected to hold, from its size classes or establishments, payroll and past."""

import numpy as np

from etl.estimate.common.tree import Booleans, Floats, Integers
from etl.estimate.us.prior import SMALLEST, PriorExpectation, scale_by_size, size_bins
from etl.estimate.us.problem import Problem

WEIGHT_ABOVE = 3.0
"""Establishments with which the average size of a wider group counts in that of a narrower one."""

PERSONS_ABOVE = 50.0
"""The same for pay a head, in persons."""


BY_NUMBER, BY_PAYROLL, BY_PAST = 1.2, 0.6, 0.5
"""Standard deviation of the logarithm for a cell of one establishment, by what speaks of it, where too few cells are
known to measure it: as in the state files of 2009 to 2011."""


def expectation(problem: Problem, employment: Floats, known: Booleans, free: Integers) -> PriorExpectation:
    """What each of the `free` cells is expected to hold; `employment` counts where `known`."""
    establishments = problem.establishments
    usual = problem.rate(employment, establishments, known, WEIGHT_ABOVE)
    by_number = np.maximum(establishments * usual, SMALLEST)
    fitted = np.flatnonzero(known & problem.is_leaf & problem.is_published & (establishments > 0))
    result = _measured(problem, by_number, employment, fitted, free, BY_NUMBER)
    if problem.sizes is not None:
        by_class = problem.sizes.expectation(employment, fitted, free, problem.sector, usual)
        shown = ~np.isnan(by_class.mean)
        result = PriorExpectation(
            np.where(shown, by_class.mean, result.mean), np.where(shown, by_class.scale, result.scale)
        )
    if (problem.payroll[free] > 0).any():
        result = result.combined(
            _measured(problem, _by_payroll(problem, employment, known), employment, fitted, free, BY_PAYROLL)
        )
    if (problem.before[free] > 0).any():
        result = result.combined(_measured(problem, problem.before, employment, fitted, free, BY_PAST))
    return result


def _by_payroll(problem: Problem, employment: Floats, known: Booleans) -> Floats:
    payroll = np.nan_to_num(problem.payroll)
    paid = known & (payroll > 0) & (employment > 0)
    rate = problem.rate(payroll, employment, paid, PERSONS_ABOVE, pay_level(problem, payroll, employment, paid))
    return np.where(payroll > 0, payroll / rate, np.nan)


def pay_level(problem: Problem, payroll: Floats, employment: Floats, paid: Booleans) -> Floats:
    """Pay a head over all industries of each cell's region, beside the mean of regions; 1 where it is not printed."""
    total = np.flatnonzero(paid & (problem.industry_up[problem.industry] < 0) & problem.is_published)
    level = np.ones(int(problem.region.max(initial=0)) + 1)
    if total.size:
        mean = payroll[total].sum() / employment[total].sum()
        level[problem.region[total]] = payroll[total] / employment[total] / mean
    result: Floats = level[problem.region]
    return result


def _measured(
    problem: Problem, mean: Floats, employment: Floats, fitted: Integers, free: Integers, of_one: float
) -> PriorExpectation:
    """`mean` for the `free` cells, with the spread it has about the employment of the `fitted` ones."""
    fitted = fitted[mean[fitted] > 0]
    scales = scale_by_size(employment[fitted], mean[fitted], problem.establishments[fitted], of_one)
    own = np.where(mean[free] > 0, mean[free], np.nan)
    return PriorExpectation(own, np.where(np.isnan(own), np.nan, scales[size_bins(problem.establishments[free])]))
