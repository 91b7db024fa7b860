"""A source-year degraded to the detail that Europe's regions have: two digits of NACE, three of NAICS.

Each region's groups (subsectors, divisions) are spread over their industries as in the nation, and then over clusters,
just as European figures are. So both sides of the coarse variant share one kind of error.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from etl.cells import codes, constant
from etl.harmonise.placement import CODES, placement
from etl.measure.grades import grade_of
from etl.measure.grid import CLUSTERS, Flags, Grid, Positions, make_grid, number
from etl.measure.quantiles import Floats
from etl.reference import county_area
from etl.reference.counties import ECONOMIC_AREA_VINTAGE

# Schemes a comparison looks at; the finest one whose cells make up each of them comes with it.
SCHEMES = ("us_nation", "us_state", "us_economic_area", "nuts0", "nuts1", "nuts2")


@dataclass(frozen=True, slots=True)
class _Structure:
    """How the nation's groups are made up: shares of each group by cluster (g, 69), certain and possible parts."""

    weight: Floats
    low: Floats
    high: Floats
    own_share: Floats


def coarse(clusters: pa.Table, cells: pa.Table) -> pa.Table:
    """`region_cluster` of a source-year at the coarse detail.

    `clusters`: the same source-year at full detail, for its regions, establishments and completeness. `cells`: its
    `region_industry` with every leaf estimated. Rows are there for the nation, states, economic areas, NUTS 0 to 2; the
    nation's are those of full detail, which the coarse ones of its regions add up to. Bands are unknown.
    """
    leaves = cells.filter(cells.column("is_leaf"))
    scheme = leaves.column("industry_scheme")[0].as_py()
    industry, industries = codes(leaves.column("industry_code"))
    groups, group_of = _groups(industries, scheme)
    region, keys = _regions(leaves)
    employment = leaves.column("employment").to_numpy()
    grid = make_grid(clusters)
    national = _national(grid, region, keys, industry, employment, len(industries))
    structure = _structure(national, industries, group_of, len(groups), scheme)
    by_group = np.zeros((len(keys), len(groups)))
    np.add.at(by_group, (region, group_of[industry]), employment)
    wanted = np.flatnonzero(np.isin(grid.schemes, SCHEMES))
    amounts = _of_regions(grid, wanted, by_group, keys)
    return _table(grid, wanted, amounts, structure)


def _groups(industries: Sequence[str], scheme: str) -> tuple[list[str], Positions]:
    """The groups, and that of each industry.

    What was not allocated below the group is part of it; what was not even allocated to a group is one of its own.
    """
    digits = 3 if scheme.startswith("naics") else 2
    heads = [code[:digits] if code[:digits].isdigit() and len(code[:digits]) == digits else code for code in industries]
    groups, position = np.unique(heads, return_inverse=True)
    return groups.tolist(), position


def _regions(leaves: pa.Table) -> tuple[Positions, list[tuple[str, str]]]:
    schemes, scheme_names = codes(leaves.column("region_scheme"))
    regions, region_names = codes(leaves.column("region_code"))
    key, position = np.unique(schemes.astype(np.int64) * len(region_names) + regions, return_inverse=True)
    return position, [(scheme_names[k // len(region_names)], region_names[k % len(region_names)]) for k in key]


def _national(
    grid: Grid, region: Positions, keys: Sequence[tuple[str, str]], industry: Positions, employment: Floats, size: int
) -> Floats:
    """The nation's employment by industry: its own cells, else those of all its regions at one level."""
    schemes = [scheme for scheme, _ in keys]
    whole = next((scheme for scheme in ("us_nation", "nuts0", "us_state", "nuts2") if scheme in schemes), schemes[0])
    counts = np.array([scheme == whole for scheme in schemes], np.bool_)[region]
    return np.bincount(industry[counts], employment[counts], minlength=size).astype(np.float64)


def _structure(
    national: Floats, industries: Sequence[str], group_of: Positions, groups: int, scheme: str
) -> _Structure:
    place = placement(scheme)
    row = {code: i for i, code in enumerate(place.codes.tolist())}
    column = np.searchsorted(CLUSTERS, CODES)
    parts = {name: np.zeros((len(industries), len(CLUSTERS))) for name in ("weight", "low", "high")}
    for i, code in enumerate(industries):
        if code in row:
            for name, values in parts.items():
                values[i, column] = getattr(place, name)[row[code]]
    is_placed = np.array([code in row for code in industries], np.bool_)
    mass = np.where(is_placed, national, 0.0)
    # A group the nation has no figures for is spread in equal parts.
    mass[is_placed & (np.bincount(group_of, mass, groups) == 0)[group_of]] = 1.0
    flow, high = np.zeros((groups, len(CLUSTERS))), np.zeros((groups, len(CLUSTERS)))
    low = np.ones((groups, len(CLUSTERS)))
    np.add.at(flow, group_of, mass[:, None] * parts["weight"])
    np.maximum.at(high, group_of, np.where((mass > 0)[:, None], parts["high"], 0.0))
    np.minimum.at(low, group_of, np.where((mass > 0)[:, None], parts["low"], 1.0))
    total = flow.sum(axis=1, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        weight = flow / total
        own_share = np.nansum(weight * (flow / flow.sum(axis=0)), axis=0)
    # What stands for no industry of the classification is not allocated.
    unplaced = total[:, 0] == 0
    for matrix in (weight, low, high):
        matrix[unplaced] = 0.0
        matrix[unplaced, 0] = 1.0
    return _Structure(weight, np.where(high > 0, low, 0.0), high, own_share)


def _of_regions(grid: Grid, wanted: Positions, by_group: Floats, keys: Sequence[tuple[str, str]]) -> Floats:
    """Groups (w, g) of the wanted regions: from own cells, or summed over counties or NUTS 2; NaN where neither."""
    at = {key: i for i, key in enumerate(keys)}
    below: dict[tuple[str, str], list[int]] = {}
    areas = county_area("us_economic_area", ECONOMIC_AREA_VINTAGE)
    for i, (scheme, code) in enumerate(keys):
        if scheme == "us_county" and code in areas:
            below.setdefault(("us_economic_area", areas[code]), []).append(i)
        if scheme == "nuts2":
            below.setdefault(("nuts1", code[:3]), []).append(i)
            below.setdefault(("nuts0", code[:2]), []).append(i)
    result = np.full((len(wanted), by_group.shape[1]), np.nan)
    for n, position in enumerate(wanted):
        key = (grid.schemes[position], grid.regions[position])
        if key in at:
            result[n] = by_group[at[key]]
        elif key in below:
            result[n] = by_group[below[key]].sum(axis=0)
    return result


def _table(grid: Grid, wanted: Positions, by_group: Floats, structure: _Structure) -> pa.Table:
    employment, low, high = (by_group @ part for part in (structure.weight, structure.low, structure.high))
    own_share = np.broadcast_to(structure.own_share, employment.shape)
    grade = grade_of(employment, low, high, own_share)
    is_nation: Flags = np.isin(grid.schemes[wanted], ["us_nation", "nuts0"])
    for name, values in (("employment", employment), ("employment_low", low), ("employment_high", high)):
        values[is_nation] = grid.amounts(name)[wanted][is_nation]
    size = employment.size
    establishments = grid.amounts("establishments")[wanted].reshape(-1)
    by_region = {name: np.repeat(values[wanted], len(CLUSTERS)) for name, values in _keys(grid).items()}
    return pa.table(
        {
            "source": constant(grid.table.column("source")[0].as_py(), size),
            "year": constant(grid.table.column("year")[0].as_py(), size),
            **{name: pa.array(values) for name, values in by_region.items()},
            "cluster_code": pa.array(np.tile(CLUSTERS, len(wanted)), pa.int16()),
            "employment": number(employment.reshape(-1)),
            "employment_low": number(low.reshape(-1)),
            "employment_high": number(high.reshape(-1)),
            "employment_reported": number(np.zeros(size)),
            "employment_status": constant("modelled", size),
            "establishments": number(establishments),
            "own_share": number(own_share.reshape(-1)),
            "grade": pa.array(grade.reshape(-1), pa.string()),
        }
    )


def _keys(grid: Grid) -> dict[str, np.ndarray]:
    return {
        "region_scheme": grid.schemes,
        "region_code": grid.regions,
        "region_vintage": grid.vintages,
        "is_complete": ~grid.is_incomplete,
    }
