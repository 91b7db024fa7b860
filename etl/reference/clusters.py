"""The Benchmark Cluster Definitions: clusters, subclusters, and the NAICS industries of five vintages."""

from functools import cache
from typing import NamedTuple

import pyarrow as pa

from etl.contracts import contract
from etl.errors import UsageError
from etl.reference.store import read, rows

NO_CLUSTER = 0
NOT_ALLOCATED = -1

NAICS_VINTAGES = (1997, 2002, 2007, 2012, 2017, 2022)


class NaicsPlace(NamedTuple):
    """Where one NAICS industry stands in the cluster definitions, and who put it there."""

    cluster_code: int
    subcluster_code: str | None
    definition_source: str


def clusters() -> pa.Table:
    """The 67 clusters with 0 (no cluster) and -1 (not allocated), by the contract of table cluster.

    The share of employment without judgement is left null here; see `etl.harmonise.weights`.
    """
    columns = read("cluster")
    table = pa.table(
        {
            "cluster_code": [int(code) for code in columns["cluster_code"]] + [NO_CLUSTER, NOT_ALLOCATED],
            "cluster_name": [*columns["cluster_name"], "No cluster", "Not allocated"],
            "short_name": [*columns["short_name"], "No cluster", "Not allocated"],
            "kind": [*columns["kind"], "none", "none"],
        }
    )
    return contract("cluster").conform(table)


@cache
def cluster_codes() -> tuple[int, ...]:
    """The codes of the 67 clusters in ascending order, without 0 and -1."""
    return tuple(sorted(int(code) for code in read("cluster")["cluster_code"]))


@cache
def cluster_kinds() -> dict[int, str]:
    """Cluster code to kind (traded, local, none), 0 and -1 included."""
    columns = read("cluster")
    kinds = {int(code): kind for code, kind in zip(columns["cluster_code"], columns["kind"], strict=True)}
    return kinds | {NO_CLUSTER: "none", NOT_ALLOCATED: "none"}


def subclusters() -> pa.Table:
    """The 316 subclusters by the contract of table subcluster; a code is unique within its cluster only."""
    columns = read("subcluster")
    return contract("subcluster").conform(
        pa.table({**columns, "cluster_code": [int(code) for code in columns["cluster_code"]]})
    )


@cache
def naics_codes(vintage: int) -> frozenset[str]:
    """All six-digit codes of a NAICS vintage, those of no cluster included.

    Vintage 1997 is known through the cluster definitions only: 1,082 codes, those that County Business Patterns
    covers. Raises UsageError for a vintage that is not 1997, 2002, 2007, 2012, 2017 or 2022.
    """
    if vintage not in NAICS_VINTAGES:
        raise UsageError(f"NAICS has no vintage {vintage}; there are: {', '.join(map(str, NAICS_VINTAGES))}")
    return frozenset(row["naics_code"] for row in rows("naics_code") if str(vintage) in row["vintages"].split())


@cache
def naics_places(vintage: int) -> dict[str, NaicsPlace]:
    """Six-digit code to its place in the cluster definitions of that vintage; codes of no cluster are left out.

    The lists exist for 1997 to 2017. Raises UsageError for another vintage.
    """
    if vintage not in NAICS_VINTAGES[:-1]:
        raise UsageError(f"the cluster definitions have no list for NAICS {vintage}; there are 1997 to 2017")
    return {
        row["naics_code"]: NaicsPlace(int(row["cluster_code"]), row["subcluster_code"] or None, row["cluster_source"])
        for row in rows("naics_cluster")
        if str(vintage) in row["vintages"].split()
    }


@cache
def naics_cluster(vintage: int) -> dict[str, int]:
    """Six-digit code to cluster code by the vintage's own list, every code of the vintage; 0 where in no cluster.

    Raises UsageError for a vintage without a list of its own (2022).
    """
    places = naics_places(vintage)
    return {code: places[code].cluster_code if code in places else NO_CLUSTER for code in naics_codes(vintage)}
