"""Published figures of the portals beside ours, with the difference and its reason.

`recomputed`: our formulas on the portal's own employment and establishments; it shows that the formulas are the
portal's. `rebuilt`: our figures from the sources; it shows what the portal did to them.
"""

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from etl.columns import concat, constant
from etl.measure import native_us
from etl.measure.grid import CLUSTERS, LOCAL, TRADED, Flags, Grid, make_grid, number
from etl.measure.native_us import FLAGS, RANKED, AmericanMeasures, Nation
from etl.measure.quantiles import Floats
from etl.measure.reasons import NATION_CLASS_WITHHELD, NATION_WITHHELD, NO_NATION
from etl.measure.rules import Rules

MIDPOINT_FILL = "mid-point fill"
WITHHELD_NATION = "withheld national cell"
OTHER_DELINEATION = "other delineation"
OTHER_VINTAGE = "other vintage"
SET_INCOMPLETE = "comparison set incomplete"
ORDER_OF_TIES = "order of ties"
UNEXPLAINED = "unexplained"

PUBLISHED = ("employment", "employment_reported", "establishments", "payroll")
RECOMPUTED = (
    "average_wage",
    "location_quotient",
    "region_share",
    "cluster_share",
    *FLAGS,
    *(f"{name}_{kind}" for name in RANKED for kind in ("rank", "percentile")),
)
# US Cluster Mapping read 2012, which the Census Bureau published in NAICS 2012, with the list of NAICS 2007.
OTHER_VINTAGE_YEARS: Mapping[str, tuple[int, ...]] = {"us_cluster_mapping": (2012,)}


def is_equal(published: Floats, rebuilt: Floats) -> Flags:
    """Equal as far as the portal prints: to 1e-6 of the figure, or to 1e-5 for figures below 1. NaN equals nothing."""
    difference = np.abs(published - rebuilt)
    size = np.abs(published)
    equal: Flags = (difference <= 1e-6 * size) | ((size < 1) & (difference <= 1e-5))
    return equal


def implied_nation(grid: Grid) -> Floats:
    """The nation's employment by cluster (69,) as a portal's own figures imply it: employment over its share.

    The region with most employment tells it best. Where a cluster has no employment in any region, its class's total
    is told by the quotients: the figure of that cluster is set so that the class adds up. NaN where nothing tells it.
    """
    employment, share = grid.amounts("employment"), grid.amounts("cluster_share")
    usable = (employment > 0) & (share > 0)
    best = np.where(usable, employment, -1.0).argmax(axis=0)
    at = (best, np.arange(len(CLUSTERS)))
    with np.errstate(divide="ignore", invalid="ignore"):
        nation = np.where(usable[at], employment[at] / share[at], np.nan)
        class_totals = grid.amounts("location_quotient") * nation / grid.amounts("region_share")
    for part in (TRADED, LOCAL):
        missing = np.isnan(nation[part])
        told = class_totals[:, part][usable[:, part]]
        if missing.any() and np.isfinite(told).any():
            rest = max(float(np.nanmedian(told)) - float(np.nansum(nation[part])), 0.0)
            nation[part] = np.where(missing, rest / missing.sum(), nation[part])
    return nation


def reconcile(published: pa.Table, ours: pa.Table, rules: Rules) -> pa.Table | None:
    """`reconciliation` of one year, one row per published row, measure and basis; None where nothing was published.

    `published`: `published_region_cluster` of the year. `ours`: the completed `region_cluster` of the same year; the
    first source of the precedence list speaks for us. Rows `rebuilt` are there for the region schemes it has, rows
    `recomputed` for all.
    """
    sources = set(ours.column("source").to_pylist())
    source = next((name for name in rules.precedence if name in sources), None)
    own = make_grid(ours.filter(pc.equal(ours.column("source"), source))) if source is not None else None
    parts = []
    for portal in sorted(set(published.column("portal").to_pylist())):
        grid = make_grid(published.filter(pc.equal(published.column("portal"), portal)))
        nation = Nation(implied_nation(grid))
        parts.append(_recomputed(grid, native_us.measure(grid, nation, rules.us_regions)))
        if own is not None:
            parts.append(_rebuilt(grid, own, portal))
    return concat(parts) if parts else None


def _recomputed(grid: Grid, measured: AmericanMeasures) -> pa.Table:
    tables = []
    for name in RECOMPUTED:
        if name in FLAGS:
            figures = np.where(measured.flag_reasons.none, measured.flags[name].astype(np.float64), np.nan)
        else:
            figures = measured.figures[name]
        rebuilt = grid.by_row(figures)
        reasons = np.full(len(rebuilt), UNEXPLAINED, object)
        if name.endswith(("_rank", "_percentile")):
            reasons[_is_tied(grid, measured.figures[name.replace("_percentile", "_rank")])] = ORDER_OF_TIES
        reasons[np.isnan(rebuilt)] = SET_INCOMPLETE
        tables.append(_rows(grid, name, "recomputed", rebuilt, reasons))
    return concat(tables)


def _is_tied(grid: Grid, ranks: Floats) -> Flags:
    """Rows whose rank another region of the scheme shares: the portal puts them in some order, we do not."""
    _, scheme = np.unique(grid.schemes.astype(str), return_inverse=True)
    rank = np.nan_to_num(grid.by_row(ranks)).astype(np.int64)
    region, cluster = grid.cell // len(CLUSTERS), grid.cell % len(CLUSTERS)
    key = (scheme[region] * len(CLUSTERS) + cluster) * (rank.max(initial=0) + 1) + rank
    _, group, size = np.unique(key, return_inverse=True, return_counts=True)
    tied: Flags = (size[group] > 1) & (rank > 0)
    return tied


def _rebuilt(grid: Grid, own: Grid, portal: str) -> pa.Table:
    """Rows of the schemes we rebuild, each measure from our completed table."""
    region, cluster = grid.cell // len(CLUSTERS), grid.cell % len(CLUSTERS)
    at = grid.positions_in(own)[region]
    is_ours = np.isin(grid.schemes, list(set(own.schemes)))[region]
    has_row = np.zeros(own.shape, np.bool_)
    has_row.flat[own.cell] = True
    nation_missing = own.where("quotient_reason", NO_NATION, NATION_WITHHELD, NATION_CLASS_WITHHELD)
    why_different = _why_different(grid, portal)
    tables = []
    for name in (*PUBLISHED, *RECOMPUTED):
        matrix = own.amounts(name)
        if name == "average_wage" or name.endswith(("_rank", "_percentile")):
            matrix[~has_row] = np.nan
        rebuilt = np.where(at >= 0, matrix[at, cluster], np.nan)
        reasons = why_different.copy()
        missing = np.isnan(rebuilt)
        reasons[missing] = SET_INCOMPLETE
        reasons[missing & nation_missing[at, cluster]] = WITHHELD_NATION
        reasons[(at < 0) & (grid.schemes == "us_cbsa")[region]] = OTHER_DELINEATION
        reasons[(at < 0) & (grid.schemes == "us_county")[region]] = OTHER_VINTAGE
        tables.append(_rows(grid, name, "rebuilt", rebuilt, reasons, is_ours))
    return concat(tables)


def _why_different(grid: Grid, portal: str) -> NDArray[np.object_]:
    """The likeliest reason, by row, why a rebuilt figure differs from the portal's.

    Mid-points stand in a cell where employment is not what was reported; they spread through the region's class total
    to its quotients and shares.
    """
    year = int(grid.table.column("year")[0].as_py()) if grid.table.num_rows else 0
    filled = grid.amounts("employment") != grid.amounts("employment_reported")
    touched = np.zeros(grid.shape, np.bool_)
    for part in (TRADED, LOCAL):
        touched[:, part] = filled[:, part].any(axis=1, keepdims=True)
    reasons = np.full(len(grid.cell), UNEXPLAINED, object)
    reasons[grid.by_row(touched)] = MIDPOINT_FILL
    region = grid.cell // len(CLUSTERS)
    if year in OTHER_VINTAGE_YEARS.get(portal, ()):
        reasons[:] = OTHER_VINTAGE
    reasons[(grid.schemes == "us_cbsa")[region]] = OTHER_DELINEATION
    return reasons


def _rows(
    grid: Grid,
    measure: str,
    basis: str,
    rebuilt: Floats,
    reasons: NDArray[np.object_],
    wanted: Flags | None = None,
) -> pa.Table:
    """Rows of one measure; the reason stands only where a published figure is not met."""
    published = grid.column(measure)
    needs_reason = ~np.isnan(published) & ~is_equal(published, rebuilt)
    key = ["portal", "year", "region_scheme", "region_code", "region_vintage", "cluster_code"]
    columns = {name: grid.table.column(name) for name in key} | {
        "measure": constant(measure, len(rebuilt)),
        "basis": constant(basis, len(rebuilt)),
        "published": number(published),
        "rebuilt": number(rebuilt),
        "difference": number(rebuilt - published),
        "reason": pa.array(reasons, pa.string(), mask=~needs_reason),
    }
    table = pa.table(columns)
    return table if wanted is None else table.filter(pa.array(wanted))
