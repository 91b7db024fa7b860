"""Reference tables built into the package and their look-ups: clusters, industries, regions, sources."""

from etl.reference.clusters import (
    NAICS_VINTAGES,
    NO_CLUSTER,
    NOT_ALLOCATED,
    cluster_codes,
    cluster_kinds,
    clusters,
    naics_cluster,
    naics_codes,
    subclusters,
)
from etl.reference.counties import area_names, counties, county_area, county_vintage, is_county, states
from etl.reference.nuts import (
    is_extra_regio,
    nuts_parent,
    nuts_regions,
    nuts_version_of,
    nuts_version_of_code,
)
from etl.reference.regions import regions
from etl.reference.sources import source_table

__all__ = [
    "NAICS_VINTAGES",
    "NOT_ALLOCATED",
    "NO_CLUSTER",
    "area_names",
    "cluster_codes",
    "cluster_kinds",
    "clusters",
    "counties",
    "county_area",
    "county_vintage",
    "is_county",
    "is_extra_regio",
    "naics_cluster",
    "naics_codes",
    "nuts_parent",
    "nuts_regions",
    "nuts_version_of",
    "nuts_version_of_code",
    "regions",
    "source_table",
    "states",
    "subclusters",
]
