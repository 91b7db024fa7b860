"""Made-up clusters of regions for the tests of measures."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from etl.reference import area_names, counties, nuts_regions, states

CLUSTERS = [-1, 0, *range(1, 52), *range(101, 117)]
TRADED = range(1, 52)

STATES = sorted(set(states()) - {"11"})
AREAS = sorted(set(area_names("us_economic_area", 2004)) - {"57180"})
COUNTIES = sorted(counties(2020))


def nuts(level: int, *countries: str) -> list[str]:
    """Regions of NUTS 2021 at a level, without extra-regio codes."""
    return sorted(
        code
        for code in nuts_regions(2021)
        if len(code) == level + 2 and code[:2] in countries and (level == 0 or set(code[2:]) != {"Z"})
    )


def cell(cluster: int, employment: float | None, **more: Any) -> dict[str, Any]:
    """A row of `region_cluster` without its region: reported unless `more` says otherwise."""
    status = "withheld" if employment is None else "reported"
    return {
        "cluster_code": cluster,
        "employment": employment,
        "employment_low": 0.0 if employment is None else employment,
        "employment_high": employment,
        "employment_reported": employment or 0.0,
        "employment_status": status,
        "establishments": 10.0,
        "payroll": None if employment is None else employment * 50_000,
        "currency_code": "USD",
        "grade": None if employment is None else "A",
    } | more


def table(
    regions: dict[tuple[str, str], Iterable[dict[str, Any]]], source: str = "census_cbp", year: int = 2019
) -> pa.Table:
    """`region_cluster` of one source-year from cells by (scheme, region)."""
    rows = [
        {"source": source, "year": year, "region_scheme": scheme, "region_code": region, "region_vintage": 2020, **one}
        for (scheme, region), cells in regions.items()
        for one in cells
    ]
    types = {
        "year": pa.int16(),
        "region_vintage": pa.int16(),
        "cluster_code": pa.int16(),
        "is_complete": pa.bool_(),
        "grade": pa.string(),
        "currency_code": pa.string(),
        "payroll_status": pa.string(),
        **{f"employment{part}": pa.float64() for part in ("", "_low", "_high", "_band_low", "_band_high")},
        "employment_reported": pa.float64(),
        "establishments": pa.float64(),
        "payroll": pa.float64(),
        "own_share": pa.float64(),
    }
    names = list(dict.fromkeys(name for row in rows for name in row))
    return pa.table({name: pa.array([row.get(name) for row in rows], types.get(name)) for name in names})


def generated(
    schemes: dict[str, Sequence[str]],
    source: str = "census_cbp",
    year: int = 2019,
    seed: int = 0,
    nation: tuple[str, str] | None = ("us_nation", "US"),
    zero_share: float = 0.1,
) -> pa.Table:
    """A large random `region_cluster`, every region with all clusters; the nation is the sum of the first scheme."""
    random = np.random.default_rng(seed)
    parts, first = [], None
    for scheme, regions in schemes.items():
        employment = np.round(random.lognormal(6, 1.5, (len(regions), len(CLUSTERS))))
        employment[random.random(employment.shape) < zero_share] = 0
        employment[:, 0] = 0
        first = employment if first is None else first
        parts.append((scheme, list(regions), employment))
    if nation is not None and first is not None:
        parts.append((nation[0], [nation[1]], first.sum(axis=0, keepdims=True)))
    return pa.concat_tables([_block(source, year, *part, random) for part in parts])


def _block(
    source: str, year: int, scheme: str, regions: list[str], employment: np.ndarray, random: np.random.Generator
) -> pa.Table:
    rows = employment.size
    flat = employment.reshape(-1)
    spread = flat * random.choice([0.0, 0.05, 0.3], rows)
    is_exact = spread == 0
    establishments = np.where(flat > 0, np.maximum(np.round(flat / 20), 1), 0)
    return pa.table(
        {
            "source": pa.DictionaryArray.from_arrays(pa.array(np.zeros(rows, np.int32)), [source]),
            "year": pa.array(np.full(rows, year), pa.int16()),
            "region_scheme": pa.DictionaryArray.from_arrays(pa.array(np.zeros(rows, np.int32)), [scheme]),
            "region_code": pa.array(np.repeat(np.array(regions, object), len(CLUSTERS)), pa.string()),
            "region_vintage": pa.array(np.full(rows, 2020), pa.int16()),
            "cluster_code": pa.array(np.tile(CLUSTERS, len(regions)), pa.int16()),
            "employment": flat,
            "employment_low": flat - 2 * spread,
            "employment_high": flat + 2 * spread,
            "employment_band_low": pa.array(np.where(is_exact, np.nan, flat - spread), from_pandas=True),
            "employment_band_high": pa.array(np.where(is_exact, np.nan, flat + spread), from_pandas=True),
            "employment_reported": np.where(is_exact, flat, 0.0),
            "employment_status": pa.array(np.where(is_exact, "reported", "estimated")),
            "establishments": establishments,
            "payroll": flat * 40_000,
            "currency_code": pa.array(["USD"] * rows),
            "grade": pa.array(np.where(is_exact, "A", "B")),
        }
    )


def coverage(*source_years: tuple[str, int], share: float = 1.0, gaps: dict[int, float] | None = None) -> pa.Table:
    """`coverage` in which these source-years cover every cluster by `share`, but for `gaps`."""
    rows = [
        {"source": source, "year": year, "cluster_code": cluster, "covered_share": (gaps or {}).get(cluster, share)}
        for source, year in source_years
        for cluster in TRADED
    ]
    return pa.Table.from_pylist(rows)
