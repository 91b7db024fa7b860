"""Relatedness of clusters against plain loops, its thresholds, its table; density and its back-test."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from partner_cases import NUTS, STATES, common, portfolios

from etl.contracts import contract
from etl.partners import back_test, cluster_relatedness
from etl.partners.backtest import area_under_curve, density
from etl.partners.relatedness import KNOWN_IN, SPECIALISED_IN, co_location, employment_correlation


@given(seed=st.integers(0, 10**6), regions=st.integers(8, 40))
@settings(max_examples=25, deadline=None)
def test_relatedness_is_that_of_plain_loops(seed: int, regions: int) -> None:
    random = np.random.default_rng(seed)
    quotient, known = random.lognormal(0, 0.7, (regions, 4)), random.random((regions, 4)) < 0.8
    jobs = random.lognormal(6, 1, (regions, 4))
    found, correlation = co_location(quotient, known), employment_correlation(jobs, known)
    for c in range(4):
        for d in range(4):
            both = [r for r in range(regions) if known[r, c] and known[r, d]]
            in_c = {r for r in both if quotient[r, c] >= 1}
            in_d = {r for r in both if quotient[r, d] >= 1}
            enough = len(both) >= KNOWN_IN and min(len(in_c), len(in_d)) >= SPECIALISED_IN
            least = min(len(in_c & in_d) / len(in_c), len(in_c & in_d) / len(in_d)) if enough else np.nan
            assert found[c, d] == pytest.approx(1.0 if c == d else least, nan_ok=True)
            own = np.corrcoef(jobs[both][:, [c, d]].T)[0, 1] if len(both) >= KNOWN_IN else np.nan
            assert correlation[c, d] == pytest.approx(own, nan_ok=True, abs=1e-9)


def test_the_table_has_every_pair_of_each_area() -> None:
    table = cluster_relatedness(common(portfolios(5)), 2019)
    assert table.column_names == list(contract("cluster_relatedness").column_names)
    rows = table.to_pandas()
    assert len(rows) == 3 * 51 * 50 and set(rows.level) == {"L"} and set(rows.area) == {"US", "Europe", "pooled"}
    assert not (rows.cluster_code == rows.related_cluster_code).any()
    assert rows.groupby("area").regions.max().to_dict() == {
        "US": len(STATES),
        "Europe": len(NUTS),
        "pooled": len(STATES) + len(NUTS),
    }
    back = rows.rename(columns={"cluster_code": "related_cluster_code", "related_cluster_code": "cluster_code"})
    both = rows.merge(back, on=["level", "area", "year", "cluster_code", "related_cluster_code"])
    np.testing.assert_allclose(both.relatedness_x, both.relatedness_y)


def test_a_year_without_quotients_has_no_relatedness() -> None:
    employment = portfolios(5)
    table = common(employment, unknown={key: range(1, 52) for key in employment})
    assert cluster_relatedness(table, 2019).num_rows == 0


def test_density_is_the_share_of_what_is_related() -> None:
    related = np.array([[1.0, 0.5, 0.25, np.nan], [0.5, 1, 0.1, 0.2], [0.25, 0.1, 1, 0.3], [np.nan, 0.2, 0.3, 1]])
    strong = np.array([[False, True, False, True]])
    flags = np.array([[True, True, True, True]])
    assert density(related, strong, flags)[0, 0] == pytest.approx(0.5 / 0.75)
    assert density(related, strong, np.array([[True, True, False, True]]))[0, 0] == pytest.approx(1.0)
    assert np.isnan(density(related, strong, np.array([[True, False, False, False]]))[0, 0])


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=2, max_size=30))
def test_the_area_under_the_curve_counts_pairs(cells: list[tuple[int, bool]]) -> None:
    score, hit = np.array([s for s, _ in cells], float), np.array([h for _, h in cells])
    pairs = [(a, b) for a, ha in zip(score, hit, strict=True) if ha for b, hb in zip(score, hit, strict=True) if not hb]
    expected = np.mean([(a > b) + 0.5 * (a == b) for a, b in pairs]) if pairs else np.nan
    assert area_under_curve(score, hit) == pytest.approx(expected, nan_ok=True)


def states_of(strong: np.ndarray, quotient: np.ndarray, year: int, without: tuple[int, int] | None = None) -> pa.Table:
    """`region_cluster` of states with these flags and quotients, and of the District of Columbia, which has no part."""
    rows = [
        {
            "source": "census_cbp", "year": year, "region_scheme": "us_state", "region_code": f"{state + 12:02d}",
            "region_vintage": 2020, "cluster_code": cluster + 1, "grade": "A",
            "location_quotient": float(quotient[state, cluster]),
            "is_strong": None if (state, cluster) == without else bool(strong[state, cluster]),
        }
        for state in range(len(strong))
        for cluster in range(51)
    ]  # fmt: skip
    capital = [{**row, "region_code": "11", "is_strong": year > 2011} for row in rows[:51]]
    types = [("year", pa.int16()), ("region_vintage", pa.int16()), ("cluster_code", pa.int16())]
    table = pa.Table.from_pylist(rows + capital)
    for name, kind in types:
        table = table.set_column(table.column_names.index(name), name, table.column(name).cast(kind))
    return table


def test_a_back_test_finds_what_was_planted() -> None:
    """States fall into two kinds with clusters of their own; whoever gains a cluster gains one of its own kind."""
    random = np.random.default_rng(4)
    kind = np.arange(60) % 2
    own = (np.arange(51) % 2)[None, :] == kind[:, None]
    before = own & (random.random((60, 51)) < 0.6)
    after = before | (own & (random.random((60, 51)) < 0.3))
    quotient = np.where(before, 2.0, 0.5)
    test = back_test(states_of(before, quotient, 2011, (0, 0)), states_of(after, quotient, 2019))
    assert test.auc > 0.85 and test.is_passed
    assert (test.earlier, test.later) == (2011, 2019)
    without = int(not before[0, 0])
    assert test.cells == (~before).sum() - without
    assert test.became == (after & ~before).sum() - int(after[0, 0] and without)
    assert f"{test.auc:.3f}" in test.sentence()
    chance = before | (random.random((60, 51)) < 0.2)
    assert not back_test(states_of(before, quotient, 2011), states_of(chance, quotient, 2019)).is_passed


def test_a_back_test_without_cells_says_so() -> None:
    nothing = np.zeros((3, 51), bool)
    test = back_test(states_of(nothing, np.ones((3, 51)), 2011), states_of(nothing, np.ones((3, 51)), 2019))
    assert np.isnan(test.auc) and not test.is_passed and "no cells" in test.sentence()
