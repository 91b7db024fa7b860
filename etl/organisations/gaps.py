"""What statistics and organisations say of each other: clusters without an organisation, organisations without one."""

from collections.abc import Iterable
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from etl.contracts import contract
from etl.organisations.region_matching import PlacedRegion, overlap
from etl.reference import NOT_ALLOCATED

NOT_STRONG = "the cluster is not strong there"
NOT_KNOWN = "whether the cluster is strong there is not known"
NOT_PLACED = "nothing in the list says what it does"
NOT_MEASURED = "the cluster or the region is not measured"


def organisations_in(organisations: pa.Table, region: PlacedRegion) -> list[dict[str, Any]]:
    """The rows of `cluster_organisation` whose region shares territory with this one."""
    found: dict[PlacedRegion, bool] = {}
    rows = []
    for row in organisations.to_pylist():
        if row["region_code"] is not None:
            where = _region(row)
            if where not in found:
                found[where] = overlap(where, region)
            if found[where]:
                rows.append(row)
    return rows


def strong_without_organisation(common: pa.Table, organisations: pa.Table) -> pa.Table:
    """Rows of `region_cluster_common` (of one year, variant `full`) that are strong and have no organisation.

    An organisation counts where it is linked to the cluster and its region shares territory with the row's.
    """
    strong = common.filter(
        pc.and_(pc.equal(common.column("variant"), "full"), pc.equal(common.column("is_strong"), True))
    )
    by_cluster = _regions_by_cluster(organisations.to_pylist())
    lacking = [
        not any(overlap(where, _region(row)) for where in by_cluster.get(row["cluster_code"], ()))
        for row in strong.select(["region_scheme", "region_code", "region_vintage", "cluster_code"]).to_pylist()
    ]
    return strong.filter(pa.array(lacking, pa.bool_()))


def organisations_without_strength(common: pa.Table, organisations: pa.Table) -> pa.Table:
    """Rows of `cluster_organisation` whose cluster is strong in none of their regions, with a `gap` that says why.

    `common`: `region_cluster_common` of one year. A link ranked first or decided by people counts; organisations
    placed in no region below the nation are left out: nothing can be said of them.
    """
    measured: dict[int, list[tuple[PlacedRegion, bool | None]]] = {}
    names = ["region_scheme", "region_code", "region_vintage", "cluster_code", "is_strong"]
    for row in common.filter(pc.equal(common.column("variant"), "full")).select(names).to_pylist():
        measured.setdefault(row["cluster_code"], []).append((_region(row), row["is_strong"]))
    found = []
    for row in organisations.to_pylist():
        if row["region_scheme"] in (None, "us_nation", "nuts0"):
            continue
        if row["link_rank"] != 1 and row["link_method"] != "decision":
            continue
        where = _region(row)
        flags = {strong for region, strong in measured.get(row["cluster_code"], ()) if overlap(where, region)}
        if True not in flags:
            found.append({**row, "gap": _gap(row["cluster_code"], flags)})
    schema = contract("cluster_organisation").arrow_schema.append(pa.field("gap", pa.string()))
    return pa.Table.from_pylist(found, schema.remove_metadata())


def _gap(cluster: int, flags: set[bool | None]) -> str:
    if cluster == NOT_ALLOCATED:
        return NOT_PLACED
    return NOT_STRONG if flags == {False} else NOT_KNOWN if flags else NOT_MEASURED


def _regions_by_cluster(rows: Iterable[dict[str, Any]]) -> dict[int, set[PlacedRegion]]:
    found: dict[int, set[PlacedRegion]] = {}
    for row in rows:
        if row["region_code"] is not None:
            found.setdefault(row["cluster_code"], set()).add(_region(row))
    return found


def _region(row: dict[str, Any]) -> PlacedRegion:
    return PlacedRegion(row["region_scheme"], row["region_code"], int(row["region_vintage"]))
