"""The European rule: covered totals, the reference area from its members, stars by edition."""

from typing import Any

import numpy as np
import pyarrow.compute as pc
import pytest
from measure_cases import cell, coverage, generated, nuts, table

from etl.columns import concat
from etl.measure import Rules, measure_year
from etl.measure import reasons as why
from etl.measure.grid import make_grid
from etl.measure.native_europe import build_reference, covered_quotients, star_flags
from etl.measure.rules import EU27_2020, EU28, OBSERVATORY_2011, PANORAMA_2016, StarRule, Threshold

ANY_SIZE = StarRule(
    "test",
    size_share=Threshold(0.25, is_sure=True),
    focus_share=Threshold(0.25, is_sure=True),
    specialisation=Threshold(2.0, is_sure=False),
    minimum=Threshold(0, is_sure=True),
)


def members(codes: tuple[str, ...] = EU28, **replaced: list[dict[str, Any]]) -> dict[tuple[str, str], Any]:
    """National rows: every member has 100 in cluster 1, 300 in 2, 500 in 101 and 100 in none."""
    usual = [cell(1, 100.0), cell(2, 300.0), cell(101, 500.0), cell(0, 100.0)]
    return {("nuts0", code): replaced.get(code, usual) for code in codes}


def measured(
    cells: dict[tuple[str, str], Any], year: int = 2015, **rules: Any
) -> dict[tuple[str, int], dict[str, Any]]:
    rows = table(cells, "eurostat_sbs", year)
    done = measure_year({"eurostat_sbs": rows}, year=year, rules=Rules(**rules))["region_cluster"]
    return {(row["region_code"], row["cluster_code"]): row for row in done.to_pylist()}


def test_the_denominator_is_all_covered_employment() -> None:
    region = {("nuts2", "DE11"): [cell(1, 50.0), cell(2, 50.0), cell(101, 50.0), cell(0, 40.0), cell(-1, 10.0)]}
    row = measured(members() | region)["DE11", 1]
    assert row["location_quotient"] == pytest.approx((50 / 200) / (2800 / 28000))
    assert row["region_share"] == pytest.approx(0.25)
    assert row["cluster_share"] == pytest.approx(50 / 2800)
    assert row["quotient_reason"] is None


def test_american_flags_are_null_for_european_rows() -> None:
    row = measured(members())["DE", 1]
    assert all(row[name] is None for name in ("is_qualifying", "is_significant", "is_strong", "is_strong_top_decile"))


def test_there_is_no_reference_where_a_member_has_no_figure() -> None:
    """Nothing tells how much is lacking: it had figures for nothing, and so would all that is reported be."""
    rows = table(members(UK=[cell(1, None), cell(2, None)]), "eurostat_sbs", 2015)
    is_complete = pc.not_equal(rows.column("region_code"), "UK")
    blank = make_grid(rows.append_column("is_complete", is_complete))
    assert build_reference(blank, 2015, 0.95).employment is None
    assert build_reference(make_grid(rows), 2015, 0.95).employment is not None


@pytest.mark.parametrize(("year", "name", "codes"), [(2019, "EU28", EU28), (2020, "EU27_2020", EU27_2020)])
def test_the_reference_area_changes_in_2020(year: int, name: str, codes: tuple[str, ...]) -> None:
    cells = members(EU28, UK=[cell(1, 1e6), cell(2, 0.0)]) | {("nuts0", "CH"): [cell(1, 1e9)]}
    reference = build_reference(make_grid(table(cells, "eurostat_sbs", year)), year, 0.95)
    assert (reference.name, set(reference.members)) == (name, set(codes))
    assert reference.employment is not None
    assert reference.employment.sum() == (27_000 + 1e6 if year == 2019 else 27_000)


def test_a_member_with_a_withheld_cluster_is_left_out_of_all_and_named() -> None:
    rows = measured(members(MT=[cell(1, None), cell(2, 7.0)]))
    assert rows["DE", 1]["location_quotient"] == pytest.approx(1)
    assert rows["DE", 1]["quotient_reason"] == "reference area EU28 without MT"
    assert rows["MT", 2]["quotient_reason"] == why.COVERED_TOTAL_WITHHELD


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        (members(tuple(c for c in EU28 if c != "MT")), "reference area EU28 without MT"),
        (members(DE=[cell(1, None, employment_reported=0.0), cell(2, 9e5)]), "reference area EU28 without DE"),
        ({("nuts0", "UK"): [cell(1, 5.0)]}, "reference area EU28: the source has figures for 1 of 28 members"),
    ],
    ids=["a member is not in the source", "those with figures are too small a part", "one country alone"],
)
def test_without_enough_members_there_is_no_quotient(cells: dict[tuple[str, str], Any], reason: str) -> None:
    row = measured(cells | {("nuts2", "UKC1"): [cell(1, 5.0), cell(2, 5.0)]})["UKC1", 1]
    assert (row["location_quotient"], row["quotient_reason"]) == (None, reason)
    assert row["star_specialisation"] is None and row["flag_reason"] == reason


def test_a_cluster_the_source_does_not_cover_is_no_part_of_its_totals() -> None:
    usual = [cell(1, 100.0), cell(2, 300.0), cell(24, None, employment_status="withheld")]
    cells = {("nuts0", code): usual for code in EU28} | {("nuts2", "DE11"): [cell(1, 50.0), cell(2, 50.0), usual[2]]}
    rows = table(cells, "eurostat_sbs", 2015)
    cover = coverage(("eurostat_sbs", 2015), gaps={24: 0.0})
    previous = {"eurostat_sbs": (2014, table(cells, "eurostat_sbs", 2014))}
    done = measure_year({"eurostat_sbs": rows}, year=2015, coverage=cover, previous=previous)
    found = {(r["region_code"], r["cluster_code"]): r for r in done["region_cluster"].to_pylist()}
    assert found["DE11", 1]["location_quotient"] == pytest.approx(0.5 / 0.25)
    assert found["DE11", 1]["shift_reference"] == 0
    gap = found["DE11", 24]
    assert (gap["location_quotient"], gap["quotient_reason"], gap["flag_reason"]) == (None, *[why.NOT_COVERED] * 2)
    totals = {r["region_code"]: r for r in done["region_total"].to_pylist()}
    assert (totals["DE11"]["employment"], totals["DE11"]["employment_status"]) == (100, "reported")
    unsaid = measure_year({"eurostat_sbs": rows}, year=2015)["region_cluster"].to_pylist()
    assert {r["quotient_reason"] for r in unsaid if r["cluster_code"] == 1} == {why.COVERED_TOTAL_WITHHELD}


# Zero denominators: unlike the American portal, nothing is said of them.
@pytest.mark.parametrize(
    ("employment", "reference", "why_so"),
    [
        ([0.0, 0.0], [10.0, 10.0], "a region without employment has no share of anything"),
        ([5.0, 5.0], [0.0, 10.0], "a cluster Europe does not have has no quotient"),
        ([np.nan, 5.0], [10.0, 10.0], "a withheld cluster hides the region's total"),
    ],
)
def test_zero_and_withheld_denominators_give_nothing(
    employment: list[float], reference: list[float], why_so: str
) -> None:
    quotient = covered_quotients(np.array([employment]), np.array(reference))[2]
    assert np.isnan(quotient[0, 0]), why_so


# Stars of four regions in one cluster, top quarter and quotient 2: size, specialisation, focus; and why.
STAR_EDGES = {
    "a region on the edge of the top share has the star": (
        ([10, 10, 10, 10], [1, 1, 1, 1], [0.1, 0.1, 0.1, 0.1]),
        ([True] * 4, [False] * 4, [True] * 4),
    ),
    "a quotient of exactly 2 is specialised": (
        ([1, 2, 3, 4], [1.999, 2, 2.001, 0], [0.1, 0.2, 0.3, 0.4]),
        ([False, False, False, True], [False, True, True, False], [False, False, False, True]),
    ),
    "a region without employment takes no part": (
        ([0, 0, 0, 4], [0, 0, 0, 9], [0, 0, 0, 0.4]),
        ([False, False, False, True],) * 3,
    ),
}


@pytest.mark.parametrize("reason", STAR_EDGES)
def test_stars_at_the_edges(reason: str) -> None:
    figures, expected = STAR_EDGES[reason]
    found = star_flags(*(np.array(column, float)[:, None] for column in figures), ANY_SIZE)
    assert [values[:, 0].tolist() for values in found.values()] == [list(column) for column in expected], reason


def test_no_star_below_the_minimum() -> None:
    found = star_flags(
        np.array([[999.0], [10.0]]), np.array([[9.0], [9.0]]), np.array([[0.9], [0.1]]), OBSERVATORY_2011
    )
    assert not any(values.any() for values in found.values())


def test_the_panorama_edition_has_no_focus_and_takes_the_top_fifth() -> None:
    numbers = np.arange(1.0, 11.0)[:, None]
    found = star_flags(numbers, numbers, numbers, PANORAMA_2016)
    assert [int(values.sum()) for values in found.values()] == [2, 2, 0]
    cells = generated({"nuts0": nuts(0, *EU27_2020), "nuts2": nuts(2, *EU27_2020)}, "eurostat_sbs_ebs", nation=None)
    done = measure_year({"eurostat_sbs_ebs": cells}, year=2021, rules=Rules(stars=PANORAMA_2016))["region_cluster"]
    assert done.column("star_focus").null_count == done.num_rows
    assert done.column("star_size").null_count < done.num_rows


def test_the_rule_says_its_edition_and_how_sure_each_number_is() -> None:
    assert OBSERVATORY_2011.label == (
        "European Cluster Observatory 2007-2011; size: top 10% (documented); specialisation: at least 2 (unsure); "
        "focus: top 10% (unsure); at least 1,000 persons (unsure)"
    )
    assert "(documented)" not in PANORAMA_2016.label


def test_a_whole_europe_has_stars_and_a_gap_withholds_them() -> None:
    cells = generated({"nuts0": nuts(0, *EU28), "nuts2": nuts(2, *EU28)}, "eurostat_sbs", 2015, nation=None)
    done = measure_year({"eurostat_sbs": cells}, year=2015)["region_cluster"].to_pandas()
    regions = done[done.region_code.str.len().eq(4) & done.cluster_code.between(1, 51)]
    sized = regions[regions.grade.ne("D")]
    assert sized.star_size.notna().all()
    assert 0.08 < sized[sized.employment > 0].star_size.mean() < 0.12
    one_less = done.region_code.ne("DE11") | done.cluster_code.ne(4)
    gap = cells.filter(one_less.to_list())
    withheld = table({("nuts2", "DE11"): [cell(4, None)]}, "eurostat_sbs", 2015)
    with_gap = measure_year({"eurostat_sbs": concat([gap, withheld])}, year=2015)["region_cluster"].to_pandas()
    row = with_gap[with_gap.region_code.eq("FR10") & with_gap.cluster_code.eq(4)].iloc[0]
    assert row.flag_reason == why.SET_INCOMPLETE and row.star_size is None and row.star_specialisation is not None
