"""American estimates against a made-up truth, in both eras of disclosure, and the rules they must keep."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from etl.contracts import contract
from etl.errors import DataError
from etl.estimate import Estimated, estimate
from etl.estimate.common.close import close
from etl.estimate.common.tree import gaps
from etl.estimate.us import solve
from etl.estimate.us.findings import contradiction_rows
from etl.estimate.us.problem_from_rows import build_problem
from tests.estimate.synthetic import Synthetic, economy, range_of

KEY = ["region_code", "industry_code"]
SMALL = {"establishments": 60_000, "counties": 160, "industries": 220}


@pytest.fixture(scope="module")
def letters() -> Synthetic:
    """Cells withheld behind range letters, with size classes."""
    return economy(**SMALL)


@pytest.fixture(scope="module")
def dropped() -> Synthetic:
    """Cells of fewer than three establishments left out."""
    return economy(**SMALL, dropped=True, size_classes=False, year=2019)


@pytest.fixture(scope="module")
def from_letters(letters: Synthetic) -> Estimated:
    return estimate(letters.cells)


@pytest.fixture(scope="module")
def from_dropped(dropped: Synthetic) -> Estimated:
    return estimate(dropped.cells)


def frame(table: pa.Table) -> pd.DataFrame:
    """Rows as pandas, codes as plain strings."""
    result = table.to_pandas()
    for name in result.columns[result.dtypes == "category"]:
        result[name] = result[name].astype(object)
    return result


def beside_truth(estimated: Estimated, source: Synthetic) -> pd.DataFrame:
    """Published rows with their truth."""
    truth = frame(source.cells.select(KEY)).assign(truth=source.truth)
    return frame(estimated.cells).merge(truth, on=KEY, validate="one_to_one")


def error(value: pd.Series, truth: pd.Series) -> float:
    return float((value - truth).abs().sum() / truth.sum())


def test_what_is_printed_stays_and_estimates_lie_within_their_bounds(
    letters: Synthetic, from_letters: Estimated
) -> None:
    both = beside_truth(from_letters, letters)
    assert len(both) == letters.cells.num_rows
    printed = both.employment_reported.notna()
    assert (both.employment[printed] == both.employment_reported[printed]).all()
    assert set(both.employment_status[printed]) == {"reported"}
    assert both.employment.notna().all() and (both.employment >= 0).all() and (both.payroll >= 0).all()
    assert (both.employment_low <= both.employment + 1e-6).all()
    assert (both.employment <= both.employment_high + 1e-6).all()
    band = both[both.employment_band_low.notna()]
    assert (band.employment_low <= band.employment_band_low + 1e-6).all()
    assert (band.employment_band_low <= band.employment + 1e-6).all()
    assert (band.employment_band_high <= band.employment_high + 1e-6).all()


def test_the_truth_is_always_inside_the_bounds(letters: Synthetic, from_letters: Estimated) -> None:
    both = beside_truth(from_letters, letters)
    assert (both.employment_low <= both.truth + 1e-6).all() and (both.truth <= both.employment_high + 1e-6).all()
    exact = both[both.employment_status == "derived_exactly"]
    assert len(exact) > 1000 and (exact.employment == exact.truth).all() and set(exact.grade) == {"A"}
    assert from_letters.contradictions.num_rows == 0


def test_the_error_is_a_fraction_of_the_midpoint_rules(letters: Synthetic, from_letters: Estimated) -> None:
    both = beside_truth(from_letters, letters)
    withheld = both[both.is_leaf & both.employment_reported.isna() & (both.region_scheme == "us_county")]
    low, high = range_of(withheld.truth.to_numpy())
    midpoint = error(pd.Series((low + high + 1) / 2, withheld.index), withheld.truth)
    ours = error(withheld.employment, withheld.truth)
    print(f"weighted error over {len(withheld)} withheld county leaves: {ours:.3f}; mid-point rule {midpoint:.3f}")
    assert ours < 0.03 and ours < midpoint / 8


@pytest.mark.parametrize("era", ["letters", "dropped"])
def test_leaves_add_up_to_every_sum_of_their_region(era: str, request: pytest.FixtureRequest) -> None:
    cells = frame(request.getfixturevalue(f"from_{era}").cells)
    totals = cells[cells.industry_code == "00"].set_index("region_code").employment
    leaves = cells[cells.is_leaf].copy()
    by_region = leaves.groupby("region_code").employment.sum()
    assert by_region.to_numpy() == pytest.approx(totals[by_region.index].to_numpy(), rel=1e-6)
    for digits in (3, 4, 5):
        above = cells[
            (cells.industry_code.str.len() == digits) & ~cells.is_leaf & ~cells.industry_code.str.endswith("~")
        ]
        bare = leaves.industry_code.str.removesuffix("~")
        below = leaves[bare.str.len() >= digits].assign(above=bare.str[:digits])
        sums = below.groupby(["region_code", "above"]).employment.sum()
        own = above.set_index(KEY).employment
        assert len(own) > 50
        assert sums[own.index].to_numpy() == pytest.approx(own.to_numpy(), rel=1e-6, abs=1e-6)


def test_regions_add_up_to_the_region_above(from_letters: Estimated) -> None:
    cells = frame(from_letters.cells)
    for scheme, above in (("us_state", "US"), ("us_county", None)):
        parts = cells[cells.region_scheme == scheme]
        region = above or parts.region_code.str[:2]
        sums = parts.groupby([region, "industry_code"] if above is None else ["industry_code"]).employment.sum()
        if above is None:
            own = cells[cells.region_scheme == "us_state"].set_index(KEY).employment
            sums.index.names = KEY
        else:
            own = cells[cells.region_code == above].set_index("industry_code").employment
        gap = (own - sums[own.index]).abs()
        assert gap.max() < 0.5 and gap.sum() < 1e-4 * own.sum()
        if above:
            assert (gap <= 0.001 * own + 1e-6).all()


def test_the_order_of_rows_does_not_matter_and_twice_is_once(letters: Synthetic, from_letters: Estimated) -> None:
    shuffled = letters.cells.take(pa.array(np.random.default_rng(3).permutation(letters.cells.num_rows)))
    assert frame(estimate(shuffled).cells).equals(frame(from_letters.cells))
    again = estimate(from_letters.cells)
    assert frame(again.cells).equals(frame(from_letters.cells))


def test_a_complete_table_is_left_as_it_is(letters: Synthetic) -> None:
    truth = pa.array(letters.truth)
    known = letters.cells
    for name in ("employment", "employment_low", "employment_high", "employment_reported"):
        known = known.set_column(known.column_names.index(name), name, truth)
    known = known.set_column(
        known.column_names.index("employment_status"), "employment_status", pa.array(["reported"] * known.num_rows)
    )
    result = frame(estimate(known).cells)
    assert len(result) == known.num_rows and set(result.employment_status) == {"reported"}
    assert (result.sort_values(KEY).employment.to_numpy() == frame(known).sort_values(KEY).employment.to_numpy()).all()


def test_dropped_cells_are_sought_only_where_establishments_are_missing(
    dropped: Synthetic, from_dropped: Estimated
) -> None:
    both = beside_truth(from_dropped, dropped)
    assert len(both) == dropped.cells.num_rows and (both.employment == both.truth).all()
    assert from_dropped.contradictions.num_rows == 0
    whole = frame(economy(**SMALL, size_classes=False).cells.select(KEY)).assign(
        truth=economy(**SMALL, size_classes=False).truth
    )
    added = frame(from_dropped.cells).merge(whole, on=KEY, how="left").query("employment_reported.isna()")
    found = added[added.truth.notna()]
    assert (found.employment_low.fillna(0) <= found.truth + 1e-6).all()
    assert ((found.truth <= found.employment_high + 1e-6) | found.employment_high.isna()).all()
    candidates = added[~added.industry_code.str.endswith("~")]
    assert candidates.truth.notna().mean() > 0.5, "a county's candidate is rather there than not"
    assert (candidates.establishments < 3).all(), "a dropped cell has fewer than three"
    assert_bounds_alone_grade(candidates[candidates.employment_status != "derived_exactly"])
    leaves = added[added.industry_code.str.endswith("~")]
    assert leaves.is_leaf.all() and set(leaves.industry_level) == {"not_allocated"}
    assert from_dropped.cells.column("employment").null_count == 0


def assert_bounds_alone_grade(cells: pd.DataFrame) -> None:
    """Cells that no held-out cell stands for have no band; their grade is what their hard bounds give."""
    assert cells.employment_band_low.isna().all() and cells.employment_band_high.isna().all()
    half = (cells.employment_high - cells.employment_low) / 2 / cells.employment
    assert (cells.grade[~(half <= 0.35)] == "D").all()
    assert (cells.grade[(half > 0.10) & (half <= 0.35)] == "C").all()


def test_results_fit_their_contracts(from_letters: Estimated, from_dropped: Estimated) -> None:
    for result in (from_letters, from_dropped):
        contract("region_industry").conform(result.cells)
        contract("estimate_quality").conform(result.quality)
        contract("contradiction").conform(result.contradictions)
        keys = frame(result.cells)[KEY]
        assert not keys.duplicated().any()


def test_quality_is_measured_and_the_same_at_every_run() -> None:
    source = economy(**SMALL, size_classes=False)
    result = estimate(source.cells)
    quality = frame(result.quality)
    assert quality.equals(frame(estimate(source.cells).quality))
    overall = quality[(quality.sector == "ALL") & (quality.region_scheme == "us_county")].iloc[0]
    assert overall.cells > 0 and 0 < overall.weighted_error < overall.midpoint_error / 3
    assert overall.band_coverage_low <= overall.band_coverage <= overall.band_coverage_high
    assert not overall.is_calibrated, "cells of one and two establishments are never printed here"
    estimated = frame(result.cells).query("is_band_calibrated == False")
    assert len(estimated)
    assert_bounds_alone_grade(estimated)
    assert "weighted error" in result.notes[0]


def test_a_cell_twice_is_refused(letters: Synthetic) -> None:
    with pytest.raises(DataError, match="twice"):
        estimate(pa.concat_tables([letters.cells, letters.cells.slice(0, 1)]))


def test_sums_still_missed_are_raked_on_in_their_branches(letters: Synthetic, monkeypatch: pytest.MonkeyPatch) -> None:
    """A table too large for the linear programme: fewer sums over counties are missed, and industries still add up."""
    monkeypatch.setattr(solve, "CLOSED_CELLS", 5_000)
    posed = build_problem(letters.cells, None)
    problem = posed.problem
    missed = []
    closed_further = solve._closed_further
    for branches, closing in (((), lambda _p, _t, value, *_: value), (solve.BRANCHES, closed_further)):
        monkeypatch.setattr(solve, "BRANCHES", branches)
        monkeypatch.setattr(solve, "_closed_further", closing)
        solution = solve.solve(problem)
        by_industry, by_region = (np.abs(gaps(solution.value, parent)) for parent in solution.parents)
        assert (by_industry <= 1e-6 * (1 + solution.value)).all()
        assert (solution.low - 1e-6 <= solution.value).all() and (solution.value <= solution.high + 1e-6).all()
        is_missed = by_region > np.maximum(0.001 * solution.value, 0.5)
        missed.append(int(is_missed.sum()))
        assert list(solution.unmet[1]) == np.flatnonzero(is_missed).tolist()
        listed = contradiction_rows(posed, solution, letters.cells)
        assert listed.num_rows == missed[-1] and set(listed["kind"].to_pylist()) == {"geography"}
        assert np.sort(np.abs(listed["difference"].to_numpy())) == pytest.approx(np.sort(by_region[is_missed]))
    print("sums over regions missed:", missed)
    assert missed[1] < 0.7 * missed[0]


def test_what_is_missed_in_a_branch_is_closed_where_there_is_a_way(letters: Synthetic) -> None:
    """A solution in which all sums hold, disturbed in counties: the programme finds a way back within the bounds."""
    problem = build_problem(letters.cells, None).problem
    tight, _ = solve._tightened(problem)
    solved = solve.solve(problem)
    counties = np.flatnonzero((problem.region_level == 2) & problem.is_leaf & (tight.high - tight.low > 4))
    moved = np.random.default_rng(5).choice(counties, 40, replace=False)
    disturbed = solved.value.copy()
    disturbed[moved] = np.where(
        tight.high[moved] - disturbed[moved] > 2, tight.high[moved] - 0.5, tight.low[moved] + 0.5
    )
    before = solve._is_missed(problem, disturbed, gaps(disturbed, tight.parents[1])).sum()
    room = np.minimum(tight.high - tight.low, solve.MOST_ROOM)
    closed = solve._closed_further(problem, tight, disturbed, room, solve.CLOSED_BRANCH)
    assert before >= 5
    assert not solve._is_missed(problem, closed, gaps(closed, tight.parents[1])).any()
    assert (np.abs(gaps(closed, tight.parents[0])) <= 1e-6 * (1 + closed)).all()
    assert (tight.low - 1e-6 <= closed).all() and (closed <= tight.high + 1e-6).all()


def test_a_solver_that_gives_up_loses_nothing(letters: Synthetic, monkeypatch: pytest.MonkeyPatch) -> None:
    def give_up(*_: object) -> None:
        raise DataError("no solution")

    monkeypatch.setattr(solve, "CLOSED_CELLS", 5_000)
    problem = build_problem(letters.cells, None).problem
    top = solve._nation_and_states(problem)
    asked: list[int] = []

    def close_top_only(value: np.ndarray, *rest: object) -> object:
        asked.append(value.size)
        return close(value, *rest) if value.size == top.size else give_up()

    monkeypatch.setattr(solve, "close", close_top_only)
    solution = solve.solve(problem)
    assert len(asked) == 2 and solution.unmet[1]


def test_rounded_averages_are_no_contradictions(letters: Synthetic, monkeypatch: pytest.MonkeyPatch) -> None:
    """Averages of QCEW are rounded each by itself: sums miss by what rounding explains, in small tables and large."""
    rng = np.random.default_rng(6)
    posed = build_problem(letters.cells, None)
    leaves = np.flatnonzero((posed.problem.region_level == 2) & posed.problem.is_leaf)
    assert leaves.size > 1000
    source = letters.cells.column_names.index("source")
    cells = letters.cells.set_column(source, "source", pa.array(["bls_qcew"] * letters.cells.num_rows))
    shaken = cells["employment"].to_numpy(zero_copy_only=False).astype(float)
    shaken = np.where(shaken > 5, shaken + rng.integers(-1, 2, shaken.size) * (rng.random(shaken.size) < 0.02), shaken)
    cells = cells.set_column(
        cells.column_names.index("employment"), "employment", pa.array(shaken, pa.float64(), from_pandas=True)
    )
    monkeypatch.setattr(solve, "CLOSED_CELLS", 5_000)
    rounded = build_problem(cells, None).problem
    solution = solve.solve(rounded)
    slack = rounded.slack[1]
    assert slack is not None
    missing = np.abs(gaps(solution.value, solution.parents[1]))
    assert ((missing > np.maximum(0.001 * solution.value, 0.5)) & (missing <= slack)).any(), "rounding shows"
    listed = np.array(list(solution.unmet[1]), np.int64)
    assert (missing[listed] > slack[listed]).all()


def test_a_branch_begins_so_far_below_the_total() -> None:
    # 0 the total, 1 a sector, 2 and 3 below it, 4 below 3, 5 another sector.
    up = np.array([-1, 0, 1, 1, 3, 0])
    assert solve._heads(up, 2).tolist() == [-1, -1, 2, 3, 3, -1]
    assert solve._heads(up, 1).tolist() == [-1, 1, 1, 1, 1, 5]


def test_totals_of_tiny_counties_do_not_say_that_nothing_was_dropped() -> None:
    """Totals are printed however small; with one of a single establishment the truth still lies inside all bounds."""
    size = {"establishments": 40_000, "counties": 160, "industries": 220, "size_classes": False, "year": 2019}
    source, whole = economy(**size, dropped=True), economy(**size)
    tiny = source.cells.filter(pc.equal(source.cells["industry_code"], "00")).column("establishments")
    assert pc.min(tiny).as_py() < 3, "otherwise this says nothing"
    result = estimate(source.cells)
    assert result.contradictions.num_rows == 0
    truth = frame(whole.cells.select(KEY)).assign(truth=whole.truth)
    both = frame(result.cells).merge(truth, on=KEY)
    assert (both.employment_low <= both.truth + 1e-6).all()
    assert ((both.truth <= both.employment_high + 1e-6) | both.employment_high.isna()).all()
