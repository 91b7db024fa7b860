"""Bounds and raking on cases small enough to do by hand, and their algebra."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from etl.estimate.common.bounds import UNBOUNDED, exact, tighten
from etl.estimate.common.rake import rake
from etl.estimate.common.tree import gaps, levels

# A 2 x 2 table with its margins: cells 0-3 inside, 4-5 sums of rows, 6-7 sums of columns, 8 the total.
ROWS = np.array([4, 4, 5, 5, 8, 8, -1, -1, -1])
COLUMNS = np.array([6, 7, 6, 7, -1, -1, 8, 8, -1])
TRUTH = np.array([3.0, 5.0, 7.0, 11.0, 8.0, 18.0, 10.0, 16.0, 26.0])


def test_a_part_is_its_sum_less_the_other_part() -> None:
    tight = tighten(np.array([10.0, 4.0, 0.0]), np.array([10.0, 4.0, UNBOUNDED]), [np.array([-1, 0, 0])])
    assert tight.low[2] == tight.high[2] == 6.0
    assert tight.conflicts == []


def test_one_free_cell_of_a_two_way_table_is_exact() -> None:
    low, high = TRUTH.copy(), TRUTH.copy()
    low[0], high[0] = 0, UNBOUNDED
    tight = tighten(low, high, [ROWS, COLUMNS])
    assert exact(tight.low, tight.high).all() and tight.low[0] == 3.0


def test_a_range_that_cannot_hold_the_residual_is_reported_and_not_clipped() -> None:
    low, high = np.array([10_000.0, 9_500.0, 0.0]), np.array([10_000.0, 9_500.0, 19.0])
    tight = tighten(low, high, [np.array([-1, 0, 0])])
    (conflict,) = tight.conflicts
    assert (conflict.tree, conflict.cell) == (0, 0)
    assert (conflict.low, conflict.members_low, conflict.members_high) == (10_000.0, 9_500.0, 9_519.0)
    assert (tight.low[2], tight.high[2]) == (0.0, 19.0), "nothing is narrowed by a sum known to be wrong"
    assert (tight.parents[0] == -1).all()


def test_rounded_figures_may_miss_their_sum_by_the_slack() -> None:
    low = high = np.array([10.0, 4.0, 5.0])
    parent = np.array([-1, 0, 0])
    assert len(tighten(low, high, [parent]).conflicts) == 1
    assert tighten(low, high, [parent], slack=[np.array([1.0, 0, 0])]).conflicts == []


def test_an_empty_range_and_a_circle_are_refused() -> None:
    with pytest.raises(ValueError, match="empty"):
        tighten(np.array([2.0]), np.array([1.0]), [np.array([-1])])
    with pytest.raises(ValueError, match="circle"):
        levels(np.array([1, 0]))


def test_the_prior_decides_what_the_sums_leave_open() -> None:
    parent = np.array([-1, 0, 0])
    values = rake(np.array([30.0, 1.0, 2.0]), np.array([30.0, 0, 0]), np.array([30.0, 99, 99]), [parent])
    assert values == pytest.approx([30, 10, 20])
    values = rake(np.array([30.0, 1.0, 2.0]), np.array([30.0, 0, 0]), np.array([30.0, 99, 12]), [parent])
    assert values == pytest.approx([30, 18, 12])


@st.composite
def tables(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The truth of a 2 x 2 table with margins, and ranges around some of its cells."""
    inside = np.array(draw(st.lists(st.integers(0, 500), min_size=4, max_size=4)), float)
    truth = np.concatenate([inside, [inside[0] + inside[1], inside[2] + inside[3]], inside[:2] + inside[2:]])
    truth = np.append(truth, inside.sum())
    below, above = (np.array(draw(st.lists(st.integers(0, 200), min_size=9, max_size=9)), float) for _ in "ab")
    hidden = np.array(draw(st.lists(st.booleans(), min_size=9, max_size=9)))
    low = np.where(hidden, np.maximum(truth - below, 0), truth)
    high = np.where(hidden, truth + above, truth)
    return truth, low, high


@settings(max_examples=200, deadline=None)
@given(tables())
def test_the_truth_stays_inside_and_the_estimate_too(table: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    truth, low, high = table
    tight = tighten(low, high, [ROWS, COLUMNS])
    assert tight.conflicts == []
    assert (tight.low <= truth + 1e-6).all() and (truth <= tight.high + 1e-6).all()
    assert (tight.low >= low).all() and (tight.high <= high).all()
    again = tighten(tight.low, tight.high, [ROWS, COLUMNS])
    assert again.high - again.low == pytest.approx(tight.high - tight.low, abs=0.5)
    values = rake((low + high) / 2, tight.low, tight.high, [ROWS, COLUMNS], sweeps=200, tolerance=1e-4)
    assert (values >= tight.low - 1e-9).all() and (values <= tight.high + 1e-9).all()
    assert np.abs(gaps(values, ROWS)).max() < 1e-6
    assert np.abs(gaps(values, COLUMNS)).max() < 0.5
