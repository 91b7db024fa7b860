"""Payroll of the cells that do not print it: pay a head times employees, raked as the employment is."""

import numpy as np

from etl.estimate.common.bounds import UNBOUNDED
from etl.estimate.common.rake import rake
from etl.estimate.common.tree import Floats
from etl.estimate.us.expect import PERSONS_ABOVE, pay_level
from etl.estimate.us.problem import Problem
from etl.estimate.us.solve import Solution

UNIT = 1e6
"""Dollars in which payroll is raked: the nation's stays far below what counts as unbounded."""

SWEEPS = 1
"""Industries add up exactly after any number; payroll is not worth more."""


def estimate_payroll(problem: Problem, solution: Solution) -> Floats:
    """Payroll of every cell, printed where it is printed; NaN everywhere where the source has none.

    Pay a head is that of the industry in the region above, at the region's general level.
    """
    printed = ~np.isnan(problem.payroll)
    if not (problem.payroll > 0).any():
        return problem.payroll
    payroll, employment = np.nan_to_num(problem.payroll) / UNIT, solution.value
    paid = printed & (payroll > 0) & (employment > 0)
    rate = problem.rate(payroll, employment, paid, PERSONS_ABOVE, pay_level(problem, payroll, employment, paid))
    payroll = np.where(printed, payroll, employment * rate)
    low, high = np.where(printed, payroll, 0.0), np.where(printed, payroll, UNBOUNDED)
    raked = rake(payroll, low, high, solution.parents, sweeps=SWEEPS, tolerance=1.0)
    return np.where(printed, problem.payroll, raked * UNIT)
