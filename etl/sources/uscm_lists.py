"""Compares US Cluster Mapping's cluster definitions and regions with the built-in tables."""

import re
from typing import Any

from etl import reference
from etl.sources.comparison import differences

Document = dict[str, Any]


def compare_clusters(documents: list[Document]) -> list[str]:
    """Sentences on where names, kinds, subclusters or industries of the portal's clusters differ from ours."""
    rows = [document for document in documents if not document.get("subcluster_b")]
    names = {row["cluster_code_t"]: (_clean(row["name_t"]), "traded" if row["traded_b"] else "local") for row in rows}
    subclusters = {
        f"{row['cluster_code_t']}.{code}": _clean(name) for row in rows for code, name in row["sub_clusters"].items()
    }
    notes = differences("US Cluster Mapping's list of clusters", _our_names(), names)
    notes += differences("US Cluster Mapping's list of subclusters", _our_subclusters(), subclusters)
    for field in sorted({name for row in rows for name in row if re.fullmatch(r"naics_\d{4}", name)}):
        industries = {code: int(row["cluster_code_t"]) for row in rows for code in row.get(field, {})}
        ours = {code: cluster for code, cluster in reference.naics_cluster(int(field[-4:])).items() if cluster}
        notes += differences(f"US Cluster Mapping's industries, NAICS {field[-4:]},", ours, industries)
    return notes


def _our_names() -> dict[str, object]:
    columns = reference.clusters().to_pydict()
    rows = zip(columns["cluster_code"], columns["cluster_name"], columns["kind"], strict=True)
    return {str(code): (name, kind) for code, name, kind in rows if code > 0}


def _our_subclusters() -> dict[str, object]:
    columns = reference.subclusters().to_pydict()
    rows = zip(columns["cluster_code"], columns["subcluster_code"], columns["subcluster_name"], strict=True)
    return {f"{cluster}.{code}": name for cluster, code, name in rows}


def compare_regions(documents: list[Document]) -> list[str]:
    """Sentences on where the counties that the portal's areas are made of differ from ours."""
    notes = []
    for kind, scheme, vintage in (("economic", "us_economic_area", 2004), ("msa", "us_cbsa", 2013)):
        published = {
            member.rsplit("/", 1)[-1]: row["region_code_t"]
            for row in documents
            if row["region_type_t"] == kind
            for member in row.get("regions_txt", [])
        }
        built_in = reference.county_area(scheme, vintage)
        # Ours also has the counties of other county lists, which the portal cannot have.
        shared = {county: area for county, area in built_in.items() if county in published}
        areas = dict.fromkeys(built_in.values(), "an area")
        notes += differences(f"US Cluster Mapping's {kind} areas by county", shared, published)
        notes += differences(
            f"US Cluster Mapping's list of {kind} areas", areas, dict.fromkeys(published.values(), "an area")
        )
    return notes


def _clean(name: str) -> str:
    return " ".join(name.split())
