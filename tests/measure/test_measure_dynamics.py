"""Growth and shift-share: exact parts, and what cannot be said."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from measure_cases import cell, table

from etl.measure import Rules, measure_year
from etl.measure.dynamics import expected_job_creation, growth_rate, shift_share

amounts = st.integers(0, 10_000_000)


@given(arrays(np.float64, (3, 4), elements=amounts), arrays(np.float64, (3, 4), elements=amounts))
def test_shift_share_parts_add_up_to_the_change(before: np.ndarray, after: np.ndarray) -> None:
    parts = shift_share(before, after, before.sum(axis=0) + 1, after.sum(axis=0) + 1)
    np.testing.assert_allclose(sum(parts), after - before, rtol=1e-9, atol=1e-7)


@given(arrays(np.float64, (3, 4), elements=st.integers(1, 10_000)), arrays(np.float64, (3, 4), elements=amounts))
def test_shift_share_is_the_textbooks(before: np.ndarray, after: np.ndarray) -> None:
    reference_before, reference_after = before.sum(axis=0), after.sum(axis=0)
    whole = reference_after.sum() / reference_before.sum() - 1
    found = shift_share(before, after, reference_before, reference_after)
    for r, c in np.ndindex(before.shape):
        cluster = reference_after[c] / reference_before[c] - 1
        own = after[r, c] / before[r, c] - 1
        textbook = [before[r, c] * growth for growth in (whole, cluster - whole, own - cluster)]
        assert [part[r, c] for part in found] == pytest.approx(textbook, rel=1e-9, abs=1e-4)


def test_expected_job_creation_is_growth_and_mix_together() -> None:
    before, after = np.array([[100.0, 200.0]]), np.array([[150.0, 180.0]])
    reference = np.array([1000.0, 2000.0]), np.array([1100.0, 1900.0])
    whole, mix, regional = shift_share(before, after, *reference)
    expected = expected_job_creation(before, *reference)
    np.testing.assert_allclose(expected, [[10, -10]])
    np.testing.assert_allclose(whole + mix, expected)
    np.testing.assert_allclose(regional, [[40, -10]])


# Edges: before, after, years between, rate; and why.
@pytest.mark.parametrize(
    ("before", "after", "years", "rate", "reason"),
    [
        (100, 121, 2, 0.1, "a rate is compound and annual"),
        (100, 0, 3, -1, "all of it gone is minus one whatever the years"),
        (0, 50, 1, None, "from nothing there is no rate"),
        (0, 0, 1, None, "nothing to nothing is no growth"),
        (None, 50, 1, None, "a withheld start hides growth"),
        (50, None, 1, None, "a withheld end hides growth"),
    ],
)
def test_growth_rates_at_the_edges(before: Any, after: Any, years: int, rate: Any, reason: str) -> None:
    pair = (np.array([np.nan if x is None else float(x)]) for x in (before, after))
    (found,) = growth_rate(*pair, years)
    assert (None if np.isnan(found) else pytest.approx(found)) == rate, reason


def grown(before: dict[Any, Any], after: dict[Any, Any]) -> dict[tuple[str, int], dict[str, Any]]:
    done = measure_year(
        {"census_cbp": table(after, year=2019)},
        year=2019,
        previous={"census_cbp": (2017, table(before, year=2017))},
        rules=Rules(us_regions={}),
    )["region_cluster"]
    return {(row["region_code"], row["cluster_code"]): row for row in done.to_pylist()}


def test_growth_is_measured_from_the_previous_year_of_the_source() -> None:
    nation = ("us_nation", "US")
    rows = grown(
        {("us_state", "01"): [cell(1, 100.0)], nation: [cell(1, 1000.0), cell(2, 500.0)]},
        {
            ("us_state", "01"): [cell(1, 121.0), cell(2, 30.0)],
            ("us_state", "02"): [cell(1, 5.0)],
            nation: [cell(1, 1100.0), cell(2, 700.0)],
        },
    )
    row = rows["01", 1]
    assert (row["previous_year"], row["job_creation"]) == (2017, 21)
    assert row["expected_job_creation"] == pytest.approx(10)
    assert row["employment_growth_rate"] == pytest.approx(0.1)
    assert row["shift_reference"] == pytest.approx(100 * (1800 / 1500 - 1))
    new = rows["01", 2]
    assert (new["job_creation"], new["shift_regional"], new["employment_growth_rate"]) == (30, 30, None)
    unknown = rows["02", 1]
    assert unknown["previous_year"] is None and unknown["job_creation"] is None


def test_a_region_that_lacked_parts_has_no_growth() -> None:
    rows = grown(
        {("us_economic_area", "57001"): [cell(1, 10.0, is_complete=False)]},
        {("us_economic_area", "57001"): [cell(1, 100.0, is_complete=True)]},
    )
    assert rows["57001", 1]["job_creation"] is None and rows["57001", 1]["previous_year"] is None


def test_without_a_previous_year_growth_is_null() -> None:
    done = measure_year({"census_cbp": table({("us_state", "01"): [cell(1, 1.0)]})}, year=2019)["region_cluster"]
    assert done.column("previous_year").null_count == done.num_rows
