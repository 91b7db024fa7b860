"""The documents beside the tables: Frictionless data package, DCAT-AP record, attribution text, compatible views."""

from collections.abc import Iterable, Mapping
from typing import Any

from etl.contracts import Column, Contract
from etl.contracts.compatible import compatible_views
from etl.publish.draft import Draft, Part
from etl.publish.manifest import manifest_json_schema
from etl.storage.checksummed import json_bytes

TITLE = "Clusterbridge"
SUMMARY = "The industry clusters of US and European regions on one taxonomy, with status, bounds and provenance."
PARQUET = "application/vnd.apache.parquet"
DEFINITIONS = (
    "Clusters: Benchmark Cluster Definitions, M. Delgado, M. E. Porter and S. Stern, Defining Clusters of Related "
    "Industries, Journal of Economic Geography 16(1), 2016, 1-38; as applied by the US Cluster Mapping project.",
    "Copyright of the President and Fellows of Harvard College; cite them, and look at their terms before you pass the "
    "definitions on",
)
LINKS = (
    "Links between NAICS and NACE and between NUTS versions: Eurostat's correspondence tables; between NAICS vintages: "
    "U.S. Census Bureau. Weights by Clusterbridge.",
    "Commission Decision 2011/833/EU on reuse, the source must be named; public domain in the United States",
)
INVENTED = "All figures of this snapshot are invented. They show the form of the data and must never be quoted."

_FRICTIONLESS_TYPES = {
    "string": "string",
    "bool": "boolean",
    "int16": "integer",
    "int32": "integer",
    "int64": "integer",
    "double": "number",
}

_CONTEXT = {
    "adms": "http://www.w3.org/ns/adms#",
    "dcat": "http://www.w3.org/ns/dcat#",
    "dct": "http://purl.org/dc/terms/",
    "foaf": "http://xmlns.com/foaf/0.1/",
    "spdx": "http://spdx.org/rdf/terms#",
    "xsd": "http://www.w3.org/2001/XMLSchema#",
}
_EU_LISTS = "http://publications.europa.eu/resource/authority/"


def documents(draft: Draft, parts: Mapping[str, Part], version: str) -> dict[str, bytes]:
    """Return all documents of a snapshot by path. They hold nothing of the run: equal content, equal bytes."""
    return {
        **draft.documents,
        **compatible_views(),
        "manifest.schema.json": manifest_json_schema(),
        "datapackage.json": json_bytes(data_package(draft, parts, version)),
        "catalogue.jsonld": json_bytes(dcat_record(draft, parts, version)),
        "ATTRIBUTION.txt": attribution(draft).encode(),
    }


def data_package(draft: Draft, parts: Mapping[str, Part], version: str) -> dict[str, Any]:
    """Describe the snapshot as a Frictionless data package, one resource per table."""
    return {
        "name": "clusterbridge",
        "title": TITLE,
        "description": f"{SUMMARY} {INVENTED}" if draft.is_invented else SUMMARY,
        "version": version,
        "licenses": [
            {"name": f"source-terms-{number}", "title": licence} for number, licence in enumerate(_licences(draft), 1)
        ]
        or [{"name": "source-terms", "title": "Terms of the sources"}],
        "sources": [{"title": f"{row['publisher']}: {row['title']}"} for row in draft.sources],
        "resources": [_resource(contract, _own(parts, name)) for name, contract in sorted(draft.contracts.items())],
    }


def dcat_record(draft: Draft, parts: Mapping[str, Part], version: str) -> dict[str, Any]:
    """Describe the snapshot as a DCAT-AP dataset in JSON-LD; addresses are relative to the snapshot's folder."""
    years = sorted({int(path[-12:-8]) for path in parts if path[-12:-8].isdigit()})
    record: dict[str, Any] = {
        "@context": _CONTEXT,
        "@id": "./",
        "@type": "dcat:Dataset",
        "dct:title": {"@value": TITLE, "@language": "en"},
        "dct:description": {"@value": f"{SUMMARY} {INVENTED}" if draft.is_invented else SUMMARY, "@language": "en"},
        "dct:identifier": f"clusterbridge/{version}",
        "dcat:version": version,
        "dct:issued": {"@value": draft.snapshot_date.isoformat(), "@type": "xsd:date"},
        "dct:modified": {"@value": draft.snapshot_date.isoformat(), "@type": "xsd:date"},
        "dct:language": {"@id": f"{_EU_LISTS}language/ENG"},
        "dct:accrualPeriodicity": {"@id": f"{_EU_LISTS}frequency/DAILY"},
        "dct:spatial": [{"@id": f"{_EU_LISTS}country/USA"}, {"@id": f"{_EU_LISTS}continent/EUROPE"}],
        "dcat:theme": [{"@id": f"{_EU_LISTS}data-theme/ECON"}, {"@id": f"{_EU_LISTS}data-theme/REGI"}],
        "dcat:keyword": ["industry clusters", "regions", "employment", "location quotient", "NUTS", "NAICS", "NACE"],
        "dct:publisher": _agent(TITLE),
        "dct:source": [
            {"@type": "dcat:Dataset", "dct:title": row["title"], "dct:publisher": _agent(str(row["publisher"]))}
            for row in draft.sources
        ],
        "dct:accessRights": {"@id": f"{_EU_LISTS}access-right/PUBLIC"},
        "dcat:distribution": [
            _distribution(contract, path, part, draft)
            for name, contract in sorted(draft.contracts.items())
            for path, part in _own(parts, name).items()
        ],
    }
    if years:
        record["dct:temporal"] = {
            "@type": "dct:PeriodOfTime",
            "dcat:startDate": {"@value": f"{years[0]}-01-01", "@type": "xsd:date"},
            "dcat:endDate": {"@value": f"{years[-1]}-12-31", "@type": "xsd:date"},
        }
    if draft.previous:
        record["dcat:previousVersion"] = {"@id": f"../{draft.previous}/"}
    return record


def attribution(draft: Draft) -> str:
    """Text to print beside figures: whom figures, clusters and links come from, and on what terms."""
    lines = [f"{TITLE}: {SUMMARY}", ""]
    if draft.is_invented:
        lines += [INVENTED, ""]
    told = [(str(row["attribution"]), str(row["licence"])) for row in draft.sources]
    for whom, terms in (DEFINITIONS, LINKS, *told):
        lines += [whom, f"  Terms: {terms}", ""]
    lines.append("Figures with status estimated, modelled or bounded are ours, not the publishers'.")
    return "\n".join(lines) + "\n"


def _agent(name: str) -> dict[str, str]:
    return {"@type": "foaf:Agent", "foaf:name": name}


def _licences(draft: Draft) -> list[str]:
    return sorted({str(row["licence"]) for row in draft.sources})


def _own(parts: Mapping[str, Part], table: str) -> dict[str, Part]:
    return {path: part for path, part in parts.items() if path.startswith(f"{table}/")}


def _resource(contract: Contract, own: Mapping[str, Part]) -> dict[str, Any]:
    paths = list(own)
    files = [{"path": path, "hash": f"sha256:{part.sha256}", "bytes": part.size} for path, part in own.items()]
    return {
        "name": contract.name.replace("_", "-"),
        "title": contract.title,
        "description": contract.description,
        "path": paths if len(paths) > 1 else paths[0],
        "format": "parquet",
        "mediatype": PARQUET,
        "profile": "tabular-data-resource",
        "files": files,
        "row_count": sum(part.rows for part in own.values()),
        "contract_version": contract.version,
        "usage_warnings": list(contract.warnings),
        "schema": {
            "fields": [_field(column) for column in contract.columns],
            "primaryKey": list(contract.key),
            # How a null reads where it passes through pandas, as it does in Frictionless.
            "missingValues": ["", "nan", "None"],
        },
    }


def _field(column: Column) -> dict[str, Any]:
    limits: Iterable[tuple[str, Any]] = (
        ("required", True if not column.nullable else None),
        ("enum", list(column.values) if column.values else None),
        ("pattern", column.pattern),
        ("minimum", _limit(column, column.minimum)),
        ("maximum", _limit(column, column.maximum)),
    )
    described: dict[str, Any] = {
        "name": column.name,
        "type": _FRICTIONLESS_TYPES[column.type],
        "description": column.description,
    }
    if column.unit:
        described["unit"] = column.unit
    constraints = {name: value for name, value in limits if value is not None}
    if constraints:
        described["constraints"] = constraints
    return described


def _limit(column: Column, limit: float | None) -> float | None:
    # A sum of shares may miss 1 by its last bits; the limits of doubles are checked, with that tolerance, by the gate.
    return None if limit is None or column.type == "double" else int(limit)


def _distribution(contract: Contract, path: str, part: Part, draft: Draft) -> dict[str, Any]:
    return {
        "@type": "dcat:Distribution",
        "dct:title": {"@value": f"{contract.title} ({path})", "@language": "en"},
        "dct:description": {"@value": contract.description, "@language": "en"},
        "dcat:accessURL": {"@id": path},
        "dcat:downloadURL": {"@id": path},
        "dct:format": {"@id": f"{_EU_LISTS}file-type/PARQUET"},
        "dcat:mediaType": {"@id": f"https://www.iana.org/assignments/media-types/{PARQUET}"},
        "dcat:byteSize": {"@value": str(part.size), "@type": "xsd:nonNegativeInteger"},
        "dct:conformsTo": {"@type": "dct:Standard", "dct:title": f"{contract.name} {contract.version}"},
        "dct:license": {"@type": "dct:LicenseDocument", "dct:title": "; ".join(_licences(draft))},
        "dct:rights": {"@type": "dct:RightsStatement", "dct:description": "; ".join(_licences(draft))},
        "spdx:checksum": {
            "@type": "spdx:Checksum",
            "spdx:algorithm": {"@id": "spdx:checksumAlgorithm_sha256"},
            "spdx:checksumValue": part.sha256,
        },
    }
