"""Both sides at the same industries and, in the coarse variant, at the same detail."""

from functools import cache

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from measure_cases import STATES, coverage, nuts

from etl.harmonise.cluster_weights import CODES, cluster_weights
from etl.measure import Rules, measure_common
from etl.measure.cut import covered_classes, cut, cut_cells, uncovered_shares
from etl.reference import naics_cluster
from etl.reference.nace import nace_classes

KEYS = ("census_cbp", 2019), ("uk_bres", 2019)


@cache
def world() -> tuple[dict[tuple[str, int], pa.Table], dict[tuple[str, int], pa.Table]]:
    """Industries by state and by NUTS 2 region, with the nation, and the clusters they make."""
    industries = cluster_weights("naics2017").codes.tolist()
    american = _cells("us_state", STATES, "naics2017", industries, 0)
    nation = american.groupby("industry_code", as_index=False).employment.sum()
    nation = nation.assign(region_scheme="us_nation", region_code="US", industry_scheme="naics2017", is_leaf=True)
    british = _cells(
        "nuts2", [code for code in nuts(2, "UK") if code != "UKN0"], "nace2", list(nace_classes("nace2")), 1
    )
    frames = dict(zip(KEYS, (pd.concat([american, nation]), british), strict=True))
    return (
        {key: _clusters(frame, *key) for key, frame in frames.items()},
        {key: pa.Table.from_pandas(frame, preserve_index=False) for key, frame in frames.items()},
    )


def _cells(scheme: str, regions: list[str], industry_scheme: str, industries: list[str], seed: int) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    size = random.lognormal(0, 1, len(regions))[:, None] * random.lognormal(5, 1.5, len(industries))[None, :]
    employment = np.round(size * random.lognormal(0, 0.6, size.shape))
    return pd.DataFrame(
        {
            "region_scheme": scheme,
            "region_code": np.repeat(regions, len(industries)),
            "industry_scheme": industry_scheme,
            "industry_code": np.tile(industries, len(regions)),
            "is_leaf": True,
            "employment": employment.ravel(),
        }
    )


def _clusters(cells: pd.DataFrame, source: str, year: int) -> pa.Table:
    placed = cluster_weights(cells.industry_scheme.iloc[0])
    wide = cells.pivot(index=["region_scheme", "region_code"], columns="industry_code", values="employment")
    amounts = wide.to_numpy() @ placed.weight[np.searchsorted(placed.codes, wide.columns)]
    flat = amounts.ravel()
    scheme, region = (np.repeat(wide.index.get_level_values(level), len(CODES)) for level in (0, 1))
    columns = {
        "source": [source] * len(flat),
        "year": pa.array([year] * len(flat), pa.int16()),
        "region_scheme": scheme,
        "region_code": region,
        "region_vintage": pa.array([2020] * len(flat), pa.int16()),
        "cluster_code": pa.array(np.tile(CODES, len(wide)), pa.int16()),
        **dict.fromkeys(("employment", "employment_low", "employment_high", "employment_reported"), flat),
        "employment_status": ["reported"] * len(flat),
        "establishments": np.maximum(np.round(flat / 20), 1),
        "grade": ["A"] * len(flat),
    }
    return pa.table(columns)


def compared(cells: dict[tuple[str, int], pa.Table], with_cells: bool = True) -> pd.DataFrame:
    readers = {key: (lambda table=table: table) for key, table in cells.items()} if with_cells else None
    rules = Rules(common_draws=2)
    rows = measure_common(world()[0], year=2019, coverage=coverage(*KEYS), cells=readers, rules=rules).to_pandas()
    return rows[rows.level.eq("L")]


def test_without_cells_there_is_no_coarse_variant() -> None:
    assert set(compared(world()[1], with_cells=False).variant) == {"full"}


def test_the_coarse_variant_stands_beside_the_full_one_and_is_like_it() -> None:
    rows = compared(world()[1])
    assert rows.groupby("variant").region_code.nunique().to_dict() == {"coarse": 61, "full": 61}
    full, coarse = (
        rows[rows.variant.eq(name)].set_index(["region_code", "cluster_code"]) for name in ("full", "coarse")
    )
    pair = pd.concat([full.location_quotient, coarse.location_quotient], axis=1, keys=["full", "coarse"])
    assert 0.4 < pair.groupby("cluster_code").corr("spearman").xs("full", level=1).coarse.mean() < 0.99
    assert full.employment.groupby("region_code").sum().between(0, np.inf).all()
    whole = [frame.employment.groupby("region_code").sum() for frame in (full, coarse)]
    assert (whole[1] / whole[0]).between(0.5, 2).all()


def test_all_industries_covered_leaves_clusters_as_they_are() -> None:
    whole, cut_rows = compared(world()[1], with_cells=False), compared(world()[1])
    cut_rows = cut_rows[cut_rows.variant.eq("full")]
    np.testing.assert_array_equal(whole.location_quotient, cut_rows.location_quotient)


def test_american_clusters_are_cut_to_what_europe_covers() -> None:
    tables, cells = world()
    british = cells[KEYS[1]]
    fewer = british.filter(pc.invert(pc.starts_with(british["industry_code"], "62.")))
    uncovered = uncovered_shares("naics2017", covered_classes(fewer))
    gone = {code for code, share in uncovered.items() if share == 1}
    assert "541511" in gone and "336111" not in uncovered
    american = cells[KEYS[0]]
    rows = cut(tables[KEYS[0]], american, uncovered).to_pandas()
    placed, frame = cluster_weights("naics2017"), american.to_pandas()
    for state in ("06", "48"):
        own = frame[frame.region_code.eq(state)].set_index("industry_code").employment
        kept = own * (1 - own.index.map(lambda code: uncovered.get(code, 0.0)))
        expected = kept[placed.codes].to_numpy() @ placed.weight
        found = rows[rows.region_code.eq(state)].set_index("cluster_code").employment[list(CODES)]
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-6)
    left = cut_cells(american, uncovered).to_pandas().query("region_code == '06'").set_index("industry_code")
    assert left.employment[sorted(gone)].sum() == 0
    here = f"variant == 'full' and region_code == '06' and cluster_code == {naics_cluster(2017)['541511']}"
    narrow, whole = (compared(one).query(here).employment.item() for one in (cells | {KEYS[1]: fewer}, cells))
    assert narrow < whole


@pytest.mark.parametrize(("level", "covered"), [("62", True), ("J", True), ("62.01", True), ("63", False)])
def test_a_class_is_covered_by_a_leaf_at_or_above_it(level: str, covered: bool) -> None:
    cells = pa.table({"is_leaf": [True], "industry_scheme": ["nace2"], "industry_code": [level]})
    assert ("62.01" in covered_classes(cells)) == covered
