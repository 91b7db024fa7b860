"""The American rule: against plain loops, at its edges, and at the size of a county year."""

from typing import Any

import numpy as np
import plain_rules
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from measure_cases import AREAS, CLUSTERS, COUNTIES, STATES, cell, generated, table
from yardstick import yardsticks

from etl.errors import DataError
from etl.measure import Rules, measure_year
from etl.measure import reasons as why
from etl.measure.grid import LOCAL, TRADED, make_grid
from etl.measure.native_us import class_quotients, percentiles, strong_flags

small = arrays(np.float64, st.tuples(st.integers(1, 9), st.integers(1, 4)), elements=st.integers(0, 6))


def measured(rows: pa.Table, **sizes: int) -> dict[tuple[str, str, int], dict[str, Any]]:
    """Completed rows by scheme, region and cluster; `sizes` of comparison sets in place of the real ones."""
    rules = Rules(us_regions=sizes or {"us_state": 50})
    done = measure_year({"census_cbp": rows}, year=2019, rules=rules)["region_cluster"]
    return {(row["region_scheme"], row["region_code"], row["cluster_code"]): row for row in done.to_pylist()}


@given(small, st.data())
def test_quotients_are_those_of_plain_loops(employment: np.ndarray, data: st.DataObject) -> None:
    nation = data.draw(arrays(np.float64, employment.shape[1], elements=st.integers(0, 9)))
    region_share, cluster_share, quotient = class_quotients(employment, nation)
    for r, c in np.ndindex(employment.shape):
        expected = plain_rules.american_quotient(employment[r].tolist(), nation.tolist(), c)
        assert quotient[r, c] == pytest.approx(expected, rel=1e-12)
        total = employment[r].sum()
        assert region_share[r, c] == pytest.approx(employment[r, c] / total if total else 0)
        assert cluster_share[r, c] == pytest.approx(employment[r, c] / nation[c] if nation[c] else 0)


@given(small, st.data())
def test_flags_are_those_of_plain_loops(employment: np.ndarray, data: st.DataObject) -> None:
    establishments = data.draw(arrays(np.float64, employment.shape, elements=st.integers(0, 5)))
    quotient = data.draw(arrays(np.float64, employment.shape, elements=st.integers(0, 8))) / 3
    found = strong_flags(employment, establishments, quotient)
    for c in range(employment.shape[1]):
        expected = plain_rules.american_flags(
            employment[:, c].tolist(), establishments[:, c].tolist(), quotient[:, c].tolist()
        )
        for r, flags in enumerate(expected):
            assert [bool(values[r, c]) for values in found.values()] == list(flags.values())


# What the portal's code does at the edges: employment, establishments, quotients of one cluster, then which regions
# are qualifying, significant, strong, strong in the top decile; and why.
FLAG_EDGES = {
    "one region is not above its own quartile: the floors are strict": (
        ([50], [5], [3]),
        ([False], [False], [False], [False]),
    ),
    "a tie at the quartile of employment fails the floor: strict": (
        ([10, 10, 10, 10, 20], [1, 1, 1, 1, 2], [2, 2, 2, 2, 4]),
        ([False] * 4 + [True],) * 4,
    ),
    "a quotient on the 75th percentile is strong: not strict, while qualifying and significant are": (
        ([1, 5, 6, 7, 8], [1, 5, 6, 7, 8], [1, 2, 2, 2, 2]),
        ([False] * 5, [False] * 5, [False, False, True, True, True], [False, False, True, True, True]),
    ),
    "a region without employment is outside the quantiles and has no flag": (
        ([0, 0, 0, 1, 5, 6, 7, 8], [0, 0, 0, 1, 5, 6, 7, 8], [0, 0, 0, 1, 2, 3, 4, 5]),
        (
            [False] * 5 + [True] * 3,
            [False] * 6 + [True] * 2,
            [False] * 6 + [True] * 2,
            [False] * 7 + [True],
        ),
    ),
    "below 1 nothing is strong, however high among its peers": (
        ([1, 5, 6, 7, 8], [1, 5, 6, 7, 8], [0.1, 0.2, 0.3, 0.4, 0.9]),
        (
            [False, False, True, True, True],
            [False, False, False, True, True],
            [False] * 5,
            [False] * 5,
        ),
    ),
    "many employees in few establishments: the second floor is a floor of its own": (
        ([1, 5, 6, 7, 80], [2, 3, 4, 5, 1], [1, 2, 3, 4, 9]),
        (
            [False, False, True, True, False],
            [False, False, False, True, False],
            [False, False, False, True, False],
            [False] * 5,
        ),
    ),
    "no region has employment: no flag, no error": (([0, 0], [0, 0], [0, 0]), ([False] * 2,) * 4),
}


@pytest.mark.parametrize("reason", FLAG_EDGES)
def test_flags_at_the_edges(reason: str) -> None:
    figures, expected = FLAG_EDGES[reason]
    found = strong_flags(*(np.array(column, float)[:, None] for column in figures))
    assert [values[:, 0].tolist() for values in found.values()] == [list(column) for column in expected], reason


# Zero denominators: the portal writes 0 in place of a division by zero.
QUOTIENT_EDGES = {
    "a region without traded employment has quotients of 0, not none": ([0, 0], [10, 10], [0, 0]),
    "a cluster the nation does not have gives 0": ([0, 5], [0, 10], [0, 1]),
    "a withheld national figure makes every quotient of its class unknown": ([5, 5], [np.nan, 10], [np.nan, np.nan]),
    "a withheld cluster makes every quotient of its region and class unknown": (
        [np.nan, 5],
        [10, 10],
        [np.nan, np.nan],
    ),
    "no employment in a cluster is a quotient of 0": ([0, 5], [10, 10], [0, 2]),
}


@pytest.mark.parametrize("reason", QUOTIENT_EDGES)
def test_quotients_at_the_edges(reason: str) -> None:
    employment, nation, expected = (np.array(column, float) for column in QUOTIENT_EDGES[reason])
    quotient = class_quotients(employment[None, :], nation)[2]
    np.testing.assert_array_equal(quotient[0], expected, reason)


def three_states(**changes: Any) -> dict[tuple[str, str], list[dict[str, Any]]]:
    """Three states and the nation with two traded and two local clusters."""
    cells = {
        ("us_state", "01"): [cell(1, 100.0), cell(2, 300.0), cell(101, 50.0), cell(102, 150.0), cell(0, 5.0)],
        ("us_state", "02"): [cell(1, 200.0), cell(2, 200.0), cell(101, 80.0), cell(102, 120.0), cell(-1, 7.0)],
        ("us_state", "04"): [cell(1, 10.0), cell(2, 90.0), cell(101, 20.0), cell(102, 80.0)],
        ("us_nation", "US"): [cell(1, 310.0), cell(2, 590.0), cell(101, 150.0), cell(102, 350.0), cell(0, 5.0)],
    }
    return cells | changes.pop("replace", {})


def test_denominators_are_the_regions_own_class() -> None:
    rows = measured(table(three_states()), us_state=3)
    assert rows["us_state", "01", 1]["location_quotient"] == pytest.approx((100 / 400) / (310 / 900))
    assert rows["us_state", "01", 101]["location_quotient"] == pytest.approx((50 / 200) / (150 / 500))
    assert rows["us_state", "01", 1]["region_share"] == pytest.approx(0.25)
    assert rows["us_state", "01", 1]["cluster_share"] == pytest.approx(100 / 310)
    assert rows["us_state", "01", 0]["location_quotient"] is None
    assert rows["us_state", "01", 0]["quotient_reason"] == why.NOT_A_CLUSTER


def test_a_withheld_national_figure_leaves_quotient_and_flags_null_with_the_reason() -> None:
    nation = [cell(1, None), cell(2, 590.0), cell(101, 150.0), cell(102, 350.0)]
    rows = measured(table(three_states(replace={("us_nation", "US"): nation})), us_state=3)
    withheld, same_class, local = (rows["us_state", "01", cluster] for cluster in (1, 2, 101))
    assert (withheld["location_quotient"], withheld["quotient_reason"]) == (None, why.NATION_WITHHELD)
    assert (withheld["is_strong"], withheld["flag_reason"]) == (None, why.NATION_WITHHELD)
    assert (same_class["location_quotient"], same_class["quotient_reason"]) == (None, why.NATION_CLASS_WITHHELD)
    assert same_class["cluster_share"] is not None
    assert local["location_quotient"] is not None


@pytest.mark.parametrize(
    ("change", "key", "reason"),
    [
        ({("us_state", "01"): [cell(1, None), cell(2, 300.0)]}, ("us_state", "01", 1), why.WITHHELD),
        ({("us_state", "01"): [cell(1, None), cell(2, 300.0)]}, ("us_state", "01", 2), why.CLASS_WITHHELD),
        ({("us_state", "01"): [cell(1, None), cell(2, 300.0)]}, ("us_state", "02", 1), why.SET_INCOMPLETE),
        ({("us_state", "01"): [cell(1, 100.0, grade="D")]}, ("us_state", "01", 1), why.GRADE),
        ({("us_nation", "US"): [cell(1, 310.0, grade="D"), cell(2, 590.0)]}, ("us_state", "01", 1), why.NATION_GRADE),
        (
            {("us_state", "01"): [cell(1, 100.0, establishments=None)]},
            ("us_state", "01", 1),
            why.ESTABLISHMENTS_WITHHELD,
        ),
        ({("us_state", "01"): [cell(1, 100.0, establishments=None)]}, ("us_state", "02", 1), why.SET_INCOMPLETE),
        ({("us_state", "01"): [cell(1, 100.0, is_complete=False)]}, ("us_state", "01", 1), why.REGION_INCOMPLETE),
        ({("us_state", "01"): [cell(1, 100.0, is_complete=False)]}, ("us_state", "02", 1), why.SET_INCOMPLETE),
        ({}, ("us_state", "01", 101), why.LOCAL_CLUSTER),
        ({}, ("us_state", "01", 0), why.NOT_A_CLUSTER),
    ],
)
def test_flags_are_null_with_a_reason(change: dict[Any, Any], key: tuple[str, str, int], reason: str) -> None:
    row = measured(table(three_states(replace=change)), us_state=3)[key]
    assert row["is_strong"] is None and row["is_qualifying"] is None
    assert row["flag_reason"] == reason


def test_fewer_regions_than_the_scheme_has_are_not_compared() -> None:
    rows = measured(table(three_states()), us_state=4)
    assert rows["us_state", "01", 1]["flag_reason"] == why.SET_INCOMPLETE
    assert rows["us_state", "01", 1]["employment_rank"] is None
    assert rows["us_state", "01", 1]["location_quotient"] is not None


def test_the_district_of_columbia_has_its_quotient_only() -> None:
    district = {("us_state", "11"): [cell(1, 5000.0), cell(2, 1.0)]}
    with_it, without = (measured(table(three_states(replace=more)), us_state=3) for more in (district, {}))
    assert with_it["us_state", "11", 1]["location_quotient"] is not None
    assert with_it["us_state", "11", 1]["flag_reason"] == why.NOT_COMPARED
    assert with_it["us_state", "11", 1]["employment_rank"] is None
    for key, row in without.items():
        assert {name: with_it[key][name] for name in row} == row


def test_what_is_no_place_is_not_compared() -> None:
    rows = measured(
        table(
            {
                ("us_county", "01001"): [cell(1, 10.0), cell(2, 20.0)],
                ("us_county", "01999"): [cell(1, 900.0), cell(2, 1.0)],
                ("us_nation", "US"): [cell(1, 1000.0), cell(2, 1000.0)],
            }
        ),
        us_county=1,
    )
    assert rows["us_county", "01999", 1]["quotient_reason"] == why.REMAINDER
    assert rows["us_county", "01001", 1]["employment_rank"] == 1


def test_a_source_without_the_nation_says_so() -> None:
    cells = {key: value for key, value in three_states().items() if key[0] == "us_state"}
    row = measured(table(cells), us_state=3)["us_state", "01", 1]
    assert (row["location_quotient"], row["quotient_reason"]) == (None, why.NO_NATION)
    assert row["region_share"] == pytest.approx(0.25)


def test_ranks_and_percentiles_follow_the_portal() -> None:
    rows = measured(table(three_states(replace={("us_state", "04"): [cell(1, 0.0), cell(2, 300.0)]})), us_state=3)
    assert [rows["us_state", code, 2]["employment_rank"] for code in ("01", "02", "04")] == [1, 3, 1]
    assert rows["us_state", "04", 1]["employment_rank"] is None
    assert rows["us_state", "01", 1]["employment_percentile"] == 2
    # Elsewhere round(100 / n * (rank - 0.5)), halves up.
    assert percentiles(np.array([[1.0], [2.0], [180.0]]), 180, "us_economic_area")[:, 0].tolist() == [0, 1, 100]
    assert percentiles(np.array([[1.0], [2.0]]), 4, "us_county")[:, 0].tolist() == [13, 38]


def test_what_is_below_grade_c_or_in_an_incomplete_set_is_not_ranked() -> None:
    poor = {("us_state", "01"): [cell(1, 100.0, grade="D"), cell(2, 300.0), cell(101, 50.0)]}
    rows = measured(table(three_states(replace=poor)), us_state=3)
    assert rows["us_state", "01", 1]["employment_rank"] is None and rows["us_state", "02", 1]["employment_rank"] == 1
    assert rows["us_state", "01", 1]["establishments_rank"] == 1, "establishments are no estimate"
    lacking = {("us_state", "01"): [cell(1, 100.0, is_complete=False)]}
    rows = measured(table(three_states(replace=lacking)), us_state=3)
    assert rows["us_state", "02", 1]["employment_rank"] is None


def test_wages_stand_on_the_employment_payroll_belongs_to() -> None:
    printed = cell(1, 100.0, employment_reported=40.0, payroll=4000.0, payroll_status="reported")
    estimated = cell(2, 100.0, employment_reported=40.0, payroll=4000.0, payroll_status="estimated")
    nothing = cell(3, 100.0, employment_reported=0.0, payroll=4000.0, payroll_status="reported")
    rows = measured(table({("us_state", "01"): [printed, estimated, nothing]}), us_state=3)
    assert [rows["us_state", "01", c]["average_wage"] for c in (1, 2, 3)] == [100.0, 40.0, None]


def test_stars_are_null_for_american_rows() -> None:
    row = measured(table(three_states()), us_state=3)["us_state", "01", 1]
    assert row["star_size"] is None and row["star_rule"] is None


def test_a_region_and_cluster_given_twice_is_refused() -> None:
    with pytest.raises(DataError, match="us_state:01, cluster 1"):
        measured(table({("us_state", "01"): [cell(1, 1.0), cell(1, 2.0)]}))


def test_an_unknown_cluster_is_refused() -> None:
    with pytest.raises(DataError, match="no cluster has code 77"):
        measured(table({("us_state", "01"): [cell(77, 1.0)]}))


@settings(max_examples=20)
@given(st.randoms(use_true_random=False))
def test_the_order_of_rows_changes_nothing(random: Any) -> None:
    rows = generated({"us_state": STATES[:6]}, seed=5)
    order = list(range(rows.num_rows))
    random.shuffle(order)
    rules = Rules(us_regions={"us_state": 6, "us_nation": 1})
    first, second = (
        measure_year({"census_cbp": one}, year=2019, rules=rules) for one in (rows, rows.take(pa.array(order)))
    )
    assert all(first[name].equals(second[name]) for name in first)


def test_quotients_weighted_by_size_average_to_one() -> None:
    grid = make_grid(generated({"us_state": STATES}, seed=3))
    employment = grid.amounts("employment")[grid.rows_of("us_state")]
    for part in (TRADED, LOCAL):
        own = employment[:, part]
        quotient = class_quotients(own, own.sum(axis=0))[2]
        weights = own.sum(axis=1) / own.sum()
        np.testing.assert_allclose(weights @ quotient, 1, rtol=1e-12)


def test_a_county_year_is_measured_in_no_more_than_twelve_yardsticks() -> None:
    schemes = {"us_county": COUNTIES, "us_state": STATES, "us_economic_area": AREAS}
    this, last = (generated(schemes, year=year, seed=year) for year in (2019, 2018))
    assert this.num_rows > 210_000
    done = measure_year({"census_cbp": this}, year=2019, previous={"census_cbp": (2018, last)})
    assert yardsticks(lambda: measure_year({"census_cbp": this}, year=2019, previous={"census_cbp": (2018, last)})) < 12
    assert done["region_cluster"].num_rows == len(CLUSTERS) * (len(COUNTIES) + len(STATES) + len(AREAS) + 1)
