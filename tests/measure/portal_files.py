"""Reads US Cluster Mapping's answers into `published_region_cluster`, for tests of measures alone."""

import gzip
import json
from pathlib import Path

import pyarrow as pa

SCHEMES = {"state": ("us_state", 2020), "economic": ("us_economic_area", 2004)}
FLOATS = {
    "employment": "emp_tl",
    "employment_reported": "emp_reported_tl",
    "establishments": "est_tl",
    "location_quotient": "lq_tf",
    "region_share": "region_emp_per_tf",
    "cluster_share": "cluster_emp_per_tf",
}
FLAGS = {
    "is_qualifying": "qualifying_b",
    "is_significant": "significant_b",
    "is_strong": "strong_b",
    "is_strong_top_decile": "strong10_b",
}
RANKED = {
    "employment": "emp_tl",
    "establishments": "est_tl",
    "average_wage": "private_wage_tf",
    "location_quotient": "lq_tf",
}


def read_portal(shared: Path, kind: str, year: int = 2016) -> pa.Table:
    """Rows of one region type: `state` or `economic`."""
    path = shared / "mirror/clustermapping.us/data/region" / kind / f"all/{year}/all-0.json.gz"
    rows = json.loads(gzip.decompress(path.read_bytes()))
    scheme, vintage = SCHEMES[kind]
    columns = {
        "portal": pa.array(["us_cluster_mapping"] * len(rows)),
        "year": pa.array([year] * len(rows), pa.int16()),
        "region_scheme": pa.array([scheme] * len(rows)),
        "region_code": pa.array([row["region_code_t"] for row in rows]),
        "region_vintage": pa.array([vintage] * len(rows), pa.int16()),
        "cluster_code": pa.array([int(row["cluster_code_t"]) for row in rows], pa.int16()),
        **{name: pa.array([float(row[field]) for row in rows]) for name, field in FLOATS.items()},
        "payroll": pa.array([row["ap_tl"] * 1000.0 for row in rows]),
        "average_wage": pa.array([row["private_wage_tf"] or None for row in rows], pa.float64()),
        **{name: pa.array([row.get(field) for row in rows], pa.bool_()) for name, field in FLAGS.items()},
    }
    for name, field in RANKED.items():
        columns[f"{name}_rank"] = pa.array([row.get(f"{field}_rank_i") for row in rows], pa.int32())
        columns[f"{name}_percentile"] = pa.array([row.get(f"{field}_per_rank_i") for row in rows], pa.int16())
    return pa.table(columns)
