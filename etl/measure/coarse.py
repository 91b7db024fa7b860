"""A source-year degraded to the detail that Europe's regions have: two digits of NACE, three of NAICS.

Each region's groups (subsectors, divisions) are spread over their industries as in the nation, and then over clusters,
just as European figures are. So both sides of the coarse variant share one kind of error.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from etl.columns import constant
from etl.harmonise.cluster_weights import CODES, cluster_weights
from etl.measure.grades import grade_of
from etl.measure.grid import CLUSTERS, Flags, Grid, Positions, make_grid, number
from etl.measure.leaves import Leaves, amounts_of, compared_regions, read_leaves
from etl.measure.quantiles import Floats


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
    leaves = read_leaves(cells)
    groups, group_of = _groups(leaves.industries, leaves.scheme)
    structure = _structure(_national(leaves), leaves, group_of, len(groups))
    by_group = np.zeros((len(leaves.regions), len(groups)))
    np.add.at(by_group, (leaves.region, group_of[leaves.industry]), leaves.employment)
    grid = make_grid(clusters)
    wanted = compared_regions(grid)
    return _table(grid, wanted, amounts_of(grid, wanted, by_group, leaves.regions), structure)


def _groups(industries: Sequence[str], scheme: str) -> tuple[list[str], Positions]:
    """The groups, and that of each industry.

    What was not allocated below the group is part of it; what was not even allocated to a group is one of its own.
    """
    digits = 3 if scheme.startswith("naics") else 2
    heads = [code[:digits] if code[:digits].isdigit() and len(code[:digits]) == digits else code for code in industries]
    groups, position = np.unique(heads, return_inverse=True)
    return groups.tolist(), position


def _national(leaves: Leaves) -> Floats:
    """The nation's employment by industry: its own cells, else those of all its regions at one level."""
    schemes = [scheme for scheme, _ in leaves.regions]
    whole = next((scheme for scheme in ("us_nation", "nuts0", "us_state", "nuts2") if scheme in schemes), schemes[0])
    counts = np.array([scheme == whole for scheme in schemes], np.bool_)[leaves.region]
    size = len(leaves.industries)
    return np.bincount(leaves.industry[counts], leaves.employment[counts], minlength=size).astype(np.float64)


def _structure(national: Floats, leaves: Leaves, group_of: Positions, groups: int) -> _Structure:
    industries = leaves.industries
    place = cluster_weights(leaves.scheme)
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
