"""The leaves of a source-year as numbers: industries, regions, employment; and how regions are summed from others."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from etl.columns import codes
from etl.measure.grid import Grid, Positions
from etl.measure.quantiles import Floats
from etl.reference import county_area
from etl.reference.counties import ECONOMIC_AREA_VINTAGE

# Schemes that a comparison of both sides looks at.
SCHEMES = ("us_nation", "us_state", "us_economic_area", "nuts0", "nuts1", "nuts2")


@dataclass(frozen=True, slots=True)
class Leaves:
    """Rows (n,) of the leaves: `industry` and `region` are positions in `industries` and `regions` (scheme, code)."""

    scheme: str
    industries: list[str]
    regions: list[tuple[str, str]]
    industry: Positions
    region: Positions
    employment: Floats


def read_leaves(cells: pa.Table) -> Leaves:
    """The leaves of `region_industry` of one source-year; withheld employment is NaN."""
    leaves = cells.filter(cells.column("is_leaf"))
    industry, industry_names = codes(leaves.column("industry_code"))
    used, industry = np.unique(industry, return_inverse=True)
    schemes, scheme_names = codes(leaves.column("region_scheme"))
    regions, region_names = codes(leaves.column("region_code"))
    key, position = np.unique(schemes.astype(np.int64) * len(region_names) + regions, return_inverse=True)
    return Leaves(
        scheme=leaves.column("industry_scheme")[0].as_py(),
        industries=[industry_names[position] for position in used],
        regions=[(scheme_names[k // len(region_names)], region_names[k % len(region_names)]) for k in key],
        industry=industry.astype(np.int64),
        region=position.astype(np.int64),
        employment=leaves.column("employment").to_numpy(),
    )


def compared_regions(grid: Grid) -> Positions:
    """Positions of the regions that a comparison looks at."""
    return np.flatnonzero(np.isin(grid.schemes, SCHEMES))


def amounts_of(grid: Grid, wanted: Positions, amounts: Floats, regions: Sequence[tuple[str, str]]) -> Floats:
    """Amounts (w, k) of the wanted regions from those (r, k) of `regions`.

    A region's own, or summed: an economic area over its counties, NUTS 1 and 0 over NUTS 2. NaN where neither is there.
    """
    areas = county_area("us_economic_area", ECONOMIC_AREA_VINTAGE)
    at = {key: i for i, key in enumerate(regions)}
    below: dict[tuple[str, str], list[int]] = {}
    for i, (scheme, code) in enumerate(regions):
        if scheme == "us_county" and code in areas:
            below.setdefault(("us_economic_area", areas[code]), []).append(i)
        if scheme == "nuts2":
            below.setdefault(("nuts1", code[:3]), []).append(i)
            below.setdefault(("nuts0", code[:2]), []).append(i)
    result = np.full((len(wanted), amounts.shape[1]), np.nan)
    for n, position in enumerate(wanted):
        key = (grid.schemes[position], grid.regions[position])
        if key in at:
            result[n] = amounts[at[key]]
        elif key in below:
            result[n] = amounts[below[key]].sum(axis=0)
    return result
