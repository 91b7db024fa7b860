"""Organisations on the taxonomy: placed by decisions, codes or text, in a region, and held against the statistics."""

from etl.organisations.gaps import organisations_in, organisations_without_strength, strong_without_organisation
from etl.organisations.matching import cluster_organisation
from etl.organisations.region_matching import PlacedRegion, overlap

__all__ = [
    "PlacedRegion",
    "cluster_organisation",
    "organisations_in",
    "organisations_without_strength",
    "overlap",
    "strong_without_organisation",
]
