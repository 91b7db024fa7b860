"""What a snapshot says to somebody of a region who looks for partners: who is alike, who complements, who is there."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from etl.errors import UsageError
from etl.measure.rules import LEVELS
from etl.organisations import (
    PlacedRegion,
    organisations_in,
    organisations_without_strength,
    strong_without_organisation,
)
from etl.partners.backtest import BackTest, back_test, density
from etl.partners.profiles import KNOWN_AT_LEAST, TRADED_CODES, read_profiles
from etl.partners.relatedness import co_location
from etl.partners.scores import KINDS
from etl.partners.suggestions import did_you_mean, suggestions

Row = dict[str, Any]
Filter = tuple[str, str, Any]

# Partners of like size: traded employment from a quarter to four times the region's.
SMALLEST, LARGEST = 0.25, 4.0
# Years that a back-test may look ahead.
SHORTEST_TEST, LONGEST_TEST = 5, 10
OPPORTUNITIES = 5
AMERICAN_SOURCE = "census_cbp"
_FLAG_COLUMNS = ("source", "year", "region_scheme", "region_code", "region_vintage", "cluster_code", "grade")


class Snapshot(Protocol):
    """What is read from: a published version."""

    def table(
        self, name: str, columns: Sequence[str] | None = None, filters: Sequence[Filter] | None = None
    ) -> pa.Table:
        """Columns of a table; rows are those that meet every filter (column, operator, value)."""


@dataclass(frozen=True, slots=True)
class PartnerReport:
    """Everything about one region and year.

    `partners`: rows of `region_partner` with `partner_name`, `partner_country`, `explanation` in names of clusters,
    `organisations` in the partner's region, and of the cluster asked for `partner_quotient` and `partner_is_strong`.
    `why_none`: why there are none. `has_organisations`: the version has a list of them. `organisations`: of the region
    itself. `lacking`: its strong clusters without one; `without_strength`: its organisations whose cluster is not
    strong there. `opportunities`: clusters (code, name, density) it may grow into, empty unless the `test` is passed;
    `is_test_passed`: None without a test.
    """

    region: str
    name: str
    year: int
    partners: list[Row]
    why_none: str | None
    has_organisations: bool
    organisations: list[Row]
    lacking: list[str]
    without_strength: list[Row]
    opportunities: list[Row] = field(default_factory=list)
    test: str | None = None
    is_test_passed: bool | None = None


def partner_report(
    snapshot: Snapshot,
    scheme: str,
    code: str,
    *,
    cluster: int | None = None,
    year: int | None = None,
    any_size: bool = False,
) -> PartnerReport:
    """Read what a snapshot says of a region's partners, by default in its latest year with any.

    `cluster`: only partners that are strong in it, or alike or linked through it, and only its organisations.
    `any_size`: partners of every size. Raises UsageError for a region, cluster or year that is none of those compared.
    """
    if scheme not in {name for pair in LEVELS.values() for name in pair}:
        pairs = " and ".join(f"{american} with {european}" for american, european in LEVELS.values())
        meant = did_you_mean(suggestions(f"{scheme}:{code}", compared_regions(snapshot)))
        raise UsageError(f"{scheme}:{code}: partners are looked for among {pairs}{meant}")
    clusters = {row["cluster_code"]: row["short_name"] or row["cluster_name"] for row in _rows(snapshot, "cluster")}
    if cluster is not None and cluster not in TRADED_CODES:
        raise UsageError(f"{cluster} is no traded cluster; they have the codes 1 to 51")
    place: list[Filter] = [("region_scheme", "=", scheme), ("region_code", "=", code)]
    common = _rows(snapshot, "region_cluster_common", [*place, ("variant", "=", "full")])
    if not common:
        meant = did_you_mean(suggestions(f"{scheme}:{code}", compared_regions(snapshot)))
        raise UsageError(f"{scheme}:{code}: the snapshot compares no such region{meant}")
    partners = _rows(snapshot, "region_partner", place)
    years = sorted({row["year"] for row in common})
    year = year if year is not None else max(row["year"] for row in partners or common)
    if year not in years:
        raise UsageError(f"{scheme}:{code} is not compared in {year}, but in {', '.join(map(str, years))}")
    names = {_key(row): (row["region_name"], row["country_code"]) for row in _rows(snapshot, "region")}
    region = PlacedRegion(scheme, code, common[0]["region_vintage"])
    of_year = snapshot.table(
        "region_cluster_common", None, [("year", "=", year), ("variant", "=", "full"), ("level", "=", _level(scheme))]
    )
    organisations = snapshot.table("cluster_organisation")
    has_organisations = organisations.num_rows > 0
    if cluster is not None:
        organisations = organisations.filter(pc.equal(organisations["cluster_code"], cluster))
    found = [row for row in partners if row["year"] == year]
    own = of_year.filter(pa.array([(s, c) == (scheme, code) for s, c in _pairs(of_year)], pa.bool_()))
    little = {row["cluster_code"] for row in own.to_pylist() if (row["location_quotient"] or 0) < 1}
    shown = _described(found, of_year, organisations, clusters, little, names, cluster)
    if not any_size:
        shown = [row for row in shown if SMALLEST <= row["size_ratio"] <= LARGEST]
    here = pa.Table.from_pylist(organisations_in(organisations, region), organisations.schema)
    lacking = strong_without_organisation(own, here)["cluster_code"].to_pylist()
    opportunities, test = _opportunities(snapshot, of_year, region, clusters)
    return PartnerReport(
        region=f"{scheme}:{code}",
        name=names.get(region, (code, ""))[0],
        year=year,
        partners=shown,
        why_none=None if shown else _why_none(found, own.to_pylist(), cluster, any_size),
        has_organisations=has_organisations,
        organisations=here.to_pylist(),
        lacking=[clusters[c] for c in lacking if has_organisations and cluster in (None, c)],
        without_strength=organisations_without_strength(own, here).to_pylist(),
        opportunities=opportunities,
        test=test.sentence() if test else None,
        is_test_passed=test.is_passed if test else None,
    )


def compared_regions(snapshot: Snapshot) -> list[tuple[str, str, str]]:
    """Scheme, code and name of every region that a snapshot compares."""
    columns = ["region_scheme", "region_code", "region_vintage"]
    compared = snapshot.table("region_cluster_common", columns).group_by(columns).aggregate([])
    names = {_key(row): row["region_name"] for row in _rows(snapshot, "region")}
    return sorted((*_key(row)[:2], names.get(_key(row), "")) for row in compared.to_pylist())


def _described(
    rows: Sequence[Row],
    common: pa.Table,
    organisations: pa.Table,
    clusters: Mapping[int, str],
    little: Collection[int],
    names: Mapping[tuple[str, str, int], tuple[str, str]],
    cluster: int | None,
) -> list[Row]:
    """Partners with names, explanation and organisations; only those the cluster asked for has to do with.

    `little`: clusters of which the region has less than the reference area.
    """
    of_cluster = {(r["region_scheme"], r["region_code"]): r for r in common.to_pylist() if r["cluster_code"] == cluster}
    there: dict[PlacedRegion, list[Row]] = {}
    result = []
    for row in sorted(rows, key=lambda row: (KINDS.index(row["kind"]), row["partner_rank"])):
        partner = PlacedRegion(row["partner_scheme"], row["partner_code"], row["partner_vintage"])
        if partner not in there:
            there[partner] = organisations_in(organisations, partner)
        explaining = explained(row["explaining_clusters"])
        its = of_cluster.get(partner[:2], {})
        if cluster is not None and not its.get("is_strong") and not any(cluster in link for link in explaining):
            continue
        about = {one for link in explaining for one in link} if cluster is None else {cluster}
        name, country = names.get(partner, (partner.code, ""))
        linked = {one["organisation_name"]: None for one in there[partner] if one["cluster_code"] in about}
        result.append(
            {
                **row,
                "partner_name": name,
                "partner_country": country,
                "explanation": [_told(link, clusters, little) for link in explaining],
                "organisations": list(linked),
                "partner_quotient": its.get("location_quotient"),
                "partner_is_strong": its.get("is_strong"),
            }
        )
    return result


def _told(link: tuple[int, ...], clusters: Mapping[int, str], little: Collection[int]) -> str:
    """A cluster that both have, or both have little of; or a link from one to another."""
    if len(link) > 1:
        return " > ".join(clusters[one] for one in link)
    return clusters[link[0]] + (" (little of it)" if link[0] in little else "")


def explained(text: str | None) -> list[tuple[int, ...]]:
    """The clusters, or links of two clusters, of the column `explaining_clusters`."""
    return [tuple(int(code) for code in part.split(">")) for part in (text or "").split(",") if part]


def _why_none(found: Sequence[Row], own: Sequence[Row], cluster: int | None, any_size: bool) -> str:
    if found:
        narrowed = [] if any_size else ["of like size"]
        narrowed += [f"that have to do with cluster {cluster}"] if cluster is not None else []
        return f"no partners {' and '.join(narrowed)}; {len(found)} in all"
    quoted = [row for row in own if row["location_quotient"] is not None]
    known = sum(row["grade"] in ("A", "B", "C") for row in quoted)
    if known >= KNOWN_AT_LEAST:
        return "no partners: no region on the other side is alike or complementary"
    if quoted:
        return (
            f"no partners: figures of grade A to C are there for {known} of the clusters, {KNOWN_AT_LEAST} are needed"
        )
    reasons = Counter(str(row["reason"]) for row in own if row["reason"])
    why = reasons.most_common(1)[0][0] if reasons else "no quotient is known"
    return f"no partners: the region's clusters cannot be compared: {why}"


def _opportunities(
    snapshot: Snapshot, common: pa.Table, region: PlacedRegion, clusters: Mapping[int, str]
) -> tuple[list[Row], BackTest | None]:
    """Clusters that are not strong in the region, by relatedness density; none unless the back-test is passed."""
    test = snapshot_test(snapshot)
    if test is None:
        return [], None
    profiles = read_profiles(common, _level(region.scheme))
    at = [i for i, key in enumerate(zip(profiles.scheme, profiles.region, strict=True)) if key == region[:2]]
    if not test.is_passed or not at:
        return [], test
    related = co_location(profiles.quotient, profiles.is_known)
    dense = density(related, profiles.is_strong, profiles.has_flag)[at[0]]
    open_to = profiles.has_flag[at[0]] & ~profiles.is_strong[at[0]] & ~np.isnan(dense)
    order = [int(c) for c in np.argsort(-dense, kind="stable") if open_to[c]][:OPPORTUNITIES]
    rows = [
        {
            "cluster_code": int(TRADED_CODES[c]),
            "cluster_name": clusters[int(TRADED_CODES[c])],
            "density": float(dense[c]),
        }
        for c in order
    ]
    return rows, test


def snapshot_test(snapshot: Snapshot) -> BackTest | None:
    """Back-test of density on the snapshot's latest states, against the earliest year 5 to 10 years before.

    None where the snapshot has no two such years.
    """
    filters: list[Filter] = [("source", "=", AMERICAN_SOURCE), ("region_scheme", "=", "us_state")]
    states = snapshot.table("region_cluster", [*_FLAG_COLUMNS, "location_quotient", "is_strong"], filters)
    flagged = states.filter(states.column("is_strong").is_valid())
    years = sorted(set(flagged.column("year").to_pylist()))
    before = [year for year in years if SHORTEST_TEST <= years[-1] - year <= LONGEST_TEST]
    if not before:
        return None
    parts = (
        states.filter(pa.array([y == year for y in states["year"].to_pylist()])) for year in (before[0], years[-1])
    )
    return back_test(*parts)


def _level(scheme: str) -> str:
    return next(level for level, schemes in LEVELS.items() if scheme in schemes)


def _key(row: Row) -> tuple[str, str, int]:
    return row["region_scheme"], row["region_code"], row["region_vintage"]


def _pairs(table: pa.Table) -> list[tuple[str, str]]:
    return list(zip(table["region_scheme"].to_pylist(), table["region_code"].to_pylist(), strict=True))


def _rows(snapshot: Snapshot, name: str, filters: Sequence[Filter] | None = None) -> list[Row]:
    rows: list[Row] = snapshot.table(name, None, filters).to_pylist()
    return rows
