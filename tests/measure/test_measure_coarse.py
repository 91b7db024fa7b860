"""The coarse variant: groups spread as in the nation, on both sides' classifications."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from measure_cases import CLUSTERS, cell, table

from etl.measure.coarse import coarse
from etl.measure.grades import grade_of
from etl.reference import county_area, naics_cluster

# Two industries of subsector 336 and one of 111: Automotive (4), Aerospace (1), no cluster.
MOTOR, AIRCRAFT = "336111", "336411"


def cells_of(rows: dict[tuple[str, str], dict[str, float]], scheme: str = "naics2017") -> pa.Table:
    """Leaves of `region_industry` by (scheme, region) and industry."""
    flat = [
        {
            "region_scheme": key[0],
            "region_code": key[1],
            "industry_scheme": scheme,
            "industry_code": industry,
            "is_leaf": True,
            "employment": employment,
        }
        for key, leaves in rows.items()
        for industry, employment in leaves.items()
    ]
    flat.append(flat[0] | {"industry_code": "00", "is_leaf": False, "employment": 1e9})
    return pa.Table.from_pylist(flat)


def figures(clusters: pa.Table, cells: pa.Table) -> dict[tuple[str, int], dict[str, Any]]:
    rows = coarse(clusters, cells).to_pylist()
    return {(row["region_code"], row["cluster_code"]): row for row in rows}


def full(*regions: tuple[str, str]) -> pa.Table:
    return table({region: [cell(4, 10.0, establishments=3.0, is_complete=True), cell(1, 5.0)] for region in regions})


def test_the_industries_of_the_cases_are_where_they_are_said_to_be() -> None:
    assert [naics_cluster(2017)[code] for code in (MOTOR, AIRCRAFT)] == [4, 1]


def test_a_group_is_spread_as_in_the_nation() -> None:
    rows = figures(
        full(("us_nation", "US"), ("us_state", "26")),
        cells_of(
            {("us_nation", "US"): {MOTOR: 300.0, AIRCRAFT: 100.0}, ("us_state", "26"): {MOTOR: 40.0, "3364~": 8.0}}
        ),
    )
    assert (rows["26", 4]["employment"], rows["26", 1]["employment"]) == (36, 12)
    assert (rows["26", 4]["employment_low"], rows["26", 4]["employment_high"]) == (0, 48)
    assert rows["26", 4]["employment_status"] == "modelled"
    assert (rows["26", 4]["establishments"], rows["26", 4]["is_complete"]) == (3, True)
    assert rows["US", 4]["employment"] == 10, "the nation keeps its own figures"


def test_what_is_allocated_to_no_group_stays_not_allocated() -> None:
    rows = figures(
        full(("us_nation", "US"), ("us_state", "26")),
        cells_of(
            {("us_nation", "US"): {MOTOR: 1.0}, ("us_state", "26"): {MOTOR: 2.0, "33~": 5.0, "99": 3.0, "00~": 1.0}}
        ),
    )
    assert [rows["26", code]["employment"] for code in (4, -1, 0)] == [2, 6, 3]


def test_nothing_is_lost_and_the_nation_is_the_sum_of_its_regions() -> None:
    random = np.random.default_rng(0)
    industries = sorted(naics_cluster(2017))[::7]
    states = {
        ("us_state", f"{n:02d}"): dict(zip(industries, random.integers(1, 90, len(industries)) * 1.0, strict=True))
        for n in (1, 2)
    }
    nation = {code: sum(leaves[code] for leaves in states.values()) for code in industries}
    rows = figures(full(("us_nation", "US"), *states), cells_of({("us_nation", "US"): nation, **states}))
    place = naics_cluster(2017)
    for cluster in (code for code in CLUSTERS if code >= 0):
        whole = sum(amount for code, amount in nation.items() if place[code] == cluster)
        assert sum(rows[f"{n:02d}", cluster]["employment"] for n in (1, 2)) == pytest.approx(whole, rel=1e-9)
    for n in (1, 2):
        total = sum(rows[f"{n:02d}", cluster]["employment"] for cluster in CLUSTERS)
        assert total == pytest.approx(sum(states["us_state", f"{n:02d}"].values()))
        for cluster in CLUSTERS:
            row = rows[f"{n:02d}", cluster]
            assert (
                row["employment_low"] <= row["employment"] + 1e-9 and row["employment"] <= row["employment_high"] + 1e-9
            )


def test_economic_areas_are_summed_from_their_counties() -> None:
    areas = county_area("us_economic_area", 2004)
    counties = [county for county, area in sorted(areas.items()) if area == "57057"][:2]
    leaves = {("us_county", county): {MOTOR: 30.0, AIRCRAFT: 10.0} for county in counties}
    rows = figures(
        full(("us_nation", "US"), ("us_economic_area", "57057")),
        cells_of({("us_nation", "US"): {MOTOR: 1.0}, **leaves}),
    )
    assert rows["57057", 4]["employment"] == 80


def test_europe_is_spread_by_division_with_the_sum_of_its_regions() -> None:
    cells = cells_of(
        {("nuts2", "UKC1"): {"13.10": 60.0, "13.20": 40.0}, ("nuts2", "UKC2"): {"13.10": 100.0}}, scheme="nace2"
    )
    rows = figures(full(("nuts2", "UKC1"), ("nuts2", "UKC2")), cells)
    total = {code: sum(rows[code, cluster]["employment"] for cluster in CLUSTERS) for code in ("UKC1", "UKC2")}
    assert total == pytest.approx({"UKC1": 100, "UKC2": 100})
    for cluster in CLUSTERS:
        assert rows["UKC1", cluster]["employment"] == pytest.approx(rows["UKC2", cluster]["employment"])


@pytest.mark.parametrize(
    ("employment", "low", "high", "own", "grade", "reason"),
    [
        (100, 100, 100, np.nan, "A", "exact"),
        (100, 90, 110, np.nan, "B", "half-width of a tenth"),
        (100, 65, 135, np.nan, "C", "half-width of 35 in a hundred"),
        (100, 0, 500, 0.5, "C", "wide, but half the cluster's own"),
        (100, 0, 500, 0.49, "D", "wide and mostly others'"),
        (100, 50, np.nan, np.nan, "D", "nothing bounds it"),
        (np.nan, 0, 10, 0.9, None, "no figure, no grade"),
    ],
)
def test_grades(employment: float, low: float, high: float, own: float, grade: str | None, reason: str) -> None:
    found = grade_of(*(np.array([value], float) for value in (employment, low, high, own)))
    assert found[0] == grade, reason
