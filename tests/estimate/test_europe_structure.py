"""Which structure a division is spread by, and the pattern that bends it."""

import numpy as np
import pyarrow as pa
import pytest
from europe_cases import by_key, table
from hypothesis import given, settings
from hypothesis import strategies as st

from etl.estimate.europe import colocation_pattern as colocation
from etl.estimate.europe.estimate import estimate_europe

# 18 has two groups with five classes, one of which is all of 18.2.
FRENCH = ("FR10", "FR21")


def cells(year: int = 2015) -> pa.Table:
    figures = {(region, "18"): 1000.0 for region in FRENCH} | {("FR", "18"): 2000.0, ("AT11", "18"): 500.0}
    return table(figures | {("AT", "18"): 500.0}, year=year)


def structure(source: str, year: int, **shares: dict[str, float]) -> pa.Table:
    """Classes of an area: FR10={"18.11": 1.0}."""
    return table(
        {(area, code): value for area, classes in shares.items() for code, value in classes.items()},
        source=source,
        year=year,
    )


def spread(*structures: pa.Table, year: int = 2015) -> dict[tuple[str, str], dict[str, object]]:
    return by_key(estimate_europe(cells(year), structures=structures).cells)


def origin(row: dict[str, object]) -> tuple[object, object]:
    return row["structure_source"], row["structure_year"]


def test_without_structures_the_us_one_is_used_and_named() -> None:
    done = spread()
    assert origin(done["FR10", "18.12"]) == ("us_employment", 2017)
    assert sum(row["employment"] for (area, code), row in done.items() if area == "FR10" and code[:3] == "18.") == (
        pytest.approx(1000)
    )
    assert {row["employment_status"] for (_, code), row in done.items() if len(code) == 5} == {"modelled"}
    assert {row["grade"] for (_, code), row in done.items() if len(code) == 5} <= {"C", "D"}, "C at best"


def test_the_nations_own_classes_come_before_those_of_others() -> None:
    done = spread(
        structure("eurostat_sbs_national", 2014, FR={"18.11": 30.0, "18.12": 70.0}, DE={"18.13": 1.0}),
    )
    assert origin(done["FR", "18.12"]) == ("eurostat_sbs_national", 2014)
    assert done["FR", "18.12"]["employment"] == pytest.approx(1400)
    assert origin(done["AT11", "18.13"]) == ("eurostat_sbs_national", 2014)
    assert done["AT11", "18.13"]["employment"] == pytest.approx(500 / 101)


def test_the_nearest_year_counts_and_the_earlier_of_two_as_near() -> None:
    years = {2010: 1.0, 2014: 2.0, 2016: 3.0}
    done = spread(*(structure("eurostat_sbs_national", y, FR={"18.11": v, "18.12": 1.0}) for y, v in years.items()))
    assert origin(done["FR", "18.11"]) == ("eurostat_sbs_national", 2014)
    assert done["FR", "18.11"]["employment"] == pytest.approx(2000 * 2 / 3)


def test_a_regions_own_classes_replace_the_nations_inside_its_division() -> None:
    done = spread(
        structure("uk_bres", 2015, FR10={"18.11": 10.0, "18.12": 30.0}),
        structure("eurostat_sbs_national", 2015, FR={"18.13": 1.0}),
    )
    own, other = done["FR10", "18.12"], done["FR21", "18.13"]
    assert own["employment"] == 750 and origin(own) == ("uk_bres", 2015)
    assert (own["employment_status"], own["employment_high"], own["structure_kind"]) == ("modelled", 1000, "own_region")
    assert own["grade"] == "C", "a printed division by another source's classes: no printed figure"
    assert other["employment"] == 1000 and origin(other) == ("eurostat_sbs_national", 2015)
    nation = done["FR", "18.12"]
    assert nation["employment"] == pytest.approx(750), "the nation is made up as its regions are"


def test_years_of_a_regions_own_classes_count_by_their_distance() -> None:
    done = spread(
        structure("uk_bres", 2014, FR10={"18.11": 1.0, "18.12": 0.0}, FR21={"18.11": 1.0}),
        structure("uk_bres", 2017, FR10={"18.11": 0.0, "18.12": 1.0}, FR21={"18.11": 1.0}),
    )
    assert done["FR10", "18.11"]["employment"] == pytest.approx(1000 * (1 / 1) / (1 / 1 + 1 / 2))
    assert origin(done["FR10", "18.11"]) == ("uk_bres", 2014)


def test_own_classes_of_another_year_follow_the_nation() -> None:
    done = spread(
        structure("uk_bres", 2014, FR10={"18.11": 10.0, "18.12": 90.0}, FR21={"18.11": 90.0, "18.12": 10.0}),
        structure("eurostat_sbs_national", 2015, FR={"18.11": 60.0, "18.12": 40.0}),
    )
    assert done["FR", "18.11"]["employment"] == pytest.approx(1200)
    assert done["FR10", "18.11"]["employment"] < done["FR10", "18.12"]["employment"]
    assert done["FR10", "18.11"]["employment"] > 100


def test_a_class_the_structure_withholds_is_completed_first() -> None:
    national = table(
        {("FR", "18"): 100.0, ("FR", "18.1"): 90.0, ("FR", "18.2"): 10.0, ("FR", "18.11"): 20.0, ("FR", "18.12"): None}
        | {("FR", "18.13"): 20.0, ("FR", "18.14"): 20.0, ("FR", "18.20"): 10.0},
        source="eurostat_sbs_national",
    )
    assert spread(national)["FR", "18.12"]["employment"] == pytest.approx(600, abs=40)


def test_modelled_rows_of_a_structure_are_no_evidence() -> None:
    own = estimate_europe(cells()).cells
    assert origin(spread(own)["FR10", "18.12"]) == ("us_employment", 2017)


amounts = st.lists(st.floats(0, 1e5), min_size=4, max_size=4)


@settings(max_examples=60, deadline=None)
@given(st.lists(amounts, min_size=2, max_size=5), amounts, st.integers(0, 1000))
def test_a_spread_meets_regions_and_nation(totals: list[list[float]], nation: list[float], seed: int) -> None:
    block = np.array([0, 0, 1, 1, 2, 3])
    national = np.array([nation[0] + 1, 1.0, nation[1] + 1, nation[2] + 1, 1.0, nation[3] + 1])
    given_totals = np.array(totals)
    ratios = np.random.default_rng(seed).uniform(0.15, 7, (len(totals), block.size))
    shares = colocation.shares(national, block)
    made = colocation.spread(given_totals, shares, block, ratios)
    assert (made >= 0).all()
    np.testing.assert_allclose(colocation.block_sums(made, block), given_totals, rtol=1e-9, atol=1e-9)
    wanted = given_totals.sum(axis=0)[block] * shares
    np.testing.assert_allclose(made.sum(axis=0), wanted, rtol=0.02, atol=1e-6)


def test_a_pattern_is_learned_where_there_is_one() -> None:
    rng = np.random.default_rng(3)
    block = np.array([0, 0, 1])
    motor = rng.uniform(100, 5000, 60)
    other = rng.uniform(1000, 4000, 60)
    # The first class of block 0 follows block 1.
    first = other * motor / (motor + 2500)
    truth = np.column_stack([first, other - first, motor])
    totals = colocation.block_sums(truth, block)
    profile = colocation.profile(totals)
    learned = colocation.fit([truth[:50]], block, [profile[:50]], shrinkage=0.1)
    fitted = colocation.Pattern((), (), learned, np.zeros(3))
    shares = colocation.shares(truth.sum(axis=0), block)
    made = colocation.spread(totals, shares, block, fitted.ratios(profile))
    error = [np.abs(one - truth)[50:].sum() for one in (made, totals[:, block] * shares)]
    assert error[0] < 0.5 * error[1]


def test_the_size_of_establishments_tells_which_classes_they_are_of() -> None:
    """The first class has establishments of 200, the second of 10: the average of both tells how many are which."""
    rng = np.random.default_rng(4)
    block = np.array([0, 0, 1])
    counts = np.column_stack([rng.integers(2, 80, 60), rng.integers(50, 900, 60), rng.integers(50, 60, 60)])
    truth = counts * np.array([200.0, 10.0, 20.0])
    totals = colocation.block_sums(truth, block)
    size = colocation.sizes(totals, colocation.block_sums(counts.astype(float), block))[:, block]
    nothing = np.zeros((60, 1))
    slope = colocation.fit_sizes([truth[:50]], block, [np.zeros((50, 3))], [size[:50]])
    assert slope[0] > 0.1 > -0.1 > slope[1] and slope[2] == 0
    fitted = colocation.Pattern(("x",), ("a", "b", "c"), np.zeros((1, 3)), slope)
    shares = colocation.shares(truth.sum(axis=0), block)
    made = colocation.spread(totals, shares, block, fitted.ratios(nothing, size))
    error = [np.abs(one - truth)[50:].sum() for one in (made, totals[:, block] * shares)]
    assert error[0] < 0.6 * error[1]


def test_what_is_not_known_of_establishments_says_nothing() -> None:
    amounts = np.array([[100.0, 50.0], [300.0, 0.0], [200.0, 10.0]])
    units = np.array([[10.0, np.nan], [30.0, np.nan], [np.nan, np.nan]])
    assert colocation.sizes(amounts, units) == pytest.approx(0.0), "average, or unknown"
    units[0, 0] = 2.0
    found = colocation.sizes(amounts, units)
    assert found[0, 0] > 0 > found[1, 0] and not found[:, 1].any() and found[2, 0] == 0
    assert np.isfinite(colocation.sizes(np.array([[0.0, 5.0]]), np.array([[0.0, 0.0]]))).all()


def test_local_units_bend_a_region_and_no_division_changes() -> None:
    """A region of large local units in a division has more of the classes that have large ones, by American states."""
    pattern = colocation.us_pattern()
    of_size = dict(zip(pattern.leaves, pattern.of_size.tolist(), strict=True))
    figures = {(region, code): 5000.0 for region in FRENCH for code in ("10", "29")}
    figures |= {("FR", code): 10_000.0 for code in ("10", "29")}
    units = {("FR10", "10"): 50.0, ("FR21", "10"): 450.0, ("FR", "10"): 500.0}
    with_units, without = (
        by_key(estimate_europe(table(figures, units=given)).cells) for given in (units, dict.fromkeys(units, None))
    )
    classes = sorted(code for area, code in with_units if area == "FR10" and len(code) == 5 and code[:2] == "10")
    largest, smallest = (chosen(classes, key=lambda code: of_size[code]) for chosen in (max, min))
    for code, sign in ((largest, 1), (smallest, -1)):
        change = with_units["FR10", code]["employment"] - without["FR10", code]["employment"]
        assert sign * change > 0
    for area in FRENCH:
        made = sum(with_units[area, code]["employment"] for code in classes)
        assert made == pytest.approx(5000, rel=1e-9)
    same = [key for key in without if key[1][:2] == "29" and len(key[1]) == 5]
    assert same and all(with_units[k]["employment"] == pytest.approx(without[k]["employment"]) for k in same)


def test_a_region_like_the_nation_keeps_its_make_up() -> None:
    assert colocation.profile(np.array([[10.0, 30.0], [20.0, 60.0]])) == pytest.approx(0.0)
    assert colocation.us_pattern().ratios(np.zeros((1, 68))) == pytest.approx(1.0)
