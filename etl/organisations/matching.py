"""Table `cluster_organisation`: which clusters an organisation works for and where, how surely and on what evidence."""

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from etl.contracts import contract
from etl.errors import DataError
from etl.organisations.codes import place_codes
from etl.organisations.region_matching import match_region
from etl.organisations.text import place_text
from etl.reference import NOT_ALLOCATED, cluster_codes
from etl.reference.store import rows

# Links kept an organisation, and the least score of one that is kept.
LINKS = 3
SCORE_AT_LEAST = 0.05

Link = tuple[int, float, str, str]


def cluster_organisation(organisations: pa.Table, decisions: pa.Table | None = None) -> pa.Table:
    """Place organisations on the taxonomy and in a region.

    `organisations`: columns organisation_id, organisation_name, country_code, region_code, cluster, industry_codes,
    sectors, description; text, empty where not given, several values separated by `;`. `decisions`: columns
    organisation_id, cluster_code, what people decided; it takes the place of all else. Then count clusters that the
    list names, then industry codes, then text. An organisation of which nothing can be said has cluster -1.
    Raises DataError for a decision about no organisation of the list or for no cluster.
    """
    decided = _decided(decisions, organisations)
    found: list[dict[str, Any]] = []
    for row in organisations.to_pylist():
        region = match_region(row["region_code"], row["country_code"])
        for rank, (cluster, score, method, evidence) in enumerate(links(row, decided), 1):
            found.append(
                {
                    "organisation_id": row["organisation_id"],
                    "organisation_name": row["organisation_name"],
                    "country_code": row["country_code"] or (region and _country(region.scheme, region.code)) or None,
                    "region_scheme": region and region.scheme,
                    "region_code": region and region.code,
                    "region_vintage": region and region.vintage,
                    "cluster_code": cluster,
                    "link_rank": rank,
                    "score": round(score, 6),
                    "link_method": method,
                    "evidence": evidence,
                }
            )
    result = contract("cluster_organisation")
    return result.conform(pa.Table.from_pylist(found, result.arrow_schema)) if found else result.empty()


def links(row: Mapping[str, str], decided: Mapping[str, Sequence[tuple[int, str]]]) -> list[Link]:
    """The clusters of one organisation, best first: code, score, method, evidence."""
    if row["organisation_id"] in decided:
        return [(cluster, 1.0, "decision", reason) for cluster, reason in decided[row["organisation_id"]]]
    named, unknown = _named(_parts(row["cluster"]))
    if named:
        return [(cluster, 1.0, "codes", f"cluster {cluster}") for cluster in named]
    by_code = place_codes(_parts(row["industry_codes"]), row["country_code"])
    if by_code:
        best = sorted(by_code.items(), key=lambda item: (-item[1][0], item[0]))[:LINKS]
        return _kept([(cluster, score, "codes", evidence) for cluster, (score, evidence) in best])
    texts = [row["organisation_name"], *unknown, row["sectors"], row["description"]]
    placed = place_text([text for text in texts if text])
    return _kept([(cluster, score, "text", evidence) for cluster, score, evidence in placed.best(LINKS)])


def _kept(found: list[Link]) -> list[Link]:
    return [link for link in found if link[1] >= SCORE_AT_LEAST] or [(NOT_ALLOCATED, 0.0, "text", "")]


def _parts(text: str) -> list[str]:
    return [part.strip() for part in text.split(";") if part.strip()]


def _named(names: Sequence[str]) -> tuple[list[int], list[str]]:
    """The clusters that are named by code, name or short name, and the names of none, which are read as text."""
    known = {
        str(row[key]).casefold(): int(row["cluster_code"])
        for row in rows("cluster")
        for key in ("cluster_code", "cluster_name", "short_name")
    }
    named = [known[name.casefold()] for name in names if name.casefold() in known]
    return list(dict.fromkeys(named)), [name for name in names if name.casefold() not in known]


def _decided(decisions: pa.Table | None, organisations: pa.Table) -> dict[str, list[tuple[int, str]]]:
    known = set(organisations.column("organisation_id").to_pylist())
    found: dict[str, list[tuple[int, str]]] = {}
    for row in decisions.to_pylist() if decisions is not None else []:
        name, code = row["organisation_id"], row["cluster_code"]
        if name not in known:
            raise DataError(f"decisions about organisations: {name} is not in the list of organisations")
        if not code.isdigit() or int(code) not in (0, *cluster_codes()):
            raise DataError(f"decisions about organisations: {name}: {code or 'nothing'} is the code of no cluster")
        found.setdefault(name, []).append((int(code), row.get("reason") or "decided by a person"))
    return found


def _country(scheme: str, code: str) -> str:
    return "US" if scheme.startswith("us_") else code[:2]
