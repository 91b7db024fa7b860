"""How one figure came about, told from a published snapshot: rows, weights, denominators, rules and thresholds."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import pyarrow as pa

from etl.errors import UsageError
from etl.measure.explain_text import aligned, outcome, persons, ratio
from etl.measure.grid import CLUSTERS, is_remainder
from etl.measure.quantiles import column_quantiles
from etl.measure.rules import DISTRICT_OF_COLUMBIA, REFERENCE_AREAS, STAR_RULES, Rules, StarRule, reference_area_of
from etl.reference import county_area

Row = Mapping[str, Any]
Filter = tuple[str, str, Any]

_AREAS_OF_COUNTIES = ("us_economic_area", "us_cbsa")
_CELL = ["employment", "employment_low", "employment_high", "employment_status", "employment_flag"]
_PEER = ["source", "region_code", "employment", "establishments", "location_quotient", "region_share"]


class Snapshot(Protocol):
    """What is read from: a published version."""

    def table(
        self, name: str, columns: Sequence[str] | None = None, filters: Sequence[Filter] | None = None
    ) -> pa.Table:
        """Columns of a table; rows are those that meet every filter (column, operator, value)."""


def explain(snapshot: Snapshot, scheme: str, code: str, cluster: int, year: int) -> list[str]:
    """Lines that tell how a region's figures for a cluster and year came about, source by source.

    Raises UsageError for a cluster that is none, or where the snapshot has nothing for region, cluster and year.
    """
    if cluster not in CLUSTERS:
        raise UsageError(f"{cluster} is no cluster: 1 to 51 are traded, 101 to 116 local, 0 none, -1 not allocated")
    place: list[Filter] = [("year", "=", year), ("region_scheme", "=", scheme), ("region_code", "=", code)]
    region = snapshot.table("region_cluster", filters=place).to_pylist()
    rows = [row for row in region if row["cluster_code"] == cluster]
    if not rows:
        raise UsageError(f"the snapshot has no cluster {cluster} for {scheme}:{code} in {year}")
    lines = [_title(snapshot, rows[0])]
    for row in rows:
        own = [other for other in region if other["source"] == row["source"]]
        lines += ["", *_source(snapshot, row), *_cells(snapshot, row), *_estimate(row)]
        lines += _american(snapshot, row, own) if scheme.startswith("us_") else _european(snapshot, row, own)
    return lines + _common(snapshot, place, cluster)


def _title(snapshot: Snapshot, row: Row) -> str:
    place: list[Filter] = [(name, "=", row[name]) for name in ("region_scheme", "region_code")]
    regions = snapshot.table("region", ["region_name"], place)
    clusters = snapshot.table("cluster", ["cluster_name"], [("cluster_code", "=", row["cluster_code"])])
    region, cluster = (table.column(0)[0].as_py() if table.num_rows else "" for table in (regions, clusters))
    where = f"{row['region_scheme']}:{row['region_code']}"
    return f"{region} ({where}), cluster {row['cluster_code']} {cluster}, {row['year']}"


def _source(snapshot: Snapshot, row: Row) -> list[str]:
    found = snapshot.table("source", ["publisher", "concept"], [("source", "=", row["source"])]).to_pylist()
    about = f": {found[0]['publisher']}, {found[0]['concept']}" if found else ""
    return [f"Source {row['source']}{about}"]


def _cells(snapshot: Snapshot, row: Row) -> list[str]:
    """The publisher's rows behind the figure: leaves of the cluster's industries, with weight and contribution."""
    scheme, counties = row["region_scheme"], None
    if scheme in _AREAS_OF_COUNTIES:
        areas = county_area(scheme, row["region_vintage"])
        scheme, counties = "us_county", sorted(county for county, area in areas.items() if area == row["region_code"])
    filters: list[Filter] = [
        ("year", "=", row["year"]),
        ("source", "=", row["source"]),
        ("region_scheme", "=", scheme),
        ("region_code", "in", counties) if counties else ("region_code", "=", row["region_code"]),
    ]
    columns = ["region_code", "industry_scheme", "industry_code", "industry_level", "is_leaf", *_CELL]
    leaves = [cell for cell in snapshot.table("region_industry", columns, filters).to_pylist() if cell["is_leaf"]]
    weights = _weights(snapshot, row, leaves)
    used = [cell for cell in leaves if cell["industry_code"] in weights]
    if not used:
        return [
            "  Source rows: none under this code. The figure was carried here from the publisher's own regions, "
            "see table concordance."
        ]
    note = ""
    if counties:
        note = f" summed over {len({cell['region_code'] for cell in used})} of the area's {len(counties)} counties"
        used = _by_industry(used)
    table = [["industry", "employment", "bounds", "status", "mark", "weight", "contribution"]]
    for cell in used:
        weight = weights[cell["industry_code"]]
        part = None if cell["employment"] is None else cell["employment"] * weight
        bounds = f"{persons(cell['employment_low'])} to {persons(cell['employment_high'])}"
        figures = [persons(cell["employment"]), bounds, cell["employment_status"], cell["employment_flag"] or ""]
        table.append([cell["industry_code"], *figures, f"{weight:.4g}", persons(part)])
    return [f"  Source rows{note}:", *aligned(table, indent=4)]


def _weights(snapshot: Snapshot, row: Row, leaves: Sequence[Row]) -> dict[str, float]:
    """Weight in the cluster of each industry that has one."""
    if row["cluster_code"] == -1:
        return {cell["industry_code"]: 1.0 for cell in leaves if cell["industry_level"] == "not_allocated"}
    weights: dict[str, float] = {}
    for scheme in sorted({cell["industry_scheme"] for cell in leaves}):
        filters: list[Filter] = [("industry_scheme", "=", scheme), ("cluster_code", "=", row["cluster_code"])]
        for link in snapshot.table("industry_cluster", ["industry_code", "weight"], filters).to_pylist():
            weights[link["industry_code"]] = link["weight"]
    return weights


def _by_industry(cells: Sequence[Row]) -> list[Row]:
    """Cells of several counties summed by industry; a withheld one leaves the sum unknown."""
    groups: dict[str, list[Row]] = {}
    for cell in cells:
        groups.setdefault(cell["industry_code"], []).append(cell)
    summed: list[Row] = []
    for industry, members in sorted(groups.items()):
        statuses = Counter(member["employment_status"] for member in members)
        amounts = {name: _sum(member[name] for member in members) for name in _CELL[:3]}
        status = ", ".join(f"{count} {status}" for status, count in statuses.most_common())
        summed.append({"industry_code": industry, **amounts, "employment_status": status, "employment_flag": ""})
    return summed


def _estimate(row: Row) -> list[str]:
    lines = [
        f"  Employment {persons(row['employment'])} ({row['employment_status']}), "
        f"bounds {persons(row['employment_low'])} to {persons(row['employment_high'])}, "
        f"80 % band {persons(row['employment_band_low'])} to {persons(row['employment_band_high'])}, "
        f"printed {persons(row['employment_reported'])}, grade {row['grade'] or '-'}"
    ]
    if row["own_share"] is not None:
        lines.append(f"  Own share {ratio(row['own_share'])}: industries that are this cluster's by the weights alone")
    return lines


def _american(snapshot: Snapshot, row: Row, own: Sequence[Row]) -> list[str]:
    """Denominators of the quotient and thresholds of the flags, by the American rule."""
    if row["cluster_code"] <= 0:
        return ["  No quotient: not a cluster"]
    filters: list[Filter] = [
        ("year", "=", row["year"]),
        ("region_scheme", "=", "us_nation"),
        ("source", "=", row["source"]),
    ]
    nation = snapshot.table("region_cluster", ["cluster_code", "employment"], filters).to_pylist()
    is_traded = row["cluster_code"] <= 51
    kind = "traded" if is_traded else "local"
    region_total, nation_total = (
        _sum(r["employment"] for r in rows if r["cluster_code"] > 0 and (r["cluster_code"] <= 51) == is_traded)
        for rows in (own, nation)
    )
    cluster_total = next((r["employment"] for r in nation if r["cluster_code"] == row["cluster_code"]), None)
    lines = _quotient(
        row,
        [
            ("region's cluster", row["employment"]),
            (f"region's {kind} employment", region_total),
            ("nation's cluster", cluster_total if nation else None),
            (f"nation's {kind} employment", nation_total if nation else None),
        ],
    )
    if not is_traded:
        return [*lines, "  Flags: local clusters get none"]
    peers = _peers(snapshot, row)
    members = [
        peer for peer in peers if row["region_scheme"] != "us_state" or peer["region_code"] != DISTRICT_OF_COLUMBIA
    ]
    return lines + _flag_rules(row, members)


def _flag_rules(row: Row, members: Sequence[Row]) -> list[str]:
    e25 = _edge(members, "employment", 0.25)
    n25 = _edge(members, "establishments", 0.25)
    q25, q50, q75, q90 = (_edge(members, "location_quotient", part) for part in (0.25, 0.5, 0.75, 0.9))
    with_employment = sum((peer["employment"] or 0) > 0 for peer in members)
    floors = "both floors"
    rules = [
        ["rule", "figure", "threshold", "outcome"],
        ["employment above the 1st quartile", persons(row["employment"]), f"> {persons(e25)}", ""],
        ["establishments above the 1st quartile", persons(row["establishments"]), f"> {persons(n25)}", ""],
        [
            f"qualifying: {floors}, quotient",
            ratio(row["location_quotient"]),
            f"> {ratio(q25)}",
            outcome(row["is_qualifying"]),
        ],
        [
            f"significant: {floors}, quotient",
            ratio(row["location_quotient"]),
            f"> {ratio(q50)}",
            outcome(row["is_significant"]),
        ],
        [
            f"strong: {floors}, quotient",
            ratio(row["location_quotient"]),
            f">= {ratio(q75)} and 1",
            outcome(row["is_strong"]),
        ],
        [
            f"strong, top decile: {floors}, quotient",
            ratio(row["location_quotient"]),
            f">= {ratio(q90)} and 1",
            outcome(row["is_strong_top_decile"]),
        ],
    ]
    head = f"  Flags, among {with_employment} of {len(members)} {row['region_scheme']} regions with employment"
    reason = f" (null: {row['flag_reason']})" if row["flag_reason"] else ""
    return [head + reason + ":", *aligned(rules, indent=4)]


def _european(snapshot: Snapshot, row: Row, own: Sequence[Row]) -> list[str]:
    """Denominators of the quotient and thresholds of the stars, by the European rule."""
    if row["cluster_code"] <= 0:
        return ["  No quotient: not a cluster"]
    name = reference_area_of(row["year"])
    filters: list[Filter] = [
        ("year", "=", row["year"]),
        ("region_scheme", "=", "nuts0"),
        ("source", "=", row["source"]),
    ]
    national = snapshot.table("region_cluster", ["region_code", "cluster_code", "employment"], filters).to_pylist()
    by_country = {code: [r for r in national if r["region_code"] == code] for code in REFERENCE_AREAS[name]}
    whole = {c: rows for c, rows in by_country.items() if rows and all(r["employment"] is not None for r in rows)}
    members = [r for rows in whole.values() for r in rows]
    has_reference = row["location_quotient"] is not None
    area = f"{name} ({len(whole)} of {len(by_country)} members)"
    lines = _quotient(
        row,
        [
            ("region's cluster", row["employment"]),
            ("region's covered employment", _sum(r["employment"] for r in own)),
            (f"cluster in {area}", _sum(r["employment"] for r in members if r["cluster_code"] == row["cluster_code"])),
            (f"covered employment of {area}", _sum(r["employment"] for r in members) if has_reference else None),
        ],
    )
    if row["cluster_code"] > 51:
        return [*lines, "  Stars: local clusters get none"]
    stars = ", ".join(f"{star} {outcome(row[f'star_{star}'])}" for star in ("size", "specialisation", "focus"))
    reason = f" (null: {row['flag_reason']})" if row["flag_reason"] else ""
    lines.append(f"  Stars{reason}: {stars}")
    rule = next((rule for rule in STAR_RULES.values() if rule.label == row["star_rule"]), None)
    return [*lines, *_star_rules(rule, _peers(snapshot, row), row["region_scheme"])] if rule else lines


def _star_rules(rule: StarRule, peers: Sequence[Row], scheme: str) -> list[str]:
    """The rule's thresholds, and where the edges of its top shares lie."""
    parts = [
        ("employment", "employment", rule.size_share, persons),
        ("the quotient", "location_quotient", rule.specialisation_share, ratio),
        ("the share of the region's employment", "region_share", rule.focus_share, ratio),
    ]
    edges = [
        f"top {part.value:.0%} by {what} from {show(_edge(peers, column, 1 - part.value))}"
        for what, column, part, show in parts
        if part is not None
    ]
    return [f"    Rule: {rule.label}", f"    Among {len(peers)} {scheme} regions: {'; '.join(edges)}"]


def _quotient(row: Row, terms: Sequence[tuple[str, float | None]]) -> list[str]:
    reason = f" ({row['quotient_reason']})" if row["quotient_reason"] else ""
    numbers = " / ".join(f"({persons(terms[i][1])} / {persons(terms[i + 1][1])})" for i in (0, 2))
    return [
        f"  Location quotient {ratio(row['location_quotient'])}{reason} = {numbers}",
        *aligned([[name, persons(value)] for name, value in terms], indent=4),
        f"  Region share {ratio(row['region_share'])}, cluster share {ratio(row['cluster_share'])}",
    ]


def _common(snapshot: Snapshot, place: Sequence[Filter], cluster: int) -> list[str]:
    """The rows of the common table, their denominators, rule and the edges of their pool."""
    lines: list[str] = []
    region = snapshot.table("region_cluster_common", filters=place).to_pylist()
    for row in (row for row in region if row["cluster_code"] == cluster):
        filters: list[Filter] = [(name, "=", row[name]) for name in ("year", "level", "variant", "cluster_code")]
        columns = ["employment", "location_quotient", "is_complete"]
        pool = [r for r in snapshot.table("region_cluster_common", columns, filters).to_pylist() if r["is_complete"]]
        edge, floor = _edge(pool, "location_quotient", Rules().common_quantile), _edge(pool, "employment", 0.25)
        lines += [
            "",
            f"Common rule, level {row['level']}, {row['variant']}: {row['source']} {row['source_year']} beside "
            f"{row['paired_year'] or 'no year'} of the other side",
            f"  Reference area: {row['reference_area'] or '-'}; covered share {ratio(row['covered_share'])}",
            *_common_quotient(row, [r for r in region if (r["level"], r["variant"]) == (row["level"], row["variant"])]),
            f"  Strong {outcome(row['is_strong'])}, probability {ratio(row['strong_probability'])}: quotient >= "
            f"{ratio(edge)} (80th percentile of {len(pool)} pooled regions) and 1, employment > {persons(floor)}",
        ]
        if row["reason"]:
            lines.append(f"  Note: {row['reason']}")
    return lines


def _common_quotient(row: Row, own: Sequence[Row]) -> list[str]:
    if not row["location_quotient"]:
        return [f"  Location quotient {ratio(row['location_quotient'])} on common traded employment"]
    total = sum(r["employment"] for r in own if r["location_quotient"] is not None)
    share = row["employment"] / total
    return [
        f"  Location quotient {ratio(row['location_quotient'])} = share {ratio(share)} of the region's "
        f"{persons(total)} in common traded clusters ({persons(row['employment'])}) over the reference area's "
        f"{ratio(share / row['location_quotient'])}"
    ]


def _peers(snapshot: Snapshot, row: Row) -> list[Row]:
    """The regions of the same scheme, source and year for the cluster, without those that are no place."""
    names = ("year", "region_scheme", "source", "cluster_code")
    peers = snapshot.table("region_cluster", _PEER, [(name, "=", row[name]) for name in names]).to_pylist()
    return [peer for peer in peers if not is_remainder(row["region_scheme"], peer["region_code"])]


def _edge(rows: Sequence[Row], name: str, part: float) -> float | None:
    """Quantile of a column over rows with employment; None where there is none."""
    values = [np.nan if row[name] is None else row[name] for row in rows if (row["employment"] or 0) > 0]
    if not values:
        return None
    edge = float(column_quantiles(np.array(values, np.float64)[:, None], part)[0, 0])
    return None if np.isnan(edge) else edge


def _sum(values: Iterable[float | None]) -> float | None:
    """Sum, unknown where one of the values is."""
    total = 0.0
    for value in values:
        if value is None:
            return None
        total += value
    return total
