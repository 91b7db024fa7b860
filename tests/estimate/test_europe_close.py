"""The last gaps: closed where a solution exists, told where none does."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from etl.estimate.common.close import close
from etl.estimate.common.tree import gaps

# Two rows and two columns of cells (0 to 3), their sums (4, 5 by row; 6, 7 by column).
ROWS = np.array([4, 4, 5, 5, -1, -1, -1, -1])
COLUMNS = np.array([6, 7, 6, 7, -1, -1, -1, -1])
FREE = np.array([True] * 4 + [False] * 4)
LOW, HIGH = np.zeros(8), np.full(8, 1e10)
NO_SLACK = [np.zeros(8), np.zeros(8)]


def test_two_trees_are_met_at_once() -> None:
    value = np.array([10.0, 10, 10, 10, 30, 10, 25, 15])
    done = close(value, LOW, HIGH, FREE, [ROWS, COLUMNS], NO_SLACK)
    for parent in (ROWS, COLUMNS):
        assert np.abs(gaps(done.value, parent)).max() < 1e-9
    assert done.value[4:] == pytest.approx(value[4:])
    assert all(not excess.any() for excess in done.excess)


def test_what_cannot_be_met_is_told_and_bounds_hold() -> None:
    value = np.array([5.0, 5, 5, 5, 30, 10, 25, 15])
    high = np.where(FREE, 12.0, HIGH)
    done = close(value, LOW, high, FREE, [ROWS, COLUMNS], NO_SLACK)
    assert (done.value[:4] <= 12).all()
    assert sum(excess.sum() for excess in done.excess) == pytest.approx(12), "6 in the first row, 6 elsewhere"


def test_rounding_is_no_gap() -> None:
    value = np.array([20.0, 10, 5, 5, 31, 10, 25, 15])
    slack = [np.full(8, 1.5), np.full(8, 1.5)]
    fixed = np.zeros(8, bool)
    done = close(value, LOW, HIGH, fixed, [ROWS, COLUMNS], slack)
    assert done.value == pytest.approx(value) and not any(excess.any() for excess in done.excess)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, 1000), min_size=4, max_size=4), st.lists(st.floats(0, 2000), min_size=4, max_size=4))
def test_a_solution_that_exists_is_found(truth: list[int], start: list[float]) -> None:
    cells = np.array(truth, float)
    sums = [cells[0] + cells[1], cells[2] + cells[3], cells[0] + cells[2], cells[1] + cells[3]]
    done = close(np.array([*start, *sums]), LOW, HIGH, FREE, [ROWS, COLUMNS], NO_SLACK)
    assert sum(excess.sum() for excess in done.excess) < 1e-6
    for parent in (ROWS, COLUMNS):
        assert np.abs(gaps(done.value, parent)).max() < 1e-6
