"""American clusters cut to the industries that the European side covers, so that both are made of the same."""

from collections.abc import Iterable, Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from etl.columns import codes
from etl.harmonise.cluster_weights import CODES, cluster_weights, line_of
from etl.harmonise.vintages import nace21_to_nace2, naics, naics2017_to_nace2
from etl.measure.grid import CLUSTERS, make_grid, number
from etl.measure.leaves import amounts_of, compared_regions, read_leaves
from etl.reference.nace import nace_classes

NAICS_OF_LINKS = 2017
_FIGURES = ("employment", "employment_low", "employment_high", "employment_band_low", "employment_band_high")


def covered_classes(cells: pa.Table) -> frozenset[str]:
    """The NACE 2 classes that a European source-year has a leaf for, at their own level or above."""
    leaves = cells.filter(cells.column("is_leaf"))
    scheme = leaves.column("industry_scheme")[0].as_py()
    used = set(pc.unique(leaves.column("industry_code")).to_pylist())
    covered = frozenset(code for code in nace_classes(scheme) if used & set(line_of(code, scheme)))
    if scheme == "nace2":
        return covered
    links = nace21_to_nace2()
    return frozenset(
        str(new) for old, new in zip(links.from_code, links.to_code, strict=True) if old in covered and new
    )


def uncovered_shares(industry_scheme: str, covered: Iterable[str]) -> dict[str, float]:
    """The share of each NAICS industry that leads to NACE classes outside `covered`, where there is any.

    By the direct links and their weights; an industry without a link is taken as covered.
    """
    inside = frozenset(covered)
    links = naics(int(industry_scheme.removeprefix("naics")), NAICS_OF_LINKS).compose(naics2017_to_nace2())
    shares: dict[str, float] = {}
    for code, target, weight in zip(links.from_code.tolist(), links.to_code.tolist(), links.weight, strict=True):
        if target and target not in inside and weight > 0:
            shares[code] = shares.get(code, 0.0) + float(weight)
    return shares


def cut_cells(cells: pa.Table, uncovered: Mapping[str, float]) -> pa.Table:
    """Cells with the uncovered share of each industry taken out of its employment."""
    industry, industries = codes(cells.column("industry_code"))
    kept = np.array([1 - uncovered.get(code, 0.0) for code in industries])[industry]
    employment = number(cells.column("employment").to_numpy() * kept)
    return cells.set_column(cells.column_names.index("employment"), "employment", employment)


def cut(clusters: pa.Table, cells: pa.Table, uncovered: Mapping[str, float]) -> pa.Table:
    """`region_cluster` of a source-year without what the other side does not cover; bounds and bands in proportion.

    `clusters`, `cells`: the source-year's `region_cluster` and `region_industry`. Regions that no comparison looks at
    stay as they are; a region whose cells are not there loses nothing.
    """
    chosen = cells.filter(pc.is_in(cells.column("industry_code").cast(pa.string()), pa.array(sorted(uncovered))))
    if not pc.any(chosen.column("is_leaf")).as_py():
        return clusters
    leaves = read_leaves(chosen)
    placed = cluster_weights(leaves.scheme)
    row = np.searchsorted(placed.codes, leaves.industries)
    share = np.array([uncovered[code] for code in leaves.industries])
    taken = np.zeros((len(leaves.regions), len(CLUSTERS)))
    weight = np.zeros((len(leaves.industries), len(CLUSTERS)))
    weight[:, np.searchsorted(CLUSTERS, CODES)] = placed.weight[row] * share[:, None]
    for column in np.flatnonzero(weight.any(axis=0)):
        amounts = weight[leaves.industry, column] * leaves.employment
        taken[:, column] = np.bincount(leaves.region, amounts, minlength=len(leaves.regions))
    grid = make_grid(clusters)
    wanted = compared_regions(grid)
    removed = np.zeros(grid.shape)
    removed[wanted] = np.nan_to_num(amounts_of(grid, wanted, taken, leaves.regions))
    employment = grid.amounts("employment")
    with np.errstate(divide="ignore", invalid="ignore"):
        kept = np.where(employment > 0, np.clip(1 - removed / employment, 0, 1), 1.0)
    kept = grid.by_row(kept)
    return grid.with_columns({name: number(grid.column(name) * kept) for name in _FIGURES})
