"""Totals of regions, cluster strength, and the portfolio's indices."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from measure_cases import cell, table

from etl.measure import Rules, measure_year
from etl.measure.portfolio import entropy, herfindahl, shares_of_total, shrunken_log_quotient, symmetric_quotient
from etl.measure.totals import cluster_strength


def total(cells: list[dict[str, Any]], **replaced: Any) -> dict[str, Any]:
    rows = table({("us_state", "01"): cells, ("us_nation", "US"): [cell(1, 900.0), cell(2, 900.0), cell(101, 900.0)]})
    done = measure_year({"census_cbp": rows}, year=2019, rules=Rules(us_regions=replaced))["region_total"]
    (row,) = [row for row in done.to_pylist() if row["region_scheme"] == "us_state"]
    return row


def test_totals_by_class() -> None:
    row = total([cell(1, 10.0), cell(2, 20.0), cell(101, 5.0), cell(0, 3.0), cell(-1, 2.0)])
    assert row["employment"] == row["employment_low"] == row["employment_high"] == row["employment_reported"] == 40
    assert (row["employment_traded"], row["employment_local"]) == (30, 5)
    assert (row["employment_unclassified"], row["employment_not_allocated"]) == (3, 2)
    assert (row["employment_status"], row["currency_code"], row["payroll"]) == ("reported", "USD", 40 * 50_000)


@pytest.mark.parametrize(
    ("cells", "employment", "status", "reason"),
    [
        ([cell(1, None), cell(2, 5.0)], None, "withheld", "a withheld member that nobody estimated hides the total"),
        (
            [
                cell(1, 6.0, employment_reported=0.0, employment_status="estimated"),
                cell(-1, 0.0, employment_reported=6.0),
            ],
            6.0,
            "reported",
            "estimates that add up to the printed total leave it printed",
        ),
        (
            [cell(1, 6.0, employment_reported=0.0, employment_status="estimated"), cell(2, 4.0)],
            10.0,
            "estimated",
            "what is not printed below nor above is as uncertain as its worst part",
        ),
        ([cell(1, 6.0, employment_status="noised"), cell(2, 4.0)], 10.0, "noised", "noise below is noise in the total"),
    ],
)
def test_status_of_the_total(cells: list[dict[str, Any]], employment: float | None, status: str, reason: str) -> None:
    row = total(cells)
    assert (row["employment"], row["employment_status"]) == (employment, status), reason


@pytest.mark.parametrize(
    ("employment", "is_strong", "is_known", "strength", "reason"),
    [
        ([30.0, 70.0], [True, False], [True, True], 0.3, "strong over all traded employment"),
        ([0.0, 0.0], [False, False], [True, True], None, "no traded employment, no share of it"),
        ([30.0, 70.0], [True, False], [True, False], None, "a cluster without a flag could be on either side"),
        ([30.0, 0.0], [True, False], [True, False], 1.0, "an empty cluster without a flag changes nothing"),
    ],
)
def test_cluster_strength(
    employment: list[float], is_strong: list[bool], is_known: list[bool], strength: float | None, reason: str
) -> None:
    (found,) = cluster_strength(*(np.array([column]) for column in (employment, is_strong, is_known)))
    assert (None if np.isnan(found) else found) == strength, reason


@given(arrays(np.float64, (4, 6), elements=st.integers(0, 1000)))
def test_portfolio_indices_are_those_of_plain_loops(employment: np.ndarray) -> None:
    shares = shares_of_total(employment)
    for row, concentration, bits in zip(employment, herfindahl(shares), entropy(shares), strict=True):
        whole = row.sum()
        if whole == 0:
            assert np.isnan(concentration) and np.isnan(bits)
            continue
        parts = [value / whole for value in row if value]
        assert concentration == pytest.approx(sum(part**2 for part in parts))
        assert bits == pytest.approx(-sum(part * math.log2(part) for part in parts), abs=1e-12)


@pytest.mark.parametrize(
    ("quotient", "employment", "symmetric", "shrunken", "reason"),
    [
        (1.0, 1000.0, 0.0, 0.0, "as in the nation"),
        (3.0, 500.0, 0.5, math.log2(3) / 2, "at 500 persons it counts half"),
        (0.0, 0.0, -1.0, 0.0, "without employment there is no evidence"),
    ],
)
def test_transformed_quotients(
    quotient: float, employment: float, symmetric: float, shrunken: float, reason: str
) -> None:
    assert symmetric_quotient(np.array([quotient]))[0] == pytest.approx(symmetric), reason
    assert shrunken_log_quotient(np.array([quotient]), np.array([employment]))[0] == pytest.approx(shrunken), reason
