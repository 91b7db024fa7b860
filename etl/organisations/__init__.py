"""Organisations on the taxonomy: placed by decisions, codes or text, in a region, and held against the statistics."""

from etl.organisations.gaps import organisations_in, organisations_without_strength, strong_without_organisation
from etl.organisations.places import Region, overlap
from etl.organisations.placing import cluster_organisation

__all__ = [
    "Region",
    "cluster_organisation",
    "organisations_in",
    "organisations_without_strength",
    "overlap",
    "strong_without_organisation",
]
