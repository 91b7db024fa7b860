"""Quantiles and ranks of columns against plain loops and numpy."""

import numpy as np
import plain_rules
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from etl.measure.quantiles import column_quantiles, column_ranks

matrices = arrays(
    np.float64, st.tuples(st.integers(1, 12), st.integers(1, 4)), elements=st.one_of(st.just(np.nan), st.integers(0, 9))
)
shares = st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.75, 0.8, 0.9, 1.0])


@given(matrices, shares)
def test_quantiles_are_those_of_plain_loops_and_of_numpy(values: np.ndarray, share: float) -> None:
    (found,) = column_quantiles(values, share)
    for column in range(values.shape[1]):
        known = values[~np.isnan(values[:, column]), column]
        if len(known) == 0:
            assert np.isnan(found[column])
        else:
            assert found[column] == plain_rules.quantile(known.tolist(), share)
            assert found[column] == pytest.approx(np.quantile(known, share))


@given(matrices)
def test_rank_counts_the_higher_figures_and_leaves_zero_out(values: np.ndarray) -> None:
    ranks = column_ranks(values)
    for row, column in np.ndindex(values.shape):
        own = values[row, column]
        if np.isnan(own) or own == 0:
            assert np.isnan(ranks[row, column])
        else:
            assert ranks[row, column] == 1 + sum(other > own for other in values[:, column] if other)


def test_several_quantiles_come_in_the_order_asked() -> None:
    values = np.array([[1.0], [2.0], [3.0], [4.0], [5.0]])
    assert column_quantiles(values, 0.5, 0.25, 1.0)[:, 0].tolist() == [3.0, 2.0, 5.0]
