"""What must hold among the measures whatever the data: each function is named after what it protects.

Each returns the rows that break the rule, so that a gate can count and keep them; an empty table means it holds.
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from etl.contracts import sort_rows
from etl.measure.quantiles import Floats

_REGION = ("source", "year", "region_scheme", "region_code", "region_vintage")
# Rank correlation, precision and recall of the coarse variant against the full one: at least this.
COARSE_LIMITS = {"rank_correlation": 0.65, "precision": 0.6, "recall": 0.6}
STRONG_SHARE_LIMITS = (0.08, 0.30)
JUMP_LOG, JUMP_EMPLOYMENT, JUMP_SHARE = 0.7, 2000.0, 0.005


def clusters_add_up_to_the_region(region_cluster: pa.Table, region_total: pa.Table) -> pa.Table:
    """Regions whose clusters, 0 and -1 do not sum to their published total, to 1e-9 of it."""
    sums = region_cluster.group_by(list(_REGION)).aggregate([("employment_reported", "sum")])
    both = region_total.select([*_REGION, "employment_reported"]).join(sums, list(_REGION), join_type="full outer")
    total, parts = _floats(both, "employment_reported"), _floats(both, "employment_reported_sum")
    agrees = np.abs(total - parts) <= 1e-9 * np.maximum(total, 1)
    return both.filter(pa.array(~agrees))


def quotients_average_to_one(region_cluster: pa.Table) -> pa.Table:
    """Regions whose quotients do not give their cluster shares back by one weight for the class, to 1e-9.

    cluster_share = quotient × weight, the weight being the region's share of the reference area's class total (in
    Europe: of its covered total). Where it holds, quotients weighted so sum to the regions' joint share of each
    cluster: to 1 over regions that make up the whole.
    """
    rows = region_cluster.filter(pc.greater(region_cluster.column("location_quotient"), 0))
    rows = rows.append_column("is_local", pc.greater(rows.column("cluster_code"), 100))
    weight = _floats(rows, "cluster_share") / _floats(rows, "location_quotient")
    rows = rows.append_column("class_weight", pa.array(weight))
    key = [*_REGION, "is_local"]
    spread = rows.group_by(key).aggregate([("class_weight", "min"), ("class_weight", "max")])
    low, high = _floats(spread, "class_weight_min"), _floats(spread, "class_weight_max")
    return spread.filter(pa.array(high - low > 1e-9 * high))


def cluster_shares_sum_to_one(region_cluster: pa.Table, scheme: str, tolerance: float) -> pa.Table:
    """Clusters whose regions of one scheme do not hold the whole of the nation, where every region has a share.

    Published figures of regions and nation carry separate noise and rounding: `tolerance` says how much.
    """
    rows = region_cluster.filter(pc.equal(region_cluster.column("region_scheme"), scheme))
    sums = rows.group_by(["source", "year", "cluster_code"]).aggregate(
        [("cluster_share", "sum"), ("cluster_share", "count"), ("employment_reported", "count")]
    )
    is_whole = pc.equal(sums.column("cluster_share_count"), sums.column("employment_reported_count"))
    off = np.abs(_floats(sums, "cluster_share_sum") - 1) > tolerance
    return sums.filter(pc.and_(is_whole, pa.array(off)))


def shift_share_parts_add_up(region_cluster: pa.Table) -> pa.Table:
    """Rows whose three parts of shift-share do not sum to the job creation, to 1e-9 of the larger part."""
    parts = [_floats(region_cluster, f"shift_{name}") for name in ("reference", "mix", "regional")]
    created = _floats(region_cluster, "job_creation")
    size = np.max([np.ones(len(created)), np.abs(created), *(np.abs(part) for part in parts)], axis=0)
    with np.errstate(invalid="ignore"):
        breaks = np.abs(sum(parts) - created) > 1e-9 * size
    return region_cluster.filter(pa.array(breaks))


def strong_share_is_plausible(region_cluster_common: pa.Table) -> pa.Table:
    """Sides of a level on which strong clusters are fewer than 8 % or more than 30 % of the cells with a flag."""
    rows = region_cluster_common.filter(pc.is_valid(region_cluster_common.column("is_strong")))
    is_american = pc.starts_with(rows.column("region_scheme"), "us_")
    rows = rows.append_column("is_american", is_american)
    rows = rows.append_column("strong", pc.cast(rows.column("is_strong"), pa.float64()))
    shares = rows.group_by(["level", "variant", "year", "is_american"]).aggregate([("strong", "mean")])
    share = _floats(shares, "strong_mean")
    return shares.filter(pa.array((share < STRONG_SHARE_LIMITS[0]) | (share > STRONG_SHARE_LIMITS[1])))


def jumps(region_cluster: pa.Table) -> pa.Table:
    """Cells above 2,000 persons that about halved or doubled (log change above 0.7) since the previous year."""
    after = _floats(region_cluster, "employment")
    before = after - _floats(region_cluster, "job_creation")
    with np.errstate(divide="ignore", invalid="ignore"):
        change = np.abs(np.log(after / before))
    return region_cluster.filter(pa.array((change > JUMP_LOG) & (np.maximum(after, before) > JUMP_EMPLOYMENT)))


def jumps_are_few(region_cluster: pa.Table) -> bool:
    """Whether `jumps` are at most 0.5 % of the cells that can jump. A recorded break in series explains more."""
    after = _floats(region_cluster, "employment")
    before = after - _floats(region_cluster, "job_creation")
    possible = int(np.count_nonzero(np.maximum(after, before) > JUMP_EMPLOYMENT))
    return bool(jumps(region_cluster).num_rows <= JUMP_SHARE * possible)


def coarse_agrees_with_full(region_cluster_common: pa.Table) -> pa.Table:
    """American levels and years on which the coarse variant has lost the full one, with the three figures.

    Mean rank correlation of quotients over clusters at least 0.65, precision and recall of the strong flag at least
    0.6: below that the coarse mode would say nothing about Europe either.
    """
    american = region_cluster_common.filter(pc.starts_with(region_cluster_common.column("region_scheme"), "us_"))
    key = ["level", "year", "region_scheme", "region_code", "cluster_code"]
    full, coarse = (
        american.filter(pc.equal(american.column("variant"), variant)).select([*key, "location_quotient", "is_strong"])
        for variant in ("full", "coarse")
    )
    both = sort_rows(full.join(coarse, key, join_type="inner", right_suffix="_coarse"), key)
    findings = []
    for group in both.group_by(["level", "year"]).aggregate([]).to_pylist():
        chosen = both.filter(
            pc.and_(pc.equal(both.column("level"), group["level"]), pc.equal(both.column("year"), group["year"]))
        )
        figures = _agreement(chosen)
        if any(figures[name] < limit for name, limit in COARSE_LIMITS.items()):
            findings.append(group | figures)
    kinds = {"level": pa.string(), "year": pa.int16(), **dict.fromkeys(COARSE_LIMITS, pa.float64())}
    return pa.Table.from_pylist(findings, pa.schema(list(kinds.items())))


def _agreement(rows: pa.Table) -> dict[str, float]:
    cluster = rows.column("cluster_code").to_numpy()
    full, coarse = _floats(rows, "location_quotient"), _floats(rows, "location_quotient_coarse")
    correlations = []
    for code in np.unique(cluster):
        known = (cluster == code) & ~np.isnan(full) & ~np.isnan(coarse)
        if known.sum() > 2 and np.ptp(full[known]) > 0 and np.ptp(coarse[known]) > 0:
            correlations.append(np.corrcoef(_ranks(full[known]), _ranks(coarse[known]))[0, 1])
    is_strong, is_found = (_floats(rows, name) for name in ("is_strong", "is_strong_coarse"))
    known = ~np.isnan(is_strong) & ~np.isnan(is_found)
    hits = float(np.sum(is_strong[known] * is_found[known]))
    with np.errstate(divide="ignore", invalid="ignore"):
        return {
            "rank_correlation": float(np.mean(correlations)) if correlations else np.nan,
            "precision": float(hits / np.sum(is_found[known])),
            "recall": float(hits / np.sum(is_strong[known])),
        }


def _ranks(values: Floats) -> Floats:
    """Ranks, ties at their mean."""
    _, group, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    return (ends - (counts - 1) / 2)[group]


def _floats(table: pa.Table, name: str) -> Floats:
    values: Floats = pc.cast(table.column(name), pa.float64()).to_numpy()
    return values
