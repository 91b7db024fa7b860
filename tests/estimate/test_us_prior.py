"""The prior: truncated lognormals, their combination, rates by industry and region."""

import numpy as np
import pytest
from scipy import integrate, stats

from etl.estimate.common.bounds import UNBOUNDED
from etl.estimate.us.prior import PriorExpectation, truncated
from etl.estimate.us.rates import usual_rate


@pytest.mark.parametrize(
    ("mean", "scale", "low", "high"),
    [(50, 0.8, 20, 99), (10, 0.5, 20, 99), (900, 0.4, 100, 249), (5, 1.2, 0, 19), (300, 0.6, 100, UNBOUNDED)],
)
def test_mean_and_variance_are_those_of_the_truncated_distribution(
    mean: float, scale: float, low: float, high: float
) -> None:
    one = PriorExpectation(np.array([mean]), np.array([scale]))
    value, variance = truncated(one, np.array([float(low)]), np.array([float(high)]))
    law = stats.lognorm(s=scale, scale=mean * np.exp(-(scale**2) / 2))
    ends = max(low - 0.5, 1e-3), min(high + 0.5, mean * 200)
    mass, first, second = (
        integrate.quad(lambda x, p=power: x**p * law.pdf(x), *ends, limit=500)[0] for power in (0, 1, 2)
    )
    assert value[0] == pytest.approx(first / mass, rel=1e-3)
    assert variance[0] == pytest.approx(second / mass - (first / mass) ** 2, rel=1e-2)


def test_far_outside_its_range_a_cell_lies_near_the_nearer_bound() -> None:
    far = PriorExpectation(np.array([1e6, 1.0]), np.array([0.1, 0.1]))
    value, _ = truncated(far, np.array([20.0, 5000.0]), np.array([99.0, 9999.0]))
    assert 90 < value[0] <= 99 and 5000 <= value[1] < 5500


def test_two_expectations_meet_by_precision() -> None:
    one = PriorExpectation(np.array([100.0, np.nan, 7.0]), np.array([0.2, np.nan, 0.3]))
    other = PriorExpectation(np.array([400.0, 5.0, np.nan]), np.array([0.2, 0.3, np.nan]))
    both = one.combined(other)
    assert both.mean == pytest.approx([200, 5, 7])
    assert both.scale == pytest.approx([0.2 / np.sqrt(2), 0.3, 0.3])


def test_a_rate_comes_from_the_region_above_and_from_the_wider_industry() -> None:
    # Cells: nation in industries 0 (the total) and 1, a state in 1 and 2; industry 2 is known nowhere.
    rate = usual_rate(
        amount=np.array([1000.0, 600.0, 0.0, 0.0]),
        base=np.array([100.0, 20.0, 5.0, 5.0]),
        known=np.array([True, True, False, False]),
        industry=np.array([0, 1, 1, 2]),
        industry_up=np.array([-1, 0, 0]),
        region_level=np.array([0, 0, 1, 1]),
        region_parent=np.array([-1, -1, 1, -1]),
        weight_above=1.0,
    )
    assert rate[2] == pytest.approx(30, rel=0.1), "that of its industry in the nation"
    assert rate[3] == pytest.approx(10, rel=0.01), "that of the industry above"
